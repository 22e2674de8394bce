"""The skeleton placed from a bone label map: landmarks by geometry from whatever bones are there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.place.leg import leg
from lesionmap.place.names import check_labels, read_names
from lesionmap.place.partial import child_of, guessed, marked, unknown_levels
from lesionmap.place.pelvis import pelvis
from lesionmap.place.pieces import Bones, bones_of
from lesionmap.place.spine import spine
from lesionmap.place.trunk import arm, chest, head
from lesionmap.skeleton import LabelMap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lesionmap.place.names import Names
    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume

    Array = NDArray[np.float64]

__all__ = ["landmarks_of", "place_file", "place_labels", "stored_labels"]

_HIPS_MM = 155.4  # between the hip joints of the reference body


def landmarks_of(labels: Volume, names: Names) -> dict[str, tuple[float, float, float]]:
    """Find landmarks in a bone label map, by geometry.

    Parameters
    ----------
    labels : Volume
        Bone label map; whole numbers, 0 is no bone. Any orientation, resolution and field of view.
    names : rows (label, bone, side)
        As ``read_names`` gives them.

    Returns
    -------
    dict of str to (x, y, z)
        LPS mm. Only landmarks whose part of the bone lies inside the map: an end that its border cuts is none.

    Raises
    ------
    LesionmapError
        If left bones lie on the patient's right.
    """
    return _plain(_marks(_checked(labels, names)))


def _checked(labels: Volume, names: Names) -> Bones:
    """Take the bones out of the map, and refuse it where left and right are exchanged."""
    found = bones_of(labels, names)
    exchanged = _exchanged(found)
    if exchanged:
        raise LesionmapError(
            f"left and right look exchanged in the label map: the left one of {', '.join(exchanged)} lies on the "
            "patient's right; check the map's affine and the names of its labels"
        )
    return found


def _exchanged(found: Bones) -> list[str]:
    """List the bones of which the left one lies to the right of the right one."""
    at: dict[str, dict[str, float]] = {}
    for keys, piece in found.pieces:
        for bone, side in keys:
            at.setdefault(bone, {})[side] = float(piece.points[:, 0].mean())
    return sorted(bone for bone, x in at.items() if {"left", "right"} <= x.keys() and x["left"] < x["right"])


def _marks(found: Bones) -> dict[str, Array]:
    marks: dict[str, Array] = {}
    for side in ("left", "right"):
        marks |= {f"{name}_{side}": point for name, point in leg(found, side).items()}
    scale = None
    if "hip_left" in marks and "hip_right" in marks:
        scale = float(np.linalg.norm(marks["hip_left"] - marks["hip_right"])) / _HIPS_MM
    column = spine(found, scale)
    marks |= pelvis(found, marks) | column | head(found) | chest(found, column)
    trunk = _trunk(found, marks)
    for side in ("left", "right"):
        marks |= {f"{name}_{side}": point for name, point in arm(found, side, trunk.get(side)).items()}
    return marks


def _trunk(found: Bones, marks: dict[str, Array]) -> dict[str, Array]:
    """Give for each side a point that the upper end of the humerus is nearer to than the lower end, where known."""
    near: dict[str, Array] = {}
    for side in ("left", "right"):
        girdle = found.only(["scapula"], side) or found.only(["clavicle"], side)
        if girdle is not None:
            near[side] = np.asarray(girdle.points.mean(axis=0))
        elif "C7" in marks or "T1" in marks:
            near[side] = marks.get("C7", marks.get("T1", np.zeros(3)))
    return near


def place_labels(
    labels: Volume,
    names: Names | LabelMap,
    *,
    age_y: float | None = None,
    sex: Literal["F", "M"] | None = None,
    stature_cm: float | None = None,
    landmarks: Mapping[str, Sequence[float]] | None = None,
) -> Placement:
    """Place the skeleton from a bone label map.

    Parameters
    ----------
    labels : Volume
        As for ``landmarks_of``.
    names : rows (label, bone, side), or LabelMap
        With a LabelMap the placement also remembers where the map is.
    age_y, sex, stature_cm : optional
        As for ``skeleton.place``.
    landmarks : mapping, optional
        Put down by a reader, LPS mm; they win over those found in the map.

    Raises
    ------
    LesionmapError
        If left bones lie on the right, or the map shows too little to place anything.

    Notes
    -----
    Where no bone lies whole in the map, the landmarks near its pieces are estimated from how the pieces lie.
    """
    told = names if isinstance(names, LabelMap) else LabelMap("", "", names)
    found = _checked(labels, told.names)
    marks = {**_marks(found), **{name: np.asarray(xyz, dtype=float) for name, xyz in (landmarks or {}).items()}}
    child = (
        child_of(age_y, sex, stature_cm)
        if not marks
        else skeleton.place(_plain(marks), age_y=age_y, sex=sex, stature_cm=stature_cm)
    )
    guesses = guessed(found, marks, child)
    if not marks and not guesses:
        raise LesionmapError(
            "no landmark was found in the label map: the bones that it names tell nothing about where the body lies; "
            "give some with --landmarks"
        )
    points = {name: point for name, (point, _) in guesses.items()}
    if not marks:  # guesses hold no size: the child keeps the one that it was given
        age_y, stature_cm = child.age_y, child.stature_cm
    placement = skeleton.place(_plain({**points, **marks}), age_y=age_y, sex=sex, stature_cm=stature_cm)
    placement = marked(placement, guesses, inferred=None if marks else child.inferred)
    warnings = (*placement.warnings, *unknown_levels(found, marks))
    return replace(placement, how="labels", labels=told, warnings=warnings)


def stored_labels(told: LabelMap | None) -> Volume | None:
    """Read the bone label map of a placement; None where it has none.

    Raises
    ------
    LesionmapError
        If the file is not there any more, or is another one now.
    """
    if told is None:
        return None
    from lesionmap.read import read_mask
    from lesionmap.read.files import sha256_of

    path = Path(told.path)
    if not path.is_file() or sha256_of(str(path)) != told.sha256:
        raise LesionmapError(
            f"the bone label map {path.name} by which the skeleton of this visit was placed is not in its place any "
            "more or has changed; put it back, or place the skeleton anew"
        )
    return read_mask(path)


def _plain(marks: Mapping[str, Array]) -> dict[str, tuple[float, float, float]]:
    return {name: (float(p[0]), float(p[1]), float(p[2])) for name, p in marks.items() if np.isfinite(p).all()}


def place_file(
    path: str | Path,
    names: str | Path,
    *,
    age_y: float | None = None,
    sex: Literal["F", "M"] | None = None,
    stature_cm: float | None = None,
    landmarks: Mapping[str, Sequence[float]] | None = None,
) -> tuple[Placement, Volume]:
    """Read a bone label map and what its numbers mean, and place the skeleton from it.

    Parameters
    ----------
    path : path-like
        NIfTI or DICOM SEG of whole numbers.
    names : str or Path
        As for ``read_names``.
    age_y, sex, stature_cm, landmarks : optional
        As for ``place_labels``.

    Returns
    -------
    Placement, Volume
        The placement, with what looks wrong about the map among its warnings, and the map.

    Raises
    ------
    LesionmapError
        If the map or the names cannot be read, do not fit each other, or show too little to place anything.
    """
    from lesionmap.read import read_mask
    from lesionmap.read.files import sha256_of

    rows = read_names(names)
    volume = read_mask(path)
    warnings = check_labels(volume, rows, str(names))
    where = str(Path(path).absolute())
    told = LabelMap(where, sha256_of(where), rows)
    placement = place_labels(volume, told, age_y=age_y, sex=sex, stature_cm=stature_cm, landmarks=landmarks)
    return replace(placement, warnings=(*warnings, *placement.warnings)), volume
