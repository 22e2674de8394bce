"""The legend of the body map: one marker and word for each state that is on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QBrush, QColor, QIcon, QPainter, QPen, QPixmap, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from lesionmap.write.style import NOT_IMAGED, NOT_IMAGED_HATCH, STATE_STYLE, state_style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtpy.QtGui import QPaintEvent

__all__ = ["Legend", "state_icon"]

_LINE = 20
_MARK = 6.0
_NOT_IMAGED = "bone not imaged"


class Legend(QWidget):  # type: ignore[misc]  # qtpy has no types
    """Entries in lines, as many as are needed."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[str] = []
        self._ink = QColor("#d0d4da")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_ink(self, colour: str) -> None:
        """Take the colour of the words, as it suits the theme."""
        self._ink = QColor(colour)
        self.update()

    def show_states(self, states: Sequence[str], missing: bool) -> None:
        """Show the states that are on the map, and whether bones are shaded."""
        self._entries = [state for state in STATE_STYLE if state in states] + ([_NOT_IMAGED] if missing else [])
        self.updateGeometry()
        self.update()

    def _places(self, width: float) -> list[tuple[str, str, float, int]]:
        """Give (entry, words, left, line) of all entries."""
        metrics, left, line, places = self.fontMetrics(), 0.0, 0, []
        for entry in self._entries:
            words = STATE_STYLE[entry].words if entry in STATE_STYLE else entry
            wide = 2 * _MARK + 8 + metrics.horizontalAdvance(words) + 14
            if left and left + wide > width:
                left, line = 0.0, line + 1
            places.append((entry, words, left, line))
            left += wide
        return places

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Ask for as many lines as there are."""
        places = self._places(max(self.width(), 320))
        return QSize(320, _LINE * (1 + max((line for *_, line in places), default=-1)) + 2)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Ask for no less."""
        return QSize(160, self.sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Paint markers and words."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for entry, words, left, line in self._places(self.width()):
            middle = QPointF(left + _MARK + 2, line * _LINE + _LINE / 2)
            self._mark(painter, entry, middle)
            painter.setPen(self._ink)
            box = QRectF(middle.x() + _MARK + 5, line * _LINE, self.width(), _LINE)
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words)
        painter.end()

    def _mark(self, painter: QPainter, entry: str, middle: QPointF) -> None:
        if entry not in STATE_STYLE:
            painter.setPen(QPen(QColor(NOT_IMAGED_HATCH), 1))
            box = QRectF(middle.x() - _MARK, middle.y() - _MARK, 2 * _MARK, 2 * _MARK)
            painter.setBrush(QColor(NOT_IMAGED))
            painter.drawRect(box)
            painter.fillRect(box, QBrush(QColor(NOT_IMAGED_HATCH), Qt.BrushStyle.BDiagPattern))
            return
        _paint_mark(painter, entry, middle)


def _paint_mark(painter: QPainter, state: str, middle: QPointF) -> None:
    style = state_style(state)
    # Deep colours are lightened a little, so that they are seen on a dark ground and on a light one.
    colour = QColor(style.colour).lighter(125)
    painter.setPen(QPen(colour, 1.5))
    painter.setBrush(Qt.BrushStyle.NoBrush if style.hollow else colour)
    points = [QPointF(middle.x() + x * _MARK * 0.85, middle.y() - y * _MARK * 0.85) for x, y in style.shape]
    painter.drawPolygon(QPolygonF(points))


def state_icon(state: str) -> QIcon:
    """Give the marker of a state as an icon for a table."""
    picture = QPixmap(32, 32)
    picture.setDevicePixelRatio(2.0)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _paint_mark(painter, state, QPointF(8, 8))
    painter.end()
    return QIcon(picture)
