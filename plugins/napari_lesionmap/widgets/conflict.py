"""The question of a conflict: both versions of what two people changed, and which of them counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QMessageBox

from lesionmap.skeleton import Placement
from lesionmap.store import VisitConflict, conflict_words
from lesionmap.visits import Reference

if TYPE_CHECKING:
    from lesionmap.store import Conflict
    from napari_lesionmap.widgets.desk import Desk

__all__ = ["ConflictBox"]


class ConflictBox(QMessageBox):  # type: ignore[misc]  # qtpy has no types
    """Shows both versions and asks. Whichever counts, the other one stays in the history, where undo finds it."""

    def __init__(self, desk: Desk, conflict: Conflict | VisitConflict) -> None:
        super().__init__(desk.parent())
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setObjectName("conflict")
        self.setWindowTitle("Changed elsewhere")
        self.setTextFormat(Qt.TextFormat.PlainText)
        rows = [f"{name}\n    here: {mine}\n    elsewhere: {theirs}" for name, mine, theirs in conflict_words(conflict)]
        self.setText("\n".join(["Somebody else changed the same thing meanwhile.", "", *rows]))
        both = _OfVisit(desk, conflict) if isinstance(conflict, VisitConflict) else _OfMap(desk, conflict)
        self._desk, self._both = desk, both
        if isinstance(both, _OfMap) and both.signed:
            self.setInformativeText("The map was signed elsewhere and is read-only now; unlock it to change it.")
            self.setStandardButtons(QMessageBox.StandardButton.Ok)
            self.accepted.connect(both.follow)
        else:
            self.setInformativeText("Both stay in the history.")
            self.mine = self.addButton("Keep what I did here", QMessageBox.ButtonRole.AcceptRole)
            self.theirs = self.addButton("Keep what was done elsewhere", QMessageBox.ButtonRole.RejectRole)
            self.mine.clicked.connect(self._keep_mine)
            self.theirs.clicked.connect(self._keep_theirs)

    def _keep_mine(self) -> None:
        if self._both.keep_mine():
            self._desk.say("kept what you did here; what was done elsewhere is in the history")

    def _keep_theirs(self) -> None:
        if self._both.keep_theirs():
            self._desk.say("kept what was done elsewhere; what you did is in the history")


class _OfMap:
    """Two versions of a lesion map."""

    def __init__(self, desk: Desk, conflict: Conflict) -> None:
        self._desk, self._conflict = desk, conflict
        self.signed = conflict.theirs.signed

    def follow(self) -> None:
        """Show the map as it is in the study."""
        session = self._desk.session
        session.take(self._conflict.theirs)
        session.map_changed.emit()

    def keep_mine(self) -> bool:
        """Store ours on top; whether that was done."""
        self.follow()
        names = ", ".join(name for name, _, _ in conflict_words(self._conflict))
        return self._desk.attempt(self._desk.session.commit, self._conflict.merged, f"keep mine of {names}")

    def keep_theirs(self) -> bool:
        """Store ours all the same and take it back at once: so it is in the history."""
        return self.keep_mine() and self._desk.attempt(self._desk.session.undo)


class _OfVisit:
    """Two versions of a visit's skeleton, or of a reference region."""

    def __init__(self, desk: Desk, conflict: VisitConflict) -> None:
        self._desk, self._conflict = desk, conflict

    def keep_mine(self) -> bool:
        """Store ours on top; whether that was done."""
        session, theirs = self._desk.session, self._conflict.theirs
        if isinstance(theirs, Reference):
            session.take_reference(theirs)
        elif self._conflict.what == "placement":
            session.take_placement(theirs if isinstance(theirs, Placement) else None)
        return self._keep(self._conflict.mine)

    def keep_theirs(self) -> bool:
        """Store ours all the same and theirs again on top: so both are in the history."""
        return self.keep_mine() and self._keep(self._conflict.theirs)

    def _keep(self, value: object) -> bool:
        session = self._desk.session
        if isinstance(value, Reference):
            return self._desk.attempt(session.keep_reference, value)
        return self._desk.attempt(session.keep_placement, value)
