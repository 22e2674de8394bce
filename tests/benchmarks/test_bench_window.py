"""The window beside plain napari with the same layers, in the same run, on a body of five stations (26 million voxels).

It needs a screen (``make bench`` gives a virtual one) and is skipped without.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import dicom_files as df
from lesionmap.evaluate import place_visit
from lesionmap.intake import take_in
from lesionmap.read import pixels, scan
from lesionmap.store import Study
from plugin.small import LANDMARKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from napari import Viewer

    from figures import Ratio
    from lesionmap.visits import Visit
    from plugin.drive import Driver

pytestmark = pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="needs a screen")

_ROUNDS, _SIZE = 15, (1440, 900)
_SHAPE, _SPACING = (384, 384, 40), (1.25, 1.25, 5.0)
_TOP_MM, _APART_MM = 240.0, 408.0


@dataclass(frozen=True, slots=True)
class Case:
    """A study on disk with one visit."""

    path: Path
    visit: Visit


@dataclass(frozen=True, slots=True)
class Both:
    """Our window, and a plain one with the same layers."""

    driver: Driver
    plain: Viewer


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    root = tmp_path_factory.mktemp("window")
    for n in range(5):
        where = df.grid(_SHAPE, spacing=_SPACING, origin=(-240, -90, _TOP_MM - n * _APART_MM))
        tags: dict[str, Any] = {"SeriesDescription": "STIR", "EchoTime": "30", "SeriesInstanceUID": f"1.9.{n}"}
        df.write_series(root / f"STIR{n}", df.noise(where, n), seed=n, **tags)
    path = root / "window.lesionmap"
    with Study.open(path, create=True) as study:
        (visit,) = take_in(study, scan([root]))
        placement = place_visit(study.patient(visit.patient), visit, LANDMARKS)
        study.save_placement(visit.patient, visit.key, placement, "anna")
    return Case(path, visit)


@pytest.fixture(scope="module")
def driver(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    os.environ["NAPARI_CONFIG"] = str(tmp_path_factory.mktemp("napari") / "settings.yaml")
    os.environ["LESIONMAP_STATE"] = str(tmp_path_factory.mktemp("state"))
    import napari

    from plugin.drive import Driver

    made = Driver(napari.Viewer(show_welcome_screen=False), tmp_path_factory.mktemp("shots"), _SIZE)
    session = made.dock.desk.session
    made.dock.visits.open_study(str(case.path), last=True)
    made.wait(lambda: session.key != "" and made.dock.map.body.drawn, "opening the visit")
    made.idle()
    yield made
    viewer = made.viewer
    made.leave()
    viewer.close()


@pytest.fixture(scope="module")
def both(driver: Driver) -> Iterator[Both]:
    import napari

    driver.press("K", over=(80.0, 5.0, -700.0))
    driver.idle()
    plain = napari.Viewer(show_welcome_screen=False)
    plain.window._qt_window.resize(*_SIZE)
    for layer in driver.viewer.layers:
        plain.add_layer(type(layer).create(*layer.as_layer_data_tuple()))
    plain.dims.order = driver.viewer.dims.order
    _match(driver.viewer, plain)
    yield Both(driver, plain)
    plain.close()


def _match(ours: Viewer, plain: Viewer) -> None:
    """Make the plain canvas as large as ours, at the same zoom and slice."""
    from qtpy.QtWidgets import QApplication

    room = _canvas(ours).size()
    more = _canvas(plain).size()
    window = plain.window._qt_window
    window.resize(window.width() + room.width() - more.width(), window.height() + room.height() - more.height())
    for _ in range(20):
        QApplication.processEvents()
        time.sleep(0.01)
    plain.scene.camera.zoom = ours.scene.camera.zoom
    plain.scene.camera.center = ours.scene.camera.center
    plain.dims.point = ours.dims.point


def _canvas(viewer: Viewer) -> Any:
    from qtpy.QtWidgets import QWidget

    found = viewer.window._qt_window.findChildren(QWidget)
    return next(w for w in found if "CanvasBackend" in type(w).__name__)


def _drawn() -> None:
    from qtpy.QtWidgets import QApplication

    for _ in range(3):
        QApplication.processEvents()


def _median(work: Callable[[], object], rounds: int = _ROUNDS) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _first_picture(viewer: Viewer, act: Callable[[], object]) -> float:
    """Give the time from an act until the middle of the canvas is drawn and no longer black."""
    from qtpy.QtWidgets import QApplication

    drawn: list[float] = []
    canvas, events = _canvas(viewer), viewer.window._qt_viewer.canvas._scene_canvas.events

    def look(_event: object) -> None:
        picture = canvas.grabFramebuffer()  # napari draws the empty canvas once more while it adds a layer
        if picture.pixelColor(picture.width() // 2, picture.height() // 2).red():
            drawn.append(time.perf_counter())

    events.draw.connect(look, position="last")
    start = time.perf_counter()
    act()
    while not drawn:
        QApplication.processEvents()
        time.sleep(0.002)  # the thread that reads wants the interpreter too
    events.draw.disconnect(look)
    return drawn[0] - start


def test_open_to_the_first_picture(driver: Driver, case: Case, ratio: Ratio) -> None:
    """In one window, one after the other: two windows that are drawn at once hinder each other."""
    session, viewer = driver.dock.desk.session, driver.viewer
    key, shown = session.key, session.shown

    def close() -> None:
        assert session.work is not None
        session.enter_patient(session.work)
        driver.idle()
        driver.rest(0.5)

    def plain() -> None:
        viewer.add_image(pixels(case.visit.series_named(shown)).array)

    times = []
    for _ in range(6):
        close()
        theirs = _first_picture(viewer, plain)
        viewer.layers.clear()
        driver.rest(0.5)
        times.append((_first_picture(viewer, lambda: driver.dock.visits.open_visit(key)), theirs))
        driver.idle()
    mine, theirs = np.median(times[1:], axis=0).tolist()
    ratio("open a visit to the first picture", mine, theirs, "pixels and add_image")


def _scroll(viewer: Viewer) -> Callable[[], None]:
    axis = viewer.dims.order[-3]

    def step() -> None:
        viewer.dims.set_current_step(axis, (viewer.dims.current_step[axis] + 1) % viewer.dims.nsteps[axis])
        _drawn()

    return step


def test_slice_change(both: Both, ratio: Ratio) -> None:
    ours, plain = _scroll(both.driver.viewer), _scroll(both.plain)
    ours()
    plain()
    mine, theirs = _median(ours), _median(plain)
    ratio("slice change, 26 million voxels", mine, theirs, "plain napari")
    both.driver.idle()


def _stroke(viewer: Viewer) -> Callable[[], None]:
    """Draw one stroke of ten moves with real events, in the middle of the canvas."""
    from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    canvas, left = _canvas(viewer), Qt.MouseButton.LeftButton
    middle = canvas.rect().center()
    turn = iter(range(10_000))

    def stroke() -> None:
        start = middle + QPoint(-60, 7 * (next(turn) % 20))
        QTest.mousePress(canvas, left, Qt.KeyboardModifier.NoModifier, start)
        for step in range(1, 11):
            place = QPointF(start + QPoint(8 * step, 2 * step))
            there = QPointF(canvas.mapToGlobal(place.toPoint()))
            moved = QMouseEvent(QEvent.Type.MouseMove, place, there, left, left, Qt.KeyboardModifier.NoModifier)
            QApplication.sendEvent(canvas, moved)
            _drawn()
        QTest.mouseRelease(canvas, left, Qt.KeyboardModifier.NoModifier, start + QPoint(80, 20))
        _drawn()

    return stroke


def test_a_stroke_and_what_follows_it(both: Both, ratio: Ratio) -> None:
    from napari_lesionmap.stage import MASKS

    driver, session = both.driver, both.driver.dock.desk.session
    driver.show((80.0, 5.0, -700.0), 1.4)
    both.plain.dims.point, both.plain.scene.camera.center = driver.viewer.dims.point, driver.viewer.scene.camera.center
    both.plain.scene.camera.zoom = driver.viewer.scene.camera.zoom
    driver.idle()
    driver.press("B")
    masks = both.plain.layers[MASKS]
    masks.selected_label, masks.brush_size, masks.mode = 1, driver.viewer.layers[MASKS].brush_size, "paint"
    both.plain.layers.selection.active = masks
    ours, plain = _stroke(driver.viewer), _stroke(both.plain)
    ours()
    plain()
    before = session.n_acts
    mine, theirs = _median(ours, 9), _median(plain, 9)
    assert session.n_acts == before + 9
    ratio("a stroke of ten moves, stored and shown", mine, theirs, "plain napari, nothing stored")

    def follow() -> None:
        session.map_changed.emit()
        _drawn()

    following = _median(follow, 9)
    ratio("count, table and map after a stroke", following, 0.1, "0.1 s asked")
    driver.press("V")
    driver.idle()


def test_moving_the_mouse(both: Both, ratio: Ratio) -> None:
    """Our callbacks in a move, and in a drag of the window, beside the time of a frame."""
    driver = both.driver
    driver.show((80.0, 5.0, -700.0), 1.4)
    driver.idle()
    middle = driver.canvas.rect().center()
    from qtpy.QtCore import QPoint
    from qtpy.QtTest import QTest

    turn = iter(range(10_000))

    def move() -> None:
        QTest.mouseMove(driver.canvas, middle + QPoint(next(turn) % 50, 3))

    ratio("the mouse moves over the image", _median(move, 60), 1 / 60, "a frame of 16.7 ms")
    cursor = driver.dock.desk.cursor
    ratio("the words under the cursor", _median(lambda: cursor.words((80.0, 5.0, -700.0)), 60), 1 / 60, "a frame")
    window = driver.dock.desk.stage.window
    ratio(
        "window changed in a drag", _median(lambda: driver.dock.desk.stage.show_window(window), 30), 1 / 60, "a frame"
    )
