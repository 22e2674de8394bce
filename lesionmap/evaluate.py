"""What a Study holds becomes numbers: measured visits, compared visits. Tables, map, report and window all ask here.

Nothing is cached. Who asks twice keeps the volumes that were read and hands them in.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lesionmap import skeleton
from lesionmap.compare import VisitFacts
from lesionmap.errors import LesionmapError
from lesionmap.measure import measure_map
from lesionmap.space import Grid
from lesionmap.visits import only_planar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.lesions import LesionMap
    from lesionmap.measure import CountRule
    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume
    from lesionmap.store import Study
    from lesionmap.visits import Patient, Visit
    from lesionmap.write import Results

__all__ = [
    "SeveralReadersError",
    "needed_volumes",
    "other_maps",
    "patient_facts",
    "patient_results",
    "place_visit",
    "the_reader",
    "visit_facts",
    "with_coverage",
]

_WHOLE = 0.9
_DEPTH_MM = 2000.0


class SeveralReadersError(LesionmapError):
    """Several readers marked, and none was named: a matter of usage (exit code 2)."""

    usage = True


def the_reader(study: Study, patient: str, reader: str | None = None, visit: str | None = None) -> str:
    """Give the reader whose marks are meant: the one named, else the only one.

    Raises
    ------
    SeveralReadersError
        If there are several and none is named.
    LesionmapError
        If there is none, or not the one named.
    """
    have = study.readers(patient, visit)
    if reader is None and len(have) > 1:
        raise SeveralReadersError(f"{patient} was read by {', '.join(have)}; say which with --reader")
    if reader is not None and reader not in have:
        raise LesionmapError(f"{patient} was not read by {reader!r}, but by: {', '.join(have) or 'nobody yet'}")
    if not have:
        raise LesionmapError(f"{patient} has no marks yet; add some with 'lesionmap add' or in the window")
    return reader or have[0]


def other_maps(study: Study, patient: str, visit: str, reader: str) -> tuple[LesionMap, ...]:
    """Give the maps of the same reader in the patient's other visits, by date, without empty ones."""
    others = (study.lesion_map(patient, x.key, reader) for x in study.visits(patient) if x.key != visit)
    return tuple(x for x in others if x.lesions or x.answers)


def place_visit(patient: Patient, visit: Visit, landmarks: Mapping[str, Sequence[float]]) -> Placement:
    """Place the skeleton on a visit by landmarks (LPS mm), and compute its coverage by the visit's images.

    Of a visit with planar views alone they were put on these: their depth is estimated.
    """
    flat = only_planar(visit)
    placement = skeleton.place(landmarks, age_y=visit.age_y, sex=patient.sex, stature_cm=visit.stature_cm, flat=flat)
    return with_coverage(placement, visit)


def with_coverage(placement: Placement, visit: Visit) -> Placement:
    """Give the placement with the share of each site inside the visit's images; None where it has no images.

    A planar view sees all of its depth, but says nothing of where it lies beside an MRI: where a visit has both, a
    site that the MRI does not hold whole is left out, as nobody knows whether it was seen.
    """
    solid = [station.grid for series in visit.series if not series.projection for station in series.stations]
    flat = [series.grid for series in visit.series if series.projection]
    if not visit.series:
        return replace(placement, coverage=None)
    found = skeleton.coverage(placement, solid or [_deep(grid) for grid in flat])
    if solid and flat:
        found = tuple((site, share) for site, share in found if share >= _WHOLE)
    return replace(placement, coverage=found)


def _deep(grid: Grid) -> Grid:
    """Give a planar grid the depth of a body, before and behind it."""
    matrix = grid.lps_from_voxel.copy()
    matrix[:3, 2] *= _DEPTH_MM / grid.spacing_mm[2]
    return Grid(grid.shape, matrix)


def needed_volumes(visit: Visit, lesion_map: LesionMap, have: Mapping[str, Volume] | None = None) -> dict[str, Volume]:
    """Read the pixels of the series on which something is drawn, besides those at hand.

    Images that cannot be read any more are left out: sizes are known without them, signals are not.
    """
    from lesionmap.read import pixels

    volumes = dict(have or {})
    drawn = {x.series for lesion in lesion_map.lesions for x in lesion.extents if x.mask is not None}
    for name in sorted(drawn - set(volumes)):
        try:
            volumes[name] = pixels(visit.series_named(name))
        except (LesionmapError, OSError):
            continue
    return volumes


def visit_facts(
    study: Study, patient: str, visit: str, reader: str, volumes: Mapping[str, Volume] | None = None
) -> VisitFacts:
    """Measure all lesions of one reader in one visit.

    Parameters
    ----------
    study : Study
        Where it is kept.
    patient, visit, reader : str
        Pseudonym, visit key, reader.
    volumes : mapping of str to Volume, optional
        Pixels at hand, by name of the Series; others are read if something is drawn on them.
    """
    stored = study.visit(patient, visit)
    lesion_map = study.lesion_map(patient, visit, reader)
    placement = study.placement(patient, visit)
    references = study.references(patient, visit)
    pixels = needed_volumes(stored, lesion_map, volumes)
    return VisitFacts(stored, lesion_map, placement, measure_map(lesion_map, stored, pixels, placement, references))


def patient_facts(
    study: Study, patient: str, reader: str, volumes: Mapping[str, Mapping[str, Volume]] | None = None
) -> tuple[VisitFacts, ...]:
    """Measure all visits of a patient, by date; ``volumes`` goes by visit key, then by name of the Series."""
    at_hand = volumes or {}
    return tuple(
        visit_facts(study, patient, visit.key, reader, at_hand.get(visit.key)) for visit in study.visits(patient)
    )


def patient_results(
    study: Study,
    patient: str,
    *,
    reader: str | None = None,
    rule: CountRule | None = None,
    volumes: Mapping[str, Mapping[str, Volume]] | None = None,
) -> Results:
    """Measure, count and compare all visits of a patient as one reader sees them.

    Parameters
    ----------
    study : Study
        Where it is kept.
    patient : str
        Pseudonym.
    reader : str, optional
        Needed where several readers marked.
    rule : CountRule, optional
        What counts; the default rule where not given.
    volumes : mapping, optional
        Pixels at hand, by visit key and name of the Series.
    """
    from lesionmap.write import results_of

    who = study.patient(patient)
    return results_of(who, patient_facts(study, patient, the_reader(study, patient, reader), volumes), rule=rule)
