"""A sample patient is read as a reader would: landmarks, clicks, answers, from the files beside the images."""

from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from lesionmap import annotate, mark
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, Mask
from lesionmap.visits import Reference, planar_views

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.lesions import LesionMap
    from lesionmap.read.rows import MarkRow
    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume
    from lesionmap.store import Study
    from lesionmap.visits import Visit

__all__ = ["READER", "read_sample"]

READER = "sample"
_REFERENCE = "reference"
_REFERENCE_RADIUS_MM = 6.0


def read_sample(study: "Study", folder: Path) -> str:
    """Read all visits of a sample patient into an empty study, and give the pseudonym.

    Parameters
    ----------
    study : Study
        Open for writing.
    folder : Path
        A folder for each visit, with images, ``landmarks.csv`` and ``reading.csv``.
    """
    from lesionmap.intake import take_in
    from lesionmap.read import scan

    patient = ""
    for visit_folder in sorted(path.parent for path in folder.rglob("landmarks.csv")):
        (visit,) = take_in(study, scan([visit_folder], hashes=True, overlaps=True))
        patient = visit.patient
        _read_visit(study, visit, visit_folder)
    _read_clinic(study, patient, folder)
    return patient


def _read_clinic(study: "Study", patient: str, folder: Path) -> None:
    from lesionmap.clinic import clinic_items
    from lesionmap.read import read_observations, read_treatments

    for path in folder.rglob("treatments.csv"):
        study.save_clinic(patient, read_treatments(path), READER)
    for path in folder.rglob("observations.csv"):
        study.save_clinic(patient, read_observations(path, clinic_items()), READER)


def _read_visit(study: "Study", visit: "Visit", folder: Path) -> None:
    from lesionmap.compare import VisitFacts
    from lesionmap.evaluate import other_visits, place_scan, place_visit
    from lesionmap.read import pixels
    from lesionmap.read.rows import read_landmarks, read_reading

    who, key = visit.patient, visit.key
    placement = place_visit(study.patient(who), visit, read_landmarks(folder / "landmarks.csv"))
    if planar_views(visit):
        placement = place_scan(study.patient(who), visit, placement, by_counts=True)
    study.save_placement(who, key, placement, READER)
    rows = read_reading(folder / "reading.csv")
    clicked = sorted({row.series for row in rows if row.series})
    volumes = {name: pixels(visit.series_named(name)) for name in clicked}
    for row in rows:
        if row.id == _REFERENCE:
            muscle = Mask.ball(volumes[row.series].grid, _place(row), _REFERENCE_RADIUS_MM)
            study.save_reference(who, key, Reference(row.series, muscle), READER)
    earlier = other_visits(study, who, key, READER)
    old = study.lesion_map(who, key, READER)
    clicks = [row for row in rows if row.id != _REFERENCE and not row.answer]
    new = read_clicks(old, placement, volumes, clicks)
    new = mark.grow_marks(new, visit, placement, [lesion.id for lesion in new.lesions], cache(pixels))
    new = mark.accept_tracks(VisitFacts(visit, new, placement), earlier)
    answers = [row for row in rows if row.answer]
    study.save(old, mark.add_marks(new, visit, placement, answers, [x.lesion_map for x in earlier]))


def read_clicks(
    lesion_map: "LesionMap",
    placement: "Placement",
    volumes: "Mapping[str, Volume]",
    rows: "Sequence[MarkRow]",
) -> "LesionMap":
    """Mark the lesions that were clicked: a mask is grown on each click, its site is proposed by the skeleton.

    Parameters
    ----------
    lesion_map : LesionMap
        Left as it is.
    placement : Placement
        The skeleton on this visit.
    volumes : mapping of str to Volume
        Pixels by name of the Series.
    rows : sequence of MarkRow
        Clicks; those of one id are one lesion. The site is the proposed one, as a reader who clicks gets it.
    """
    for _, group in groupby(rows, key=lambda row: row.id):
        clicks = list(group)
        extents = [_extent(row, volumes[row.series], placement) for row in clicks]
        lesion_map = annotate.add_lesion(
            lesion_map,
            sites=_sites(clicks[0].id, extents, placement),
            extents=extents,
            certainty=clicks[0].certainty,
            note=clicks[0].note,
        )
    return lesion_map


def _extent(row: "MarkRow", volume: "Volume", placement: "Placement") -> Extent:
    from lesionmap.segment import grow

    if volume.projection:
        return Extent(row.series, None, row.lps_mm)
    return Extent(row.series, grow(volume, _place(row), placement=placement))


def _sites(name: str, extents: "Sequence[Extent]", placement: "Placement") -> tuple[str, ...]:
    """Propose the sites of a lesion by the first mask that lies in a bone."""
    for extent in extents:
        if extent.mask is not None:
            sites = mark.proposed_sites(extent.mask.lps_mm(), placement)
            if sites:
                return sites
    raise LesionmapError(f"lesion {name!r} of the reading lies in no bone of the placed skeleton; correct its place")


def _place(row: "MarkRow") -> tuple[float, float, float]:
    if row.lps_mm is None:
        raise LesionmapError(f"row {row.id!r} of the reading has no place; x_lps_mm, y_lps_mm, z_lps_mm are needed")
    return row.lps_mm
