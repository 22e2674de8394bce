"""The sign that work goes on, and how errors leave the program."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

import pytest

from cli_case import lesionmap
from lesionmap.cli import common

if TYPE_CHECKING:
    from pathlib import Path


class Terminal(io.StringIO):
    """A terminal that remembers what was shown."""

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, patience_s: float) -> str:
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(common, "_PATIENCE_S", patience_s)
    monkeypatch.setenv("TERM", "xterm")
    with common.busy("reading headers"):
        time.sleep(0.3)
    return stream.getvalue()


def test_long_work_is_shown_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "reading headers" in shown(monkeypatch, Terminal(), 0.05)
    assert shown(monkeypatch, io.StringIO(), 0.05) == ""


def test_short_work_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, Terminal(), 60.0) == ""


def test_error_inside_work_stops_the_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    with pytest.raises(ValueError, match="x"), common.busy("working"):
        raise ValueError("x")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "/disk/a.lesionmap"), "/disk/a.lesionmap: No space left on device;"),
        (PermissionError(13, "Permission denied"), "lesionmap: Permission denied; check the path, its permissions"),
    ],
)
def test_errors_of_the_disk_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: OSError, said: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("lesionmap.store.Study.open", fail)
    ran = lesionmap("list", tmp_path / "a.lesionmap")
    assert (ran.code, said in ran.line) == (1, True)
