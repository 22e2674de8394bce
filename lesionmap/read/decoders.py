"""Compressed frames to stored values, each transfer syntax by the decoder that damaged bytes cannot end or stall.

RLE by pylibjpeg-rle, JPEG-LS by CharLS, JPEG 2000 by OpenJPEG, 8-bit JPEG by Pillow: they answer damage with an error.
All other JPEG needs GDCM, whose process damage ends; it runs in one of its own.
"""

from __future__ import annotations

import io
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.read.codestream import Stream, stream_of
from lesionmap.read.gdcm_child import ANSWER, FRAME
from lesionmap.read.jpeg2000 import decoded_jpeg_2000

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from numpy.typing import NDArray

    from lesionmap.read.header import Header

__all__ = ["BATCH", "READABLE", "checked_stream", "decoded_frames", "in_batches", "keeps_waiting", "only_stored_bits"]

BATCH = 32
"""Frames that one call decodes at the most: GDCM's process is started once for them."""

_JPEG = "1.2.840.10008.1.2.4."
_RLE = "1.2.840.10008.1.2.5"
_JPEG_8_BIT = (_JPEG + "50", _JPEG + "51")
_JPEG_LS = (_JPEG + "80", _JPEG + "81")
_JPEG_2000 = tuple(_JPEG + end for end in ("90", "91", "201", "202", "203"))
"""Lossless and lossy, and the same in high throughput (Part 15)."""
_JPEG_LOSSLESS = (_JPEG + "57", _JPEG + "70")
_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")
READABLE = frozenset((*_NATIVE, _RLE, *_JPEG_8_BIT, *_JPEG_LS, *_JPEG_2000, *_JPEG_LOSSLESS))
"""Transfer syntaxes that are read."""
_RLE_MOST = 64
"""Bytes that one byte of RLE can stand for (DICOM PS3.5 G.3)."""
_SECONDS, _PIXELS_A_SECOND = 4.0, 2e6
_END_OF_IMAGE = b"\xff\xd9"


def checked_stream(data: bytes, header: Header) -> Stream:
    """Hold a compressed frame against its header.

    Parameters
    ----------
    data : bytes
        One compressed frame.
    header : Header
        Of its file.

    Returns
    -------
    Stream
        What the frame says of itself; of RLE, which says nothing, what the header says.

    Raises
    ------
    ValueError
        If they differ in size, if the pixels need more bits than the header gives them, or if it is another format.
    """
    shape = (header.columns, header.rows)
    if header.syntax == _RLE:
        if header.columns * header.rows * header.bits // 8 > _RLE_MOST * len(data):
            raise ValueError(f"{len(data):,} bytes of RLE cannot hold {shape[0]} x {shape[1]} pixels")
        return Stream(*shape, 1, header.bits, header.signed)
    stream = stream_of(data)
    if stream is None:
        raise ValueError("the frame does not begin as its transfer syntax says")
    if (stream.columns, stream.rows, stream.components) != (*shape, 1):
        raise ValueError(
            f"the header says {shape[0]} x {shape[1]} grey pixels, the frame holds {stream.columns} x {stream.rows} "
            f"of {stream.components} component(s)"
        )
    if stream.bits > header.bits:
        raise ValueError(f"the header gives a pixel {header.bits} bits, the frame needs {stream.bits}")
    return stream


def in_batches(header: Header) -> bool:
    """Say whether many frames had better be decoded at once, because a process is started for them."""
    return header.syntax in _JPEG_LOSSLESS or (header.syntax in _JPEG_8_BIT and header.bits > 8)


def keeps_waiting(header: Header) -> bool:
    """Say whether the decoder keeps other Python threads waiting, so that they are of no use."""
    return header.syntax == _RLE


def decoded_frames(frames: Sequence[bytes], header: Header) -> Iterator[NDArray[Any]]:
    """Decode frames of one file layout.

    Parameters
    ----------
    frames : sequence of bytes
        At most ``BATCH`` compressed frames.
    header : Header
        Of their file, or of one that stores its pixels alike.

    Yields
    ------
    ndarray, shape (rows, columns)
        Stored values, in the type that the header gives them.

    Raises
    ------
    ValueError
        If a frame is damaged or does not fit the header; those before it were given.
    """
    if in_batches(header):
        yield from _by_gdcm(frames, header)
        return
    for data in frames:
        stream = checked_stream(data, header)
        if header.syntax == _RLE:
            yield only_stored_bits(_rle(data, header), header)
        elif header.syntax in _JPEG_LS:
            yield _signed(_jpeg_ls(data, stream), stream, header)
        elif header.syntax in _JPEG_2000:
            yield _signed(decoded_jpeg_2000(data), stream, header)
        else:
            yield only_stored_bits(_signed(_jpeg(data), stream, header), header)


def only_stored_bits(array: NDArray[Any], header: Header) -> NDArray[Any]:
    """Take what is no part of the pixel out of its unused bits, in place: overlays, or rubbish (DICOM PS3.5 8.1.1)."""
    spare = header.bits - header.stored
    if spare and header.signed:
        np.left_shift(array, spare, out=array)
        np.right_shift(array, spare, out=array)
    elif spare:
        np.bitwise_and(array, (1 << header.stored) - 1, out=array)
    return array


def _signed(values: NDArray[Any], stream: Stream, header: Header) -> NDArray[Any]:
    """Give decoded values the header's type and sign.

    JPEG and JPEG-LS have no sign, and some writers declare signed JPEG 2000 unsigned: the bits of the stream are then
    a two's complement number, as pydicom and GDCM read them.
    """
    kind = np.dtype(f"{'i' if header.signed else 'u'}{header.bits // 8}")
    spare = header.bits - stream.bits
    array = values.astype(kind, copy=not values.flags.writeable)
    if spare and stream.signed != header.signed:
        np.left_shift(array, spare, out=array)
        np.right_shift(array, spare, out=array)
    return array


def _rle(data: bytes, header: Header) -> NDArray[Any]:
    from rle.utils import decode_pixel_data

    with _PanicIsError():
        decoded = decode_pixel_data(
            data, version=2, rows=header.rows, columns=header.columns, bits_allocated=header.bits
        )
    kind = np.dtype(f"<{'i' if header.signed else 'u'}{header.bits // 8}")
    return np.frombuffer(decoded, kind).reshape(header.rows, header.columns)


class _PanicIsError:
    """Turn the panic of a decoder written in Rust, which is no Exception, into a ValueError."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and kind.__name__ == "PanicException":
            raise ValueError("the decoder gave up") from error


@cache
def _charls() -> Callable[..., int] | None:
    """Give the C function of CharLS; None where a build hides it."""
    import ctypes

    try:
        decode: Callable[..., int] = ctypes.CDLL(import_module("_CharLS").__file__).JpegLsDecode
    except (AttributeError, OSError):
        return None
    return decode


def _jpeg_ls(data: bytes, stream: Stream) -> NDArray[Any]:
    """Decode by CharLS, called through its C interface: the Python one keeps all other threads waiting.

    Without an end marker CharLS reads on for ever.
    """
    import ctypes

    data += _END_OF_IMAGE
    array = np.empty((stream.rows, stream.columns), np.uint8 if stream.bits <= 8 else np.uint16)
    decode = _charls()
    if decode is None:
        return np.frombuffer(import_module("_CharLS").decode_from_buffer(data), array.dtype).reshape(array.shape)
    parameters, message = ctypes.create_string_buffer(512), ctypes.create_string_buffer(256)
    target, size = array.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t
    failed = decode(target, size(array.nbytes), data, size(len(data)), parameters, message)
    if failed:
        raise ValueError(message.value.decode("ascii", "replace"))
    return array


def _jpeg(data: bytes) -> NDArray[Any]:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        if image.mode != "L":
            raise ValueError(f"grey pixels were expected, mode {image.mode} came")
        return np.asarray(image)


def _by_gdcm(frames: Sequence[bytes], header: Header) -> Iterator[NDArray[Any]]:
    streams = [checked_stream(data, header) for data in frames]
    request = bytearray()
    for data, stream in zip(frames, streams, strict=True):
        shape = (stream.columns, stream.rows)
        request += FRAME.pack(header.syntax.encode(), *shape, header.bits, stream.bits, header.signed, len(data)) + data
    answers = _answers(bytes(request), _SECONDS + len(frames) * header.rows * header.columns / _PIXELS_A_SECOND)
    kind = np.dtype(f"<{'i' if header.signed else 'u'}{header.bits // 8}")
    for stream in streams:
        answer = next(answers, b"")
        if len(answer) != header.rows * header.columns * kind.itemsize:
            raise ValueError("GDCM could not decode the frame")
        array = np.frombuffer(answer, kind).reshape(header.rows, header.columns)
        yield only_stored_bits(_signed(array, stream, header), header)


def _answers(request: bytes, seconds: float) -> Iterator[bytes]:
    """Give what GDCM's process answered before it ended, was ended by damage, or was stopped."""
    child = Path(__file__).with_name("gdcm_child.py")
    command = [sys.executable, "-P", str(child)]
    with subprocess.Popen(  # noqa: S603 - our own file
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            answered = process.communicate(request, seconds)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            answered = process.communicate()[0]
    position = 0
    while position + ANSWER.size <= len(answered):
        (size,) = ANSWER.unpack_from(answered, position)
        position += ANSWER.size
        yield answered[position : position + size]
        position += size
