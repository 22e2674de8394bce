"""Which lesion is which: proposals by site where nothing is drawn, in bone coordinates where it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lesionmap.annotate import add_lesion, change_lesion
from lesionmap.compare import VisitFacts, match
from lesionmap.errors import LesionmapError
from lesionmap.lesions import LesionMap
from lesionmap.visits import Visit, visit_key_parts

TIBIA = "tibia.distal_metaphysis.left"
EMPTY = LesionMap("P001", "2010-05-04", "anna")


def visit_map(visit: str, **sites_of_tracks: str) -> LesionMap:
    lesion_map = replace(EMPTY, visit=visit)
    for track, site in sites_of_tracks.items():
        lesion_map = add_lesion(lesion_map, sites=site.split("+"), track=track)
    return lesion_map


def proposed_tracks(now: LesionMap, others: list[LesionMap]) -> dict[str, str]:
    """Give lesion to track for what is offered without a warning."""
    facts = [VisitFacts(Visit("P001", visit_key_parts(x.visit)[0]), x) for x in (now, *others)]
    return {x.lesion: x.tracks[0] for x in match(facts[0], facts[1:]) if not x.warning}


@pytest.mark.parametrize(
    ("now", "then", "proposed"),
    [
        (TIBIA, TIBIA, True),
        (TIBIA, "tibia.distal_metaphysis.right", False),
        (TIBIA, f"tibia.distal_epiphysis.left+{TIBIA}", True),
        (TIBIA, "ankle.left", True),
        ("ankle.left", TIBIA, True),
        (TIBIA, "ankle.right", False),
        (TIBIA, "tibia.diaphysis.left", True),
        (TIBIA, "tibia.proximal_metaphysis.left", False),
        ("femur.greater_trochanter.left", "femur.proximal_metaphysis.left", True),
        ("femur.greater_trochanter.left", "femur.distal_metaphysis.left", False),
        ("vertebra_T8.body.midline", "vertebra_T7.body.midline", False),
    ],
)
def test_a_track_is_proposed_by_site(now: str, then: str, proposed: bool) -> None:
    found = proposed_tracks(visit_map("2012-01-01", fresh=now), [visit_map("2010-01-01", old=then)])
    assert found == ({"L1": "old"} if proposed else {})


def test_proposals_are_one_to_one_the_best_site_first_then_the_nearest_visit() -> None:
    now = visit_map("2012-01-01", x="tibia.diaphysis.left", y=TIBIA, z=TIBIA)
    last = visit_map("2011-01-01", b=TIBIA)
    first = visit_map("2010-01-01", a=TIBIA, b="tibia.diaphysis.left")
    assert proposed_tracks(now, [first, last]) == {"L2": "b", "L3": "a"}
    assert proposed_tracks(now, [last, first]) == {"L2": "b", "L3": "a"}
    # A lesion that continues a track already is left alone, and its track is not offered again.
    known = change_lesion(now, "L2", tracks=("b",))
    assert proposed_tracks(known, [first, last]) == {"L3": "a"}
    assert proposed_tracks(now, [now]) == {}


def test_proposals_stay_with_one_patient_and_reader() -> None:
    with pytest.raises(LesionmapError, match="tracks are proposed among the visits of one patient and one reader"):
        proposed_tracks(EMPTY, [replace(EMPTY, visit="2009-01-01", reader="bert")])


def test_a_vertebra_one_level_off_is_offered_with_a_warning() -> None:
    """Neither of two levels nor what has a partner of its own level."""
    now = visit_map("2012-01-01", x="vertebra_T8.body.midline", y="vertebra_L1.body.midline")
    then = visit_map("2010-01-01", a="vertebra_T7.body.midline", b="vertebra_L1.body.midline")
    facts = [VisitFacts(Visit("P001", visit_key_parts(x.visit)[0]), x) for x in (now, then)]
    off, same = match(facts[0], facts[1:])
    assert (off.lesion, off.tracks, off.warning) == (
        "L1", ("a",), "T7 in 2010-01-01, T8 now: count the vertebrae again",
    )  # fmt: skip
    assert off.confidence < 0.9 < same.confidence
    assert same.warning == ""
    far = visit_map("2012-01-01", x="vertebra_T9.body.midline")
    assert proposed_tracks(far, [then]) == {}
