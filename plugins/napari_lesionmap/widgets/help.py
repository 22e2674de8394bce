"""The keys, over the window, until the next key or click."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QApplication, QFrame, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_lesionmap.keys import GROUPS, KEYS, MOUSE, shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qtpy.QtCore import QObject

__all__ = ["KeyHelp"]

_STYLE = """
#keys { background: rgba(16, 20, 26, 240); border: 1px solid #4a5568; border-radius: 8px; }
#keys QLabel { color: #d8dee6; background: transparent; }
#keys QLabel[kind="heading"] { color: #ffd166; font-weight: bold; }
#keys QLabel[kind="key"] { color: #ffffff; font-family: monospace; }
"""
_COLUMNS = (("Look", "Earlier lesions", "Always"), ("Mark",), GROUPS[2:4])
_PAST = (QEvent.Type.MouseButtonPress, QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride, QEvent.Type.Wheel)


class KeyHelp(QFrame):  # type: ignore[misc]  # qtpy has no types
    """A sheet over the window with every key and what it does."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setObjectName("keys")
        self.setStyleSheet(_STYLE)
        self.setAccessibleName("keys")
        across = QHBoxLayout(self)
        across.setContentsMargins(22, 18, 22, 18)
        across.setSpacing(34)
        for names in _COLUMNS:
            down = QVBoxLayout()
            for name in names:
                down.addLayout(_group(name, ((shown(k.press), k.words) for k in KEYS if k.group == name)))
            if "Mark" in names:
                down.addLayout(_group("The mouse in the image", MOUSE))
            down.addStretch(1)
            across.addLayout(down)
        self.hide()

    def toggle(self) -> None:
        """Show the sheet in the middle of the window, or hide it."""
        if self.isVisible():
            self._leave()
            return
        self.adjustSize()
        parent = self.parentWidget()
        self.move((parent.width() - self.width()) // 2, max((parent.height() - self.height()) // 2, 0))
        self.raise_()
        self.show()
        QApplication.instance().installEventFilter(self)

    def _leave(self) -> None:
        QApplication.instance().removeEventFilter(self)
        self.hide()

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:  # noqa: N802 (Qt's name)
        """Hide at the next key or click, which does nothing else."""
        if event.type() not in _PAST:
            return False
        self._leave()
        event.accept()
        return True


def _group(name: str, rows: Iterable[tuple[str, str]]) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(14)
    grid.setVerticalSpacing(4)
    grid.setContentsMargins(0, 0, 0, 14)
    grid.addWidget(_label(name, "heading"), 0, 0, 1, 2)
    for at, (key, words) in enumerate(rows, start=1):
        grid.addWidget(_label(key, "key"), at, 0, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        grid.addWidget(_label(words, "words"), at, 1, Qt.AlignmentFlag.AlignTop)
    return grid


def _label(text: str, kind: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("kind", kind)
    label.setWordWrap(kind == "words")
    if kind == "words":
        label.setFixedWidth(265)
    return label
