"""Page Export: tables, map, report, masks and DICOM, written into a folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QCheckBox, QFileDialog, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton

from lesionmap.errors import LesionmapError
from napari_lesionmap.resolve import earlier_rows
from napari_lesionmap.save import KINDS, write
from napari_lesionmap.widgets.parts import button, heading, hint, page

if TYPE_CHECKING:
    from napari_lesionmap.save import Written
    from napari_lesionmap.widgets.desk import Desk

__all__ = ["ExportPage"]


class ExportPage:
    """Write what was found; existing files are left alone unless asked."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.widget, layout = page()
        layout.addWidget(heading("Folder"))
        row = QHBoxLayout()
        self.folder = QLineEdit()
        self.folder.setAccessibleName("folder")
        self.folder.setPlaceholderText("where the files go")
        row.addWidget(self.folder, 1)
        row.addWidget(button("Browse…", self._ask_folder))
        layout.addLayout(row)
        self.overwrite = QCheckBox("Replace files of the same name")
        layout.addWidget(self.overwrite)
        layout.addWidget(heading("All visits of the patient"))
        grid = QGridLayout()
        grid.setSpacing(6)
        self.buttons: dict[str, QPushButton] = {}
        for line, title in enumerate(dict.fromkeys(kind.title for kind in KINDS)):
            grid.addWidget(QLabel(title), line, 0)
            for column, kind in enumerate(kind for kind in KINDS if kind.title == title):
                made = button(kind.words, partial(self.write, kind.name), kind.tip)
                made.setAccessibleName(f"{title} {kind.words}")
                grid.addWidget(made, line, 1 + column)
                self.buttons[kind.name] = made
        grid.setColumnStretch(0, 1)
        layout.addLayout(grid)
        self._words = hint()
        layout.addWidget(self._words)
        layout.addWidget(hint("Files carry the pseudonym only. For research use only, not for diagnosis."))
        layout.addStretch(1)
        for signal in (desk.session.visit_changed, desk.session.map_changed):
            signal.connect(self.show)
        self.show()

    def _ask_folder(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.widget, "Folder for the files", self.folder.text())
        if folder:
            self.folder.setText(folder)

    def write(self, name: str) -> None:
        """Write one kind of file into the folder, in a thread."""
        self._desk.attempt(self._begin, name)

    def _begin(self, name: str) -> None:
        session = self._desk.session
        if session.results is None:
            raise LesionmapError("nothing to write: no patient is open; open a study on the page Visits")
        if not self.folder.text().strip():
            raise LesionmapError(
                "no folder is named; type or browse to the folder in which the files are to be written"
            )
        folder, results, key = Path(self.folder.text().strip()).expanduser(), session.results, session.key
        overwrite = self.overwrite.isChecked()
        self._desk.run(
            "writing",
            lambda: write(name, results, key, folder, overwrite=overwrite),
            self._tell,
        )

    def _tell(self, written: Written) -> None:
        names = ", ".join(path.name for path in written.paths)
        self._desk.say("; ".join([f"written: {names}", *written.left_out]))

    def show(self) -> None:
        """Say what is not answered yet."""
        session = self._desk.session
        rows = earlier_rows(session.results, session.key) if session.results and session.key else ()
        left = [row.site for row in rows if not row.answer]
        words = f"Not answered yet in this visit: {', '.join(left)}. They are printed as not answered."
        self._words.setText(words if left else "")
        self._words.setVisible(bool(left))
