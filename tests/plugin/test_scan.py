"""A bone scan in a real window: skeleton and names on the view, a click that is one lesion in both, landmarks."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lesionmap.evaluate import place_scan
from lesionmap.intake import take_in
from lesionmap.phantom.files import Header
from lesionmap.phantom.scan_files import write_scan
from lesionmap.read import scan
from lesionmap.store import Study
from napari_lesionmap.skeleton_lines import LANDMARKS, LINES
from planar_cases import clicks, off_mm, scan_of
from plugin.drive import Driver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.gui

SCAN = scan_of(8.0, 2)
DAY = "2012-05-04"
VIEWS = ("bone scan anterior late", "bone scan posterior late")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a study of one visit with a bone scan, placed by its counts."""
    folder = tmp_path_factory.mktemp("scan")
    who = Header("X1", "A^B", "F", date(2004, 5, 3), date(2012, 5, 4), 8.0, 1.28, 25.0, "planar")
    with Study.open(folder / "s.lesionmap", create=True) as study:
        (visit,) = take_in(study, scan([write_scan(SCAN.case, who, folder / "in")]))
        placed = place_scan(study.patient(visit.patient), visit, None, by_counts=True)
        study.save_placement(visit.patient, visit.key, placed, "reader")
    return folder / "s.lesionmap"


@pytest.fixture
def study_path(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path / "copy.lesionmap"))


@pytest.fixture
def driver(make_napari_viewer: Callable[..., Any], tmp_path: Path, study_path: Path) -> Iterator[Driver]:
    made = Driver(make_napari_viewer(show=True), tmp_path / "shots")
    made.open_last(study_path)
    yield made
    made.leave()


def hot(start: str) -> tuple[str, tuple[float, float, float]]:
    """Give the site of a lesion, and a click on it."""
    return next((site, at) for site, at in clicks(SCAN, 2) if site.startswith(start))


def test_the_skeleton_lies_on_the_view_and_what_is_under_the_cursor_has_a_name(driver: Driver) -> None:
    lines = driver.viewer.layers[LINES]
    driver.wait(lambda: lines.visible and len(lines.data) > 1000, "drawing the outlines")
    ends = np.asarray(lines.data)[:, 0] * np.asarray(lines.scale)
    knee = SCAN.case.landmarks()["knee_left"]
    near = np.hypot(ends[:, 2] - knee[0], ends[:, 1] - knee[2])
    assert near.min() < 25.0
    x, _, z = knee
    words = driver.dock.desk.cursor.words((x, 0.0, z + 60.0)).split("\n")
    assert words[0].startswith("Left ")
    assert "femoral" in words[0]
    assert words[-1].startswith("signal ")


def test_one_click_is_one_lesion_with_an_outline_in_each_view(driver: Driver, study_path: Path) -> None:
    site, (x, _, z) = hot("tibia")
    driver.press("M")
    driver.show((x, 0.0, z), 2.0)
    driver.click_image((x, 0.0, z))
    driver.idle()
    with Study.open(study_path) as study:
        (lesion,) = study.lesion_map("P001", DAY, driver.dock.desk.session.lesion_map.reader).lesions
    assert {one.series for one in lesion.extents} == set(VIEWS)
    for one in lesion.extents:
        assert one.mask is not None
        place = one.mask.lps_mm().mean(axis=0)
        assert np.hypot(place[0] - x, place[2] - z) < 10.0
    assert lesion.sites[0].split(".")[0] == site.split(".")[0]
    assert lesion.sites[0].endswith(site.split(".")[-1])
    measured = driver.dock.desk.session.now
    assert measured is not None
    assert [row.counts is not None for row in measured.measurements[lesion.id]] == [True, True]
    driver.shot("scan_marked")


def test_a_marker_is_set_in_both_views(driver: Driver, study_path: Path) -> None:
    _, (x, _, z) = hot("tibia")
    driver.show((x, 0.0, z), 2.0)  # a pixel of the screen is half a millimetre then
    driver.press("K", over=(x, 0.0, z))
    with Study.open(study_path) as study:
        (lesion,) = study.lesion_map("P001", DAY, driver.dock.desk.session.lesion_map.reader).lesions
    assert {one.series for one in lesion.extents} == set(VIEWS)
    for one in lesion.extents:
        assert one.mask is None
        assert one.marker_lps_mm is not None
        assert np.hypot(one.marker_lps_mm[0] - x, one.marker_lps_mm[2] - z) < 3.0


def test_landmarks_are_put_on_the_view_and_stay(driver: Driver) -> None:
    session = driver.dock.desk.session
    x, _, z = SCAN.case.landmarks()["ankle_left"]
    driver.page("Skeleton")
    session.choose_landmark("ankle_left")
    session.choose_tool("landmark")
    driver.show((x, 0.0, z), 2.0)
    driver.click_image((x, 0.0, z))
    driver.idle()
    assert session.there is not None
    assert session.there.placement is not None
    (mark,) = [m for m in session.there.placement.landmarks if m.placed]
    assert mark.name == "ankle_left"
    assert mark.lps_mm[::2] == pytest.approx([x, z], abs=3.0)
    assert np.median(list(off_mm(session.there.placement, SCAN).values())) < 10.0
    assert driver.viewer.layers[LANDMARKS].visible
    assert len(driver.viewer.layers[LANDMARKS].data) >= 40  # whatever their depth


def test_the_other_view_lies_beside_with_the_same_place_and_its_own_outline(driver: Driver) -> None:
    _, (x, _, z) = hot("tibia")
    driver.press("M")
    driver.show((x, 0.0, z), 2.0)
    driver.click_image((x, 0.0, z))
    driver.idle()
    driver.press("L")
    driver.idle()
    beside = driver.dock.views.earlier
    assert beside is not None
    assert driver.dock.views.prior.shown == VIEWS[1]
    masks = beside.viewer.layers["lesion masks"]
    assert np.count_nonzero(masks.data) > 5
    driver.move((x, 0.0, z))
    driver.wait(lambda: abs(beside.viewer.scene.camera.center[-1] - x) < 3, "following the cursor")
    assert abs(beside.viewer.scene.camera.center[-2] - z) < 3
    overlays = beside.viewer.canvas.overlays
    assert (overlays["lesionmap_left"].text, beside.viewer.scene.camera.orientation[2].value) == ("R", "right")
    driver.press("Shift+L")
    assert (overlays["lesionmap_left"].text, overlays["lesionmap_right"].text) == ("L", "R")
    assert beside.viewer.scene.camera.orientation[2].value == "left"
    assert driver.viewer.canvas.overlays["lesionmap_left"].text == "R"  # the anterior view stays
    driver.press("M")
    driver.show((x, 0.0, z + 150.0), 0.62)
    driver.rest(0.5)
    driver.shot("scan_beside")
    driver.press("L")
    assert driver.dock.views.earlier is None


def test_candidates_on_the_scan_are_accepted_in_both_views(driver: Driver, study_path: Path) -> None:
    found = driver.dock.desk.found
    driver.press("C")
    driver.wait(lambda: found.searched, "looking for hot spots")
    planted = [(site, at) for site, at in clicks(SCAN, 2)]
    near = [one for one in found.waiting for _, (x, _, z) in planted if _off(one.mask.lps_mm(), x, z) < 12.0]
    assert len(near) >= 0.7 * len(planted)
    assert len(found.waiting) <= len(planted) + 10
    driver.rest(0.3)
    driver.shot("scan_candidates")
    first = found.looked
    assert first is not None
    driver.press("Return")
    driver.idle()
    with Study.open(study_path) as study:
        (lesion,) = study.lesion_map("P001", DAY, driver.dock.desk.session.lesion_map.reader).lesions
    assert lesion.sites == (first.site,)
    assert lesion.extents[0].series == VIEWS[0]
    assert first not in found.waiting


def _off(points: np.ndarray[tuple[int, int], np.dtype[np.float64]], x: float, z: float) -> float:
    middle = points.mean(axis=0)
    return float(np.hypot(middle[0] - x, middle[2] - z))
