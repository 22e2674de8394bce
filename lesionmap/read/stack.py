"""Stack: one volume as read, before stations are joined."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lesionmap.read.header import Person

if TYPE_CHECKING:
    from datetime import date

    from lesionmap.visits import Phase, Station

__all__ = ["Refused", "Stack"]


@dataclass(frozen=True, slots=True)
class Refused:
    """A file, or the first file of a stack, that was not taken, and why."""

    path: str
    why: str
    """One line: what was expected, what came, what to do. Without personal data."""


@dataclass(frozen=True, slots=True)
class Stack:
    """One volume as read: one echo, part, orientation, b-value, time point, or one frame of a bone scan."""

    station: Station
    modality: str
    sequence: str
    plane: str
    kind: tuple[str, ...] = ()
    note: str = ""
    echo_ms: float | None = None
    inversion_ms: float | None = None
    study_uid: str = ""
    series_number: int = 0
    title: str = field(default="", repr=False)
    """Series description without its digits, to find stations of one sequence; may name people, never shown."""
    person: Person = field(default_factory=Person, repr=False)
    day: date | None = None
    frame: int | None = None
    """Of a planar file, from 1."""
    phase: Phase | None = None
    mirrored: bool = False
    uptake_min: float | None = None

    @property
    def projection(self) -> bool:
        """True for a planar view."""
        return self.frame is not None

    @property
    def n_files(self) -> int:
        """Number of files that hold the volume."""
        return len({file.path for file in self.station.files})
