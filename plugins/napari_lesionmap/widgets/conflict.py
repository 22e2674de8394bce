"""The question of a conflict: both versions of what two people changed, and which of them counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from lesionmap.store import conflict_words

if TYPE_CHECKING:
    from lesionmap.store import Conflict
    from napari_lesionmap.widgets.desk import Desk

__all__ = ["ConflictBox"]


class ConflictBox(QMessageBox):  # type: ignore[misc]  # qtpy has no types
    """Shows both versions and asks. Whichever counts, the other one stays in the history, where undo finds it."""

    def __init__(self, desk: Desk, conflict: Conflict) -> None:
        super().__init__(desk.parent())
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("conflict")
        self.setWindowTitle("Changed elsewhere")
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._desk, self._conflict = desk, conflict
        rows = [f"{name}\n    here: {mine}\n    elsewhere: {theirs}" for name, mine, theirs in conflict_words(conflict)]
        self.setText("\n".join(["Somebody else changed the same thing meanwhile.", "", *rows]))
        if conflict.theirs.signed:
            self.setInformativeText("The map was signed elsewhere and is read-only now; unlock it to change it.")
            self.setStandardButtons(QMessageBox.StandardButton.Ok)
            self.accepted.connect(self._follow)
        else:
            self.setInformativeText("Both stay in the history.")
            self.mine = self.addButton("Keep what I did here", QMessageBox.ButtonRole.AcceptRole)
            self.theirs = self.addButton("Keep what was done elsewhere", QMessageBox.ButtonRole.RejectRole)
            self.mine.clicked.connect(self._keep_mine)
            self.theirs.clicked.connect(self._keep_theirs)

    def _follow(self) -> None:
        """Show the map as it is in the study."""
        session = self._desk.session
        session.take(self._conflict.theirs)
        session.map_changed.emit()

    def _keep_mine(self) -> None:
        self._follow()
        names = ", ".join(name for name, _, _ in conflict_words(self._conflict))
        self._desk.attempt(self._desk.session.commit, self._conflict.merged, f"keep mine of {names}")

    def _keep_theirs(self) -> None:
        """Store ours all the same and take it back at once: so it is in the history."""
        self._keep_mine()
        self._desk.attempt(self._desk.session.undo)
