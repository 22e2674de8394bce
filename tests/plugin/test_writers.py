"""napari's File menu writes label layers where they are in the patient; what has no place there is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nibabel as nib
import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManager
from scipy.spatial.transform import Rotation

from lesionmap.lesions import Extent, Mask
from lesionmap.read import pixels, scan
from lesionmap.space import Grid
from napari_lesionmap.layers import AXIS_LABELS, UNITS, labels_layer, volume_of
from napari_lesionmap.proposals import Proposal
from napari_lesionmap.readers import read_layers
from napari_lesionmap.stage import MASKS, Stage
from plugin.small import LATER, SITES
from plugin.test_session import opened

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SAGITTAL = Grid((9, 8, 5), np.array([[0.0, 0, 4.4, -31.7], [1.3, 0, 0, 7.1], [0, -1.7, 0, 90.3], [0, 0, 0, 1]]))
VOXELS = {1: [[1, 2, 3], [8, 7, 4], [0, 0, 0]], 300: [[4, 5, 2]]}


def save(viewer: ViewerModel, path: Path) -> None:
    """Save the selected layer as the File menu does."""
    PluginManager.instance().discover()
    assert viewer.layers.save(str(path), selected=True, plugin="lesionmap") == [str(path)]


def points(path: Path, label: int) -> NDArray[np.float64]:
    """Give the LPS mm of a label as nibabel places it, in order."""
    image = nib.load(path)
    voxels = np.argwhere(np.asarray(image.dataobj) == label)
    return sorted_rows((voxels @ image.affine[:3, :3].T + image.affine[:3, 3]) * [-1, -1, 1])


def sorted_rows(found: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(found[np.lexsort(found.round(2).T)])


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_our_labels_come_back_at_the_same_millimetres(tmp_path: Path, ending: str) -> None:
    viewer, path = ViewerModel(), tmp_path / f"labels{ending}"
    masks = [(label, Mask.of_voxels(np.array(voxels), SAGITTAL)) for label, voxels in VOXELS.items()]
    data, options, _ = labels_layer(masks, SAGITTAL, "labels")
    layer = viewer.add_labels(data, **options)
    save(viewer, path)
    for label, mask in masks:
        assert points(path, label) == pytest.approx(sorted_rows(mask.lps_mm()), abs=0.01)
    ((again, told, _),) = read_layers(path)
    assert np.array_equal(again, data)
    assert told["scale"] == pytest.approx(layer.scale, abs=0.001)
    assert told["translate"] == pytest.approx(layer.translate, abs=0.01)
    save(viewer, path)  # napari has asked whether the file may be replaced


def test_a_turned_layer_keeps_its_millimetres(tmp_path: Path) -> None:
    viewer, path = ViewerModel(), tmp_path / "turned.nii.gz"
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("zyx", [17, -9, 31], degrees=True).as_matrix() * [2.0, 0.7, 1.3]
    affine[:3, 3] = 12.5, -431.0, 77.7
    data = np.zeros((6, 7, 8), np.uint8)
    data[1, 2, 3], data[5, 6, 7], data[4, 0, 2] = 1, 1, 1
    layer = viewer.add_labels(data, affine=affine, units=UNITS, axis_labels=AXIS_LABELS, scale=(1, 2, 1))
    save(viewer, path)
    world = np.array([layer.data_to_world(voxel) for voxel in np.argwhere(data)])
    truth = sorted_rows(world[:, [2, 0, 1]])  # x, y, z of y, z, x
    assert points(path, 1) == pytest.approx(truth, abs=0.01)
    (stack,) = scan([path]).studies
    volume = pixels(stack.visit.series[0])
    assert sorted_rows(volume.grid.lps(np.argwhere(volume.array))) == pytest.approx(truth, abs=0.01)
    assert sorted_rows(volume_of(layer).grid.lps(np.argwhere(data))) == pytest.approx(truth, abs=1e-6)


def test_labels_without_a_place_in_the_patient_are_refused(tmp_path: Path) -> None:
    viewer, path = ViewerModel(), tmp_path / "labels.nii"
    viewer.add_labels(np.ones((3, 3, 3), np.uint8))
    with pytest.raises(RuntimeError, match="expected y, z, x in mm; make it over an image"):
        save(viewer, path)
    viewer.layers.clear()
    viewer.add_labels(np.full((3, 3, 3), 70000), units=UNITS, axis_labels=AXIS_LABELS)
    with pytest.raises(RuntimeError, match="labels from 0 to 65535 can be written, got 70000"):
        save(viewer, path)
    assert not path.exists()


def test_the_table_of_lesions_has_a_row_for_each(tmp_path: Path, study_path: Path) -> None:
    session, viewer, path = opened(study_path, LATER), ViewerModel(), tmp_path / "lesions.csv"
    stage = Stage(viewer, session)
    stage.show_visit()
    viewer.layers.selection.active = viewer.layers[MASKS]
    with pytest.raises(RuntimeError, match="no row to write, expected one for each label"):
        save(viewer, path)
    series = session.series
    assert series is not None
    session.add(Proposal((SITES[LATER][1],), Extent(series.name)))
    save(viewer, path)
    index, lesion, site, *_ = path.read_text(encoding="utf-8-sig").splitlines()[1].split(",")
    assert (index, lesion, site) == ("1", "L1", "Left distal tibial metaphysis")
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    stage.close()
    session.close()
