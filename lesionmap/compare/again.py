"""Look again: what can hardly be so, each with the visit and lesion to go to. The reader decides."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.annotate.places import distance_to
from lesionmap.compare.position import drawn_on, some_of
from lesionmap.skeleton import bones_of, leg_lengths, place_name
from lesionmap.texts import Said, english
from lesionmap.visits import visit_key_parts, years_between

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lesionmap.compare.facts import Change, TrackCourse, VisitFacts
    from lesionmap.lesions import Lesion
    from lesionmap.texts import Texts

__all__ = ["Doubt", "look_again"]

# All assumed: what is less than this happens, what is more is rather a slip of the hand.
_GROWN = 8.0  # a lesion's volume between two visits: twice in every direction
_OUTSIDE_MM = 10.0  # of the bone that it is said to be in, every point of it
_SHORTER_SE = 3.0  # a leg does not shrink
_LEG_MM_A_YEAR = 90.0  # hip to ankle; some 50 mm in the fastest year


@dataclass(frozen=True, slots=True)
class Doubt:
    """One thing to look at again."""

    said: Said
    visit: str
    """Key of the visit to go to."""
    lesion: str = ""
    """Id there; empty where none is marked."""
    track: str = ""
    site: str = ""
    named: tuple[tuple[str, str], ...] = ()
    """Sites in the sentence, by its places."""

    def told(self, texts: Texts) -> str:
        """Give the sentence in a language."""
        return texts.tell(self.said, **{name: place_name(site, texts) for name, site in self.named})

    @property
    def words(self) -> str:
        """The sentence in English."""
        return self.told(english())


def look_again(visits: Sequence[VisitFacts], courses: Sequence[TrackCourse]) -> tuple[Doubt, ...]:
    """List what can hardly be so.

    A lesion that is there, not there and there again; that changes its side or bone, or becomes eight times as large;
    that lies outside the bone of its sites; a leg that gets shorter, or longer than any child's.

    Parameters
    ----------
    visits : sequence of VisitFacts
        By date, of one patient and reader.
    courses : sequence of TrackCourse
        Their comparison.
    """
    found = [doubt for course in courses for doubt in (*_gaps(course), *_jumps(visits, course), *_leaps(course))]
    found += [doubt for facts in visits for doubt in _outside(facts)]
    return (*found, *_legs(visits))


def _gaps(course: TrackCourse) -> Iterator[Doubt]:
    """Find what was marked, then resolved or neither marked nor answered, and marked again."""
    changes = list(course.states.values())
    marked = [n for n, change in enumerate(changes) if change.lesions]
    for before, after in pairwise(marked):
        gone = [x for x in changes[before + 1 : after] if x.state in ("unanswered", "resolved")]
        if gone:
            values = ("before", changes[before].visit), ("after", changes[after].visit), ("visit", gone[-1].visit)
            said = Said("doubt.resolved" if gone[-1].state == "resolved" else "doubt.unanswered", values)
            yield Doubt(said, gone[-1].visit, "", course.track, course.site)


def _jumps(visits: Sequence[VisitFacts], course: TrackCourse) -> Iterator[Doubt]:
    """Find a track that is in another side or bone than before."""
    marks = [(key, _lesions(visits, key, change)) for key, change in course.states.items() if change.lesions]
    for (before, old), (key, new) in pairwise(marks):
        was, now = (frozenset(bone for x in some for site in x.sites for bone in bones_of(site)) for some in (old, new))
        if was & now:
            continue
        bone = {bone for bone, _ in was} & {bone for bone, _ in now}
        said = Said("doubt.side" if bone else "doubt.bone", (("before", before),))
        named = ("was", old[0].sites[0]), ("now", new[0].sites[0])
        yield Doubt(said, key, new[0].id, course.track, course.site, named)


def _lesions(visits: Sequence[VisitFacts], key: str, change: Change) -> list[Lesion]:
    facts = next(one for one in visits if one.visit.key == key)
    return [facts.lesion_map.lesion(name) for name in change.lesions]


def _leaps(course: TrackCourse) -> Iterator[Doubt]:
    """Find volumes that grew too much; what merged is more than it was."""
    sized = [x for x in course.states.values() if x.volume_ml]
    for before, now in pairwise(sized):
        if now.volume_ml and before.volume_ml and now.volume_ml > _GROWN * before.volume_ml and not now.split_merge:
            sizes = ("was", f"{before.volume_ml:.2g}"), ("now", f"{now.volume_ml:.2g}")
            said = Said("doubt.grown", (*sizes, ("before", before.visit)))
            yield Doubt(said, now.visit, now.lesions[0], course.track, course.site)


def _outside(facts: VisitFacts) -> Iterator[Doubt]:
    """Find lesions that lie outside the bones of their sites."""
    for lesion in facts.lesion_map.lesions:
        drawn = drawn_on(facts, lesion)
        if drawn is None or lesion.certainty == "not_bone":
            continue
        extent, placement, middle = drawn
        points = middle[None] if extent.mask is None else some_of(extent.mask)
        bones = frozenset(bone for name in lesion.sites for bone in bones_of(name))
        away = float(np.min(distance_to(points, bones, placement)))
        if away > _OUTSIDE_MM:
            said = Said("doubt.outside", (("mm", f"{away:.0f}"),))
            track = lesion.tracks[0] if lesion.tracks else ""
            yield Doubt(said, facts.visit.key, lesion.id, track, lesion.sites[0])


def _legs(visits: Sequence[VisitFacts]) -> Iterator[Doubt]:
    """Find legs that shrink, or grow faster than any child's: the landmarks of one visit are not right."""
    placed = [(facts.visit.key, leg_lengths(facts.placement)[-1]) for facts in visits if facts.placement is not None]
    for side in ("left", "right"):
        told = [(key, getattr(leg, f"{side}_mm"), getattr(leg, f"{side}_se_mm")) for key, leg in placed]
        for (before, was, se), (key, now, new_se) in pairwise([x for x in told if x[1] is not None]):
            years = years_between(visit_key_parts(before)[0], visit_key_parts(key)[0])
            slack = _SHORTER_SE * float(np.hypot(se, new_se))
            if now < was - slack or now > was + slack + _LEG_MM_A_YEAR * years:
                values = ("was", f"{was:.0f}"), ("before", before), ("now", f"{now:.0f}")
                yield Doubt(Said(f"doubt.{side}_leg", values), key)
