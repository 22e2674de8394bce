"""A Dask scheduler and its workers as processes of their own on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["cluster"]

_PATIENCE_S = 90.0


@contextmanager
def cluster(workers: int, folder: Path) -> Iterator[str]:
    """Start a scheduler and workers of one thread each; give its address, and end them by their numbers."""
    folder.mkdir(parents=True)
    file = folder / "scheduler.json"
    python = (sys.executable, "-m", "distributed.cli.dask_scheduler")
    started = [
        _start((*python, "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file), folder)
    ]
    try:
        _wait(file.exists)
        each = ("--nthreads", "1", "--nworkers", str(workers), "--no-dashboard", "--local-directory", folder / "work")
        python = (sys.executable, "-m", "distributed.cli.dask_worker")
        started.append(_start((*python, "--scheduler-file", file, "--host", "127.0.0.1", *each), folder))
        yield _address(file, workers)
    finally:
        for process in reversed(started):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(command: tuple[object, ...], folder: Path) -> subprocess.Popen[bytes]:
    settings = {"DASK_DISTRIBUTED__SCHEDULER__WORK_STEALING": "true", "PYTHONPATH": os.pathsep.join(sys.path)}
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            list(map(str, command)), cwd=folder, stdout=log, stderr=log, env={**os.environ, **settings}
        )


def _address(file: Path, workers: int) -> str:
    import json

    from distributed import Client

    address: str = json.loads(file.read_text(encoding="utf-8"))["address"]
    with Client(address, timeout="30s", set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=_PATIENCE_S)
    return address


def _wait(happened: object) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not happened():  # type: ignore[operator]
        if time.monotonic() > end:
            raise TimeoutError("the scheduler did not start; see log.txt")
        time.sleep(0.05)
