"""The candidates that wait to be accepted or rejected. There is nothing to see before a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_lesionmap.resolve import site_name
from napari_lesionmap.widgets.parts import button, cell, fill, heading, hint, table

if TYPE_CHECKING:
    from qtpy.QtWidgets import QTableWidgetItem

    from napari_lesionmap.proposals import Offer
    from napari_lesionmap.widgets.desk import Desk

__all__ = ["CandidateList"]


class CandidateList:
    """A row for each candidate: a click goes there."""

    def __init__(self, desk: Desk) -> None:
        self._found = desk.found
        self.widget = QWidget()
        layout = QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(4)
        layout.addWidget(heading("Candidates: not counted until accepted"))
        self.table = table(("Site", "Why"), 1, 4)
        self.table.setAccessibleName("candidates")
        self.table.cellClicked.connect(lambda row, _column: self._found.look(row))
        self.table.setMaximumHeight(self.table.minimumHeight())
        layout.addWidget(self.table)
        self.normal = hint()
        layout.addWidget(self.normal)
        row = QHBoxLayout()
        self.accept = button("Accept", lambda: desk.attempt(self._found.accept), "Make it a lesion (Enter)")
        self.reject = button("Reject", lambda: desk.attempt(self._found.reject), "Take it off the list (Esc)")
        self.close = button("Close", self._found.put_away, "Put the list away; C looks again")
        for made in (self.accept, self.reject):
            row.addWidget(made)
        row.addStretch(1)
        row.addWidget(self.close)
        layout.addLayout(row)
        self._found.changed.connect(self.show)
        self.show()

    def show(self) -> None:
        """Show those that wait, and which one is looked at."""
        waiting, looked = self._found.waiting, self._found.looked
        at = next((i for i, one in enumerate(waiting) if one is looked), -1)
        fill(self.table, [_cells(i, one) for i, one in enumerate(waiting)], str(at))
        for made in (self.accept, self.reject):
            made.setEnabled(looked is not None)
        normal = self._found.hint(looked) if looked is not None else ""
        self.normal.setText(normal)
        self.normal.setVisible(bool(normal))
        self.widget.setVisible(bool(waiting))


def _cells(at: int, one: Offer) -> tuple[QTableWidgetItem, ...]:
    return cell(site_name(one.site), key=str(at)), cell(one.reason)
