"""The whole path in a real window, with mouse and keys. Pictures are kept where LESIONMAP_SHOTS says."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QPushButton

from lesionmap.space import Grid, Volume
from lesionmap.store import Study
from napari_lesionmap import layers
from napari_lesionmap.canvas import hang
from plugin.drive import Driver
from plugin.small import EARLIER, LATER, READER, SITES, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


pytestmark = pytest.mark.gui

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"
CLAVICLE, TIBIA = SITES[LATER]
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def driver(make_napari_viewer: Callable[..., Any], tmp_path: Path) -> Iterator[Driver]:
    made = Driver(make_napari_viewer(show=True), tmp_path / "shots")
    yield made
    made.leave()


def test_the_patients_right_is_on_screen_left_and_the_head_up(make_napari_viewer: Callable[..., Any]) -> None:
    viewer = make_napari_viewer(show=True)
    hang(viewer)
    grid = Grid((40, 90, 7), np.array([[-4.0, 0, 0, 80], [0, 0, -6.0, 40], [0, -4.0, 0, 30], [0, 0, 0, 1.0]]))
    array = np.zeros(grid.shape, np.float32)
    i, j, k = np.rint(grid.voxels([-60.0, 34.0, 10.0])).astype(int)  # right, behind, near the head
    array[i - 3 : i + 4, j - 3 : j + 4, k] = 100
    data, options, _ = layers.image_layer(Volume(array, grid), "blob")
    viewer.add_image(data, **options)
    viewer.dims.point = tuple(layers.world_from_lps([-60.0, 34.0, 10.0]))
    for name in ("lesionmap_left", "lesionmap_right", "lesionmap_top", "lesionmap_bottom", "scale_bar"):
        viewer.canvas.overlays[name].visible = False
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int).sum(axis=2)
    rows, columns = np.nonzero(picture > 0.9 * picture.max())
    height, width = picture.shape
    assert columns.mean() < 0.5 * width
    assert rows.mean() < 0.35 * height
    viewer.dims.order = (1, 0, 2)  # axial: the front is up
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int).sum(axis=2)
    rows, columns = np.nonzero(picture > 0.9 * picture.max())
    assert columns.mean() < 0.5 * picture.shape[1]
    assert rows.mean() > 0.5 * picture.shape[0]  # y = 34 of 4 … 40: behind the middle


def open_later(driver: Driver, path: Path) -> None:
    session = driver.dock.desk.session
    driver.dock.visits.open_study(str(path))
    driver.wait(lambda: session.results is not None, "opening the study")
    driver.row(driver.dock.visits.visits, LATER)
    driver.wait(lambda: session.key == LATER, "opening the visit")
    driver.wait(lambda: bool(driver.dock.map.body.drawn), "drawing the bones")
    driver.idle()


def test_the_whole_path(driver: Driver, study_path: Path, tmp_path: Path) -> None:
    driver.shot("00_empty")
    open_later(driver, study_path)
    driver.shot("01_visits")
    place_a_landmark(driver)
    mark_two_lesions(driver, study_path)
    answer_for_the_earlier_ones(driver, study_path)
    change_and_undo(driver, study_path)
    paint(driver, study_path)
    mark_on_the_map(driver, study_path)
    show_the_earlier_visit_beside(driver)
    compare(driver)
    export(driver, tmp_path / "out")
    assert "P001" not in driver.viewer.title


def place_a_landmark(driver: Driver) -> None:
    dock, session = driver.dock, driver.dock.desk.session
    driver.page("Skeleton")
    driver.row(dock.skeleton.table, "Heel left")
    driver.click(dock.skeleton.place)
    now = session.now
    assert now is not None
    assert now.placement is not None
    heel = now.placement.positions()["heel_left"]
    driver.show(heel)
    driver.click_image(heel)
    driver.wait(lambda: "heel_left" in session.placed(), "placing the heel")
    assert session.placed()["heel_left"] == pytest.approx(heel, abs=4.0)
    assert session.landmark == "heel_right"
    driver.idle()
    driver.shot("02_skeleton")
    driver.click(dock.skeleton.place)


def mark_two_lesions(driver: Driver, path: Path) -> None:
    dock, session = driver.dock, driver.dock.desk.session
    driver.page("Lesions")
    driver.click(dock.lesions.tools["mark"])
    for n, site in enumerate((TIBIA, CLAVICLE), start=1):
        driver.show(driver.middle(site), 1.6)
        driver.click_image(driver.middle(site))
        driver.wait(lambda n=n: len(session.lesion_map.lesions) == n, "marking a lesion")  # type: ignore[misc]
    assert [x.sites[0] for x in stored(path).lesions] == [TIBIA, CLAVICLE]
    driver.idle()
    driver.shot("03_marked")


def answer_for_the_earlier_ones(driver: Driver, path: Path) -> None:
    """The lesion at the clavicle (it is chosen) is the one of the earlier visit; the one of the femur is gone."""
    table = driver.dock.lesions.earlier
    assert table.rowCount() == 2
    driver.choose(table.cellWidget(0, 2), "present")
    driver.choose(table.cellWidget(1, 2), "resolved")
    with Study.open(path) as study:
        (track, *_) = study.lesion_map("P001", EARLIER, READER).lesions[0].tracks
    assert stored(path).lesion("L2").tracks == (track,)
    assert [x.verdict for x in stored(path).answers] == ["resolved"]


def change_and_undo(driver: Driver, path: Path) -> None:
    lesions = driver.dock.lesions
    driver.row(lesions.table, "L1")
    assert driver.dock.desk.session.selected == "L1"
    driver.type_choice(lesions.details.site, "Left ankle (group)")
    assert stored(path).lesion("L1").sites == ("ankle.left",)
    driver.choose(lesions.details.certainty, "probable")
    assert stored(path).lesion("L1").certainty == "probable"
    driver.shot("04_changed")
    driver.keys(Qt.Key.Key_Z, CONTROL)
    driver.keys(Qt.Key.Key_Z, CONTROL)
    assert stored(path).lesion("L1").sites == (TIBIA,)
    assert stored(path).lesion("L1").certainty == "definite"


def paint(driver: Driver, path: Path) -> None:
    """One stroke is one act."""
    lesions = driver.dock.lesions
    driver.click(lesions.tools["paint"])
    x, y, z = driver.middle(TIBIA)
    driver.show((x, y, z), 2.5)
    before = stored(path).lesion("L1").extents[0].mask
    driver.drag_image((x + 14, y, z + 10), (x + 14, y, z - 10))
    after = stored(path).lesion("L1").extents[0].mask
    assert before is not None
    assert after is not None
    assert after.n_voxels > before.n_voxels
    driver.idle()
    driver.shot("05_painted")
    driver.click(lesions.tools["look"])


def mark_on_the_map(driver: Driver, path: Path) -> None:
    dock = driver.dock
    driver.page("Map")
    driver.idle()
    assert dock.map.count.text().startswith("2 lesions")
    driver.click(dock.map.body, dock.map.body.middle_of("femur.diaphysis.right"))
    assert dock.map.chosen.text() == "Right femoral diaphysis"
    driver.click(dock.map.add)
    assert stored(path).lesions[-1].sites == ("femur.diaphysis.right",)
    assert dock.map.count.text().startswith("3 lesions")
    driver.idle()
    driver.shot("06_map")
    driver.click(dock.undo)
    assert dock.map.count.text().startswith("2 lesions")


def show_the_earlier_visit_beside(driver: Driver) -> None:
    dock = driver.dock
    driver.page("Visits")
    driver.click(dock.visits.beside_on, QPoint(8, dock.visits.beside_on.height() // 2))
    driver.wait(lambda: dock.views.prior.key == EARLIER, "the earlier visit beside")
    driver.idle()
    driver.shot("07_beside")


def compare(driver: Driver) -> None:
    """States in words; a click goes to the lesion in the other visit."""
    table, session = driver.dock.compare.table, driver.dock.desk.session
    driver.page("Compare")
    texts = {table.item(r, 0).text(): table.item(r, 2).text() for r in range(table.rowCount())}
    assert texts["Right distal femoral metaphysis"].startswith("resolved")
    assert texts["Left distal tibial metaphysis"].startswith("new")
    driver.shot("08_compare")
    driver.row(table, "Right distal femoral metaphysis", 1)
    driver.wait(lambda: session.key == EARLIER, "going to the earlier visit")
    assert session.selected == "L2"
    driver.idle()


def export(driver: Driver, folder: Path) -> None:
    page = driver.dock.export
    driver.page("Export")
    page.folder.setText(str(folder))
    for kind in ("lesions.csv", "comparison.xlsx", "map.svg", "report.html", "masks.nii"):
        driver.click(page.buttons[kind])
        driver.idle()
        assert driver.said[-1][0].startswith("written: P001_"), driver.said[-1]
    driver.shot("09_export")
    driver.click(page.buttons["map.svg"])
    driver.idle()
    words, error = driver.said[-1]
    assert error
    assert "exists" in words
    assert (folder / "P001_lesions.csv").stat().st_size > 200


def sample_clicks() -> tuple[str, list[tuple[tuple[float, float, float], str]]]:
    """Give the second visit of the sample patient, and where its lesions are on STIR, with their sites."""
    folder = sorted(path.parent for path in SAMPLE.rglob("reading.csv"))[1]
    with (folder / "reading.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["series"] == "STIR coronal" and row["site"]]
    places = [(float(row["x_lps_mm"]), float(row["y_lps_mm"]), float(row["z_lps_mm"])) for row in rows]
    return folder.name.rpartition("_")[2], list(zip(places, [row["site"] for row in rows], strict=True))


@pytest.mark.skipif(not list(SAMPLE.rglob("reading.csv")), reason="the sample patient is not made yet: make sample")
def test_a_second_reader_marks_the_sample_patient_by_clicks(driver: Driver) -> None:
    dock, session = driver.dock, driver.dock.desk.session
    driver.click(next(x for x in dock.findChildren(QPushButton) if x.text() == "Sample patient"))
    driver.wait(lambda: session.results is not None, "opening the sample patient")
    visit, clicks = sample_clicks()
    driver.row(dock.visits.visits, visit)
    driver.wait(lambda: session.key == visit, "opening the visit")
    driver.page("Lesions")
    driver.type_choice(dock.lesions.reader, "second")
    driver.wait(lambda: session.key == visit and session.lesion_map.reader == "second", "beginning a map of one's own")
    driver.wait(lambda: dock.map.body.drawn, "drawing the bones")
    driver.click(dock.lesions.tools["mark"])
    for n, (place, _) in enumerate(clicks, start=1):
        driver.show(place, 1.2)
        driver.click_image(place)
        driver.wait(lambda n=n: len(session.lesion_map.lesions) == n, "marking a lesion")  # type: ignore[misc]
    assert [x.sites[0] for x in session.lesion_map.lesions] == [site for _, site in clicks]
    assert all(x.extents[0].mask is not None for x in session.lesion_map.lesions)
    driver.page("Map")
    driver.idle()
    assert dock.map.count.text().startswith(f"{len(clicks)} lesions")
    driver.shot("sample_marked")
    for name in ("bone scan posterior late", "STIR sagittal"):
        driver.page("Visits")
        driver.row(dock.visits.series, name)
        driver.wait(lambda name=name: session.shown == name, "showing the series")  # type: ignore[misc]
        driver.idle()
        driver.shot(f"sample_{name.replace(' ', '_')}")


@pytest.mark.parametrize(("theme", "size"), [("dark", (1366, 768)), ("light", (1440, 900))], ids=["small", "light"])
def test_nothing_is_cut_off(
    make_napari_viewer: Callable[..., Any], tmp_path: Path, study_path: Path, theme: str, size: tuple[int, int]
) -> None:
    viewer = make_napari_viewer(show=True)
    viewer.theme = theme
    driver = Driver(viewer, tmp_path / "shots", size)
    open_later(driver, study_path)
    assert (driver.window.width(), driver.window.height()) == size
    for name in ("Visits", "Skeleton", "Lesions", "Map", "Compare", "Export"):
        driver.page(name)
        driver.idle()
        driver.shot(f"{theme}_{size[0]}_{name.lower()}")
        assert driver.cut_off() == [], name
    driver.leave()


def test_a_broken_study_is_told_in_one_line(driver: Driver, tmp_path: Path) -> None:
    path = tmp_path / "notes.lesionmap"
    path.write_text("this is no study", encoding="utf-8")
    driver.dock.visits.open_study(str(path))
    driver.wait(lambda: any(error for _, error in driver.said), "the error")
    words = driver.said[-1][0]
    assert driver.dock.words.text() == words
    assert "\n" not in words
    assert "Traceback" not in words
    assert driver.dock.progress.isVisible() is False
