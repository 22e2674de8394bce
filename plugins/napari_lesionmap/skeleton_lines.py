"""The placed skeleton in the image: its cut with the slice that is shown, centrelines, and the landmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.write import segment_colour
from napari_lesionmap.layers import AXIS_LABELS, UNITS, XYZ, lps_from_world, segments, world_from_lps
from napari_lesionmap.load import moved
from napari_lesionmap.resolve import landmark_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from lesionmap.skeleton import PlacedLandmark, Placement

__all__ = ["LANDMARKS", "LINES", "Cut", "Later", "SkeletonLines", "at_once", "cut", "rgba", "with_room"]

LINES = "skeleton"
LANDMARKS = "landmarks"
_OPACITY = 0.9
_INK, _INKED = 0.6, 0.8
"""Of outlines on a view, which is shown dark on light: how much of the colour's light is left, and the opacity."""
_MIDDLE = (0.85, 0.88, 0.92, 0.22)
_PHYSIS = (1.0, 1.0, 1.0, 0.9)
_DOUBT = (0.60, 0.65, 0.69, 0.55)
_PLACED, _ESTIMATED, _CHOSEN = "#4dd9f2", "#9aa5b1", "#ffb000"
_NEAR_MM = 30.0
"""Landmarks are shown from this far off the slice on, so that the next one can be found."""
_NAMED_MM = 9.0
"""Landmarks as near as this, and the chosen one, have their names beside them, as far as there is room."""
_FRONT = 0
"""World axis along which a coronal slice is looked at."""
_LINE_PX, _LETTER_PX = 15.0, 7.0
"""Room that a name takes on the screen: its height, and the width of a letter."""
_DOUBT_MM = 60.0
"""How far an estimated landmark may be off is drawn up to here, as more fills the view; of the chosen one always."""
_SIZE_MM = 9.0
_SIZES_PX = (8, 16)
_DASH_MM, _GAP_MM = 3.0, 2.0
_WIDTH_PX = 2.0
_WIDTHS_MM = (0.4, 4.0)
_CUTS_KEPT = 48
_NOTHING, _COLOURLESS = np.zeros((0, 2, 3)), np.zeros((0, 4))

Later = Callable[[Callable[[], Any], Callable[[Any], object]], None]
"""Does the first, maybe later and in a thread, and hands its result to the second."""


def at_once(work: Callable[[], Any], then: Callable[[Any], object]) -> None:
    """Do it now."""
    then(work())


def rgba(colour: str, opacity: float = 1.0) -> tuple[float, float, float, float]:
    """Give red, green, blue, opacity, each 0 to 1, of ``#rrggbb``."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue, opacity


def _inked(site: str) -> tuple[float, float, float, float]:
    red, green, blue, _ = rgba(segment_colour(site))
    return red * _INK, green * _INK, blue * _INK, _INKED


@dataclass(frozen=True, slots=True)
class Cut:
    """The skeleton cut by one plane."""

    placement: Placement
    at: tuple[int, float]
    """Axis of the world that the plane is across, and where, mm."""
    vectors: NDArray[np.float64]
    """(n, 2, 3): starts and directions in the world, mm."""
    colours: NDArray[np.float64]
    """(n, 4)"""


def cut(placement: Placement, at: tuple[int, float], *, flat: bool = False) -> Cut:
    """Cut the skeleton with a plane of the world, its physes dashed; touches no state.

    With ``flat`` the plane is a planar view: the outlines of all sites are seen on it.
    """
    from lesionmap import skeleton

    if flat:
        seen = [(segments([line]), _inked(site)) for site, line in skeleton.seen_lines(placement)]
        return Cut(placement, at, *_together(seen))
    axis, at_mm = at
    across = lps_from_world(np.eye(3)[axis])
    plane = (across * at_mm).tolist(), across.tolist()
    lines = skeleton.cut(placement, *plane)
    dashes = [d for *_, line in skeleton.cut_physes(placement, *plane) for d in _dashes(line)]
    parts = [(segments([line]), rgba(segment_colour(site), _OPACITY)) for site, line in lines]
    return Cut(placement, at, *_together([*parts, (segments(dashes), _PHYSIS)]))


Parts = list[tuple["NDArray[np.float64]", tuple[float, float, float, float]]]


def _together(parts: Parts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the vectors of all parts, and the colour of each."""
    colours = [np.tile(colour, (len(vectors), 1)) for vectors, colour in parts]
    return np.concatenate([_NOTHING, *(vectors for vectors, _ in parts)]), np.concatenate([_COLOURLESS, *colours])


def _dashes(line: NDArray[np.float64]) -> Iterable[NDArray[np.float64]]:
    """Part a line of two points into dashes."""
    way = line[1] - line[0]
    length = max(float(np.linalg.norm(way)), 1e-9)
    for start in np.arange(0.0, length, _DASH_MM + _GAP_MM).tolist():
        stop = min(start + _DASH_MM, length)
        yield np.array([line[0] + way * start / length, line[0] + way * stop / length])


class SkeletonLines:
    """Two layers of one placement; they are cut anew when another slice or plane is shown."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._placement: Placement | None = None
        self._draft: Placement | None = None
        self._moved: Placement | None = None
        self._chosen = ""
        self._at: tuple[int, float] | None = None
        self._step = np.ones(3)
        self._flat = False
        self._cuts: dict[tuple[int, float], Cut] = {}
        self._words: list[str] = []
        self._told: list[str] = []
        self.visible = True
        self.landmarks_visible = False

    def show(self, placement: Placement | None, step: XYZ = (1.0, 1.0, 1.0), *, flat: bool = False) -> None:
        """Draw this placement over an image with that distance of slices (y, z, x; mm); None: take it away.

        With ``flat`` the image is a planar view.
        """
        if placement is not self._placement or flat != self._flat:
            self._cuts.clear()
        self._flat = flat
        if not np.array_equal(step, self._step):
            self.clear()
            self._step = np.array(step)
        self._placement, self._draft, self._moved, self._at = placement, None, None, None
        if placement is None:
            self.clear()

    def clear(self) -> None:
        """Take both layers away."""
        for name in (LINES, LANDMARKS):
            if name in self._viewer.layers:
                self._viewer.layers.remove(name)

    def choose(self, landmark: str) -> None:
        """Emphasise a landmark."""
        self._chosen = landmark
        self._draw_landmarks()

    @property
    def placement(self) -> Placement | None:
        """What is drawn: the visit's placement, or the one that it becomes while a landmark is moved."""
        return self._draft or self._placement

    def landmark_at(self, lps_mm: XYZ, within_mm: float) -> str:
        """Give the landmark that is drawn nearest to a place of the slice shown; empty: none so near."""
        if self.placement is None or self._at is None or not self.landmarks_visible:
            return ""
        axis, at_mm = self._at
        marks = _marks(self.placement)
        points = world_from_lps(np.array([mark.lps_mm for mark in marks]))
        away = self._away(points, axis, at_mm)
        points[:, axis] = world_from_lps(lps_mm)[axis]
        gap = np.where(away <= _NEAR_MM, np.linalg.norm(points - world_from_lps(lps_mm), axis=1), np.inf)
        return marks[int(gap.argmin())].name if gap.min() <= within_mm else ""

    def _away(self, points: NDArray[np.float64], axis: int, at_mm: float) -> NDArray[np.float64]:
        """Give how far points lie off the slice, mm; a planar view shows all of its depth."""
        return np.zeros(len(points)) if self._flat else np.abs(points[:, axis] - at_mm)

    def move(self, marks: dict[str, XYZ]) -> Callable[[], Cut | None]:
        """Give the work of cutting the skeleton as it is with these landmarks; its result goes to ``settle_move``."""
        placement, at, flat = self._placement, self._at, self._flat
        if placement is None or at is None:
            return lambda: None
        self._moved = placement
        return lambda: cut(moved(placement, marks, flat=flat), at, flat=flat)

    def settle_move(self, made: Cut | None) -> None:
        """Draw a skeleton of which a landmark is being moved; nothing is kept of it."""
        if made is not None and made.at == self._at and self._moved is self._placement:
            self._draft = made.placement
            self._draw_lines(made)
            self._draw_landmarks()

    def task(self) -> Callable[[], Cut | None]:
        """Give the work that the slice shown needs, to be done in a thread; its result goes to ``settle``."""
        dims, placement = self._viewer.dims, self._placement
        if placement is None or dims.ndim < 3 or dims.ndisplay == 3:
            return lambda: None
        axis = dims.order[-3]
        at = (axis, round(float(dims.point[axis]), 2))
        made = self._cuts.get(at)
        if made is None and not self.visible:
            made = Cut(placement, at, _NOTHING, _COLOURLESS)
        flat = self._flat
        return lambda: made or cut(placement, at, flat=flat)

    def settle(self, made: Cut | None) -> None:
        """Draw what a task has made, unless another slice or placement is shown by now."""
        if self._viewer.dims.ndisplay == 3:
            self.clear()  # hidden, they would come back with the faces that napari gives vectors in 3-D
        elif made is not None and made.placement is self._placement:
            self._keep(made)

    def _keep(self, made: Cut) -> None:
        if self.visible:
            if len(self._cuts) >= _CUTS_KEPT:
                self._cuts.pop(next(iter(self._cuts)))
            self._cuts[made.at] = made
        self._at, self._draft = made.at, None
        self._draw_lines(made)
        self._draw_landmarks()

    def _beside(self) -> Parts:
        """Give, while landmarks are placed, the bones' centrelines and how far estimated landmarks may be off."""
        from lesionmap.skeleton import bone_lines

        if self._placement is None or self._draft is not None or self._at is None or not self.landmarks_visible:
            return []
        axis, at_mm = self._at
        rings = []
        for mark in _marks(self._placement):
            middle = world_from_lps(mark.lps_mm)
            reach = mark.radius90_mm**2 - (0.0 if self._flat else (middle[axis] - at_mm) ** 2)
            told = mark.radius90_mm <= _DOUBT_MM or mark.name == self._chosen
            if not mark.placed and reach > 0 and told:
                rings.append(_ring(lps_from_world(middle), axis, float(np.sqrt(reach))))
        middles = segments(line for _, _, line in bone_lines(self._placement))
        # Seen from the front no limb lies behind another; across the body only what is near the slice is drawn.
        if axis != _FRONT:
            middles = middles[np.abs(middles[:, 0, axis] - at_mm) <= _NEAR_MM]
        return [(middles, _MIDDLE), (segments(rings), _DOUBT)]

    def _draw_lines(self, made: Cut) -> None:
        beside, beside_colours = _together(self._beside())
        vectors, colours = np.concatenate([beside, made.vectors]), np.concatenate([beside_colours, made.colours])
        if not self.visible or not len(vectors):
            _show(self._viewer, LINES, on=False)
            return
        axis, at_mm = made.at
        # All in the plane that is shown: centrelines are projected onto it.
        vectors[:, 0, axis], vectors[:, 1, axis] = at_mm, 0.0
        if LINES not in self._viewer.layers:
            options = {"edge_width": self._width(), "vector_style": "line", "edge_color": "cyan"}
            self._add("add_vectors", vectors[:1], LINES, **options)
        layer, scale = self._viewer.layers[LINES], self._even_step()
        if not np.array_equal(layer.scale, scale):
            layer.scale, layer.edge_width = scale, self._width()
        layer.data = vectors / scale
        layer.edge_color = colours
        _show(self._viewer, LINES, on=True)

    def _even_step(self) -> NDArray[np.float64]:
        """Give the scale of the lines: in the plane shown even, or lines would be thicker along thick slices."""
        even = self._step.copy()
        if self._at is not None:
            shown = [axis for axis in range(3) if axis != self._at[0]]
            even[shown] = even[shown].max()
        return even

    def _width(self) -> float:
        """Give the width of a line as the layer wants it: some pixels of the screen, within limits in mm."""
        wanted_mm = _WIDTH_PX / max(float(self._viewer.scene.camera.zoom), 1e-3)
        shown = self._viewer.dims.order[-1]
        return min(max(wanted_mm, _WIDTHS_MM[0]), _WIDTHS_MM[1]) / float(self._even_step()[shown])

    def follow_zoom(self) -> None:
        """Keep lines thin when the view is near and whole when it is far, and name what there is room for."""
        if LINES in self._viewer.layers:
            self._viewer.layers[LINES].edge_width = self._width()
        if LANDMARKS in self._viewer.layers and self._viewer.layers[LANDMARKS].visible:
            self._name_landmarks()

    def _draw_landmarks(self) -> None:
        if self.placement is None or not self.landmarks_visible or self._at is None:
            _show(self._viewer, LANDMARKS, on=False)
            return
        axis, at_mm = self._at
        marks = _marks(self.placement)
        points = world_from_lps(np.array([mark.lps_mm for mark in marks]))
        away = self._away(points, axis, at_mm)
        near = away <= _NEAR_MM
        points[:, axis] = at_mm
        shown = [mark for mark, is_near in zip(marks, near, strict=True) if is_near]
        colours = [_CHOSEN if m.name == self._chosen else _PLACED if m.placed else _ESTIMATED for m in shown]
        if not shown:
            _show(self._viewer, LANDMARKS, on=False)
            return
        if LANDMARKS not in self._viewer.layers:
            size = {"size": _SIZE_MM / self._step[-1], "canvas_size_limits": _SIZES_PX}
            options = {"symbol": "cross", "border_width": 0, **size}
            self._add("add_points", points[near][:1], LANDMARKS, **options)
        layer = self._viewer.layers[LANDMARKS]
        layer.data = points[near] / self._step
        layer.face_color = colours
        self._words = [
            landmark_words(m.name) if off <= _NAMED_MM or m.name == self._chosen else ""
            for m, off in zip(shown, away[near].tolist(), strict=True)
        ]
        self._told = []
        self._name_landmarks()
        _show(self._viewer, LANDMARKS, on=True)

    def _name_landmarks(self) -> None:
        """Write the names beside the crosses that have room for them as the view is zoomed now."""
        layer, dims = self._viewer.layers[LANDMARKS], self._viewer.dims
        places = layer.data * self._step * float(self._viewer.scene.camera.zoom)
        told = with_room(self._words, places[:, list(dims.order[-2:])], landmark_words(self._chosen))
        if told != self._told:
            self._told = told
            layer.text = {"string": told, "size": 8, "color": "#c8d0d8", "anchor": "center"}

    def _add(self, how: str, data: Any, name: str, **options: Any) -> None:
        """Add a layer that the reader does not edit, and leave the chosen layer chosen."""
        active = self._viewer.layers.selection.active
        place = {"units": UNITS, "axis_labels": AXIS_LABELS, "scale": self._step}
        layer = getattr(self._viewer, how)(data / self._step, name=name, **place, **options)
        layer.editable = False
        self._viewer.layers.selection.active = active


def _marks(placement: Placement) -> list[PlacedLandmark]:
    """List the 43 landmarks, and the vertebrae that were placed."""
    from lesionmap.skeleton import landmarks

    return [mark for mark in placement.landmarks if mark.placed or mark.name in landmarks()]


def with_room(names: list[str], places_px: NDArray[np.float64], first: str) -> list[str]:
    """Leave out the names that would run into one another, and set each to its side of a centred place.

    Parameters
    ----------
    names : list of str
        Empty: none is wanted.
    places_px : ndarray, shape (n, 2)
        Row and column on the screen.
    first : str
        The name that is written before all others.
    """
    told = [""] * len(names)
    taken: list[tuple[float, float, float]] = []
    for at in sorted(range(len(names)), key=lambda at: names[at] != first):
        length = _LETTER_PX * len(names[at])
        # The patient's right is on screen left: names stand away from the middle of the body.
        away = -1 if names[at].endswith("right") else 1
        row, column = places_px[at].tolist()
        middle = column + away * (length / 2 + _LINE_PX / 2)
        free = all(abs(row - r) >= _LINE_PX or abs(middle - m) >= (length + other) / 2 for r, m, other in taken)
        if names[at] and free:
            taken.append((row, middle, length))
            # Centred text is moved aside by blanks, about half as wide as letters: two for each letter, and some more.
            blanks = " " * (2 * len(names[at]) + 6)
            told[at] = names[at] + blanks if away < 0 else blanks + names[at]
    return told


def _ring(middle_lps_mm: NDArray[np.float64], axis: int, radius_mm: float) -> NDArray[np.float64]:
    """Give a circle about a place, at right angles to an axis of the world, LPS mm."""
    angle = np.linspace(0.0, 2 * np.pi, 41)
    round_it = np.zeros((len(angle), 3))
    round_it[:, [i for i in range(3) if i != axis]] = radius_mm * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(middle_lps_mm + lps_from_world(round_it))


def _show(viewer: ViewerModel, name: str, *, on: bool) -> None:
    """Show or hide a layer that may be missing; nothing is drawn anew where it is so already."""
    if name in viewer.layers and viewer.layers[name].visible != on:
        viewer.layers[name].visible = on
