"""Damage done to the bytes of valid image files: seeded, so that a case is its kind and a number.

Bits, bytes, ends and lengths change; elements are doubled, dropped, exchanged and given odd values; sequences are
nested beyond reason; sizes are claimed that no file has; archives unpack to more than a machine holds.
"""

from __future__ import annotations

import functools
import gzip
import io
import random
import struct
import zipfile
import zlib
from dataclasses import dataclass

from valid_images import valid_files

__all__ = ["mutated"]

_BOMB_BYTES = 300 << 20
_SIZES = (0, 1, 2, 0xFF, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF)
_WRITTEN = (
    b"nan",
    b"inf",
    b"1e308",
    b"-1e308",
    b"1e-308",
    b"-0",
    b"0",
    b"",
    b"-",
    b"12\\",
    b"\\\\\\",
    b"99999999999999",
)
_CLAIMS = (b"\x28\x00\x10\x00", b"\x28\x00\x11\x00", b"\x28\x00\x08\x00", b"\x28\x00\x00\x01", b"\x28\x00\x02\x00")
"""Rows, Columns, Number of Frames, Bits Allocated, Samples per Pixel."""
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OW", b"SQ", b"UC", b"UN", b"UR", b"UT")
_PIXELS = b"\xe0\x7f\x10\x00"


@dataclass(frozen=True, slots=True)
class _Element:
    """Where an element of a plain file stands: its first byte, its value's, the byte after it."""

    start: int
    value: int
    end: int


def mutated(kind: str, seed: int) -> dict[str, bytes]:
    """Damage one file of a kind; the others stay as they are."""
    rng = random.Random(f"{kind} {seed}")  # noqa: S311
    files = dict(valid_files(kind))
    name = rng.choice(sorted(files))
    data = bytearray(files[name])
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data = _damaged(kind, data, rng)
    files[name] = bytes(data)
    return files


def _damaged(kind: str, data: bytearray, rng: random.Random) -> bytearray:
    if rng.random() < 0.01:
        return _bomb(kind, data)
    elements = _elements(kind, data)
    if elements and rng.random() < 0.6:
        return rng.choice((_length, _doubled, _dropped, _exchanged, _value, _value, _nested, _claim))(
            data, elements, rng
        )
    if data and b"\xfe\xff\x00\xe0" in data and rng.random() < 0.2:
        return _item_length(data, rng)
    return rng.choice((_flipped, _flipped, _overwritten, _cut, _shifted))(data, rng)


def _elements(kind: str, data: bytes | bytearray) -> list[_Element]:
    """Find the top elements of a plain DICOM file up to its pixels; what cannot be followed ends the list."""
    found: list[_Element] = []
    if data[128:132] != b"DICM":
        return found
    position, explicit = 132, True
    while position + 12 <= len(data) and data[position : position + 4] != _PIXELS:
        explicit = kind != "implicit" or data[position : position + 2] == b"\x02\x00"
        long = not explicit or bytes(data[position + 4 : position + 6]) in _LONG
        at = position + (8 if explicit and long else 4 if long else 6)
        length = int.from_bytes(data[at : at + (4 if long else 2)], "little")
        value = at + (4 if long else 2)
        if length == 0xFFFFFFFF or value + length > len(data):
            break
        found.append(_Element(position, value, value + length))
        position = value + length
    return found


def _at(data: bytes | bytearray, rng: random.Random) -> int:
    """Choose a byte, the header's more often than the pixels'."""
    pixels = max(data.find(_PIXELS), 1) if rng.random() < 0.5 else len(data)
    return rng.randrange(max(min(pixels + 40, len(data)), 1))


def _flipped(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice((1, 1, 2, 8)) if data else 0):
        data[_at(data, rng)] ^= 1 << rng.randrange(8)
    return data


def _overwritten(data: bytearray, rng: random.Random) -> bytearray:
    at, size = _at(data, rng), rng.choice((1, 2, 4, 16))
    fill = rng.choice((b"\0", b"\xff", b"\x7f", b"\x80", rng.randbytes(1))) * size
    data[at : at + size] = fill[: len(data) - at]
    return data


def _cut(data: bytearray, rng: random.Random) -> bytearray:
    return data[: _at(data, rng)]


def _shifted(data: bytearray, rng: random.Random) -> bytearray:
    at, size = _at(data, rng), rng.randrange(1, 17)
    if rng.random() < 0.5:
        del data[at : at + size]
    else:
        data[at:at] = rng.randbytes(size)
    return data


def _length(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    one = rng.choice(elements)
    width = rng.choice((2, 4)) if one.value - one.start > 8 else 2
    now = one.end - one.value
    size = rng.choice((*_SIZES, now - 2, now - 1, now + 1, now + 2)) & ((1 << 8 * width) - 1)
    data[one.value - width : one.value] = size.to_bytes(width, "little")
    return data


def _doubled(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    one, other = rng.choice(elements), rng.choice(elements)
    data[other.start : other.start] = data[one.start : one.end]
    return data


def _dropped(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    one = rng.choice(elements)
    del data[one.start : one.end]
    return data


def _exchanged(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    one, other = sorted(rng.sample(elements, 2), key=lambda e: e.start) if len(elements) > 1 else elements * 2
    first, second = bytes(data[one.start : one.end]), bytes(data[other.start : other.end])
    data[other.start : other.end] = first
    data[one.start : one.end] = second
    return data


def _value(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    """Give an element another value of the same length: an odd number, or one digit changed."""
    one = rng.choice(elements)
    size = one.end - one.value
    if size == 2:
        data[one.value : one.end] = struct.pack("<H", rng.choice((0, 1, 7, 8, 15, 16, 32, 255, 65535)))
    elif size and rng.random() < 0.5:
        data[one.value : one.end] = rng.choice(_WRITTEN).ljust(size)[:size]
    elif size:
        data[one.value + rng.randrange(size)] = rng.choice(b"0123456789.-\\ eE")
    return data


def _claim(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    """Claim another size of the image."""
    claims = [one for one in elements if bytes(data[one.start : one.start + 4]) in _CLAIMS]
    if claims:
        one = rng.choice(claims)
        size = one.end - one.value
        number = rng.choice((0, 1, 8, 10, 4096, 46341, 65535))
        data[one.value : one.end] = struct.pack("<H", number) if size == 2 else str(10**size - 1).encode()
    return data


def _nested(data: bytearray, elements: list[_Element], rng: random.Random) -> bytearray:
    """Put a private sequence of many levels before an element."""
    depth = rng.choice((20, 300, 5000))
    begin = b"\x09\x00\x10\x10SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    at = rng.choice(elements).start
    data[at:at] = begin * depth + end * rng.choice((depth, depth - 1, 0))
    return data


def _item_length(data: bytearray, rng: random.Random) -> bytearray:
    """Give an item (of a sequence, or a fragment of compressed pixels) another length."""
    items = [n for n in range(len(data) - 8) if data[n : n + 4] == b"\xfe\xff\x00\xe0"]
    at = rng.choice(items) + 4
    now = int.from_bytes(data[at : at + 4], "little")
    data[at : at + 4] = (rng.choice((*_SIZES, now - 2, now + 2)) & 0xFFFFFFFF).to_bytes(4, "little")
    return data


@functools.cache
def _zeros(wbits: int) -> bytes:
    """Deflate more zeros than are unpacked in memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    block = bytes(1 << 20)
    return b"".join(packer.compress(block) for _ in range(_BOMB_BYTES >> 20)) + packer.flush()


def _bomb(kind: str, data: bytearray) -> bytearray:
    """Make what unpacks to more than a machine should hold; a file that is not packed gets a long tail."""
    if kind == "nifti_gz":
        whole = gzip.decompress(bytes(valid_files(kind)["image.nii.gz"]))
        return bytearray(gzip.compress(whole, mtime=0)[:-8] + _zeros(31))
    if kind == "deflated":
        end = _elements(kind, data)[:1]
        meta = end[0].end + int.from_bytes(data[end[0].value : end[0].end], "little") if end else 132
        return data[:meta] + _zeros(-15)
    if kind == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.dcm", bytes(_BOMB_BYTES))
        return bytearray(buffer.getvalue())
    return data + b"\xfe\xff\x00\xe0\0\0\0\0" * 100_000
