"""The page Compare in a real window: proposals confirmed in one pass, and what is to be looked at again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt

from lesionmap import annotate
from lesionmap.lesions import Extent, Mask
from lesionmap.store import Study
from plugin.drive import Driver
from plugin.small import EARLIER, LATER, READER, SITES, spot, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.gui

CLAVICLE, FEMUR = SITES[EARLIER]


@pytest.fixture
def read_twice(study_path: Path) -> Path:
    """Mark the later visit too, on tracks of its own: the clavicle again, the femur, and a lesion far from its bone."""
    with Study.open(study_path) as study:
        old = new = study.lesion_map("P001", LATER, READER)
        placement, series = study.placement("P001", LATER), study.visit("P001", LATER).series[0]
        assert placement is not None
        for site, at in ((CLAVICLE, CLAVICLE), (FEMUR, FEMUR), ("tibia.distal_metaphysis.left", FEMUR)):
            mask = Mask.ball(series.grid, spot(placement, at), 9.0)
            new = annotate.add_lesion(new, sites=(site,), extents=(Extent(series.name, mask),))
        study.save(old, new)
    return study_path


@pytest.fixture
def driver(make_napari_viewer: Callable[..., Any], tmp_path: Path, read_twice: Path) -> Iterator[Driver]:
    made = Driver(make_napari_viewer(show=True), tmp_path / "shots", (1366, 768))
    made.open_last(read_twice)
    yield made
    made.leave()


def test_proposals_are_confirmed_in_one_pass_and_doubts_are_one_click_away(driver: Driver, study_path: Path) -> None:
    page, session = driver.dock.compare, driver.dock.desk.session
    earlier = {x.sites[0]: x.tracks for x in stored(study_path, EARLIER).lesions}
    assert session.key == LATER
    driver.page("Compare")
    rows = page.matches.table
    driver.wait(lambda: rows.rowCount() == 2, "matching")
    assert [rows.item(r, 0).text() for r in range(2)] == ["L1", "L2"]
    assert rows.item(0, 1).text() == f"Left medial clavicle, {EARLIER}"
    assert all(rows.item(r, 0).checkState() == Qt.CheckState.Checked for r in range(2))
    driver.shot("compare_proposed")
    assert driver.cut_off() == []
    rows.item(1, 0).setCheckState(Qt.CheckState.Unchecked)
    assert page.matches.confirm.text() == "Confirm 1"
    rows.item(1, 0).setCheckState(Qt.CheckState.Checked)
    driver.click(page.matches.confirm)
    driver.idle()
    found = {x.sites[0]: x.tracks for x in stored(study_path).lesions}
    assert (found[CLAVICLE], found[FEMUR]) == (earlier[CLAVICLE], earlier[FEMUR])
    driver.wait(lambda: not page.matches.widget.isVisible(), "nothing is left to confirm")
    driver.wait(lambda: page.again.rowCount() == 1, "looking again")
    assert "beside its bone" in page.again.item(0, 1).text()
    driver.shot("compare_again")
    driver.row(page.again, LATER, 1)
    driver.idle()
    assert session.selected == "L3"
    map_of_changes(driver)
    driver.press("Ctrl+Z")
    driver.idle()
    assert {x.sites[0]: x.tracks for x in stored(study_path).lesions}[CLAVICLE] != earlier[CLAVICLE]


def map_of_changes(driver: Driver) -> None:
    """What is new alone is shown: the others have only become smaller."""
    page = driver.dock.compare
    driver.click(page.changes)
    driver.idle()
    assert page.body.isVisible()
    assert not page.table.isVisible()
    driver.wait(lambda: page.body.shown() == {"L3"}, "drawing the map")
    driver.shot("compare_map")
    driver.click(page.changes)
    assert page.table.isVisible()
