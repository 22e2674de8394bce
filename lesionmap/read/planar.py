"""Planar bone scans (NM): one view a frame, placed by convention because they have no position.

A view is a projection: its Grid is one voxel deep. Columns run to the patient's left (+x) in an anterior view and
to the right (−x) in a posterior one as acquired, rows run to the feet (−z); the middle of the picture is x = 0, its
lower edge z = 0, y = 0. The two views of a scan thus overlay side by side right, and nothing is known of depth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.read import header as hd
from lesionmap.read import tags as tg
from lesionmap.read.frames import check_image
from lesionmap.read.stack import Stack
from lesionmap.space import Grid
from lesionmap.visits import ImageFile, Station

if TYPE_CHECKING:
    from lesionmap.read.header import Header
    from lesionmap.read.tags import Tags
    from lesionmap.visits import Phase

__all__ = ["is_planar", "planar_grid", "planar_stacks"]

_NM_CLASS = "1.2.840.10008.5.1.4.1.1.20"
_MOVING = ("DYNAMIC", "GATED", "TOMO", "RECON TOMO", "GATED TOMO", "RECON GATED TOMO")
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
_UNTOLD = "the header does not tell anterior from posterior; say which view it is"
_EARLY_MIN, _LATE_MIN = 30.0, 90.0


@dataclass(frozen=True, slots=True)
class _View:
    """Anterior, posterior or empty; sides as stored; what to say of it."""

    name: str
    flipped: bool
    """True where columns run the other way than the view's convention says."""
    upside_down: bool
    note: str


def is_planar(header: Header) -> bool:
    """Say whether a file is nuclear medicine, stored as NM or as secondary capture, that has no position."""
    return header.modality == "NM" and not tg.numbers(header.tags, 0x00200032)


def planar_stacks(header: Header, view: str = "") -> list[Stack]:
    """Make one Stack for each frame of a planar file.

    Parameters
    ----------
    header : Header
    view : {"", "anterior", "posterior"}
        Used for frames whose header does not tell.

    Raises
    ------
    LesionmapError
        If it is not planar, has no pixel spacing, or view code and start angle disagree.
    """
    check_image(header)
    tags = header.tags
    image_type = tg.texts(tags, 0x00080008)
    if len(image_type) > 2 and image_type[2] in _MOVING:
        raise LesionmapError(
            f"a planar bone scan (STATIC, WHOLE BODY) was expected, NM of type {image_type[2]} came; leave it out"
        )
    spacing = tg.numbers(tags, 0x00280030)
    if len(spacing) != 2 or not all(0 < x < 100 for x in spacing):
        raise LesionmapError("a planar bone scan needs its Pixel Spacing in mm, the file has none; export it again")
    return [_stack(header, (spacing[0], spacing[1]), index, view) for index in range(header.frames)]


def _stack(header: Header, spacing: tuple[float, float], index: int, told: str) -> Stack:
    tags = header.tags
    view = _view(tags, index, told)
    grid = planar_grid((header.columns, header.rows), spacing, posterior=view.name == "posterior", flipped=view.flipped)
    if view.upside_down:
        grid = _upside_down(grid)
    file = ImageFile(header.path, header.uid, "", (index,))
    uptake = _uptake_min(tags)
    return Stack(
        station=Station(grid, (file,), header.series_uid, tg.text(tags, 0x00200052)),
        modality="NM",
        sequence="planar",
        plane=view.name,
        kind=(view.name,) if view.name else (),
        note=view.note,
        study_uid=header.study_uid,
        series_number=tg.integer(tags, 0x00200011) or 0,
        person=hd.person(tags),
        day=hd.visit_day(tags),
        frame=index + 1,
        phase=_phase(tags, uptake),
        mirrored=view.name == "posterior" and view.flipped,
        uptake_min=uptake,
    )


def planar_grid(
    size: tuple[int, int], spacing: tuple[float, float], *, posterior: bool = False, flipped: bool = False
) -> Grid:
    """Place a planar view by convention.

    Parameters
    ----------
    size : (int, int)
        Columns, rows.
    spacing : (float, float)
        Between rows, between columns, mm, in the order of Pixel Spacing.
    posterior : bool
        Seen from behind: columns run to the patient's right.
    flipped : bool
        Stored the other way round than the view says.

    Returns
    -------
    Grid
        One voxel of 1 mm deep, LPS mm.
    """
    columns, rows = size
    across = -spacing[1] if posterior != flipped else spacing[1]
    matrix = np.eye(4)
    matrix[:3, :3] = [[across, 0, 0], [0, 0, np.sign(across)], [0, -spacing[0], 0]]
    matrix[:3, 3] = [-across * (columns - 1) / 2, 0, spacing[0] * (rows - 0.5)]
    return Grid((columns, rows, 1), matrix)


def _upside_down(grid: Grid) -> Grid:
    """Turn a grid whose rows run to the feet into one whose rows run to the head."""
    matrix = grid.lps_from_voxel.copy()
    matrix[:3, 3] += matrix[:3, 1] * (grid.shape[1] - 1)
    matrix[:3, 1] *= -1
    return Grid(grid.shape, matrix)


def _view(tags: Tags, index: int, told: str) -> _View:
    """Find the view of a frame: view code, else start angle, else what the user says."""
    detector = _detector(tags, index)
    coded, angle = _coded_view(tags, detector), tg.number(detector, 0x00540200)
    turned = _angle_view(angle)
    if coded and turned and coded != turned:
        raise LesionmapError(
            f"frame {index + 1}: the view code says {coded}, the start angle of {angle:g} degrees says {turned}; "
            "have the header corrected"
        )
    name = coded or turned or told
    rows, columns = _patient_directions(tags)
    expected = "L" if name == "anterior" else "R"
    flipped = bool(name) and rows in ("L", "R") and rows != expected
    notes = [
        "placed by convention: no position in the header",
        "" if coded or turned else f"{told} as told by the user" if told else _UNTOLD,
        "mirrored: stored with the sides exchanged for this view" if flipped else "",
    ]
    return _View(name, flipped, columns == "H", "; ".join(note for note in notes if note))


def _detector(tags: Tags, index: int) -> Tags:
    """Detector Information item of a frame; the header itself where there is none."""
    detectors = tg.items(tags, 0x00540022)
    vector = tg.numbers(tags, 0x00540020, "H")
    number = int(vector[index]) if index < len(vector) else index + 1
    return detectors[number - 1] if 0 < number <= len(detectors) else tags


def _coded_view(tags: Tags, detector: Tags) -> str:
    for holder in (detector, tags):
        for item in tg.items(holder, 0x00540220):
            meaning = tg.text(item, 0x00080104).lower()
            found = _VIEW_CODES.get(tg.text(item, 0x00080100), "")
            if found or re.fullmatch(r"(anterior|posterior)( projection| view)?", meaning):
                return found or meaning.split()[0]
    return ""


def _angle_view(angle: float | None) -> str:
    if angle is None:
        return ""
    turn = angle % 360
    if abs(turn - 180) <= _ANGLE_OFF:
        return "anterior"
    return "posterior" if min(turn, 360 - turn) <= _ANGLE_OFF else ""


def _patient_directions(tags: Tags) -> tuple[str, str]:
    """Patient Orientation: where rows run to (L, R) and where columns run to (F, H); empty where not written."""
    said = tg.texts(tags, 0x00200020)
    return (said[0], said[1]) if len(said) == 2 else ("", "")


def _uptake_min(tags: Tags) -> float | None:
    """Minutes from injection to acquisition; None where the header does not tell."""
    drugs = tg.items(tags, 0x00540016)
    if not drugs:
        return None
    drug = drugs[0]
    begun = _moment(tg.text(tags, 0x00080022) or tg.text(tags, 0x00080020), tg.text(tags, 0x00080032))
    stamp = tg.text(drug, 0x00181078)
    clock = tg.text(drug, 0x00181072)
    given = _moment(stamp[:8], stamp[8:]) if stamp else _moment(tg.text(tags, 0x00080020), clock)
    if begun is None or given is None:
        return None
    minutes = (begun - given) / timedelta(minutes=1)
    return round(minutes, 1) if 0 <= minutes < 24 * 60 else None


def _moment(day: str, clock: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{day[:8]}T{clock[:6]}")
    except ValueError:
        return None


def _phase(tags: Tags, uptake: float | None) -> Phase | None:
    """Early or late: from the uptake time, else from the words of the series description."""
    if uptake is not None:
        return "early" if uptake <= _EARLY_MIN else "late" if uptake >= _LATE_MIN else None
    words = tg.text(tags, 0x0008103E).upper()
    if re.search(r"BLOOD.?POOL|EARLY|FLOW|PERFUSION", words):
        return "early"
    return "late" if re.search(r"DELAY|LATE(?!R)|3\s?H", words) else None
