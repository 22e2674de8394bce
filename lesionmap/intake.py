"""What a scan of files found becomes Patients and Visits of a Study."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.visits import Patient, age_at, visit_key_parts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.read import Scan, ScannedVisit
    from lesionmap.store import Study
    from lesionmap.visits import Series, Visit

__all__ = ["check_request", "something_read", "take_in"]


@dataclass(frozen=True, slots=True)
class _Planned:
    """One visit that will be stored once all of them are known to be right."""

    found: ScannedVisit
    patient: Patient
    is_new_patient: bool
    visit: Visit


def take_in(study: Study, scan: Scan, *, patient: str | None = None, visit_key: str | None = None) -> tuple[Visit, ...]:
    """Store the visits that a scan found; nothing is stored where one of them is wrong.

    Series that the visit has already are linked anew (images that were moved); new ones join the visit of that day.

    Parameters
    ----------
    study : Study
        Open for writing.
    scan : Scan
        From ``lesionmap.read.scan``.
    patient : str, optional
        Pseudonym. Without it a known patient is recognised by the salted hash, a new one is called P001, P002 …
    visit_key : str, optional
        Date (``2010-05-04``, ``.2`` for a second visit on that day) in place of the one in the files.

    Returns
    -------
    tuple of Visit
        As they are stored now.

    Raises
    ------
    LesionmapError
        If nothing could be read, a date or a pseudonym is missing, or the files belong to another patient.
    """
    check_request(scan, patient, visit_key)
    planned: list[_Planned] = []
    for found in scan.studies:
        planned.append(_plan(study, found, planned, patient, visit_key))
    for plan in planned:
        _store(study, plan)
    return tuple(study.visit(plan.patient.id, plan.visit.key) for plan in planned)


def check_request(scan: Scan, patient: str | None = None, visit_key: str | None = None) -> None:
    """Raise LesionmapError for all that can be known to be wrong before a study is opened (or made).

    Parameters
    ----------
    scan, patient, visit_key
        As in ``take_in``.
    """
    something_read(scan)
    if patient:
        Patient(patient)
    if patient and len({found.patient_key for found in scan.studies}) > 1:
        raise LesionmapError(
            f"these files belong to several patients, --patient {patient} names one; "
            "import them one by one, or leave --patient out"
        )
    if visit_key and len(scan.studies) > 1:
        days = ", ".join(sorted(found.visit.key for found in scan.studies))
        raise LesionmapError(
            f"these files are {len(scan.studies)} visits ({days}), --visit {visit_key} names one; "
            "import them one by one, or leave --visit out"
        )
    for found in scan.studies:
        _check_visit(found, patient, visit_key)


def something_read(scan: Scan) -> None:
    """Raise LesionmapError where a scan found no image, or refused all of them."""
    if not scan.studies:
        raise LesionmapError(_nothing_read(scan))


def _check_visit(found: ScannedVisit, patient: str | None, visit_key: str | None) -> None:
    if not (found.dated or visit_key):
        raise LesionmapError("these images do not tell the day of the visit; give it with --visit 2010-05-04")
    if not (found.patient_key or patient):
        raise LesionmapError("these files do not say which patient they belong to; name one with --patient P001")
    if visit_key and found.birth_date:
        age_at(visit_key_parts(visit_key)[0], found.birth_date)


def _nothing_read(scan: Scan) -> str:
    if not scan.refused:
        return "no image was found; a folder or file of DICOM or NIfTI images was expected"
    first = scan.refused[0]
    more = f" (and {len(scan.refused) - 1} more refused)" if len(scan.refused) > 1 else ""
    return f"nothing could be read: {first.path}: {first.why}{more}"


def _plan(
    study: Study, found: ScannedVisit, before: Sequence[_Planned], name: str | None, visit_key: str | None
) -> _Planned:
    patient, is_new = _patient_of(study, found, before, name)
    day, ordinal = visit_key_parts(visit_key) if visit_key else (found.visit.date, found.visit.ordinal)
    age_y = found.visit.age_y
    if patient.birth_date is not None:
        age_y = age_at(day, patient.birth_date)
    visit = replace(found.visit, patient=patient.id, date=day, ordinal=ordinal, age_y=age_y)
    known = () if is_new else tuple(x for x in study.visits(patient.id) if x.key == visit.key)
    if known:
        visit = _joined(known[0], visit)
    return _Planned(found, patient, is_new, visit)


def _patient_of(
    study: Study, found: ScannedVisit, before: Sequence[_Planned], name: str | None
) -> tuple[Patient, bool]:
    """Recognise the patient, or make a new one: who, and whether new."""
    for plan in before:
        if plan.found.patient_key == found.patient_key:
            return plan.patient, plan.is_new_patient
    known = study.pseudonym(found.patient_key) if found.patient_key else None
    if known and name and known != name:
        raise LesionmapError(f"these files belong to {known} of this study, not to {name}; leave --patient out")
    have = {patient.id: patient for patient in study.patients()}
    wanted = known or name or _next_name([*have, *(plan.patient.id for plan in before)])
    if wanted in have:
        return have[wanted], False
    return Patient(wanted, found.sex, found.birth_date), True


def _next_name(have: Sequence[str]) -> str:
    numbers = [int(name[1:]) for name in have if name[:1] == "P" and name[1:].isdecimal()]
    return f"P{max(numbers, default=0) + 1:03d}"


def _joined(old: Visit, new: Visit) -> Visit:
    """Join what is stored of a visit with what was found: the same series is linked anew, another one is added."""
    series = list(old.series)
    for found in new.series:
        same = next((n for n, x in enumerate(series) if _identity(x) == _identity(found)), None)
        if same is None:
            series.append(replace(found, name=_free_name(found.name, {x.name for x in series})))
        else:
            series[same] = replace(found, name=series[same].name)
    return replace(
        old,
        series=tuple(series),
        age_y=old.age_y if old.age_y is not None else new.age_y,
        stature_cm=old.stature_cm if old.stature_cm is not None else new.stature_cm,
        weight_kg=old.weight_kg if old.weight_kg is not None else new.weight_kg,
    )


def _identity(series: Series) -> tuple[object, ...]:
    """Give what makes two series the same images, wherever the files lie now."""
    files = tuple((x.uid or x.sha256 or x.path, x.frames) for station in series.stations for x in station.files)
    return files, tuple(station.volume_index for station in series.stations)


def _free_name(name: str, taken: set[str]) -> str:
    number, free = 2, name
    while free in taken:
        free, number = f"{name} ({number})", number + 1
    return free


def _store(study: Study, plan: _Planned) -> None:
    known = {patient.id for patient in study.patients()}
    if plan.patient.id not in known:
        study.add_patient(plan.patient)
    if plan.found.patient_key:
        study.remember(plan.found.patient_key, plan.patient.id)
    if any(visit.key == plan.visit.key for visit in study.visits(plan.patient.id)):
        study.replace_visit(plan.visit)
    else:
        study.add_visit(plan.visit, same_day="refuse")
