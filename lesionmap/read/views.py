"""Which view each frame of a planar bone scan is: anterior or posterior, and whether it is stored mirrored.

The view code decides, else the start angle of the detector (180 degrees anterior, 0 or 360 posterior), else what the
user says. Never the orientation: cameras write the same one for both views.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.read import tags as tg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.read.tags import Tags

__all__ = ["View", "views_of"]

_VIEW_CODES = {
    "399321004": "anterior",
    "G-5215": "anterior",
    "255549009": "anterior",
    "399001007": "posterior",
    "G-5216": "posterior",
    "255551008": "posterior",
}
"""SNOMED CT and SNOMED RT codes of the projections (DICOM CID 26)."""
_ANGLE_OFF = 10.0
_OTHER = "other"
"""Of a view that is neither anterior nor posterior."""
_UNTOLD = "the header does not tell anterior from posterior; say which view it is"
_BOTH = " (the file holds several: name both in the order of the file, anterior,posterior)"


@dataclass(frozen=True, slots=True)
class View:
    """Anterior, posterior or empty; sides as stored; what to say of it."""

    name: str
    flipped: bool
    """True where columns run the other way than the view's convention says."""
    upside_down: bool
    """True where rows run to the head."""
    note: str


@dataclass(frozen=True, slots=True)
class _Said:
    """What the header says of one detector's view: anterior, posterior, other, or nothing."""

    code: str
    turn: str
    angle: float | None

    @property
    def silent(self) -> bool:
        return self.code in ("", _OTHER) and self.turn in ("", _OTHER)


def views_of(tags: Tags, detectors: Sequence[int], told: Sequence[str] = ()) -> list[View]:
    """Find the view of each frame.

    Parameters
    ----------
    tags : Tags
        Of a planar file.
    detectors : sequence of int
        Detector of each frame, from 1.
    told : sequence of {"anterior", "posterior"}
        What the user says: one word for files in which one view does not tell; two for the first and the second
        detector of a file. Used only where the header does not tell.

    Raises
    ------
    LesionmapError
        If view code and start angle disagree.
    """
    said = {number: _said(tags, number) for number in sorted(set(detectors))}
    silent = [number for number, one in said.items() if one.silent]
    words: dict[int, str] = {}
    if len(told) == 1 and len(silent) == 1:
        words = {silent[0]: told[0]}
    elif len(told) == len(said):
        words = dict(zip(said, told, strict=True))
    untold = _UNTOLD + (_BOTH if len(silent) > 1 else "")
    return [_view(tags, index, said[number], words.get(number, ""), untold) for index, number in enumerate(detectors)]


def _said(tags: Tags, number: int) -> _Said:
    """Read code and angle of a detector; of the header itself where it describes no detectors."""
    detectors = tg.items(tags, 0x00540022)
    detector = detectors[number - 1] if 0 < number <= len(detectors) else tags
    angle = tg.number(detector, 0x00540200)
    return _Said(_coded(tags, detector), _turned(angle), angle)


def _view(tags: Tags, index: int, said: _Said, told: str, untold: str) -> View:
    if {said.code, said.turn} == {"anterior", "posterior"}:
        raise LesionmapError(
            f"frame {index + 1}: the view code says {said.code}, the start angle of {said.angle:g} degrees says "
            f"{said.turn}; have the header corrected"
        )
    name, note = _named(said, told, untold)
    rows, columns = _patient_directions(tags)
    expected = "L" if name == "anterior" else "R"
    flipped = bool(name) and rows in ("L", "R") and rows != expected
    notes = [
        "placed by convention: no position in the header",
        note,
        "mirrored: stored with the sides exchanged for this view" if flipped else "",
    ]
    return View(name, flipped, columns == "H", "; ".join(note for note in notes if note))


def _named(said: _Said, told: str, untold: str) -> tuple[str, str]:
    """Name the view; give what is to be said of it."""
    if said.code == _OTHER:
        return "", "the view code says neither anterior nor posterior"
    if not said.silent:
        return (said.code or said.turn), ""
    beside = f", the start angle of {said.angle:g} degrees says neither" if said.turn == _OTHER else ""
    return (told, f"{told} as told by the user{beside}") if told else ("", untold + beside)


def _coded(tags: Tags, detector: Tags) -> str:
    """Read the view code of the detector, else of the file."""
    for holder in (detector, tags):
        for item in tg.items(holder, 0x00540220):
            meaning = tg.text(item, 0x00080104).lower()
            found = _VIEW_CODES.get(tg.text(item, 0x00080100), "")
            if found or re.fullmatch(r"(anterior|posterior)( projection| view)?", meaning):
                return found or meaning.split()[0]
            if meaning or tg.text(item, 0x00080100):
                return _OTHER
    return ""


def _turned(angle: float | None) -> str:
    if angle is None:
        return ""
    turn = angle % 360
    if abs(turn - 180) <= _ANGLE_OFF:
        return "anterior"
    return "posterior" if min(turn, 360 - turn) <= _ANGLE_OFF else _OTHER


def _patient_directions(tags: Tags) -> tuple[str, str]:
    """Patient Orientation: where rows run to (L, R) and where columns run to (F, H); empty where not written."""
    said = tg.texts(tags, 0x00200020)
    return (said[0], said[1]) if len(said) == 2 else ("", "")
