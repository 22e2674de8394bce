"""Threads of a process: all processors, or as many as the environment says."""

from __future__ import annotations

import os

import pytest

from lesionmap.cores import LIMIT, threads


@pytest.mark.parametrize(("said", "most", "expected"), [("1", None, 1), ("3", 8, 3), ("12", 8, 8)])
def test_the_environment_says_how_many(
    monkeypatch: pytest.MonkeyPatch, said: str, most: int | None, expected: int
) -> None:
    monkeypatch.setenv(LIMIT, said)
    assert threads(most) == expected


@pytest.mark.parametrize("said", ["", "0", "-1", "many"])
def test_what_is_no_number_says_nothing(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv(LIMIT, said)
    assert threads() == os.cpu_count()
    assert threads(1) == 1
