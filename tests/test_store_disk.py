"""Study on the disk: what is no study, read-only disks, network drives, claims, and kill -9."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Lesion
from lesionmap.store import Study, disk
from lesionmap.visits import Patient, Visit

if TYPE_CHECKING:
    from collections.abc import Callable


DAY = "2010-05-04"
TIBIA = Lesion("L1", ("tibia.distal_metaphysis.left",), tracks=("2.25.7",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    where = tmp_path / "s.lesionmap"
    make(where)
    return where


def make(where: Path) -> None:
    with Study.open(where, create=True) as study:
        study.add_patient(Patient("P001", "M", date(2002, 5, 4)))
        study.add_visit(Visit("P001", date(2010, 5, 4)))
        empty = study.lesion_map("P001", DAY, "anna")
        study.save(empty, replace(empty, lesions=(TIBIA,)))


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def refused(where: Path, words: str, *, create: bool = False) -> None:
    """Opening is refused in one line with these words, and nothing is written beside or into the file."""
    before = content(where.parent) if where.parent.is_dir() else {}
    with pytest.raises(LesionmapError, match=words) as caught:
        Study.open(where, create)
    assert "\n" not in str(caught.value)
    assert (content(where.parent) if where.parent.is_dir() else {}) == before


def test_what_is_no_study_is_refused_and_left_alone(tmp_path: Path) -> None:
    refused(tmp_path / "none.lesionmap", r"there is no study .*none\.lesionmap; make one with 'lesionmap import")
    refused(tmp_path / "no" / "folder.lesionmap", r"a new study needs a folder, but .*no is none; make it", create=True)
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", "a study is a file, but .*folder is a folder or a device", create=True)
    (tmp_path / "image.dcm").write_bytes(bytes(128) + b"DICM" + bytes(99))
    refused(tmp_path / "image.dcm", r"image\.dcm is not a lesionmap study \(no SQLite database\)", create=True)
    (tmp_path / "empty").touch()
    refused(tmp_path / "empty", r"empty is not a lesionmap study \(it is empty\)")
    with closing(sqlite3.connect(tmp_path / "other.db")) as other:
        other.execute("CREATE TABLE songs (title)")
    refused(tmp_path / "other.db", r"other\.db is not a lesionmap study \(it has none of its tables\)", create=True)


def test_a_study_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE meta SET value = '2' WHERE name = 'schema'")
    refused(path, r"s\.lesionmap was written by a newer lesionmap \(schema 2, this one reads up to 1\); update lesion")


def test_a_damaged_study_is_refused_in_a_line(path: Path) -> None:
    whole = path.read_bytes()
    damaged = whole[:100] + b"\xa5" * 4000 + whole[4100:]
    path.write_bytes(damaged)
    with pytest.raises(LesionmapError, match=r"the study s\.lesionmap is damaged; take it from a backup") as caught:
        Study.open(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == damaged


def test_an_address_that_is_none_or_has_no_driver_is_refused_without_its_password() -> None:
    for url in ("nonsense://anna:secret@host/db", "postgresql://anna:secret@"):
        with pytest.raises(LesionmapError) as caught:
            Study.open(url)
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(LesionmapError, match="a study is a file or an address like postgresql://user@host/name"):
        Study.open("nonsense://host/db")


def test_a_study_is_made_in_an_empty_file_and_opened_by_url(tmp_path: Path) -> None:
    """An empty file is what a crash at the very start leaves."""
    (tmp_path / "s").touch()
    Study.open(tmp_path / "s", create=True).close()
    with Study.open(f"sqlite:///{tmp_path / 's'}") as study:
        assert study.patients() == ()
    assert sorted(content(tmp_path)) == ["s"]


def test_names_of_files_with_marks_of_urls_are_kept(tmp_path: Path) -> None:
    where = tmp_path / "50% of?mode=memory #1 é.lesionmap"
    make(where)
    with Study.open(where) as study:
        assert study.readers("P001") == ("anna",)
    assert sorted(content(tmp_path)) == [where.name]


def test_the_file_is_in_wal_mode_with_full_synchronisation_and_foreign_keys(path: Path) -> None:
    with Study.open(path) as study, study._database.reading() as rows:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
            assert rows.connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value


def test_importing_the_store_loads_no_database() -> None:
    code = "import sys, lesionmap.store; sys.exit('sqlalchemy' in sys.modules or 'cattrs' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# Read-only


def as_nobody(call: Callable[[], list[str]]) -> list[str]:
    """Run in a child process that a read-only folder stops, as it does not stop root."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgid(65534)
                os.setuid(65534)
            os.write(theirs, "\n".join(call()).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, encoding="utf-8") as pipe:
        lines = pipe.read().splitlines()
    os.waitpid(child, 0)
    return lines


def look_and_try(where: Path) -> list[str]:
    with Study.open(where) as study:
        found = study.lesion_map("P001", DAY, "anna")
        claim = study.claim("P001", DAY, "anna")
        lines = [f"{study.read_only} {claim.held} {claim.why} {[lesion.id for lesion in found.lesions]}"]
        with pytest.raises(LesionmapError) as caught:
            study.save(found, replace(found, lesions=()))
    with pytest.raises(LesionmapError) as none_made:
        Study.open(where.with_name("new"), create=True)
    return [*lines, str(caught.value), str(none_made.value)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows folders are not read-only")
def test_a_study_in_a_read_only_folder_can_be_read() -> None:
    folder = Path(tempfile.mkdtemp())  # tmp_path is closed to others
    try:
        make(folder / "s.lesionmap")
        before = content(folder)
        folder.chmod(0o555)
        (folder / "s.lesionmap").chmod(0o444)
        lines = as_nobody(lambda: look_and_try(folder / "s.lesionmap"))
        assert content(folder) == before
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)
    assert lines[0] == "True False the study is read-only ['L1']"
    assert "s.lesionmap is on a read-only disk or folder and cannot be changed; copy it to a disk" in lines[1]
    assert re.search("a new study cannot be made in .*, which is read-only; choose another folder", lines[2])


def test_a_read_only_disk_with_a_log_beside_the_study_shows_its_edits(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A study copied while it was open: the edits of the log must not be missing."""
    copy = tmp_path / "copy"
    copy.mkdir()
    with Study.open(path) as study:
        old = study.lesion_map("P001", DAY, "anna")
        study.save(old, replace(old, lesions=(replace(TIBIA, note="late"),)))
        for file in tmp_path.glob("s.lesionmap*"):
            shutil.copy(file, copy)
    monkeypatch.setattr(disk, "writable", lambda _: False)
    with Study.open(copy / "s.lesionmap") as study:
        assert study.read_only
        assert study.lesion_map("P001", DAY, "anna").lesion("L1").note == "late"
        with pytest.raises(LesionmapError, match="on a read-only disk or folder and cannot be changed"):
            study.add_patient(Patient("P002"))


def test_a_full_disk_loses_nothing_and_says_so(path: Path) -> None:
    with Study.open(path) as study:
        old = study.lesion_map("P001", DAY, "anna")
        with study._database.reading() as rows:
            pages = rows.connection.exec_driver_sql("PRAGMA page_count").scalar()
        with study._database.reading() as rows:
            rows.connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LesionmapError, match="could not be written because the disk is full; free some space"):
            study.save(old, replace(old, lesions=(replace(TIBIA, note="x" * 10**6),)))
        assert study.lesion_map("P001", DAY, "anna") == old


def test_a_file_locked_by_another_program_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **kw: connect(*a, **{**kw, "timeout": 0.05}))
    with Study.open(path) as study, closing(connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LesionmapError, match="is being written by another program; try again"):
            study.add_patient(Patient("P002"))
        other.execute("ROLLBACK")
        study.add_patient(Patient("P002"))


# Network drives

_MOUNTS = r"""
proc /proc proc rw 0 0
/dev/sda1 / ext4 rw,relatime 0 0
nas:/export /mnt/nas nfs4 rw,vers=4.2 0 0
//server/x /mnt/my\040share cifs rw 0 0
/dev/sdb1 /mnt/nas/local xfs rw 0 0
anna@host: /home/anna/far fuse.sshfs rw 0 0
/dev/sdc1 /over ext4 rw 0 0
nas:/over /over nfs rw 0 0
short line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/anna/s.lesionmap", None),
        ("/mnt/nas/s.lesionmap", "nfs4"),
        ("/mnt/nas2/s.lesionmap", None),
        ("/mnt/nas/local/s.lesionmap", None),
        ("/mnt/my share/deep/er/s.lesionmap", "cifs"),
        ("/home/anna/far/s.lesionmap", "fuse.sshfs"),
        ("/over/s.lesionmap", "nfs"),
    ],
)
def test_network_drives_are_known_by_the_deepest_mount(path: str, kind: str | None) -> None:
    assert disk.network_drive(Path(path), _MOUNTS) == kind


def test_a_study_on_a_network_drive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "network_drive", lambda *_: "nfs4")
    refused(tmp_path / "s", r"must lie on a local disk, but .* is on a network drive \(nfs4\).*PostgreSQL", create=True)
