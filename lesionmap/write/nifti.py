"""Masks as a NIfTI label volume, with a JSON file beside it that says what each label is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.read.nifti import LPS_FROM_RAS
from lesionmap.write.drawn import drawn_masks
from lesionmap.write.files import ending, saving

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.lesions import Lesion, LesionMap, Mask
    from lesionmap.space import Grid, Volume
    from lesionmap.visits import Series

__all__ = ["write_label_map", "write_nifti_labels"]

_MOST_LABELS = 65535


def write_nifti_labels(
    lesion_map: LesionMap, series: Series, path: str | Path, *, overwrite: bool = False
) -> tuple[Path, Path]:
    """Write the masks drawn on one Series as labels 1, 2, … (uint16), on the Series' grid, not re-oriented.

    A voxel can hold one label only: where lesions overlap, the smaller one keeps the voxels, and the JSON file says
    how many the larger one lost (``voxels_lost_to_overlap``).

    Parameters
    ----------
    lesion_map : LesionMap
        Lesions without a mask on that Series are left out and named in the JSON file.
    series : Series
        Whose grid; its name chooses the Extents.
    path : str or Path
        ``.nii`` or ``.nii.gz``; the JSON file has the same name with ``.json``.
    overwrite : bool
        Whether existing files may be replaced.

    Returns
    -------
    tuple of Path
        The NIfTI and the JSON file.

    Raises
    ------
    LesionmapError
        If no mask is drawn on that Series, one lies on another grid, or a file cannot be written.
    """
    suffix = ending(path, (".nii", ".nii.gz"))
    image = Path(path)
    sidecar = image.with_name(image.name[: -len(suffix)] + ".json")
    masks = drawn_masks(lesion_map, series)
    if len(masks) > _MOST_LABELS:
        raise LesionmapError(f"a label volume holds {_MOST_LABELS} lesions, got {len(masks)}")
    labels, kept = _paint(masks, series.grid)
    rows = [_row(label, lesion, mask, kept[label]) for label, (lesion, mask) in enumerate(masks, start=1)]
    marked = {lesion.id for lesion, _ in masks}
    told = {
        "patient": lesion_map.patient,
        "visit": lesion_map.visit,
        "reader": lesion_map.reader,
        "series": series.name,
        "labels": rows,
        "without_mask": [lesion.id for lesion in lesion_map.lesions if lesion.id not in marked],
        "research_use_only": True,
    }
    with saving(image, overwrite=overwrite) as volume_file, saving(sidecar, overwrite=overwrite) as text_file:
        _save(labels, series.grid, volume_file)
        text_file.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return image, sidecar


def write_label_map(labels: Volume, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a bone label map as NIfTI (uint16), on its own grid, not re-oriented.

    Parameters
    ----------
    labels : Volume
        Whole numbers from 0 to 65535; LPS mm.
    path : str or Path
        ``.nii`` or ``.nii.gz``.
    overwrite : bool
        Whether an existing file may be replaced.
    """
    ending(path, (".nii", ".nii.gz"))
    with saving(path, overwrite=overwrite) as file:
        _save(labels.array.astype(np.uint16), labels.grid, file)


def _paint(masks: list[tuple[Lesion, Mask]], grid: Grid) -> tuple[NDArray[np.uint16], dict[int, int]]:
    """Paint large lesions first, so that the small ones keep their voxels; count what each label has in the end."""
    labels = np.zeros(grid.shape, dtype=np.uint16)
    for label, (_, mask) in sorted(enumerate(masks, start=1), key=lambda entry: -entry[1][1].n_voxels):
        labels[mask.slices][mask.box] = label
    counts = np.bincount(labels.ravel(), minlength=len(masks) + 1)
    return labels, {label: int(counts[label]) for label in range(1, len(masks) + 1)}


def _row(label: int, lesion: Lesion, mask: Mask, kept: int) -> dict[str, Any]:
    return {
        "label": label,
        "lesion": lesion.id,
        "site": lesion.sites[0],
        "sites": list(lesion.sites),
        "tracks": list(lesion.tracks),
        "certainty": lesion.certainty,
        "voxels": kept,
        "voxels_lost_to_overlap": mask.n_voxels - kept,
    }


def _save(labels: NDArray[np.uint16], grid: Grid, path: Path) -> None:
    import nibabel as nib

    # LPS → RAS turns two signs, and so is its own inverse.
    image = nib.Nifti1Image(labels, LPS_FROM_RAS @ grid.lps_from_voxel)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = b"lesionmap labels, research use only"
    image.set_sform(image.affine, code="scanner")
    image.set_qform(image.affine, code="scanner", strip_shears=True)
    nib.save(image, path)
