"""A verb over many patients: one data set, bad patients beside good ones, only what is missing done again."""

from __future__ import annotations

import json
from dataclasses import astuple, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cohort_killer
from cli_case import Ran, lesionmap
from cohort_case import DRUG, simulate
from lesionmap import __version__
from lesionmap.cohort import Order, cohort, engines
from lesionmap.cohort.order import Task, file_name, labels_of
from lesionmap.cohort.work import work
from lesionmap.errors import LesionmapError
from lesionmap.evaluate import patient_results
from lesionmap.lesions import Lesion
from lesionmap.store import Study
from lesionmap.visits import Patient, Visit
from lesionmap.write import COURSE_COLUMNS, LESION_COLUMNS, comparison_rows, course_rows, lesion_rows
from lesionmap.write.columns import kind_of
from write_case import case

if TYPE_CHECKING:
    from collections.abc import Iterator

TIBIA = "tibia.distal_metaphysis.left"


def mark(study: Study, patient: str, reader: str, *sites: str, day: date = date(2010, 5, 4)) -> None:
    """Keep a signed map of lesions at sites."""
    empty = study.lesion_map(patient, day.isoformat(), reader)
    lesions = tuple(Lesion(f"L{n}", (site,)) for n, site in enumerate(sites, start=1))
    study.save(empty, replace(empty, lesions=lesions, signed=True))


def odd_patients(path: Path) -> None:
    """Add a patient without visits, one without marks, one read without a lesion, and one with two readers."""
    with Study.open(path) as study:
        for name in ("P100", "P101", "P102", "P103"):
            study.add_patient(Patient(name, "F"))
        for name in ("P101", "P102", "P103"):
            study.add_visit(Visit(name, date(2010, 5, 4)))
        mark(study, "P102", "anna")
        mark(study, "P103", "anna", TIBIA)
        mark(study, "P103", "ben", TIBIA, "rib_7.whole.left")


class Case:
    """Two studies of one name, one that is none, and the folder of the results."""

    def __init__(self, folder: Path) -> None:
        (folder / "b").mkdir(parents=True)
        self.first = simulate(folder / "crmo.lesionmap", 3)
        odd_patients(self.first)
        self.second = simulate(folder / "b" / "crmo.lesionmap", 1, seed=2)
        self.bad = folder / "bad.lesionmap"
        self.bad.write_text("no study", encoding="utf-8")
        self.out = folder / "out"

    def run(self, *more: object) -> Ran:
        studies = (self.first, self.second, self.bad)
        return lesionmap("cohort", *studies, "--verb", "table", "--workers", 1, "-o", self.out, *more)

    def parts(self) -> dict[str, int]:
        """Give the parts of the data set, and when they were written."""
        return {
            str(path.relative_to(self.out / "table")): path.stat().st_mtime_ns
            for path in sorted((self.out / "table").rglob("*.parquet"))
        }


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Case, Ran]:
    found = Case(tmp_path_factory.mktemp("cohort"))
    return found, found.run()


def read(folder: Path) -> list[dict[str, Any]]:
    import pyarrow.dataset as ds

    rows: list[dict[str, Any]] = ds.dataset(folder).to_table().to_pylist()
    return rows


def test_who_failed_is_listed_with_the_reason_and_the_rest_is_done(ran: tuple[Case, Ran]) -> None:
    found, told = ran
    assert told.code == 1
    assert told.line.endswith("failed.csv lists them with the reasons")
    assert "1 of 8 patients and 1 of 3 studies failed" in told.line
    assert "7 of 8 patients done, 2 of them without marks; 7 made now" in told.out
    rows = (found.out / "failed.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "study,patient,reason"
    assert rows[1] == 'crmo,P103,"P103 was read by anna, ben; say which with --reader"'
    assert rows[2].startswith("bad,,")
    assert "is not a lesionmap study" in rows[2]
    assert len(rows) == 3


def test_the_parts_are_one_data_set_with_the_rows_of_the_lesion_table(ran: tuple[Case, Ran]) -> None:
    import pandas as pd
    import pyarrow.parquet as pq

    found, _ = ran
    names = [f"crmo-2/{name}.parquet" for name in ("P0001",)]
    names += [f"crmo/{name}.parquet" for name in ("P0001", "P0002", "P0003", "P100", "P101", "P102")]
    assert set(found.parts()) == set(names)
    schemas = [pq.read_schema(found.out / "table" / name).remove_metadata() for name in names]
    assert schemas[0].names == ["study", *LESION_COLUMNS]
    assert all(schema.equals(schemas[0]) for schema in schemas)
    expected = []
    for label, path in (("crmo", found.first), ("crmo-2", found.second)):
        with Study.open(path) as study:
            for name in ("P0001", "P0002", "P0003") if label == "crmo" else ("P0001",):
                expected += [(label, name, row["visit_date"], row["site"]) for row in
                             lesion_rows(patient_results(study, name))]  # fmt: skip
    got = read(found.out / "table")
    assert sorted((r["study"], r["patient"], r["visit_date"], r["site"]) for r in got) == sorted(expected)
    assert {row["study"] for row in got if row["patient"] == "P0001"} == {"crmo", "crmo-2"}
    assert len(pd.read_parquet(found.out / "table")) == len(expected)
    assert all(row["volume_ml"] > 0 for row in got)


def test_figures_are_drawn_with_their_numbers(ran: tuple[Case, Ran]) -> None:
    found, _ = ran
    there = {path.name for path in (found.out / "figures").iterdir()}
    stems = ("sites-by-visit", "sites-by-treatment", "counts", "survival")
    assert there == {f"{s}.{e}" for s in stems for e in ("png", "svg", "pdf")} | {"sites.csv", "counts.csv",
                                                                                 "survival.csv"}  # fmt: skip
    lines = (found.out / "figures" / "sites.csv").read_text(encoding="utf-8").splitlines()
    groups = list(dict.fromkeys(line.split(",")[0] for line in lines[1:]))
    assert groups == ["visit 1", "visit 2", "visit 3", "visit 4", f"with {DRUG}", f"without {DRUG}"]


def test_done_again_only_what_changed_or_is_missing_is_made(ran: tuple[Case, Ran]) -> None:
    found, _ = ran
    before = found.parts()
    assert "7 of 8 patients done, 2 of them without marks; 0 made now" in found.run("--no-figures").out
    assert found.parts() == before
    (found.out / "table" / "crmo" / "P0002.parquet").unlink()
    with Study.open(found.second) as study:
        key = study.visits("P0001")[-1].key
        study.save_placement("P0001", key, None, "anna")
    again = found.run("--no-figures")
    assert "2 made now" in again.out
    after = found.parts()
    assert {name for name in before if after[name] != before[name]} == {"crmo/P0002.parquet", "crmo-2/P0001.parquet"}


def test_another_request_is_refused_and_replaces_if_asked(ran: tuple[Case, Ran]) -> None:
    found, _ = ran
    refused = found.run("--reader", "anna", "--no-figures")
    assert refused.code == 1
    assert "holds the results of another request (other: reader)" in refused.line
    asked = found.run("--reader", "anna", "--overwrite", "--json", "--no-figures")
    summary = json.loads(asked.out)
    assert summary["made_now"] == 8
    assert summary["done"] == 8
    assert [row[:2] for row in summary["failed"]] == [["bad", ""]]
    rows = [row for row in read(found.out / "table") if row["patient"] == "P103"]
    assert [row["reader"] for row in rows] == ["anna"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--verb", "place"), "--from previous or --auto goes with --verb place"),
        (("--verb", "table", "--auto"), "--from previous or --auto goes with --verb place"),
        (("--verb", "table", "--workers", 2, "--scheduler", "tcp://x:1"), "not both"),
    ],
)
def test_requests_that_contradict_themselves(tmp_path: Path, options: tuple[object, ...], said: str) -> None:
    told = lesionmap("cohort", tmp_path / "a.lesionmap", "-o", tmp_path / "out", *options)
    assert told.code == 2
    assert said in " ".join(told.err.split())
    assert not (tmp_path / "out").exists()


def test_no_scheduler_and_no_such_rule(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    study = simulate(tmp_path / "a.lesionmap", 1)
    told = lesionmap("cohort", study, "--verb", "table", "--rule", "mine", "-o", tmp_path / "out")
    assert told.code == 1
    assert "count rule 'mine' is not known" in told.line
    assert not (tmp_path / "out").exists()
    told = lesionmap("cohort", study, "--verb", "table", "--scheduler", "nonsense://x", "-o", tmp_path / "out")
    assert told.code == 1
    assert "no Dask scheduler answers at nonsense://x" in told.line


# ---- one worker -----------------------------------------------------------------------------------------------------


def task(study: Path, patient: str, folder: Path, order: Order, version: str = __version__) -> Task:
    return Task(str(study), "s", patient, str(folder), astuple(order), version)


def test_comparison_and_report_are_those_of_their_verbs(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    study = simulate(tmp_path / "a.lesionmap", 1)
    done = work(task(study, "P0001", tmp_path, Order("compare")))
    rows = pq.read_table(tmp_path / "compare" / "s" / "P0001.parquet").to_pylist()
    assert list(rows[0]) == ["study", *COURSE_COLUMNS]
    assert done["rows"] == len(rows) > 4
    with Study.open(study) as opened:
        wide = comparison_rows(patient_results(opened, "P0001"))
    long = {(row["track"], row["visit_date"]): (row["state"], row["volume_ml"]) for row in rows}
    cells = {
        (row["track"], name.partition("@")[2]): (row[name], row[name.replace("state", "volume_ml")])
        for row in wide
        for name in row
        if name.startswith("state@") and row[name]
    }
    assert long.keys() == cells.keys()
    for key, (state, volume_ml) in cells.items():
        assert long[key] == (state, None if volume_ml is None else round(volume_ml, 3))
    assert work(task(study, "P0001", tmp_path, Order("report")))["rows"] == 1
    page = (tmp_path / "report" / "s" / "P0001.html").read_text(encoding="utf-8")
    assert "P0001" in page
    assert "<svg" in page


def test_a_worker_of_another_version_says_so(tmp_path: Path) -> None:
    study = simulate(tmp_path / "a.lesionmap", 1)
    told = work(task(study, "P0001", tmp_path, Order("table"), version="0.0.1"))
    assert told == {"why": f"the worker has lesionmap {__version__}, 0.0.1 was expected; install one everywhere"}
    assert not (tmp_path / "table").exists()


def test_the_state_of_a_patient_changes_with_everything_stored_of_her(tmp_path: Path) -> None:
    path = tmp_path / "a.lesionmap"
    with Study.open(path, create=True) as study:
        study.add_patient(Patient("P1"))
        study.add_patient(Patient("P10"))
        other = study.state("P10")
        states = [study.state("P1")]

        def changed() -> None:
            states.append(study.state("P1"))

        study.add_visit(Visit("P1", date(2010, 5, 4)))
        changed()
        mark(study, "P1", "anna", TIBIA)
        changed()
        study.undo("P1", "2010-05-04", "anna")
        assert study.state("P1") == states[-2]  # the map is as empty as before
        study.redo("P1", "2010-05-04", "anna")
        changed()
        study.replace_patient(Patient("P1", "M"))
        changed()
        study.replace_visit(Visit("P1", date(2010, 5, 4), age_y=9.0))
        changed()
        assert len(set(states)) == len(states)
        assert study.state("P1") == states[-1]
        assert study.state("P10") == other
        assert study.readers("P10") == ()  # no prefix of a name is the name


# ---- processes that die ---------------------------------------------------------------------------------------------


def test_who_kills_its_process_is_listed_and_all_others_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "work", cohort_killer.work)
    monkeypatch.setattr(engines, "_start", cohort_killer.start)
    names = ["P1", "kill-2", "P3", "err-4", "P5", "P6", "P7", "kill-8", *(f"P{n}" for n in range(9, 30))]
    tasks = (Task("s", "s", name, "", ("table", None, "", 30.0, "", ""), "") for name in names)
    found = {task.patient: outcome for task, outcome in engines.on_pool(tasks, 2)}
    assert sorted(found) == sorted(names)
    assert {name for name, outcome in found.items() if "killed" in outcome.get("why", "")} == {"kill-2", "kill-8"}
    assert found["err-4"] == {"why": "a fault of lesionmap (ZeroDivisionError); please report it"}
    assert sum("why" not in outcome for outcome in found.values()) == len(names) - 3


def test_tasks_are_taken_as_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "work", cohort_killer.work)
    monkeypatch.setattr(engines, "_start", cohort_killer.start)
    taken = 0

    def tasks() -> Iterator[Task]:
        nonlocal taken
        for number in range(200):
            taken += 1
            yield Task("s", "s", f"P{number}", "", ("table", None, "", 30.0, "", ""), "")

    coming = engines.on_pool(tasks(), 1)
    for through in range(1, 50):
        next(coming)
        assert taken <= through + 8
    assert len(list(coming)) == 151


# ---- names ----------------------------------------------------------------------------------------------------------

pseudonyms = st.text("aAbB1_.-", min_size=1, max_size=5).filter(lambda name: name[0] not in "_.-")


@given(pseudonyms, pseudonyms)
def test_files_of_two_patients_differ_even_without_capitals(one: str, other: str) -> None:
    names = [file_name(name, ".parquet") for name in (one, other, other.swapcase())]
    assert all(Path(name).name == name and not name.startswith((".", "_")) for name in names)
    assert (names[0].casefold() == names[1].casefold()) == (one == other)
    assert (names[1].casefold() == names[2].casefold()) == (other == other.swapcase())


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", "", "a\\b", "a b", "-x", "x" * 65])
def test_hostile_pseudonyms_never_enter_a_study(name: str) -> None:
    with pytest.raises(LesionmapError, match="pseudonym is 1 to 64"):
        Patient(name)


def test_labels_are_short_names_of_their_own_without_passwords(tmp_path: Path) -> None:
    labels = labels_of(["/a/CRMO.lesionmap", "/b/crmo.lesionmap", "postgresql://u:secret@h/my%20db?x=1", "/c/...x"])
    assert labels == ["CRMO", "crmo-2", "my-20db", "study"]
    for studies in ([], ["a.lesionmap", str(Path("a.lesionmap").absolute())]):
        with pytest.raises(LesionmapError, match="different studies were expected"):
            labels_of(studies)
    with pytest.raises(LesionmapError, match="a verb out of"):
        cohort(["x"], Order("erase"), tmp_path)  # type: ignore[arg-type]


def test_the_password_of_a_server_is_written_nowhere(tmp_path: Path) -> None:
    found = cohort(["postgresql://u:s3cret@127.0.0.1:1/db"], Order("table"), tmp_path / "out")
    assert [row[:2] for row in found.failed] == [("db", "")]
    for path in (tmp_path / "out").rglob("*"):
        assert path.is_dir() or b"s3cret" not in path.read_bytes()


# ---- columns --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [LESION_COLUMNS, COURSE_COLUMNS])
def test_types_by_name_are_the_types_of_the_values(columns: tuple[str, ...]) -> None:
    rows = lesion_rows(case()) if columns is LESION_COLUMNS else course_rows(case())
    assert {len(row) for row in rows} == {len(columns)}
    for name in columns:
        values = [row[name] for row in rows]
        assert kind_of(name, values) == kind_of(name), name
    assert kind_of("counts") == "number"


def test_course_rows_tell_the_years_from_the_first_visit_that_was_read() -> None:
    rows = course_rows(case())
    years = {row["visit_date"]: row["since_first_y"] for row in rows}
    assert years["2006-03-01"] == 0
    assert np.isclose(years["2008-05-04"], 795 / 365.25)
    clavicle = [row["state"] for row in rows if row["site"] == "clavicle.medial.left"]
    assert clavicle == ["first_seen", "worsened", "improved"]
