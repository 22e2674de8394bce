"""Who reads a study blind: a decision of the whole study, in the same table of edits as all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.lesions import Blinding
from lesionmap.store import checks, history
from lesionmap.store.clinic import ClinicStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.store.history import Edit

__all__ = ["BlindStore"]

_STUDY = (None, None, None)


class BlindStore(ClinicStore):
    """Which readers do not see one another's maps of a visit before all of them have signed it."""

    def blind_readers(self) -> tuple[str, ...]:
        """Give those who read blind; none: nobody does."""
        with self._database.reading() as rows:
            text = rows.latest(checks.map_key(rows, *_STUDY)).get("blinding")
        value = history.read_value("blinding", text)
        return value.readers if isinstance(value, Blinding) else ()

    def save_blinding(self, readers: Sequence[str], reader: str) -> None:
        """Let some readers read blind from now on; none: end it. What was before stays in the history.

        Parameters
        ----------
        readers : sequence of str
            Two or more, or none.
        reader : str
            Who decides.

        Raises
        ------
        LesionmapError
            If a name is not one.
        """
        value = Blinding(tuple(checks.reader_name(name) for name in readers)) if readers else None
        self._put(_STUDY, reader, {"blinding": value})

    def study_history(self) -> tuple[Edit, ...]:
        """Give all edits of what holds for the whole study, oldest first."""
        return self._edits(_STUDY)
