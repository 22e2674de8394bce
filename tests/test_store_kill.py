"""Study and processes that die: claims are freed, and acknowledged edits outlast kill -9."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sqlalchemy import func, select

from edit_stream import DAY, nursery
from lesionmap.lesions import Lesion
from lesionmap.store import Study, tables
from lesionmap.store.checking import check_study
from lesionmap.visits import Patient, Visit

if TYPE_CHECKING:
    from figures import Tell


@pytest.fixture
def path(tmp_path: Path) -> Path:
    where = tmp_path / "s.lesionmap"
    with Study.open(where, create=True) as study:
        study.add_patient(Patient("P001", "M", date(2002, 5, 4)))
        study.add_visit(Visit("P001", date(2010, 5, 4)))
        empty = study.lesion_map("P001", DAY, "anna")
        study.save(empty, replace(empty, lesions=(Lesion("L1", ("tibia.distal_metaphysis.left",)),)))
    return where


# Claims


def test_the_second_window_waits_for_the_first(path: Path) -> None:
    with Study.open(path) as study, Study.open(path) as second:
        first = study.claim("P001", DAY, "anna")
        assert first.held
        with second.claim("P001", DAY, "anna") as claim:
            assert not claim.held
            assert claim.why.startswith("another window has this map open")
        with second.claim("P001", DAY, "ben") as other:
            assert other.held
        first.release()
        first.release()
        with second.claim("P001", DAY, "anna") as claim:
            assert claim.held
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_claim_dies_with_its_process(path: Path) -> None:
    code = (
        "import sys, time; from lesionmap.store import Study; study = Study.open(sys.argv[1])\n"
        "claim = study.claim('P001', '2010-05-04', 'anna'); print(claim.held, flush=True); time.sleep(60)"
    )
    with Study.open(path) as study, child(code, path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        assert not study.claim("P001", DAY, "anna").held
        process.kill()
        process.wait()
        assert study.claim("P001", DAY, "anna").held


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip


# kill -9


@pytest.fixture
def begun(where: str) -> str:
    """A study with a patient and a visit, in a file or on a server."""
    with Study.open(where, create=True) as study:
        study.add_patient(Patient("P001", "M", date(2002, 5, 4)))
        study.add_visit(Visit("P001", date(2010, 5, 4)))
    return where


def kill_writers(where: str, rounds: int, seed: int) -> int:
    """Kill writers of one study at random moments, one after the other; give the number of saves that were kept.

    After each the study opens, holds all that was acknowledged, and no save is torn: each is two lesions.
    """
    rng = np.random.default_rng(seed)
    last = 0
    with nursery(where) as ward:
        for _ in range(rounds):
            last = max([last, *ward.killed(int(rng.integers(0, 8)), rng.random() * 0.03)])
            with Study.open(where) as study:
                found = study.lesion_map("P001", DAY, "anna")
                with study._database.reading() as rows:
                    counted = rows.connection.execute(select(func.count(), func.max(tables.edit.c.n))).one()
            notes = {int(lesion.note) for lesion in found.lesions} or {0}
            assert len(notes) == 1  # both lesions of one save: no save is torn
            assert last <= max(notes) <= last + 1  # at most the one that was written but not acknowledged yet
            last = max(notes)
            assert tuple(counted) == (2 * last, 2 * last or None)  # no number is missing or there twice
    return last


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_every_acknowledged_edit_outlasts_kill_9(begun: str) -> None:
    assert kill_writers(begun, 25, seed=20) > 25
    whole(begun)


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_every_acknowledged_edit_outlasts_500_times_kill_9(begun: str, tell: Tell) -> None:
    start = time.perf_counter()
    saves = kill_writers(begun, 500, seed=21)
    whole(begun)
    kind = "PostgreSQL" if "://" in begun else "file"
    told = f"500 writers killed, {saves} saves acknowledged, 0 lost, 0 torn, {time.perf_counter() - start:.0f} s"
    tell(f"SIGKILL, study on {kind}", [told])


def whole(where: str) -> None:
    """Say that nothing is wrong with a study."""
    assert check_study(where).faults == ()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_study_killed_while_it_is_made_can_be_made_again(tmp_path: Path) -> None:
    code = "import sys; from lesionmap.store import Study; print(1, flush=True); Study.open(sys.argv[1], create=True)"
    rng = np.random.default_rng(3)
    for number in range(2):
        where = tmp_path / str(number)
        with child(code, where) as process:
            assert process.stdout is not None
            process.stdout.readline()
            deadline = time.monotonic() + 30
            while not where.exists() and process.poll() is None and time.monotonic() < deadline:
                pass
            time.sleep(rng.random() * 0.003)
            process.kill()
        with Study.open(where, create=True) as study:
            assert study.patients() == ()
