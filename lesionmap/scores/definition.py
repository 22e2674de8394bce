"""Score definitions: data files that say what is asked, what it is worth, and which of it is verified."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from lesionmap.errors import LesionmapError
from lesionmap.scores.mapped import FACTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["TO_BE_CONFIRMED", "CutOff", "Definition", "Item", "definition_from_file", "definitions"]

AppliesTo = Literal["visit", "bone_unit", "lesion"]
Kind = Literal["yes_no", "grade", "number", "fact"]

TO_BE_CONFIRMED = "to be confirmed by the site"
_SHIPPED = ("simple_counts", "rinbo", "jansson", "eular_acr_2025", "cromris_type")
_DEFINITION_KEYS = {"name", "title", "source", "applies_to", "sum", "range", "range_verified", "cut_off", "item"}
_ITEM_KEYS = {"key", "words", "kind", "from", "fact", "observation", "at_least", "odds_ratio", "grades", "points"}
_ITEM_KEYS |= {"verified", "why"}
_CUT_OFF_KEYS = {"at_least", "words", "verified", "why"}


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a score."""

    key: str
    words: str
    kind: Kind
    origin: Literal["map", "asked"]
    """Computed of the lesion map (and asked where that does not tell), or asked."""
    verified: bool
    """Whether the question and what it is worth stand in the source."""
    why: str = ""
    """Why it is not verified."""
    fact: str = ""
    """What of the map; a name of ``mapped.FACTS``."""
    observation: str = ""
    """Item of the patient's observations that answers it."""
    at_least: float | None = None
    """Observation from which on a yes_no item is *yes*; None: it is yes or no itself."""
    odds_ratio: float | None = None
    """As published, where it was."""
    points: tuple[tuple[float, float], ...] | None = None
    """(value, points) of each answer; of a number (from here on, points). None: it has no points, or none are known."""
    unconfirmed: bool = False
    """True where grades or points are to be confirmed by the site."""

    def points_of(self, value: float) -> float | None:
        """Give the points of a value; None where it has none."""
        steps = self.points or ()
        if self.kind == "number":
            return next((worth for low, worth in reversed(steps) if value >= low), None)
        return next((worth for answer, worth in steps if answer == value), None)


@dataclass(frozen=True, slots=True)
class CutOff:
    """What a sum from here on means."""

    at_least: float
    words: str
    verified: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """A score: its items, how they are summed, and where it stands written."""

    name: str
    title: str
    source: str
    """Citation."""
    applies_to: AppliesTo
    items: tuple[Item, ...]
    has_sum: bool
    range: tuple[float, float] | None = None
    """Smallest and largest sum as published; of one unit, where it applies to units."""
    range_verified: bool = False
    cut_offs: tuple[CutOff, ...] = ()

    @property
    def can_sum(self) -> bool:
        """True if it has a sum and all that is summed has its points."""
        return self.has_sum and not any(item.unconfirmed for item in self.items)

    @property
    def unverified(self) -> tuple[str, ...]:
        """What of it is not verified, each reason once."""
        reasons = [item.why for item in self.items if not item.verified]
        reasons += [f"cut-off {cut.at_least:g}: {cut.why}" for cut in self.cut_offs if not cut.verified]
        reasons += ["the range is not verified"] * (self.range is not None and not self.range_verified)
        return tuple(dict.fromkeys(reasons))

    @property
    def label(self) -> str:
        """The title, with whatever of it is not verified: so it is printed."""
        return f"{self.title} ({'; '.join(self.unverified)})" if self.unverified else self.title


@cache
def definitions() -> Mapping[str, Definition]:
    """Give the definitions that ship, by name."""
    folder = files("lesionmap.scores")
    texts = {name: (folder / f"{name}.toml").read_text(encoding="utf-8") for name in _SHIPPED}
    return MappingProxyType({name: _definition(text, f"{name}.toml") for name, text in texts.items()})


def definition_from_file(path: str | Path) -> Definition:
    """Read a definition of the site's own, in the form of those that ship.

    Raises
    ------
    LesionmapError
        If it is not such a file; the message names what was expected.
    """
    file = Path(path)
    try:
        return _definition(file.read_text(encoding="utf-8"), file.name)
    except OSError as error:
        raise LesionmapError(f"score {file.name}: the file cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise LesionmapError(f"score {file.name}: expected TOML in UTF-8, {error}") from error


def _definition(text: str, file: str) -> Definition:
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LesionmapError(f"score {file}: expected TOML, {error}") from error
    _check_keys(table, _DEFINITION_KEYS, {"name", "title", "source", "applies_to", "item"}, f"score {file}")
    for key in ("name", "title", "source"):
        _text(table, key, f"score {file}")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", table["name"]):
        raise LesionmapError(
            f"score {file}: a name in small letters, digits and '_' was expected, got {table['name']!r}"
        )
    if table["applies_to"] not in get_args(AppliesTo):
        raise LesionmapError(
            f"score {file}: applies_to is {', '.join(get_args(AppliesTo))}, got {table['applies_to']!r}"
        )
    made = Definition(
        name=table["name"],
        title=table["title"],
        source=table["source"],
        applies_to=table["applies_to"],
        items=tuple(_item(row, file) for row in _rows(table, "item", file)),
        has_sum=_truth(table, "sum", f"score {file}"),
        range=_range(table.get("range"), file),
        range_verified=_truth(table, "range_verified", f"score {file}"),
        cut_offs=tuple(_cut_off(row, file) for row in _rows(table, "cut_off", file)),
    )
    _check_whole(made, file)
    return made


def _check_whole(made: Definition, file: str) -> None:
    """Check what holds between the items: each once, points where they are summed, the published maximum."""
    keys = [item.key for item in made.items]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice or not keys:
        raise LesionmapError(f"score {file}: each item stands once, got {', '.join(twice) or 'none'}; correct the file")
    if not made.has_sum:
        return
    bare = [item.key for item in made.items if item.points is None and not item.unconfirmed]
    if bare:
        raise LesionmapError(
            f"score {file}: a sum needs points for each item, {', '.join(bare)} has none; "
            f'give them, or points = "{TO_BE_CONFIRMED}"'
        )
    if made.range and made.can_sum:
        most = sum(max(worth for _, worth in item.points or ()) for item in made.items)
        if most > made.range[1]:
            raise LesionmapError(f"score {file}: points reach {most:g}, the range ends at {made.range[1]:g}")


def _item(row: Mapping[str, Any], file: str) -> Item:
    where = f"score {file}: item {row.get('key', '?')!r}"
    _check_keys(row, _ITEM_KEYS, {"key", "words", "kind", "from", "verified"}, where)
    _text(row, "key", where)
    _text(row, "words", where)
    if row["kind"] not in get_args(Kind) or row["from"] not in ("map", "asked"):
        raise LesionmapError(
            f"{where}: kind is {', '.join(get_args(Kind))}, from is map or asked, got {row['kind']!r} {row['from']!r}"
        )
    for key in set(row) & {"fact", "observation"}:
        _text(row, key, where)
    fact = row.get("fact", "")
    if (row["from"] == "map") != (fact in FACTS):
        raise LesionmapError(
            f'{where}: from = "map" needs a fact, one of {", ".join(FACTS)}, and from = "asked" none, got {fact!r}'
        )
    verified = _truth(row, "verified", where)
    if not verified:
        _text(row, "why", where)
    return Item(
        key=row["key"],
        words=row["words"],
        kind=row["kind"],
        origin=row["from"],
        verified=verified,
        why=row.get("why", ""),
        fact=fact,
        observation=row.get("observation", row["key"]),
        at_least=_maybe_number(row, "at_least", where),
        odds_ratio=_maybe_number(row, "odds_ratio", where),
        points=_points(row, where),
        unconfirmed=TO_BE_CONFIRMED in (row.get("grades"), row.get("points")),
    )


def _points(row: Mapping[str, Any], where: str) -> tuple[tuple[float, float], ...] | None:
    """Read what each answer is worth: a number for *yes*, a grade's own points, steps of a number."""
    kind = row["kind"]
    told = row.get("grades" if kind == "grade" else "points")
    if told is None or told == TO_BE_CONFIRMED:
        if kind == "grade" and told is None:
            raise LesionmapError(f'{where}: a grade needs grades, a list or "{TO_BE_CONFIRMED}"')
        return None
    if kind == "yes_no":
        return ((0.0, 0.0), (1.0, _number(told, f"{where}: points")))
    if kind == "fact" or not isinstance(told, list):
        raise LesionmapError(f"{where}: points of kind {kind} are not a thing, or no list, got {told!r}")
    pairs = [_grade(one, where) if kind == "grade" else _step(one, where) for one in told]
    values = [value for value, _ in pairs]
    if not pairs or values != sorted(set(values)):
        raise LesionmapError(f"{where}: values that rise were expected, got {values}")
    return tuple(pairs)


def _grade(one: object, where: str) -> tuple[float, float]:
    if not isinstance(one, dict) or not {"value", "words"} <= set(one) <= {"value", "words", "points"}:
        raise LesionmapError(f"{where}: a grade has value, words and perhaps points, got {one!r}")
    value = _number(one["value"], f"{where}: value")
    return value, _number(one.get("points", value), f"{where}: points")


def _step(one: object, where: str) -> tuple[float, float]:
    if not isinstance(one, list) or len(one) != 2:
        raise LesionmapError(f"{where}: points of a number are pairs [from here on, points], got {one!r}")
    return _number(one[0], where), _number(one[1], where)


def _cut_off(row: Mapping[str, Any], file: str) -> CutOff:
    where = f"score {file}: cut_off"
    _check_keys(row, _CUT_OFF_KEYS, {"at_least", "words", "verified"}, where)
    _text(row, "words", where)
    verified = _truth(row, "verified", where)
    if not verified:
        _text(row, "why", where)
    return CutOff(_number(row["at_least"], where), row["words"], verified, row.get("why", ""))


def _range(told: object, file: str) -> tuple[float, float] | None:
    if told is None:
        return None
    if not isinstance(told, list) or len(told) != 2:
        raise LesionmapError(f"score {file}: range is [smallest, largest], got {told!r}")
    low, high = (_number(one, f"score {file}: range") for one in told)
    if low >= high:
        raise LesionmapError(f"score {file}: range is [smallest, largest], got {told!r}")
    return low, high


def _rows(table: Mapping[str, Any], key: str, file: str) -> Iterable[Mapping[str, Any]]:
    rows = table.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise LesionmapError(f"score {file}: {key} is a list of tables, [[{key}]]")
    return rows


def _check_keys(row: Mapping[str, Any], allowed: set[str], needed: set[str], where: str) -> None:
    unknown, missing = sorted(set(row) - allowed), sorted(needed - set(row))
    if unknown:
        raise LesionmapError(f"{where}: unknown {', '.join(unknown)}; there are: {', '.join(sorted(allowed))}")
    if missing:
        raise LesionmapError(f"{where}: {', '.join(missing)} missing")


def _text(row: Mapping[str, Any], key: str, where: str) -> None:
    if not isinstance(row.get(key), str) or not row[key].strip():
        raise LesionmapError(f"{where}: {key} is a text, got {row.get(key)!r}")


def _truth(row: Mapping[str, Any], key: str, where: str) -> bool:
    value = row.get(key, False)
    if not isinstance(value, bool):
        raise LesionmapError(f"{where}: {key} is true or false, got {value!r}")
    return value


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise LesionmapError(f"{where}: a number was expected, got {value!r}")
    return float(value)


def _maybe_number(row: Mapping[str, Any], key: str, where: str) -> float | None:
    return _number(row[key], f"{where}: {key}") if key in row else None
