"""Scores as rows of a table, and as lines for a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lesionmap.scores import WITHIN_DAYS, score

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lesionmap.scores import Definition, Score, ScoreItem
    from lesionmap.write.results import Results

__all__ = ["score_lines", "score_rows", "within_words"]

_AND = ";"


def score_rows(
    results: Results, definitions: Iterable[Definition], within_days: int = WITHIN_DAYS
) -> list[dict[str, Any]]:
    """Give a row for each item of each score at each visit, and one for its sum: ``SCORE_COLUMNS``.

    Parameters
    ----------
    results : Results
        Of one patient, with the observations.
    definitions : iterable of Definition
        Which scores.
    within_days : int
        How far from a visit its observations may be.
    """
    rows = []
    for definition in definitions:
        for facts in results.visits:
            same = {
                "patient": results.patient.id,
                "visit_date": facts.visit.key,
                "reader": results.reader,
                "rule": results.rule.name,
                "score": definition.name,
                "label": definition.label,
                "citation": definition.source,
            }
            whole = score(definition, results, facts.visit.key, within_days=within_days)
            for one in (*whole.parts, whole):
                rows += [{**same, **_item(one, item)} for item in one.items]
                if definition.has_sum:
                    rows.append({**same, **_sum(one)})
    return rows


def within_words(within_days: int) -> str:
    """Say which observations belong to a visit."""
    return f"An observation belongs to a visit that is at most {within_days} days away; the nearest is taken."


def _item(one: Score, item: ScoreItem) -> dict[str, Any]:
    return {
        "unit": one.unit or None,
        "item": item.key,
        "words": item.words,
        "value": _words(item) or None,
        "points": item.points,
        "told": item.told,
    }


def _sum(one: Score) -> dict[str, Any]:
    return {
        "unit": one.unit or None,
        "item": "sum",
        "words": "sum",
        "points": one.sum,
        "missing": _AND.join(one.missing) or None,
        "told": one.why_no_sum or None,
        "reading": one.reading or None,
    }


def _words(item: ScoreItem) -> str:
    if item.value is None:
        return ""
    if isinstance(item.value, bool):
        return "yes" if item.value else "no"
    return item.value if isinstance(item.value, str) else f"{round(item.value, 2):g}"


def score_lines(results: Results, definitions: Iterable[Definition], within_days: int = WITHIN_DAYS) -> list[str]:
    """Give all scores over all visits as lines: a table for each score, a column for each visit."""
    lines = [results.rule.sentence, within_words(within_days)]
    for definition in definitions:
        found = [score(definition, results, x.visit.key, within_days=within_days) for x in results.visits]
        lines += ["", definition.label, f"  {definition.source}"]
        lines += _table(definition, found)
        lines += [f"  {one.visit}: no sum, {one.why_no_sum}" for one in found if definition.has_sum and one.sum is None]
        lines += [f"  {one.visit}: {one.reading}" for one in found if one.reading]
    return lines


def _table(definition: Definition, scores: Sequence[Score]) -> list[str]:
    units = list(dict.fromkeys(part.unit for one in scores for part in one.parts)) or [""]
    columns: list[list[str]] = [["", *_names(definition, units)]]
    for one in scores:
        by_unit = {part.unit: part for part in one.parts} or {"": one}
        cells = [_cell(by_unit.get(unit), n) for unit in units for n in range(len(definition.items))]
        columns.append([one.visit, *cells, *[_number(one.sum)] * definition.has_sum])
    widths = [max(map(len, column)) for column in columns]
    rows = zip(*columns, strict=True)
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _names(definition: Definition, units: Sequence[str]) -> list[str]:
    names = [f"{unit}: {item.words}" if unit else item.words for unit in units for item in definition.items]
    return [*names, *["sum"] * definition.has_sum]


def _cell(one: Score | None, n: int) -> str:
    """Give value and points of the n-th item; ``–``: the unit is not affected at that visit, ``?``: missing."""
    if one is None or not one.items:
        return "–"
    item = one.items[n]
    worth = f" ({item.points:g})" if item.points is not None else ""
    return (_words(item) or "?") + worth


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"
