"""Treatments and observations: stored with their history, read from files that people write by hand."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest

from cli_case import lesionmap
from lesionmap.clinic import Observation, Treatment, clinic_items, item_named, items_from_file
from lesionmap.errors import LesionmapError
from lesionmap.read import read_observations, read_treatments
from lesionmap.store import Study
from lesionmap.store.words import history_words
from lesionmap.visits import Patient, Visit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DRUG = Treatment("Infliximab", date(2008, 6, 1), date(2009, 1, 15))
CRP = Observation(date(2008, 5, 14), "crp_mg_l", 12.5)


@pytest.fixture
def study(where: str) -> Iterator[Study]:
    """A study in a file or on a server."""
    with Study.open(where, create=True) as opened:
        opened.add_patient(Patient("P001", "M", date(1998, 5, 4)))
        opened.add_visit(Visit("P001", date(2008, 5, 14)))
        yield opened


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_facts_come_back_and_the_same_again_is_no_edit(study: Study) -> None:
    assert study.save_clinic("P001", [DRUG, CRP], "anna") == 2
    assert study.save_clinic("P001", [CRP, Treatment("INFLIXIMAB ".strip(), DRUG.start, DRUG.end)], "ben") == 1
    assert study.treatments("P001")[0].drug == "INFLIXIMAB"
    assert study.observations("P001") == (CRP,)
    assert study.save_clinic("P001", [CRP], "ben") == 0
    assert len(study.clinic_history("P001")) == 3


def test_another_value_takes_the_place_and_undo_brings_the_one_before_back(study: Study) -> None:
    study.save_clinic("P001", [CRP], "anna")
    study.save_clinic("P001", [Observation(CRP.date, "crp_mg_l", 3.0)], "ben")
    assert [one.value for one in study.observations("P001")] == [3.0]
    study.undo_clinic("P001", "anna")
    assert study.observations("P001") == (CRP,)
    study.redo_clinic("P001", "anna")
    study.save_clinic("P001", [CRP], "anna", remove=True)
    assert study.observations("P001") == ()
    edits = study.clinic_history("P001")
    assert [edit.title for edit in edits] == [
        "add crp_mg_l of 2008-05-14",
        "change crp_mg_l of 2008-05-14: value",
        "undo: change crp_mg_l of 2008-05-14: value",
        "redo: change crp_mg_l of 2008-05-14: value",
        "remove crp_mg_l of 2008-05-14",
    ]
    assert history_words(edits)[1].words == "crp_mg_l of 2008-05-14: 3 (was 12.5)"


def test_maps_of_readers_know_nothing_of_it(study: Study) -> None:
    study.save_clinic("P001", [DRUG, CRP], "anna")
    assert study.readers("P001") == ()
    assert study.history("P001", "2008-05-14") == ()
    with pytest.raises(LesionmapError, match="no patient"):
        study.treatments("P002")
    with pytest.raises(LesionmapError, match=r"birth was expected, got 1998-05-03"):
        study.save_clinic("P001", [Observation(date(1998, 5, 3), "crp_mg_l", 1.0)], "anna")
    with pytest.raises(LesionmapError, match="nothing to redo in the clinic's facts of P001"):
        study.redo_clinic("P001", "anna")


def test_long_and_wide_form_say_the_same(tmp_path: Path) -> None:
    long = read_observations(
        csv(tmp_path, "date,item,value\n2008-05-14,crp_mg_l,12.5\n2008-05-14,fever,no\n2008-05-14,pain_0_10,7\n"),
        clinic_items(),
    )
    wide = read_observations(
        csv(tmp_path, "Date,CRP_mg_l,esr_mm_h,fever,pain_0_10\n2008-05-14,12.5,,0,7\n"), clinic_items()
    )
    assert set(long) == set(wide)
    assert {one.item: one.value for one in wide} == {"crp_mg_l": 12.5, "fever": 0.0, "pain_0_10": 7.0}
    (one,) = read_observations(
        csv(tmp_path, "date,vertebral_collapse@vertebra_T7.midline\n2008-05-14,yes\n"), clinic_items()
    )
    assert one.item == "vertebral_collapse@vertebra_T7.midline"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,item,value\n2008-05-14,crp_mg_l,1\n2008-02-31,crp_mg_l,1\n", "line 3: a day such as 2008-05-14"),
        ("date,item,value\n20080514,crp_mg_l,1\n", "line 2: a day such as"),
        ("date,item,value\n1990-01-01,crp_mg_l,1\n", "line 2: .*before the patient's birth"),
        ("date,item,value\n2999-01-01,crp_mg_l,1\n", "line 2: .*lies ahead"),
        ("date,item,value\n2008-05-14,crp_mgl,1\n", "line 2: item 'crp_mgl' is not known; did you mean 'crp_mg_l'"),
        ("date,item,value\n2008-05-14,crp_mg_l,-1\n", "line 2: crp_mg_l must be a number of at least 0 mg/l, got '-1'"),
        ('date,item,value\n2008-05-14,crp_mg_l,"1,5"\n', "got '1,5'; write a point"),
        ("date,item,value\n2008-05-14,crp_mg_l,<5\n", "line 2: crp_mg_l must be"),
        ("date,item,value\n2008-05-14,crp_mg_l,inf\n", "line 2: crp_mg_l must be"),
        ("date,item,value\n2008-05-14,crp_mg_l,\n", "line 2: crp_mg_l must be"),
        ("date,item,value\n2008-05-14,pain_0_10,11\n", "must be a number from 0 to 10, got '11'"),
        ("date,item,value\n2008-05-14,fever,2\n", r"fever must be yes or no \(1 or 0\), got '2'"),
        ("date,item,value\n2008-05-14,fever,0\n2008-05-14,fever,1\n", "line 3: fever of 2008-05-14 .*second time"),
        ("date,item\n2008-05-14,fever\n", "'value' is missing"),
        ("date,crp_mg_l,crp_mg_l\n2008-05-14,1,2\n", "'crp_mg_l' occurs twice"),
        ("date,cpr_mg_l\n2008-05-14,1\n", "'crp_mg_l' is; correct the heading"),
        ("date,item,value\n2008-05-14,signal_extension,1\n", "name its bone"),
        ("date,item,value\n2008-05-14,signal_extension@tibia.middle,1\n", "line 2: .*'tibia.middle' is not known"),
        ("date,item,value\n2008-05-14,fever@tibia.left,1\n", "without a bone"),
    ],
)
def test_each_wrong_row_is_named_with_what_was_expected(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LesionmapError, match=said):
        read_observations(csv(tmp_path, text), clinic_items(), born=date(1998, 5, 4))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("drug,start,end\nA,2008-05-14,2008-05-13\n", "line 2: a treatment ends after it starts"),
        ("drug,start,end\n,2008-05-14,\n", "line 2: a treatment needs the name"),
        ("drug,start,end\nA,2008-05-14,\na,2008-05-14,\n", "line 3: each treatment stands once"),
        ('drug,start,end\n"A\x1b[31m",2008-05-14,\n', "line 2: the name of a drug"),
        ("drug,start,end\nA,May 2008,\n", "line 2: a day such as 2008-05-14 was expected in column start"),
        ("drug,start\nA,0008-05-14\n", "line 2: column start: 0008-05-14 lies before 1900"),
        ("drug,begin\nA,2008-05-14\n", "start missing"),
    ],
)
def test_each_wrong_treatment_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(LesionmapError, match=said):
        read_treatments(csv(tmp_path, text))


def test_a_treatment_may_end_ahead_and_runs_on_its_last_day(tmp_path: Path) -> None:
    (one,) = read_treatments(csv(tmp_path, "drug,start,end\n  pamidronate   90  mg,2008-05-14,2999-01-01\n"))
    assert one.drug == "pamidronate 90 mg"
    assert DRUG.runs_on(date(2009, 1, 15))
    assert not DRUG.runs_on(date(2009, 1, 16))
    assert not DRUG.runs_on(date(2008, 5, 31))


def test_items_of_a_site_and_their_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "items.toml"
    path.write_text(
        '[[item]]\nname = "il6_pg_ml"\nwords = "interleukin 6"\nunit = "pg/ml"\nlow = 0\n', encoding="utf-8"
    )
    assert item_named("il6_pg_ml", items_from_file(path)).allowed == "a number of at least 0 pg/ml"
    for text, said in [
        ('[[item]]\nname = "a"\nwords = "a"\nmax = 3\n', "an item has name, words"),
        ('[[item]]\nname = "a"\nwords = "a"\nlow = 3\nhigh = 1\n', "in that order"),
        ('[[item]]\nname = "A b"\nwords = "a"\n', "small letters"),
        ('[[item]]\nname = "a"\nwords = "a"\n[[item]]\nname = "a"\nwords = "a"\n', "occurs twice"),
        ('[[item]]\nname = true\nwords = "a"\n', "are texts, got"),
        ("item = 3\n", "a list 'item' was expected"),
        ("[[item\n", "expected TOML"),
    ]:
        path.write_text(text, encoding="utf-8")
        with pytest.raises(LesionmapError, match=said):
            items_from_file(path)


def test_the_verb_adds_lists_and_takes_away(study: Study, where: str, tmp_path: Path) -> None:
    drugs, seen = tmp_path / "t.csv", tmp_path / "o.csv"
    drugs.write_text("drug,start,end\n=cmd|calc,2008-06-01,\n", encoding="utf-8")
    seen.write_text("date,esr_mm_h,fever\n2008-05-14,40,no\n", encoding="utf-8")
    both = ("clinic", where, "P001", "--treatments", drugs, "--observations", seen)
    assert "3 of 3 rows new or changed" in lesionmap(*both).out
    assert "0 of 3 rows new or changed" in lesionmap(*both).out
    told = lesionmap("clinic", where, "P001").out.splitlines()
    assert told == ["=cmd|calc: 2008-06-01 to …", "2008-05-14 esr_mm_h: 40", "2008-05-14 fever: no"]
    plain = json.loads(lesionmap("clinic", where, "P001", "--json").out)
    assert plain["treatments"] == [{"drug": "=cmd|calc", "start": "2008-06-01", "end": None}]
    assert lesionmap("clinic", where, "P001", "--observations", seen, "--remove").code == 0
    assert study.observations("P001") == ()
    seen.write_text("date,esr_mm_h\n2008-05-14,x\n", encoding="utf-8")
    ran = lesionmap("clinic", where, "P001", "--observations", seen)
    assert ran.code == 1
    assert "line 2: esr_mm_h must be a number of at least 0 mm/h, got 'x'" in ran.line
    assert lesionmap("clinic", where, "P001", "--remove").code == 2


def test_days_move_as_those_of_the_images_did(study: Study, where: str, tmp_path: Path) -> None:
    study.add_patient(Patient("P002"))
    study.remember("dates moved\nP002", "P002")
    seen = tmp_path / "o.csv"
    seen.write_text("date,esr_mm_h\n2008-05-14,40\n2008-06-14,20\n", encoding="utf-8")
    ran = lesionmap("clinic", where, "P002", "--observations", seen)
    assert "moved alike" in ran.out
    assert "moved" not in lesionmap("clinic", where, "P001", "--observations", seen).out
    first, second = study.observations("P002")
    assert first.date < date(2005, 12, 1)
    assert (second.date - first.date).days == 31
