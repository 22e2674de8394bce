"""Where volumes lie beside each other: one below the other as stations do, or in the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.read.stack import Stack
    from lesionmap.space import Grid

__all__ = ["box", "neighbours", "same_place", "same_voxels"]

_SAME_DIRECTION = 0.999
_TOUCH_MM = 20.0
_MOST_OVERLAP = 0.6
"""Share of the shorter station by which neighbours may overlap; beyond it, it is the same place scanned again."""
_LEAST_BESIDE = 0.5
"""Share of the narrower station that must lie above or below the other one."""


def same_voxels(a: Stack, b: Stack) -> bool:
    """Say whether two volumes have voxels of one size."""
    return bool(np.allclose(a.station.grid.spacing_mm, b.station.grid.spacing_mm, rtol=0.01))


def neighbours(a: Stack, b: Stack) -> tuple[bool, bool]:
    """Say of two stacks whether they touch or overlap as neighbours do, and whether they are different places."""
    if a.projection or b.projection or not _parallel(a.station.grid, b.station.grid):
        return False, False
    one, two = box(a.station.grid), box(b.station.grid)
    shared = np.minimum(one[1], two[1]) - np.maximum(one[0], two[0])
    size = np.minimum(one[1] - one[0], two[1] - two[0])
    apart = shared[2] <= _MOST_OVERLAP * size[2]
    below = bool(np.all(shared[:2] > _LEAST_BESIDE * size[:2]))
    return bool(apart and below and shared[2] >= -_TOUCH_MM), bool(apart)


def same_place(a: Stack, b: Stack) -> bool:
    """Say whether two volumes of like directions lie in the same place, not one below the other."""
    if a.projection or b.projection or not _parallel(a.station.grid, b.station.grid):
        return False
    one, two = box(a.station.grid), box(b.station.grid)
    shared = np.minimum(one[1], two[1]) - np.maximum(one[0], two[0])
    return bool(np.all(shared > _MOST_OVERLAP * np.minimum(one[1] - one[0], two[1] - two[0])))


def _parallel(a: Grid, b: Grid) -> bool:
    one, two = _directions(a), _directions(b)
    return bool(np.all(np.sum(one * two, axis=0) > _SAME_DIRECTION))


def _directions(grid: Grid) -> NDArray[np.float64]:
    matrix = grid.lps_from_voxel[:3, :3]
    return np.asarray(matrix / np.linalg.norm(matrix, axis=0))


def box(grid: Grid) -> NDArray[np.float64]:
    """Lowest and highest LPS mm of the outer corners, shape (2, 3)."""
    corners = grid.corners_lps_mm()
    return np.stack([corners.min(axis=0), corners.max(axis=0)])
