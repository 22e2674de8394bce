"""Label volumes: other programs find every voxel at the same millimetres."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, Lesion, LesionMap, Mask
from lesionmap.space import Grid
from lesionmap.visits import Series
from lesionmap.write import write_nifti_labels
from strategies import grids, masks

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NAME = "STIR coronal"


def series_on(grid: Grid) -> Series:
    return Series(NAME, grid, "MR", "STIR", "coronal", ())


def lesion(number: int, mask: Mask | None, series: str = NAME) -> Lesion:
    return Lesion(f"L{number}", ("tibia.diaphysis.left",), "definite", (f"2.25.{number}",), (Extent(series, mask),))


def map_of(*lesions: Lesion) -> LesionMap:
    return LesionMap("P001", "2010-05-04", "anna", lesions)


def by_nibabel(path: Path, label: int) -> NDArray[np.float64]:
    """Give the LPS mm of a label as nibabel (RAS) places it."""
    import nibabel as nib

    image: Any = nib.load(path)
    voxels = np.argwhere(np.asarray(image.dataobj) == label)
    ras = voxels @ image.affine[:3, :3].T + image.affine[:3, 3]
    return np.asarray(ras * [-1, -1, 1])


def by_sitk(path: Path, label: int) -> NDArray[np.float64]:
    """Give the LPS mm of a label as SimpleITK (LPS) places it."""
    import SimpleITK

    image = SimpleITK.ReadImage(str(path))
    voxels = np.argwhere(label == SimpleITK.GetArrayFromImage(image).T)
    return np.array([image.TransformIndexToPhysicalPoint([int(i) for i in voxel]) for voxel in voxels])


def same_points(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Say whether both hold the same points in any order, within a hundredth of a millimetre."""
    if one.shape != other.shape:
        return False
    far = np.linalg.norm(one[:, None] - other[None], axis=2)
    return bool((far.min(axis=0) < 0.01).all() and (far.min(axis=1) < 0.01).all())


@settings(max_examples=25)
@given(st.data())
def test_masks_lie_at_the_same_millimetres(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    grid = data.draw(grids())
    mask = data.draw(masks(grid=grid))
    path = tmp_path_factory.mktemp("nifti") / data.draw(st.sampled_from(["labels.nii", "labels.nii.gz"]))
    write_nifti_labels(map_of(lesion(3, mask)), series_on(grid), path)
    assert same_points(by_nibabel(path, 1), mask.lps_mm())
    assert same_points(by_sitk(path, 1), mask.lps_mm())


def oblique_left_handed() -> Grid:
    """Make the grid on which other programs went wrong: 5×7×11, anisotropic, tilted, left-handed."""
    angle = np.radians(23)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ np.array([[0, 0, 2.0], [0, -1.3, 0], [-4.5, 0, 0]])
    matrix[:3, 3] = [41.5, -77.25, 310.125]
    grid = Grid((5, 7, 11), matrix)
    assert np.linalg.det(matrix[:3, :3]) < 0
    return grid


def test_labels_and_their_meaning(tmp_path: Path) -> None:
    import nibabel as nib

    grid = oblique_left_handed()
    small = Mask.of_voxels(np.array([[1, 2, 3], [1, 2, 4]]), grid)
    large = Mask.of_voxels(np.argwhere(np.ones((3, 4, 5), bool)), grid)
    lesion_map = map_of(lesion(1, small), lesion(4, large), lesion(5, None), lesion(6, small, "T1 sagittal"))
    image, sidecar = write_nifti_labels(lesion_map, series_on(grid), tmp_path / "map.nii.gz")
    assert (image.name, sidecar.name) == ("map.nii.gz", "map.json")
    read: Any = nib.load(image)
    assert read.get_data_dtype() == np.uint16
    assert read.shape == grid.shape
    assert read.header.get_xyzt_units()[0] == "mm"
    assert (int(read.header["sform_code"]), int(read.header["qform_code"])) == (1, 1)
    assert np.allclose(read.header.get_qform(), read.header.get_sform(), atol=1e-3)
    told = json.loads(sidecar.read_text("utf-8"))
    assert [(row["label"], row["lesion"], row["tracks"]) for row in told["labels"]] == [
        (1, "L1", ["2.25.1"]),
        (2, "L4", ["2.25.4"]),
    ]
    assert told["without_mask"] == ["L5", "L6"]
    assert [(row["voxels"], row["voxels_lost_to_overlap"]) for row in told["labels"]] == [(2, 0), (58, 2)]
    assert same_points(by_nibabel(image, 1), small.lps_mm())  # the small lesion is whole


def test_refusals(tmp_path: Path) -> None:
    grid = oblique_left_handed()
    mask = Mask.of_voxels(np.array([[1, 2, 3]]), grid)
    with pytest.raises(LesionmapError, match="visit 2010-05-04 has no mask on series 'STIR coronal'; draw one"):
        write_nifti_labels(map_of(lesion(1, None)), series_on(grid), tmp_path / "a.nii")
    shifted = grid.lps_from_voxel.copy()
    shifted[0, 3] += 1.0
    with pytest.raises(LesionmapError, match=r"the mask of lesion L1 lies on a grid of shape \(5, 7, 11\), series"):
        write_nifti_labels(map_of(lesion(1, mask)), series_on(Grid(grid.shape, shifted)), tmp_path / "a.nii")
    with pytest.raises(LesionmapError, match=r"ending in \.nii, \.nii\.gz was expected"):
        write_nifti_labels(map_of(lesion(1, mask)), series_on(grid), tmp_path / "a.nrrd")
    (tmp_path / "a.json").write_text("mine")
    with pytest.raises(LesionmapError, match=r"a\.json exists already"):
        write_nifti_labels(map_of(lesion(1, mask)), series_on(grid), tmp_path / "a.nii")
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]
