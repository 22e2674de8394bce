"""Which lesion is which: proposals by site where nothing is drawn, in bone coordinates where it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from atlas_child import placed
from courses import bodies, course
from lesionmap.annotate import add_lesion, answer, change_lesion
from lesionmap.compare import VisitFacts, match
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, LesionMap, Mask
from lesionmap.mark import accept_tracks
from lesionmap.space import Grid
from lesionmap.visits import Series, Visit, visit_key_parts
from link_scores import score

TIBIA = "tibia.distal_metaphysis.left"
SEED = 302  # of a course in which lesions are new, gone and merged
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


def lies(age: int, **above_knee_mm: tuple[float, ...]) -> VisitFacts:
    """Give a visit with lesions in the left femur: track to the places of its balls, mm above the joint line."""
    placement = placed(age)
    marks = placement.positions()
    knee, up = np.array(marks["knee_left"]), np.subtract(marks["hip_left"], marks["knee_left"])
    up = up / np.linalg.norm(up)
    matrix = np.diag([1.3, 4.0, 1.3, 1.0])
    matrix[:3, 3] = knee - (60.0, 60.0, 60.0)
    grid = Grid((92, 30, 220), matrix)
    series = Series("STIR", grid, "MR", "STIR", "coronal", ())
    lesion_map = replace(EMPTY, visit=f"{2000 + age}-05-04")
    for track, places in above_knee_mm.items():
        lesion_map = add_lesion(lesion_map, sites=["femur.distal_metaphysis.left"], track=track)
        mask = Mask.united([Mask.ball(grid, knee + mm * up, 8.0) for mm in places])
        drawn = replace(lesion_map.lesions[-1], extents=(Extent("STIR", mask),))
        lesion_map = replace(lesion_map, lesions=(*lesion_map.lesions[:-1], drawn))
    day, _ = visit_key_parts(lesion_map.visit)
    return VisitFacts(Visit("P001", day, age_y=age, series=(series,)), lesion_map, placement)


def told(now: VisitFacts, *others: VisitFacts) -> set[tuple[str, str, str]]:
    return {(one.lesion, one.kind, track) for one in match(now, others) for track in one.tracks}


def test_two_that_became_one_are_proposed_as_merged_with_both_tracks() -> None:
    then, now = lies(8, a=(30.0,), b=(52.0,)), lies(10, x=(30.0, 41.0, 52.0))
    found = told(now, then)
    assert {(lesion, track) for lesion, _, track in found} == {("L1", "a"), ("L1", "b")}
    assert sorted(kind for _, kind, _ in found) == ["merged", "same"]
    assert accept_tracks(now, [then]).lesions[0].tracks in {("a", "b"), ("b", "a")}


def test_one_that_became_two_is_proposed_as_split_on_one_track() -> None:
    then, now = lies(8, a=(30.0, 41.0, 52.0)), lies(10, x=(30.0,), y=(52.0,))
    found = told(now, then)
    assert {(lesion, track) for lesion, _, track in found} == {("L1", "a"), ("L2", "a")}
    assert sorted(kind for _, kind, _ in found) == ["same", "split"]


def test_beside_a_resolved_one_each_keeps_its_own_track() -> None:
    first, second = lies(6, a=(30.0,), gone=(60.0,)), lies(8, a=(30.0,))
    second = replace(second, lesion_map=answer(second.lesion_map, "gone", "resolved"))
    assert told(lies(10, x=(31.0,)), first, second) == {("L1", "same", "a")}
    back = told(lies(10, x=(31.0,), y=(61.0,)), first, second)
    assert back == {("L1", "same", "a"), ("L2", "same", "gone")}


def test_a_second_lesion_forty_mm_away_is_new() -> None:
    then = lies(8, a=(30.0,))
    assert told(lies(10, x=(30.0,), y=(70.0,)), then) == {("L1", "same", "a")}
    assert told(lies(10, y=(70.0,)), then) == set()


def test_a_course_of_a_child_that_grows_and_lies_otherwise() -> None:
    visits = course(SEED, 6, visits=3)
    femurs = [
        np.linalg.norm(np.subtract(x["hip_left"], x["knee_left"])) for x in (b.landmarks() for b in bodies(SEED, 3))
    ]
    assert femurs[2] > 1.04 * femurs[0]
    scores = [score(visits[k], visits[:k]) for k in (1, 2)]
    assert sum(len(one.true) for one in scores) >= 9
    for one in scores:
        assert one.proposed == one.true
        assert one.states == one.true_states
