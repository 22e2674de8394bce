"""Benchmarks print ratios to the named peer in the same run; they assert structure, never time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Ratios", "Tables"]

Ratios = list[tuple[str, float, float, str]]
Tables = list[tuple[str, list[str]]]
_ROWS = pytest.StashKey[Ratios]()
_TABLES = pytest.StashKey[Tables]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin the lists of ratios and tables of this run."""
    config.stash[_ROWS], config.stash[_TABLES] = [], []


@pytest.fixture
def ratio(request: pytest.FixtureRequest) -> Callable[[str, float, float, str], None]:
    """Give ``ratio(what, ours_s, peer_s, peer)``: one line of the table printed after the run."""
    rows = request.config.stash[_ROWS]

    def add(what: str, ours_s: float, peer_s: float, peer: str) -> None:
        rows.append((what, ours_s, peer_s, peer))

    return add


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str, list[str]], None]:
    """Give ``tell(title, lines)``: a table printed after the run."""
    tables = request.config.stash[_TABLES]

    def add(title: str, lines: list[str]) -> None:
        tables.append((title, lines))

    return add


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the tables, and the ratios, ours to the peer's: below 1 we are faster."""
    for title, lines in config.stash[_TABLES]:
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)
    rows = config.stash[_ROWS]
    if rows:
        terminalreporter.section("ratios: time of lesionmap / time of the peer")
    for what, ours_s, peer_s, peer in rows:
        terminalreporter.write_line(f"{what:<44} {ours_s:9.4f} s  {ours_s / peer_s:8.2f} × {peer} ({peer_s:.4f} s)")
