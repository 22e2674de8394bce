"""The set-up on a bare machine: system packages are installed as root, and else named with the exact command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / ".ci" / "system-packages"
WINDOW = ["libegl1", "libgl1", "libgl1-mesa-dri", "libglx-mesa0", "libopengl0"]
WINDOW += ["libdbus-1-3", "libfontconfig1", "libfreetype6"]

pytestmark = pytest.mark.skipif(sys.platform != "linux" or shutil.which("bash") is None, reason="Linux only")


def machine(folder: Path, *, user: int, packages: list[str], python: str = "exit 0") -> dict[str, str]:
    """Make a machine of stand-ins: who we are, what dpkg knows, what python3 can, and an apt-get that tells."""
    listed = " ".join(f"installed={name}" for name in packages)
    programs = {
        "id": f"echo {user}",
        "dpkg-query": f"printf '%s' '{listed} config-files=xauth '",
        "apt-get": f'echo "$@" >> {folder / "apt.log"}',
        "python3": python,
    }
    for name, body in programs.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def run(folder: Path, what: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", str(SCRIPT), what], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )


def test_user_is_given_the_exact_command(tmp_path: Path) -> None:
    done = run(tmp_path, "screen", machine(tmp_path, user=1000, packages=[*WINDOW, "libglib2.0-0t64", "xvfb"]))
    assert done.returncode == 1
    (command,) = [line.strip() for line in done.stderr.splitlines() if "apt-get" in line]
    assert command.startswith("sudo apt-get install libx11-xcb1 libxkbcommon0 ")
    assert command.endswith(" fonts-dejavu-core xauth")
    assert "xvfb" not in command.split()
    assert "libglib2.0-0" not in command
    assert not (tmp_path / "apt.log").exists()


def test_root_installs_what_is_missing(tmp_path: Path) -> None:
    done = run(tmp_path, "window", machine(tmp_path, user=0, packages=WINDOW))
    assert done.returncode == 0, done.stderr
    update, install = (tmp_path / "apt.log").read_text().splitlines()
    assert update.startswith("update")
    assert "libglib2.0-0 libx11-xcb1" in install
    assert "libegl1" not in install
    assert "xvfb" not in install


def test_python_without_venv_is_a_missing_package(tmp_path: Path) -> None:
    broken = 'case "$2" in *ensurepip*) exit 1 ;; esac'
    done = run(tmp_path, "venv", machine(tmp_path, user=1000, packages=[], python=broken))
    assert done.returncode == 1
    assert "sudo apt-get install python3-venv" in done.stderr


def test_headless_demo_needs_no_graphics_packages(tmp_path: Path) -> None:
    done = run(tmp_path, "venv", machine(tmp_path, user=1000, packages=[]))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_old_python_is_named(tmp_path: Path) -> None:
    old = 'case "$1$2" in *version_info*) exit 1 ;; --version) echo Python 3.9.2 ;; esac'
    done = run(tmp_path, "venv", machine(tmp_path, user=1000, packages=[], python=old))
    assert done.returncode == 1
    assert "lesionmap needs Python 3.11 or newer; python3 is Python 3.9.2" in done.stderr
    assert "make PYTHON=python3.12 demo" in done.stderr


def test_makefile_names_what_readme_promises() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("demo", "test", "lint", "test-long", "bench", "sample", "wheel"):
        assert f"make {target} " in listed
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme
    assert "Research use only" in readme
