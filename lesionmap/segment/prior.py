"""The bone that was clicked holds the lesion: what lies in another bone, or far outside, costs height.

A placed skeleton is known to some millimetres, and a lesion may swell into the soft tissue beside its bone. So the
first millimetres are free, the next ones cost more and more, and only what lies far away is cut off. All of these
figures are assumed; tests/benchmarks/test_bench_click.py measures what they do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton import locate
from lesionmap.skeleton.nearest import best_of, nearest_bones
from lesionmap.skeleton.shape import filling, pose
from lesionmap.skeleton.tubes import in_tube
from lesionmap.space import resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.segment.box import Bools, Box, Floats
    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume

    Array = NDArray[np.float64]
    Indices = NDArray[np.int_]

__all__ = ["Held", "penalty_of"]

_STEP_MM = 4.0  # distances are smooth: they are asked every few mm
_ASKED = 400  # voxels of the region that tell the bone
_SAME = 0.3  # a bone with this share of the region holds it too: a joint's two sides cannot be told apart
_BLUR_MM = 6.0  # how fast a voxel outside its bone counts less
_OUTSIDE = (7.0, 0.12)  # outside the bone: mm that are free, and height for each mm beyond
_INTO = (3.0, 0.15)  # the same behind the border halfway to another bone, as the skeleton has it …
_INTO_LABEL = (0.5, 0.3)  # … and as a label map has it
_CUT_MM = 8.0  # beyond what is free by so much, nothing is taken
_CUT = np.float32(10.0)
_STANDS_OUT_MM = 2.0  # by so much a ball may stand out of its tube, as in ``locate``
_SLACK = 0.5  # of the 90 % radius of the nearest landmark, where that is estimated


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What the bones say of the voxels of a box."""

    home: tuple[str, ...]
    """Bones that hold the lesion, as ``tibia.left``, the first one most."""
    penalty: Floats
    """What is added to the height of each voxel of the box."""


def penalty_of(region: Bools, box: Box, placement: Placement, labels: Volume | None) -> Held | None:
    """Say what the bones add to the height of each voxel of a box.

    Parameters
    ----------
    region : ndarray of bool
        What signal alone takes for the lesion: its bones are those that hold it.
    box : Box
    placement : Placement
    labels : Volume, optional
        Bone label map of ``placement.labels``.

    Returns
    -------
    Held or None
        None where the region is far from every bone.
    """
    points = box.grid.lps(_near_click(region, box))
    found = locate(points, placement, labels)
    weight = np.where(found.site != "", np.exp(-found.distance_mm / _BLUR_MM), 0.0)
    if weight.sum() < 1e-6:
        return None
    bones = np.array([_bone_of(str(site)) for site in found.site])
    names, index = np.unique(bones, return_inverse=True)
    share = np.where(names == "", 0.0, np.bincount(index, weight) / weight.sum())
    order = np.argsort(-share, kind="stable")
    home = tuple(str(names[i]) for i in order if share[i] >= min(_SAME, float(share.max())))
    cost = _by_labels(home, box, placement, labels) if labels is not None else None
    return Held(home, _by_skeleton(points, home, box, placement) if cost is None else cost)


def _by_labels(home: tuple[str, ...], box: Box, placement: Placement, labels: Volume | None) -> Floats | None:
    """Give the cost by the label map; None where it has no voxel of the home bones in the box, or no label of theirs."""
    from scipy.ndimage import distance_transform_edt

    if labels is None or placement.labels is None:
        return None
    numbers = [number for number, _, _ in placement.labels.names]
    single = {n: f"{bone}.{side}" for n, bone, side in placement.labels.names if numbers.count(n) == 1}
    values = resample(labels, box.grid, order=0).array
    own = np.isin(values, [n for n, name in single.items() if name in home])
    other = np.isin(values, [n for n, name in single.items() if name not in home])
    if not own.any():
        return None
    outside = distance_transform_edt(~own, sampling=box.grid.spacing_mm)
    into = np.full(own.shape, -np.inf)
    if other.any():
        into = (outside - distance_transform_edt(~other, sampling=box.grid.spacing_mm)) / 2
    return np.asarray(_cost(outside, _OUTSIDE, 0.0) + _cost(into, _INTO_LABEL, 0.0), dtype=np.float32)


def _by_skeleton(points: Array, home: tuple[str, ...], box: Box, placement: Placement) -> Floats:
    """Give the cost by the placed skeleton; ``points`` are some of the lesion's, LPS mm."""
    lattice, balls = _Lattice.of(box), _balls_of(home)
    outside, into = _distances(lattice.points, balls, placement)
    slack = _slack_mm(points.mean(axis=0), placement)
    # A click that lies outside its bone says that the skeleton lies a little beside it there.
    off = float(np.median(_distances(points, balls, placement)[0]))
    return lattice.on_box(_cost(outside, _OUTSIDE, slack + max(off, 0.0)) + _cost(into, _INTO, slack), box)


def _near_click(region: Bools, box: Box) -> Indices:
    """Give the voxels of the region nearest to the click, shape (n, 3)."""
    voxels = np.argwhere(region)
    away = np.linalg.norm((voxels - np.array(box.seed)) * box.grid.spacing_mm, axis=1)
    return voxels[np.argsort(away, kind="stable")[:_ASKED]]


@cache
def _bones() -> dict[str, int]:
    return {f"{bone}.{side}": number for number, (bone, side) in enumerate(filling().bones)}


def _bone_of(site: str) -> str:
    """Give the bone of a site; a bone of the midline has one side, whatever that of its parts."""
    if not site:
        return ""
    bone, _, side = site.split(".")
    return f"{bone}.{side}" if f"{bone}.{side}" in _bones() else f"{bone}.midline"


def _balls_of(home: tuple[str, ...]) -> Indices:
    return np.flatnonzero(np.isin(filling().bone, [_bones()[name] for name in home]))


def _distances(points: Array, home: Indices, placement: Placement) -> tuple[Array, Array]:
    """Give how far points lie outside the home bones, and behind the border halfway to another bone, mm."""
    balls, surface = nearest_bones(points, placement)
    own, _ = best_of(points, placement, [home])
    outside = _drawn(points, own[:, 0], placement)
    is_home = np.isin(balls, home)
    other = np.where(is_home[:, 0], np.where(is_home[:, 1], np.inf, surface[:, 1]), surface[:, 0])
    return outside, (outside - other) / 2


def _drawn(points: Array, balls: Indices, placement: Placement) -> Array:
    """Give the distance to the surface of a bone as its balls and its tubes draw it, mm."""
    posed = pose(placement)
    ball = np.linalg.norm(points - posed.centres[balls], axis=1) - posed.radii[balls]
    return np.minimum(in_tube(points, balls, placement).surface_mm, ball + _STANDS_OUT_MM)


def _slack_mm(point: Array, placement: Placement) -> float:
    """Give by how much the skeleton may lie beside the truth there, beyond what a placed landmark may."""
    marks = np.array([mark.lps_mm for mark in placement.landmarks])
    nearest = placement.landmarks[int(np.argmin(np.linalg.norm(marks - point, axis=1)))]
    return _SLACK * nearest.radius90_mm


def _cost(mm: Array, law: tuple[float, float], slack_mm: float) -> Array:
    free, per_mm = law
    beyond = np.clip(mm - free - slack_mm, 0.0, None)
    return np.where(beyond > _CUT_MM, float(_CUT), per_mm * beyond)


@dataclass(frozen=True, slots=True, eq=False)
class _Lattice:
    """Some voxels of a box, a few mm apart."""

    points: Array
    """(n, 3) LPS mm."""
    counts: tuple[int, ...]

    @classmethod
    def of(cls, box: Box) -> _Lattice:
        counts = [
            max(int(np.ceil((n - 1) * spacing / _STEP_MM)), 1) + 1 if n > 1 else 1
            for n, spacing in zip(box.smooth.shape, box.grid.spacing_mm, strict=True)
        ]
        axes = [np.linspace(0, n - 1, count) for n, count in zip(box.smooth.shape, counts, strict=True)]
        voxels = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        return cls(box.grid.lps(voxels), tuple(counts))

    def on_box(self, values: Array, box: Box) -> Floats:
        """Interpolate values at the points to every voxel of the box."""
        from scipy.ndimage import zoom

        factors = [n / count for n, count in zip(box.smooth.shape, self.counts, strict=True)]
        grown = zoom(values.reshape(self.counts).astype(np.float32), factors, order=1, grid_mode=False)
        return np.asarray(grown, dtype=np.float32)
