"""Page Skeleton: the landmarks, placed or estimated, and what is drawn of the bones."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QInputDialog, QMenu, QPushButton

from napari_lesionmap.canvas import jump
from napari_lesionmap.layers import world_from_lps
from napari_lesionmap.load import GUESSES, carry_skeleton, guess_skeleton, label_skeleton, put_skeleton
from napari_lesionmap.resolve import landmark_rows, landmark_words, next_landmark
from napari_lesionmap.widgets.parts import button, cell, fill, heading, hint, page, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from lesionmap.skeleton import Placement
    from napari_lesionmap.resolve import LandmarkRow
    from napari_lesionmap.widgets.desk import Desk

__all__ = ["SkeletonPage"]

_LABEL_FILES = "Label maps (*.nii *.nii.gz *.dcm);;All files (*)"
_HOW = {
    "silhouette": "A first guess by the outline of the body: drag landmarks to put it right.",
    "previous": "Carried over from another visit: drag landmarks to put it right.",
    "labels": "Placed from a bone label map, which tells the bones of marks.",
}
_PLACED, _ESTIMATED = "#3fb68b", "#9aa5b1"


class SkeletonPage:
    """Put the skeleton on the visit: landmarks by clicks or from a file."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._seen = False
        self.widget, layout = page()
        layout.addWidget(heading("Landmarks"))
        row = QHBoxLayout()
        self.place = QPushButton("Place by clicks")
        self.place.setCheckable(True)
        self.place.setToolTip("A click in the image places the chosen landmark, then the next one is chosen")
        self.place.clicked.connect(self._place_clicked)
        row.addWidget(self.place)
        self.ways = QPushButton("Place from")
        self.ways.setToolTip("Other ways to place the skeleton; landmarks put it right afterwards")
        self._menu = QMenu(self.ways)
        self._menu.aboutToShow.connect(self._offer_ways)
        self.ways.setMenu(self._menu)
        row.addWidget(self.ways)
        self.remove = button("Remove", self._remove_chosen, "Take the chosen landmark back; it is then estimated")
        row.addWidget(self.remove)
        layout.addLayout(row)
        self.table = table(("Landmark", "State"), 0, 10)
        self.table.setAccessibleName("landmarks")
        self.table.currentCellChanged.connect(lambda *_: self._choose())
        layout.addWidget(self.table, 1)
        self._words = hint()
        layout.addWidget(self._words)
        layout.addLayout(self._visible_row())
        for signal in (desk.session.visit_changed, desk.session.skeleton_changed):
            signal.connect(self.show)
        desk.session.tool_changed.connect(self._show_tool)
        self.show()

    def _visible_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.lines = QCheckBox("Draw the bones")
        self.marks = QCheckBox("Show the landmarks")
        for box in (self.lines, self.marks):
            box.setChecked(True)
            box.toggled.connect(lambda _on: self._set_visible())
            row.addWidget(box)
        self.solid = QCheckBox("3-D")
        self.solid.setToolTip("Show bones, images and lesions in 3-D, seen from the front; drag to turn")
        self.solid.toggled.connect(self._set_solid)
        self._desk.viewer.dims.events.ndisplay.connect(self._show_solid)
        row.addWidget(self.solid)
        row.addStretch(1)
        return row

    # ---- acts ------------------------------------------------------------------------------------------------------

    def _place_clicked(self) -> None:
        session = self._desk.session
        if not self.place.isChecked():
            session.choose_tool("look")
        elif session.now is None:
            self.place.setChecked(False)
            self._desk.say("no visit is open; choose one on the page Visits", error=True)
        else:
            self.marks.setChecked(True)
            session.landmark = self._chosen() or next_landmark(self._rows(), "")
            session.choose_tool("landmark")

    def _offer_ways(self) -> None:
        """List the ways to place that this visit has."""
        self._menu.clear()
        for words, act in self.ways_to_place():
            self._menu.addAction(words).triggered.connect(lambda _checked=False, act=act: act())

    def ways_to_place(self) -> list[tuple[str, Callable[[], None]]]:
        """Give the ways to place beside clicks: their words, and what does it."""
        session = self._desk.session
        ways: list[tuple[str, Callable[[], None]]] = [("Landmarks file…", self._ask_load)]
        now, work = session.now, session.work
        if now is None or work is None or not now.visit.series:
            return ways
        series = session.series
        flat = series is not None and series.projection
        if not flat:
            ways.append(("Bone label map…", self._ask_labels))
        ways.append(
            (
                "Counts of the bone scan" if flat else "Outline of the body, a first guess",
                lambda: self._put(lambda: guess_skeleton(work.patient, now.visit, now.placement, series)),
            )
        )
        for other in reversed(session.results.visits if session.results else ()):
            if other.visit.key != now.visit.key and other.placement is not None and other.visit.series:
                carry = partial(carry_skeleton, work.patient, now.visit, other, now.placement, series)
                ways.append((f"As in {session.visit_words(other.visit.key)}", partial(self._put, carry)))
        return ways

    def _ask_load(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self.widget, "Landmarks", "", "Landmarks (*.csv);;All files (*)")
        if path:
            self.load(path)

    def load(self, path: str) -> None:
        """Read landmarks from a file and place the skeleton on them."""
        from lesionmap.read.rows import read_landmarks

        now, work = self._desk.session.now, self._desk.session.work
        if now is not None and work is not None:
            series = self._desk.session.series
            flat = series is not None and series.projection
            before = now.placement if flat else None
            self._put(
                lambda: put_skeleton(read_landmarks(Path(path), flat=flat), work.patient, now.visit, before, series)
            )
        else:
            self._put(None)

    def _ask_labels(self) -> None:
        """Ask for a label map and for what its numbers mean: with a wrong default the atlas would be wrong."""
        from lesionmap.place import NUMBERINGS

        path, _ = QFileDialog.getOpenFileName(self.widget, "Bone label map", "", _LABEL_FILES)
        if not path:
            return
        own = "a file label,bone,side…"
        names, chosen = QInputDialog.getItem(
            self.widget, "Bone label map", "What do its numbers mean?", [*NUMBERINGS, own], 0, False
        )
        if chosen and names == own:
            names, _ = QFileDialog.getOpenFileName(self.widget, "Names", "", "Names (*.csv);;All files (*)")
        now, work = self._desk.session.now, self._desk.session.work
        if chosen and names and now is not None and work is not None:
            self._put(lambda: label_skeleton(path, names, work.patient, now.visit))

    def _remove_chosen(self) -> None:
        session, name = self._desk.session, self._chosen()
        marks, now, work = session.placed() if session.now is not None else {}, session.now, session.work
        if now is None or work is None:
            self._put(None)
        elif name not in marks:
            self._desk.say("choose a landmark that is placed, then remove it", error=True)
        elif (there := session.there) and there.placement is not None and there.placement.how in GUESSES:
            self._desk.say(
                "a landmark that puts a first guess right cannot be taken back; drag it elsewhere, or guess again",
                error=True,
            )
        else:
            del marks[name]
            session.pending.pop(name, None)
            self._put(lambda: put_skeleton(marks, work.patient, now.visit, now.placement, session.series))

    def _put(self, place: Callable[[], Placement] | None) -> None:
        """Place the skeleton in a thread; None where no visit is open."""
        if place is None:
            self._desk.say("no visit is open; choose one on the page Visits", error=True)
        else:
            self._desk.run("placing the skeleton", place, self._desk.session.keep_placement)

    def attend(self, seen: bool) -> None:
        """Show the landmarks in the image while the page is seen."""
        self._seen = seen
        self._set_visible()

    def _set_visible(self) -> None:
        self._desk.stage.show_bones(lines=self.lines.isChecked(), landmarks=self._seen and self.marks.isChecked())

    def _set_solid(self, on: bool) -> None:
        """Change between slices and 3-D; napari's own button does the same."""
        dims = self._desk.viewer.dims
        if dims.ndim >= 3 and dims.ndisplay != (3 if on else 2):
            dims.ndisplay = 3 if on else 2

    def _show_solid(self, _event: object = None) -> None:
        self.solid.setChecked(self._desk.viewer.dims.ndisplay == 3)

    def close(self) -> None:
        """Let go of the viewer."""
        self._desk.viewer.dims.events.ndisplay.disconnect(self._show_solid)

    def _choose(self) -> None:
        name, session = self._chosen(), self._desk.session
        row = next((x for x in self._rows() if x.name == name), None)
        if row is None:
            return
        self._desk.stage.lines.choose(name)
        session.choose_landmark(name)
        self._jump(row)

    def place_next(self, name: str) -> None:
        """Let the next click place a landmark, and show where it is thought to be."""
        session, row = self._desk.session, next(x for x in self._rows() if x.name == name)
        self.marks.setChecked(True)
        session.choose_landmark(name)
        session.choose_tool("landmark")
        self._jump(row)
        self._desk.say(f"{landmark_words(name)}, {row.told}: click where it is, or drag it there; Q goes to the next")

    def _jump(self, row: LandmarkRow) -> None:
        if row.lps_mm is not None:
            world = world_from_lps(row.lps_mm).tolist()
            jump(self._desk.viewer, (world[0], world[1], world[2]))

    # ---- showing ---------------------------------------------------------------------------------------------------

    def _rows(self) -> tuple[LandmarkRow, ...]:
        session = self._desk.session
        return landmark_rows(session.there, session.pending) if session.there is not None else ()

    def _chosen(self) -> str:
        item = self.table.item(self.table.currentRow(), 0) if self.table.currentRow() >= 0 else None
        return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else ""

    def show(self) -> None:
        """Show the landmarks of the visit."""
        colours = {"placed": _PLACED, "estimated": _ESTIMATED, "missing": _ESTIMATED}
        rows = self._rows()
        cells = [(cell(x.words, key=x.name), cell(x.told, colour=colours[x.state])) for x in rows]
        fill(self.table, cells, self._desk.session.landmark)
        there = self._desk.session.there
        self._words.setText(_placement_words(there.placement if there else None, rows))

    def _show_tool(self) -> None:
        session = self._desk.session
        self.place.setChecked(session.tool == "landmark")
        for at in range(self.table.rowCount()):
            item = self.table.item(at, 0)
            if item is not None and item.data(Qt.ItemDataRole.UserRole) == session.landmark:
                self.table.blockSignals(True)
                self.table.setCurrentCell(at, 0)
                self.table.blockSignals(False)
        self._desk.stage.lines.choose(session.landmark)


def _placement_words(placement: Placement | None, rows: tuple[LandmarkRow, ...]) -> str:
    if placement is None:
        return "The skeleton is not placed yet. About 16 landmarks are enough to begin; the others are estimated."
    placed = sum(row.state == "placed" for row in rows)
    age, stature = (" (inferred)" if name in placement.inferred else "" for name in ("age_y", "stature_cm"))
    words = f"{placed} placed, {len(rows) - placed} estimated."
    body = f"Age {placement.age_y:.1f} y{age}, stature {placement.stature_cm:.0f} cm{stature}."
    how = _HOW.get(placement.how, "")
    return " ".join(filter(None, [how, words, body, *placement.warnings]))
