"""The mask on a planar view as polygons along the edges of its pixels, and back, without loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionmap.lesions import Mask

__all__ = ["pixels_inside", "region_polygons"]


def region_polygons(mask: Mask) -> list[NDArray[np.float64]]:
    """Draw the outlines of a mask that is one voxel deep.

    Parameters
    ----------
    mask : Mask
        On a planar view.

    Returns
    -------
    list of ndarray, shape (n, 2)
        A closed polygon (the last point is the first) for each part that hangs together by edges, in column and row;
        0 is the outer corner of the first pixel (DICOM PS3.3 C.10.5). A hole is reached by a line that runs there and
        back, since a DICOM region is a single line.
    """
    from shapely import box, union_all

    steps = np.diff(np.pad(mask.box[:, :, 0].astype(np.int8), ((1, 1), (0, 0))), axis=0).T
    row, start = np.argwhere(steps == 1).T.astype(np.float64)
    stop = np.argwhere(steps == -1).T[1]  # row by row, so the ends of the same runs
    left, top = mask.origin[:2]
    whole = union_all(box(left + start, top + row, left + stop, top + row + 1))
    parts = [part.normalize() for part in getattr(whole, "geoms", [whole])]
    return [_one_line(part) for part in sorted(parts, key=lambda part: part.bounds)]


def _one_line(polygon: object) -> NDArray[np.float64]:
    """Join the outer ring and the holes of a shapely polygon into one closed line."""
    outer = np.asarray(polygon.exterior.coords)  # type: ignore[attr-defined]
    lines = [outer]
    for hole in polygon.interiors:  # type: ignore[attr-defined]
        lines += [np.asarray(hole.coords), outer[:1]]
    return np.concatenate(lines)


def pixels_inside(polygons: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.int_]:
    """List the pixels whose centres lie in one of some polygons.

    Parameters
    ----------
    polygons : sequence of ndarray, shape (n, 2)
        Column and row, closed or not, as ``region_polygons`` gives them.
    shape : tuple of int
        Columns and rows of the image.

    Returns
    -------
    ndarray, shape (m, 2)
        Column and row, from 0.
    """
    inside = np.zeros(shape, dtype=bool)
    for polygon in polygons:
        low = np.clip(np.floor(polygon.min(axis=0)), 0, shape).astype(int)
        high = np.clip(np.ceil(polygon.max(axis=0)), low, shape).astype(int)
        inside[low[0] : high[0], low[1] : high[1]] |= _even_odd(polygon - low, high - low)
    return np.argwhere(inside)


def _even_odd(polygon: NDArray[np.float64], shape: NDArray[np.int_]) -> NDArray[np.bool_]:
    """Count for each pixel centre the edges to its left, row by row; an odd number is inside.

    An edge that runs there and back is one and the same from either end, and so cancels out to the last bit.
    """
    edges = np.stack([polygon, np.roll(polygon, -1, axis=0)], axis=1)
    downward = np.where(edges[:, :1, 1:] > edges[:, 1:, 1:], edges[:, ::-1], edges)
    first, last = np.clip(np.ceil(downward[:, :, 1] - 0.5), 0, shape[1]).astype(int).T
    crossed = last > first
    parity = np.zeros(shape, dtype=np.int64)
    for ((x0, y0), (x1, y1)), begin, end in zip(downward[crossed], first[crossed], last[crossed], strict=True):
        rows = np.arange(begin, end)
        crossing = x0 + (rows + 0.5 - y0) * ((x1 - x0) / (y1 - y0))
        columns = np.clip(np.ceil(crossing - 0.5), 0, shape[0]).astype(int)
        parity[columns[columns < shape[0]], rows[columns < shape[0]]] += 1
    return np.asarray(np.cumsum(parity, axis=0) % 2 == 1)
