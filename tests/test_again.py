"""What is to be looked at again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from atlas_child import placed
from lesionmap.annotate import change_lesion
from lesionmap.annotate.places import site_middle
from lesionmap.compare import Doubt, VisitFacts, compare, look_again
from lesionmap.lesions import Extent
from lesionmap.skeleton import place
from visit_facts import TIBIA, replace_year, sized, visit


def doubts(*visits: VisitFacts) -> tuple[Doubt, ...]:
    return look_again(visits, compare(visits))


def moved(facts: VisitFacts, *sites: str) -> VisitFacts:
    lesion_map = facts.lesion_map
    return replace(facts, lesion_map=change_lesion(lesion_map, lesion_map.lesions[0].id, sites=sites))


def marked_at(facts: VisitFacts, point: tuple[float, ...]) -> VisitFacts:
    lesion = replace(
        facts.lesion_map.lesions[0], extents=(Extent("STIR", marker_lps_mm=(point[0], point[1], point[2])),)
    )
    return replace(facts, lesion_map=replace(facts.lesion_map, lesions=(lesion,)), placement=placed(10))


def test_present_absent_present() -> None:
    (missed,) = doubts(visit(2010, "a"), visit(2011, "b"), visit(2012, "a", "b"))
    assert (missed.visit, missed.track) == ("2011-01-02", "a")
    assert missed.words == (
        "marked at 2010-01-02 and 2012-01-02, neither marked nor answered at 2011-01-02: missed there, or come back?"
    )
    (back,) = doubts(visit(2010, "a"), visit(2011, a="resolved"), visit(2012, "a"))
    assert "resolved at 2011-01-02" in back.words


def test_what_could_not_be_seen_is_no_gap() -> None:
    assert doubts(visit(2010, "a"), visit(2011, a="not_imaged"), visit(2012, "a")) == ()
    assert doubts(visit(2010, "a"), visit(2011, a="cannot_judge"), visit(2012, "a")) == ()
    assert doubts(visit(2010, "a"), visit(2011, a="resolved")) == ()


def test_a_track_that_changes_its_side_or_bone() -> None:
    (side,) = doubts(visit(2010, "a"), moved(visit(2011, "a"), "tibia.distal_metaphysis.right"))
    assert side.words.startswith("another side: left distal tibial metaphysis at 2010-01-02, right")
    assert (side.visit, side.lesion) == ("2011-01-02", "L1")
    (bone,) = doubts(visit(2010, "a"), moved(visit(2011, "a"), "fibula.distal_metaphysis.left"))
    assert bone.words.startswith("another bone: ")
    assert doubts(visit(2010, "a"), moved(visit(2011, "a"), "ankle.left")) == ()  # the group holds the bone
    assert doubts(visit(2010, "a"), moved(visit(2011, "a"), "tibia.diaphysis.left")) == ()


def test_a_lesion_that_grew_too_much() -> None:
    small, large = sized(visit(2010, "a"), 0.5), sized(replace_year(visit(2011, "a"), 2011), 5.0)
    (leap,) = doubts(small, large)
    assert leap.words == "0.5 ml at 2010-01-02, 5 ml here: the same lesion?"
    assert doubts(small, sized(visit(2011, "a"), 3.9)) == ()
    assert doubts(large, sized(visit(2012, "a"), 0.5)) == ()  # to shrink is what treatment is for


def test_a_lesion_outside_its_bone() -> None:
    at = site_middle(TIBIA, placed(10))
    assert doubts(marked_at(visit(2010, "a"), at)) == ()
    (outside,) = doubts(marked_at(visit(2010, "a"), (at[0] + 60.0, at[1], at[2])))
    assert "mm beside its bone" in outside.words
    assert outside.lesion == "L1"


def test_legs_do_not_shrink() -> None:
    facts = replace(visit(2010, "a"), placement=placed(10))
    later = replace(visit(2011, "a"), placement=placed(11))
    assert doubts(facts, later) == ()
    marks = {mark.name: np.array(mark.lps_mm) for mark in placed(10).landmarks}
    for end in ("knee", "ankle", "heel", "toe2"):
        marks[f"{end}_left"] = marks[f"{end}_left"] + [0.0, 0.0, 45.0]
    short = place({k: v.tolist() for k, v in marks.items()}, age_y=11, sex="F")
    (shrunk,) = doubts(facts, replace(visit(2011, "a"), placement=short))
    assert shrunk.words.startswith("left leg ")
    assert shrunk.visit == "2011-01-02"
