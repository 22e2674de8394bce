"""The legend of the body map: what is on the map and nothing else, on as many lines as it needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from lesionmap.texts import english
from lesionmap.write.lettering import width_in
from lesionmap.write.mapmodel import REFERENCE_MM, MapDot, dot_radius_mm
from lesionmap.write.skeletons import ALL_HATCH, PART_HATCH, draw_dot
from lesionmap.write.style import BONE, BONE_EDGE, FAINT, INK, NOT_IMAGED, NOT_IMAGED_HATCH, STATE_STYLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.write.lettering import Sheet
    from lesionmap.write.mapmodel import MapPanel

__all__ = ["LINE_IN", "Item", "draw_legend", "legend_items", "legend_rows"]

LINE_IN = 0.3
_SIZE = 10.0
_MARK_IN = 0.34
_AFTER_IN = 0.26
_RADIUS_IN = 0.072
_KEY = MapDot("", "", "", "", "marked", (0.0, 0.0), (0.0, 0.0), 0.0, volume_ml=1.0)


@dataclass(frozen=True, slots=True)
class Item:
    """One entry: a mark and its words."""

    words: str
    dot: MapDot | None = None
    radius_in: float = _RADIUS_IN
    hatch: str = ""
    size_key: bool = False
    """True for a plain disc that only tells a size."""

    @property
    def width_in(self) -> float:
        """Width with the space behind it, inches."""
        return _MARK_IN + width_in(self.words, _SIZE) + _AFTER_IN


def legend_items(panels: Sequence[MapPanel], skeleton_in: float) -> tuple[Item, ...]:
    """List what the panels hold: states in their order, sizes, what is special, what was not imaged.

    The discs of the sizes are as large as on skeletons ``skeleton_in`` inches high.
    """
    texts = panels[0].texts if panels else english()
    say = texts.say
    dots = [dot for panel in panels for dot in panel.dots]
    states = {dot.state if dot.state in STATE_STYLE else "marked" for dot in dots}
    items = [Item(texts.name("state", name), replace(_KEY, state=name)) for name in STATE_STYLE if name in states]
    measured = [dot.volume_ml for dot in dots if dot.volume_ml is not None]
    crowded = any(dot.radius_mm < dot_radius_mm(dot.volume_ml) - 0.1 for dot in dots)
    items += [
        Item(
            say("legend.crowd" if crowded and volume == 10.0 else "legend.size", ml=f"{volume:g}"),
            radius_in=dot_radius_mm(volume) * skeleton_in / REFERENCE_MM,
            size_key=True,
        )
        for volume in (0.1, 1.0, 10.0)
        if measured
    ]
    marked = [dot for dot in dots if not STATE_STYLE.get(dot.state, STATE_STYLE["marked"]).hollow]
    if any(dot.volume_ml is None for dot in marked):
        items.append(Item(say("legend.not_measured"), replace(_KEY, volume_ml=None)))
    if not all(dot.counted for dot in marked):
        items.append(Item(say("legend.not_counted"), replace(_KEY, counted=False)))
    if any(dot.marked_on == "scan" for dot in dots):
        items.append(Item(say("legend.scan"), replace(_KEY, marked_on="scan")))
    if any(dot.marked_on == "both" for dot in dots):
        items.append(Item(say("legend.both"), replace(_KEY, marked_on="both")))
    if any(dot.approximate for dot in dots):
        items.append(Item(say("legend.approximate"), replace(_KEY, approximate=True), _RADIUS_IN * 0.8))
    if any(panel.not_imaged for panel in panels):
        items.append(Item(say("legend.not_imaged"), hatch=ALL_HATCH))
    if any(panel.partly for panel in panels):
        items.append(Item(say("legend.partly"), hatch=PART_HATCH))
    return tuple(items)


def legend_rows(items: Sequence[Item], width: float) -> list[list[Item]]:
    """Break the entries into lines that fit into a width in inches."""
    rows: list[list[Item]] = []
    for is_size, run in groupby(items, key=lambda item: item.size_key):
        entries = list(run)
        fits = sum(item.width_in for item in entries) - _AFTER_IN <= width
        together = [entries] if is_size and fits else [[item] for item in entries]  # the sizes stay on one line
        for few in together:
            if rows and sum(item.width_in for item in [*rows[-1], *few]) - _AFTER_IN <= width:
                rows[-1].extend(few)
            else:
                rows.append(few)
    return rows


def draw_legend(sheet: Sheet, items: Sequence[Item], corner: tuple[float, float], width: float) -> float:
    """Draw the entries from a corner of the sheet downwards; give their height, inches of the sheet."""
    rows = legend_rows(items, width)
    if not rows:
        return 0.0
    height = len(rows) * LINE_IN
    axes = sheet.axes(corner, (width, height), "legend")
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    for row, entries in enumerate(rows):
        at = 0.0
        for item in entries:
            _draw_item(axes, item, (at, height - (row + 0.5) * LINE_IN), sheet.scale)
            at += item.width_in
    return height


def _draw_item(axes: Any, item: Item, at: tuple[float, float], pen: float) -> None:
    from matplotlib.patches import Circle

    x, y = at
    if item.size_key:
        axes.add_patch(Circle((x + _MARK_IN / 2, y), item.radius_in, facecolor=FAINT, edgecolor="none"))
    elif item.dot is not None:
        draw_dot(axes, item.dot, (x + _MARK_IN / 2, y), item.radius_in, pen=pen)
    else:
        _draw_hatch(axes, item.hatch, (x + 0.03, y - 0.08), pen)
    text = {"fontsize": _SIZE * pen, "color": INK, "va": "center_baseline", "parse_math": False}
    axes.text(x + _MARK_IN, y, item.words, **text)


def _draw_hatch(axes: Any, hatch: str, corner: tuple[float, float], pen: float) -> None:
    from matplotlib.patches import Rectangle

    whole = hatch == ALL_HATCH
    face, edge = (NOT_IMAGED, NOT_IMAGED_HATCH) if whole else (BONE, BONE_EDGE)
    axes.add_patch(Rectangle(corner, 0.26, 0.16, facecolor=face, edgecolor=edge, linewidth=0.7 * pen))
    lines: dict[str, Any] = {"facecolor": "none", "edgecolor": NOT_IMAGED_HATCH, "linewidth": 0, "hatch": hatch}
    axes.add_patch(Rectangle(corner, 0.26, 0.16, **lines))
