"""The append-only table of edits as a study uses it: append, undo, redo, list. What an edit is about, others say."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar, cast

from lesionmap.errors import LesionmapError
from lesionmap.store import checks, history
from lesionmap.store.history import Edit, VisitConflict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lesionmap.store.database import Database, LostError
    from lesionmap.store.history import Value
    from lesionmap.store.rows import Rows

__all__ = ["Edits", "Step", "Where", "now_utc"]

_TRIES = 20
_T = TypeVar("_T")

Where: TypeAlias = tuple[str | None, str | None, str | None]
"""Patient, visit, reader: a reader's map; without reader what belongs to the visit, without visit to the patient,
without patient to the study."""


class Step(NamedTuple):
    """What one save appends."""

    values: dict[str, str | None]
    undoes: int | None = None


def now_utc() -> datetime:
    """Give the time, UTC."""
    return datetime.now(UTC)


class _Sent(NamedTuple):
    """Edits of one step with their numbers, as ``Rows.append`` takes them."""

    key: str
    after: int
    values: dict[str, str | None]
    same: dict[str, str | int | None]


class _Added(NamedTuple):
    """What one transaction has added, and the mark that is stored with it."""

    mark: str
    result: object


class Edits:
    """A database whose edits are appended, never changed."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = now_utc) -> None:
        self._database = database
        self.path = database.path
        """The file; None for a server."""
        self._clock = clock
        self._unanswered: dict[str, _Added] = {}  # what is asked for → what was sent, where nobody knows its end
        with database.reading() as rows:
            self._salt = rows.salt()

    def _put(self, where: Where, reader: str, values: dict[str, Value], over: Mapping[str, Value] | None = None) -> int:
        """Append those of the values, what → value, that differ from what is there, in one step; give their number.

        ``over`` are the values that they take the place of: where others are there now, VisitConflict.
        """

        def decide(rows: Rows, key: str) -> Step:
            latest = rows.latest(key)
            for what, old in (over or {}).items():
                texts = [history.write_value(what, value) for value in (old, values[what])]
                if latest.get(what) not in texts:
                    theirs = history.read_value(what, latest.get(what))
                    raise VisitConflict(str(where[1]), what, old, values[what], theirs)
            differing = {
                what: value for what, value in values.items() if history.read_value(what, latest.get(what)) != value
            }
            return Step({what: history.write_value(what, value) for what, value in differing.items()})

        return self._append(where, reader, decide)

    def _edits(self, where: Where) -> tuple[Edit, ...]:
        with self._database.reading() as rows:
            found = rows.history(checks.map_key(rows, *where))
        logs = [history.Log(row["n"], row["step"], row["undoes"], row["what"]) for row in found]
        values = [history.read_value(row["what"], row["value"]) for row in found]
        titles = history.titles(list(zip(logs, values, strict=True)))
        return tuple(
            Edit(
                row["n"], row["step"], row["what"], value, titles[row["n"]], row["reader"],
                datetime.fromisoformat(row["time"]), row["version"], row["undoes"],
            )
            for row, value in zip(found, values, strict=True)
        )  # fmt: skip

    def _turn(self, where: Where, reader: str, *, back: bool) -> None:
        def decide(rows: Rows, key: str) -> Step:
            log = rows.log(key)
            steps = history.stacks(log)[0 if back else 1]
            if not steps:
                raise LesionmapError(f"there is nothing to {'undo' if back else 'redo'} in {_words(where)}")
            values: dict[str, str | None] = {}
            for row in (row for row in log if row.step == steps[-1]):
                earlier = [r.n for r in log if r.what == row.what and r.n < row.n]
                values[row.what] = rows.value(key, earlier[-1]) if earlier else None
            return Step(values, steps[-1])

        self._append(where, reader, decide)

    @contextmanager
    def _writing(self) -> Iterator[Rows]:
        from lesionmap.store.database import TakenError

        try:
            with self._database.writing() as rows:
                yield rows
        except TakenError as error:
            raise LesionmapError("another program added the same patient or visit meanwhile; do it again") from error

    def _once(self, act: str, patient: str, write: Callable[[Rows], _T]) -> _T:
        """Do in one transaction what must not be done twice, and give what ``write`` gives.

        A mark made before is stored with it. Where the commit is not answered the mark tells whether it was kept: at
        once if the server answers again, else when the same ``act`` is asked for the next time.
        """
        from lesionmap.store.database import LostError

        lost: LostError | None = None
        for _ in range(_TRIES):
            sent: _Added | None = None
            try:
                with self._writing() as rows:
                    sent = self._added(rows, act, patient, write)
            except LostError as error:
                lost = error
                if sent is not None:
                    self._unanswered[act] = sent
            except LesionmapError:
                if lost is not None and act in self._unanswered:
                    raise lost from None
                raise
            else:
                self._unanswered.pop(act, None)
                return cast("_T", sent.result)
        raise LesionmapError("the connection to the server ends with each try; look after the network, then try again")

    def _added(self, rows: Rows, act: str, patient: str, write: Callable[[Rows], object]) -> _Added:
        rows.alone(f"add to {patient}")  # a commit that is still under way comes to its end first
        before = self._unanswered.get(act)
        if before is not None and rows.identity(before.mark) is not None:
            return before
        self._unanswered.pop(act, None)
        made = _Added(secrets.token_hex(32), write(rows))
        if self.path is None:  # a file answers always
            rows.add_identity(made.mark, patient)
        return made

    def _append(self, where: Where, reader: str, decide: Callable[[Rows, str], Step]) -> int:
        """Append what ``decide`` finds to be written, in one transaction, and give the number of edits.

        The number is taken before ``decide`` looks: whatever another program commits from then on takes the number
        away, and ``decide`` looks again. So the unique key alone finds every conflict, in any database.
        """
        from lesionmap.store.database import LostError, TakenError

        checks.reader_name(reader)
        for _ in range(_TRIES):
            sent: _Sent | None = None
            try:
                with self._database.writing() as rows:
                    sent = self._decided(rows, where, reader, decide)
                    rows.append(*sent)
            except TakenError:
                continue
            except LostError as error:
                if sent is None or not self._settled(sent, error):
                    continue
            return len(sent.values)
        raise LesionmapError(f"others write to the map of {_words(where)} without a pause; try again")

    def _decided(self, rows: Rows, where: Where, reader: str, decide: Callable[[Rows, str], Step]) -> _Sent:
        from lesionmap import __version__

        key = checks.map_key(rows, *where)
        rows.alone(key)  # on a server those who write to one map queue, so that none waits for ever
        top = rows.top(key)
        step = decide(rows, key)
        time = self._clock().astimezone(UTC).isoformat(timespec="microseconds")
        same = {"undoes": step.undoes, "reader": reader, "time": time, "version": __version__}
        return _Sent(key, top, {checks.storable(what): text for what, text in step.values.items()}, same)

    def _settled(self, sent: _Sent, lost: LostError) -> bool:
        """Make sure of edits whose commit was not answered: send them once more under the same numbers.

        Either the numbers are free, then they are stored now; or they are taken, then by these edits or by others'.
        A commit that is still under way keeps the numbers, and this waits for its end.
        """
        from lesionmap.store.database import TakenError

        try:
            try:
                with self._database.writing() as rows:
                    rows.append(*sent)
            except TakenError:
                with self._database.reading() as rows:
                    return rows.holds(*sent)
        except LesionmapError:
            raise lost from None
        return True


def _words(where: Where) -> str:
    patient, visit, _ = where
    if patient is None:
        return "the study"
    return f"the clinic's facts of {patient}" if visit is None else f"visit {visit}"
