"""Small pieces of geometry that landmarks are found by: axes, tips, ends, spheres. LPS mm."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.place.pieces import Piece

    Array = NDArray[np.float64]

__all__ = ["BACK", "FRONT", "LEFT", "UP", "across", "long_axis", "middle", "sphere", "tip", "tip_part", "unit"]

LEFT = np.array([1.0, 0.0, 0.0])
BACK = np.array([0.0, 1.0, 0.0])
FRONT = -BACK
UP = np.array([0.0, 0.0, 1.0])

_SLENDER = 2.2  # a piece this many times longer than wide shows its own axis


def unit(vector: Array) -> Array:
    """Give the vector at length 1."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def across(vector: Array, axis: Array) -> Array:
    """Give the part of a vector at right angles to a unit axis, at length 1."""
    return unit(vector - (vector @ axis) * axis)


def long_axis(points: Array, towards: Array) -> Array:
    """Give the axis of a long bone, pointing ``towards``; that direction itself where the piece is not slender."""
    centred = points - points.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(points))
    if values[2] < _SLENDER**2 * values[1]:
        return unit(towards)
    axis = vectors[:, 2]
    return np.asarray(axis if axis @ towards >= 0 else -axis)


def tip_part(piece: Piece, direction: Array, depth_mm: float) -> Piece | None:
    """Give the last ``depth_mm`` of a piece in a direction; None where the border of the map cuts it."""
    reach = piece.points @ direction
    part = piece.part(reach >= reach.max() - max(depth_mm, 0.75 * piece.step))
    return None if part.edge.any() else part


def tip(piece: Piece | None, direction: Array, depth_mm: float) -> Array | None:
    """Give the mean of the last ``depth_mm`` of a piece in a direction; None where there is none or it is cut."""
    part = tip_part(piece, direction, depth_mm) if piece is not None and len(piece.points) else None
    return None if part is None else np.asarray(part.points.mean(axis=0))


def middle(points: Array) -> Array:
    """Give the middle of the box around points: the same for a solid bone and for its shell."""
    return np.asarray(np.percentile(points, [1, 99], axis=0).mean(axis=0))


def sphere(piece: Piece, outwards: Array) -> tuple[Array, float] | None:
    """Fit the head of a bone: a sphere through its surface where that looks ``outwards``.

    Parameters
    ----------
    piece : Piece
        The end of a bone that carries the head.
    outwards : ndarray, shape (3,)
        Unit vector from the neck to the head, about.

    Returns
    -------
    (centre, radius) or None
        LPS mm and mm; None where no sphere is there or the border of the map cuts it.
    """
    shell = piece.points[piece.shell]
    reach = shell @ outwards
    apex = shell[reach >= reach.max() - 1.5 * piece.step].mean(axis=0)
    best: tuple[float, Array, float] | None = None
    for first in np.arange(7.0, 31.0, 1.5).tolist():
        found = _refine(shell, outwards, apex - first * outwards, first, piece.step)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    if best is None:
        return None
    _, centre, radius = best
    offset = piece.points - centre
    head = (np.linalg.norm(offset, axis=1) < 1.15 * radius) & (offset @ outwards > -0.3 * radius)
    return None if piece.edge[head].any() else (centre, radius)


def _refine(
    shell: Array, outwards: Array, centre: Array, radius: float, step: float
) -> tuple[float, Array, float] | None:
    """Fit a sphere again and again to the surface near it; give the number of voxels on it, centre, radius."""
    for wide in (0.3, 0.2, 0.15, 0.12, 0.1, 0.1):
        offset = shell - centre
        distance = np.linalg.norm(offset, axis=1)
        near = (np.abs(distance - radius) < max(wide * radius, 0.7 * step)) & (offset @ outwards > 0.1 * distance)
        if int(near.sum()) < 12:
            return None
        rows = np.column_stack([2 * shell[near], np.ones(int(near.sum()))])
        solved, *_ = np.linalg.lstsq(rows, (shell[near] ** 2).sum(axis=1), rcond=None)
        centre = solved[:3]
        radius = float(np.sqrt(max(solved[3] + centre @ centre, 1.0)))
        if not 5.0 <= radius <= 34.0:
            return None
    offset = shell - centre
    distance = np.linalg.norm(offset, axis=1)
    ahead = offset @ outwards > 0.1 * distance
    on = ahead & (np.abs(distance - radius) < max(0.06 * radius, 0.5 * step))
    beyond = ahead & (distance > radius + max(0.12 * radius, step)) & (distance < 1.6 * radius)
    return float(on.sum()) - float(beyond.sum()), centre, radius
