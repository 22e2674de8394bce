"""A known LPS point lies at the right place of napari's world, whatever the array's order; what is painted returns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel

from lesionmap.lesions import Mask
from lesionmap.space import Grid, Volume
from napari_lesionmap import layers
from napari_lesionmap.canvas import hang, jump

# Columns to the patient's right, rows to the feet, slices to the front: every axis backwards, none alike.
CORONAL = Grid((5, 11, 7), np.array([[-2.0, 0, 0, 60], [0, 0, -6.0, 40], [0, -3.0, 0, -700], [0, 0, 0, 1.0]]))


def rotation(degrees: float, axis: tuple[float, float, float]) -> np.ndarray:
    from scipy.spatial.transform import Rotation

    unit = np.array(axis) / np.linalg.norm(axis)
    return np.asarray(Rotation.from_rotvec(np.radians(degrees) * unit).as_matrix())


def oblique(degrees: float) -> Grid:
    matrix = CORONAL.lps_from_voxel.copy()
    matrix[:3, :3] = rotation(degrees, (1, 2, 3)) @ matrix[:3, :3]
    return Grid(CORONAL.shape, matrix)


@pytest.mark.parametrize("voxel", [(0, 0, 0), (4, 10, 6), (1, 7, 2)])
def test_a_voxel_lies_at_its_millimetres(voxel: tuple[int, int, int]) -> None:
    array = np.zeros(CORONAL.shape, np.float32)
    array[voxel] = 9
    viewer = ViewerModel()
    data, options, kind = layers.image_layer(Volume(array, CORONAL), "STIR")
    layer = viewer.add_image(data, **options)
    assert kind == "image"
    index = np.argwhere(np.asarray(layer.data) == 9)[0]
    world = np.array(layer.data_to_world(index))
    assert layers.lps_from_world(world) == pytest.approx(CORONAL.lps(voxel))
    assert np.all(np.asarray(layer.scale) > 0)
    viewer.dims.point = tuple(layers.world_from_lps(CORONAL.lps(voxel)))
    assert layer.get_value(viewer.dims.point, world=True) == 9
    assert [str(unit) for unit in layer.units] == ["millimeter"] * 3
    assert layer.axis_labels == ("y", "z", "x")


def test_the_layer_of_a_straight_volume_is_a_view_of_its_array() -> None:
    array = np.arange(5 * 11 * 7, dtype=np.int16).reshape(CORONAL.shape)
    data, _, _ = layers.image_layer(Volume(array, CORONAL), "T1")
    assert np.shares_memory(data, array)


@pytest.mark.parametrize("degrees", [15, 30])
def test_an_oblique_volume_is_shown_at_its_true_millimetres(degrees: float) -> None:
    """What napari-nifti shows 64 mm off at 15 degrees (peers.md): a blob's middle, seen through the layer."""
    tilted = oblique(degrees).lps_from_voxel.copy()
    tilted[:3, :3] *= np.array([1.0, 0.5, 1.0])  # finer slices: the blob is sampled well
    grid = Grid((60, 50, 40), tilted)
    middle = grid.lps([41.3, 17.6, 12.2])
    away = np.linalg.norm(grid.lps(np.moveaxis(np.indices(grid.shape), 0, -1)) - middle, axis=-1)
    volume = Volume((1000 * np.exp(-0.5 * (away / 9) ** 2)).astype(np.float32), grid)
    viewer = ViewerModel()
    data, options, _ = layers.image_layer(volume, "oblique")
    layer = viewer.add_image(data, **options)
    shown = np.asarray(layer.data, dtype=np.float64)
    index = (np.indices(shown.shape).reshape(3, -1) * shown.ravel()).sum(axis=1) / shown.sum()
    assert layers.lps_from_world(layer.data_to_world(index)) == pytest.approx(middle, abs=0.3)
    viewer.dims.point = tuple(layers.world_from_lps(middle))
    value = layer.get_value(viewer.dims.point, world=True)
    assert value == pytest.approx(1000, rel=0.1)
    assert np.array_equal(layer.metadata["lps_from_voxel"], grid.lps_from_voxel)
    assert f"{layers.tilt(grid):.0f}° oblique" in layer.metadata["tilt"]


@given(
    point=st.tuples(*[st.floats(-900, 900, allow_nan=False)] * 3),
)
def test_world_and_lps_are_inverse(point: tuple[float, float, float]) -> None:
    assert layers.lps_from_world(layers.world_from_lps(point)) == pytest.approx(point)


def test_a_tilted_volume_is_resampled_and_says_so() -> None:
    grid = oblique(15)
    array = np.zeros(grid.shape, np.float32)
    array[2, 5, 3] = 100
    data, options, _ = layers.image_layer(Volume(array, grid), "sagittal")
    brightest = np.unravel_index(np.argmax(data), data.shape)
    world = np.array(options["translate"]) + np.array(options["scale"]) * brightest
    off = np.abs(layers.lps_from_world(world) - grid.lps([2, 5, 3]))
    assert np.all(off <= np.array([2.0, 6.0, 3.0]) / 2 + 1e-6)
    assert options["metadata"]["tilt"] == "acquired 14° oblique; shown resampled to the patient's axes"
    assert np.array_equal(options["metadata"]["lps_from_voxel"], grid.lps_from_voxel)
    assert "rotate" not in options
    assert "affine" not in options


@pytest.mark.parametrize("degrees", [0, 15])
def test_a_mask_painted_in_its_layer_returns_as_the_same_voxels(degrees: float) -> None:
    grid = oblique(degrees) if degrees else CORONAL
    fine = Grid((20, 30, 16), grid.lps_from_voxel)
    voxels = np.argwhere(np.sum((np.indices((20, 30, 16)).T - [9, 14, 8]) ** 2, axis=-1).T <= 16)
    mask = Mask.of_voxels(voxels, fine)
    data, options, _ = layers.labels_layer([(3, mask)], fine, "lesion masks")
    back = layers.voxels_from_shown(np.argwhere(data == 3), fine)
    again = Mask.of_voxels(back, fine)
    if degrees:
        assert again.n_voxels == pytest.approx(mask.n_voxels, rel=0.12)
        assert again.lps_mm().mean(axis=0) == pytest.approx(mask.lps_mm().mean(axis=0), abs=1.0)
    else:
        assert again == mask
    assert set(np.unique(data)) == {0, 3}
    assert np.all(np.array(options["scale"]) > 0)


def test_lines_become_vectors_in_the_world() -> None:
    line = np.array([[1.0, 2, 3], [4, 6, 8], [4, 6, 9]])
    vectors = layers.segments([line, line[:1]])
    assert vectors.shape == (2, 2, 3)
    assert vectors[0].tolist() == [[2, 3, 1], [4, 5, 3]]
    assert layers.segments([]).shape == (0, 2, 3)


@pytest.mark.parametrize(
    ("order", "plane", "letters", "orientation"),
    [
        ((0, 1, 2), "coronal", "RLHF", ("away", "up", "right")),
        ((1, 0, 2), "axial", "RLAP", ("away", "down", "right")),
        ((2, 1, 0), "sagittal", "APHF", ("towards", "up", "right")),
    ],
)
def test_radiological_display(
    order: tuple[int, int, int], plane: str, letters: str, orientation: tuple[str, str, str]
) -> None:
    hung = layers.view(order)
    assert (hung.plane, "".join(hung.letters), hung.orientation) == (plane, letters, orientation)


@pytest.mark.parametrize(
    ("columns", "rows", "slices", "shape", "order"),
    [
        ((-2, 0, 0), (0, 0, -2), (0, -5, 0), (5, 11, 7), (0, 1, 2)),
        ((0, 2, 0), (0, 0, -2), (4, 0, 0), (5, 11, 7), (2, 1, 0)),
        ((2, 0, 0), (0, 2, 0), (0, 0, 6), (5, 11, 7), (1, 0, 2)),
        ((2.4, 0, 0), (0, 0, -2.4), (0, 1, 0), (5, 11, 1), (0, 1, 2)),
        ((1.5, 0, 0), (0, 0, -1.5), (0, 1.5, 0), (5, 11, 7), (0, 1, 2)),
    ],
    ids=["coronal", "sagittal", "axial", "planar", "isotropic"],
)
def test_a_series_is_looked_at_in_the_plane_it_was_acquired_in(
    columns: tuple[float, ...],
    rows: tuple[float, ...],
    slices: tuple[float, ...],
    shape: tuple[int, int, int],
    order: tuple[int, int, int],
) -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([columns, rows, slices]).T
    assert layers.plane_order(Grid(shape, matrix)) == order


def test_letters_and_camera_follow_the_plane() -> None:
    viewer = ViewerModel()
    data, options, _ = layers.image_layer(Volume(np.ones(CORONAL.shape), CORONAL), "STIR")
    hang(viewer)
    viewer.add_image(data, **options)

    def shown() -> str:
        return "".join(viewer.canvas.overlays[f"lesionmap_{edge}"].text for edge in ("left", "right", "top", "bottom"))

    assert shown() == "RLHF"
    assert [str(side) for side in viewer.scene.camera.orientation] == ["away", "up", "right"]
    viewer.dims.order = (2, 1, 0)
    assert shown() == "APHF"
    assert [str(side) for side in viewer.scene.camera.orientation] == ["towards", "up", "right"]
    viewer.dims.order = (0, 1, 2)
    viewer.dims.ndisplay = 3
    assert shown() == ""


def test_a_jump_shows_the_point_in_the_middle() -> None:
    viewer = ViewerModel()
    data, options, _ = layers.image_layer(Volume(np.ones(CORONAL.shape), CORONAL), "STIR")
    viewer.add_image(data, **options)
    world = tuple(layers.world_from_lps(CORONAL.lps([1, 7, 2])).tolist())
    jump(viewer, world)
    assert viewer.dims.point == pytest.approx(world)
    assert viewer.scene.camera.center[1:] == pytest.approx(world[1:])
