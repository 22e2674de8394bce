"""Prior lesions first: what a follow-up visit has to answer, and where to look."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from lesionmap.annotate.places import expected_place
from lesionmap.errors import LesionmapError
from lesionmap.skeleton import imaged
from lesionmap.visits import visit_key_parts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from lesionmap.annotate.places import Point
    from lesionmap.lesions import Lesion, LesionMap, Verdict
    from lesionmap.skeleton import Placement

__all__ = ["Task", "worklist"]


@dataclass(frozen=True, slots=True)
class Task:
    """One earlier lesion to be answered in this visit."""

    track: str
    visit: str
    """The last earlier visit in which the track is marked."""
    lesion: Lesion
    """As it was marked there; a track that was split there has a task for each of its lesions."""
    resolved: bool
    """Whether an answer *resolved* came after that mark: it is to be looked at in case it came back."""
    place_lps_mm: Point | None
    """Where to look in this visit; None without a placement."""
    imaged: Literal["imaged", "partly", "not_imaged", "unknown"]
    """Whether this visit's images hold the primary site, by the coverage."""
    now: Literal["marked"] | Verdict | None
    """What is said in this visit; None: nothing yet."""


def worklist(
    now: LesionMap,
    earlier: Sequence[LesionMap],
    placements: Mapping[str, Placement],
    *,
    projections: Mapping[str, Collection[str]] | None = None,
) -> tuple[Task, ...]:
    """Give all tracks of earlier visits with the place to look at in this one.

    Parameters
    ----------
    now : LesionMap
        The visit being read.
    earlier : sequence of LesionMap
        Visits of this patient by this reader, in any order; later ones and ``now`` itself are left out.
    placements : mapping of str to Placement
        By visit key, those that there are.
    projections : mapping of str to collection of str, optional
        By visit key, the names of its Series that are projections.

    Returns
    -------
    tuple of Task
        In the order in which the tracks were first marked; those that were resolved come last.

    Raises
    ------
    LesionmapError
        If a map is of another patient or reader.
    """
    if any((x.patient, x.reader) != (now.patient, now.reader) for x in earlier):
        raise LesionmapError("a worklist is made of the visits of one patient and one reader, got maps of others")
    key = visit_key_parts(now.visit)
    before = sorted((x for x in earlier if visit_key_parts(x.visit) < key), key=lambda x: visit_key_parts(x.visit))
    last: dict[str, LesionMap] = {}
    resolved: set[str] = set()
    for lesion_map in before:
        marked = [track for lesion in lesion_map.lesions for track in lesion.tracks]
        last |= dict.fromkeys(marked, lesion_map)
        resolved = (resolved - set(marked)) | {x.track for x in lesion_map.answers if x.verdict == "resolved"}
    tasks = [
        replace(_task(track, lesion, (then, now), placements, projections), resolved=track in resolved)
        for track, then in last.items()
        for lesion in then.lesions
        if track in lesion.tracks
    ]
    return tuple(sorted(tasks, key=lambda task: task.resolved))


def _task(
    track: str,
    lesion: Lesion,
    maps: tuple[LesionMap, LesionMap],
    placements: Mapping[str, Placement],
    projections: Mapping[str, Collection[str]] | None,
) -> Task:
    then, now = maps
    here, flat = placements.get(now.visit), (projections or {}).get(then.visit, ())
    place = None if here is None else expected_place(lesion, placements.get(then.visit), here, projections=flat)
    said: dict[str, Literal["marked"] | Verdict] = {x.track: x.verdict for x in now.answers}
    said |= {t: "marked" for x in now.lesions for t in x.tracks}
    return Task(track, then.visit, lesion, False, place, imaged(here, lesion.sites[0]), said.get(track))
