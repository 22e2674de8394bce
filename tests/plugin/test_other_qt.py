"""The window under PyQt6 and the newest napari, in an environment of its own: the other binding that napari runs on."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

pytestmark = [pytest.mark.gui, pytest.mark.long, pytest.mark.timeout(3600)]

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("pytest", "pytest-qt", "pytest-timeout", "hypothesis", "openpyxl", "hatchling", "editables")
TESTS = ("test_window.py", "test_manifest.py", "test_whereabouts.py")


def run(*command: object, **variables: str) -> subprocess.CompletedProcess[str]:
    hidden = {"PYTHONHOME", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST", "PYTHONPATH"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden} | variables
    return subprocess.run(
        [str(x) for x in command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def ending(done: subprocess.CompletedProcess[str]) -> str:
    return "\n".join((done.stdout + done.stderr).splitlines()[-40:])


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the environment: all that is declared, but PyQt6 in place of PySide6."""
    folder = tmp_path_factory.mktemp("pyqt6")
    made = run(sys.executable, "-m", "venv", folder)
    assert made.returncode == 0, ending(made)
    python = folder / "bin" / "python"
    install = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    first = run(*install, "--retries", "1", "PyQt6")
    if first.returncode:
        pytest.skip(f"PyQt6 cannot be fetched here: {first.stderr.strip().splitlines()[-1]}")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = [name for name in project["optional-dependencies"]["napari"] if not name.startswith("PySide6")]
    for wanted in ((*project["dependencies"], *extra, *TOOLS), ("--no-deps", "--no-build-isolation", "-e", ROOT)):
        done = run(*install, *wanted)
        assert done.returncode == 0, ending(done)
    return python


@pytest.mark.parametrize("name", TESTS)
def test_the_window_works_under_pyqt6(python: Path, tmp_path: Path, name: str) -> None:
    binding = run(python, "-c", "import qtpy, napari; print(qtpy.API_NAME, napari.__version__)", QT_API="pyqt6")
    assert binding.stdout.startswith("PyQt6 "), ending(binding)
    variables = {
        "PYTEST_QT_API": "pyqt6",
        "NAPARI_CONFIG": str(tmp_path / "settings.yaml"),
        "PYTHONPATH": os.pathsep.join(str(x) for x in (ROOT, ROOT / "plugins", ROOT / "tests")),
    }
    done = run(
        python,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-m",
        "not long",
        ROOT / "tests" / "plugin" / name,
        QT_API="pyqt6",
        **variables,
    )
    assert done.returncode == 0, f"{binding.stdout}{ending(done)}"
