"""The pages hold: they build, every block of code in them is read, and in the long run every command is run."""

from __future__ import annotations

import ast
import csv
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import typer.main

from cli_case import lesionmap, nifti
from label_maps import map_of, renumbered
from lesionmap.cli.app import app
from lesionmap.phantom.first_case import FIRST
from lesionmap.read import pixels
from lesionmap.store import Study

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(
    r"(<!-- not run: (?P<why>[^>]+) -->\n)?```(?P<kind>\w*)(?P<more>[^\n]*)\n(?P<text>.*?)\n```", re.DOTALL
)
_IN_ORDER = ("README.md", "tutorial.md", "coordinates.md", "clinic.md", "bone-scans.md")
_SETS_UP = ("make ", "pip ", "export ", "PACS=")


class Block(NamedTuple):
    page: str
    kind: str
    title: str
    text: str
    why_not_run: str


def blocks() -> list[Block]:
    found = []
    for page in PAGES:
        for at in _BLOCK.finditer(page.read_text(encoding="utf-8")):
            title = re.search(r'title="([^"]+)"', at["more"])
            found.append(Block(page.name, at["kind"], title[1] if title else "", at["text"], at["why"] or ""))
    return found


def commands(block: Block) -> list[list[str]]:
    """Give the words of each command of a shell block."""
    lines = [shlex.split(line, comments=True) for line in block.text.replace("\\\n", " ").splitlines()]
    return [list(takewhile(lambda word: word not in {">", "<", "|"}, words)) for words in lines if words]


def test_every_block_says_what_it_is() -> None:
    assert len(blocks()) > 15
    assert {block.kind for block in blocks()} <= {"sh", "python", "toml", "csv", "ini", "sql", "text", "json"}


def test_data_in_the_pages_can_be_read() -> None:
    for block in blocks():
        if block.kind == "toml":
            assert tomllib.loads(block.text)
        elif block.kind == "csv":
            assert len({len(row) for row in csv.reader(io.StringIO(block.text))}) == 1, block


def test_every_command_is_run_somewhere_or_says_why_not() -> None:
    runs = {x.page for x in blocks() if x.kind == "sh" and not x.why_not_run}
    assert runs <= set(_IN_ORDER), runs - set(_IN_ORDER)


def test_every_command_is_one() -> None:
    """Parse it: the verb is there, its options are, and none is missing."""
    group: Any = typer.main.get_command(app)
    for block in blocks():
        for words in commands(block) if block.kind == "sh" else ():
            if words[0] == "lesionmap":
                command, rest = group, words[1:]
                while hasattr(command, "commands"):
                    command, rest = command.commands[rest[0]], rest[1:]
                command.make_context("lesionmap", list(rest))
            else:
                assert f"{words[0]} ".startswith(_SETS_UP) or "=" in words[0] or block.why_not_run, block


@pytest.mark.parametrize("block", [x for x in blocks() if x.kind == "python"], ids=lambda block: block.page)
def test_python_in_the_pages_runs(block: Block) -> None:
    ast.parse(block.text)
    if not block.why_not_run:
        subprocess.run([sys.executable, "-c", block.text], check=True, capture_output=True, timeout=120)


def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    """Links, pictures and docstrings that are named must be there (``strict``)."""
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "-q",
        "-f",
        ROOT / ".ci" / "mkdocs.yml",
        "-d",
        tmp_path / "site",
    ]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "commands.html").read_text("utf-8").count("Usage: lesionmap") > 15
    for page in (tmp_path / "site").glob("*.html"):
        sources = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', page.read_text("utf-8"))
        assert not sources, (page.name, sources)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder where all that the pages speak of lies: the sample, its clicks, tables of a clinic, a mask."""
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    visit = ROOT / "sample_data" / "SAMPLE-CRMO-1" / "visit_2_2008-05-14"
    shutil.copy(visit / "landmarks.csv", tmp_path)
    (tmp_path / "treatments.csv").write_text("drug,start,end\nnaproxen,2008-05-20,\n", encoding="utf-8")
    for block in blocks():
        if block.title:
            (tmp_path / block.title).write_text(block.text + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


_ANNA = {
    "/images/anna": "sample_data",
    "/images": "sample_data",
    "2010-05-04": "2008-05-14",
    "2011-06-17": "2009-02-18",
}


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_every_command_runs(desk: Path) -> None:
    """README on the sample in place of its own names, then the pages in order, each in the folder of those before."""
    for name in _IN_ORDER:
        for block in [x for x in blocks() if x.page == name and x.kind == "sh" and not x.why_not_run]:
            for words in commands(block):
                if words[0] == "lesionmap":
                    _prepare(desk, words)
                    ran = lesionmap(*[_ANNA.get(word, word) if name == "README.md" else word for word in words[1:]])
                    assert ran.code == 0, (name, words, ran.err)
        for path in desk.glob("study.lesionmap*"):
            path.unlink()
        if name == "tutorial.md":
            shutil.copy(desk / "first" / "study.lesionmap", desk / "kept")
        if (desk / "kept").exists():
            shutil.copy(desk / "kept", desk / "study.lesionmap")


def _prepare(desk: Path, words: list[str]) -> None:
    """Make the file that a command asks for, where only an image could give it."""
    if "lesions.nii.gz" in words:
        with Study.open("study.lesionmap") as study:
            grid = pixels(study.visit("P001", "2008-05-14").series_named("STIR coronal")).grid
        array = np.zeros(grid.shape, np.uint8)
        hip = np.rint(grid.voxels(FIRST.body(FIRST.visits[1]).landmarks()["hip_left"])).astype(int)
        array[tuple(slice(i - 1, i + 2) for i in hip)] = 1
        nifti(desk / "lesions.nii.gz", array, lps_from_voxel=grid.lps_from_voxel)
    if "bones.nii.gz" in words:
        child = FIRST.body(FIRST.visits[1])
        bones = renumbered("total_mr", map_of(child, child.shapes, (5.0, 6.0, 5.0)))
        nifti(desk / "bones.nii.gz", bones.array, lps_from_voxel=bones.grid.lps_from_voxel)
    if "clicks.csv" in words:
        rows = (ROOT / "sample_data/SAMPLE-CRMO-1/visit_2_2008-05-14/reading.csv").read_text("utf-8").splitlines()
        seen = [row.split(",") for row in rows if "bone scan" in row][:1]
        lines = ["id,x_lps_mm,y_lps_mm,z_lps_mm,site", *(",".join([*row[:4], ""]) for row in seen)]
        (desk / "clicks.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
