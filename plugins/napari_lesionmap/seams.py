"""Where the stations of a joined Series begin and end, as thin lines in the slice shown."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_lesionmap.layers import lps_from_world, segments, steps, world_from_lps
from napari_lesionmap.lines import draw_lines, drop_lines

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from lesionmap.space import Grid
    from napari_lesionmap.session import Session

__all__ = ["STATIONS", "Seams", "cut_of_box"]

STATIONS = "stations"
_COLOUR = "#8fd3e8"
_OPACITY, _WIDTH = 0.55, 0.3
_SAME_MM = 1e-6


def cut_of_box(grid: Grid, axis: int, at_mm: float) -> NDArray[np.float64]:
    """Give the line around the part of a grid's box that a slice of the world cuts.

    Parameters
    ----------
    grid : Grid
    axis : int
        Of the world (y, z, x) that the slice is at right angles to.
    at_mm : float
        Where the slice is on that axis.

    Returns
    -------
    ndarray, shape (n, 3)
        LPS mm, the first point again at the end; empty where the slice does not meet the box.
    """
    corners = world_from_lps(grid.corners_lps_mm())
    away = corners[:, axis] - at_mm
    # The corners are those of np.meshgrid: two that share an edge differ in one bit of their number.
    edges = [(a, b) for a, b in combinations(range(8), 2) if (a ^ b).bit_count() == 1]
    met = [
        corners[a] + (corners[b] - corners[a]) * away[a] / (away[a] - away[b])
        for a, b in edges
        if (away[a] > 0) != (away[b] > 0) and abs(away[a] - away[b]) > _SAME_MM
    ]
    if len(met) < 3:
        return np.zeros((0, 3))
    points = np.array(met)
    across = np.delete(points - points.mean(axis=0), axis, axis=1)
    order = np.argsort(np.arctan2(across[:, 1], across[:, 0]))
    return lps_from_world(points[[*order, order[0]]])


class Seams:
    """A layer with the outline of each station; without more than one there is nothing to show."""

    def __init__(self, viewer: ViewerModel, session: Session) -> None:
        self._viewer, self._session = viewer, session
        self._on = False
        viewer.dims.events.point.connect(self.draw)
        viewer.dims.events.order.connect(self.draw)
        viewer.dims.events.ndisplay.connect(self.draw)
        session.visit_changed.connect(self.draw)

    def close(self) -> None:
        """Let go of the viewer and the session."""
        self._viewer.dims.events.point.disconnect(self.draw)
        self._viewer.dims.events.order.disconnect(self.draw)
        self._viewer.dims.events.ndisplay.disconnect(self.draw)
        self._session.visit_changed.disconnect(self.draw)

    @property
    def n_stations(self) -> int:
        """How many stations the Series has that is shown."""
        return len(self._session.series.stations) if self._session.series is not None else 0

    def toggle(self) -> bool:
        """Show or hide the lines; whether they are shown now."""
        self._on = not self._on
        self.draw()
        return self._on

    def draw(self, _event: Any = None) -> None:
        """Draw the lines of the slice that is shown."""
        viewer, series = self._viewer, self._session.series
        wanted = self._on and self.n_stations > 1 and self._session.volume is not None
        if series is None or not wanted or viewer.dims.ndim < 3 or viewer.dims.ndisplay == 3:
            drop_lines(viewer, STATIONS)
            return
        axis = viewer.dims.order[-3]
        at_mm = float(viewer.dims.point[axis])
        vectors = segments(cut_of_box(station.grid, axis, at_mm) for station in series.stations)
        style = {"edge_color": _COLOUR, "edge_width": _WIDTH, "opacity": _OPACITY}
        draw_lines(viewer, STATIONS, vectors, steps(series.grid), **style)
