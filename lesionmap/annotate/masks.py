"""A mask volume becomes the masks of single lesions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.space import Volume

__all__ = ["lesions_from_mask", "split_components"]

# Steps to the 4 neighbouring lines of voxels that come later in the array; the other 4 are the same pairs read back.
_LATER_LINES = ((0, 1), (1, -1), (1, 0), (1, 1))


def lesions_from_mask(volume: Volume, *, kind: Literal["auto", "labels", "components"] = "auto") -> list[Mask]:
    """Cut the lesions out of a mask volume.

    Parameters
    ----------
    volume : Volume
        Whole numbers; 0 is no lesion.
    kind : str
        labels: each value is one lesion. components: values are not looked at, and each 26-neighbour component is
        one lesion. auto: components if 1 (or 255, as image programs write "set") is the only value beside 0, else
        labels.

    Returns
    -------
    list of Mask
        By label, or by the place in the array.

    Raises
    ------
    LesionmapError
        If no voxel is set or a value is not a whole number.
    """
    voxels, values = _set_voxels(volume.array)
    if len(voxels) == 0:
        raise LesionmapError("the mask has no voxel that is not 0; expected one or more lesions drawn in it")
    if not np.all(np.isfinite(values)) or np.any(values != np.floor(values)):
        raise LesionmapError(
            "a mask holds whole numbers, 0 for no lesion, got values with fractions; save it as a label map"
        )
    apart = kind == "components" or (kind == "auto" and bool(np.all(values == 1) or np.all(values == 255)))
    labels = _components(voxels) if apart else values
    return [Mask.of_voxels(group, volume.grid) for group in _grouped(voxels, labels)]


def split_components(mask: Mask) -> tuple[Mask, ...]:
    """Split a mask into its 26-neighbour components, in the order of their place in the array."""
    voxels = mask.voxels()
    return tuple(Mask.of_voxels(group, mask.grid) for group in _grouped(voxels, _components(voxels)))


def _set_voxels(array: NDArray[np.generic]) -> tuple[NDArray[np.int_], NDArray[np.generic]]:
    """List the voxels that are not 0, shape (n, 3), and their values, in C order of i, j, k.

    The array is read in the order in which it lies in memory: a NIfTI file's runs the other way round.
    """
    axes = np.argsort([-abs(stride) for stride in array.strides], kind="stable")
    view = array.transpose(axes)
    flat = np.flatnonzero(view if view.dtype == bool else view != 0)
    voxels = np.empty((len(flat), 3), dtype=np.int_)
    voxels[:, axes] = np.stack(np.unravel_index(flat, view.shape), axis=1)
    if not np.array_equal(axes, [0, 1, 2]):
        voxels = voxels[np.lexsort(voxels.T[::-1])]
    return voxels, np.asarray(array[tuple(voxels.T)])


def _grouped(voxels: NDArray[np.int_], labels: NDArray[np.generic]) -> list[NDArray[np.int_]]:
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    return np.split(voxels[order], cuts)


def _components(voxels: NDArray[np.int_]) -> NDArray[np.int_]:
    """Give each voxel, shape (n, 3) in C order, the number of its 26-neighbour component; by first voxel, from 0.

    Works on runs of voxels along the last axis: a run touches those of the neighbouring lines that overlap it when it
    is one voxel longer at either end. So the cost goes with the surface of what is drawn, not with the image.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    low = voxels.min(axis=0)
    width_j, width_k = (voxels.max(axis=0) - low + 3)[1:].tolist()  # a free line and voxel between any two
    line = (voxels[:, 0] - low[0]) * width_j + (voxels[:, 1] - low[1])
    place = line * width_k + (voxels[:, 2] - low[2])
    begins = np.concatenate([[True], np.diff(place) > 1])
    start = place[begins]
    stop = place[np.concatenate([begins[1:], [True]])]
    pairs = [_overlaps(start, stop, (di * width_j + dj) * width_k) for di, dj in _LATER_LINES]
    one, other = np.concatenate(pairs, axis=1)
    n = len(start)
    graph = coo_array((np.ones(len(one), dtype=bool), (one, other)), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    return np.asarray(label[np.cumsum(begins) - 1], dtype=np.int_)


def _overlaps(start: NDArray[np.int_], stop: NDArray[np.int_], shift: int) -> NDArray[np.int_]:
    """List pairs (run, run of the line ``shift`` further) that touch, shape (2, n). Runs are sorted and disjoint."""
    first = np.searchsorted(stop, start + shift - 1, side="left")
    end = np.searchsorted(start, stop + shift + 1, side="right")
    counts = np.maximum(end - first, 0)
    one = np.repeat(np.arange(len(start)), counts)
    step = np.arange(len(one)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.stack([one, np.repeat(first, counts) + step])
