"""A definition meets a visit: each item with its value or the reason why it has none, and the sum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from lesionmap.compare import is_read
from lesionmap.scores.definition import TO_BE_CONFIRMED
from lesionmap.scores.mapped import FACTS, Told, ground_of
from lesionmap.skeleton import bones_of
from lesionmap.texts import Said, english

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lesionmap.clinic import Observation
    from lesionmap.compare import VisitFacts
    from lesionmap.lesions import Lesion
    from lesionmap.scores.definition import CutOff, Definition, Item
    from lesionmap.scores.mapped import Ground, Read, Value

__all__ = ["WITHIN_DAYS", "Score", "ScoreItem", "nearest", "score"]

WITHIN_DAYS = 30
"""An observation belongs to a visit that is not further away, unless asked otherwise (our choice)."""

_UNDECIDED = frozenset({"not_imaged", "cannot_judge", "unanswered"})


class _Seen(NamedTuple):
    """What was observed, and how far from the visit it may be."""

    observations: Sequence[Observation]
    within_days: int


@dataclass(frozen=True, slots=True)
class ScoreItem:
    """One item at one visit."""

    key: str
    words: str
    value: Value
    """None: missing."""
    points: float | None
    """None: missing, or the item has none."""
    told: str
    """Where the value comes from, or why it is missing."""


@dataclass(frozen=True, slots=True)
class Score:
    """A score at one visit, or of one unit of it."""

    name: str
    label: str
    """Title, with what is not verified of it."""
    visit: str
    unit: str
    """Bone and side, or a lesion's id; empty: the visit."""
    items: tuple[ScoreItem, ...]
    """Empty where the parts have them."""
    sum: float | None
    """None: there is no sum, or something is missing; never the sum of what is there."""
    why_no_sum: str
    missing: tuple[str, ...]
    """Items without a value (``tibia.left signal_extension``)."""
    unverified: tuple[str, ...]
    reached: Said | None = None
    """What the sum means, by the cut-off that it reaches."""
    parts: tuple[Score, ...] = ()
    """Of units, where the score is one of units."""

    @property
    def reading(self) -> str:
        """What the sum means, in English; empty: it reaches no cut-off."""
        return english().tell(self.reached) if self.reached else ""


def score(definition: Definition, results: Read, visit: str, *, within_days: int = WITHIN_DAYS) -> Score:
    """Answer the items of a score for a visit, and sum them up.

    Parameters
    ----------
    definition : Definition
        One that ships (``definitions``), or of the site (``definition_from_file``).
    results : Read
        Of one patient and reader.
    visit : str
        Its key.
    within_days : int
        Observations that are further away from the visit do not belong to it.
    """
    seen = _Seen(results.observations, within_days)
    ground = ground_of(results, visit)
    if definition.applies_to == "visit":
        return _one(definition, ground, seen)
    units = _units(definition, ground.lesions)
    grounds = [replace(ground, lesions=lesions, unit=unit) for unit, lesions in units.items()]
    parts = tuple(_one(definition, ground, seen) for ground in grounds)
    missing = tuple(f"{part.unit} {key}" for part in parts for key in part.missing) + _open(results, visit)
    sums = [part.sum for part in parts]
    known_sums = [one for one in sums if one is not None]
    why = _why_no_sum(definition, missing) or ("" if is_read(ground.facts) else "the visit was not read")
    total = sum(known_sums) if not why and len(known_sums) == len(sums) else None
    return Score(
        definition.name, definition.label, visit, "", (), total, why, missing, definition.unverified, parts=parts
    )


def _open(results: Read, visit: str) -> tuple[str, ...]:
    """Name the bones of which a lesion that counted before was not seen: a sum without them would be smaller."""
    found = []
    for course in results.courses:
        now = course.states.get(visit)
        keys = list(course.states)
        before = keys[: keys.index(visit)] if now else []
        if now and now.state in _UNDECIDED and any(course.states[key].counted for key in before):
            found.append(f"{_bone(course.site)} {now.state}")
    return tuple(dict.fromkeys(found))


def _units(definition: Definition, lesions: Iterable[Lesion]) -> dict[str, list[Lesion]]:
    """Give the lesions of each unit; one that spans bones belongs to each of them."""
    found: dict[str, list[Lesion]] = {}
    for lesion in lesions:
        names = [lesion.id] if definition.applies_to == "lesion" else dict.fromkeys(map(_bone, lesion.sites))
        for name in names:
            found.setdefault(name, []).append(lesion)
    return found


def _bone(name: str) -> str:
    """Give bone and side of a site or group; a group of several bones is a unit of its own."""
    bones = [f"{bone}.{side}" for bone, side in bones_of(name)]
    return bones[0] if len(bones) == 1 else name


def _one(definition: Definition, ground: Ground, seen: _Seen) -> Score:
    items = tuple(_answered(item, ground, seen) for item in definition.items)
    missing = tuple(item.key for item in items if item.value is None)
    why = _why_no_sum(definition, missing)
    worth = [item.points for item in items if item.points is not None]
    if not why and len(worth) < len(items):
        why = f"no points for {', '.join(item.key for item in items if item.points is None)}"
    total = None if why else sum(worth)
    reached = [cut for cut in definition.cut_offs if total is not None and total >= cut.at_least]
    highest = max(reached, key=lambda cut: cut.at_least, default=None)
    return Score(
        name=definition.name,
        label=definition.label,
        visit=ground.facts.visit.key,
        unit=ground.unit,
        items=items,
        sum=total,
        why_no_sum=why,
        missing=missing,
        unverified=definition.unverified,
        reached=_reached(highest) if highest else None,
    )


def _reached(cut: CutOff) -> Said:
    return Said("scores.reading", (("at_least", f"{cut.at_least:g}"), ("words", cut.words)))


def _why_no_sum(definition: Definition, missing: Sequence[str]) -> str:
    if not definition.has_sum:
        return "it has no sum"
    if not definition.can_sum:
        return f"grades or points are {TO_BE_CONFIRMED}"
    return f"missing: {', '.join(missing)}" if missing else ""


def _answered(item: Item, ground: Ground, seen: _Seen) -> ScoreItem:
    """Answer an item: from the map where it tells, else from the observation nearest to the visit."""
    told = FACTS[item.fact](ground) if item.origin == "map" else Told(None)
    if told.value is None:
        asked = _asked(item, ground, seen)
        told = asked if asked.value is not None or not told.why else Told(None, f"{told.why}; {asked.why}")
    points = None
    if item.points is not None and told.value is not None and not isinstance(told.value, str):
        points = item.points_of(float(told.value))
    value = told.value
    if item.kind == "grade" and item.points is not None and value is not None and points is None:
        return ScoreItem(item.key, item.words, None, None, f"{value:g} is no grade of it ({told.why})")
    return ScoreItem(item.key, item.words, value, points, told.why or "of the map")


def _asked(item: Item, ground: Ground, seen: _Seen) -> Told:
    name = f"{item.observation}@{ground.unit}" if ground.unit else item.observation
    found = nearest(seen.observations, name, ground.facts, seen.within_days)
    if found is None:
        return Told(None, f"no observation {name} within {seen.within_days} days")
    days = (found.date - ground.facts.visit.date).days
    when = "on the day" if not days else f"{abs(days)} days {'before' if days < 0 else 'after'}"
    words = f"{name} {found.value:g}, {when}"
    if item.kind != "yes_no":
        return Told(found.value, words)
    return Told(found.value >= (1.0 if item.at_least is None else item.at_least), words)


def nearest(
    observations: Iterable[Observation], item: str, facts: VisitFacts, within_days: int = WITHIN_DAYS
) -> Observation | None:
    """Give the observation of an item that is nearest to a visit, and near enough; of two as near the earlier."""
    day = facts.visit.date
    near = [one for one in observations if one.item == item and abs((one.date - day).days) <= within_days]
    return min(near, key=lambda one: (abs((one.date - day).days), one.date), default=None)
