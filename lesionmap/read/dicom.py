"""DICOM volumes: headers sorted into series, series into stacks, each placed and named or refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.read import header as hd
from lesionmap.read import tags as tg
from lesionmap.read.enhanced import enhanced_frames, is_enhanced
from lesionmap.read.frames import Frame, check_image, classic_frame, contrast_of
from lesionmap.read.geometry import Pile, piles
from lesionmap.read.kinds import plane_of, sequence_of
from lesionmap.read.planar import is_planar, planar_stacks
from lesionmap.read.stack import Refused, Stack
from lesionmap.visits import ImageFile, Station

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lesionmap.read.header import Header
    from lesionmap.read.planar import Told
    from lesionmap.space import Grid

__all__ = ["dicom_stacks"]

_SAME_COSINE = 1e-3
_SAME_ECHO_MS = 0.05


def dicom_stacks(headers: Iterable[Header], told: Told | None = None) -> tuple[list[Stack], list[Refused]]:
    """Make volumes of the headers of image files.

    Parameters
    ----------
    headers : iterable of Header
        Of any patients, studies and series, in any order.
    told : Told, optional
        What the user says of planar views whose header does not tell.

    Returns
    -------
    stacks, refused
        Each volume as read, and what was not taken.
    """
    stacks: list[Stack] = []
    refused: list[Refused] = []
    series: dict[tuple[str, str], list[Frame]] = {}
    for header in headers:
        try:
            if is_planar(header):
                stacks += planar_stacks(header, told)
            else:
                series.setdefault((header.study_uid, header.series_uid), []).extend(_frames(header))
        except LesionmapError as error:
            refused.append(Refused(header.path, str(error)))
        except hd.broken() as error:
            why = f"a DICOM image was expected, its header makes no sense ({type(error).__name__}); send it again"
            refused.append(Refused(header.path, why))
    for frames in series.values():
        try:
            _sort_out(frames, stacks, refused)
        except LesionmapError as error:
            refused.append(Refused(frames[0].header.path, str(error)))
    return stacks, refused


def _sort_out(frames: Sequence[Frame], stacks: list[Stack], refused: list[Refused]) -> None:
    """Put the volumes of one series, or the reasons why they are none, where they belong."""
    diffusion = any(frame.b_value for frame in frames)
    for pile in _series_piles(frames):
        if pile.grid is None:
            refused.append(Refused(pile.frames[0].header.path, pile.fault))
        else:
            stacks.append(_stack(pile, pile.grid, diffusion=diffusion))


def _frames(header: Header) -> list[Frame]:
    check_image(header)
    return list(enhanced_frames(header)) if is_enhanced(header) else [classic_frame(header)]


def _series_piles(frames: Sequence[Frame]) -> list[Pile]:
    """Part the frames of one series by what always makes another volume, then by place."""
    direction = _numbered((frame.orientation for frame in frames), _SAME_COSINE)
    echo = _numbered(((frame.echo_ms or 0.0,) for frame in frames), _SAME_ECHO_MS)
    groups: dict[tuple[object, ...], list[Frame]] = {}
    for frame in frames:
        key = (direction[frame.orientation], echo[(frame.echo_ms or 0.0,)], *frame.what)
        groups.setdefault(key, []).append(frame)
    return [pile for group in groups.values() for pile in piles(group)]


def _numbered(values: Iterable[tuple[float, ...]], tolerance: float) -> dict[tuple[float, ...], int]:
    """Give like values the same number: rounding differs from slice to slice."""
    number: dict[tuple[float, ...], int] = {}
    seen: list[tuple[float, ...]] = []
    for value in values:
        if value in number:
            continue
        near = (n for n, old in enumerate(seen) if all(abs(a - b) < tolerance for a, b in zip(old, value, strict=True)))
        number[value] = next(near, len(seen))
        if number[value] == len(seen):
            seen.append(value)
    return number


def _stack(pile: Pile, grid: Grid, *, diffusion: bool) -> Stack:
    first = pile.frames[0]
    header = first.header
    tags = header.tags
    kind = first.kind
    if first.b_value is not None and diffusion and "adc" not in kind:
        kind = (*kind, f"b={first.b_value:g}")
    notes = [pile.note, "MONOCHROME1: low values are bright" if tg.text(tags, 0x00280004) == "MONOCHROME1" else ""]
    return Stack(
        station=Station(grid, image_files(pile.frames), header.series_uid, tg.text(tags, 0x00200052)),
        modality=header.modality,
        sequence=sequence_of(contrast_of(first)) if header.modality == "MR" else "",
        plane=plane_of(np.cross(first.orientation[:3], first.orientation[3:])),
        kind=kind,
        note="; ".join(note for note in notes if note),
        echo_ms=first.echo_ms,
        inversion_ms=first.inversion_ms,
        study_uid=header.study_uid,
        series_number=tg.integer(tags, 0x00200011) or 0,
        title=re.sub(r"[\d\W_]+", " ", tg.text(tags, 0x0008103E)).strip().lower(),
        person=hd.person(tags),
        day=hd.visit_day(tags),
    )


def image_files(frames: Sequence[Frame]) -> tuple[ImageFile, ...]:
    """List the files of slices in slice order; neighbours in one enhanced file stand together.

    The byte at which pixels begin is kept where the slice is stored and rescaled as the first one is, so that they
    can later be read without a second look at the header.
    """
    files: list[ImageFile] = []
    first = frames[0]
    for frame in frames:
        header = frame.header
        if frame.index is None:
            alike = frame.rescale == first.rescale and header.layout == first.header.layout
            offset = (header.raw_offset or header.fragments) if alike else 0
            files.append(ImageFile(header.path, header.uid, "", (), offset))
        elif files and files[-1].path == header.path:
            files[-1] = ImageFile(header.path, header.uid, "", (*files[-1].frames, frame.index))
        else:
            files.append(ImageFile(header.path, header.uid, "", (frame.index,)))
    return tuple(files)
