"""A language for tests: every letter has an accent and every word is longer by a third, places are kept."""

from __future__ import annotations

import re
from functools import cache
from types import MappingProxyType
from typing import get_args

from lesionmap.clinic import clinic_items
from lesionmap.compare import State
from lesionmap.scores import definitions
from lesionmap.skeleton import groups, regions, sites
from lesionmap.texts import Texts, english

__all__ = ["pseudo", "pseudo_file", "pseudo_texts"]

_ACCENTS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "åƀçđéƒĝĥîĵķļḿñôþɋŕšţûṽŵẋýžÅƁÇĐÉƑĜĤÎĴĶĻḾÑÔÞɊŔŠŢÛṼŴẊÝŽ"
)


def pseudo(sentence: str) -> str:
    """Say a sentence in it: ``counted`` becomes ``çôûñţéđéđ``."""
    return "".join(
        part if part.startswith("{") else re.sub(r"[A-Za-z]+", _longer, part)
        for part in re.split(r"(\{\w+\})", sentence)
    )


def _longer(found: re.Match[str]) -> str:
    word = found[0]
    more = -(-len(word) * 3 // 10)
    return (word + word[-more:].lower()).translate(_ACCENTS)


@cache
def pseudo_texts(*, names: bool = True) -> Texts:
    """Give all sentences in it; with ``names`` sites, regions, items and scores are named too."""
    rows = {key: pseudo(sentence) for key, sentence in english().sentences.items()}
    if names:
        rows |= {f"sites.{name}": pseudo(words) for name, words in _places()}
        rows |= {f"sites.{base}": pseudo(words) for base, words in _without_side().items()}
        rows |= {f"regions.{name}": pseudo(name) for name in regions()}
        rows |= {f"items.{item.name}": pseudo(item.words) for item in clinic_items().values()}
        rows |= {f"items.{x.key}": pseudo(x.words) for one in definitions().values() for x in one.items}
        rows |= {f"items.{word}": pseudo(word.replace("_", " ")) for word in get_args(State)}
        rows |= {f"score_titles.{one.name}": pseudo(one.title) for one in definitions().values()}
    return Texts("en-x-pseudo", MappingProxyType(rows), english().plural)


def _places() -> list[tuple[str, str]]:
    return [(one.id, one.name) for one in sites()] + [(one.id, one.name) for one in groups()]


def _without_side() -> dict[str, str]:
    sided = [(name, words) for name, words in _places() if name.endswith(".left")]
    return {name.removesuffix(".left"): words.removeprefix("left ") for name, words in sided}


def pseudo_file() -> str:
    """Give it as a TOML file."""
    texts = pseudo_texts()
    tables: dict[str, list[str]] = {}
    for key, sentence in texts.sentences.items():
        table, _, word = key.partition(".")
        name = f'"{word}"' if table in ("sites", "regions") else word.replace(" ", "_")
        tables.setdefault(table, []).append(f"{name} = '''{sentence}'''")
    head = f'[language]\ntag = "{texts.language}"\nplural.one = "1"\n'
    return head + "".join(f"\n[{table}]\n" + "\n".join(lines) + "\n" for table, lines in tables.items())
