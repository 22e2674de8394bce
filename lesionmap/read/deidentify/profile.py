"""What becomes of each DICOM element: the Basic Application Level Confidentiality Profile (PS3.15 E) and its options.

The profile's table comes from dicom-anonymizer. It is applied at every depth, and stricter than it asks: a text that
the table does not name goes too, unless it stands in one of the short lists below. Options (PS3.15 E.3): Retain
Longitudinal Temporal Information with full or with modified dates, Retain Patient Characteristics, Clean Descriptors,
Retain Safe Private.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal

__all__ = [
    "CLASS_UIDS",
    "CODE_PARTS",
    "DATE_VRS",
    "DESCRIPTIONS",
    "DUMMIES",
    "LABELS",
    "NUMBER_VRS",
    "TERMS",
    "TEXT_VRS",
    "Action",
    "action_of",
    "dummy",
    "is_safe_bulk",
    "only_numbers",
    "safe_private",
]

Action = Literal["keep", "remove", "empty", "dummy", "uid"]

TEXT_VRS = frozenset(("PN", "LO", "SH", "LT", "ST", "UT", "UC", "UR", "AE"))
DATE_VRS = frozenset(("DA", "TM", "DT"))
NUMBER_VRS = frozenset(("IS", "DS"))

DESCRIPTIONS = {
    0x0008103E: 64,  # Series Description
    0x00181030: 64,  # Protocol Name
    0x00180024: 16,  # Sequence Name
    0x00189005: 16,  # Pulse Sequence Name
    0x00080070: 64,  # Manufacturer
    0x00540018: 16,  # Energy Window Name
    0x00180031: 64,  # Radiopharmaceutical
}
"""Texts of which the safe words stay, and their greatest length."""
LABELS = frozenset(
    (0x00181250, 0x00181251, 0x00189047, 0x00209056, 0x00209421, 0x00540306, 0x00181210, 0x00181160, 0x00409210)
)
"""Names of coils, stacks, dimensions, filters and tables: only whether they differ matters."""
DUMMIES = frozenset((0x00081090, 0x00181000, 0x00181020))
"""Model, serial number and software: enhanced images must have them, filled in."""
_EMPTIED = frozenset((0x00201040, 0x00189041, 0x00189050))
"""Position reference, makers of coils: images of some kinds must have them, if empty."""
TERMS = {
    0x00281054: ("US", "HU", "OD", "PCT", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD"),
    0x00283004: ("US", "HU", "OD", "PCT", "MGML", "Z_EFF", "ED", "EDW", "HU_MOD"),
    0x00180085: ("1H", "3HE", "7LI", "13C", "19F", "23NA", "31P", "129XE"),
}
"""Texts with defined terms (units of the stored values, nucleus); any other becomes the first one."""
CODE_PARTS = frozenset((0x00080100, 0x00080102, 0x00080104))
"""Code Value, Coding Scheme Designator, Code Meaning."""
CLASS_UIDS = frozenset((0x00080016, 0x00081150, 0x0008001A, 0x0008001B, 0x0008010C, 0x00080118))
"""UIDs of what a thing is, not of the thing."""

_KEPT = frozenset((0x00101010, 0x00101020, 0x00101030, 0x00100040, 0x00080201))
"""Age, size, weight, sex (Retain Patient Characteristics); the time zone goes with the dates."""
_PATIENT_GROUP = 0x0010
_BULK = frozenset((0x00283006, 0x7FE00001, 0x7FE00002, 0x7FE00008, 0x7FE00009, 0x7FE00010))
"""Look-up table of grey values; pixels, and where their frames begin."""
_ACTIONS: dict[str, Action] = {
    "delete": "remove",
    "empty": "empty",
    "delete_or_empty": "empty",
    "replace": "dummy",
    "empty_or_replace": "dummy",
    "delete_or_replace": "dummy",
    "delete_or_empty_or_replace": "dummy",
    "replace_UID": "uid",
    "delete_or_empty_or_replace_UID": "uid",
}
_TABLE = "dicomfields_2026c"
_PRIVATE = {
    ("SIEMENS MR HEADER", 0x0019): (0x0A, 0x0C, 0x0E, 0x28),
    ("GEMS_ACQU_01", 0x0019): (0xBB, 0xBC, 0xBD),
    ("GEMS_PARM_01", 0x0043): (0x2F, 0x39),
    ("IMAGE PRIVATE HEADER", 0x0065): (0x09, 0x50),
    ("PHILIPS IMAGING DD 001", 0x2001): (0x03,),
    ("PHILIPS MR IMAGING DD 001", 0x2005): (0x0D, 0x0E),
}
"""Numbers of private elements that readers need: b-values, gradients, scaling, magnitude or phase, mosaics."""


def _library() -> Any:
    from dicomanonymizer import simpledicomanonymizer  # type: ignore[import-untyped]

    return simpledicomanonymizer


@cache
def _table() -> dict[int, Action]:
    rules = _library().initialize_actions(_TABLE)
    return {tag[0] << 16 | tag[1]: _ACTIONS[rule.__name__] for tag, rule in rules.items() if len(tag) == 2}


def action_of(tag: int, vr: str) -> Action:
    """Say what becomes of a standard element that is no code part, description or label.

    Parameters
    ----------
    tag : int
        Group and element; of an even group.
    vr : str
        Value representation.

    Returns
    -------
    {"keep", "remove", "empty", "dummy", "uid"}
        Sequences that are kept are cleaned item by item; dates that are kept are moved if that was asked for.
    """
    group = tag >> 16
    if tag & 0xFFFF == 0 or group < 8 or group & 0xFF00 in (0x5000, 0x6000):  # lengths, commands, curves, overlays
        return "remove"
    if tag in _KEPT or (vr in DATE_VRS and group != _PATIENT_GROUP):
        return "keep"
    listed = _table().get(tag)
    if vr == "UI":
        return "remove" if listed == "remove" else "keep" if tag in CLASS_UIDS else "uid"
    if listed is not None:
        return _of_sequence(listed) if vr == "SQ" else listed
    if tag in DUMMIES or tag in _EMPTIED:
        return "dummy" if tag in DUMMIES else "empty"
    return "remove" if vr in TEXT_VRS or vr in DATE_VRS or not is_safe_bulk(tag, vr) else "keep"


def _of_sequence(listed: Action) -> Action:
    """Give the action on a listed sequence: an image may do without one that would need a dummy."""
    return {"uid": "keep", "dummy": "remove"}.get(listed, listed)  # type: ignore[return-value]


def is_safe_bulk(tag: int, vr: str) -> bool:
    """Say whether a value is no bytes of unknown content: pixels and the table of grey values are known, others not."""
    unknown = vr in ("UN", "OB", "OW", "OF", "OD", "OL", "OV", "OB or OW")
    return not unknown or tag in _BULK


def dummy(element: Any, *, empty: bool) -> None:
    """Empty a pydicom element, or give it the library's dummy value of its kind."""
    change = _library().empty_element if empty else _library().replace_element
    change(element)


def safe_private(creator: str, tag: int) -> bool:
    """Say whether a private element of this creator is one that the reader needs."""
    return (tag & 0xFF) in _PRIVATE.get((creator.strip().upper(), tag >> 16), ())


_NUMBERS = re.compile(rb"[\d+\-.eE \\\0]*")


def only_numbers(raw: bytes) -> bool:
    """Say whether the bytes of a private element of unknown kind can only be numbers, written or binary."""
    import struct

    if _NUMBERS.fullmatch(raw):
        return True
    for size, code in ((8, "d"), (4, "f")):
        if raw and len(raw) % size == 0:
            values = struct.unpack(f"<{len(raw) // size}{code}", raw)
            if all(value == 0 or 1e-9 < abs(value) < 1e5 for value in values):
                return True
    return len(raw) == 2
