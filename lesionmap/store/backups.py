"""Backups of a study file: one a day when it is written to, seven days and four weeks kept, each a study by itself."""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["Backup", "aside", "backup_to", "folder_of", "kept", "list_backups"]

_EVERY = timedelta(days=1)
_DAYS, _WEEKS = 7, 4
_STAMP = "%Y-%m-%dT%H%M%SZ"
_NAME = re.compile(r"(\d{4}-\d\d-\d\dT\d{6}Z)\.lesionmap")


def folder_of(study: Path) -> Path:
    """Give the folder beside a study that holds its backups."""
    return study.with_name(f"{study.name}.backups")


def list_backups(study: Path) -> dict[datetime, Path]:
    """Give the backups of a study by the time of their moment (UTC), the newest first."""
    found = {}
    with suppress(FileNotFoundError):
        for path in folder_of(study).iterdir():
            if match := _NAME.fullmatch(path.name):
                found[datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC)] = path
    return dict(sorted(found.items(), reverse=True))


def kept(times: Iterable[datetime]) -> set[datetime]:
    """Give the times of the backups to keep: the last of each of seven days and of four weeks, the newest ones."""
    days: dict[object, datetime] = {}
    weeks: dict[object, datetime] = {}
    for time in sorted(times, reverse=True):
        days.setdefault(time.date(), time)
        weeks.setdefault(time.isocalendar()[:2], time)
    return {*list(days.values())[:_DAYS], *list(weeks.values())[:_WEEKS]}


def backup_to(source: sqlite3.Connection, target: Path) -> None:
    """Copy a database as it is at one moment into a new file that is there whole or not at all.

    Raises
    ------
    OSError, sqlite3.Error
        If the disk is full, say; nothing is left behind.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as made:
            made.execute("PRAGMA synchronous=FULL")
            source.backup(made)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    if os.name == "posix":  # the new name shall outlast a crash too
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Backup:
    """The day's backup of a study file: of the moment before the first change, copied while the work goes on.

    ``fault`` says why there is none; a backup that fails never stops the work.
    """

    def __init__(self, study: Path, connect: Callable[[Path], sqlite3.Connection]) -> None:
        self.fault = ""
        """Why no backup could be made; empty: it was made, or none was due. To be read after ``finish``."""
        self._study = study
        self._thread: threading.Thread | None = None
        self._now = datetime.now(UTC)
        try:
            source = connect(study)
            if self._due(source):
                source.execute("BEGIN")  # from the first look on, this connection sees the study as it is now
                source.execute("SELECT count(*) FROM sqlite_master").fetchone()
                self._thread = threading.Thread(target=self._make, args=(source,), name="backup of a study")
                self._thread.start()
            else:
                source.close()
        except (OSError, sqlite3.Error) as error:
            self.fault = _words(error)

    def finish(self) -> None:
        """Wait until the backup is written."""
        if self._thread is not None:
            self._thread.join()

    def _due(self, source: sqlite3.Connection) -> bool:
        """Say whether the last one (or the study's making) is a day away, in either direction, and there is news."""
        times = list_backups(self._study)
        if not source.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
            return False  # it is being made
        if not times:
            made = source.execute("SELECT value FROM meta WHERE name = 'created'").fetchone()
            return made is not None and abs(self._now - datetime.fromisoformat(made[0])) >= _EVERY
        newest, path = next(iter(times.items()))
        log = self._study.with_name(f"{self._study.name}-wal")
        changed = max(one.stat().st_mtime for one in (self._study, log) if one.exists())
        then = path.stat().st_mtime
        news = changed > then or then > self._now.timestamp()  # by a clock that was set back nothing is ever news
        return abs(self._now - newest) >= _EVERY and news

    def _make(self, source: sqlite3.Connection) -> None:
        folder = folder_of(self._study)
        target = folder / f"{self._now.strftime(_STAMP)}.lesionmap"
        try:
            with closing(source):
                folder.mkdir(exist_ok=True)
                for left in folder.glob(".*.part"):  # of a program that was killed
                    if abs(left.stat().st_mtime - self._now.timestamp()) > _EVERY.total_seconds():
                        left.unlink(missing_ok=True)
                backup_to(source, target)
            # What is written from now on is news; file systems may be some milliseconds behind the clock.
            os.utime(target, (self._now.timestamp() - 1,) * 2)
            times = list_backups(self._study)
            for time in set(times) - kept(times):
                times[time].unlink(missing_ok=True)
        except (OSError, sqlite3.Error) as error:
            self.fault = _words(error)


def _words(error: OSError | sqlite3.Error) -> str:
    why = error.strerror if isinstance(error, OSError) else str(error)
    return (
        f"no backup could be made ({why or type(error).__name__}); the study itself is as it should be: check the disk "
        "and the permissions of its folder"
    )


def aside(source: sqlite3.Connection, study: Path, purpose: str) -> Path:
    """Copy a study beside itself before something risky, and give the copy's path; LesionmapError if that fails."""
    target = study.with_name(f"{study.name}.backup-{purpose}-{datetime.now(UTC).strftime(_STAMP)}")
    try:
        backup_to(source, target)
    except (OSError, sqlite3.Error) as error:
        raise LesionmapError(f"{_words(error)}; nothing was done without one") from error
    return target
