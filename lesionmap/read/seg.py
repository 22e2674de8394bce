"""DICOM Segmentation as a label Volume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.read.header import broken
from lesionmap.space import Grid, Volume

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_seg"]


def read_seg(path: str | Path) -> Volume:
    """Read a DICOM SEG: each voxel holds the number of its segment (the highest where several overlap).

    Parameters
    ----------
    path : path-like
        A Segmentation whose frames lie on one regular grid.

    Returns
    -------
    Volume
        uint16 or as wide as needed, indexed [column, row, slice], LPS mm.

    Raises
    ------
    LesionmapError
        If it is not a SEG or its frames are not on one grid.
    """
    from highdicom.seg import segread

    expected = f"a mask as NIfTI or DICOM SEG was expected, {path} is neither or cannot be read"
    try:
        volume = segread(path).get_volume(combine_segments=True, skip_overlap_checks=True)
    except broken() as error:
        raise LesionmapError(f"{expected}; save it as NIfTI") from error
    matrix = np.asarray(volume.affine, dtype=np.float64)[:, [2, 1, 0, 3]]
    array = np.asarray(volume.array).transpose(2, 1, 0)
    return Volume(array, Grid((array.shape[0], array.shape[1], array.shape[2]), matrix))
