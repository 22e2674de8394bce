"""Small parts that the pages share: headings, buttons, tables, a searchable list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QCompleter,
    QFrame,
    QHeaderView,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qtpy.QtGui import QKeyEvent, QWheelEvent

__all__ = ["Choice", "Chooser", "button", "cell", "fill", "heading", "hint", "page", "scrolled", "table"]

_ROW_PX = 24


def heading(text: str) -> QLabel:
    """Make the heading of a part of a page."""
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def hint(text: str = "") -> QLabel:
    """Make a line of explanation, which wraps."""
    label = QLabel(text)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def button(text: str, act: Callable[[], object], tip: str = "") -> QPushButton:
    """Make a button that calls a function without arguments."""
    made = QPushButton(text)
    made.clicked.connect(lambda _checked=False: act())
    made.setToolTip(tip)
    made.setAccessibleName(text)
    return made


def page() -> tuple[QWidget, QVBoxLayout]:
    """Make an empty page and its layout."""
    widget = QWidget()
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(8, 8, 8, 8)
    layout.setSpacing(6)
    return widget, layout


def scrolled(widget: QWidget) -> QScrollArea:
    """Put a page into an area that scrolls up and down rather than cut it off."""
    area = QScrollArea()
    area.setWidget(widget)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return area


def table(headers: Sequence[str], stretch: int, rows_seen: int) -> QTableWidget:
    """Make a table of rows that are chosen as a whole and not edited.

    Parameters
    ----------
    headers : sequence of str
        Of the columns.
    stretch : int
        Column that takes the room that is left.
    rows_seen : int
        How many rows are to be seen at least.
    """
    made = QTableWidget(0, len(headers))
    made.setHorizontalHeaderLabels(list(headers))
    made.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    made.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    made.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    made.setShowGrid(False)
    made.setAlternatingRowColors(False)
    made.verticalHeader().setVisible(False)
    made.verticalHeader().setDefaultSectionSize(_ROW_PX)
    made.setMinimumHeight(_ROW_PX * (rows_seen + 1) + 8)
    made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    made.setTextElideMode(Qt.TextElideMode.ElideRight)
    header = made.horizontalHeader()
    header.setHighlightSections(False)
    header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
    for column in range(len(headers)):
        mode = QHeaderView.ResizeMode.Stretch if column == stretch else QHeaderView.ResizeMode.ResizeToContents
        header.setSectionResizeMode(column, mode)
    return made


def cell(text: str, tip: str = "", colour: str = "", key: str = "") -> QTableWidgetItem:
    """Make one cell; ``key`` is what the row stands for."""
    item = QTableWidgetItem(text)
    item.setToolTip(tip or text)
    if colour:
        item.setForeground(QBrush(QColor(colour)))
    if key:
        item.setData(Qt.ItemDataRole.UserRole, key)
    return item


def fill(made: QTableWidget, rows: Sequence[Sequence[QTableWidgetItem]], chosen: str = "") -> None:
    """Put rows into a table, without a word to those who listen, and choose the row of that key."""
    with QSignalBlocker(made):
        made.setRowCount(len(rows))
        made.clearSelection()
        made.setCurrentCell(-1, -1)
        for at, row in enumerate(rows):
            for column, item in enumerate(row):
                made.setItem(at, column, item)
            if chosen and row[0].data(Qt.ItemDataRole.UserRole) == chosen:
                made.setCurrentCell(at, 0)


class Choice(QComboBox):  # type: ignore[misc]  # qtpy has no types
    """A list from which one chooses on purpose: neither the wheel over it nor an arrow key changes it by itself."""

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802 (Qt's name)
        """Leave the wheel to the page."""
        event.ignore()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 (Qt's name)
        """Open the list on an arrow key, rather than choose the next entry and act on it."""
        if event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.showPopup()
        else:
            super().keyPressEvent(event)


class Chooser(Choice):
    """A list of (key, words) in which one finds an entry by typing a part of it."""

    def __init__(self, choices: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__()
        self.setEditable(True)
        self.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(12)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        completer = self.completer()
        completer.setCompletionMode(QCompleter.CompletionMode.PopupCompletion)
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.offer(choices)

    def offer(self, choices: Sequence[tuple[str, str]], chosen: str = "") -> None:
        """Take other choices, without a word to those who listen."""
        with QSignalBlocker(self):
            self.clear()
            for key, words in choices:
                self.addItem(words, key)
        self.choose(chosen)

    def choose(self, key: str) -> None:
        """Show the choice of that key, without a word to those who listen."""
        with QSignalBlocker(self):
            self.setCurrentIndex(self.findData(key))
            if self.currentIndex() < 0:
                self.setEditText("")

    def chosen(self) -> str:
        """Give the key of the choice whose words stand there, or of the only one they fit; empty: none."""
        words = self.currentText()
        at = self.findText(words, Qt.MatchFlag.MatchFixedString)
        if at < 0:
            fitting = [i for i in range(self.count()) if words and words.lower() in self.itemText(i).lower()]
            at = fitting[0] if len(fitting) == 1 else -1
        return str(self.itemData(at) or "") if at >= 0 else ""
