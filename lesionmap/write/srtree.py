"""Content items of a DICOM SR, each as the bytes that stand in the file.

highdicom's classes check every item and copy the whole tree, and pydicom writes each of its ten elements through
several layers: forty lesions took a second and more. An item is encoded here (Explicit VR Little Endian, UTF-8) when it
is made, each distinct code once. pydicom takes the whole as one element, as it does with what it read from a file: it
is written as it is, and taken apart only where somebody looks into it.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike
    from pydicom.dataset import Dataset

    from lesionmap.skeleton import Code

__all__ = [
    "Elements",
    "code_item",
    "container",
    "evidence_elements",
    "image_item",
    "number_item",
    "person_item",
    "point_item",
    "put_elements",
    "region_item",
    "root_elements",
    "text_item",
    "uid_item",
]

_RELATIONSHIP, _VALUE_TYPE, _NAME, _CONTINUITY = 0x0040A010, 0x0040A040, 0x0040A043, 0x0040A050
_UID, _PERSON, _TEXT, _CODE, _MEASURED = 0x0040A124, 0x0040A123, 0x0040A160, 0x0040A168, 0x0040A300
_TEMPLATE, _CONTENT, _REFERENCED = 0x0040A504, 0x0040A730, 0x00081199
_GRAPHIC, _GRAPHIC_TYPE, _FRAME_UID = 0x00700022, 0x00700023, 0x30060024
_EVIDENCE, _OTHER_EVIDENCE = 0x0040A375, 0x0040A385
_LONG = ("SQ", "UT")
"""Value representations used here whose length takes 4 bytes."""
_MOST_BYTES = 0xFFFE
_NO_PARTS = str.maketrans("\\^=", "   ")

Elements = dict[int, bytes]
"""Tag to encoded element; DICOM wants them by tag."""


def root_elements(name: Code, children: Iterable[bytes], template: str) -> Elements:
    """Make the root of the content: a CONTAINER whose elements stand in the document itself."""
    return {tag: element for tag, element in _container(name, children, template).items() if tag != _RELATIONSHIP}


def container(name: Code, children: Iterable[bytes], *, template: str = "") -> bytes:
    """Make a CONTAINER; ``template`` is its number in PS3.16."""
    return _item({**_head("CONTAINS", "CONTAINER", name), **_container(name, children, template)})


def code_item(name: Code, value: Code, children: Iterable[bytes] = (), *, relationship: str = "CONTAINS") -> bytes:
    """Make a CODE."""
    return _item({**_head(relationship, "CODE", name), _CODE: _coded(_CODE, value), **_children(children)})


def text_item(name: Code, text: str, *, relationship: str = "CONTAINS") -> bytes:
    """Make a TEXT."""
    return _item({**_head(relationship, "TEXT", name), _TEXT: _element(_TEXT, "UT", text)})


def uid_item(name: Code, uid: str, *, relationship: str = "CONTAINS") -> bytes:
    """Make a UIDREF."""
    return _item({**_head(relationship, "UIDREF", name), _UID: _element(_UID, "UI", uid)})


def person_item(name: Code, person: str, *, relationship: str = "HAS OBS CONTEXT") -> bytes:
    """Make a PNAME; the characters that part a DICOM name become blanks."""
    said = person.translate(_NO_PARTS)
    return _item({**_head(relationship, "PNAME", name), _PERSON: _element(_PERSON, "PN", said)})


def number_item(name: Code, value: float, unit: Code, children: Iterable[bytes] = ()) -> bytes:
    """Make a NUM of a finite value."""
    from pydicom.valuerep import format_number_as_ds

    number = str(value) if isinstance(value, int) else format_number_as_ds(float(value))
    measured = _item({0x004008EA: _coded(0x004008EA, unit), 0x0040A30A: _element(0x0040A30A, "DS", number)})
    head = _head("CONTAINS", "NUM", name)
    return _item({**head, _MEASURED: _element(_MEASURED, "SQ", measured), **_children(children)})


def image_item(
    target: tuple[str, str],
    name: Code | None = None,
    *,
    frame: int | None = None,
    segment: int | None = None,
    relationship: str = "CONTAINS",
) -> bytes:
    """Make an IMAGE: an object (SOP class and instance), a frame of it (from 1), or a segment of a Segmentation."""
    reference = _reference(target, frame, segment)
    return _item({**_head(relationship, "IMAGE", name), _REFERENCED: _element(_REFERENCED, "SQ", reference)})


def region_item(name: Code, kind: str, points: ArrayLike, image: bytes) -> bytes:
    """Make a SCOORD: ``kind`` POINT or POLYLINE, points (column, row), shape (n, 2), 0 at the first pixel's corner."""
    return _item({**_head("CONTAINS", "SCOORD", name), **_graphic(kind, points), **_children([image])})


def point_item(name: Code, lps_mm: ArrayLike, frame_uid: str) -> bytes:
    """Make a SCOORD3D of one point, LPS mm, in a Frame of Reference."""
    where = {_FRAME_UID: _element(_FRAME_UID, "UI", frame_uid)}
    return _item({**_head("CONTAINS", "SCOORD3D", name), **_graphic("POINT", lps_mm), **where})


def evidence_elements(own_study: str, references: Iterable[tuple[str, str, str, str]]) -> Elements:
    """List objects (study, series, SOP class, SOP instance), those of the document's own study apart from others."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for study, series, sop_class, uid in references:
        found.setdefault(study, {}).setdefault(series, {})[uid] = sop_class
    own = b"".join(_study(study, listed) for study, listed in found.items() if study == own_study)
    others = b"".join(_study(study, listed) for study, listed in found.items() if study != own_study)
    return {tag: _element(tag, "SQ", items) for tag, items in ((_EVIDENCE, own), (_OTHER_EVIDENCE, others)) if items}


def put_elements(document: Dataset, elements: Elements) -> None:
    """Put encoded elements into a document; pydicom decodes one when it is asked for."""
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import BaseTag

    for tag, element in elements.items():
        vr = element[4:6].decode()
        value = element[12:] if vr in _LONG else element[8:]
        document[tag] = RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True)


def _container(name: Code, children: Iterable[bytes], template: str) -> Elements:
    elements = {**_head("", "CONTAINER", name), _CONTINUITY: _element(_CONTINUITY, "CS", "SEPARATE")}
    if template:
        source = {0x00080105: _element(0x00080105, "CS", "DCMR"), 0x0040DB00: _element(0x0040DB00, "CS", template)}
        elements[_TEMPLATE] = _element(_TEMPLATE, "SQ", _item(source))
    return {**elements, **_children(children)}


def _head(relationship: str, value_type: str, name: Code | None) -> Elements:
    elements = {_VALUE_TYPE: _element(_VALUE_TYPE, "CS", value_type)}
    if relationship:
        elements[_RELATIONSHIP] = _element(_RELATIONSHIP, "CS", relationship)
    if name is not None:
        elements[_NAME] = _coded(_NAME, name)
    return elements


def _children(items: Iterable[bytes]) -> Elements:
    joined = b"".join(items)
    return {_CONTENT: _element(_CONTENT, "SQ", joined)} if joined else {}


def _reference(target: tuple[str, str], frame: int | None, segment: int | None) -> bytes:
    elements = {0x00081150: _element(0x00081150, "UI", target[0]), 0x00081155: _element(0x00081155, "UI", target[1])}
    if frame is not None:
        elements[0x00081160] = _element(0x00081160, "IS", str(frame))
    if segment is not None:
        elements[0x0062000B] = _element(0x0062000B, "US", struct.pack("<H", segment))
    return _item(elements)


def _study(study_uid: str, listed: Mapping[str, Mapping[str, str]]) -> bytes:
    """List objects of a study: Series Instance UID to SOP Instance UID to SOP class."""
    items = b""
    for uid, objects in listed.items():
        references = b"".join(_reference((kind, one), None, None) for one, kind in objects.items())
        items += _item(
            {0x0020000E: _element(0x0020000E, "UI", uid), _REFERENCED: _element(_REFERENCED, "SQ", references)}
        )
    return _item({0x0020000D: _element(0x0020000D, "UI", study_uid), 0x00081115: _element(0x00081115, "SQ", items)})


def _graphic(kind: str, points: ArrayLike) -> Elements:
    data = np.asarray(points, dtype="<f4").tobytes()
    if len(data) > _MOST_BYTES:
        raise LesionmapError(
            f"a region of a DICOM SR has at most {_MOST_BYTES // 8} corners, an outline here has {len(data) // 8}; "
            "smooth the mask or draw it in parts"
        )
    return {_GRAPHIC: _element(_GRAPHIC, "FL", data), _GRAPHIC_TYPE: _element(_GRAPHIC_TYPE, "CS", kind)}


@cache
def _coded(tag: int, code: Code) -> bytes:
    """Encode a code sequence."""
    words = ((0x00080100, "SH", code.value), (0x00080102, "SH", code.scheme), (0x00080104, "LO", code.meaning))
    return _element(tag, "SQ", _item({one: _element(one, vr, text) for one, vr, text in words}))


def _item(elements: Elements) -> bytes:
    """Encode a sequence item of known length (PS3.5 section 7.5)."""
    body = b"".join(elements[tag] for tag in sorted(elements))
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(body)) + body


def _element(tag: int, vr: str, value: str | bytes) -> bytes:
    """Encode a data element (PS3.5 section 7.1.2)."""
    body = value.encode("utf-8") if isinstance(value, str) else value
    if len(body) % 2:
        body += b"\0" if vr == "UI" else b" "
    form = "<HH2sHL" if vr in _LONG else "<HH2sH"
    length = (0, len(body)) if vr in _LONG else (len(body),)
    return struct.pack(form, tag >> 16, tag & 0xFFFF, vr.encode(), *length) + body
