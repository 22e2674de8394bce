"""The timeline and the key images on paper."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.write.keyimages import image_title, shown_of
from lesionmap.write.lettering import put, width_in, wrap
from lesionmap.write.style import FAINT, INK
from lesionmap.write.timeline import timeline_height_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

    from lesionmap.write.keyimages import KeyImage
    from lesionmap.write.results import Results

__all__ = ["IMAGE_ROW_IN", "draw_image_row", "image_rows", "timelines"]

IMAGE_ROW_IN = 1.78
_LANES = 20
_SIDE_IN, _GAP_IN, _SMALL = 1.08, 0.06, 7.0
_LINE = "#ffb000"


def timelines(results: Results) -> Iterator[tuple[Results, float]]:
    """Break the lanes into as many as have room on a page, each with its height in inches."""
    for begin in range(0, len(results.courses), _LANES):
        part = replace(results, courses=results.courses[begin : begin + _LANES])
        yield part, timeline_height_in(part)


def image_rows(results: Results) -> list[tuple[KeyImage, ...]]:
    """Give two pictures a row, the last visit first."""
    images = tuple(reversed(results.key_images or ()))
    return [images[at : at + 2] for at in range(0, len(images), 2)]


def draw_image_row(page: Figure, results: Results, row: tuple[KeyImage, ...], corner: tuple[float, float]) -> None:
    """Draw a row of lesions with its upper left corner there: before, now with its outline, now without."""
    x, y = corner
    for image in row:
        for at, line in enumerate(wrap(image_title(results, image), 3 * _SIDE_IN + 2 * _GAP_IN, 8.0, "bold")[:2]):
            put(page, (x, y - 0.13 - 0.14 * at), line, 8.0, weight="bold", color=INK)
        for at, (one, words, outlined) in enumerate(shown_of(results, image)):
            left = x + at * (_SIDE_IN + _GAP_IN)
            size = _SMALL * min(_SIDE_IN / width_in(words, _SMALL), 1.0) if words else _SMALL
            put(page, (left, y - 0.44), words, size, color=FAINT)
            _picture(page, one, (left, y - 0.5 - _SIDE_IN), outlined=outlined)
        x += 3 * (_SIDE_IN + _GAP_IN) + 0.13


def _picture(page: Figure, image: KeyImage, corner: tuple[float, float], *, outlined: bool) -> None:
    from PIL import Image

    wide, tall = page.get_size_inches()
    box = (corner[0] / wide, corner[1] / tall, _SIDE_IN / wide, _SIDE_IN / tall)
    axes: Any = page.add_axes(box, label=f"picture-{len(page.axes)}")
    axes.set_axis_off()
    axes.imshow(np.asarray(Image.open(io.BytesIO(image.png))), cmap="gray", vmin=0, vmax=255)
    for line in image.outline if outlined else ():
        axes.plot(*np.vstack([line, line[:1]]).T, color=_LINE, linewidth=0.8)
    axes.set_xlim(-0.5, image.size - 0.5)
    axes.set_ylim(image.size - 0.5, -0.5)
