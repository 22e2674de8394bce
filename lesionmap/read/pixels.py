"""Pixels of one station, straight into one array: raw files by ``readinto``, compressed ones by pydicom's decoders."""

from __future__ import annotations

import contextlib
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.read import header as hd
from lesionmap.read.enhanced import is_enhanced
from lesionmap.read.files import open_file
from lesionmap.read.frames import rescale
from lesionmap.read.nifti import is_nifti, nifti_volume
from lesionmap.read.tags import Tags, text
from lesionmap.space import Volume

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from lesionmap.read.header import Header
    from lesionmap.visits import ImageFile, Station

__all__ = ["station_pixels"]

_PIXEL_TAG = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_DECODERS = {
    "1.2.840.10008.1.2.5": ("pylibjpeg", "pydicom"),
    "1.2.840.10008.1.2.4.50": ("pillow", "gdcm"),
    "1.2.840.10008.1.2.4.51": ("pillow", "gdcm"),
    "1.2.840.10008.1.2.4.80": ("pyjpegls",),
    "1.2.840.10008.1.2.4.81": ("pyjpegls",),
    **dict.fromkeys(_JPEG_2000, ("pillow", "pylibjpeg")),
}
"""The decoders tried, in order; any that pydicom knows for what is not here (lossless JPEG: gdcm).

For JPEG 2000 never gdcm, which ends the whole process on damaged data; Pillow is faster with two threads.
"""
_THREADS = 2


def station_pixels(station: Station, projection: bool = False) -> Volume:
    """Read the pixels of one station as acquired.

    Parameters
    ----------
    station : Station
        As :func:`lesionmap.read.scan` made it.
    projection : bool
        True for a planar view.

    Returns
    -------
    Volume
        Indexed [column, row, slice], on the station's grid; stored values with the slope and intercept of the header
        applied (whole numbers stay whole). An array of DICOM slices is a transposed view of slices in memory order.

    Raises
    ------
    LesionmapError
        If a file is not there any more, has changed, or cannot be decoded.
    """
    if is_nifti(station.files[0].path):
        return nifti_volume(station)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns with header values, which may name people
        slices = _slices(station)
    return Volume(slices.transpose(2, 1, 0), station.grid, projection)


def _slices(station: Station) -> NDArray[Any]:
    """Pixels of all slices, shape (slices, rows, columns), rescaled."""
    header = _checked_header(station.files[0], station)
    out = np.empty(station.grid.shape[::-1], dtype=_stored_type(header))
    jobs: list[tuple[ImageFile, NDArray[Any]]] = []
    k = 0
    for file in station.files:
        n = max(len(file.frames), 1)
        jobs.append((file, out[k : k + n]))
        k += n
    if k != len(out):
        raise LesionmapError(f"{len(out)} slices were expected, the files hold {k}; import the images again")
    if header.syntax in _JPEG_2000 and len(jobs) > 1:  # the one decoder that lets other threads run
        with ThreadPoolExecutor(_THREADS) as pool:
            scales = list(pool.map(lambda job: _fill(job[0], job[1], header, station), jobs))
    else:
        scales = [_fill(file, target, header, station) for file, target in jobs]
    return _rescaled(out, [pair for pairs in scales for pair in pairs], header)


def _checked_header(file: ImageFile, station: Station) -> Header:
    with open_file(file.path) as opened:
        header = hd.read_header(file.path, opened)
    if header.uid != file.uid or (header.columns, header.rows) != station.grid.shape[:2]:
        raise LesionmapError(f"another image lies at {file.path} than when it was imported; re-link the images")
    return header


def _stored_type(header: Header) -> np.dtype[Any]:
    if header.bits > 32 or (header.bits == 32 and not header.native):
        return np.dtype(np.float32)
    return np.dtype(f"{'i' if header.signed else 'u'}{header.bits // 8}")


def _fill(file: ImageFile, target: NDArray[Any], first: Header, station: Station) -> list[tuple[float, float]]:
    """Read the slices of one file into ``target``; give slope and intercept of each."""
    if file.path != first.path and file.offset and _read_raw(file, target, first):
        return [rescale(first.tags)] * len(target)
    frames = file.frames or (0,)
    if not first.native and not is_enhanced(first):
        target[...], scale = _decoded(file, frames, station)
        return [scale] * len(target)
    header = first if file.path == first.path else _checked_header(file, station)
    if header.native and _stored_type(header) == target.dtype:
        with open_file(header.path) as opened:
            for frame, plane in zip(frames, target, strict=True):
                opened.seek(header.offset + frame * plane.nbytes)
                _read_into(opened, plane, header)
    else:
        target[...], _ = _decoded(file, frames, station)
    return _scales(header, frames)


def _read_raw(file: ImageFile, target: NDArray[Any], first: Header) -> bool:
    """Read the one slice that begins at a known byte; False if the file is not as it was."""
    with open_file(file.path) as opened:
        opened.seek(file.offset - 12)
        before = opened.read(12)
        if before[:4] not in _PIXEL_TAG and before[4:8] not in _PIXEL_TAG:
            return False
        _read_into(opened, target[0], first)
    return True


def _read_into(opened: BinaryIO, plane: NDArray[Any], header: Header) -> None:
    if opened.readinto(plane.data.cast("B")) != plane.nbytes:  # type: ignore[attr-defined]
        raise LesionmapError(f"{header.path} or a slice beside it was cut short since the import; re-link the images")
    if header.big_endian:
        plane.byteswap(inplace=True)


def _decoded(file: ImageFile, frames: Sequence[int], station: Station) -> tuple[NDArray[Any], tuple[float, float]]:
    """Decode compressed, deflated or odd pixels: shape (frames, rows, columns), and slope and intercept."""
    from pydicom import dcmread

    try:
        with open_file(file.path) as opened:
            dataset = dcmread(opened, force=True)
        planes = [_plane(dataset, frame) for frame in frames]
        tags = Tags.of(dataset)
    except hd.broken() as error:
        raise LesionmapError(
            f"the pixels of {file.path} cannot be decoded ({type(error).__name__}); send the file again"
        ) from error
    if text(tags, 0x00080018) != file.uid or planes[0].shape[::-1] != station.grid.shape[:2]:
        raise LesionmapError(f"another image lies at {file.path} than when it was imported; re-link the images")
    return np.stack(planes), rescale(tags)


def _plane(dataset: Dataset, frame: int) -> NDArray[Any]:
    """Decode one frame by the first decoder that can."""
    *others, last = _DECODERS.get(str(dataset.file_meta.get("TransferSyntaxUID", "")), ("",))
    for plugin in others:
        with contextlib.suppress(*hd.broken()):
            return _by_plugin(dataset, frame, plugin)
    return _by_plugin(dataset, frame, last)


def _by_plugin(dataset: Dataset, frame: int, plugin: str) -> NDArray[Any]:
    from pydicom.pixels.utils import pixel_array

    with _PanicIsError():
        return np.asarray(pixel_array(dataset, index=frame, decoding_plugin=plugin))


class _PanicIsError:
    """Turn the panic of a decoder written in Rust, which is no Exception, into a ValueError."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and kind.__name__ == "PanicException":
            raise ValueError("the decoder gave up") from error


def _scales(header: Header, frames: Sequence[int]) -> list[tuple[float, float]]:
    if not is_enhanced(header):
        return [rescale(header.tags)] * len(frames)
    from lesionmap.read.enhanced import enhanced_frames

    wanted = set(frames)
    found = {f.index: f.rescale for f in enhanced_frames(header) if f.index in wanted}
    return [found[frame] for frame in frames]


def _rescaled(out: NDArray[Any], scales: Sequence[tuple[float, float]], header: Header) -> NDArray[Any]:
    """Apply slopes and intercepts; whole numbers stay whole where they fit."""
    if all(pair == (1.0, 0.0) for pair in scales):
        return out
    slope, intercept = scales[0]
    if any(pair != scales[0] for pair in scales) or slope != 1 or intercept != int(intercept):
        table = np.array(scales, dtype=np.float32)
        scaled = out.astype(np.float32)
        scaled *= table[:, 0, None, None]
        scaled += table[:, 1, None, None]
        return scaled
    low, high = (int(out.min()), int(out.max())) if header.bits <= 16 else (-(2**31), 2**31 - 1)
    small = low + intercept >= -(2**15) and high + intercept < 2**15
    whole = out.astype(np.int16 if small else np.int32 if header.bits <= 16 else np.float64)
    np.add(whole, intercept, out=whole, casting="unsafe")
    return whole
