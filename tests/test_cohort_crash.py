"""Cohorts that are killed, on the pool and on a Dask cluster of real processes: the same command goes on."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli_case import lesionmap
from cohort_case import simulate, simulate_images
from cohort_cluster import cluster
from lesionmap.store import Study

if TYPE_CHECKING:
    from collections.abc import Iterator

_N = 14


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("crash") / "s.lesionmap", _N)


@pytest.fixture(scope="module")
def whole(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the results of a run that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole") / "out"
    ran = lesionmap("cohort", study, "--verb", "table", "--workers", 1, "--no-figures", "-o", out)
    assert ran.code == 0, ran.err
    return out


def started(study: Path, out: Path, *more: str, verb: str = "table", limit: int = 0) -> subprocess.Popen[bytes]:
    """Start the command in a process of its own, with a largest size of files where one is given."""

    def small() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = (sys.executable, "-m", "lesionmap", "cohort", study, "--verb", verb, "--no-figures", "-o", out, *more)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(list(map(str, command)), env=env, stderr=subprocess.PIPE, preexec_fn=small)  # noqa: PLW1509


def lines(out: Path) -> int:
    journal = out / "done.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def killed_in_the_middle(study: Path, out: Path, *more: str) -> list[int]:
    """Run until some patients are done, kill -9, and give the processes that it had started."""
    process = started(study, out, *more)
    try:
        end = time.monotonic() + 120
        while lines(out) < 2:
            assert process.poll() is None, (process.stderr or sys.stderr).read()
            assert time.monotonic() < end
            time.sleep(0.01)
        pid = process.pid
        own = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert lines(out) < _N, "too fast to be killed in the middle"
    return [int(one) for one in own]


def parts(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in (out / "table").rglob("*") if path.is_file()}


def goes_on(study: Path, out: Path, whole: Path, *more: str) -> None:
    """Do the same again: what was done stays, and all of it is as if nobody had disturbed it."""
    with (out / "done.jsonl").open("ab") as journal:
        journal.write(b'{"study": "s", "pati')  # a line that the crash cut off
    (out / "table" / "s" / ".0a1b2c3d.P0001.parquet").write_bytes(b"half")
    kept = {path: path.stat().st_mtime_ns for path in (out / "table").rglob("*.parquet")}
    before = lines(out)
    ran = lesionmap("cohort", study, "--verb", "table", "--no-figures", "-o", out, *more)
    assert ran.code == 0, ran.err
    assert f"{_N} of {_N} patients done; {_N - before} made now" in ran.out
    assert parts(out) == parts(whole)
    assert sum(path.exists() and path.stat().st_mtime_ns == at for path, at in kept.items()) >= before


def test_a_run_that_was_killed_goes_on(study: Path, whole: Path, tmp_path: Path) -> None:
    workers = killed_in_the_middle(study, tmp_path / "out", "--workers", "1")
    assert workers
    end = time.monotonic() + 30
    while any(alive(pid) for pid in workers) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in workers)  # workers end with the one that started them
    goes_on(study, tmp_path / "out", whole, "--workers", "1")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with cluster(1, tmp_path_factory.mktemp("dask") / "cluster") as address:
        yield address


@pytest.mark.long
def test_a_run_on_dask_that_was_killed_goes_on(study: Path, whole: Path, scheduler: str, tmp_path: Path) -> None:
    assert killed_in_the_middle(study, tmp_path / "out", "--scheduler", scheduler) == []
    goes_on(study, tmp_path / "out", whole, "--scheduler", scheduler)


@pytest.mark.long
def test_what_cannot_be_written_fails_and_the_rest_is_told(tmp_path: Path) -> None:
    """Files of 64 kB at most: as on a disk that is full, no report can be written, the journal can."""
    study = simulate(tmp_path / "s.lesionmap", 2)
    process = started(study, tmp_path / "out", "--workers", "1", verb="report", limit=65536)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "2 of 2 patients failed" in err.decode()
    rows = (tmp_path / "out" / "failed.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 3
    assert rows[1].endswith("P0001.html cannot be written (File too large); choose another folder or free the disk")
    assert list((tmp_path / "out" / "report").rglob("*.*")) == []


_HOLD = """
import sqlite3, sys, time
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute("BEGIN IMMEDIATE")
print("held", flush=True)
time.sleep(float(sys.argv[2]))
held.execute("COMMIT")
"""


@pytest.mark.long
def test_place_waits_for_another_writer_and_then_places_what_is_missing(tmp_path: Path) -> None:
    path = simulate_images(tmp_path / "s.lesionmap", 2)
    with Study.open(path) as study:
        now = study.visits("P0001")[1].key
        then = study.visits("P0002")[0].key
        study.save_placement("P0002", then, None, "anna")  # nothing to carry over
    command = ("cohort", path, "--verb", "place", "--from", "previous", "--reader", "mia", "--workers", 1)
    holding = subprocess.Popen([sys.executable, "-c", _HOLD, path, "7"], stdout=subprocess.PIPE, text=True)
    try:
        assert holding.stdout is not None
        assert holding.stdout.readline() == "held\n"
        ran = lesionmap(*command, "-o", tmp_path / "out")
    finally:
        holding.wait()
    assert ran.code == 1
    assert "1 of 2 patients failed" in ran.line
    rows = (tmp_path / "out" / "failed.csv").read_text(encoding="utf-8").splitlines()
    assert rows[1].startswith("s,P0002,")
    assert "no visit of the patient has a skeleton to carry over" in rows[1]
    with Study.open(path) as study:
        placed = study.placement("P0001", now)
        assert placed is not None
        assert placed.coverage is not None
        assert study.history("P0001", now)[-1].reader == "mia"
        n_edits = len(study.history("P0001", now))
    again = lesionmap(*command, "-o", tmp_path / "out")
    assert "1 of 2 patients done; 0 made now" in again.out
    with Study.open(path) as study, closing(sqlite3.connect(path)) as raw:
        assert len(study.history("P0001", now)) == n_edits
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
