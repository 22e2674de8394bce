"""The rules of the house are executed; each import rule is once seen to fail."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(ROOT / "lesionmap").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
ALL_PYTHON = sorted([*SOURCES, *(ROOT / "tests").rglob("*.py")])
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

SCREEN = {"napari", "qtpy", "PySide6", "PyQt6", "vispy", "magicgui", "superqt"}
HEAVY = {"scipy", "skimage", "pydicom", "highdicom", "nibabel", "SimpleITK", "pandas", "sqlalchemy", "matplotlib"}
HEAVY |= {"statsmodels", "fhir", "shapely", "pyarrow", "xlsxwriter", "rich", "dicomweb_client", "pynetdicom", "keyring"}
# Modules that are themselves imported late, in the function that needs them.
LATE = {f"lesionmap.store.{name}": ["sqlalchemy"] for name in ("database", "rows", "server", "sqlite", "tables")}
LATE["lesionmap.store.migrations.versions.schema_1"] = ["sqlalchemy"]
LATE["lesionmap.pacs.dicomweb"] = ["dicomweb_client", "pydicom"]
LATE["lesionmap.pacs.dimse"] = ["pydicom", "pynetdicom"]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# ---- imports --------------------------------------------------------------------------------------------------------


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of both packages, side by side, where imports can be planted."""
    folder = tmp_path_factory.mktemp("planted")
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "lesionmap", folder / "lesionmap", ignore=skip)
    shutil.copytree(ROOT / "plugins" / "napari_lesionmap", folder / "napari_lesionmap", ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_import_rules_hold(copy: Path) -> None:
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout
    assert "Contracts: 3 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "planted", "rule", "said"),
    [
        ("space", "from lesionmap.visits import Visit\n", "A lower line", "lesionmap.space -> lesionmap.visits"),
        ("errors", "import lesionmap.cli\n", "A lower line", "lesionmap.errors -> lesionmap.cli"),
        (
            "lesions",
            "def _hidden():\n    from qtpy.QtWidgets import QWidget\n    return QWidget\n",
            "The core knows no screen",
            "lesionmap.lesions -> qtpy",
        ),
        ("visits", "import napari_lesionmap\n", "The core knows no screen", "lesionmap.visits -> napari_lesionmap"),
        ("measure", "import pydicom\n", "From scores down", "lesionmap.measure -> pydicom"),
        ("scores", "import pandas\n", "From scores down", "lesionmap.scores -> pandas"),
        ("agreement", "import sqlalchemy\n", "From scores down", "lesionmap.agreement -> sqlalchemy"),
    ],
    ids=["upward", "upward_to_the_top", "qt_in_a_function", "plugin", "dicom_in_measure", "pandas_in_scores", "store"],
)
def test_each_import_rule_is_seen_to_fail(copy: Path, module: str, planted: str, rule: str, said: str) -> None:
    path = copy / "lesionmap" / f"{module}.py"
    path = path if path.exists() else copy / "lesionmap" / module / "__init__.py"
    before = path.read_text(encoding="utf-8")
    try:
        path.write_text(before + "\n\n" + planted, encoding="utf-8")
        done = lint_imports(copy)
    finally:
        path.write_text(before, encoding="utf-8")
    assert done.returncode == 1
    assert re.search(rf"{rule}.* BROKEN", done.stdout)
    assert said in done.stdout


def test_import_lesionmap_loads_numpy_and_the_standard_library_only() -> None:
    script = "import sys, json, lesionmap; print(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    out = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True).stdout
    bare = "import sys, json, numpy; print(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    known = subprocess.run([sys.executable, "-I", "-c", bare], capture_output=True, text=True, check=True).stdout
    extra = set(json.loads(out)) - set(json.loads(known)) - sys.stdlib_module_names
    assert extra == {"lesionmap"}


def test_every_module_of_the_core_imports_alone_and_light() -> None:
    """Each module in a process of its own, with the extra's packages out of reach and nothing heavy loaded after."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in SOURCES
        if path.is_relative_to(ROOT / "lesionmap") and path.name != "__main__.py"
    ]
    # A module's packages are always imported before it, so what these bring with them need not be tried once more.
    script = f"""
import importlib, json, os, sys, traceback
import numpy, typer  # what modules may load; the children inherit it, which saves time
for screen in {sorted(SCREEN)!r}:
    sys.modules[screen] = None

def apart(work, *given):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            os._exit(work(*given))
        except BaseException:
            traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(1)
    return os.waitpid(child, 0)[1] != 0

def alone(name):
    importlib.import_module(name)
    heavy = sorted(set({sorted(HEAVY)!r}) & set(sys.modules) - set({LATE!r}.get(name, ())))
    if heavy:
        print(name, "loads", *heavy, flush=True)
    return bool(heavy)

def package(name, members):
    wrong = alone(name)
    return wrong + sum(apart(alone, one) for one in members if one not in sys.modules) != 0

families = dict()
for name in json.loads(sys.argv[1]):
    families.setdefault(".".join(name.split(".")[:2]), []).append(name)
sys.exit(sum(apart(package, name, members) for name, members in families.items()) != 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(modules)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# ---- size, words ----------------------------------------------------------------------------------------------------


def test_no_long_file_and_no_long_function() -> None:
    long_ones = []
    for path in ALL_PYTHON:
        n_lines = len(path.read_text(encoding="utf-8").splitlines())
        functions = [node for node in ast.walk(tree_of(path)) if isinstance(node, FUNCTIONS)]
        long_ones += [f"{name_of(path)} has {n_lines} lines; split it"] * (n_lines > 400)
        long_ones += [
            f"{name_of(path)}:{node.lineno} {node.name} has over 60 lines"
            for node in functions
            if (node.end_lineno or node.lineno) - node.lineno >= 60
        ]
    assert long_ones == []


def undocumented(tree: ast.Module) -> Iterator[str]:
    if ast.get_docstring(tree) is None:
        yield "the module"
    open_nodes: list[ast.Module | ast.ClassDef] = [tree]
    while open_nodes:
        for node in open_nodes.pop().body:
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not node.name.startswith("_"):
                overload = any("overload" in ast.unparse(d) or ".setter" in ast.unparse(d) for d in node.decorator_list)
                if ast.get_docstring(node) is None and not overload:
                    yield node.name
                if isinstance(node, ast.ClassDef):
                    open_nodes.append(node)


def test_every_public_name_is_documented() -> None:
    assert [f"{name_of(path)}: {name}" for path in SOURCES for name in undocumented(tree_of(path))] == []


def forbidden(node: ast.AST) -> str:
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
        return "prints"
    if isinstance(node, ast.Assert):
        return "asserts"
    if isinstance(node, ast.ExceptHandler):
        caught = "" if node.type is None else ast.unparse(node.type)
        return "catches everything" if caught in ("", "Exception", "BaseException") else ""
    return ""


def test_no_print_no_assert_no_broad_except() -> None:
    found = [
        f"{name_of(path)}:{getattr(node, 'lineno', 0)} {forbidden(node)}"
        for path in SOURCES
        for node in ast.walk(tree_of(path))
        if forbidden(node)
    ]
    assert found == []


def test_modules_of_the_core_say_what_they_hand_out() -> None:
    silent = []
    for path in sorted((ROOT / "lesionmap").rglob("*.py")):
        targets = [target for node in tree_of(path).body if isinstance(node, ast.Assign) for target in node.targets]
        if path.name != "__main__.py" and "__all__" not in [ast.unparse(target) for target in targets]:
            silent.append(name_of(path))
    assert silent == []


# ---- licences, lock -------------------------------------------------------------------------------------------------


def requirements_of(name: str, extras: set[str]) -> Iterator[Requirement]:
    for text in distribution(name).requires or ():
        requirement = Requirement(text)
        environments = [{"extra": extra} for extra in (extras or {""})]
        if requirement.marker is None or any(requirement.marker.evaluate(e) for e in environments):
            yield requirement


def installed(name: str, extras: set[str]) -> set[str]:
    """Give the names of everything that ``name[extras]`` brings."""
    found: set[str] = set()
    todo = [(name, frozenset(extras))]
    seen: set[tuple[str, frozenset[str]]] = set()
    while todo:
        package, wanted = todo.pop()
        if (package, wanted) in seen:
            continue
        seen.add((package, wanted))
        try:
            todo += [(r.name, frozenset(r.extras)) for r in requirements_of(package, set(wanted))]
        except PackageNotFoundError:
            continue
        found.add(package)
    return found


def is_gpl_only(expression: str) -> bool:
    """Say whether every choice that a licence text offers is GPL or AGPL (LGPL is neither)."""
    choices = re.split(r"\s+(?:OR|or)\s+|;", expression)
    strong = re.compile(r"(?<![Ll])\bA?GPL|(?<!Lesser )General Public License|Affero")
    weak = re.compile(r"LGPL|Lesser|Library General")
    return all(strong.search(choice) and not weak.search(choice) for choice in choices)


def licence_of(name: str) -> str:
    data = distribution(name).metadata.json
    classifiers = [str(c).rpartition(" :: ")[2] for c in data.get("classifier", ()) if str(c).startswith("License ::")]
    first_line = str(data.get("license", "")).split("\n")[0]
    return str(data.get("license_expression") or " OR ".join(classifiers) or first_line)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MIT", False),
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0", True),
        ("GNU General Public License v3 (GPLv3)", True),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
        ("LGPL-3.0-only OR GPL-2.0-only OR GPL-3.0-only", False),
    ],
)
def test_licence_reader(text: str, expected: bool) -> None:
    assert is_gpl_only(text) is expected


def test_no_gpl_in_the_core_and_the_window() -> None:
    packages = installed("lesionmap", {"napari"})
    assert {"napari", "numpy", "pydicom"} <= packages
    assert len(packages) > 60
    assert {name: licence_of(name) for name in packages if is_gpl_only(licence_of(name))} == {}


def test_lock_pins_everything_by_hash_and_names_no_address() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 150
    for entry in entries:
        pinned = re.fullmatch(r"[a-z0-9][a-z0-9.-]*==\S+( ; [^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+", entry)
        assert pinned, f"not pinned by hash: {entry.splitlines()[0]}"


def test_no_file_names_a_package_index() -> None:
    for name in ("Makefile", ".ci/run", ".ci/plugin-tests", ".ci/system-packages", "pyproject.toml", "README.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"--index|index-url|pypi\.org/simple", text), name


def test_pre_commit_and_lock_agree_on_ruff() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    (here,) = re.findall(r"ruff-pre-commit\s+rev: v(\S+)", hooks)
    (there,) = re.findall(r"^ruff==(\S+)", lock, re.MULTILINE)
    assert here == there


def test_repository_review_finds_nothing() -> None:
    command = [str(Path(sys.executable).with_name("repo-review")), "--format", "json", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    checks = json.loads(done.stdout)["checks"]
    assert len(checks) > 40
    assert [name for name, check in checks.items() if check["result"] is False] == []
