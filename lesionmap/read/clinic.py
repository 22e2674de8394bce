"""Treatments and observations from CSV files, each error with its line."""

from __future__ import annotations

import math
import re
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from lesionmap.clinic import Observation, Treatment, item_named
from lesionmap.errors import LesionmapError
from lesionmap.read.rows import numbered_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from lesionmap.clinic import ClinicItem

__all__ = ["read_observations", "read_treatments"]

_YES_NO = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
_LONGEST_DRUG = 200
_FIRST_YEAR = 1900


def read_treatments(path: str | Path, *, born: date | None = None) -> tuple[Treatment, ...]:
    """Read ``drug,start,end``; an empty end: it goes on, or its end is not known.

    Parameters
    ----------
    path : str or Path
    born : date, optional
        The patient's birth: nothing lies before it.

    Raises
    ------
    LesionmapError
        If it is not such a file, a day is none, or a drug begins twice on one day.
    """
    found: dict[tuple[str, date], Treatment] = {}
    for line, row in numbered_rows(path, ("drug", "start"), ("end",)):
        with _at(path, line):
            treatment = _treatment(row, born)
            key = (treatment.drug.casefold(), treatment.start)
            if key in found:
                raise LesionmapError(f"each treatment stands once, {treatment.drug!r} begins a second time on that day")
            found[key] = treatment
    return tuple(found.values())


def _treatment(row: Mapping[str, str], born: date | None) -> Treatment:
    drug = " ".join(row["drug"].split())
    if not drug.isprintable() or len(drug) > _LONGEST_DRUG:
        raise LesionmapError(f"the name of a drug, at most {_LONGEST_DRUG} characters, was expected in column drug")
    end = _day(row["end"], "end", born, planned=True) if row.get("end") else None
    return Treatment(drug, _day(row["start"], "start", born), end)


def read_observations(
    path: str | Path, items: Mapping[str, ClinicItem], *, born: date | None = None
) -> tuple[Observation, ...]:
    """Read ``date,item,value``, or ``date`` and a column for each item, in which empty cells are not known.

    Parameters
    ----------
    path : str or Path
    items : mapping of str to ClinicItem
        What is known, by name. Yes and no are written so, or 1 and 0.
    born : date, optional
        The patient's birth: nothing lies before it.

    Raises
    ------
    LesionmapError
        If it is not such a file, a day is none, an item is not known or given twice for a day, a value is not allowed.
    """
    rows = numbered_rows(path, ("date",), ("item", "value", *items))
    found: dict[tuple[date, str], float] = {}
    for line, row in rows:
        with _at(path, line):
            day = _day(row["date"], "date", born)
            for name, text in _cells(row):
                if (day, name) in found:
                    raise LesionmapError(f"{name} of {day.isoformat()} stands there a second time; leave one out")
                found[day, name] = _value(name, text, items)
    return tuple(Observation(day, name, value) for (day, name), value in found.items())


def _cells(row: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Give the name and the text of each value of a row, in the long form or in the wide one."""
    if {"item", "value"} <= set(row):
        return [(row["item"], row["value"])]
    if {"item", "value"} & set(row):
        missing = "value" if "item" in row else "item"
        raise LesionmapError(f"columns date,item,value, or date and items were expected; {missing!r} is missing")
    # The heading was read in small letters, but vertebrae are called T7.
    names = {name: re.sub(r"@vertebra_[ctl]", lambda m: m[0][:-1] + m[0][-1].upper(), name) for name in row}
    return [(names[name], text) for name, text in row.items() if text and name != "date"]


@contextmanager
def _at(path: str | Path, line: int) -> Iterator[None]:
    """Say in which line of the file it was."""
    try:
        yield
    except LesionmapError as error:
        raise LesionmapError(f"{path}: line {line}: {error}") from None


def _day(text: str, column: str, born: date | None, *, planned: bool = False) -> date:
    """Read an ISO date; ``planned``: it may lie ahead."""
    try:
        day = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) else None
    except ValueError:
        day = None
    if day is None:
        raise LesionmapError(f"a day such as 2008-05-14 was expected in column {column}, got {text!r}")
    if day.year < _FIRST_YEAR:
        raise LesionmapError(f"column {column}: {text} lies before {_FIRST_YEAR}; correct the day")
    if born is not None and day < born:
        raise LesionmapError(f"column {column}: {text} lies before the patient's birth; correct the day")
    if not planned and day > datetime.now(UTC).date() + timedelta(days=1):  # it is tomorrow already east of here
        raise LesionmapError(f"column {column}: {text} lies ahead; correct the day")
    return day


def _value(name: str, text: str, items: Mapping[str, ClinicItem]) -> float:
    item = item_named(name, items)
    value = _YES_NO.get(text.casefold(), math.nan) if item.kind == "yes_no" else math.nan
    if math.isnan(value):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
    if not math.isfinite(value) or not item.allows(value):
        comma = "; write a point, not a comma" if re.fullmatch(r"\d+,\d+", text) else ""
        raise LesionmapError(f"{name} must be {item.allowed}, got {text!r}{comma}")
    return value
