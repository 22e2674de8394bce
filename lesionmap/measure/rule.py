"""What counts as one lesion: CountRule, the rules that ship, rules from files."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Certainty
from lesionmap.texts import english

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lesionmap.texts import Texts

__all__ = ["RULES", "CountRule", "rule_from_file", "rule_named"]


@dataclass(frozen=True, slots=True)
class CountRule:
    """What counts as one lesion.

    No published rule for children with CNO was found; papers that count epiphysis and metaphysis apart (Fritz 2009,
    Andronikou 2019) reach higher numbers than the default does.

    Examples
    --------
    >>> CountRule().sentence
    'Counted (rule "default"): definite and probable lesions of any size; a lesion that crosses a physis is one; each \
vertebra on its own; hands and feet counted.'
    """

    name: str = "default"
    certainties: tuple[Certainty, ...] = ("definite", "probable")
    """Those that are counted."""
    smallest_ml: float | None = None
    """Smaller lesions are not counted; None: no smallest size. A volume that is not known is not small."""
    physis: Literal["joined", "apart"] = "joined"
    """A lesion that crosses a physis is one lesion, or one on either side of it."""
    hands_feet: Literal["counted", "left_out"] = "counted"
    """Lesions of hands and feet; the count without them is given beside either."""

    def __post_init__(self) -> None:
        unknown = [word for word in self.certainties if word not in get_args(Certainty)]
        if unknown or not self.certainties:
            raise LesionmapError(
                f"count rule {self.name!r}: certainties are one or more of {', '.join(get_args(Certainty))}, "
                f"got {', '.join(map(str, unknown)) or 'none'}"
            )
        if self.smallest_ml is not None and not 0 < self.smallest_ml < float("inf"):
            raise LesionmapError(
                f"count rule {self.name!r}: smallest_ml is above 0 or left out, got {self.smallest_ml}"
            )
        for word, value, allowed in (
            ("physis", self.physis, ("joined", "apart")),
            ("hands_feet", self.hands_feet, ("counted", "left_out")),
        ):
            if value not in allowed:
                raise LesionmapError(f"count rule {self.name!r}: {word} is {' or '.join(allowed)}, got {value!r}")

    @property
    def sentence(self) -> str:
        """The rule in words, to be printed beside a count; in English."""
        return self.told(english())

    def told(self, texts: Texts) -> str:
        """Give the rule in the words of a language."""
        say, small = texts.say, self.smallest_ml
        *words, last = [texts.name("certainty", word) for word in self.certainties]
        return say(
            "rule.sentence",
            name=self.name,
            certainties=say("list.and", names=", ".join(words), last=last) if words else last,
            size=say("rule.any_size") if small is None else say("rule.least_size", ml=f"{small:g}"),
            physis=texts.name("rule", self.physis),
            hands=texts.name("rule", self.hands_feet),
        )


RULES: Mapping[str, CountRule] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            CountRule(),
            CountRule("epiphysis_apart", physis="apart"),
            CountRule("definite_only", certainties=("definite",)),
            CountRule("without_hands_feet", hands_feet="left_out"),
        )
    }
)
"""The rules that ship, by name."""


def rule_named(name: str) -> CountRule:
    """Give the rule of that name, or of that TOML file.

    Raises
    ------
    LesionmapError
        If no rule ships by that name and it is not a file, or the file is not a rule.
    """
    if name in RULES:
        return RULES[name]
    if Path(name).suffix == ".toml" or Path(name).is_file():
        return rule_from_file(name)
    raise LesionmapError(f"count rule {name!r} is not known; it is one of {', '.join(RULES)}, or a TOML file")


def rule_from_file(path: str | Path) -> CountRule:
    """Read a rule from a TOML file: ``name`` and any of ``certainties``, ``smallest_ml``, ``physis``, ``hands_feet``.

    Raises
    ------
    LesionmapError
        If the file cannot be read, or holds an unknown key or a value that is not allowed.
    """
    file = Path(path)
    try:
        row: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise LesionmapError(f"count rule {file.name}: the file cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LesionmapError(f"count rule {file.name}: expected TOML, {error}") from error
    names = [field.name for field in fields(CountRule)]
    unknown = sorted(set(row) - set(names))
    if unknown:
        raise LesionmapError(f"count rule {file.name}: unknown {', '.join(unknown)}; a rule has {', '.join(names)}")
    _check_types(file.name, row)
    row["certainties"] = tuple(row.get("certainties", CountRule().certainties))
    return CountRule(**({"name": file.stem} | row))


def _check_types(file: str, row: Mapping[str, Any]) -> None:
    expected: dict[str, tuple[tuple[type, ...], str]] = {
        "name": ((str,), "a text"),
        "certainties": ((list,), 'a list such as ["definite", "probable"]'),
        "smallest_ml": ((int, float), "a number of millilitres"),
        "physis": ((str,), '"joined" or "apart"'),
        "hands_feet": ((str,), '"counted" or "left_out"'),
    }
    for name, value in row.items():
        types, words = expected[name]
        if not isinstance(value, types) or isinstance(value, bool):
            raise LesionmapError(f"count rule {file}: {name} must be {words}, got {value!r}")
