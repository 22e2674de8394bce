"""The guard of normal findings: its table is sound, and it hints where domain studies of healthy children say so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionmap.annotate import check_findings, normal_findings, normal_hint
from lesionmap.errors import LesionmapError
from lesionmap.skeleton import anatomy, mirror
from strategies import site_names

FEMUR = "femur.distal_metaphysis.left"
CALCANEUS = "calcaneus.apophysis.right"
GOOD = normal_findings()[0]

# Written here from the studies' ages, not read from the table.
SAID: list[tuple[str, float, Any, bool]] = [
    (CALCANEUS, 3.0, "M", True), (CALCANEUS, 15.9, "F", True), (CALCANEUS, 16.0, "F", False),
    ("ankle.left", 9.0, None, True), ("tibia.distal_metaphysis.left", 9.0, "F", False),
    ("radius.distal_metaphysis.left", 7.0, "F", True), ("carpals.whole.left", 6.9, "F", False),
    ("carpals.whole.right", 17.9, "M", True), ("carpals.whole.right", 18.0, "M", False),
    ("humerus.proximal_metaphysis.left", 9.0, "M", True), ("humerus.distal_metaphysis.left", 9.0, "M", False),
    ("ilium.wing.left", 12.0, "F", True), ("sacrum.sacroiliac.left", 12.0, "F", True),
    ("sternum.body.midline", 12.0, "F", True), ("clavicle.medial.left", 12.0, "F", False),
    ("mandible.whole.midline", 12.0, "F", False), ("vertebra_T8.body.midline", 12.0, "F", False),
    (FEMUR, 11.0, "F", True), (FEMUR, 12.9, "F", True), (FEMUR, 13.0, "F", False), (FEMUR, 10.9, "F", False),
    (FEMUR, 12.9, "M", False), (FEMUR, 13.0, "M", True), (FEMUR, 14.9, "M", True), (FEMUR, 15.0, "M", False),
    (FEMUR, 11.5, None, True), (FEMUR, 14.5, None, True), (FEMUR, 15.5, None, False),
]  # fmt: skip


@pytest.mark.parametrize(("site", "age_y", "sex", "hinted"), SAID)
def test_hints_stand_where_healthy_children_show_signal(site: str, age_y: float, sex: Any, hinted: bool) -> None:
    assert (normal_hint(site, age_y, sex) is not None) == hinted


def test_at_the_knee_only_a_small_zone_on_the_physis_is_normal() -> None:
    def hinted(**mark: Any) -> bool:
        return normal_hint(FEMUR, 12.0, "F", **mark) is not None

    assert hinted(diameter_mm=27.0, physis="crosses")
    assert hinted(physis="touches")
    assert not hinted(diameter_mm=27.5, physis="crosses")
    assert not hinted(diameter_mm=12.0, physis="spares")


def test_an_unknown_age_is_told_only_where_it_matters() -> None:
    hint = normal_hint(CALCANEUS, None, "F")
    assert hint is not None
    assert not hint.age_known
    assert hint.words.startswith("depends on the age, which is not known: 59 % of healthy children")
    assert normal_hint("clavicle.medial.left", None, None) is None


@given(site_names(), st.one_of(st.none(), st.floats(0, 25)), st.sampled_from(["F", "M", None]))
def test_a_hint_has_a_source_and_knows_no_side(site: str, age_y: float | None, sex: Any) -> None:
    hint, other = normal_hint(site, age_y, sex), normal_hint(mirror(site), age_y, sex)
    assert hint == other
    if hint is not None:
        assert hint.citation
        assert hint.age_known == (age_y is not None)
    if sex is None and age_y is not None:
        assert (hint is not None) == any(normal_hint(site, age_y, one) is not None for one in ("F", "M"))


def test_the_table_passes_every_check() -> None:
    assert check_findings() == {}
    assert {site for one in normal_findings() for site in one.sites} <= {site.id for site in anatomy.sites()}


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (replace(GOOD, sites=frozenset({"nose.whole.left", "nose.whole.right"})), "the sites exist"),
        (replace(GOOD, sites=frozenset()), "the sites exist"),
        (replace(GOOD, sites=frozenset({CALCANEUS})), "both sides are there"),
        (replace(GOOD, ages_y=(("F", 12.0, 11.0), ("M", 0.0, 16.0))), "the ages are sane"),
        (replace(GOOD, ages_y=(("F", 5.0, 11.0),)), "both sexes are told"),
        (replace(GOOD, citation=" "), "a citation is there"),
        (replace(GOOD, words="Normal."), "the words are one sentence without a full stop"),
        (replace(GOOD, most_mm=0.0), "the size is one in mm"),
        (replace(GOOD, physis=("near",)), "the relations to a physis are known"),  # type: ignore[arg-type]
    ],
)
def test_each_check_is_seen_to_fail(broken: Any, check: str) -> None:
    assert check_findings((broken,))[check] == (GOOD.name,)


def test_a_name_told_twice_is_found() -> None:
    assert check_findings((GOOD, GOOD)) == {"the name is told once": (GOOD.name, GOOD.name)}


def test_an_unknown_site_is_refused() -> None:
    with pytest.raises(LesionmapError, match="nose"):
        normal_hint("nose.left", 9, "F")
