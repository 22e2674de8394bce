"""Which site is this point in? Points and masks to bones, segments, sides and bone coordinates."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.cores import threads
from lesionmap.errors import LesionmapError
from lesionmap.skeleton import anatomy
from lesionmap.skeleton.limits import closed_ends
from lesionmap.skeleton.nearest import FAR_MM, best_of, nearest_bones
from lesionmap.skeleton.segments import coordinates, site_names
from lesionmap.skeleton.shape import filling
from lesionmap.skeleton.tubes import in_tube

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import ArrayLike, NDArray

    from lesionmap.skeleton.placement import Placement
    from lesionmap.skeleton.segments import Coordinates
    from lesionmap.space import Volume

__all__ = ["FAR_MM", "Located", "SiteShare", "confidence_of", "locate", "site_shares"]

_CHUNK = 62_500  # points at a time: the search and numpy let other threads work
_CELL_MM = 24.0  # cubes whose points are asked together
_SECOND_MM = 15.0  # a second-best site is told where the border to it is no farther (assumed)
_TOUCH_MM = 5.0  # a placed physis is known to some millimetres; farther than this a lesion spares it (assumed)
_CROSS_SHARE = 0.05  # a lesion crosses a physis when this much lies on either side; less is the edge of a voxel
_BESIDE_MM = (1.5, 3.0, 5.0)  # how far beside a labelled bone a point is still taken for it (assumed)

_STANDS_OUT_MM = 2.0  # by so much a ball may stand out of its tube
_KNOWN_MM = 1.85  # how well surfaces are known, and how much worse for each mm outside them:
_KNOWN_LESS = 0.83  # both fitted by tests/benchmarks/fit_confidence.py
_SEEN_MM = 30.0  # a second bone farther behind the first than this is as good as none
_BLUR_MM = 6.0  # how fast a point outside its bone counts less in a mask (assumed)

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
    second_site: NDArray[np.object_]
    """Site id of the second-best: across the nearest limit, or of the second-best bone; '' where none is near."""


@dataclass(frozen=True, slots=True)
class SiteShare:
    """How much of a mask lies in a site."""

    site: str
    share: float
    """0 to 1, of the points that have a site."""
    physis: Literal["touches", "crosses", "spares"] | None
    """Relation of the whole mask to the physes of that bone; None for a bone without, or with closed ones alone."""

    @property
    def growth_risk(self) -> bool:
        """Whether the mask spans metaphysis and epiphysis: such a lesion may disturb growth (Wipff 2011)."""
        return self.physis == "crosses"


def confidence_of(gap_mm: NDArray[np.float64], outside_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the probability that bone and side are right.

    Parameters
    ----------
    gap_mm : ndarray
        How much farther the second-best bone's surface is than the best one's.
    outside_mm : ndarray
        Distance to the best bone's surface; 0 inside.

    Notes
    -----
    A logistic law of the gap over what is known of the surfaces, fitted to re-posed label maps of real bodies and to
    phantoms, with all and with few landmarks (expected calibration error 0.02 to 0.06).
    """
    blur = np.hypot(_KNOWN_MM, _KNOWN_LESS * outside_mm)
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(gap_mm, 0.0, _SEEN_MM) / blur)))


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
        return _spelled(_located(points, placement, labels))
    # Poses the skeleton once, before the threads ask for it.
    one = _located(points[:1], placement, labels)
    whole = {f.name: np.empty(len(points), getattr(one, f.name).dtype) for f in fields(Located)}

    def locate_part(rows: NDArray[np.int_]) -> None:
        part = _located(points.take(rows, axis=0), placement, labels)
        for name, values in whole.items():
            values[rows] = getattr(part, name)

    order = _neighbours_together(points)
    with ThreadPoolExecutor(threads()) as pool:
        list(pool.map(locate_part, np.array_split(order, -(-len(points) // _CHUNK))))
    return _spelled(Located(**whole))


def _spelled(found: Located) -> Located:
    """Put the names of sites in place of their codes."""
    names = site_names()
    return replace(found, site=names[found.site.astype(np.intp)], second_site=names[found.second_site.astype(np.intp)])


def _neighbours_together(points: NDArray[np.float64]) -> NDArray[np.int_]:
    """Give an order of points in which neighbours follow each other: the search then finds what it needs at hand."""
    cell = np.clip((points - points.min(axis=0)) / _CELL_MM, 0, [31, 31, 63]).astype(np.uint16)
    return np.argsort((cell[:, 2] << 10) | (cell[:, 1] << 5) | cell[:, 0], kind="stable")


def _located(points: NDArray[np.float64], placement: Placement, labels: Volume | None) -> Located:
    """Locate points; sites are still codes, -1 for none, as threads stand in each other's way over Python's objects."""
    if labels is None:
        balls, surface = nearest_bones(points, placement)
        told = np.zeros(len(points), dtype=bool)
    else:
        balls, surface, told = _labelled(points, placement, labels)
    outside = surface[:, 0].clip(0.0)
    found = Located(
        site=np.full(len(points), -1, dtype=np.int16),
        fraction_along=np.full(len(points), np.nan),
        angle_rad=np.full(len(points), np.nan),
        radius_fraction=np.full(len(points), np.nan),
        physis_mm=np.full(len(points), np.nan),
        distance_mm=outside,
        inside=outside <= 0.0,
        confidence=np.zeros(len(points)),
        second_site=np.full(len(points), -1, dtype=np.int16),
    )
    rows = np.flatnonzero(surface[:, 0] <= FAR_MM)
    points, balls, surface, told = points.take(rows, 0), balls.take(rows, 0), surface.take(rows, 0), told[rows]
    where, tube = coordinates(points, balls[:, 0], placement), in_tube(points, balls[:, 0], placement)
    # Balls fill a bone in part only; its tubes, and where there are labels these, tell its surface.
    drawn = np.minimum(tube.surface_mm, surface[:, 0] + _STANDS_OUT_MM)
    outside = np.where(told, surface[:, 0], drawn).clip(0.0)
    found.site[rows] = where.code
    found.fraction_along[rows], found.physis_mm[rows] = where.fraction_along, where.physis_mm
    found.angle_rad[rows], found.radius_fraction[rows] = tube.angle_rad, tube.radius_fraction
    found.distance_mm[rows], found.inside[rows] = outside, outside <= 0.0
    found.confidence[rows] = confidence_of(surface[:, 1] - surface[:, 0], outside)
    found.second_site[rows] = _second(points, balls[:, 1], surface, where, placement)
    return found


def _second(
    points: NDArray[np.float64],
    balls: NDArray[np.int_],
    surface: NDArray[np.float64],
    where: Coordinates,
    placement: Placement,
) -> NDArray[np.int_]:
    """Give the code of the second-best site: behind the nearest limit, or of the second-best bone; -1 for none."""
    # To be of the other bone, the border halfway between both surfaces would have to move.
    border = (surface[:, 1] - surface[:, 0]) / 2
    found = np.where(where.limit_mm <= _SECOND_MM, where.beyond, -1).astype(int)
    other = np.flatnonzero(border < np.minimum(where.limit_mm, _SECOND_MM))
    found[other] = coordinates(points.take(other, axis=0), balls[other], placement).code
    return found


def _labelled(
    points: NDArray[np.float64], placement: Placement, labels: Volume
) -> tuple[NDArray[np.int_], NDArray[np.float64], NDArray[np.bool_]]:
    """Where the label map names bones, take the nearest ball of one of these bones; elsewhere, the nearest of all.

    A point just outside a labelled bone belongs to that bone: labels know its surface better than the skeleton does.
    Give balls and distances as ``nearest_bones``, and where labels told them.
    """
    named, static = _named(placement), filling()
    balls, surface = np.full((len(points), 2), -1), np.full((len(points), 2), np.inf)
    values = _values_at(labels, points)
    free = np.flatnonzero(~np.isin(values, list(named)))
    balls[free], surface[free] = nearest_bones(points[free], placement)
    beside = free[surface[free, 0] < _BESIDE_MM[-1] + 2 * _BLUR_MM]
    values[free] = 0
    values[beside], gap_mm = _values_beside(labels, points[beside], named)
    surface[values > 0, 0] = 0.0
    surface[beside, 0] = np.where(values[beside] > 0, gap_mm, surface[beside, 0])
    for value in np.unique(values[values > 0]).tolist():
        rows = np.flatnonzero(values == value)
        one_of = [np.flatnonzero(static.bone == n) for n, key in enumerate(static.bones) if key in named[value]]
        balls[rows], gap = best_of(points[rows], placement, one_of)
        surface[rows, 1] = np.maximum(surface[rows, 0], 0.0) + gap
    return balls, surface, values > 0


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
    relation = {name: _physis(found, name, placement) for name in names.tolist()}
    order = np.argsort(-share, kind="stable")
    return tuple(SiteShare(str(names[i]), float(share[i]), relation[str(names[i])]) for i in order)


def _physis(found: Located, name: str, placement: Placement) -> Literal["touches", "crosses", "spares"] | None:
    """Say how the part of a mask in one bone lies to those of the bone's physes that are not known to have closed."""
    bone, _, side = name.split(".")
    ends = {"proximal", "distal"} - set(closed_ends(bone, placement)) if anatomy.bone(bone).long else set()
    if not ends:
        return None
    own = np.array([s.startswith(f"{bone}.") and s.endswith(f".{side}") for s in found.site])
    where = np.array([str(s).split(".")[1] for s in found.site[own]])
    for end in sorted(ends):
        if min(float(np.mean(where == f"{end}_{s}")) for s in ("epiphysis", "metaphysis")) >= _CROSS_SHARE:
            return "crosses"
    open_side = np.array([not s.startswith(tuple({"proximal", "distal"} - ends)) for s in where.tolist()])
    near = found.physis_mm[own][open_side]
    return "touches" if len(near) and float(np.nanmin(near)) <= _TOUCH_MM else "spares"
