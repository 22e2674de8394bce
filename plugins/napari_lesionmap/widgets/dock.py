"""The dock: the order of the work from Visits to Export, undo and redo, and one line of messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QTabWidget, QVBoxLayout, QWidget

from napari_lesionmap.hand import Hand
from napari_lesionmap.resolve import visit_title
from napari_lesionmap.stage import MASKS
from napari_lesionmap.widgets.compare import ComparePage
from napari_lesionmap.widgets.desk import Desk
from napari_lesionmap.widgets.export import ExportPage
from napari_lesionmap.widgets.lesions import LesionsPage
from napari_lesionmap.widgets.map import MapPage
from napari_lesionmap.widgets.parts import button, scrolled
from napari_lesionmap.widgets.skeleton import SkeletonPage
from napari_lesionmap.widgets.visits import VisitsPage

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from qtpy.QtGui import QCloseEvent

__all__ = ["PAGES", "Dock"]

PAGES = ("Visits", "Skeleton", "Lesions", "Map", "Compare", "Export")
_WIDE_PX = 450
_LINES = 3
_ERROR = "#e5534b"


class Dock(QWidget):  # type: ignore[misc]  # qtpy has no types
    """All of lesionmap in a napari window."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.setObjectName("lesionmap")
        self.setMinimumWidth(_WIDE_PX)
        # napari adds empty room below widgets that do not ask for all of it.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.desk = Desk(napari_viewer, self)
        self.hand = Hand(self.desk)
        self.visits = VisitsPage(self.desk)
        self.skeleton = SkeletonPage(self.desk)
        self.lesions = LesionsPage(self.desk, self.visits)
        self.map = MapPage(self.desk)
        self.compare = ComparePage(self.desk, self.visits)
        self.export = ExportPage(self.desk)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 4, 4, 4)
        layout.setSpacing(4)
        layout.addLayout(self._head())
        layout.addWidget(self._pages(), 1)
        layout.addLayout(self._foot())
        session = self.desk.session
        for signal in (session.patients_changed, session.visit_changed, session.map_changed):
            signal.connect(self._show_head)
        session.visit_changed.connect(self._bind_keys)
        self.desk.said.connect(self._show_words)
        self.desk.busy.connect(self._show_busy)
        napari_viewer.events.theme.connect(self._take_theme)
        self.destroyed.connect(self.desk.close)
        self._take_theme()
        self._bind_keys()
        self._show_head()

    def _head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self._title = QLabel()
        font = self._title.font()
        font.setBold(True)
        self._title.setFont(font)
        row.addWidget(self._title, 1)
        self.undo = button("Undo", self._undo)
        self.redo = button("Redo", self._redo)
        row.addWidget(self.undo)
        row.addWidget(self.redo)
        return row

    def _pages(self) -> QTabWidget:
        self.tabs = QTabWidget()
        self.tabs.setDocumentMode(True)
        self.tabs.setUsesScrollButtons(False)
        self.tabs.tabBar().setExpanding(True)
        self.tabs.tabBar().setDrawBase(False)
        for name in PAGES:
            self.tabs.addTab(scrolled(getattr(self, name.lower()).widget), name)
        self.tabs.currentChanged.connect(lambda at: self.skeleton.attend(PAGES[at] == "Skeleton"))
        return self.tabs

    def _foot(self) -> QVBoxLayout:
        column = QVBoxLayout()
        column.setSpacing(2)
        row = QHBoxLayout()
        self.progress = QProgressBar()
        self.progress.setRange(0, 0)
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(6)
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(lambda _checked=False: self.desk.cancel())
        row.addWidget(self.progress, 1)
        row.addWidget(self.cancel)
        column.addLayout(row)
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setFixedHeight(_LINES * self.words.fontMetrics().lineSpacing() + 6)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.words.setAccessibleName("message")
        column.addWidget(self.words)
        self._show_busy("")
        return column

    # ---- acts ------------------------------------------------------------------------------------------------------

    def show_page(self, name: str) -> None:
        """Show the page of that name."""
        self.tabs.setCurrentIndex(PAGES.index(name))

    def _undo(self) -> None:
        words = self.desk.session.undo_words
        if self.desk.attempt(self.desk.session.undo):
            self.desk.say(f"undone: {words}")

    def _redo(self) -> None:
        words = self.desk.session.redo_words
        if self.desk.attempt(self.desk.session.redo):
            self.desk.say(f"done again: {words}")

    def _bind_keys(self) -> None:
        """Undo by key is ours, in the layer of masks too: napari's own would take back paint but not the lesion."""
        viewer = self.desk.viewer
        holders: list[Any] = [viewer, *(x for x in viewer.layers if x.name == MASKS)]
        for holder in holders:
            holder.bind_key("Control-Z", lambda _holder: self._undo(), overwrite=True)
            holder.bind_key("Control-Shift-Z", lambda _holder: self._redo(), overwrite=True)

    # ---- showing ---------------------------------------------------------------------------------------------------

    def _show_head(self) -> None:
        session = self.desk.session
        parts = [session.work.patient.id if session.work else "lesionmap"]
        if session.now is not None:
            parts.append(visit_title(session.now))
        if session.read_only:
            parts.append("read-only")
        self._title.setText(" · ".join(parts))
        for made, words, verb in ((self.undo, session.undo_words, "Undo"), (self.redo, session.redo_words, "Redo")):
            made.setEnabled(bool(words))
            made.setToolTip(f"{verb}: {words}" if words else f"Nothing to {verb.lower()}")

    def _show_words(self, words: str, error: bool) -> None:
        self.words.setStyleSheet(f"color: {_ERROR};" if error else "")
        self.words.setText(words)
        self.words.setToolTip(words)

    def _show_busy(self, words: str) -> None:
        self.progress.setVisible(bool(words))
        self.cancel.setVisible(bool(words))
        if words:
            self._show_words(f"{words} …", error=False)
        elif self.words.text().endswith(" …"):
            self._show_words("", error=False)

    def _take_theme(self, _event: Any = None) -> None:
        from napari.utils.theme import get_theme

        ink = get_theme(self.desk.viewer.theme).text.as_hex()
        self.map.body.set_ink(ink)
        self.map.legend.set_ink(ink)

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 (Qt's name)
        """Let go of viewer and study."""
        self.hand.close()
        self.skeleton.close()
        self.desk.close()
        super().closeEvent(event)
