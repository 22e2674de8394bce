"""Figures that tests and benchmarks measure: printed after the run and, with ``--figures PAGE``, written into a page.

The page has a section for each file of tests. What was not measured again stays as it was: rows are known by what they
measure, tables by their titles, and each says when it was measured.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Ratio", "Section", "Tell", "figures", "merged", "pytest_addoption", "pytest_configure",
    "pytest_terminal_summary", "ratio", "tell",
]  # fmt: skip

Ratio = Callable[[str, float, float, str], None]
Tell = Callable[[str, list[str]], None]

_HEAD = """# Benchmarks

Written by the runs themselves: `make bench` (speed beside named peers, and how often lesionmap is right) and
`make test-long`, a section for each file of tests. Each figure says on what day, of which commit and at what load of
the machine it was measured: where the load is well above what the test itself makes, other work was running and times
say little. *Ratio* is our time to the peer's in the same run, below 1 we are faster; absolute times drift with the
machine, so quote the ratios. What the figures mean, what was asked, what was tried and what stands in the way is told
in [what was measured](measured.md). Machine of the last run: {machine}.
"""
_COLUMNS = "| what | lesionmap | peer | ratio | measured |\n|---|--:|---|--:|---|"
_SECTION = re.compile(r"^## (test_\w+)\n\n(.*?)\n*(?=^## test_\w+\n\n|\Z)", re.MULTILINE | re.DOTALL)
_ROW = re.compile(r"^\| (?!what \|)(.+?) \| .*$", re.MULTILINE)
_TABLE = re.compile(r"^\*\*([^\n]+)\*\* \([^\n]+\)\n\n```text\n.*?\n```$", re.MULTILINE | re.DOTALL)


@dataclass
class Section:
    """What one file of tests measured: rows beside peers by what they measure, tables by title, each as Markdown."""

    title: str
    rows: dict[str, str] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, text: str) -> Section:
        """Read a section of the page, without its heading."""
        rows = {found[1]: found[0] for found in _ROW.finditer(_TABLE.sub("", text))}
        return cls(text.partition("\n\n")[0], rows, {found[1]: found[0] for found in _TABLE.finditer(text)})

    def add_ratio(self, what: str, times_s: tuple[float, float], peer: str, when: str) -> None:
        """Add a row: our time and the peer's."""
        ours, its = times_s
        self.rows[what] = f"| {what} | {_s(ours)} | {peer}, {_s(its)} | {ours / its:.2f} | {when} |"

    def add_table(self, title: str, lines: list[str], when: str) -> None:
        """Add a table of text."""
        self.tables[title] = f"**{title}** ({when})\n\n```text\n" + "\n".join(lines) + "\n```"

    def words(self) -> str:
        """Give the section as Markdown, without its heading."""
        rows = ["\n".join([_COLUMNS, *self.rows.values()])] if self.rows else []
        return "\n\n".join([self.title, *rows, *self.tables.values()])


_SECTIONS = pytest.StashKey[defaultdict[str, Section]]()


def _s(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the page that the figures are written into."""
    parser.addoption("--figures", type=Path, help="write what is measured into this page")


def pytest_configure(config: pytest.Config) -> None:
    """Begin a run."""
    config.stash[_SECTIONS] = defaultdict(lambda: Section(""))


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> tuple[Section, str]:
    """Give the section of the file of a test, and when the test begins."""
    section = request.config.stash[_SECTIONS][request.path.stem]
    section.title = (request.module.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    asked = ["git", "rev-parse", "--short", "HEAD"]
    known = subprocess.run(asked, cwd=request.path.parent, capture_output=True, text=True, check=False)
    commit = known.stdout.strip() if known.returncode == 0 else "no commit"
    return section, f"{time.strftime('%-d %B %Y')}, {commit}, load {os.getloadavg()[0]:.1f}"


@pytest.fixture
def ratio(figures: tuple[Section, str]) -> Ratio:
    """Give ``ratio(what, ours_s, peer_s, peer)``: a row beside a peer."""
    section, when = figures

    def add(what: str, ours_s: float, peer_s: float, peer: str) -> None:
        section.add_ratio(what, (ours_s, peer_s), peer, when)

    return add


@pytest.fixture
def tell(figures: tuple[Section, str]) -> Tell:
    """Give ``tell(title, lines)``: a table as text."""
    section, when = figures

    def add(title: str, lines: list[str]) -> None:
        section.add_table(title, lines, when)

    return add


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what was measured, and write it into the page where one is named."""
    sections = {name: one for name, one in config.stash[_SECTIONS].items() if one.rows or one.tables}
    for name, one in sections.items():
        terminalreporter.section(name)
        terminalreporter.write_line(one.words())
    page: Path | None = config.getoption("--figures")
    if page is not None and sections:
        before = page.read_text(encoding="utf-8") if page.exists() else ""
        page.write_text(merged(before, sections), encoding="utf-8")


def merged(page: str, measured: Mapping[str, Section]) -> str:
    """Give the page with what was measured in place of what it says of the same."""
    found = {name: Section.read(text) for name, text in _SECTION.findall(page)}
    for name, new in measured.items():
        old = found.get(name, new)
        found[name] = Section(new.title, old.rows | new.rows, old.tables | new.tables)
    head = _HEAD.format(machine=f"{os.cpu_count()} processors, {platform.system()}, Python {platform.python_version()}")
    return "\n".join([head, *(f"## {name}\n\n{found[name].words()}\n" for name in sorted(found))])
