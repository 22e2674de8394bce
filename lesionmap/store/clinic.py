"""What the clinic knows of a patient, in the same table of edits as the maps, under a key of the patient's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.clinic import Observation, Treatment
from lesionmap.errors import LesionmapError
from lesionmap.store import checks, history
from lesionmap.store.edits import Edits

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from lesionmap.store.history import Edit, Value

__all__ = ["ClinicStore"]


class ClinicStore(Edits):
    """Treatments and observations of patients.

    A treatment is known by its drug and its first day, an observation by its day and its item: another end, or another
    value, takes the place of the one before, which stays in the history.
    """

    def treatments(self, patient: str) -> tuple[Treatment, ...]:
        """Give a patient's treatments, by their first day."""
        found = [value for value in self._clinic(patient) if isinstance(value, Treatment)]
        return tuple(sorted(found, key=lambda one: (one.start, one.drug.casefold())))

    def observations(self, patient: str) -> tuple[Observation, ...]:
        """Give what was measured, asked or judged of a patient, by day and item."""
        found = [value for value in self._clinic(patient) if isinstance(value, Observation)]
        return tuple(sorted(found, key=lambda one: (one.date, one.item)))

    def save_clinic(
        self, patient: str, facts: Iterable[Treatment | Observation], reader: str, *, remove: bool = False
    ) -> int:
        """Keep treatments and observations, all in one step, and give how many of them were new or changed.

        Parameters
        ----------
        patient : str
            Pseudonym.
        facts : iterable of Treatment or Observation
            What is there already as it is given changes nothing.
        reader : str
            Who enters them.
        remove : bool
            Take them away instead; they stay in the history.

        Raises
        ------
        LesionmapError
            If one lies before the patient's birth, or two are of one drug and day, or one item and day.
        """
        values: dict[str, Value] = {}
        with self._database.reading() as rows:
            born = checks.find_patient(rows, patient).birth_date
        for fact in facts:
            day, what = (fact.start, _key(fact)) if isinstance(fact, Treatment) else (fact.date, _key(fact))
            _check_day(day, born)
            if what in values:
                raise LesionmapError(f"{history.name_of(what)} is given twice; leave one of them out")
            values[what] = None if remove else fact
        return self._put((patient, None, None), reader, values)

    def clinic_history(self, patient: str) -> tuple[Edit, ...]:
        """Give all edits of a patient's treatments and observations, oldest first."""
        return self._edits((patient, None, None))

    def undo_clinic(self, patient: str, reader: str) -> None:
        """Take the last step on a patient's treatments and observations back, whoever made it."""
        self._turn((patient, None, None), reader, back=True)

    def redo_clinic(self, patient: str, reader: str) -> None:
        """Bring back what the last ``undo_clinic`` took away."""
        self._turn((patient, None, None), reader, back=False)

    def _clinic(self, patient: str) -> list[Value]:
        with self._database.reading() as rows:
            latest = rows.latest(checks.map_key(rows, patient, None))
        return [history.read_value(what, text) for what, text in latest.items()]


def _key(fact: Treatment | Observation) -> str:
    """Name what a fact is about; spelling a drug with other capitals or spaces makes no other drug of it."""
    if isinstance(fact, Treatment):
        return f"treatment/{fact.start.isoformat()}/{' '.join(fact.drug.split()).casefold()}"
    return f"observation/{fact.date.isoformat()}/{fact.item}"


def _check_day(day: date, born: date | None) -> None:
    if born is not None and day < born:
        raise LesionmapError(f"a day after the patient's birth was expected, got {day.isoformat()}; correct it")
