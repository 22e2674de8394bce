"""Raw values of DICOM elements: bytes turned into text and numbers without pydicom's conversions and warnings."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom.dataset import Dataset

__all__ = ["Tags", "integer", "items", "number", "numbers", "text", "texts"]

_WRITTEN_INTEGERS = (0x00280008, 0x00200011, 0x00200012, 0x00200013, 0x00200100)


class Tags:
    """The elements of a dataset by tag, as they stand in the file. Never printed: they name the patient."""

    __slots__ = ("_dataset", "little", "values")

    def __init__(self, values: dict[int, Any], *, little: bool = True, dataset: Dataset | None = None) -> None:
        self.values = values
        """Bytes, or what pydicom made of them."""
        self.little = little
        """True where numbers are stored with the low byte first."""
        self._dataset = dataset

    @classmethod
    def of(cls, dataset: Dataset) -> Tags:
        """Take the elements of a pydicom dataset."""
        values = {int(tag): element.value for tag, element in dataset.items()}
        return cls(values, little=dataset.original_encoding[1] is not False, dataset=dataset)

    def __contains__(self, tag: int) -> bool:
        return tag in self.values

    def items(self, tag: int) -> list[Tags]:
        """Items of a sequence; none where it is missing."""
        if tag not in self.values or self._dataset is None:
            return []
        return [Tags.of(item) for item in self._dataset[tag].value or ()]


def text(tags: Tags, tag: int) -> str:
    """Value of a text element, stripped; empty where there is none."""
    value = tags.values.get(tag)
    if isinstance(value, bytes):
        return value.decode("latin-1").strip(" \0")
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else "\\".join(map(str, _listed(value)))


def texts(tags: Tags, tag: int) -> tuple[str, ...]:
    """Values of a text element of several values, stripped, in capitals."""
    whole = text(tags, tag)
    return tuple(part.strip().upper() for part in whole.split("\\")) if whole else ()


def numbers(tags: Tags, tag: int, code: str = "") -> tuple[float, ...]:
    """Values of a number element; ``code`` is the struct code (H, I, f, d) of a binary one, empty for decimals.

    Raises
    ------
    LesionmapError
        If the element holds something that is not a number.
    """
    value = tags.values.get(tag)
    if not isinstance(value, bytes):
        if value is None or value == "":
            return ()
        return _checked(tag, lambda: tuple(float(part) for part in _listed(value)))
    if not code:
        return _checked(tag, lambda: tuple(float(x) for x in value.strip(b" \0").split(b"\\") if x.strip()))
    order = "<" if tags.little else ">"
    return _checked(tag, lambda: struct.unpack(f"{order}{len(value) // struct.calcsize(code)}{code}", value))


def _checked(tag: int, read: Callable[[], tuple[float, ...]]) -> tuple[float, ...]:
    try:
        return read()
    except (ValueError, TypeError, struct.error) as error:
        where = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
        raise LesionmapError(f"a number was expected in the header at {where}; send the file again") from error


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | int | float) else list(value)


def number(tags: Tags, tag: int, code: str = "") -> float | None:
    """First value of a number element; None where there is none."""
    values = numbers(tags, tag, code)
    return values[0] if values else None


def integer(tags: Tags, tag: int) -> int | None:
    """First value of an element of integers, binary (US) or written out (IS)."""
    value = number(tags, tag, "" if tag in _WRITTEN_INTEGERS else "H")
    return None if value is None else int(value)


def items(tags: Tags, tag: int) -> list[Tags]:
    """Items of a sequence; none where it is missing."""
    return tags.items(tag)
