"""A hand at a real window: waits, clicks in the image at patient millimetres, types, takes pictures."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QKeySequence, QMouseEvent, QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QTableWidget, QTabWidget, QWidget

from napari_lesionmap.layers import world_from_lps
from plugin.small import spot

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari import Viewer

    from napari_lesionmap.widgets.dock import Dock

__all__ = ["Driver"]

LEFT = Qt.MouseButton.LeftButton
PLAIN = Qt.KeyboardModifier.NoModifier


class Driver:
    """Drives napari with the dock open, as a reader does."""

    def __init__(self, viewer: Viewer, shots: Path, size: tuple[int, int] = (1440, 900)) -> None:
        self.viewer, self.size = viewer, size
        self.shots = Path(os.environ.get("LESIONMAP_SHOTS", "") or shots)
        self.shots.mkdir(parents=True, exist_ok=True)
        self.said: list[tuple[str, bool]] = []
        self.window: Any = viewer.window._qt_window
        self.window.resize(*size)
        _, dock = viewer.window.add_plugin_dock_widget("lesionmap", "lesionmap")
        self.dock: Dock = dock
        dock.desk.said.connect(lambda words, error: self.said.append((words, error)))
        self.window.activateWindow()  # without a window manager nobody else does it, and keys go nowhere
        self.wait(self.window.isActiveWindow, "having the keyboard", 10)

    def leave(self) -> None:
        """Let go of the window, as napari's tests look for who holds one that is closed."""
        self.idle()
        self.dock.close()
        self.rest()
        self.__dict__.clear()

    # ---- time ------------------------------------------------------------------------------------------------------

    def rest(self, seconds: float = 0.1) -> None:
        """Let the window work for a moment."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            QApplication.processEvents()
            time.sleep(0.005)

    def wait(self, until: Callable[[], bool], what: str, seconds: float = 120) -> None:
        """Let the window work until something has happened."""
        end = time.perf_counter() + seconds
        while not until():
            QApplication.processEvents()
            time.sleep(0.005)
            assert time.perf_counter() < end, f"{what} did not happen in {seconds} s; last said: {self.said[-1:]}"
        self.rest()

    def idle(self) -> None:
        """Wait until nothing is being done any more."""
        self.wait(lambda: not self.dock.cancel.isVisible() and not self.dock.desk.working, "rest")
        self.rest(0.25)
        self.wait(lambda: not self.dock.desk.working, "rest")

    def open_last(self, path: Path) -> None:
        """Open a study at its patient's last visit."""
        session = self.dock.desk.session
        self.dock.visits.open_study(str(path), last=True)
        self.wait(lambda: session.key != "" and session.volume is not None, "opening the visit")
        self.idle()

    def middle(self, site: str) -> tuple[float, float, float]:
        """Give where the placed skeleton has the middle of a site, LPS mm."""
        now = self.dock.desk.session.now
        assert now is not None
        assert now.placement is not None
        return spot(now.placement, site)

    @property
    def told(self) -> str:
        """What was said last."""
        return self.said[-1][0]

    # ---- hands -----------------------------------------------------------------------------------------------------

    @property
    def canvas(self) -> Any:
        """The widget on which napari draws."""
        return next(w for w in self.window.findChildren(QWidget) if "CanvasBackend" in type(w).__name__)

    def pixel(self, lps_mm: tuple[float, float, float]) -> QPoint:
        """Give the canvas pixel of a point that lies in the slice shown."""
        camera, order = self.viewer.scene.camera, self.viewer.dims.order[-2:]
        away = world_from_lps(lps_mm)[list(order)] - camera.center[1:]
        vertical, horizontal = (str(side) for side in camera.orientation[1:])
        down = away[0] * camera.zoom * (1 if vertical == "down" else -1)
        right = away[1] * camera.zoom * (1 if horizontal == "right" else -1)
        middle = self.canvas.rect().center()
        return QPoint(round(middle.x() + right), round(middle.y() + down))

    def show(self, lps_mm: tuple[float, float, float], zoom: float | None = None) -> None:
        """Go to the slice of a point, as with the slider, and the view to it."""
        self.viewer.dims.point = tuple(world_from_lps(lps_mm))
        self.viewer.scene.camera.center = tuple(world_from_lps(lps_mm))
        if zoom is not None:
            self.viewer.scene.camera.zoom = zoom
        self.rest(0.2)

    def click_image(self, lps_mm: tuple[float, float, float]) -> None:
        """Click in the image at a point of the slice shown."""
        place = self.pixel(lps_mm)
        assert self.canvas.rect().contains(place), f"{lps_mm} is not on the canvas"
        QTest.mouseMove(self.canvas, place)
        QTest.mouseClick(self.canvas, LEFT, Qt.KeyboardModifier.NoModifier, place)
        self.rest()

    def move(self, lps_mm: tuple[float, float, float]) -> None:
        """Move the mouse over a point of the slice shown."""
        place = self.pixel(lps_mm)
        assert self.canvas.rect().contains(place), f"{lps_mm} is not on the canvas"
        for step in (QPoint(3, 2), QPoint(0, 0)):  # a move to where the mouse is already is none
            QTest.mouseMove(self.canvas, place + step)
            self.rest(0.05)

    def wheel(self, lps_mm: tuple[float, float, float], steps: int, modifiers: Qt.KeyboardModifier = PLAIN) -> None:
        """Turn the wheel over a point of the slice shown."""
        place = QPointF(self.pixel(lps_mm))
        for _ in range(abs(steps)):
            turn = QPoint(0, 120 if steps > 0 else -120)
            told = (place, QPointF(self.canvas.mapToGlobal(place.toPoint())), QPoint(), turn)
            event = QWheelEvent(*told, Qt.MouseButton.NoButton, modifiers, Qt.ScrollPhase.NoScrollPhase, False)
            QApplication.sendEvent(self.canvas, event)
            self.rest(0.02)
        self.rest()

    def drag_image(
        self,
        start_lps_mm: tuple[float, float, float],
        end_lps_mm: tuple[float, float, float],
        modifiers: Qt.KeyboardModifier = PLAIN,
    ) -> None:
        """Press, move and let go in the image."""
        start, end = self.pixel(start_lps_mm), self.pixel(end_lps_mm)
        QTest.mouseMove(self.canvas, start)
        QTest.mousePress(self.canvas, LEFT, modifiers, start)
        for step in range(1, 9):
            place = QPointF(start + (end - start) * step / 8)
            there = QPointF(self.canvas.mapToGlobal(place.toPoint()))
            moved = QMouseEvent(QEvent.Type.MouseMove, place, there, LEFT, LEFT, modifiers)
            QApplication.sendEvent(self.canvas, moved)
            self.rest(0.03)
        QTest.mouseRelease(self.canvas, LEFT, modifiers, end)
        self.rest()

    def click(self, widget: QWidget, place: QPoint | None = None, *, double: bool = False) -> None:
        """Click a widget that is seen."""
        assert widget.isVisible(), f"{widget.accessibleName() or widget} is not seen"
        assert widget.isEnabled(), f"{widget.accessibleName() or widget} is off"
        act = QTest.mouseDClick if double else QTest.mouseClick
        act(widget, LEFT, Qt.KeyboardModifier.NoModifier, place or widget.rect().center())
        self.rest()

    def page(self, name: str) -> None:
        """Click the tab of a page."""
        tabs: QTabWidget = self.dock.tabs
        bar = tabs.tabBar()
        at = next(i for i in range(tabs.count()) if tabs.tabText(i) == name)
        self.click(bar, bar.tabRect(at).center())
        assert tabs.currentIndex() == at

    def row(self, table: QTableWidget, words: str, column: int = 0) -> None:
        """Click the row of a table in which a cell has these words."""
        for at in range(table.rowCount()):
            if any((item := table.item(at, c)) and item.text() == words for c in range(table.columnCount())):
                item = table.item(at, column)
                table.scrollToItem(item)
                self.click(table.viewport(), table.visualItemRect(item).center())
                return
        raise AssertionError(f"no row {words!r} in {table.accessibleName()}")

    def choose(self, box: QComboBox, words: str) -> None:
        """Open a list by the mouse, go to an entry by keys, and take it with Enter."""
        at = next(i for i in range(box.count()) if box.itemText(i).startswith(words))
        self.click(box)
        view = box.view()
        self.wait(view.isVisible, "opening the list", 5)
        while view.currentIndex().row() != at:
            QTest.keyClick(view, Qt.Key.Key_Down if view.currentIndex().row() < at else Qt.Key.Key_Up)
        QTest.keyClick(view, Qt.Key.Key_Return)
        self.rest()

    def type_choice(self, box: QComboBox, words: str) -> None:
        """Type an entry of a searchable list and press Enter."""
        line = box.lineEdit()
        line.setFocus()
        line.selectAll()
        QTest.keyClicks(line, words)
        QTest.keyClick(line, Qt.Key.Key_Return)
        self.rest()

    def keys(self, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:
        """Press a key in the image."""
        self.canvas.setFocus()
        QTest.keyClick(self.canvas, key, modifiers)
        self.rest()

    def press(self, keys: str, over: tuple[float, float, float] | None = None) -> None:
        """Press keys as they are written (``Shift+N``) in the image, with the mouse over a point if one is given."""
        if over is not None:
            self.show(over)
            self.move(over)
        self.canvas.setFocus()
        pressed = QKeySequence(keys)[0]
        QTest.keyClick(self.canvas, pressed.key(), pressed.keyboardModifiers())
        self.rest()

    def type(self, line: QWidget, words: str) -> None:
        """Type words into a line of text."""
        QTest.keyClicks(line, words)
        self.rest()

    # ---- eyes ------------------------------------------------------------------------------------------------------

    def shot(self, name: str) -> Path:
        """Take a picture of the whole window."""
        self.rest(0.3)
        path = self.shots / f"{name}.png"
        self.viewer.screenshot(str(path), canvas_only=False, flash=False)
        return path

    def words(self) -> list[str]:
        """Give all words that are seen: labels, entries of lists and tables, titles, and what stands on the canvas."""
        from qtpy.QtWidgets import QLabel

        tables = [t for t in self.dock.findChildren(QTableWidget) if t.isVisible()]
        items = [t.item(r, c) for t in tables for r in range(t.rowCount()) for c in range(t.columnCount())]
        overlays = [getattr(x, "text", "") for x in self.viewer.canvas.overlays.values()]
        seen = [x.text() for x in self.window.findChildren(QLabel) if x.isVisible()]
        boxes = [x.currentText() for x in self.dock.findChildren(QComboBox) if x.isVisible()]
        return [self.window.windowTitle(), *seen, *boxes, *(x.text() for x in items if x), *map(str, overlays)]

    def cut_off(self) -> list[str]:
        """Name what is seen of the dock but reaches out of it, sideways or behind its neighbour."""
        from qtpy.QtWidgets import QLabel, QPushButton

        out = []
        for kind in (QLabel, QPushButton, QComboBox):
            for widget in self.dock.findChildren(kind):
                if not widget.isVisible() or widget.visibleRegion().isEmpty():
                    continue
                left = widget.mapTo(self.dock, QPoint(0, 0)).x()
                if left < 0 or left + widget.width() > self.dock.width():
                    out.append(f"{kind.__name__} {getattr(widget, 'text', str)()!r}")
                elif kind is QPushButton and widget.width() < widget.minimumSizeHint().width():
                    out.append(f"narrow button {widget.text()!r}")
        return out
