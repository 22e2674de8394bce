"""The rotating backups of a study file: when they are made, what they hold, which are kept, and what stops them."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_case import lesionmap
from lesionmap.lesions import Lesion
from lesionmap.store import Study, backups
from lesionmap.visits import Patient, Visit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY = "2010-05-04"
TIBIA = Lesion("L1", ("tibia.distal_metaphysis.left",))
NOW = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)


class Clock:
    """Stands for the clock of the machine, as backups see it."""

    def __init__(self) -> None:
        self.now = NOW

    def days(self, n: float) -> None:
        self.now += timedelta(days=n)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()

    class Times(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Times:
            return cls.fromtimestamp(made.now.timestamp(), tz)

    monkeypatch.setattr(backups, "datetime", Times)
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    where = tmp_path / "s.lesionmap"
    with Study.open(where, create=True) as study:
        study.add_patient(Patient("P001", "M", date(2002, 5, 4)))
        study.add_visit(Visit("P001", date(2010, 5, 4)))
    with sqlite3.connect(where) as raw:
        raw.execute("UPDATE meta SET value = ? WHERE name = 'created'", (NOW.isoformat(),))
    raw.close()
    return where


def note(path: Path, clock: Clock, word: str) -> str:
    """Write a note into the study at the clock's time; give why there is no backup."""
    with Study.open(path) as study:
        old = study.lesion_map("P001", DAY, "anna")
        study.save(old, replace(old, lesions=(replace(TIBIA, note=word),)))
    at = clock.now.timestamp() + 1
    os.utime(path, (at, at))
    return study.backup_fault


def notes(path: Path) -> list[str]:
    """Give the note that each backup holds, oldest first."""
    found = []
    for backup in reversed(backups.list_backups(path).values()):
        with Study.open(backup) as study:
            found += [lesion.note for lesion in study.lesion_map("P001", DAY, "anna").lesions] or ["nothing"]
    return found


def test_the_first_change_of_a_day_is_preceded_by_a_backup(path: Path, clock: Clock) -> None:
    note(path, clock, "new")
    assert notes(path) == []  # the study is not a day old
    clock.days(1.1)
    note(path, clock, "second day")
    note(path, clock, "second day, later")
    assert notes(path) == ["new"]
    clock.days(5)
    with Study.open(path) as study:
        study.lesion_map("P001", DAY, "anna")
    assert notes(path) == ["new"]  # looking makes none
    note(path, clock, "seventh day")
    assert notes(path) == ["new", "second day, later"]
    assert sorted(one.name for one in path.parent.iterdir()) == ["s.lesionmap", "s.lesionmap.backups"]
    assert [one.name for one in backups.list_backups(path).values()] == [
        "2026-12-03T165400Z.lesionmap",
        "2026-11-28T165400Z.lesionmap",
    ]


def test_a_study_that_did_not_change_since_is_not_backed_up_again(path: Path, clock: Clock) -> None:
    clock.days(2)
    note(path, clock, "a")
    at = (clock.now - timedelta(days=1)).timestamp()
    os.utime(path, (at, at))
    clock.days(3)
    note(path, clock, "b")
    assert notes(path) == ["nothing"]


def test_a_clock_set_back_does_not_end_the_backups(path: Path, clock: Clock) -> None:
    clock.days(400)
    note(path, clock, "wrong year")
    clock.days(-398)
    os.utime(path, None)
    note(path, clock, "right year")
    assert notes(path) == ["wrong year", "nothing"]


@given(st.sets(st.integers(0, 24 * 400), max_size=60))
def test_seven_days_and_four_weeks_are_kept(hours: set[int]) -> None:
    times = {NOW + timedelta(hours=n) for n in hours}
    kept = backups.kept(times)
    assert kept <= times
    assert len(kept) <= 11
    assert not times or max(times) in kept
    days = sorted({time.date() for time in times}, reverse=True)[:7]
    weeks = sorted({time.isocalendar()[:2] for time in times}, reverse=True)[:4]
    assert set(days) <= {time.date() for time in kept}
    assert set(weeks) <= {time.isocalendar()[:2] for time in kept}
    assert backups.kept(kept) == kept


def test_older_backups_go_and_other_files_stay(path: Path, clock: Clock) -> None:
    folder = backups.folder_of(path)
    folder.mkdir()
    (folder / "mine.txt").touch()
    (folder / ".2026-01-01T000000Z.lesionmap.77.part").touch()
    os.utime(folder / ".2026-01-01T000000Z.lesionmap.77.part", (0, 0))
    for n in range(40):
        clock.days(1.01)
        note(path, clock, str(n))
    # At the 40th writing: days 33 to 39 of the notes, and the last one of each of three weeks before.
    assert notes(path)[-7:] == [str(n) for n in range(32, 39)]
    assert 9 <= len(notes(path)) <= 11
    assert sorted(one.name for one in folder.iterdir() if "Z.lesionmap" not in one.name) == ["mine.txt"]


@pytest.mark.parametrize("trouble", ["full", "a file in the way"])
def test_a_backup_that_fails_does_not_stop_the_work(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    if trouble == "full":
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect

        def small(where: object, **options: object) -> sqlite3.Connection:
            made = connect(where, **options)
            if str(where).endswith(".part"):
                made.execute("PRAGMA max_page_count = 3")
            return made

        monkeypatch.setattr(sqlite3, "connect", small)
    else:
        backups.folder_of(path).touch()
    clock.days(2)
    said = note(path, clock, "written")
    assert said.startswith("no backup could be made (")
    assert said.endswith("; the study itself is as it should be: check the disk and the permissions of its folder")
    with Study.open(path) as study:
        assert study.lesion_map("P001", DAY, "anna").lesion("L1").note == "written"
    if trouble == "full":
        assert list(backups.folder_of(path).iterdir()) == []


def test_a_verb_says_that_there_is_no_backup(path: Path, clock: Clock, tmp_path: Path) -> None:
    backups.folder_of(path).touch()
    clock.days(2)
    rows = tmp_path / "t.csv"
    rows.write_text("drug,start,end\nnaproxen,2009-05-20,\n", encoding="utf-8")
    ran = lesionmap("clinic", path, "P001", "--treatments", rows)
    assert ran.code == 0  # what was asked is done
    assert ran.err.startswith("lesionmap: no backup could be made (")
    assert str(tmp_path) not in ran.err
    assert "no backup" not in lesionmap("clinic", path, "P001").err  # nothing was written


def test_check_says_whether_the_newest_backup_can_be_used(path: Path, clock: Clock) -> None:
    clock.days(2)
    note(path, clock, "a")
    ran = lesionmap("study", "check", path)
    assert (ran.code, ran.err) == (0, "")
    assert "the newest backup is of 2026-11-29" in ran.out
    (backup,) = backups.list_backups(path).values()
    backup.write_bytes(backup.read_bytes()[:5000])
    assert "the newest backup, of 2026-11-29, cannot be used" in lesionmap("study", "check", path).out
