"""Candidates and the least certain landmark in a real window, by keys and by buttons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from napari_lesionmap import layers
from napari_lesionmap.found_line import CANDIDATE
from napari_lesionmap.resolve import least_certain
from plugin.drive import Driver
from plugin.small import LATER, SITES, spot, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari_lesionmap.found import Found

pytestmark = pytest.mark.gui

CLAVICLE, TIBIA = SITES[LATER]
CLAVICLE_WORDS, TIBIA_WORDS = "Left medial clavicle", "Left distal tibial metaphysis"


@pytest.fixture
def driver(make_napari_viewer: Callable[..., Any], tmp_path: Path, study_path: Path) -> Iterator[Driver]:
    made = Driver(make_napari_viewer(show=True), tmp_path / "shots", (1366, 768))
    made.open_last(study_path)
    yield made
    made.leave()


def search(driver: Driver) -> Found:
    driver.press("C")
    driver.wait(lambda: driver.dock.desk.found.searched, "the search")
    driver.idle()
    return driver.dock.desk.found


def counted(driver: Driver) -> int:
    results = driver.dock.desk.session.results
    assert results is not None
    return results.counts[LATER].total.lesions


def at_site(driver: Driver, site: str) -> None:
    """The view is at a site, in a slice that cuts its spot."""
    now = driver.dock.desk.session.now
    assert now is not None
    assert now.placement is not None
    assert layers.lps_from_world(driver.viewer.dims.point) == pytest.approx(spot(now.placement, site), abs=6.1)


def test_nothing_is_counted_before_it_is_accepted(driver: Driver, study_path: Path) -> None:
    rows = driver.dock.lesions.candidates
    driver.page("Lesions")
    assert not rows.widget.isVisible()
    search(driver)
    assert rows.widget.isVisible()
    assert rows.table.rowCount() == 2
    assert driver.told.startswith(f"candidate 1 of 2, {TIBIA_WORDS}: ")
    assert driver.dock.words.text() == driver.told
    at_site(driver, TIBIA)
    assert driver.viewer.layers[CANDIDATE].visible
    assert counted(driver) == 0
    assert stored(study_path).lesions == ()
    driver.viewer.scene.camera.zoom = 3.0
    driver.shot("candidates")
    assert driver.cut_off() == []


def test_candidates_by_keys(driver: Driver, study_path: Path) -> None:
    found = search(driver)
    driver.press("Return")
    (lesion,) = stored(study_path).lesions
    assert lesion.sites == (TIBIA,)
    assert counted(driver) == 1
    assert driver.dock.desk.session.undo_words == f"mark lesion {lesion.id}"
    assert driver.told.startswith(f"{lesion.id} marked; candidate 2 of 2, {CLAVICLE_WORDS}: ")
    at_site(driver, CLAVICLE)
    driver.shot("candidates_next")
    driver.press("Escape")
    assert driver.told == "rejected; no candidate is left on STIR coronal"
    assert not driver.viewer.layers[CANDIDATE].visible
    assert not driver.dock.lesions.candidates.widget.isVisible()
    assert len(stored(study_path).lesions) == 1
    driver.press("C")
    assert driver.told == "no candidate is left on STIR coronal"
    found.put_away()
    assert CANDIDATE not in driver.viewer.layers
    search(driver)
    assert found.waiting == ()


def test_candidates_by_mouse(driver: Driver, study_path: Path) -> None:
    rows = driver.dock.lesions.candidates
    found = search(driver)
    driver.row(rows.table, CLAVICLE_WORDS)
    at_site(driver, CLAVICLE)
    assert found.looked is found.waiting[1]
    driver.press("C")
    assert found.looked is found.waiting[0]
    driver.row(rows.table, CLAVICLE_WORDS)
    driver.click(rows.accept)
    assert [x.sites for x in stored(study_path).lesions] == [(CLAVICLE,)]
    driver.click(rows.reject)
    assert found.waiting == ()
    driver.press("Ctrl+Z")
    assert stored(study_path).lesions == ()
    assert rows.table.rowCount() == 1
    assert not rows.accept.isEnabled()
    driver.click(rows.close)
    assert not rows.widget.isVisible()


def test_an_outline_that_is_new_has_enter_and_esc_before_a_candidate(driver: Driver, study_path: Path) -> None:
    found = search(driver)
    now = driver.dock.desk.session.now
    assert now is not None
    assert now.placement is not None
    clavicle = spot(now.placement, CLAVICLE)
    driver.press("M")
    assert found.looked is None
    driver.press("Escape")  # back to looking: nothing is rejected
    assert driver.dock.desk.session.tool == "look"
    assert len(found.waiting) == 2
    driver.press("M")
    driver.show(clavicle, 1.6)
    driver.click_image(clavicle)
    driver.wait(lambda: bool(driver.dock.hand.new.lesion), "marking")
    assert [one.site for one in found.waiting] == [TIBIA]  # the other one is drawn now
    driver.press("Escape")
    assert stored(study_path).lesions == ()
    assert len(found.waiting) == 2
    driver.press("C")
    driver.press("Return")
    assert [x.sites for x in stored(study_path).lesions] == [(TIBIA,)]


def test_the_least_certain_landmark_is_placed_next(driver: Driver) -> None:
    session = driver.dock.desk.session
    now = session.now
    assert now is not None
    assert now.placement is not None
    assert session.volume is not None
    grid = session.volume.grid
    first, second, *_ = least_certain(now, grid)
    driver.press("Q")
    assert driver.dock.tabs.tabText(driver.dock.tabs.currentIndex()) == "Skeleton"
    assert (session.tool, session.landmark) == ("landmark", first)
    assert "estimated ± " in driver.told
    driver.press("Q")
    assert session.landmark == second
    there = now.placement.positions()[second]
    assert layers.lps_from_world(driver.viewer.dims.point) == pytest.approx(there, abs=6.1)
    driver.idle()
    driver.shot("uncertain")
    driver.click_image(there)
    driver.wait(lambda: second in session.placed(), "placing it")
    driver.idle()
    driver.press("Q")
    assert session.now is not None
    assert session.landmark == least_certain(session.now, grid)[0]


def test_the_keys_are_all_seen_on_a_small_screen(driver: Driver) -> None:
    driver.press("?")
    driver.shot("keys_small")
    sheet = driver.dock.sheet
    assert sheet is not None
    assert sheet.height() <= driver.window.height()
    assert sheet.width() <= driver.window.width()
