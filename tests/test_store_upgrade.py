"""Studies of an older lesionmap: backed up and brought up to date in one transaction, or left as they were."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from cli_case import lesionmap
from lesionmap.errors import LesionmapError
from lesionmap.store import Study, tables, upgrading
from lesionmap.store.database import Database
from postgresql import PASSWORD, Cluster, program
from rich_study import make
from test_store_copy import rows_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_STEP_2 = '''
"""Who checked a visit; times may be longer. The planted schema of a later lesionmap."""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "2", "1"


def upgrade():
    op.add_column("visit", sa.Column("checked_by", sa.String(64)))
    with op.batch_alter_table("patient") as patient:
        patient.alter_column("sex", existing_type=sa.String(1), type_=sa.String(8))
    op.execute("UPDATE visit SET checked_by = 'anna' WHERE stature_cm IS NOT NULL")
    FAULT
'''


def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str = "") -> None:
    """Let lesionmap be a later one, whose studies have schema 2."""
    folder = tmp_path / "migrations"
    shutil.copytree(upgrading.FOLDER, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "schema_2.py").write_text(_STEP_2.replace("FAULT", fault), encoding="utf-8")
    monkeypatch.setattr(upgrading, "FOLDER", folder)
    monkeypatch.setattr(tables, "SCHEMA", 2)


def value(where: str, question: str) -> object:
    with closing(Database.connect(where)) as database, database.reading() as rows:
        return rows.connection.scalar(text(question))


@pytest.fixture
def old(place: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A study of schema 1; the working folder takes what is dumped."""
    where = place()
    make(where)
    monkeypatch.chdir(tmp_path)
    if "://" in where:
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / "pg_dump").symlink_to(program("pg_dump"))
    return where


def test_an_older_study_is_backed_up_and_brought_up_to_date(
    old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_of(old)
    plant(tmp_path, monkeypatch)
    ran = lesionmap("list", old)
    assert ran.code == 1
    assert "was written by an older lesionmap (schema 1, this one reads 2); 'lesionmap study upgrade'" in ran.line
    assert value(old, "SELECT value FROM meta WHERE name = 'schema'") == "1"
    ran = lesionmap("study", "upgrade", old)
    assert (ran.code, ran.err) == (0, "")
    assert "the study has schema 2 now (it had 1); the study as it was is " in ran.out
    assert PASSWORD not in ran.out
    assert value(old, "SELECT checked_by FROM visit WHERE stature_cm IS NOT NULL") == "anna"
    after = rows_of(old)
    assert {name: rows for name, rows in after.items() if name != "meta"} == {
        name: rows for name, rows in before.items() if name != "meta"
    }
    assert lesionmap("study", "upgrade", old).out == "the study is up to date (schema 2)\n"
    assert lesionmap("study", "check", old).code == 0
    monkeypatch.undo()
    backup = ran.out.rpartition(" is ")[2].strip()
    if "://" not in old:
        assert rows_of(backup) == before
    else:
        listed = subprocess.run([program("pg_restore"), "--list", backup], capture_output=True, text=True, check=True)
        assert "TABLE DATA" in listed.stdout


@pytest.mark.parametrize("fault", ["raise RuntimeError('x')", "op.execute('SELECT nonsense FROM nowhere')",
                                   "op.execute(\"UPDATE identity SET patient = 'nobody'\")"])  # fmt: skip
def test_a_step_that_fails_leaves_the_study_as_it_was(
    old: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    before = rows_of(old)
    plant(tmp_path, monkeypatch, fault)
    if "RuntimeError" in fault:  # a fault of ours is not dressed up, and the study is whole all the same
        with pytest.raises(RuntimeError):
            upgrading.upgrade_study(old)
    else:
        with pytest.raises(LesionmapError, match=r"could not be upgraded .*; it is as it was, and .* is a backup"):
            upgrading.upgrade_study(old)
    monkeypatch.undo()
    assert rows_of(old) == before


def test_a_server_without_pg_dump_is_not_upgraded_unless_a_backup_exists(
    postgresql: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = postgresql.new()
    make(where)
    plant(tmp_path, monkeypatch)
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = lesionmap("study", "upgrade", where)
    assert ran.code == 1
    assert "a backup comes before an upgrade, but pg_dump is not found here" in ran.line
    assert value(where, "SELECT value FROM meta WHERE name = 'schema'") == "1"
    assert lesionmap("study", "upgrade", where, "--backed-up").out == "the study has schema 2 now (it had 1)\n"


def test_all_steps_together_make_the_tables_of_a_new_study(where: str) -> None:
    with closing(Database.connect(where, create=True)) as database:
        with database.writing() as rows:
            upgrading.migrate(rows.connection, None)
        with database.reading() as rows:
            assert compare_metadata(MigrationContext.configure(rows.connection), tables.metadata) == []


def test_a_newer_study_is_not_upgraded(where: str) -> None:
    Study.open(where, create=True).close()
    with closing(Database.connect(where)) as database, database.writing() as rows:
        rows.connection.execute(text("UPDATE meta SET value = '7' WHERE name = 'schema'"))
    with pytest.raises(LesionmapError, match="was written by a newer lesionmap; update lesionmap"):
        upgrading.upgrade_study(where)
