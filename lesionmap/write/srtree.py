"""Content items of a DICOM SR as light pydicom Datasets.

highdicom's classes check every item and copy the whole tree, and pydicom encodes each of its ten elements anew: 40
lesions take a second. Here values are put in as they will stand in the file (Explicit VR Little Endian, UTF-8), each
distinct code is encoded once, and pydicom writes them as they are, as it does with what it read from a file.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydicom.dataelem import DataElement, RawDataElement
    from pydicom.dataset import Dataset

    from lesionmap.skeleton import Code

__all__ = [
    "code_item",
    "container",
    "image_item",
    "number_item",
    "person_item",
    "plain_item",
    "point_item",
    "reference",
    "region_item",
    "text_item",
    "uid_item",
]

_UTF8 = "utf8"
_RELATIONSHIP, _VALUE_TYPE, _NAME = 0x0040A010, 0x0040A040, 0x0040A043
_TEXT, _UID, _PERSON, _CODE, _MEASURED = 0x0040A160, 0x0040A124, 0x0040A123, 0x0040A168, 0x0040A300
_CONTENT, _TEMPLATE, _CONTINUITY = 0x0040A730, 0x0040A504, 0x0040A050
_REFERENCED, _GRAPHIC, _GRAPHIC_TYPE, _FRAME_UID = 0x00081199, 0x00700022, 0x00700023, 0x30060024


def plain_item(*elements: DataElement | RawDataElement) -> Dataset:
    """Put elements together; those that are encoded already are written as they are."""
    from pydicom.dataset import Dataset

    item = Dataset({element.tag: element for element in elements}, parent_encoding=_UTF8)
    item.set_original_encoding(is_implicit_vr=False, is_little_endian=True, character_encoding=_UTF8)
    return item


def container(
    name: Code, children: Sequence[Dataset], *, template: str = "", relationship: str = "CONTAINS"
) -> Dataset:
    """Make a CONTAINER; ``template`` is its number in PS3.16, ``relationship`` is empty for the root."""
    elements = [*_head(relationship, "CONTAINER", name), _raw(_CONTINUITY, "CS", "SEPARATE"), _children(children)]
    if template:
        identifier = plain_item(_raw(0x00080105, "CS", "DCMR"), _raw(0x0040DB00, "CS", template))
        elements.append(_sequence(_TEMPLATE, [identifier]))
    return plain_item(*elements)


def code_item(name: Code, value: Code, children: Sequence[Dataset] = (), *, relationship: str = "CONTAINS") -> Dataset:
    """Make a CODE."""
    return _item(_head(relationship, "CODE", name), [_coded(_CODE, value)], children)


def text_item(name: Code, text: str, *, relationship: str = "CONTAINS") -> Dataset:
    """Make a TEXT."""
    return _item(_head(relationship, "TEXT", name), [_raw(_TEXT, "UT", text)])


def uid_item(name: Code, uid: str, *, relationship: str = "CONTAINS") -> Dataset:
    """Make a UIDREF."""
    return _item(_head(relationship, "UIDREF", name), [_raw(_UID, "UI", uid)])


def person_item(name: Code, person: str, *, relationship: str = "HAS OBS CONTEXT") -> Dataset:
    """Make a PNAME; the characters that part a DICOM name become blanks."""
    return _item(_head(relationship, "PNAME", name), [_raw(_PERSON, "PN", person.translate(_NO_PARTS))])


def number_item(
    name: Code, value: float, unit: Code, children: Sequence[Dataset] = (), *, relationship: str = "CONTAINS"
) -> Dataset:
    """Make a NUM of a finite value."""
    from pydicom.valuerep import format_number_as_ds

    number = str(value) if isinstance(value, int) else format_number_as_ds(float(value))
    measured = plain_item(_coded(0x004008EA, unit), _raw(0x0040A30A, "DS", number))
    return _item(_head(relationship, "NUM", name), [_sequence(_MEASURED, [measured])], children)


def image_item(
    sop_class: str,
    sop_uid: str,
    name: Code | None = None,
    *,
    frame: int | None = None,
    segment: int | None = None,
    relationship: str = "CONTAINS",
) -> Dataset:
    """Make an IMAGE: an image, a frame of it (from 1), or a segment of a Segmentation."""
    target = reference(sop_class, sop_uid, frame=frame, segment=segment)
    return _item(_head(relationship, "IMAGE", name), [_sequence(_REFERENCED, [target])])


def reference(sop_class: str, sop_uid: str, *, frame: int | None = None, segment: int | None = None) -> Dataset:
    """Refer to a DICOM object, a frame or a segment of it."""
    elements = [_raw(0x00081150, "UI", sop_class), _raw(0x00081155, "UI", sop_uid)]
    if frame is not None:
        elements.append(_raw(0x00081160, "IS", str(frame)))
    if segment is not None:
        elements.append(_packed(0x0062000B, "US", np.array([segment], dtype="<u2")))
    return plain_item(*elements)


def region_item(name: Code, kind: str, points: NDArray[np.float64], image: Dataset) -> Dataset:
    """Make a SCOORD: ``kind`` POINT or POLYLINE, points (column, row), shape (n, 2), 0 at the first pixel's corner."""
    graphic = _packed(_GRAPHIC, "FL", np.asarray(points, dtype="<f4"))
    return _item(_head("CONTAINS", "SCOORD", name), [graphic, _raw(_GRAPHIC_TYPE, "CS", kind)], [image])


def point_item(name: Code, lps_mm: Sequence[float], frame_uid: str) -> Dataset:
    """Make a SCOORD3D of one point, LPS mm, in a Frame of Reference."""
    graphic = _packed(_GRAPHIC, "FL", np.asarray(lps_mm, dtype="<f4"))
    kind, frame = _raw(_GRAPHIC_TYPE, "CS", "POINT"), _raw(_FRAME_UID, "UI", frame_uid)
    return _item(_head("CONTAINS", "SCOORD3D", name), [graphic, kind, frame])


_NO_PARTS = str.maketrans("\\^=", "   ")


def _item(
    head: Sequence[DataElement | RawDataElement],
    value: Sequence[DataElement | RawDataElement],
    children: Sequence[Dataset] = (),
) -> Dataset:
    return plain_item(*head, *value, *([_children(children)] if children else []))


def _head(relationship: str, value_type: str, name: Code | None) -> list[DataElement | RawDataElement]:
    elements: list[DataElement | RawDataElement] = [_raw(_VALUE_TYPE, "CS", value_type)]
    if relationship:
        elements.append(_raw(_RELATIONSHIP, "CS", relationship))
    if name is not None:
        elements.append(_coded(_NAME, name))
    return elements


def _children(items: Sequence[Dataset]) -> DataElement:
    return _sequence(_CONTENT, items)


def _sequence(tag: int, items: Sequence[Dataset]) -> DataElement:
    from pydicom.dataelem import DataElement
    from pydicom.sequence import Sequence as Items

    return DataElement(tag, "SQ", Items(items))


@cache
def _coded(tag: int, code: Code) -> RawDataElement:
    """Encode a code sequence, once for each code: it cannot be changed, so all items may hold the same one."""
    from pydicom.filebase import DicomBytesIO
    from pydicom.filewriter import write_sequence

    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = False, True
    item = plain_item(
        _raw(0x00080100, "SH", code.value), _raw(0x00080102, "SH", code.scheme), _raw(0x00080104, "LO", code.meaning)
    )
    write_sequence(buffer, _sequence(tag, [item]), [_UTF8])
    return _encoded(tag, "SQ", buffer.getvalue())


def _raw(tag: int, vr: str, text: str) -> RawDataElement:
    return _encoded(tag, vr, text.encode("utf-8"))


def _packed(tag: int, vr: str, numbers: NDArray[np.generic]) -> RawDataElement:
    return _encoded(tag, vr, numbers.tobytes())


def _encoded(tag: int, vr: str, value: bytes) -> RawDataElement:
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import BaseTag

    if len(value) % 2:
        value += b"\0" if vr == "UI" else b" "
    return RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True)
