"""A follow-up of the sample patient read by keys and mouse alone, and how many acts of the hand it takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from qtpy.QtCore import Qt

from lesionmap import annotate
from lesionmap.cli.sample import read_sample
from lesionmap.read.rows import read_reading
from lesionmap.store import Study
from napari_lesionmap import layers
from napari_lesionmap.resolve import earlier_rows
from plugin.drive import Driver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.gui,
    pytest.mark.skipif(
        not list((Path(__file__).resolve().parents[2] / "sample_data").rglob("reading.csv")),
        reason="the sample patient is not made yet: make sample",
    ),
]

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"
VISIT, READER, PATIENT = "2008-05-14", "sample", "P001"
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def study_path(tmp_path: Path) -> Path:
    """Make the sample's study, its second visit not read yet."""
    path = tmp_path / "sample.lesionmap"
    with Study.open(path, create=True) as study:
        patient = read_sample(study, SAMPLE)
        old = new = study.lesion_map(patient, VISIT, READER)
        for lesion in old.lesions:
            new = annotate.remove_lesion(new, lesion.id)
        study.save(old, new)
    return path


class Counted:
    """A hand whose acts are counted: a key, a click, or one turn of the wheel through slices."""

    def __init__(self, driver: Driver) -> None:
        self.driver, self.acts = driver, 0

    def press(self, keys: str) -> None:
        self.acts += 1
        self.driver.press(keys)

    def click(self, lps_mm: tuple[float, float, float]) -> None:
        self.acts += 1
        self.driver.click_image(lps_mm)

    def turn_to(self, lps_mm: tuple[float, float, float]) -> None:
        """Turn the wheel, in one go, until the slice of a place is shown; nothing where it is shown already."""
        viewer = self.driver.viewer
        axis = viewer.dims.order[-3]
        step = viewer.dims.range[axis].step
        away = round((layers.world_from_lps(lps_mm)[axis] - viewer.dims.point[axis]) / step)
        if away:
            self.acts += 1
            self.driver.wheel(lps_mm, -away, CONTROL)
        left = layers.world_from_lps(lps_mm)[axis] - viewer.dims.point[axis]
        assert abs(left) <= step / 2 + 1e-6, f"{left} mm are left of {away} steps of {step} mm"

    def pan_to(self, lps_mm: tuple[float, float, float]) -> None:
        """Drag the image until a place is seen; nothing where it is seen already."""
        driver = self.driver
        if not driver.canvas.rect().contains(driver.pixel(lps_mm)):
            self.acts += 1
            driver.viewer.scene.camera.center = tuple(layers.world_from_lps(lps_mm))
            driver.rest()


@pytest.fixture
def driver(make_napari_viewer: Callable[..., Any], tmp_path: Path, study_path: Path) -> Iterator[Driver]:
    made = Driver(make_napari_viewer(show=True), tmp_path / "shots", (1600, 1000))
    session = made.dock.desk.session
    made.dock.visits.open_study(str(study_path))
    made.wait(lambda: session.results is not None, "opening the study")
    made.dock.visits.open_visit(VISIT)
    made.wait(lambda: session.key == VISIT and made.dock.map.body.drawn, "opening the visit")
    made.idle()
    yield made
    made.leave()


def test_a_follow_up_takes_at_most_three_acts_for_each_lesion(driver: Driver, study_path: Path) -> None:
    session, hand = driver.dock.desk.session, Counted(driver)
    driver.page("Lesions")
    folder = next(SAMPLE.rglob(f"*{VISIT}"))
    rows = {row.id: row for row in read_reading(folder / "reading.csv") if row.site and row.series == "STIR coronal"}
    assert session.results is not None
    assert [row.site_id for row in earlier_rows(session.results, VISIT)] == ["clavicle.medial.left"]
    hand.press("N")  # goes to where the lesion of the visit before is expected
    driver.idle()
    earlier = rows.pop("clavicle_left").lps_mm
    assert earlier is not None
    expected = layers.lps_from_world(driver.viewer.dims.point)
    assert sum((a - b) ** 2 for a, b in zip(expected, earlier, strict=True)) ** 0.5 < 30
    hand.turn_to(earlier)
    driver.move(earlier)
    hand.press("Y")
    driver.wait(lambda: len(session.lesion_map.lesions) == 1, "marking what is still there")
    hand.press("M")
    for n, row in enumerate(rows.values(), start=2):
        assert row.lps_mm is not None
        hand.turn_to(row.lps_mm)
        hand.pan_to(row.lps_mm)
        hand.click(row.lps_mm)
        driver.wait(lambda n=n: len(session.lesion_map.lesions) == n, f"marking {row.id}")  # type: ignore[misc]
    driver.idle()
    driver.shot("follow_up")
    with Study.open(study_path) as study:
        now = study.lesion_map(PATIENT, VISIT, READER)
        before = study.lesion_map(PATIENT, "2006-05-10", READER)
    assert [x.sites[0] for x in now.lesions] == ["clavicle.medial.left", *(row.site for row in rows.values())]
    assert now.lesions[0].tracks == before.lesions[0].tracks
    assert hand.acts == 15, "say the new number in docs/keys.md, and keep it below 3 for each lesion"
