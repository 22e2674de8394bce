"""Page Visits: study, patient, visits, series, and the visit beside."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QLabel

from napari_lesionmap import load
from napari_lesionmap.layers import tilt_words
from napari_lesionmap.resolve import visit_rows
from napari_lesionmap.widgets.parts import Chooser, button, cell, fill, heading, hint, page, table
from napari_lesionmap.widgets.resume import Resume

if TYPE_CHECKING:
    from lesionmap.space import Volume
    from lesionmap.store import Study
    from lesionmap.visits import Patient, Series
    from napari_lesionmap.load import PatientWork
    from napari_lesionmap.widgets.desk import Desk
    from napari_lesionmap.widgets.sideviews import SideViews

__all__ = ["VisitsPage"]

_LAST = "last"

_FILTER = "lesionmap study (*.lesionmap *.sqlite *.db);;All files (*)"


class VisitsPage:
    """What is there: open or make a study, import images, choose a visit."""

    def __init__(self, desk: Desk, views: SideViews) -> None:
        self._desk, self._views = desk, views
        self._by_hand: dict[tuple[str, str, str], str] = {}
        """Patient, visit beside and Series shown → the Series that the reader chose to see beside it."""
        self.widget, layout = page()
        layout.addWidget(heading("Study"))
        self.resume = Resume(desk, self.open_study)
        layout.addLayout(self._study_row())
        layout.addWidget(self.resume.button)
        layout.addLayout(self._patient_row())
        layout.addWidget(heading("Visits"))
        self.visits = table(("Date", "Age", "Images", "Lesions"), 2, 4)
        self.visits.setAccessibleName("visits")
        self.visits.currentCellChanged.connect(lambda *_: self._choose_visit())
        layout.addWidget(self.visits, 2)
        layout.addWidget(heading("Images of the visit"))
        self.series = table(("Series", "Kind", "Note"), 0, 4)
        self.series.setAccessibleName("series")
        self.series.currentCellChanged.connect(lambda *_: self._choose_series())
        layout.addWidget(self.series, 2)
        layout.addLayout(self._beside_row())
        layout.addLayout(self._beside_series_row())
        self._note = hint()
        layout.addWidget(self._note)
        desk.session.patients_changed.connect(self.show)
        desk.session.visit_changed.connect(self.show)
        desk.session.map_changed.connect(self._show_visits)
        views.prior.visit_changed.connect(self._show_choices)
        self.show()

    def _study_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(button("Open…", self._ask_open, "Open a study file"))
        row.addWidget(button("New…", self._ask_new, "Make a new study file"))
        row.addWidget(button("Sample patient", self.open_sample, "Open the sample patient that comes with lesionmap"))
        return row

    def _patient_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(QLabel("Patient"))
        self.patients = Chooser()
        self.patients.setAccessibleName("patient")
        self.patients.currentIndexChanged.connect(lambda _i: self._choose_patient())
        row.addWidget(self.patients, 1)
        self._import = button("Import images…", self._ask_import, "Read a folder of DICOM or NIfTI into this study")
        row.addWidget(self._import)
        return row

    def _beside_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.beside_on = QCheckBox("Show another visit beside it:")
        self.beside_on.toggled.connect(lambda _on: self._show_beside())
        self.beside = Chooser()
        self.beside.setAccessibleName("visit beside")
        self.beside.currentIndexChanged.connect(lambda _i: self._show_beside())
        row.addWidget(self.beside_on)
        row.addWidget(self.beside, 1)
        return row

    def _beside_series_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(QLabel("Its series"))
        self.beside_series = Chooser()
        self.beside_series.setAccessibleName("series of the visit beside")
        self.beside_series.setToolTip("The series most like the one that is shown; another one may be chosen")
        self.beside_series.currentIndexChanged.connect(lambda _i: self._choose_beside_series())
        row.addWidget(self.beside_series, 1)
        return row

    # ---- opening ---------------------------------------------------------------------------------------------------

    def _ask_open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self.widget, "Open a study", "", _FILTER)
        if path:
            self.open_study(path)

    def _ask_new(self) -> None:
        path, _ = QFileDialog.getSaveFileName(self.widget, "New study", "study.lesionmap", _FILTER)
        if path:
            self.open_study(path, create=True)

    def open_study(self, where: str, *, create: bool = False, patient: str = "", last: bool = False) -> None:
        """Open or make a study, and go on to a patient: the one named, else the first; ``last``: to the last visit."""
        self._desk.run(
            "opening the study",
            lambda: load.open_study(where, create=create),
            lambda opened: self.enter(opened, patient, last=last),
        )

    def open_sample(self) -> None:
        """Open the sample patient as a study of this session, in a folder for temporary files."""

        def work() -> tuple[Study, tuple[Patient, ...]]:
            return load.sample_study(Path(mkdtemp(prefix="lesionmap-sample-")))

        self._desk.run("reading the sample patient", work, self.enter)

    def enter(self, opened: tuple[Study, tuple[Patient, ...]], patient: str = "", *, last: bool = False) -> None:
        """Work in a study that was opened, and go on to a patient: the one named, else the first."""
        self._desk.session.enter_study(*opened)
        ids = [x.id for x in opened[1]]
        if patient or ids:
            self.load_patient(patient or ids[0], visit=_LAST if last else "")
        else:
            self._desk.say("the study is empty; import a folder of images")

    def load_patient(self, patient: str, reader: str = "", visit: str = "") -> None:
        """Read all visits of a patient; then open the visit of that key, if one is named."""
        study = self._desk.session.study
        if study is None:
            return

        def enter(read: tuple[PatientWork, tuple[Patient, ...]]) -> None:
            self._desk.sit(read[0])
            self._desk.session.enter_patient(*read)
            results = self._desk.session.results
            if visit and results is not None:
                self.open_visit(results.visits[-1].visit.key if visit == _LAST else visit)

        self._desk.run(
            "reading the visits",
            lambda: (load.load_patient(study, patient, reader, self._desk.asker), study.patients()),
            enter,
        )

    def open_visit(self, key: str, lesion: str = "") -> None:
        """Open a visit, its images in a thread; then choose a lesion, if one is named."""
        session = self._desk.session
        study, work = session.study, session.work
        if study is None or work is None:
            return
        visit = work.visit(key).visit

        def enter(opened: load.OpenedVisit) -> None:
            session.enter_visit(opened)
            if session.read_only:
                self._desk.say(session.read_only, error=True)
            session.select(lesion)
            if session.lesion is not None:
                self._desk.stage.jump_to(session.lesion)

        self._desk.run(f"reading {session.visit_words(key)}", lambda: load.open_visit(study, visit, work.reader), enter)

    def _ask_import(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.widget, "Import a folder of images")
        if folder:
            self.import_folder(folder)

    def import_folder(self, folder: str) -> None:
        """Read a folder of images into the study."""
        study = self._desk.session.study
        if study is None:
            self._desk.say("no study is open; open one, or make a new one for these images", error=True)
            return

        def entered(result: tuple[Any, str]) -> None:
            visits, refused = result
            self.load_patient(visits[-1].patient, visit=visits[-1].key)
            if refused:
                self._desk.say(refused, error=True)

        self._desk.run("reading the headers", lambda: load.import_images(study, [folder]), entered)

    # ---- choosing --------------------------------------------------------------------------------------------------

    def _choose_patient(self) -> None:
        if self.patients.chosen():
            self.load_patient(self.patients.chosen())

    def _choose_visit(self) -> None:
        key = _key(self.visits)
        if key and key != self._desk.session.key:
            self.open_visit(key)

    def _choose_series(self) -> None:
        name = _key(self.series)
        if name and name != self._desk.session.shown:
            self.show_series(name)

    def show_series(self, name: str) -> None:
        """Show another Series of the visit, its pixels read in a thread."""
        session = self._desk.session
        now, at_hand = session.now, session.volumes.get((session.key, name))
        if now is None:
            return

        def show(volume: Volume) -> None:
            session.show_series(name, volume)
            self._show_beside()

        if at_hand is not None:
            show(at_hand)
        else:
            self._desk.run(f"reading {name}", lambda: load.read_pixels(now.visit, [name])[name], show)

    def _choose_beside_series(self) -> None:
        name, at = self.beside_series.chosen(), self._beside_place()
        if name and at is not None:
            self._by_hand[at] = name
            self._show_beside()

    def _beside_place(self) -> tuple[str, str, str] | None:
        session = self._desk.session
        key = self.beside.chosen()
        return (session.work.patient.id, key, session.shown) if session.work and key else None

    def _beside_name(self) -> str:
        """Name of the Series to show of the visit beside: chosen by hand, else paired; empty: it has no images."""
        session, at = self._desk.session, self._beside_place()
        if at is None or session.work is None or session.now is None:
            return ""
        visit = session.work.visit(at[1]).visit
        chosen = self._by_hand.get(at, "")
        if any(series.name == chosen for series in visit.series):
            return chosen
        return load.paired_series(visit, session.now.visit, session.shown)

    def toggle_beside(self) -> None:
        """Show the visit that is chosen beside, or show this one only."""
        if not self.beside_on.isEnabled():
            self._desk.say("this patient has no other visit", error=True)
        else:
            self.beside_on.setChecked(not self.beside_on.isChecked())

    def _show_beside(self) -> None:
        session = self._desk.session
        key = self.beside.chosen() if self.beside_on.isChecked() else ""
        if session.work is None:
            return
        if not key:
            self._views.hide_earlier()
            return
        name, visit = self._beside_name(), session.work.visit(key).visit
        if not name:
            self._desk.say(f"{session.visit_words(key)} has no images to show", error=True)
        elif (key, name) != (self._views.prior.key, self._views.prior.shown):
            self._desk.run(
                f"reading {session.visit_words(key)}",
                lambda: load.read_pixels(visit, [name])[name],
                lambda volume: self._views.show_earlier(key, name, volume),
            )

    # ---- showing ---------------------------------------------------------------------------------------------------

    def show(self) -> None:
        """Show what is there."""
        session = self._desk.session
        chosen = session.work.patient.id if session.work else ""
        words = [
            f"patient {n}" if session.hidden else _patient_words(x) for n, x in enumerate(session.patients, start=1)
        ]
        self.patients.offer([(x.id, told) for x, told in zip(session.patients, words, strict=True)], chosen)
        self._import.setEnabled(session.study is not None)
        self._show_visits()
        now = session.now
        found = now.visit.series if now else ()
        fill(self.series, [_series_cells(s) for s in found], session.shown)
        self._show_choices()
        self._note.setText(_note(session.series))

    def _show_visits(self) -> None:
        session = self._desk.session
        rows = visit_rows(session.results) if session.results else ()
        fill(
            self.visits,
            [(cell(session.visit_words(x.key), key=x.key), cell(x.age), cell(x.images), cell(x.lesions)) for x in rows],
            session.key,
        )

    def _show_choices(self) -> None:
        session = self._desk.session
        others = [x.visit for x in session.results.visits if x.visit.key != session.key] if session.results else []
        earlier = [x.key for x in others if x.key < session.key]
        chosen = self._views.prior.key or (earlier[-1] if earlier else others[0].key if others else "")
        self.beside.offer([(x.key, session.visit_words(x.key)) for x in others], chosen)
        self.beside_on.blockSignals(True)
        self.beside_on.setChecked(self._views.prior.key not in ("", self._desk.session.key))
        self.beside_on.blockSignals(False)
        there = next((x for x in others if x.key == chosen), None)
        series = [(x.name, x.name) for x in there.series] if there is not None else []
        self.beside_series.offer(series, self._views.prior.shown or self._beside_name())
        for widget in (self.beside_on, self.beside):
            widget.setEnabled(bool(session.key and others))
        self.beside_series.setEnabled(bool(session.key and series))


def _key(made: Any) -> str:
    item = made.item(made.currentRow(), 0) if made.currentRow() >= 0 else None
    return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else ""


def _patient_words(patient: Patient) -> str:
    sex = {"F": " · girl", "M": " · boy"}.get(patient.sex or "", "")
    return f"{patient.id}{sex}"


def _series_cells(series: Series) -> tuple[Any, ...]:
    what = series.plane or series.modality
    note = "; ".join(x for x in (series.note, tilt_words(series.grid)) if x)
    return cell(series.name, key=series.name), cell(what), cell("*" if note else "", note)


def _note(series: Series | None) -> str:
    if series is None:
        return ""
    words = [series.note, tilt_words(series.grid)]
    if series.projection:
        words.append("a projection: what is seen lies somewhere along the depth")
    return "; ".join(x for x in words if x)
