"""What the report says of treatments, of what the clinic measured, and of scores with what they miss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.clinic import clinic_items, value_words
from lesionmap.scores import definitions, score
from lesionmap.write.sections import UNKNOWN, Cell, Section, Table, capital, dated, side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lesionmap.compare import VisitFacts
    from lesionmap.scores import Definition, Score
    from lesionmap.write.results import Results

__all__ = ["clinical_sections"]

_NAMED = 4
"""So many missing items are named."""


def clinical_sections(results: Results) -> Iterator[Section]:
    """Give the sections of treatments, observations and scores; those without content are left out."""
    if results.treatments:
        ends = [one.end.isoformat() if one.end else "goes on, or not known" for one in results.treatments]
        rows = [
            (Cell(one.drug), Cell(one.start.isoformat()), Cell(end))
            for one, end in zip(results.treatments, ends, strict=True)
        ]
        yield Section("Treatments", table=Table(("drug", "from", "to"), tuple(rows), (2.0, 1.0, 1.4)))
    if results.observations:
        rows = [
            (Cell(one.date.isoformat()), Cell(capital(_words(one.item))), Cell(value_words(one), number=True))
            for one in sorted(results.observations, key=lambda one: (one.date, one.item))
        ]
        yield Section("Observations", table=Table(("date", "item", "value"), tuple(rows), (1.0, 3.0, 1.0)))
    yield from (_scores(results, few) for few in side_by_side(results))


def _words(item: str) -> str:
    name, _, bone = item.partition("@")
    known = clinic_items().get(name)
    return (known.words if known else name.replace("_", " ")) + (f", {bone}" if bone else "")


def _scores(results: Results, few: Sequence[VisitFacts]) -> Section:
    keys = [facts.visit.key for facts in few]
    rows, below = [], []
    for definition in definitions().values():
        found = [score(definition, results, key) for key in keys]
        rows.append((Cell(definition.label), *(Cell(_told(definition, one)) for one in found)))
        lines = _missing(definition, found[-1])
        below += [lines] if lines else []
    return Section(
        dated("Scores", few, results),
        table=Table(("score", *keys), tuple(rows), (2.6, *[1.0] * len(keys))),
        below=(*below, "A sum of which an item is missing is not known. For research; no score is a diagnosis."),
    )


def _told(definition: Definition, found: Score) -> str:
    if found.sum is not None:
        return f"{found.sum:g}" + (f" ({found.reading})" if found.reading else "")
    items = [item for one in (found, *found.parts) for item in one.items]
    known = sum(item.value is not None for item in items)
    words = f"{known} of {len(items)} items" if items else UNKNOWN
    return f"no sum; {words}" if definition.has_sum else words


def _missing(definition: Definition, found: Score) -> str:
    if not found.missing:
        return ""
    more = len(found.missing) - _NAMED
    names = ", ".join(name.replace("_", " ") for name in found.missing[:_NAMED])
    return f"{definition.title}, {found.visit}: missing {names}{f' and {more} more' if more > 0 else ''}."
