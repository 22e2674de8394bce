"""What it costs to take two lesions for one, and how sure a proposal is: worked by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lesionmap.annotate.places import ReferencePlace
from lesionmap.compare import match
from lesionmap.compare.matching import price
from lesionmap.compare.position import Drawn, Position
from lesionmap.lesions import Lesion
from visit_facts import TIBIA, visit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.compare import VisitFacts
    from lesionmap.skeleton.anatomy import Side

SHIN: frozenset[tuple[str, Side]] = frozenset({("tibia", "left")})
ONE = Lesion("L1", (TIBIA,))
# Along no axis of the patient, and the body has grown to one and a half times in z.
AXIS = np.array([0.6, 0.0, 0.8])
ACROSS = np.array([0.0, 1.0, 0.0])
GROWN = np.diag([1.0, 1.0, 1.5])


def at(
    place: NDArray[np.float64],
    *,
    ends_mm: tuple[float, float] | None = None,
    ml: float | None = None,
    axis: bool = True,
) -> Position:
    """Give a drawn lesion at a place of the reference body."""
    return Position(SHIN, Drawn(ReferencePlace(place, GROWN), AXIS if axis else None, ends_mm, ml))


def cost(then: Position, here: Position) -> float:
    return price(ONE, ONE, then, here)


def beside(along_mm: float, across_mm: float) -> NDArray[np.float64]:
    """Give the place in the reference body that lies so many mm from the origin in the patient."""
    return np.asarray(np.linalg.inv(GROWN) @ (along_mm * AXIS + across_mm * ACROSS))


HERE = np.zeros(3)


@pytest.mark.parametrize(
    ("along_mm", "across_mm", "ml", "expected"),
    [
        (0.0, 0.0, 1.0, 0.0),
        (8.0, 0.0, 1.0, 1.0),
        (-16.0, 0.0, 1.0, 4.0),
        (0.0, 7.0, 1.0, 1.0),
        (0.0, -21.0, 1.0, 9.0),
        (8.0, 14.0, float(np.e), 1.0 + 4.0 + 1.0),
        (0.0, 0.0, float(np.exp(-2.0)), 4.0),
    ],
)
def test_the_price_of_what_is_drawn(along_mm: float, across_mm: float, ml: float, expected: float) -> None:
    """(mm along the bone / 8)² + (mm across it / 7)² + (log of the volumes' ratio)²."""
    then, here = at(beside(along_mm, across_mm), ml=ml), at(HERE, ml=1.0)
    assert cost(then, here) == pytest.approx(expected, abs=1e-9)
    assert cost(here, then) == pytest.approx(expected, abs=1e-9)


def test_what_is_not_known_costs_nothing() -> None:
    for ml, other in ((None, 5.0), (5.0, None), (None, None)):
        assert cost(at(beside(8.0, 0.0), ml=ml), at(HERE, ml=other)) == pytest.approx(1.0)
    no_ends = at(beside(16.0, 0.0), ends_mm=(20.0, -200.0))
    assert cost(no_ends, at(HERE)) == cost(at(beside(16.0, 0.0)), at(HERE)) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("then", "here", "along_mm"),
    [
        ((20.0, -200.0), (20.0, -230.0), 0.0),  # it kept its distance to the upper plate
        ((200.0, -20.0), (230.0, -20.0), 0.0),  # to the lower one
        ((20.0, -200.0), (28.0, -230.0), 8.0),
        ((20.0, -200.0), (12.0, -230.0), 8.0),
        ((90.0, -100.0), (80.0, -94.0), 6.0),  # the smaller of both
        ((198.0, -22.0), (198.0, -52.0), 0.0),  # nine tenths of the bone away: it still counts
        ((199.0, -21.0), (199.0, -51.0), 16.0),  # farther than that no distance is kept, the fraction is left
        ((21.0, -199.0), (51.0, -199.0), 16.0),
        ((-3.0, -223.0), (-3.0, -240.0), 0.0),  # beyond the upper plate
    ],
)
def test_a_lesion_may_keep_its_fraction_or_its_distance_to_a_plate(
    then: tuple[float, float], here: tuple[float, float], along_mm: float
) -> None:
    """By fraction it would be 16 mm."""
    found = cost(at(beside(16.0, 7.0), ends_mm=then), at(HERE, ends_mm=here))
    assert found == pytest.approx((along_mm / 8) ** 2 + 1.0)


def test_in_a_bone_without_axis_all_is_across() -> None:
    found = cost(at(beside(14.0, 0.0), axis=False), at(HERE, axis=False))
    assert found == pytest.approx(4.0)


def test_other_bones_are_never_one_and_of_one_is_enough() -> None:
    others: frozenset[tuple[str, Side]] = frozenset({("tibia", "right"), ("fibula", "left")})
    other = replace(at(HERE), bones=others)
    assert cost(at(HERE), other) == np.inf
    assert cost(at(HERE), replace(other, bones=others | SHIN)) == 0.0


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        (TIBIA, 2.0),
        ("ankle.left", 4.0),
        ("tibia.distal_epiphysis.left", 8.0),
        ("tibia.proximal_metaphysis.left", np.inf),
    ],
)
def test_where_only_sites_are_known_these_tell(site: str, expected: float) -> None:
    for drawn in (None, at(HERE).drawn):
        assert price(ONE, Lesion("L2", (site,)), Position(SHIN, None), Position(SHIN, drawn)) == expected
        assert price(ONE, Lesion("L2", (site,)), Position(SHIN, drawn), Position(SHIN, None)) == expected


# ---- how sure


def renamed(facts: VisitFacts, *sites: str) -> VisitFacts:
    lesions = [replace(x, sites=(site,)) for x, site in zip(facts.lesion_map.lesions, sites, strict=True)]
    return replace(facts, lesion_map=replace(facts.lesion_map, lesions=tuple(lesions)))


def test_the_confidence_weighs_a_pair_against_all_others_and_against_none() -> None:
    """Each likely by e to minus half its price; to be alone costs 12."""
    now, then = visit(2012, "x"), visit(2011, "a")
    (alone,) = match(now, [then])
    likely, none = np.exp(-2.0 / 2), np.exp(-12.0 / 2)
    assert (alone.lesion, alone.tracks, alone.visit, alone.other, alone.kind) == (
        "L1",
        ("a",),
        "2011-01-02",
        "L1",
        "same",
    )
    assert alone.confidence == pytest.approx(likely / (likely + none))
    beside = renamed(visit(2011, "a", "b"), TIBIA, "tibia.diaphysis.left")
    (best,) = match(now, [beside])
    assert best.tracks == ("a",)
    assert best.confidence == pytest.approx(likely / (likely + np.exp(-8.0 / 2) + none))
    two = renamed(visit(2012, "x", "y"), "tibia.diaphysis.left", TIBIA)
    (first,) = match(two, [then])
    assert first.lesion == "L2"
    assert first.confidence == pytest.approx(best.confidence)


def test_of_equal_lesions_the_nearest_in_time_is_taken_before_what_came_later() -> None:
    now = visit(2012, "x")
    old, last, later, latest = visit(2009, "a"), visit(2010, "b"), visit(2013, "c"), visit(2015, "d")
    for others in ([old, last, later, latest], [latest, old, later, last], [later, latest, last, old, now]):
        (found,) = match(now, others)
        assert (found.visit, found.tracks) == ("2010-01-02", ("b",))
        weights = [np.exp(-(2.0 + 0.01 * steps) / 2) for steps in range(4)]
        assert found.confidence == pytest.approx(weights[0] / (sum(weights) + np.exp(-6.0)))
    (found,) = match(now, [latest, later])
    assert found.visit == "2013-01-02"
    again = [visit(2009, "a"), visit(2010, "a")]
    (found,) = match(now, again)
    assert found.visit == "2010-01-02"  # as it was marked last
    assert found.confidence == pytest.approx(np.exp(-1.0) / (np.exp(-1.0) + np.exp(-6.0)))


def test_proposals_come_in_the_order_of_the_map() -> None:
    sites = [f"metatarsal_{n}.whole.left" for n in (3, 1, 5, 2)]
    now, then = renamed(visit(2012, *"wxyz"), *sites), renamed(visit(2011, *"abcd"), *sorted(sites))
    assert [(x.lesion, x.tracks[0]) for x in match(now, [then])] == [("L1", "c"), ("L2", "a"), ("L3", "d"), ("L4", "b")]


@pytest.mark.parametrize(
    ("now", "then", "offered"),
    [
        ("vertebra_T12.body.midline", "vertebra_L1.body.midline", True),
        ("vertebra_L1.body.midline", "vertebra_T12.body.midline", True),
        ("vertebra_T12.body.midline", "vertebra_L2.body.midline", False),
        ("vertebra_T8.body.midline", "vertebra_T7.posterior_elements.midline", False),
        ("vertebra_L5.body.midline", "sacrum.body.midline", False),
        ("metatarsal_2.whole.left", "metatarsal_3.whole.left", False),
        ("ankle.left", "ankle.right", False),
    ],
)
def test_one_level_off_is_offered_for_vertebrae_of_one_part(now: str, then: str, offered: bool) -> None:
    found = match(renamed(visit(2012, "x"), now), [renamed(visit(2011, "a"), then)])
    assert len(found) == int(offered)
    for one in found:
        assert one.confidence == pytest.approx(np.exp(-4.5) / (np.exp(-4.5) + np.exp(-6.0)))
        levels = [site.split(".")[0].removeprefix("vertebra_") for site in (then, now)]
        assert one.warning == f"{levels[0]} in 2011-01-02, {levels[1]} now: count the vertebrae again"
        assert (one.lesion, one.tracks, one.other) == ("L1", ("a",), "L1")


def test_of_two_levels_off_each_has_one_partner() -> None:
    now = renamed(visit(2012, "x", "y"), "vertebra_T8.body.midline", "vertebra_T6.body.midline")
    then = renamed(visit(2011, "a"), "vertebra_T7.body.midline")
    assert [(x.lesion, x.tracks) for x in match(now, [then])] == [("L1", ("a",))]
    both = renamed(visit(2011, "a", "b"), "vertebra_T7.body.midline", "vertebra_T9.body.midline")
    only = renamed(visit(2012, "x"), "vertebra_T8.body.midline")
    assert [(x.lesion, x.tracks) for x in match(only, [both])] == [("L1", ("a",))]
