"""One visit's skeleton, front and back, drawn into matplotlib axes: bones, what was not imaged, dots."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lesionmap.skeleton import outline
from lesionmap.write.mapmodel import REFERENCE_MM
from lesionmap.write.style import (
    BONE,
    BONE_EDGE,
    BONE_FAR,
    BONE_INNER,
    FAINT,
    HOLLOW,
    NOT_IMAGED,
    NOT_IMAGED_HATCH,
    PAPER,
    PHYSIS,
    state_style,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionmap.skeleton import SiteShape
    from lesionmap.write.mapmodel import MapDot, MapPanel

__all__ = ["ALL_HATCH", "PART_HATCH", "draw_dot", "draw_skeleton", "skeleton_size_mm"]

View = Literal["front", "back"]
_VIEWS: tuple[View, View] = ("front", "back")
_BETWEEN_MM = 60.0
_EDGE_MM = 12.0
_DEFAULT_AGE_Y = 10.0
_TOLERANCE_MM = 0.35
ALL_HATCH, PART_HATCH = "/////", "//"
"""Of sites not imaged, and imaged in part."""
_SKULL = "skull.whole.midline"
_NOSE = ((0.5, 0.36), (0.57, 0.245), (0.535, 0.22), (0.5, 0.24), (0.465, 0.22), (0.43, 0.245), (0.5, 0.36))
"""In shares of the skull's width and height."""
_BEYOND_PHYSIS = ("epiphysis", "apophysis", "trochanter")
_DOTS = 1e6
_FRAME = 1.3  # of a dot's radius: half the frame that tells the kind of image
"""Above every bone."""


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """An outline, ready to be drawn: closed rings of each site with few points, and where they end."""

    sites: tuple[str, ...]
    """From far to near, the segments of one bone together."""
    bones: tuple[int, ...]
    """Number of the bone of each; equal numbers stand together."""
    rings: tuple[tuple[NDArray[np.float64], ...], ...]
    left: float
    right: float
    bottom: float
    top: float


def _drawn(panel: MapPanel, view: View) -> _Drawn:
    age_y = _DEFAULT_AGE_Y if panel.age_y is None else panel.age_y
    return _prepared(view, float(round(age_y)), panel.sex)


@lru_cache(maxsize=32)
def _prepared(view: View, age_y: float, sex: Literal["F", "M"] | None) -> _Drawn:
    from shapely import LineString

    together = _bones(outline(view, age_y=age_y, sex=sex).shapes)
    shapes = [shape for bone in together for shape in bone]
    bones = tuple(number for number, bone in enumerate(together) for _ in bone)
    rings = tuple(
        tuple(
            np.array(LineString(np.vstack([ring, ring[:1]])).simplify(_TOLERANCE_MM, preserve_topology=False).coords)
            for ring in shape.polygons
        )
        for shape in shapes
    )
    points = np.concatenate([ring for several in rings for ring in several])
    (left, bottom), (right, top) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return _Drawn(tuple(shape.site for shape in shapes), bones, rings, left, right, bottom, top)


def _bones(shapes: Sequence[SiteShape]) -> list[list[SiteShape]]:
    """Put the segments of each bone together, bones from far to near by their mean depth.

    A site in several pieces (the front and the back of a rib) has them at several depths: each is a bone by itself.
    """
    pieces = Counter(shape.site for shape in shapes)
    found: dict[tuple[str, str, int], list[SiteShape]] = {}
    for number, shape in enumerate(shapes):
        bone, _, side = shape.site.split(".")
        found.setdefault((bone, side, number if pieces[shape.site] > 1 else -1), []).append(shape)
    for bone_shapes in found.values():  # epiphyses last, so that their dashes are not covered
        bone_shapes.sort(key=lambda shape: (_beyond_physis(shape.site), shape.depth_mm))
    return sorted(found.values(), key=lambda bone: sum(shape.depth_mm for shape in bone) / len(bone))


def _beyond_physis(site: str) -> bool:
    return site.split(".")[1].endswith(_BEYOND_PHYSIS)


def skeleton_size_mm(panel: MapPanel) -> tuple[float, float]:
    """Give width and height of both views side by side, picture mm."""
    sides = [_drawn(panel, view) for view in _VIEWS]
    width = sum(side.right - side.left for side in sides) + _BETWEEN_MM + 2 * _EDGE_MM
    return width, max(side.top for side in sides) - min(side.bottom for side in sides) + 2 * _EDGE_MM


@dataclass(frozen=True, slots=True)
class _Brush:
    """Where one view is drawn, and how thick."""

    axes: Any
    panel: MapPanel
    drawn: _Drawn
    shift_mm: float
    """To the right."""
    pen: float
    """Scale of lines and letters."""


def draw_skeleton(axes: Any, panel: MapPanel, index: int, *, pen: float = 1.0) -> None:
    """Draw both views of a visit.

    Parameters
    ----------
    axes : matplotlib axes
        Without a frame; its limits are set here.
    panel : MapPanel
        What is drawn.
    index : int
        Number of the panel in its figure: the dots' ids begin with it.
    pen : float
        Scale of lines and letters.
    """
    width, height = skeleton_size_mm(panel)
    bottom = min(_drawn(panel, view).bottom for view in _VIEWS) - _EDGE_MM
    axes.set_aspect("equal")
    axes.set_xlim(-_EDGE_MM, width - _EDGE_MM)
    axes.set_ylim(bottom, bottom + height)
    at = 0.0
    for view in _VIEWS:
        drawn = _drawn(panel, view)
        brush = _Brush(axes, panel, drawn, at - drawn.left, pen)
        _draw_bones(brush)
        if view == "front":
            _draw_face(brush)
        _draw_letters(brush, view)
        _draw_dots(brush, view, index)
        at += drawn.right - drawn.left + _BETWEEN_MM


def _draw_letters(brush: _Brush, view: View) -> None:
    """Write the view under the feet, and the patient's right and left beside the head."""
    drawn, pen = brush.drawn, brush.pen
    middle = brush.shift_mm + (drawn.left + drawn.right) / 2
    style = {"color": FAINT, "parse_math": False, "ha": "center"}
    below = {"textcoords": "offset points", "xytext": (0, -9 * pen), "va": "top", "fontsize": 9 * pen}
    words = brush.panel.texts.name("view", view)
    brush.axes.annotate(words.upper(), (middle, drawn.bottom), **below, **style)
    letters = ("R", "L") if view == "front" else ("L", "R")
    for letter, side in zip(letters, (-1, 1), strict=True):
        x = middle + side * (drawn.right - drawn.left) * 0.36
        y = drawn.top - 0.035 * (drawn.top - drawn.bottom)
        brush.axes.text(x, y, letter, va="center", fontsize=12 * pen, **style)


def _draw_bones(brush: _Brush) -> None:
    """Draw the segments of each bone with one strong line around the bone and hairlines between them.

    All segments are first stroked broadly; their fills then cover the inner half of the strokes.
    """
    sites = brush.drawn.sites
    paths = [_path(rings, brush.shift_mm) for rings in brush.drawn.rings]
    for order, (_, run) in enumerate(groupby(range(len(sites)), key=lambda at: brush.drawn.bones[at])):
        members = list(run)
        for at in members:
            edge = NOT_IMAGED_HATCH if sites[at] in brush.panel.not_imaged else BONE_EDGE
            _patch(brush, paths[at], "none", edge, linewidth=1.1 * brush.pen, zorder=order)
        for at in members:
            _fill(brush, paths[at], sites[at], (order + 0.5, at / max(len(sites) - 1, 1)))


def _draw_face(brush: _Brush) -> None:
    """Draw orbits and nose into the skull: what faces the viewer is then seen at once."""
    from matplotlib.path import Path as Curve

    if _SKULL not in brush.drawn.sites:
        return
    at = brush.drawn.sites.index(_SKULL)
    skull = np.concatenate(brush.drawn.rings[at])
    (left, bottom), (right, top) = skull.min(axis=0), skull.max(axis=0)
    corner, size = np.array([left + brush.shift_mm, bottom]), np.array([right - left, top - bottom])
    angle = np.linspace(0, 2 * np.pi, 37)
    orbit = np.column_stack([0.135 * np.cos(angle), 0.085 * np.sin(angle)])
    gone = _SKULL in brush.panel.not_imaged
    face, edge = (PAPER, NOT_IMAGED_HATCH) if gone else (HOLLOW, BONE_EDGE)
    for ring in (orbit + np.array([0.29, 0.425]), orbit + np.array([0.71, 0.425]), np.array(_NOSE)):
        path = Curve(corner + size * ring, closed=True)
        _patch(brush, path, face, edge, linewidth=0.7 * brush.pen, zorder=brush.drawn.bones[at] + 0.9)


def _path(rings: tuple[NDArray[np.float64], ...], shift_mm: float) -> Any:
    from matplotlib.path import Path as Curve

    return Curve.make_compound_path(*[Curve(ring + np.array([shift_mm, 0.0]), closed=True) for ring in rings])


def _patch(brush: _Brush, path: Any, face: str, edge: str, **style: Any) -> None:
    from matplotlib.patches import PathPatch

    brush.axes.add_artist(PathPatch(path, facecolor=face, edgecolor=edge, joinstyle="round", clip_on=False, **style))


def _fill(brush: _Brush, path: Any, site: str, order_depth: tuple[float, float]) -> None:
    order, depth = order_depth
    gone = site in brush.panel.not_imaged
    tint = dict(brush.panel.tints).get(site) or blend(BONE_FAR, BONE, depth)
    face, edge = (NOT_IMAGED, NOT_IMAGED_HATCH) if gone else (tint, BONE_INNER)
    _patch(brush, path, face, edge, linewidth=0.3 * brush.pen, zorder=order)
    if _beyond_physis(site):
        dashes = {"linewidth": 0.6 * brush.pen, "linestyle": (0, (2.2, 1.6)), "zorder": order + 0.2}
        _patch(brush, path, "none", NOT_IMAGED_HATCH if gone else PHYSIS, **dashes)
    if gone or site in brush.panel.partly:
        hatch = ALL_HATCH if gone else PART_HATCH
        _patch(brush, path, "none", NOT_IMAGED_HATCH, linewidth=0, hatch=hatch, zorder=order)


def blend(low: str, high: str, share: float) -> str:
    """Mix two #rrggbb colours; ``share`` 0 gives the first, 1 the second."""
    pairs = [(int(low[i : i + 2], 16), int(high[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def _draw_dots(brush: _Brush, view: View, index: int) -> None:
    """Draw the dots, large ones first, so that none is hidden."""
    scale = (brush.drawn.top - brush.drawn.bottom) / REFERENCE_MM
    for dot in sorted(brush.panel.dots, key=lambda d: -d.radius_mm):
        x, y = dot.front_mm if view == "front" else dot.back_mm
        name = f"dot-{index}-{dot.lesion or dot.track}-{view}"
        draw_dot(brush.axes, dot, (x + brush.shift_mm, y), dot.radius_mm * scale, name=name, pen=brush.pen)


def draw_dot(
    axes: Any, dot: MapDot, at: tuple[float, float], radius: float, *, name: str | None = None, pen: float = 1.0
) -> None:
    """Draw one dot.

    Parameters
    ----------
    axes : matplotlib axes
        Drawn into.
    dot : MapDot
        State, and whether it is counted, measured, and known by its site only.
    at : (float, float)
        Place in units of the axes.
    radius : float
        In units of the axes.
    name : str, optional
        Id of the mark in an SVG file.
    pen : float
        Scale of lines.
    """
    from matplotlib.patches import Circle, Polygon, Rectangle

    style = state_style(dot.state)
    face, edge, line = style.colour, PAPER, 0.9
    if style.hollow:
        face, edge, line = PAPER, style.colour, 1.5
    elif not dot.counted:
        face, edge, line = blend(style.colour, PAPER, 0.72), style.colour, 1.1
    if dot.approximate:
        dashes: dict[str, Any] = {"linewidth": 0.9 * pen, "linestyle": (0, (3, 2)), "zorder": _DOTS, "clip_on": False}
        axes.add_patch(Circle(at, radius * 1.55, fill=False, edgecolor=style.colour, **dashes))
    if dot.marked_on in ("scan", "both"):
        dashed: Any = (0, (1, 1.5)) if dot.marked_on == "scan" else "solid"
        frame: dict[str, Any] = {"fill": False, "edgecolor": style.colour, "linestyle": dashed, "linewidth": pen}
        low = at[0] - _FRAME * radius, at[1] - _FRAME * radius
        axes.add_patch(Rectangle(low, 2 * _FRAME * radius, 2 * _FRAME * radius, zorder=_DOTS, clip_on=False, **frame))
    corners = np.array(style.shape) * radius + np.array(at)
    paint: dict[str, Any] = {"facecolor": face, "edgecolor": edge, "linewidth": line * pen}
    above: dict[str, Any] = {"zorder": _DOTS + 1, "clip_on": False}
    axes.add_patch(Polygon(corners, closed=True, gid=name, **paint, **above))
    if dot.volume_ml is None and not style.hollow:
        axes.add_patch(Circle(at, radius * 0.3, facecolor=PAPER, edgecolor="none", **above))
