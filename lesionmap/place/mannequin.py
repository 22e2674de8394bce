"""A jointed mannequin: the landmarks of a child in any pose, and the body around them as tapered rods.

Angles are about the patient's axes: x flexes, y spreads, z turns; those of the right side are mirrored.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lesionmap.skeleton import growth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["JOINTS", "Joint", "Rods", "pose", "rods", "turn", "usual"]


class Joint(NamedTuple):
    """An angle of the pose."""

    name: str
    """Part of the body that turns (with what hangs on it)."""
    axis: int
    """0 x, 1 y, 2 z."""
    usual_deg: float
    """Of a child lying on its back, left side (assumed)."""
    spread_deg: float
    """Standard deviation (assumed)."""


JOINTS = (
    Joint("spine", 0, 0, 6), Joint("spine", 1, 0, 4), Joint("head", 0, 0, 8), Joint("head", 1, 0, 6),
    Joint("upper_arm", 0, 0, 15), Joint("upper_arm", 1, -8, 15), Joint("forearm", 0, -8, 15),
    Joint("forearm", 1, 0, 12), Joint("hand", 0, 0, 15), Joint("hand", 1, 0, 12), Joint("thigh", 0, -6, 12),
    Joint("thigh", 1, -4, 8), Joint("shank", 0, 10, 15), Joint("shank", 1, 0, 4), Joint("foot", 0, 28, 20),
    Joint("foot", 2, 14, 15),
)  # fmt: skip
"""Angles of the pose; those of limbs once for each side."""

_CENTRAL = ("spine", "head")
# What each part of growth.parents() turns with, outwards.
_CHAIN = {
    "pelvis": (), "spine": ("spine",), "thorax": ("spine",), "girdle": ("spine",), "head": ("spine", "head"),
    "upper_arm": ("spine", "upper_arm"), "forearm": ("spine", "upper_arm", "forearm"),
    "hand": ("spine", "upper_arm", "forearm", "hand"), "thigh": ("thigh",), "shank": ("thigh", "shank"),
    "foot": ("thigh", "shank", "foot"),
}  # fmt: skip

# Rods of the body: from, to, radii at either end as share of stature (assumed), "_" for each side; t: trunk.
_RODS: tuple[tuple[str, str, float, float, str], ...] = (
    ("hip_", "knee_", 0.052, 0.034, ""), ("knee_", "ankle_", 0.033, 0.021, ""), ("ankle_", "heel_", 0.020, 0.018, ""),
    ("ankle_", "toe2_", 0.020, 0.014, ""), ("heel_", "toe2_", 0.018, 0.014, ""),
    ("shoulder_", "elbow_", 0.030, 0.022, ""), ("elbow_", "wrist_", 0.022, 0.016, ""),
    ("wrist_", "mcp3_", 0.018, 0.020, ""), ("mcp3_", "fingertip3_", 0.018, 0.010, ""),
    ("hip_left", "hip_right", 0.056, 0.056, "t"), ("ischium_", "hip_", 0.035, 0.056, "t"),
    ("asis_", "hip_", 0.018, 0.05, "t"), ("waist_left", "waist_right", 0.055, 0.055, "t"),
    ("chest_left", "chest_right", 0.058, 0.058, "t"), ("T4", "shoulder_", 0.045, 0.030, "t"),
    ("C7", "ac_joint_", 0.030, 0.018, "t"), ("waist_", "hip_", 0.055, 0.050, "t"),
    ("chest_", "waist_", 0.058, 0.055, "t"), ("C7", "C2", 0.033, 0.036, ""),
)  # fmt: skip
_SKULL = 0.47  # radius of the head as share of the distance from chin to vertex


class Rods(NamedTuple):
    """Tapered rods with round ends."""

    starts: Array
    """(k, 3) LPS mm."""
    ends: Array
    radii: Array
    """(k, 2) mm at start and end."""

    def outside_mm(self, points: Array) -> Array:
        """Give how far points (n, 3) lie outside the nearest rod, mm; negative inside."""
        way = self.ends - self.starts
        offset = points[:, None] - self.starts[None]
        along = np.clip(np.einsum("nki,ki->nk", offset, way) / np.maximum((way**2).sum(axis=1), 1e-9), 0.0, 1.0)
        gap = np.linalg.norm(offset - along[:, :, None] * way[None], axis=2)
        return np.asarray((gap - self.radii[:, 0] - along * (self.radii[:, 1] - self.radii[:, 0])).min(axis=1))


def usual() -> tuple[Array, Array]:
    """Give the usual pose and its spread, radians: left and right one after the other."""
    rows = [joint for joint in JOINTS for _ in range(1 if joint.name in _CENTRAL else 2)]
    return np.radians([joint.usual_deg for joint in rows]), np.radians([joint.spread_deg for joint in rows])


def _turns(angles: Array) -> dict[tuple[str, str], Array]:
    """Give the rotation of each part of the body against the one before it, by part and side."""
    found: dict[tuple[str, str], Array] = {}
    i = 0
    for joint in JOINTS:
        for side in ("left", "right") if joint.name not in _CENTRAL else ("",):
            flip = -1.0 if side == "right" and joint.axis != 0 else 1.0
            bent = turn(joint.axis, flip * float(angles[i]))
            found[joint.name, side] = found.get((joint.name, side), np.eye(3)) @ bent
            i += 1
    return found


def turn(axis: int, angle: float) -> Array:
    """Give the rotation matrix about a patient axis (0 x, 1 y, 2 z) by an angle in radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = np.eye(3)
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    matrix[i, i] = matrix[j, j] = cos
    matrix[i, j], matrix[j, i] = -sin, sin
    return matrix


def pose(model: Mapping[str, Array], angles: Array, stretch: Mapping[str, float]) -> dict[str, Array]:
    """Give the landmarks of a model of the body in a pose.

    Parameters
    ----------
    model : mapping of str to ndarray, shape (3,)
        LPS mm, from ``growth.landmark_model``; S1 stays where it is.
    angles : ndarray
        As ``usual`` orders them, radians.
    stretch : mapping of str to float
        Part of ``growth.parents()`` → how many times longer than the model's; 1 where not named.
    """
    turns = _turns(angles)
    whole: dict[tuple[str, str], Array] = {}
    for part, chain in _CHAIN.items():
        for side in ("left", "right", ""):
            whole[part, side] = np.eye(3)
            for name in chain:
                whole[part, side] = whole[part, side] @ turns.get((name, side), turns.get((name, ""), np.eye(3)))
    found = {"S1": model["S1"]}
    for name, parent, part, side in _sorted():
        found[name] = found[parent] + whole[part, side] @ (model[name] - model[parent]) * stretch.get(part, 1.0)
    return found


@cache
def _sorted() -> tuple[tuple[str, str, str, str], ...]:
    """Give (landmark, parent, part, side), parents first."""
    rows, have, waiting = [], {"S1"}, dict(growth.parents())
    while waiting:
        for name, (parent, part) in list(waiting.items()):
            if parent in have:
                side = name.rsplit("_", 1)[-1]
                rows.append((name, parent, part, side if side in {"left", "right"} else ""))
                have.add(name)
                del waiting[name]
    return tuple(rows)


def rods(marks: Mapping[str, Array], stature_mm: float, stout: tuple[float, float] = (1.0, 1.0)) -> Rods:
    """Give the rods around landmarks.

    Parameters
    ----------
    stout : (float, float)
        Limbs and trunk: how many times thicker than usual.
    """
    rows = []
    marks = {**marks, **_sides(marks)}
    for start, end, first, last, kind in _RODS:
        thick = stature_mm * stout[1 if kind else 0]
        for side in ("left", "right") if "_" in start[-1] + end[-1] else ("",):
            a, b = (name + side if name.endswith("_") else name for name in (start, end))
            rows.append((marks[a], marks[b], first * thick, last * thick))
    skull = marks["vertex"] - marks["chin"]
    radius = _SKULL * float(np.linalg.norm(skull))
    rows.append(
        (marks["vertex"] - radius * skull / np.linalg.norm(skull), marks["C2"] + 0.25 * skull, radius, 0.8 * radius)
    )
    rows.append((marks["chin"] + 0.15 * skull, marks["C2"], 0.4 * radius, 0.55 * radius))
    starts, ends = (np.array([row[i] for row in rows]) for i in (0, 1))
    return Rods(starts, ends, np.array([row[2:] for row in rows]))


def _sides(marks: Mapping[str, Array]) -> dict[str, Array]:
    """Give points in the sides of chest and waist, where there are no landmarks (assumed)."""
    left = 0.14 * (marks["shoulder_left"] - marks["shoulder_right"])
    front = marks["xiphoid"] - marks["T9"]
    chest, waist = marks["T9"] + 0.45 * front, marks["L3"] + 0.3 * front
    return {
        "chest_left": chest + left,
        "chest_right": chest - left,
        "waist_left": waist + left,
        "waist_right": waist - left,
    }
