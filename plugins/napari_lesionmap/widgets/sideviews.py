"""Canvases beside napari's own: the other planes of the visit, and the earlier visit at the same place of the bone.

The only place that embeds a second canvas. ``ViewerModel`` and ``napari.qt.QtViewer`` are napari's public names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QLabel, QMainWindow, QSplitter, QVBoxLayout, QWidget

from napari_lesionmap import layers
from napari_lesionmap.crosshair import Crosshair
from napari_lesionmap.prior import Prior, counterpart
from napari_lesionmap.stage import Stage
from napari_lesionmap.windows import preset

if TYPE_CHECKING:
    from lesionmap.space import Volume
    from napari_lesionmap.layers import XYZ
    from napari_lesionmap.session import Session
    from napari_lesionmap.widgets.desk import Desk

__all__ = ["SideView", "SideViews"]

_ORDERS = {"coronal": (0, 1, 2), "sagittal": (2, 1, 0), "axial": (1, 0, 2)}
_STILL_MS = 60
_LEAST_PX = 260


class SideView:
    """One more canvas with a stage of its own."""

    def __init__(self, desk: Desk, session: Session, words: str) -> None:
        from napari.components import ViewerModel
        from napari.qt import QtViewer

        self.viewer = ViewerModel()
        self.qt = QtViewer(self.viewer)
        self.qt.setMinimumWidth(_LEAST_PX)
        self.qt.dims.hide()  # it follows the image; Ctrl and the wheel still go through its slices
        self.stage = Stage(self.viewer, session, *desk.hands(f"beside {words}"))
        self.viewer.canvas.overlays["scale_bar"].visible = False  # its millimetres are as large as those of the image
        self.crosshair = Crosshair(self.viewer)
        self.widget = QWidget()
        layout = QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.title = QLabel(words)
        self.title.setContentsMargins(6, 2, 6, 2)
        layout.addWidget(self.title)
        layout.addWidget(self.qt, 1)

    def go(self, lps_mm: XYZ | None) -> None:
        """Show a place (LPS mm) in the middle, crossed by two lines; None: no lines."""
        if lps_mm is not None and self.stage.grid is not None:
            world = tuple(layers.world_from_lps(lps_mm).tolist())
            self.viewer.dims.point = world
            self.viewer.scene.camera.center = tuple(world[axis] for axis in self.viewer.dims.order[-3:])
        self.crosshair.show(lps_mm, self.stage.grid)

    def close(self) -> None:
        """Let go of the session and of the canvas."""
        self.stage.close()
        self.qt.close()


class SideViews:
    """Which canvases are shown beside the image, and what links them to it."""

    def __init__(self, desk: Desk, owner: QWidget) -> None:
        self._desk, self._owner = desk, owner
        self.planes: dict[str, SideView] = {}
        self.earlier: SideView | None = None
        self.prior = Prior()
        self._dock: QDockWidget | None = None
        self._cross = Crosshair(desk.viewer)
        desk.viewer.dims.events.point.connect(self._follow)
        desk.viewer.dims.events.order.connect(self._follow)
        desk.viewer.scene.camera.events.zoom.connect(self._follow_zoom)
        desk.viewer.mouse_move_callbacks.append(self._on_move)
        desk.session.visit_changed.connect(self._visit_changed)
        desk.session.map_changed.connect(self._map_changed)

    # ---- opening and closing ---------------------------------------------------------------------------------------

    def toggle_planes(self) -> None:
        """Show or hide the two planes that the image is not in."""
        if self.planes:
            self._end_planes()
            self._settle_dock()
            return
        for name, order in _ORDERS.items():
            if order != tuple(self._desk.viewer.dims.order[-3:]):
                view = SideView(self._desk, self._desk.session, name)
                view.viewer.mouse_drag_callbacks.append(self._on_press)
                self.planes[name] = view
                view.stage.show_visit()
                view.viewer.dims.order = order
        self._settle_dock()
        self._follow_zoom()
        self._follow()

    def show_earlier(self, key: str, name: str, volume: Volume) -> None:
        """Show a Series of another visit, whose pixels were read."""
        if self.earlier is None:
            self.earlier = SideView(self._desk, self.prior, "")
        self.earlier.stage.turn(self._desk.stage.behind)
        self.prior.show(self._desk.session, key, name, volume)
        if volume.projection:
            self.earlier.stage.show_window(preset("bone scan", volume))
        self._name_earlier()
        self._settle_dock()
        self._follow_zoom()
        self._follow()

    def _name_earlier(self) -> None:
        if self.earlier is not None:
            self.earlier.title.setText(f"{self._desk.session.visit_words(self.prior.key)} · {self.prior.shown}")

    def hide_earlier(self) -> None:
        """Show this visit only."""
        if self.earlier is not None:
            self.prior.leave()
            self.earlier.close()
            self.earlier = None
            self._settle_dock()

    def _end_planes(self) -> None:
        for view in self.planes.values():
            view.close()
        self.planes = {}
        self._cross.show(None, None)

    def _settle_dock(self) -> None:
        """Make the dock hold the canvases that there are, between napari's canvas and ours, which stays as wide."""
        views = [*([self.earlier] if self.earlier else []), *self.planes.values()]
        ours, window = _dock_of(self._owner), self._owner.window()
        wide = ours.width() if ours is not None else 0
        if self._dock is not None:
            for view in views:
                view.widget.setParent(None)
            self._dock.close()
            self._dock.deleteLater()
            self._dock = None
        if not isinstance(window, QMainWindow) or ours is None:
            return
        if views:
            self._dock = self._make_dock()
            window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self._dock)
            window.splitDockWidget(self._dock, ours, Qt.Orientation.Horizontal)
        else:
            # Qt gives the room that is left to the other docks, not to the image.
            window.resizeDocks([ours], [wide], Qt.Orientation.Horizontal)

    def _make_dock(self) -> QDockWidget:
        across = QSplitter(Qt.Orientation.Horizontal)
        if self.earlier is not None:
            across.addWidget(self.earlier.widget)
        if self.planes:
            down = QSplitter(Qt.Orientation.Vertical)
            for view in self.planes.values():
                down.addWidget(view.widget)
            across.addWidget(down)
        dock = QDockWidget("beside")
        dock.setObjectName("lesionmap beside")
        dock.setTitleBarWidget(QWidget())
        dock.setWidget(across)
        return dock

    # ---- linking ---------------------------------------------------------------------------------------------------

    def _point(self) -> XYZ:
        x, y, z = layers.lps_from_world(self._desk.viewer.dims.point[-3:]).tolist()
        return x, y, z

    def _follow(self, _event: Any = None) -> None:
        """Bring all canvases to the place of the image."""
        if (self.planes or self.earlier) and self._desk.viewer.dims.ndim >= 3:
            self._desk.soon(_STILL_MS, "beside", lambda: self.go(self._point()))

    def _follow_zoom(self, _event: Any = None) -> None:
        """Show a millimetre as large beside the image as in it."""
        for view in [*self.planes.values(), *([self.earlier] if self.earlier else [])]:
            view.viewer.scene.camera.zoom = self._desk.viewer.scene.camera.zoom

    def _on_move(self, _viewer: Any, event: Any) -> None:
        """Follow the cursor over the image with the earlier visit, as soon as it rests."""
        if self.earlier is not None and len(event.position) >= 3:
            x, y, z = layers.lps_from_world(event.position[-3:]).tolist()
            self._desk.soon(_STILL_MS, "earlier", lambda: self._go_earlier((x, y, z)))

    def go(self, lps_mm: XYZ) -> None:
        """Show a place of the visit (LPS mm) in every canvas beside."""
        for view in self.planes.values():
            view.go(lps_mm)
        if self.planes:
            self._cross.show(lps_mm, self._desk.stage.grid)
        self._go_earlier(lps_mm)

    def _go_earlier(self, lps_mm: XYZ) -> None:
        if self.earlier is not None:
            self.earlier.go(counterpart(lps_mm, self._desk.session, self.prior))

    def _on_press(self, _viewer: Any, event: Any) -> Any:
        """Bring the image to the place that was clicked in another plane."""
        if event.button != 1 or event.modifiers:
            return
        yield
        if event.type == "mouse_release":
            self._desk.viewer.dims.point = tuple(event.position[-3:])

    def _visit_changed(self) -> None:
        session = self._desk.session
        same = (self.prior.key, self.prior.shown) == (session.key, session.shown)
        if not session.key or self.prior.work is not session.work or same:
            self.hide_earlier()
        self._name_earlier()
        if not self._desk.session.key and self.planes:
            self._end_planes()
            self._settle_dock()

    def _map_changed(self) -> None:
        self.prior.follow(self._desk.session)

    def close(self) -> None:
        """Let go of all canvases."""
        desk = self._desk
        desk.viewer.dims.events.point.disconnect(self._follow)
        desk.viewer.dims.events.order.disconnect(self._follow)
        desk.viewer.scene.camera.events.zoom.disconnect(self._follow_zoom)
        if self._on_move in desk.viewer.mouse_move_callbacks:
            desk.viewer.mouse_move_callbacks.remove(self._on_move)
        desk.session.visit_changed.disconnect(self._visit_changed)
        desk.session.map_changed.disconnect(self._map_changed)
        self.hide_earlier()
        self._end_planes()
        self._settle_dock()


def _dock_of(widget: QWidget) -> QDockWidget | None:
    """Give the dock that holds a widget; None where it stands alone."""
    holder = widget.parentWidget()
    while holder is not None and not isinstance(holder, QDockWidget):
        holder = holder.parentWidget()
    return holder
