"""DICOM headers: one pass over a file, few tags, raw values read without pydicom's conversions.

Only what tells volumes apart and places them is read. Personal data is kept in :class:`Person` for the salted
hash, the age and the growth of the skeleton, and goes nowhere else.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, BinaryIO

from lesionmap.errors import LesionmapError
from lesionmap.read.elements import DEFLATED, PIXEL_TAGS, flat_elements, inflated, is_blank
from lesionmap.read.fragments import DamagedError, check_fragments
from lesionmap.read.tags import Tags, integer, number, text

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from lesionmap.visits import Sex

__all__ = ["DamagedError", "Header", "Person", "broken", "day", "person", "read_header", "visit_day"]

_TAGS = frozenset((
    0x00080008, 0x00080016, 0x00080018, 0x00080020, 0x00080021, 0x00080022, 0x00080023, 0x0008002A, 0x00080031,
    0x00080032, 0x00080033, 0x00080060, 0x00080070, 0x0008103E, 0x00089208, 0x00089209, 0x00100020, 0x00100021,
    0x00100030, 0x00100040, 0x00101010, 0x00101020, 0x00101030, 0x00180020, 0x00180021, 0x00180024, 0x00180050,
    0x00180080, 0x00180081, 0x00180082, 0x00180086, 0x00180088, 0x00181030, 0x00181060, 0x00181250, 0x00181314,
    0x00185100, 0x00189005, 0x00189008, 0x00189087, 0x00189089, 0x0020000D, 0x0020000E, 0x00200011, 0x00200012,
    0x00200013, 0x00200020, 0x00200032, 0x00200037, 0x00200052, 0x00200100, 0x00209056, 0x00209222, 0x00280002,
    0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280030, 0x00280100, 0x00280101, 0x00280102, 0x00280103,
    0x00281052, 0x00281053, 0x00283000, 0x00540011, 0x00540016, 0x00540020, 0x00540022, 0x00540052, 0x00540220,
    0x00540400, 0x52009229, 0x52009230, 0x0019100A, 0x0019100C, 0x0019100E, 0x00191028, 0x001910BB, 0x001910BC,
    0x001910BD, 0x00431039, 0x0043102F, 0x00651009, 0x00651050, 0x20011003,
    0x00540010, 0x00540012, 0x00540200,
))  # fmt: skip
_NOT_IMAGES = ("SEG", "SR", "PR", "KO", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "REG", "FID", "ECG", "PLAN")
_CLASS = "1.2.840.10008.5.1.4.1.1."
_NOT_IMAGE_CLASSES = (_CLASS + "4.2", _CLASS + "66", _CLASS + "66.4", _CLASS + "66.7", _CLASS + "30")
_IMAGE_CLASSES = tuple(_CLASS + end for end in ("2", "2.1", "2.2", "4", "4.1", "4.4", "7", "20", "128", "128.1", "130"))
_SOP_CLASS = 0x00080016
_BIG_ENDIAN = "1.2.840.10008.1.2.2"
_IMPLICIT = "1.2.840.10008.1.2"
_NATIVE = (_IMPLICIT, "1.2.840.10008.1.2.1", _BIG_ENDIAN)
_COMPRESSED = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5")
_MOST_ELEMENTS = 20_000
"""Of a header, those in sequences not counted; a file whose rest is zeros has millions."""
_DAYS = {"D": 365.25, "W": 52.1775, "M": 12.0, "Y": 1.0}


def broken() -> tuple[type[Exception], ...]:
    """List what pydicom, highdicom, nibabel and their decoders raise for bytes that are not what they should be."""
    import sqlite3

    from pydicom.errors import BytesLengthException, InvalidDicomError

    return (
        *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, NotImplementedError, OSError),
        *(RecursionError, RuntimeError, TypeError, ValueError, sqlite3.Error, struct.error, zlib.error),
        *(BytesLengthException, InvalidDicomError),
    )


@dataclass(frozen=True, slots=True)
class Person:
    """What the header says of the patient."""

    key: str = field(default="", repr=False)
    """Issuer and Patient ID, to be hashed; empty where the file has none. Never logged."""
    sex: Sex | None = None
    birth_date: date | None = None
    age_y: float | None = None
    """As written in the header."""
    stature_cm: float | None = None
    weight_kg: float | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """One DICOM image file: what it is, and where its pixels begin."""

    path: str
    tags: Tags = field(repr=False)
    """What was read. Never printed: it names the patient."""
    uid: str
    sop_class: str
    study_uid: str
    series_uid: str
    modality: str
    columns: int
    rows: int
    frames: int
    samples: int
    bits: int
    """Bits allocated."""
    stored: int
    """Bits stored; what stands in the other bits of a pixel is not part of its value."""
    high: int
    """The highest of the stored bits, from 0."""
    signed: bool
    syntax: str
    """Transfer Syntax UID."""
    offset: int
    """Byte at which native pixels begin (of a deflated file: in what it inflates to); 0 where they are compressed."""
    fragments: int = 0
    """Byte at which the first item of compressed pixels begins; 0 where they are native."""

    @property
    def is_image(self) -> bool:
        """True for what is called an image, or has the size of one."""
        return not self.is_other and (self.sop_class in _IMAGE_CLASSES or (self.rows > 0 and self.columns > 0))

    @property
    def is_other(self) -> bool:
        """True for what has no grey values to show: reports, segmentations, doses, plans, spectra."""
        return self.modality in _NOT_IMAGES or self.sop_class in _NOT_IMAGE_CLASSES

    @property
    def native(self) -> bool:
        """True where the pixels are not compressed and each fills whole bytes."""
        return self.offset > 0

    @property
    def raw_offset(self) -> int:
        """Byte of the file itself at which native pixels begin; 0 where they are compressed or deflated."""
        return 0 if self.syntax == DEFLATED else self.offset

    @property
    def layout(self) -> tuple[object, ...]:
        """How a pixel is stored."""
        return self.bits, self.stored, self.high, self.signed, self.syntax

    @property
    def big_endian(self) -> bool:
        """True where numbers are stored with the high byte first."""
        return self.syntax == _BIG_ENDIAN


def read_header(path: str, file: BinaryIO) -> Header:
    """Read the header of a DICOM file and check that its pixels are all there.

    Parameters
    ----------
    path : str
        Where the file is.
    file : file object
        The same, open for reading bytes, at its beginning.

    Raises
    ------
    LesionmapError
        If the file is damaged or its pixels are cut short.
    """
    try:
        plain = inflated(file)
        flat = flat_elements(plain, _TAGS)
        if flat is not None:
            header = _header(path, plain, Tags(flat.values), flat.syntax, flat.pixels)
        else:
            header = _by_pydicom(path, plain)
        return header if plain is file else replace(header, syntax=DEFLATED)
    except LesionmapError:
        raise
    except broken() as error:
        raise LesionmapError(
            f"a DICOM file was expected, its header cannot be read ({type(error).__name__}); send the file again"
        ) from error


def _by_pydicom(path: str, file: BinaryIO) -> Header:
    from pydicom.filereader import read_partial

    if is_blank(file):
        raise LesionmapError("a DICOM image was expected, zeros stand where its header should be; send it again")
    elements = iter(range(_MOST_ELEMENTS))

    def at_pixels(tag: int, _vr: str | None, _length: int) -> bool:
        if next(elements, None) is None:
            raise ValueError("more elements than a header has")
        return int(tag) in PIXEL_TAGS

    dataset = read_partial(file, at_pixels, specific_tags=sorted(_TAGS), force=True)
    syntax = str(dataset.file_meta.get("TransferSyntaxUID", "") or "") or _guessed_syntax(dataset)
    tags = Tags.of(dataset)
    stored_class = str(dataset.file_meta.get("MediaStorageSOPClassUID", "") or "")
    if stored_class in _IMAGE_CLASSES:  # a file cut short may have lost the other one
        tags.values[_SOP_CLASS] = stored_class
    return _header(path, file, tags, syntax, file.tell())


def _header(path: str, file: BinaryIO, tags: Tags, syntax: str, start: int) -> Header:
    bits = integer(tags, 0x00280100) or 0
    stored = integer(tags, 0x00280101) or bits
    high = integer(tags, 0x00280102)
    header = Header(
        path=path,
        tags=tags,
        uid=text(tags, 0x00080018),
        sop_class=text(tags, _SOP_CLASS),
        study_uid=text(tags, 0x0020000D),
        series_uid=text(tags, 0x0020000E),
        modality=text(tags, 0x00080060).upper(),
        columns=integer(tags, 0x00280011) or 0,
        rows=integer(tags, 0x00280010) or 0,
        frames=max(integer(tags, 0x00280008) or 1, 1),
        samples=integer(tags, 0x00280002) or 1,
        bits=bits,
        stored=stored,
        high=stored - 1 if high is None else high,
        signed=integer(tags, 0x00280103) == 1,
        syntax=syntax,
        offset=0,
    )
    if not header.sop_class and not header.rows:
        raise LesionmapError("a DICOM image was expected, the file ends within its header; send it again")
    file.seek(start)
    begin = file.read(12)
    if header.is_image or (not header.is_other and _is_pixels(begin, start, header)):
        return _with_offset(header, file, begin, start)
    return header


def _guessed_syntax(dataset: Dataset) -> str:
    implicit, little = dataset.original_encoding
    if not little:
        return _BIG_ENDIAN
    return _IMPLICIT if implicit else _NATIVE[1]


def _is_pixels(begin: bytes, start: int, header: Header) -> bool:
    return _element(begin, start, header)[0] in PIXEL_TAGS


def _with_offset(header: Header, file: BinaryIO, begin: bytes, start: int) -> Header:
    """Find where the pixels begin, and refuse a file that ends before they do."""
    if not _is_pixels(begin, start, header):
        raise DamagedError("the file ends before its pixels: it was cut short; send it again", header.series_uid)
    if min(header.rows, header.columns) == 0:
        size = f"{header.rows} rows and {header.columns} columns"
        why = f"the size of the image was expected in the header, {size} came; send the file again"
        raise DamagedError(why, header.series_uid)
    end = file.seek(0, os.SEEK_END)
    tag, length, offset = _element(begin, start, header)
    if length == 0xFFFFFFFF:
        check_fragments(file, offset, header.frames, header.series_uid)
        return replace(header, fragments=offset)
    if header.syntax.startswith(_COMPRESSED):
        raise DamagedError(
            "compressed pixels in fragments were expected by its header, one block came; send the file again",
            header.series_uid,
        )
    if header.syntax not in _NATIVE:
        return header
    _check_length(header, min(length, end - offset))
    whole_bytes = header.bits in (8, 16, 32) and tag == 0x7FE00010 and not (header.big_endian and header.bits == 8)
    return replace(header, offset=offset) if whole_bytes else header


def _check_length(header: Header, have: int) -> None:
    """Refuse pixels that are cut short, and pixels that another matrix or number of frames would fill.

    Writers pad to whole words, so a few bytes more are borne; a row or a column more is not.
    """
    expected = -(-header.rows * header.columns * header.samples * header.frames * header.bits // 8)
    if have < expected:
        why = f"the file is cut short: {expected:,} bytes of pixels expected, {have:,} came; send it again"
        raise DamagedError(why, header.series_uid)
    if have - expected > max(1, min(header.rows, header.columns) * header.bits // 8 - 1):
        raise DamagedError(
            f"the header does not fit its pixels: {header.columns} columns, {header.rows} rows and {header.frames} "
            f"frame(s) of {header.bits} bits need {expected:,} bytes, {have:,} came; send the file again",
            header.series_uid,
        )


def _element(begin: bytes, start: int, header: Header) -> tuple[int, int, int]:
    """Give tag, length and first byte of the value of the element at ``start``."""
    order = ">" if header.big_endian else "<"
    if len(begin) < 12:
        return 0, 0, 0
    group, element = struct.unpack(order + "HH", begin[:4])
    if begin[4:6] in (b"OW", b"OB", b"OF", b"OD", b"UN"):
        length, skip = struct.unpack(order + "I", begin[8:12])[0], 12
    else:
        length, skip = struct.unpack(order + "I", begin[4:8])[0], 8
    return group << 16 | element, int(length), start + skip


def person(tags: Tags) -> Person:
    """Read what the growth of the skeleton and the salted hash need."""
    identity = text(tags, 0x00100020)
    sex = text(tags, 0x00100040)
    stature_m, weight = number(tags, 0x00101020), number(tags, 0x00101030)
    return Person(
        key=f"{text(tags, 0x00100021)}\n{identity}" if identity else "",
        sex="F" if sex == "F" else "M" if sex == "M" else None,
        birth_date=day(tags, 0x00100030),
        age_y=_age(text(tags, 0x00101010)),
        stature_cm=stature_m * 100 if stature_m and 0.3 < stature_m < 2.5 else None,
        weight_kg=weight if weight and weight > 0 else None,
    )


def _age(written: str) -> float | None:
    """Years of an Age String such as 008Y or 020M."""
    if len(written) < 2 or not written[:-1].isdecimal() or written[-1] not in _DAYS or int(written[:-1]) == 0:
        return None
    return int(written[:-1]) / _DAYS[written[-1]]


def day(tags: Tags, tag: int) -> date | None:
    """Read a date; None where it is missing or not one."""
    written = text(tags, tag).replace(".", "")[:8]
    try:
        return date(int(written[:4]), int(written[4:6]), int(written[6:8]))
    except ValueError:
        return None


def visit_day(tags: Tags) -> date | None:
    """Date of the study, else of the acquisition, the series, the content; None where the file has none."""
    for tag in (0x00080020, 0x00080022, 0x0008002A, 0x00080021, 0x00080023):
        found = day(tags, tag)
        if found is not None:
            return found
    return None
