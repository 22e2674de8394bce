"""Page Compare: all tracks of the patient over all visits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import QHBoxLayout, QHeaderView, QVBoxLayout

from lesionmap.compare import look_again
from napari_lesionmap.resolve import CourseRow, changes_of, course_rows, site_name
from napari_lesionmap.widgets.legend import state_icon
from napari_lesionmap.widgets.livemap import LiveMap
from napari_lesionmap.widgets.matches import MatchList
from napari_lesionmap.widgets.parts import button, cell, fill, heading, hint, page, table

if TYPE_CHECKING:
    from qtpy.QtWidgets import QTableWidgetItem

    from lesionmap.compare import Doubt
    from napari_lesionmap.resolve import CourseCell
    from napari_lesionmap.widgets.desk import Desk
    from napari_lesionmap.widgets.visits import VisitsPage

__all__ = ["ComparePage"]

_ROW_PX = 40
_DOUBTS_PX = 3 * _ROW_PX + 32
_FAINT = "#8a94a0"


class ComparePage:
    """One row a lesion, one column a visit; a click goes there."""

    def __init__(self, desk: Desk, visits: VisitsPage) -> None:
        self._desk, self._visits = desk, visits
        self._rows: tuple[CourseRow, ...] = ()
        self._doubts: tuple[Doubt, ...] = ()
        self.widget, layout = page()
        self.matches = MatchList(desk)
        layout.addWidget(self.matches.widget)
        self._add_map(layout, desk)
        self.table = table(("Site",), 0, 8)
        self.table.setAccessibleName("course of each lesion")
        self.table.setWordWrap(True)
        self.table.verticalHeader().setDefaultSectionSize(_ROW_PX)
        self.table.cellClicked.connect(self._go)
        layout.addWidget(self.table, 1)
        self._words = hint("Click a cell to see the lesion in that visit.")
        layout.addWidget(self._words)
        self._add_doubts(layout)
        for signal in (desk.session.visit_changed, desk.session.map_changed):
            signal.connect(self.show)
        self.show()

    def _add_map(self, layout: QVBoxLayout, desk: Desk) -> None:
        row = QHBoxLayout()
        row.addWidget(heading("Course of each lesion"), 1)
        self.changes = button("Map of changes", self.show_map, "What is new (filled) and what is gone (in outline)")
        self.changes.setCheckable(True)
        row.addWidget(self.changes)
        layout.addLayout(row)
        self._live = LiveMap(desk, "changes")
        self.body = self._live.body
        self.body.lesion_clicked.connect(self._show_lesion)
        self.body.hide()
        layout.addWidget(self.body, 2)

    def _add_doubts(self, layout: QVBoxLayout) -> None:
        self._again = heading("Look again")
        layout.addWidget(self._again)
        self.again = table(("Visit", "Why"), 1, 3)
        self.again.setAccessibleName("look again")
        self.again.setWordWrap(True)
        self.again.verticalHeader().setDefaultSectionSize(_ROW_PX)
        self.again.setMaximumHeight(_DOUBTS_PX)
        self.again.cellClicked.connect(self._look_again)
        layout.addWidget(self.again)

    def _go(self, row: int, column: int) -> None:
        session = self._desk.session
        found = self._rows[row].cells[column - 1] if column else None
        if found is not None:
            self._words.setText(found.reason or "Click a cell to see the lesion in that visit.")
        if found is None or not found.lesion or session.results is None:
            return
        self._open(session.results.visits[column - 1].visit.key, found.lesion)

    def _look_again(self, row: int, _column: int) -> None:
        """Go to what is to be looked at again; where nothing is marked, to where the lesion should be."""
        doubt = self._doubts[row]
        self._words.setText(doubt.words)
        self._open(doubt.visit, doubt.lesion)

    def _open(self, key: str, lesion: str) -> None:
        if key != self._desk.session.key:
            self._visits.open_visit(key, lesion)
        elif lesion:
            self._show_lesion(lesion)

    def _show_lesion(self, lesion: str) -> None:
        session = self._desk.session
        session.select(lesion)
        if session.lesion is not None:
            self._desk.stage.jump_to(session.lesion)

    def show(self) -> None:
        """Show the course as it is now."""
        results = self._desk.session.results
        self._rows = course_rows(results) if results else ()
        keys = [x.visit.key for x in results.visits] if results else []
        self.table.setColumnCount(1 + len(keys))
        self.table.setHorizontalHeaderLabels(["Site", *map(self._desk.session.visit_words, keys)])
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        fill(self.table, [[cell(x.site, key=x.track), *map(_state_cell, x.cells)] for x in self._rows])
        if results is None:
            self._take_doubts(())
        else:
            self._desk.quietly("doubts", lambda: look_again(results.visits, results.courses), self._take_doubts)
        self.show_map()

    def _take_doubts(self, doubts: tuple[Doubt, ...]) -> None:
        self._doubts = doubts
        fill(self.again, [self._doubt_cells(doubt) for doubt in doubts])
        for part in (self._again, self.again):
            part.setVisible(bool(doubts))

    def show_map(self) -> None:
        """Show the map of what came and went in the visit that is open, if it is asked for."""
        from lesionmap.write import map_model

        session, wanted = self._desk.session, self.changes.isChecked()
        results, key = session.results, session.key
        self.body.setVisible(wanted)
        self.table.setVisible(not wanted)
        if wanted and results is not None and key:
            self._desk.quietly("changes", lambda: changes_of(map_model(results, [key])[0]), self._live.show)

    def _doubt_cells(self, doubt: Doubt) -> tuple[QTableWidgetItem, ...]:
        where = f"{site_name(doubt.site)}: " if doubt.site else ""
        return cell(self._desk.session.visit_words(doubt.visit)), cell(f"{where}{doubt.words}")


def _state_cell(found: CourseCell) -> QTableWidgetItem:
    item = cell(found.told, found.reason)
    if found.state:
        item.setIcon(state_icon(found.state))
    else:
        item.setForeground(QBrush(QColor(_FAINT)))
    return item
