"""Keys: each has one meaning, each does something, and the docs list them all."""

from __future__ import annotations

import inspect
from pathlib import Path

from napari_lesionmap.acts import Acts
from napari_lesionmap.keys import GROUPS, KEYS, MOUSE, shown

DOCS = Path(__file__).resolve().parents[2] / "docs" / "keys.md"


def test_each_key_is_there_once() -> None:
    pressed = [key.press for key in KEYS]
    assert len(set(pressed)) == len(pressed)


def test_each_key_calls_an_act_with_arguments_that_it_takes() -> None:
    for key in KEYS:
        inspect.signature(getattr(Acts, key.act)).bind(None, *key.arguments)


def test_no_key_is_left_out_of_the_groups() -> None:
    assert {key.group for key in KEYS} == set(GROUPS)


def test_the_page_in_the_docs_lists_every_key() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for key in KEYS:
        assert f"| {shown(key.press)} | {key.words} |" in text, f"docs/keys.md lacks {key.press}"
    for what, words in MOUSE:
        assert f"| {what} | {words} |" in text, f"docs/keys.md lacks {what}"
