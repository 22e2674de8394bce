"""Where landmarks must lie that a label map does not hold, from the pieces of bone that it does hold.

A shaft that the border cuts at both ends tells which way its limb runs, a slice of the chest where the spine is. Such
landmarks are estimates: each has the distance within which it is expected.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lesionmap import skeleton
from lesionmap.place.fit import long_axis, unit
from lesionmap.skeleton import anatomy, growth
from lesionmap.skeleton.shape import pose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lesionmap.place.pieces import Bones, Piece
    from lesionmap.skeleton import Placement

    Array = NDArray[np.float64]
    Guess = tuple[Array, float]

__all__ = ["child_of", "guessed", "marked", "unknown_levels"]

_LIMBS = {"humerus": "upper_arm", "radius": "forearm", "ulna": "forearm", "femur": "thigh", "tibia": "shank",
          "fibula": "shank"}  # fmt: skip
_SAMPLE = 200  # points of a piece that take part in the fit
_STEPS = 40
_AGE_Y = 10.0  # a child of whom nothing is known
_NEAR_MM = 90.0  # landmarks of the trunk that a piece says something about lie within this distance
_LEAN_MM2 = 60.0**2  # keeps a body that is seen in one slice upright
# Within which share of a limb's length, or within how many mm, 90 % of landmarks are expected (assumed).
_ALONG, _SWING = 0.3, 0.12
_TRUNK_MM, _LEVEL_MM, _UNKNOWN_LEVEL_MM = 60.0, 20.0, 150.0
_SLICE = 0.25  # a piece shorter than this share of its bone does not show which way the bone runs


def guessed(found: Bones, marks: Mapping[str, Array], child: Placement) -> dict[str, tuple[Array, float]]:
    """Estimate landmarks beside those found in a map.

    Parameters
    ----------
    found : Bones
        The pieces that the map holds.
    marks : mapping
        Landmarks found in it, LPS mm; may be empty.
    child : Placement
        A child of about that size: placed on the marks where there are any, else lying anywhere.

    Returns
    -------
    dict of str to (ndarray of shape (3,), float)
        LPS mm, and the distance in mm within which 90 % are expected.
    """
    result: dict[str, Guess] = {}
    model = {name: np.array(xyz) for name, xyz in child.positions().items()}
    if not marks:
        turn, shift = _laid(found, child)
        model = {name: turn @ point + shift for name, point in model.items()}
        result |= _trunk(found, model)
    for keys, piece in found.pieces:
        if len(keys) == 1:
            bone, side = next(iter(keys))
            if bone in _LIMBS:
                result |= _limb(piece, _ends(bone, side), {**model, **marks}, set(marks))
    return {name: guess for name, guess in result.items() if name not in marks}


def _ends(bone: str, side: str) -> tuple[str, str]:
    frame = anatomy.table()["frames"][_LIMBS[bone]]
    return f"{frame['from']}_{side}", f"{frame['to']}_{side}"


def _limb(piece: Piece, ends: tuple[str, str], at: Mapping[str, Array], known: set[str]) -> dict[str, Guess]:
    """Give the ends of a limb from the way that a piece of its shaft runs; one that is known holds the other."""
    start, end = (at[name] for name in ends)
    length = float(np.linalg.norm(end - start))
    axis = long_axis(piece.points, unit(end - start))
    if float(np.ptp(piece.points @ axis)) < _SLICE * length or known >= set(ends):
        return {}
    first, last = ends
    if first in known:
        return {last: (start + length * axis, _SWING * length)}
    if last in known:
        return {first: (end - length * axis, _SWING * length)}
    centre = piece.points.mean(axis=0)
    above, below = (float((point - centre) @ axis) for point in (start, end))
    middle = centre + (above + below) / 2 * axis
    return {
        first: (middle - length / 2 * axis, _ALONG * length),
        last: (middle + length / 2 * axis, _ALONG * length),
    }


def _trunk(found: Bones, model: Mapping[str, Array]) -> dict[str, Guess]:
    """Give landmarks of the laid model that are near to what the map holds; levels that are named, more surely."""
    named = {bone for keys, _ in found.pieces if len(keys) == 1 for bone, _ in keys}
    shown = np.concatenate([_some(piece) for _, piece in found.pieces])
    result: dict[str, Guess] = {}
    for name, point in model.items():
        gap = float(np.linalg.norm(shown - point, axis=1).min())
        if gap > _NEAR_MM:
            continue
        level = f"vertebra_{name}" in named or (name[0] == "T" and f"rib_{name[1:]}" in named)
        radius = _LEVEL_MM if level else _TRUNK_MM if named else _UNKNOWN_LEVEL_MM
        result[name] = (point, radius + gap)
    return result


def _some(piece: Piece) -> Array:
    return piece.points[:: max(len(piece.points) // _SAMPLE, 1)]


def _laid(found: Bones, child: Placement) -> tuple[Array, Array]:
    """Turn and shift the child's bones onto the pieces: each point to the nearest ball of a bone that it may be of."""
    from scipy.spatial import cKDTree

    posed = pose(child)
    sides = np.array(["midline" if t.paired else t.side for t in posed.tubes])
    bones = np.array([t.bone for t in posed.tubes])
    pairs = []
    for keys, piece in found.pieces:
        mine = np.flatnonzero(np.isin(bones, [b for b, _ in keys]) & np.isin(sides, [s for _, s in keys]))
        balls = posed.centres[np.isin(posed.tube, mine)]
        if len(balls):
            pairs.append((_some(piece), balls, cKDTree(balls)))
    turn = np.eye(3)
    if not pairs:
        return turn, np.zeros(3)
    shift = np.mean([p.mean(axis=0) - b.mean(axis=0) for p, b, _ in pairs], axis=0)
    for _ in range(_STEPS):
        targets = np.concatenate([p for p, _, _ in pairs])
        sources = np.concatenate([b[tree.query((p - shift) @ turn)[1]] for p, b, tree in pairs])
        middle, centre = targets.mean(axis=0), sources.mean(axis=0)
        cross = (targets - middle).T @ (sources - centre) / len(targets) + _LEAN_MM2 * np.eye(3)
        u, _, vt = np.linalg.svd(cross)
        turn = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
        shift = middle - turn @ centre
    return np.asarray(turn), np.asarray(shift)


def marked(placement: Placement, guesses: Mapping[str, Guess], inferred: tuple[str, ...] | None = None) -> Placement:
    """Say in a placement which of its landmarks were guesses: they are estimates, each with its own radius.

    Parameters
    ----------
    placement : Placement
        Placed on landmarks and guesses alike.
    guesses : mapping
        As ``guessed`` gives them.
    inferred : tuple of str, optional
        What of age and stature was not given, where the placement was told both.
    """
    # What was estimated from guesses alone is at least as unsure as they are.
    alone = not any(mark.placed and mark.name not in guesses for mark in placement.landmarks)
    least = min(radius for _, radius in guesses.values()) if alone and guesses else 0.0
    rows = []
    for mark in placement.landmarks:
        if mark.name in guesses:
            rows.append(replace(mark, placed=False, radius90_mm=guesses[mark.name][1]))
        else:
            rows.append(mark if mark.placed else replace(mark, radius90_mm=float(np.hypot(mark.radius90_mm, least))))
    return replace(placement, landmarks=tuple(rows), inferred=placement.inferred if inferred is None else inferred)


def unknown_levels(found: Bones, marks: Mapping[str, Array]) -> tuple[str, ...]:
    """Warn of a stretch of the spine whose levels nobody can tell."""
    several = any(sum(bone.startswith("vertebra_") for bone, _ in keys) > 1 for keys, _ in found.pieces)
    if not several or any(name[0] in "CTL" and name[1:].isdigit() for name in marks):
        return ()
    warning = (
        "the map does not tell which vertebrae it shows, their levels are guessed; give one vertebra's centre "
        "(T12, say) with --landmarks"
    )
    return (warning,)


def child_of(age_y: float | None, sex: growth.Sex | None, stature_cm: float | None) -> Placement:
    """Give a child of that age and stature (10 years where neither is known), lying anywhere."""
    age, stature = age_y, stature_cm
    if age is None:
        age = _AGE_Y if stature is None else growth.age_for_stature(stature, sex)
    if stature is None:
        stature = growth.stature_for_age(age, sex)
    model = {n: (float(p[0]), float(p[1]), float(p[2])) for n, p in growth.landmark_model(age, sex, stature).items()}
    inferred = tuple(n for n, v in (("age_y", age_y), ("stature_cm", stature_cm)) if v is None)
    return replace(skeleton.place(model, age_y=age, sex=sex, stature_cm=stature), inferred=inferred)
