"""A whole study checked: the database itself, every edit, every mask, the images and label maps, the last backup."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Answer, Lesion
from lesionmap.skeleton.placement import Placement
from lesionmap.store import backups, checks, history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from sqlalchemy import RowMapping

    from lesionmap.store.database import Database
    from lesionmap.store.rows import Rows

__all__ = ["Checked", "check_study", "repair_study"]


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found."""

    n_edits: int
    """Edits that were read, all of them."""
    n_images: int
    """Image and label-map files that are as they were when they were read."""
    faults: tuple[str, ...]
    """What is wrong, a line each."""
    notes: tuple[str, ...]
    """What is worth knowing and no fault: images that are not at their place, an old backup."""


def check_study(where: str, *, images: bool = True, told: Callable[[int, int], None] | None = None) -> Checked:
    """Check a study; nothing is changed.

    Parameters
    ----------
    where : str
        File or address.
    images : bool
        Compare the image and label-map files with the hashes that were taken when they were read; all of each is read.
    told : callable, optional
        Takes how many files are done, and of how many.
    """
    from lesionmap.store.database import Database

    with closing(Database.open(where, create=False)) as database:
        faults, notes = list(_of_database(database)), list(_of_backup(database.path))
        files: dict[str, str] = {}
        edits: list[int] = []
        try:
            with database.reading() as rows:
                faults += [f"a visit or a hash belongs to patient {stray}, who is not there" for stray in rows.strays()]
                known = _maps(rows, faults, files)
                edits += _of_edits(rows.all_edits(), known, files, faults)
        except LesionmapError as error:  # damage may end the reading; what was found before is told too
            faults.append(str(error))
        n_good = 0
        for number, (path, expected) in enumerate(files.items() if images else (), start=1):
            good, note, fault = _of_file(path, expected)
            n_good += good
            notes += [note] * bool(note)
            faults += [fault] * bool(fault)
            if told is not None:
                told(number, len(files))
    return Checked(sum(edits), n_good, tuple(faults), tuple(notes))


def repair_study(where: str) -> str:
    """Do what is safe: make the indexes anew and, in a file, write its log back; say what was done.

    No edit is ever changed. A study file is backed up first.

    Raises
    ------
    LesionmapError
        If no backup can be made, the user of a server does not own the tables, or two edits have one number.
    """
    from lesionmap.store import sqlite
    from lesionmap.store.database import Database, TakenError

    done = "the indexes were made anew"
    with closing(Database.open(where, create=False)) as database:
        if database.path is not None and not database.why_read_only:
            with closing(sqlite.connect(database.path)) as source:
                kept = backups.aside(source, database.path, "repair")
            done += f"; {kept.name} is the study as it was"
        try:
            with database.writing() as rows:
                rows.reindex()
        except TakenError:
            raise LesionmapError(
                f"two rows of the study {database.name} have one key, which cannot be repaired; take it from a backup"
            ) from None
        if database.path is not None:
            with closing(sqlite.connect(database.path)) as raw:
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return done


def _of_database(database: Database) -> Iterator[str]:
    if database.path is None:
        return  # a server watches its keys itself
    from lesionmap.store import sqlite

    with closing(sqlite.connect(database.path, bool(database.why_read_only))) as raw:
        try:
            lines = [str(line) for (line,) in raw.execute("PRAGMA integrity_check(20)")]
        except sqlite3.Error as error:
            lines = [str(error)]
    yield from (f"the file is damaged: {' '.join(line.split())}" for line in lines if line != "ok")


def _of_backup(path: Path | None) -> Iterator[str]:
    found = {} if path is None else backups.list_backups(path)
    if not found:
        return
    time, newest = next(iter(found.items()))
    try:
        with closing(sqlite3.connect(f"{newest.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as raw:
            (word,) = raw.execute("PRAGMA quick_check(1)").fetchone()
            raw.execute("SELECT count(*) FROM edit").fetchone()
    except sqlite3.Error as error:
        word = str(error)
    if word != "ok":
        yield f"the newest backup, of {time.date()}, cannot be used ({word}); remove it, another is made the next time"
    else:
        yield f"the newest backup is of {time.date()}"


def _maps(rows: Rows, faults: list[str], files: dict[str, str]) -> set[str]:
    """Give the beginnings of the keys of maps that may be there; check the visits and collect their files."""
    known = {checks.map_key(rows, None, None)}
    for patient in rows.patients():
        known.add(f"{patient.id}/clinic")
        for key, visit in _visits(rows, patient.id, faults):
            known.add(key)
            for series in visit.series if visit else ():
                files.update({file.path: file.sha256 for station in series.stations for file in station.files})
    return known


def _visits(rows: Rows, patient: str, faults: list[str]) -> Iterator[tuple[str, Any]]:
    for key in rows.visit_keys(patient):
        visit = None
        try:
            (visit,) = rows.visits(patient, key)
        except LesionmapError as error:
            faults.append(f"visit {key} of {patient}: {error}")
        yield f"{patient}/{key}", visit


def _of_edits(edits: Iterable[RowMapping], known: set[str], files: dict[str, str], faults: list[str]) -> Iterator[int]:
    """Check the edits, map by map; give their numbers, note faults, collect the label maps that count now."""
    for key, rows in groupby(edits, key=lambda row: row["map"]):
        n, steps, labels = 0, set[int](), None
        if "/".join(key.split("/")[:2]) not in known:
            faults.append(f"edits of {_name(key)}, which is not there")
        for n, row in enumerate(rows, start=1):
            wrong = _of_numbers(row, n, steps)
            value, unread = _value(row)
            faults.extend(f"edit {row['n']} of {_name(key)}: {words}" for words in (wrong, unread) if words)
            if isinstance(value, Placement):
                labels = value.labels
        if labels is not None:
            files[labels.path] = labels.sha256
        yield n


def _name(key: str) -> str:
    """Name a map by patient and visit; a reader is not named."""
    patient, _, rest = key.partition("/")
    if not patient:
        return "the whole study"
    return f"the clinic's facts of {patient}" if rest == "clinic" else f"visit {rest.partition('/')[0]} of {patient}"


def _of_numbers(row: RowMapping, n: int, steps: set[int]) -> str:
    """Say what is wrong with an edit's numbers: they run on from 1, and a step is the number of its first edit."""
    first = row["step"] == row["n"]
    known = row["step"] in steps
    if first:
        steps.add(row["n"])
    if row["n"] != n:
        return f"its number should be {n}"
    if not (first or known):
        return f"it belongs to step {row['step']}, which is not there"
    if row["undoes"] is not None and (row["undoes"] not in steps or row["undoes"] >= row["step"]):
        return f"it undoes step {row['undoes']}, which is not there"
    try:
        datetime.fromisoformat(row["time"])
    except ValueError:
        return "its time cannot be read"
    return ""


def _value(row: RowMapping) -> tuple[object, str]:
    """Read an edit's value, masks too: they fill their box and lie in their grid."""
    what = row["what"]
    try:
        value = history.read_value(what, row["value"])
        checks.reader_name(row["reader"])
    except KeyError:
        return None, f"it is about {what.partition('/')[0]!r}, which this lesionmap does not know"
    except LesionmapError as error:
        return None, str(error)
    own = {Lesion: "id", Answer: "track"}.get(type(value))
    if own and what.partition("/")[2] != getattr(value, own):
        return value, f"it holds the value of another {'lesion' if own == 'id' else 'track'}"
    return value, ""


def _of_file(path: str, expected: str) -> tuple[bool, str, str]:
    """Say whether a file is as it was, and the note or the fault if it is not."""
    from lesionmap.read.files import sha256_of

    try:
        found = sha256_of(path)
    except (LesionmapError, OSError):
        return False, f"an image or label map is not at {path}, or cannot be read there", ""
    if expected and found != expected:
        return False, "", f"another file lies at {path} than when it was read; re-link the images"
    return bool(expected), "", ""
