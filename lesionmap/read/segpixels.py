"""The voxels set in the frames of a DICOM Segmentation, frame by frame, without unpacking what is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

__all__ = ["FrameVoxels", "set_voxels"]

FrameVoxels = tuple[int, "NDArray[np.int_]", "NDArray[np.int_]"]
"""Frame from 0; place of the voxels set, row × columns + column; their values (1, a fraction as stored, a label)."""


def set_voxels(dataset: Dataset) -> Iterator[FrameVoxels]:
    """Give the voxels set in each frame that has any.

    Parameters
    ----------
    dataset : Dataset
        A Segmentation: one bit a voxel (frames need not begin at a byte), or 8 or 16, in any transfer syntax.

    Raises
    ------
    LesionmapError
        If the pixels are cut short.
    """
    if dataset.file_meta.TransferSyntaxUID.is_compressed and not dataset.file_meta.TransferSyntaxUID.is_deflated:
        yield from _decoded(dataset)
        return
    size = int(dataset.Rows) * int(dataset.Columns)
    frames, bits = int(dataset.get("NumberOfFrames", 1)), int(dataset.BitsAllocated)
    expected, have = -(-size * frames * bits // 8), len(dataset.PixelData)
    if have < expected:
        raise LesionmapError(
            f"the segmentation is cut short: {expected:,} bytes of pixels expected, {have:,} came; send it again"
        )
    raw = np.frombuffer(dataset.PixelData, dtype=np.uint8 if bits < 16 else np.uint16)
    for frame in range(frames):
        if bits == 1:
            place = _bits(raw, frame * size, size)
            values = np.ones(len(place), dtype=np.int_)
        else:
            plane = raw[frame * size : (frame + 1) * size]
            place = np.flatnonzero(plane)
            values = plane[place].astype(np.int_)
        if len(place):
            yield frame, place, values


def _bits(raw: NDArray[np.generic], start: int, size: int) -> NDArray[np.int_]:
    """Give the places of the bits set among ``size`` from bit ``start`` on, low bit of a byte first."""
    first = start // 8
    chunk = raw[first : -(-(start + size) // 8)]
    used = np.flatnonzero(chunk)
    if not len(used):
        return used
    begin, end = int(used[0]), int(used[-1]) + 1
    place = np.flatnonzero(np.unpackbits(chunk[begin:end].astype(np.uint8), bitorder="little"))
    place += 8 * (first + begin) - start
    return np.asarray(place[(place >= 0) & (place < size)])


def _decoded(dataset: Dataset) -> Iterator[FrameVoxels]:
    from pydicom.pixels.utils import pixel_array

    for frame in range(int(dataset.get("NumberOfFrames", 1))):
        plane = np.asarray(pixel_array(dataset, index=frame)).ravel()
        place = np.flatnonzero(plane)
        if len(place):
            yield frame, place, plane[place].astype(np.int_)
