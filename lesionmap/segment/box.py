"""The box of voxels around a click, and small tools on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.visits import station_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lesionmap.space import Grid, Volume
    from lesionmap.visits import Series

    Floats = NDArray[np.float32]
    Bools = NDArray[np.bool_]
    Voxel = tuple[int, ...]

__all__ = ["REACH_MM", "Box", "box_around", "connected", "near", "part_around"]

REACH_MM = 45.0
"""Half the side of the box that is looked at."""

_SIGMA_VOXELS = 0.45
_FINE_MM = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """A part of a volume, smoothed a little."""

    smooth: Floats
    grid: Grid
    """Of the box."""
    whole: Grid
    """Of the volume."""
    origin: tuple[int, int, int]
    """Voxel of the volume at which the box begins."""
    seed: Voxel
    """Voxel of the box that was clicked."""
    imaged: Bools
    """Voxels of the box that a station imaged."""

    def open_faces(self) -> Bools:
        """Give the voxels on those faces of the box beyond which the image goes on."""
        found = np.zeros(self.smooth.shape, dtype=bool)
        for axis, (first, n, whole) in enumerate(zip(self.origin, self.smooth.shape, self.whole.shape, strict=True)):
            ends = np.moveaxis(found, axis, 0)
            ends[0] |= first > 0
            ends[-1] |= first + n < whole
        return found


def box_around(volume: Volume, seed_lps_mm: ArrayLike, series: Series | None = None) -> Box:
    """Cut the box around a click out of a volume.

    ``series`` tells where none of its stations was: the 0 there is no signal.

    Raises
    ------
    LesionmapError
        If the click is not a point, or lies outside the image or where no station was.
    """
    point = np.asarray(seed_lps_mm, dtype=np.float64)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise LesionmapError(f"a click is three numbers in LPS mm, got {seed_lps_mm!r}")
    if not volume.grid.contains(point):
        corners = volume.grid.corners_lps_mm()
        raise LesionmapError(
            f"the click at {point.round(1).tolist()} LPS mm lies outside the image, which reaches from "
            f"{corners.min(axis=0).round(1).tolist()} to {corners.max(axis=0).round(1).tolist()}; click inside it"
        )
    centre = np.rint(volume.grid.voxels(point)).astype(int).clip(0, np.array(volume.grid.shape) - 1)
    reach = np.ceil(REACH_MM / np.array(volume.grid.spacing_mm)).astype(int)
    low = np.maximum(centre - reach, 0)
    high = np.minimum(centre + reach + 1, volume.grid.shape)
    i, j, k = low.tolist()
    ni, nj, nk = (high - low).tolist()
    grid = volume.grid.crop((i, j, k), (ni, nj, nk))
    local = np.asarray(volume.array[i : i + ni, j : j + nj, k : k + nk], dtype=np.float32)
    imaged = _imaged(series, grid, point)
    smooth = _smoothed(_continued(local, imaged, grid), grid)
    return Box(smooth, grid, volume.grid, (i, j, k), tuple((centre - low).tolist()), imaged)


def _imaged(series: Series | None, grid: Grid, seed_lps_mm: ArrayLike) -> Bools:
    """Say which voxels of the box a station of the Series imaged."""
    if series is None or len(series.stations) < 2:
        return np.ones(grid.shape, dtype=bool)
    if station_of(series, seed_lps_mm) < 0:
        raise LesionmapError("the click lies where no station of the series was imaged; click inside the image")
    return np.asarray(station_of(series, grid.lps(np.moveaxis(np.indices(grid.shape), 0, -1))) >= 0)


def _continued(local: Floats, imaged: Bools, grid: Grid) -> Floats:
    """Let the image go on as at its edge where nothing was imaged, so that the edge is not taken for a dark one."""
    if imaged.all():
        return local
    from scipy.ndimage import distance_transform_edt

    _, nearest = distance_transform_edt(~imaged, sampling=grid.spacing_mm, return_indices=True)
    return np.asarray(local[tuple(nearest)])


def _smoothed(local: Floats, grid: Grid) -> Floats:
    """Take the noise down a little, only along axes that are sampled finely (a thick slice is smooth already)."""
    from scipy.ndimage import gaussian_filter

    sigma = [_SIGMA_VOXELS if spacing < _FINE_MM else 0.0 for spacing in grid.spacing_mm]
    return np.asarray(gaussian_filter(local, sigma), dtype=np.float32)


def near(grid: Grid, voxel: Voxel, reach_mm: float) -> tuple[slice, ...]:
    """Give the part of a box within some mm of a voxel along each axis; one voxel at least."""
    reach = np.maximum(np.rint(reach_mm / np.array(grid.spacing_mm)).astype(int), 1)
    return tuple(slice(max(s - r, 0), s + r + 1) for s, r in zip(voxel, reach, strict=True))


def part_around(region: Bools, grid: Grid, margin_mm: float) -> tuple[slice, ...]:
    """Give the part of a box that holds a region with a margin."""
    places = np.argwhere(region)
    margin = np.ceil(margin_mm / np.array(grid.spacing_mm)).astype(int)
    low = np.maximum(places.min(axis=0) - margin, 0)
    high = np.minimum(places.max(axis=0) + margin + 1, region.shape)
    return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))


def connected(bright: NDArray[Any], here: Voxel) -> Bools:
    """Give the 26-connected region of bright voxels that holds one voxel, which is made bright."""
    from scipy.ndimage import label

    bright[here] = True
    labels, _ = label(bright, structure=np.ones((3, 3, 3), dtype=bool))
    return np.asarray(labels == labels[here])
