"""What is drawn on a Series: the masks that the writers of label volumes and segmentations take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from lesionmap.lesions import Lesion, LesionMap, Mask
    from lesionmap.space import Grid
    from lesionmap.visits import Series

__all__ = ["drawn_masks", "drawn_series"]


def drawn_series(lesion_map: LesionMap) -> frozenset[str]:
    """Give the names of the Series on which a mask is drawn."""
    return frozenset(x.series for lesion in lesion_map.lesions for x in lesion.extents if x.mask is not None)


def drawn_masks(lesion_map: LesionMap, series: Series) -> list[tuple[Lesion, Mask]]:
    """List the lesions with a mask on a Series, in the order of the map; one with two (two phases) twice.

    Raises
    ------
    LesionmapError
        If no mask is drawn on that Series, or one lies on another grid.
    """
    found = [
        (lesion, extent.mask)
        for lesion in lesion_map.lesions
        for extent in lesion.extents
        if extent.mask is not None and extent.series == series.name
    ]
    if not found:
        raise LesionmapError(
            f"visit {lesion_map.visit} has no mask on series {series.name!r}; draw one, or choose another series"
        )
    for lesion, mask in found:
        if not _same_place(mask.grid, series.grid):
            raise LesionmapError(
                f"the mask of lesion {lesion.id} lies on a grid of shape {mask.grid.shape}, series {series.name!r} has "
                f"{series.grid.shape} or lies elsewhere; draw the mask again on this series"
            )
    return found


def _same_place(one: Grid, other: Grid) -> bool:
    """Say whether two grids have their voxels within 0.01 mm of one another (files round their numbers)."""
    return one.shape == other.shape and np.allclose(one.corners_lps_mm(), other.corners_lps_mm(), rtol=0, atol=0.01)
