"""A whole study copied between SQLite and PostgreSQL, exactly: every edit with its number, time, reader and version."""

from __future__ import annotations

import json
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, RowMapping, Table

    from lesionmap.store.database import Database

__all__ = ["Fingerprint", "copy_study", "fingerprint"]

_BATCH = 200


class Fingerprint:
    """What a study holds, in a number that is the same in every database, however it orders its rows."""

    def __init__(self) -> None:
        self.n_rows = 0
        """Rows of all tables."""
        self._sum = 0

    def add(self, table: str, row: RowMapping) -> None:
        """Take a row in."""
        text = json.dumps([table, *row.items()], default=str)
        self._sum += int.from_bytes(sha256(text.encode()).digest(), "big")
        self.n_rows += 1

    @property
    def hex(self) -> str:
        """The sum of the rows' SHA-256, hex."""
        return f"{self._sum % (1 << 256):064x}"


def copy_study(source: str, target: str, told: Callable[[int, int], None] | None = None) -> Fingerprint:
    """Copy a study to another place, in one transaction, and compare both before it is kept.

    Parameters
    ----------
    source, target : str
        Files or addresses. The target must hold nothing: a new file or an empty database.
    told : callable, optional
        Takes how many rows are done, and of how many.

    Returns
    -------
    Fingerprint
        Of both.

    Raises
    ------
    LesionmapError
        If the target holds something or cannot be written, or what arrived differs; then nothing is there.
    """
    from lesionmap.store.database import Database, file_of

    with closing(Database.open(source, create=False)) as old:
        path = file_of(target)
        made = path is not None and not path.exists()
        try:
            with closing(Database.connect(target, create=True)) as new:
                done = _copied(old, new, told)
                new.log_ahead()
        except LesionmapError:
            if made and path is not None:
                path.unlink(missing_ok=True)
            raise
    return done


def _copied(old: Database, new: Database, told: Callable[[int, int], None] | None) -> Fingerprint:
    from lesionmap.store import tables

    with old.reading() as here, new.writing() as there:
        there.alone("tables")
        if there.schema() != (None, True):
            raise LesionmapError(
                f"a study is copied to a new file or an empty database, but {new.name} holds something; name another"
            )
        tables.metadata.create_all(there.connection)
        sent, total = Fingerprint(), here.n_rows()
        for table, rows in _batches(here.connection):
            there.connection.execute(table.insert(), [dict(row) for row in rows])
            for row in rows:
                sent.add(table.name, row)
            if told is not None:
                told(sent.n_rows, total)
        if fingerprint(there.connection).hex != sent.hex:
            raise LesionmapError(f"what arrived in {new.name} is not what was sent; nothing was kept: copy it again")
    return sent


def fingerprint(connection: Connection) -> Fingerprint:
    """Give the fingerprint of the study that a connection sees."""
    found = Fingerprint()
    for table, rows in _batches(connection):
        for row in rows:
            found.add(table.name, row)
    return found


def _batches(connection: Connection) -> Iterator[tuple[Table, Sequence[RowMapping]]]:
    from sqlalchemy import select

    from lesionmap.store import tables

    for table in tables.metadata.sorted_tables:
        result = connection.execute(select(table), execution_options={"stream_results": True, "max_row_buffer": _BATCH})
        for rows in result.mappings().partitions(_BATCH):
            yield table, rows
