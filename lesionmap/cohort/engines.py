"""Where the work is done: processes of this machine, or the workers of a Dask scheduler.

Both take tasks from an iterator a few at a time, so that memory does not grow with the cohort, and give each back with
its outcome as it comes.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TYPE_CHECKING, Any

from lesionmap.cohort.work import ready, work
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

    from lesionmap.cohort.order import Task

__all__ = ["Outcome", "on_dask", "on_pool"]

Outcome = dict[str, Any]

_WAITING = 4  # tasks in flight for each worker: enough that none is ever idle
_KILLED: Outcome = {
    "why": "its process was killed, by the system where memory was short; give it more, or fewer workers"
}


def _fault(error: BaseException) -> Outcome:
    """Say that we erred; what an error of Python says may hold personal data, its kind cannot."""
    return {"why": f"a fault of lesionmap ({type(error).__name__}); please report it"}


def on_pool(tasks: Iterable[Task], workers: int) -> Iterator[tuple[Task, Outcome]]:
    """Work on processes of this machine.

    Where one of them is killed, all tasks in flight are lost with the pool. They are done again one by one, in a
    process of their own, so that the one that kills its process is known and the others are not lost.

    Parameters
    ----------
    tasks : iterable of Task
        Taken as they are needed.
    workers : int
        How many processes.
    """
    todo = iter(tasks)
    lost: list[Task] = []
    while True:
        with _pool(workers) as pool:
            yield from _through(pool, todo, _WAITING * workers, lost)
        if not lost:
            return
        again, lost = iter(lost), []
        while True:
            killers: list[Task] = []
            with _pool(1) as alone:
                yield from _through(alone, again, 1, killers)
            if not killers:
                break
            yield from ((task, dict(_KILLED)) for task in killers)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_start)


def _start() -> None:
    """Get a new process ready; it ends with the one that started it, even if that is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    ready()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _through(
    pool: ProcessPoolExecutor, tasks: Iterator[Task], window: int, lost: list[Task]
) -> Iterator[tuple[Task, Outcome]]:
    """Send tasks through a pool until they are all done or it breaks; those that break with it go to ``lost``."""
    flying: dict[Future[Outcome], Task] = {}
    while True:
        for task in islice(tasks, 0 if lost else window - len(flying)):
            try:
                flying[pool.submit(work, task)] = task
            except BrokenProcessPool:
                lost.append(task)
                break
        if not flying:
            return
        for future in wait(flying, return_when=FIRST_COMPLETED).done:
            task, error = flying.pop(future), future.exception()
            if isinstance(error, BrokenProcessPool):
                lost.append(task)
            else:
                yield task, future.result() if error is None else _fault(error)


def on_dask(tasks: Iterable[Task], address: str) -> Iterator[tuple[Task, Outcome]]:
    """Work on the workers of a running Dask scheduler.

    Parameters
    ----------
    tasks : iterable of Task
        Taken as they are needed.
    address : str
        Of the scheduler, ``tcp://host:8786``.

    Raises
    ------
    LesionmapError
        If the package is missing, no scheduler answers, it has no worker, or one with several threads; if the scheduler
        is lost on the way.
    """
    try:
        from distributed import as_completed
    except ModuleNotFoundError as error:
        raise LesionmapError(
            f"a Dask scheduler needs {error.name}, not installed here: pip install 'lesionmap[cluster]'"
        ) from error
    todo, flying = iter(tasks), {}
    with _client(address) as client:
        window = _WAITING * _checked_workers(client, address)
        for task in islice(todo, window):
            flying[client.submit(work, task, pure=False)] = task
        coming = as_completed(flying, loop=client.loop)
        for future in coming:
            task = flying.pop(future)
            yield task, _outcome(future, address)
            for more in islice(todo, window - len(flying)):
                sent = client.submit(work, more, pure=False)
                flying[sent] = more
                coming.add(sent)


def _client(address: str) -> Any:
    from distributed import Client

    try:
        return Client(address, timeout="20s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise LesionmapError(
            f"no Dask scheduler answers at {address} ({type(error).__name__}); start one with 'dask scheduler', or "
            "correct the address"
        ) from error


def _checked_workers(client: Any, address: str) -> int:
    """Give the number of workers; each must have one thread, because the drawing of figures shares its settings."""
    threads = client.nthreads()
    if not threads:
        raise LesionmapError(f"the Dask scheduler at {address} has no worker; start some with 'dask worker {address}'")
    if max(threads.values()) > 1:
        raise LesionmapError(
            f"Dask workers of one thread each were expected, one has {max(threads.values())}; start them with "
            "'dask worker --nthreads 1' and more of them with --nworkers"
        )
    return len(threads)


def _outcome(future: Any, address: str) -> Outcome:
    from distributed import KilledWorker

    if future.status in ("cancelled", "lost"):
        raise LesionmapError(
            f"the Dask scheduler at {address} was lost on the way; what is done is kept, the same command goes on"
        )
    error = future.exception()
    if error is None:
        found: Outcome = future.result()
        return found
    return dict(_KILLED) if isinstance(error, KilledWorker) else _fault(error)
