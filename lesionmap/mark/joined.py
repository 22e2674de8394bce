"""One lesion that was marked twice in a visit, on slices and on a bone scan, becomes one Lesion with both Extents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap import annotate
from lesionmap.annotate import site_distance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lesionmap.lesions import Lesion, LesionMap
    from lesionmap.visits import Visit

__all__ = ["join_lesions"]


def join_lesions(lesion_map: LesionMap, visit: Visit, new: Iterable[str]) -> LesionMap:
    """Join new lesions with those of the same place that are drawn on images of the other kind alone.

    Parameters
    ----------
    lesion_map : LesionMap
        Left as it is.
    visit : Visit
        Of the map.
    new : iterable of str
        Ids of the lesions to be joined to older ones. Each goes to one at the same site; else with a site in common (a
        group holds its sites); else in the next segment of the same bone. The older one keeps its id, site and words.
    """
    flat = {series.name for series in visit.series if series.projection}
    fresh = set(new)
    offers = [
        (distance, n, one.id, other.id)
        for n, one in enumerate(lesion_map.lesions)
        for other in lesion_map.lesions
        if one.id in fresh and other.id not in fresh and _kinds(one, flat).isdisjoint(_kinds(other, flat))
        if (distance := site_distance(one, other)) is not None
    ]
    taken: set[str] = set()
    for _, _, one, other in sorted(offers):
        if taken.isdisjoint((one, other)):
            taken |= {one, other}
            for extent in lesion_map.lesion(one).extents:
                lesion_map = annotate.add_extent(lesion_map, other, extent)
            lesion_map = annotate.remove_lesion(lesion_map, one)
    return lesion_map


def _kinds(lesion: Lesion, flat: set[str]) -> set[bool]:
    """Say on what it is drawn: True for a planar view, False for slices."""
    return {extent.series in flat for extent in lesion.extents}
