"""Pixels of one station, straight into one array: raw files by ``readinto``, compressed ones by threads."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from lesionmap.cores import threads
from lesionmap.errors import LesionmapError
from lesionmap.read import header as hd
from lesionmap.read.decoders import BATCH, checked_stream, decoded_frames, in_batches, keeps_waiting, only_stored_bits
from lesionmap.read.elements import inflated
from lesionmap.read.enhanced import is_enhanced
from lesionmap.read.files import open_file
from lesionmap.read.fragments import frame_spans, read_spans
from lesionmap.read.frames import rescale
from lesionmap.read.nifti import is_nifti, nifti_volume
from lesionmap.space import Volume

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from lesionmap.read.fragments import Span
    from lesionmap.read.header import Header
    from lesionmap.visits import ImageFile, Station

__all__ = ["station_pixels"]

_PIXEL_TAG = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
_MOST_THREADS = 8


@dataclass(frozen=True, slots=True)
class _Frame:
    """A compressed frame: where its bytes are, and where its pixels go."""

    path: str
    header: Header
    spans: tuple[Span, ...]
    target: NDArray[Any]
    scale: tuple[float, float]


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
    if not station.files[0].uid and is_nifti(station.files[0].path):
        return nifti_volume(station)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom warns with header values, which may name people
        slices = _slices(station)
    return Volume(slices.transpose(2, 1, 0), station.grid, projection)


def _slices(station: Station) -> NDArray[Any]:
    """Pixels of all slices, shape (slices, rows, columns), rescaled."""
    first = _checked_header(station.files[0], station)
    out = _empty(station.grid.shape[::-1], _kind(first, _scales(first, station.files[0].frames or (0,))[0]), first)
    jobs: list[tuple[ImageFile, NDArray[Any]]] = []
    k = 0
    for file in station.files:
        n = max(len(file.frames), 1)
        jobs.append((file, out[k : k + n]))
        k += n
    if k != len(out):
        raise LesionmapError(f"{len(out)} slices were expected, the files hold {k}; import the images again")
    if first.fragments:
        scales = _decode_all(frame for file, target in jobs for frame in _frames(file, target, first, station))
    else:
        scales = [pair for file, target in jobs for pair in _fill(file, target, first, station)]
    return out if out.dtype.kind == "f" else _rescaled(out, scales, first)


def _kind(first: Header, scale: tuple[float, float]) -> np.dtype[Any]:
    """Give the type to read into: that of the stored values, or fractions where rescaling makes such."""
    fractions = scale[0] != 1 or scale[1] != int(scale[1])
    return np.dtype(np.float32) if fractions else _stored_type(first)


def _empty(shape: tuple[int, ...], kind: np.dtype[Any], first: Header) -> NDArray[Any]:
    """Make room for the volume, once the first frame has shown that it is as large as the header says."""
    try:
        if first.fragments:
            with open_image(first.path) as opened:
                spans = frame_spans(opened, first.fragments, first.frames)
                checked_stream(read_spans(opened, spans[0]), first)
        return np.empty(shape, kind)
    except hd.broken() as error:
        raise _undecoded(first.path, error) from error


def open_image(path: str) -> BinaryIO:
    """Open a DICOM file, inflated if it is deflated."""
    file = open_file(path)
    try:
        return inflated(file)
    except hd.broken() as error:
        raise _undecoded(path, error) from error


def _undecoded(path: str, error: BaseException) -> LesionmapError:
    if isinstance(error, LesionmapError):
        return error
    said = " ".join(str(error).split())[:200] if isinstance(error, ValueError) else type(error).__name__
    return LesionmapError(f"the pixels of {path} cannot be decoded ({said}); send the file again")


def _checked_header(file: ImageFile, station: Station) -> Header:
    with open_file(file.path) as opened:
        header = hd.read_header(file.path, opened)
    if header.uid != file.uid or (header.columns, header.rows) != station.grid.shape[:2]:
        raise _exchanged(file.path)
    return header


def _stored_type(header: Header) -> np.dtype[Any]:
    if header.bits > 32 or (header.bits == 32 and not header.native and not header.fragments):
        return np.dtype(np.float32)
    return np.dtype(f"{'i' if header.signed else 'u'}{header.bits // 8}")


def _frames(file: ImageFile, target: NDArray[Any], first: Header, station: Station) -> Iterator[_Frame]:
    """Find the compressed frames of one file."""
    header, start = first, file.offset
    with open_file(file.path) as opened:
        if file.path == first.path or not (start and _begins(opened, start)):
            header = first if file.path == first.path else _checked_header(file, station)
            start = header.fragments
        if not start or _stored_type(header) != _stored_type(first):
            raise _exchanged(file.path)
        spans = frame_spans(opened, start, header.frames)
    wanted = file.frames or (0,)
    if max(wanted) >= len(spans):
        raise _exchanged(file.path)
    for plane, n, scale in zip(target, wanted, _scales(header, wanted), strict=True):
        yield _Frame(file.path, header, spans[n], plane, scale)


def _exchanged(path: str) -> LesionmapError:
    return LesionmapError(f"another image lies at {path} than when it was imported; re-link the images")


def _decode_all(frames: Iterable[_Frame]) -> list[tuple[float, float]]:
    """Decode frames into their targets, in threads that begin while the next frames are looked for."""
    scales: list[tuple[float, float]] = []
    with ThreadPoolExecutor(threads(_MOST_THREADS)) as pool:
        running = []
        for turn in _turns(frames, scales):
            if keeps_waiting(turn[0].header):
                _decode(turn)
            else:
                running.append(pool.submit(_decode, turn))
        for one in running:
            one.result()
    return scales


def _turns(frames: Iterable[_Frame], scales: list[tuple[float, float]]) -> Iterator[list[_Frame]]:
    """Give frames of one layout in handfuls, and note slope and intercept of each."""
    for _, same in groupby(frames, key=lambda frame: frame.header.layout):
        waiting: list[_Frame] = []
        for frame in same:
            waiting.append(frame)
            scales.append(frame.scale)
            if len(waiting) == (BATCH if in_batches(frame.header) else 1):
                yield waiting
                waiting = []
        if waiting:
            yield waiting


def _decode(frames: Sequence[_Frame]) -> None:
    planes = decoded_frames([_bytes_of(frame) for frame in frames], frames[0].header)
    for frame in frames:
        try:
            _put(frame.target, next(planes), frame.scale)
        except hd.broken() as error:
            raise _undecoded(frame.path, error) from error


def _bytes_of(frame: _Frame) -> bytes:
    with open_file(frame.path) as opened:
        return read_spans(opened, frame.spans)


def _put(target: NDArray[Any], plane: NDArray[Any], scale: tuple[float, float]) -> None:
    """Put stored values where they belong, rescaled if that is made of fractions."""
    target[...] = plane
    if target.dtype.kind == "f":
        target *= np.float32(scale[0])
        target += np.float32(scale[1])


def _fill(file: ImageFile, target: NDArray[Any], first: Header, station: Station) -> list[tuple[float, float]]:
    """Read the slices of one file that is not compressed into ``target``; give slope and intercept of each."""
    stored = np.empty(target.shape, _stored_type(first))
    if first.native and file.path != first.path and file.offset and _read_raw(file, stored, first):
        scales = [rescale(first.tags)] * len(target)
    else:
        header = first if file.path == first.path else _checked_header(file, station)
        if _stored_type(header) != stored.dtype:
            raise _exchanged(file.path)
        frames = file.frames or (0,)
        _read_frames(header, frames, stored)
        scales = _scales(header, frames)
    for plane, values, scale in zip(target, stored, scales, strict=True):
        _put(plane, values, scale)
    return scales


def _read_frames(header: Header, frames: Sequence[int], stored: NDArray[Any]) -> None:
    if not header.native:
        stored[...] = _decoded(header, frames)
        return
    with open_image(header.path) as opened:
        for frame, plane in zip(frames, stored, strict=True):
            opened.seek(header.offset + frame * plane.nbytes)
            _read_into(opened, plane, header)


def _read_raw(file: ImageFile, stored: NDArray[Any], first: Header) -> bool:
    """Read the one slice that begins at a known byte; False if the file is not as it was."""
    with open_file(file.path) as opened:
        if not _begins(opened, file.offset):
            return False
        _read_into(opened, stored[0], first)
    return True


def _begins(opened: BinaryIO, offset: int) -> bool:
    """Say whether pixels begin at a byte."""
    opened.seek(offset - 12)
    before = opened.read(12)
    return before[:4] in _PIXEL_TAG or before[4:8] in _PIXEL_TAG


def _read_into(opened: BinaryIO, plane: NDArray[Any], header: Header) -> None:
    if opened.readinto(plane.data.cast("B")) != plane.nbytes:  # type: ignore[attr-defined]
        raise LesionmapError(f"{header.path} or a slice beside it was cut short since the import; re-link the images")
    if header.big_endian:
        plane.byteswap(inplace=True)
    only_stored_bits(plane, header)


def _decoded(header: Header, frames: Sequence[int]) -> NDArray[Any]:
    """Read pixels that are odd (fractions, 64 bits, big-endian bytes), shape (frames, rows, columns)."""
    from pydicom import dcmread
    from pydicom.pixels.utils import pixel_array

    try:
        with open_image(header.path) as opened:
            dataset = dcmread(opened, force=True)
            return np.stack([np.asarray(pixel_array(dataset, index=frame)) for frame in frames])
    except hd.broken() as error:
        raise _undecoded(header.path, error) from error


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
    intercept = scales[0][1]
    if any(pair != scales[0] for pair in scales):
        scaled = np.empty(out.shape, np.float32)
        for plane, values, scale in zip(scaled, out, scales, strict=True):
            _put(plane, values, scale)
        return scaled
    low, high = (int(out.min()), int(out.max())) if header.bits <= 16 else (-(2**31), 2**31 - 1)
    small = low + intercept >= -(2**15) and high + intercept < 2**15
    whole = out.astype(np.int16 if small else np.int32 if header.bits <= 16 else np.float64)
    np.add(whole, intercept, out=whole, casting="unsafe")
    return whole
