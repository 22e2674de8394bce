"""The phantom's planar bone scan: uptake seen from the front and from the back through the body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom.raster import Lattice, painted
from lesionmap.phantom.soft import organs
from lesionmap.phantom.tissue import skin_distance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lesionmap.phantom.body import Body
    from lesionmap.phantom.lesion import LesionShape
    from lesionmap.phantom.shapes import Shape

__all__ = ["ATTENUATION_PER_MM", "MATRIX", "PIXEL_MM", "planar", "plate_name", "up_mm", "uptake"]

MATRIX = (1024, 256)
"""Rows, columns."""
PIXEL_MM = 2.4
ATTENUATION_PER_MM = 0.0135
"""140 keV in soft tissue, scatter included (assumed)."""
_SOFT = {"kidney": 5.0, "bladder": 14.0, "lung": 0.5, "gas": 0.6, "brain": 0.5}
_TURNOVER = {"skull": 2.6, "mandible": 3.0, "sternum": 5.0, "rib": 3.4, "vertebra": 5.0, "sacrum": 5.0, "ilium": 4.6}
_PHYSIS = 34.0  # against 4.5 in a shaft: about 8 times once it is blurred
_SEEN_PEAK = 8.0
_LESION = 30.0


def plate_name(shape: Shape, number: int) -> str:
    """Name a growth plate of a solid: bone, number of the plate in it, side."""
    return f"{shape.bone}.{number}.{shape.side}"


def _turnover(shape: Shape) -> NDArray[np.float64]:
    """Give the uptake of each segment of a solid, soft tissue = 1."""
    base = _TURNOVER.get(shape.bone.split("_")[0], 4.0)
    more = {"diaphysis": 3.4, "sacroiliac": 7.0, "proximal_metaphysis": 5.0, "distal_metaphysis": 5.0}
    return np.array([more.get(segment, base) for segment in shape.segments])


def uptake(
    body: Body, lattice: Lattice, lesions: Sequence[LesionShape], plates: Mapping[str, float] | None = None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Give the tracer on a lattice, and where the body is.

    Parameters
    ----------
    plates : mapping of str to float, optional
        Uptake in each growth plate, by ``plate_name``, over that of a shaft once it is seen in a view; without it all
        plates reach about 8, or less where they are thin.

    Returns
    -------
    tracer, inside : ndarray, shape of the lattice
        Uptake, soft tissue = 1; True inside the skin.
    """
    inside = skin_distance(body, lattice) < 0
    tracer = inside.astype(np.float32)
    for kind, form in organs(body):
        found = lattice.distance(form, form.box, 0.0)
        if found is not None and kind in _SOFT:
            tracer[found[0]][found[2] < 0] = _SOFT[kind]
    for i, window, points, distance in painted(body.shapes, lattice, 2.0):
        shape, part = body.shapes[i], tracer[window]
        share = np.clip(0.5 - distance / PIXEL_MM, 0, 1)
        level = _turnover(shape)[shape.segment(points)].reshape(distance.shape)
        for number, (cut, thick) in enumerate(shape.physes):
            near = np.abs(cut.value(points)).reshape(distance.shape) < max(0.5 * thick, 1.2)
            told = plates[plate_name(shape, number)] / _SEEN_PEAK if plates else min(thick / 2.4, 1.0)
            level = np.where(near, _PHYSIS * told, level)
        np.maximum(part, share * level, out=part, casting="same_kind")
    for lesion in lesions:
        low, high = lesion.box
        window = lattice.window(low, high)
        part = tracer[window]
        seen = lesion.distance(lattice.points(window), body).reshape(part.shape) < 0
        part[seen] = _LESION * lesion.strength
    return tracer, inside


def up_mm(body: Body) -> float:
    """Give what is added to a z of the body (LPS mm) to get its z in the views that ``planar`` makes; x is the same."""
    return PIXEL_MM * (MATRIX[0] - 0.5) - _top(body)


def _top(body: Body) -> float:
    return float(body.marks["vertex"][2]) + 60.0


def planar(body: Body, lesions: Sequence[LesionShape], *, seed: int, counts: float = 1.0e6) -> NDArray[np.uint16]:
    """Scan the whole body.

    Parameters
    ----------
    counts : float
        Counts in both views together.

    Returns
    -------
    ndarray, shape (2, 1024, 256)
        Anterior (patient's right on image left) and posterior (patient's left on image left), head up.
    """
    from scipy.ndimage import gaussian_filter

    rows, columns = MATRIX
    x = np.asarray((np.arange(columns) - (columns - 1) / 2) * PIXEL_MM, dtype=np.float64)
    z = _top(body) - np.arange(rows - 1, -1, -1) * PIXEL_MM
    low, high = (f(list(body.landmarks().values()), axis=0) for f in (np.min, np.max))
    used = z > low[2] - 60
    y = np.asarray(np.arange(low[1] - 60, high[1] + 60, PIXEL_MM), dtype=np.float64)
    lattice = Lattice(x, y, z[used])
    tracer, inside = uptake(body, lattice, lesions)
    depth = np.cumsum(inside, axis=1, dtype=np.float32) * PIXEL_MM
    views = []
    for shown in (depth, depth[:, -1:, :] - depth):
        seen = np.sum(tracer * np.exp(-ATTENUATION_PER_MM * shown.astype(np.float64)), axis=1)
        view = np.zeros(MATRIX)
        view[: seen.shape[1]] = seen[:, ::-1].T
        views.append(gaussian_filter(view, 3.6 / PIXEL_MM) + 1e-3)
    views[1] = views[1][:, ::-1]
    rate = np.stack(views)
    seen_counts = np.random.default_rng([140, seed]).poisson(rate * counts / rate.sum())
    return np.asarray(seen_counts, dtype=np.uint16)
