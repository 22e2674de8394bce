"""Lines over an image that nobody edits: put on the canvas, drawn anew, and taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_lesionmap.layers import AXIS_LABELS, UNITS, XYZ

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from numpy.typing import ArrayLike

__all__ = ["draw_lines", "drop_lines"]


def draw_lines(viewer: ViewerModel, name: str, vectors: ArrayLike, step: XYZ, **options: object) -> None:
    """Draw lines in a layer of that name; the chosen layer stays chosen.

    Parameters
    ----------
    viewer : ViewerModel
    name : str
        Of the layer.
    vectors : array-like, shape (n, 2, 3)
        Start and direction in the world (y, z, x), mm.
    step : (y, z, x)
        Of the image below, mm: the sliders go on stepping from slice to slice.
    options
        Colour, width and opacity, for a layer that is not there yet.
    """
    data = np.asarray(vectors, dtype=np.float64) / np.array(step)
    if name in viewer.layers and tuple(viewer.layers[name].scale) == tuple(step):
        viewer.layers[name].data = data
        return
    drop_lines(viewer, name)
    active = viewer.layers.selection.active
    place = {"name": name, "units": UNITS, "axis_labels": AXIS_LABELS, "scale": step}
    layer = viewer.add_vectors(data, vector_style="line", **place, **options)
    layer.editable = False
    viewer.layers.selection.active = active


def drop_lines(viewer: ViewerModel, name: str) -> None:
    """Take the layer away, if it is there."""
    if name in viewer.layers:
        viewer.layers.remove(name)
