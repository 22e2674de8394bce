"""Mark, change and take back single lesions and answers."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack, get_args

from lesionmap.annotate.places import middle_of, mirror_place
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Answer, Certainty, Change, Extent, Lesion, LesionMap, Physis, Verdict
from lesionmap.skeleton import known, mirror

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.lesions import Attributes
    from lesionmap.skeleton import Placement

__all__ = [
    "LesionFields",
    "add_extent",
    "add_lesion",
    "answer",
    "append_lesions",
    "change_lesion",
    "mirror_lesion",
    "new_track",
    "remove_lesion",
    "require_open",
    "sign",
    "unlock",
    "withdraw_answer",
]


class LesionFields(TypedDict, total=False):
    """The fields of a Lesion that a reader may change: all but its id."""

    sites: Sequence[str]
    certainty: Certainty
    tracks: Sequence[str]
    extents: Sequence[Extent]
    attributes: Attributes
    change: Change | None
    physis: Physis | None
    note: str


def new_track() -> str:
    """Make a Tracking UID for a lesion not seen before: 2.25. and a random UUID as a number (DICOM PS3.5 B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def add_lesion(
    lesion_map: LesionMap,
    *,
    sites: Sequence[str],
    extents: Sequence[Extent] = (),
    certainty: Certainty = "definite",
    track: str | None = None,
    note: str = "",
) -> LesionMap:
    """Mark a lesion.

    Parameters
    ----------
    lesion_map : LesionMap
        Left as it is.
    sites : sequence of str
        Site ids or site groups, the primary one first.
    extents : sequence of Extent
        Masks or markers on Series; none: a lesion known by its site only.
    certainty : str
        definite, probable, equivocal, normal_variant or not_bone.
    track : str, optional
        Tracking UID of a lesion marked in another visit; a new one where not given. An Answer for it is withdrawn,
        since what is marked is neither gone nor unseen.
    note : str
        In the reader's words.

    Returns
    -------
    LesionMap
        With one more lesion at its end, named ``L`` and the next number.

    Raises
    ------
    LesionmapError
        If the map is signed, or a site or the certainty is not known.
    """
    tracks = (new_track() if track is None else track,)
    lesion = Lesion("", tuple(sites), certainty, tracks, tuple(extents), note=note)
    return append_lesions(lesion_map, [lesion])


def change_lesion(lesion_map: LesionMap, lesion_id: str, **fields: Unpack[LesionFields]) -> LesionMap:
    """Give fields of a lesion new values: sites, certainty, tracks, extents, attributes, change, physis, note.

    Raises
    ------
    LesionmapError
        If the map is signed, has no such lesion, or a value is not allowed.
    """
    require_open(lesion_map)
    lesion = lesion_map.lesion(lesion_id)
    unknown = sorted(set(fields) - set(LesionFields.__annotations__))
    if unknown:
        allowed = ", ".join(LesionFields.__annotations__)
        raise LesionmapError(f"a lesion has no field {', '.join(unknown)} that can be changed; it has: {allowed}")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
    changed = _checked(replace(lesion, **values))
    lesions = tuple(changed if x.id == lesion_id else x for x in lesion_map.lesions)
    return _without_marked_answers(replace(lesion_map, lesions=lesions))


def remove_lesion(lesion_map: LesionMap, lesion_id: str) -> LesionMap:
    """Take a lesion off the map; its id is not given again."""
    require_open(lesion_map)
    gone = lesion_map.lesion(lesion_id)
    lesions = tuple(x for x in lesion_map.lesions if x.id != gone.id)
    return replace(lesion_map, lesions=lesions, used=_highest(lesion_map))


def mirror_lesion(
    lesion_map: LesionMap,
    lesion_id: str,
    *,
    extents: Sequence[Extent] = (),
    placement: Placement | None = None,
) -> LesionMap:
    """Mark the same segments on the other side: a new lesion on a new track, of the same certainty.

    Nothing drawn is carried over, as an image is not symmetric.

    Parameters
    ----------
    lesion_map : LesionMap
        Left as it is.
    lesion_id : str
        Which one.
    extents : sequence of Extent
        What is drawn of it on the other side.
    placement : Placement, optional
        Where no extents are given, each thing drawn of the lesion becomes a marker on the same Series, at the same
        place of the same bone on the other side. A marker says where to look, not how far the lesion reaches. Leave it
        out for lesions drawn on a projection only.

    Raises
    ------
    LesionmapError
        If the map is signed or the lesion's primary site lies in the midline.
    """
    lesion = lesion_map.lesion(lesion_id)
    sites = tuple(mirror(name) for name in lesion.sites)
    if sites[0] == lesion.sites[0]:
        raise LesionmapError(
            f"lesion {lesion_id} lies in the midline ({sites[0]}) and has no other side; add a lesion instead"
        )
    drawn = tuple(extents) or (_mirrored(lesion, placement) if placement is not None else ())
    return add_lesion(lesion_map, sites=sites, extents=drawn, certainty=lesion.certainty)


def _mirrored(lesion: Lesion, placement: Placement) -> tuple[Extent, ...]:
    """Give a marker on the other side for each Extent on which something is drawn."""
    found = []
    for extent in lesion.extents:
        middle = middle_of(extent)
        place = None if middle is None else mirror_place(middle, placement)
        if place is not None:
            found.append(Extent(extent.series, None, place, extent.phase))
    return tuple(found)


def add_extent(lesion_map: LesionMap, lesion_id: str, extent: Extent) -> LesionMap:
    """Draw a lesion on a Series; an earlier Extent on the same Series and phase gives way."""
    kept = [x for x in lesion_map.lesion(lesion_id).extents if (x.series, x.phase) != (extent.series, extent.phase)]
    return change_lesion(lesion_map, lesion_id, extents=(*kept, extent))


def answer(lesion_map: LesionMap, track: str, verdict: Verdict, note: str = "") -> LesionMap:
    """Say of a track that is not marked in this visit: resolved, not_imaged or cannot_judge.

    Raises
    ------
    LesionmapError
        If the map is signed, the verdict is not known, or the track is marked in this visit.
    """
    require_open(lesion_map)
    _one_of("answer", verdict, get_args(Verdict))
    marked = [x.id for x in lesion_map.lesions if track in x.tracks]
    if marked:
        raise LesionmapError(
            f"track {track} is marked in this visit ({lesion_map.visit}, {', '.join(marked)}); "
            f"an answer is for a track that is not marked: remove the mark first, or leave {verdict!r} out"
        )
    others = tuple(x for x in lesion_map.answers if x.track != track)
    return replace(lesion_map, answers=(*others, Answer(track, verdict, note)))


def withdraw_answer(lesion_map: LesionMap, track: str) -> LesionMap:
    """Take back the Answer for a track.

    Raises
    ------
    LesionmapError
        If the map is signed or there is no Answer for the track.
    """
    require_open(lesion_map)
    kept = tuple(x for x in lesion_map.answers if x.track != track)
    if len(kept) == len(lesion_map.answers):
        raise LesionmapError(f"visit {lesion_map.visit} has no answer for track {track}; there is nothing to take back")
    return replace(lesion_map, answers=kept)


def sign(lesion_map: LesionMap) -> LesionMap:
    """Sign the map: it is read-only until it is unlocked."""
    return replace(lesion_map, signed=True)


def unlock(lesion_map: LesionMap) -> LesionMap:
    """Make a signed map one that can be changed again."""
    return replace(lesion_map, signed=False)


def require_open(lesion_map: LesionMap) -> None:
    """Raise LesionmapError if the map is signed."""
    if lesion_map.signed:
        raise LesionmapError(f"the lesion map of visit {lesion_map.visit} is signed; unlock it to change it")


def append_lesions(lesion_map: LesionMap, lesions: Sequence[Lesion]) -> LesionMap:
    """Put lesions at the end of an open map, under new ids."""
    require_open(lesion_map)
    first = _highest(lesion_map) + 1
    added = [_checked(replace(lesion, id=f"L{first + n}")) for n, lesion in enumerate(lesions)]
    grown = replace(lesion_map, lesions=(*lesion_map.lesions, *added), used=first + len(added) - 1)
    return _without_marked_answers(grown)


def _highest(lesion_map: LesionMap) -> int:
    numbers = [int(x.id[1:]) for x in lesion_map.lesions if x.id[:1] == "L" and x.id[1:].isdecimal()]
    return max([lesion_map.used, *numbers])


def _without_marked_answers(lesion_map: LesionMap) -> LesionMap:
    marked = {track for lesion in lesion_map.lesions for track in lesion.tracks}
    return replace(lesion_map, answers=tuple(x for x in lesion_map.answers if x.track not in marked))


def _one_of(what: str, value: str | None, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise LesionmapError(f"{what} {value!r} is not known; it is one of {', '.join(allowed)}")


def _checked(lesion: Lesion) -> Lesion:
    """Give the lesion back if its words are those of lesionmap."""
    if not lesion.sites:
        raise LesionmapError(
            "a lesion needs at least one site, got none; name a site or a site group such as ankle.left"
        )
    for name in lesion.sites:
        known(name)
    if len(set(lesion.sites)) < len(lesion.sites):
        raise LesionmapError(f"a lesion names each site once, got {', '.join(lesion.sites)}")
    if not all(lesion.tracks) or len(set(lesion.tracks)) < len(lesion.tracks):
        raise LesionmapError(f"a lesion names each of its tracks once and none by an empty text, got {lesion.tracks}")
    _one_of("certainty", lesion.certainty, get_args(Certainty))
    if lesion.change is not None:
        _one_of("change", lesion.change, get_args(Change))
    if lesion.physis is not None:
        _one_of("physis relation", lesion.physis, get_args(Physis))
    return lesion
