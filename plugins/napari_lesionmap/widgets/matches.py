"""Which lesions of the visit are earlier ones: proposed, and confirmed by the reader in one pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from lesionmap.compare import match
from lesionmap.mark import with_tracks
from napari_lesionmap.resolve import site_name
from napari_lesionmap.widgets.parts import button, cell, fill, heading, table

if TYPE_CHECKING:
    from qtpy.QtWidgets import QTableWidgetItem

    from lesionmap.compare import Match
    from napari_lesionmap.widgets.desk import Desk

__all__ = ["MatchList"]

_KIND = {"same": "", "merged": " (merged)", "split": " (split off)"}
_SURE = 0.5


class MatchList:
    """A row for each proposal, ticked where it is likely; nothing is a decision before it is confirmed."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._found: tuple[Match, ...] = ()
        self.widget = QWidget()
        layout = QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 6)
        layout.setSpacing(4)
        layout.addWidget(heading("Proposed: the same lesion as before"))
        self.table = table(("Here", "Before", "Sure"), 1, 4)
        self.table.setAccessibleName("proposed lesions of other visits")
        self.table.itemChanged.connect(lambda _item: self._count())
        self.table.cellClicked.connect(self._go)
        self.table.setMaximumHeight(self.table.minimumHeight())
        layout.addWidget(self.table)
        self.confirm = button("Confirm", self._confirm, "The lesions that are ticked continue those before; one undo")
        layout.addWidget(self.confirm)
        for signal in (desk.session.visit_changed, desk.session.map_changed):
            signal.connect(self.look)
        self.look()

    def look(self) -> None:
        """Match the visit's lesions with those of other visits, in a thread."""
        results, now = self._desk.session.results, self._desk.session.now
        if results is None or now is None:
            self._take(())
        else:
            self._desk.quietly("matches", lambda: match(now, results.visits), self._take)

    def _take(self, found: tuple[Match, ...]) -> None:
        self._found = found
        fill(self.table, [self._cells(one) for one in found])
        self.widget.setVisible(bool(found))
        self._count()

    def _cells(self, one: Match) -> tuple[QTableWidgetItem, ...]:
        session, results = self._desk.session, self._desk.session.results
        old = results.facts(one.visit).lesion_map.lesion(one.other) if results else None
        place = site_name(old.sites[0]) if old else ""
        words = f"{place}, {session.visit_words(one.visit)}{_KIND[one.kind]}"
        first = cell(one.lesion, key=one.lesion)
        first.setFlags(first.flags() | Qt.ItemFlag.ItemIsUserCheckable)
        likely = one.confidence >= _SURE and not one.warning
        first.setCheckState(Qt.CheckState.Checked if likely else Qt.CheckState.Unchecked)
        told = cell(f"{one.warning}; {words}" if one.warning else words)
        return first, told, cell(f"{one.confidence:.0%}")

    def _ticked(self) -> list[Match]:
        states = [self.table.item(row, 0).checkState() for row in range(self.table.rowCount())]
        return [one for one, state in zip(self._found, states, strict=True) if state == Qt.CheckState.Checked]

    def _count(self) -> None:
        n = len(self._ticked())
        self.confirm.setText(f"Confirm {n}" if n else "Nothing is ticked")
        self.confirm.setEnabled(n > 0)

    def _go(self, row: int, _column: int) -> None:
        """Show the lesion that a row is of."""
        session = self._desk.session
        session.select(self._found[row].lesion)
        if session.lesion is not None:
            self._desk.stage.jump_to(session.lesion)

    def _confirm(self) -> None:
        ticked = self._ticked()
        session = self._desk.session
        words = "confirm one proposal" if len(ticked) == 1 else f"confirm {len(ticked)} proposals"
        self._desk.attempt(lambda: session.commit(with_tracks(session.lesion_map, ticked), words))
