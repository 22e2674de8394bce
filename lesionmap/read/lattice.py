"""Values of a station on another lattice: a view where the lattices coincide, else linear, made where wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.space import off_lattice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionmap.space import Grid, Volume

__all__ = ["Piece", "placed"]

_ON_LATTICE = 0.02
"""Voxels by which a station may be off the lattice and still be copied, not resampled."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A station on the joined lattice. Nothing is resampled before it is asked for."""

    array: NDArray[Any]
    low: NDArray[np.int_]
    """Voxel of the joined grid at which it begins, shape (3,)."""
    size: NDArray[np.int_]
    """Number of voxels of the joined grid, shape (3,)."""
    station_from_joined: NDArray[np.float64] | None = None
    """4×4, voxels; None where the station's voxels are voxels of the joined grid."""

    def span(self, axis: int) -> tuple[int, int]:
        """Give where it begins and ends along an axis of the joined grid."""
        return int(self.low[axis]), int(self.low[axis] + self.size[axis])

    def values(self, part: Sequence[slice]) -> NDArray[Any]:
        """Give the values in a part of the joined grid that the piece fills; slices with start, stop and step."""
        starts, stops = np.array([s.start for s in part]), np.array([s.stop for s in part])
        steps = np.array([s.step or 1 for s in part])
        if self.station_from_joined is None:
            first, last = (starts - self.low).tolist(), (stops - self.low).tolist()
            return np.asarray(self.array[tuple(map(slice, first, last, steps.tolist()))])
        shape = np.maximum(-(-(stops - starts) // steps), 0).tolist()
        matrix = self.station_from_joined
        offset = matrix[:3, :3] @ starts + matrix[:3, 3]
        return _interpolated(self.array, matrix[:3, :3] * steps, offset, (shape[0], shape[1], shape[2]))


def placed(volume: Volume, grid: Grid) -> Piece:
    """Put a station on the joined lattice.

    Parameters
    ----------
    volume : Volume
        Of nearly the directions of ``grid``.
    grid : Grid
        The joined lattice, LPS mm.
    """
    low, size = grid.box_of(volume.grid)
    matrix = grid.voxel_from_lps @ volume.grid.lps_from_voxel
    if off_lattice(matrix, np.array(volume.grid.shape) - 1) <= 2 * _ON_LATTICE:
        return Piece(volume.array, low, size)
    return Piece(volume.array, low, size, np.asarray(np.linalg.inv(matrix), dtype=np.float64))


def _interpolated(
    array: NDArray[Any], matrix: NDArray[np.float64], offset: NDArray[np.float64], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Linear values of ``array`` at ``matrix @ voxel + offset``; axis by axis where the axes stay apart."""
    off_diagonal = np.abs(matrix - np.diag(np.diag(matrix))) @ np.array(shape)
    if off_diagonal.max() > _ON_LATTICE:
        from scipy.ndimage import affine_transform

        turned = affine_transform(
            array, matrix, offset, output_shape=shape, output=np.float32, order=1, mode="nearest", prefilter=False
        )
        return np.asarray(turned, dtype=np.float32)
    out = array
    for axis in np.argsort(np.array(shape) / array.shape):  # first where most is left out
        out = _along(out, int(axis), matrix[axis, axis] * np.arange(shape[axis]) + offset[axis])
    return np.asarray(out, dtype=np.float32)


def _along(array: NDArray[Any], axis: int, places: NDArray[np.float64]) -> NDArray[Any]:
    """Linear values at fractional places along one axis; places beyond the ends take the end."""
    last = array.shape[axis] - 1
    places = np.clip(places, 0, last)
    below = np.minimum(np.floor(places + 1e-6).astype(int), max(last - 1, 0))
    part = np.clip(places - below, 0, 1).astype(np.float32)
    lower = _rows(array, axis, below)
    if part.size == 0 or part.max() < 1e-5:
        return lower
    shape = [1, 1, 1]
    shape[axis] = len(places)
    part = part.reshape(shape)
    mixed = np.multiply(lower, 1 - part, dtype=np.float32)
    upper = _rows(array, axis, np.minimum(below + 1, last))
    mixed += np.multiply(upper, part, dtype=np.float32)
    return np.asarray(mixed)


def _rows(array: NDArray[Any], axis: int, wanted: NDArray[np.int_]) -> NDArray[Any]:
    """Rows of an array along an axis: a view where they follow each other, else a copy in the same memory order."""
    if len(wanted) and np.all(np.diff(wanted) == 1):
        first = int(wanted[0])
        rows = slice(first, first + len(wanted))
        return np.asarray(array[tuple(rows if x == axis else slice(None) for x in range(3))])
    return np.asarray(np.take(array.T, wanted, axis=2 - axis).T)
