"""A DICOM image with a marker in every text there is, written byte by byte so that no library tidies it up."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.uid import ExplicitVRLittleEndian

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["BIRTH", "DAY", "MARKER", "UID_MARKER", "planted", "profile_tags", "text_tags"]

MARKER = re.compile(rb"Zq\d{6}x", re.IGNORECASE)
UID_MARKER = re.compile(rb"1\.3\.4711\.\d+")
DAY = "20080229"
BIRTH = "19990708"
_TEXTS = ("AE", "AS", "CS", "DS", "IS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT", "OB", "OW", "UN")
_LONG = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
_TIMES = {"DA": DAY, "TM": "101112", "DT": f"{DAY}101112"}


def profile_tags() -> set[int]:
    """Tags of the standard's table of the basic profile."""
    from dicomanonymizer.simpledicomanonymizer import initialize_actions  # type: ignore[import-untyped]

    return {tag[0] << 16 | tag[1] for tag in initialize_actions("dicomfields_2026c") if len(tag) == 2}


def text_tags() -> set[int]:
    """Tags of every text, name, date and sequence of bytes in the standard's dictionary."""
    from pydicom._dicom_dict import DicomDictionary

    return {tag for tag, entry in DicomDictionary.items() if entry[0] in (*_TEXTS, *_TIMES, "UI")}


def element(tag: int, vr: str, value: bytes) -> bytes:
    """One element, explicit VR little endian."""
    value += (b"\0" if vr in ("UI", "OB", "UN") else b" ") * (len(value) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    return head + (b"\0\0" + struct.pack("<I", len(value)) if vr in _LONG else struct.pack("<H", len(value))) + value


def _sequence(tag: int, *items: bytes) -> bytes:
    return element(tag, "SQ", b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<I", len(item)) + item for item in items))


class _Markers:
    """Gives each element another marker."""

    def __init__(self) -> None:
        self.count = 0

    def _next(self) -> str:
        self.count += 1
        return f"Zq{self.count:06d}x"

    def value(self, vr: str, *, valid: bool) -> bytes:
        """Give the value of one element: a marker; a valid date or UID where asked for."""
        if vr == "UI":
            self.count += 1
            return f"1.3.4711.{self.count}".encode()
        if valid and vr in _TIMES:
            return _TIMES[vr].encode()
        return self._next().encode()


_IMAGE = {
    0x00080005: ("CS", b"ISO_IR 100"),
    0x00080008: ("CS", b"ORIGINAL\\PRIMARY\\M"),
    0x00080016: ("UI", b"1.2.840.10008.5.1.4.1.1.4"),
    0x00080060: ("CS", b"MR"),
    0x00100030: ("DA", BIRTH.encode()),
    0x00100040: ("CS", b"F"),
    0x00200032: ("DS", b"1\\2\\3"),
    0x00200037: ("DS", b"1\\0\\0\\0\\0\\-1"),
    0x00280002: ("US", b"\x01\0"),
    0x00280004: ("CS", b"MONOCHROME2"),
    0x00280010: ("US", b"\x03\0"),
    0x00280011: ("US", b"\x02\0"),
    0x00280030: ("DS", b"1.5\\2.5"),
    0x00280100: ("US", b"\x10\0"),
    0x00280101: ("US", b"\x10\0"),
    0x00280102: ("US", b"\x0f\0"),
    0x00280103: ("US", b"\0\0"),
    0x7FE00010: ("OW", bytes(range(12))),
}
"""What makes it an image, and the pixels."""
_NESTS = (0x00082218, 0x00081140, 0x00400275, 0x52009230)
"""Sequences that are kept, cleaned, removed; the first two also within one another."""
_CLASSES = (0x00081150, 0x0008001A, 0x0008001B, 0x0008010C, 0x00080118)
"""UIDs of kinds of thing: SOP classes, coding schemes."""
_NEVER = (0x00020000, 0x00020001, 0x00020002, 0x00020010, 0x00280008, 0x7FE00008, 0x7FE00009)
_PRIVATE = ((0x0019, b"SIEMENS MR HEADER"), (0x0009, b"Zq999998x"), (0x0051, b"SIEMENS MR HEADER"))


def planted(tags: Iterable[int], *, valid_times: bool) -> bytes:
    """Write a small MR image with a marker in each of these elements, at the top and two levels down.

    Parameters
    ----------
    tags : iterable of int
        Standard elements.
    valid_times : bool
        True: dates and times are valid (DAY); False: they hold markers too.
    """
    markers = _Markers()
    wanted = [tag for tag in sorted(tags) if tag not in (*_NEVER, *_CLASSES, *_IMAGE)]
    parts = _flat(wanted, markers, valid=valid_times)
    parts |= {tag: element(tag, vr, value) for tag, (vr, value) in _IMAGE.items()}
    for group in (0x5000, 0x501E, 0x6000, 0x6002):  # curves and overlays
        for low, vr in ((0x0022, "LO"), (0x1500, "LO"), (0x2500, "LO"), (0x3000, "OW"), (0x4000, "LT")):
            parts[group << 16 | low] = element(group << 16 | low, vr, markers.value(vr, valid=False))
    for tag in _NESTS:
        parts[tag] = _sequence(tag, _item(wanted, markers, 1, valid=valid_times))
    return _meta(markers) + _joined(parts)


def _flat(tags: Iterable[int], markers: _Markers, *, valid: bool) -> dict[int, bytes]:
    parts: dict[int, bytes] = {}
    for tag in tags:
        vr = dictionary_VR(tag).split(" ")[0] if dictionary_has_tag(tag) else "LO"
        if vr in (*_TEXTS, *_TIMES, "UI"):
            parts[tag] = element(tag, vr, markers.value(vr, valid=valid))
    for group, creator in _PRIVATE:
        parts[group << 16 | 0x10] = element(group << 16 | 0x10, "LO", creator)
        for tag in range(group << 16 | 0x1000, group << 16 | 0x1020):
            parts[tag] = element(tag, "UN", markers.value("UN", valid=False))
    return parts


def _item(tags: list[int], markers: _Markers, deep: int, *, valid: bool) -> bytes:
    parts = _flat(tags, markers, valid=valid)
    if deep:
        parts |= {tag: _sequence(tag, _item(tags, markers, deep - 1, valid=valid)) for tag in _NESTS[:2]}
    return _joined(parts)


def _joined(parts: dict[int, bytes]) -> bytes:
    return b"".join(part for _, part in sorted(parts.items()))


def _meta(markers: _Markers) -> bytes:
    elements = [
        element(0x00020001, "OB", b"\0\1"),
        element(0x00020002, "UI", b"1.2.840.10008.5.1.4.1.1.4"),
        element(0x00020003, "UI", markers.value("UI", valid=True)),
        element(0x00020010, "UI", ExplicitVRLittleEndian.encode()),
        element(0x00020012, "UI", markers.value("UI", valid=True)),
        element(0x00020013, "SH", markers.value("SH", valid=True)),
        element(0x00020016, "AE", markers.value("AE", valid=True)),
        element(0x00020017, "AE", markers.value("AE", valid=True)),
        element(0x00020018, "AE", markers.value("AE", valid=True)),
        element(0x00020100, "UI", markers.value("UI", valid=True)),
        element(0x00020102, "OB", markers.value("OB", valid=True)),
    ]
    body = b"".join(elements)
    preamble = (b"Zq999999x" * 15)[:128]
    return preamble + b"DICM" + element(0x00020000, "UL", struct.pack("<I", len(body))) + body
