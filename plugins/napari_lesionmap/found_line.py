"""The candidate that is looked at: a dashed line around it in the slice shown, and nothing that a lesion has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.lesions import Mask
from napari_lesionmap.canvas import jump
from napari_lesionmap.layers import AXIS_LABELS, UNITS, labels_layer, steps, world_from_lps

if TYPE_CHECKING:
    from collections.abc import Iterable

    from napari.components import ViewerModel
    from numpy.typing import NDArray

    from napari_lesionmap.found import Found
    from napari_lesionmap.proposals import Offer

__all__ = ["CANDIDATE", "FoundLine", "contours", "dashes"]

CANDIDATE = "candidate, no lesion"
_COLOUR = "#c77dff"  # no state, segment or landmark has it
_WIDTH_PX, _DASH_PX, _GAP_PX = 3.0, 7.0, 5.0
_BESIDE_PX = 5.0
"""The line runs so far outside the mask, so that the edge of the marrow itself is seen."""
_LEAST_DASHES = 6


def contours(mask: Mask, axis: int, at_mm: float, beside_mm: float = 0.0) -> list[NDArray[np.float64]]:
    """Give the lines around a mask in a slice of the world, each (n, 3) in its mm, the first point again at the end.

    Parameters
    ----------
    mask : Mask
    axis : int
        Of the world (y, z, x) that the slice is at right angles to.
    at_mm : float
        Where the slice is on that axis.
    beside_mm : float
        How far outside the mask the lines run.
    """
    from scipy.ndimage import distance_transform_edt
    from skimage.measure import find_contours

    a, b, c = mask.box.shape
    box = Mask(mask.grid.crop(mask.origin, (a, b, c)), (0, 0, 0), mask.box)
    shown, placed, _ = labels_layer([(1, box)], box.grid, CANDIDATE)
    scale, first = np.array(placed["scale"]), np.array(placed["translate"])
    at = round((at_mm - first[axis]) / scale[axis])
    if not 0 <= at < shown.shape[axis]:
        return []
    others = [i for i in range(3) if i != axis]
    level = beside_mm + float(scale[others].min()) / 2  # from the centres of voxels to their edges
    more = int(np.ceil(level / scale[others].min())) + 1
    away = distance_transform_edt(np.pad(shown.take(at, axis), more) == 0, sampling=scale[others])
    lines = []
    for line in find_contours(away, level):
        points = np.full((len(line), 3), at_mm)
        points[:, others] = (line - more) * scale[others] + first[others]
        lines.append(points)
    return lines


def dashes(line: NDArray[np.float64], dash_mm: float, gap_mm: float) -> NDArray[np.float64]:
    """Part a closed line into dashes of about that length: (n, 2, 3), starts and directions."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    n = max(round(along[-1] / (dash_mm + gap_mm)), _LEAST_DASHES)
    starts = np.arange(n) * along[-1] / n
    stops = starts + along[-1] / n * dash_mm / (dash_mm + gap_mm)
    begin, end = (
        np.stack([np.interp(at, along, line[:, axis]) for axis in range(3)], axis=1) for at in (starts, stops)
    )
    return np.stack([begin, end - begin], axis=1)


class FoundLine:
    """One layer of dashes. It follows the candidates, the slice and the zoom."""

    def __init__(self, viewer: ViewerModel, found: Found) -> None:
        self._viewer, self._found = viewer, found
        self._drawn: tuple[Offer, int, float, float] | None = None
        """What the layer shows, and as seen from where: it is slow to be told what it knows."""
        found.changed.connect(self.draw)
        found.turned.connect(self._turn)
        for event in self._events():
            event.connect(self.draw)

    def close(self) -> None:
        """Let go of the viewer and the candidates."""
        self._found.changed.disconnect(self.draw)
        self._found.turned.disconnect(self._turn)
        for event in self._events():
            event.disconnect(self.draw)

    def _events(self) -> Iterable[Any]:
        dims, camera = self._viewer.dims.events, self._viewer.scene.camera.events
        return dims.point, dims.order, dims.ndisplay, camera.zoom

    def _turn(self, one: Offer) -> None:
        """Bring the voxel of a candidate that is nearest to its middle into the middle of the view."""
        points = world_from_lps(one.mask.lps_mm())
        y, z, x = points[np.linalg.norm(points - points.mean(axis=0), axis=1).argmin()].tolist()
        jump(self._viewer, (y, z, x))

    def draw(self, _event: object = None) -> None:
        """Draw the line in the slice that is shown."""
        viewer, looked = self._viewer, self._found.looked
        if not self._found.searched or viewer.dims.ndim < 3 or viewer.dims.ndisplay == 3:
            self._drawn = None
            if CANDIDATE in viewer.layers:
                viewer.layers.remove(CANDIDATE)
        elif looked is None:
            self._hide()
        else:
            axis, zoom = viewer.dims.order[-3], max(float(viewer.scene.camera.zoom), 1e-3)
            self._draw((looked, axis, float(viewer.dims.point[axis]), zoom))

    def _draw(self, wanted: tuple[Offer, int, float, float]) -> None:
        if wanted == self._drawn:
            return
        looked, axis, at_mm, zoom = wanted
        lines = contours(looked.mask, axis, at_mm, _BESIDE_PX / zoom)
        if lines:
            vectors = np.concatenate([dashes(line, _DASH_PX / zoom, _GAP_PX / zoom) for line in lines])
            self._show(vectors, looked.mask, axis, _WIDTH_PX / zoom)
            self._drawn = wanted
        else:
            self._hide()

    def _hide(self) -> None:
        """Hide the line until the next candidate: napari takes long to remove a layer and to add it again."""
        self._drawn = None
        if CANDIDATE in self._viewer.layers and self._viewer.layers[CANDIDATE].visible:
            self._viewer.layers[CANDIDATE].visible = False

    def _show(self, vectors: NDArray[np.float64], mask: Mask, axis: int, width_mm: float) -> None:
        # The scale is that of the image, so that the slider steps from slice to slice; even in the plane shown, or
        # lines along one axis would be thicker than along the other.
        scale = np.array(steps(mask.grid))
        shown = [i for i in range(3) if i != axis]
        scale[shown] = scale[shown].max()
        width = width_mm / float(scale[shown[0]])
        if CANDIDATE not in self._viewer.layers:
            self._add(vectors[:1] / scale, scale, width)
        layer = self._viewer.layers[CANDIDATE]
        if not np.array_equal(layer.scale, scale):
            layer.scale = scale
        layer.data, layer.edge_width = vectors / scale, width
        layer.visible = True

    def _add(self, vectors: NDArray[np.float64], scale: NDArray[np.float64], width: float) -> None:
        active = self._viewer.layers.selection.active
        layer = self._viewer.add_vectors(
            vectors,
            name=CANDIDATE,
            units=UNITS,
            axis_labels=AXIS_LABELS,
            scale=scale,
            vector_style="line",
            edge_color=_COLOUR,
            edge_width=width,
        )
        layer.editable = False
        self._viewer.layers.selection.active = active
