"""The same place of the same bone: in another visit, on the other side, or where an earlier lesion should be now.

Every part of the atlas hangs in a frame that carries it from the reference body to a placement. A point goes back along
the carrier of its bone, and out again along that of the other placement or of the other side: so it keeps its fraction
along the bone, its angle about it and its share of the radius, however the child has grown or lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.skeleton import members
from lesionmap.skeleton.frames import carried_back
from lesionmap.skeleton.nearest import nearest_bones
from lesionmap.skeleton.segments import coordinates, site_names
from lesionmap.skeleton.shape import carriers_of, filling, pose

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from numpy.typing import ArrayLike, NDArray

    from lesionmap.lesions import Extent, Lesion
    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.anatomy import Side
    from lesionmap.skeleton.frames import Carrier

    Array = NDArray[np.float64]
    Point = tuple[float, float, float]

__all__ = [
    "ReferencePlace",
    "distance_to",
    "drawn_place",
    "expected_place",
    "middle_of",
    "mirror_place",
    "reference_place",
    "same_place",
    "seen_in",
    "site_middle",
]

_FAR_MM = 100.0  # farther than this from every bone a point lies in nobody's frame
_BLEND_MM = 1.0  # outside all bones, the frames of the nearest two count by the square of (distance + this)
_OTHER: dict[Side, Side] = {"left": "right", "right": "left", "midline": "midline"}


def same_place(point_lps_mm: ArrayLike, from_placement: Placement, to_placement: Placement) -> Point | None:
    """Give the place in one visit that is the same place of the same bone as a point of another.

    Parameters
    ----------
    point_lps_mm : array-like, (x, y, z)
        LPS mm in the visit of ``from_placement``.
    from_placement, to_placement : Placement

    Returns
    -------
    (x, y, z) or None
        LPS mm in the visit of ``to_placement``. Beside the bones the frames of the nearest two carry the point; None
        farther than 100 mm from every bone.

    Raises
    ------
    LesionmapError
        If the point is not three finite numbers.
    """

    def way(hang: str, side: Side, reference: Array) -> tuple[Carrier, Array]:
        return carriers_of(to_placement.shape_key())[hang, side], reference

    return _carried(point_lps_mm, from_placement, way)


def mirror_place(point_lps_mm: ArrayLike, placement: Placement) -> Point | None:
    """Give the same place of the same bone on the other side of the body; in a midline bone, its mirror image.

    The body is not mirrored as it lies: a bent left knee has its like in the right knee, stretched or not.
    """

    def way(hang: str, side: Side, reference: Array) -> tuple[Carrier, Array]:
        flipped = reference * [-1.0, 1.0, 1.0] if side == "midline" else reference
        return carriers_of(placement.shape_key())[hang, _OTHER[side]], flipped

    return _carried(point_lps_mm, placement, way)


def _carried(
    point_lps_mm: ArrayLike, placement: Placement, way: Callable[[str, Side, Array], tuple[Carrier, Array]]
) -> Point | None:
    """Take a point back to the reference body along its nearest bones' carriers, and out along those of ``way``."""
    point = np.asarray(point_lps_mm, dtype=np.float64)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise LesionmapError(f"a place is three finite numbers in LPS mm, got {point_lps_mm!r}")
    balls, surface = nearest_bones(point[None], placement)
    if surface[0, 0] > _FAR_MM:
        return None
    inside = bool(surface[0, 0] <= 0.0)
    used = [(b, d) for b, d in zip(balls[0].tolist(), surface[0].tolist(), strict=True) if b >= 0][: 1 if inside else 2]
    places, weights = [], []
    for ball, distance in used:
        tube = filling().tubes[int(filling().tube[ball])]
        carrier = carriers_of(placement.shape_key())[tube.hang, tube.side]
        other, reference = way(tube.hang, tube.side, carried_back(carrier, point, _starts()[ball])[0])
        places.append(other.carry(reference[None])[0])
        weights.append((max(distance, 0.0) + _BLEND_MM) ** -2)
    x, y, z = np.average(places, axis=0, weights=weights).tolist()
    return x, y, z


@dataclass(frozen=True, slots=True, eq=False)
class ReferencePlace:
    """Where a point of a patient lies in the reference body, whose left side stands for both."""

    place: Array
    """Reference mm, shape (3,)."""
    matrix: Array
    """Carries small steps about it to the patient: LPS mm per reference mm, shape (3, 3)."""


def reference_place(point_lps_mm: Array, bones: Collection[tuple[str, Side]], placement: Placement) -> ReferencePlace:
    """Carry a point back to the reference body as a point of some bones, whatever else it is near to.

    Parameters
    ----------
    point_lps_mm : ndarray, (x, y, z)
    bones : collection of (bone, side)
        The nearest of these carries it.
    placement : Placement
    """
    static, posed = filling(), pose(placement)
    mine = _balls_in(bones)
    away = np.sum((posed.centres[mine] - point_lps_mm) ** 2, axis=1) - posed.radii[mine] ** 2
    ball = int(mine[int(np.argmin(away))])
    tube = static.tubes[int(static.tube[ball])]
    carrier = carriers_of(placement.shape_key())[tube.hang, tube.side]
    return ReferencePlace(*carried_back(carrier, point_lps_mm, _starts()[ball]))


@cache
def _starts() -> Array:
    """Give the point of the centreline that each ball sits on, reference mm, shape (m, 3)."""
    static = filling()
    return static.on_sections(np.concatenate([tube.nodes for tube in static.tubes]))[static.section]


def _balls_in(bones: Collection[tuple[str, Side]]) -> NDArray[np.int_]:
    return np.concatenate([_balls_of_bone(*one) for one in bones])


@cache
def _balls_of_bone(bone: str, side: Side) -> NDArray[np.int_]:
    n = filling().bones.index((bone, side))
    return np.arange(*np.searchsorted(filling().bone, [n, n + 1]))  # sorted by bone


def distance_to(points_lps_mm: Array, bones: Collection[tuple[str, Side]], placement: Placement) -> Array:
    """Give the distance of points (n, 3), LPS mm, to the surface of the nearest of some bones, mm; negative inside."""
    posed, mine = pose(placement), _balls_in(bones)
    away = np.linalg.norm(points_lps_mm[:, None] - posed.centres[mine], axis=-1) - posed.radii[mine]
    return np.asarray(away.min(axis=1))


def site_middle(site: str, placement: Placement) -> Point:
    """Give a point in the middle of a site, or of a group of sites, that lies in its bone; LPS mm.

    Raises
    ------
    LesionmapError
        If the site is not known.
    """
    centres, radii = _balls_of(site, placement)
    middle = np.average(centres, axis=0, weights=radii**3)
    x, y, z = centres[int(np.argmin(np.linalg.norm(centres - middle, axis=1)))].tolist()
    return x, y, z


def _balls_of(site: str, placement: Placement) -> tuple[Array, Array]:
    """Give centres (n, 3), LPS mm, and radii of the balls that lie in a site or group."""
    posed = pose(placement)
    wanted = {place.id for place in members(site)}
    bones = {name.split(".")[0] for name in wanted}
    numbers = [n for n, (bone, _) in enumerate(posed.filling.bones) if bone in bones]
    balls = np.flatnonzero(np.isin(posed.filling.bone, numbers))
    names = site_names()[coordinates(posed.centres[balls], balls, placement).code]
    mine = balls[np.isin(names.astype(str), sorted(wanted))]
    return posed.centres[mine], posed.radii[mine]


def expected_place(
    lesion: Lesion, earlier: Placement | None, placement: Placement, *, projections: Collection[str] = ()
) -> Point:
    """Give where a lesion of an earlier visit is to be looked for in this one.

    Parameters
    ----------
    lesion : Lesion
        As it was marked in the earlier visit.
    earlier : Placement or None
        Of the earlier visit; None: only its sites are known there.
    placement : Placement
        Of this visit.
    projections : collection of str
        Names of the earlier visit's Series that are projections: what is drawn on them lies somewhere in the depth, so
        the place is the one in the lesion's primary site that is seen nearest to it.

    Returns
    -------
    (x, y, z)
        LPS mm in this visit: of the middle of what was drawn; the middle of the primary site where nothing was.
    """
    views = None if earlier is None else earlier.scan or earlier
    drawn = drawn_place(lesion, earlier, views, projections=projections)
    found = None if drawn is None else same_place(drawn[2], drawn[1], placement)
    return found or site_middle(lesion.sites[0], placement)


def drawn_place(
    lesion: Lesion, placement: Placement | None, on_views: Placement | None, *, projections: Collection[str] = ()
) -> tuple[Extent, Placement, Array] | None:
    """Find the Extent of a lesion that tells its place best, the skeleton there, and its middle.

    Parameters
    ----------
    lesion : Lesion
        Slices go before projections, outlines before markers.
    placement, on_views : Placement or None
        As the skeleton lies on the slices, and on the projections.
    projections : collection of str
        Names of the Series that are projections: the place is that in the primary site that is seen nearest.

    Returns
    -------
    Extent, Placement, ndarray (x, y, z), or None
        LPS mm; None where nothing is drawn, or no skeleton lies where it is.
    """
    for extent in sorted(lesion.extents, key=lambda one: (one.series in projections, one.mask is None)):
        there = on_views if extent.series in projections else placement
        middle = middle_of(extent)
        if middle is not None and there is not None:
            seen = seen_in(lesion.sites[0], middle, there) if extent.series in projections else middle
            return extent, there, seen
    return None


def seen_in(site: str, point_lps_mm: Array, placement: Placement) -> Array:
    """Give the place in a site or group of sites that a coronal view shows nearest to a point, LPS mm.

    Parameters
    ----------
    site : str
        Site id or group.
    point_lps_mm : ndarray, (x, y, z)
        On the view; y is not used.
    placement : Placement
    """
    centres, _ = _balls_of(site, placement)
    away = (centres - point_lps_mm)[:, [0, 2]]
    return np.asarray(centres[int(np.argmin(np.linalg.norm(away, axis=1)))])


def middle_of(extent: Extent) -> Array | None:
    """Give the middle of what is drawn on a Series, LPS mm; None where nothing is."""
    if extent.mask is not None:
        return extent.mask.grid.lps(extent.mask.voxels().mean(axis=0))
    return None if extent.marker_lps_mm is None else np.array(extent.marker_lps_mm)
