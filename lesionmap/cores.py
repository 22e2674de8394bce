"""How many threads a process may use: all processors, but one in the workers of a cohort, which are its threads."""

import os

__all__ = ["LIMIT", "threads"]

LIMIT = "LESIONMAP_THREADS"
"""Variable of the environment that says so."""


def threads(most: int | None = None) -> int:
    """Give the number of threads for work of one's own, at most ``most``."""
    set_to = os.environ.get(LIMIT, "")
    found = int(set_to) if set_to.isdecimal() and int(set_to) else os.cpu_count() or 1
    return min(found, most or found)
