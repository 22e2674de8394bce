"""Two readers of simulated and hand-made visits compared: matching, detection, kappa by sites, what takes no part."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionmap.agreement import compare_readers, match_readers
from lesionmap.annotate import add_lesion, sign
from lesionmap.compare import VisitFacts
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, LesionMap, Mask
from lesionmap.measure import RULES, measure_map
from lesionmap.skeleton import sites
from lesionmap.space import Grid
from lesionmap.visits import Series, Visit
from second_reader import Habits, read_again, two_readers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.agreement import Agreement, Estimate
    from lesionmap.lesions import Certainty

GRID = Grid((40, 30, 20), np.array([[2.0, 0, 0, -40], [0, 3.0, 0, -50], [0, 0, -4.0, 60], [0, 0, 0, 1]]))
VISIT = Visit("P001", date(2012, 3, 4), series=tuple(Series(x, GRID, "MR", x, "coronal", ()) for x in ("STIR", "T1")))
TIBIA, FIBULA, FEMUR = "tibia.distal_metaphysis.left", "fibula.distal_metaphysis.left", "femur.diaphysis.right"


def box(low: Sequence[int], size: Sequence[int]) -> Mask:
    array = np.argwhere(np.ones(size, dtype=bool)) + np.array(low)
    return Mask.of_voxels(array, GRID)


def read(reader: str, *lesions: tuple[Any, ...], visit: Visit = VISIT, signed: bool = True) -> VisitFacts:
    """Give a visit with lesions (site, mask or point or None, series, certainty)."""
    found = LesionMap(visit.patient, visit.key, reader)
    for lesion in lesions:
        site, drawn = lesion[:2]
        series = lesion[2] if len(lesion) > 2 else "STIR"
        certainty: Certainty = lesion[3] if len(lesion) > 3 else "definite"
        mask, point = (drawn, None) if isinstance(drawn, Mask) else (None, drawn)
        extents = (Extent(series, mask, point),) if drawn is not None else ()
        found = add_lesion(found, sites=[site], extents=extents, certainty=certainty)
    found = sign(found) if signed else found
    return VisitFacts(visit, found, None, measure_map(found, visit, {}, None, ()))


def kinds(one: VisitFacts, other: VisitFacts) -> list[tuple[tuple[str, ...], tuple[str, ...], str]]:
    return [(x.ones, x.others, x.kind) for x in match_readers(one, other)]


def by_name(agreement: Agreement, statistic: str, unit: str, of: str) -> Estimate:
    return next(x for x in agreement.estimates if (x.statistic, x.unit, x.of) == (statistic, unit, of))


# ---- which lesions are the same -------------------------------------------------------------------------------------


def test_outlines_on_one_series_are_one_by_their_voxels_whatever_their_sites() -> None:
    one = read("anna", (TIBIA, box((5, 5, 5), (6, 6, 4))), (FEMUR, box((20, 20, 5), (4, 4, 4))))
    other = read("bert", (FIBULA, box((9, 5, 5), (6, 6, 4))), (FEMUR, box((26, 20, 5), (4, 4, 4))))
    assert kinds(one, other) == [
        (("L1",), ("L1",), "same"),
        (("L2",), (), "only_first"),  # beside it in the same bone, but no voxel in common
        ((), ("L2",), "only_second"),
    ]


def test_one_outline_over_two_of_the_other_is_merged_and_split_the_other_way() -> None:
    two = read("anna", (TIBIA, box((5, 5, 5), (4, 4, 4))), (TIBIA, box((12, 5, 5), (4, 4, 4))))
    whole = read("bert", (TIBIA, box((5, 5, 5), (11, 4, 4))))
    assert kinds(two, whole) == [(("L1", "L2"), ("L1",), "merged")]
    assert kinds(whole, two) == [(("L1",), ("L1", "L2"), "split")]


def test_a_touch_of_two_neighbours_joins_nothing() -> None:
    one = read("anna", (TIBIA, box((5, 5, 5), (6, 6, 4))), (TIBIA, box((11, 5, 5), (6, 6, 4))))
    other = read("bert", (TIBIA, box((5, 5, 5), (6, 6, 4))), (TIBIA, box((11, 5, 5), (6, 6, 4))))
    beyond = Mask.united([box((5, 5, 5), (6, 6, 4)), box((11, 5, 5), (1, 6, 1))])
    strayed = replace(other.lesion_map.lesions[0], extents=(Extent("STIR", beyond),))
    other = replace(other, lesion_map=replace(other.lesion_map, lesions=(strayed, other.lesion_map.lesions[1])))
    assert [kind for *_, kind in kinds(one, other)] == ["same", "same"]


def test_outlines_on_two_series_are_one_where_they_lie_in_one_place() -> None:
    one = read("anna", (TIBIA, box((5, 5, 5), (6, 6, 4))), (TIBIA, box((25, 20, 14), (4, 4, 4))))
    other = read("bert", (TIBIA, box((6, 5, 5), (6, 6, 4)), "T1"), (FEMUR, box((25, 4, 14), (4, 4, 4)), "T1"))
    assert [(x.kind, x.by) for x in match_readers(one, other)] == [
        ("same", "outline"), ("only_first", ""), ("only_second", ""),
    ]  # fmt: skip


def test_a_marker_in_an_outline_is_one_with_it_and_two_markers_are_merged() -> None:
    inside, other_end = GRID.lps([6, 6, 6]), GRID.lps([13, 6, 6])
    one = read("anna", (TIBIA, tuple(inside)), (TIBIA, tuple(other_end)))
    other = read("bert", (TIBIA, box((5, 5, 5), (11, 4, 4))))
    assert [(x.kind, x.by) for x in match_readers(one, other)] == [("merged", "outline")]


def test_without_a_drawing_sites_pair_one_to_one() -> None:
    one = read("anna", (TIBIA, None), (TIBIA, None), (FEMUR, None))
    other = read("bert", (TIBIA, None), ("ankle.left", None), (FIBULA, None))
    assert sorted(kind for *_, kind in kinds(one, other)) == ["only_first", "only_second", "same", "same"]
    assert kinds(one, other)[2:] == [(("L3",), (), "only_first"), ((), ("L3",), "only_second")]


def test_maps_of_two_visits_or_of_one_reader_are_refused() -> None:
    later = replace(VISIT, date=date(2013, 1, 1))
    with pytest.raises(LesionmapError, match="compared in one visit, got maps of 2012-03-04 and 2013-01-01"):
        match_readers(read("anna"), read("bert", visit=later))
    with pytest.raises(LesionmapError, match="two readers are compared, got 'anna' twice"):
        match_readers(read("anna"), read("anna"))


@pytest.mark.parametrize(
    ("draws", "right", "wrong"), [("masks", 1.0, 0.06), ("other", 1.0, 0.06), ("markers", 0.8, 0.1)]
)
def test_simulated_second_readings_are_matched(draws: str, right: float, wrong: float) -> None:
    """Truth is known: who reads again draws anew, misses some, joins some; a marker may stand for one of two only."""
    found, truth = set[tuple[int, str, str]](), set[tuple[int, str, str]]()
    for n, visit in enumerate(two_readers(2, Habits())):
        reading = read_again(visit["anna"], Habits(draws=draws), n)
        found |= {(n, a, b) for x in match_readers(reading.one, reading.other) for a in x.ones for b in x.others}
        truth |= {(n, *pair) for pair in reading.truth}
    assert len(truth) > 12
    assert len(found & truth) / len(truth) >= right
    assert len(found - truth) / len(found) <= wrong


# ---- detection ------------------------------------------------------------------------------------------------------


def three(certainty: Certainty = "definite") -> list[Mapping[str, VisitFacts]]:
    """Anna has three lesions, bert two of them and one of his own."""
    one = read("anna", *((TIBIA, box((5, 5 + 8 * n, 5), (4, 4, 4))) for n in range(3)))
    other = read(
        "bert",
        (TIBIA, box((5, 5, 5), (4, 4, 4))),
        (TIBIA, box((5, 13, 5), (4, 4, 4)), "STIR", certainty),
        (TIBIA, box((20, 5, 5), (4, 4, 2))),
    )
    return [{"anna": one, "bert": other}]


def test_recall_is_of_the_first_and_precision_of_the_second() -> None:
    found = compare_readers(three(), ("anna", "bert"), resamples=100)
    assert by_name(found, "recall", "lesion", "all").value == pytest.approx(2 / 3)
    assert by_name(found, "precision", "lesion", "all").value == pytest.approx(2 / 3)
    assert by_name(found, "dice", "lesion", "all").value == pytest.approx(1.0)
    assert by_name(found, "recall", "lesion", "all").note == "one patient: no interval by patients"


def test_what_the_rule_does_not_count_is_not_found() -> None:
    found = compare_readers(three("equivocal"), ("anna", "bert"), resamples=100)
    assert by_name(found, "recall", "lesion", "all").value == pytest.approx(1 / 3)
    assert by_name(found, "precision", "lesion", "all").value == pytest.approx(1 / 2)
    assert [x.kind for x in found.pairs[0].shared] == ["same", "same", "only_first", "only_second"]
    strict = compare_readers(three("probable"), ("anna", "bert"), rule=RULES["definite_only"], resamples=100)
    assert by_name(strict, "recall", "lesion", "all").value == pytest.approx(1 / 3)


def test_both_parts_of_a_merged_lesion_are_found() -> None:
    two = read("anna", (TIBIA, box((5, 5, 5), (4, 4, 4))), (TIBIA, box((12, 5, 5), (4, 4, 4))))
    whole = read("bert", (TIBIA, box((5, 5, 5), (11, 4, 4))))
    found = compare_readers([{"anna": two, "bert": whole}], ("anna", "bert"), resamples=100)
    assert [by_name(found, x, "lesion", "all").value for x in ("recall", "precision", "f1")] == [1.0, 1.0, 1.0]
    assert by_name(found, "icc_2_1", "visit", "n_lesions").note.startswith("not defined")
    # 2 × 128 voxels of 24 mm³ in common, 128 + 176 drawn.
    assert by_name(found, "dice", "lesion", "all").value == pytest.approx(2 * 128 / (128 + 176))
    assert found.pairs[0].shared_ml[0] == pytest.approx((128 * 24 / 1000, 176 * 24 / 1000))


def test_a_visit_with_nothing_is_read_once_it_is_signed() -> None:
    visits = [*three(), {"anna": read("anna"), "bert": read("bert", signed=False)}]
    assert compare_readers(visits, ("anna", "bert"), resamples=100).left_out["visits not read by anna and bert"] == 1
    visits[1] = {"anna": read("anna"), "bert": read("bert")}
    found = compare_readers(visits, ("anna", "bert"), resamples=100)
    assert by_name(found, "bias", "visit", "n_lesions").n == 2
    assert "visits not read by anna and bert" not in found.left_out


def test_volume_of_a_visit_is_unknown_where_one_lesion_has_none() -> None:
    one = read("anna", (TIBIA, box((5, 5, 5), (4, 4, 4))), (FEMUR, None))
    other = read("bert", (TIBIA, box((5, 5, 5), (4, 4, 4))))
    found = compare_readers([{"anna": one, "bert": other}], ("anna", "bert"), resamples=100)
    assert found.pairs[0].volume_ml[0] is None
    assert found.pairs[0].volume_ml[1] == pytest.approx(64 * 24 / 1000)
    assert by_name(found, "bias", "visit", "volume_ml").n == 0
    assert by_name(found, "bias", "visit", "volume_ml").note == "there is no unit"


def test_readers_must_be_two_and_share_a_visit() -> None:
    with pytest.raises(LesionmapError, match="two or more different readers are compared, got anna"):
        compare_readers(three(), ("anna",))
    with pytest.raises(LesionmapError, match="visits read by two of anna, carl were expected, there is none"):
        compare_readers(three(), ("anna", "carl"))


# ---- sites ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study() -> list[Mapping[str, VisitFacts]]:
    return two_readers(2, Habits())


def with_coverage(facts: VisitFacts, share: Mapping[str, float]) -> VisitFacts:
    assert facts.placement is not None
    coverage = tuple((site.id, share.get(site.id, 0.0)) for site in sites())
    return replace(facts, placement=replace(facts.placement, coverage=coverage))


def test_only_imaged_sites_are_rated(study: list[Mapping[str, VisitFacts]]) -> None:
    seen = {TIBIA: 1.0, FEMUR: 0.95, FIBULA: 0.5}
    visits = [{name: with_coverage(facts, seen) for name, facts in visit.items()} for visit in study[:2]]
    found = compare_readers(visits, ("anna", "bert"), resamples=100)
    assert by_name(found, "kappa_free", "site", "all").n == 4
    assert by_name(found, "kappa_free", "region", "all").n == 0
    assert found.left_out["sites of visits imaged in part, anna and bert"] == 2
    assert found.left_out["sites of visits not imaged, anna and bert"] == 2 * (len(sites()) - 3)


def test_without_a_skeleton_nobody_knows_what_was_imaged() -> None:
    found = compare_readers(three(), ("anna", "bert"), resamples=100)
    assert by_name(found, "kappa_cohen", "site", "all").note == "there is no unit"
    assert [words for words in found.left_out if "nobody knows whether they were imaged" in words]


def test_a_group_rates_none_of_its_sites(study: list[Mapping[str, VisitFacts]]) -> None:
    placed = study[0]["anna"]
    at = with_coverage(placed, dict.fromkeys([TIBIA, FIBULA, FEMUR], 1.0))
    one = replace(read("anna", ("ankle.left", None), (TIBIA, None)), placement=at.placement)
    other = replace(read("bert", (TIBIA, None)), placement=at.placement)
    found = compare_readers([{"anna": one, "bert": other}], ("anna", "bert"), resamples=100)
    assert by_name(found, "kappa_cohen", "site", TIBIA).n == 1
    rated = by_name(found, "kappa_free", "site", "all")
    held = found.left_out.get("sites of visits in a group that a reader gave, anna and bert", 0)
    assert rated.n + held == 3


# ---- laws -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def agreed(study: list[Mapping[str, VisitFacts]]) -> Agreement:
    return compare_readers(study, ("anna", "bert"), resamples=300)


def test_swapped_readers_swap_recall_and_precision(study: list[Mapping[str, VisitFacts]], agreed: Agreement) -> None:
    turned = compare_readers(study, ("bert", "anna"), resamples=300)
    for name, other in (("recall", "precision"), ("precision", "recall"), ("f1", "f1")):
        assert by_name(agreed, name, "lesion", "all").value == by_name(turned, other, "lesion", "all").value
        assert by_name(agreed, name, "lesion", "all").low == by_name(turned, other, "lesion", "all").low
    for of in ("all", "leg", "spine"):
        kappa, back = (by_name(x, "kappa_cohen", "site", of).value for x in (agreed, turned))
        assert kappa == pytest.approx(back, nan_ok=True)
    for unit, of in (("visit", "n_lesions"), ("lesion", "volume_ml")):
        bias, back = (by_name(x, "bias", unit, of).value for x in (agreed, turned))
        assert bias == pytest.approx(-back)
        upper, lower = by_name(agreed, "upper_limit", unit, of), by_name(turned, "lower_limit", unit, of)
        assert upper.value == pytest.approx(-lower.value)


def test_a_reader_agrees_with_a_copy(study: list[Mapping[str, VisitFacts]]) -> None:
    visits = [
        {"anna": x["anna"], "again": replace(x["anna"], lesion_map=replace(x["anna"].lesion_map, reader="again"))}
        for x in study
    ]
    found = compare_readers(visits, ("anna", "again"), resamples=100)
    for x in found.estimates:
        expected = 0.0 if x.statistic in ("bias", "lower_limit", "upper_limit") else 1.0
        assert x.value == pytest.approx(expected) or (np.isnan(x.value) and x.note), x
    assert by_name(found, "kappa_cohen", "site", "hand").note == (
        "not defined: both readers say the same of every unit, so agreement by chance is certain"
    )


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000), visit=st.integers(0, 3))
def test_order_of_the_lesions_does_not_matter(study: list[Mapping[str, VisitFacts]], seed: int, visit: int) -> None:
    facts = study[visit]
    mixed = {}
    for name, x in facts.items():
        order = np.random.default_rng(seed).permutation(len(x.lesion_map.lesions))
        lesions = tuple(x.lesion_map.lesions[i] for i in order)
        mixed[name] = replace(x, lesion_map=replace(x.lesion_map, lesions=lesions))

    def groups(maps: Mapping[str, VisitFacts]) -> set[tuple[frozenset[str], frozenset[str]]]:
        return {(frozenset(x.ones), frozenset(x.others)) for x in match_readers(maps["anna"], maps["bert"])}

    assert groups(mixed) == groups(facts)


@settings(max_examples=25, deadline=None)
@given(
    ours=st.lists(st.tuples(st.sampled_from([TIBIA, FIBULA, FEMUR]), st.integers(0, 5)), max_size=4),
    theirs=st.lists(st.tuples(st.sampled_from([TIBIA, FIBULA, FEMUR]), st.integers(0, 5)), max_size=4),
)
def test_f1_lies_between_recall_and_precision(ours: list[tuple[str, int]], theirs: list[tuple[str, int]]) -> None:
    one, other = (
        read(who, *((site, box((2 + 3 * at, 2 + 4 * at, 4), (5, 5, 3))) for site, at in some))
        for who, some in (("anna", ours), ("bert", theirs))
    )
    found = compare_readers([{"anna": one, "bert": other}], ("anna", "bert"), resamples=100)
    recall, precision, f1 = (by_name(found, x, "lesion", "all") for x in ("recall", "precision", "f1"))
    ids = [i for x in match_readers(one, other) for i in (*(("a", y) for y in x.ones), *(("b", y) for y in x.others))]
    assert len(ids) == len(set(ids)) == len(ours) + len(theirs)
    assert np.isnan(recall.value) == (not ours)
    assert np.isnan(precision.value) == (not theirs)
    if ours and theirs:
        assert 0 <= min(recall.value, precision.value) <= f1.value <= max(recall.value, precision.value) <= 1


def test_intervals_hold_the_value_and_say_how_few_patients(agreed: Agreement) -> None:
    for name in ("recall", "precision", "f1"):
        x = by_name(agreed, name, "lesion", "all")
        assert x.low <= x.value <= x.high
        assert x.note == "few patients: the interval is too narrow"
    assert (agreed.resamples, agreed.seed) == (300, 1)


def test_three_readers_have_rows_for_each_pair_and_for_all(study: list[Mapping[str, VisitFacts]]) -> None:
    visits = [{**x, "carl": replace(x["bert"], lesion_map=replace(x["bert"].lesion_map, reader="carl"))} for x in study]
    found = compare_readers(visits, ("anna", "bert", "carl"), resamples=100)
    rows = {(x.readers, x.statistic) for x in found.estimates if (x.unit, x.of) == ("site", "all")}
    assert rows == {
        (("anna", "bert"), "kappa_cohen"), (("anna", "bert"), "kappa_free"),
        (("anna", "carl"), "kappa_cohen"), (("anna", "carl"), "kappa_free"),
        (("bert", "carl"), "kappa_cohen"), (("bert", "carl"), "kappa_free"),
        (("anna", "bert", "carl"), "kappa_fleiss"), (("anna", "bert", "carl"), "kappa_free"),
    }  # fmt: skip
    of_all = next(x for x in found.estimates if (len(x.readers), x.statistic, x.of) == (3, "icc_2_1", "n_lesions"))
    assert 0 < of_all.value < 1
