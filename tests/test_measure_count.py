"""Counting: the published case, the rule's choices, its laws, and rules from files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionmap.annotate import add_lesion, change_lesion, unlock
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, LesionMap, Mask
from lesionmap.measure import RULES, CountRule, Measurement, Tally, count, rule_from_file, rule_named
from strategies import grids, lesion_maps

if TYPE_CHECKING:
    from pathlib import Path

    from lesionmap.lesions import Certainty
    from lesionmap.space import Grid

EMPTY = LesionMap("P001", "2010-05-04", "anna")

# ---- counting -------------------------------------------------------------------------------------------------------

VERTEBRAE = [f"vertebra_T{n}.body.midline" for n in (7, 8, 9)]


def map_of(*sites: str, certainty: Certainty = "definite") -> LesionMap:
    lesion_map = EMPTY
    for site in sites:
        lesion_map = add_lesion(lesion_map, sites=site.split("+"), certainty=certainty)
    return lesion_map


def test_the_published_case_counts_seven() -> None:
    lesion_map = map_of(
        "clavicle.medial.left",
        *VERTEBRAE,
        "sacroiliac_joint.left",
        "sacroiliac_joint.right",
        "tibia.distal_metaphysis.left",
    )
    found = count(lesion_map)
    assert found.total == found.without_hands_feet == Tally(7, 7, 7)
    assert found.by_region == {"shoulder girdle": 1, "spine": 3, "pelvis": 2, "leg": 1}
    assert found.by_bone["vertebra_T8.midline"] == 1
    assert found.by_bone["sacroiliac_joint.left"] == 1


def test_a_lesion_across_the_physis_is_one_or_two_by_the_rule() -> None:
    across = map_of("tibia.distal_metaphysis.left+tibia.distal_epiphysis.left+tibia.diaphysis.left")
    assert count(across).total == Tally(1, 1, 3)
    apart = count(across, RULES["epiphysis_apart"])
    assert apart.total == Tally(2, 1, 3)
    assert apart.of("L1").counts_as == 2
    both_ends = map_of("+".join(f"calcaneus.{x}.left" for x in ("body", "apophysis")))
    assert count(both_ends, RULES["epiphysis_apart"]).total.lesions == 2
    # A joint is no physis: two bones of one lesion stay one.
    joint = map_of("sacrum.sacroiliac.left+ilium.sacroiliac.left")
    assert count(joint, RULES["epiphysis_apart"]).total == Tally(1, 2, 2)


def test_a_group_is_one_bone_at_most_and_never_a_made_up_site() -> None:
    assert count(map_of("ankle.left")).total == Tally(1, 1, 1)
    assert count(map_of("ankle.left", "tibia.distal_metaphysis.left")).total == Tally(2, 1, 1)
    assert count(map_of("ankle.left", "tibia.diaphysis.left")).total == Tally(2, 1, 2)
    assert count(map_of("ankle.left", "ankle.right")).total == Tally(2, 2, 2)
    assert count(map_of("fibula.left", "fibula.diaphysis.left")).total == Tally(2, 1, 1)
    assert count(map_of("sacrum.sacroiliac.left", "sacrum.sacroiliac.right")).total == Tally(2, 1, 2)
    assert count(map_of("ankle.left")).by_region == {"ankle.left": 1}


def test_hands_and_feet_are_told_apart() -> None:
    lesion_map = map_of("calcaneus.body.left", "carpals.whole.right", "ankle.left", "femur.diaphysis.left")
    found = count(lesion_map)
    assert (found.total.lesions, found.without_hands_feet.lesions) == (4, 2)
    left_out = count(lesion_map, RULES["without_hands_feet"])
    assert left_out.total == found.without_hands_feet
    assert left_out.of("L1").why_not == "hand or foot"


def test_why_a_lesion_is_not_counted() -> None:
    lesion_map = map_of("ankle.left", "knee.left", "hip.left")
    lesion_map = change_lesion(lesion_map, "L1", certainty="normal_variant")
    sizes = {"L2": (Measurement("s", "MR", "STIR", volume_ml=0.4),), "L3": (Measurement("s"),)}
    found = count(lesion_map, CountRule("large", smallest_ml=1.0), sizes)
    assert [(x.counted, x.why_not) for x in found.judged] == [
        (False, "certainty normal variant"),
        (False, "0.4 ml, smaller than 1 ml"),
        (True, ""),  # a volume that is not known is not small
    ]
    with pytest.raises(LesionmapError, match="the count knows no lesion 'L7'; it has 3 lesions"):
        found.of("L7")


@given(lesion_maps(most=6).map(unlock), st.sampled_from(sorted(RULES)))
def test_laws_of_counting(lesion_map: LesionMap, name: str) -> None:
    rule = RULES[name]
    found = count(lesion_map, rule)
    assert count(lesion_map, replace(rule, physis="joined")).total.lesions <= found.total.lesions
    assert count(lesion_map, replace(rule, physis="apart")).total.lesions >= found.total.lesions
    assert found.without_hands_feet.lesions <= found.total.lesions
    assert sum(x.counts_as for x in found.judged) == found.total.lesions == sum(found.by_region.values())
    assert all(x.counted == (x.why_not == "") for x in found.judged)
    assert found.total.bones <= found.total.sites
    variant = count(add_lesion(lesion_map, sites=["femur.diaphysis.left"], certainty="normal_variant"), rule)
    assert (variant.total, variant.without_hands_feet) == (found.total, found.without_hands_feet)
    assert (variant.by_site, variant.by_bone, variant.by_region) == (found.by_site, found.by_bone, found.by_region)


@given(grids(), st.integers(0, 5))
def test_a_lesion_counts_once_on_however_many_series(grid: Grid, n: int) -> None:
    mask = Mask.of_voxels(np.array([[0, 0, 0]]), grid)
    lesion_map = add_lesion(EMPTY, sites=["ankle.left"], extents=[Extent(f"S{i}", mask) for i in range(n)])
    assert count(lesion_map).total.lesions == 1


# ---- rules ----------------------------------------------------------------------------------------------------------


def test_rules_in_words() -> None:
    assert RULES["default"].sentence == (
        'Counted (rule "default"): definite and probable lesions of any size; a lesion that crosses a physis is one; '
        "each vertebra on its own; hands and feet counted."
    )
    rule = CountRule("ours", ("definite",), 0.5, "apart", "left_out")
    assert rule.sentence == (
        'Counted (rule "ours"): definite lesions of 0.5 ml or more (or of unknown size); a lesion that crosses a '
        "physis counts on either side of it; each vertebra on its own; hands and feet left out."
    )
    assert all(name == rule.name for name, rule in RULES.items())


def test_a_rule_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "clinic.toml"
    path.write_text('certainties = ["definite", "equivocal"]\nsmallest_ml = 1\nphysis = "apart"\n', encoding="utf-8")
    assert rule_named(str(path)) == CountRule("clinic", ("definite", "equivocal"), 1, "apart")
    assert rule_named("definite_only").certainties == ("definite",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "smallest = 1",
            r"^count rule r\.toml: unknown smallest; a rule has name, certainties, smallest_ml, physis, han",
        ),
        ("smallest_ml = '1'", r"^count rule r\.toml: smallest_ml must be a number of millilitres, got '1'$"),
        ("smallest_ml = true", r"smallest_ml must be a number of millilitres, got True$"),
        ("smallest_ml = -1", r"^count rule 'r': smallest_ml is above 0 or left out, got -1$"),
        (
            "certainties = 'definite'",
            r"certainties must be a list such as \[\"definite\", \"probable\"\], got 'definite'",
        ),
        ("certainties = ['sure']", r"certainties are one or more of definite, probable, .*, got sure$"),
        ("certainties = ['sure', 'probable', 'so']", r", got sure, so$"),
        ("certainties = []", r"certainties are one or more of definite, .*, got none$"),
        ("smallest_ml = 0", r"smallest_ml is above 0 or left out, got 0$"),
        ("smallest_ml = inf", r"smallest_ml is above 0 or left out, got inf$"),
        ("smallest_ml = nan", r"smallest_ml is above 0 or left out, got nan$"),
        ("name = 3", r"^count rule r\.toml: name must be a text, got 3$"),
        ("physis = 1", r'^count rule r\.toml: physis must be "joined" or "apart", got 1$'),
        ("hands_feet = 1.5", r'^count rule r\.toml: hands_feet must be "counted" or "left_out", got 1\.5$'),
        ("worse = 1\nname = 'x'\nbetter = 2", r"^count rule r\.toml: unknown better, worse; a rule has name, "),
        ("physis = 'split'", r"^count rule 'r': physis is joined or apart, got 'split'$"),
        ("hands_feet = 'no'", r"hands_feet is counted or left_out, got 'no'$"),
        ("physis = ", r"^count rule r\.toml: expected TOML, "),
    ],
)
def test_a_wrong_rule_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "r.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(LesionmapError, match=said):
        rule_from_file(path)


def test_a_rule_file_of_another_code_page_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_bytes("name = 'größte'".encode("latin-1"))
    with pytest.raises(LesionmapError, match=r"^count rule r\.toml: expected TOML, 'utf-8' codec can't decode"):
        rule_from_file(tmp_path / "r.toml")
    (tmp_path / "r.toml").write_text("name = 'größte'", encoding="utf-8")
    assert rule_from_file(tmp_path / "r.toml") == CountRule("größte")
    (tmp_path / "ours").write_text("smallest_ml = 0.5", encoding="utf-8")  # a file by any name
    assert rule_named(str(tmp_path / "ours")) == CountRule("ours", smallest_ml=0.5)


def test_a_lesion_as_large_as_the_smallest_counts() -> None:
    sizes = {"L1": (Measurement("s", "MR", "STIR", volume_ml=1.0),), "L2": (Measurement("s", volume_ml=0.99),)}
    found = count(map_of("ankle.left", "hip.left"), CountRule("large", smallest_ml=1.0), sizes)
    assert [x.counted for x in found.judged] == [True, False]
    assert found.of("L2").why_not == "0.99 ml, smaller than 1 ml"
    assert (found.rule.name, found.total) == ("large", Tally(1, 1, 1))


def test_a_lesion_is_of_hands_and_feet_where_all_its_sites_are() -> None:
    found = count(map_of("tibia.distal_epiphysis.left+talus.whole.left", "talus.whole.right+cuboid.whole.right"))
    assert [one.hands_feet for one in found.judged] == [False, True]
    assert found.without_hands_feet == Tally(1, 2, 2)
    assert found.by_region == {"leg": 1, "foot": 1}
    assert found.by_site["talus.whole.left"] == found.by_bone["cuboid.right"] == 1


def test_three_certainties_in_words() -> None:
    rule = CountRule("all", ("definite", "probable", "equivocal"), 2)
    assert rule.sentence.startswith('Counted (rule "all"): definite, probable and equivocal lesions of 2 ml or more')


def test_an_unknown_rule_names_those_that_ship(tmp_path: Path) -> None:
    with pytest.raises(
        LesionmapError, match="count rule 'mine' is not known; it is one of default, epiphysis_apart, de"
    ):
        rule_named("mine")
    with pytest.raises(LesionmapError, match=r"count rule none\.toml: the file cannot be read \(No such file"):
        rule_named(str(tmp_path / "none.toml"))
