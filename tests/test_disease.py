"""The course of the disease over all lesions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from lesionmap.annotate import add_lesion, change_lesion
from lesionmap.compare import VisitFacts, compare, disease_of
from lesionmap.lesions import Attributes
from lesionmap.measure import count
from visit_facts import TIBIA, replace_year, sized, visit

if TYPE_CHECKING:
    from lesionmap.compare import Disease, Imaged


def disease(*visits: VisitFacts, imaged: Imaged = "imaged") -> Disease:
    courses = compare(visits, imaged=lambda _facts, _site: imaged)
    return disease_of(visits, courses, {x.visit.key: count(x.lesion_map) for x in visits})


def at(facts: VisitFacts, *sites: str, painful: bool | None = None) -> VisitFacts:
    """Add a lesion at each site."""
    lesion_map = facts.lesion_map
    for site in sites:
        lesion_map = add_lesion(lesion_map, sites=[site], track=f"t-{site}")
        lesion_map = change_lesion(lesion_map, lesion_map.lesions[-1].id, attributes=Attributes(painful=painful))
    return replace(facts, lesion_map=lesion_map)


def test_new_resolved_and_recurrent_tracks_over_years() -> None:
    found = disease(
        visit(2010, "a", "b"),
        visit(2011, "a", "c", b="resolved"),
        visit(2012, "c", a="resolved"),
        visit(2014, "b", "c"),
    )
    assert found.new_per_year == pytest.approx(1 / 4, rel=1e-3)  # c, in four years
    assert found.resolved_share == pytest.approx(1 / 3)  # a alone: b came back
    assert found.years_to_resolve == pytest.approx((2.0, 1.0), abs=0.01)
    assert found.recurred == 1
    assert found.flares == ("2011-01-02", "2014-01-02")
    assert [x.lesions for x in found.visits] == [2, 2, 1, 2]
    assert found.visits[1].states == {"persistent": 1, "resolved": 1, "new": 1}


def test_what_was_not_imaged_before_may_be_new_or_not() -> None:
    found = disease(visit(2010, "a"), visit(2012, "a", "b", "c"), imaged="not_imaged")
    assert (found.new_per_year, found.first_seen_later) == (0.0, 2)
    assert found.flares == ()
    assert disease(visit(2010, "a"), visit(2012, "a", "b")).first_seen_later == 0


def test_what_the_first_visit_that_was_read_shows_is_no_flare() -> None:
    """An image that nobody read makes a lesion *new* (it was imaged and not marked), but no rate and no flare."""
    found = disease(visit(2009), visit(2010, "a", "b"), visit(2012, "a", "b"))
    assert found.visits[1].states == {"new": 2}
    assert (found.new_per_year, found.flares) == (0.0, ())


def test_a_visit_that_nobody_read_has_no_count() -> None:
    found = disease(visit(2010), visit(2011, "a"))
    assert [x.lesions for x in found.visits] == [None, 1]
    assert found.new_per_year is None
    assert found.visits[0].focality == ""
    assert found.visits[0].volume_ml is None


def test_what_is_gone_twice_has_two_times() -> None:
    found = disease(visit(2010, "a"), visit(2011, a="resolved"), visit(2012, "a"), visit(2015, a="resolved"))
    assert found.years_to_resolve == pytest.approx((1.0, 3.0), abs=0.01)
    assert found.resolved_share == 1


def test_volumes_of_what_has_one() -> None:
    found = disease(sized(visit(2010, "a", "b"), 1.5, None), sized(replace_year(visit(2011, "a"), 2011), None))
    assert (found.visits[0].volume_ml, found.visits[0].unmeasured) == (1.5, 1)
    assert (found.visits[1].volume_ml, found.visits[1].unmeasured) == (None, 1)


def test_patterns_pairs_and_bones() -> None:
    legs = at(visit(2010), TIBIA, "tibia.distal_metaphysis.right", "femur.distal_epiphysis.right")
    trunk = at(visit(2011), "clavicle.medial.left", "vertebra_T7.body.midline", "mandible.whole.midline")
    first, second = disease(legs, trunk).visits
    assert first.symmetric == ("tibia.distal_metaphysis",)
    assert (first.pattern, second.pattern) == ("tibio-appendicular", "claviculo-spinal")
    assert (first.epiphysis, first.spine, first.clavicle, first.mandible) == (True, False, False, False)
    assert (second.epiphysis, second.spine, second.clavicle, second.mandible) == (False, True, True, True)
    assert first.focality == second.focality == "multifocal"
    assert disease(at(visit(2010), TIBIA)).visits[0].focality == "unifocal"
    assert disease(at(visit(2010), TIBIA)).visits[0].pattern == ""  # one lesion is no pattern of many


def test_a_group_that_only_may_hold_the_clavicle_says_nothing_of_it() -> None:
    found = disease(at(visit(2010), "sternoclavicular_joint.left")).visits[0]
    assert (found.clavicle, found.sternum) == (False, False)


def test_what_does_not_count_is_left_out() -> None:
    facts = at(visit(2010), TIBIA, "tibia.distal_metaphysis.right", painful=False)
    unsure = change_lesion(facts.lesion_map, facts.lesion_map.lesions[1].id, certainty="equivocal")
    found = disease(replace(facts, lesion_map=unsure)).visits[0]
    assert (found.lesions, found.symmetric, found.silent, found.not_asked) == (1, (), 1, 0)


@pytest.mark.parametrize(
    ("sites", "pattern"),
    [
        (("clavicle.middle.right",), "claviculo-spinal"),
        (("vertebra_L2.body.midline",), "claviculo-spinal"),
        (("rib_4.whole.left", "ilium.wing.right"), ""),
        ((TIBIA, "femur.diaphysis.right"), "tibio-appendicular"),
        (("femur.diaphysis.right", "femur.diaphysis.left"), ""),  # limbs, and no tibia
        ((TIBIA, "rib_4.whole.left"), ""),
        ((TIBIA, "femur.diaphysis.right", "vertebra_L2.body.midline"), "both"),
        ((TIBIA, "femur.diaphysis.right", "clavicle.medial.left"), "both"),
    ],
)
def test_the_patterns_one_by_one(sites: tuple[str, ...], pattern: str) -> None:
    assert disease(at(visit(2010), *sites)).visits[0].pattern == pattern


def test_what_a_visit_says_of_pain_regions_and_bones() -> None:
    facts = at(visit(2010), TIBIA, "sternum.body.midline", painful=True)
    facts = at(at(facts, "ilium.wing.left", painful=False), "calcaneus.apophysis.right")
    found = disease(facts).visits[0]
    assert found.visit == "2010-01-02"
    assert (found.silent, found.painful, found.not_asked) == (1, 2, 1)
    assert found.regions == ("foot", "leg", "pelvis", "thorax")
    assert (found.sternum, found.clavicle, found.mandible, found.spine) == (True, False, False, False)


def test_a_course_that_nobody_read_has_no_figures() -> None:
    found = disease(visit(2010), visit(2011))
    assert (found.new_per_year, found.resolved_share, found.years_to_resolve) == (None, None, ())
    assert (found.flares, found.recurred, found.first_seen_later) == ((), 0, 0)
