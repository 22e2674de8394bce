"""What a scan of files found becomes Patients and Visits of a Study."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.visits import Patient, age_at, visit_key_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from lesionmap.read import Scan, ScannedVisit
    from lesionmap.read.deidentify import Copies, Disguise
    from lesionmap.store import Study
    from lesionmap.visits import Series, Visit

__all__ = ["CopyRequest", "check_request", "days_moved", "something_read", "take_in", "take_in_copies"]

_SHIFTED = "dates moved\n"
"""With a pseudonym behind it: the key by which a study knows that a patient's dates are not the true ones."""


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the user says of whose and when; ``names`` by patient key go before ``patient``."""

    patient: str | None
    visit_key: str | None
    names: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Planned:
    """One visit that will be stored once all of them are known to be right."""

    found: ScannedVisit
    patient: Patient
    is_new_patient: bool
    visit: Visit


@dataclass(frozen=True, slots=True)
class CopyRequest:
    """What is asked of an import by de-identified copies."""

    folder: str | Path
    """Of the copies; each lies at patient/visit/series below it."""
    ages: bool = False
    """True: dates are moved, all of a patient by the same number of days; the age at the visit stays."""
    overwrite: bool = False
    patient: str | None = None
    visit_key: str | None = None
    """As the originals have it: true."""
    names: Mapping[str, str] = field(default_factory=dict, repr=False)


def take_in(
    study: Study,
    scan: Scan,
    *,
    patient: str | None = None,
    visit_key: str | None = None,
    names: Mapping[str, str] | None = None,
) -> tuple[Visit, ...]:
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
    names : mapping, optional
        Pseudonyms by ``ScannedVisit.patient_key``, from a table of pseudonyms; over ``patient``.

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
    planned = _all_planned(study, scan, _Wish(patient, visit_key, names or {}))
    for plan in planned:
        _check_name(study, plan, names or {})
        _check_dates(study, plan, moved=plan.found.patient_key.partition("\n")[0].endswith(" shifted"))
    return _stored(study, planned)


def take_in_copies(
    study: Study, scan: Scan, request: CopyRequest, rescan: Callable[[Sequence[str], date | None], Scan]
) -> tuple[tuple[Visit, ...], Copies]:
    """Make de-identified copies of the images that a scan found, and store the visits with the copies.

    Parameters
    ----------
    study : Study
        Open for writing; its salt makes identifiers and the movement of dates the same in every import.
    scan : Scan
        Of the originals.
    request : CopyRequest
    rescan : callable
        Scans the copies; takes their paths, and the day of images that tell none.

    Returns
    -------
    visits, copies
        As they are stored now; what could not be copied, and which copies may show text.

    Raises
    ------
    LesionmapError
        As ``take_in``; if true and moved dates of one patient would meet; or a copy cannot be written.
    """
    from lesionmap.read.deidentify import Disguise, copying

    check_request(scan, request.patient, request.visit_key)
    planned = _all_planned(study, scan, _Wish(request.patient, request.visit_key, request.names))
    key = study.secret("de-identification")
    names: dict[str, str] = {}
    with copying(request.folder) as copies:
        for plan in planned:
            _check_name(study, plan, request.names)
            _check_dates(study, plan, moved=request.ages)
            disguise = Disguise(key, plan.patient.id, request.ages)
            names[disguise.patient_key if plan.found.patient_key else ""] = plan.patient.id
            _copy(copies, plan, disguise)
        paths = copies.put(overwrite=request.overwrite)
    if not paths:
        raise LesionmapError(f"nothing could be copied: {copies.refused[0].path}: {copies.refused[0].why}")
    wish = _Wish(request.patient, _moved_key(request.visit_key, disguise) if request.visit_key else None, names)
    again = rescan(paths, visit_key_parts(wish.visit_key)[0] if wish.visit_key else None)
    copies.refused += again.refused
    check_request(again, request.patient, wish.visit_key)
    visits = _stored(study, _all_planned(study, again, wish))
    for plan in planned:
        if plan.found.patient_key:
            study.remember(plan.found.patient_key, plan.patient.id)
        if request.ages:
            study.remember(_SHIFTED + plan.patient.id, plan.patient.id)
    return visits, copies


def _copy(copies: Copies, plan: _Planned, disguise: Disguise) -> None:
    """Prepare the copies of one visit, in the order of series and slices."""
    found = plan.found
    age_y = age_at(plan.visit.date, found.birth_date) if found.birth_date else found.visit.age_y
    folder = f"{plan.patient.id}/{_moved_key(plan.visit.key, disguise)}"
    files = (file.path for series in found.series for station in series.stations for file in station.files)
    for path in dict.fromkeys(files):
        copies.add(folder, path, disguise, age_y)


def _moved_key(visit_key: str, disguise: Disguise) -> str:
    day, ordinal = visit_key_parts(visit_key)
    return disguise.moved(day).isoformat() + (f".{ordinal}" if ordinal > 1 else "")


def _check_name(study: Study, plan: _Planned, names: Mapping[str, str]) -> None:
    """Refuse a pseudonym of the table that images of another patient have in this study."""
    key, who = plan.found.patient_key, plan.patient.id
    if key not in names or plan.is_new_patient or study.pseudonym(key) is not None:
        return
    if any(visit.series for visit in study.visits(who)):
        raise LesionmapError(
            f"{who} of the table of pseudonyms has images of another Patient ID in this study; give another pseudonym, "
            f"or --patient {who} if it is the same patient"
        )


def _check_dates(study: Study, plan: _Planned, *, moved: bool) -> None:
    """Refuse a visit with its true date among those of moved dates, and the other way round."""
    who = plan.patient.id
    if study.pseudonym(_SHIFTED + who) == who:
        if not moved:
            raise LesionmapError(
                f"the dates of {who} in this study are moved, these files have the true ones; "
                "import them with --deidentify FOLDER --ages"
            )
    elif moved and not plan.is_new_patient and (plan.patient.birth_date is not None or study.visits(who)):
        raise LesionmapError(
            f"the visits of {who} in this study have their true dates, moved ones do not fit among them; "
            "leave --ages out, or import into another study"
        )


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


def _all_planned(study: Study, scan: Scan, wish: _Wish) -> list[_Planned]:
    planned: list[_Planned] = []
    for found in scan.studies:
        planned.append(_plan(study, found, planned, wish))
    return planned


def _plan(study: Study, found: ScannedVisit, before: Sequence[_Planned], wish: _Wish) -> _Planned:
    patient, is_new = _patient_of(study, found, before, wish)
    chosen = wish.visit_key
    day, ordinal = visit_key_parts(chosen) if chosen else (found.visit.date, found.visit.ordinal)
    age_y = found.visit.age_y
    if patient.birth_date is not None:
        age_y = age_at(day, patient.birth_date)
    visit = replace(found.visit, patient=patient.id, date=day, ordinal=ordinal, age_y=age_y)
    known = () if is_new else tuple(x for x in study.visits(patient.id) if x.key == visit.key)
    if known:
        visit = _joined(known[0], visit)
    return _Planned(found, patient, is_new, visit)


def _patient_of(study: Study, found: ScannedVisit, before: Sequence[_Planned], wish: _Wish) -> tuple[Patient, bool]:
    """Recognise the patient, or make a new one: who, and whether new."""
    for plan in before:
        if plan.found.patient_key == found.patient_key:
            return plan.patient, plan.is_new_patient
    known = study.pseudonym(found.patient_key) if found.patient_key else None
    listed = wish.names.get(found.patient_key)
    name = listed or wish.patient
    if known and name and known != name:
        cure = "correct the table of pseudonyms" if listed else "leave --patient out"
        raise LesionmapError(f"these files belong to {known} of this study, not to {name}; {cure}")
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


def _stored(study: Study, planned: Sequence[_Planned]) -> tuple[Visit, ...]:
    for plan in planned:
        _store(study, plan)
    return tuple(study.visit(plan.patient.id, plan.visit.key) for plan in planned)


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


def days_moved(study: Study, patient: str) -> int:
    """Give the days by which the dates of a patient's images were moved when they were imported; 0 as a rule.

    What else is dated has to move with them: it would tell the true dates, and stand beside the wrong visits.
    """
    from lesionmap.read.deidentify import Disguise

    shifts = study.pseudonym(_SHIFTED + patient) == patient
    return Disguise(study.secret("de-identification"), patient, shifts).shift_days
