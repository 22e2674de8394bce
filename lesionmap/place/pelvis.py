"""Landmarks of the pelvis from hip bones and sacrum: iliac spine, seat, symphysis, sacroiliac joint, S1, coccyx."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.place.fit import BACK, FRONT, LEFT, UP, tip, unit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lesionmap.place.pieces import Bones, Piece

    Array = NDArray[np.float64]

__all__ = ["pelvis"]

_HIP_BONE = ("ilium", "ischium", "pubis")
_JOINT_MM = 15.0  # two bones farther apart are no joint
_ADULT_HEIGHT_MM = 215.0  # of the hip bone
_ADULT_HIPS_MM = 165.0  # between the hip joints
_ADULT_SACRUM_MM = 110.0  # its breadth


def pelvis(found: Bones, marks: Mapping[str, Array]) -> dict[str, Array]:
    """Give the landmarks of the pelvis that the map holds, LPS mm.

    Parameters
    ----------
    found : Bones
    marks : mapping
        Landmarks found so far: the hips tell where in the hip bone a height is.
    """
    pieces = {side: found.only(_HIP_BONE, side) for side in ("left", "right")}
    both = {side: piece for side, piece in pieces.items() if piece is not None}
    scale = _scale(both, marks)
    sacrum = found.only(["sacrum", "coccyx"], "midline")
    result: dict[str, Array | None] = {}
    for side, piece in both.items():
        hip = marks.get(f"hip_{side}")
        hip = _socket(piece) if hip is None else hip
        result[f"asis_{side}"] = _asis(piece, hip, scale)
        result[f"ischium_{side}"] = _ischium(piece, hip, scale)
        if sacrum is not None:
            result[f"si_joint_{side}"] = _si_joint(piece, sacrum)
    if len(both) == 2:
        result["pubis"] = _pubis(both, scale)
    if sacrum is not None:
        result |= _sacrum(sacrum, scale)
    return {name: point for name, point in result.items() if point is not None}


def _scale(both: Mapping[str, Piece], marks: Mapping[str, Array]) -> float:
    """Give the size of the pelvis against that of an adult."""
    if "hip_left" in marks and "hip_right" in marks:
        return float(np.linalg.norm(marks["hip_left"] - marks["hip_right"])) / _ADULT_HIPS_MM
    heights = [
        float(np.ptp(p.points[:, 2])) for p in both.values() if not p.edge[_near_ends(p.points[:, 2], p.step)].any()
    ]
    return max(heights) / _ADULT_HEIGHT_MM if heights else 1.0


def _near_ends(values: Array, step: float) -> NDArray[np.bool_]:
    return np.asarray((values < values.min() + step) | (values > values.max() - step))


def _socket(piece: Piece) -> Array:
    """Guess the middle of the hip joint from the hip bone alone, where that is whole."""
    low, high = piece.points.min(axis=0), piece.points.max(axis=0)
    return np.asarray(low + [0.5, 0.45, 0.36] * (high - low))


def _asis(piece: Piece, hip: Array, scale: float) -> Array | None:
    """Find the foremost point of the wing, well above the hip joint."""
    above = piece.part(piece.points[:, 2] > hip[2] + 45.0 * scale)
    # The wing goes on upwards beyond the spine of the ilium, or we see only its stump.
    if not len(above.points):
        return None
    found = tip(above, FRONT, 3.0)
    floor = float(above.points[:, 2].min())
    return None if found is None or found[2] < floor + 2 * piece.step else found


def _ischium(piece: Piece, hip: Array, scale: float) -> Array | None:
    """Find the tuberosity: the lowest part behind the hip joint."""
    return tip(piece.part(piece.points[:, 1] > hip[1] + 8.0 * scale), -UP, 14.0 * scale)


def _si_joint(piece: Piece, sacrum: Piece) -> Array | None:
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(sacrum.points).query(piece.points, distance_upper_bound=_JOINT_MM)
    face = piece.part(distance < max(4.0, 1.5 * piece.step, float(distance.min()) + max(2.0, piece.step)))
    # A face that the border of the map cuts has its middle elsewhere.
    if len(face.points) < 8 or face.edge.any():
        return None
    return np.asarray(face.points.mean(axis=0))


def _pubis(both: Mapping[str, Piece], scale: float) -> Array | None:
    """Find the symphysis: where the two hip bones come nearest to each other, in front and below."""
    ends = []
    for side, piece in both.items():
        front = piece.points[:, 1] < np.percentile(piece.points[:, 1], 60)
        low = piece.points[:, 2] < np.percentile(piece.points[:, 2], 60)
        ends.append(tip(piece.part(front & low), -LEFT if side == "left" else LEFT, 7.0 * scale))
    if any(end is None for end in ends):
        return None
    first, second = (end for end in ends if end is not None)
    return np.asarray((first + second) / 2) if np.linalg.norm(first - second) < 60.0 * scale else None


def _sacrum(sacrum: Piece, scale: float) -> dict[str, Array | None]:
    """Find the middle of the first sacral body and the tip of the coccyx."""
    x = float(np.median(sacrum.points[:, 0]))
    slab = sacrum.part(np.abs(sacrum.points[:, 0] - x) < max(8.0 * scale, 0.75 * sacrum.step))
    return {"S1": _first_body(slab, scale), "coccyx": tip(slab, -UP, 4.0)}


def _first_body(slab: Piece, scale: float) -> Array | None:
    """Find the first sacral body behind and below the promontory, the foremost point of the upper sacrum."""
    top = tip(slab, UP, 3.0)
    if top is None:
        return None
    upper = slab.part(slab.points[:, 2] > top[2] - 55.0 * scale)
    promontory = tip(upper, unit(FRONT + 0.35 * UP), 2.0)
    if promontory is None:
        return None
    offset = slab.points - promontory
    near = (np.linalg.norm(offset[:, 1:], axis=1) < 38.0 * scale) & (offset @ BACK > -2.0)
    body = slab.part(near)
    return None if body.edge.any() else np.asarray(body.points.mean(axis=0))
