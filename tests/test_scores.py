"""Scores: what is published stands, what is not says so, what is missing leaves no sum."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lesionmap.annotate import add_lesion, change_lesion
from lesionmap.clinic import Observation, clinic_items
from lesionmap.compare import VisitFacts
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Answer, Attributes, LesionMap
from lesionmap.measure import Measurement
from lesionmap.scores import definition_from_file, definitions, score
from lesionmap.visits import Patient, Visit
from lesionmap.write import results_of, score_lines, score_rows
from write_case import placed

if TYPE_CHECKING:
    from lesionmap.scores import Score
    from lesionmap.write import Results

DAY = date(2010, 1, 2)
LEFT, RIGHT = "tibia.distal_metaphysis.left", "tibia.distal_metaphysis.right"
ALL_ASKED = ("normal_blood_count", "marginal_sclerosis", "normal_temperature")
SITE_FILE = """
name = "own"
title = "Our score"
source = "our unit's manual"
applies_to = "{applies}"
sum = true
{more}
[[item]]
key = "n"
words = "lesions"
kind = "number"
from = "map"
fact = "n_lesions"
points = [[0, 0], [2, 1], [5, 3]]
verified = true
"""


def read(*at: str, attributes: Attributes | None = None, imaged: tuple[str, ...] | None = ()) -> VisitFacts:
    """Give a visit with a lesion at each place; ``imaged``: regions, () all of them, None nobody knows."""
    lesion_map = LesionMap("P001", DAY.isoformat(), "anna", signed=not at)
    for name in at:
        lesion_map = add_lesion(lesion_map, sites=[name], track=f"t-{name}")
        lesion_map = change_lesion(lesion_map, lesion_map.lesions[-1].id, attributes=attributes or Attributes())
    return VisitFacts(Visit("P001", DAY), lesion_map, None if imaged is None else placed(*imaged))


def results(facts: VisitFacts, days: float = 0, **values: float) -> Results:
    seen = [Observation(DAY + timedelta(days), name.replace("__", "@tibia."), x) for name, x in values.items()]
    return results_of(Patient("P001"), [facts], observations=seen)


def scored(name: str, facts: VisitFacts, days: float = 0, **values: float) -> Score:
    return score(definitions()[name], results(facts, days, **values), DAY.isoformat())


def values(one: Score) -> dict[str, object]:
    return {item.key: item.value for item in one.items}


def test_jansson_points_are_three_times_the_logarithm_and_sum_to_the_published_maximum() -> None:
    jansson = definitions()["jansson"]
    worth = [item.points_of(1.0) for item in jansson.items]
    assert worth == [13, 10, 10, 9, 8, 7, 6]
    assert worth == [round(3 * math.log(item.odds_ratio or 0)) for item in jansson.items]
    assert sum(x or 0 for x in worth) == 63
    assert list(jansson.range or ()) == [0, 63]
    assert [(cut.at_least, cut.verified) for cut in jansson.cut_offs] == [(39, True)]
    assert jansson.label == "Jansson score (derived, not published: points are 3·ln(odds ratio))"


def test_everything_that_is_not_verified_says_why_and_nothing_unverified_has_points() -> None:
    for definition in definitions().values():
        for item in definition.items:
            assert item.verified or item.why
            if item.origin == "asked":
                assert item.observation in clinic_items()
            assert item.points is None or item.why.startswith("derived")
    assert not definitions()["rinbo"].has_sum
    assert not definitions()["eular_acr_2025"].has_sum
    assert not definitions()["cromris_type"].can_sum


def test_a_full_jansson_is_63_and_one_missing_item_leaves_none() -> None:
    facts = read(LEFT, RIGHT, "clavicle.medial.left")
    full = dict.fromkeys(ALL_ASKED, 1.0) | {"crp_mg_l": 10.0}
    assert scored("jansson", facts, **full).sum == 63
    assert scored("jansson", facts, **full).reading.startswith("39 or more")
    assert scored("jansson", facts, **(full | {"crp_mg_l": 9.9})).sum == 57
    for name in full:
        part = scored("jansson", facts, **{key: x for key, x in full.items() if key != name})
        assert part.sum is None
        assert part.missing == (name.replace("crp_mg_l", "crp_raised"),)
        assert part.reading == ""


def test_an_observation_belongs_to_a_visit_within_thirty_days() -> None:
    facts = read(LEFT)
    assert values(scored("jansson", facts, days=-30, crp_mg_l=20.0))["crp_raised"] is True
    assert values(scored("jansson", facts, days=31, crp_mg_l=20.0))["crp_raised"] is None
    far = score(definitions()["jansson"], results(facts, days=31, crp_mg_l=20.0), DAY.isoformat(), within_days=31)
    assert values(far)["crp_raised"] is True
    (told,) = (x.told for x in scored("jansson", facts, days=-4, crp_mg_l=20.0).items if x.key == "crp_raised")
    assert told == "crp_mg_l 20, 4 days before"


def test_no_is_said_only_where_it_was_looked() -> None:
    one = read(LEFT)
    assert values(scored("jansson", one))["more_than_one_lesion"] is False
    assert values(scored("jansson", one))["vertebra_clavicle_sternum"] is False
    assert values(scored("jansson", one))["symmetric_lesions"] is False
    legs = read(LEFT, imaged=("leg",))
    found = scored("jansson", legs)
    for key in ("more_than_one_lesion", "vertebra_clavicle_sternum", "symmetric_lesions"):
        assert values(found)[key] is None
    assert "not all was imaged: arm" in next(x.told for x in found.items if x.key == "symmetric_lesions")
    nobody_knows = scored("rinbo", read(LEFT, imaged=None))
    assert values(nobody_knows)["spinal_involvement"] is None
    said = scored("jansson", legs, symmetric_lesions=0.0)
    assert values(said)["symmetric_lesions"] is False


def test_a_visit_that_nobody_read_has_no_numbers() -> None:
    facts = read()
    unread = replace(facts, lesion_map=replace(facts.lesion_map, signed=False))
    assert set(values(scored("simple_counts", unread)).values()) == {None}
    assert values(scored("simple_counts", facts))["lesions"] == 0


def test_rinbo_inputs_come_from_the_map() -> None:
    facts = read(LEFT, "vertebra_T7.body.midline", attributes=Attributes(soft_tissue_oedema=False))
    sized = {x.id: (Measurement("s", "MR", "STIR", 1.0, 0.1, None, mm, 1, None, None),) for x, mm in
             zip(facts.lesion_map.lesions, (12.0, 30.5), strict=True)}  # fmt: skip
    found = values(scored("rinbo", replace(facts, measurements=sized)))
    assert found["active_lesions"] == 2
    assert found["largest_mm"] == 30.5
    assert found["spinal_involvement"] is True
    assert found["extramedullary_involvement"] is None  # periosteal reaction was not assessed
    looked = Attributes(soft_tissue_oedema=False, periosteal_reaction=False)
    assert values(scored("rinbo", read(LEFT, attributes=looked)))["extramedullary_involvement"] is False
    half = replace(facts, measurements={"L1": sized["L1"]})
    assert values(scored("rinbo", half))["largest_mm"] is None


def test_bone_units_have_a_sum_once_a_site_gives_its_grades(tmp_path: Path) -> None:
    text = (files("lesionmap.scores") / "cromris_type.toml").read_text(encoding="utf-8")
    grades = 'grades = [{ value = 0, words = "none" }, { value = 1, words = "some" }, { value = 2, words = "much" }]'
    text = text.replace('grades = "to be confirmed by the site"', grades)
    path = tmp_path / "ours.toml"
    path.write_text(text.replace('points = "to be confirmed by the site"', "points = 1"), encoding="utf-8")
    ours = definition_from_file(path)
    assert ours.can_sum
    looked = Attributes(soft_tissue_oedema=True, bone_expansion=False)
    facts = read(LEFT, "tibia.proximal_metaphysis.left", attributes=looked)
    seen = {"marrow_hyperintensity__left": 2.0, "signal_extension__left": 1.0}
    found = score(ours, results(facts, **seen), DAY.isoformat())
    assert [(part.unit, part.sum) for part in found.parts] == [("tibia.left", 4.0)]
    assert found.sum == 4
    both = read(LEFT, RIGHT, attributes=looked)
    half = score(ours, results(both, **seen), DAY.isoformat())
    assert [part.sum for part in half.parts] == [4.0, None]
    assert half.sum is None
    assert half.missing == ("tibia.right marrow_hyperintensity", "tibia.right signal_extension")
    odd = score(ours, results(facts, **(seen | {"signal_extension__left": 1.5})), DAY.isoformat())
    assert odd.sum is None
    shipped = scored("cromris_type", facts, **seen)
    assert (shipped.sum, shipped.why_no_sum) == (None, "grades or points are to be confirmed by the site")


def test_a_bone_that_was_not_seen_again_leaves_no_sum(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(SITE_FILE.format(applies="bone_unit", more=""), encoding="utf-8")
    own = definition_from_file(path)
    first = read(LEFT, "clavicle.medial.left")
    later = Visit("P001", date(2011, 1, 2))
    for verdict, missing in (("not_imaged", ("tibia.left not_imaged",)), ("resolved", ())):
        marks = replace(first.lesion_map, visit=later.key, lesions=first.lesion_map.lesions[1:])
        answered = replace(marks, answers=(Answer(f"t-{LEFT}", verdict),))  # type: ignore[arg-type]
        both = results_of(Patient("P001"), [first, VisitFacts(later, answered, placed())])
        found = score(own, both, later.key)
        assert found.missing == missing
        assert found.sum == (None if missing else 0)
        assert score(own, both, DAY.isoformat()).sum == 2


def test_labels_are_printed_with_every_score() -> None:
    whole = results(read(LEFT))
    lines = score_lines(whole, definitions().values())
    rows = score_rows(whole, definitions().values())
    for definition in definitions().values():
        assert definition.label in lines
        assert {row["label"] for row in rows if row["score"] == definition.name} == {definition.label}
    sums = {row["score"]: row["points"] for row in rows if row["item"] == "sum"}
    assert sums == {"jansson": None, "cromris_type": None}


def test_numbers_have_steps(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(SITE_FILE.format(applies="visit", more=""), encoding="utf-8")
    own = definition_from_file(path)
    assert [own.items[0].points_of(x) for x in (0.0, 1.0, 2.0, 4.0, 9.0)] == [0, 0, 1, 1, 3]
    assert own.label == "Our score"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("sum = true", "sum = true\nmax = 3", "score own.toml: unknown max; there are: applies_to"),
        ("verified = true", "verified = true\nweight = 2", "item 'n': unknown weight"),
        ("verified = true", "verified = false", "item 'n': why is a text, got None"),
        ('"visit"', '"organ"', "applies_to is visit, bone_unit, lesion, got 'organ'"),
        ('"n_lesions"', '"lesion_count"', "needs a fact, one of n_lesions"),
        ('kind = "number"', 'kind = "scale"', "kind is yes_no, grade, number, fact"),
        ("points = [[0, 0], [2, 1], [5, 3]]", "", "a sum needs points for each item, n has none"),
        ("[[0, 0], [2, 1], [5, 3]]", "[[2, 0], [0, 1]]", "values that rise were expected"),
        ("[[0, 0], [2, 1], [5, 3]]", "[[0, nan]]", "a number was expected, got nan"),
        ("[[0, 0], [2, 1], [5, 3]]", "3", "no list, got 3"),
        ("sum = true", "sum = true\nrange = [0, 2]", "points reach 3, the range ends at 2"),
        ("sum = true", "sum = true\nrange = [2, 0]", r"range is \[smallest, largest\]"),
        ("sum = true", 'sum = "yes"', "sum is true or false"),
        ('name = "own"', 'name = "=1+1"', "a name in small letters"),
        ('source = "our unit\'s manual"', 'source = ""', "source is a text"),
        ("[[item]]", "[[item", "expected TOML"),
    ],
)
def test_mistakes_in_a_definition_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = SITE_FILE.format(applies="visit", more="")
    assert old in text
    path = tmp_path / "own.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(LesionmapError, match=said):
        definition_from_file(path)


def test_double_items_are_refused(tmp_path: Path) -> None:
    text = SITE_FILE.format(applies="visit", more="")
    path = tmp_path / "own.toml"
    path.write_text(text + text[text.index("[[item]]") :], encoding="utf-8")
    with pytest.raises(LesionmapError, match="each item stands once, got n"):
        definition_from_file(path)
    with pytest.raises(LesionmapError, match="cannot be read"):
        definition_from_file(tmp_path / "none.toml")


def test_the_example_of_the_page_is_a_definition(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "clinic.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml[^\n]*\n(.*?)```", page, re.DOTALL)
    path = tmp_path / "ours.toml"
    path.write_text(example, encoding="utf-8")
    ours = definition_from_file(path)
    assert ours.label == "Our score (chosen by us)"
    found = score(ours, results(read(LEFT, RIGHT), fever=1.0), DAY.isoformat())
    assert found.sum == 2
    for name in definitions():
        assert f"| `{name}` |" in page
