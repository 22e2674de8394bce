"""Label layers of other plugins become lesions at the same millimetres, in one act; what cannot is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from napari.components import ViewerModel

from lesionmap.errors import LesionmapError
from napari_lesionmap.commands import take_over as take_over_command
from napari_lesionmap.layers import UNITS, array_from_grid, image_layer, volume_of
from napari_lesionmap.stage import MASKS
from napari_lesionmap.takeover import find_labels, foreign_labels, take_over
from plugin.drive import Driver
from plugin.small import LATER, READER, SITES, spot, stored
from plugin.test_session import opened
from plugin.test_window import open_later

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from lesionmap.space import Grid
    from napari_lesionmap.session import Session

CLAVICLE, TIBIA = SITES[LATER]
NOWHERE = (150.0, 30.0, -700.0)
"""Beside the left thigh, in no bone; LPS mm."""


@pytest.fixture
def session(study_path: Path) -> Iterator[Session]:
    session = opened(study_path, LATER, READER)
    yield session
    session.close()


def place(session: Session, site: str) -> tuple[float, float, float]:
    assert session.now is not None
    assert session.now.placement is not None
    return spot(session.now.placement, site)


def drawn(grid: Grid, *balls: tuple[int, tuple[float, float, float]]) -> NDArray[np.uint8]:
    array = np.zeros(grid.shape, np.uint8)
    voxels = np.moveaxis(np.indices(grid.shape), 0, -1)
    for label, middle in balls:
        array[np.linalg.norm(grid.lps(voxels) - middle, axis=-1) < 9] = label
    return array


def over_the_image(session: Session, *balls: tuple[int, tuple[float, float, float]]) -> Any:
    """Draw labels as a plugin does that takes scale and place from the image's layer."""
    assert session.series is not None
    assert session.volume is not None
    image = image_layer(session.volume, "image")[1]
    array = drawn(session.series.grid, *balls)

    data = array_from_grid(array, session.series.grid)
    return ViewerModel().add_labels(data, name="theirs", scale=image["scale"], translate=image["translate"])


def find(session: Session, layer: Any) -> Any:
    assert session.now is not None
    assert session.series is not None
    return find_labels(volume_of(layer), session.series, session.now.placement)


def test_labels_become_lesions_in_one_act(session: Session, study_path: Path) -> None:
    layer = over_the_image(session, (3, place(session, TIBIA)), (7, place(session, CLAVICLE)))
    said = take_over(session, find(session, layer), layer.name)
    assert session.undo_words == "take over 2 labels of theirs"
    assert said == "taken over: L1 Left distal tibial metaphysis, L2 Left medial clavicle"
    assert [x.sites for x in stored(study_path).lesions] == [(TIBIA,), (CLAVICLE,)]
    assert session.selected == "L1"
    assert session.series is not None
    truth = np.argwhere(drawn(session.series.grid, (3, place(session, TIBIA))))
    mask = session.lesion_map.lesions[0].extents[0].mask
    assert mask is not None
    assert np.array_equal(mask.voxels(), truth)
    session.undo()
    assert stored(study_path).lesions == ()


def test_another_grid_is_resampled_by_the_nearest_voxel(session: Session) -> None:
    """Finer voxels, axes turned by 20 degrees about the head-foot axis, in micrometres or pixels: the same place."""
    middle = np.array(place(session, TIBIA))
    turn = np.radians(20)
    world_from_data = np.eye(4)
    rotation = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    world_from_data[:3, :3] = rotation * 1.5
    world_from_data[:3, 3] = middle[[1, 2, 0]] - world_from_data[:3, :3] @ [20, 20, 20]
    data = np.zeros((41, 41, 41), np.uint16)
    data[np.linalg.norm(np.moveaxis(np.indices(data.shape), 0, -1) - 20, axis=-1) < 8] = 4
    for units, scale in ((("pixel",) * 3, 1.0), (("um",) * 3, 1000.0)):
        affine = np.diag([scale, scale, scale, 1.0]) @ world_from_data
        layer = ViewerModel().add_labels(data, name="fine", affine=affine, units=units)
        (one,) = find(session, layer)
        assert one.label == 4
        assert one.sites[0] == TIBIA
        assert one.extent.mask.lps_mm().mean(axis=0) == pytest.approx(middle, abs=1.0)
        volume = one.extent.mask.n_voxels * one.extent.mask.grid.voxel_volume_ml
        assert volume == pytest.approx(4 / 3 * np.pi * 12**3 / 1000, rel=0.1)


def test_labels_that_are_no_lesion_are_told(session: Session, study_path: Path) -> None:
    layer = over_the_image(session, (1, place(session, TIBIA)), (2, NOWHERE))
    said = take_over(session, find(session, layer), layer.name)
    assert said.startswith(
        "taken over: L1 Left distal tibial metaphysis; left: label 2 at (150, 30, -700) mm lies in no"
    )
    assert session.undo_words == "take over 1 label of theirs"
    with pytest.raises(LesionmapError, match=r"nothing was taken over: label 1 is marked already as L1; label 2 at"):
        take_over(session, find(session, layer), layer.name)
    assert len(stored(study_path).lesions) == 1
    far = ViewerModel().add_labels(np.ones((2, 2, 2), np.uint8), translate=(5000, 0, 0), name="far")
    with pytest.raises(LesionmapError, match="label 1 lies outside STIR coronal"):
        take_over(session, find(session, far), far.name)


def test_layers_that_cannot_be_placed_are_refused_in_words(session: Session) -> None:
    assert session.volume is not None
    shape = image_layer(session.volume, "image")[0].shape
    viewer = ViewerModel()
    with pytest.raises(LesionmapError, match="has the shape of the image but no place in mm"):
        find(session, viewer.add_labels(np.ones(shape, np.uint8)))
    with pytest.raises(LesionmapError, match="has 2 axes, expected one volume"):
        volume_of(viewer.add_labels(np.ones((4, 4), np.uint8)))
    turned = viewer.add_labels(np.ones((4, 4, 4), np.uint8), axis_labels=("z", "y", "x"), units=UNITS)
    with pytest.raises(LesionmapError, match="has the axes z, y, x, expected y, z, x"):
        volume_of(turned)
    with pytest.raises(LesionmapError, match="no voxel that is not 0"):
        find(session, viewer.add_labels(np.zeros((4, 4, 4), np.uint8)))
    assert session.series is not None
    with pytest.raises(LesionmapError, match="no skeleton is placed"):
        find_labels(volume_of(turned_right(viewer)), session.series, None)


def turned_right(viewer: ViewerModel) -> Any:
    return viewer.add_labels(np.ones((4, 4, 4), np.uint8), translate=(1, 2, 3))


def test_the_layer_is_the_selected_one_else_the_only_one() -> None:
    viewer = ViewerModel()
    viewer.add_labels(np.zeros((2, 2, 2), np.uint8), name=MASKS)
    with pytest.raises(LesionmapError, match="there is none"):
        foreign_labels(viewer)
    first = viewer.add_labels(np.ones((2, 2, 2), np.uint8), name="first")
    viewer.layers.selection.active = viewer.layers[MASKS]
    assert foreign_labels(viewer) is first
    second = viewer.add_labels(np.ones((2, 2, 2), np.uint8), name="second")
    viewer.layers.selection.active = viewer.layers[MASKS]
    with pytest.raises(LesionmapError, match="got first, second; select one"):
        foreign_labels(viewer)
    viewer.layers.selection.active = second
    assert foreign_labels(viewer) is second


def test_a_signed_map_takes_nothing_over(session: Session) -> None:
    layer = over_the_image(session, (1, place(session, TIBIA)))
    session.sign()
    with pytest.raises(LesionmapError, match="signed"):
        take_over(session, find(session, layer), layer.name)


@pytest.mark.gui
def test_one_click_in_the_menu_takes_the_labels_over(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, study_path: Path
) -> None:
    driver = Driver(make_napari_viewer(show=True), tmp_path / "shots", (1366, 768))
    open_later(driver, study_path)
    session, dock = driver.dock.desk.session, driver.dock
    dock.more.take_over_action.trigger()
    assert "there is none" in driver.said[-1][0]
    theirs = over_the_image(session, (5, place(session, TIBIA)), (6, NOWHERE))
    driver.viewer.add_labels(theirs.data, name="theirs", scale=theirs.scale, translate=theirs.translate)
    take_over_command()
    driver.wait(lambda: bool(session.lesion_map.lesions), "taking the labels over")
    driver.idle()
    assert driver.said[-1][0].startswith("taken over: L1 Left distal tibial metaphysis; left: label 6 at")
    assert dock.tabs.tabText(dock.tabs.currentIndex()) == "Lesions"
    assert "theirs" in driver.viewer.layers
    driver.shot("taken_over")
    driver.click(dock.undo)
    assert stored(study_path).lesions == ()
    driver.leave()
