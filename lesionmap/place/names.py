"""What the numbers of a bone label map mean: numberings that are known by name, and files ``label,bone,side``."""

from __future__ import annotations

import csv
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.skeleton import anatomy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lesionmap.space import Volume

__all__ = ["NUMBERINGS", "Names", "check_labels", "members", "read_names"]

Names = tuple[tuple[int, str, str], ...]
"""Rows (label, bone or group of bones, side)."""

# The highest number that each numbering has, bone or not: a map that goes beyond it was numbered in another way.
_HIGHEST = {"total": 117, "total_mr": 50, "vertebrae_mr": 25, "appendicular_bones_mr": 8}
NUMBERINGS: tuple[str, ...] = tuple(_HIGHEST)
"""Tasks of TotalSegmentator (version 2) whose numbering is known by name."""


def members(bone: str, side: str) -> frozenset[tuple[str, str]]:
    """Give the bones and sides that a row stands for: one bone, or all of a group; empty where there is none such."""
    group = {g.id: g.sites for g in anatomy.groups()}.get(f"{bone}.{side}", ())
    return frozenset((site.split(".")[0], side) for site in group)


def read_names(name_or_path: str | Path) -> Names:
    """Read what the numbers of a label map mean.

    Parameters
    ----------
    name_or_path : str or Path
        ``total``, ``total_mr``, ``vertebrae_mr`` or ``appendicular_bones_mr`` (TotalSegmentator's tasks), or a CSV file
        ``label,bone,side``. A label with several rows is one of these bones; groups (``tarsals``, ``hip_bone``) count
        as all their bones.

    Raises
    ------
    LesionmapError
        If it is neither, or a row names no label, an unknown bone or a side that the bone does not have.
    """
    name = str(name_or_path)
    if name in _HIGHEST:
        text = files("lesionmap.place").joinpath(f"{name}.csv").read_text(encoding="utf-8")
        rows: Iterable[dict[str, str]] = csv.DictReader(text.splitlines())
    elif Path(name).is_file():
        from lesionmap.read.rows import read_rows

        rows = read_rows(name, ("label", "bone", "side"))
    else:
        near = get_close_matches(name, NUMBERINGS, n=1, cutoff=0.6)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise LesionmapError(
            f"{name!r} is neither a numbering ({', '.join(NUMBERINGS)}) nor a file label,bone,side{hint}"
        )
    return tuple(dict.fromkeys(_row(row, name) for row in rows))


def _row(row: dict[str, str], where: str) -> tuple[int, str, str]:
    label, bone, side = row["label"], row["bone"], row["side"]
    if not label.isdecimal() or int(label) == 0:
        raise LesionmapError(f"{where}: a label is a whole number above 0, got {label!r} for {bone}")
    if not members(bone, side):
        raise LesionmapError(f"{where}: label {label}: {_what_is_wrong(bone, side)}")
    return int(label), bone, side


def _what_is_wrong(bone: str, side: str) -> str:
    sides: dict[str, list[str]] = {}
    for group in anatomy.groups():
        name, _, its_side = group.id.rpartition(".")
        sides.setdefault(name, []).append(its_side)
    if bone in sides:
        return f"{bone} has the side {' or '.join(sides[bone])}, got {side!r}"
    near = get_close_matches(bone, sides, n=3, cutoff=0.5)
    return f"bone {bone!r} is not known; " + (
        f"did you mean {', '.join(near)}?" if near else "bones read like femur, vertebra_T7, rib_7, tarsals"
    )


def check_labels(labels: Volume, names: Names, numbering: str = "") -> tuple[str, ...]:
    """Compare a label map with the names of its labels; give warnings.

    Parameters
    ----------
    labels : Volume
        Whole numbers; 0 is no bone.
    names : rows (label, bone, side)
    numbering : str
        What ``names`` was read from: a numbering by name holds soft tissue too, and has a highest number.

    Raises
    ------
    LesionmapError
        If the map is empty, has no label that is named, or numbers that the numbering does not have.
    """
    have = np.unique(labels.array)
    have = have[have != 0]
    if not len(have):
        raise LesionmapError("the label map is empty: bones numbered from 1 were expected, all voxels are 0")
    strange = [int(n) for n in have if int(n) not in {row[0] for row in names}]
    beyond = [n for n in strange if n < 0 or n > _HIGHEST.get(numbering, 2**31)]
    if beyond:
        raise LesionmapError(
            f"the label map has numbers that {numbering or 'the names'} does not: {_list(beyond)}; "
            "name the numbering that it was made with, or a file label,bone,side"
        )
    if len(strange) == len(have):
        raise LesionmapError(f"no label of the map is a bone by its names: the map has {_list(strange)}")
    if strange and numbering not in _HIGHEST:
        return (f"the label map has numbers without a name, left out: {_list(strange)}",)
    return ()


def _list(numbers: Sequence[int]) -> str:
    shown = ", ".join(str(n) for n in numbers[:12])
    return shown + (f" and {len(numbers) - 12} more" if len(numbers) > 12 else "")
