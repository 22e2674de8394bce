"""Cohorts: time and memory of a patient from 10 to 1,000, and what a second worker brings, on the pool and on Dask.

Other work on the machine shows: the load stands beside each figure. Heavy verbs take turns with one and two workers.
"""

from __future__ import annotations

import os
import resource
import statistics
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cohort_case import simulate, simulate_images
from cohort_cluster import cluster
from lesionmap.cohort import Order, cohort

if TYPE_CHECKING:
    from figures import Tell

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

_SIZES = (10, 100, 1000)
_REPEATS = 2
_FIRST = 3  # patients: a worker builds the skeletons that it keeps


def load() -> str:
    """Give the load of the machine over the last minute."""
    return Path("/proc/loadavg").read_text(encoding="ascii").split()[0]


def children(pid: int) -> list[int]:
    """Give the processes started by one, and by these."""
    own = [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return [*own, *(grandchild for child in own for grandchild in children(child))]


class Peak(threading.Thread):
    """Watch the resident memory of this process and of its workers, MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.parent, self.worker, self.on = 0.0, 0.0, True

    def run(self) -> None:
        while self.on:
            for pid in (os.getpid(), *children(os.getpid())):
                try:
                    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
                except (OSError, IndexError):
                    continue  # it has ended
                size = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
                if pid == os.getpid():
                    self.parent = max(self.parent, size)
                else:
                    self.worker = max(self.worker, size)
            time.sleep(0.1)


def timed(study: Path, order: Order, folder: Path, where: int | str) -> float:
    """Give the seconds of a run of which everything must come out well."""
    start = time.perf_counter()
    found = cohort([str(study)], order, folder, where=where)
    assert found.failed == ()
    assert found.made_now == found.patients
    return time.perf_counter() - start


def measured(study: Path, folder: Path, n: int) -> str:
    """Say what a table of n patients takes on two workers, their start apart."""
    order, peak, before, told = Order("table", treatment=None), Peak(), load(), list[float]()
    peak.start()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = cohort([str(study)], order, folder, where=2, told=lambda *_: told.append(time.perf_counter()))
    assert found.made_now == n
    peak.on = False
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    start = time.perf_counter()
    assert cohort([str(study)], order, folder, where=2).made_now == 0
    again, once_more = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    idle = once_more.ru_utime + once_more.ru_stime - now.ru_utime - now.ru_stime
    return (
        f"{n:>5} patients: {1000 * (told[-1] - told[_FIRST]) / (n - 1 - _FIRST):5.0f} ms a patient after the first; "
        "processor "
        f"{1000 * (cpu - idle) / n:5.0f} ms a patient more than a run with nothing to do, which takes {again:.1f} s; "
        f"parent {peak.parent:.0f} MB, worker {peak.worker:.0f} MB; load {before} to {load()}"
    )


def test_time_and_memory_of_a_patient(tmp_path: Path, tell: Tell) -> None:
    studies = {n: simulate(tmp_path / f"{n}.lesionmap", n) for n in _SIZES}
    lines = [measured(study, tmp_path / f"out-{n}", n) for n, study in studies.items()]
    tell("cohort --verb table, two workers", lines)


@pytest.mark.parametrize("verb", ["report", "place"])
def test_two_workers_against_one(verb: str, tmp_path: Path, tell: Tell) -> None:
    n = 24 if verb == "report" else 16
    made = simulate(tmp_path / "s.lesionmap", n) if verb == "report" else simulate_images(tmp_path / "s.lesionmap", n)
    order = Order("report", treatment=None) if verb == "report" else Order("place", placing="previous")
    lines = []
    with cluster(1, tmp_path / "one") as one, cluster(2, tmp_path / "two") as two:
        engines: dict[str, tuple[int | str, int | str]] = {"pool": (1, 2), "Dask": (one, two)}
        for name, pair in engines.items():
            times: tuple[list[float], list[float]] = ([], [])
            for turn in range(_REPEATS):
                for at, where in enumerate(pair):
                    study = tmp_path / f"{name}-{turn}-{at}.lesionmap"
                    study.write_bytes(made.read_bytes())
                    times[at].append(timed(study, order, tmp_path / f"out-{name}-{turn}-{at}", where))
            ratios = [a / b for a, b in zip(*times, strict=True)]
            lines.append(
                f"{name}: one {statistics.median(times[0]):.1f} s, two {statistics.median(times[1]):.1f} s; "
                f"ratios {', '.join(f'{x:.2f}' for x in ratios)}; load {load()}"
            )
    tell(f"cohort --verb {verb}, {n} patients, one worker against two", lines)
