"""A study in an SQLite file: its engine, and its errors in plain words. Loaded by ``Database.open`` only."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from sqlalchemy import QueuePool, create_engine, event

from lesionmap.errors import LesionmapError
from lesionmap.store import disk

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection, Engine

__all__ = ["connect", "engine", "prepare", "words"]


def prepare(path: Path, create: bool) -> bool:
    """Make sure that a path can be a study; say whether it can only be read."""
    disk.refuse_network_drive(path)
    if path.exists():
        disk.check_file(path)
        read_only = not disk.writable(path)
    elif create:
        disk.check_folder(path)
        read_only = False
    else:
        raise LesionmapError(f"there is no study {path}; make one with 'lesionmap import {path.name} IMAGES'")
    if path.exists() and path.stat().st_size == 0 and not create:
        raise LesionmapError(f"{path} is not a lesionmap study (it is empty); name the study's file")
    return read_only


def connect(path: Path, read_only: bool = False, *, keys: bool = True) -> sqlite3.Connection:
    """Connect to a file. Reading only, where no log lies beside the file, nothing at all is written.

    ``keys``: references to other tables are watched; a migration that makes a table anew cannot have that.
    """
    mode = "mode=rwc"
    if read_only:
        mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    # isolation_level=None: transactions begin where we say so, below.
    uri = f"{path.as_uri()}?{mode}"
    made = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None, check_same_thread=False)
    for pragma in (f"foreign_keys={'ON' if keys else 'OFF'}", "synchronous=FULL", "fullfsync=ON"):
        made.execute(f"PRAGMA {pragma}")
    return made


def engine(path: Path, read_only: bool, *, keys: bool = True) -> Engine:
    """Make the engine of a file; ``read_only`` and ``keys`` as in ``connect``."""
    made = create_engine(
        "sqlite+pysqlite://",
        creator=lambda: connect(path, read_only, keys=keys),
        poolclass=QueuePool,
        hide_parameters=True,
    )

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes its turn at once: a reader that turns writer half way could fail without retry.
        writes = connection.get_execution_options().get("lesionmap_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return made


_WORDS = (
    ("readonly", "is read-only; copy it to a disk where you may write"),
    ("read-only", "is read-only; copy it to a disk where you may write"),
    ("unable to open", "cannot be opened here (is the folder read-only?); copy it with its -wal file to another disk"),
    ("full", "could not be written because the disk is full; free some space, then save again"),
    ("disk i/o", "could not be read or written by the disk (is it full, or was it taken away?); check it, try again"),
    ("locked", "is being written by another program; try again"),
    ("malformed", "is damaged; take it from a backup"),
    ("not a database", "is not a lesionmap study; name the study's file"),
)


def words(error: BaseException | None) -> str:
    """Say what is wrong, to follow the study's name; empty: a fault of ours, not of the disk."""
    said = (str(error).splitlines() or [""])[0]
    known = next((words for mark, words in _WORDS if mark in said.lower()), "")
    ours = not isinstance(error, sqlite3.OperationalError) and type(error) is not sqlite3.DatabaseError
    return known or ("" if ours else f"cannot be used: {said}")
