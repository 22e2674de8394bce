"""What is asked of a cohort, what one worker is told, and what came of all of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["VERBS", "Order", "Summary", "Task", "Verb", "file_name", "labels_of", "shown_name", "whole_name"]

Verb = Literal["table", "compare", "report", "place"]
VERBS: tuple[Verb, ...] = ("table", "compare", "report", "place")


@dataclass(frozen=True, slots=True)
class Order:
    """What is done with every patient."""

    verb: Verb
    reader: str | None = None
    """Whose marks; of ``place`` who placed, for the history."""
    rule: str = "default"
    """Counting rule: a name, or a file."""
    change: float = 30.0
    """Per cent of volume from which a lesion improved or worsened."""
    placing: Literal["", "previous", "auto"] = ""
    """``place``: from the nearest visit with a skeleton, earlier ones first, or by the images of the visit alone."""
    treatment: str | None = ""
    """Drug whose map of sites is drawn; empty: the one that ran at most visits; None: no figures are drawn. Takes no
    part in the results."""

    def __post_init__(self) -> None:
        if self.verb not in VERBS:
            raise LesionmapError(f"a verb out of {', '.join(VERBS)} was expected, got {self.verb!r}")
        if (self.verb == "place") != bool(self.placing):
            raise LesionmapError("place needs to know how, from the previous visit or by the images; others do not")


class Task(NamedTuple):
    """One patient of one study, as a worker is told of it: text and numbers only."""

    study: str
    """Path or URL."""
    label: str
    """Name of the study in the results."""
    patient: str
    folder: str
    """Of the results."""
    order: tuple[Verb, str | None, str, float, Literal["", "previous", "auto"], str | None]
    """The fields of the Order."""
    version: str
    """Of the lesionmap that asks."""
    known: str = ""
    """State of the patient in the study when the results were made that are there; empty: there are none."""

    @property
    def key(self) -> tuple[str, str]:
        """Label and patient."""
        return self.label, self.patient


@dataclass(frozen=True, slots=True)
class Summary:
    """What came of a run."""

    patients: int
    done: int
    """Of them, with results: made now, or before and still right."""
    made_now: int
    without_marks: int
    """Done, and nobody has marked anything yet."""
    rows: int
    """Of the data set; reports written; visits placed."""
    failed: tuple[tuple[str, str, str], ...]
    """(study, patient, reason); no patient where the study itself could not be read."""
    notes: tuple[str, ...] = ()
    """What the figures do not show, and why."""


def whole_name(study: str) -> str:
    """Give a path whole, so that it means the same in every worker; a URL as it is."""
    return study if "://" in study else str(Path(study).absolute())


def shown_name(study: str) -> str:
    """Give the name of a study as it may be written down: without the password."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", study)


def labels_of(studies: Sequence[str]) -> list[str]:
    """Give each study a short name of its own, from that of its file or database, fit for a folder.

    Raises
    ------
    LesionmapError
        If there is none, or one of them is named twice.

    Examples
    --------
    >>> labels_of(["/a/crmo.lesionmap", "/b/crmo.lesionmap", "postgresql://host/crmo?x=1"])
    ['crmo', 'crmo-2', 'crmo-3']
    """
    if not studies or len(set(map(whole_name, studies))) < len(studies):
        raise LesionmapError(f"one or several different studies were expected, got {len(studies)}; name each once")
    found: list[str] = []
    for study in studies:
        stem = Path(study.partition("?")[0]).stem if "://" in study else Path(study).stem
        plain = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-") or "study"
        tries = (plain, *(f"{plain}-{n}" for n in range(2, len(studies) + 2)))
        used = {label.casefold() for label in found}
        found.append(next(one for one in tries if one.casefold() not in used))
    return found


def file_name(patient: str, ending: str) -> str:
    """Name a patient's file, so that no two pseudonyms share one where capitals make no difference.

    Pseudonyms hold letters, digits, '_', '.' and '-' and begin with a letter or digit: they cannot leave the folder.

    Examples
    --------
    >>> file_name("P001", ".html"), file_name("p001", ".html")
    ('P001.html', 'p001~1.html')
    """
    small = "".join("01"[c.islower()] for c in patient if c.isalpha()) if patient != patient.upper() else ""
    return f"{patient}{f'~{int(small, 2):x}' if small else ''}{ending}"
