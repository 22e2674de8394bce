"""Several stations into one volume: placed on one grid, matched in brightness, blended over their overlaps."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.read.lattice import Piece, placed
from lesionmap.read.match import match as matched
from lesionmap.read.pixels import station_pixels
from lesionmap.space import Grid, Volume, joining_axis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionmap.visits import Series

    Scale = tuple[float, float]
    """Gain and offset."""

__all__ = ["imaged", "join", "pixels"]

_NOT_MATCHED = ("phase", "field_map", "adc", "anisotropy", "fat_fraction", "t1_map", "t2_map", "t2_star_map")
_SAMPLES = 60_000
_ROWS = 24
"""Rows made at a time, so that little but the stations and the joined volume is ever held."""


def pixels(series: Series) -> Volume:
    """Read the pixels of a Series; several stations are joined into one volume.

    Parameters
    ----------
    series : Series
        As :func:`lesionmap.read.scan` made it.

    Returns
    -------
    Volume
        On ``series.grid`` (LPS mm), indexed [i, j, k]; 0 where no station was (see :func:`imaged`). Stations of whole
        numbers give whole numbers.

    Raises
    ------
    LesionmapError
        If a file is not there, has changed, or cannot be decoded; if the series has no images.
    """
    if not series.stations:
        raise LesionmapError(f"series {series.name} has no images to read; import the visit's images again")
    if len(series.stations) == 1:
        return station_pixels(series.stations[0], series.projection)
    volumes = [station_pixels(station) for station in series.stations]
    quantitative = series.modality != "MR" or any(word in _NOT_MATCHED for word in series.kind)
    return Volume(join(volumes, series.grid, match=not quantitative, blend="phase" not in series.kind), series.grid)


def imaged(series: Series) -> Volume:
    """Say of every voxel of a Series whether a station imaged it; from the grids alone, no file is opened.

    Parameters
    ----------
    series : Series
        Of one or several stations.

    Returns
    -------
    Volume of bool
        On ``series.grid``. For single points :func:`lesionmap.read.station_of` is cheaper.
    """
    array = np.zeros(series.grid.shape[::-1], dtype=bool).T
    for low, size in (series.grid.box_of(station.grid) for station in series.stations):
        array[tuple(map(slice, low.tolist(), (low + size).tolist()))] = True
    return Volume(array, series.grid, series.projection)


def join(volumes: Sequence[Volume], grid: Grid, *, match: bool = True, blend: bool = True) -> NDArray[Any]:
    """Join stations on one grid.

    Parameters
    ----------
    volumes : sequence of Volume
        From head to foot, of nearly the directions of ``grid``.
    grid : Grid
        That covers them all, LPS mm.
    match : bool
        Bring the brightness of each station to its neighbour's, by a robust gain and, where it is sure, an offset in
        their overlap, from the middle station outwards.
    blend : bool
        Weight by the distance to the station's end; else the station whose end is farther is taken.

    Returns
    -------
    ndarray
        Shape of ``grid``; the type of the stations where they share one of whole numbers, else float32.
    """
    pieces = [placed(volume, grid) for volume in volumes]
    axis = joining_axis([(piece.low, piece.size) for piece in pieces])
    scales = _scales(pieces) if match else [(1.0, 0.0)] * len(pieces)
    kinds = {volume.array.dtype for volume in volumes}
    kind = kinds.pop() if len(kinds) == 1 else np.dtype(np.float32)
    out = np.zeros(grid.shape[::-1], dtype=kind if kind.kind in "iu" else np.float32).T
    ends = {edge for piece in pieces for edge in piece.span(axis)}
    for start, stop in pairwise(sorted(ends | set(range(min(ends), max(ends), _ROWS)))):
        inside = [n for n, piece in enumerate(pieces) if piece.span(axis)[0] <= start and stop <= piece.span(axis)[1]]
        if len(inside) == 1:
            _copy(out, pieces[inside[0]], scales[inside[0]], axis, (start, stop))
        elif inside:
            chosen = [(pieces[n], scales[n]) for n in inside]
            _mix(out, chosen, axis, (start, stop), blend=blend)
    return out


def _scales(pieces: Sequence[Piece]) -> list[Scale]:
    """Gain and offset that bring each station to the brightness of the middle one, neighbour by neighbour."""
    scales: list[Scale] = [(1.0, 0.0)] * len(pieces)
    levels = [_level(piece) for piece in pieces]
    middle = len(pieces) // 2
    steps = [*((n - 1, n) for n in range(middle + 1, len(pieces))), *((n + 1, n) for n in range(middle - 1, -1, -1))]
    for known, other in steps:
        gain, offset = _compared(pieces[known], pieces[other], (levels[known], levels[other]))
        before_gain, before_offset = scales[known]
        scales[other] = (before_gain * gain, before_gain * offset + before_offset)
    return scales


def _level(piece: Piece) -> float:
    """Bright level of a station: 95th percentile of a thinned array."""
    stride = _stride(piece.array.size)
    return float(np.nanpercentile(piece.array[::stride, ::stride, ::stride], 95))


def _stride(n: int) -> int:
    """Stride along all axes that leaves no more than ``_SAMPLES`` of n voxels, or little more."""
    return max(1, ceil(float(np.cbrt(n / _SAMPLES))))


def _compared(known: Piece, other: Piece, levels: tuple[float, float]) -> Scale:
    """Gain and offset between two stations from a sample of their overlap; (1, 0) where they have none."""
    low, high = np.maximum(known.low, other.low), np.minimum(known.low + known.size, other.low + other.size)
    if np.any(high <= low):
        return 1.0, 0.0
    stride = _stride(int(np.prod(high - low)))
    part = [slice(a, b, stride) for a, b in zip(low.tolist(), high.tolist(), strict=True)]
    one, two = (piece.values(part).astype(np.float32).ravel() for piece in (known, other))
    return matched(one, two, levels)


def _window(piece: Piece, axis: int, ends: tuple[int, int]) -> tuple[slice, ...]:
    """Where rows ``ends`` of a piece lie in the joined array."""
    return tuple(slice(*ends) if x == axis else slice(*piece.span(x)) for x in range(3))


def _copy(out: NDArray[Any], piece: Piece, scale: Scale, axis: int, ends: tuple[int, int]) -> None:
    there = _window(piece, axis, ends)
    values = piece.values(there)
    if scale == (1.0, 0.0) and (out.dtype.kind == "f" or values.dtype == out.dtype):
        out[there] = values
    else:
        out[there] = _stored(_scaled(values, scale), out.dtype)


def _scaled(values: NDArray[Any], scale: Scale) -> NDArray[Any]:
    scaled = values * np.float32(scale[0])
    if scale[1]:
        scaled += np.float32(scale[1])
    return np.asarray(scaled)


def _mix(
    out: NDArray[Any], chosen: Sequence[tuple[Piece, Scale]], axis: int, ends: tuple[int, int], *, blend: bool
) -> None:
    """Weight the stations over rows where several lie; beside the narrower ones the others stand alone."""
    shape = list(out.shape)
    shape[axis] = ends[1] - ends[0]
    total = np.zeros(shape[::-1], dtype=np.float32).T
    weight = np.zeros_like(total)
    rows = np.arange(*ends, dtype=np.float32)
    distances = [np.minimum(rows - p.span(axis)[0] + 1, p.span(axis)[1] - rows) for p, _ in chosen]
    nearest = np.argmax(distances, axis=0)
    for n, (piece, scale) in enumerate(chosen):
        there = _window(piece, axis, ends)
        window = tuple(slice(None) if x == axis else part for x, part in enumerate(there))
        ramp = distances[n] if blend else np.where(nearest == n, np.float32(1), np.float32(1e-6))
        ramp = ramp.reshape([-1 if x == axis else 1 for x in range(3)])
        total[window] += _scaled(piece.values(there), scale) * ramp
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
