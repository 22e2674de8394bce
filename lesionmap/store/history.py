"""The history of a map, as pure functions of its edits: changes, titles, what undo and redo act on, conflicts."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from lesionmap.clinic import Observation, Treatment
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Answer, Blinding, Lesion, LesionMap
from lesionmap.skeleton.placement import Placement
from lesionmap.store import plain
from lesionmap.visits import Reference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

__all__ = [
    "Conflict",
    "Edit",
    "Log",
    "Value",
    "VisitConflict",
    "change_title",
    "changes",
    "facts",
    "name_of",
    "read_value",
    "stacks",
    "titles",
    "write_value",
]

Value: TypeAlias = Lesion | Answer | Placement | Reference | Treatment | Observation | Blinding | bool | None
"""What an edit can hold; None: removed, withdrawn, unlocked."""

_KINDS: dict[str, type] = {
    "lesion": Lesion,
    "answer": Answer,
    "signed": bool,
    "placement": Placement,
    "reference": Reference,
    "treatment": Treatment,
    "observation": Observation,
    "blinding": Blinding,
}
_IN_PARTS = (Lesion, Answer, Treatment, Observation)
_FIELD_WORDS = {"sites": "site", "tracks": "track", "extents": "drawing"}


@dataclass(frozen=True, slots=True)
class Edit:
    """One row of the history."""

    n: int
    """Its place in the map's history, from 1. Order is by ``n``, never by time."""
    step: int
    """``n`` of the first edit of the same save: edits of one step are undone together."""
    what: str
    """``lesion/L3``, ``answer/<track>``, ``signed``, ``placement``, ``reference/<series>``,
    ``treatment/<first day>/<drug>``, ``observation/<day>/<item>``, ``blinding``."""
    value: Value
    """The value from then on; None: removed."""
    title: str
    """For the reader: ``change lesion 3: certainty``, ``undo: add lesion 3``."""
    reader: str
    """Who did it."""
    time: datetime
    """When, UTC, by the clock of the machine that did it."""
    version: str
    """Of lesionmap."""
    undoes: int | None = None
    """Step that this one takes back; None for an edit of its own."""


class Log(NamedTuple):
    """An edit without its value, as undo and redo need it."""

    n: int
    step: int
    undoes: int | None
    what: str


class Conflict(LesionmapError):  # noqa: N818 - the word of the design
    """Somebody else changed the same thing meanwhile. Nothing was written and nothing is lost.

    The other version is in the store, ours is in ``mine``: to keep ours, save ``merged`` on top of ``theirs``, which
    stays in the history.
    """

    def __init__(self, old: LesionMap, mine: LesionMap, theirs: LesionMap, what: Sequence[str]) -> None:
        self.old = old
        """The map that both began with."""
        self.mine = mine
        """The map that was to be saved."""
        self.theirs = theirs
        """The map as it is in the store now."""
        self.what = tuple(what)
        """The keys that both changed: ``lesion/L3`` …"""
        names = ", ".join(name_of(key) for key in self.what)
        super().__init__(
            f"another window changed {names} of visit {mine.visit} meanwhile; nothing was saved and both versions are "
            "kept: compare them and save again"
        )

    @property
    def merged(self) -> LesionMap:
        """The map as it is in the store, with all that we changed on top of it.

        A lesion that we added under a number that was given meanwhile gets the next number, so that both are there.
        """
        found = facts(self.theirs)
        top = max(self.mine.used, self.theirs.used, *(_number(key) for key in (*found, *facts(self.mine))), 0)
        for key, (before, after) in changes(self.old, self.mine).items():
            if isinstance(after, Lesion) and before is None and found.get(key) not in (None, after):
                top += 1
                found[f"lesion/L{top}"] = replace(after, id=f"L{top}")
            else:
                found[key] = after
        lesions = tuple(value for value in found.values() if isinstance(value, Lesion))
        answers = tuple(value for value in found.values() if isinstance(value, Answer))
        return replace(self.theirs, lesions=lesions, answers=answers, signed=bool(found.get("signed")))


class VisitConflict(LesionmapError):  # noqa: N818 - as above
    """Somebody else changed the placement or a reference region of a visit meanwhile. Nothing was written.

    To keep ours, save ``mine`` over ``theirs``, which stays in the history.
    """

    def __init__(self, visit: str, what: str, old: Value, mine: Value, theirs: Value) -> None:
        self.what = what
        """``placement`` or ``reference/<series>``."""
        self.old, self.mine, self.theirs = old, mine, theirs
        """The value that both began with, the one that was to be saved, the one that is in the study now."""
        super().__init__(
            f"another window changed {name_of(what)} of visit {visit} meanwhile; nothing was saved: look at it, and do "
            "it again"
        )


def _number(key: str) -> int:
    number = key.removeprefix("lesion/L")
    return int(number) if number.isascii() and number.isdecimal() else 0


def facts(lesion_map: LesionMap) -> dict[str, Value]:
    """Give what a map holds, by key.

    Raises
    ------
    LesionmapError
        If two lesions have one id, or two answers one track.
    """
    found: dict[str, Value] = {}
    all_of_it: list[tuple[str, Value]] = [(f"lesion/{lesion.id}", lesion) for lesion in lesion_map.lesions]
    all_of_it += [(f"answer/{answer.track}", answer) for answer in lesion_map.answers]
    for key, value in all_of_it:
        if key in found:
            raise LesionmapError(f"a map holds each lesion and each answer once, got {name_of(key)} twice")
        found[key] = value
    if lesion_map.signed:
        found["signed"] = True
    return found


def changes(old: LesionMap, new: LesionMap) -> dict[str, tuple[Value, Value]]:
    """Give key → (value before, value after) of what differs; signing comes last, unlocking first."""
    before, after = facts(old), facts(new)
    keys = [key for key in (*after, *(key for key in before if key not in after)) if key != "signed"]
    keys = [*keys, "signed"] if new.signed else ["signed", *keys]
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}


def read_value(what: str, text: str | None) -> Value:
    """Read the stored text of an edit of that key."""
    if text is None:
        return None
    value: Value = plain.loads(text, _KINDS[what.partition("/")[0]])
    return value


def write_value(what: str, value: Value) -> str | None:
    """Write a value of that key as text for the store."""
    return None if value is None else plain.dumps(value, _KINDS[what.partition("/")[0]])


def name_of(what: str) -> str:
    """Name what an edit is about, for the reader."""
    kind, _, name = what.partition("/")
    if kind == "lesion":
        return f"lesion {name.removeprefix('L')}"
    if kind == "answer":
        return f"the answer on track …{name[-6:]}"
    if kind == "reference":
        return f"the reference on {name}"
    if kind in ("treatment", "observation"):
        day, _, thing = name.partition("/")
        return f"{thing} {'from' if kind == 'treatment' else 'of'} {day}"
    return {"signed": "the signature", "placement": "the placement", "blinding": "blind reading"}[kind]


def change_title(what: str, before: Value, after: Value) -> str:
    """Say for the reader what an edit did.

    Examples
    --------
    >>> change_title("signed", None, True)
    'sign'
    """
    if what == "signed":
        return "sign" if after else "unlock"
    if what == "placement" and before is None:
        return "place the skeleton"
    if what == "blinding":
        return f"read blind: {', '.join(after.readers)}" if isinstance(after, Blinding) else "end blind reading"
    if before is None:
        said = f": {after.verdict.replace('_', ' ')}" if isinstance(after, Answer) else ""
        return f"add {name_of(what)}{said}"
    if after is None:
        return f"remove {name_of(what)}"
    said = (
        f": {', '.join(_differing(before, after))}"
        if isinstance(after, Lesion | Answer | Treatment | Observation)
        else ""
    )
    return f"change {name_of(what)}{said}"


def _differing(before: Value, after: Lesion | Answer | Treatment | Observation) -> Iterable[str]:
    for field in fields(after):
        if getattr(before, field.name, None) != getattr(after, field.name):
            yield _FIELD_WORDS.get(field.name, field.name)


def stacks(log: Iterable[Log]) -> tuple[list[int], list[int]]:
    """Give the steps that undo and redo act on, the next one last.

    An edit of its own clears what could be redone. An undo takes the last step off the first list and joins the
    second; a redo, the other way round.
    """
    done: list[int] = []
    undone: list[int] = []
    for row in log:
        if row.n != row.step:
            continue
        if row.undoes is None:
            done.append(row.step)
            undone.clear()
        elif done and row.undoes == done[-1]:
            done.pop()
            undone.append(row.step)
        elif undone:
            undone.pop()
            done.append(row.step)
    return done, undone


def titles(rows: Sequence[tuple[Log, Value]]) -> Mapping[int, str]:
    """Give n → title of the whole history of a map."""
    found: dict[int, str] = {}
    plain_titles: dict[tuple[int, str], str] = {}
    undos: set[int] = set()
    present: dict[str, Value] = {}
    for row, value in rows:
        title = change_title(row.what, present.get(row.what), value)
        present[row.what] = value
        prefix = ""
        if row.undoes is not None:
            title = plain_titles.get((row.undoes, row.what), title)
            prefix = "redo: " if row.undoes in undos else "undo: "
            if row.undoes not in undos:
                undos.add(row.step)
        plain_titles[row.step, row.what] = title
        found[row.n] = prefix + title
    return found
