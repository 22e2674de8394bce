"""A result file is written whole or not at all, and never over another one unasked."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ending", "saving"]


def ending(path: str | Path, allowed: tuple[str, ...]) -> str:
    """Give the ending of a file name, lower case, out of those that are written.

    Raises
    ------
    LesionmapError
        If it is none of them; the message lists them.

    Examples
    --------
    >>> ending("map.SVG", (".svg", ".png"))
    '.svg'
    """
    name = Path(path).name.lower()
    for suffix in sorted(allowed, key=len, reverse=True):
        if name.endswith(suffix) and name != suffix:
            return suffix
    raise LesionmapError(f"a file name ending in {', '.join(allowed)} was expected, got {Path(path).name!r}")


@contextmanager
def saving(path: str | Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary file beside ``path`` to write to; it becomes ``path`` when the block ends well.

    If the block fails, nothing is left behind and an older file stays as it was.

    Parameters
    ----------
    path : str or Path
        The file to be made.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    LesionmapError
        If the file exists (and ``overwrite`` is False), the folder is missing, or it cannot be written.
    """
    path = Path(path)
    _check(path, overwrite=overwrite)
    temporary = path.with_name(f".{token_hex(4)}.{path.name}")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise LesionmapError(f"{path} cannot be written ({reason}); choose another folder or free the disk") from error
    finally:
        _discard(temporary)


def _check(path: Path, *, overwrite: bool) -> None:
    if not path.parent.is_dir():
        raise LesionmapError(f"the folder {path.parent} does not exist; make it first, then write {path.name} into it")
    if path.is_dir():
        raise LesionmapError(f"a file was expected, {path} is a folder; add a file name")
    if path.exists() and not overwrite:
        raise LesionmapError(f"{path} exists already; choose another name or ask for it with --overwrite")


def _flush(path: Path) -> None:
    """Bring the bytes to the disk before the name points to them: a power cut never leaves half a file."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _discard(path: Path) -> None:
    if os.access(path.parent, os.W_OK):
        path.unlink(missing_ok=True)
