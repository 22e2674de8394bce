"""Several stations into one volume: placed on one grid, matched in brightness, blended over their overlaps."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.read.pixels import station_pixels
from lesionmap.space import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionmap.visits import Series

__all__ = ["join", "pixels"]

_ON_LATTICE = 0.02
"""Voxels by which a station may be off the lattice and still be copied, not resampled."""
_NOT_MATCHED = ("phase", "field_map", "adc", "anisotropy", "fat_fraction", "t1_map", "t2_map", "t2_star_map")
_MOST_GAIN = 8.0
_LEAST_VOXELS = 64
_SAMPLES = 200_000


@dataclass(frozen=True, slots=True)
class _Piece:
    """A station on the joined lattice."""

    array: NDArray[Any]
    low: tuple[int, int, int]
    """Voxel of the joined grid at which it begins."""

    def span(self, axis: int) -> tuple[int, int]:
        return self.low[axis], self.low[axis] + self.array.shape[axis]


def pixels(series: Series) -> Volume:
    """Read the pixels of a Series; several stations are joined into one volume.

    Parameters
    ----------
    series : Series
        As :func:`lesionmap.read.scan` made it.

    Returns
    -------
    Volume
        On ``series.grid`` (LPS mm), indexed [i, j, k]; 0 where no station was. Stations of whole numbers give whole
        numbers.

    Raises
    ------
    LesionmapError
        If a file is not there, has changed, or cannot be decoded.
    """
    if len(series.stations) == 1:
        return station_pixels(series.stations[0], series.projection)
    volumes = [station_pixels(station) for station in series.stations]
    quantitative = series.modality != "MR" or any(word in _NOT_MATCHED for word in series.kind)
    return Volume(join(volumes, series.grid, match=not quantitative, blend="phase" not in series.kind), series.grid)


def join(volumes: Sequence[Volume], grid: Grid, *, match: bool = True, blend: bool = True) -> NDArray[Any]:
    """Join stations on one grid.

    Parameters
    ----------
    volumes : sequence of Volume
        From head to foot, of nearly the directions of ``grid``.
    grid : Grid
        That covers them all, LPS mm.
    match : bool
        Bring the brightness of each station to its neighbour's, by the median ratio in their overlap, from the middle
        station outwards.
    blend : bool
        Weight by the distance to the station's end; else the station whose end is farther is taken.

    Returns
    -------
    ndarray
        Shape of ``grid``; the type of the stations where they share one of whole numbers, else float32.
    """
    pieces = [_placed(volume, grid) for volume in volumes]
    axis = _joining_axis(pieces)
    gains = _gains(pieces) if match else [1.0] * len(pieces)
    kinds = {volume.array.dtype for volume in volumes}
    kind = kinds.pop() if len(kinds) == 1 else np.dtype(np.float32)
    out = np.zeros(grid.shape[::-1], dtype=kind if kind.kind in "iu" else np.float32).T
    edges = sorted({edge for piece in pieces for edge in piece.span(axis)})
    for start, stop in pairwise(edges):
        inside = [n for n, piece in enumerate(pieces) if piece.span(axis)[0] <= start and stop <= piece.span(axis)[1]]
        if len(inside) == 1:
            _copy(out, pieces[inside[0]], gains[inside[0]], axis, (start, stop))
        elif inside:
            chosen = [(pieces[n], gains[n]) for n in inside]
            _mix(out, chosen, axis, (start, stop), blend=blend)
    return out


def _placed(volume: Volume, grid: Grid) -> _Piece:
    """Bring a station onto the joined lattice: a plain copy where the lattices coincide, else linear."""
    matrix = grid.voxel_from_lps @ volume.grid.lps_from_voxel
    low = np.rint(matrix[:3, 3]).astype(int)
    far = np.array(volume.grid.shape) - 1
    drift = np.abs((matrix[:3, :3] - np.eye(3)) * far).sum(axis=1) + np.abs(matrix[:3, 3] - low)
    if drift.max() <= _ON_LATTICE * 2:
        return _Piece(volume.array, (int(low[0]), int(low[1]), int(low[2])))
    return _resampled(volume, grid, matrix)


def _resampled(volume: Volume, grid: Grid, matrix: NDArray[np.float64]) -> _Piece:
    """Resample over the part of the grid whose voxel centres lie inside the station."""
    far = np.array(volume.grid.shape) - 1
    ends = np.stack([matrix[:3, 3], matrix[:3, :3] @ far + matrix[:3, 3]])
    low = np.maximum(np.ceil(ends.min(axis=0) - _ON_LATTICE).astype(int), 0)
    high = np.minimum(np.floor(ends.max(axis=0) + _ON_LATTICE).astype(int), np.array(grid.shape) - 1)
    thin = low > high  # a single slice between two slices of the lattice goes to the nearer one
    low[thin] = high[thin] = np.clip(np.rint(ends.mean(axis=0)).astype(int), 0, np.array(grid.shape) - 1)[thin]
    shape = (high - low + 1).tolist()
    back = np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    offset = back[:3, :3] @ low + back[:3, 3]
    i, j, k = low.tolist()
    return _Piece(_interpolated(volume.array, back[:3, :3], offset, (shape[0], shape[1], shape[2])), (i, j, k))


def _interpolated(
    array: NDArray[Any], matrix: NDArray[np.float64], offset: NDArray[np.float64], shape: tuple[int, int, int]
) -> NDArray[np.float32]:
    """Linear values of ``array`` at ``matrix @ voxel + offset``; axis by axis where the axes stay apart."""
    off_diagonal = np.abs(matrix - np.diag(np.diag(matrix))) @ np.array(shape)
    if off_diagonal.max() > _ON_LATTICE:
        from scipy.ndimage import affine_transform

        turned = affine_transform(
            array.astype(np.float32), matrix, offset, output_shape=shape, order=1, mode="nearest", prefilter=False
        )
        return np.asarray(turned, dtype=np.float32)
    out = array
    for axis in range(3):
        out = _along(out, axis, matrix[axis, axis] * np.arange(shape[axis]) + offset[axis])
    return np.asarray(out, dtype=np.float32)


def _along(array: NDArray[Any], axis: int, places: NDArray[np.float64]) -> NDArray[Any]:
    """Linear values at fractional places along one axis; places beyond the ends take the end."""
    last = array.shape[axis] - 1
    places = np.clip(places, 0, last)
    below = np.minimum(np.floor(places + 1e-6).astype(int), max(last - 1, 0))
    part = np.clip(places - below, 0, 1).astype(np.float32)
    lower = _rows(array, axis, below)
    if part.max() < 1e-5:
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
    first, n = int(wanted[0]), len(wanted)
    if int(wanted[-1]) - first == n - 1 and np.all(np.diff(wanted) == 1):
        return np.asarray(array[tuple(slice(first, first + n) if x == axis else slice(None) for x in range(3))])
    return np.asarray(np.take(array.T, wanted, axis=2 - axis).T)


def _joining_axis(pieces: Sequence[_Piece]) -> int:
    """Array axis along which the stations follow each other."""
    middles = np.array([[sum(piece.span(axis)) / 2 for axis in range(3)] for piece in pieces])
    return int(np.argmax(np.ptp(middles, axis=0)))


def _gains(pieces: Sequence[_Piece]) -> list[float]:
    """Factor that brings each station to the brightness of the middle one, neighbour by neighbour."""
    gains = [1.0] * len(pieces)
    middle = len(pieces) // 2
    for n in range(middle + 1, len(pieces)):
        gains[n] = gains[n - 1] * _ratio(pieces[n - 1], pieces[n])
    for n in range(middle - 1, -1, -1):
        gains[n] = gains[n + 1] * _ratio(pieces[n + 1], pieces[n])
    return gains


def _ratio(known: _Piece, other: _Piece) -> float:
    """Median ratio of two stations where both see tissue in their overlap; 1 where that is too little to tell."""
    shared = [(max(a[0], b[0]), min(a[1], b[1])) for a, b in ((known.span(x), other.span(x)) for x in range(3))]
    if any(stop <= start for start, stop in shared):
        return 1.0
    count = np.prod([stop - start for start, stop in shared], dtype=float)
    stride = max(1, int((count / _SAMPLES) ** (1 / 3)))
    one, two = (
        piece.array[tuple(slice(a - low, b - low, stride) for (a, b), low in zip(shared, piece.low, strict=True))]
        .astype(np.float32)
        .ravel()
        for piece in (known, other)
    )
    bright = np.sqrt(np.clip(one, 0, None) * np.clip(two, 0, None))
    tissue = bright > 0.5 * float(bright.mean())
    if np.count_nonzero(tissue) < _LEAST_VOXELS:
        return 1.0
    return float(np.clip(np.median(one[tissue] / two[tissue]), 1 / _MOST_GAIN, _MOST_GAIN))


def _window(piece: _Piece, axis: int, ends: tuple[int, int]) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where rows ``ends`` of a piece lie, in the joined array and in the piece."""
    there = [slice(*piece.span(x)) for x in range(3)]
    here = [slice(0, n) for n in piece.array.shape]
    there[axis] = slice(*ends)
    here[axis] = slice(ends[0] - piece.low[axis], ends[1] - piece.low[axis])
    return tuple(there), tuple(here)


def _copy(out: NDArray[Any], piece: _Piece, gain: float, axis: int, ends: tuple[int, int]) -> None:
    there, here = _window(piece, axis, ends)
    values = piece.array[here]
    if gain == 1.0 and (out.dtype.kind == "f" or values.dtype == out.dtype):
        out[there] = values
    else:
        out[there] = _stored(values * np.float32(gain), out.dtype)


def _mix(
    out: NDArray[Any], chosen: Sequence[tuple[_Piece, float]], axis: int, ends: tuple[int, int], *, blend: bool
) -> None:
    """Weight the stations over rows where several lie; beside the narrower ones the others stand alone."""
    shape = list(out.shape)
    shape[axis] = ends[1] - ends[0]
    total = np.zeros(shape[::-1], dtype=np.float32).T
    weight = np.zeros_like(total)
    rows = np.arange(*ends, dtype=np.float32)
    distances = [np.minimum(rows - p.span(axis)[0] + 1, p.span(axis)[1] - rows) for p, _ in chosen]
    nearest = np.argmax(distances, axis=0)
    for n, (piece, gain) in enumerate(chosen):
        there, here = _window(piece, axis, ends)
        window = tuple(slice(None) if x == axis else part for x, part in enumerate(there))
        ramp = distances[n] if blend else np.where(nearest == n, np.float32(1), np.float32(1e-6))
        ramp = ramp.reshape([-1 if x == axis else 1 for x in range(3)])
        total[window] += piece.array[here] * (ramp * np.float32(gain))
        weight[window] += ramp
    there = tuple(slice(*ends) if x == axis else slice(None) for x in range(3))
    np.divide(total, weight, out=total, where=weight > 0)
    out[there] = _stored(total, out.dtype)


def _stored(values: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    """Round to whole numbers of the type wanted, never over its ends."""
    if kind.kind == "f":
        return values
    limits = np.iinfo(kind)
    np.rint(values, out=values)
    return np.clip(values, limits.min, limits.max, out=values).astype(kind)
