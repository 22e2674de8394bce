"""What takes long and touches no state: opening, importing, reading pixels, placing, proposing. Run in threads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lesionmap.compare import pair_series
from lesionmap.errors import LesionmapError
from lesionmap.evaluate import patient_facts, place_scan, place_visit, with_coverage
from lesionmap.readers import check_may_see
from lesionmap.visits import placement_on
from lesionmap.write import results_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.clinic import Observation, Treatment
    from lesionmap.compare import VisitFacts
    from lesionmap.lesions import LesionMap
    from lesionmap.measure import CountRule, Measurement
    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume
    from lesionmap.store import Claim, Study
    from lesionmap.visits import Patient, Reference, Series, Visit
    from lesionmap.write import Results

__all__ = [
    "GUESSES",
    "OpenedVisit",
    "PatientWork",
    "carry_skeleton",
    "guess_skeleton",
    "import_images",
    "label_skeleton",
    "load_patient",
    "main_series",
    "moved",
    "open_study",
    "open_visit",
    "paired_series",
    "put_skeleton",
    "read_pixels",
    "remeasured",
    "sample_study",
]

GUESSES = ("previous", "silhouette")
"""Ways to place that put down no landmark: all are estimated, and followed by those that a reader puts right."""
_BEST_FIRST = ("STIR", "T2", "T1")
"""Sequences on which lesions are marked, the best one first."""


@dataclass(frozen=True, slots=True)
class PatientWork:
    """All visits of a patient by one reader, by date."""

    patient: Patient
    reader: str
    readers: tuple[str, ...]
    """Those who have a lesion map of this patient."""
    visits: tuple[VisitFacts, ...]
    references: Mapping[str, tuple[Reference, ...]]
    """Visit key → the reference regions of its Series."""
    treatments: tuple[Treatment, ...] = ()
    observations: tuple[Observation, ...] = ()
    blind: tuple[str, ...] = ()
    """Those who read the study blind."""

    def results(self, visits: Sequence[VisitFacts], rule: CountRule) -> Results:
        """Count and compare visits as they are now; quick, as nothing is measured."""
        return results_of(self.patient, visits, rule=rule, treatments=self.treatments, observations=self.observations)

    def seat(self, asker: str) -> str:
        """Say which of the blind readers sits here once this was read: who sat here before, else this one; empty: none.

        ``asker`` is who sat here before.
        """
        return asker or (self.reader if self.reader in self.blind else "")

    def with_reference(self, key: str, reference: Reference) -> PatientWork:
        """Give the same with a reference region of a visit in place of the one on the same Series."""
        others = (x for x in self.references.get(key, ()) if x.series != reference.series)
        return replace(self, references={**self.references, key: (*others, reference)})

    def visit(self, key: str) -> VisitFacts:
        """Give the visit of that key; LesionmapError where there is none."""
        for facts in self.visits:
            if facts.visit.key == key:
                return facts
        raise LesionmapError(f"patient {self.patient.id} has no visit {key}; choose one of the list")


@dataclass(frozen=True, slots=True)
class OpenedVisit:
    """A visit ready to be worked on."""

    key: str
    shown: str
    """Name of the Series to begin with; empty: the visit has no images."""
    volumes: Mapping[str, Volume]
    claim: Claim | None
    """The right to edit; None where nobody else can be there."""


def open_study(where: str, *, create: bool = False) -> tuple[Study, tuple[Patient, ...]]:
    """Open a study, and list its patients."""
    from lesionmap.store import Study

    study = Study.open(where, create=create)
    return study, study.patients()


def sample_study(folder: Path) -> tuple[Study, tuple[Patient, ...]]:
    """Make a study of the sample patient in a folder, or open the one that is there."""
    from lesionmap.cli.demo import sample_folder
    from lesionmap.cli.sample import read_sample
    from lesionmap.store import Study

    path = folder / "sample.lesionmap"
    study = Study.open(path, create=True)
    if not study.patients():
        read_sample(study, sample_folder())
    return study, study.patients()


def import_images(study: Study, paths: Sequence[str], patient: str | None = None) -> tuple[tuple[Visit, ...], str]:
    """Read folders or files of images into a study: the visits, and what was refused, in words."""
    from lesionmap.intake import take_in
    from lesionmap.read import scan

    found = scan([Path(path) for path in paths], hashes=True, overlaps=True)
    visits = take_in(study, found, patient=patient)
    refused = [f"{Path(x.path).name}: {x.why}" for x in found.refused]
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    return visits, f"refused: {refused[0]}{more}" if refused else ""


def load_patient(study: Study, patient_id: str, reader: str, asker: str = "") -> PatientWork:
    """Read all that is known of a patient, and measure it.

    Parameters
    ----------
    study : Study
        Open.
    patient_id : str
        Pseudonym.
    reader : str
        Whose lesion maps; empty: the one who asks, else the only one there is, else ``reader``.
    asker : str
        Which of the blind readers sits here; empty: none yet, so who is chosen is the one.

    Raises
    ------
    LesionmapError
        If the study is read blind and the reader's maps are hidden from the one who asks.
    """
    readers, blind = study.readers(patient_id), study.blind_readers()
    asker = asker if asker in blind else ""
    open_ones = [name for name in readers if name not in blind]
    reader = reader or asker or (open_ones[0] if len(readers) == len(open_ones) == 1 else "reader")
    check_may_see(study, patient_id, None, reader, asker or reader)
    visits = patient_facts(study, patient_id, reader)
    references = {x.visit.key: tuple(study.references(patient_id, x.visit.key)) for x in visits}
    drugs, seen = study.treatments(patient_id), study.observations(patient_id)
    return PatientWork(study.patient(patient_id), reader, tuple(readers), visits, references, drugs, seen, blind)


def main_series(visit: Visit) -> str:
    """Give the name of the Series to begin with: STIR, else T2, T1, else the first; empty: none."""
    for sequence in _BEST_FIRST:
        for series in visit.series:
            if series.sequence == sequence:
                return series.name
    return visit.series[0].name if visit.series else ""


def paired_series(visit: Visit, shown_visit: Visit, shown: str) -> str:
    """Give the name of the Series of a visit that is looked at beside one of another visit; empty: it has none.

    The one that is most like it (``compare.pair_series``); where nothing fits, the one to begin with.
    """
    pairs = pair_series(visit, shown_visit)
    return next((there for there, here in pairs if here == shown), "") or main_series(visit)


def open_visit(study: Study, visit: Visit, reader: str, shown: str = "") -> OpenedVisit:
    """Read the pixels to begin with, of the Series of that name if there is one, and ask for the right to edit."""
    shown = shown if any(series.name == shown for series in visit.series) else main_series(visit)
    volumes = read_pixels(visit, [shown] if shown else [])
    return OpenedVisit(visit.key, shown, volumes, study.claim(visit.patient, visit.key, reader))


def read_pixels(visit: Visit, names: Sequence[str]) -> dict[str, Volume]:
    """Read the pixels of Series of a visit."""
    from lesionmap.read import pixels

    return {name: pixels(visit.series_named(name)) for name in names}


def remeasured(
    now: VisitFacts, new: LesionMap, volumes: Mapping[str, Volume], references: Sequence[Reference]
) -> dict[str, Sequence[Measurement]]:
    """Give the measurements of a changed lesion map: those of lesions that stayed as they were are kept.

    Parameters
    ----------
    now : VisitFacts
        As it was.
    new : LesionMap
        As it is.
    volumes : mapping of str to Volume
        Series name → pixels at hand.
    references : sequence of Reference
        Of the visit.
    """
    from lesionmap.measure import measure_lesion, reference_mean

    before = {lesion.id: lesion for lesion in now.lesion_map.lesions}
    series = {one.name: one for one in now.visit.series}
    means = {
        x.series: reference_mean(x, volumes[x.series], series.get(x.series)) for x in references if x.series in volumes
    }
    known = {name: mean for name, mean in means.items() if mean is not None}
    return {
        lesion.id: now.measurements[lesion.id]
        if before.get(lesion.id) == lesion and lesion.id in now.measurements
        else measure_lesion(lesion, now.visit, volumes, now.placement, known)
        for lesion in new.lesions
    }


def put_skeleton(
    landmarks: Mapping[str, tuple[float, float, float]],
    patient: Patient,
    visit: Visit,
    before: Placement | None = None,
    series: Series | None = None,
) -> Placement:
    """Place the skeleton on landmarks (LPS mm), with what of it was imaged.

    Parameters
    ----------
    landmarks : mapping of str to (x, y, z)
        All that are placed.
    patient, visit : Patient, Visit
    before : Placement, optional
        What was there: a guess is put right by the landmarks, a label map stays.
    series : Series, optional
        On which they were put; on a planar view of a guess the counts tell the rest.
    """
    if series is not None and series.projection:
        there = placement_on(visit, before, series)
        return place_scan(patient, visit, before, landmarks, by_counts=there is not None and there.how in GUESSES)
    if before is not None and before.how in GUESSES:
        return with_coverage(moved(before, landmarks), visit)
    placed = place_visit(patient, visit, landmarks)
    if before is None:
        return placed
    placed = with_coverage(replace(placed, scan=before.scan), visit)
    return replace(placed, how=before.how, labels=before.labels) if before.labels else placed


def moved(
    placement: Placement, landmarks: Mapping[str, tuple[float, float, float]], *, flat: bool = False
) -> Placement:
    """Give a placement as it is with these landmarks, its size kept; quick, without coverage.

    With ``flat`` they were put on a planar view and keep the depth that they have.
    """
    if flat:
        deep = {mark.name: mark.lps_mm[1] for mark in placement.landmarks}
        landmarks = {name: (x, deep.get(name, y), z) for name, (x, y, z) in landmarks.items()}
    if placement.how in GUESSES:
        from lesionmap.place import correct

        return correct(placement, landmarks)
    from lesionmap.skeleton import place

    # Age and stature stay, or the whole body would breathe with a landmark that is dragged.
    size = {"age_y": placement.age_y, "stature_cm": placement.stature_cm}
    return place(landmarks, sex=placement.sex, flat=flat, **size)


def guess_skeleton(
    patient: Patient, visit: Visit, before: Placement | None = None, series: Series | None = None
) -> Placement:
    """Place the skeleton by the outline of the body in a visit's images, or by the counts of the view that is shown."""
    from lesionmap.place import place_auto

    if series is not None and series.projection:
        return place_scan(patient, visit, before, by_counts=True)
    placed = place_auto(visit, patient.sex)[0]
    kept = placed.scan or (before.scan if before else None)
    return with_coverage(replace(placed, scan=kept), visit)


def carry_skeleton(
    patient: Patient, visit: Visit, earlier: VisitFacts, before: Placement | None = None, series: Series | None = None
) -> Placement:
    """Carry the skeleton of another visit over by registration of the images; takes up to a minute.

    On a planar view the counts are searched from how the child lay then.
    """
    from lesionmap.place import place_from

    if series is not None and series.projection:
        lain = earlier.placement and (earlier.placement.scan or earlier.placement)
        return place_scan(patient, visit, before, by_counts=True, before=lain)
    return with_coverage(place_from(visit, earlier.visit, earlier.placement, patient.sex)[0], visit)


def label_skeleton(path: str, names: str, patient: Patient, visit: Visit) -> Placement:
    """Place the skeleton from a bone label map; ``names``: what its numbers mean, a numbering or a file."""
    from lesionmap.place import place_file

    placed, _ = place_file(path, names, age_y=visit.age_y, sex=patient.sex, stature_cm=visit.stature_cm)
    return with_coverage(placed, visit)
