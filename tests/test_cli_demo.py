"""``demo``: the sample patient comes out as the facts say, and follows when a lesion is moved."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli_case import lesionmap
from lesionmap import annotate
from lesionmap.cli.demo import OUTPUTS, sample_folder
from lesionmap.cli.sample import READER
from lesionmap.evaluate import patient_results
from lesionmap.skeleton import anatomy
from lesionmap.store import Study
from lesionmap.write import body_map, comparison_rows, lesion_rows, map_model

PATIENT = "P001"


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    """Give what is true of the sample patient, by the shapes it was made of."""
    path = sample_folder() / "SAMPLE-CRMO-1" / "facts.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "out"
    ran = lesionmap("demo", "--no-window", "-o", folder)
    assert (ran.code, ran.err) == (0, "")
    for name in OUTPUTS:
        assert f"  {name}\n" in ran.out
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def true_volumes(facts: dict[str, Any]) -> dict[tuple[str, str], float]:
    """Give (visit, site) → ml."""
    return {(v["date"], x["site"]): float(x["volume_ml"]) for v in facts["visits"] for x in v["lesions"]}


def true_states(facts: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Give (visit, site where it was marked last) → state."""
    last_site = {x["id"]: x["site"] for visit in facts["visits"] for x in visit["lesions"]}
    return {(v["date"], last_site[name]): state for v in facts["visits"] for name, state in v["states"].items()}


def test_files_are_there_and_not_empty(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == set(OUTPUTS)
    for name in OUTPUTS:
        assert (out / name).stat().st_size > 500, name


def test_sites_and_volumes_agree_with_the_facts(out: Path, facts: dict[str, Any]) -> None:
    measured = {(row["visit_date"], row["site"]): float(row["volume_ml"]) for row in rows_of(out / "lesions.csv")}
    truth = true_volumes(facts)
    assert set(measured) == set(truth)
    off = {key: measured[key] / truth[key] - 1 for key in truth}
    assert {key: round(error, 3) for key, error in off.items() if abs(error) > 0.15} == {}


def test_the_registry_agrees_with_the_facts(out: Path, facts: dict[str, Any], tmp_path: Path) -> None:
    ran = lesionmap("registry", out / "study.lesionmap", "-o", tmp_path / "r.csv")
    assert ran.code == 0, ran.err
    rows = rows_of(tmp_path / "r.csv")
    assert [row["visit_date"] for row in rows] == [visit["date"] for visit in facts["visits"]]
    for row, visit in zip(rows, facts["visits"], strict=True):
        assert float(row["age_y"]) == pytest.approx(visit["age_y"], abs=0.01)
        assert int(row["n_lesions"]) == visit["count"]
        states = list(visit["states"].values())
        for state in ("new", "first_seen", "recurrent", "improved", "persistent", "worsened", "resolved", "unanswered"):
            assert int(row[f"n_{state}"]) == states.count(state), (visit["date"], state)
        true_ml = sum(float(lesion["volume_ml"]) for lesion in visit["lesions"])
        assert float(row["volume_ml"]) == pytest.approx(true_ml, rel=0.15)
        assert row["score_jansson_derived"] == ""
    first, second, third = rows
    assert (first["spine"], second["spine"], third["spine"]) == ("", "true", "false")  # only the upper chest at first
    assert (first["region_leg"], second["region_leg"], third["region_leg"]) == ("", "true", "false")
    assert second["symmetric_sites"] == "sacrum.sacroiliac"
    assert first["esr_mm_h"] == first["treatments"] == ""


def test_states_agree_with_the_facts(out: Path, facts: dict[str, Any]) -> None:
    found = {
        (name.partition("@")[2], row["site"]): state
        for row in rows_of(out / "comparison.csv")
        for name, state in row.items()
        if name.startswith("state@") and state
    }
    assert found == true_states(facts)


def test_counts_agree_with_the_facts(out: Path, facts: dict[str, Any]) -> None:
    counted = {row["visit_date"]: int(row["n_lesions"]) for row in rows_of(out / "lesions.csv")}
    assert counted == {visit["date"]: visit["count"] for visit in facts["visits"]}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert 'Counted (rule "default")' in page
    assert "Research use only" in page


def test_signal_is_told_against_muscle(out: Path) -> None:
    ratios = [float(row["signal_ratio"]) for row in rows_of(out / "lesions.csv")]
    assert min(ratios) > 1.5


def test_the_second_visit_is_one_list_of_slices_and_bone_scan(out: Path, tmp_path: Path) -> None:
    """The report of 2008: left clavicle, T8, both sacroiliac joints and left ankle on the scan, T7 and T9 not."""
    rows = [row for row in rows_of(out / "lesions.csv") if row["visit_date"] == "2008-05-14"]
    both = {row["site"] for row in rows if row["marked_on"] == "both"}
    assert {row["site"] for row in rows} - both == {"vertebra_T7.body.midline", "vertebra_T9.body.midline"}
    assert {row["modality"] for row in rows if row["site"] in both} == {"MR+NM"}
    assert {row["n_scan_foci"] for row in rows} == {"5"}
    (tibia,) = [row for row in rows if row["site"].startswith("tibia")]
    assert float(tibia["mirrored_ratio"]) > 1.5
    assert float(tibia["shaft_ratio"]) > float(tibia["plates_ratio"]) > 1.5
    ran = lesionmap(
        "table", out / "study.lesionmap", PATIENT, "2008-05-14", "--modalities", "-o", tmp_path / "seen.csv"
    )
    assert ran.code == 0, ran.err
    told = {row["site"]: (row["on_slices"], row["on_scan"], row["agree"]) for row in rows_of(tmp_path / "seen.csv")}
    assert told["vertebra_T8.body.midline"] == ("lesion", "lesion", "true")
    assert told["vertebra_T7.body.midline"] == ("lesion", "no lesion", "false")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "by the bone masses of adults" in page
    assert "not verified for children" in page


def test_what_is_marked_on_a_scan_joins_the_lesion_of_the_slices(out: Path, tmp_path: Path) -> None:
    path = tmp_path / "study.lesionmap"
    path.write_bytes((out / "study.lesionmap").read_bytes())
    day, series = "2008-05-14", "bone scan anterior late"
    with Study.open(path) as study:
        old = study.lesion_map(PATIENT, day, READER)
        flat = [x for x in old.lesions[0].extents if x.series == series]
        lesions = tuple(replace(x, extents=tuple(e for e in x.extents if "bone" not in e.series)) for x in old.lesions)
        study.save(old, replace(old, lesions=lesions))
        assert flat[0].mask is not None
        x, _, z = flat[0].mask.lps_mm().mean(axis=0)
    (tmp_path / "m.csv").write_text(f"id,x_lps_mm,y_lps_mm,z_lps_mm,site\na,{x},,{z},clavicle.left\n", encoding="utf-8")
    add = ("add", path, PATIENT, day, "--reader", READER, "--markers", tmp_path / "m.csv", "--join")
    ran = lesionmap(*add)
    assert (ran.code, "y_lps_mm may be empty on a planar view alone" in ran.line) == (1, True)
    ran = lesionmap(*add, "--series", series)
    assert ran.code == 0, ran.err
    with Study.open(path) as study:
        new = study.lesion_map(PATIENT, day, READER)
    assert len(new.lesions) == len(old.lesions)
    assert new.lesion("L1").sites == ("clavicle.medial.left",)
    assert {e.series for e in new.lesion("L1").extents} >= {"STIR coronal", series}


def test_nothing_personal_gets_out(out: Path, facts: dict[str, Any]) -> None:
    for path in out.iterdir():
        content = path.read_bytes()
        assert facts["patient"]["id"].encode() not in content or path.suffix == ".lesionmap", path.name
        assert b"SAMPLE^PATIENT" not in content, path.name


def test_moving_a_lesion_moves_table_map_and_state(out: Path, tmp_path: Path) -> None:
    """The tibial lesion of visit 2 is said to lie in the fibula: everything that tells of it must follow."""
    tibia, fibula = "tibia.distal_metaphysis.left", "fibula.distal_metaphysis.left"
    path = tmp_path / "study.lesionmap"
    path.write_bytes((out / "study.lesionmap").read_bytes())
    with Study.open(path) as study:
        day = study.visits(PATIENT)[1].key
        before = patient_results(study, PATIENT)
        old = study.lesion_map(PATIENT, day, READER)
        (lesion,) = [x for x in old.lesions if x.sites[0] == tibia]
        study.save(old, annotate.change_lesion(old, lesion.id, sites=(fibula,)))
        after = patient_results(study, PATIENT)
    assert {row["site"] for row in lesion_rows(before)} - {row["site"] for row in lesion_rows(after)} == {tibia}
    (moved,) = [row for row in lesion_rows(after) if row["site"] == fibula]
    assert (moved["bone"], moved["lesion"], moved["track"]) == ("fibula", lesion.id, lesion.tracks[0])
    course = {row["site"]: row for row in comparison_rows(after)}
    assert tibia not in course
    assert course[fibula][f"state@{day}"] == "first_seen"
    dots = {dot.lesion: dot for panel in map_model(after) for dot in panel.dots if panel.visit == day}
    was = {dot.lesion: dot for panel in map_model(before) for dot in panel.dots if panel.visit == day}
    assert dots[lesion.id].label == anatomy.site(fibula).name
    assert dots[lesion.id].front_mm != was[lesion.id].front_mm
    assert {name: dot for name, dot in dots.items() if name != lesion.id} == {
        name: dot for name, dot in was.items() if name != lesion.id
    }
    body_map(map_model(after), tmp_path / "map.svg")
    assert (tmp_path / "map.svg").read_bytes() != (out / "map.svg").read_bytes()


def test_demo_again_needs_overwrite(out: Path) -> None:
    ran = lesionmap("demo", "--no-window", "-o", out)
    assert (ran.code, "--overwrite" in ran.line) == (1, True)


def test_a_study_that_somebody_read_in_is_kept_aside(tmp_path: Path) -> None:
    from lesionmap.cli.demo import prepare
    from lesionmap.store import Study
    from lesionmap.visits import Patient

    with Study.open(str(tmp_path / "study.lesionmap"), create=True) as open_in_a_window:
        open_in_a_window.add_patient(Patient("MINE"))
        assert not prepare(tmp_path, overwrite=True).exists()
        open_in_a_window.add_patient(Patient("LATER"))
    with Study.open(str(tmp_path / "study.1.lesionmap")) as kept:
        assert {patient.id for patient in kept.patients()} == {"MINE", "LATER"}


def test_nothing_but_the_phantom_reads_the_facts() -> None:
    root = Path(__file__).resolve().parents[1] / "lesionmap"
    readers = [path for path in root.rglob("*.py") if "facts.json" in path.read_text(encoding="utf-8")]
    assert {path.relative_to(root).parts[0] for path in readers} <= {"phantom"}
