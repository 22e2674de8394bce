"""DICOM Segmentations by any program: segments with their voxels, at their millimetres, and what is told of them."""

from __future__ import annotations

import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Mask
from lesionmap.read.files import open_file
from lesionmap.read.header import broken
from lesionmap.read.segframes import frames_of, grids_of
from lesionmap.read.segpixels import set_voxels
from lesionmap.read.segtext import understood
from lesionmap.space import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from lesionmap.read.segframes import SegFrame, SourceRef
    from lesionmap.read.segtext import Told

__all__ = ["ReadMask", "ReadSeg", "ReadSegment", "is_seg", "read_seg", "seg_volume"]

SEG_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation Storage, Label Map Segmentation Storage."""
_TYPES = ("BINARY", "FRACTIONAL", "LABELMAP")


@dataclass(frozen=True, slots=True, eq=False)
class ReadMask:
    """Voxels of a segment on one grid."""

    mask: Mask
    """On the object's own grid, LPS mm; empty slices may be missing at its ends. Planar: on pixels, placed nowhere."""
    sources: frozenset[SourceRef]
    """The images that its frames were drawn on, as far as they are told."""
    placed: bool = True
    """False for a frame without a position: a planar view, to be found by its source."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadSegment:
    """One segment of a Segmentation."""

    number: int
    label: str
    region: str
    """Coded anatomic region and its modifiers in words; empty where it is not coded."""
    tracking_id: str
    tracking_uid: str
    told: Told | None
    """Lesion, sites, certainty and tracks where lesionmap wrote it."""
    masks: tuple[ReadMask, ...]
    """One for each grid that it reaches; none where no voxel is set."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadSeg:
    """One Segmentation, as read."""

    path: str
    kind: str
    """BINARY, FRACTIONAL or LABELMAP."""
    segments: tuple[ReadSegment, ...]
    series_uids: frozenset[str] = frozenset()
    """Series Instance UIDs of the images that it refers to."""
    frame_uid: str = ""
    """Frame of Reference UID."""
    reader: str = field(default="", repr=False)
    """Who made it, as written there; may name people, never shown."""
    note: str = ""
    """What was assumed in reading it; empty if nothing."""


def is_seg(path: str | Path) -> bool:
    """Say whether a file is a DICOM Segmentation, by its header."""
    from pydicom import dcmread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns with header values, which may name people
        try:
            with open_file(str(path)) as file:
                header = dcmread(file, specific_tags=["SOPClassUID"], stop_before_pixels=True)
            return str(header.get("SOPClassUID", "")) in SEG_CLASSES
        except broken():  # LesionmapError, a ValueError, among them
            return False


def read_seg(path: str | Path) -> ReadSeg:
    """Read a DICOM Segmentation.

    Parameters
    ----------
    path : path-like
        By highdicom, dcmqi, 3D Slicer, OHIF or another program: BINARY (segments may overlap), FRACTIONAL (set from
        half of the greatest value on, which the note tells) or LABELMAP (0 is no segment); with or without empty
        frames, source images and tracking identifiers.

    Returns
    -------
    ReadSeg
        Masks indexed [column, row, slice], LPS mm.

    Raises
    ------
    LesionmapError
        If it is no Segmentation, cut short, or does not say where its frames lie.
    """
    from pydicom import dcmread

    where = str(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns with header values, which may name people
        try:
            with open_file(where) as file:
                dataset = dcmread(file)
            _check(dataset, where)
            return _read(dataset, where)
        except LesionmapError:
            raise
        except broken() as error:
            raise _not_one(where) from error


def _not_one(where: str) -> LesionmapError:
    return LesionmapError(
        f"a mask as NIfTI or DICOM SEG was expected, {where} is neither or cannot be read; save it as NIfTI"
    )


def _check(dataset: Dataset, where: str) -> None:
    if str(dataset.get("SOPClassUID", "")) not in SEG_CLASSES or "PixelData" not in dataset:
        raise _not_one(where)
    if dataset.get("SegmentationType") not in _TYPES:
        raise LesionmapError(f"a segmentation of type {', '.join(_TYPES)} was expected in {where}, got another one")
    if "TotalPixelMatrixColumns" in dataset:
        raise LesionmapError(f"a segmentation of a patient was expected, {where} is one of a microscope slide")


def _read(dataset: Dataset, where: str) -> ReadSeg:
    kind = str(dataset.SegmentationType)
    frames = frames_of(dataset)
    voxels = _voxels_by_segment(dataset, frames, kind)
    placed = _Places.of(frames, (int(dataset.Columns), int(dataset.Rows)))
    segments = tuple(
        _segment(item, placed.masks(voxels.get(int(item.SegmentNumber), [])))
        for item in dataset.SegmentSequence
        if int(item.SegmentNumber) > 0
    )
    series = [str(item.SeriesInstanceUID) for item in dataset.get("ReferencedSeriesSequence") or ()]
    return ReadSeg(
        path=where,
        kind=kind,
        segments=segments,
        series_uids=frozenset(series),
        frame_uid=str(dataset.get("FrameOfReferenceUID", "")),
        reader=str(dataset.get("ContentCreatorName", "")),
        note="fractions: set from one half on" if kind == "FRACTIONAL" else "",
    )


_Voxels = tuple[int, "NDArray[np.int_]"]
"""Frame, and the places of the voxels set in it."""


def _voxels_by_segment(dataset: Dataset, frames: Sequence[SegFrame], kind: str) -> dict[int, list[_Voxels]]:
    """Give for each segment number its frames and the voxels set in them."""
    found: dict[int, list[_Voxels]] = defaultdict(list)
    most = int(dataset.get("MaximumFractionalValue", 1)) if kind == "FRACTIONAL" else 1
    for frame, place, values in set_voxels(dataset):
        if kind == "LABELMAP":
            for number in np.unique(values).tolist():
                found[number].append((frame, place[values == number]))
        elif len(kept := place[2 * values >= most]):
            found[frames[frame].segment].append((frame, kept))
    return found


@dataclass(frozen=True, slots=True)
class _Places:
    """Where each frame lies: its grid and slice, or on a planar view."""

    frames: Sequence[SegFrame]
    size: tuple[int, int]
    grids: Sequence[Grid]
    where: NDArray[np.int_]
    """Shape (frames, 2): grid and slice; grid −1 for a frame without position."""

    @classmethod
    def of(cls, frames: Sequence[SegFrame], size: tuple[int, int]) -> _Places:
        where = np.full((len(frames), 2), -1, dtype=np.int_)
        rows = [n for n, frame in enumerate(frames) if frame.position]
        grids, places = grids_of([frames[n] for n in rows], size)
        where[rows] = places
        return cls(frames, size, grids, where)

    def masks(self, voxels: Iterable[_Voxels]) -> tuple[ReadMask, ...]:
        """Give the masks of a segment, one for each grid, and one for each frame without position."""
        groups: dict[tuple[int, int], list[_Voxels]] = defaultdict(list)
        for frame, place in voxels:
            grid = int(self.where[frame, 0])
            groups[grid, frame if grid < 0 else -1].append((frame, place))
        return tuple(self._mask(grid, parts) for (grid, _), parts in groups.items())

    def _mask(self, grid: int, parts: Sequence[_Voxels]) -> ReadMask:
        columns, rows = self.size
        on = self.grids[grid] if grid >= 0 else Grid((columns, rows, 1), np.eye(4))
        found = [
            np.stack([place % columns, place // columns, np.full(len(place), max(int(self.where[frame, 1]), 0))], 1)
            for frame, place in parts
        ]
        sources = frozenset(source for frame, _ in parts for source in self.frames[frame].sources)
        return ReadMask(Mask.of_voxels(np.concatenate(found), on), sources, placed=grid >= 0)


def _segment(item: Dataset, masks: tuple[ReadMask, ...]) -> ReadSegment:
    return ReadSegment(
        number=int(item.SegmentNumber),
        label=str(item.get("SegmentLabel", "")),
        region=_region(item),
        tracking_id=str(item.get("TrackingID", "")),
        tracking_uid=str(item.get("TrackingUID", "")),
        told=understood(str(item.get("SegmentDescription", ""))),
        masks=masks,
    )


def _region(item: Dataset) -> str:
    """Put the coded anatomic region into words: ``Tibia, Left, distal tibial metaphysis``."""
    words = []
    for region in item.get("AnatomicRegionSequence") or ():
        modifiers = region.get("AnatomicRegionModifierSequence") or ()
        words += [str(code.get("CodeMeaning", "")) for code in (region, *modifiers)]
    return ", ".join(word for word in words if word)


def seg_volume(path: str | Path) -> Volume:
    """Read a DICOM Segmentation as a label Volume: each voxel holds the number of its segment.

    Parameters
    ----------
    path : path-like
        A Segmentation whose frames lie on one regular grid; where segments overlap the highest number stays.

    Returns
    -------
    Volume
        Of whole numbers, from the first slice in which something is set to the last one.

    Raises
    ------
    LesionmapError
        As ``read_seg``, or if nothing is set in it or its frames lie on no grid or on several.
    """
    found = read_seg(path)
    parts = [(segment.number, one) for segment in found.segments for one in segment.masks]
    grids = {one.mask.grid for _, one in parts if one.placed}
    if len(grids) != 1 or not all(one.placed for _, one in parts):
        raise LesionmapError(
            f"a segmentation on one regular grid was expected, {path} lies on {len(grids)}; "
            "add its lesions with 'lesionmap add --mask', which takes several"
        )
    grid = grids.pop()
    most = max(number for number, _ in parts)
    array = np.zeros(grid.shape, dtype=np.uint16 if most < 2**16 else np.uint32)
    for number, one in sorted(parts, key=lambda part: part[0]):
        array[one.mask.slices][one.mask.box] = number
    return Volume(array, grid)
