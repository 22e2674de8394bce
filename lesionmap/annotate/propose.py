"""Which lesion of another visit is this one? Proposals by site; the reader confirms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.skeleton import Group, bone, known
from lesionmap.visits import visit_key_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.lesions import Lesion, LesionMap

__all__ = ["propose_tracks", "site_distance"]


def propose_tracks(now: LesionMap, earlier: Sequence[LesionMap]) -> dict[str, str]:
    """Propose a track of another visit for each lesion whose tracks are marked in this visit only.

    In this order: the same primary site; a site in common (a group holds its sites); the same bone and side with
    segments next to each other. One to one; among equals the visit nearest in time first. Nothing is changed: the
    reader confirms.

    Parameters
    ----------
    now : LesionMap
        The visit being read.
    earlier : sequence of LesionMap
        The other visits of this patient by this reader, in any order.

    Returns
    -------
    dict of str to str
        Lesion id to track, for those that have a partner.

    Raises
    ------
    LesionmapError
        If a map is of another patient or reader.
    """
    others = [x for x in earlier if x.visit != now.visit]
    if any((x.patient, x.reader) != (now.patient, now.reader) for x in earlier):
        raise LesionmapError("tracks are proposed among the visits of one patient and one reader, got maps of others")
    others.sort(key=lambda x: _apart(now.visit, x.visit))
    elsewhere = {track for x in others for lesion in x.lesions for track in lesion.tracks}
    taken = {track for lesion in now.lesions for track in lesion.tracks}
    free = [lesion for lesion in now.lesions if not elsewhere & set(lesion.tracks)]
    offers = [
        (distance, recency, lesion.id, track)
        for lesion in free
        for recency, other in enumerate(others)
        for old in other.lesions
        if (distance := site_distance(lesion, old)) is not None
        for track in old.tracks
        if track not in taken
    ]
    found: dict[str, str] = {}
    for _, _, lesion_id, track in sorted(offers, key=lambda offer: offer[:2]):
        if lesion_id not in found and track not in found.values():
            found[lesion_id] = track
    return found


def _apart(visit: str, other: str) -> tuple[int, int]:
    (day, ordinal), (other_day, other_ordinal) = visit_key_parts(visit), visit_key_parts(other)
    return abs((day - other_day).days), abs(ordinal - other_ordinal)


def _members(lesion: Lesion) -> set[str]:
    members: set[str] = set()
    for name in lesion.sites:
        place = known(name)
        members |= set(place.sites) if isinstance(place, Group) else {place.id}
    return members


def site_distance(one: Lesion, other: Lesion) -> int | None:
    """Give 0 for the same primary site, 1 for a site in common, 2 for the next segment of a bone; else None."""
    if one.sites[0] == other.sites[0]:
        return 0
    if _members(one) & _members(other):
        return 1
    here, there = known(one.sites[0]), known(other.sites[0])
    if isinstance(here, Group) or isinstance(there, Group) or (here.bone, here.side) != (there.bone, there.side):
        return None
    return 2 if abs(_along(here.bone, here.segment) - _along(there.bone, there.segment)) <= 1 else None


def _along(bone_id: str, segment: str) -> float:
    """Give the segment's place in its bone; the greater trochanter sits between the first two."""
    return 0.5 if segment == "greater_trochanter" else float(bone(bone_id).segments.index(segment))
