"""Painted slices become a body: shape interpolation between them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]
    Array = NDArray[np.float64]

__all__ = ["fill_between"]


def fill_between(mask: Mask, *, axis: int | None = None) -> Mask:
    """Fill the slices between painted ones.

    Between two painted slices the outline goes over from the one to the other: their signed distances (mm, negative
    inside), each moved so that the middles lie on the line between both, are averaged by the distance to the slices
    (shape-based interpolation, Raya and Udupa 1990). Painted slices are left as they are.

    Parameters
    ----------
    mask : Mask
        Painted on some slices.
    axis : int, optional
        Array axis through the slices. By default the one along which painted slices have gaps; where these are
        several, that of the largest spacing.

    Returns
    -------
    Mask
        With nothing to fill, equal to the one given.

    Raises
    ------
    LesionmapError
        If the axis is not 0, 1 or 2.
    """
    if axis is not None and axis not in (0, 1, 2):
        raise LesionmapError(f"slices lie along array axis 0, 1 or 2, got {axis}")
    along = _gap_axis(mask) if axis is None else axis
    if along is None:
        return mask
    spacing = np.delete(np.array(mask.grid.spacing_mm), along)
    slices = np.moveaxis(mask.box.copy(), along, 0)
    painted = np.flatnonzero(slices.any(axis=(1, 2))).tolist()
    for first, last in pairwise(painted):
        for n in range(first + 1, last):
            slices[n] = _between(slices[first], slices[last], (n - first) / (last - first), spacing)
    return Mask.of_voxels(np.argwhere(np.moveaxis(slices, 0, along)) + mask.origin, mask.grid)


def _gap_axis(mask: Mask) -> int | None:
    """Give the axis along which empty slices lie between painted ones; None: there is none."""
    gaps = [a for a in range(3) if not mask.box.any(axis=tuple(b for b in range(3) if b != a)).all()]
    return max(gaps, key=lambda a: mask.grid.spacing_mm[a], default=None)


def _between(one: Bools, other: Bools, share: float, spacing_mm: Array) -> Bools:
    """Give the outline ``share`` of the way from one slice to another."""
    middles = [np.argwhere(painted).mean(axis=0) for painted in (one, other)]
    middle = (1 - share) * middles[0] + share * middles[1]
    found = np.zeros(one.shape)
    for painted, weight, own in ((one, 1 - share, middles[0]), (other, share, middles[1])):
        found += weight * _moved(painted, middle - own, spacing_mm)
    return np.asarray(found < 0)


def _moved(painted: Bools, step: Array, spacing_mm: Array) -> Array:
    """Give the signed distance to the outline of a slice that is moved by some voxels; its border is no limit."""
    from scipy.ndimage import distance_transform_edt, shift

    margin = int(np.ceil(np.abs(step).max())) + 2
    wide = np.pad(painted, margin)
    # Half a voxel from the centres on either side of an outline lies the outline itself.
    inside, outside = (distance_transform_edt(x, sampling=spacing_mm) for x in (wide, ~wide))
    moved = shift(outside - inside, step, order=1, mode="nearest")
    return np.asarray(moved[margin:-margin, margin:-margin])
