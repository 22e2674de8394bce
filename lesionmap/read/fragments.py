"""Compressed pixels in their items: where each frame begins and ends, checked against the number of frames."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, BinaryIO

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["DamagedError", "Span", "check_fragments", "frame_spans", "read_spans"]

Span = tuple[int, int]
"""First byte and number of bytes."""

_ITEM, _END = 0xE000FFFE, 0xE0DDFFFE
_END_BYTES = b"\xfe\xff\xdd\xe0\0\0\0\0"
_END_OF_IMAGE = b"\xff\xd9"
_MOST_PER_FRAME = 4096
"""Fragments that a frame may be split into; more is a file made to stall."""


class DamagedError(LesionmapError):
    """A DICOM file that is cut short; carries the Series Instance UID so that the rest of the series can say so."""

    def __init__(self, why: str, series_uid: str) -> None:
        super().__init__(why)
        self.series_uid = series_uid


def check_fragments(file: BinaryIO, start: int, frames: int, series_uid: str) -> None:
    """Check that compressed pixels are all there, without decoding.

    Parameters
    ----------
    file : file object
        Open for reading bytes.
    start : int
        Byte at which the first item (the basic offset table) begins.
    frames : int
        How many frames there must be.
    series_uid : str
        Carried by the error.

    Raises
    ------
    DamagedError
        If their end is missing, or there are fewer fragments than frames.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 8, 0))
    if frames == 1 and file.read(8) == _END_BYTES:
        return
    items = _items(file, start, size, frames)
    if items is None:
        raise DamagedError(
            "the file is cut short: the end of its compressed pixels is missing; send it again", series_uid
        )
    if len(items) - 1 < frames:
        raise DamagedError(
            f"{frames:,} compressed frame(s) were expected, {max(len(items) - 1, 0):,} came; send the file again",
            series_uid,
        )


def _items(file: BinaryIO, start: int, size: int, frames: int) -> list[Span] | None:
    """Where the value of each item lies, the offset table first; None if their end does not come."""
    items: list[Span] = []
    position = start
    most = _MOST_PER_FRAME * (frames + 1)
    while position + 8 <= size and len(items) <= most:
        file.seek(position)
        tag, length = struct.unpack("<II", file.read(8))
        if tag == _END:
            return items
        if tag != _ITEM or length > size:
            return None
        items.append((position + 8, length))
        position += 8 + length
    return None


def frame_spans(file: BinaryIO, start: int, frames: int) -> list[tuple[Span, ...]]:
    """Find the bytes of each frame.

    Parameters
    ----------
    file : file object
        Open for reading bytes.
    start : int
        Byte at which the first item (the basic offset table) begins.
    frames : int
        How many frames there are. Fragments are one a frame, or parted by the offset table, or by the end markers
        of the compressed images (DICOM PS3.5 A.4).

    Raises
    ------
    LesionmapError
        If they do not make that many frames.
    """
    size = file.seek(0, os.SEEK_END)
    table, *items = _items(file, start, size, frames) or [(0, 0)]
    if frames == 1 and items:
        return [tuple(items)]
    if len(items) == frames:
        return [(item,) for item in items]
    found = _by_table(_offsets(file, table), items) or _by_marker(file, items)
    if len(found) != frames:
        raise LesionmapError(
            f"{frames:,} compressed frame(s) were expected, {len(items):,} fragments make {len(found):,}; send it again"
        )
    return found


def _offsets(file: BinaryIO, table: Span) -> list[int]:
    file.seek(table[0])
    count = table[1] // 4
    return list(struct.unpack(f"<{count}I", file.read(count * 4)))


def _by_table(offsets: Sequence[int], items: Sequence[Span]) -> list[tuple[Span, ...]]:
    """Part fragments where the offset table says that frames begin; nothing where it does not fit them."""
    if not items:
        return []
    origin = items[0][0]
    begins = {first - origin for first, _ in items}
    if len(offsets) < 2 or offsets[0] != 0 or not begins.issuperset(offsets):
        return []
    frames: list[list[Span]] = []
    for item in items:
        if item[0] - origin in offsets[len(frames) : len(frames) + 1]:
            frames.append([])
        frames[-1].append(item)
    return [tuple(frame) for frame in frames]


def _by_marker(file: BinaryIO, items: Sequence[Span]) -> list[tuple[Span, ...]]:
    frames: list[tuple[Span, ...]] = []
    held: list[Span] = []
    for item in items:
        held.append(item)
        file.seek(item[0] + max(item[1] - 4, 0))
        if _END_OF_IMAGE in file.read(min(item[1], 4)):
            frames.append(tuple(held))
            held = []
    return [*frames, tuple(held)] if held else frames


def read_spans(file: BinaryIO, spans: Sequence[Span]) -> bytes:
    """Read and join the fragments of one frame."""
    parts = []
    for first, length in spans:
        file.seek(first)
        parts.append(file.read(length))
    return b"".join(parts)
