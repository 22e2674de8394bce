"""A heat map of sites on the reference body: how often each site has a lesion, front and back, one body a group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.write.figure import rendered
from lesionmap.write.files import ending, saving
from lesionmap.write.lettering import Sheet, figure_settings, wrap
from lesionmap.write.mapmodel import MapPanel
from lesionmap.write.skeletons import ALL_HATCH, draw_skeleton, skeleton_size_mm
from lesionmap.write.style import BONE, BONE_EDGE, FAINT, INK, NOT_IMAGED, NOT_IMAGED_HATCH, PAPER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from matplotlib.figure import Figure

__all__ = ["HeatPanel", "heat_map"]

_TALL, _GAP, _MARGIN = 5.2, 0.45, 0.35
_TITLE, _WORDS, _SMALL = 13.0, 10.5, 9.5
_HEAD, _TITLE_IN, _LINE, _BAR_IN, _LEGEND_IN = 0.62, 0.38, 0.19, 0.16, 0.56
_COLUMNS = 2
_PALEST = 0.12  # of the colours: a small share still differs from bone


@dataclass(frozen=True, slots=True)
class HeatPanel:
    """One body of the map."""

    title: str
    words: str
    """How many it is drawn from."""
    shares: Mapping[str, float]
    """Site id to the share with a lesion there, of those in which the site was imaged; 0 to 1. Sites that are not among
    them were imaged in none."""


def heat_map(
    panels: Sequence[HeatPanel],
    paths: Sequence[Path],
    *,
    title: str,
    notes: Sequence[str] = (),
    overwrite: bool = False,
) -> Figure:
    """Draw how often each site has a lesion, on a child of ten years, and write it to files.

    Parameters
    ----------
    panels : sequence of HeatPanel
        All in one scale of colours, from 0 to the largest share of all.
    paths : sequence of Path
        ``.svg``, ``.png`` (200 dpi) or ``.pdf``.
    title : str
        Over the map.
    notes : sequence of str
        Under it.
    overwrite : bool
        Whether existing files may be replaced.

    Raises
    ------
    LesionmapError
        If there is no panel, or a file cannot be written.
    """
    if not panels:
        raise LesionmapError("a map of sites needs at least one group, got none")
    with figure_settings():
        figure = _make(panels, title, notes)
        for path in paths:
            with saving(path, overwrite=overwrite) as temporary:
                temporary.write_bytes(rendered(figure, ending(path, (".svg", ".png", ".pdf"))))
    return figure


def _make(panels: Sequence[HeatPanel], title: str, notes: Sequence[str]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(len(panels), _COLUMNS)
    rows = -(-len(panels) // columns)
    wide, high = skeleton_size_mm(MapPanel("", "", "", ""))
    each = _TALL * wide / high
    width = max(columns * each + (columns - 1) * _GAP, 6.0)
    lines = wrap(" ".join(notes), width, _SMALL)
    row_in = _HEAD + _TALL + 0.3
    height = _TITLE_IN + rows * row_in + _LEGEND_IN + _LINE * len(lines)
    figure = Figure(figsize=(width + 2 * _MARGIN, height + 2 * _MARGIN), facecolor=PAPER)
    FigureCanvasAgg(figure)
    sheet = Sheet(figure, _MARGIN, height + _MARGIN)
    sheet.text((0.0, 0.0), title, _TITLE + 1, weight="bold", color=INK, va="top")
    most = max((share for panel in panels for share in panel.shares.values()), default=0.0)
    left = (width - columns * each - (columns - 1) * _GAP) / 2
    for index, panel in enumerate(panels):
        row, column = divmod(index, columns)
        _draw_panel(sheet, panel, (left + column * (each + _GAP), _TITLE_IN + row * row_in, each), (index, most))
    y = _TITLE_IN + rows * row_in + 0.08
    _draw_legend(sheet, y, most)
    for at, line in enumerate(lines):
        sheet.text((0.0, y + _LEGEND_IN - 0.02 + _LINE * at), line, _SMALL, color=FAINT, va="top")
    return figure


def _draw_panel(
    sheet: Sheet, panel: HeatPanel, place: tuple[float, float, float], index_most: tuple[int, float]
) -> None:
    from lesionmap.skeleton import sites

    (left, top, width), (index, most) = place, index_most
    sheet.text((left + width / 2, top), panel.title, _TITLE, weight="bold", color=INK, ha="center", va="top")
    sheet.text((left + width / 2, top + 0.28), panel.words, _WORDS, color=FAINT, ha="center", va="top")
    axes = sheet.axes((left, top + _HEAD), (width, _TALL), f"heat-{index}")
    tints = tuple((site, _colour(share / most)) for site, share in panel.shares.items() if share > 0)
    unseen = frozenset(site.id for site in sites() if site.id not in panel.shares)
    draw_skeleton(axes, MapPanel("", "", "", "", not_imaged=unseen, tints=tints), index)


def _colours() -> Any:
    from matplotlib import colormaps

    return colormaps["YlOrRd"]


def _colour(share_of_most: float) -> str:
    from matplotlib.colors import to_hex

    return str(to_hex(_colours()(_PALEST + (1 - _PALEST) * share_of_most)))


def _draw_legend(sheet: Sheet, y: float, most: float) -> None:
    """Draw bone without a lesion, the scale of colours with its numbers, and what was never imaged."""
    from matplotlib.colors import to_rgb

    x = _box(sheet, (0.0, y), "no lesion", BONE)
    if most > 0:
        long = 2.4
        axes = sheet.axes((x, y), (long, _BAR_IN), "scale")
        axes.imshow([[to_rgb(_colour(n / 255)) for n in range(256)]], aspect="auto", extent=(0, 1, 0, 1))
        for share in (0.0, 0.5, 1.0):
            words = f"{share * most:.0%}" if most > 0.04 else f"{share * most:.1%}"
            at = "left" if share == 0 else "right" if share == 1 else "center"
            words = ">0" if share == 0 else words
            sheet.text((x + share * long, y + _BAR_IN + 0.05), words, _SMALL, color=INK, ha=at, va="top")
        sheet.text((x + long + 0.12, y + _BAR_IN / 2), "with a counted lesion", _SMALL, color=INK, va="center")
        x += long + 1.9
    _box(sheet, (x, y), "imaged in none", NOT_IMAGED, hatch=ALL_HATCH)


def _box(sheet: Sheet, at: tuple[float, float], words: str, face: str, hatch: str = "") -> float:
    """Draw a box with words, and give where the next one begins."""
    from matplotlib.patches import Rectangle

    axes = sheet.axes(at, (0.3, _BAR_IN), f"box-{words}")
    edge = NOT_IMAGED_HATCH if hatch else BONE_EDGE
    axes.add_patch(Rectangle((0, 0), 1, 1, facecolor=face, edgecolor=edge, hatch=hatch, linewidth=1.2))
    sheet.text((at[0] + 0.4, at[1] + _BAR_IN / 2), words, _SMALL, color=INK, va="center")
    return at[0] + 1.45
