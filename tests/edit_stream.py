"""Writers that can be killed at any moment: a process that has loaded everything forks one as often as it is told to.

Run as a program with a study: each line of standard input, ``stream`` or ``own NUMBER TIMES``, forks a writer. It says
``pid``, then the number of each save once it was acknowledged; when it is dead, ``end`` follows.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, Lesion, Mask
from lesionmap.space import Grid
from lesionmap.store import Conflict, Study

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["DAY", "Nursery", "nursery"]

DAY = "2010-05-04"
_GRID = Grid((50, 70, 110), np.array([[0, 0, 3.5, 1], [-1.2, 0, 0, 2], [0, -1.3, 0, 3], [0, 0, 0, 1.0]]))


@dataclass
class Nursery:
    """Makes writers of one study."""

    process: subprocess.Popen[str]

    def begin(self, order: str = "stream") -> int:
        """Let a writer begin, and give its process id."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()
        word, pid = self.line().split()
        assert word == "pid"
        return int(pid)

    def acknowledged(self) -> list[int]:
        """Wait for the writer's end, and give the numbers of the saves that were acknowledged."""
        return [int(line) for line in iter(self.line, "end\n") if line.strip().isdecimal()]

    def killed(self, n_saves: int, after_s: float) -> list[int]:
        """Kill a writer some time after so many saves; give the numbers of all those that were acknowledged."""
        pid = self.begin()
        seen = [int(self.line()) for _ in range(n_saves)]
        time.sleep(after_s)
        os.kill(pid, signal.SIGKILL)
        return seen + self.acknowledged()

    def line(self) -> str:
        """Give the next line that a writer says."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the nursery ended"
        return line


@contextmanager
def nursery(where: str) -> Iterator[Nursery]:
    """Start a process that makes writers of a study."""
    process = subprocess.Popen(
        [sys.executable, __file__, where], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    try:
        yield Nursery(process)
    finally:
        process.kill()
        process.communicate()


def _say(line: object) -> None:
    os.write(1, f"{line}\n".encode())  # at once, as one piece


def _stream(where: str) -> None:
    """Save for ever: each save changes lesions 1 and 2, both with the save's number as their note."""
    rng = np.random.default_rng(7)
    masks = [Mask.of_voxels(rng.integers(0, 50, (500, 3)), _GRID) for _ in range(5)]
    with Study.open(where) as study:
        now = study.lesion_map("P001", DAY, "anna")
        number = int(now.lesions[0].note or 0) if now.lesions else 0
        while True:
            one = Lesion("L1", ("rib_7.whole.left",), extents=(Extent("T1", masks[number % 5]),), note=str(number + 1))
            new = replace(now, lesions=(one, replace(one, id="L2")))
            try:
                study.save(now, new)
            except Conflict as conflict:  # the one before was killed, and its last commit came through after that
                now, number = conflict.theirs, int(conflict.theirs.lesions[0].note)
                continue
            number += 1
            _say(number)
            now = new


def _own(where: str, number: int, times: int) -> None:
    """Save a lesion of one's own many times, beside others who do the same with theirs."""
    with Study.open(where) as study:
        now = study.lesion_map("P001", DAY, "anna")
        for time_ in range(1, times + 1):
            mine = Lesion(f"L{number}", ("rib_7.whole.left",), note=str(time_))
            new = replace(now, lesions=(*(one for one in now.lesions if one.id != mine.id), mine))
            study.save(now, new)
            _say(time_)
            now = new


def _warm_up(where: str) -> None:
    """Load what is loaded late: the writers have it then."""
    from lesionmap.store import plain

    one = Lesion("L1", ("rib_7.whole.left",), extents=(Extent("T1", Mask.of_voxels(np.array([[1, 2, 3]]), _GRID)),))
    assert plain.loads(plain.dumps(one, Lesion), Lesion) == one
    with Study.open(where) as study:
        study.history("P001", DAY, "nobody")


def _serve(where: str) -> None:
    _warm_up(where)
    for line in sys.stdin:
        order, *numbers = line.split()
        child = os.fork()
        if child == 0:
            try:
                _say(f"pid {os.getpid()}")
                if order == "stream":
                    _stream(where)
                else:
                    _own(where, *map(int, numbers))
            except LesionmapError as error:
                _say(f"failed: {error}")
            except BaseException:  # noqa: BLE001 - this process must not go on as a nursery
                traceback.print_exc()
            os._exit(0)
        os.waitpid(child, 0)
        _say("end")


if __name__ == "__main__":
    _serve(sys.argv[1])
