"""Studies copied between files and servers, and checked: nothing is lost on the way, and no damage is overlooked."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from hashlib import sha256
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from cli_case import lesionmap
from lesionmap.errors import LesionmapError
from lesionmap.store import Study, tables
from lesionmap.store.copying import copy_study, fingerprint
from rich_study import DAY, make

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Connection

    from postgresql import Cluster


def rows_of(where: str) -> dict[str, list[tuple[Any, ...]]]:
    """Give every row of every table, as Python sorts them."""
    with Study.open(where) as study, study._database.reading() as rows:
        return {
            table.name: sorted((tuple(row) for row in rows.connection.execute(select(table))), key=repr)
            for table in tables.metadata.sorted_tables
        }


def harm(where: str, *statements: str) -> None:
    """Do what lesionmap never does."""
    with Study.open(where) as study, study._database.writing() as rows:
        for statement in statements:
            rows.connection.execute(text(statement))


# Copy


def test_a_study_comes_back_from_a_server_equal_to_the_last_row(tmp_path: Path, postgresql: Cluster) -> None:
    places = [str(tmp_path / "a.lesionmap"), postgresql.new(), str(tmp_path / "b.lesionmap")]
    make(places[0])
    before = rows_of(places[0])
    assert {table: len(rows) for table, rows in before.items()} == {
        "edit": 20, "identity": 1, "meta": 4, "patient": 2, "visit": 3
    }  # fmt: skip
    for source, target in pairwise(places):
        ran = lesionmap("study", "copy", source, target)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith("copied 30 rows; both studies are equal (fingerprint ")
    assert rows_of(places[1]) == rows_of(places[2]) == before
    with Study.open(places[2]) as last, Study.open(places[0]) as first:
        assert last.secret("x") == first.secret("x")
        assert last.pseudonym("Hospital:4711") == "P001"
        assert last.history("P001", DAY, "anna") == first.history("P001", DAY, "anna")
        assert last.redo("P001", DAY, "anna").signed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.lesionmap", "b.lesionmap"]


def test_a_target_that_holds_something_is_left_alone(place: Callable[[], str], tmp_path: Path) -> None:
    source, target = str(tmp_path / "a.lesionmap"), place()
    make(source)
    Study.open(target, create=True).close()
    before = rows_of(target)
    ran = lesionmap("study", "copy", source, target)
    assert ran.code == 1
    assert "is copied to a new file or an empty database, but" in ran.line
    assert "holds something; name another" in ran.line
    assert rows_of(target) == before


def test_what_arrives_otherwise_is_not_kept(
    place: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = str(tmp_path / "a.lesionmap"), place()
    make(source)

    def spoilt(connection: Connection) -> object:
        connection.execute(text("UPDATE visit SET stature_cm = 131.70000000000002 WHERE stature_cm IS NOT NULL"))
        return fingerprint(connection)

    monkeypatch.setattr("lesionmap.store.copying.fingerprint", spoilt)
    with pytest.raises(LesionmapError, match="is not what was sent; nothing was kept: copy it again"):
        copy_study(source, target)
    with pytest.raises(LesionmapError, match=r"there is no study|has none of its tables"):
        Study.open(target)


# Check


@pytest.fixture
def study(where: str, tmp_path: Path) -> str:
    image = tmp_path / "image.nii"
    image.write_bytes(b"pixels")
    make(where, str(image), sha256(b"pixels").hexdigest())
    return where


def faults(where: str, *options: str) -> list[str]:
    ran = lesionmap("study", "check", where, *options)
    found = [line.removeprefix("fault: ") for line in ran.err.splitlines()]
    assert ran.code == (1 if found else 0), ran.err
    return found


def test_a_sound_study_has_no_faults(study: str) -> None:
    ran = lesionmap("study", "check", study, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == {"n_edits": 20, "n_images": 1, "repaired": "", "faults": [], "notes": []}


def test_images_that_changed_are_faults_and_missing_ones_are_not(study: str, tmp_path: Path) -> None:
    (tmp_path / "image.nii").write_bytes(b"others")
    assert faults(study) == [f"another file lies at {tmp_path}/image.nii than when it was read; re-link the images"]
    assert faults(study, "--no-images") == []
    (tmp_path / "image.nii").unlink()
    ran = lesionmap("study", "check", study)
    assert ran.code == 0
    assert f"an image or label map is not at {tmp_path}/image.nii, or cannot be read there" in ran.out
    assert "20 edits and 0 image files checked: no faults" in ran.out


@pytest.mark.parametrize(
    ("change", "numbers", "said"),
    [
        ("DELETE", "2", "edit 3 of visit 2010-05-04 of P001: its number should be 2"),
        ("step = 2", "3", "it belongs to step 2, which is not there"),
        ("undoes = 77", "6", "it undoes step 77, which is not there"),
        ("time = 'noon'", "1", "its time cannot be read"),
        ("what = 'suv/3'", "1", "it is about 'suv', which this lesionmap does not know"),
        ("what = 'lesion/L9'", "1", "it holds the value of another lesion"),
        (
            "value = substr(value, 1, 90)",
            "1",
            "a stored Lesion is damaged (JSONDecodeError); take the study",
        ),
        ("value = replace(value, '[0,0,0]', '[1,0,0]')", "1", "edit 1 of visit 2010-05-04 of P001: a stored Lesion is"),
        ("map = 'P001/2010-05-05/anna'", "n", "edits of visit 2010-05-05 of P001, which is not there"),
    ],
)
def test_each_damage_is_told(study: str, change: str, numbers: str, said: str) -> None:
    act = "DELETE FROM edit" if change == "DELETE" else f"UPDATE edit SET {change}"  # noqa: S608
    harm(study, f"{act} WHERE map = 'P001/{DAY}/anna' AND n = {numbers}")
    found = faults(study)
    assert any(said in line for line in found), found
    assert not any("anna" in line for line in found)


def test_a_visit_whose_series_cannot_be_read_is_told(study: str) -> None:
    harm(study, "UPDATE visit SET series = '[{}]' WHERE stature_cm > 0")
    (found,) = faults(study)
    assert found.startswith("visit 2010-05-04 of P001: a stored")


def test_an_index_that_lost_rows_is_found_and_made_anew(tmp_path: Path) -> None:
    where = tmp_path / "s.lesionmap"
    make(str(where))
    with closing(sqlite3.connect(where, isolation_level=None)) as raw:
        whole = raw.execute("SELECT sql FROM sqlite_master WHERE name = 'edit_by_what'").fetchone()[0]
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'edit_by_what'", (f"{whole} WHERE n < 0",))
        raw.execute("PRAGMA writable_schema = RESET")
        raw.execute("REINDEX edit_by_what")
        raw.execute("PRAGMA writable_schema = ON")
        raw.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'edit_by_what'", (whole,))
    before = rows_of(str(where))
    assert any("missing from index edit_by_what" in line for line in faults(str(where)))
    ran = lesionmap("study", "check", where, "--repair")
    assert (ran.code, ran.err) == (0, "")
    assert "the indexes were made anew; s.lesionmap.backup-repair-" in ran.out
    assert rows_of(str(where)) == before
    (kept,) = tmp_path.glob("s.lesionmap.backup-repair-*")
    assert rows_of(str(kept)) == before


def test_a_server_makes_its_indexes_anew_for_the_keeper(postgresql: Cluster) -> None:
    where = postgresql.new()
    make(where)
    ran = lesionmap("study", "check", where, "--repair")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("the indexes were made anew\n")


def test_a_stray_visit_is_found(tmp_path: Path) -> None:
    where = tmp_path / "s.lesionmap"
    make(str(where))
    with closing(sqlite3.connect(where)) as raw, raw:
        raw.execute("DELETE FROM patient WHERE id = 'Anna'")
    assert faults(str(where)) == ["a visit or a hash belongs to patient Anna, who is not there"]
