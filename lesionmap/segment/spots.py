"""Bright marrow, listed for the reader to accept or reject. A candidate is no Lesion and is never counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.segment.clicked import click
from lesionmap.segment.marrow import NEAR_MM, PLATE_MM, blocks, in_canal, marrow_of, mirror_level
from lesionmap.skeleton import locate, site_shares
from lesionmap.skeleton.segments import site_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionmap.lesions import Mask
    from lesionmap.segment.marrow import Marrow
    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume

    Array = NDArray[np.float64]
    Indices = NDArray[np.int_]

__all__ = ["Candidate", "candidates"]

_LEFT_OUT = ("skull",)  # brain, eyes and fluid fill it
_LEAST_BLOCKS_ML = 0.3
_LEAST_ML = 0.4
_LEAST_INSIDE = 0.35  # share of a candidate's blocks, and of its mask, that lies in bones
_MOST_CANAL = 0.5  # largest share of a mask in the spinal canal
_ASKED = 600  # voxels of a mask that are located
_MOST = 24  # spots looked at closely, the brightest first
_LEAST_SCORE = 0.16
_SAME = 0.3  # masks that share so much of the smaller one are one
_PLATE = (0.3, 3.2)  # a growth plate is flat: its least spread over its largest, and in mm


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """Bright marrow that may be a lesion."""

    mask: Mask
    site: str
    """Proposed site id."""
    score: float
    """0 to 1: how far above the limit its marrow is, times its share in bone. Only the order has a meaning."""
    reason: str
    """In words, without a full stop."""
    seed_lps_mm: tuple[float, float, float]
    """Where a click finds it."""


def candidates(
    volume: Volume, placement: Placement, *, labels: Volume | None = None, most: int = 12
) -> tuple[Candidate, ...]:
    """List bright marrow of a visit.

    A block of marrow is looked at where it is brighter than 1.5 times what is expected of that site (its own marrow,
    the other side's, that of its kind, by age) and than red marrow; near an open growth plate or a disc, 1.25 times
    their signal. Spots that lie mainly outside the bones (spinal fluid, bladder, vessels, joints) are dropped. The
    skull is left out. All limits are assumed, and measured by tests/benchmarks/test_bench_candidates.py.

    Parameters
    ----------
    volume : Volume
        STIR of the visit, its stations joined.
    placement : Placement
        The skeleton on the visit.
    labels : Volume, optional
        Bone label map of ``placement.labels``.
    most : int
        No more than so many, the best ones.

    Returns
    -------
    tuple of Candidate
        The best first.

    Raises
    ------
    LesionmapError
        If the volume is a projection, where bones lie one behind the other.
    """
    if volume.projection:
        raise LesionmapError("candidates are looked for in slices, got a projection; mark bone scans by hand")
    coarse = blocks(volume)
    marrow = marrow_of(coarse, placement, labels)
    found: list[Candidate] = []
    for spot in _spots(marrow, coarse, placement)[:_MOST]:
        seed = marrow.points[spot[int(np.argmax(marrow.signal[spot]))]]
        if any(_holds(one.mask, seed) for one in found):
            continue
        made = _candidate(volume, seed, spot, marrow, (placement, labels))
        if made is not None and not any(_same(made.mask, one.mask) for one in found):
            found.append(made)
    return tuple(sorted(found, key=lambda one: -one.score)[:most])


def _spots(marrow: Marrow, coarse: Volume, placement: Placement) -> list[Indices]:
    """Give the rows of the blocks of each bright spot: connected, of one bone, mainly inside; the brightest first."""
    from scipy.ndimage import label

    names = site_names().tolist()
    out = np.array([not name or name.startswith(_LEFT_OUT) for name in names])
    hot = (marrow.signal > marrow.limit) & ~out[marrow.site]
    behind = np.array([".posterior_elements." in name or name.startswith("sacrum.body") for name in names])
    hot &= ~(behind[marrow.site] & in_canal(marrow.points, placement))
    lit = np.zeros(coarse.grid.shape, dtype=bool)
    lit[tuple(marrow.index[hot].T)] = True
    labels, _ = label(lit, structure=np.ones((3, 3, 3)))
    rows = np.flatnonzero(hot)
    _, bone = np.unique([".".join(name.split(".")[::2]) for name in names], return_inverse=True)
    key = labels[tuple(marrow.index[rows].T)].astype(int) * (bone.max() + 1) + bone[marrow.site[rows]]
    order = rows[np.argsort(key, kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(np.sort(key))) + 1) if len(rows) else []
    least = _LEAST_BLOCKS_ML / coarse.grid.voxel_volume_ml
    kept = [g for g in groups if len(g) >= least and float(marrow.inside[g].mean()) >= _LEAST_INSIDE]
    return sorted(kept, key=lambda g: -float((marrow.signal[g] / marrow.limit[g] - 1.0).sum()))


def _candidate(
    volume: Volume, seed: Array, spot: Indices, marrow: Marrow, where: tuple[Placement, Volume | None]
) -> Candidate | None:
    """Grow the mask of a spot, and say why it is listed; None where it is no bright marrow after all."""
    mask = _in_bone(volume, seed, *where)
    if mask is None or mask.n_voxels * volume.grid.voxel_volume_ml < _LEAST_ML:
        return None
    placement, labels = where
    some = _some(mask)
    found = locate(some, placement, labels)
    if float(in_canal(some, placement).mean()) > _MOST_CANAL or _is_plate(some, found.physis_mm):
        return None
    shares = site_shares(some, placement, labels)
    mean = float(volume.array[tuple(mask.voxels().T)].mean())
    inside = float((found.distance_mm <= NEAR_MM).mean())
    score = inside * (1.0 - float(marrow.limit[spot].mean()) / max(mean, 1e-6))
    if not shares or score < _LEAST_SCORE or shares[0].site.startswith(_LEFT_OUT):
        return None
    x, y, z = seed.tolist()
    reason = _reason(mean, shares[0].site, shares[0].physis, marrow)
    return Candidate(mask, shares[0].site, score, reason, (x, y, z))


def _in_bone(volume: Volume, seed: Array, placement: Placement, labels: Volume | None) -> Mask | None:
    """Grow a mask that lies in bones: by signal alone, and held by the bones where that runs out of them.

    The first takes a quarter of the time. None where nothing stands out, or what does lies mainly outside the bones.
    """
    for held, near_mm in ((None, NEAR_MM), (placement, 0.0)):  # what was cut off at bones lies near them
        try:
            found = click(volume, seed, placement=held, labels=None if held is None else labels)
        except LesionmapError:  # nothing there is clearly brighter than what is around it
            return None
        mask = found.mask()
        inside = locate(_some(mask), placement, labels).distance_mm <= near_mm
        if not found.leak and float(inside.mean()) >= _LEAST_INSIDE:
            return mask
    return None


def _some(mask: Mask) -> Array:
    points = mask.lps_mm()
    return points[:: max(len(points) // _ASKED, 1)]


def _is_plate(points: Array, physis_mm: Array) -> bool:
    """Say whether points, (n, 3) LPS mm, lie in a flat sheet near a growth plate."""
    if len(points) < 4 or not np.nanmedian(np.append(physis_mm, np.inf)) <= PLATE_MM:
        return False
    spread = np.sqrt(np.linalg.eigvalsh(np.cov(points.T)).clip(0.0))
    return bool(spread[0] <= _PLATE[1] and spread[0] <= _PLATE[0] * spread[2])


def _reason(mean: float, site: str, physis: str | None, marrow: Marrow) -> str:
    said = []
    bone, other = marrow.bone.get(".".join(site.split(".")[::2])), mirror_level(marrow, site)
    if bone:
        said.append(f"{mean / bone:.1f} times the marrow of the same bone")
    if other:
        said.append(f"{mean / other:.1f} times that of the other side")
    if physis in ("touches", "crosses"):
        said.append(f"{physis} a growth plate")
    return ", ".join(said) or "brighter than marrow of its kind"


def _holds(mask: Mask, point: Array) -> bool:
    voxel = np.rint(mask.grid.voxels(point)).astype(int) - mask.origin
    return bool(np.all((voxel >= 0) & (voxel < mask.box.shape))) and bool(mask.box[tuple(voxel)])


def _same(one: Mask, other: Mask) -> bool:
    low = np.maximum(one.origin, other.origin)
    high = np.minimum(np.add(one.origin, one.box.shape), np.add(other.origin, other.box.shape))
    if np.any(high <= low):
        return False
    cut: Sequence[NDArray[np.bool_]] = [
        mask.box[tuple(slice(a - o, b - o) for a, b, o in zip(low, high, mask.origin, strict=True))]
        for mask in (one, other)
    ]
    return float(np.count_nonzero(cut[0] & cut[1])) > _SAME * min(one.n_voxels, other.n_voxels)
