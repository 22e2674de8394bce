"""Landmarks of the leg from its bones: hip, knee, ankle, heel, second toe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.place.fit import FRONT, LEFT, UP, across, long_axis, middle, sphere, tip, tip_part, unit
from lesionmap.skeleton import bones

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.place.pieces import Bones, Piece

    Array = NDArray[np.float64]

__all__ = ["leg"]

_TARSALS = ("talus", "calcaneus", "navicular", "cuboid", "cuneiform_medial", "cuneiform_intermediate",
            "cuneiform_lateral")  # fmt: skip
_FOOT = tuple(b.id for b in bones() if b.region == "foot")
_METATARSALS = tuple(f"metatarsal_{n}" for n in range(1, 6))

_HEAD_REGION = 0.3  # the head of a femur or humerus lies in this share of the bone
_PLATEAU = 0.3  # end of a bone, as share of its breadth
_SECOND_RAY = 0.36  # where the second ray lies across the forefoot, from its inner edge
_TOE_JOINT = 0.73  # where the head of the second metatarsal lies along the foot, from the heel


def leg(found: Bones, side: str) -> dict[str, Array]:
    """Give the landmarks of one leg that the map holds, without side in their names, LPS mm."""
    out = LEFT if side == "left" else -LEFT
    femur, tibia, fibula = (found.only([name], side) for name in ("femur", "tibia", "fibula"))
    marks = {
        "hip": None if femur is None else _hip(femur, out),
        "knee": _knee(femur, tibia),
        "ankle": None if tibia is None else _ankle(tibia, fibula, out),
    }
    ankle = marks["ankle"]
    marks["heel"], marks["toe2"] = _foot(found, side, out, ankle)
    return {name: point for name, point in marks.items() if point is not None}


def _hip(femur: Piece, out: Array) -> Array | None:
    up = long_axis(femur.points, UP)
    reach = femur.points @ up
    part = femur.part(reach >= reach.max() - max(_HEAD_REGION * float(np.ptp(reach)), 60.0))
    found = sphere(part, unit(0.75 * across(-out, up) + up))
    return None if found is None else found[0]


def _end(bone: Piece, direction: Array) -> tuple[Array, float] | None:
    """Give the middle of a bone's end and how far it reaches in that direction; None where it is cut."""
    axis = long_axis(bone.points, direction)
    wide = tip_part(bone, axis, 0.12 * float(np.ptp(bone.points @ axis)))
    if wide is None:
        return None
    breadth = float(np.ptp(wide.points[:, 0]))
    end = tip_part(bone, axis, max(_PLATEAU * breadth, 2 * bone.step))
    if end is None:
        return None
    return middle(end.points), float(np.percentile(end.points @ axis, 97))


def _knee(femur: Piece | None, tibia: Piece | None) -> Array | None:
    """Find the middle of the joint line: across, that of the tibial plateau; along, between the two bones."""
    above = _end(femur, -UP) if femur is not None else None
    below = _end(tibia, UP) if tibia is not None else None
    if below is None or tibia is None:
        if above is None or femur is None:
            return None
        down = long_axis(femur.points, -UP)
        return np.asarray(above[0] + (above[1] - above[0] @ down) * down)
    up = long_axis(tibia.points, UP)
    level = below[1]
    if above is not None and femur is not None:
        down = long_axis(femur.points, -UP)
        lowest = above[0] + (above[1] - above[0] @ down) * down
        # In a joint the bones nearly touch; a femur that ends elsewhere (another map, bad labels) says nothing.
        if abs(lowest @ up - level) < 25.0:
            level = (level + float(lowest @ up)) / 2
    return np.asarray(below[0] + (level - below[0] @ up) * up)


def _ankle(tibia: Piece, fibula: Piece | None, out: Array) -> Array | None:
    """Find the middle between the malleoli: inner one of the tibia, outer one of the fibula."""
    down = long_axis(tibia.points, -UP)
    lower = tip_part(tibia, down, 0.08 * max(float(np.ptp(tibia.points @ down)), 150.0))
    if lower is None:
        return None
    outwards = across(out, down)
    inner = tip(lower, -outwards, 2.0)
    lowest = None if fibula is None else tip_part(fibula, down, 0.08 * max(float(np.ptp(fibula.points @ down)), 150.0))
    if lowest is not None:
        outer = tip(lowest, outwards, 2.0)
    else:
        breadth = float(np.ptp(lower.points @ outwards))
        outer = None if inner is None else inner + 1.3 * breadth * outwards
    return None if inner is None or outer is None else np.asarray((inner + outer) / 2)


def _foot(found: Bones, side: str, out: Array, ankle: Array | None) -> tuple[Array | None, Array | None]:
    """Find the back of the heel and the head of the second metatarsal."""
    whole = found.only(_FOOT, side)
    if whole is None:
        return None, None
    forward = _forward(whole, ankle)
    hind = found.only(["calcaneus"], side) or found.only(_TARSALS, side) or whole
    heel = None
    if found.having("calcaneus", side) is not None:
        heel = tip(hind if (hind.points @ -forward).max() >= (whole.points @ -forward).max() - 5 else whole,
                   -forward, 3.0)  # fmt: skip
    return heel, _toe2(found, side, forward, out, heel)


def _forward(foot: Piece, ankle: Array | None) -> Array:
    """Give the direction from the heel to the toes: the foot's long axis, towards the end farther from the ankle."""
    axis = long_axis(foot.points, FRONT)
    if ankle is not None:
        reach = (foot.points - ankle) @ axis
        if -reach.min() > reach.max():
            axis = -axis
    return axis if abs(axis @ UP) < 0.94 or axis @ UP < 0 else -axis


def _toe2(found: Bones, side: str, forward: Array, out: Array, heel: Array | None) -> Array | None:
    own = found.only(["metatarsal_2"], side)
    if own is not None:
        return tip(own, forward, 0.2 * float(np.ptp(own.points @ forward)))
    front = found.only([*_TARSALS, *_METATARSALS], side)
    if front is not None and found.having("metatarsal_2", side) is not None:
        ball = tip_part(front, forward, 0.2 * float(np.ptp(front.points @ forward)))
        return None if ball is None else _second_ray(ball, forward, out, whole_ray=False)
    whole = found.only(_FOOT, side)
    if whole is None or heel is None or found.having("toe_2", side) is None:
        return None
    reach, start = whole.points @ forward, float(heel @ forward)
    if whole.edge[reach > reach.max() - 10.0].any():
        return None
    level = start + _TOE_JOINT * (float(reach.max()) - start)
    return _second_ray(whole.part(np.abs(reach - level) < 8.0), forward, out, whole_ray=True)


def _second_ray(ball: Piece, forward: Array, out: Array, *, whole_ray: bool) -> Array | None:
    """Give the middle of the second ray's head within the ball of the foot."""
    outwards = across(out - (out @ UP) * UP, forward)
    place = ball.points @ outwards
    inner, outer = np.percentile(place, [0.5, 99.5]).tolist()
    half = max(0.09 * (outer - inner), 0.75 * ball.step)
    at = inner + _SECOND_RAY * (outer - inner)
    if not whole_ray:  # the second is the longest, beside the first
        tries = inner + np.arange(0.34, 0.56, 0.02) * (outer - inner)
        reach = [np.max(ball.points[np.abs(place - x) < half / 2] @ forward, initial=-np.inf) for x in tries]
        at = float(np.mean(tries[np.array(reach) > max(reach) - 1.0]))
    ray = ball.part(np.abs(place - at) < half)
    if not len(ray.points):
        return None
    if whole_ray:
        return middle(ray.points)
    return tip(ray, forward, max(0.17 * (outer - inner), 2 * ray.step))
