"""Who and when: Patient, Visit, and the Series of a visit, as frozen facts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.space import Grid, joining_axis

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lesionmap.lesions import Mask
    from lesionmap.skeleton.placement import Placement

__all__ = [
    "ImageFile",
    "Patient",
    "Reference",
    "Series",
    "Sex",
    "Station",
    "Visit",
    "age_at",
    "only_planar",
    "placement_on",
    "planar_views",
    "station_of",
    "visit_key_parts",
    "years_between",
]

Sex = Literal["F", "M"]
Phase = Literal["early", "late"]

_DAYS_PER_YEAR = 365.25


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One file that holds pixels of a Series, where it was when it was read."""

    path: str
    """Absolute path. Images stay where they are."""
    uid: str
    """SOP Instance UID; empty for a NIfTI file."""
    sha256: str
    """Of the whole file, hex; empty in a dry run."""
    frames: tuple[int, ...] = ()
    """Frames of the file in slice order, from 0; empty: the file is one slice, or (NIfTI) all of them."""
    offset: int = 0
    """Byte at which the pixels begin, stored and rescaled as in the station's first file; 0: look into the header."""


@dataclass(frozen=True, slots=True)
class Station:
    """One stack of slices as acquired: its grid, and its files in slice order (k = 0 first)."""

    grid: Grid
    files: tuple[ImageFile, ...]
    series_uid: str = ""
    """DICOM Series Instance UID; empty for NIfTI."""
    frame_uid: str = ""
    """DICOM Frame of Reference UID; empty where the file has none."""
    volume_index: int = 0
    """Which volume of a 4-D NIfTI file, from 0."""
    moved_mm: float = 0.0
    """Millimetres towards the head by which ``grid`` lies elsewhere than the header says: the table had moved."""

    @property
    def header_grid(self) -> Grid:
        """Where the header says that the slices are; what refers to the images lies there."""
        if not self.moved_mm:
            return self.grid
        matrix = self.grid.lps_from_voxel.copy()
        matrix[2, 3] -= self.moved_mm
        return Grid(self.grid.shape, matrix)


@dataclass(frozen=True, slots=True)
class Series:
    """A grid, what it is, and where its pixels are. ``lesionmap.read.pixels(series)`` gives the Volume."""

    name: str
    """Unique in its visit, readable, without personal data: ``STIR coronal``, ``bone scan anterior late``."""
    grid: Grid
    """Of the whole (the stations joined)."""
    modality: str
    """DICOM Modality: MR, NM, CT …"""
    sequence: str
    """STIR, T1, T2, DWI, ADC, planar …; empty where the header does not tell."""
    plane: str
    """coronal, sagittal, axial, oblique; for a bone scan anterior or posterior."""
    stations: tuple[Station, ...]
    """One, or the stations that are joined, from head to foot."""
    kind: tuple[str, ...] = ()
    """Words such as magnitude, phase, water, fat, adc, b=800, anterior, posterior."""
    phase: Phase | None = None
    """Early or late phase of a bone scan; None where not known."""
    projection: bool = False
    """True for a planar view (one voxel deep)."""
    mirrored: bool = False
    """True where a posterior view is stored with the patient's right on image left."""
    study_uid: str = ""
    """DICOM Study Instance UID; empty for NIfTI."""
    uptake_min: float | None = None
    """Minutes from injection to scan, where known."""
    note: str = ""
    """What was resampled or assumed when it was read; empty if nothing."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Who: a pseudonym, and what the growth of the skeleton needs."""

    id: str
    """Pseudonym: P001 …"""
    sex: Sex | None = None
    birth_date: date | None = None
    """None where not known; the age then stands with the visit."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", self.id):
            raise LesionmapError(
                f"a patient's pseudonym is 1 to 64 letters, digits, '_', '.' or '-', got {len(self.id)} characters "
                "with others among them; choose another with --patient"
            )


@dataclass(frozen=True, slots=True)
class Reference:
    """The reference region (muscle) of a Series, kept with the visit."""

    series: str
    """Name of the Series."""
    mask: Mask


@dataclass(frozen=True, slots=True)
class Visit:
    """When: date, age, stature if known, and the Series; a visit may have none."""

    patient: str
    """Pseudonym of the Patient."""
    date: date
    ordinal: int = 1
    """2 for a second visit on that day."""
    age_y: float | None = None
    """Years; None where not known."""
    stature_cm: float | None = None
    weight_kg: float | None = None
    series: tuple[Series, ...] = ()

    @property
    def key(self) -> str:
        """The visit's name on the command line: ISO date, ``.2`` for a second one on that day."""
        return self.date.isoformat() + (f".{self.ordinal}" if self.ordinal > 1 else "")

    def series_named(self, name: str) -> Series:
        """Give the Series of that name.

        Raises
        ------
        LesionmapError
            If the visit has no such Series; the message lists those it has.
        """
        for series in self.series:
            if series.name == name:
                return series
        have = ", ".join(repr(s.name) for s in self.series) or "none"
        raise LesionmapError(f"visit {self.key} has no series {name!r}; it has: {have}")


def planar_views(visit: Visit, like: Series | None = None) -> dict[Literal["anterior", "posterior"], Series]:
    """Give the anterior and the posterior view of a visit's bone scan: of one scan, the late phase before the early.

    Of several scans the one that ``like`` belongs to, else one with both views. Empty where no view is told.
    """
    scans: dict[tuple[Phase | None, str], dict[Literal["anterior", "posterior"], Series]] = {}
    for series in visit.series:
        if series.projection and series.plane in ("anterior", "posterior"):
            face: Literal["anterior", "posterior"] = "anterior" if series.plane == "anterior" else "posterior"
            scans.setdefault((series.phase, series.study_uid), {}).setdefault(face, series)
    if like is not None:
        return scans.get((like.phase, like.study_uid), {})
    return max(scans.items(), key=lambda one: (len(one[1]), one[0][0] != "early"))[1] if scans else {}


def only_planar(visit: Visit) -> bool:
    """Say whether all images of a visit are planar views: its skeleton is then placed on these."""
    return bool(visit.series) and all(series.projection for series in visit.series)


def placement_on(visit: Visit, placement: Placement | None, series: Series) -> Placement | None:
    """Give the skeleton as it lies on a Series of a visit: its planar views have a frame of their own beside slices.

    Parameters
    ----------
    visit : Visit
    placement : Placement or None
        Of the visit.
    series : Series
        Of the visit.
    """
    if placement is None or not series.projection or only_planar(visit):
        return placement
    return placement.scan


def station_of(series: Series, points_lps_mm: ArrayLike) -> NDArray[np.int_]:
    """Say which station of a Series was imaged at points, and so where nothing was imaged.

    Parameters
    ----------
    series : Series
        Of one or several stations.
    points_lps_mm : array-like, shape (..., 3)
        LPS mm.

    Returns
    -------
    ndarray of int, shape (...)
        Index into ``series.stations``; in an overlap the one with the largest weight in the joined volume (whose end
        is farther). -1 where no station was: the 0 that the joined volume has there is no signal.
    """
    voxels = np.rint(series.grid.voxels(points_lps_mm)).astype(int)
    boxes = [series.grid.box_of(station.grid) for station in series.stations]
    axis = joining_axis(boxes)
    weights = []
    for low, size in boxes:
        inside = np.all((voxels >= low) & (voxels < low + size), axis=-1)
        along = voxels[..., axis] - low[axis]
        weights.append(np.where(inside, np.minimum(along + 1, size[axis] - along), 0))
    heaviest = np.max(weights, axis=0)
    return np.where(heaviest > 0, np.argmax(weights, axis=0), -1)


def years_between(first: date, last: date) -> float:
    """Give the years from one day to another."""
    return (last - first).days / _DAYS_PER_YEAR


def age_at(day: date, birth_date: date) -> float:
    """Give the age in years on a day.

    Raises
    ------
    LesionmapError
        If the day lies before the birth.
    """
    if day < birth_date:
        raise LesionmapError(
            f"the visit of {day.isoformat()} lies before the patient's birth; correct the date with --visit"
        )
    return years_between(birth_date, day)


def visit_key_parts(key: str) -> tuple[date, int]:
    """Read a visit's name (``2010-05-04`` or ``2010-05-04.2``) into date and ordinal.

    Examples
    --------
    >>> visit_key_parts("2010-05-04.2")
    (datetime.date(2010, 5, 4), 2)
    """
    text, _, number = key.partition(".")
    try:
        day = date.fromisoformat(text)
        ordinal = int(number) if number else 1
    except ValueError:
        ordinal = 0
        day = date.min
    if ordinal < 1:
        raise LesionmapError(f"a visit is named by its date, 2010-05-04 (or 2010-05-04.2 for a second), got {key!r}")
    return day, ordinal
