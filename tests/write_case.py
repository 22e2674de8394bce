"""A patient with three visits for the tests of the writers: the published case of a boy, with numbers made up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from lesionmap.compare import VisitFacts
from lesionmap.lesions import Answer, Certainty, Lesion, LesionMap
from lesionmap.measure import Measurement
from lesionmap.skeleton import Placement, sites
from lesionmap.visits import Patient, Visit
from lesionmap.write import Results, results_of

__all__ = ["EVIL", "Mark", "case", "coverage", "facts", "placed"]

EVIL = '=cmd|"/c calc"!A1<script>alert(1)</script> $x^2$'
"""A reader's name that wants to be a formula, a script and mathematics."""

CLAVICLE, SPINE, JOINT, ANKLE, TOE = (f"2.25.{n}" for n in (11, 22, 33, 44, 55))


@dataclass(frozen=True)
class Mark:
    """One lesion as a test wants it."""

    site: str
    track: str
    volume_ml: float | None = None
    certainty: Certainty = "definite"


def coverage(*imaged_regions: str) -> tuple[tuple[str, float], ...]:
    """Give coverage 1 for the sites of some regions, 0 for the others; all where none is named."""
    return tuple((x.id, float(not imaged_regions or x.region in imaged_regions)) for x in sites())


def facts(
    key: str, age_y: float | None, marks: list[Mark], placement: Placement | None, reader: str = "anna"
) -> VisitFacts:
    """Make the facts of one visit: sites only, with measurements beside them."""
    lesions, measurements = [], {}
    for number, mark in enumerate(marks, start=1):
        lesion = Lesion(f"L{number}", (mark.site,), "definite", (mark.track,))
        lesions.append(replace(lesion, certainty=mark.certainty, note=EVIL))
        if mark.volume_ml is not None:
            measurements[lesion.id] = (
                Measurement("STIR coronal", "MR", "STIR", mark.volume_ml, 0.1, None, 17.25, 3, 412.5, 600.0),
            )
    lesion_map = LesionMap("P001", key, reader, tuple(lesions))
    return VisitFacts(Visit("P001", date.fromisoformat(key), age_y=age_y), lesion_map, placement, measurements)


def placed(*imaged_regions: str) -> Placement:
    """Make a placement that knows its coverage only."""
    return Placement((), 10.0, "M", 140.0, coverage=coverage(*imaged_regions))


def case(reader: str = "anna") -> Results:
    """Make the results: clavicle, then four tracks more (one not measured, one not counted), then mostly healed."""
    first = facts("2006-03-01", 8.13, [Mark("clavicle.medial.left", CLAVICLE, 6.1234567)], placed("thorax"), reader)
    marks = [
        Mark("clavicle.medial.left", CLAVICLE, 8.2),
        Mark("vertebra_T8.body.midline", SPINE, 1.25),
        Mark("sacroiliac_joint.right", JOINT),
        Mark("tibia.distal_metaphysis.left", ANKLE, 4.0),
        Mark("metatarsal_2.whole.right", TOE, 0.3, "normal_variant"),
    ]
    second = facts("2008-05-04", 10.2, marks, placed(), reader)
    third = facts("2009-05-04", None, [Mark("clavicle.medial.left", CLAVICLE, 0.4)], None, reader)
    answers = (Answer(SPINE, "resolved", EVIL), Answer(JOINT, "cannot_judge"))
    third = replace(third, lesion_map=replace(third.lesion_map, answers=answers))
    return results_of(Patient("P001", "M"), [third, first, second])
