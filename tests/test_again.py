"""What is to be looked at again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from atlas_child import placed
from lesionmap.annotate import change_lesion
from lesionmap.annotate.places import distance_to, site_middle
from lesionmap.compare import Doubt, VisitFacts, compare, look_again
from lesionmap.lesions import Extent, Mask
from lesionmap.skeleton import PlacedLandmark, Placement, leg_lengths, place
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


# ---- limits, to the point -------------------------------------------------------------------------------------------


def test_every_gap_is_told_with_the_visits_around_it() -> None:
    twice = doubts(
        visit(2010, "a"), visit(2011, "b"), visit(2012, "b", a="resolved"), visit(2013, "a", "b"), visit(2014, "b"),
        visit(2015, "a", "b"),
    )  # fmt: skip
    assert [(x.visit, x.lesion, x.track, x.site) for x in twice] == [
        ("2012-01-02", "", "a", TIBIA),  # the last visit of the gap
        ("2014-01-02", "", "a", TIBIA),
    ]
    assert twice[0].words == "marked at 2010-01-02 and 2013-01-02, resolved at 2012-01-02: missed there, or come back?"
    assert twice[1].words.startswith("marked at 2013-01-02 and 2015-01-02, neither marked nor answered at 2014-01-02")


def test_the_side_and_the_bone_in_words() -> None:
    (side,) = doubts(visit(2010, "a"), moved(visit(2011, "a"), "tibia.diaphysis.right", "ankle.right"))
    assert side.words == ("another side: left distal tibial metaphysis at 2010-01-02, right tibial diaphysis here")
    assert (side.track, side.site) == ("a", "tibia.diaphysis.right")
    (bone,) = doubts(moved(visit(2010, "a"), "talus.whole.left", "cuboid.whole.left"), visit(2011, "a"))
    assert bone.words == "another bone: left talus at 2010-01-02, left distal tibial metaphysis here"
    assert doubts(visit(2010, "a"), moved(visit(2011, "a"), "talus.whole.left", "tibia.diaphysis.left")) == ()
    back = doubts(visit(2010, "a"), moved(visit(2011, "a"), "tibia.diaphysis.right"), visit(2012, "a"))
    assert [(x.visit, x.words.split(":")[0]) for x in back] == [
        ("2011-01-02", "another side"),
        ("2012-01-02", "another side"),
    ]


def test_eight_times_as_large_is_not_too_much() -> None:
    small = sized(visit(2010, "a"), 0.5)
    assert doubts(small, sized(visit(2011, "a"), 4.0)) == ()
    (leap,) = doubts(small, sized(visit(2011, "a"), 4.01))
    assert leap.words == "0.5 ml at 2010-01-02, 4 ml here: the same lesion?"
    unsized = doubts(small, sized(visit(2011, "a"), None), sized(visit(2012, "a"), 5.0))
    assert [x.visit for x in unsized] == ["2012-01-02"]  # compared with the last volume that is known
    assert "at 2010-01-02" in unsized[0].words
    merged = sized(visit(2011, ("a", "b")), 40.0)
    assert doubts(sized(visit(2010, "a", "b"), 0.5, 0.5), merged) == ()


def test_ten_millimetres_beside_the_bone() -> None:
    at = np.array(site_middle(TIBIA, placed(10)))
    line = at + np.arange(0.0, 60.0, 0.2)[:, None] * [1.0, 0.0, 0.0]
    away = distance_to(line, [("tibia", "left")], placed(10))
    for point, mm in zip(line, away, strict=True):
        if 9.0 < mm < 11.5 and abs(mm - 10.0) > 0.05:
            found = doubts(marked_at(visit(2010, "a"), tuple(point)))
            assert [x.words for x in found] == (
                [f"lies {mm:.0f} mm beside its bone: the site, or the skeleton, is not right"] if mm > 10.0 else []
            )
    beside = marked_at(visit(2010, "a"), tuple(at))
    for sites, told in ((("talus.whole.right",), True), (("talus.whole.right", TIBIA), False), (("leg.left",), False)):
        assert len(doubts(moved(beside, *sites))) == int(told)


def test_a_lesion_without_a_track_is_told_too() -> None:
    facts = marked_at(visit(2010, ()), (500.0, 0.0, 0.0))
    (told,) = doubts(facts)
    assert (told.lesion, told.track, told.visit) == ("L1", "", "2010-01-02")


def legs(left_mm: float, right_mm: float) -> Placement:
    """Give a skeleton of which only hips, knees and ankles are known; both legs are straight."""
    marks = []
    for side, x, long in (("left", 80.0, left_mm), ("right", -80.0, right_mm)):
        for name, share in (("hip", 0.0), ("knee", 0.5), ("ankle", 1.0)):
            marks.append(PlacedLandmark(f"{name}_{side}", (x, 0.0, 900.0 - share * long), True, 0.0))
    return Placement(tuple(marks), age_y=10.0, sex="F", stature_cm=138.0)


def grown(left_mm: float, right_mm: float, years: int = 1) -> list[tuple[str, str]]:
    """Say what is doubted of legs that were 700 mm long."""
    before = replace(visit(2011, "a"), placement=legs(700.0, 700.0))
    between = replace(visit(2012, "a"), placement=None)  # where no skeleton is placed nothing is compared
    after = replace(visit(2011 + years, "a"), placement=legs(left_mm, right_mm))
    visits = (before, between, after) if years > 1 else (before, after)
    return [(one.visit, one.words.split(",")[0]) for one in doubts(*visits)]


def test_legs_grow_by_no_more_than_90_mm_a_year() -> None:
    (*_, leg) = leg_lengths(legs(700.0, 700.0))
    assert leg.left_se_mm is not None
    slack = 3.0 * 2**0.5 * leg.left_se_mm  # three standard errors of both together
    assert grown(700.0 - slack + 0.1, 700.0 + slack + 89.0) == []
    assert grown(700.0 - slack - 0.1, 700.0) == [("2012-01-02", "left leg 700 mm at 2011-01-02")]
    assert grown(700.0, 700.0 - slack - 0.1) == [("2012-01-02", "right leg 700 mm at 2011-01-02")]
    assert grown(700.0 + slack + 91.0, 700.0) == [("2012-01-02", "left leg 700 mm at 2011-01-02")]
    assert grown(700.0 + slack + 91.0, 700.0 + slack + 260.0, years=3) == []
    assert len(grown(700.0 + slack + 272.0, 650.0, years=3)) == 2
    (told,) = doubts(*(replace(visit(y, "a"), placement=legs(mm, 700.0)) for y, mm in ((2011, 700.0), (2012, 600.4))))
    assert told.words == "left leg 700 mm at 2011-01-02, 600 mm here: look at hip, knee and ankle of both"
    assert (told.lesion, told.track, told.site, told.named) == ("", "", "", ())
