"""How near two lesions are by the names of their sites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.skeleton import Group, bone, known, members

if TYPE_CHECKING:
    from lesionmap.lesions import Lesion

__all__ = ["site_distance"]


def _sites(lesion: Lesion) -> set[str]:
    return {place.id for name in lesion.sites for place in members(name)}


def site_distance(one: Lesion, other: Lesion) -> int | None:
    """Give 0 for the same primary site, 1 for a site in common, 2 for the next segment of a bone; else None."""
    if one.sites[0] == other.sites[0]:
        return 0
    if _sites(one) & _sites(other):
        return 1
    here, there = known(one.sites[0]), known(other.sites[0])
    if isinstance(here, Group) or isinstance(there, Group) or (here.bone, here.side) != (there.bone, there.side):
        return None
    return 2 if abs(_along(here.bone, here.segment) - _along(there.bone, there.segment)) <= 1 else None


def _along(bone_id: str, segment: str) -> float:
    """Give the segment's place in its bone; the greater trochanter sits between the first two."""
    return 0.5 if segment == "greater_trochanter" else float(bone(bone_id).segments.index(segment))
