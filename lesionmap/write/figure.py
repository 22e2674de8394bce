"""The body map as a figure: one skeleton a visit, front and back, with legend, count and rule."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lesionmap.errors import LesionmapError
from lesionmap.write.files import ending, saving
from lesionmap.write.legend import LINE_IN, draw_legend, legend_items, legend_rows
from lesionmap.write.lettering import Sheet, figure_settings, wrap
from lesionmap.write.skeletons import draw_skeleton, skeleton_size_mm
from lesionmap.write.style import FAINT, INK, PAPER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from lesionmap.write.mapmodel import MapPanel

__all__ = ["body_map", "draw_map", "map_svg", "rendered", "slim_svg"]

_MARGIN = 0.35
_GAP = 0.35
_TITLE, _COUNT, _SMALL = 13.0, 11.0, 9.5
_TITLE_IN, _HEAD_IN, _COUNT_IN, _CAPTION_IN, _RULE_IN = 0.3, 0.34, 0.21, 0.36, 0.18
_MOST_COLUMNS = 4
_HEIGHTS = (5.6, 4.6, 3.8, 3.2, 2.6)
"""Of skeletons, inches; the smaller ones where a map shares a page."""
_GOOD_SCALE, _LEAST_SCALE = 0.75, 0.35
_LEAST_PANEL_IN = 2.6


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where the parts of a map lie, inches."""

    columns: int
    panel_width: float
    skeleton_height: float
    head: float
    """Height over each skeleton, for title and count."""
    width: float
    panels_height: float
    height: float
    """With legend and rule."""

    @property
    def row_height(self) -> float:
        return self.head + self.skeleton_height + _CAPTION_IN


def body_map(
    panels: Sequence[MapPanel], path: str | Path | None = None, *, title: str = "", overwrite: bool = False
) -> Figure:
    """Draw the lesion maps of one or more visits, and write them if a path is given.

    Parameters
    ----------
    panels : sequence of MapPanel
        One a visit, in order; from ``map_model``.
    path : str or Path, optional
        ``.svg``, ``.png`` (200 dpi) or ``.pdf``. The same panels give the same SVG, byte for byte.
    title : str
        A line over the map: pseudonym and reader.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    matplotlib.figure.Figure
        With an Agg canvas; never shown by itself.

    Raises
    ------
    LesionmapError
        If there is no panel, the ending is unknown, or the file cannot be written.
    """
    suffix = ending(path, (".svg", ".png", ".pdf")) if path is not None else ""
    with figure_settings():
        figure = _make(panels, title)
        if path is not None:
            with saving(path, overwrite=overwrite) as temporary:
                temporary.write_bytes(rendered(figure, suffix))
    return figure


def map_svg(panels: Sequence[MapPanel]) -> str:
    """Give the maps as SVG text without XML head, to stand inside an HTML page."""
    with figure_settings():
        text = rendered(_make(panels, ""), ".svg").decode("utf-8")
    return text[text.index("<svg") :]


def rendered(figure: Figure, suffix: str) -> bytes:
    """Give a figure as the bytes of a file of that ending: the same figure, the same bytes."""
    buffer = io.BytesIO()
    dates: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None, "ModDate": None}}
    figure.savefig(buffer, format=suffix[1:], dpi=200, metadata=dates.get(suffix))
    return slim_svg(buffer.getvalue()) if suffix == ".svg" else buffer.getvalue()


def slim_svg(svg: bytes) -> bytes:
    """Write the paths with steps of a hundredth of a point: about a third of the bytes."""
    return re.sub(rb' d="([^"]*)"', lambda found: b' d="' + _slim_path(found[1].decode()).encode() + b'"', svg)


def _slim_path(path: str) -> str:
    """Turn absolute straight lines into relative ones; what has curves (letters) stays as it is."""
    words = path.split()
    if not {word for word in words if word.isalpha()} <= {"M", "L", "z"}:
        return path
    short, at, place = [], 0, (0, 0)
    while at < len(words):
        if words[at] == "z":
            short.append("z")
            at += 1
            continue
        x, y = (round(float(word) * 100) for word in words[at + 1 : at + 3])
        dx, dy = (x, y) if words[at] == "M" else (x - place[0], y - place[1])
        short.append(f"{words[at] if words[at] == 'M' else 'l'}{dx / 100:g} {dy / 100:g}")
        place, at = (x, y), at + 3
    return "".join(short)


def _make(panels: Sequence[MapPanel], title: str) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    plan = min(_plans(panels), key=lambda one: abs(one.width / one.height - 16 / 9))
    lines = wrap(title, plan.width, _TITLE + 2, "bold") if title else []
    over = _TITLE_IN * len(lines) + (0.1 if lines else 0.0)
    height = plan.height + over + 2 * _MARGIN
    figure = Figure(figsize=(plan.width + 2 * _MARGIN, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    sheet = Sheet(figure, _MARGIN, height - _MARGIN)
    for at, line in enumerate(lines):
        sheet.text((0.0, _TITLE_IN * at), line, _TITLE + 2, weight="bold", color=INK, va="top")
    _draw(Sheet(figure, _MARGIN, height - _MARGIN - over), panels, plan)
    return figure


def draw_map(
    figure: Figure, panels: Sequence[MapPanel], corner: tuple[float, float], room: tuple[float, float]
) -> float:
    """Draw the map into a box of a figure, as large as it goes.

    Parameters
    ----------
    figure : Figure
        Drawn into.
    panels : sequence of MapPanel
        One a visit.
    corner : (float, float)
        Upper left corner of the box, inches from the left and from below.
    room : (float, float)
        Width and height of the box, inches.

    Returns
    -------
    float
        Height at which the map ends, inches from below.

    Raises
    ------
    LesionmapError
        If the map would be too small to be read.
    """
    plans = [plan for tall in _HEIGHTS for plan in _plans(panels, tall)]
    scaled = [(min(room[0] / plan.width, room[1] / plan.height, 1.0), plan) for plan in plans]
    best = max(scale for scale, _ in scaled)
    readable = [pair for pair in scaled if pair[0] >= min(best, _GOOD_SCALE)]
    scale, plan = max(readable, key=lambda pair: pair[0] * pair[1].skeleton_height)
    if scale < _LEAST_SCALE:
        raise LesionmapError(f"{len(panels)} visits do not fit on one page; choose fewer, or write the map as .svg")
    left = corner[0] + (room[0] - plan.width * scale) / 2
    _draw(Sheet(figure, left, corner[1], scale), panels, plan)
    return corner[1] - plan.height * scale


def _plans(panels: Sequence[MapPanel], tall: float | None = None) -> list[_Plan]:
    """Give the layouts to choose from, one for each number of columns; ``tall``: height of the skeletons, inches."""
    if not panels:
        raise LesionmapError("a map needs at least one visit, got none; add one with 'lesionmap visit' or 'import'")
    return [_plan(panels, columns, tall) for columns in range(1, min(len(panels), _MOST_COLUMNS) + 1)]


def _plan(panels: Sequence[MapPanel], columns: int, tall: float | None) -> _Plan:
    rows = -(-len(panels) // columns)
    tall = tall or (_HEIGHTS[0] if rows == 1 else _HEIGHTS[1])
    aspect = max(width / height for width, height in map(skeleton_size_mm, panels))
    panel_width = max(tall * aspect, _LEAST_PANEL_IN)
    head = _HEAD_IN + _COUNT_IN * max(len(wrap(panel.count, panel_width - 0.2, _COUNT)) for panel in panels)
    width = columns * panel_width + (columns - 1) * _GAP
    above = rows * (head + tall + _CAPTION_IN) + (rows - 1) * _GAP
    foot = len(legend_rows(legend_items(panels, tall), width)) * LINE_IN + len(_rule_lines(panels, width)) * _RULE_IN
    return _Plan(columns, panel_width, tall, head, width, above, above + 0.1 + foot)


def _rule_lines(panels: Sequence[MapPanel], width: float) -> list[str]:
    """Give the rules (one as a rule) and the words without which no figure leaves."""
    sentences = [*dict.fromkeys(panel.rule for panel in panels if panel.rule), panels[0].texts.say("use.map")]
    return wrap(" ".join(sentences), width, _SMALL)


def _draw(sheet: Sheet, panels: Sequence[MapPanel], plan: _Plan) -> None:
    """Draw panels, legend and rule."""
    for index, panel in enumerate(panels):
        row, column = divmod(index, plan.columns)
        corner = column * (plan.panel_width + _GAP), row * (plan.row_height + _GAP)
        _draw_panel(sheet, panel, plan, (corner, index))
    y = plan.panels_height + 0.1
    y += draw_legend(sheet, legend_items(panels, plan.skeleton_height), (0.0, y), plan.width)
    for line in _rule_lines(panels, plan.width):
        y += _RULE_IN
        sheet.text((0.0, y), line, _SMALL, color=FAINT, va="bottom")


def _draw_panel(sheet: Sheet, panel: MapPanel, plan: _Plan, place: tuple[tuple[float, float], int]) -> None:
    (left, top), index = place
    middle = left + plan.panel_width / 2
    sheet.text((middle, top), panel.title, _TITLE, weight="bold", color=INK, ha="center", va="top")
    for line, text in enumerate(wrap(panel.count, plan.panel_width - 0.2, _COUNT)):
        sheet.text((middle, top + 0.27 + _COUNT_IN * line), text, _COUNT, color=FAINT, ha="center", va="top")
    axes = sheet.axes((left, top + plan.head), (plan.panel_width, plan.skeleton_height), f"map-{index}")
    draw_skeleton(axes, panel, index, pen=sheet.scale * (plan.skeleton_height / _HEIGHTS[0]) ** 0.5)
