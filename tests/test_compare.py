"""The state table, row by row; merged and split; the published case."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from lesionmap import skeleton
from lesionmap.annotate import add_lesion, answer, change_lesion
from lesionmap.compare import Threshold, VisitFacts, compare
from lesionmap.errors import LesionmapError
from lesionmap.lesions import LesionMap
from lesionmap.measure import Measurement
from lesionmap.skeleton import Placement
from lesionmap.visits import Visit
from visit_facts import TIBIA, replace_year, sized, visit, worded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.compare import Imaged, TrackCourse
    from lesionmap.lesions import Verdict

PLACEMENT = Placement((), age_y=10.0, sex=None, stature_cm=140.0)


def course(visits: Sequence[VisitFacts], track: str = "a", **imaged: Imaged) -> TrackCourse:
    """Compare; ``imaged`` is by year (``y2010``), unknown where not given."""

    def of(facts: VisitFacts, site: str) -> Imaged:
        assert site == TIBIA
        return imaged.get(f"y{facts.visit.date.year}", "unknown")

    (found,) = [x for x in compare(visits, imaged=of) if x.track == track]
    return found


def states(found: TrackCourse) -> dict[int, str]:
    return {int(key[:4]): change.state for key, change in found.states.items()}


# ---- each row of the table ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "expected"),
    [("imaged", "new"), ("partly", "first_seen"), ("not_imaged", "first_seen"), ("unknown", "first_seen")],
)
def test_never_marked_before(before: Imaged, expected: str) -> None:
    found = course([visit(2010), visit(2011, "a")], y2010=before)
    assert states(found) == {2011: expected}
    assert found.imaged == {"2010-01-02": before, "2011-01-02": "unknown"}


def test_new_needs_one_earlier_visit_that_had_the_site_imaged() -> None:
    found = course([visit(2009), visit(2010), visit(2011, "a")], y2009="imaged", y2010="not_imaged", y2011="imaged")
    assert states(found) == {2011: "new"}
    assert found.states["2011-01-02"].reason == "its site was imaged at 2009-01-02 and not marked"
    only_now = course([visit(2010), visit(2011, "a"), visit(2012, "a")], y2011="imaged", y2012="imaged")
    assert states(only_now) == {2011: "first_seen", 2012: "persistent"}
    assert only_now.states["2011-01-02"].reason == "its site before: 2010-01-02 unknown"
    assert course([visit(2010, "a")]).states["2010-01-02"].reason == "no earlier visit"


@pytest.mark.parametrize("between", [{}, {"a": "not_imaged"}, {"a": "cannot_judge"}, {"a": "resolved"}])
def test_resolved_and_marked_again_is_recurrent(between: Mapping[str, Verdict]) -> None:
    visits = [visit(2010, "a"), visit(2011, a="resolved"), visit(2012, **between), visit(2013, "a"), visit(2014, "a")]
    found = states(course(visits))
    assert found == {
        2010: "first_seen",
        2011: "resolved",
        **({2012: between["a"]} if between else {}),
        2013: "recurrent",
        2014: "persistent",
    }


def test_after_resolved_there_is_no_row_until_it_is_marked_again() -> None:
    visits = [visit(2010, "a"), visit(2011, a="resolved"), visit(2012), visit(2013)]
    assert states(course(visits, y2012="imaged", y2013="partly")) == {2010: "first_seen", 2011: "resolved"}
    # The line of what was not imaged stands above that one: nobody can know whether it is still gone.
    assert states(course(visits, y2013="not_imaged"))[2013] == "not_imaged"


@pytest.mark.parametrize("verdict", ["resolved", "not_imaged", "cannot_judge"])
@pytest.mark.parametrize("coverage", ["imaged", "not_imaged", "unknown"])
def test_an_answer_goes_before_the_coverage(verdict: Verdict, coverage: Imaged) -> None:
    found = course([visit(2010, "a"), visit(2011, a=verdict)], y2011=coverage)
    assert states(found) == {2010: "first_seen", 2011: verdict}


@pytest.mark.parametrize(
    ("coverage", "expected"),
    [("not_imaged", "not_imaged"), ("partly", "unanswered"), ("imaged", "unanswered"), ("unknown", "unanswered")],
)
def test_neither_marked_nor_answered(coverage: Imaged, expected: str) -> None:
    assert states(course([visit(2010, "a"), visit(2011)], y2011=coverage)) == {2010: "first_seen", 2011: expected}


def test_an_answer_before_the_first_mark_makes_no_row() -> None:
    assert states(course([visit(2010, a="not_imaged"), visit(2011, "a")])) == {2011: "first_seen"}


def test_not_seen_in_between_is_never_resolved() -> None:
    visits = [visit(2010, "a"), visit(2011), visit(2012, a="cannot_judge"), visit(2013), visit(2014, "a")]
    assert states(course(visits, y2011="not_imaged")) == {
        2010: "first_seen",
        2011: "not_imaged",
        2012: "cannot_judge",
        2013: "unanswered",
        2014: "persistent",
    }
    assert course(visits).states["2014-01-02"].since == "2010-01-02"


def test_the_coverage_of_the_placement_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def imaged(placement: Placement, site: str) -> str:
        assert (placement, site) == (PLACEMENT, TIBIA)
        return "imaged"

    monkeypatch.setattr(skeleton, "imaged", imaged, raising=False)
    (found,) = compare([replace(visit(2010), placement=PLACEMENT), visit(2011, "a")])
    assert states(found) == {2011: "new"}
    assert found.imaged == {"2010-01-02": "imaged", "2011-01-02": "unknown"}


# ---- change of size -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "now", "error", "expected"),
    [
        (1.0, 1.29, 0.0, "persistent"),
        (1.0, 1.3, 0.0, "worsened"),
        (1.3, 1.0, 0.0, "improved"),
        (1.29, 1.0, 0.0, "persistent"),
        (1.0, 0.69, 0.0, "improved"),
        (2.0, 3.0, 0.6, "worsened"),  # 1 ml is more than √2 × 0.6 ml
        (2.0, 3.0, 0.8, "persistent"),  # and less than √2 × 0.8 ml
        (4.0, 0.3, 1.0, "improved"),
    ],
)
def test_the_threshold(before: float, now: float, error: float, expected: str) -> None:
    visits = [sized(visit(2010, "a"), before, error_ml=error), sized(visit(2011, "a"), now, error_ml=error)]
    found = course(visits).states["2011-01-02"]
    assert found.state == expected
    assert f"{before:.2f} → {now:.2f} ml" in found.reason
    assert f"slice error ±{2**0.5 * error:.2f} ml" in found.reason
    assert (found.volume_ml, found.volume_error_ml) == (now, error)


def test_thresholds_are_data() -> None:
    visits = [sized(visit(2010, "a"), 1.0, error_ml=1.0), sized(visit(2011, "a"), 1.2, error_ml=1.0)]
    (strict,) = compare(visits, threshold=Threshold(volume_change=0.1, beyond_slice_error=False))
    assert states(strict)[2011] == "worsened"
    assert states(course(visits))[2011] == "persistent"


def test_the_readers_own_word_goes_before_the_threshold() -> None:
    visits = [sized(visit(2010, "a"), 1.0), worded(sized(visit(2011, "a"), 5.0), "improved")]
    found = course(visits).states["2011-01-02"]
    assert (found.state, found.reason) == ("improved", "the reader's word")
    split = worded(visit(2011, "a", "a"), "improved", "worsened")
    assert states(course([visit(2010, "a"), split]))[2011] == "worsened"
    # At the first mark there is nothing to be better than.
    assert states(course([worded(visit(2010, "a"), "improved")])) == {2010: "first_seen"}


def test_what_cannot_be_measured_is_persistent_and_says_why() -> None:
    found = course([sized(visit(2010, "a"), 1.0), visit(2011, "a")]).states["2011-01-02"]
    assert (found.state, found.volume_ml) == ("persistent", None)
    assert found.reason == "not measured at 2011-01-02: nothing is drawn: the lesion is known by its site only"
    marker = course([sized(visit(2010, "a"), None), sized(visit(2011, "a"), 1.0)]).states["2011-01-02"]
    assert marker.reason == "not measured at 2010-01-02: a marker"
    assert marker.volume_ml == 1.0


def test_volumes_are_compared_on_one_kind_of_sequence() -> None:
    before, now = sized(visit(2010, "a"), 1.0, sequence="T1"), sized(visit(2011, "a"), 9.0)
    other = course([before, now]).states["2011-01-02"]
    assert other.state == "persistent"
    assert other.reason == "not measured on one kind of sequence: 2010-01-02 MR T1, 2011-01-02 MR STIR"
    both = replace(now, measurements={"L1": (*now.measurements["L1"], Measurement("t", "MR", "T1", volume_ml=0.5))})
    assert course([before, both]).states["2011-01-02"].state == "improved"
    assert course([before, both]).states["2011-01-02"].volume_ml == 9.0  # the main one is shown
    water = sized(visit(2010, "a"), 1.0, sequence="T2")
    assert course([water, now]).states["2011-01-02"].state == "worsened"


# ---- merged, split --------------------------------------------------------------------------------------------------


def column(visits: Sequence[VisitFacts], track: str) -> list[str]:
    return [change.split_merge for change in course(visits, track).states.values()]


def test_two_tracks_in_one_lesion_are_merged_and_measured_together() -> None:
    apart, together = sized(visit(2010, "a", "b"), 1.0, 2.0), sized(visit(2011, ("a", "b")), 3.1)
    for track in ("a", "b"):
        found = course([apart, together], track).states["2011-01-02"]
        assert (found.split_merge, found.state, found.volume_ml) == ("merged", "persistent", 3.1)
        back = course([replace_year(together, 2009), apart], track).states["2010-01-02"]
        assert (back.split_merge, back.state) == ("split", "persistent")
        assert "3.10 → 3.00 ml" in back.reason


def test_one_track_in_two_lesions_is_split_and_its_volume_is_the_sum() -> None:
    whole, parts = sized(visit(2010, "a"), 3.0), sized(visit(2011, "a", "a"), 0.5, 0.7)
    found = course([whole, parts]).states["2011-01-02"]
    assert (found.split_merge, found.state, found.lesions) == ("split", "improved", ("L1", "L2"))
    assert found.volume_ml == pytest.approx(1.2)
    assert column([replace_year(parts, 2009), whole], "a") == ["split", "merged"]


def test_many_to_many() -> None:
    before = visit(2010, ("a", "b"), "c")
    now = visit(2011, "a", ("b", "c"))
    assert [column([before, now], track)[-1] for track in "abc"] == ["split", "merged and split", "merged"]


def test_merging_happens_once_and_also_with_a_lesion_not_seen_last_time() -> None:
    visits = [visit(2009, "b"), visit(2010, "a"), visit(2011, ("a", "b")), visit(2012, ("a", "b"))]
    assert column(visits, "a") == ["", "merged", ""]
    assert column(visits, "b") == ["", "", "merged", ""]
    assert column([visit(2010, ("a", "b"))], "a") == ["merged"]
    assert column([visit(2010, "a", "a")], "a") == ["split"]


def test_a_resolved_part_adds_no_volume_when_it_comes_back() -> None:
    visits = [
        sized(visit(2009, "a", "b"), 5.0, 1.0),
        sized(visit(2010, "b", a="resolved"), 1.0),
        sized(visit(2011, ("a", "b")), 1.1),
    ]
    assert course(visits, "a").states["2011-01-02"].state == "recurrent"
    found = course(visits, "b").states["2011-01-02"]
    assert (found.state, found.split_merge) == ("persistent", "merged")
    assert found.reason.startswith("1.00 → 1.10 ml")


# ---- what counts, what is refused -----------------------------------------------------------------------------------


def test_marks_that_do_not_count_keep_their_row() -> None:
    visits = [visit(2010, "a"), visit(2011, "a"), visit(2012)]
    variant = change_lesion(visits[1].lesion_map, "L1", certainty="normal_variant")
    found = course([visits[0], replace(visits[1], lesion_map=variant), visits[2]])
    assert [(x.state, x.counted) for x in found.states.values()] == [
        ("first_seen", True),
        ("persistent", False),
        ("unanswered", None),
    ]


def test_a_lesion_without_a_track_has_a_row_of_its_own() -> None:
    found = compare([visit(2010, ()), visit(2011, ())])
    assert [(x.track, states(x)) for x in found] == [
        ("", {2010: "first_seen", 2011: "unanswered"}),
        ("", {2011: "first_seen"}),
    ]


def test_rows_come_by_first_visit_and_the_site_is_the_latest() -> None:
    later = visit(2011, "b", "a")
    later = replace(later, lesion_map=change_lesion(later.lesion_map, "L2", sites=["ankle.left", TIBIA]))
    found = compare([later, visit(2010, "a")])
    assert [(x.track, x.site) for x in found] == [("a", "ankle.left"), ("b", TIBIA)]


def test_visits_that_do_not_belong_together_are_refused() -> None:
    one, two = visit(2010, "a"), visit(2011, "a")
    with pytest.raises(LesionmapError, match="each visit is compared once, got 2010-01-02, 2010-01-02; leave the doub"):
        compare([one, one])
    with pytest.raises(LesionmapError, match="the visits of one patient read by one reader are compared, got several"):
        compare([one, replace(two, lesion_map=replace(two.lesion_map, reader="bert"))])
    with pytest.raises(LesionmapError, match="visit 2011-01-02 came with the lesion map of visit 2010-01-02; pair"):
        compare([replace(two, lesion_map=one.lesion_map)])
    assert compare([]) == ()


def test_a_second_visit_on_a_day_comes_after_the_first() -> None:
    first = visit(2010)
    second = replace(first.visit, ordinal=2)
    marked = replace(visit(2010, "a").lesion_map, visit=second.key)
    found = course([VisitFacts(second, marked), first], y2010="imaged")
    assert {key: x.state for key, x in found.states.items()} == {"2010-01-02.2": "new"}


# ---- the published case ---------------------------------------------------------------------------------------------


def test_the_published_case_has_the_published_states() -> None:
    """Cavalcanti and others: clavicle 2006; seven sites 2008; a tiny uptake at the clavicle after treatment."""
    clavicle = "clavicle.middle.left"  # the report leaves the third open
    spine = [f"vertebra_T{n}.body.midline" for n in (7, 8, 9)]
    others = [*spine, "sacroiliac_joint.left", "sacroiliac_joint.right", TIBIA]
    maps = [LesionMap("P001", key, "anna") for key in ("2006-06-01", "2008-06-01", "2009-06-01")]
    maps = [add_lesion(x, sites=[clavicle], track=clavicle) for x in maps]
    maps[2] = change_lesion(maps[2], "L1", change="improved")
    for site in others:
        maps[1] = add_lesion(maps[1], sites=[site], track=site)
        maps[2] = answer(maps[2], site, "resolved")
    visits = [VisitFacts(Visit("P001", date.fromisoformat(x.visit)), x) for x in maps]

    def imaged(facts: VisitFacts, site: str) -> Imaged:
        return "imaged" if site == clavicle or facts.visit.date.year > 2006 else "not_imaged"

    expected = {site: {2008: "first_seen", 2009: "resolved"} for site in others}
    expected[clavicle] = {2006: "first_seen", 2008: "persistent", 2009: "improved"}
    for order in permutations(visits):
        found = compare(order, imaged=imaged)
        assert {x.track: states(x) for x in found} == expected
    assert next(x for x in found if x.site == TIBIA).imaged["2006-06-01"] == "not_imaged"
    counted = [[x.states[v.visit.key].counted for x in found if v.visit.key in x.states] for v in visits]
    assert [row.count(True) for row in counted] == [1, 7, 1]
