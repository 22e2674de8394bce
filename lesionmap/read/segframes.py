"""Where the frames of a DICOM Segmentation lie: slices of regular grids, or frames of planar views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.read.frames import placed
from lesionmap.space import Grid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

__all__ = ["SegFrame", "SourceRef", "frames_of", "grids_of"]

SourceRef = tuple[str, int | None]
"""SOP Instance UID of a source image, and the frame of it (from 1) where one is named."""

_SAME_MM = 0.01
_LATERAL_MM = 0.1
_UNEVEN = 0.1
"""Share of the slice step by which a frame may lie off its place."""

_MOST_SLICES = 4096
"""Of one stack: a step told by mistake does not make a mask of millions of empty slices."""


@dataclass(frozen=True, slots=True)
class SegFrame:
    """One frame: its segment, its place (LPS mm), the images that it was drawn on."""

    segment: int
    """Number of its segment; 0 in a label map, whose values tell."""
    position: tuple[float, ...]
    """Centre of the first voxel; empty on a planar view."""
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    """Between rows, between columns."""
    step_mm: float | None
    """Spacing between slices, else their thickness."""
    sources: tuple[SourceRef, ...]


def frames_of(dataset: Dataset) -> list[SegFrame]:
    """Describe the frames of a Segmentation, in their order.

    Raises
    ------
    LesionmapError
        If a frame's position, orientation or spacing makes no sense, or frames and descriptions differ in number.
    """
    shared = _first(dataset.get("SharedFunctionalGroupsSequence"))
    groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
    n = int(dataset.get("NumberOfFrames", 1))
    if len(groups) != n:
        raise LesionmapError(f"{n} frames were expected, descriptions of {len(groups)} came; send the file again")
    return [_frame(group, shared) for group in groups]


def _first(sequence: Any) -> Any:
    return sequence[0] if sequence else None


def _macro(group: Dataset, shared: Dataset | None, keyword: str) -> Any:
    """Give the item of a functional group of the frame, else of all frames; None where there is none."""
    found = _first(group.get(keyword))
    return found if found is not None or shared is None else _first(shared.get(keyword))


def _frame(group: Dataset, shared: Dataset | None) -> SegFrame:
    segment = _macro(group, shared, "SegmentIdentificationSequence")
    where = _macro(group, shared, "PlanePositionSequence")
    turned = _macro(group, shared, "PlaneOrientationSequence")
    measures = _macro(group, shared, "PixelMeasuresSequence")
    number = int(segment.ReferencedSegmentNumber) if segment is not None else 0
    sources = tuple(_sources(group.get("DerivationImageSequence") or ()))
    if where is None:
        return SegFrame(number, (), (), (), None, sources)
    position, orientation, spacing = placed(
        _numbers(where, "ImagePositionPatient"),
        _numbers(turned, "ImageOrientationPatient"),
        _numbers(measures, "PixelSpacing"),
        "SEG",
    )
    steps = (*_numbers(measures, "SpacingBetweenSlices"), *_numbers(measures, "SliceThickness"))
    step = next((abs(mm) for mm in steps if mm), None)
    return SegFrame(number, position, orientation, spacing, step, sources)


def _numbers(item: Dataset | None, keyword: str) -> tuple[float, ...]:
    value = item.get(keyword) if item is not None else None
    if value is None or value == "":
        return ()
    return tuple(float(x) for x in (value if hasattr(value, "__len__") else [value]))


def _sources(derivations: Iterable[Dataset]) -> Iterable[SourceRef]:
    for derivation in derivations:
        for item in derivation.get("SourceImageSequence") or ():
            frame = item.get("ReferencedFrameNumber")
            numbers = [frame] if isinstance(frame, int | str | None) else list(frame)
            for number in numbers:
                yield str(item.ReferencedSOPInstanceUID), None if number is None else int(number)


def grids_of(frames: Sequence[SegFrame], size: tuple[int, int]) -> tuple[list[Grid], NDArray[np.int_]]:
    """Lay placed frames on as few regular grids as hold them.

    Parameters
    ----------
    frames : sequence of SegFrame
        All placed.
    size : (int, int)
        Columns, rows.

    Returns
    -------
    grids : list of Grid
        Slices left out, because nothing is set in them, are part of a grid.
    places : ndarray of int, shape (n, 2)
        Grid and slice of each frame.
    """
    grids: list[Grid] = []
    places = np.zeros((len(frames), 2), dtype=np.int_)
    for rows in _alike(frames):
        frame = frames[int(rows[0])]
        normal = np.cross(frame.orientation[:3], frame.orientation[3:])
        along = np.array([frames[row].position for row in rows]) @ normal
        for chosen, step, k in _stacks(along, frame.step_mm):
            first = frames[int(rows[chosen[np.argmin(k)]])]
            places[rows[chosen]] = np.stack([np.full(len(chosen), len(grids)), k], axis=1)
            grids.append(_grid(first, normal * step, (*size, int(k.max()) + 1)))
    return grids, places


def _grid(first: SegFrame, step: NDArray[np.float64], shape: tuple[int, int, int]) -> Grid:
    matrix = np.eye(4)
    matrix[:3, 0] = np.array(first.orientation[:3]) * first.spacing[1]
    matrix[:3, 1] = np.array(first.orientation[3:]) * first.spacing[0]
    matrix[:3, 2] = step
    matrix[:3, 3] = first.position
    return Grid(shape, matrix)


def _alike(frames: Sequence[SegFrame]) -> list[NDArray[np.int_]]:
    """Part frames by orientation, spacing and place in their plane: what cannot be one stack of slices."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for n, frame in enumerate(frames):
        key = (tuple(round(x, 4) for x in frame.orientation), tuple(round(x, 4) for x in frame.spacing))
        groups.setdefault(key, []).append(n)
    parted = []
    for rows in (np.array(group, dtype=np.int_) for group in groups.values()):
        frame = frames[int(rows[0])]
        across = np.array([frames[row].position for row in rows]) @ np.reshape(frame.orientation, (2, 3)).T
        label = _clusters(across[:, 0], _LATERAL_MM) * (len(rows) + 1) + _clusters(across[:, 1], _LATERAL_MM)
        parted += [rows[label == one] for one in np.unique(label)]
    return parted


def _clusters(values: NDArray[np.float64], apart: float) -> NDArray[np.int_]:
    """Give values a number, ascending, that neighbours less than ``apart`` share."""
    order = np.argsort(values, kind="stable")
    label = np.empty(len(values), dtype=np.int_)
    label[order] = np.concatenate([[0], np.cumsum(np.diff(values[order]) > apart)])
    return label


def _stacks(
    along: NDArray[np.float64], told_mm: float | None
) -> list[tuple[NDArray[np.int_], float, NDArray[np.int_]]]:
    """Part frames into stacks by their place along the normal: frames, step in mm, slice of each.

    The step is what the file tells, else the smallest distance, whichever all distances are multiples of; where none
    is, each slice is a stack of its own.
    """
    label = _clusters(along, _SAME_MM)
    levels = np.array([along[label == one].mean() for one in range(label.max() + 1)])
    everything = np.arange(len(along))
    if len(levels) == 1:
        return [(everything, told_mm or 1.0, label)]
    gaps = np.diff(levels)
    for step in (told_mm, float(gaps.min())):
        if not step:
            continue
        if (levels[-1] - levels[0]) / step > _MOST_SLICES:
            continue
        k = np.rint((levels - levels[0]) / step).astype(np.int_)
        fitted = (levels[-1] - levels[0]) / k[-1] if k[-1] else step
        off = np.abs(levels - levels[0] - k * fitted).max()
        if np.all(np.diff(k) > 0) and off <= _UNEVEN * step and abs(fitted - step) * k[-1] <= _UNEVEN * step:
            return [(everything, fitted, k[label])]
    zero = np.zeros_like(label)
    return [(everything[label == one], told_mm or 1.0, zero[label == one]) for one in range(len(levels))]
