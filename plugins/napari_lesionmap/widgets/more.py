"""The menu beside undo: labels of other plugins, history, signature, consensus, and what is hidden for teaching."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QDialog, QMenu, QToolButton, QVBoxLayout, QWidget

from lesionmap.errors import LesionmapError
from napari_lesionmap.layers import volume_of
from napari_lesionmap.takeover import find_labels, foreign_labels, take_over
from napari_lesionmap.widgets.consensus import enter_consensus
from napari_lesionmap.widgets.parts import cell, fill, hint, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lesionmap.store.history import Edit
    from napari_lesionmap.widgets.desk import Desk

__all__ = ["History", "More"]

_SIZE = (640, 460)


class History(QDialog):  # type: ignore[misc]  # qtpy has no types
    """Every edit of a lesion map: when, by whom, what. It is looked at only; undo is in the dock."""

    def __init__(self, parent: QWidget, title: str, edits: Sequence[Edit]) -> None:
        super().__init__(parent)
        self.setWindowTitle("History")
        self.resize(*_SIZE)
        layout = QVBoxLayout(self)
        layout.addWidget(hint(f"{title}: {len(edits)} edits, the newest first. Nothing is ever removed."))
        self.table = table(("When", "Who", "What"), 2, 12)
        self.table.setAccessibleName("history")
        rows = [(f"{x.time.astimezone():%Y-%m-%d %H:%M:%S}", x.reader, x.title) for x in reversed(edits)]
        fill(self.table, [tuple(cell(words) for words in row) for row in rows])
        layout.addWidget(self.table)


class More(QToolButton):  # type: ignore[misc]  # qtpy has no types
    """What is seldom wanted, in one menu."""

    def __init__(self, desk: Desk, open_map: Callable[[str, str, str], object]) -> None:
        super().__init__()
        self._desk, self._open_map = desk, open_map
        self.setText("⋯")
        self.setToolTip("Take over labels, history, signature, consensus, hide pseudonym and dates")
        self.setAccessibleName("more")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        self.take_over_action = menu.addAction("Take over labels…", lambda: desk.attempt(self.take_over))
        self.take_over_action.setToolTip("Make a lesion of each label of a layer that another plugin drew")
        menu.setToolTipsVisible(True)
        menu.addSeparator()
        self.history_action = menu.addAction("History…", self.show_history)
        self.sign_action = menu.addAction("Sign", self.sign)
        self.consensus_action = menu.addAction("Consensus…", self.consensus)
        self.consensus_action.setToolTip("Open the consensus of this visit, or start it from two signed maps")
        menu.addSeparator()
        self.hide_action = menu.addAction("Hide pseudonym and dates")
        self.hide_action.setCheckable(True)
        self.hide_action.toggled.connect(desk.session.hide_personal)
        menu.aboutToShow.connect(self._renew)
        self.setMenu(menu)
        self.history: History | None = None

    def _renew(self) -> None:
        now = self._desk.session.now
        signed = now is not None and now.lesion_map.signed
        self.sign_action.setText("Unlock (kept in the history)" if signed else "Sign")
        self.sign_action.setEnabled(now is not None)
        for action in (self.history_action, self.consensus_action):
            action.setEnabled(now is not None)
        self.take_over_action.setEnabled(now is not None)

    def take_over(self) -> None:
        """Make lesions of the labels of a layer that another plugin drew; it is worked out in a thread."""
        desk, session = self._desk, self._desk.session
        now, series = session.now, session.series
        if now is None or series is None:
            raise LesionmapError("no images are shown; open a visit with images on the page Visits")
        layer = foreign_labels(desk.viewer)
        labels, name = volume_of(layer), layer.name
        desk.run(
            f"taking over {name}",
            lambda: find_labels(labels, series, now.placement),
            lambda found: desk.say(take_over(session, found, name)),
        )

    def sign(self) -> None:
        """Sign the lesion map, or unlock it."""
        self._desk.attempt(self._sign)

    def _sign(self) -> None:
        session = self._desk.session
        if session.lesion_map.signed:
            session.unlock()
            self._desk.say("unlocked; the history keeps it")
        else:
            session.sign()
            self._desk.say("signed: the lesion map is read-only until it is unlocked")

    def consensus(self) -> None:
        """Open the consensus of the visit, or start it."""
        self._desk.attempt(enter_consensus, self._desk, self._open_map, self)

    def show_history(self) -> None:
        """Show every edit of the lesion map, read in a thread."""
        session = self._desk.session
        study, now = session.study, session.now
        if study is None or now is None:
            raise LesionmapError("no visit is open; open a study and choose a visit on the page Visits")
        who = (now.visit.patient, now.visit.key, now.lesion_map.reader)
        title = f"Lesion map of {now.lesion_map.reader}"

        def show(edits: Sequence[Edit]) -> None:
            self.history = History(self.window(), title, edits)
            self.history.show()

        self._desk.run("reading the history", lambda: study.history(*who), show)
