"""Writers for napari's File ▸ Save: label layers as NIfTI in patient millimetres, and their features as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["write_features", "write_labels"]

_HIGHEST = np.iinfo(np.uint16).max


def write_labels(path: str, data: NDArray[Any], meta: dict[str, Any]) -> list[str]:
    """Write a label layer as NIfTI; napari has asked already whether a file may be replaced.

    Parameters
    ----------
    path : str
        ``.nii`` or ``.nii.gz``.
    data : ndarray
        Of the layer.
    meta : dict
        Of the layer: its transforms, axes and units.

    Returns
    -------
    list of str
        The path.

    Raises
    ------
    RuntimeError
        If the layer does not say where it lies in the patient, or a label is no uint16.
    """
    try:
        _write(path, data, meta)
    except LesionmapError as error:
        # napari takes a ValueError, which it is, for "no such writer", and its words would be lost.
        raise RuntimeError(str(error)) from error
    return [path]


def write_features(path: str, _data: NDArray[Any], meta: dict[str, Any]) -> list[str]:
    """Write the features of a label layer, of the lesion masks a row for each lesion.

    Parameters
    ----------
    path : str
        ``.csv`` or ``.xlsx``.
    _data : ndarray
        Of the layer.
    meta : dict
        Of the layer: its features.

    Returns
    -------
    list of str
        The path.

    Raises
    ------
    RuntimeError
        If the layer has no features, or the file cannot be written.
    """
    from lesionmap.write import write_table

    features = meta.get("features", {})
    rows = features.to_dict("records") if len(features) else []
    rows = [row for row in rows if row.get("index") != 0]  # 0 is the background
    if not rows:
        raise RuntimeError("this layer has no row to write, expected one for each label; choose the lesion masks")
    try:
        write_table(rows, list(features.columns), path, overwrite=True)
    except LesionmapError as error:
        raise RuntimeError(str(error)) from error
    return [path]


def _write(path: str, data: NDArray[Any], meta: dict[str, Any]) -> None:
    from napari.layers import Layer

    from lesionmap.space import Volume
    from lesionmap.write import write_label_map
    from napari_lesionmap.layers import volume_of

    labels = volume_of(Layer.create(data, meta, "labels"), named=True)
    low, high = int(labels.array.min()), int(labels.array.max())
    if low < 0 or high > _HIGHEST:
        raise LesionmapError(f"labels from 0 to {_HIGHEST} can be written, got {low} to {high}; number them anew")
    write_label_map(Volume(labels.array.astype(np.uint16), labels.grid), path, overwrite=True)
