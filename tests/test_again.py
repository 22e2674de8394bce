"""What is to be looked at again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from atlas_child import placed
from lesionmap.annotate import change_lesion
from lesionmap.annotate.places import site_middle
from lesionmap.compare import Doubt, VisitFacts, compare, look_again
from lesionmap.lesions import Extent, Mask
from lesionmap.skeleton import place
from lesionmap.space import Grid
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
    assert (leap.visit, leap.lesion, leap.track, leap.site) == ("2011-01-02", "L1", "a", TIBIA)
    assert doubts(small, sized(visit(2011, "a"), 3.9)) == ()
    assert doubts(large, sized(visit(2012, "a"), 0.5)) == ()  # to shrink is what treatment is for


def test_a_lesion_outside_its_bone() -> None:
    at = site_middle(TIBIA, placed(10))
    assert doubts(marked_at(visit(2010, "a"), at)) == ()
    (outside,) = doubts(marked_at(visit(2010, "a"), (at[0] + 60.0, at[1], at[2])))
    assert "mm beside its bone" in outside.words
    assert (outside.visit, outside.lesion, outside.track, outside.site) == ("2010-01-02", "L1", "a", TIBIA)


def test_only_what_lies_outside_with_every_point_is_told_and_what_is_no_bone_is_not() -> None:
    middle = np.array(site_middle(TIBIA, placed(10)))
    grid = Grid(
        (90, 5, 7),
        np.array([[2.0, 0, 0, middle[0] - 4], [0, 3, 0, middle[1] - 6], [0, 0, 4, middle[2] - 12], [0, 0, 0, 1]]),
    )
    long_one = Mask.of_voxels(
        np.array([[i, 2, 3] for i in range(2, 80)]), grid
    )  # its middle lies 78 mm off, one end in the bone
    facts = marked_at(visit(2010, "a"), tuple(middle))
    (lesion,) = facts.lesion_map.lesions
    drawn = replace(lesion, extents=(Extent("STIR", long_one),))
    assert doubts(replace(facts, lesion_map=replace(facts.lesion_map, lesions=(drawn,)))) == ()
    off = replace(drawn, extents=(Extent("STIR", Mask.of_voxels(np.array([[60, 2, 3], [61, 2, 3]]), grid)),))
    (told,) = doubts(replace(facts, lesion_map=replace(facts.lesion_map, lesions=(off,))))
    assert told.lesion == lesion.id
    soft = replace(off, certainty="not_bone")
    other = replace(off, id="L2", tracks=("b",))
    both = replace(facts, lesion_map=replace(facts.lesion_map, lesions=(soft, other)))
    assert [(x.lesion, x.track) for x in doubts(both)] == [
        ("L2", "b")
    ]  # soft tissue lies beside bones; the next is looked at


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
