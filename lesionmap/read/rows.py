"""The small CSV files that a reader or a script writes by hand: landmarks, points, markers, sites."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Certainty, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = [
    "MarkRow",
    "numbered_rows",
    "read_landmarks",
    "read_markers",
    "read_points",
    "read_reading",
    "read_rows",
    "read_sites",
]

_XYZ = ("x_lps_mm", "y_lps_mm", "z_lps_mm")
_OPTIONAL = ("site", "certainty", "track", "answer", "note", "series")
_FARTHEST_MM = 1e6
_LONGEST_BODY_MM = 3000.0


@dataclass(frozen=True, slots=True)
class MarkRow:
    """One row of ``markers.csv`` or ``sites.csv``: a lesion, or the answer for a track that is not marked."""

    id: str
    """As the file has it; the row's number in a file of sites."""
    lps_mm: tuple[float, float, float] | None = None
    """Where the marker is, LPS mm; None for a row of sites."""
    site: str = ""
    """Site or group of sites; empty: to be proposed."""
    certainty: Certainty = "definite"
    track: str = ""
    """Tracking UID; empty: a new one."""
    answer: Verdict | None = None
    note: str = ""
    series: str = ""
    """Name of the Series that was clicked; empty: found by the place."""


def read_rows(path: str | Path, needed: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file with a heading into one dict a row, cells stripped, missing cells empty.

    Parameters
    ----------
    path : str or Path
        UTF-8, with or without a byte order mark; empty lines are skipped, capitals in the heading do not matter.
    needed : sequence of str
        Columns that must be there; others may be.

    Raises
    ------
    LesionmapError
        If it is not such a file, a column is missing, twice or misspelt, a row has too many cells, or there is none.
    """
    return [row for _, row in numbered_rows(path, needed, _OPTIONAL)]


def numbered_rows(path: str | Path, needed: Sequence[str], optional: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Read as ``read_rows`` does, each row with its line; ``optional``: further columns that are known."""
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = [[cell.strip() for cell in line] for line in csv.reader(stream, strict=True)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise LesionmapError(f"{path}: a CSV file in UTF-8 was expected ({error})") from error
    except OSError as error:
        raise LesionmapError(f"{path} cannot be read ({error.strerror})") from error
    filled = [(n, line) for n, line in enumerate(lines, start=1) if any(line)]
    heading = [name.casefold() for name in filled[0][1]] if filled else []
    _check_heading(heading, needed, optional, path)
    rows = []
    for n, line in filled[1:]:
        if any(line[len(heading) :]):
            raise LesionmapError(
                f"{path}: {len(heading)} cells were expected in line {n}, as in the heading, got {len(line)}; "
                'put a cell that holds a comma into double quotes ("a, b")'
            )
        cells = line + [""] * (len(heading) - len(line))
        rows.append((n, dict(zip(heading, cells, strict=False))))
    if not rows:
        raise LesionmapError(f"{path}: at least one row under the heading was expected, got none")
    return rows


def _check_heading(heading: Sequence[str], needed: Sequence[str], optional: Sequence[str], path: Path) -> None:
    """Refuse a heading that lacks a column, has one twice, or has one that is only nearly right."""
    missing = [name for name in needed if name not in heading]
    if missing:
        hint = "; separate the cells by commas, not semicolons" if ";" in "".join(heading) else ""
        raise LesionmapError(
            f"{path}: columns {','.join(needed)} were expected, {', '.join(missing)} missing; "
            f"the first line reads {','.join(heading) or 'nothing'!r}{hint}"
        )
    known = (*needed, *optional)
    for name in heading:
        if name and list(heading).count(name) > 1:
            raise LesionmapError(f"{path}: column {name!r} occurs twice; each may stand once")
        near = [] if name in known else get_close_matches(name, known, n=1, cutoff=0.8)
        if near:
            raise LesionmapError(f"{path}: column {name!r} is not known; {near[0]!r} is; correct the heading")


def _xyz(row: Mapping[str, str], path: str | Path, who: str, *, flat: bool = False) -> tuple[float, float, float]:
    """Read a place; ``flat``: one on a planar view may leave its depth (y) empty, which is NaN then."""
    values = []
    for name in _XYZ:
        if flat and name == _XYZ[1] and not row[name]:
            values.append(math.nan)
            continue
        try:
            value = float(row[name])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise LesionmapError(f"{path}: {name} of {who} must be a number in mm, got {row[name]!r}")
        if abs(value) > _FARTHEST_MM:
            raise LesionmapError(f"{path}: {name} of {who} must lie within a kilometre (1e6 mm), got {row[name]!r}")
        values.append(value)
    x, y, z = values
    return x, y, z


def _once(names: Sequence[str], path: str | Path, column: str) -> None:
    seen: set[str] = set()
    for name in names:
        if not name:
            raise LesionmapError(f"{path}: a row has an empty {column}; each row needs one")
        if name in seen:
            raise LesionmapError(f"{path}: {column} {name!r} occurs twice; each may stand once")
        seen.add(name)


def read_landmarks(path: str | Path, *, flat: bool = False) -> dict[str, tuple[float, float, float]]:
    """Read ``name,x_lps_mm,y_lps_mm,z_lps_mm``: name → LPS mm, in the order of the file.

    With ``flat`` they are on planar views, and y may be empty: NaN.
    """
    rows = read_rows(path, ("name", *_XYZ))
    _once([row["name"] for row in rows], path, "name")
    landmarks = {row["name"]: _xyz(row, path, row["name"], flat=flat) for row in rows}
    _check_body(landmarks, path)
    return landmarks


def _check_body(landmarks: Mapping[str, tuple[float, float, float]], path: str | Path) -> None:
    """Refuse landmarks that are no body in mm; which way it lies, and its sides, are placing's to judge."""
    places = np.array(list(landmarks.values()))
    longest = float(np.linalg.norm(np.ptp(np.nan_to_num(places), axis=0)))
    if longest > _LONGEST_BODY_MM:
        raise LesionmapError(
            f"{path}: landmarks of one body in mm were expected, these span {longest:,.0f} mm; "
            "check the unit and the decimal points"
        )


def read_points(path: str | Path, *, flat: bool = False) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Read ``id,x_lps_mm,y_lps_mm,z_lps_mm``: the ids, and LPS mm of shape (n, 3); ``flat``: y may be empty, NaN."""
    rows = read_rows(path, ("id", *_XYZ))
    _once([row["id"] for row in rows], path, "id")
    places = [_xyz(row, path, f"point {row['id']!r}", flat=flat) for row in rows]
    return tuple(row["id"] for row in rows), np.array(places)


def _certainty(row: Mapping[str, str], path: str | Path) -> Certainty:
    text = row.get("certainty") or "definite"
    for known in get_args(Certainty):
        if text == known:
            return known  # type: ignore[no-any-return]
    raise LesionmapError(f"{path}: certainty must be one of {', '.join(get_args(Certainty))}, got {text!r}")


def _answer(row: Mapping[str, str], path: str | Path) -> Verdict | None:
    text = row.get("answer", "")
    for known in get_args(Verdict):
        if text == known:
            return known  # type: ignore[no-any-return]
    if text:
        raise LesionmapError(f"{path}: answer must be empty or one of {', '.join(get_args(Verdict))}, got {text!r}")
    return None


def _mark(row: Mapping[str, str], path: str | Path, name: str, lps_mm: tuple[float, float, float] | None) -> MarkRow:
    return MarkRow(
        id=name,
        lps_mm=lps_mm,
        site=row.get("site", ""),
        certainty=_certainty(row, path),
        track=row.get("track", ""),
        answer=_answer(row, path),
        note=row.get("note", ""),
        series=row.get("series", ""),
    )


def read_markers(path: str | Path) -> tuple[MarkRow, ...]:
    """Read ``id,x_lps_mm,y_lps_mm,z_lps_mm`` and, where there, ``site,certainty,track,series,note``.

    Rows of one id are one lesion, seen on several series; each id stands once for a series. On a planar view y may be
    empty: NaN.
    """
    rows = read_rows(path, ("id", *_XYZ))
    _once([f"{row['id']} {row.get('series', '')}".strip() for row in rows], path, "id")
    places = [_xyz(row, path, f"marker {row['id']!r}", flat=True) for row in rows]
    return tuple(_mark(row, path, row["id"], place) for row, place in zip(rows, places, strict=True))


def read_sites(path: str | Path) -> tuple[MarkRow, ...]:
    """Read ``site`` and, where there, ``certainty,track,answer,note``: lesions without a place in an image, answers."""
    rows = read_rows(path, ("site",))
    marks = tuple(_mark(row, path, f"row {n}", None) for n, row in enumerate(rows, start=1))
    for mark in marks:
        if not mark.site and not (mark.answer and mark.track):
            raise LesionmapError(f"{path}: {mark.id} has no site; name one, tibia.distal_metaphysis.left")
    return marks


def read_reading(path: str | Path) -> tuple[MarkRow, ...]:
    """Read what a reader did in a visit: clicks in a series (``id`` and place), answers (``site`` and ``answer``).

    Rows of one id are one lesion, seen on several series; what a click shows is proposed a site. Columns: ``id``,
    ``x_lps_mm``, ``y_lps_mm``, ``z_lps_mm``, ``certainty``, ``series``, ``site``, ``answer``, ``note``; cells may be
    empty.
    """
    rows = read_rows(path, ("id", *_XYZ, "series", "site", "answer"))
    placed = [_xyz(row, path, f"row {row['id']!r}", flat=True) if row[_XYZ[0]] else None for row in rows]
    return tuple(_mark(row, path, row["id"], lps_mm) for row, lps_mm in zip(rows, placed, strict=True))
