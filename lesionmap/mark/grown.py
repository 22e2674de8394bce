"""Markers become outlines: what a click there grows, on slices and on both views of a bone scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap import annotate
from lesionmap.lesions import Extent
from lesionmap.segment import grow, spots_at
from lesionmap.visits import placement_on, planar_views

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from lesionmap.lesions import LesionMap
    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume
    from lesionmap.visits import Series, Visit

    Pixels = Callable[[Series], Volume]

__all__ = ["grow_marks"]


def grow_marks(
    lesion_map: LesionMap, visit: Visit, placement: Placement | None, lesions: Iterable[str], pixels: Pixels
) -> LesionMap:
    """Grow an outline from each marker of some lesions, in place of the marker.

    Parameters
    ----------
    lesion_map : LesionMap
        Left as it is.
    visit : Visit
        Of the map.
    placement : Placement or None
        Of the visit: on slices, the outline is held by the bone.
    lesions : iterable of str
        Ids.
    pixels : callable
        Gives the Volume of a Series, as ``lesionmap.read.pixels``.

    Raises
    ------
    LesionmapError
        As ``segment.grow`` and ``segment.spots_at``.
    """
    for name in lesions:
        for extent in lesion_map.lesion(name).extents:
            if extent.mask is not None or extent.marker_lps_mm is None:
                continue
            grown = tuple(_grown(extent, visit, placement, pixels))
            kept = tuple(one for one in lesion_map.lesion(name).extents if one != extent)
            lesion_map = annotate.change_lesion(lesion_map, name, extents=kept)
            for one in grown:
                lesion_map = annotate.add_extent(lesion_map, name, one)
    return lesion_map


def _grown(extent: Extent, visit: Visit, placement: Placement | None, pixels: Pixels) -> Iterator[Extent]:
    series = visit.series_named(extent.series)
    if not series.projection:
        there = placement_on(visit, placement, series)
        mask = grow(pixels(series), extent.marker_lps_mm or (), placement=there, series=series)
        yield Extent(series.name, mask, None, extent.phase)
        return
    views = planar_views(visit, series)
    spots = spots_at({face: pixels(one) for face, one in views.items()}, extent.marker_lps_mm or ())
    for face, spot in spots.items():
        yield Extent(views[face].name, spot.mask, None, views[face].phase)
