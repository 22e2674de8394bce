"""Landmarks of head, chest and arm from their bones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.place.fit import BACK, FRONT, LEFT, UP, across, long_axis, sphere, tip, tip_part, unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lesionmap.place.pieces import Bones, Piece

    Array = NDArray[np.float64]

__all__ = ["arm", "chest", "head"]

_FINGERS = tuple(f"finger_{n}" for n in range(1, 6))
_METACARPALS = tuple(f"metacarpal_{n}" for n in range(1, 6))


def head(found: Bones) -> dict[str, Array]:
    """Give vertex, chin and angles of the mandible, as far as the map holds them, LPS mm."""
    skull = found.only(["skull", "mandible"], "midline")
    mandible = found.only(["mandible"], "midline")
    result: dict[str, Array | None] = {}
    if found.having("skull", "midline") is not None:
        result["vertex"] = tip(skull, UP, 3.0)
    jaw = mandible
    if jaw is None and skull is not None and found.having("mandible", "midline") is not None:
        jaw = skull.part(skull.points[:, 1] < np.median(skull.points[:, 1]))
    if jaw is not None:
        x = float(np.median(jaw.points[:, 0]))
        result["chin"] = tip(jaw.part(np.abs(jaw.points[:, 0] - x) < 10.0), unit(FRONT - UP), 4.0)
    if mandible is not None:
        x = float(np.median(mandible.points[:, 0]))
        for side, sign in (("left", 1.0), ("right", -1.0)):
            half = mandible.part((mandible.points[:, 0] - x) * sign > 0.25 * np.ptp(mandible.points[:, 0]))
            result[f"mandible_angle_{side}"] = tip(half, unit(BACK - UP), 4.0)
    return {name: point for name, point in result.items() if point is not None}


def chest(found: Bones, spine: Mapping[str, Array]) -> dict[str, Array]:
    """Give notch and xiphoid of the sternum and the ends of the clavicles, as far as the map holds them, LPS mm."""
    result: dict[str, Array | None] = {}
    sternum = found.only(["sternum"], "midline") or _breast(found, spine)
    if sternum is not None:
        x = float(np.median(sternum.points[:, 0]))
        slab = sternum.part(np.abs(sternum.points[:, 0] - x) < max(7.0, 0.75 * sternum.step))
        result["sternal_notch"], result["xiphoid"] = tip(slab, UP, 3.0), tip(slab, -UP, 3.0)
    for side, out in (("left", LEFT), ("right", -LEFT)):
        clavicle = found.only(["clavicle"], side)
        if clavicle is not None:
            axis = long_axis(clavicle.points, out)
            result[f"sc_joint_{side}"] = tip(clavicle, -axis, 3.0)
            result[f"ac_joint_{side}"] = tip(clavicle, axis, 3.0)
    return {name: point for name, point in result.items() if point is not None}


def _breast(found: Bones, spine: Mapping[str, Array]) -> Piece | None:
    """Take the sternum out of a label of the whole rib cage: what lies in the midline in front of the spine."""
    cage = found.having("sternum", "midline")
    levels = [point for name, point in spine.items() if name[0] == "T"]
    if cage is None or not levels:
        return None
    x, y = (float(np.mean([point[axis] for point in levels])) for axis in (0, 1))
    front = (np.abs(cage.points[:, 0] - x) < max(7.0, 0.75 * cage.step)) & (cage.points[:, 1] < y - 35.0)
    return cage.part(front) if front.sum() > 20 else None


def arm(found: Bones, side: str, trunk: Array | None) -> dict[str, Array]:
    """Give the landmarks of one arm that the map holds, without side in their names, LPS mm.

    Parameters
    ----------
    trunk : ndarray, shape (3,), optional
        Middle of the bones of shoulder and spine: the upper end of the humerus is nearer to it, arms raised or not.
    """
    humerus, radius, ulna = (found.only([name], side) for name in ("humerus", "radius", "ulna"))
    out = LEFT if side == "left" else -LEFT
    marks: dict[str, Array | None] = {}
    elbow_end = trunk
    if humerus is not None:
        up = _towards(humerus, trunk)
        marks["shoulder"] = _shoulder(humerus, up, out)
        marks["elbow"] = _elbow(humerus, up)
        elbow_end = humerus.points[int(np.argmin(humerus.points @ up))]
    marks["wrist"] = _wrist(radius, ulna, elbow_end)
    wrist = marks["wrist"]
    marks |= _hand(found, side, wrist if wrist is not None else elbow_end)
    return {name: point for name, point in marks.items() if point is not None}


def _towards(bone: Piece, near: Array | None) -> Array:
    """Give a bone's axis pointing to its upper end: the one that is nearer to a point, or upwards."""
    axis = long_axis(bone.points, UP)
    if near is None:
        return axis
    order = bone.points @ axis
    top, low = bone.points[int(np.argmax(order))], bone.points[int(np.argmin(order))]
    return axis if np.linalg.norm(top - near) <= np.linalg.norm(low - near) else -axis


def _shoulder(humerus: Piece, up: Array, out: Array) -> Array | None:
    reach = humerus.points @ up
    part = humerus.part(reach >= reach.max() - max(0.25 * float(np.ptp(reach)), 40.0))
    found = sphere(part, unit(across(-out, up) + up) if abs(up @ out) < 0.9 else up)
    return None if found is None else found[0]


def _elbow(humerus: Piece, up: Array) -> Array | None:
    """Find the middle between the epicondyles: the broadest place of the lower end."""
    lower = tip_part(humerus, -up, 0.12 * max(float(np.ptp(humerus.points @ up)), 120.0))
    if lower is None:
        return None
    flat = lower.points - np.outer((lower.points - lower.points.mean(axis=0)) @ up, up)
    centred = flat - flat.mean(axis=0)
    wide = np.linalg.eigh(centred.T @ centred)[1][:, 2]
    ends = [tip(lower, sign * wide, 2.0) for sign in (1.0, -1.0)]
    first, second = (np.asarray(end) for end in ends)
    return np.asarray((first + second) / 2)


def _wrist(radius: Piece | None, ulna: Piece | None, elbow: Array | None) -> Array | None:
    """Find the middle between the styloids of radius and ulna."""
    if radius is None or ulna is None:
        return None
    ends = [tip(bone, -_towards(bone, elbow), 3.0) for bone in (radius, ulna)]
    if any(end is None for end in ends):
        return None
    return np.asarray((np.asarray(ends[0]) + np.asarray(ends[1])) / 2)


def _hand(found: Bones, side: str, wrist: Array | None) -> dict[str, Array | None]:
    """Find the head of the third metacarpal and the tip of the third finger: the middle and the longest ray."""
    if wrist is None:
        return {}
    metacarpals = found.only(["metacarpal_3"], side) or found.only(_METACARPALS, side)
    fingers = found.only(["finger_3"], side) or found.only(_FINGERS, side)
    result: dict[str, Array | None] = {}
    for name, bones, depth in (("mcp3", metacarpals, 8.0), ("fingertip3", fingers, 3.0)):
        if bones is not None:
            result[name] = tip(bones, unit(bones.points.mean(axis=0) - wrist), depth)
    return result
