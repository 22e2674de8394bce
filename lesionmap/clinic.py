"""What the clinic knows beside the images: treatments, and what was measured, asked or judged on a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from datetime import date

__all__ = ["Observation", "Treatment"]


@dataclass(frozen=True, slots=True)
class Treatment:
    """A drug over a time."""

    drug: str
    start: date
    end: date | None = None
    """The last day; None: it goes on, or its end is not known."""

    def __post_init__(self) -> None:
        if not self.drug.strip():
            raise LesionmapError("a treatment needs the name of its drug, got none")
        if self.end is not None and self.end < self.start:
            raise LesionmapError(f"a treatment ends after it starts, got {self.start} to {self.end}; exchange them")


@dataclass(frozen=True, slots=True)
class Observation:
    """One item on a day: a laboratory value, a mark on a scale, or yes (1) and no (0)."""

    date: date
    item: str
    """Name with its unit, in snake_case: ``esr_mm_h crp_mg_l pain_0_10 physician_global_0_10``; any item that a
    score asks for."""
    value: float
