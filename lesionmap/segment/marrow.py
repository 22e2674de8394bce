"""How bright the marrow of each site is in a visit, and how bright it may be before it is looked at.

Everything is measured in the visit itself, on blocks of some millimetres: a site's own marrow, that of the same site
on the other side and of its kind, that of the whole bone, the growth plates. Red marrow leaves the limbs from the ends
inwards (PMID 2315484), so what is expected of a segment lies between the visit's yellow and red marrow by age.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton import locate, mirror, physis_state
from lesionmap.skeleton.growth import vertebra_names
from lesionmap.skeleton.limits import limits
from lesionmap.skeleton.segments import site_names
from lesionmap.skeleton.shape import pose
from lesionmap.space import Grid, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.skeleton import Placement

    Array = NDArray[np.float64]
    Floats = NDArray[np.float32]
    Indices = NDArray[np.int_]

__all__ = ["NEAR_MM", "PLATE_MM", "Marrow", "blocks", "in_canal", "marrow_of", "mirror_level"]

_BLOCK_MM = 3.5
_BESIDE_MM = 9.0  # blocks that lie so near to a bone are looked at
NEAR_MM = 6.0
"""A point this near to a bone counts as inside: a placed skeleton is not known better (assumed)."""
_LEAST = 8  # blocks that tell a site's marrow
_OWN, _WHOLE = 0.4, 0.35  # quantiles that stand for marrow although a part of it is a lesion (assumed)
_ON_PLATE_MM = 4.0  # blocks that tell a growth plate's signal (assumed)
PLATE_MM = 9.0
"""So near to where the skeleton has a growth plate there may be one (assumed)."""
_ABOVE = 1.5  # marrow above this times what is expected is looked at (assumed) …
_ABOVE_PLATE = 1.25  # … near an open growth plate, or a disc, above this times their own signal
_AT_DISCS = ("vertebra_", "sacrum.body")
_CANAL_MM = (8.0, 10.0)  # middle of the spinal canal behind the vertebral bodies, and what is taken for it (assumed)
_LONG = ("humerus", "radius", "ulna", "femur", "tibia", "fibula")
# Share of red marrow at ages (domain.md §5 tells from when to when it goes; the shares are assumed).
_RED = {
    "diaphysis": ([1.0, 10.0], [0.9, 0.2]),
    "distal_metaphysis": ([5.0, 15.0], [0.7, 0.15]),
    "proximal_metaphysis": ([5.0, 20.0], [0.85, 0.35]),
}


@dataclass(frozen=True, slots=True, eq=False)
class Marrow:
    """The blocks in and beside the bones, and what is expected of them. One entry a block but where told."""

    index: Indices
    """(n, 3) block of ``blocks(volume)``."""
    points: Array
    """(n, 3) LPS mm."""
    signal: Floats
    site: NDArray[np.int_]
    """Code of the site, as in ``site_names()``."""
    inside: NDArray[np.bool_]
    """In the bone, or so near to it that the skeleton may lie beside the truth by so much."""
    expected: Floats
    """Marrow that a healthy child would have there."""
    limit: Floats
    """Signal above which it is looked at."""
    own: dict[str, float]
    """Site → the middle signal of its own marrow."""
    bone: dict[str, float]
    """Bone and side (``tibia.left``) → its marrow."""


def blocks(volume: Volume) -> Volume:
    """Average a volume over blocks of some millimetres; thick slices are left as they are."""
    factors = [max(int(_BLOCK_MM / spacing + 0.2), 1) for spacing in volume.grid.spacing_mm]
    shape = [n // f for n, f in zip(volume.grid.shape, factors, strict=True)]
    (a, b, c), (i, j, k) = shape, factors
    mean = np.zeros((a, b, c), dtype=np.float32)
    for di in range(i):
        for dj in range(j):
            for dk in range(k):
                mean += volume.array[di : a * i : i, dj : b * j : j, dk : c * k : k]
    mean /= i * j * k
    matrix = volume.grid.lps_from_voxel.copy()
    matrix[:3, :3] *= factors
    matrix[:3, 3] = volume.grid.lps([(f - 1) / 2 for f in factors])
    return Volume(mean, Grid((a, b, c), matrix), volume.projection)


def marrow_of(coarse: Volume, placement: Placement, labels: Volume | None = None) -> Marrow:
    """Measure the marrow of a visit.

    Parameters
    ----------
    coarse : Volume
        As ``blocks`` gives it.
    placement : Placement
    labels : Volume, optional
        Bone label map of ``placement.labels``.
    """
    index = np.argwhere(_near_bones(coarse, placement))
    points = coarse.grid.lps(index)
    signal = coarse.array[tuple(index.T)].astype(np.float32)
    found = locate(points, placement, labels)
    codes = {name: code for code, name in enumerate(site_names().tolist())}
    site = np.fromiter((codes[name] for name in found.site), dtype=int, count=len(found.site))
    lit = found.inside & (signal > 0)
    own, bone = _levels(signal, site, lit)
    plate = _plate_levels(signal, site, lit, found.physis_mm)
    kinds = _kinds(own)
    red, yellow = _red_and_yellow(own, bone)
    expected = np.full(len(site_names()), red, dtype=np.float32)
    for name in own:
        expected[codes[name]] = _expected(name, (own, bone, kinds), (yellow, red), placement)
    limit = _ABOVE * np.maximum(expected, red)[site]
    near_plate = (found.physis_mm < PLATE_MM) & _open(site, placement)
    limit[near_plate] = np.maximum(limit[near_plate], _ABOVE_PLATE * plate)
    disc = _disc_level(signal, site, lit)
    of_spine = np.array([name.startswith(_AT_DISCS) for name in site_names().tolist()])[site]
    limit[of_spine] = np.maximum(limit[of_spine], _ABOVE_PLATE * disc)
    within = found.distance_mm <= NEAR_MM
    return Marrow(index, points, signal, site, within, expected[site], limit, own, bone)


def _near_bones(coarse: Volume, placement: Placement) -> NDArray[np.bool_]:
    """Say which blocks lie in a ball of the skeleton, or beside one."""
    posed, spacing = pose(placement), np.array(coarse.grid.spacing_mm)
    found = np.zeros(coarse.grid.shape, dtype=bool)
    centres = np.rint(coarse.grid.voxels(posed.centres)).astype(int)
    reach = np.ceil(posed.radii + _BESIDE_MM).astype(int)
    for r in np.unique(reach).tolist():
        most = np.ceil(r / spacing).astype(int)
        steps = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij"), axis=-1).reshape(-1, 3)
        steps = steps[np.linalg.norm(steps * spacing, axis=1) <= r]
        all_of_them = (centres[reach == r][:, None] + steps).reshape(-1, 3)
        inside = np.all((all_of_them >= 0) & (all_of_them < found.shape), axis=1)
        found[tuple(all_of_them[inside].T)] = True
    return found


def _levels(signal: Floats, site: Indices, lit: NDArray[np.bool_]) -> tuple[dict[str, float], dict[str, float]]:
    """Give the marrow of each site, and of each bone and side."""
    names = site_names().tolist()
    own: dict[str, float] = {}
    by_bone: dict[str, list[Floats]] = {}
    rows = np.flatnonzero(lit)
    order = rows[np.argsort(site[rows], kind="stable")]
    for group in np.split(order, np.flatnonzero(np.diff(site[order])) + 1) if len(order) else ():
        name = names[int(site[group[0]])]
        if name and len(group) >= _LEAST:
            own[name] = float(np.quantile(signal[group], _OWN))
        if name:
            by_bone.setdefault(_bone(name), []).append(signal[group])
    return own, {bone: float(np.quantile(np.concatenate(parts), _WHOLE)) for bone, parts in by_bone.items()}


def _bone(site: str) -> str:
    return ".".join(site.split(".")[::2])


def _kind(site: str) -> str:
    """Give what a site is compared with: the same segment of the same bone on either side, of all vertebrae or ribs."""
    bone, segment, _ = site.split(".")
    return f"{bone.split('_')[0]}.{segment}" if bone.startswith(("vertebra_", "rib_", "meta", "finger", "toe")) else (
        f"{bone}.{segment}"
    )  # fmt: skip


def _kinds(own: dict[str, float]) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for name, value in own.items():
        found.setdefault(_kind(name), []).append(value)
    return {kind: float(np.median(values) if len(values) > 2 else min(values)) for kind, values in found.items()}


def _red_and_yellow(own: dict[str, float], bone: dict[str, float]) -> tuple[float, float]:
    """Give the signal of red marrow (that of the vertebral bodies) and of yellow marrow (the darkest bones)."""
    values = np.array(list(bone.values()) or [0.0])
    bodies = [v for name, v in own.items() if name.startswith("vertebra_") and ".body." in name]
    red = float(np.median(bodies)) if len(bodies) > 2 else float(np.quantile(values, 0.75))
    return red, min(float(np.quantile(values, 0.1)), red)


def _expected(
    name: str,
    levels: tuple[dict[str, float], dict[str, float], dict[str, float]],
    ends: tuple[float, float],
    placement: Placement,
) -> float:
    """Give the marrow to be expected of a site: its own, unless its kind, its bone and the age say that it is less."""
    own, bone, kinds = levels
    yellow, red = ends
    segment = name.split(".")[1]
    ages, shares = _RED.get(segment, ([0.0], [0.06 if segment.endswith("epiphysis") else 1.0]))
    by_age = yellow + float(np.interp(placement.age_y, ages, shares)) * (red - yellow)
    return min(own[name], kinds[_kind(name)], max(bone[_bone(name)], by_age))


def _open(site: Indices, placement: Placement) -> NDArray[np.bool_]:
    """Say which sites belong to a bone with a growth plate that is not known to have closed."""
    found = np.zeros(len(site_names()), dtype=bool)
    for code, name in enumerate(site_names().tolist()):
        bone, _, segment = name.partition(".")
        if bone == "calcaneus":
            found[code] = True
        elif bone in _LONG:
            ends = [end for end in ("proximal", "distal") if segment.startswith(end)] or ["proximal", "distal"]
            states = {physis_state(bone, end, placement.age_y, placement.sex) for end in ends}
            found[code] = states != {"closed"}
    return found[site]


def _plate_levels(signal: Floats, site: Indices, lit: NDArray[np.bool_], physis_mm: Array) -> float:
    """Give the signal of the visit's growth plates: the middle one of all plates' brightest tenths."""
    near = np.flatnonzero(lit & (physis_mm < _ON_PLATE_MM))
    order = near[np.argsort(site[near], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(site[order])) + 1) if len(order) else []
    tops = [float(np.quantile(signal[group], 0.9)) for group in groups if len(group) >= _LEAST]
    return float(np.median(tops)) if tops else 0.0


def _disc_level(signal: Floats, site: Indices, lit: NDArray[np.bool_]) -> float:
    """Give the signal of the discs, which a skeleton that is some mm off takes for the ends of vertebral bodies."""
    names = site_names().tolist()
    tops = []
    for code in np.unique(site[lit]).tolist():
        if names[code].startswith("vertebra_") and ".body." in names[code]:
            values = signal[lit & (site == code)]
            tops += [float(np.quantile(values, 0.95))] if len(values) >= _LEAST else []
    return float(np.median(tops)) if tops else 0.0


def in_canal(points: Array, placement: Placement) -> NDArray[np.bool_]:
    """Say which points, shape (n, 3) LPS mm, lie in the spinal canal as the placed vertebrae have it, or at its rim."""
    from scipy.spatial import cKDTree

    backs = [limits(f"vertebra_{name}", "midline", placement)[0] for name in vertebra_names()]
    middles = np.array([back.point + _CANAL_MM[0] * back.normal for back in backs])
    low = np.array(placement.positions()["S1"]) + _CANAL_MM[0] * 2 * backs[-1].normal
    nodes = np.vstack([middles, low])
    share = np.linspace(0.0, 1.0, 8, endpoint=False)[:, None, None]
    line = (nodes[:-1] + share * np.diff(nodes, axis=0)).reshape(-1, 3)
    near, _ = cKDTree(line).query(points, distance_upper_bound=_CANAL_MM[1])
    return np.asarray(np.isfinite(near))


def mirror_level(marrow: Marrow, site: str) -> float | None:
    """Give the marrow of the same site on the other side; None in the midline, or where it was not seen."""
    other = mirror(site)
    return None if other == site else marrow.own.get(other)
