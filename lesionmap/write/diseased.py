"""What the report says of the disease as a whole, and what is to be looked at again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.compare import look_again
from lesionmap.skeleton import known
from lesionmap.write.sections import UNKNOWN, Cell, Section, Table, capital, figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lesionmap.compare import Disease, VisitDisease
    from lesionmap.write.results import Results

__all__ = ["disease_section", "doubt_lines"]

_PARTS = ("spine", "epiphysis", "clavicle", "mandible", "sternum")


def doubt_lines(results: Results) -> Iterator[str]:
    """Give a line for each thing to look at again."""
    for doubt in look_again(results.visits, results.courses):
        place = f"{known(doubt.site).name}: " if doubt.site else ""
        yield f"{doubt.visit}: {place}{doubt.words}{'' if doubt.words.endswith('?') else '.'}"


def disease_section(results: Results) -> Section | None:
    """Give the course over all lesions that count; None where nothing was read."""
    rows = [_row(visit) for visit in results.disease.visits if visit.lesions is not None]
    if not rows:
        return None
    header = ("visit", "lesions", "ml", "regions", "pattern", "both sides", "involved", "silent / painful")
    widths = (1.0, 0.75, 0.7, 0.8, 1.5, 1.7, 1.5, 1.0)
    below = (
        *_whole(results.disease),
        f"ml: of those that are measured. Silent / painful: as the reader says; {UNKNOWN}: not asked.",
        "Patterns: Andronikou 2019 in our own reading. Flares: visits with a new, recurrent or worsened lesion (ours).",
    )
    return Section("Course of the disease", table=Table(header, tuple(rows), widths), below=below)


def _row(visit: VisitDisease) -> tuple[Cell, ...]:
    involved = [name for name in _PARTS if getattr(visit, name)]
    pattern = ", ".join(filter(None, (visit.focality, "both patterns" if visit.pattern == "both" else visit.pattern)))
    asked = f"{visit.silent} / {visit.painful}" if visit.silent + visit.painful else UNKNOWN
    volume = figure(visit.volume_ml, 1) + (f" ({visit.unmeasured} not)" if visit.unmeasured and visit.volume_ml else "")
    return (
        Cell(visit.visit),
        Cell(str(visit.lesions), number=True),
        Cell(volume, number=True),
        Cell(str(len(visit.regions)), number=True),
        Cell(capital(pattern) or "no lesion counted"),
        Cell(capital(", ".join(_without_side(base) for base in visit.symmetric)) or "none marked"),
        Cell(capital(", ".join(involved)) or "none of these marked"),
        Cell(asked),
    )


def _without_side(base: str) -> str:
    """Name a site of both sides."""
    return known(f"{base}.left").name.replace("left ", "", 1)


def _whole(disease: Disease) -> Iterator[str]:
    if disease.new_per_year is not None:
        seen = disease.first_seen_later
        more = f"; {seen} more were first seen where no earlier visit had imaged" if seen else ""
        yield f"New lesions: {'at least ' if seen else ''}{disease.new_per_year:.1f} a year{more}."
    if disease.resolved_share is not None:
        years = disease.years_to_resolve
        took = f", after {np.median(years):.1f} years in the middle" if years else ""
        yield f"Resolved: {disease.resolved_share:.0%} of all that were marked{took}."
    came_back = f"Came back: {disease.recurred}." if disease.recurred else ""
    flares = f"Flares: {', '.join(disease.flares)}." if disease.flares else ""
    if came_back or flares:
        yield " ".join(filter(None, (came_back, flares)))
