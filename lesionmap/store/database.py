"""The database of a study: transactions, and its errors in plain words. ``sqlite`` and ``server`` say what differs.

Loaded by ``Study.open`` only, because SQLAlchemy is heavy; nothing outside ``lesionmap.store`` imports it.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, IntegrityError

from lesionmap.errors import LesionmapError
from lesionmap.store import server, sqlite, tables
from lesionmap.store.backups import Backup
from lesionmap.store.claims import Claim, file_claim
from lesionmap.store.rows import Rows, lock_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

__all__ = ["Database", "LostError", "TakenError", "file_of"]


class TakenError(Exception):
    """The key exists: somebody else was faster."""


class LostError(LesionmapError):
    """The connection ended while a commit was under way: nobody knows whether it was stored."""


class Database:
    """An open database: reading and writing transactions, errors in plain words."""

    def __init__(self, engine: Engine, name: str, path: Path | None, why_read_only: str = "") -> None:
        self._engine = engine
        self.name = name
        """For messages: the file's name, or the address without its password."""
        self.path = path
        """The file; None for a server."""
        self.why_read_only = why_read_only
        """Why nothing can be written, to follow the name; empty: it can."""
        self.backup: Backup | None = None
        """Of a file, begun before the first change."""
        # Readers see one moment. Writers of SQLite are alone; on a server they see what others have just committed,
        # and the keys and locks of their rows part them.
        on_server = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._readers = engine.execution_options(**({} if path else on_server))
        self._writers = engine.execution_options(lesionmap_writes=True)

    @classmethod
    def connect(cls, where: str, create: bool = False, *, migrating: bool = False) -> Database:
        """Connect to a path or URL without a look at what is there."""
        path = file_of(where)
        if path is None:
            engine, name = server.engine(server.address(where))
            return cls(engine, name, None)
        path = path.absolute()
        why = "is on a read-only disk or folder and cannot be changed; copy it to a disk where you may write"
        read_only = sqlite.prepare(path, create)
        return cls(sqlite.engine(path, read_only, keys=not migrating), path.name, path, why if read_only else "")

    @classmethod
    def open(cls, where: str, create: bool) -> Database:
        """Open the database of a path or URL, after every check; nothing is written where one fails."""
        database = cls.connect(where, create)
        try:
            database.check(create)
        except LesionmapError:
            database.close()
            raise
        return database

    def check(self, create: bool) -> None:
        """Make sure that this is a study of a version that we read; make the tables of a new one."""
        if create and self.empty():
            self.log_ahead()
            with self.writing() as rows:
                rows.make_tables()
        found = self.schema()
        if found > tables.SCHEMA:
            raise LesionmapError(
                f"the study {self.name} was written by a newer lesionmap (schema {found}, this one reads up to "
                f"{tables.SCHEMA}); update lesionmap"
            )
        if found < tables.SCHEMA:
            raise LesionmapError(
                f"the study {self.name} was written by an older lesionmap (schema {found}, this one reads "
                f"{tables.SCHEMA}); 'lesionmap study upgrade' makes a backup of it and brings it up to date"
            )
        self.log_ahead()
        if self.path is None:
            with self.reading() as rows:
                self.why_read_only = server.why_read_only(rows.connection)

    def empty(self) -> bool:
        """Say whether there is no table at all."""
        with self.reading() as rows:
            return rows.schema() == (None, True)

    def schema(self) -> int:
        """Give the version of the tables; LesionmapError if they are none of ours."""
        with self.reading() as rows:
            found, _ = rows.schema()
        if found is None:
            another = "file" if self.path else "database"
            raise LesionmapError(
                f"{self.name} is not a lesionmap study (it has none of its tables); name another {another}"
            )
        return found

    def log_ahead(self) -> None:
        """Switch a file to its write-ahead log, which outlasts the connection."""
        if self.path is None or self.why_read_only:
            return
        with self._plainly():
            raw = self._engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA journal_mode=WAL")
            finally:
                raw.close()

    @contextmanager
    def reading(self) -> Iterator[Rows]:
        """Read in one transaction: all statements see the same moment."""
        with self._plainly(), self._readers.connect() as connection, connection.begin():
            yield Rows(connection)

    @contextmanager
    def writing(self) -> Iterator[Rows]:
        """Write in one transaction: all of it is kept, or nothing.

        Raises
        ------
        TakenError
            If others were faster.
        LostError
            If the connection ended between the last statement and the server's word that it is stored.
        """
        if self.why_read_only:
            raise LesionmapError(f"the study {self.name} {self.why_read_only}")
        if self.path is not None and self.backup is None:
            self.backup = Backup(self.path, sqlite.connect)
        committing = False
        with self._plainly():
            try:
                with self._writers.connect() as connection, connection.begin():
                    yield Rows(connection)
                    committing = True
            except DBAPIError as error:
                if committing and self.path is None and server.lost(error):
                    raise LostError(
                        f"the connection to the study {self.name} ended while it was being saved, so it is not known "
                        "whether this was stored; look when the server answers again, before you do it once more"
                    ) from error
                raise

    def claim(self, key: str, salt: str) -> Claim:
        """Ask for the right to edit a map."""
        if self.why_read_only:
            return Claim(None, "the study is read-only")
        if self.path is not None:
            return file_claim(self.path, key)
        with self._plainly():
            return server.server_claim(self._engine, lock_number(f"claim {salt} {key}"))

    def close(self) -> None:
        """Close all connections, once the day's backup is written."""
        if self.backup is not None:
            self.backup.finish()
        self._engine.dispose()

    @contextmanager
    def _plainly(self) -> Iterator[None]:
        """Turn the database's errors into one line; those of a key that exists into TakenError."""
        try:
            yield
        except IntegrityError as error:
            raise TakenError from error
        except DBAPIError as error:
            if self.path is None and server.taken(error):
                raise TakenError from error
            words = server.words(error) if self.path is None else sqlite.words(error.orig)
            if not words:
                raise  # a fault of ours, not of the disk or the server
            raise LesionmapError(f"the study {self.name} {words}") from error
        except sqlite3.Error as error:
            raise LesionmapError(f"the study {self.name} {sqlite.words(error) or 'cannot be used'}") from error


def file_of(where: str) -> Path | None:
    """Give the file that a path or an ``sqlite:///`` URL names; None for a server."""
    if "://" not in where:
        return Path(where)
    if where.startswith("sqlite:///"):
        return Path(where.removeprefix("sqlite:///"))
    return None
