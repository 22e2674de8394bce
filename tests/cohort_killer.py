"""Work that kills its own process for some patients, as the system does where memory is short."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lesionmap.cohort.order import Task

__all__ = ["start", "work"]


def start() -> None:
    """Get a new process ready; there is nothing to be got."""


def work(task: Task) -> dict[str, Any]:
    """Kill the process where the pseudonym says so, else say that it is done; err where it says that."""
    if "kill" in task.patient:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"state": "s", "rows": 1 // ("err" not in task.patient), "marked": True}
