"""Frames: one slice each, of a classic or an enhanced file, with what places it and tells it apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.read import tags as tg
from lesionmap.read.decoders import READABLE
from lesionmap.read.kinds import Contrast, kind_words

if TYPE_CHECKING:
    from lesionmap.read.header import Header
    from lesionmap.read.tags import Tags

__all__ = ["Frame", "check_image", "classic_frame", "contrast_of", "marks_of", "placed", "rescale", "thickness"]

_READ = ("MR", "CT", "PT", "NM")
_MOST_SCALE = 1e30
"""Slopes and intercepts beyond it are no numbers, or make none."""
_GE_PARTS = ("MAGNITUDE", "PHASE", "REAL", "IMAGINARY")


@dataclass(frozen=True, slots=True)
class Frame:
    """One slice: where it lies (LPS mm), what it is, and in which file."""

    header: Header = field(repr=False)
    index: int | None
    """Number in an enhanced file, from 0; None for a classic file."""
    position: tuple[float, ...]
    """Centre of the first voxel, mm."""
    orientation: tuple[float, ...]
    """Cosines of the rows, then of the columns."""
    spacing: tuple[float, ...]
    """Between rows, between columns, mm."""
    thickness_mm: float | None
    """Spacing between slices, else their thickness; used for a single slice only."""
    kind: tuple[str, ...]
    echo_ms: float | None
    inversion_ms: float | None
    b_value: float | None
    rescale: tuple[float, float]
    """Slope and intercept."""
    group: Tags | None = field(default=None, repr=False)
    """The per-frame functional groups of an enhanced frame."""

    @property
    def what(self) -> tuple[object, ...]:
        """What always makes another volume, but for orientation and echo: matrix, spacing, kind, b-value, storing."""
        header = self.header
        size = (header.columns, header.rows, *(round(x, 3) for x in self.spacing))
        times = (_rounded(self.inversion_ms), self.b_value)
        return (*size, self.kind, *times, header.bits, header.signed, header.big_endian, header.native)


def _rounded(time_ms: float | None) -> float | None:
    return None if time_ms is None else round(time_ms, 2)


def check_image(header: Header) -> None:
    """Refuse what is no grey image of a modality that is read here.

    Raises
    ------
    LesionmapError
        For a colour picture, another modality, odd pixels, a mosaic.
    """
    photometric = tg.text(header.tags, 0x00280004)
    if header.samples != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2", ""):
        raise LesionmapError(
            f"a grey image was expected, a colour picture ({photometric}) came, perhaps a screenshot; leave it out"
        )
    if header.modality not in _READ:
        said = header.modality if header.modality.isalpha() else "unknown"
        raise LesionmapError(f"MR, NM, CT or PT was expected, an image of modality {said} came; leave it out")
    _check_pixels(header)
    if _is_mosaic(header):
        raise LesionmapError(
            "one slice a file was expected, a mosaic (many slices in one picture) came; export it as multi-frame"
        )


def _check_pixels(header: Header) -> None:
    if header.bits not in (8, 16, 32, 64):
        raise LesionmapError(f"8, 16 or 32 bits a pixel were expected, {header.bits} came; export the image again")
    if not 0 < header.stored <= header.bits or header.high != header.stored - 1:
        raise LesionmapError(
            f"{header.stored} of {header.bits} bits, the highest of them bit {header.stored - 1}, were expected, "
            f"bit {header.high} came; export the image again"
        )
    if tg.integer(header.tags, 0x00280103) not in (0, 1):
        raise LesionmapError(
            "pixels that say whether they have a sign were expected, Pixel Representation is missing or neither 0 "
            "nor 1; export the image again"
        )
    if header.syntax not in READABLE:
        raise LesionmapError(
            f"pixels as DICOM images have them were expected, the transfer syntax {header.syntax or 'none'} came; "
            "export the images uncompressed"
        )
    if tg.items(header.tags, 0x00283000):
        raise LesionmapError(
            "a slope and an intercept of the grey values were expected, a table (Modality LUT) came; "
            "export the image with its table applied"
        )


def _is_mosaic(header: Header) -> bool:
    image_type = tg.texts(header.tags, 0x00080008)
    if "MOSAIC" in image_type or "VFRAME" in image_type:
        return True
    maker = tg.text(header.tags, 0x00080070).upper()
    siemens = (tg.number(header.tags, 0x0019100A, "H") or 0) if "SIEMENS" in maker else 0
    uih = (tg.number(header.tags, 0x00651050) or 0) if maker.startswith("UIH") else 0
    return max(siemens, uih) > 1 and header.frames == 1


def classic_frame(header: Header) -> Frame:
    """Make the frame of a classic file.

    Raises
    ------
    LesionmapError
        If the header does not place the slice.
    """
    tags = header.tags
    if header.frames > 1:
        raise LesionmapError(f"one slice was expected, {header.frames} frames without positions came; leave it out")
    position, orientation, spacing = placed(
        tg.numbers(tags, 0x00200032), tg.numbers(tags, 0x00200037), tg.numbers(tags, 0x00280030), header.modality
    )
    return Frame(
        header=header,
        index=None,
        position=position,
        orientation=orientation,
        spacing=spacing,
        thickness_mm=thickness(tags),
        kind=_kind(tags),
        echo_ms=tg.number(tags, 0x00180081),
        inversion_ms=tg.number(tags, 0x00180082) or None,
        b_value=_b_value(tags),
        rescale=rescale(tags),
    )


def placed(
    position: tuple[float, ...], orientation: tuple[float, ...], spacing: tuple[float, ...], modality: str
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Check position, orientation and pixel spacing of a slice.

    Raises
    ------
    LesionmapError
        If one is missing or makes no sense.
    """
    if len(position) != 3 or len(orientation) != 6:
        raise LesionmapError(
            f"{modality} slices need a position in the patient (Image Position and Orientation), the file has none; "
            "export the original images"
        )
    if len(spacing) != 2 or not all(0 < x < 1000 for x in spacing):
        raise LesionmapError("two positive pixel spacings in mm were expected, the file has none; export it again")
    rows, columns = orientation[:3], orientation[3:]
    dot = sum(a * b for a, b in zip(rows, columns, strict=True))
    lengths = (sum(a * a for a in rows), sum(a * a for a in columns))
    if not (abs(dot) < 1e-3 and all(abs(n - 1) < 1e-3 for n in lengths) and all(abs(x) < 1e5 for x in position)):
        raise LesionmapError("rows and columns at right angles were expected, the orientation is not; export it again")
    return position, orientation, spacing


def thickness(tags: Tags) -> float | None:
    """Spacing between slices, else slice thickness, mm; None where neither is written."""
    for tag in (0x00180088, 0x00180050):
        value = tg.number(tags, tag)
        if value and abs(value) < 1000:
            return abs(value)
    return None


def rescale(tags: Tags) -> tuple[float, float]:
    """Slope and intercept of the stored values; 1 and 0 where none are written.

    Raises
    ------
    LesionmapError
        If they would make nothing, or no numbers, of the values.
    """
    slope, intercept = tg.number(tags, 0x00281053), tg.number(tags, 0x00281052)
    slope, intercept = 1.0 if slope is None else slope, intercept or 0.0
    if not (0 < abs(slope) < _MOST_SCALE and abs(intercept) < _MOST_SCALE):
        raise LesionmapError(
            f"a slope and an intercept of the grey values were expected, {slope:g} and {intercept:g} came; "
            "export the image again"
        )
    return slope, intercept


def _kind(tags: Tags) -> tuple[str, ...]:
    if tg.text(tags, 0x00080060) != "MR":
        return tuple(word for word in kind_words(tg.texts(tags, 0x00080008)) if word in ("localizer", "projection"))
    words = kind_words(tg.texts(tags, 0x00080008), tg.text(tags, 0x00089208))
    if not words and tg.text(tags, 0x00080070).upper().startswith("GE"):
        part = tg.number(tags, 0x0043102F, "h")
        if part is not None and 0 <= part < 4:
            return kind_words(("", "", _GE_PARTS[int(part)]))
    return words


def _b_value(tags: Tags) -> float | None:
    """b-value in s/mm², from the standard's element or the makers' own ones."""
    standard = tg.number(tags, 0x00189087, "d")
    if standard is not None:
        return round(standard, 1)
    maker = tg.text(tags, 0x00080070).upper()
    value: float | None = None
    if "SIEMENS" in maker:
        value = tg.number(tags, 0x0019100C)
    elif maker.startswith("GE"):
        value = tg.number(tags, 0x00431039)
        value = None if value is None else value % 100000
    elif "PHILIPS" in maker:
        value = tg.number(tags, 0x20011003, "f")
    elif maker.startswith("UIH"):
        value = tg.number(tags, 0x00651009, "d")
    return None if value is None or not 0 <= value < 1e5 else round(value, 1)


def contrast_of(frame: Frame) -> Contrast:
    """Gather what tells the contrast."""
    tags = frame.header.tags
    return Contrast(
        kind=frame.kind,
        description=" ".join(tg.text(tags, tag) for tag in (0x0008103E, 0x00181030, 0x00180024, 0x00189005)),
        contrast=tg.text(tags, 0x00089209),
        scanning=tg.texts(tags, 0x00180020),
        repetition_ms=tg.number(tags, 0x00180080),
        echo_ms=frame.echo_ms,
        inversion_ms=frame.inversion_ms,
        b_value=frame.b_value,
    )


def marks_of(frame: Frame) -> dict[str, object]:
    """Give what may tell repeated slices apart, the surest first; looked at only where positions repeat."""
    if frame.index is not None:
        from lesionmap.read.enhanced import enhanced_marks

        return enhanced_marks(frame)
    tags = frame.header.tags
    maker = tg.text(tags, 0x00080070).upper()
    direction: tuple[float, ...] = tg.numbers(tags, 0x00189089, "d")
    if "SIEMENS" in maker and not direction:
        direction = tg.numbers(tags, 0x0019100E, "d")
    elif maker.startswith("GE") and not direction:
        direction = tuple(tg.number(tags, tag) or 0.0 for tag in (0x001910BB, 0x001910BC, 0x001910BD))
    return {
        "time point": tg.text(tags, 0x00200100),
        "image type": tg.text(tags, 0x00080008),
        "stack": tg.text(tags, 0x00209056),
        "flip angle": tg.text(tags, 0x00181314),
        "acquisition": tg.text(tags, 0x00200012),
        "gradient direction": tuple(round(x, 4) for x in direction),
        "trigger time": tg.text(tags, 0x00181060),
        "acquisition time": tg.text(tags, 0x00080032),
        "series time": tg.text(tags, 0x00080031),
        "content time": tg.text(tags, 0x00080033),
        "echo number": tg.text(tags, 0x00180086),
        "coil": tg.text(tags, 0x00181250),
    }
