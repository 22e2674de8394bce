"""The course of the disease, over all lesions of a patient."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lesionmap.measure import main_measurement
from lesionmap.skeleton import members
from lesionmap.visits import visit_key_parts, years_between

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from lesionmap.compare.facts import State, TrackCourse, VisitFacts
    from lesionmap.lesions import Lesion
    from lesionmap.measure import Count

__all__ = ["Disease", "Pattern", "VisitDisease", "disease_of", "is_read"]

_FLARE = frozenset({"new", "recurrent", "worsened"})
_UNDECIDED = frozenset({"not_imaged", "cannot_judge", "unanswered"})
_LIMBS = frozenset({"arm", "hand", "thigh", "leg", "foot"})

Pattern = Literal["", "tibio-appendicular", "claviculo-spinal", "both"]


@dataclass(frozen=True, slots=True)
class VisitDisease:
    """How the disease stands at one visit; all of it of the lesions that count."""

    visit: str
    lesions: int | None
    """None: nobody read the visit, and nothing of what follows says anything."""
    volume_ml: float | None
    """Of those that have one, together; None where none has."""
    unmeasured: int
    """Lesions without a volume."""
    states: Mapping[State, int]
    """Tracks in each state, counted or not."""
    regions: tuple[str, ...]
    focality: Literal["", "unifocal", "multifocal"]
    """Empty: no lesion counts."""
    symmetric: tuple[str, ...]
    """Sites without their side, ``tibia.distal_metaphysis``, that are marked on both sides."""
    spine: bool
    epiphysis: bool
    clavicle: bool
    mandible: bool
    sternum: bool
    pattern: Pattern
    silent: int
    """Lesions that the reader calls not painful."""
    painful: int
    not_asked: int


@dataclass(frozen=True, slots=True)
class Disease:
    """The course over all visits."""

    visits: tuple[VisitDisease, ...]
    """By date."""
    new_per_year: float | None
    """Tracks that came new after the first visit that was read, by year between it and the last; None: one visit."""
    first_seen_later: int
    """Tracks first seen after that visit, where no earlier one had imaged: nobody knows whether they are new."""
    resolved_share: float | None
    """Tracks whose last decision is *resolved*, of all that were ever marked and count; None where there are none."""
    years_to_resolve: tuple[float, ...]
    """From the first mark (or the recurrence) to *resolved*, for each time that a track resolved."""
    recurred: int
    """Tracks that came back."""
    flares: tuple[str, ...]
    """Visits after the first that was read with a new, recurrent or worsened track that counts (our own definition:
    none is agreed on)."""


def disease_of(visits: Sequence[VisitFacts], courses: Sequence[TrackCourse], counts: Mapping[str, Count]) -> Disease:
    """Sum up what the comparison says of single tracks.

    Parameters
    ----------
    visits : sequence of VisitFacts
        By date, of one patient and reader.
    courses : sequence of TrackCourse
        Their comparison.
    counts : mapping of str to Count
        Visit key to count. A track counts where one of its lesions does.
    """
    counted = [course for course in courses if any(change.counted for change in course.states.values())]
    read = [facts.visit for facts in visits if is_read(facts)]
    years = years_between(read[0].date, read[-1].date) if read else 0.0
    first = read[0].key if read else ""
    later = [change for course in counted for change in course.states.values() if change.visit != first]
    states = Counter(change.state for change in later)
    last = [_last_decision(course) for course in counted]
    fresh = {change.visit for change in later if change.counted and change.state in _FLARE}
    return Disease(
        visits=tuple(_at_visit(facts, courses, counts[facts.visit.key]) for facts in visits),
        new_per_year=states["new"] / years if years else None,
        first_seen_later=states["first_seen"],
        resolved_share=last.count("resolved") / len(last) if last else None,
        years_to_resolve=tuple(years for course in counted for years in _resolving(course)),
        recurred=sum(any(x.state == "recurrent" for x in course.states.values()) for course in counted),
        flares=tuple(facts.visit.key for facts in visits if facts.visit.key in fresh),
    )


def is_read(facts: VisitFacts) -> bool:
    """Say whether the reader left a mark, an answer or a signature in the visit: without one, 0 is not a count."""
    return bool(facts.lesion_map.lesions or facts.lesion_map.answers or facts.lesion_map.signed)


def _last_decision(course: TrackCourse) -> State:
    return [change.state for change in course.states.values() if change.state not in _UNDECIDED][-1]


def _resolving(course: TrackCourse) -> Iterator[float]:
    """Give the years of each span from a first mark, or a recurrence, to *resolved*."""
    began: date | None = None
    for change in course.states.values():
        day = visit_key_parts(change.visit)[0]
        if change.lesions and began is None:
            began = day
        elif change.state == "resolved" and began is not None:
            yield years_between(began, day)
            began = None


def _at_visit(facts: VisitFacts, courses: Sequence[TrackCourse], count: Count) -> VisitDisease:
    lesions = [x for x in facts.lesion_map.lesions if count.of(x.id).counted]
    volumes = [main_measurement(facts.measurements.get(x.id, ())).volume_ml for x in lesions]
    sized = [ml for ml in volumes if ml is not None]
    at_sites = [members(name) for lesion in lesions for name in lesion.sites]
    bones = {found.pop() for some in at_sites if len(found := {place.bone for place in some}) == 1}
    key = facts.visit.key
    return VisitDisease(
        visit=key,
        lesions=count.total.lesions if is_read(facts) else None,
        volume_ml=sum(sized) if sized else None,
        unmeasured=len(volumes) - len(sized),
        states=dict(Counter(course.states[key].state for course in courses if key in course.states)),
        regions=tuple(sorted(count.by_region)),
        focality="" if not lesions else "unifocal" if count.total.bones == 1 else "multifocal",
        symmetric=_symmetric(lesions),
        spine=any(all(place.region == "spine" for place in some) for some in at_sites),
        epiphysis=any(all(place.segment.endswith("epiphysis") for place in some) for some in at_sites),
        clavicle="clavicle" in bones,
        mandible="mandible" in bones,
        sternum="sternum" in bones,
        pattern=_pattern(lesions),
        silent=sum(lesion.attributes.painful is False for lesion in lesions),
        painful=sum(lesion.attributes.painful is True for lesion in lesions),
        not_asked=sum(lesion.attributes.painful is None for lesion in lesions),
    )


def _symmetric(lesions: Sequence[Lesion]) -> tuple[str, ...]:
    names = {name.rpartition(".") for lesion in lesions for name in lesion.sites}
    sides: dict[str, set[str]] = {}
    for base, _, side in names:
        sides.setdefault(base, set()).add(side)
    return tuple(sorted(base for base, found in sides.items() if found >= {"left", "right"}))


def _pattern(lesions: Sequence[Lesion]) -> Pattern:
    """Name the pattern of Andronikou 2019 in our own reading of it.

    Tibio-appendicular: a tibia, and a further lesion of the limbs. Claviculo-spinal: a clavicle or the spine. The paper
    adds *multifocal* and *paucifocal*; its limits are not known to us, so numbers take no part.
    """
    places = [members(lesion.sites[0]) for lesion in lesions]
    limbs = [some for some in places if all(place.region in _LIMBS for place in some)]
    tibial = any(all(place.bone == "tibia" for place in some) for some in limbs) and len(limbs) > 1
    axial = any(all(place.bone == "clavicle" or place.region == "spine" for place in some) for some in places)
    if tibial and axial:
        return "both"
    return "tibio-appendicular" if tibial else "claviculo-spinal" if axial else ""
