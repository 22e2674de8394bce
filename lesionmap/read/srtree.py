"""The content of a DICOM SR as plain items: a name, a value, and what hangs below; and how texts are kept in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.skeleton import Code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

__all__ = ["ImageRef", "Item", "Number", "Region", "item_of", "kept", "restored", "same"]


_Kind = TypeVar("_Kind")


def kept(text: str) -> str:
    """Give a text in a form that DICOM keeps to the last character; ``restored`` gives it back.

    DICOM drops blanks at the end and has no use for most control characters: such a text becomes a JSON string.

    Examples
    --------
    >>> kept("left ankle"), kept("left ankle ")
    ('left ankle', '"left ankle "')
    """
    safe = text == text.rstrip(" \0") and not text.startswith('"')
    if text and safe and all(x.isprintable() or x in "\n\t" for x in text):
        return text
    return json.dumps(text)


def restored(text: str) -> str:
    """Undo ``kept``."""
    return str(json.loads(text)) if text.startswith('"') and text.endswith('"') and len(text) > 1 else text


@dataclass(frozen=True, slots=True)
class Number:
    """The value of a NUM."""

    value: float
    unit: Code


@dataclass(frozen=True, slots=True)
class ImageRef:
    """The value of an IMAGE."""

    uid: str
    frame: int | None
    """From 1; None: the whole object."""
    segment: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """The value of a SCOORD (column and row, shape (n, 2)) or a SCOORD3D (mm, shape (n, 3))."""

    kind: str
    """POINT, POLYLINE …"""
    points: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One content item."""

    kind: str
    """Value type: TEXT, CODE, NUM …"""
    name: Code | None
    value: Any
    """str, Code, Number, ImageRef or Region; None for a container or what is not read."""
    children: tuple[Item, ...]

    def named(self, name: Code) -> Iterator[Item]:
        """Give the children of that name, whatever its meaning is worded like."""
        return (child for child in self.children if same(child.name, name))

    def values(self, name: Code, kind: type[_Kind]) -> list[_Kind]:
        """Give the values of the children of that name, as far as they are of that kind."""
        return [child.value for child in self.named(name) if isinstance(child.value, kind)]

    def value_of(self, name: Code, kind: type[_Kind]) -> _Kind | None:
        """Give the first of ``values``; None where there is none."""
        return next(iter(self.values(name, kind)), None)

    def must(self, name: Code, kind: type[_Kind]) -> _Kind:
        """Give the first of ``values``.

        Raises
        ------
        LesionmapError
            Where there is none.
        """
        found = self.value_of(name, kind)
        if found is None:
            raise LesionmapError(f"the report is damaged, {name.meaning!r} is missing; export it again")
        return found

    def below(self, name: Code) -> Iterator[Item]:
        """Give all items of that name at any depth, in their order."""
        for child in self.children:
            if same(child.name, name):
                yield child
            yield from child.below(name)


def same(one: Code | None, other: Code) -> bool:
    """Say whether two codes are the same concept; SNOMED's old DICOM codes (SRT) are looked up."""
    if one is None:
        return False
    if one.scheme in ("SRT", "SNM3", "99SDM"):
        from pydicom.sr.coding import Code as Coded

        return bool(Coded(one.value, one.scheme, "") == Coded(other.value, other.scheme, ""))
    return (one.value, one.scheme) == (other.value, other.scheme)


def item_of(dataset: Dataset) -> Item:
    """Read a content item and all below it. What an item lacks raises as pydicom does."""
    kind = str(dataset.ValueType)
    reader = _READERS.get(kind)
    return Item(
        kind=kind,
        name=_code(dataset, "ConceptNameCodeSequence"),
        value=reader(dataset) if reader else None,
        children=tuple(item_of(child) for child in dataset.get("ContentSequence", ()) if "ValueType" in child),
    )


def _code(dataset: Dataset, keyword: str) -> Code | None:
    found = dataset.get(keyword)
    if not found:
        return None
    value = found[0].get("CodeValue") or found[0].get("LongCodeValue") or found[0].get("URNCodeValue") or ""
    return Code(str(value), str(found[0].get("CodingSchemeDesignator", "")), str(found[0].get("CodeMeaning", "")))


def _number(dataset: Dataset) -> Number | None:
    measured = dataset.get("MeasuredValueSequence")
    if not measured:
        return None
    unit = _code(measured[0], "MeasurementUnitsCodeSequence")
    return Number(float(measured[0].NumericValue), unit or Code("", "", ""))


def _image(dataset: Dataset) -> ImageRef:
    reference = dataset.ReferencedSOPSequence[0]
    return ImageRef(
        str(reference.ReferencedSOPInstanceUID),
        _first(reference, "ReferencedFrameNumber"),
        _first(reference, "ReferencedSegmentNumber"),
    )


def _first(dataset: Dataset, keyword: str) -> int | None:
    value = dataset.get(keyword)
    if value is None or value == "":
        return None
    return int(value if isinstance(value, (int, str)) else value[0])


def _region(dataset: Dataset) -> Region:
    return Region(str(dataset.GraphicType), np.array(dataset.GraphicData, dtype=np.float64).reshape(-1, 2))


def _region_3d(dataset: Dataset) -> Region:
    return Region(str(dataset.GraphicType), np.array(dataset.GraphicData, dtype=np.float64).reshape(-1, 3))


_READERS = {
    "TEXT": lambda dataset: str(dataset.TextValue),
    "CODE": lambda dataset: _code(dataset, "ConceptCodeSequence"),
    "UIDREF": lambda dataset: str(dataset.UID),
    "PNAME": lambda dataset: str(dataset.PersonName),
    "NUM": _number,
    "IMAGE": _image,
    "COMPOSITE": _image,
    "SCOORD": _region,
    "SCOORD3D": _region_3d,
}
