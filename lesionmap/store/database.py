"""The database of a study: engine, transactions, and its errors in plain words.

Loaded by ``Study.open`` only, because SQLAlchemy is heavy; nothing outside ``lesionmap.store`` imports it.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, IntegrityError, NoSuchModuleError, OperationalError

from lesionmap.errors import LesionmapError
from lesionmap.store import disk
from lesionmap.store.rows import Rows
from lesionmap.store.tables import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

__all__ = ["Database", "TakenError"]


class TakenError(Exception):
    """The key exists: somebody else was faster."""


class Database:
    """An open database: reading and writing transactions, errors in plain words."""

    def __init__(self, engine: Engine, name: str, path: Path | None, read_only: bool) -> None:
        self._engine = engine
        self.name = name
        """For messages: the file's name, or the address without its password."""
        self.path = path
        """The file; None for a server."""
        self.read_only = read_only

    @classmethod
    def open(cls, where: str, create: bool) -> Database:
        """Open the database of a path or URL, after every check; nothing is written where one fails."""
        path = _path(where)
        if path is None:
            engine, name = _server(where)
            database = cls(engine, name, None, read_only=False)
        else:
            database = _file(path, create)
        try:
            database.check(create)
        except LesionmapError:
            database.close()
            raise
        return database

    def check(self, create: bool) -> None:
        """Make sure that this is a study of a version that we read; make the tables of a new one."""
        with self.reading() as rows:
            found, empty = rows.schema()
        if found is None and not (empty and create):
            raise LesionmapError(f"{self.name} is not a lesionmap study (it has none of its tables); name another file")
        if found is not None and found > SCHEMA:
            raise LesionmapError(
                f"the study {self.name} was written by a newer lesionmap (schema {found}, this one reads up to "
                f"{SCHEMA}); update lesionmap"
            )
        if self.path is not None and not self.read_only:
            self._log_ahead()
        if found is None:
            with self.writing() as rows:
                rows.make_tables()

    def _log_ahead(self) -> None:
        """Switch the file to its write-ahead log, which outlasts the connection."""
        with _plainly(self.name):
            raw = self._engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA journal_mode=WAL")
            finally:
                raw.close()

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """Read in one transaction: all statements see the same moment (SQLite)."""
        with _plainly(self.name), self._engine.connect() as connection, connection.begin():
            yield Rows(connection)

    @contextmanager
    def writing(self) -> Iterator[Rows]:
        """Write in one transaction: all of it is kept, or nothing."""
        if self.read_only:
            raise LesionmapError(
                f"the study {self.name} is on a read-only disk or folder and cannot be changed; copy it to a disk "
                "where you may write"
            )
        with _plainly(self.name), self._engine.connect() as plain_connection:
            connection = plain_connection.execution_options(lesionmap_writes=True)
            with connection.begin():
                yield Rows(connection)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _path(where: str) -> Path | None:
    """Give the file that a path or an ``sqlite:///`` URL names; None for a server."""
    if "://" not in where:
        return Path(where)
    if where.startswith("sqlite:///"):
        return Path(where.removeprefix("sqlite:///"))
    return None


def _server(where: str) -> tuple[Engine, str]:
    """Make the engine of a server, and the address without its password."""
    try:
        url = make_url(where)
        engine = create_engine(url, hide_parameters=True, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError):
        raise LesionmapError(
            "a study is a file or an address like postgresql://user@host/name; the one given is neither"
        ) from None
    except ModuleNotFoundError as error:
        raise LesionmapError(
            f"a study on a server needs the Python package {error.name}; install it, or use a study file"
        ) from error
    return engine, url.render_as_string(hide_password=True)


def _file(path: Path, create: bool) -> Database:
    path = path.absolute()
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
    return Database(_sqlite(path, read_only), path.name, path, read_only)


def _sqlite(path: Path, read_only: bool) -> Engine:
    """Make the engine of a file. Reading only, where no log lies beside the file, nothing at all is written."""
    mode = "mode=rwc"
    if read_only:
        mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"

    def connect() -> sqlite3.Connection:
        uri = f"{path.as_uri()}?{mode}"
        # isolation_level=None: transactions begin where we say so, below.
        made = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None, check_same_thread=False)
        for pragma in ("foreign_keys=ON", "synchronous=FULL", "fullfsync=ON"):
            made.execute(f"PRAGMA {pragma}")
        return made

    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=QueuePool, hide_parameters=True)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes its turn at once: a reader that turns writer half way could fail without retry.
        writes = connection.get_execution_options().get("lesionmap_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


_WORDS = (
    ("readonly", "is read-only; copy it to a disk where you may write"),
    ("read-only", "is read-only; copy it to a disk where you may write"),
    ("unable to open", "cannot be opened here (is the folder read-only?); copy it with its -wal file to another disk"),
    ("full", "could not be written because the disk is full; free some space, then save again"),
    ("locked", "is being written by another program; try again"),
    ("malformed", "is damaged; take it from a backup"),
    ("not a database", "is not a lesionmap study; name the study's file"),
)


@contextmanager
def _plainly(name: str) -> Iterator[None]:
    """Turn the database's errors into one line; those of a key that exists into TakenError."""
    try:
        yield
    except IntegrityError as error:
        raise TakenError from error
    except DatabaseError as error:
        said = (str(error.orig).splitlines() or [""])[0]
        words = next((words for mark, words in _WORDS if mark in said.lower()), f"cannot be used: {said}")
        if type(error) not in (OperationalError, DatabaseError):
            raise  # a fault of ours, not of the disk or the server
        raise LesionmapError(f"the study {name} {words}") from error
