"""What is asked of names, visits and changes before a study takes them."""

from __future__ import annotations

import unicodedata
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Answer, Lesion, LesionMap
from lesionmap.store.history import Conflict, read_value, write_value
from lesionmap.visits import Visit, age_at, visit_key_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lesionmap.store.history import Value
    from lesionmap.store.rows import Rows
    from lesionmap.visits import Patient

__all__ = [
    "as_lesion_map",
    "canonical",
    "checked",
    "find_patient",
    "find_visit",
    "map_key",
    "reader_name",
    "storable",
    "to_write",
]


def reader_name(name: str) -> str:
    """Give a reader's name back if it is one: 1 to 64 characters, no '/', no control characters, no outer spaces."""
    bad = [c for c in name if c == "/" or unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    if not 1 <= len(name) <= 64 or bad or name != name.strip():
        got = (
            f"{bad[0]!r} in it" if bad else f"{len(name)} characters" if name == name.strip() else "a space at its end"
        )
        raise LesionmapError(
            f"a reader's name has 1 to 64 characters, without '/', control characters and spaces around it, got {got}; "
            "choose another name"
        )
    return name


def storable(what: str) -> str:
    """Give the name of what an edit is about back, if every database can hold it."""
    if "\x00" in what or any(unicodedata.category(c) == "Cs" for c in what):
        raise LesionmapError(
            f"{what!a} has a character that no database can hold (NUL or half of one); name it without that"
        )
    return what


def canonical(visit: str) -> str:
    """Write the name of a visit as the store does (``2010-05-04.1`` is ``2010-05-04``)."""
    day, ordinal = visit_key_parts(visit)
    return Visit("", day, ordinal).key


def find_patient(rows: Rows, patient: str, *, lock: bool = False) -> Patient:
    """Give the patient, or raise LesionmapError; ``lock``: nobody else may change it before this is written."""
    found = rows.patients(patient, lock=lock)
    if not found:
        have = [p.id for p in rows.patients()]
        names = ", ".join(have[:8]) + (" …" if len(have) > 8 else "") if have else "none"
        raise LesionmapError(f"the study has no patient {patient!r}; it has: {names}")
    return found[0]


def find_visit(rows: Rows, patient: str, visit: str, *, lock: bool = False) -> Visit:
    """Give the visit, or raise LesionmapError that names those there are; ``lock``: as in ``find_patient``."""
    key = canonical(visit)
    found = rows.visits(patient, key, lock=lock)
    if not found:
        find_patient(rows, patient)
        have = ", ".join(v.key for v in rows.visits(patient)) or "none"
        raise LesionmapError(f"patient {patient} has no visit {key}; it has: {have}")
    return found[0]


def map_key(rows: Rows, patient: str | None, visit: str | None, reader: str | None = None) -> str:
    """Give the key of a reader's map of a visit that exists; without reader of the visit's own facts.

    Without visit that of the patient's own, without patient that of the whole study. Neither pseudonyms nor dates nor
    readers can hold a '/' or be empty, so no two maps share a key.
    """
    if patient is None:
        return "/study"
    if visit is None:
        return f"{find_patient(rows, patient).id}/clinic"
    key = canonical(visit)
    if not rows.has_visit(patient, key):
        find_visit(rows, patient, key)
    return f"{patient}/{key}" if reader is None else f"{patient}/{key}/{reader_name(reader)}"


def checked(visit: Visit, patient: Patient) -> Visit:
    """Give the visit back with its age, if its date and its series' names are sound."""
    twice = [name for name, n in Counter(series.name for series in visit.series).items() if n > 1]
    if twice:
        raise LesionmapError(
            f"series of a visit have different names, but visit {visit.key} would have {twice[0]!r} twice"
        )
    age = age_at(visit.date, patient.birth_date) if patient.birth_date else None
    if visit.age_y is not None and not 0 <= visit.age_y <= 130:
        raise LesionmapError(
            f"the age at a visit lies between 0 and 130 years, got {visit.age_y:g}; correct it with --age"
        )
    return visit if visit.age_y is not None else replace(visit, age_y=age)


def as_lesion_map(patient: str, visit: str, reader: str, latest: Mapping[str, str | None]) -> LesionMap:
    """Build a map from the latest values of its edits."""
    values = [read_value(what, text) for what, text in latest.items()]
    numbers = [what.removeprefix("lesion/L") for what in latest]
    return LesionMap(
        patient,
        visit,
        reader,
        tuple(value for value in values if isinstance(value, Lesion)),
        tuple(value for value in values if isinstance(value, Answer)),
        signed=latest.get("signed") is not None,
        used=max((int(number) for number in numbers if number.isascii() and number.isdecimal()), default=0),
    )


def to_write(
    rows: Rows, key: str, changes: Mapping[str, tuple[Value, Value]], maps: tuple[LesionMap, LesionMap]
) -> dict[str, str | None]:
    """Give what → text to append, or raise Conflict where the store has moved on since the old map was read."""
    old, new = maps
    latest = rows.latest(key)
    writes, taken = {}, []
    if (latest.get("signed") is not None) != old.signed and "signed" not in changes:
        taken.append("signed")
    for what, (before, after) in changes.items():
        now = read_value(what, latest.get(what))
        if now == after:
            continue  # the other window did the same
        if now != before:
            taken.append(what)
        elif now is None and what in latest:
            _refuse_reuse(rows, key, what, after)
        writes[what] = write_value(what, after)
    if taken:
        raise Conflict(old, new, as_lesion_map(new.patient, new.visit, new.reader, latest), taken)
    return writes


def _refuse_reuse(rows: Rows, key: str, what: str, value: Value) -> None:
    """Refuse a removed lesion's id for another lesion; the removed lesion itself may come back."""
    if isinstance(value, Lesion) and value not in [read_value(what, text) for text in rows.values_of(key, what)]:
        raise LesionmapError(
            f"lesion {value.id} was removed from this map and its number is not given again; number the new one "
            "from LesionMap.used"
        )
