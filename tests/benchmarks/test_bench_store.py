"""Open a study and save an edit, against the bare sqlite3 module of Python with the same file settings."""

from __future__ import annotations

import sqlite3
import statistics
import time
from contextlib import closing
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lesionmap.lesions import Extent, Lesion, LesionMap, Mask
from lesionmap.space import Grid
from lesionmap.store import Study, plain
from lesionmap.visits import Patient, Visit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from figures import Ratio

DAY = "2010-05-04"
_REPEATS = 30
_EDITS = 300


def median_s(call: Callable[[], object]) -> float:
    times = []
    for _ in range(_REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def ball(radius: int) -> Mask:
    """Give a ball of that many voxels radius in a whole-body grid, about 20 mL at radius 10."""
    matrix = np.array([[0, 0, 6.0, -90], [1.3, 0, 0, -250], [0, -1.4, 0, 900], [0, 0, 0, 1]])
    index = np.argwhere(np.ones((2 * radius + 1,) * 3)) - radius
    return Mask.of_voxels(
        index[np.linalg.norm(index, axis=1) <= radius] + [200, 500, 15], Grid((384, 1300, 40), matrix)
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A patient with a map of 10 lesions on two series each, and a history of some hundred edits."""
    where = tmp_path_factory.mktemp("bench") / "s.lesionmap"
    with Study.open(where, create=True) as study:
        study.add_patient(Patient("P001", "M", date(2002, 5, 4)))
        study.add_visit(Visit("P001", date(2010, 5, 4)))
        now = study.lesion_map("P001", DAY, "anna")
        extents = tuple(Extent(name, ball(10)) for name in ("STIR coronal", "T1 coronal"))
        new = replace(now, lesions=tuple(Lesion(f"L{n}", ("rib_7.whole.left",), extents=extents) for n in range(1, 11)))
        study.save(now, new)
        for number in range(_EDITS):
            now, new = new, edited(new, number)
            study.save(now, new)
    return where


def edited(lesion_map: LesionMap, number: int) -> LesionMap:
    """Give the map with another note on one of its lesions."""
    at = number % len(lesion_map.lesions)
    lesion = replace(lesion_map.lesions[at], note=f"edit {number}")
    return replace(lesion_map, lesions=(*lesion_map.lesions[:at], lesion, *lesion_map.lesions[at + 1 :]))


def test_open_study(path: Path, ratio: Ratio) -> None:
    def ours() -> None:
        Study.open(path).close()

    def bare() -> None:
        with closing(sqlite3.connect(path)) as raw:
            raw.execute("SELECT value FROM meta").fetchall()

    ours()  # SQLAlchemy is imported here
    ratio("open a study", median_s(ours), median_s(bare), "sqlite3")


def test_save_an_edit(path: Path, ratio: Ratio) -> None:
    with Study.open(path) as study:
        state = [study.lesion_map("P001", DAY, "anna")]
        rows = len(study.history("P001", DAY, "anna"))

        def ours() -> None:
            new = edited(state[-1], len(state))
            study.save(state[-1], new)
            state.append(new)

        ours_s = median_s(ours)
        assert len(study.history("P001", DAY, "anna")) == rows + _REPEATS  # one row an edit
    text = plain.dumps(state[-1].lesions[0], Lesion)
    with closing(sqlite3.connect(path.with_name("bare.db"))) as raw:
        raw.execute("PRAGMA journal_mode=WAL")
        raw.execute("PRAGMA synchronous=FULL")
        raw.execute("CREATE TABLE edit (n INTEGER PRIMARY KEY, value TEXT)")

        def bare() -> None:
            with raw:
                raw.execute("INSERT INTO edit (value) VALUES (?)", (text,))

        ratio("save an edit (mask of 4169 voxels, twice)", ours_s, median_s(bare), "sqlite3, one row")


def test_read_a_lesion_map(path: Path, ratio: Ratio) -> None:
    with Study.open(path) as study, closing(sqlite3.connect(path)) as raw:
        query = "SELECT what, max(n), value FROM edit WHERE map = ? GROUP BY what"
        ours_s = median_s(lambda: study.lesion_map("P001", DAY, "anna"))
        bare_s = median_s(lambda: raw.execute(query, (f"P001/{DAY}/anna",)).fetchall())
        ratio("read a lesion map (10 lesions, 20 masks)", ours_s, bare_s, "sqlite3, text only")
