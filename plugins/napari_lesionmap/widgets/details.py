"""The chosen lesion: site, certainty, change, note, and what else is seen of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QFormLayout, QGridLayout, QLabel, QLineEdit, QToolButton, QVBoxLayout, QWidget

from napari_lesionmap.resolve import ATTRIBUTES, CERTAINTIES, attribute_choices, attribute_words, site_choices
from napari_lesionmap.widgets.parts import Choice, Chooser

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lesionmap.lesions import Lesion
    from napari_lesionmap.widgets.desk import Desk

__all__ = ["Details"]

_CHANGES = ((None, "as measured"), ("improved", "improved"), ("persistent", "persistent"), ("worsened", "worsened"))


class Details:
    """Shows one lesion and passes on what the reader changes of it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.widget = QWidget()
        layout = QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._build_form())
        self._more = QToolButton()
        self._more.setText("More findings")
        self._more.setCheckable(True)
        self._more.setArrowType(Qt.ArrowType.RightArrow)
        self._more.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._more.toggled.connect(self._unfold)
        layout.addWidget(self._more)
        self._findings = self._build_findings()
        self._findings.setVisible(False)
        layout.addWidget(self._findings)

    def _build_form(self) -> QFormLayout:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(4)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        self.site = Chooser(site_choices())
        self.site.setAccessibleName("site")
        self.site.setToolTip("Type a part of a name: 'left tibia', 'T8', 'sacroiliac'")
        self.site.activated.connect(lambda _i: self._take_site())
        self.site.lineEdit().returnPressed.connect(self._take_site)
        form.addRow("Site", self.site)
        self.certainty = _box([(x, x.replace("_", " ")) for x in CERTAINTIES], self._take_certainty, "certainty")
        form.addRow("Certainty", self.certainty)
        self.change = _box(_CHANGES, self._take_change, "change in the reader's own word")
        form.addRow("Change", self.change)
        self.note = QLineEdit()
        self.note.setAccessibleName("note")
        self.note.setPlaceholderText("no names or dates of birth here")
        self.note.editingFinished.connect(self._take_note)
        form.addRow("Note", self.note)
        return form

    def _build_findings(self) -> QWidget:
        widget = QWidget()
        grid = QGridLayout(widget)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        self.findings: dict[str, Choice] = {}
        for name in ATTRIBUTES:
            box = _box(attribute_choices(name), partial(self._take_finding, name), attribute_words(name))
            at = len(self.findings)
            grid.addWidget(QLabel(attribute_words(name)), at, 0)
            grid.addWidget(box, at, 1)
            self.findings[name] = box
        grid.setColumnStretch(1, 1)
        return widget

    def _unfold(self, on: bool) -> None:
        self._more.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
        self._findings.setVisible(on)

    # ---- acts ------------------------------------------------------------------------------------------------------

    def _take_site(self) -> None:
        lesion, site = self._desk.session.lesion, self.site.chosen()
        if lesion is None:
            return
        if not site:
            self._desk.say(
                f"{self.site.currentText()!r} is no site, or fits several; choose one of the list", error=True
            )
            self.show()
        elif site != lesion.sites[0]:
            self._desk.attempt(self._desk.session.change, lesion.id, "site", sites=(site,))

    def _take_certainty(self) -> None:
        lesion = self._desk.session.lesion
        if lesion is not None and self.certainty.currentData() != lesion.certainty:
            certainty = self.certainty.currentData()
            self._desk.attempt(self._desk.session.change, lesion.id, "certainty", certainty=certainty)

    def _take_change(self) -> None:
        lesion = self._desk.session.lesion
        if lesion is not None and self.change.currentData() != lesion.change:
            change = self.change.currentData()
            self._desk.attempt(self._desk.session.change, lesion.id, "change", change=change)

    def _take_note(self) -> None:
        lesion = self._desk.session.lesion
        if lesion is not None and self.note.text() != lesion.note:
            self._desk.attempt(self._desk.session.change, lesion.id, "note", note=self.note.text())

    def _take_finding(self, name: str) -> None:
        lesion = self._desk.session.lesion
        value = self.findings[name].currentData()
        if lesion is not None and value != getattr(lesion.attributes, name):
            attributes = replace(lesion.attributes, **{name: value})
            self._desk.attempt(self._desk.session.change, lesion.id, attribute_words(name), attributes=attributes)

    # ---- showing ---------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Show the chosen lesion; without one all is empty and off."""
        lesion = self._desk.session.lesion
        self.widget.setEnabled(lesion is not None)
        self.site.choose(lesion.sites[0] if lesion else "")
        _choose(self.certainty, lesion.certainty if lesion else None)
        _choose(self.change, lesion.change if lesion else None)
        with QSignalBlocker(self.note):
            if self.note.text() != (lesion.note if lesion else ""):
                self.note.setText(lesion.note if lesion else "")
        self._show_findings(lesion)

    def _show_findings(self, lesion: Lesion | None) -> None:
        for name, box in self.findings.items():
            _choose(box, getattr(lesion.attributes, name) if lesion else None)


def _box(choices: Sequence[tuple[object, str]], act: Callable[[], None], name: str) -> Choice:
    box = Choice()
    box.setAccessibleName(name)
    for key, words in choices:
        box.addItem(words, key)
    box.activated.connect(lambda _i: act())
    return box


def _choose(box: Choice, key: object) -> None:
    """Show the choice of that key; the first one where it is none of them (True, False and None are told apart)."""
    keys = [box.itemData(at) for at in range(box.count())]
    with QSignalBlocker(box):
        box.setCurrentIndex(keys.index(key) if key in keys else 0)
