"""Tracks proposed by site."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lesionmap.annotate import add_lesion, change_lesion, propose_tracks
from lesionmap.errors import LesionmapError
from lesionmap.lesions import LesionMap

TIBIA = "tibia.distal_metaphysis.left"
EMPTY = LesionMap("P001", "2010-05-04", "anna")


def visit_map(visit: str, **sites_of_tracks: str) -> LesionMap:
    lesion_map = replace(EMPTY, visit=visit)
    for track, site in sites_of_tracks.items():
        lesion_map = add_lesion(lesion_map, sites=site.split("+"), track=track)
    return lesion_map


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
    found = propose_tracks(visit_map("2012-01-01", fresh=now), [visit_map("2010-01-01", old=then)])
    assert found == ({"L1": "old"} if proposed else {})


def test_proposals_are_one_to_one_the_best_site_first_then_the_nearest_visit() -> None:
    now = visit_map("2012-01-01", x="tibia.diaphysis.left", y=TIBIA, z=TIBIA)
    last = visit_map("2011-01-01", b=TIBIA)
    first = visit_map("2010-01-01", a=TIBIA, b="tibia.diaphysis.left")
    assert propose_tracks(now, [first, last]) == {"L2": "b", "L3": "a"}
    assert propose_tracks(now, [last, first]) == {"L2": "b", "L3": "a"}
    # A lesion that continues a track already is left alone, and its track is not offered again.
    known = change_lesion(now, "L2", tracks=("b",))
    assert propose_tracks(known, [first, last]) == {"L3": "a"}
    assert propose_tracks(now, [now]) == {}


def test_proposals_stay_with_one_patient_and_reader() -> None:
    with pytest.raises(LesionmapError, match="tracks are proposed among the visits of one patient and one reader"):
        propose_tracks(EMPTY, [replace(EMPTY, visit="2009-01-01", reader="bert")])
