"""The keys in a real window: what is seen, what is marked, and the earlier visit at the same place of the bone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication

from lesionmap.store import Study
from napari_lesionmap import layers
from napari_lesionmap.crosshair import CROSSHAIR
from napari_lesionmap.prior import counterpart
from napari_lesionmap.skeleton_lines import LINES
from napari_lesionmap.stage import MASKS
from plugin.drive import Driver
from plugin.small import EARLIER, LATER, READER, SITES, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


pytestmark = pytest.mark.gui

CLAVICLE, TIBIA = SITES[LATER]


@pytest.fixture
def driver(make_napari_viewer: Callable[..., Any], tmp_path: Path, study_path: Path) -> Iterator[Driver]:
    made = Driver(make_napari_viewer(show=True), tmp_path / "shots")
    made.open_last(study_path)
    yield made
    made.leave()


def test_looking(driver: Driver) -> None:
    desk = driver.dock.desk
    driver.press("?")
    driver.shot("keys")
    assert driver.dock.sheet is not None
    assert driver.dock.sheet.isVisible()
    driver.press("W")  # the next key hides the sheet, and does nothing else
    assert not driver.dock.sheet.isVisible()
    before = desk.stage.window
    driver.press("Shift+W")
    assert desk.stage.window.inverse is not before.inverse
    driver.press("W")
    driver.idle()
    assert driver.told.startswith("window: ")
    driver.press("T")
    assert not desk.stage.lines.visible
    driver.press("T")
    driver.press("H")
    assert not driver.viewer.layers[MASKS].visible
    driver.press("H")
    driver.press("X")
    assert driver.told == "this visit has no other series"
    driver.press("D")
    assert "of one piece" in driver.told


def test_the_other_planes_are_at_the_same_place(driver: Driver) -> None:
    views, slices = driver.dock.views, driver.viewer.dims.nsteps
    wide = driver.canvas.width()
    driver.press("L")
    driver.idle()
    assert sorted(views.planes) == ["axial", "sagittal"]
    driver.show(driver.middle(TIBIA), 1.5)
    driver.idle()
    driver.shot("planes")
    for view in views.planes.values():
        assert layers.lps_from_world(view.viewer.dims.point) == pytest.approx(driver.middle(TIBIA), abs=3.1)
        assert CROSSHAIR in view.viewer.layers
        assert len(view.viewer.layers[LINES].data)  # each canvas has the skeleton's cut of its own plane
        assert view.viewer.scene.camera.zoom == pytest.approx(driver.viewer.scene.camera.zoom)
    assert len(driver.viewer.layers[LINES].data)
    assert driver.viewer.dims.nsteps == slices  # lines over the image are no slices in between
    driver.press("L")
    assert not views.planes
    driver.idle()
    assert driver.canvas.width() == pytest.approx(wide, abs=3)  # the room is the image's again
    assert CROSSHAIR not in driver.viewer.layers
    driver.press("O")
    assert driver.viewer.dims.order == (2, 1, 0)


def test_the_earlier_visit_shows_the_same_place_of_the_bone(driver: Driver) -> None:
    session, views = driver.dock.desk.session, driver.dock.views
    driver.press("P")
    driver.wait(lambda: views.prior.key == EARLIER, "the earlier visit beside")
    tibia = driver.middle(TIBIA)
    driver.show(tibia, 1.6)
    driver.move(tibia)
    driver.idle()
    expected = counterpart(tibia, session, views.prior)
    assert expected is not None
    assert views.earlier is not None
    assert layers.lps_from_world(views.earlier.viewer.dims.point) == pytest.approx(expected, abs=6.1)
    driver.shot("same_place")
    assert np.allclose(views.earlier.viewer.scene.camera.zoom, driver.viewer.scene.camera.zoom)
    driver.dock.desk.session.hide_personal(True)
    driver.idle()
    assert EARLIER not in views.earlier.title.text()
    assert not any(EARLIER in words or "P001" in words for words in driver.words())
    driver.shot("hidden")
    driver.dock.desk.session.hide_personal(False)
    driver.press("P")
    assert views.earlier is None


def test_marking_by_keys(driver: Driver, study_path: Path) -> None:
    session = driver.dock.desk.session
    driver.press("M")
    driver.show(driver.middle(TIBIA), 1.6)
    driver.click_image(driver.middle(TIBIA))
    driver.wait(lambda: len(session.lesion_map.lesions) == 1, "marking")
    driver.idle()
    grown = stored(study_path).lesions[0].extents[0].mask
    driver.wheel(driver.middle(TIBIA), -6)
    driver.wait(lambda: stored(study_path).lesions[0].extents[0].mask != grown, "storing the smaller outline")
    smaller = stored(study_path).lesions[0].extents[0].mask
    assert grown is not None
    assert smaller is not None
    assert smaller.n_voxels < grown.n_voxels
    driver.press("Escape")
    assert stored(study_path).lesions == ()


def test_keys_for_the_chosen_lesion(driver: Driver, study_path: Path) -> None:
    session = driver.dock.desk.session
    driver.press("M")
    driver.show(driver.middle(TIBIA), 1.6)
    driver.click_image(driver.middle(TIBIA))
    driver.wait(lambda: len(session.lesion_map.lesions) == 1, "marking")
    driver.press("Return")
    assert driver.told == "L1 kept"
    driver.press("3")
    assert stored(study_path).lesions[0].certainty == "equivocal"
    driver.press("Ctrl+2")
    driver.press("Ctrl+8")
    assert driver.told.endswith("appearance: lytic")
    driver.press("Ctrl+6")
    driver.press("Ctrl+6")
    seen = stored(study_path).lesions[0].attributes
    assert (seen.periosteal_reaction, seen.appearance, seen.physeal_damage) == (True, "lytic", False)
    assert (seen.painful, seen.soft_tissue_oedema) == (None, None)  # nothing is assumed
    driver.press("S")
    assert [x.sites[0] for x in stored(study_path).lesions] == [TIBIA, TIBIA.replace("left", "right")]
    driver.press("Delete")
    assert len(stored(study_path).lesions) == 1
    driver.press("Ctrl+Z")
    assert len(stored(study_path).lesions) == 2
    driver.press("Ctrl+Shift+Z")
    assert len(stored(study_path).lesions) == 1
    driver.move(driver.middle(TIBIA))
    driver.press("G")
    assert driver.told.startswith("reference set on STIR coronal")
    driver.shot("marked_by_keys")


def test_the_worklist_is_done_by_keys(driver: Driver, study_path: Path) -> None:
    """Two lesions of the visit before: the clavicle is still there, the femur is healed."""
    session = driver.dock.desk.session
    driver.press("N")
    driver.idle()
    driver.shot("worklist")
    place = layers.lps_from_world(driver.viewer.dims.point)
    assert np.linalg.norm(place - driver.middle(CLAVICLE)) < 25
    driver.move(driver.middle(CLAVICLE))
    driver.press("Y")
    driver.wait(lambda: len(session.lesion_map.lesions) == 1, "marking the clavicle")
    driver.idle()
    driver.press("N")
    driver.press("R")
    assert driver.told == "every lesion of earlier visits is answered for, or was not imaged"
    now = stored(study_path)
    with Study.open(study_path) as study:
        before = study.lesion_map("P001", EARLIER, READER).lesions
    assert [x.sites[0] for x in now.lesions] == [CLAVICLE]
    assert now.lesions[0].tracks == before[0].tracks
    assert [(x.track, x.verdict) for x in now.answers] == [(before[1].tracks[0], "resolved")]


def test_keys_are_letters_while_one_types(driver: Driver, study_path: Path) -> None:
    driver.page("Lesions")
    driver.press("K", over=driver.middle(TIBIA))
    assert len(stored(study_path).lesions) == 1
    note = driver.dock.lesions.details.note
    note.setFocus()
    driver.rest()
    assert QApplication.focusWidget() is note
    driver.type(note, "K1 Swollen")
    assert note.text() == "K1 Swollen"
    assert len(stored(study_path).lesions) == 1
    driver.canvas.setFocus()
    driver.rest()
    assert stored(study_path).lesions[0].note == "K1 Swollen"


def test_signed_is_read_only_until_it_is_unlocked(driver: Driver, study_path: Path) -> None:
    more = driver.dock.more
    driver.press("K", over=driver.middle(TIBIA))
    more.sign()
    assert stored(study_path).signed
    driver.press("1")
    driver.press("Delete")
    assert "signed" in driver.told
    assert driver.said[-1][1]
    assert len(stored(study_path).lesions) == 1
    more.sign()
    driver.press("Delete")
    assert stored(study_path).lesions == ()
    more.show_history()
    driver.wait(lambda: more.history is not None and more.history.isVisible(), "the history")
    assert more.history is not None
    told = [more.history.table.item(row, 2).text() for row in range(more.history.table.rowCount())]
    assert any("unlock" in words.lower() for words in told), told
    more.history.close()


def test_the_mouse_changes_the_window(driver: Driver) -> None:
    stage = driver.dock.desk.stage
    before = stage.window
    x, y, z = driver.middle(TIBIA)
    driver.show((x, y, z), 1.5)
    driver.drag_image((x, y, z), (x + 60, y, z - 40), Qt.KeyboardModifier.ShiftModifier)
    after = stage.window
    assert after.high - after.low > before.high - before.low
