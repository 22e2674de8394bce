"""What the clinic knows beside the images: treatments, and what was measured, asked or judged on a day."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from lesionmap.errors import LesionmapError
from lesionmap.skeleton import known

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

__all__ = ["ClinicItem", "Observation", "Treatment", "clinic_items", "item_named", "items_from_file", "value_words"]


@dataclass(frozen=True, slots=True)
class Treatment:
    """A drug over a time."""

    drug: str
    start: date
    end: date | None = None
    """The last day; None: it goes on, or its end is not known."""

    def __post_init__(self) -> None:
        if not self.drug.strip():
            raise LesionmapError("a treatment needs the name of its drug, got none")
        if self.end is not None and self.end < self.start:
            raise LesionmapError(f"a treatment ends after it starts, got {self.start} to {self.end}; exchange them")

    def runs_on(self, day: date) -> bool:
        """Say whether it runs on a day; one without an end goes on."""
        return self.start <= day and (self.end is None or day <= self.end)


@dataclass(frozen=True, slots=True)
class Observation:
    """One item on a day: a laboratory value, a mark on a scale, or yes (1) and no (0)."""

    date: date
    item: str
    """Name with its unit, in snake_case: ``esr_mm_h crp_mg_l pain_0_10 physician_global_0_10``; any item that a
    score asks for. Of one bone: ``signal_extension@tibia.left``."""
    value: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise LesionmapError(f"{self.item} needs a number, got {self.value}; leave out what is not known")


@dataclass(frozen=True, slots=True)
class ClinicItem:
    """What can be observed, and what is believed of it."""

    name: str
    words: str
    unit: str = ""
    kind: Literal["number", "yes_no"] = "number"
    low: float | None = None
    """The smallest value that is believed; None: no limit."""
    high: float | None = None
    per: Literal["", "bone"] = ""
    """``bone``: asked of one bone, ``name@bone.side``."""

    @property
    def allowed(self) -> str:
        """What a value must be, in words."""
        if self.kind == "yes_no":
            return "yes or no (1 or 0)"
        low, high = ("" if x is None else f"{x:g}" for x in (self.low, self.high))
        unit = f" {self.unit}" if self.unit and " to " not in self.unit else ""
        if low and high:
            return f"a number from {low} to {high}{unit}"
        return (
            f"a number of at least {low}{unit}" if low else f"a number of at most {high}{unit}" if high else "a number"
        )

    def allows(self, value: float) -> bool:
        """Say whether a value is believed."""
        if self.kind == "yes_no":
            return value in (0.0, 1.0)
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@cache
def clinic_items() -> Mapping[str, ClinicItem]:
    """Give the items that are known, by name."""
    return _items((files("lesionmap") / "clinic_items.toml").read_text(encoding="utf-8"), "clinic_items.toml")


def items_from_file(path: str | Path) -> Mapping[str, ClinicItem]:
    """Read further items from a TOML file of the site, in the form of ``clinic_items.toml``.

    Raises
    ------
    LesionmapError
        If it is not such a file.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise LesionmapError(f"items {file.name}: the file cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise LesionmapError(f"items {file.name}: expected TOML in UTF-8, {error}") from error
    return _items(text, file.name)


def _items(text: str, file: str) -> Mapping[str, ClinicItem]:
    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise LesionmapError(f"items {file}: expected TOML, {error}") from error
    rows = table.get("item")
    if set(table) != {"item"} or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise LesionmapError(f"items {file}: a list 'item' was expected, nothing else, got {', '.join(table) or '-'}")
    names = [field.name for field in fields(ClinicItem)]
    found: dict[str, ClinicItem] = {}
    for row in rows:
        unknown = sorted(set(row) - set(names))
        if unknown or not {"name", "words"} <= set(row):
            raise LesionmapError(
                f"items {file}: an item has name, words and any of {', '.join(names[2:])}, got {', '.join(row)}"
            )
        if not all(isinstance(row.get(name, ""), str) for name in ("name", "words", "unit", "kind", "per")):
            raise LesionmapError(f"items {file}: name, words, unit, kind and per are texts, got {list(row.values())}")
        item = ClinicItem(**row)
        _check_item(item, file)
        if item.name in found:
            raise LesionmapError(f"items {file}: item {item.name!r} occurs twice; each may stand once")
        found[item.name] = item
    return MappingProxyType(found)


def _check_item(item: ClinicItem, file: str) -> None:
    numbers = [x for x in (item.low, item.high) if x is not None]
    sound = item.name.isidentifier() and item.name == item.name.lower()
    if not sound or item.kind not in ("number", "yes_no") or item.per not in ("", "bone"):
        raise LesionmapError(
            f"items {file}: a name in small letters and '_', kind number or yes_no, per bone or nothing were expected, "
            f"got {item.name!r}, {item.kind!r}, {item.per!r}"
        )
    if any(isinstance(x, bool) or not isinstance(x, (int, float)) for x in numbers) or numbers != sorted(numbers):
        raise LesionmapError(f"items {file}: low and high of {item.name!r} are numbers in that order, got {numbers}")


def item_named(name: str, items: Mapping[str, ClinicItem]) -> ClinicItem:
    """Give the item of an observation's name, ``esr_mm_h`` or ``signal_extension@tibia.left``.

    Raises
    ------
    LesionmapError
        If there is none, or the part behind ``@`` is no bone.
    """
    plain, at, place = name.partition("@")
    item = items.get(plain)
    if item is None:
        near = get_close_matches(plain, items, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(items)}"
        raise LesionmapError(f"item {name!r} is not known; {hint}")
    if bool(at) != (item.per == "bone"):
        needed = f"name its bone, {plain}@tibia.left" if item.per else f"write {plain!r} without a bone"
        raise LesionmapError(f"item {name!r} is not known; {needed}")
    if at:
        known(place)
    return item


def value_words(observation: Observation) -> str:
    """Write the value of an observation: a number, or yes or no."""
    item = clinic_items().get(observation.item.partition("@")[0])
    if item is not None and item.kind == "yes_no":
        return "yes" if observation.value else "no"
    return f"{observation.value:g}"
