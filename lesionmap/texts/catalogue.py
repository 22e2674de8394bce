"""The catalogue of a language: sentences with places, forms for numbers, names."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Said", "Texts", "english", "places", "texts_from_file", "texts_named"]

_SHIPPED = ("en",)
_FORMS = ("zero", "one", "two", "few", "many", "other")
_PLURAL = "language.plural."
_NAMES = ("sites", "regions", "items", "score_titles")
"""Tables of names that English has elsewhere."""


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence that is not in any language yet."""

    key: str
    """Of the catalogue, ``why_not_counted.small``."""
    values: tuple[tuple[str, str | Said], ...] = ()
    """What goes into its places, by name."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The sentences and names of one language; what it has not is said in English."""

    language: str
    """Tag of the language, ``en``: for ``<html lang>``."""
    sentences: Mapping[str, str]
    """Key to sentence: ``counts.title``; forms for numbers ``tally.lesions.one``."""
    plural: Mapping[str, str]
    """Form to the regular expression of the numbers that take it."""

    def say(self, key: str, /, **values: object) -> str:
        """Give a sentence with its places filled.

        Raises
        ------
        KeyError
            If the catalogue has no such sentence, or a place is not given: a mistake of the program.
        """
        sentence = self.sentences[key] if key in self.sentences else english().sentences[key]
        return sentence.format_map(values)

    def many(self, key: str, n: int, /, **values: object) -> str:
        """Give the form of a sentence that a number takes; ``{n}`` is the number."""
        if f"{key}.other" not in self.sentences and self is not english():
            return english().many(key, n, **values)
        form = next((form for form, numbers in self.plural.items() if re.fullmatch(numbers, str(n))), "other")
        found = f"{key}.{form}"
        return self.say(found if found in self.sentences else f"{key}.other", n=n, **values)

    def name(self, table: str, word: str, /) -> str:
        """Give the word for one of a fixed set, ``name("certainty", "definite")``."""
        return self.say(f"{table}.{word}")

    def named(self, table: str, word: str, english_name: str, /) -> str:
        """Give the name that the language has for a thing, else the English one that stands with the thing."""
        return self.sentences.get(f"{table}.{word}", english_name)

    def tell(self, said: Said, /, **values: str) -> str:
        """Say in this language what was said in none; further values go before those that it holds."""
        held = {name: self.tell(one) if isinstance(one, Said) else one for name, one in said.values}
        return self.say(said.key, **{**held, **values})


@cache
def english() -> Texts:
    """Give the sentences in English, which are all there are."""
    return _shipped("en")


def texts_named(name: str) -> Texts:
    """Give the texts of a language that ships, or of a file of that form.

    Raises
    ------
    LesionmapError
        If no language ships by that name and it is not a file, or the file is not such a catalogue.
    """
    if name in _SHIPPED:
        return _shipped(name)
    if Path(name).suffix == ".toml" or Path(name).is_file():
        return texts_from_file(name)
    raise LesionmapError(f"language {name!r} is not known; it is one of {', '.join(_SHIPPED)}, or a TOML file")


def texts_from_file(path: str | Path) -> Texts:
    """Read a language from a TOML file in the form of ``en.toml``; what it leaves out stays English.

    Raises
    ------
    LesionmapError
        If the file cannot be read, has no tag, or holds a key or a place that English does not have.
    """
    file = Path(path)
    try:
        found = _texts(file.read_text(encoding="utf-8"), file.name)
    except OSError as error:
        raise LesionmapError(f"language {file.name}: the file cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise LesionmapError(f"language {file.name}: expected TOML in UTF-8, {error}") from error
    for key, sentence in found.sentences.items():
        _check(key, sentence, f"language {file.name}")
    for form, numbers in found.plural.items():
        _check_form(form, numbers, f"language {file.name}")
    return found


@cache
def _shipped(name: str) -> Texts:
    return _texts((files("lesionmap.texts") / f"{name}.toml").read_text(encoding="utf-8"), f"{name}.toml")


def _texts(text: str, file: str) -> Texts:
    try:
        rows = dict(_flat(tomllib.loads(text), file))
    except tomllib.TOMLDecodeError as error:
        raise LesionmapError(f"language {file}: expected TOML, {error}") from error
    tag = rows.pop("language.tag", "")
    if not re.fullmatch(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*", tag):
        raise LesionmapError(f'language {file}: [language] tag = "de" or the like was expected, got {tag!r}')
    plural = {key.removeprefix(_PLURAL): rows.pop(key) for key in [key for key in rows if key.startswith(_PLURAL)]}
    return Texts(tag, MappingProxyType(rows), MappingProxyType(plural))


def _flat(table: Mapping[str, Any], file: str, before: str = "") -> Iterator[tuple[str, str]]:
    """Give all texts with their keys, ``table.key``."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, file, f"{before}{name}.")
        elif isinstance(value, str):
            yield f"{before}{name}", value
        else:
            raise LesionmapError(f"language {file}: {before}{name} must be a text, got {value!r}")


def places(sentence: str) -> frozenset[str]:
    """Give the names of the places of a sentence.

    Raises
    ------
    ValueError
        If a brace stands alone, or something else than a name stands in braces.
    """
    found = list(Formatter().parse(sentence))
    names = [name for _, name, _, _ in found if name is not None]
    if any(spec or conversion for _, _, spec, conversion in found) or not all(map(str.isidentifier, names)):
        raise ValueError("a name alone may stand in braces")
    return frozenset(names)


def _check(key: str, sentence: str, where: str) -> None:
    """Refuse what English does not have, and a sentence in which a place is lost."""
    try:
        found = places(sentence)
    except ValueError as error:
        raise LesionmapError(f"{where}: {key}: {error}, got {sentence!r}") from error
    if key.partition(".")[0] in _NAMES:
        wanted = must = frozenset[str]()
    else:
        wanted, must = _places_in_english(key, where)
    for names, words in ((found - wanted, "English has no"), (must - found, "it lacks the")):
        if names:
            listed = ", ".join(f"{{{name}}}" for name in sorted(names))
            raise LesionmapError(f"{where}: {key}: {words} place {listed}, got {sentence!r}")


def _places_in_english(key: str, where: str) -> tuple[frozenset[str], frozenset[str]]:
    """Give the places that a sentence may have, and those that it must have."""
    sentences = english().sentences
    whole, _, form = key.rpartition(".")
    if form in _FORMS and f"{whole}.other" in sentences:
        forms = [places(sentences[name]) for name in (f"{whole}.{one}" for one in _FORMS) if name in sentences]
        return frozenset({"n"}).union(*forms), frozenset.intersection(*forms) - {"n"}
    if key not in sentences:
        near = get_close_matches(key, sentences, n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise LesionmapError(f"{where}: English has no {key}{hint}")
    return places(sentences[key]), places(sentences[key])


def _check_form(form: str, numbers: str, where: str) -> None:
    if form not in _FORMS:
        raise LesionmapError(f"{where}: a form for numbers is one of {', '.join(_FORMS)}, got {form!r}")
    try:
        re.compile(numbers)
    except re.error as error:
        raise LesionmapError(f"{where}: {_PLURAL}{form}: a regular expression was expected, {error}") from error
