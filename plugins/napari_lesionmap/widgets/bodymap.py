"""The body map on the screen: the drawn skeleton, front and back, with dots; a click tells the site or the lesion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from qtpy.QtCore import QPoint, QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen, QPixmap, QPolygonF, QTransform
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from lesionmap.skeleton import known
from lesionmap.write.style import (
    BONE,
    BONE_EDGE,
    BONE_FAR,
    NOT_IMAGED,
    NOT_IMAGED_HATCH,
    state_style,
)

if TYPE_CHECKING:
    from qtpy.QtCore import QEvent
    from qtpy.QtGui import QMouseEvent, QPaintEvent, QResizeEvent

    from lesionmap.skeleton import Outline
    from lesionmap.write.mapmodel import MapDot, MapPanel

__all__ = ["BodyMap"]

_MARGIN = 14
_FRAME = 1.3
"""Half the frame about a dot that tells the kind of image, in radii of the dot."""
_CAPTION = 20
_PICKED = "#ffb000"


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One view, ready to be painted: paths in picture mm, y up, far bones first."""

    view: Literal["front", "back"]
    box: QRectF
    """What the bones fill, picture mm."""
    shapes: tuple[tuple[str, QPainterPath], ...]


def _drawn(outline: Outline) -> _Drawn:
    shapes, box = [], QRectF()
    for shape in outline.shapes:
        path = QPainterPath()
        path.setFillRule(Qt.FillRule.WindingFill)
        for polygon in shape.polygons:
            path.addPolygon(QPolygonF([QPointF(x, y) for x, y in polygon.tolist()]))
            path.closeSubpath()
        shapes.append((shape.site, path))
        box = box.united(path.boundingRect())
    return _Drawn(outline.view, box, tuple(shapes))


def _shade(depth: float) -> QColor:
    """Give the colour of bone between far (0) and near (1)."""
    far, near = QColor(BONE_FAR), QColor(BONE)
    mixed = [round(a + (b - a) * depth) for a, b in zip(far.getRgb()[:3], near.getRgb()[:3], strict=True)]
    return QColor(*mixed)


class BodyMap(QWidget):  # type: ignore[misc]  # qtpy has no types
    """The drawn skeleton of one visit; it scales with the widget and stays sharp."""

    site_clicked = Signal(str)
    site_double_clicked = Signal(str)
    lesion_clicked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._views: tuple[_Drawn, ...] = ()
        self._panel: MapPanel | None = None
        self._ink = QColor("#d0d4da")
        self._hovered = ""
        self._site = ""
        self._lesion = ""
        self._bones: QPixmap | None = None
        self.setMouseTracking(True)
        self.setMinimumHeight(320)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("body map")

    def sizeHint(self) -> QSize:  # noqa: N802 (Qt's name)
        """Ask for the room of two skeletons side by side."""
        return QSize(420, 360)

    def set_outlines(self, *outlines: Outline) -> None:
        """Take the drawn skeletons, left to right on the widget."""
        self._views = tuple(_drawn(outline) for outline in outlines)
        self._redraw()

    @property
    def drawn(self) -> bool:
        """Whether there is a skeleton to click on."""
        return bool(self._views)

    def shown(self) -> set[str]:
        """Give the ids of the lesions that are shown; the empty one stands for those that are gone."""
        return {dot.lesion for dot in self._panel.dots} if self._panel else set()

    def set_panel(self, panel: MapPanel | None) -> None:
        """Take the dots and the coverage to show."""
        self._panel = panel
        self._redraw()

    def set_ink(self, colour: str) -> None:
        """Take the colour of captions, as it suits the theme."""
        self._ink = QColor(colour)
        self._redraw()

    def pick(self, *, site: str = "", lesion: str = "") -> None:
        """Emphasise a site and a lesion's dot; empty: none."""
        self._site, self._lesion = site, lesion
        self.update()

    def _redraw(self) -> None:
        self._bones = None
        self.update()

    # ---- where things are ------------------------------------------------------------------------------------------

    def _frames(self) -> list[tuple[_Drawn, QTransform]]:
        """Give each view with the transform from picture mm to the widget's pixels."""
        if not self._views:
            return []
        wide = sum(view.box.width() for view in self._views)
        tall = max(view.box.height() for view in self._views)
        gaps = _MARGIN * (len(self._views) + 1)
        scale = min((self.width() - gaps) / wide, (self.height() - 2 * _MARGIN - _CAPTION) / tall)
        scale = max(scale, 0.01)
        gap = (self.width() - scale * wide) / (len(self._views) + 1)
        left, foot = gap, (self.height() - _CAPTION + scale * tall) / 2
        frames = []
        for view in self._views:
            x, y = left - scale * view.box.left(), foot + scale * view.box.top()
            frames.append((view, QTransform(scale, 0, 0, -scale, x, y)))
            left += scale * view.box.width() + gap
        return frames

    def place(self, dot: MapDot, view: Literal["front", "back"]) -> QPointF:
        """Give the widget's pixel of a dot in a view."""
        for drawn, transform in self._frames():
            if drawn.view == view:
                return transform.map(QPointF(*(dot.front_mm if view == "front" else dot.back_mm)))
        return QPointF()

    def middle_of(self, site: str) -> QPoint:
        """Give the widget's pixel in the middle of a drawn site, in the first view that shows it."""
        for view, transform in self._frames():
            for name, path in view.shapes:
                if name == site:
                    return transform.map(path.boundingRect().center()).toPoint()
        return QPoint()

    def site_at(self, position: QPointF) -> str:
        """Give the site drawn uppermost at a pixel; empty: none."""
        for view, transform in self._frames():
            point = transform.inverted()[0].map(position)
            for site, path in reversed(view.shapes):
                if path.contains(point):
                    return str(site)
        return ""

    def dot_at(self, position: QPointF) -> MapDot | None:
        """Give the dot at a pixel, the nearest where several are; None: none."""
        found: tuple[float, MapDot | None] = (1.0, None)
        for view, transform in self._frames():
            for dot in self._panel.dots if self._panel else ():
                middle = self.place(dot, view.view)
                radius = max(dot.radius_mm * transform.m11(), 6.0)
                away = ((middle - position).manhattanLength()) / radius
                if away < found[0]:
                    found = (away, dot)
        return found[1]

    # ---- painting --------------------------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 (Qt's name)
        """Draw the bones anew for the new size."""
        self._bones = None
        super().resizeEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:  # noqa: N802 (Qt's name)
        """Paint bones (kept as a picture), the emphasised site and the dots."""
        if self._bones is None:
            self._bones = self._painted_bones()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawPixmap(0, 0, self._bones)
        for view, transform in self._frames():
            for site, path in view.shapes:
                if site and site in (self._site, self._hovered):
                    painter.setPen(QPen(QColor(_PICKED), 1.6))
                    painter.setBrush(QColor(255, 176, 0, 150 if site == self._site else 60))
                    painter.drawPath(transform.map(path))
            for dot in self._panel.dots if self._panel else ():
                self._paint_dot(painter, dot, self.place(dot, view.view), transform.m11())
        painter.end()

    def _painted_bones(self) -> QPixmap:
        ratio = self.devicePixelRatioF()
        picture = QPixmap(self.size() * ratio)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for view, transform in self._frames():
            for depth, (site, path) in enumerate(view.shapes):
                self._paint_bone(painter, site, transform.map(path), depth / len(view.shapes))
            self._caption(painter, view, transform)
        painter.end()
        return picture

    def _paint_bone(self, painter: QPainter, site: str, shape: QPainterPath, depth: float) -> None:
        missing = self._panel is not None and site in self._panel.not_imaged
        partly = self._panel is not None and site in self._panel.partly
        painter.setPen(QPen(QColor(NOT_IMAGED_HATCH if missing else BONE_EDGE), 0.7))
        painter.setBrush(QColor(NOT_IMAGED) if missing else _shade(depth))
        painter.drawPath(shape)
        if missing or partly:
            painter.fillPath(shape, QBrush(QColor(NOT_IMAGED_HATCH), Qt.BrushStyle.BDiagPattern))

    def _caption(self, painter: QPainter, view: _Drawn, transform: QTransform) -> None:
        box = transform.mapRect(view.box)
        line = QRectF(box.left(), box.bottom() + 4, box.width(), _CAPTION)
        sides = ("R", "L") if view.view == "front" else ("L", "R")
        painter.setPen(self._ink)
        painter.drawText(line, Qt.AlignmentFlag.AlignHCenter, view.view)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft, sides[0])
        painter.drawText(line, Qt.AlignmentFlag.AlignRight, sides[1])

    def _paint_dot(self, painter: QPainter, dot: MapDot, middle: QPointF, scale: float) -> None:
        style = state_style(dot.state)
        radius = max(dot.radius_mm * scale, 4.0)
        shape = QPolygonF([QPointF(middle.x() + x * radius, middle.y() - y * radius) for x, y in style.shape])
        colour = QColor(style.colour)
        painter.setPen(QPen(colour, 2.0 if style.hollow else 1.0))
        fill = QColor(colour)
        fill.setAlpha(0 if style.hollow else 225 if dot.counted else 110)
        painter.setBrush(fill)
        painter.drawPolygon(shape)
        if dot.marked_on in ("scan", "both"):
            style_of = Qt.PenStyle.DotLine if dot.marked_on == "scan" else Qt.PenStyle.SolidLine
            painter.setPen(QPen(colour, 1.2, style_of))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            half = radius * _FRAME
            painter.drawRect(QRectF(middle.x() - half, middle.y() - half, 2 * half, 2 * half))
        if dot.lesion and dot.lesion == self._lesion:
            painter.setPen(QPen(QColor(_PICKED), 2.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(middle, radius + 5, radius + 5)

    # ---- the mouse -------------------------------------------------------------------------------------------------

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Emphasise and name what is under the pointer."""
        dot = self.dot_at(event.position())
        site = "" if dot else self.site_at(event.position())
        if site != self._hovered:
            self._hovered = site
            self.update()
        words = _dot_words(dot) if dot else known(site).name if site else ""
        QToolTip.showText(event.globalPosition().toPoint(), words, self)

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 (Qt's name)
        """Forget what was under the pointer."""
        self._hovered = ""
        self.update()
        super().leaveEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Tell the lesion of the dot, else the site."""
        dot = self.dot_at(event.position())
        if dot is not None and dot.lesion:
            self.lesion_clicked.emit(dot.lesion)
        elif site := self.site_at(event.position()):
            self.site_clicked.emit(site)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802 (Qt's name)
        """Tell the site that was double-clicked."""
        if self.dot_at(event.position()) is None and (site := self.site_at(event.position())):
            self.site_double_clicked.emit(site)


def _dot_words(dot: MapDot) -> str:
    volume = "" if dot.volume_ml is None else f", {dot.volume_ml:.1f} ml"
    number = f"{dot.lesion}: " if dot.lesion else ""
    on = {"scan": ", on the bone scan alone", "both": ", on slices and bone scan"}.get(dot.marked_on, "")
    return f"{number}{dot.label}: {state_style(dot.state).words}{volume}{on}"
