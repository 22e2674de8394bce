"""Readers for drag and drop: DICOM folders and files, NIfTI files, as layers in patient millimetres."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from napari_lesionmap.layers import LayerTuple

__all__ = ["get_reader", "looks_readable", "read_layers"]

_NIFTI = (".nii", ".nii.gz")
_FILES_LOOKED_AT = 200
"""In a folder, before it is left to other readers."""

Paths = str | Path | Sequence[str | Path]


def get_reader(path: Paths) -> Callable[[Any], list[LayerTuple]] | None:
    """Say whether the files are ours: the reading function, or None. It never raises."""
    paths = [Path(path)] if isinstance(path, str | Path) else [Path(p) for p in path]
    try:
        return read_layers if paths and all(map(looks_readable, paths)) else None
    except OSError:
        return None


def looks_readable(path: Path) -> bool:
    """Say whether a file has DICOM's magic or a NIfTI name, or a folder has such a file in its tree."""
    if path.is_dir():
        return any(_is_image(file) for file in _first_files(path))
    return _is_image(path)


def _first_files(folder: Path) -> Iterator[Path]:
    files = (file for file in folder.rglob("*") if file.is_file())
    for _, file in zip(range(_FILES_LOOKED_AT), files, strict=False):
        yield file


def _is_image(path: Path) -> bool:
    if path.name.lower().endswith(_NIFTI):
        return True
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def read_layers(path: Paths) -> list[LayerTuple]:
    """Read all series of the files or folders, each as an image layer; only the first is visible.

    Raises
    ------
    LesionmapError
        If there is nothing to read; the message names the first file that was refused, and why.
    """
    from lesionmap.read import pixels, scan
    from napari_lesionmap.canvas import hang_current
    from napari_lesionmap.layers import image_layer

    paths = [path] if isinstance(path, str | Path) else list(path)
    found = scan(paths)
    series = [s for study in found.studies for s in study.visit.series]
    if not series:
        why = f"; {found.refused[0].path}: {found.refused[0].why}" if found.refused else ""
        raise LesionmapError(f"no image series found in {len(paths)} path(s){why}; choose a folder of MR, NM or NIfTI")
    hang_current()
    return [image_layer(pixels(s), s.name, visible=i == 0) for i, s in enumerate(series)]
