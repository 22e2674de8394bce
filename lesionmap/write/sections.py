"""What a report is made of, free of any format: sections, tables, cells."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.compare import VisitFacts
    from lesionmap.write.results import Results

__all__ = ["UNKNOWN", "Cell", "Section", "Table", "capital", "dated", "figure", "listed", "side_by_side"]

UNKNOWN = "–"
_SIDE_BY_SIDE = 5
"""Visits in one table."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table."""

    text: str
    state: str = ""
    """Key of ``STATE_STYLE`` whose mark stands before the text."""
    number: bool = False
    """Set to the right."""


@dataclass(frozen=True, slots=True)
class Table:
    """Header and rows; each row has a cell for each column."""

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    widths: tuple[float, ...] = ()
    """Relative widths of the columns on paper."""
    tracks: tuple[tuple[int, ...], ...] = ()
    """For each row the tracks that it is of, by their number among the courses; empty: the rows are of none."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands under it: lines, a table, lines below it."""

    title: str
    lines: tuple[str, ...] = ()
    table: Table | None = None
    below: tuple[str, ...] = ()
    kind: Literal["plain", "warning", "map", "timeline", "images"] = "plain"


def side_by_side(results: Results) -> list[Sequence[VisitFacts]]:
    """Break the visits into rows of one length, as many as have room side by side."""
    n = len(results.visits)
    width = ceil(n / max(ceil(n / _SIDE_BY_SIDE), 1))
    return [results.visits[at : at + width] for at in range(0, n, max(width, 1))]


def dated(title: str, few: Sequence[VisitFacts], results: Results) -> str:
    """Give a title that tells the dates where a table is broken."""
    first, last = few[0].visit.key, few[-1].visit.key
    if len(few) == len(results.visits):
        return title
    if len(few) == 1:
        return f"{title}, {first}"
    return results.texts.say("list.dated", title=title, first=first, last=last)


def listed(names: Sequence[str], most: int, results: Results) -> str:
    """List names, the first few of many."""
    few, more = ", ".join(names[:most]), len(names) - most
    return results.texts.say("list.more", names=few, n=more) if more > 0 else few


def capital(text: str) -> str:
    """Begin with a capital."""
    return text[:1].upper() + text[1:]


def figure(value: float | None, digits: int) -> str:
    """Write a number, or the sign for what is not known."""
    return UNKNOWN if value is None else f"{value:.{digits}f}"
