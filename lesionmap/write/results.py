"""All that is known of one patient as read by one reader, put together once for every writer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lesionmap.compare import Threshold, compare, disease_of
from lesionmap.errors import LesionmapError
from lesionmap.measure import RULES, count
from lesionmap.scores import scan_figures
from lesionmap.texts import english

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.clinic import Observation, Treatment
    from lesionmap.compare import Change, Disease, TrackCourse, VisitFacts
    from lesionmap.lesions import Lesion
    from lesionmap.measure import Count, CountRule
    from lesionmap.scores import ScanFigures
    from lesionmap.texts import Texts
    from lesionmap.visits import Patient
    from lesionmap.write.keyimages import KeyImage

__all__ = ["Results", "results_of"]


@dataclass(frozen=True, slots=True)
class Results:
    """One patient, one reader: the facts of each visit, and what was computed of them."""

    patient: Patient
    visits: tuple[VisitFacts, ...]
    """By date."""
    courses: tuple[TrackCourse, ...]
    counts: Mapping[str, Count]
    """Visit key to count."""
    rule: CountRule
    threshold: Threshold
    scans: Mapping[str, ScanFigures]
    """Visit key to the whole of its bone scan, of visits in which something is marked on one."""
    disease: Disease
    key_images: tuple[KeyImage, ...] | None = None
    """None: not asked for."""
    treatments: tuple[Treatment, ...] = ()
    observations: tuple[Observation, ...] = ()
    texts: Texts = field(default_factory=english, repr=False)
    """The language of what is written for people to read: report and map."""

    @property
    def reader(self) -> str:
        """Who read all of them."""
        return self.visits[0].lesion_map.reader

    def facts(self, visit: str) -> VisitFacts:
        """Give the facts of the visit of that key.

        Raises
        ------
        LesionmapError
            If there is none; the message lists those there are.
        """
        for facts in self.visits:
            if facts.visit.key == visit:
                return facts
        have = ", ".join(facts.visit.key for facts in self.visits)
        raise LesionmapError(f"patient {self.patient.id} has no visit {visit!r}; there are: {have}")

    def tracks(self, visit: str, lesion: str) -> tuple[int, ...]:
        """Give the numbers among the courses of the tracks of a lesion (its id) that is marked in a visit."""
        return tuple(
            number
            for number, course in enumerate(self.courses)
            if visit in course.states and lesion in course.states[visit].lesions
        )

    def change(self, visit: str, lesion: Lesion) -> Change | None:
        """Give the change of a lesion marked in a visit: that of its first track."""
        found = {
            course.track: course.states[visit]
            for course in self.courses
            if visit in course.states and lesion.id in course.states[visit].lesions
        }
        first = next((track for track in lesion.tracks if track in found), None)
        return found[first] if first is not None else next(iter(found.values()), None)


def results_of(
    patient: Patient,
    visits: Sequence[VisitFacts],
    *,
    rule: CountRule | None = None,
    threshold: Threshold | None = None,
    treatments: Sequence[Treatment] = (),
    observations: Sequence[Observation] = (),
) -> Results:
    """Count and compare the visits of a patient.

    Parameters
    ----------
    patient : Patient
        Who.
    visits : sequence of VisitFacts
        In any order, all of one reader.
    rule : CountRule, optional
        What counts; the default rule where not given.
    threshold : Threshold, optional
        When a volume has changed.
    treatments, observations : sequence, optional
        What the clinic knows of the patient.

    Raises
    ------
    LesionmapError
        If there is no visit, or the visits are of several patients or readers.
    """
    if not visits:
        raise LesionmapError(f"patient {patient.id} has no visit to write; add one with 'lesionmap import'")
    rule, threshold = rule or RULES["default"], threshold or Threshold()
    ordered = tuple(sorted(visits, key=lambda facts: (facts.visit.date, facts.visit.ordinal)))
    counts = {facts.visit.key: count(facts.lesion_map, rule, facts.measurements) for facts in ordered}
    scans = {facts.visit.key: scan_figures(facts, counts[facts.visit.key]) for facts in ordered}
    courses = compare(ordered, threshold=threshold, rule=rule)
    return Results(
        patient=patient,
        visits=ordered,
        courses=courses,
        counts=counts,
        rule=rule,
        threshold=threshold,
        scans={key: found for key, found in scans.items() if found is not None},
        disease=disease_of(ordered, courses, counts),
        treatments=tuple(treatments),
        observations=tuple(observations),
    )
