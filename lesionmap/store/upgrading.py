"""A study of an older lesionmap brought up to date: a backup first, then Alembic's steps in one transaction."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from lesionmap.store.database import Database
    from lesionmap.store.rows import Rows

__all__ = ["FOLDER", "Upgrade", "migrate", "upgrade_study"]

FOLDER = Path(__file__).with_name("migrations")
"""Where the steps are."""


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did."""

    before: int
    """Schema that was found."""
    after: int
    """Schema that it has now."""
    backup: Path | None
    """Of the study before; None where nothing was to be done, or the caller has one."""


def upgrade_study(where: str, *, backed_up: bool = False) -> Upgrade:
    """Bring a study up to the schema of this lesionmap.

    Parameters
    ----------
    where : str
        File or address; on a server the user must be the keeper, who owns the tables.
    backed_up : bool
        A study on a server: a backup exists, make none.

    Raises
    ------
    LesionmapError
        If it is no study, of a newer lesionmap, no backup can be made, or a step fails: then it is as it was.
    """
    from lesionmap.store import tables
    from lesionmap.store.database import Database

    with closing(Database.connect(where, migrating=True)) as database:
        before = database.schema()
        if before > tables.SCHEMA:
            raise LesionmapError(f"the study {database.name} was written by a newer lesionmap; update lesionmap")
        if before == tables.SCHEMA:
            return Upgrade(before, before, None)
        backup = None if backed_up and database.path is None else _backup(database, where, before)
        _migrate(database, before, backup)
    return Upgrade(before, tables.SCHEMA, backup)


def _migrate(database: Database, before: int, backup: Path | None) -> None:
    from sqlalchemy.exc import SQLAlchemyError

    from lesionmap.store.database import TakenError

    try:
        with database.writing() as rows:
            rows.alone("tables")
            migrate(rows.connection, before)
            rows.set_schema()
            _refuse_strays(rows)
    except (LesionmapError, SQLAlchemyError, TakenError) as error:
        why = (str(error).splitlines() or ["two rows would have one key, or one would belong to nothing"])[0]
        kept = f", and {backup} is a backup of it" if backup else ""
        raise LesionmapError(f"the study could not be upgraded ({why}); it is as it was{kept}") from error


def _refuse_strays(rows: Rows) -> None:
    if rows.strays():
        raise LesionmapError("visits or hashes would belong to no patient")


def migrate(connection: Connection, before: int | None) -> None:
    """Run Alembic's steps behind a schema (None: all of them) within a transaction."""
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    steps = ScriptDirectory(str(FOLDER))
    with Operations.context(MigrationContext.configure(connection)):
        for step in reversed(list(steps.iterate_revisions("head", "base" if before is None else str(before)))):
            step.module.upgrade()


def _backup(database: Database, where: str, before: int) -> Path:
    from lesionmap.store import backups, sqlite

    if database.path is None:
        return _dump(where)
    with closing(sqlite.connect(database.path)) as source:
        return backups.aside(source, database.path, f"schema-{before}")


def _dump(where: str) -> Path:
    """Back a server's database up by its own program into the working folder."""
    from lesionmap.store import server

    program = shutil.which("pg_dump")
    if program is None:
        raise LesionmapError(
            "a backup comes before an upgrade, but pg_dump is not found here; install PostgreSQL's client programs, or "
            "make a backup yourself and say --backed-up"
        )
    url = server.address(where)
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    target = Path(f"{url.database}.backup-{stamp}.dump").absolute()
    bare = server.without_password(url)
    secret = {"PGPASSWORD": str(url.password)} if url.password else {}
    command = [program, "--format=custom", f"--file={target}", f"--dbname={bare}"]
    done = subprocess.run(command, env={**os.environ, **secret}, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        target.unlink(missing_ok=True)
        why = (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
        raise LesionmapError(
            f"pg_dump could not back the study up ({why}); nothing was changed: back it up and say --backed-up"
        )
    return target
