"""One pass over files: what is there, as volumes, series and visits, and what was refused."""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.read.dicom import dicom_stacks
from lesionmap.read.files import kind_of_file, open_file, sha256_of, unique, walk
from lesionmap.read.header import DamagedError, Header, read_header
from lesionmap.read.nifti import nifti_stacks
from lesionmap.read.overlap import Overlaps
from lesionmap.read.stack import Refused, Stack
from lesionmap.read.stations import series_of
from lesionmap.visits import Series, Visit, age_at

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from lesionmap.visits import Sex

__all__ = ["UNDATED", "Scan", "ScannedVisit", "dry_run_json", "relink", "scan"]

UNDATED = date.min
"""Date of a visit whose images tell none (NIfTI); to be asked for before it is stored."""


@dataclass(frozen=True, slots=True)
class ScannedVisit:
    """The images of one patient on one day, as found."""

    visit: Visit
    """Patient not named yet (empty); date ``UNDATED`` where the images tell none."""
    sex: Sex | None = None
    birth_date: date | None = None
    patient_key: str = field(default="", repr=False)
    """Issuer and Patient ID, for the salted hash; empty where the files name nobody. Never logged."""

    @property
    def series(self) -> tuple[Series, ...]:
        """The Series of the visit, stations joined."""
        return self.visit.series

    @property
    def dated(self) -> bool:
        """False where the date must be asked for."""
        return self.visit.date != UNDATED


@dataclass(frozen=True, slots=True)
class Scan:
    """What a pass over files found."""

    studies: tuple[ScannedVisit, ...] = ()
    """By patient and day."""
    refused: tuple[Refused, ...] = ()
    stacks: tuple[Stack, ...] = ()
    """The volumes as read, before stations are joined."""

    @property
    def series(self) -> tuple[dict[str, Any], ...]:
        """The volumes as read, as ``import --dry-run --json`` lists them."""
        return tuple(_entry(stack) for stack in self.stacks)


def scan(
    paths: Iterable[str | Path],
    *,
    hashes: bool = False,
    overlaps: bool = False,
    visit_date: date | None = None,
    view: str = "",
) -> Scan:
    """Find the images at or below paths, by one pass over headers.

    Parameters
    ----------
    paths : iterable of path-like
        Folders (nested, mixed, unsorted), DICOM and NIfTI files, zip archives (read where they are).
    hashes : bool
        Hash the files too, which reads them whole; an import needs it, a listing does not.
    overlaps : bool
        Look at the pixels where stations overlap before they are joined; without it their coordinates decide. An
        import needs it, a listing does not.
    visit_date : date, optional
        Of images that tell no date.
    view : {"", "anterior", "posterior"}
        Of planar views whose header does not tell.

    Returns
    -------
    Scan
        Visits, and what was refused with the reason. Files that are no images are passed over, unless one was given
        directly.

    Raises
    ------
    LesionmapError
        If a path is not there.
    """
    given = unique([paths] if isinstance(paths, str | os.PathLike) else paths)
    headers: list[Header] = []
    stacks: list[Stack] = []
    refused: list[Refused] = []
    cut: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns with header values, which may name people
        for path, direct in _files(given, refused):
            try:
                _take(path, direct, headers, stacks)
            except LesionmapError as error:
                refused.append(Refused(path, str(error)))
                if isinstance(error, DamagedError):
                    cut.add(error.series_uid)
        found, not_taken = dicom_stacks(headers, view)
    stacks = [_warned(stack, cut) for stack in (*found, *stacks)]
    if hashes:
        stacks = [_hashed(stack) for stack in stacks]
    studies, born_later = _visits(stacks, visit_date, overlaps=overlaps)
    return Scan(studies, (*refused, *not_taken, *born_later), tuple(stacks))


def _files(paths: Sequence[str | Path], refused: list[Refused]) -> Iterator[tuple[str, bool]]:
    """Give each file, and whether it was given directly; an archive that cannot be opened is refused."""
    for given in paths:
        walked, itself = walk(given), str(Path(given).expanduser().absolute())
        while True:
            try:
                path = next(walked)
            except StopIteration:
                break
            except LesionmapError as error:
                if not Path(itself).exists():
                    raise
                refused.append(Refused(str(given), str(error)))
                break
            yield path, path == itself


def _take(path: str, direct: bool, headers: list[Header], stacks: list[Stack]) -> None:
    """Put an image file where it belongs.

    Raises
    ------
    LesionmapError
        If it is damaged, or no image though it was given directly.
    """
    with open_file(path) as file:
        kind = kind_of_file(path, file)
        header = read_header(path, file) if kind == "dicom" else None
    if kind == "damaged":
        raise LesionmapError("a DICOM or NIfTI image was expected by its name, the file is neither; send it again")
    if kind == "nifti":
        stacks += nifti_stacks(path)
    elif header is not None:
        if header.is_image:
            headers.append(header)
        elif direct:
            raise LesionmapError(f"an image was expected, a DICOM object of modality {header.modality or '?'} came")
    elif direct:
        raise LesionmapError("a DICOM or NIfTI image was expected, the file is neither; give the folder of the images")


def _warned(stack: Stack, cut: set[str]) -> Stack:
    """Say of a volume that files of its series were cut short: it may have lost slices at its ends."""
    if not stack.station.series_uid or stack.station.series_uid not in cut:
        return stack
    word = "files of this series were cut short and left out: slices may be missing at an end"
    return replace(stack, note=f"{stack.note}; {word}" if stack.note else word)


def _hashed(stack: Stack) -> Stack:
    files = tuple(replace(file, sha256=sha256_of(file.path)) for file in stack.station.files)
    return replace(stack, station=replace(stack.station, files=files))


def _visits(
    stacks: Sequence[Stack], visit_date: date | None, *, overlaps: bool
) -> tuple[tuple[ScannedVisit, ...], list[Refused]]:
    groups: dict[tuple[str, date], list[Stack]] = defaultdict(list)
    for stack in stacks:
        groups[stack.person.key, stack.day or visit_date or UNDATED].append(stack)
    visits: list[ScannedVisit] = []
    refused: list[Refused] = []
    for (key, day), group in sorted(groups.items(), key=lambda item: item[0]):
        try:
            visits.append(_visit(key, day, group, Overlaps(group) if overlaps else None))
        except LesionmapError as error:
            refused += [Refused(stack.station.files[0].path, str(error)) for stack in group]
    return tuple(visits), refused


def _visit(key: str, day: date, stacks: Sequence[Stack], overlaps: Overlaps | None) -> ScannedVisit:
    def known(name: str) -> Any:
        return next((value for s in stacks if (value := getattr(s.person, name)) is not None), None)

    birth = known("birth_date")
    age = age_at(day, birth) if birth is not None and day != UNDATED else known("age_y")
    visit = Visit("", day, 1, age, known("stature_cm"), known("weight_kg"), series_of(stacks, overlaps))
    return ScannedVisit(visit, known("sex"), birth, key)


def dry_run_json(found: Scan) -> dict[str, Any]:
    """Give what ``lesionmap import --dry-run --json`` prints: the volumes as read, and what was refused.

    Without names, identifiers or descriptions of the patient.
    """
    return {
        "series": list(found.series),
        "refused": [{"path": refused.path, "why": refused.why} for refused in found.refused],
    }


def _entry(stack: Stack) -> dict[str, Any]:
    grid = stack.station.grid
    last = [n - 1 for n in grid.shape]
    placed = not stack.projection
    entry: dict[str, Any] = {
        "path": os.path.commonpath({str(Path(file.path).parent) for file in stack.station.files}),
        "visit_date": stack.day.isoformat() if stack.day else None,
        "modality": stack.modality,
        "sequence": stack.sequence,
        "plane": stack.plane,
        "kind": list(stack.kind),
        "shape": list(grid.shape),
        "spacing_mm": _plain(grid.spacing_mm),
        "first_voxel_lps_mm": _plain(grid.lps([0, 0, 0])) if placed else None,
        "last_voxel_lps_mm": _plain(grid.lps(last)) if placed else None,
        "n_files": stack.n_files,
        "echo_time_ms": stack.echo_ms,
        "inversion_time_ms": stack.inversion_ms,
        "series_uid": stack.station.series_uid,
        "note": stack.note,
    }
    if stack.frame is not None:
        entry |= {"frame": stack.frame, "phase": stack.phase, "uptake_min": stack.uptake_min}
    return entry


def _plain(values: Iterable[float]) -> list[float]:
    """Plain numbers of six decimals, without minus zero."""
    return [round(float(value), 6) + 0.0 for value in np.asarray(list(values))]


def relink(series: Series, root: str | Path) -> Series:
    """Find the images of a Series again after they were moved.

    Parameters
    ----------
    series : Series
        Whose files are not where they were.
    root : path-like
        Folder (or archive) to look in; found by SOP Instance UID, NIfTI by its hash.

    Returns
    -------
    Series
        The same, with the new paths.

    Raises
    ------
    LesionmapError
        If some file is not there.
    """
    wanted = {file.uid or file.sha256 for station in series.stations for file in station.files}
    there = _where(root, wanted)
    missing = len(wanted - there.keys())
    if missing:
        raise LesionmapError(
            f"{len(wanted)} image files of '{series.name}' were expected below {root}, {missing} of them are not "
            "there; give the folder they were moved to"
        )
    stations = tuple(
        replace(s, files=tuple(replace(f, path=there[f.uid or f.sha256]) for f in s.files)) for s in series.stations
    )
    return replace(series, stations=stations)


def _where(root: str | Path, wanted: set[str]) -> dict[str, str]:
    """Find where the files of those UIDs or hashes lie."""
    there: dict[str, str] = {}
    for path in walk(root):
        try:
            with open_file(path) as file:
                kind = kind_of_file(path, file)
                found = read_header(path, file).uid if kind == "dicom" else ""
            found = sha256_of(path) if kind == "nifti" else found
        except LesionmapError:
            continue
        if found in wanted:
            there.setdefault(found, path)
    return there
