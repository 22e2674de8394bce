"""What a Study holds becomes numbers: measured visits, compared visits. Tables, map, report and window all ask here.

Nothing is cached. Who asks twice keeps the volumes that were read and hands them in.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from lesionmap import skeleton
from lesionmap.compare import VisitFacts
from lesionmap.errors import LesionmapError
from lesionmap.measure import measure_map
from lesionmap.readers import check_may_see
from lesionmap.space import Grid
from lesionmap.visits import only_planar, planar_views

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lesionmap.compare import Threshold
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
    "other_visits",
    "patient_facts",
    "patient_results",
    "place_by_images",
    "place_scan",
    "place_visit",
    "the_reader",
    "visit_facts",
    "with_coverage",
    "with_key_images",
]

_WHOLE = 0.9
_DEPTH_MM = 2000.0


class SeveralReadersError(LesionmapError):
    """Several readers marked, and none was named: a matter of usage (exit code 2)."""

    usage = True


def the_reader(
    study: Study, patient: str, reader: str | None = None, visit: str | None = None, asker: str | None = None
) -> str:
    """Give the reader whose marks are meant: the one named, else the one who asks, else the only one.

    Raises
    ------
    SeveralReadersError
        If there are several and none is named.
    LesionmapError
        If there is none, or not the one named, or the map is hidden from the one who asks.
    """
    have = study.readers(patient, visit)
    found = _whose(have, patient, asker if reader is None and asker in have else reader)
    check_may_see(study, patient, visit, found, asker)
    return found


def _whose(have: Sequence[str], patient: str, reader: str | None) -> str:
    if reader is None and len(have) > 1:
        raise SeveralReadersError(f"{patient} was read by {', '.join(have)}; say which with --reader")
    if reader is not None and reader not in have:
        raise LesionmapError(f"{patient} was not read by {reader!r}, but by: {', '.join(have) or 'nobody yet'}")
    if not have:
        raise LesionmapError(f"{patient} has no marks yet; add some with 'lesionmap add' or in the window")
    return reader or have[0]


def other_visits(study: Study, patient: str, visit: str, reader: str) -> tuple[VisitFacts, ...]:
    """Give the patient's other visits as the same reader marked them, by date, without empty ones; not measured."""
    others = (
        VisitFacts(x, study.lesion_map(patient, x.key, reader), study.placement(patient, x.key))
        for x in study.visits(patient)
        if x.key != visit
    )
    return tuple(x for x in others if x.lesion_map.lesions or x.lesion_map.answers)


def place_visit(patient: Patient, visit: Visit, landmarks: Mapping[str, Sequence[float]]) -> Placement:
    """Place the skeleton on a visit by landmarks (LPS mm), and compute its coverage by the visit's images.

    Of a visit with planar views alone they were put on these: their depth is estimated.
    """
    if only_planar(visit):
        return place_scan(patient, visit, None, landmarks)
    placement = skeleton.place(landmarks, age_y=visit.age_y, sex=patient.sex, stature_cm=visit.stature_cm)
    return with_coverage(placement, visit)


def with_coverage(placement: Placement, visit: Visit) -> Placement:
    """Give the placement with the share of each site inside the visit's images; None where it has no images.

    A planar view sees all of its depth. Where a visit has both views and slices, a site was imaged if either shows it;
    as long as the skeleton is not placed on the views too, a site that the slices do not hold whole is left out, as
    nobody knows whether it was seen.
    """
    solid = [station.grid for series in visit.series if not series.projection for station in series.stations]
    flat = [_deep(series.grid) for series in visit.series if series.projection]
    if not visit.series:
        return replace(placement, coverage=None)
    found = dict(skeleton.coverage(placement, solid or flat))
    if solid and flat:
        scan = placement.scan and replace(placement.scan, coverage=skeleton.coverage(placement.scan, flat))
        placement, seen = replace(placement, scan=scan), dict(scan.coverage or ()) if scan else {}
        found = {
            site: max(share, seen.get(site, 0.0)) for site, share in found.items() if site in seen or share >= _WHOLE
        }
    return replace(placement, coverage=tuple(found.items()))


def place_scan(
    patient: Patient,
    visit: Visit,
    placement: Placement | None,
    landmarks: Mapping[str, Sequence[float]] | None = None,
    *,
    by_counts: bool = False,
    before: Placement | None = None,
) -> Placement:
    """Place the skeleton on a visit's planar views: by landmarks on either of them, by their counts, or by both.

    Parameters
    ----------
    patient, visit
        Whose.
    placement : Placement or None
        Of the visit; where it has slices too, the skeleton on the views stands beside the one on these.
    landmarks : mapping of str to (x, y, z), optional
        LPS mm in the views; ``y`` is not used.
    by_counts : bool
        Fit the rest to the counts.
    before : Placement, optional
        Of another visit of the patient: the counts are searched from how the child lay then.

    Returns
    -------
    Placement
        Of the visit, with its coverage.

    Raises
    ------
    LesionmapError
        If the visit has no planar view, or slices on which no skeleton is placed; as ``place_views``.
    """
    from lesionmap.place import place_views
    from lesionmap.read import pixels

    views = planar_views(visit)
    if not views:
        raise LesionmapError(f"an anterior or posterior planar view was expected in visit {visit.key}, it has none")
    if placement is None and not only_planar(visit):
        raise LesionmapError(
            f"visit {visit.key} has slices beside its planar views; place the skeleton on these first, the one on the "
            "views goes beside it"
        )
    age_y, sex, cm = visit.age_y, patient.sex, visit.stature_cm
    if by_counts or not landmarks:
        seen = {face: pixels(one) for face, one in views.items()}
        found = place_views(seen, landmarks, age_y=age_y, sex=sex, stature_cm=cm, before=before)
    else:
        found = skeleton.place(landmarks, age_y=age_y, sex=sex, stature_cm=cm, flat=True)
    return with_coverage(found if placement is None or only_planar(visit) else replace(placement, scan=found), visit)


def place_by_images(
    study: Study, patient: str, visit: str, other: str | None = None, *, scan: bool = False
) -> tuple[Placement, str]:
    """Place a visit's skeleton by its images alone; nothing is saved.

    Parameters
    ----------
    study : Study
        Where both are kept.
    patient, visit : str
        Pseudonym, visit key.
    other : str, optional
        Key of the visit whose skeleton is carried over; without it a first guess: the outline of the body, or the
        counts of a bone scan.
    scan : bool
        On the planar views of a visit that has slices too.

    Returns
    -------
    Placement, str
        With its coverage; and in words by which images.

    Raises
    ------
    LesionmapError
        As ``place_from``, ``place_auto`` and ``place_scan``.
    """
    from lesionmap.place import by_counts_words, place_auto, place_from

    who, when, own = study.patient(patient), study.visit(patient, visit), study.placement(patient, visit)
    before = study.placement(patient, other) if other else None
    if scan or only_planar(when):
        if other and before is None:
            raise LesionmapError(f"a skeleton placed on visit {other} was expected, none is there; place it first")
        placement = place_scan(who, when, own, by_counts=True, before=(before.scan or before) if before else None)
        return placement, by_counts_words(when) + (f", from {other}" if other else "")
    if other:
        placement, words = place_from(when, study.visit(patient, other), before, who.sex)
    else:
        placement, words = place_auto(when, who.sex)
    kept = placement.scan or (own.scan if own else None)
    return with_coverage(replace(placement, scan=kept), when), words


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
    threshold: Threshold | None = None,
    volumes: Mapping[str, Mapping[str, Volume]] | None = None,
) -> Results:
    """Measure, count and compare all visits of a patient as one reader sees them; who may see it, ``the_reader`` says.

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
    threshold : Threshold, optional
        When a volume has changed.
    volumes : mapping, optional
        Pixels at hand, by visit key and name of the Series.
    """
    from lesionmap.write import results_of

    facts = patient_facts(study, patient, _whose(study.readers(patient), patient, reader), volumes)
    drugs, seen = study.treatments(patient), study.observations(patient)
    who = study.patient(patient)
    return results_of(who, facts, rule=rule, threshold=threshold, treatments=drugs, observations=seen)


def with_key_images(results: Results, volumes: Mapping[str, Mapping[str, Volume]] | None = None) -> Results:
    """Add the key images of all lesions; ``volumes`` holds pixels at hand, by visit key and name of the Series."""
    from lesionmap.write import key_images

    return replace(results, key_images=key_images(results.visits, _pixels_of(results.visits, volumes or {})))


def _pixels_of(
    visits: Sequence[VisitFacts], volumes: Mapping[str, Mapping[str, Volume]]
) -> Callable[[str, str], Volume | None]:
    """Give what reads the pixels of a visit and series, the last ones kept; None where they cannot be read any more."""
    from lesionmap.read import pixels

    by_key = {facts.visit.key: facts.visit for facts in visits}

    @lru_cache(maxsize=4)
    def volume_of(key: str, name: str) -> Volume | None:
        if name in volumes.get(key, {}):
            return volumes[key][name]
        try:
            return pixels(by_key[key].series_named(name))
        except (LesionmapError, OSError):
            return None

    return volume_of
