"""The series beside: paired by itself, chosen by hand; and the word under the cursor where nothing was imaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest
from qtpy.QtCore import QPoint

from lesionmap.intake import take_in
from lesionmap.read import scan
from lesionmap.space import Grid
from lesionmap.store import Study
from lesionmap.visits import Series, Station
from napari_lesionmap import load
from napari_lesionmap.cursor import imaged_at
from plugin.drive import Driver
from plugin.small import EARLIER, LATER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Columns to the right, rows to the feet, slices to the back; no two axes alike.
_GRID = Grid((60, 110, 7), np.array([[-5.0, 0, 0, 150], [0, 0, 12.0, -40], [0, -7.0, 0, -400], [0, 0, 0, 1.0]]))


def _add(study: Path, visit: str, name: str) -> None:
    path = study.with_name(f"{name}_{visit}.nii")
    array = np.random.default_rng(len(name)).normal(200, 20, _GRID.shape).astype(np.float32)
    nib.save(nib.Nifti1Image(array, np.diag([-1.0, -1, 1, 1]) @ _GRID.lps_from_voxel), path)
    with Study.open(study) as opened:
        take_in(opened, scan([path]), patient="P001", visit_key=visit)


@pytest.fixture
def two_series(study_path: Path) -> Path:
    """Both visits have STIR and T1; the earlier one has T2 too."""
    for visit, name in ((EARLIER, "T2_coronal"), (EARLIER, "T1_coronal"), (LATER, "T1_coronal")):
        _add(study_path, visit, name)
    return study_path


def test_what_stands_beside_is_the_like_series(two_series: Path) -> None:
    with Study.open(two_series) as study:
        earlier, later = study.visits("P001")
    assert [s.name for s in earlier.series] == ["STIR coronal", "T2 coronal", "T1 coronal"]
    assert load.paired_series(earlier, later, "T1 coronal") == "T1 coronal"
    assert load.paired_series(earlier, later, "STIR coronal") == "STIR coronal"
    assert load.paired_series(later, earlier, "T2 coronal") == "STIR coronal"
    assert load.paired_series(earlier, later, "no such series") == "STIR coronal"  # the one to begin with


def test_a_gap_between_stations_is_not_imaged() -> None:
    def station(top: float) -> Grid:
        matrix = _GRID.lps_from_voxel.copy()
        matrix[2, 3] = top
        return Grid((60, 10, 7), matrix)

    grid = Grid((60, 30, 7), station(0).lps_from_voxel)
    series = Series("STIR", grid, "MR", "STIR", "coronal", tuple(Station(station(t), ()) for t in (0, -140)))
    assert [imaged_at(series, (20, 0, z)) for z in (-20, -100, -180)] == [True, False, True]
    assert imaged_at(series, (20, 900, -100))  # outside the series: nothing to say of it


@pytest.fixture
def driver(make_napari_viewer: Callable[..., Any], tmp_path: Path) -> Iterator[Driver]:
    made = Driver(make_napari_viewer(show=True), tmp_path / "shots")
    yield made
    made.leave()


def _beside(driver: Driver) -> tuple[str, str]:
    prior = driver.dock.views.prior
    return prior.key, prior.shown


@pytest.mark.gui
def test_the_series_beside_follows_and_is_changed_by_hand(driver: Driver, two_series: Path) -> None:
    page, session = driver.dock.visits, driver.dock.desk.session
    page.open_study(str(two_series))
    driver.wait(lambda: session.results is not None, "opening the study")
    driver.page("Visits")
    driver.row(page.visits, LATER)
    driver.wait(lambda: session.key == LATER, "opening the visit")
    driver.idle()
    assert page.beside_series.chosen() == "STIR coronal"  # what would be shown
    driver.click(page.beside_on, QPoint(8, page.beside_on.height() // 2))
    driver.wait(lambda: _beside(driver) == (EARLIER, "STIR coronal"), "STIR beside STIR")
    driver.row(page.series, "T1 coronal")
    driver.wait(lambda: _beside(driver) == (EARLIER, "T1 coronal"), "T1 beside T1")
    assert page.beside_series.chosen() == "T1 coronal"
    driver.type_choice(page.beside_series, "T2 coronal")
    driver.wait(lambda: _beside(driver) == (EARLIER, "T2 coronal"), "T2 chosen by hand")
    driver.idle()
    assert driver.dock.views.earlier is not None
    names = [layer.name for layer in driver.dock.views.earlier.viewer.layers]
    assert "T2 coronal" in names
    assert "T1 coronal" not in names
    driver.shot("beside_by_hand")
    driver.row(page.series, "STIR coronal")
    driver.wait(lambda: _beside(driver) == (EARLIER, "STIR coronal"), "STIR beside STIR again")
    driver.row(page.series, "T1 coronal")
    driver.wait(lambda: _beside(driver) == (EARLIER, "T2 coronal"), "the choice remembered")
    driver.click(page.beside_on, QPoint(8, page.beside_on.height() // 2))
    assert _beside(driver) == ("", "")
    assert driver.cut_off() == []
