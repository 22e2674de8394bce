"""The wheel: what it holds, and that it runs from an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder into which the wheel is installed, alone."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
    subprocess.run([*command, "--target", str(folder), str(wheel)], check=True)
    return folder


def run(site: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environment["PYTHONPATH"] = str(site)
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_wheel_holds_the_two_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"lesionmap", "napari_lesionmap"}
    assert len(tops) == 3
    assert "lesionmap/skeleton/bones.toml" in names
    assert "napari_lesionmap/napari.yaml" in names
    assert any(name.startswith("lesionmap/_sample/") and name.endswith(".dcm") for name in names)
    assert not [name for name in names if "__pycache__" in name or name.startswith("tests")]
    assert wheel.stat().st_size < 25e6


def test_wheel_is_typed_and_licensed(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "lesionmap/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_installed_wheel_runs_the_demo_from_an_empty_folder(site: Path, tmp_path: Path) -> None:
    where = run(site, tmp_path, "-c", "import lesionmap; print(lesionmap.__file__)").stdout.strip()
    assert Path(where).is_relative_to(site)
    done = run(site, tmp_path, "-m", "lesionmap", "demo", "--no-window", "-o", "out")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for name in ("map.png", "map.svg", "map.pdf", "lesions.csv", "lesions.xlsx", "comparison.csv", "report.html"):
        assert (tmp_path / "out" / name).stat().st_size > 0, name
        assert name in done.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"out"}


def test_demo_does_not_overwrite(site: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("mine")
    done = run(site, tmp_path, "-m", "lesionmap", "demo", "--no-window", "-o", "out")
    assert done.returncode == 1
    assert done.stderr.startswith("lesionmap: ")
    assert "--overwrite" in done.stderr
    assert (tmp_path / "out" / "report.html").read_text() == "mine"
