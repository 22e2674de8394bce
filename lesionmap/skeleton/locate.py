"""Which site is this point in? Points and masks to bones, segments, sides and bone coordinates."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.skeleton import anatomy
from lesionmap.skeleton.segments import Coordinates, coordinates
from lesionmap.skeleton.shape import Tube, pose

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import ArrayLike, NDArray
    from scipy.spatial import cKDTree

    from lesionmap.skeleton.placement import Placement
    from lesionmap.space import Volume

__all__ = ["FAR_MM", "Located", "SiteShare", "locate", "owners", "site_shares"]

FAR_MM = 40.0
"""A point farther than this from every bone has no site."""

_CHUNK = 50_000  # points at a time: the search and numpy let other threads work
_NEIGHBOURS = 6  # balls looked at for the best of the first bone and of any other
_TOUCH_MM = 5.0  # a placed physis is known to some millimetres; farther than this a lesion spares it (assumed)
_CROSS_SHARE = 0.05  # a lesion crosses a physis when this much lies on either side; less is the edge of a voxel
_BESIDE_MM = (1.5, 3.0, 5.0)  # how far beside a labelled bone a point is still taken for it (assumed)
_BLUR_MM = 6.0  # how surely a placed surface is known, for the confidence (assumed)

_WAYS = np.array([w for w in product((-1.0, 0.0, 1.0), repeat=3) if abs(w[0]) + abs(w[1]) + abs(w[2]) != 2 and any(w)])
_WAYS /= np.linalg.norm(_WAYS, axis=1, keepdims=True)
_WAYS.setflags(write=False)


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """Where points are: one entry a point, in the order asked."""

    site: NDArray[np.object_]
    """Site id; '' for a point far from every bone."""
    fraction_along: NDArray[np.float64]
    """0 to 1 along long bones, clavicle and ribs; NaN for others."""
    angle_rad: NDArray[np.float64]
    """Angle about the bone's centreline; NaN where there is no centreline to speak of."""
    radius_fraction: NDArray[np.float64]
    """Distance from the centreline over the half width there."""
    physis_mm: NDArray[np.float64]
    """Distance to the nearest physis; NaN for bones without."""
    distance_mm: NDArray[np.float64]
    """Distance to the bone's surface; 0 inside."""
    inside: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    """Probability that bone and side are right, 0 to 1."""


@dataclass(frozen=True, slots=True)
class SiteShare:
    """How much of a mask lies in a site."""

    site: str
    share: float
    """0 to 1, of the points that have a site."""
    physis: Literal["touches", "crosses", "spares"] | None
    """Relation of the whole mask to the physes of that bone; None for a bone without."""


@lru_cache(maxsize=8)
def _tree(placement: Placement) -> tuple[cKDTree, float]:
    """Index the balls so that the nearest in four dimensions is the one of least power distance."""
    from scipy.spatial import cKDTree

    posed = pose(placement)
    biggest = float(posed.radii.max())
    lift = np.sqrt(biggest**2 - posed.radii**2)
    lifted = np.column_stack([posed.centres, lift])
    return cKDTree(lifted, leafsize=24, compact_nodes=False, balanced_tree=False), biggest


def _nearest(points: NDArray[np.float64], placement: Placement) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Give for each point the two balls of different bones that are nearest, and the distances to their surfaces.

    Returns
    -------
    balls : (n, 2) int
        The second is -1 where no other bone is among the nearest.
    surface_mm : (n, 2) float
        Negative inside; the second is infinite where there is none.
    """
    tree, biggest = _tree(placement.shape_key())
    query = np.column_stack([points, np.zeros(len(points))])
    balls = np.full((len(points), 2), -1)
    surface = np.full((len(points), 2), np.inf)
    # Most points of a body are near no bone: a bounded search finds that out fast.
    reach = float(np.hypot(FAR_MM + biggest, biggest))
    distance, found = tree.query(query, k=_NEIGHBOURS, distance_upper_bound=reach)
    near = np.isfinite(distance[:, 0])
    balls[near], surface[near] = _two_bones(points[near], found[near], placement)
    if not near.all():
        posed = pose(placement)
        _, first = tree.query(query[~near])
        balls[~near, 0] = first
        surface[~near, 0] = np.linalg.norm(points[~near] - posed.centres[first], axis=1) - posed.radii[first]
    return balls, surface


def _two_bones(
    points: NDArray[np.float64], found: NDArray[np.int_], placement: Placement
) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Choose, among the nearest balls of each point, the best of the first bone and the best of any other."""
    posed, bone = pose(placement), _bone_of_ball(placement.shape_key())
    missing = found == len(posed.radii)
    found = np.where(missing, found[:, :1], found)
    surface = np.linalg.norm(points[:, None] - posed.centres[found], axis=2) - posed.radii[found]
    other = bone[found] != bone[found[:, :1]]
    rows = np.arange(len(points))
    own = np.where(other, np.inf, surface)
    rest = np.where(other, surface, np.inf)
    first, second = own.argmin(axis=1), rest.argmin(axis=1)
    balls = np.column_stack([found[rows, first], np.where(other.any(axis=1), found[rows, second], -1)])
    return balls, np.column_stack([own[rows, first], rest[rows, second]])


def owners(points_lps_mm: NDArray[np.float64], placement: Placement) -> NDArray[np.int_]:
    """Give for each point, shape (n, 3), the ball of ``pose(placement)`` that it belongs to."""
    return _nearest(points_lps_mm, placement)[0][:, 0]


def _bone_and_side(tube: Tube) -> tuple[str, str]:
    return tube.bone, "midline" if tube.paired else tube.side


@lru_cache(maxsize=8)
def _bone_of_ball(placement: Placement) -> NDArray[np.int_]:
    """Give for each ball the number of its bone and side."""
    posed = pose(placement)
    keys: dict[tuple[str, str], int] = {}
    number = np.array([keys.setdefault(_bone_and_side(tube), len(keys)) for tube in posed.tubes])
    return np.asarray(number[posed.tube])


def locate(points_lps_mm: ArrayLike, placement: Placement, labels: Volume | None = None) -> Located:
    """Name the site of every point.

    Parameters
    ----------
    points_lps_mm : array-like, shape (n, 3)
        LPS mm.
    placement : Placement
        The skeleton on the visit.
    labels : Volume, optional
        Bone label map of ``placement.labels``; where it names a bone, that bone and side win.

    Returns
    -------
    Located

    Raises
    ------
    LesionmapError
        If a coordinate is not finite, or a label map comes without names.
    """
    points = np.asarray(points_lps_mm, dtype=np.float64).reshape(-1, 3)
    if not np.isfinite(points).all():
        raise LesionmapError("points need finite coordinates in LPS mm, got NaN or infinity")
    if labels is not None and placement.labels is None:
        raise LesionmapError("a label map needs the names of its labels; place it with --labels and --names")
    if len(points) <= _CHUNK:
        return _located(points, placement, labels)
    _located(points[:1], placement, labels)  # poses the skeleton once, before the threads ask for it
    chunks = np.array_split(points, -(-len(points) // _CHUNK))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = list(pool.map(lambda chunk: _located(chunk, placement, labels), chunks))
    return Located(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Located)))


def _located(points: NDArray[np.float64], placement: Placement, labels: Volume | None) -> Located:
    if labels is None:
        balls, surface = _nearest(points, placement)
    else:
        balls, surface = _labelled(points, placement, labels)
    where = coordinates(points, balls[:, 0], placement)
    gap = np.clip(surface[:, 1] - surface[:, 0], 0.0, 60.0)
    confidence = 1.0 / (1.0 + np.exp(-gap / _BLUR_MM)) * np.exp(-np.clip(surface[:, 0], 0.0, None) / (2 * FAR_MM))
    far = surface[:, 0] > FAR_MM
    return _result(where, surface[:, 0], confidence, far)


def _labelled(
    points: NDArray[np.float64], placement: Placement, labels: Volume
) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Where the label map names bones, take the nearest ball of one of these bones; elsewhere, the nearest of all.

    A point just outside a labelled bone belongs to that bone: labels know its surface better than the skeleton does.
    """
    named, posed = _named(placement), pose(placement)
    balls, surface = np.full((len(points), 2), -1), np.full((len(points), 2), np.inf)
    values = _values_at(labels, points)
    free = np.flatnonzero(~np.isin(values, list(named)))
    balls[free], surface[free] = _nearest(points[free], placement)
    beside = free[surface[free, 0] < _BESIDE_MM[-1] + 2 * _BLUR_MM]
    values[free] = 0
    values[beside], gap_mm = _values_beside(labels, points[beside], named)
    surface[values > 0, 0] = -np.inf
    surface[beside, 0] = np.where(values[beside] > 0, gap_mm, surface[beside, 0])
    for value in np.unique(values[values > 0]).tolist():
        rows = np.flatnonzero(values == value)
        allowed = np.array([_bone_and_side(tube) in named[value] for tube in posed.tubes])
        mine = np.flatnonzero(allowed[posed.tube])
        balls[rows, 0] = mine[_least_power(points[rows], posed.centres[mine], posed.radii[mine])]
    return balls, surface


def _values_beside(
    labels: Volume, points: NDArray[np.float64], named: Collection[int]
) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Give for points on no bone's label the nearest bone's label within some millimetres (else 0), and how near."""
    values, gap_mm = np.zeros(len(points), dtype=int), np.full(len(points), np.inf)
    for reach in _BESIDE_MM:
        for way in _WAYS:
            open_rows = np.flatnonzero(values == 0)
            seen = _values_at(labels, points[open_rows] + reach * way)
            hit = np.isin(seen, list(named))
            values[open_rows[hit]], gap_mm[open_rows[hit]] = seen[hit], reach
    return values, gap_mm


def _least_power(
    points: NDArray[np.float64], centres: NDArray[np.float64], radii: NDArray[np.float64]
) -> NDArray[np.int_]:
    """Give for each point, shape (n, 3), the ball of least power distance."""
    from scipy.spatial import cKDTree

    lift = np.sqrt(radii.max() ** 2 - radii**2)
    _, found = cKDTree(np.column_stack([centres, lift])).query(np.column_stack([points, np.zeros(len(points))]))
    return np.asarray(found)


def _values_at(labels: Volume, points: NDArray[np.float64]) -> NDArray[np.int_]:
    """Give the label of the voxel that each point lies in; 0 outside."""
    index = np.rint(labels.grid.voxels(points)).astype(int)
    inside = np.all((index >= 0) & (index < labels.grid.shape), axis=1)
    values = np.zeros(len(points), dtype=int)
    values[inside] = labels.array[tuple(index[inside].T)]
    return values


def _named(placement: Placement) -> dict[int, set[tuple[str, str]]]:
    """Give for each label the bones and sides that it may be; families of bones are spelled out."""
    found: dict[int, set[tuple[str, str]]] = {}
    family = {g.id: g.sites for g in anatomy.groups()}
    for label, bone, side in placement.labels.names if placement.labels else ():
        members = family.get(f"{bone}.{side}", ())
        bones = {site.split(".")[0] for site in members} or {bone}
        found.setdefault(label, set()).update((b, side) for b in bones)
    return found


def _result(
    where: Coordinates, surface: NDArray[np.float64], confidence: NDArray[np.float64], far: NDArray[np.bool_]
) -> Located:
    nowhere = np.where(far, np.nan, 1.0)
    return Located(
        site=np.where(far, "", where.site),
        fraction_along=where.fraction_along * nowhere,
        angle_rad=where.angle_rad * nowhere,
        radius_fraction=where.radius_fraction * nowhere,
        physis_mm=where.physis_mm * nowhere,
        distance_mm=np.clip(surface, 0.0, None),
        inside=surface <= 0.0,
        confidence=np.where(far, 0.0, confidence),
    )


def site_shares(points_lps_mm: ArrayLike, placement: Placement, labels: Volume | None = None) -> tuple[SiteShare, ...]:
    """Give the sites that a mask lies in, the largest share first: the first is the one to propose.

    Parameters
    ----------
    points_lps_mm : array-like, shape (n, 3)
        Centres of the mask's voxels, LPS mm.

    Returns
    -------
    tuple of SiteShare
        Empty where the whole mask is far from every bone.
    """
    found = locate(points_lps_mm, placement, labels)
    named = found.site != ""
    if not named.any():
        return ()
    # Marrow oedema reaches beyond the drawn bone: points inside count whole, those outside less, the farther the less.
    weight = np.where(named, np.exp(-found.distance_mm / _BLUR_MM), 0.0)
    names, index = np.unique(found.site[named].astype(str), return_inverse=True)
    share = np.bincount(index, weight[named]) / weight.sum()
    relation = {name: _physis(found, name) for name in names.tolist()}
    order = np.argsort(-share, kind="stable")
    return tuple(SiteShare(str(names[i]), float(share[i]), relation[str(names[i])]) for i in order)


def _physis(found: Located, name: str) -> Literal["touches", "crosses", "spares"] | None:
    """Say how the part of a mask in one bone lies to that bone's physes."""
    bone, _, side = name.split(".")
    if not anatomy.bone(bone).long:
        return None
    own = np.array([s.startswith(f"{bone}.") and s.endswith(f".{side}") for s in found.site])
    segments, counts = np.unique([str(s).split(".")[1] for s in found.site[own]], return_counts=True)
    part = dict(zip(segments.tolist(), (counts / own.sum()).tolist(), strict=True))
    for end in ("proximal", "distal"):
        if min(part.get(f"{end}_{s}", 0.0) for s in ("epiphysis", "metaphysis")) >= _CROSS_SHARE:
            return "crosses"
    return "touches" if float(np.nanmin(found.physis_mm[own])) <= _TOUCH_MM else "spares"
