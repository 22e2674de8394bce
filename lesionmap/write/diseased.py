"""What the report says of the disease as a whole, and what is to be looked at again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.compare import look_again
from lesionmap.skeleton import name_without_side, place_name
from lesionmap.write.sections import UNKNOWN, Cell, Section, Table, capital, figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lesionmap.compare import Disease, VisitDisease
    from lesionmap.texts import Texts
    from lesionmap.write.results import Results

__all__ = ["disease_section", "doubt_lines"]

_ASKS = ("?", "？", "؟")
_PARTS = ("spine", "epiphysis", "clavicle", "mandible", "sternum")


def doubt_lines(results: Results) -> Iterator[str]:
    """Give a line for each thing to look at again."""
    texts = results.texts
    for doubt in look_again(results.visits, results.courses):
        place, words = f"{place_name(doubt.site, texts)}: " if doubt.site else "", doubt.told(texts)
        yield f"{doubt.visit}: {place}{words}{'' if words.endswith(_ASKS) else '.'}"


def disease_section(results: Results) -> Section | None:
    """Give the course over all lesions that count; None where nothing was read."""
    rows = [_row(visit, results.texts) for visit in results.disease.visits if visit.lesions is not None]
    if not rows:
        return None
    say = results.texts.say
    header = (
        say("column.visit"), say("disease.lesions"), say("column.ml"), say("disease.regions"),
        say("disease.pattern"), say("disease.both_sides"), say("disease.involved"), say("disease.silent"),
    )  # fmt: skip
    widths = (1.0, 0.75, 0.7, 0.8, 1.5, 1.7, 1.5, 1.0)
    below = (
        *_whole(results.disease, results.texts),
        say("disease.below", unknown=UNKNOWN),
        say("disease.patterns"),
    )
    return Section(say("disease.title"), table=Table(header, tuple(rows), widths), below=below)


def _row(visit: VisitDisease, texts: Texts) -> tuple[Cell, ...]:
    say = texts.say
    involved = [texts.name("part", name) for name in _PARTS if getattr(visit, name)]
    focality = visit.focality and texts.name("focality", visit.focality)
    pattern = ", ".join(filter(None, (focality, visit.pattern and texts.name("pattern", visit.pattern))))
    asked = f"{visit.silent} / {visit.painful}" if visit.silent + visit.painful else UNKNOWN
    volume = figure(visit.volume_ml, 1)
    if visit.unmeasured and visit.volume_ml:
        volume = say("disease.unmeasured", ml=volume, n=visit.unmeasured)
    return (
        Cell(visit.visit),
        Cell(str(visit.lesions), number=True),
        Cell(volume, number=True),
        Cell(str(len(visit.regions)), number=True),
        Cell(capital(pattern) or say("disease.no_lesion")),
        Cell(capital(", ".join(name_without_side(x, texts) for x in visit.symmetric)) or say("disease.none_marked")),
        Cell(capital(", ".join(involved)) or say("disease.none_of_these")),
        Cell(asked),
    )


def _whole(disease: Disease, texts: Texts) -> Iterator[str]:
    say = texts.say
    if disease.new_per_year is not None:
        seen, rate = disease.first_seen_later, f"{disease.new_per_year:.1f}"
        yield texts.many("disease.new_at_least", seen, rate=rate) if seen else say("disease.new", rate=rate)
    if disease.resolved_share is not None:
        percent, took = f"{disease.resolved_share * 100:.0f}", disease.years_to_resolve
        if took:
            yield say("disease.resolved_after", percent=percent, years=f"{np.median(took):.1f}")
        else:
            yield say("disease.resolved", percent=percent)
    came_back = say("disease.came_back", n=disease.recurred) if disease.recurred else ""
    flares = say("disease.flares", visits=", ".join(disease.flares)) if disease.flares else ""
    if came_back or flares:
        yield " ".join(filter(None, (came_back, flares)))
