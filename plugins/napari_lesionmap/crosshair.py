"""Two lines through the place that all views share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_lesionmap.layers import AXIS_LABELS, UNITS, XYZ, world_from_lps

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["CROSSHAIR", "Crosshair"]

CROSSHAIR = "crosshair"
_COLOUR = "#ffd166"
_GAP_PX, _REACH_MM = 14.0, 2500.0
_OPACITY = 0.6


class Crosshair:
    """A layer of lines in the slice shown, open in the middle so that the place itself is seen."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._at: XYZ | None = None

    def show(self, lps_mm: XYZ | None) -> None:
        """Draw it at a place of the slice shown (LPS mm); None: take it away."""
        self._at = lps_mm
        self.draw()

    def draw(self) -> None:
        """Draw it for the plane that is shown and as the view is zoomed."""
        viewer = self._viewer
        if self._at is None or viewer.dims.ndim < 3 or viewer.dims.ndisplay == 3:
            if CROSSHAIR in viewer.layers:
                viewer.layers.remove(CROSSHAIR)
            return
        middle = world_from_lps(self._at)
        middle[viewer.dims.order[-3]] = viewer.dims.point[viewer.dims.order[-3]]
        gap = _GAP_PX / max(float(viewer.scene.camera.zoom), 1e-3)
        vectors = np.array([_ray(middle, axis, way, gap) for axis in viewer.dims.order[-2:] for way in (-1, 1)])
        if CROSSHAIR in viewer.layers:
            viewer.layers[CROSSHAIR].data = vectors
            return
        active = viewer.layers.selection.active
        layer = viewer.add_vectors(
            vectors,
            name=CROSSHAIR,
            units=UNITS,
            axis_labels=AXIS_LABELS,
            vector_style="line",
            edge_color=_COLOUR,
            edge_width=0.6,
            opacity=_OPACITY,
        )
        layer.editable = False
        viewer.layers.selection.active = active


def _ray(middle: np.ndarray[tuple[int], np.dtype[np.float64]], axis: int, way: int, gap_mm: float) -> list[list[float]]:
    """Give start and direction of a line that leaves the middle along an axis of the world."""
    along = np.eye(3)[axis] * way
    return [(middle + along * gap_mm).tolist(), (along * _REACH_MM).tolist()]
