"""Take over what was decided elsewhere: the lesions and answers of a map that came in a file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lesionmap.annotate.edit import answer, append_lesions
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from lesionmap.lesions import Lesion, LesionMap

__all__ = ["take_over"]


def take_over(lesion_map: LesionMap, told: LesionMap) -> LesionMap:
    """Add the lesions and answers of another map, as they are.

    Parameters
    ----------
    lesion_map : LesionMap
        Left as it is; its patient, visit and reader stay.
    told : LesionMap
        What is added. Into a map that never held anything it comes under its own ids, and signed if it was; else
        under new ids.

    Returns
    -------
    LesionMap

    Raises
    ------
    LesionmapError
        If the map is signed, a word is not allowed, or a lesion or an answer is there already.
    """
    for lesion in told.lesions:
        _check_new(lesion_map, lesion)
    grown = append_lesions(lesion_map, told.lesions)
    for said in told.answers:
        if any(x.track == said.track for x in lesion_map.answers):
            raise LesionmapError(
                f"track {said.track} has an answer of {lesion_map.reader} in visit {lesion_map.visit} already; "
                "withdraw it first, or leave the file out"
            )
        grown = answer(grown, said.track, said.verdict, said.note)
    ids = {lesion.id for lesion in told.lesions}
    if lesion_map.lesions or lesion_map.answers or lesion_map.used or len(ids) < len(told.lesions):
        return grown
    own = tuple(replace(new, id=old.id) for new, old in zip(grown.lesions, told.lesions, strict=True))
    return replace(grown, lesions=own, signed=told.signed, used=told.used)


def _check_new(lesion_map: LesionMap, lesion: Lesion) -> None:
    """Refuse what is marked already: the same drawing, the same track, or word for word the same."""
    for old in lesion_map.lesions:
        same_track = set(old.tracks) & set(lesion.tracks)
        drawn = [x for x in lesion.extents if x.mask or x.marker_lps_mm]
        if same_track or any(x in old.extents for x in drawn) or replace(lesion, id=old.id) == old:
            raise LesionmapError(
                f"lesion {lesion.id} of the file is marked already as {old.id} of visit {lesion_map.visit} by "
                f"{lesion_map.reader}; remove it first, or leave the file out"
            )
