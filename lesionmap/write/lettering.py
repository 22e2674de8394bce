"""Text in figures: measured before it is set, so that it wraps and never runs over its neighbour."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

__all__ = ["FONT", "Sheet", "figure_settings", "put", "width_in", "wrap"]

FONT = "DejaVu Sans"
"""Comes with matplotlib: the same letters on every machine."""

Weight = Literal["normal", "bold"]


def figure_settings() -> Any:
    """Give a context in which matplotlib draws the same figure everywhere, whatever the user's settings are."""
    import matplotlib as mpl

    return mpl.rc_context(
        {
            "font.family": FONT,
            "text.usetex": False,
            "svg.fonttype": "path",
            "svg.hashsalt": "lesionmap",
            "pdf.fonttype": 42,
            "pdf.compression": 6,
            "hatch.linewidth": 0.55,
            "path.sketch": None,
            "savefig.bbox": None,
            "savefig.dpi": "figure",
            "savefig.facecolor": "auto",
            "savefig.transparent": False,
        }
    )


def width_in(text: str, size: float, weight: Weight = "normal") -> float:
    """Give the width of a line of text in inches; ``size`` in points."""
    return _width_pt(text, weight) * size / 20.0 / 72.0


@lru_cache(maxsize=4096)
def _width_pt(text: str, weight: Weight) -> float:
    """Measure at 20 points, without hinting: widths then scale with the size."""
    from matplotlib.font_manager import FontProperties, findfont, get_font
    from matplotlib.ft2font import LoadFlags

    font = get_font(findfont(FontProperties(family=FONT, weight=weight)))
    font.set_size(20.0, 72.0)
    font.set_text(text, 0.0, flags=LoadFlags.NO_HINTING)
    return float(font.get_width_height()[0]) / 64.0


def wrap(text: str, room_in: float, size: float, weight: Weight = "normal", *, break_words: bool = False) -> list[str]:
    """Break text into lines that fit into a width in inches.

    A word that is too long alone is cut with an ellipsis, or with ``break_words`` goes on in the next line.
    """
    lines: list[str] = []
    words = text.split()
    for word in [part for one in words for part in _parts(one, room_in, size, weight)] if break_words else words:
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and width_in(joined, size, weight) <= room_in:
            lines[-1] = joined
        else:
            lines.append(_cut(word, room_in, size, weight))
    return lines or [""]


def _cut(word: str, room_in: float, size: float, weight: Weight) -> str:
    if width_in(word, size, weight) <= room_in:
        return word
    return next((short for short in _shorter(word) if width_in(short, size, weight) <= room_in), "…")


def _parts(word: str, room_in: float, size: float, weight: Weight) -> Iterator[str]:
    """Break a word that is too long alone, with hyphens."""
    while width_in(word, size, weight) > room_in:
        fits = [n for n in range(1, len(word)) if width_in(f"{word[:n]}-", size, weight) <= room_in]
        if not fits:
            break
        yield f"{word[: fits[-1]]}-"
        word = word[fits[-1] :]
    yield word


def _shorter(word: str) -> Iterator[str]:
    return (f"{word[:n]}…" for n in range(min(len(word), 400) - 1, 0, -1))


def put(figure: Any, at_in: tuple[float, float], text: str, size: float, **style: Any) -> Any:
    """Set a line of text at inches from the lower left corner of a figure; ``$`` and the like stay as they are."""
    width, height = figure.get_size_inches()
    return figure.text(at_in[0] / width, at_in[1] / height, text, fontsize=size, parse_math=False, **style)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A part of a figure with inches of its own, counted from its upper left corner to the right and down."""

    figure: Figure
    left: float
    """Of the corner, inches of the figure from its left."""
    top: float
    """Of the corner, inches of the figure from below."""
    scale: float = 1.0
    """Inches of the figure for one inch of the sheet; letters and lines shrink with it."""

    def text(self, at: tuple[float, float], text: str, size: float, **style: Any) -> None:
        """Set a line of text; ``size`` in points of the sheet."""
        x, y = self.left + at[0] * self.scale, self.top - at[1] * self.scale
        put(self.figure, (x, y), text, size * self.scale, **style)

    def axes(self, corner: tuple[float, float], size: tuple[float, float], label: str) -> Any:
        """Make axes without a frame, from their upper left corner, width and height."""
        width, height = self.figure.get_size_inches()
        x, y = self.left + corner[0] * self.scale, self.top - (corner[1] + size[1]) * self.scale
        box = (x / width, y / height, size[0] * self.scale / width, size[1] * self.scale / height)
        axes = self.figure.add_axes(box, label=label)
        axes.set_axis_off()
        return axes
