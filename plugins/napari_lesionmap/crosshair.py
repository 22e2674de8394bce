"""Two lines through the place that all views share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_lesionmap.layers import XYZ, shown_grid, steps, world_from_lps
from napari_lesionmap.lines import draw_lines, drop_lines

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from lesionmap.space import Grid

__all__ = ["CROSSHAIR", "Crosshair"]

CROSSHAIR = "crosshair"
_COLOUR = "#ffd166"
_GAP_PX = 14.0
_OPACITY, _WIDTH = 0.6, 0.3


class Crosshair:
    """A layer of lines in the slice shown, open in the middle so that the place itself is seen."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer

    def show(self, lps_mm: XYZ | None, grid: Grid | None) -> None:
        """Draw it at a place of the slice shown (LPS mm), as far as the image of a grid goes; None: take it away."""
        viewer = self._viewer
        if lps_mm is None or grid is None or viewer.dims.ndim < 3 or viewer.dims.ndisplay == 3:
            drop_lines(viewer, CROSSHAIR)
            return
        depth, *plane = viewer.dims.order[-3:]
        middle = world_from_lps(lps_mm)
        middle[depth] = viewer.dims.point[depth]
        gap_mm = _GAP_PX / max(float(viewer.scene.camera.zoom), 1e-3)
        box = world_from_lps(shown_grid(grid).corners_lps_mm())
        half = np.array(steps(grid)) / 2  # not beyond the middles of the outermost voxels: the sliders end there
        low, high = box.min(axis=0) + half, box.max(axis=0) - half
        ends = [(axis, float(end)) for axis in plane for end in (low[axis], high[axis])]
        rays = [_ray(middle, axis, end, gap_mm) for axis, end in ends if abs(end - middle[axis]) > gap_mm]
        style = {"edge_color": _COLOUR, "edge_width": _WIDTH, "opacity": _OPACITY}
        draw_lines(viewer, CROSSHAIR, np.array(rays).reshape(-1, 2, 3), steps(grid), **style)


def _ray(middle: NDArray[np.float64], axis: int, end_mm: float, gap_mm: float) -> list[list[float]]:
    """Give start and direction of a line along an axis of the world, from beside the middle to the end."""
    start, along = middle.copy(), np.zeros(3)
    start[axis] += np.copysign(gap_mm, end_mm - middle[axis])
    along[axis] = end_mm - start[axis]
    return [start.tolist(), along.tolist()]
