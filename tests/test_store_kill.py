"""Study and processes that die: claims are freed, and acknowledged edits outlast kill -9."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from lesionmap.lesions import Lesion
from lesionmap.store import Study
from lesionmap.visits import Patient, Visit

DAY = "2010-05-04"


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

_WRITER = """
import sys
from dataclasses import replace
import numpy as np
from lesionmap.lesions import Extent, Lesion, Mask
from lesionmap.space import Grid
from lesionmap.store import Study

grid = Grid((50, 70, 110), np.array([[0, 0, 3.5, 1], [-1.2, 0, 0, 2], [0, -1.3, 0, 3], [0, 0, 0, 1.0]]))
rng = np.random.default_rng(7)
with Study.open(sys.argv[1]) as study:
    now = study.lesion_map("P001", "2010-05-04", "anna")
    number = int(now.lesions[0].note or 0)
    while True:
        number += 1
        mask = Mask.of_voxels(rng.integers(0, 50, (500, 3)), grid)
        one = Lesion("L1", ("rib_7.whole.left",), extents=(Extent("T1", mask),), note=str(number))
        new = replace(now, lesions=(one, replace(one, id="L2")))
        study.save(now, new)
        print(number, flush=True)
        now = new
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_every_acknowledged_edit_outlasts_kill_9(path: Path) -> None:
    """Ten writers in a row on one study, each killed at a random moment; each save is two lesions or none."""
    rng = np.random.default_rng(20)
    last = 0
    for _ in range(10):
        with child(_WRITER, path) as process:
            assert process.stdout is not None
            for _ in range(rng.integers(1, 40)):
                last = int(process.stdout.readline())
            time.sleep(rng.random() * 0.01)
            process.send_signal(signal.SIGKILL)
            last = max([last, *(int(line) for line in process.stdout.read().split())])
        with Study.open(path) as study:
            found = study.lesion_map("P001", DAY, "anna")
            notes = {int(lesion.note) for lesion in found.lesions}
            assert len(notes) == 1  # both lesions of one save: no save is torn
            assert last <= notes.pop() <= last + 1  # at most the one that was written but not acknowledged yet
            numbers = [edit.n for edit in study.history("P001", DAY, "anna")]
            assert numbers == list(range(1, len(numbers) + 1))
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


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
