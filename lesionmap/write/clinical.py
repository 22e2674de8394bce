"""What the report says of treatments, of what the clinic measured, and of scores with what they miss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.clinic import clinic_items, value_words
from lesionmap.scores import definitions, score
from lesionmap.write.sections import UNKNOWN, Cell, Section, Table, capital, dated, listed, side_by_side

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lesionmap.clinic import Observation
    from lesionmap.compare import VisitFacts
    from lesionmap.scores import Definition, Score
    from lesionmap.texts import Texts
    from lesionmap.write.results import Results

__all__ = ["clinical_sections"]

_NAMED = 4
"""So many missing items are named."""


def clinical_sections(results: Results) -> Iterator[Section]:
    """Give the sections of treatments, observations and scores; those without content are left out."""
    say = results.texts.say
    if results.treatments:
        ends = [one.end.isoformat() if one.end else say("treatments.open") for one in results.treatments]
        rows = [
            (Cell(one.drug), Cell(one.start.isoformat()), Cell(end))
            for one, end in zip(results.treatments, ends, strict=True)
        ]
        header = say("treatments.drug"), say("treatments.from"), say("treatments.to")
        yield Section(say("treatments.title"), table=Table(header, tuple(rows), (2.0, 1.0, 1.4)))
    if results.observations:
        rows = [
            (Cell(one.date.isoformat()), Cell(capital(_item(one.item, results.texts))), _value(one, results.texts))
            for one in sorted(results.observations, key=lambda one: (one.date, one.item))
        ]
        header = say("observations.date"), say("observations.item"), say("observations.value")
        yield Section(say("observations.title"), table=Table(header, tuple(rows), (1.0, 3.0, 1.0)))
    yield from (_scores(results, few) for few in side_by_side(results))


def _item(item: str, texts: Texts) -> str:
    name, _, bone = item.partition("@")
    known = clinic_items().get(name)
    words = texts.named("items", name, known.words if known else name.replace("_", " "))
    return words + (f", {bone}" if bone else "")


def _value(one: Observation, texts: Texts) -> Cell:
    words = value_words(one)
    return Cell(texts.name("answer", words) if words in ("yes", "no") else words, number=True)


def _scores(results: Results, few: Sequence[VisitFacts]) -> Section:
    keys, texts = [facts.visit.key for facts in few], results.texts
    rows, below = [], []
    for definition in definitions().values():
        found = [score(definition, results, key) for key in keys]
        rows.append((Cell(_label(definition, texts)), *(Cell(_told(definition, one, texts)) for one in found)))
        lines = _missing(definition, found[-1], results)
        below += [lines] if lines else []
    return Section(
        dated(texts.say("scores.title"), few, results),
        table=Table((texts.say("scores.score"), *keys), tuple(rows), (2.6, *[1.0] * len(keys))),
        below=(*below, texts.say("scores.below")),
    )


def _label(definition: Definition, texts: Texts) -> str:
    """Give its title, with whatever of it is not verified."""
    title = texts.named("score_titles", definition.name, definition.title)
    return f"{title} ({'; '.join(definition.unverified)})" if definition.unverified else title


def _told(definition: Definition, found: Score, texts: Texts) -> str:
    if found.sum is not None:
        return f"{found.sum:g}" + (f" ({texts.tell(found.reached)})" if found.reached else "")
    items = [item for one in (found, *found.parts) for item in one.items]
    known = sum(item.value is not None for item in items)
    words = texts.say("scores.items", n=known, all=len(items)) if items else UNKNOWN
    return texts.say("scores.no_sum", items=words) if definition.has_sum else words


def _missing(definition: Definition, found: Score, results: Results) -> str:
    if not found.missing:
        return ""
    texts = results.texts
    names = [_missing_item(name, texts) for name in found.missing]
    title = texts.named("score_titles", definition.name, definition.title)
    return texts.say("scores.missing", score=title, visit=found.visit, items=listed(names, _NAMED, results))


def _missing_item(name: str, texts: Texts) -> str:
    """Name an item, behind the bone or lesion that it is asked of."""
    unit, _, item = name.rpartition(" ")
    words = texts.named("items", item, item.replace("_", " "))
    return f"{texts.named('sites', unit, unit.replace('_', ' '))} {words}" if unit else words
