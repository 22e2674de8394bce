"""Study: the store of patients, visits, placements and lesion maps, and their history."""

from __future__ import annotations

import hmac
import re
from dataclasses import replace
from hashlib import sha256
from types import EllipsisType
from typing import TYPE_CHECKING, Literal, Self, cast

from lesionmap.errors import LesionmapError
from lesionmap.store import checks, history, plain
from lesionmap.store.blinding import BlindStore
from lesionmap.store.edits import Step, now_utc
from lesionmap.visits import Patient, Series, Visit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from lesionmap.lesions import LesionMap
    from lesionmap.skeleton.placement import Placement
    from lesionmap.store.claims import Claim
    from lesionmap.store.history import Edit, Value
    from lesionmap.store.rows import Rows
    from lesionmap.visits import Reference

__all__ = ["Study"]


class Study(BlindStore):
    """The store: patients, visits, placements, lesion maps, what the clinic knows, history.

    What a reader decides is a row of one append-only table of edits, keyed by map and number. A lesion map (and what
    belongs to the visit: placement, references) is its latest values. Nothing is ever changed or removed there: undo
    appends the earlier value. Every call is one transaction; when it returns, its edits outlast a crash.

    A study can be used from several threads and by several programs at once. Two that change the same lesion get a
    Conflict; ``claim`` lets the second window know beforehand.

    Examples
    --------
    >>> with Study.open("crmo.lesionmap", create=True) as study:  # doctest: +SKIP
    ...     study.patients()
    ()
    """

    @classmethod
    def open(cls, where: str | Path, create: bool = False, *, clock: Callable[[], datetime] = now_utc) -> Self:
        """Open a study.

        Parameters
        ----------
        where : str or Path
            A file (SQLite) or a URL (``postgresql://user@host/name``; needs the extra ``postgresql``).
        create : bool
            Make the study if there is none.
        clock : callable
            Gives the time written with each edit. Order never depends on it.

        Raises
        ------
        LesionmapError
            No such study, not a study, of another version, on a network drive, or not readable; a server that cannot
            be reached or does not let this user in. Nothing is written.
        """
        from lesionmap.store.database import Database

        database = Database.open(str(where), create)
        return cls(database, clock)

    @property
    def read_only(self) -> bool:
        """True where the file or its folder cannot be written, or this user of a server may only look.

        Every change then raises LesionmapError.
        """
        return bool(self._database.why_read_only)

    @property
    def backup_fault(self) -> str:
        """Why the day's backup of a study file could not be made; empty: it was, none was due, or it is being made.

        ``close`` waits for it.
        """
        return "" if self._database.backup is None else self._database.backup.fault

    def close(self) -> None:
        """Close the study; whatever was saved is on the disk already. The day's backup is waited for."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()

    # Patients

    def patients(self) -> tuple[Patient, ...]:
        """Give all patients, by pseudonym."""
        with self._database.reading() as rows:
            return tuple(rows.patients())

    def patient(self, patient: str) -> Patient:
        """Give the patient of that pseudonym, or raise LesionmapError."""
        with self._database.reading() as rows:
            return checks.find_patient(rows, patient)

    def add_patient(self, patient: Patient) -> None:
        """Add a patient; LesionmapError if the pseudonym is taken. Again as ``add_visit``."""

        def write(rows: Rows) -> None:
            if rows.patients(patient.id):
                raise LesionmapError(f"the study has a patient {patient.id} already; take study.next_pseudonym()")
            rows.add_patient(patient)

        self._once(f"patient {plain.dumps(patient, Patient)}", patient.id, write)

    def replace_patient(self, patient: Patient) -> None:
        """Correct a patient's sex or birth date; the visits keep their ages."""
        with self._writing() as rows:
            checks.find_patient(rows, patient.id, lock=True)
            for visit in rows.visits(patient.id):
                checks.checked(visit, patient)
            rows.replace_patient(patient)

    def next_pseudonym(self) -> str:
        """Give the first free name of the row P001, P002 …: one more than the highest ever given."""
        numbers = [int(m.group(1)) for p in self.patients() if (m := re.fullmatch(r"P(\d{3,})", p.id, re.ASCII))]
        return f"P{max(numbers, default=0) + 1:03d}"

    def pseudonym(self, patient_key: str) -> str | None:
        """Give the pseudonym of a patient (key: issuer and PatientID) seen before, None for a new one.

        Only its salted SHA-256 is stored. Who holds the study can still try all PatientIDs: it is as confidential.
        """
        with self._database.reading() as rows:
            return rows.identity(self._hash(patient_key))

    def remember(self, patient_key: str, pseudonym: str) -> None:
        """Recognise this issuer and PatientID as the patient ``pseudonym``, who is in the study, from now on."""
        key = self._hash(patient_key)
        with self._writing() as rows:
            checks.find_patient(rows, pseudonym)
            known = rows.identity(key)
            if known not in (None, pseudonym):
                raise LesionmapError(f"these images belong to patient {known} of this study, not to {pseudonym}")
            if known is None:
                rows.add_identity(key, pseudonym)

    def secret(self, purpose: str) -> bytes:
        """Give this study's key for one purpose (32 bytes, from its salt); it must never be written anywhere."""
        return hmac.digest(self._salt.encode(), purpose.encode(), "sha256")

    def state(self, patient: str) -> str:
        """Give a word that changes with whatever is stored of a patient: the facts, the visits, any edit.

        A hash of what stands in rows of their own and of the highest number of edit of each map that is not empty.
        """
        with self._database.reading() as rows:
            who = checks.find_patient(rows, patient)
            visits = [plain.dumps(visit, Visit) for visit in rows.visits(patient)]
            tops = [f"{key} {rows.top(key)}" for key in rows.maps(patient)]
        return sha256("\n".join([plain.dumps(who, Patient), *visits, *tops]).encode()).hexdigest()[:32]

    def _hash(self, patient_key: str) -> str:
        return sha256((self._salt + patient_key).encode("utf-8", "surrogatepass")).hexdigest()

    # Visits

    def visits(self, patient: str) -> tuple[Visit, ...]:
        """Give a patient's visits, by date."""
        with self._database.reading() as rows:
            checks.find_patient(rows, patient)
            return tuple(rows.visits(patient))

    def visit(self, patient: str, key: str) -> Visit:
        """Give the visit of that name (``2010-05-04``), or raise LesionmapError naming those there are."""
        with self._database.reading() as rows:
            return checks.find_visit(rows, patient, key)

    def add_visit(self, visit: Visit, *, same_day: Literal["next", "refuse"] = "next") -> Visit:
        """Add a visit and give it as stored: with its age where the birth date is known, and its ordinal.

        Parameters
        ----------
        visit : Visit
            Its series must have different names.
        same_day : {"next", "refuse"}
            What to do if the patient has a visit of that date and ordinal: take the next ordinal, or LesionmapError.

        Notes
        -----
        Where the server did not answer whether it was stored, the same call on the same Study finds out: it gives the
        visit that was stored then, or stores it.
        """

        def write(rows: Rows) -> Visit:
            found = checks.checked(visit, checks.find_patient(rows, visit.patient, lock=True))
            taken = {v.ordinal for v in rows.visits(found.patient) if v.date == found.date}
            if found.ordinal in taken and same_day == "refuse":
                raise LesionmapError(f"patient {found.patient} has a visit {found.key} already; add its series to it")
            while found.ordinal in taken:
                found = replace(found, ordinal=found.ordinal + 1)
            rows.add_visit(found)
            return found

        return self._once(f"visit {same_day} {plain.dumps(visit, Visit)}", visit.patient, write)

    def replace_visit(self, visit: Visit) -> Visit:
        """Change age, stature, weight or series (re-linked, say) of the visit of that patient, date and ordinal."""
        with self._writing() as rows:
            visit = checks.checked(visit, checks.find_patient(rows, visit.patient, lock=True))
            checks.find_visit(rows, visit.patient, visit.key, lock=True)
            rows.replace_visit(visit)
        return visit

    def add_series(self, patient: str, visit: str, series: Sequence[Series]) -> Visit:
        """Add series to a visit (a bone scan of the same day, say); LesionmapError if a name is there already.

        Again as ``add_visit``.
        """

        def write(rows: Rows) -> Visit:
            found = checks.find_visit(rows, patient, visit, lock=True)
            grown = checks.checked(replace(found, series=(*found.series, *series)), checks.find_patient(rows, patient))
            rows.replace_visit(grown)
            return grown

        return self._once(f"series {patient}/{visit} {plain.dumps(tuple(series), tuple[Series, ...])}", patient, write)

    # What belongs to the visit, for all readers

    def placement(self, patient: str, visit: str) -> Placement | None:
        """Give the visit's placement; None if the skeleton was not placed yet."""
        with self._database.reading() as rows:
            text = rows.latest(checks.map_key(rows, patient, visit)).get("placement")
        return cast("Placement | None", history.read_value("placement", text))

    def save_placement(
        self,
        patient: str,
        visit: str,
        placement: Placement | None,
        reader: str,
        *,
        over: Placement | EllipsisType | None = ...,
    ) -> None:
        """Keep the visit's placement (None: take it away); the one before stays in the history.

        ``over`` is the one that it takes the place of (None: there was none). Where another one is there by now,
        VisitConflict is raised; without ``over`` it takes the place of whatever is there.
        """
        old: dict[str, Value] = {} if isinstance(over, EllipsisType) else {"placement": over}
        self._put((patient, visit, None), reader, {"placement": placement}, old)

    def references(self, patient: str, visit: str) -> tuple[Reference, ...]:
        """Give the visit's reference regions, at most one a series."""
        with self._database.reading() as rows:
            latest = rows.latest(checks.map_key(rows, patient, visit))
        found = [history.read_value(what, text) for what, text in latest.items() if what.startswith("reference/")]
        return tuple(cast("Reference", value) for value in found if value is not None)

    def save_reference(
        self,
        patient: str,
        visit: str,
        reference: Reference,
        reader: str,
        *,
        over: Reference | EllipsisType | None = ...,
    ) -> None:
        """Keep the reference region of a series, as ``save_placement`` keeps a placement."""
        what = f"reference/{reference.series}"
        old: dict[str, Value] = {} if isinstance(over, EllipsisType) else {what: over}
        self._put((patient, visit, None), reader, {what: reference}, old)

    def remove_reference(self, patient: str, visit: str, series: str, reader: str) -> None:
        """Take the reference region of a series away; it stays in the history."""
        self._put((patient, visit, None), reader, {f"reference/{series}": None})

    # Lesion maps

    def readers(self, patient: str, visit: str | None = None) -> tuple[str, ...]:
        """Give the names of those whose map of this visit (of any visit) holds something, sorted."""
        day = None if visit is None else checks.canonical(visit)
        with self._database.reading() as rows:
            checks.find_patient(rows, patient)
            keys = [key.split("/") for key in rows.maps(patient)]
        return tuple(sorted({key[2] for key in keys if len(key) == 3 and day in (None, key[1])}))

    def lesion_map(self, patient: str, visit: str, reader: str) -> LesionMap:
        """Give a reader's map of a visit, an empty one if there is none.

        Lesions and answers come in the order in which they first came into the map. ``used`` is the highest lesion
        number that the history knows, so that no number is given twice.
        """
        with self._database.reading() as rows:
            latest = rows.latest(checks.map_key(rows, patient, visit, reader))
        return checks.as_lesion_map(patient, checks.canonical(visit), reader, latest)

    def save(self, old: LesionMap, new: LesionMap) -> None:
        """Append an edit for each lesion and answer that differs, and for signing: all in one step, or none.

        Changes of other lesions by another window meanwhile are no conflict and are kept.

        Parameters
        ----------
        old : LesionMap
            As it was read from the study.
        new : LesionMap
            As it shall be.

        Raises
        ------
        Conflict
            If the same lesion or answer was changed, or the map signed, meanwhile. It carries both versions.
        LesionmapError
            If the map is signed, or the id of a removed lesion is used again.
        """
        if (old.patient, old.visit, old.reader) != (new.patient, new.visit, new.reader):
            raise LesionmapError("two versions of one map are needed, got maps of two visits or two readers")
        changes = history.changes(old, new)
        if old.signed and new.signed and changes:
            raise LesionmapError(f"the map of visit {new.visit} is signed and so read-only; unlock it first")
        if not changes:
            return

        def decide(rows: Rows, key: str) -> Step:
            return Step(checks.to_write(rows, key, changes, (old, new)))

        self._append((new.patient, new.visit, new.reader), new.reader, decide)

    # History

    def history(self, patient: str, visit: str, reader: str | None = None) -> tuple[Edit, ...]:
        """Give all edits of a reader's map, oldest first; without reader those of placement and references."""
        return self._edits((patient, visit, reader))

    def undo(self, patient: str, visit: str, reader: str) -> LesionMap:
        """Take the last step of a reader's map back by appending the earlier values; give the map as it is then."""
        self._turn((patient, visit, reader), reader, back=True)
        return self.lesion_map(patient, visit, reader)

    def redo(self, patient: str, visit: str, reader: str) -> LesionMap:
        """Bring back what the last undo took away; possible until something else is edited."""
        self._turn((patient, visit, reader), reader, back=False)
        return self.lesion_map(patient, visit, reader)

    def undo_visit(self, patient: str, visit: str, reader: str) -> None:
        """Take the last step on the visit's placement and references back, whoever made it."""
        self._turn((patient, visit, None), reader, back=True)

    def redo_visit(self, patient: str, visit: str, reader: str) -> None:
        """Bring back what the last ``undo_visit`` took away."""
        self._turn((patient, visit, None), reader, back=False)

    def claim(self, patient: str, visit: str, reader: str) -> Claim:
        """Ask for the right to edit a map in this window; ``claim.held`` says whether it was given.

        A study file: a locked file beside it, freed by the operating system when the process dies. PostgreSQL: an
        advisory lock on a connection kept for it, freed by the server when the connection ends. ``save`` does not ask
        for it: a conflict is found there in any case.
        """
        with self._database.reading() as rows:
            key = checks.map_key(rows, patient, visit, reader)
        return self._database.claim(key, self._salt)
