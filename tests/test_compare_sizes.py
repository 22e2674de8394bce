"""Has it grown? Which measurements are compared, how errors add up, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lesionmap.compare import Threshold, compare
from lesionmap.measure import Measurement
from visit_facts import sized, visit, worded

if TYPE_CHECKING:
    from lesionmap.compare import Change, VisitFacts

NOW = "2011-01-02"


def one(kind: str, ml: float | None, error_ml: float | None = 0.0, why_not: str = "") -> Measurement:
    modality, _, sequence = kind.partition(" ")
    return Measurement(kind, modality, sequence, volume_ml=ml, volume_error_ml=error_ml, why_not=why_not)


def measured(facts: VisitFacts, *of_lesions: list[Measurement]) -> VisitFacts:
    ids = [lesion.id for lesion in facts.lesion_map.lesions]
    return replace(facts, measurements={name: tuple(some) for name, some in zip(ids, of_lesions, strict=True)})


def change(*visits: VisitFacts, track: str = "a", threshold: Threshold | None = None) -> Change:
    (found,) = [x for x in compare(visits, threshold=threshold) if x.track == track]
    return found.states[NOW]


def of_one(before: list[Measurement], now: list[Measurement], threshold: Threshold | None = None) -> Change:
    return change(measured(visit(2010, "a"), before), measured(visit(2011, "a"), now), threshold=threshold)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ({"MR STIR": 1.0, "MR T1": 9.0}, {"MR T1": 2.0, "MR STIR": 2.0}, "1.00 → 2.00 ml (+100%)"),
        ({"MR T1": 9.0, "MR STIR": 1.0}, {"MR T1": 4.5}, "9.00 → 4.50 ml (-50%)"),
        ({"MR T2": 1.0, "MR T1": 9.0}, {"MR STIR": 3.0, "MR T1": 2.0}, "1.00 → 3.00 ml (+200%)"),  # both show fluid
        ({"MR STIR": 4.0, "CT ": 1.0}, {"CT ": 2.0}, "1.00 → 2.00 ml (+100%)"),
        ({"MR DWI": 1.0, "MR ADC": 4.0}, {"MR ADC": 1.0, "MR DWI": 5.0}, "1.00 → 5.00 ml (+400%)"),
    ],
)
def test_of_several_kinds_the_one_that_stands_for_the_lesion_is_compared(
    before: dict[str, float], now: dict[str, float], said: str
) -> None:
    found = of_one([one(*x) for x in before.items()], [one(*x) for x in now.items()])
    assert found.reason == f"{said}, slice error ±0.00 ml"
    assert found.state == ("improved" if "-" in said else "worsened")
    back = of_one([one(*x) for x in now.items()], [one(*x) for x in before.items()])
    assert back.state == ("worsened" if "-" in said else "improved")


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        ("MR STIR", "CT STIR", "2010-01-02 MR STIR, 2011-01-02 CT STIR"),
        ("MR DWI", "MR STIR", "2010-01-02 MR DWI, 2011-01-02 MR STIR"),
        ("CT ", "MR T1", "2010-01-02 CT, 2011-01-02 MR T1"),
    ],
)
def test_unlike_kinds_are_not_compared(before: str, now: str, said: str) -> None:
    found = of_one([one(before, 1.0)], [one(now, 9.0)])
    assert (found.state, found.reason) == ("persistent", f"not measured on one kind of sequence: {said}")
    assert found.volume_ml == 9.0


def test_within_the_share_or_the_error_it_is_persistent_and_says_so() -> None:
    near = of_one([one("MR STIR", 1.0)], [one("MR STIR", 1.2)])
    assert near.reason == "1.00 → 1.20 ml (+20%), slice error ±0.00 ml; within 30% of the smaller"
    rough = of_one([one("MR STIR", 2.0, 0.6)], [one("MR STIR", 1.0, 0.8)])  # together 1 ml: not more than that
    assert (rough.state, rough.reason) == (
        "persistent", "2.00 → 1.00 ml (-50%), slice error ±1.00 ml; not more than the slice error",
    )  # fmt: skip
    fine = of_one([one("MR STIR", 2.0, 0.6)], [one("MR STIR", 1.0, 0.79)])
    assert (fine.state, fine.reason) == ("improved", "2.00 → 1.00 ml (-50%), slice error ±0.99 ml")
    half = of_one([one("MR STIR", 1.0)], [one("MR STIR", 1.4)], Threshold(volume_change=0.5))
    assert half.reason.endswith("; within 50% of the smaller")


def test_an_error_that_is_not_known_adds_nothing() -> None:
    found = of_one([one("MR STIR", 2.0, None)], [one("MR STIR", 1.0, 0.5)])
    assert (found.state, found.reason) == ("improved", "2.00 → 1.00 ml (-50%), slice error ±0.50 ml")
    found = of_one([one("MR STIR", 2.0, 0.5)], [one("MR STIR", 1.0, None)])
    assert found.reason.endswith("slice error ±0.50 ml")
    assert found.volume_error_ml == 0.0


def test_errors_of_parts_add_as_the_root_of_their_squares() -> None:
    parts = measured(visit(2011, "a", "a"), [one("MR STIR", 1.0, 0.3)], [one("MR STIR", 2.0, 0.4)])
    found = change(measured(visit(2010, "a"), [one("MR STIR", 1.0, 1.2)]), parts)
    assert found.volume_ml == 3.0
    assert found.volume_error_ml == pytest.approx(0.5)
    assert found.reason == "1.00 → 3.00 ml (+200%), slice error ±1.30 ml"
    assert found.state == "worsened"


def test_a_part_without_a_volume_leaves_all_without_one() -> None:
    """Twice the first part would be *worsened*; of the second nobody knows."""
    marker = one("MR STIR", None, None, "a marker has no size; no signal")
    parts = measured(visit(2011, "a", "a"), [one("MR STIR", 2.0)], [marker])
    found = change(measured(visit(2010, "a"), [one("MR STIR", 1.0)]), parts)
    assert (found.state, found.volume_ml, found.volume_error_ml) == ("persistent", None, None)
    assert found.reason == f"not measured at {NOW}: a marker has no size"


def test_what_hangs_together_over_several_tracks_is_measured_together() -> None:
    """a, b and c became two lesions on a+b and b+c: 3 ml before, 3.3 ml now; d stands alone."""
    before = sized(visit(2010, "a", "b", "c", "d"), 1.0, 1.0, 1.0, 1.0)
    now = sized(visit(2011, ("a", "b"), ("b", "c"), "d"), 1.1, 2.2, 9.0)
    for track in "abc":
        assert change(before, now, track=track).reason.startswith("3.00 → 3.30 ml (+10%)")
    assert change(before, now, track="d").reason.startswith("1.00 → 9.00 ml")


def test_the_worst_of_several_words_holds() -> None:
    split = worded(visit(2011, "a", "a"), "persistent", "improved")
    found = change(visit(2010, "a"), split)
    assert (found.state, found.reason) == ("persistent", "the reader's words differ; the worst holds")
    same = worded(visit(2011, "a", "a"), "improved", "improved")
    assert change(visit(2010, "a"), same).reason == "the reader's word"


def test_the_reasons_of_a_state() -> None:
    back = change(visit(2009, "a"), visit(2010, a="resolved"), visit(2011, "a"))
    assert (back.state, back.reason, back.since) == ("recurrent", "resolved at 2010-01-02, marked again", "2009-01-02")
    twice = change(visit(2008, "a"), visit(2009, a="resolved"), visit(2010, a="resolved"), visit(2011, "a"))
    assert twice.reason == "resolved at 2010-01-02, marked again"  # the last time that it was said
    first = change(visit(2009), visit(2010), visit(2011, "a"))
    assert (first.reason, first.since) == ("its site before: 2009-01-02 unknown, 2010-01-02 unknown", "")
    gone = change(visit(2010, "a"), visit(2011))
    assert (gone.state, gone.reason, gone.since) == ("unanswered", "neither marked nor answered", "2010-01-02")
    assert (gone.lesions, gone.counted, gone.volume_ml, gone.split_merge) == ((), None, None, "")
    said = change(visit(2010, "a"), visit(2011, a="resolved"))
    assert (said.reason, said.since) == ("the reader's answer", "2010-01-02")
    outside = compare([visit(2010, "a"), visit(2011)], imaged=lambda _facts, _site: "not_imaged")[0].states[NOW]
    assert (outside.state, outside.reason) == ("not_imaged", "computed: its site lies outside the images")
    assert outside.since == "2010-01-02"
    before = compare([visit(2010), visit(2011, "a")], imaged=lambda _facts, _site: "not_imaged")[0].states[NOW]
    assert before.reason == "its site before: 2010-01-02 not imaged"
