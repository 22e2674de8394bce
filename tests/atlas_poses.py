"""Real bodies in other poses: the voxels of their label maps moved bone by bone, landmarks with their bones.

Limb bones move rigidly about joints. The spine is bent along an arc: each vertebra that has a label of its own moves
rigidly with its level, what shares a label with its neighbours (ribs, the vertebrae of a coarser map) follows the bent
space, head and arms ride rigidly on it. Nothing here knows of lesionmap's own shapes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from atlas_bodies import labels_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from atlas_bodies import BodyOfLabels

    Array = NDArray[np.float64]
    Move = Callable[[Array], Array]

__all__ = ["POSES", "bent_knees", "bent_spine", "reposed", "turned"]

_SHANK = ("tibia", "fibula", "patella")
_FOOT = ("talus", "calcaneus", "toe_1")
_HEAD = ("skull", "mandible", "vertex", "chin", "mandible_angle_left", "mandible_angle_right")
_ARMS = ("humerus", "ulna", "radius")
_SIDES = ("left", "right")


def _unit(vector: Array) -> Array:
    return np.asarray(vector / np.linalg.norm(vector))


def _rotation(axis: Array, degrees: float) -> Array:
    """Give the matrix of a right-handed turn about an axis (Rodrigues)."""
    x, y, z = _unit(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    angle = np.radians(degrees)
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross)


def turned(body: BodyOfLabels, bones: list[str], marks: list[str], centre: Array, rotation: Array) -> BodyOfLabels:
    """Turn bones (``tibia.left``) and landmarks rigidly about a centre."""
    points, mine = body.points.copy(), body.of(*bones)
    points[mine] = (points[mine] - centre) @ rotation.T + centre
    moved = {name: body.marks[name] for name in body.marks}
    for name in marks:
        moved[name] = rotation @ (moved[name] - centre) + centre
    return replace(body, points=points, marks=moved)


def bent_knees(body: BodyOfLabels, degrees: float, sides: tuple[str, ...] = _SIDES) -> BodyOfLabels:
    """Bend knees about their transverse axis: the heels move backwards."""
    across = body.marks["knee_left"] - body.marks["knee_right"]
    for side in sides:
        bones = [f"{bone}.{side}" for bone in (*_SHANK, *_FOOT)]
        marks = [f"{name}_{side}" for name in ("ankle", "heel", "toe2")]
        body = turned(body, bones, marks, body.marks[f"knee_{side}"], _rotation(across, degrees))
    return body


def _out(side: str) -> float:
    """Give the sign that turns the toes outwards about an axis that points up."""
    return 1.0 if side == "left" else -1.0


def turned_feet(body: BodyOfLabels, degrees: float) -> BodyOfLabels:
    """Turn the feet outwards about the shanks' axes; the shanks stay."""
    for side in _SIDES:
        knee, ankle = body.marks[f"knee_{side}"], body.marks[f"ankle_{side}"]
        bones, marks = [f"{bone}.{side}" for bone in _FOOT], [f"heel_{side}", f"toe2_{side}"]
        body = turned(body, bones, marks, ankle, _rotation(knee - ankle, _out(side) * degrees))
    return body


def pointed_feet(body: BodyOfLabels, degrees: float) -> BodyOfLabels:
    """Point the feet downwards about the ankles' transverse axis, as they lie when asleep."""
    across = body.marks["ankle_left"] - body.marks["ankle_right"]
    for side in _SIDES:
        bones, marks = [f"{bone}.{side}" for bone in _FOOT], [f"heel_{side}", f"toe2_{side}"]
        body = turned(body, bones, marks, body.marks[f"ankle_{side}"], _rotation(across, degrees))
    return body


def turned_legs(body: BodyOfLabels, degrees: float) -> BodyOfLabels:
    """Turn the whole legs outwards about their axes from hip to ankle."""
    for side in _SIDES:
        hip, ankle = body.marks[f"hip_{side}"], body.marks[f"ankle_{side}"]
        bones = [f"{bone}.{side}" for bone in ("femur", *_SHANK, *_FOOT)]
        marks = [f"{name}_{side}" for name in ("knee", "ankle", "heel", "toe2")]
        body = turned(body, bones, marks, hip, _rotation(hip - ankle, _out(side) * degrees))
    return body


@dataclass(frozen=True, slots=True, eq=False)
class _Bend:
    """A spine bent in one plane: a frame for every height, turned by an angle and laid end to end."""

    height: Array
    """(k,) z in mm, rising."""
    before: Array
    """(k, 3) the spine as it was."""
    after: Array
    """(k, 3) as it is: of the same length, each step turned."""
    degrees: Array
    """(k,) the turn at each height."""
    axis: Array

    def carry(self, points: Array, level: float | None = None) -> Array:
        """Carry points with the frame at their own heights, or rigidly with that of one ``level``."""
        z = points[:, 2] if level is None else np.full(len(points), level)
        at = np.clip(z, self.height[0], self.height[-1])
        before, after = (
            np.column_stack([np.interp(at, self.height, line[:, i]) for i in range(3)])
            for line in (self.before, self.after)
        )
        angle = np.radians(np.interp(at, self.height, self.degrees))[:, None]
        offset = points - before
        along = (offset @ self.axis)[:, None] * self.axis
        turned = along + np.cos(angle) * (offset - along) + np.sin(angle) * np.cross(self.axis, offset)
        return np.asarray(after + turned)


def _bend(body: BodyOfLabels, low: str, high: str, degrees: Callable[[Array], Array], axis: Array) -> _Bend:
    levels = sorted(
        (point for name, point in body.marks.items() if name[1:].isdigit()),
        key=lambda point: float(point[2]),
    )
    spine = np.array(levels)
    height = np.arange(body.marks[low][2], body.marks[high][2], 1.0)
    before = np.column_stack([np.interp(height, spine[:, 2], spine[:, i]) for i in range(3)])
    angle = degrees((height - height[0]) / (height[-1] - height[0]))
    steps = np.diff(before, axis=0)
    half = (angle[1:] + angle[:-1]) / 2
    turned = np.array([_rotation(axis, a) @ step for a, step in zip(half.tolist(), steps, strict=True)])
    after = np.vstack([before[:1], before[0] + np.cumsum(turned, axis=0)])
    return _Bend(height, before, after, angle, axis)


def _rigid_levels(body: BodyOfLabels) -> dict[int, float]:
    """Give the height of every label that moves as one with a level of the spine."""
    marks = body.marks
    rigid = {label: float(marks["C2"][2]) for label in labels_of(body, "skull", "mandible")}
    for label, keys in body.truth.items():
        (bone, side), *others = sorted(keys)
        if not others and bone.startswith("vertebra_"):
            rigid[label] = float(marks[bone.removeprefix("vertebra_")][2])
        if bone in _ARMS:
            rigid[label] = float(marks[f"shoulder_{side}"][2])
    return rigid


def bent_spine(body: BodyOfLabels, low: str, high: str, degrees: Callable[[Array], Array], axis: Array) -> BodyOfLabels:
    """Bend the spine between two vertebrae.

    Parameters
    ----------
    body : BodyOfLabels
    low, high : str
        Below ``low`` nothing moves; above ``high`` all moves as one.
    degrees : callable
        The turn at a place from 0 (``low``) to 1 (``high``).
    axis : ndarray, shape (3,)
        Unit vector, the axis of the turn.
    """
    bend, rigid = _bend(body, low, high, degrees, axis), _rigid_levels(body)
    points = body.points.copy()
    still = body.of("sacrum", "ilium", "femur", *_SHANK, *_FOOT)
    for label in np.unique(body.label[~still]).tolist():
        mine = body.label == label
        points[mine] = bend.carry(points[mine], rigid.get(label))
    moved = {name: _carried_mark(name, body, bend) for name in body.marks}
    return replace(body, points=points, marks=moved)


_PELVIS_AND_LEG_MARKS = ("S1", "coccyx", "pubis", "si_joint", "asis", "hip", "ischium", "knee", "ankle", "heel", "toe2")


def _carried_mark(name: str, body: BodyOfLabels, bend: _Bend) -> Array:
    point = body.marks[name]
    stem, _, side = name.rpartition("_") if name.endswith(_SIDES) else (name, "", "")
    if stem in _PELVIS_AND_LEG_MARKS:
        return point
    level = None
    if name in _HEAD:
        level = float(body.marks["C2"][2])
    elif stem in {"shoulder", "elbow", "wrist"}:
        level = float(body.marks[f"shoulder_{side}"][2])
    return np.asarray(bend.carry(point[None], level)[0])


_FRONTAL, _SAGITTAL = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])


def scoliosis(body: BodyOfLabels, cobb_deg: float) -> BodyOfLabels:
    """Bend the spine sideways into half a sine from L5 to T1: the end plates lean half of Cobb's angle either way."""
    return bent_spine(body, "L5", "T1", lambda u: cobb_deg / 2 * np.cos(np.pi * u), _FRONTAL)


def balanced_scoliosis(body: BodyOfLabels, cobb_deg: float) -> BodyOfLabels:
    """Bend it sideways so that the head is upright above the pelvis: Cobb's angle between the steepest vertebrae."""
    return bent_spine(body, "L5", "T1", lambda u: cobb_deg / 2 * np.sin(2 * np.pi * u), _FRONTAL)


def tilted_head(body: BodyOfLabels, degrees: float, axis: Array = _FRONTAL) -> BodyOfLabels:
    """Tilt the head (sideways; about the transverse axis it nods), the neck bending from C7 to C2 as an even arc."""
    return bent_spine(body, "C7", "C2", lambda u: degrees * u, axis)


POSES: dict[str, Callable[[BodyOfLabels], BodyOfLabels]] = {
    "as it is": lambda body: body,
    "both knees bent 30": lambda body: bent_knees(body, 30.0),
    "left knee bent 30": lambda body: bent_knees(body, 30.0, ("left",)),
    "feet turned 25": lambda body: turned_feet(body, 25.0),
    "feet pointed 25": lambda body: pointed_feet(body, 25.0),
    "legs turned 25": lambda body: turned_legs(body, 25.0),
    "scoliosis 20": lambda body: scoliosis(body, 20.0),
    "balanced scoliosis 20": lambda body: balanced_scoliosis(body, 20.0),
    "head tilted 20": lambda body: tilted_head(body, 20.0),
    "head nodding 20": lambda body: tilted_head(body, 20.0, _SAGITTAL),
}
"""What each pose is called, and how to bring a body into it; degrees as in the name."""


def reposed(body: BodyOfLabels, pose: str) -> BodyOfLabels:
    """Bring a body into one of ``POSES``."""
    return POSES[pose](body)
