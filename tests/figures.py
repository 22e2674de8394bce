"""Figures that tests and benchmarks measure: printed after the run and, with ``--figures PAGE``, written into a page.

The page has a section for each file of tests; those of files that did not run, or measured nothing, stay as they were.
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
    "Ratio",
    "Section",
    "Tell",
    "merged",
    "pytest_addoption",
    "pytest_configure",
    "pytest_terminal_summary",
    "ratio",
    "tell",
]

Ratio = Callable[[str, float, float, str], None]
Tell = Callable[[str, list[str]], None]

_HEAD = """# Benchmarks

Written by the runs themselves: `make bench` (speed beside named peers, and how often lesionmap is right) and
`make test-long`. Each section is one file of tests, with the day, the machine and its load when the file began: where
the load is well above 0, other work was running and times say little. *Ratio* is our time to the peer's in the same
run, below 1 we are faster; absolute times drift with the machine, so quote the ratios. What the figures mean, what was
asked, what was tried and what stands in the way is told in [what was measured](measured.md).
"""


@dataclass
class Section:
    """What one file of tests measured."""

    title: str = ""
    load: str = ""
    ratios: list[tuple[str, float, float, str]] = field(default_factory=list)
    tables: list[tuple[str, list[str]]] = field(default_factory=list)

    def words(self, machine: str) -> str:
        """Give the section as Markdown, without its heading."""
        parts = [self.title, f"{machine}, load {self.load}."]
        if self.ratios:
            rows = [
                f"| {what} | {_s(ours)} | {peer}, {_s(its)} | {ours / its:.2f} |"
                for what, ours, its, peer in self.ratios
            ]
            parts.append("\n".join(["| what | lesionmap | peer | ratio |", "|---|--:|---|--:|", *rows]))
        parts += [f"{title}:\n\n```text\n" + "\n".join(lines) + "\n```" for title, lines in self.tables]
        return "\n\n".join(parts)


_SECTIONS = pytest.StashKey[dict[str, Section]]()


def _s(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take the page that the figures are written into."""
    parser.addoption("--figures", type=Path, help="write what is measured into this page")


def pytest_configure(config: pytest.Config) -> None:
    """Begin a run."""
    config.stash[_SECTIONS] = defaultdict(Section)


def _section(request: pytest.FixtureRequest) -> Section:
    found = request.config.stash[_SECTIONS][request.path.stem]
    if not found.title:
        found.title = (request.module.__doc__ or "").partition("\n\n")[0]
        found.load = f"{os.getloadavg()[0]:.1f}"
    return found


@pytest.fixture
def ratio(request: pytest.FixtureRequest) -> Ratio:
    """Give ``ratio(what, ours_s, peer_s, peer)``: a row beside a peer."""
    section = _section(request)

    def add(what: str, ours_s: float, peer_s: float, peer: str) -> None:
        section.ratios.append((what, ours_s, peer_s, peer))

    return add


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Give ``tell(title, lines)``: a table as text."""
    section = _section(request)

    def add(title: str, lines: list[str]) -> None:
        section.tables.append((title, lines))

    return add


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what was measured, and write it into the page where one is named."""
    sections = {name: one for name, one in config.stash[_SECTIONS].items() if one.ratios or one.tables}
    for name, one in sections.items():
        terminalreporter.section(f"{name}, load {one.load}")
        for what, ours, its, peer in one.ratios:
            terminalreporter.write_line(f"{what:<44} {ours:9.4f} s  {ours / its:8.2f} × {peer} ({its:.4f} s)")
        for title, lines in one.tables:
            terminalreporter.write_line("\n".join(["", title, *lines]))
    page: Path | None = config.getoption("--figures")
    if page is not None and sections:
        before = page.read_text(encoding="utf-8") if page.exists() else ""
        machine = _machine()
        page.write_text(merged(before, {k: one.words(machine) for k, one in sections.items()}), encoding="utf-8")


def merged(page: str, sections: Mapping[str, str]) -> str:
    """Give the page with these sections in place of those of the same name, in the order of their names."""
    found = dict(re.findall(r"^## (test_\w+)\n\n(.*?)\n*(?=^## test_|\Z)", page, re.MULTILINE | re.DOTALL)) | dict(sections)
    return "\n".join([_HEAD, *(f"## {name}\n\n{found[name]}\n" for name in sorted(found))])


def _machine() -> str:
    """Say when, of which version and where it was measured."""
    day = time.strftime("%-d %B %Y")
    known = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    version = f"commit {known.stdout.strip()}" if known.returncode == 0 else "no commit"
    return f"{day}, {version}, {os.cpu_count()} processors, Python {platform.python_version()}"
