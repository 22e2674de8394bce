"""A place on a visit's planar bone scan: the spot in either view, and the sites that it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent
from lesionmap.segment.hot import HotSpot, hot_spot, partner
from lesionmap.skeleton import groups
from lesionmap.skeleton.seen import SeenSite, locate_seen
from lesionmap.visits import planar_views

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.seen import Face
    from lesionmap.space import Volume
    from lesionmap.visits import Series, Visit

__all__ = ["likely_sites", "marks_seen", "sites_seen", "spots_at", "view_sites"]

_LEAST = 0.5
"""A site is proposed by itself if it is more probable than all others together."""
_LEAST_GROUP = 0.8
"""A group says less than a site, so it must be surer (assumed; measured: docs/measured.md)."""
_TOLD = 3


def spots_at(views: Mapping[Face, Volume], seed_lps_mm: ArrayLike) -> dict[Face, HotSpot]:
    """Find the hot spot that was clicked, in the view in which it stands out most, and its partner in the other.

    Parameters
    ----------
    views : mapping of {"anterior", "posterior"} to Volume
        Of one scan.
    seed_lps_mm : array-like, (x, y, z)
        The click in either view, LPS mm; y is not used.

    Returns
    -------
    dict
        One spot or two: one lesion.

    Raises
    ------
    LesionmapError
        As ``hot_spot``, if it stands out in no view.
    """
    found: dict[Face, HotSpot] = {}
    why: LesionmapError | None = None
    for face, view in views.items():
        try:
            found[face] = hot_spot(view, seed_lps_mm)
        except LesionmapError as error:
            why = error
    if not found:
        raise why or LesionmapError("an anterior or a posterior view was expected, none came")
    main = max(found, key=lambda face: found[face].stands_out)
    spots = {main: found[main]}
    for face, view in views.items():
        other = None if face == main else partner(found[main], view)
        if other is not None:
            spots[face] = other
    return spots


def sites_seen(spots: Mapping[Face, HotSpot], placement: Placement, point_lps_mm: ArrayLike) -> tuple[SeenSite, ...]:
    """List the sites that a spot may be, the most probable first; what both views show of it tells its depth.

    Parameters
    ----------
    spots : mapping
        From ``spots_at``.
    placement : Placement
        Of the scan.
    point_lps_mm : array-like, (x, y, z)
        Its middle as the reader clicked it, LPS mm.
    """
    main = max(spots, key=lambda face: spots[face].stands_out)
    both = (spots["anterior"].excess, spots["posterior"].excess) if len(spots) == 2 else None
    return locate_seen(point_lps_mm, placement, main, brightness=both)


def marks_seen(
    visit: Visit, point_lps_mm: tuple[float, float, float], placement: Placement | None, like: Series | None = None
) -> tuple[tuple[Extent, ...], tuple[SeenSite, ...]]:
    """Give a marker in each view that shows the spot at a place of a bone scan, and the sites that it may be.

    Parameters
    ----------
    visit : Visit
    point_lps_mm : (x, y, z)
        In the views, LPS mm; y is not used.
    placement : Placement or None
        As it lies on the views; None: no site is proposed.
    like : Series, optional
        A view of the scan that is meant; the late one with both views where not given.

    Raises
    ------
    LesionmapError
        If the visit has no planar view that holds the place, or nothing hot is there.
    """
    from lesionmap.read import pixels

    series = planar_views(visit, like)
    x, _, z = point_lps_mm
    inside = {face: one for face, one in series.items() if one.grid.contains([x, one.grid.lps_from_voxel[1, 3], z])}
    if not inside:
        raise LesionmapError(
            f"the marker at x {x:.6g}, z {z:.6g} mm lies outside the planar views of visit {visit.key}; in a view "
            "x = 0 is the middle of the picture and z = 0 its lower edge"
        )
    spots = spots_at({face: pixels(one) for face, one in inside.items()}, point_lps_mm)
    extents = tuple(Extent(series[face].name, None, (x, 0.0, z), series[face].phase) for face in sorted(spots))
    return extents, sites_seen(spots, placement, point_lps_mm) if placement is not None else ()


def likely_sites(seen: Sequence[SeenSite], what: str) -> tuple[str, ...]:
    """Give the site to propose or, where no site is sure enough, the smallest group that holds the spot.

    Nothing is proposed that is more likely wrong than right.

    Parameters
    ----------
    seen : sequence of SeenSite
        The most probable first.
    what : str
        What was marked, for the message.

    Returns
    -------
    tuple of str
        One site, or one group such as ``ankle.left``: it counts once.

    Raises
    ------
    LesionmapError
        If no bone is near, or neither a site nor a group is probable enough.
    """
    if not seen:
        raise LesionmapError(f"{what} lies in no bone of the placed skeleton; correct the landmarks, or name its site")
    if seen[0].confidence >= _LEAST:
        return (seen[0].site,)
    group = _smallest_group(seen)
    if group is None:
        told = ", ".join(f"{one.site} ({one.confidence:.2f})" for one in seen[:_TOLD])
        raise LesionmapError(f"{what} can be one of several sites: {told}; a projection does not tell, name one")
    return (group,)


def _smallest_group(seen: Sequence[SeenSite]) -> str | None:
    """Give the group of fewest sites that are probable enough together.

    Of two as small it is the more probable; of two as probable, that of fewer bones: the tibia before the ankle.
    """
    share = {one.site: one.confidence for one in seen}
    held: list[tuple[int, float, int, str]] = []
    for group in groups():
        together = sum(share.get(site, 0.0) for site in group.sites)
        if together >= _LEAST_GROUP:
            held.append((len(group.sites), -together, len({site.split(".")[0] for site in group.sites}), group.id))
    return min(held)[-1] if held else None


def view_sites(points_lps_mm: NDArray[np.float64], placement: Placement, series: Series, what: str) -> tuple[str, ...]:
    """Propose the site of what was drawn on a planar view, points of shape (n, 3), LPS mm.

    Raises
    ------
    LesionmapError
        As ``likely_sites``.
    """
    face: Face = "posterior" if series.plane == "posterior" else "anterior"
    return likely_sites(locate_seen(points_lps_mm.mean(axis=0), placement, face), what)
