"""What the verbs share: the words of the arguments, output, and the sign that work goes on."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from lesionmap.store import Study

__all__ = [
    "AsJson",
    "Asker",
    "OptionalPatient",
    "OptionalVisit",
    "Out",
    "Overwrite",
    "PatientId",
    "Reader",
    "Rule",
    "StudyPath",
    "VisitKey",
    "VolumeChange",
    "busy",
    "open_study",
    "put_json",
    "say",
    "there",
]

StudyPath = Annotated[str, typer.Argument(metavar="STUDY", help="The study: a path (SQLite) or a database URL.")]
PatientId = Annotated[str, typer.Argument(metavar="PATIENT", help="Pseudonym, as in 'lesionmap list'.")]
OptionalPatient = Annotated[str | None, typer.Argument(metavar="[PATIENT]", help="Without it: all patients.")]
VisitKey = Annotated[str, typer.Argument(metavar="VISIT", help="ISO date; '.2' for a second visit on that day.")]
OptionalVisit = Annotated[str | None, typer.Argument(metavar="[VISIT]", help="Without it: all visits.")]
Reader = Annotated[str | None, typer.Option("--reader", help="Whose marks; needed where several readers marked.")]
Asker = Annotated[
    str | None,
    typer.Option("--as", envvar="LESIONMAP_READER", help="Who you are, where a study is read blind."),
]
Rule = Annotated[str, typer.Option("--rule", help="Counting rule: a name, or a file of your own (TOML).")]
VolumeChange = Annotated[
    float,
    typer.Option("--change", min=1, max=1000, help="Volume change in % from which a lesion improved or worsened."),
]
Out = Annotated[Path, typer.Option("-o", "--output", help="Where to write.", show_default=False)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable, on standard output.")]

_PATIENCE_S = 1.0


def say(line: str) -> None:
    """Write one line to standard output."""
    typer.echo(line)


@contextmanager
def open_study(where: str, *, create: bool = False) -> "Iterator[Study]":
    """Open a study for a verb; that the day's backup failed is said last, beside the output."""
    from lesionmap.store import Study

    with Study.open(where, create=create) as study:
        yield study
    if study.backup_fault:
        typer.echo(f"lesionmap: {study.backup_fault}", err=True)


def put_json(value: Any) -> None:
    """Write a value as JSON to standard output."""
    import json

    typer.echo(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False))


def there(path: Path) -> Path:
    """Give the path of a file that was named, if it is one."""
    if not path.is_file():
        raise LesionmapError(f"a file was expected at {path}, {'a folder' if path.is_dir() else 'nothing'} is there")
    return path


def _untold(_done: int, _total: int) -> None:
    """Say nothing of how far the work is."""


@contextmanager
def busy(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show on a terminal, after a second, that work goes on; silent elsewhere.

    Gives a callable that takes how much is done, and of how much.
    """
    if not sys.stderr.isatty():
        yield _untold
        return
    from rich.console import Console

    status = Console(stderr=True).status(f"{what} …")
    timer = threading.Timer(_PATIENCE_S, status.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda done, total: status.update(f"{what}: {done} of {total}")
    finally:
        timer.cancel()
        timer.join()
        status.stop()
