"""Whether two stations show the same body where they overlap: asked of the pixels, at low resolution.

Coordinates are a claim of the scanner. Where stations overlap the pixels can confirm it: row by row across the overlap
the two images must correlate, and no shift along the body may fit much better than none. Rows are compared each by
itself, so the signal that fades towards the end of a station does not count; only voxels that are tissue in one of the
two do, so that air around the body proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.read.lattice import placed
from lesionmap.read.nifti import is_nifti
from lesionmap.read.pixels import station_pixels
from lesionmap.space import Grid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lesionmap.read.stack import Stack
    from lesionmap.space import Volume
    from lesionmap.visits import Station

    Floats = NDArray[np.float32]

__all__ = ["UNREAD", "Overlaps", "Verdict"]

UNREAD = "their pixels cannot be read to compare"
"""Why nothing was told where files are damaged."""

_STEP_MM = 4.0
"""Distance of the rows that are compared."""
_PLACE_MM = 8.0
"""Distance of the places in a row."""
_SLICE_MM = 12.0
"""Slices that hold the body lengthwise are read this far apart at least."""
_REACH_MM = 40.0
"""How far along the body a better fit is looked for."""
_LEAST_MM = 12.0
"""An overlap less deep than this proves nothing; a better fit nearer than this is distortion, not another place."""
_TISSUE = 0.2
"""Share of the bright level above which a voxel is tissue."""
_LEAST_PLACES = 24
"""Tissue voxels that make a row."""
_LEAST_ROWS = 3
_SAME = 0.6
"""Median correlation of the rows from which on two stations show the same."""
_SURE_ELSEWHERE = (0.8, 0.4)
"""Correlation that a shift must reach, and the share of the misfit that it may leave, to speak against no shift."""
_NOT_COMPARED = ("phase", "real", "imaginary", "field_map", "adc", "anisotropy", "t1_map", "t2_map", "t2_star_map")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the overlap of two stations says of their coordinates."""

    joins: bool
    correlation: float | None = None
    """None where the overlap cannot tell; their coordinates then decide."""
    why: str = ""
    """Why they are not joined, or why nothing could be told."""


class Overlaps:
    """The overlaps of the stations of a visit, each looked at once.

    A verdict is about the places of two acquisitions: echoes, parts and b-values of one series share it, and a phase
    image, whose values do not compare, has that of its magnitude.
    """

    def __init__(self, stacks: Sequence[Stack]) -> None:
        self._stacks = tuple(stacks)
        self._known: dict[tuple[Station, Station], Verdict] = {}

    def verdict(self, a: Stack, b: Stack) -> Verdict:
        """Say whether two stations may be joined.

        Parameters
        ----------
        a, b : Stack
            Neighbours by their coordinates.
        """
        one, two = self._compared(a), self._compared(b)
        if one is None or two is None:
            return Verdict(joins=True, why="images of this kind do not compare")
        key = (one.station, two.station)
        if key not in self._known:
            self._known[key] = self._known[key[::-1]] = _looked_at(*key)
        return self._known[key]

    def _compared(self, stack: Stack) -> Stack | None:
        """Give the volume of the same acquisition and place whose values compare best; None where there is none."""
        mine = stack.station
        home = mine.grid.lps_from_voxel.copy()
        home[2, 3] -= mine.moved_mm
        same = [
            other
            for other in self._stacks
            if other.station.series_uid == mine.series_uid
            and other.station.grid.shape == mine.grid.shape
            and np.allclose(other.station.grid.lps_from_voxel, home, rtol=0, atol=1e-6)
            and (mine.series_uid or other.station.files == mine.files)
            and not set(other.kind) & set(_NOT_COMPARED)
        ]
        best = min(same, key=lambda x: (x.echo_ms or 0.0, len(x.kind), x.kind), default=None)
        return None if best is None else replace(best, station=replace(best.station, grid=mine.grid))


def _looked_at(one: Station, two: Station) -> Verdict:
    """Compare two stations; what cannot be read or is too little leaves the decision to the coordinates."""
    made = _lattice(one.grid, two.grid)
    if made is None:
        return Verdict(joins=True, why="they overlap too little to compare")
    lattice, body = made
    try:
        a, b = (_rows(_thinned(station, lattice, body), lattice, body) for station in (one, two))
    except LesionmapError:
        return Verdict(joins=True, why=UNREAD)
    reach = int(_REACH_MM / _STEP_MM)
    found = {step: fit for step in range(-reach, reach + 1) if (fit := _correlation(a, b, step)) is not None}
    if 0 not in found:
        return Verdict(joins=True, why="too little tissue in their overlap to compare")
    return _judged(found)


def _judged(found: Mapping[int, float]) -> Verdict:
    """Judge by the correlation at no shift, and by those at shifts of whole steps along the body."""
    here, best = found[0], max(found, key=lambda step: found[step])
    off = abs(best) * _STEP_MM
    sure = found[best] >= _SURE_ELSEWHERE[0] and 1 - found[best] < _SURE_ELSEWHERE[1] * (1 - here)
    if here < _SAME:
        return Verdict(joins=False, correlation=here, why="they do not show the same where they overlap")
    if sure and off >= _LEAST_MM:
        return Verdict(joins=False, correlation=here, why=f"they fit better {off:.0f} mm apart along the body")
    return Verdict(joins=True, correlation=here)


def _lattice(one: Grid, two: Grid) -> tuple[Grid, int] | None:
    """Give a coarse grid over the overlap and ``_REACH_MM`` beyond it, and its axis that runs along the body.

    None where the overlap is too little.
    """
    directions = one.lps_from_voxel[:3, :3] / one.spacing_mm
    body = int(np.argmax(np.abs(directions[2])))
    ends = [grid.corners_lps_mm() @ directions for grid in (one, two)]
    lows, highs = np.array([e.min(axis=0) for e in ends]), np.array([e.max(axis=0) for e in ends])
    low, high = lows.max(axis=0), highs.min(axis=0)
    if high[body] - low[body] < _LEAST_MM or np.any(high <= low):
        return None
    low[body] = max(low[body] - _REACH_MM, lows[:, body].min())
    high[body] = min(high[body] + _REACH_MM, highs[:, body].max())
    steps = np.full(3, _PLACE_MM)
    steps[body] = _STEP_MM
    shape = np.maximum(((high - low) / steps).astype(int), 1).tolist()
    matrix = np.eye(4)
    matrix[:3, :3] = directions * steps
    matrix[:3, 3] = directions @ (low + steps / 2)
    return Grid((shape[0], shape[1], shape[2]), matrix), body


def _thinned(station: Station, lattice: Grid, body: int) -> Volume:
    """Read no more slices of a station than are needed: those at the overlap, or some of those through it."""
    n = station.grid.shape[2]
    stride = max(1, int((_STEP_MM if body == 2 else _SLICE_MM) / station.grid.spacing_mm[2]))
    reach = station.grid.voxels(lattice.corners_lps_mm())[:, 2]
    first, last = max(0, int(reach.min()) - 1), min(n, int(np.ceil(reach.max())) + 2)
    if (stride == 1 and last - first == n) or last <= first or is_nifti(station.files[0].path):
        return station_pixels(station)
    # Each kept slice is looked up by itself: where its pixels begin is known only beside the station's first file.
    slices = [replace(file, frames=frames, offset=0) for file in station.files for frames in _single(file.frames)]
    kept = tuple(slices[first:last:stride])
    matrix = station.grid.lps_from_voxel.copy()
    matrix[:3, 3] += matrix[:3, 2] * first
    matrix[:3, 2] *= stride
    grid = Grid((station.grid.shape[0], station.grid.shape[1], len(kept)), matrix)
    return station_pixels(replace(station, grid=grid, files=kept))


def _single(frames: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [(frame,) for frame in frames] or [()]


@dataclass(frozen=True, slots=True)
class _Rows:
    """A station on the coarse lattice."""

    values: Floats
    """Shape (rows along the body, places); NaN where the station does not reach."""
    tissue: float
    """Level above which a value is tissue."""


def _rows(volume: Volume, lattice: Grid, body: int) -> _Rows:
    """Bring a station onto the coarse lattice; each value is the mean of eight places, as noise must not speak."""
    matrix = lattice.lps_from_voxel.copy()
    matrix[:3, 3] -= matrix[:3, :3] @ np.full(3, 0.25)
    matrix[:3, :3] /= 2
    nx, ny, nz = lattice.shape
    fine = Grid((2 * nx, 2 * ny, 2 * nz), matrix)
    piece = placed(volume, fine)
    window = tuple(map(slice, piece.low.tolist(), (piece.low + piece.size).tolist()))
    array = np.full(fine.shape, np.nan, dtype=np.float32)
    array[window] = piece.values(window)
    coarse = array.reshape(nx, 2, ny, 2, nz, 2).mean(axis=(1, 3, 5))
    stride = max(1, int((volume.array.size / 60_000) ** (1 / 3)))
    level = float(np.nanpercentile(volume.array[::stride, ::stride, ::stride], 95))
    return _Rows(np.moveaxis(coarse, body, 0).reshape(lattice.shape[body], -1), _TISSUE * level)


def _correlation(one: _Rows, two: _Rows, step: int) -> float | None:
    """Give the median correlation of the rows of two stations, one of them shifted; None if too little is tissue."""
    n = len(one.values) - abs(step)
    a, b = one.values[max(-step, 0) :][:n], two.values[max(step, 0) :][:n]
    with np.errstate(invalid="ignore"):
        used = ((a > one.tissue) | (b > two.tissue)) & np.isfinite(a) & np.isfinite(b)
    count = used.sum(axis=1)
    enough = count >= _LEAST_PLACES
    if np.count_nonzero(enough) < _LEAST_ROWS:
        return None
    a, b, used, count = a[enough], b[enough], used[enough], count[enough]
    x, y = (_centred(values, used, count) for values in (a, b))
    spread = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return float(np.median((x * y).sum(axis=1) / np.maximum(spread, 1e-12)))


def _centred(values: Floats, used: NDArray[np.bool_], count: NDArray[np.int_]) -> Floats:
    """Take the mean of each row's used values away; what is not used is 0."""
    kept = np.where(used, values, 0)
    return np.where(used, kept - (kept.sum(axis=1) / count)[:, np.newaxis], 0)
