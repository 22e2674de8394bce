"""The course of the disease, over all lesions of a patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.compare.facts import State, TrackCourse, VisitFacts
    from lesionmap.measure import Count

__all__ = ["Disease", "Pattern", "VisitDisease", "disease_of"]

Pattern = Literal["", "tibio-appendicular", "claviculo-spinal", "both"]


@dataclass(frozen=True, slots=True)
class VisitDisease:
    """How the disease stands at one visit; all of it of the lesions that count. None: nothing was read."""

    visit: str
    lesions: int | None
    volume_ml: float | None
    """Of those that have one, together; None where none has."""
    unmeasured: int
    """Lesions without a volume."""
    states: Mapping[State, int]
    """Tracks in each state, counted or not."""
    regions: tuple[str, ...]
    focality: Literal["", "unifocal", "multifocal"]
    """Empty: no lesion counts."""
    symmetric: tuple[str, ...]
    """Sites without their side, ``tibia.distal_metaphysis``, that are marked on both sides."""
    spine: bool
    epiphysis: bool
    clavicle: bool
    mandible: bool
    sternum: bool
    pattern: Pattern
    silent: int
    """Lesions that the reader calls not painful."""
    painful: int
    not_asked: int


@dataclass(frozen=True, slots=True)
class Disease:
    """The course over all visits."""

    visits: tuple[VisitDisease, ...]
    """By date."""
    new_per_year: float | None
    """Tracks that came new after the first visit that was read, by year between it and the last; None: one visit."""
    resolved_share: float | None
    """Tracks whose last decision is *resolved*, of all that were ever marked and count; None where there are none."""
    years_to_resolve: tuple[float, ...]
    """From the first mark (or the recurrence) to *resolved*, for each time that a track resolved."""
    recurred: int
    """Tracks that came back."""
    flares: tuple[str, ...]
    """Visits with a new, recurrent or worsened track that counts (our own definition: none is agreed on)."""


def disease_of(
    visits: Sequence[VisitFacts], courses: Sequence[TrackCourse], counts: Mapping[str, Count]
) -> Disease:
    """Sum up what the comparison says of single tracks."""
    raise NotImplementedError
