"""The dock: the order of the work from Visits to Export, undo and redo, and one line of messages."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QShortcut,
    QSizePolicy,
    QTabWidget,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from napari_lesionmap.acts import Acts
from napari_lesionmap.hand import Hand
from napari_lesionmap.keys import KEYS, Key
from napari_lesionmap.preferences import preferences
from napari_lesionmap.widgets.compare import ComparePage
from napari_lesionmap.widgets.conflict import ConflictBox
from napari_lesionmap.widgets.desk import Desk
from napari_lesionmap.widgets.export import ExportPage
from napari_lesionmap.widgets.help import KeyHelp
from napari_lesionmap.widgets.lesions import LesionsPage
from napari_lesionmap.widgets.map import MapPage
from napari_lesionmap.widgets.more import More
from napari_lesionmap.widgets.parts import button, scrolled
from napari_lesionmap.widgets.sideviews import SideViews
from napari_lesionmap.widgets.skeleton import SkeletonPage
from napari_lesionmap.widgets.visits import VisitsPage

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from qtpy.QtGui import QCloseEvent

__all__ = ["PAGES", "Dock"]

PAGES = ("Visits", "Skeleton", "Lesions", "Map", "Compare", "Export")
_WIDE_PX = 450
_LINES = 3
_BUSY_MS, _BUSY_STEPS = 500, 5
_ERROR = "#e5534b"
_TYPED_INTO = (QLineEdit, QComboBox, QAbstractSpinBox, QTextEdit, QPlainTextEdit)


class Dock(QWidget):  # type: ignore[misc]  # qtpy has no types
    """All of lesionmap in a napari window."""

    def __init__(self, napari_viewer: ViewerModel) -> None:
        super().__init__()
        self.setObjectName("lesionmap")
        self.setMinimumWidth(_WIDE_PX)
        # napari adds empty room below widgets that do not ask for all of it.
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.desk = Desk(napari_viewer, self)
        self.desk.conflicted.connect(lambda conflict: ConflictBox(self.desk, conflict).open())
        self.hand = Hand(self.desk)
        self.views = SideViews(self.desk, self)
        self.visits = VisitsPage(self.desk, self.views)
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
        self.acts = Acts(self.desk, self.hand, self)
        self.sheet: KeyHelp | None = None
        self._listen()
        self._begin_as_preferred()
        if self.visits.resume.trouble:
            self.desk.say(self.visits.resume.trouble)

    def _begin_as_preferred(self) -> None:
        """Begin as napari's preferences for lesionmap have it."""
        preferred = preferences()
        self.desk.session.choose_rule(preferred.rule)
        self.more.hide_action.setChecked(preferred.hide)
        self.export.folder.setText(preferred.folder)

    def _listen(self) -> None:
        """Follow the session, the desk and the viewer."""
        session = self.desk.session
        for signal in (session.patients_changed, session.visit_changed, session.map_changed):
            signal.connect(self._show_head)
        session.visit_changed.connect(self._visit_changed)
        self.desk.said.connect(self._show_words)
        self.desk.busy.connect(self._show_busy)
        self.desk.viewer.events.theme.connect(self._take_theme)
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
        self.undo = button("Undo", lambda: self.desk.attempt(self.acts.undo))
        self.redo = button("Redo", lambda: self.desk.attempt(self.acts.redo))
        row.addWidget(button("?", self.show_help, "All keys"))
        row.addWidget(self.undo)
        row.addWidget(self.redo)
        self.more = More(self.desk, self.visits.load_patient)
        row.addWidget(self.more)
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
        # It steps twice a second; Qt's own endless bar would draw the whole window anew 30 times a second.
        self.progress.setRange(0, _BUSY_STEPS)
        self._busy = QTimer(self)
        self._busy.setInterval(_BUSY_MS)
        self._busy.timeout.connect(lambda: self.progress.setValue((self.progress.value() + 1) % (_BUSY_STEPS + 1)))
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(6)
        self.cancel = QPushButton("Cancel")
        self.cancel.clicked.connect(lambda _checked=False: self.desk.cancel())
        row.addWidget(self.progress, 1)
        row.addWidget(self.cancel)
        column.addLayout(row)
        self.words = QLabel()
        self.words.setWordWrap(True)
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

    def show_help(self) -> None:
        """Show every key, or hide them."""
        if self.sheet is None:
            self.sheet = KeyHelp(self.window())
        self.sheet.toggle()

    def _bind_keys(self) -> None:
        """Make the keys work wherever the window's attention is, but in a line of text that is typed into.

        They come before napari's own keys of layers, so that none has two meanings; without a visit napari's rule.
        """
        self._keys = []
        for key in KEYS:
            shortcut = QShortcut(QKeySequence(key.press), self)
            shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
            shortcut.activated.connect(partial(self.press, key))
            self._keys.append(shortcut)
        QApplication.instance().focusChanged.connect(self._let_keys)
        self.hand.new.changed.connect(self._let_keys)
        self.desk.found.changed.connect(self._let_keys)
        self._let_keys()

    def _let_keys(self, *_focus: object) -> None:
        """While a line of text is typed into, keys are letters; without a visit they are napari's.

        Enter is ours only while there is an outline or a candidate to accept.
        """
        typing = isinstance(QApplication.focusWidget(), _TYPED_INTO)
        to_accept = bool(self.hand.new.lesion) or self.desk.found.looked is not None
        for shortcut, key in zip(self._keys, KEYS, strict=True):
            wanted = bool(self.desk.session.key) or key.act == "help"
            shortcut.setEnabled(wanted and not typing and (key.act != "accept" or to_accept))

    def press(self, key: Key) -> None:
        """Do what a key does; what it cannot do is told in words."""
        self.desk.attempt(getattr(self.acts, key.act), *key.arguments)

    def _visit_changed(self) -> None:
        self._let_keys()
        self.acts.visit_changed()

    # ---- showing ---------------------------------------------------------------------------------------------------

    def _show_head(self) -> None:
        session = self.desk.session
        parts = [session.patient_words() if session.work else "lesionmap"]
        if session.now is not None:
            parts.append(session.visit_words(session.now.visit.key))
            parts += [f"{session.now.visit.age_y:.1f} y"] if session.now.visit.age_y is not None else []
            parts += ["signed"] if session.now.lesion_map.signed else []
        if session.read_only:
            parts.append("read-only")
        self._title.setText(" · ".join(parts))
        for made, words, verb in ((self.undo, session.undo_words, "Undo"), (self.redo, session.redo_words, "Redo")):
            made.setEnabled(bool(words))
            made.setToolTip(f"{verb}: {words}" if words else f"Nothing to {verb.lower()}")

    def _show_words(self, words: str, error: bool) -> None:
        self.words.setStyleSheet(f"color: {_ERROR};" if error else "")
        # napari gives the font after the dock is made.
        self.words.setFixedHeight(_LINES * self.words.fontMetrics().lineSpacing() + 6)
        self.words.setText(words)
        self.words.setToolTip(words)

    def _show_busy(self, words: str) -> None:
        self.progress.setVisible(bool(words))
        if words:
            self._busy.start()
        else:
            self._busy.stop()
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
        QApplication.instance().focusChanged.disconnect(self._let_keys)
        self.hand.close()
        self.views.close()
        self.visits.resume.close()
        self.skeleton.close()
        self.desk.close()
        super().closeEvent(event)
