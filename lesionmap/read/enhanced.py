"""Enhanced multi-frame DICOM (MR, CT, PET): the classic tags live in shared and per-frame functional groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.read import tags as tg
from lesionmap.read.frames import Frame, placed, rescale, thickness
from lesionmap.read.kinds import kind_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lesionmap.read.header import Header
    from lesionmap.read.tags import Tags

__all__ = ["enhanced_frames", "enhanced_marks", "is_enhanced"]

_SHARED, _PER_FRAME = 0x52009229, 0x52009230
_CONTENT = 0x00209111
_IN_STACK = 0x00209057
_FRAME_TYPES = (0x00189226, 0x00189329, 0x00189751)
"""MR, CT and PET frame type sequences."""


def is_enhanced(header: Header) -> bool:
    """Say whether the file carries functional groups."""
    return _PER_FRAME in header.tags


def enhanced_frames(header: Header) -> Iterator[Frame]:
    """Give the frames of an enhanced file in the order of the file.

    Raises
    ------
    LesionmapError
        If a frame is not placed, or frames and functional groups differ in number.
    """
    shared = next(iter(tg.items(header.tags, _SHARED)), None)
    groups = tg.items(header.tags, _PER_FRAME)
    if len(groups) != header.frames:
        raise LesionmapError(
            f"{header.frames} frames were expected, descriptions of {len(groups)} came; send the file again"
        )
    for index, group in enumerate(groups):
        yield _frame(header, index, group, shared)


def _macro(group: Tags, shared: Tags | None, tag: int) -> Tags | None:
    """Item of a functional group of the frame, else of all frames."""
    found = tg.items(group, tag) or (tg.items(shared, tag) if shared is not None else [])
    return found[0] if found else None


def _frame(header: Header, index: int, group: Tags, shared: Tags | None) -> Frame:
    where = _macro(group, shared, 0x00209113)
    turned = _macro(group, shared, 0x00209116)
    measures = _macro(group, shared, 0x00289110)
    values = _macro(group, shared, 0x00289145)
    echo = _macro(group, shared, 0x00189114)
    modifier = _macro(group, shared, 0x00189115)
    inversions = tg.numbers(modifier, 0x00189079, "d") if modifier is not None else ()
    position, orientation, spacing = placed(
        tg.numbers(where, 0x00200032) if where is not None else (),
        tg.numbers(turned, 0x00200037) if turned is not None else (),
        tg.numbers(measures, 0x00280030) if measures is not None else (),
        header.modality,
    )
    return Frame(
        header=header,
        index=index,
        position=position,
        orientation=orientation,
        spacing=spacing,
        thickness_mm=thickness(measures) if measures is not None else None,
        kind=_kind(header, group, shared),
        echo_ms=(tg.number(echo, 0x00189082, "d") or None) if echo is not None else None,
        inversion_ms=inversions[0] if inversions and inversions[0] > 0 else None,
        b_value=_b_value(group, shared),
        rescale=rescale(values) if values is not None else (1.0, 0.0),
        group=group,
    )


def _kind(header: Header, group: Tags, shared: Tags | None) -> tuple[str, ...]:
    for tag in _FRAME_TYPES:
        macro = _macro(group, shared, tag)
        if macro is not None:
            return kind_words(tg.texts(macro, 0x00089007), tg.text(macro, 0x00089208))
    return kind_words(tg.texts(header.tags, 0x00080008), tg.text(header.tags, 0x00089208))


def _b_value(group: Tags, shared: Tags | None) -> float | None:
    diffusion = _macro(group, shared, 0x00189117)
    value = tg.number(diffusion, 0x00189087, "d") if diffusion is not None else None
    return None if value is None else round(value, 1)


def enhanced_marks(frame: Frame) -> dict[str, object]:
    """Give what may tell repeated slices of enhanced files apart, the surest first."""
    group = frame.group
    if group is None:
        return {}
    content = (tg.items(group, _CONTENT) or [group])[0]
    diffusion = (tg.items(group, 0x00189117) or [group])[0]
    gradient = (tg.items(diffusion, 0x00189076) or [group])[0]
    trigger = (tg.items(group, 0x00189118) or [group])[0]
    return {
        "time point": tg.numbers(content, 0x00209128, "I"),
        "stack": tg.text(content, 0x00209056),
        "acquisition": tg.numbers(content, 0x00209156, "H"),
        "diffusion": tg.text(diffusion, 0x00189075),
        "gradient direction": tuple(round(x, 4) for x in tg.numbers(gradient, 0x00189089, "d")),
        "trigger time": tg.numbers(trigger, 0x00209153, "d"),
        "frame type": _type_of(group),
        "dimension": _dimensions(frame, content),
        "file": frame.header.uid,
    }


def _type_of(group: Tags) -> tuple[str, ...]:
    for tag in _FRAME_TYPES:
        for item in tg.items(group, tag):
            return tg.texts(item, 0x00089007)
    return ()


def _dimensions(frame: Frame, content: Tags) -> tuple[float, ...]:
    """Dimension indices of the frame but the one that counts slices."""
    values = tg.numbers(content, 0x00209157, "I")
    pointers = [tg.numbers(item, 0x00209165, "I") for item in tg.items(frame.header.tags, 0x00209222)]
    if len(pointers) != len(values):
        return ()
    spatial = (_IN_STACK, 0x00200032)
    return tuple(v for v, p in zip(values, pointers, strict=True) if _pointer(p) not in spatial)


def _pointer(value: tuple[float, ...]) -> int:
    """Tag of an attribute pointer: stored as two 16-bit numbers, group first, here read as one of 32 bits."""
    whole = int(value[0]) if value else 0
    return (whole & 0xFFFF) << 16 | whole >> 16
