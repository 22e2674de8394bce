"""Damaged files: never a crash, a hang, a gigabyte, or a wrong volume without a word.

The cases run in a process of their own (``fuzz_worker``), so that a crash is seen and counted; it is begun again after
the case that ended it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from valid_images import KINDS

if TYPE_CHECKING:
    from figures import Tell

_MOST_PEAK = 1 << 30
_SILENCE_S = 120
"""By the clock, for a machine that is busy; each case has five seconds of the processor."""


def _run(kind: str, first: int, last: int) -> tuple[Counter[str], list[dict[str, Any]]]:
    """Run cases; give how many had each outcome, and those that fail."""
    counts: Counter[str] = Counter()
    failed: list[dict[str, Any]] = []
    while first < last:
        lines, ended = _worker(kind, first, last)
        for line in lines:
            if not line.startswith("{"):
                continue
            case = json.loads(line)
            first = case["seed"] + 1
            outcome = "memory" if case["peak"] > _MOST_PEAK else case["outcome"]
            counts[outcome] += 1
            if outcome in ("wrong", "broken", "memory"):
                failed.append(case | {"outcome": outcome})
            if outcome == "memory":
                break
        else:
            if ended and first < last:
                outcome = "the other reader crashed" if lines and lines[-1].startswith("ask") else "crash or hang"
                counts[outcome] += 1
                if outcome == "crash or hang":
                    failed.append({"kind": kind, "seed": first, "outcome": outcome, "words": f"ended by {ended}"})
                first += 1
    return counts, failed


def _worker(kind: str, first: int, last: int) -> tuple[list[str], int]:
    """Give the lines of a worker, and how it ended (0: well)."""
    command = [sys.executable, str(Path(__file__).with_name("fuzz_worker.py")), kind, str(first), str(last)]
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(folders)}
    seconds = _SILENCE_S + (last - first) * 3
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as process:
        try:
            out = process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            out = process.communicate()[0]
    return out.decode().splitlines(), process.returncode


def _check(kind: str, first: int, last: int) -> Counter[str]:
    counts, failed = _run(kind, first, last)
    told = "\n".join(f"{case['kind']} {case['seed']} {case['outcome']}: {case['words']}" for case in failed[:20])
    assert not failed, told
    assert counts.total() == last - first
    return counts


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(kind: str) -> None:
    _check(kind, 0, 36)


@pytest.mark.parametrize(("kind", "seed"), [("rle", 1631), ("rle", 2025), ("jpeg_ls", 1956)])
def test_what_the_long_run_found(kind: str, seed: int) -> None:
    _check(kind, seed, seed + 1)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_at_length(kind: str, tell: Tell) -> None:
    """Run 21,000 cases, 1,500 of each kind, 150 in a process."""
    counts = sum((_check(kind, first, first + 150) for first in range(1000, 2500, 150)), Counter[str]())
    tell(f"1,500 damaged files, {kind}", [f"{n:>5} {outcome}" for outcome, n in sorted(counts.items())])
