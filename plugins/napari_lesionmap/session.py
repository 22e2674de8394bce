"""The state of the work, without Qt: study, patient, visit, reader, lesion map, skeleton, undo.

The facts are frozen values of the core. An act makes a new value, commits it to the Study and tells those who show it.
What takes long stands in ``load``: it touches no state, runs in a thread, and its result is handed to the session.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from psygnal import Signal

from lesionmap import annotate
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, LesionMap, Mask
from lesionmap.measure import RULES
from lesionmap.visits import Reference, placement_on
from napari_lesionmap.load import remeasured
from napari_lesionmap.proposals import Proposal, sites_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Unpack

    from lesionmap.annotate.edit import LesionFields
    from lesionmap.compare import VisitFacts
    from lesionmap.lesions import Lesion, Verdict
    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume
    from lesionmap.store import Claim, Study
    from lesionmap.visits import Patient, Series
    from lesionmap.write import Results
    from napari_lesionmap.load import OpenedVisit, PatientWork

__all__ = ["Session", "Tool"]

Tool = Literal["look", "mark", "paint", "erase", "landmark"]


class Session:
    """What is open and what is chosen. Each act commits at once; nothing waits for a save button."""

    patients_changed = Signal()
    """The study, its patients or their visits are others."""
    visit_changed = Signal()
    """Another visit is worked on, or its pixels came."""
    skeleton_changed = Signal()
    map_changed = Signal()
    """Lesions, answers, or the rule by which they are counted."""
    selection_changed = Signal()
    tool_changed = Signal()

    def __init__(self) -> None:
        self.study: Study | None = None
        self.patients: tuple[Patient, ...] = ()
        self.work: PatientWork | None = None
        self.results: Results | None = None
        """Counts and states of all visits, as they are now."""
        self.key = ""
        """Of the visit that is worked on; empty: none."""
        self.volumes: dict[tuple[str, str], Volume] = {}
        """(visit key, Series name) → pixels that were read."""
        self.shown = ""
        """Name of the Series that is shown and marked in."""
        self.selected = ""
        """Lesion id; empty: none."""
        self.track = ""
        """Track of an earlier visit that is looked for; empty: none."""
        self.landmark = ""
        """Landmark that the next click places."""
        self.pending: dict[str, tuple[float, float, float]] = {}
        """Landmarks (LPS mm) that are too few yet to place a skeleton on."""
        self.tool: Tool = "look"
        self.rule = RULES["default"]
        self.hidden = False
        """Pseudonym and dates are hidden, for teaching."""
        self._claim: Claim | None = None
        self._acts: list[str] = []
        self._undone: list[str] = []

    @property
    def now(self) -> VisitFacts | None:
        """The visit that is worked on."""
        return self.results.facts(self.key) if self.results and self.key else None

    @property
    def lesion_map(self) -> LesionMap:
        """The lesion map that is worked on; LesionmapError where no visit is open."""
        return self._open().lesion_map

    @property
    def series(self) -> Series | None:
        """The Series that is shown and marked in."""
        now = self.now
        return now.visit.series_named(self.shown) if now and self.shown else None

    @property
    def there(self) -> VisitFacts | None:
        """The visit that is open, with its skeleton as it lies on the Series that is shown."""
        now, series = self.now, self.series
        return replace(now, placement=placement_on(now.visit, now.placement, series)) if now and series else now

    @property
    def volume(self) -> Volume | None:
        """Pixels of the Series that is shown; None while they are being read."""
        return self.volumes.get((self.key, self.shown))

    @property
    def lesion(self) -> Lesion | None:
        """The chosen lesion."""
        now = self.now
        return next((x for x in now.lesion_map.lesions if x.id == self.selected), None) if now else None

    def _open(self) -> VisitFacts:
        now = self.now
        if now is None:
            raise LesionmapError("no visit is open; open a study and choose a visit on the page Visits")
        return now

    def _study(self) -> Study:
        if self.study is None:
            raise LesionmapError("no study is open; open or make one on the page Visits")
        return self.study

    def close(self) -> None:
        """Let go of the study."""
        self._release()
        if self.study is not None:
            self.study.close()
        self.study = None

    def enter_study(self, study: Study, patients: tuple[Patient, ...]) -> None:
        """Work in a study that was opened; the one before is closed."""
        self.close()
        self.study, self.patients = study, patients
        self.work, self.results = None, None
        self._leave_visit()
        self.patients_changed.emit()
        self.visit_changed.emit()

    def enter_patient(self, work: PatientWork, patients: tuple[Patient, ...] | None = None) -> None:
        """Work on a patient whose visits were read; no visit is open then."""
        self.work = work
        self.patients = patients or self.patients
        self._leave_visit()
        self._reckon(work.visits)
        self.patients_changed.emit()
        self.visit_changed.emit()

    def enter_visit(self, opened: OpenedVisit) -> None:
        """Work on a visit that was opened."""
        self._leave_visit()
        self.key, self.shown, self._claim = opened.key, opened.shown, opened.claim
        self.volumes = {(opened.key, name): volume for name, volume in opened.volumes.items()}
        self.visit_changed.emit()

    def show_series(self, name: str, volume: Volume) -> None:
        """Show and mark in another Series of the visit, whose pixels were read."""
        self.volumes[self.key, name] = volume
        self.shown = name
        self.visit_changed.emit()

    def _leave_visit(self) -> None:
        self._release()
        self.key, self.shown, self.selected, self.track, self.landmark = "", "", "", "", ""
        self.volumes, self.pending = {}, {}
        self._acts, self._undone = [], []

    def _release(self) -> None:
        if self._claim is not None:
            self._claim.release()
        self._claim = None

    @property
    def read_only(self) -> str:
        """Why the visit cannot be edited here; empty: it can."""
        return self._claim.why if self._claim is not None and not self._claim.held else ""

    def patient_words(self) -> str:
        """Give the pseudonym of the patient, unless it is hidden."""
        return "patient" if self.hidden or self.work is None else self.work.patient.id

    def visit_words(self, key: str) -> str:
        """Give the date of a visit, or which one it is where dates are hidden."""
        keys = [x.visit.key for x in self.results.visits] if self.results else []
        return f"visit {keys.index(key) + 1}" if self.hidden and key in keys else key

    def hide_personal(self, hidden: bool) -> None:
        """Hide pseudonym and dates, or show them."""
        self.hidden = hidden
        for signal in (self.patients_changed, self.visit_changed, self.map_changed):
            signal.emit()

    def choose_rule(self, name: str) -> None:
        """Count by another rule."""
        self.rule = RULES[name]
        self._reckon(self.results.visits if self.results else ())
        self.map_changed.emit()

    def choose_tool(self, tool: Tool) -> None:
        """Say what a click in the image does."""
        if tool != self.tool:
            self.tool = tool
            self.tool_changed.emit()

    def select(self, lesion_id: str) -> None:
        """Choose a lesion; empty: none."""
        if lesion_id != self.selected:
            self.selected = lesion_id
            self.selection_changed.emit()

    def choose_track(self, track: str) -> None:
        """Choose a lesion of earlier visits; empty: none."""
        if track != self.track:
            self.track = track
            self.selection_changed.emit()

    # ---- lesions ---------------------------------------------------------------------------------------------------

    def add(self, proposal: Proposal, track: str | None = None) -> str:
        """Mark a lesion as a click proposed it, on a track of earlier visits if one is named; the id of the lesion."""
        if not proposal.sites:
            raise LesionmapError(
                "no bone of the skeleton is at this place; place the skeleton first, or name the site on the page Map "
                "and then paint here"
            )
        old = self.lesion_map
        self.volumes |= {(self.key, name): volume for name, volume in proposal.volumes.items()}
        extents = (proposal.extent, *proposal.partners)
        return self._added(annotate.add_lesion(old, sites=proposal.sites[:1], extents=extents, track=track))

    def add_site(self, site: str, track: str | None = None) -> str:
        """Mark a lesion known by its site only; the id of the lesion."""
        return self._added(annotate.add_lesion(self.lesion_map, sites=(site,), track=track))

    def _added(self, new: LesionMap) -> str:
        self.commit(new, f"mark lesion {new.lesions[-1].id}")
        self.select(new.lesions[-1].id)
        return new.lesions[-1].id

    def change(self, lesion_id: str, words: str, **fields: Unpack[LesionFields]) -> None:
        """Change fields of a lesion; ``words`` name the act: ``site``, ``certainty``."""
        new = annotate.change_lesion(self.lesion_map, lesion_id, **fields)
        self.commit(new, f"{words} of lesion {lesion_id}")

    def draw(self, lesion_id: str, series: Series, mask: Mask | None, words: str = "") -> None:
        """Take a mask as the lesion's Extent on a Series; None: everything was rubbed out. ``words`` name the act."""
        lesion = self.lesion_map.lesion(lesion_id)
        others = tuple(x for x in lesion.extents if (x.series, x.phase) != (series.name, series.phase))
        drawn = (Extent(series.name, mask, None, series.phase),) if mask is not None else ()
        new = annotate.change_lesion(self.lesion_map, lesion_id, extents=(*drawn, *others))
        self.commit(new, words or f"paint lesion {lesion_id}")

    def add_painted(self, series: Series, mask: Mask) -> str:
        """Mark a lesion that was painted; the site that holds most of it is proposed."""
        sites = sites_of(mask.lps_mm(), series, self.there.placement if self.there else None)
        return self.add(Proposal(sites, Extent(series.name, mask, None, series.phase)))

    def remove(self, lesion_id: str) -> None:
        """Take a lesion off the map."""
        self.commit(annotate.remove_lesion(self.lesion_map, lesion_id), f"delete lesion {lesion_id}")

    def answer(self, track: str, verdict: Verdict | None) -> None:
        """Say of an earlier lesion that is not marked now what became of it; None takes the answer back."""
        if verdict is not None:
            self.commit(annotate.answer(self.lesion_map, track, verdict), f"answer {verdict.replace('_', ' ')}")
        elif any(x.track == track for x in self.lesion_map.answers):
            self.commit(annotate.withdraw_answer(self.lesion_map, track), "withdraw answer")

    @property
    def n_acts(self) -> int:
        """How many acts undo could take back."""
        return len(self._acts)

    @property
    def undo_words(self) -> str:
        """What undo would take back; empty: nothing that was done since the visit was opened."""
        return self._acts[-1] if self._acts else ""

    @property
    def redo_words(self) -> str:
        """What redo would do again; empty: nothing."""
        return self._undone[-1] if self._undone else ""

    def undo(self) -> str:
        """Take the last act back; what it was."""
        if not self._acts:
            raise LesionmapError("nothing to undo: nothing was changed since this visit was opened")
        return self._turn(self._study().undo, self._acts, self._undone)

    def redo(self) -> str:
        """Do again what was taken back; what it is."""
        if not self._undone:
            raise LesionmapError("nothing to redo: nothing was undone")
        return self._turn(self._study().redo, self._undone, self._acts)

    def _turn(self, turn: Callable[[str, str, str], LesionMap], acts: list[str], others: list[str]) -> str:
        self._may_edit()
        self.take(turn(self._open().visit.patient, self.key, self.lesion_map.reader))
        others.append(acts.pop())
        self.map_changed.emit()
        return others[-1]

    def commit(self, new: LesionMap, words: str) -> None:
        """Store a lesion map that an act has made; ``words`` name the act: ``merge lesions L3 and L4``."""
        self._may_edit()
        self._study().save(self.lesion_map, new)
        self._acts.append(words)
        self._undone = []
        self.take(new)
        self.map_changed.emit()

    def take(self, new: LesionMap) -> None:
        """Work on with a lesion map that is in the study, measuring anew only those lesions that are others."""
        now = self._open()
        mine = {name: volume for (key, name), volume in self.volumes.items() if key == self.key}
        measured = remeasured(now, new, mine, self._references())
        self._replace(replace(now, lesion_map=new, measurements=measured))
        if self.selected not in measured:
            self.select("")

    @property
    def reference(self) -> Reference | None:
        """The reference region of the Series that is shown; None: none was set."""
        return next((x for x in self._references() if x.series == self.shown), None)

    def keep_reference(self, reference: Reference) -> None:
        """Keep a region of muscle as the reference of its Series."""
        now, old = self._open(), next((x for x in self._references() if x.series == reference.series), None)
        self._may_edit()
        self._study().save_reference(now.visit.patient, self.key, reference, now.lesion_map.reader, over=old)
        self.take_reference(reference)

    def take_reference(self, reference: Reference) -> None:
        """Work on with a reference region that is in the study; the lesions of its Series are measured anew."""
        now = self._open()
        if self.work is not None:
            self.work = self.work.with_reference(self.key, reference)
        drawn = {x.id for x in now.lesion_map.lesions if any(one.series == reference.series for one in x.extents)}
        kept = {lesion: rows for lesion, rows in now.measurements.items() if lesion not in drawn}
        self._replace(replace(now, measurements=kept))
        self.take(now.lesion_map)
        self.map_changed.emit()

    def _references(self) -> tuple[Reference, ...]:
        return self.work.references.get(self.key, ()) if self.work else ()

    def _replace(self, facts: VisitFacts) -> None:
        visits = self.results.visits if self.results else ()
        self._reckon([facts if x.visit.key == facts.visit.key else x for x in visits])

    def _reckon(self, visits: Sequence[VisitFacts]) -> None:
        """Count and compare anew; quick, as nothing is measured."""
        self.results = self.work.results(visits, self.rule) if self.work and visits else None

    def sign(self) -> None:
        """Sign the lesion map: nobody changes it until it is unlocked."""
        self.commit(annotate.sign(self.lesion_map), "sign")

    def unlock(self) -> None:
        """Make a signed lesion map one that can be changed again; the history keeps both."""
        self.commit(annotate.unlock(self.lesion_map), "unlock")

    def _may_edit(self) -> None:
        if self.read_only:
            raise LesionmapError(f"this visit is read-only here: {self.read_only}")

    # ---- the skeleton ----------------------------------------------------------------------------------------------

    def placed(self) -> dict[str, tuple[float, float, float]]:
        """Give the landmarks that were placed, LPS mm."""
        marks = self.there.placement.landmarks if self.there and self.there.placement else ()
        return {mark.name: mark.lps_mm for mark in marks if mark.placed} | self.pending

    def keep_placement(self, placement: Placement | None) -> None:
        """Keep a skeleton that was placed on this visit; None: take it away."""
        now = self._open()
        self._may_edit()
        old = now.placement
        self._study().save_placement(now.visit.patient, self.key, placement, now.lesion_map.reader, over=old)
        self.take_placement(placement)

    def take_placement(self, placement: Placement | None) -> None:
        """Work on with the skeleton that is in the study."""
        self.pending = {}
        self._replace(replace(self._open(), placement=placement))
        self.skeleton_changed.emit()
        self.map_changed.emit()

    def keep_landmark(self, name: str, lps_mm: tuple[float, float, float]) -> None:
        """Keep a landmark until there are enough to place a skeleton on; nothing is stored yet."""
        self.pending[name] = lps_mm
        self.skeleton_changed.emit()

    def choose_landmark(self, name: str) -> None:
        """Say which landmark the next click places."""
        self.landmark = name
        self.tool_changed.emit()
