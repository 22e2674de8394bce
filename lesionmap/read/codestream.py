"""What a compressed frame says of itself: size, bits and sign, to be held against the DICOM header.

A decoder trusts the stream, a DICOM header is trusted by whoever places the image. Where the two differ the pixels
would be folded into another matrix, or read with another sign, without a word.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["Stream", "stream_of"]

_BOXES = b"\x00\x00\x00\x0cjP  "
"""Signature of a JP2 file, which some writers put where the bare codestream should stand."""
_START_J2K = b"\xff\x4f\xff\x51"
_FRAMES = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}
"""Markers that begin the description of a JPEG or JPEG-LS image."""
_LONE = frozenset((*range(0xD0, 0xD9), 0x01))
"""Markers without a length."""
_MOST_BITS = 38


@dataclass(frozen=True, slots=True)
class Stream:
    """The first lines of a compressed image."""

    columns: int
    rows: int
    components: int
    bits: int
    """Bits of a sample."""
    signed: bool
    """JPEG and JPEG-LS have no sign; JPEG 2000 has."""


def stream_of(data: bytes) -> Stream | None:
    """Read what a JPEG, JPEG-LS or JPEG 2000 image says of itself.

    Parameters
    ----------
    data : bytes
        One compressed frame.

    Returns
    -------
    Stream or None
        None where it is none of the three, or ends too early (ISO 10918-1 B.2.2, 14495-1 C.2.2, 15444-1 A.5.1).
    """
    try:
        if data[:4] == _START_J2K or data.startswith(_BOXES):
            return _jpeg_2000(data)
        return _jpeg(data) if data[:2] == b"\xff\xd8" else None
    except (struct.error, IndexError):
        return None


def _jpeg_2000(data: bytes) -> Stream | None:
    start = data.find(_START_J2K)
    if start < 0:
        return None
    right, lower, left, top = struct.unpack_from(">4I", data, start + 8)
    (components,) = struct.unpack_from(">H", data, start + 40)
    depth = data[start + 42]
    bits = (depth & 0x7F) + 1
    if right <= left or lower <= top or bits > _MOST_BITS:
        return None
    return Stream(right - left, lower - top, components, bits, bool(depth & 0x80))


def _jpeg(data: bytes) -> Stream | None:
    position = 2
    while data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF or marker in _LONE:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            bits, rows, columns, components = struct.unpack_from(">BHHB", data, position + 4)
            return Stream(columns, rows, components, bits, signed=False)
        (length,) = struct.unpack_from(">H", data, position + 2)
        position += 2 + max(length, 2)
    return None
