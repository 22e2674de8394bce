"""Planar bone scans (NM): one view a frame, placed by convention because they have no position.

A view is a projection: its Grid is one voxel deep. Columns run to the patient's left (+x) in an anterior view and
to the right (−x) in a posterior one as acquired, rows run to the feet (−z); the middle of the picture is x = 0, its
lower edge z = 0, y = 0. The two views of a scan thus overlay side by side right, and nothing is known of depth.

What the header does not tell (view, phase, uptake time) is asked of the user and comes as :class:`Told`. It never
overrules what the header tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Self

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.read import header as hd
from lesionmap.read import tags as tg
from lesionmap.read.frames import check_image
from lesionmap.read.stack import Stack
from lesionmap.read.views import views_of
from lesionmap.space import Grid
from lesionmap.visits import ImageFile, Station

if TYPE_CHECKING:
    from lesionmap.read.header import Header
    from lesionmap.read.tags import Tags
    from lesionmap.read.views import View
    from lesionmap.visits import Phase

__all__ = ["Told", "is_planar", "planar_grid", "planar_stacks"]

_STILL = ("STATIC", "WHOLE BODY")
_MOVING = ("DYNAMIC", "GATED", "TOMO", "RECON TOMO", "GATED TOMO", "RECON GATED TOMO")
_EARLY_MIN, _LATE_MIN = 30.0, 90.0
_MOST_HEADS = 3
_DAY_MIN = 24 * 60.0


@dataclass(frozen=True, slots=True)
class Told:
    """What the user says of the planar views whose header does not tell."""

    views: tuple[str, ...] = ()
    """One, of files with one view; or two, of the first and the second detector of a file."""
    phase: Phase | None = None
    uptake_min: float | None = None
    """Minutes from injection to scan."""

    @classmethod
    def of(cls, view: str = "", phase: Phase | None = None, uptake_min: float | None = None) -> Self:
        """Check what the user says.

        Parameters
        ----------
        view : str
            ``anterior``, ``posterior``, both with a comma between them in the order of the file, or empty.
        phase : {"early", "late"}, optional
            Without it the uptake time decides.
        uptake_min : float, optional
            Minutes from injection to scan.

        Raises
        ------
        LesionmapError
            If it is none of these, or phase and uptake time disagree.
        """
        views = tuple(word.strip() for word in view.split(",")) if view else ()
        if len(views) > 2 or not set(views) <= {"anterior", "posterior"}:
            raise LesionmapError(f"a view is anterior, posterior, or both as anterior,posterior, got {view!r}")
        if uptake_min is not None and not 0 < uptake_min < _DAY_MIN:
            raise LesionmapError(f"the time from injection to scan is 0 to {_DAY_MIN:g} minutes, got {uptake_min:g}")
        timed = _timed_phase(uptake_min)
        if phase and timed and phase != timed:
            raise LesionmapError(
                f"the {phase} phase was named, {uptake_min:g} minutes after the injection is the {timed} one; "
                "correct one of the two"
            )
        return cls(views, phase or timed, uptake_min)


@dataclass(frozen=True, slots=True)
class _Timing:
    """When after the injection, and what of it is the user's word."""

    phase: Phase | None
    uptake_min: float | None
    note: str


def is_planar(header: Header) -> bool:
    """Say whether a file is planar nuclear medicine, stored as NM or as secondary capture.

    What has no position in the patient is, and so is what calls itself STATIC or WHOLE BODY though it has one.
    """
    image_type = tg.texts(header.tags, 0x00080008)
    still = len(image_type) > 2 and image_type[2] in _STILL
    return header.modality == "NM" and (still or not tg.numbers(header.tags, 0x00200032))


def planar_stacks(header: Header, told: Told | None = None) -> list[Stack]:
    """Make one Stack for each frame (view and energy window) of a planar file.

    Parameters
    ----------
    header : Header
    told : Told, optional
        Used for frames whose header does not tell.

    Raises
    ------
    LesionmapError
        If it is not planar, has no pixel spacing, or view code and start angle disagree.
    """
    check_image(header)
    tags, told = header.tags, told or Told()
    image_type = tg.texts(tags, 0x00080008)
    moving = image_type[2] if len(image_type) > 2 else "TOMO" if tg.items(tags, 0x00540052) else ""
    if moving in _MOVING:
        raise LesionmapError(
            f"a planar bone scan (STATIC, WHOLE BODY) was expected, NM of type {moving} came; leave it out"
        )
    spacing = tg.numbers(tags, 0x00280030)
    if len(spacing) != 2 or not all(0 < x < 100 for x in spacing):
        raise LesionmapError("a planar bone scan needs its Pixel Spacing in mm, the file has none; export it again")
    frames = _frames(header)
    views = views_of(tags, [detector for detector, _ in frames], told.views)
    timing = _timing(tags, told)
    return [
        _stack(header, (spacing[0], spacing[1]), index, view, (timing, _window_note(tags, frames, index)))
        for index, view in enumerate(views)
    ]


def _frames(header: Header) -> list[tuple[int, int]]:
    """Give detector and energy window of each frame, from 1.

    Where the file does not say, the frames of one energy window come from one detector after the other.

    Raises
    ------
    LesionmapError
        If the same detector and window come again (a moving scan), or there are more views than a camera has heads.
    """
    tags = header.tags
    detectors, windows = tg.numbers(tags, 0x00540020, "H"), tg.numbers(tags, 0x00540010, "H")
    found: list[tuple[int, int]] = []
    for index in range(header.frames):
        window = int(windows[index]) if index < len(windows) else 1
        earlier = sum(1 for _, other in found if other == window)
        found.append((int(detectors[index]) if index < len(detectors) else earlier + 1, window))
    most = max(_MOST_HEADS, len(tg.items(tags, 0x00540022)))
    if len(set(found)) < len(found) or len({detector for detector, _ in found}) > most:
        raise LesionmapError(
            f"one frame for each detector and energy window was expected, {header.frames} frames came, some of the "
            "same detector and window: a moving scan; leave it out"
        )
    return found


def _window_note(tags: Tags, frames: list[tuple[int, int]], index: int) -> str:
    """Say which energy window a frame is, where there are several."""
    windows = sorted({window for _, window in frames})
    if len(windows) < 2:
        return ""
    mine = frames[index][1]
    described = tg.items(tags, 0x00540012)
    ranges = tg.items(described[mine - 1], 0x00540013) if 0 < mine <= len(described) else []
    limits = [tg.number(ranges[0], tag) for tag in (0x00540014, 0x00540015)] if ranges else [None]
    kev = "" if None in limits else f" ({limits[0]:g} to {limits[1]:g} keV)"
    return f"energy window {windows.index(mine) + 1} of {len(windows)}{kev}"


def _stack(header: Header, spacing: tuple[float, float], index: int, view: View, said: tuple[_Timing, str]) -> Stack:
    tags = header.tags
    timing, window = said
    grid = planar_grid((header.columns, header.rows), spacing, posterior=view.name == "posterior", flipped=view.flipped)
    if view.upside_down:
        grid = _upside_down(grid)
    file = ImageFile(header.path, header.uid, "", (index,))
    return Stack(
        station=Station(grid, (file,), header.series_uid, tg.text(tags, 0x00200052)),
        modality="NM",
        sequence="planar",
        plane=view.name,
        kind=(view.name,) if view.name else (),
        note="; ".join(note for note in (view.note, window, timing.note) if note),
        study_uid=header.study_uid,
        series_number=tg.integer(tags, 0x00200011) or 0,
        person=hd.person(tags),
        day=hd.visit_day(tags),
        frame=index + 1,
        phase=timing.phase,
        mirrored=view.name == "posterior" and view.flipped,
        uptake_min=timing.uptake_min,
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


def _timing(tags: Tags, told: Told) -> _Timing:
    """Find phase and uptake time: from the header, else as the user says."""
    uptake = _uptake_min(tags)
    phase = _timed_phase(uptake) if uptake is not None else _said_phase(tags)
    notes: list[str] = []
    if phase is None and told.phase:
        phase = told.phase
        notes.append(f"{phase} phase as told by the user")
    if uptake is None and told.uptake_min is not None and phase == told.phase:
        uptake = told.uptake_min
        notes.append(f"{uptake:g} min after the injection as told by the user")
    return _Timing(phase, uptake, "; ".join(notes))


def _uptake_min(tags: Tags) -> float | None:
    """Minutes from injection to acquisition; None where the header does not tell.

    An injection at midnight sharp or at the moment of the scan is a field that nobody filled in.
    """
    drugs = tg.items(tags, 0x00540016)
    if not drugs:
        return None
    drug = drugs[0]
    begun = _moment(tg.text(tags, 0x00080022) or tg.text(tags, 0x00080020), tg.text(tags, 0x00080032))
    stamp = tg.text(drug, 0x00181078)
    clock = tg.text(drug, 0x00181072)
    given = _moment(stamp[:8], stamp[8:]) if stamp else _moment(tg.text(tags, 0x00080020), clock)
    if begun is None or given is None or given.time() == time(0):
        return None
    minutes = (begun - given) / timedelta(minutes=1)
    return round(minutes, 1) if 0 < minutes < _DAY_MIN else None


def _moment(day: str, clock: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{day[:8]}T{clock[:6]}")
    except ValueError:
        return None


def _timed_phase(uptake: float | None) -> Phase | None:
    if uptake is None:
        return None
    return "early" if uptake <= _EARLY_MIN else "late" if uptake >= _LATE_MIN else None


def _said_phase(tags: Tags) -> Phase | None:
    """Early or late from the words of the series description."""
    words = tg.text(tags, 0x0008103E).upper()
    if re.search(r"BLOOD.?POOL|EARLY|FLOW|PERFUSION", words):
        return "early"
    return "late" if re.search(r"DELAY|LATE(?!R)|3\s?H", words) else None
