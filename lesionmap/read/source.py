"""The images that a Series was read from, one slice each, for objects that refer to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.read.enhanced import enhanced_frames, is_enhanced
from lesionmap.read.files import open_file
from lesionmap.read.frames import classic_frame
from lesionmap.read.header import broken, read_header

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydicom.dataset import Dataset

    from lesionmap.read.frames import Frame
    from lesionmap.read.header import Header
    from lesionmap.visits import ImageFile, Station

__all__ = ["SourceSlice", "source_header", "source_slices"]


@dataclass(frozen=True, slots=True)
class SourceSlice:
    """One slice of a source image: what to call it, and where it lies."""

    sop_class: str
    sop_uid: str
    frame: int | None
    """Number in a multi-frame file, from 1; None where the file is one slice."""
    position: tuple[float, ...] = ()
    """Centre of the first voxel, LPS mm; empty for a planar view."""
    orientation: tuple[float, ...] = ()
    """Cosines of the rows, then of the columns; empty for a planar view."""
    spacing: tuple[float, ...] = ()
    """Between rows, between columns, mm; empty for a planar view."""
    thickness_mm: float | None = None


def source_slices(station: Station, wanted: Iterable[int], *, projection: bool = False) -> dict[int, SourceSlice]:
    """Read the headers of slices of a station.

    Parameters
    ----------
    station : Station
        Of DICOM files.
    wanted : iterable of int
        Slices, k in the station's grid.
    projection : bool
        True for a planar view.

    Returns
    -------
    dict of int to SourceSlice

    Raises
    ------
    LesionmapError
        If a file is not there any more, or is another one than when it was imported.
    """
    where = [(file, frame) for file in station.files for frame in (file.frames or (None,))]
    headers: dict[str, Header] = {}
    frames: dict[str, list[Frame]] = {}
    found = {}
    for k in wanted:
        file, index = where[k]
        if file.path not in headers:
            headers[file.path] = _header(file, station)
        header = headers[file.path]
        if projection:
            found[k] = SourceSlice(header.sop_class, header.uid, (index or 0) + 1)
            continue
        if file.path not in frames:
            frames[file.path] = list(enhanced_frames(header)) if is_enhanced(header) else [classic_frame(header)]
        frame = frames[file.path][index or 0]
        number = None if index is None else index + 1
        place = (frame.position, frame.orientation, frame.spacing, frame.thickness_mm)
        found[k] = SourceSlice(header.sop_class, header.uid, number, *place)
    return found


def _header(file: ImageFile, station: Station) -> Header:
    with open_file(file.path) as opened:
        header = read_header(file.path, opened)
    if header.uid != file.uid or (header.columns, header.rows) != station.grid.shape[:2]:
        raise LesionmapError(f"another image lies at {file.path} than when it was imported; re-link the images")
    return header


def source_header(station: Station) -> Dataset:
    """Read the whole header of a station's first file, with all that it says of the patient.

    Raises
    ------
    LesionmapError
        If the file is not there, cannot be read, or is another one than when it was imported.
    """
    from pydicom import dcmread

    file = station.files[0]
    try:
        with open_file(file.path) as opened:
            dataset = dcmread(opened, stop_before_pixels=True, force=True)
        uid = str(dataset.get("SOPInstanceUID", ""))
    except broken() as error:
        raise LesionmapError(
            f"a DICOM image was expected at {file.path}, its header cannot be read; send the file again"
        ) from error
    if uid != file.uid:
        raise LesionmapError(f"another image lies at {file.path} than when it was imported; re-link the images")
    return dataset
