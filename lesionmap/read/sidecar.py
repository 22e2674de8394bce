"""The BIDS sidecar: a JSON file beside a NIfTI that says what its header cannot (times in seconds)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from lesionmap.errors import LesionmapError
from lesionmap.read.files import open_file

__all__ = ["Sidecar", "read_sidecar", "sidecar_path"]

_MOST_SECONDS = 1e6
_BROKEN = "the sidecar (.json) beside it cannot be read: sequence and times are not known from it"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What a sidecar says; empty where there is none."""

    facts: dict[str, Any] = field(default_factory=dict, repr=False)
    """As written; may name the patient, never shown."""
    note: str = ""
    """What is wrong with it; empty if nothing."""

    def words(self, name: str) -> str:
        """Text of a fact, empty where it is none."""
        value = self.facts.get(name)
        return value.strip() if isinstance(value, str) else ""

    def list(self, name: str) -> tuple[str, ...]:
        """Texts of a fact, in capitals: of a list, or of one text with backslashes as in DICOM."""
        value = self.facts.get(name)
        parts = value.split("\\") if isinstance(value, str) else value if isinstance(value, list) else []
        return tuple(part.strip().upper() for part in parts if isinstance(part, str))

    def milliseconds(self, name: str) -> float | None:
        """Give a time in ms (BIDS counts in seconds); None where there is none above zero."""
        value = self.facts.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _MOST_SECONDS:
            return None
        return float(value) * 1000

    @property
    def day(self) -> date | None:
        """Day of the acquisition, where it is written."""
        try:
            return date.fromisoformat(self.words("AcquisitionDateTime")[:10])
        except ValueError:
            return None


def sidecar_path(path: str) -> str:
    """Name the sidecar of a NIfTI file."""
    return re.sub(r"\.nii(\.gz)?$", ".json", path, flags=re.IGNORECASE)


def read_sidecar(path: str) -> Sidecar:
    """Read the sidecar beside a NIfTI file (or beside it in the same archive).

    Parameters
    ----------
    path : str
        The NIfTI file.

    Returns
    -------
    Sidecar
        Empty where there is none; with a note where it is broken, which never fails the image.
    """
    try:
        with open_file(sidecar_path(path)) as file:
            text = file.read()
    except LesionmapError:
        return Sidecar()
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        return Sidecar(note=_BROKEN)
    return Sidecar(facts) if isinstance(facts, dict) else Sidecar(note=_BROKEN)
