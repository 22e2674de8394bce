"""What the figures of a cohort need to know of one patient, small enough to be sent and kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from lesionmap.compare import is_read
from lesionmap.skeleton import Site, known, sites
from lesionmap.visits import visit_key_parts, years_between

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lesionmap.compare import TrackCourse, VisitFacts
    from lesionmap.write import Results

__all__ = ["PatientFacts", "Span", "VisitTally", "facts_of", "from_plain"]

_IMAGED = 0.9


class VisitTally(NamedTuple):
    """One visit that was read."""

    visit: str
    since_first_y: float
    """Years since the first visit that was read."""
    lesions: int
    """Counted."""
    imaged: frozenset[str]
    """Site ids imaged; none where nobody knows."""
    involved: frozenset[str]
    """Site ids, imaged or not, with a counted lesion. A lesion given to a group of sites involves none."""
    in_groups: int
    """Counted lesions that are given to a group of sites alone."""
    drugs: tuple[str, ...] | None
    """That run on the day, in small letters; None: the clinic told nothing of the patient."""


class Span(NamedTuple):
    """How long a track that counts was seen, from its first mark."""

    years: float
    """To the visit at which it was resolved for the first time, or to the last one at which it was marked."""
    resolved: bool
    """False: it was not seen to resolve (censored)."""


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """The visits that were read, by date, and the tracks that count."""

    visits: tuple[VisitTally, ...] = ()
    spans: tuple[Span, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Give it as JSON can hold it; sites as bits, in the order of the atlas."""
        visits = [[*v[:3], _bits(v.imaged), _bits(v.involved), v.in_groups, v.drugs] for v in self.visits]
        return {"visits": visits, "spans": [[span.years, span.resolved] for span in self.spans]}


def from_plain(found: Mapping[str, Any]) -> PatientFacts:
    """Read what ``PatientFacts.plain`` gave."""
    visits = tuple(
        VisitTally(key, y, n, _of_bits(seen), _of_bits(with_lesion), groups, None if drugs is None else tuple(drugs))
        for key, y, n, seen, with_lesion, groups, drugs in found["visits"]
    )
    return PatientFacts(visits, tuple(Span(years, resolved) for years, resolved in found["spans"]))


def _bits(names: Iterable[str]) -> str:
    wanted = set(names)
    return f"{sum(1 << at for at, site in enumerate(sites()) if site.id in wanted):x}"


def _of_bits(bits: str) -> frozenset[str]:
    number = int(bits, 16)
    return frozenset(site.id for at, site in enumerate(sites()) if number >> at & 1)


def facts_of(results: Results) -> PatientFacts:
    """Sum up the results of a patient for the figures of a cohort."""
    read = [facts for facts in results.visits if is_read(facts)]
    counted = [course for course in results.courses if any(change.counted for change in course.states.values())]
    return PatientFacts(
        tuple(_tally(results, facts, read[0]) for facts in read), tuple(span for x in counted for span in _span(x))
    )


def _tally(results: Results, facts: VisitFacts, first: VisitFacts) -> VisitTally:
    counts = results.counts[facts.visit.key]
    lesions = [lesion for lesion in facts.lesion_map.lesions if counts.of(lesion.id).counted]
    places = [[name for name in lesion.sites if isinstance(known(name), Site)] for lesion in lesions]
    coverage = facts.placement.coverage if facts.placement else None
    told = results.treatments or results.observations
    running = [drug.drug for drug in results.treatments if drug.runs_on(facts.visit.date)]
    return VisitTally(
        visit=facts.visit.key,
        since_first_y=years_between(first.visit.date, facts.visit.date),
        lesions=counts.total.lesions,
        imaged=frozenset(site for site, share in coverage or () if share >= _IMAGED),
        involved=frozenset(name for some in places for name in some),
        in_groups=sum(not some for some in places),
        drugs=tuple(sorted({" ".join(name.split()).casefold() for name in running})) if told else None,
    )


def _span(course: TrackCourse) -> Iterator[Span]:
    """Give the span of a track from its first mark, none where it was never marked."""
    began = last = None
    for change in course.states.values():
        day = visit_key_parts(change.visit)[0]
        if change.lesions:
            began, last = began or day, day
        elif change.state == "resolved" and began is not None:
            yield Span(years_between(began, day), resolved=True)
            return
    if began is not None and last is not None:
        yield Span(years_between(began, last), resolved=False)
