"""The history of a map in words, a row for each step: each value is compared with the one before."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from lesionmap.clinic import Observation, Treatment
from lesionmap.lesions import Answer, Blinding, Lesion
from lesionmap.skeleton import known
from lesionmap.skeleton.placement import Placement
from lesionmap.store.history import VisitConflict, facts, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from lesionmap.lesions import Extent
    from lesionmap.skeleton.placement import PlacedLandmark
    from lesionmap.store.history import Conflict, Edit, Value

__all__ = ["HistoryRow", "conflict_words", "history_words"]

_MOVED_MM = 0.05  # a landmark that is given again to a tenth of a millimetre was not moved


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One step of the history: what is undone together."""

    step: int
    """As in ``Edit.step``."""
    time: datetime
    """When, UTC."""
    reader: str
    """Who."""
    words: str
    """What, without a full stop; several acts of one step are parted by semicolons."""
    undoes: int | None
    """Step that this one takes back."""


def history_words(edits: Sequence[Edit], *, sites: Mapping[str, str] | None = None) -> tuple[HistoryRow, ...]:
    """Say in words what the edits of one map did.

    Parameters
    ----------
    edits : sequence of Edit
        The whole history of a map, oldest first (``Study.history``): of a reader's lesion map, or of what belongs to
        the visit.
    sites : mapping of str to str, optional
        Primary site by track, from the other visits: an answer is given for a track that is not marked in this one.

    Returns
    -------
    tuple of HistoryRow
        A row a step, oldest first. An undo carries the words of the step that it takes back.
    """
    present: dict[str, Value] = {}
    rows: list[HistoryRow] = []
    said: dict[int, str] = {}
    undos: set[int] = set()
    for edits_of_step in _steps(edits):
        first = edits_of_step[0]
        changes = {edit.what: (present.get(edit.what), edit.value) for edit in edits_of_step}
        here = _track_sites(present)
        present |= {edit.what: edit.value for edit in edits_of_step}
        words = _step_words(changes, {**(sites or {}), **here, **_track_sites(present)})
        if first.undoes is not None:
            again = first.undoes in undos
            words = f"{'redo' if again else 'undo'}: {said.get(first.undoes, words)}"
            undos |= set() if again else {first.step}
        said[first.step] = words.removeprefix("undo: ").removeprefix("redo: ")
        rows.append(HistoryRow(first.step, first.time, first.reader, words, first.undoes))
    return tuple(rows)


def conflict_words(conflict: Conflict | VisitConflict) -> tuple[tuple[str, str, str], ...]:
    """Say what both did to the same thing: its name, what we did, what the others did; a row each."""
    if isinstance(conflict, VisitConflict):
        both = [_words(conflict.what, (conflict.old, value), {}) for value in (conflict.mine, conflict.theirs)]
        return ((name_of(conflict.what), both[0], both[1]),)
    old, mine, theirs = facts(conflict.old), facts(conflict.mine), facts(conflict.theirs)
    sites = {**_track_sites(old), **_track_sites(theirs), **_track_sites(mine)}

    def did(what: str, after: Value) -> str:
        return _words(what, (old.get(what), after), sites) if old.get(what) != after else "nothing"

    return tuple((name_of(what), did(what, mine.get(what)), did(what, theirs.get(what))) for what in conflict.what)


def _steps(edits: Sequence[Edit]) -> list[list[Edit]]:
    found: dict[int, list[Edit]] = {}
    for edit in sorted(edits, key=lambda edit: edit.n):
        found.setdefault(edit.step, []).append(edit)
    return list(found.values())


def _track_sites(values: Mapping[str, Value]) -> dict[str, str]:
    """Give for each track that is marked the primary site of its lesion."""
    lesions = [value for value in values.values() if isinstance(value, Lesion)]
    return {track: lesion.sites[0] for lesion in lesions for track in lesion.tracks}


def _step_words(changes: Mapping[str, tuple[Value, Value]], sites: Mapping[str, str]) -> str:
    lesions = {what: pair for what, pair in changes.items() if what.startswith("lesion/")}
    whole = _merged(lesions) or _split(lesions)
    rest = [_words(what, pair, sites) for what, pair in changes.items() if not (whole and what in lesions)]
    # A lesion that takes over a track withdraws the answer for it: that goes without saying.
    spoken = [words for words in ([whole] if whole else []) + rest if words]
    if lesions and len(spoken) > 1:
        spoken = [words for words in spoken if not words.startswith("withdrew")] or spoken
    return "; ".join(spoken)


def _ids(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _merged(lesions: Mapping[str, tuple[Value, Value]]) -> str:
    """Say which lesions became one: one that is left took over the tracks of all that went."""
    gone = {what: b for what, (b, a) in lesions.items() if isinstance(b, Lesion) and a is None}
    for what, (before, after) in lesions.items():
        if not (gone and isinstance(before, Lesion) and isinstance(after, Lesion)):
            continue
        if all(set(lesion.tracks) <= set(after.tracks) and lesion.tracks for lesion in gone.values()):
            return f"merged {_ids([_name(x) for x in (what, *gone)])}"
    return ""


def _split(lesions: Mapping[str, tuple[Value, Value]]) -> str:
    """Say which lesion became several: those that came share tracks with what it was."""
    came = {what: a for what, (b, a) in lesions.items() if b is None and isinstance(a, Lesion)}
    for what, (before, after) in lesions.items():
        if not (came and isinstance(before, Lesion) and isinstance(after, Lesion)):
            continue
        if all(set(lesion.tracks) & set(before.tracks) for lesion in came.values()):
            return f"split {_name(what)} into {_ids([_name(x) for x in (what, *came)])}"
    return ""


def _name(what: str) -> str:
    return what.partition("/")[2]


def _site(site: str) -> str:
    return known(site).name


def _words(what: str, pair: tuple[Value, Value], sites: Mapping[str, str]) -> str:
    before, after = pair
    kind = what.partition("/")[0]
    if kind == "lesion":
        return _lesion_words(_name(what), before, after)
    if kind == "answer":
        track = _name(what)
        place = _site(sites[track]) if track in sites else f"track …{track[-6:]}"
        if not isinstance(after, Answer):
            return f"withdrew the answer for {place}"
        return f"answered {place}: {after.verdict.replace('_', ' ')}"
    if kind == "placement":
        return _placement_words(before, after)
    if kind == "signed":
        return "signed" if after else "unlocked"
    return _reference_words(what, before, after) if kind == "reference" else _clinic_words(what, before, after)


def _reference_words(what: str, before: Value, after: Value) -> str:
    act = "removed" if after is None else "drew" if before is None else "changed"
    return f"{act} the reference region on {_name(what)}"


def _clinic_words(what: str, before: Value, after: Value) -> str:
    if isinstance(after, Observation):
        was = f" (was {before.value:g})" if isinstance(before, Observation) else ""
        return f"{name_of(what)}: {after.value:g}{was}"
    if isinstance(after, Blinding):
        return f"{name_of(what)} by {_ids(after.readers)}"
    if isinstance(after, Treatment):
        return f"{name_of(what)} {f'to {after.end.isoformat()}' if after.end else 'on'}"
    return f"{'ended' if what == 'blinding' else 'removed'} {name_of(what)}"


def _lesion_words(name: str, before: Value, after: Value) -> str:
    if not isinstance(after, Lesion):
        return f"removed {name}"
    if not isinstance(before, Lesion):
        sure = "" if after.certainty == "definite" else f" ({after.certainty.replace('_', ' ')})"
        return f"marked {name} at {_site(after.sites[0])}{sure}"
    said = [
        _FIELDS[field.name](name, before, after)
        for field in fields(Lesion)
        if field.name in _FIELDS and getattr(before, field.name) != getattr(after, field.name)
    ]
    return "; ".join(said)


def _placement_words(before: Value, after: Value) -> str:
    if not isinstance(after, Placement):
        return "took the placement away"
    if not isinstance(before, Placement):
        n = sum(mark.placed for mark in after.landmarks)
        return f"placed the skeleton on {n} landmark{'s' if n != 1 else ''}"
    then = {mark.name: mark for mark in before.landmarks}
    moved = [mark.name for mark in after.landmarks if mark.placed and _moved(then.get(mark.name), mark)]
    if not moved:
        return "changed the placement"
    return f"moved landmark {moved[0]}" if len(moved) == 1 else f"moved {len(moved)} landmarks"


def _moved(before: PlacedLandmark | None, after: PlacedLandmark) -> bool:
    if before is None or not before.placed:
        return True
    return max(abs(a - b) for a, b in zip(before.lps_mm, after.lps_mm, strict=True)) > _MOVED_MM


def _sites_words(name: str, before: Lesion, after: Lesion) -> str:
    del before
    return f"site of {name}: {', '.join(_site(site) for site in after.sites)}"


def _tracks_words(name: str, before: Lesion, after: Lesion) -> str:
    came = [track for track in after.tracks if track not in before.tracks]
    if came and len(after.tracks) > 1:
        return f"{name} joins {len(after.tracks)} tracks"
    return f"{name} is now on {'another track' if came else 'fewer tracks'}"


def _extents_words(name: str, before: Lesion, after: Lesion) -> str:
    then = {(x.series, x.phase): x for x in before.extents}
    now = {(x.series, x.phase): x for x in after.extents}
    said = [f"{_drawn(x, key in then)} {name} on {x.series}" for key, x in now.items() if then.get(key) != x]
    said += [f"erased {name} on {x.series}" for key, x in then.items() if key not in now]
    return "; ".join(said) or f"put the drawings of {name} in another order"


def _drawn(extent: Extent, again: bool) -> str:
    if extent.mask is not None:
        return "redrew" if again else "drew"
    return "set the marker of" if extent.marker_lps_mm is not None else "noted"


def _attributes_words(name: str, before: Lesion, after: Lesion) -> str:
    said = []
    for field in fields(after.attributes):
        value = getattr(after.attributes, field.name)
        if value != getattr(before.attributes, field.name):
            word = {True: "yes", False: "no", None: "not assessed"}.get(value, value)
            said.append(f"{field.name.replace('_', ' ')} of {name}: {word}")
    return "; ".join(said)


def _word(title: str, field: str, none: str) -> Callable[[str, Lesion, Lesion], str]:
    def words(name: str, before: Lesion, after: Lesion) -> str:
        del before
        value = getattr(after, field)
        return f"{title} of {name}: {none if value is None else value.replace('_', ' ')}"

    return words


def _note_words(name: str, before: Lesion, after: Lesion) -> str:
    return f"{'removed' if not after.note else 'wrote' if not before.note else 'changed'} the note of {name}"


_FIELDS: Mapping[str, Callable[[str, Lesion, Lesion], str]] = {
    "sites": _sites_words,
    "certainty": _word("certainty", "certainty", ""),
    "tracks": _tracks_words,
    "extents": _extents_words,
    "attributes": _attributes_words,
    "change": _word("change", "change", "as measured"),
    "physis": _word("relation to the physis", "physis", "as computed"),
    "note": _note_words,
}
