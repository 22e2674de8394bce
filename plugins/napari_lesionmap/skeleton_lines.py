"""The placed skeleton in the image: its cut with the slice that is shown, centrelines, and the landmarks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from napari_lesionmap.layers import AXIS_LABELS, UNITS, XYZ, segments, world_from_lps

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from lesionmap.skeleton import Placement

__all__ = ["LANDMARKS", "LINES", "Cut", "Later", "SkeletonLines", "at_once", "cut"]

LINES = "skeleton"
LANDMARKS = "landmarks"
_CUT = (0.30, 0.85, 0.95, 0.95)
_MIDDLE = (0.30, 0.85, 0.95, 0.28)
_PLACED, _ESTIMATED, _CHOSEN = "#4dd9f2", "#9aa5b1", "#ffb000"
_NEAR_MM = 30.0
"""Landmarks are shown from this far off the slice on, so that the next one can be found."""
_NAMED_MM = 9.0
"""Landmarks as near as this, and the chosen one, have their names beside them."""
_SIZE_MM = 9.0
_WIDTH_PX = 1.8
_WIDTHS_MM = (0.7, 4.0)
_PATIENT_AXIS: tuple[Literal[1], Literal[2], Literal[0]] = (1, 2, 0)


_CUTS_KEPT = 48
_THIN_MM = 0.6
"""Corners of the cut nearer than this to the line without them are left out."""
_NOTHING = np.zeros((0, 2, 3))

Later = Callable[[Callable[[], Any], Callable[[Any], object]], None]
"""Does the first, maybe later and in a thread, and hands its result to the second."""


def at_once(work: Callable[[], Any], then: Callable[[Any], object]) -> None:
    """Do it now."""
    then(work())


def cut(placement: Placement, axis: int, at_mm: float) -> NDArray[np.float64]:
    """Cut the skeleton with a plane of the world, as vectors; touches no state."""
    from skimage.measure import approximate_polygon

    from lesionmap.skeleton import slice_contours

    across = _PATIENT_AXIS[axis]
    lines = []
    for _, line in slice_contours(placement, across, at_mm):
        flat = approximate_polygon(np.delete(line, across, axis=1), _THIN_MM)
        lines.append(np.insert(flat, across, at_mm, axis=1))
    return segments(lines)


@dataclass(frozen=True, slots=True)
class Cut:
    """The skeleton cut by one plane."""

    placement: Placement
    at: tuple[int, float]
    """Axis of the world that the plane is across, and where, mm."""
    vectors: NDArray[np.float64]


class SkeletonLines:
    """Two layers of one placement; they are cut anew when another slice or plane is shown."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._placement: Placement | None = None
        self._middle: NDArray[np.float64] = np.zeros((0, 2, 3))
        self._chosen = ""
        self._at: tuple[int, float] | None = None
        self._step = np.ones(3)
        self._cuts: dict[tuple[int, float], NDArray[np.float64]] = {}
        self.visible = True
        self.landmarks_visible = False

    def show(self, placement: Placement | None, step: XYZ = (1.0, 1.0, 1.0)) -> None:
        """Draw this placement over an image with that distance of slices (y, z, x; mm); None: take it away."""
        from lesionmap.skeleton import bone_lines

        if placement is not self._placement:
            self._cuts.clear()
        if not np.array_equal(step, self._step):
            self.clear()
            self._step = np.array(step)
        self._placement, self._at = placement, None
        self._middle = segments([line for _, _, line in bone_lines(placement)]) if placement is not None else _NOTHING
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

    def task(self) -> Callable[[], Cut | None]:
        """Give the work that the slice shown needs, to be done in a thread; its result goes to ``settle``."""
        dims, placement = self._viewer.dims, self._placement
        if placement is None or dims.ndim < 3 or dims.ndisplay == 3:
            return lambda: None
        axis = dims.order[-3]
        at = (axis, round(float(dims.point[axis]), 2))
        made = self._cuts.get(at) if self.visible else _NOTHING
        return lambda: Cut(placement, at, cut(placement, *at) if made is None else made)

    def settle(self, made: Cut | None) -> None:
        """Draw what a task has made, unless another slice or placement is shown by now."""
        if made is None or made.placement is not self._placement:
            return
        if self.visible:
            if len(self._cuts) >= _CUTS_KEPT:
                self._cuts.pop(next(iter(self._cuts)))
            self._cuts[made.at] = made.vectors
        self._at = made.at
        self._draw_lines()
        self._draw_landmarks()

    def _draw_lines(self) -> None:
        if not self.visible or self._at is None:
            _show(self._viewer, LINES, on=False)
            return
        axis, at_mm = self._at
        made = self._cuts.get(self._at, _NOTHING)
        vectors = np.concatenate([self._middle, made])
        # All in the plane that is shown: centrelines are projected onto it.
        vectors[:, 0, axis], vectors[:, 1, axis] = at_mm, 0.0
        colours = np.concatenate([np.tile(_MIDDLE, (len(self._middle), 1)), np.tile(_CUT, (len(made), 1))])
        if LINES not in self._viewer.layers:
            options = {"edge_width": self._width(), "vector_style": "line", "edge_color": "cyan"}
            self._add("add_vectors", vectors[:1], LINES, **options)
        layer = self._viewer.layers[LINES]
        layer.data = vectors / self._step
        layer.edge_color = colours
        _show(self._viewer, LINES, on=True)

    def _width(self) -> float:
        """Give the width of a line as the layer wants it: some pixels of the screen, within limits in mm."""
        wanted_mm = _WIDTH_PX / max(float(self._viewer.scene.camera.zoom), 1e-3)
        return min(max(wanted_mm, _WIDTHS_MM[0]), _WIDTHS_MM[1]) / float(self._step.min())

    def follow_zoom(self) -> None:
        """Keep lines thin when the view is near, and whole when it is far."""
        if LINES in self._viewer.layers:
            self._viewer.layers[LINES].edge_width = self._width()

    def _draw_landmarks(self) -> None:
        if self._placement is None or not self.landmarks_visible or self._at is None:
            _show(self._viewer, LANDMARKS, on=False)
            return
        from lesionmap.skeleton import landmarks

        axis, at_mm = self._at
        marks = [mark for mark in self._placement.landmarks if mark.placed or mark.name in landmarks()]
        points = world_from_lps(np.array([mark.lps_mm for mark in marks]))
        away = np.abs(points[:, axis] - at_mm)
        near = away <= _NEAR_MM
        points[:, axis] = at_mm
        shown = [mark for mark, is_near in zip(marks, near, strict=True) if is_near]
        names = [
            m.name.replace("_", " ") if is_named or m.name == self._chosen else ""
            for m, is_named in zip(shown, away[near] <= _NAMED_MM, strict=True)
        ]
        colours = [_CHOSEN if m.name == self._chosen else _PLACED if m.placed else _ESTIMATED for m in shown]
        if not shown:
            _show(self._viewer, LANDMARKS, on=False)
            return
        if LANDMARKS not in self._viewer.layers:
            options = {"symbol": "cross", "size": _SIZE_MM / self._step[-1], "border_width": 0}
            self._add("add_points", points[near][:1], LANDMARKS, **options)
        layer = self._viewer.layers[LANDMARKS]
        layer.data = points[near] / self._step
        layer.face_color = colours
        layer.text = {"string": names, "size": 8, "color": "#c8d0d8", "anchor": "upper_left"}
        _show(self._viewer, LANDMARKS, on=True)

    def _add(self, how: str, data: Any, name: str, **options: Any) -> None:
        """Add a layer that the reader does not edit, and leave the chosen layer chosen."""
        active = self._viewer.layers.selection.active
        place = {"units": UNITS, "axis_labels": AXIS_LABELS, "scale": self._step}
        layer = getattr(self._viewer, how)(data / self._step, name=name, **place, **options)
        layer.editable = False
        self._viewer.layers.selection.active = active


def _show(viewer: ViewerModel, name: str, *, on: bool) -> None:
    """Show or hide a layer that may be missing; nothing is drawn anew where it is so already."""
    if name in viewer.layers and viewer.layers[name].visible != on:
        viewer.layers[name].visible = on
