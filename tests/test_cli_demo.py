"""``demo``: the sample patient comes out as the facts say, and follows when a lesion is moved."""

from __future__ import annotations

import csv
import json
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
    (path,) = sample_folder().rglob("facts.json")
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
