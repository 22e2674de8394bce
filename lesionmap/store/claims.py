"""Who has a map open: the right of one window to edit it, and how a study file keeps it."""

from __future__ import annotations

import os
import sys
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

__all__ = ["OPEN_ELSEWHERE", "Claim", "file_claim"]

OPEN_ELSEWHERE = "another window has this map open; it can be edited here when that one is closed"


class Claim:
    """The right of one window to edit one lesion map, until it is released or its process dies.

    ``held`` is False where another window has the claim (or the study is read-only); ``why`` then says so, and the
    window shows the map without editing.

    Examples
    --------
    >>> with study.claim("P001", "2010-05-04", "anna") as claim:  # doctest: +SKIP
    ...     editable = claim.held
    """

    __slots__ = ("_free", "held", "why")

    def __init__(self, free: Callable[[], None] | None, why: str = "") -> None:
        self._free = free
        self.held = free is not None
        """True: this window may edit the map."""
        self.why = why
        """Why not; empty if it may."""

    def release(self) -> None:
        """Let the next window have the map. A second call does nothing."""
        if self._free is not None and self.held:
            self.held = False
            self._free()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def file_claim(study: Path, key: str) -> Claim:
    """Claim a map of a study file: a file beside it is locked, which the operating system frees with the process.

    The file's name holds a hash, no names.
    """
    path = study.with_name(f"{study.name}.claim-{sha256(key.encode()).hexdigest()[:16]}")
    while True:
        try:  # for reading: the file may be the one of another user of this machine who crashed
            file = os.open(path, os.O_RDONLY | os.O_CREAT, 0o644)
        except OSError as error:
            return Claim(None, f"this map cannot be claimed ({error.strerror})")
        if not _lock(file):
            os.close(file)
            return Claim(None, OPEN_ELSEWHERE)
        # The one before us may have removed the file between our opening and our locking it.
        if _same(file, path):
            return Claim(partial(_unlock, file, path))
        os.close(file)


def _unlock(file: int, path: Path) -> None:
    if sys.platform != "win32":  # there an open file cannot be removed: the empty file stays
        path.unlink(missing_ok=True)
    os.close(file)


def _same(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _lock(file: int) -> bool:
    """Lock an open file at once or say False. Held by the open file, so that two windows of one process differ."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
