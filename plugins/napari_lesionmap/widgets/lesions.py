"""Page Lesions: the list, the chosen lesion, and what became of the lesions of earlier visits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from napari_lesionmap.resolve import EarlierRow, LesionRow, earlier_rows, lesion_rows
from napari_lesionmap.widgets.candidates import CandidateList
from napari_lesionmap.widgets.consensus import ConsensusList
from napari_lesionmap.widgets.details import Details
from napari_lesionmap.widgets.legend import state_icon
from napari_lesionmap.widgets.parts import Choice, Chooser, button, cell, fill, heading, hint, page, table

if TYPE_CHECKING:
    from qtpy.QtWidgets import QTableWidgetItem

    from napari_lesionmap.session import Tool
    from napari_lesionmap.widgets.desk import Desk
    from napari_lesionmap.widgets.visits import VisitsPage

__all__ = ["LesionsPage"]

_TOOLS: tuple[tuple[Tool, str, str], ...] = (
    ("look", "Look", "A click chooses the lesion under it"),
    ("mark", "Mark", "A click in a lesion proposes its outline and its site"),
    ("paint", "Paint", "Paint the outline of the chosen lesion, or of a new one"),
    ("erase", "Erase", "Rub out"),
)
_ANSWERS = (
    ("", "…"),
    ("present", "present"),
    ("resolved", "resolved"),
    ("not_imaged", "not imaged"),
    ("cannot_judge", "cannot judge"),
)
_ANSWER_PX = 128
_FAINT = "#8a94a0"


class LesionsPage:
    """Mark lesions, say what they are, and answer for those of earlier visits."""

    def __init__(self, desk: Desk, visits: VisitsPage) -> None:
        self._desk, self._visits = desk, visits
        self.widget, layout = page()
        layout.addLayout(self._reader_row())
        self.consensus = ConsensusList(desk)
        layout.addWidget(self.consensus.widget)
        layout.addLayout(self._tool_row())
        self.candidates = CandidateList(desk)
        layout.addWidget(self.candidates.widget)
        self.table = table(("No", "Site", "Certainty", "ml", "State"), 1, 5)
        self.table.setAccessibleName("lesions")
        self.table.currentCellChanged.connect(lambda *_: self._choose())
        self.table.cellClicked.connect(lambda *_: self._jump())
        layout.addWidget(self.table, 3)
        self.details = Details(desk)
        layout.addWidget(self.details.widget)
        self._build_earlier(layout)
        session = desk.session
        for signal in (session.visit_changed, session.map_changed):
            signal.connect(self.show)
        session.selection_changed.connect(self._show_selection)
        session.tool_changed.connect(self._show_tool)
        self.show()

    def _reader_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(QLabel("Reader"))
        self.reader = Chooser()
        self.reader.setAccessibleName("reader")
        self.reader.setToolTip("Whose lesion map this is; type a new name to begin one of your own")
        self.reader.activated.connect(lambda _i: self._choose_reader())
        self.reader.lineEdit().returnPressed.connect(self._choose_reader)
        row.addWidget(self.reader, 1)
        return row

    def _tool_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2)
        self.tools: dict[str, QPushButton] = {}
        group = QButtonGroup(self.widget)
        for tool, words, tip in _TOOLS:
            made = QPushButton(words)
            made.setCheckable(True)
            made.setToolTip(tip)
            made.clicked.connect(lambda _on, tool=tool: self._desk.session.choose_tool(tool))
            group.addButton(made)
            row.addWidget(made)
            self.tools[tool] = made
        self.tools["look"].setChecked(True)
        row.addStretch(1)
        self._delete = button("Delete", self._remove, "Delete the chosen lesion; undo brings it back")
        row.addWidget(self._delete)
        return row

    def _build_earlier(self, layout: QVBoxLayout) -> None:
        self._earlier_heading = heading("Lesions of earlier visits")
        layout.addWidget(self._earlier_heading)
        self.earlier = table(("Site", "Last", "Now"), 0, 4)
        self.earlier.setAccessibleName("lesions of earlier visits")
        self.earlier.cellClicked.connect(lambda row, _column: self._choose_earlier(row))
        layout.addWidget(self.earlier, 2)
        self._earlier_hint = hint()
        layout.addWidget(self._earlier_hint)
        self._rows: tuple[EarlierRow, ...] = ()

    # ---- acts ------------------------------------------------------------------------------------------------------

    def _choose_reader(self) -> None:
        session, name = self._desk.session, self.reader.currentText().strip()
        if session.work is not None and name and name != session.work.reader:
            self._offer_readers()  # until the other map is here, and where it is hidden
            self._visits.load_patient(session.work.patient.id, name, session.key)

    def _choose(self) -> None:
        self._desk.session.select(self._key())

    def _key(self) -> str:
        item = self.table.item(self.table.currentRow(), 0) if self.table.currentRow() >= 0 else None
        return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else ""

    def _jump(self) -> None:
        lesion = self._desk.session.lesion
        if lesion is not None and not self._desk.stage.jump_to(lesion):
            self._desk.say(f"{lesion.id} has no place in the images: it is known by its site only")

    def _remove(self) -> None:
        session = self._desk.session
        if session.lesion is None:
            self._desk.say("choose a lesion in the list, then delete it", error=True)
        else:
            lesion = session.lesion.id
            if self._desk.attempt(session.remove, lesion):
                self._desk.say(f"{lesion} deleted; undo brings it back")

    def _answer(self, row: EarlierRow, answer: str) -> None:
        session = self._desk.session
        if answer == row.answer:
            return
        if answer == "present":
            chosen = session.lesion
            if chosen is not None and not self._on_earlier_track(chosen.tracks):
                done = self._desk.attempt(session.change, chosen.id, "track", tracks=(row.track,))
                self._desk.say(
                    f"{chosen.id} is the lesion of {session.visit_words(row.last)}: {row.site}"
                ) if done else None
            else:
                self._desk.attempt(session.add_site, row.site_id, row.track)
        elif row.answer == "present":
            self._desk.say(f"{row.lesion} is marked in this visit; delete it first, then answer", error=True)
            self.show()
        else:
            self._desk.attempt(session.answer, row.track, answer or None)

    def _on_earlier_track(self, tracks: tuple[str, ...]) -> bool:
        return any(row.track in tracks for row in self._rows)

    def _choose_earlier(self, at: int) -> None:
        row, session = self._rows[at], self._desk.session
        session.choose_track(row.track)
        if row.lesion:
            session.select(row.lesion)
            self._jump()
        else:
            self._desk.stage.jump_to_earlier(row.track, row.site_id)

    # ---- showing ---------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Show the lesion map as it is."""
        session = self._desk.session
        self._offer_readers()
        rows = lesion_rows(session.results, session.key) if session.results and session.key else ()
        fill(self.table, [_cells(row) for row in rows], session.selected)
        self._rows = earlier_rows(session.results, session.key) if session.results and session.key else ()
        self._show_earlier()
        self.details.show()

    def _offer_readers(self) -> None:
        work = self._desk.session.work
        names = list(dict.fromkeys((*work.readers, work.reader))) if work else []
        self.reader.offer([(x, x) for x in names], work.reader if work else "")

    def _show_earlier(self) -> None:
        rows = [(cell(x.site, key=x.track), cell(self._desk.session.visit_words(x.last)), cell("")) for x in self._rows]
        fill(self.earlier, rows, self._desk.session.track)
        for at, row in enumerate(self._rows):
            self.earlier.setCellWidget(at, 2, self._answer_box(row))
        unanswered = sum(not row.answer for row in self._rows)
        words = "" if not self._rows else "all answered" if not unanswered else f"{unanswered} to answer"
        self._earlier_heading.setText(f"Lesions of earlier visits{': ' + words if words else ''}")
        self._earlier_hint.setText("'present' takes the chosen lesion for it, or marks its site." if unanswered else "")
        self._earlier_hint.setVisible(bool(unanswered))
        self.earlier.setVisible(bool(self._rows))
        self._earlier_heading.setVisible(bool(self._rows))

    def _answer_box(self, row: EarlierRow) -> Choice:
        box = Choice()
        box.setAccessibleName(f"answer for {row.site}")
        for key, words in _ANSWERS:
            told = f"… ({row.hint})" if not key and row.hint else words
            box.addItem(f"{told} ({row.lesion})" if key == "present" and row.lesion else told, key)
        box.setCurrentIndex(box.findData(row.answer))
        box.setMaximumWidth(_ANSWER_PX)
        box.activated.connect(lambda _i: self._answer(row, str(box.currentData())))
        return box

    def _show_selection(self) -> None:
        chosen = self._desk.session.selected
        self.table.blockSignals(True)
        self.table.setCurrentCell(-1, -1)
        self.table.clearSelection()
        for at in range(self.table.rowCount()):
            item = self.table.item(at, 0)
            if item is not None and item.data(Qt.ItemDataRole.UserRole) == chosen:
                self.table.setCurrentCell(at, 0)
        self.table.blockSignals(False)
        at = next((at for at, row in enumerate(self._rows) if row.track == self._desk.session.track), -1)
        with QSignalBlocker(self.earlier):
            self.earlier.setCurrentCell(at, 0) if at >= 0 else self.earlier.clearSelection()
        self.details.show()

    def _show_tool(self) -> None:
        tool = self._desk.session.tool
        if tool in self.tools:
            self.tools[tool].setChecked(True)


def _cells(row: LesionRow) -> tuple[QTableWidgetItem, ...]:
    colour = "" if row.counted else _FAINT
    state = cell(row.told or ("" if row.counted else "not counted"), row.why, colour)
    if row.state:
        state.setIcon(state_icon(row.state))
    words = (row.site, row.certainty, row.volume)
    return cell(row.id, key=row.id, colour=colour), *(cell(text, colour=colour) for text in words), state
