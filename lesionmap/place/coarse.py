"""An image made coarse: isotropic, along the patient's axes, of even brightness; and which of it is body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.space import Grid, Volume, resample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = ["body_mask", "coarse", "lattice", "part_of", "values_at"]

_BRIGHT = 97.0  # percentile of the body's brightness above which all is alike: urine, cerebrospinal fluid (assumed)
_LEAST_BODY_ML = 200.0  # less is no part of a child's body (assumed)


def lattice(image: Volume, step_mm: float) -> Volume:
    """Bring an image onto a lattice along x, y, z with steps of ``step_mm``; 0 outside of it.

    Parameters
    ----------
    image : Volume
        In any orientation.
    step_mm : float
        Voxels finer than this are averaged.
    """
    thin = _thinned(image, step_mm)
    corners = thin.grid.corners_lps_mm()
    low, high = corners.min(axis=0), corners.max(axis=0)
    counts = np.maximum(np.floor((high - low) / step_mm + 1e-6), 1).astype(int)
    matrix = np.diag([step_mm, step_mm, step_mm, 1.0])
    matrix[:3, 3] = (low + high) / 2 - (counts - 1) * step_mm / 2
    return resample(thin, Grid((int(counts[0]), int(counts[1]), int(counts[2])), matrix))


def _thinned(image: Volume, step_mm: float) -> Volume:
    """Average blocks of voxels, so that nothing between the coarse ones is lost."""
    array, matrix = image.array, image.grid.lps_from_voxel.copy()
    for axis, spacing in enumerate(image.grid.spacing_mm):
        factor = max(int(step_mm / spacing + 0.25), 1)
        count = array.shape[axis] // factor
        if factor == 1 or count < 2:
            continue
        kept = np.moveaxis(array, axis, 0)[: count * factor]
        blocks = kept.reshape(count, factor, *kept.shape[1:])
        array = np.moveaxis(blocks.mean(axis=1, dtype=np.float32), 0, axis)
        matrix[:3, 3] += matrix[:3, axis] * (factor - 1) / 2
        matrix[:3, axis] *= factor
    array = np.nan_to_num(np.asarray(array, dtype=np.float32), posinf=0.0, neginf=0.0)
    return Volume(array, Grid((array.shape[0], array.shape[1], array.shape[2]), matrix))


def coarse(image: Volume, step_mm: float) -> Volume:
    """Give an image on a coarse lattice, its brightness from 0 to 1.

    The square root evens out the surface coils; bright fluid is cut.

    Raises
    ------
    LesionmapError
        If all voxels are equal.
    """
    found = lattice(image, step_mm)
    lit = found.array[found.array > 0.05 * np.percentile(found.array, 99.0)]
    top = float(np.percentile(lit, _BRIGHT)) if len(lit) else 0.0
    if not top > 0 or not np.nanmax(image.array) > np.nanmin(image.array):
        raise LesionmapError("an image of a body was expected, all voxels of this one are equal; choose another image")
    return Volume(np.sqrt(np.clip(found.array / top, 0.0, 1.0)).astype(np.float32), found.grid)


def body_mask(image: Volume) -> Mask:
    """Say which voxels of a coarse image are body: brighter than air (Otsu), connected, with what they enclose.

    Raises
    ------
    LesionmapError
        If nothing of a body's size stands out from the air.
    """
    from scipy.ndimage import binary_fill_holes, binary_opening, gaussian_filter, label
    from skimage.filters import threshold_otsu

    smooth = gaussian_filter(image.array, 0.7)
    # Twice: the first threshold may part bright fluid from the rest, the second one is sought below it.
    first = threshold_otsu(smooth)
    second = threshold_otsu(smooth[smooth < first]) if (smooth < first).any() else first
    pieces, count = label(smooth > max(0.5 * first, second))
    sizes = np.bincount(pieces.ravel(), minlength=2)[1:]
    found = np.isin(pieces, np.flatnonzero(sizes > 0.01 * sizes.max()) + 1) if count else np.zeros(pieces.shape, bool)
    core = binary_opening(found, np.ones([min(n, 3) for n in found.shape]))  # noise has none
    solid = core.sum() >= 0.5 * found.sum()
    for axis in range(3):
        planes = np.moveaxis(found, axis, 0)
        if min(planes.shape[1:]) > 1:
            found = np.moveaxis(np.stack([binary_fill_holes(plane) for plane in planes]), 0, axis)
    if found.sum() * image.grid.voxel_volume_ml < _LEAST_BODY_ML or not solid:
        raise LesionmapError("a body brighter than the air around it was expected, none was found; place by landmarks")
    return np.asarray(found)


def part_of(volume: Volume, points: Array, margin_mm: float) -> Volume:
    """Give the part of a volume around points (n, 3), LPS mm."""
    near = volume.grid.voxels(np.stack([points.min(axis=0) - margin_mm, points.max(axis=0) + margin_mm]))
    low = np.clip(np.floor(near.min(axis=0)).astype(int), 0, np.array(volume.grid.shape) - 2)
    high = np.clip(np.ceil(near.max(axis=0)).astype(int) + 1, low + 2, volume.grid.shape)
    i, j, k = (int(n) for n in low)
    size = high - low
    grid = volume.grid.crop((i, j, k), (int(size[0]), int(size[1]), int(size[2])))
    return Volume(volume.array[i : high[0], j : high[1], k : high[2]], grid)


def values_at(image: Volume, points: Array) -> NDArray[Any]:
    """Give the values of an image at points (n, 3), LPS mm, linear between voxels; NaN outside."""
    from scipy.ndimage import map_coordinates

    return np.asarray(map_coordinates(image.array, image.grid.voxels(points).T, order=1, cval=np.nan))
