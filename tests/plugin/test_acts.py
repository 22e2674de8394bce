"""Acts by keys, each by itself, in a real window; and that every control has a name for those who hear it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtWidgets import QAbstractButton, QAbstractSpinBox, QComboBox, QLineEdit, QTableWidget

from napari_lesionmap.stage import MASKS
from plugin.drive import Driver
from plugin.small import EARLIER, LATER, SITES, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.gui

CLAVICLE, TIBIA = SITES[LATER]
OPPOSITE = TIBIA.replace("left", "right")


@pytest.fixture
def driver(make_napari_viewer: Callable[..., Any], tmp_path: Path, study_path: Path) -> Iterator[Driver]:
    made = Driver(make_napari_viewer(show=True), tmp_path / "shots")
    made.open_last(study_path)
    yield made
    made.leave()


def stroke(driver: Driver, site: str, deeper_mm: float = 0.0) -> None:
    """Draw a short line with the mouse at a site, in a slice behind it."""
    x, y, z = driver.middle(site)
    driver.show((x, y + deeper_mm, z), 1.6)
    driver.drag_image((x - 9, y + deeper_mm, z), (x + 9, y + deeper_mm, z))


def test_two_painted_slices_are_filled_between(driver: Driver, study_path: Path) -> None:
    driver.press("B")
    stroke(driver, TIBIA)
    driver.press("F")
    assert driver.told == "L1 has no slice left out between painted ones; paint it further on first"
    stroke(driver, TIBIA, 18.0)
    before = stored(study_path).lesions[0].extents[0].mask
    assert before is not None
    driver.press("F")
    after = stored(study_path).lesions[0].extents[0].mask
    assert after is not None
    slices = [len(np.unique(mask.voxels()[:, 2])) for mask in (before, after)]
    assert slices == [2, 4]


def test_the_eraser_takes_away_what_was_painted(driver: Driver, study_path: Path) -> None:
    driver.press("B")
    stroke(driver, TIBIA)
    before = stored(study_path).lesions[0].extents[0].mask
    driver.press("E")
    x, y, z = driver.middle(TIBIA)
    driver.drag_image((x + 2, y, z), (x + 20, y, z))
    after = stored(study_path).lesions[0].extents[0].mask
    assert before is not None
    assert after is not None
    assert 0 < after.n_voxels < before.n_voxels
    driver.press("V")
    assert driver.viewer.layers[MASKS].mode == "pan_zoom"
    driver.press("Ctrl+Z")
    again = stored(study_path).lesions[0].extents[0].mask
    assert again is not None
    assert again.n_voxels == before.n_voxels


def test_two_lesions_become_one_and_two_again(driver: Driver, study_path: Path) -> None:
    driver.press("B")
    stroke(driver, TIBIA)
    driver.dock.desk.session.select("")
    stroke(driver, OPPOSITE)
    first, second = stored(study_path).lesions
    driver.press("V")
    driver.dock.desk.session.select(first.id)
    driver.press("U")
    assert driver.told.startswith(f"choose the lesion that is one with {first.id}")
    driver.press("Escape")
    driver.dock.desk.session.select(second.id)
    driver.press("U")  # Esc has left it: this begins anew
    assert len(stored(study_path).lesions) == 2
    driver.dock.desk.session.select(first.id)
    driver.press("U")
    (one,) = stored(study_path).lesions
    assert set(one.tracks) == {*first.tracks, *second.tracks}
    driver.press("Shift+U")
    assert driver.told == f"{one.id} is 2 lesions now"
    assert len(stored(study_path).lesions) == 2
    driver.press("Ctrl+Z")
    driver.press("Ctrl+Z")
    assert [x.id for x in stored(study_path).lesions] == [first.id, second.id]


def test_the_lesion_that_is_chosen_is_an_earlier_one(driver: Driver, study_path: Path) -> None:
    driver.press("K", over=driver.middle(CLAVICLE))
    driver.press("N")
    driver.dock.desk.session.select("L1")
    driver.press("A")
    assert stored(study_path).lesions[0].tracks == stored(study_path, EARLIER).lesions[0].tracks


def test_answers_for_earlier_lesions(driver: Driver, study_path: Path) -> None:
    driver.press("Shift+N")
    driver.press("I")
    driver.press("Shift+N")
    driver.press("J")
    first, second = (x.tracks[0] for x in stored(study_path, EARLIER).lesions)
    told = {x.track: x.verdict for x in stored(study_path).answers}
    assert told == {second: "not_imaged", first: "cannot_judge"}


def test_certainty(driver: Driver, study_path: Path) -> None:
    driver.press("4")
    assert driver.told == "no lesion is chosen; click one in the image or in the list"
    driver.press("K", over=driver.middle(TIBIA))
    for key, certainty in (("4", "normal_variant"), ("5", "not_bone"), ("2", "probable")):
        driver.press(key)
        assert stored(study_path).lesions[0].certainty == certainty


def test_nothing_tells_whose_it_is_while_that_is_hidden(driver: Driver) -> None:
    driver.dock.more.hide_action.setChecked(True)
    driver.press("N")
    assert "marked visit 1" in driver.told
    for page in ("Visits", "Skeleton", "Lesions", "Map", "Compare", "Export"):
        driver.page(page)
        driver.rest()
        told = [words for words in driver.words() if "P001" in words or EARLIER in words or LATER in words]
        assert not told, page


def test_every_control_has_a_name(driver: Driver) -> None:
    """What a screen reader says of it: its text, or the name that it was given."""
    kinds = (QAbstractButton, QComboBox, QTableWidget, QLineEdit, QAbstractSpinBox)
    nameless = [
        f"{type(widget).__name__} in {type(widget.parentWidget()).__name__}"
        for kind in kinds
        for widget in driver.dock.findChildren(kind)
        if not isinstance(widget.parentWidget(), (QComboBox, QTableWidget, QAbstractSpinBox))
        and not (widget.accessibleName() or (isinstance(widget, QAbstractButton) and widget.text().strip("⋯ .")))
    ]
    assert not nameless
