"""Where one segment of a bone ends and the next begins: planes (for the ilium balls) in the posed bone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton import anatomy, growth
from lesionmap.skeleton.believed import believed
from lesionmap.skeleton.physes import physis_state
from lesionmap.skeleton.shape import Tube, carriers_of, pose, posed_tubes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lesionmap.skeleton.anatomy import Side
    from lesionmap.skeleton.placement import Placement

    Array = NDArray[np.float64]

__all__ = ["LONG", "Axis", "Limit", "axis_of", "closed_ends", "limits", "physis_planes"]

LONG = ("humerus", "radius", "ulna", "femur", "tibia", "fibula")
_SEGMENTS = ("proximal_epiphysis", "proximal_metaphysis", "diaphysis", "distal_metaphysis", "distal_epiphysis")
# The upper femur (assumed), in lengths of its neck (head's centre to root) or radii of its head. In a child the head's
# epiphysis is somewhat more than half as high as it is broad.
_HEAD_PHYSIS = 0.38  # radii from the head's centre towards the neck
_TROCHANTER = 0.24  # necks outwards from the neck's root: the trochanter's physis, tilted up and out
_INTERTROCHANTERIC = 0.33  # necks down from the neck's root: the line runs from there up and out
_AT_KNEE = {"femur": 1, "tibia": 0}  # which end has its joint line at the landmark
_HEEL_PHYSIS = 0.04  # of heel to toe2, in front of the heel (assumed)
_SACRAL_BODY_MM = 21.0  # half breadth of the sacrum's body, reference body (assumed)
_ACETABULAR_MM = 46.0  # reach of the ilium's acetabular part about the hip, reference body (assumed)
_SACROILIAC_MM = 29.0  # reach of its sacroiliac part about the joint, reference body (assumed)


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """A surface that parts a bone; the first of a bone's limits that a point lies before names its site."""

    before: str
    """Site id of what lies before it, against the normal (inside, for a ball)."""
    after: str
    """Site id of what lies behind it, as far as no other limit of the bone says otherwise."""
    point: Array
    """On the plane, in the middle of the bone; a ball's centre. LPS mm."""
    normal: Array
    """Unit vector."""
    radius_mm: float
    """Half breadth of the bone there; a ball's radius."""
    physis: bool = False
    ball: bool = False

    def value(self, points: Array) -> Array:
        """Give the distance of points (n, 3) behind the surface, mm; negative before it."""
        away = points - self.point
        if self.ball:
            return np.asarray(np.linalg.norm(away, axis=1) - self.radius_mm)
        return np.asarray(away @ self.normal)


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """The axis of a long bone or clavicle in a patient, and its segment limits along it."""

    origin: Array
    """Most proximal end, LPS mm."""
    direction: Array
    """Unit vector, proximal to distal."""
    length_mm: float
    limits: Array
    """Limits between its segments, fractions of the length; the femur's upper two: where its ossified shaft begins."""


def _unit(vector: Array) -> Array:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def _across_unit(vector: Array, axis: Array) -> Array:
    """Give the part of a vector at right angles to a unit axis, as unit vector."""
    return _unit(vector - (vector @ axis) * axis)


def _tubes(bone: str, side: str, placement: Placement) -> list[Tube]:
    return [tube for tube in posed_tubes(placement) if tube.bone == bone and tube.side == side]


def _shaft(bone: str, side: str, placement: Placement) -> Tube:
    return max(_tubes(bone, side, placement), key=lambda tube: float(tube.lengths_mm()[-1]))


def axis_of(bone: str, side: str, placement: Placement) -> Axis:
    """Give the axis of a long bone or clavicle from its most proximal to its most distal point."""
    return _axis_of(bone, side, placement.shape_key())


@lru_cache(maxsize=256)
def _axis_of(bone: str, side: str, placement: Placement) -> Axis:
    shaft = _shaft(bone, side, placement)
    ends = shaft.nodes[[0, -1]]
    start = believed(placement)[_proximal_mark(bone, side)]
    if np.linalg.norm(ends[0] - start) > np.linalg.norm(ends[1] - start):
        ends = ends[::-1]
    direction = _unit(ends[1] - ends[0])
    posed = pose(placement)
    number = posed.filling.bones.index((bone, side))
    whole = slice(*np.searchsorted(posed.filling.bone, [number, number + 1]))  # balls are sorted by bone
    along = (posed.centres[whole] - ends[0]) @ direction
    low, high = float((along - posed.radii[whole]).min()), float((along + posed.radii[whole]).max())
    # The shaft ends where its centreline does, in the middle of the joint: balls at a slanting end reach beyond it.
    joints = np.array([0.0, float(np.linalg.norm(ends[1] - ends[0]))])
    if bone == "femur":  # ossified up to the upper edge of the head's physis
        head = _head_physis(side, placement)
        upwards = -_across_unit(direction, head.normal)
        joints[0] = float((head.point + head.radius_mm * upwards - ends[0]) @ direction)
    if bone in _AT_KNEE:
        knee = believed(placement)[f"knee_{side}"]
        joints[_AT_KNEE[bone]] = float((knee - ends[0]) @ direction)
    fractions = _along(bone, (joints - low) / (high - low), high - low, placement)
    return Axis(ends[0] + low * direction, direction, high - low, fractions)


def _proximal_mark(bone: str, side: str) -> str:
    if bone == "clavicle":
        return f"sc_joint_{side}"
    hang = next(row["hang"] for row in anatomy.table()["part"] if row["bone"] == bone)
    return f"{anatomy.table()['frames'][hang]['from']}_{side}"


def _along(bone: str, joints: Array, length_mm: float, placement: Placement) -> Array:
    """Give the limits of a bone that is parted across its axis, as fractions of its length.

    Physes are told from ``joints``, where the shaft ends: a malleolus reaches beyond the joint.
    """
    if bone == "clavicle":
        return np.array([1 / 3, 2 / 3])
    first, last = joints.tolist()
    last -= growth.epiphysis_mm(f"{bone}_distal", placement.stature_cm) / length_mm
    share = growth.metaphysis_share(f"{bone}_distal", placement.age_y)
    if bone == "femur":  # its upper end has a physis across the neck, and no published metaphysis
        return np.array([first, first, last - share * (last - first), last])
    first += growth.epiphysis_mm(f"{bone}_proximal", placement.stature_cm) / length_mm
    upper = growth.metaphysis_share(f"{bone}_proximal", placement.age_y)
    return np.array([first, first + upper * (last - first), last - share * (last - first), last])


def limits(bone: str, side: str, placement: Placement) -> tuple[Limit, ...]:
    """Give the limits between the segments of a bone, in the order in which they are asked.

    Parameters
    ----------
    bone, side : str
        A bone of the midline has the side ``midline``.
    placement : Placement

    Returns
    -------
    tuple of Limit
        Empty for a bone of one segment.
    """
    return _limits(bone, side, placement.shape_key())


@lru_cache(maxsize=1024)
def _limits(bone: str, side: str, placement: Placement) -> tuple[Limit, ...]:
    if bone == "femur":
        return (*_upper_femur(side, placement), *_across(bone, side, placement)[2:])
    if bone in LONG or bone == "clavicle":
        return _across(bone, side, placement)
    if bone.startswith("vertebra_"):
        return _vertebra(bone, placement)
    rules = {"sternum": _sternum, "sacrum": _sacrum, "ilium": _ilium, "calcaneus": _calcaneus}
    return rules[bone](side, placement) if bone in rules else ()


def _across(bone: str, side: str, placement: Placement) -> tuple[Limit, ...]:
    """Give the limits at right angles to the axis."""
    axis, shaft = axis_of(bone, side, placement), _shaft(bone, side, placement)
    segments = ("medial", "middle", "lateral") if bone == "clavicle" else _SEGMENTS
    along = (shaft.nodes - axis.origin) @ axis.direction
    order = np.argsort(along)
    half = np.maximum(np.linalg.norm(shaft.wide, axis=1), np.linalg.norm(shaft.across, axis=1))
    found = []
    for i, fraction in enumerate(axis.limits.tolist()):
        at = fraction * axis.length_mm
        middle = np.array([np.interp(at, along[order], shaft.nodes[order, k]) for k in range(3)])
        point = middle + (at - (middle - axis.origin) @ axis.direction) * axis.direction
        names = (f"{bone}.{segments[i]}.{side}", f"{bone}.{segments[i + 1]}.{side}")
        breadth = float(np.interp(at, along[order], half[order]))
        found.append(Limit(*names, point, axis.direction, breadth, physis=bone in LONG and i in {0, 3}))
    return tuple(found)


def _neck(side: str, placement: Placement) -> tuple[Array, Array, float]:
    """Give the head's centre, the neck's root and the head's radius in mm."""
    neck = next(tube for tube in _tubes("femur", side, placement) if tube.segment == "neck")
    hip = believed(placement)[f"hip_{side}"]
    ends = (0, -1) if np.linalg.norm(neck.nodes[0] - hip) < np.linalg.norm(neck.nodes[-1] - hip) else (-1, 0)
    return hip, neck.nodes[ends[1]], float(np.linalg.norm(neck.wide[ends[0]]))


def _head_physis(side: str, placement: Placement) -> Limit:
    """Give the physis of the femoral head, across the neck."""
    head, root, radius = _neck(side, placement)
    towards, names = _unit(root - head), [f"femur.{s}.{side}" for s in _SEGMENTS[:2]]
    return Limit(names[0], names[1], head + _HEAD_PHYSIS * radius * towards, towards, radius, physis=True)


def _upper_femur(side: str, placement: Placement) -> tuple[Limit, ...]:
    """Give the head's physis, the trochanter's physis and the intertrochanteric line."""
    head, root, _ = _neck(side, placement)
    down, length = axis_of("femur", side, placement).direction, float(np.linalg.norm(root - head))
    out = _across_unit(root - head, down)
    names = [f"femur.{s}.{side}" for s in ("greater_trochanter", *_SEGMENTS[1:3])]
    tilted, line = _unit(-0.85 * out + 0.5 * down), _unit(0.8 * down + 0.6 * out)
    return (
        _head_physis(side, placement),
        Limit(names[0], names[1], root + _TROCHANTER * length * out, tilted, 0.4 * length, physis=True),
        Limit(names[1], names[2], root + _INTERTROCHANTERIC * length * down, line, 0.5 * length),
    )


def _vertebra(bone: str, placement: Placement) -> tuple[Limit, ...]:
    """Part a vertebra at the back of its body."""
    tubes = _tubes(bone, "midline", placement)
    body = next(tube for tube in tubes if tube.segment == "body")
    centre = body.nodes.mean(axis=0)
    rest = np.mean([tube.nodes.mean(axis=0) for tube in tubes if tube.segment != "body"], axis=0)
    across = body.across[len(body.nodes) // 2]
    back = across * np.sign(across @ (rest - centre))
    wide = float(np.linalg.norm(body.wide, axis=1).max())
    names = (f"{bone}.body.midline", f"{bone}.posterior_elements.midline")
    return (Limit(*names, centre + back, _unit(back), wide),)


def _sternum(side: str, placement: Placement) -> tuple[Limit, ...]:
    upper, lower = (
        next(tube for tube in _tubes("sternum", side, placement) if tube.segment == s) for s in ("manubrium", "body")
    )
    gaps = np.linalg.norm(upper.nodes[:, None] - lower.nodes[None], axis=2)
    i, j = np.unravel_index(int(gaps.argmin()), gaps.shape)
    way = lower.nodes.mean(axis=0) - upper.nodes.mean(axis=0)
    point = (upper.nodes[i] + lower.nodes[j]) / 2
    breadth = float(np.linalg.norm(lower.wide[j]))
    return (Limit("sternum.manubrium.midline", "sternum.body.midline", point, _unit(way), breadth),)


def _carried(frame: str, side: Side, plane: tuple[Array, Array], placement: Placement) -> tuple[Array, Array]:
    """Carry a plane (point, normal) of the reference body's left side to a patient."""
    point, normal = plane
    first = _unit(np.cross(normal, [0.0, 0.0, 1.0] if abs(normal[2]) < 0.9 else [0.0, 1.0, 0.0]))
    second = np.cross(normal, first)
    rows = np.array([point, point + 5.0 * first, point + 5.0 * second, point + 5.0 * normal])
    at, one, other, beyond = carriers_of(placement)[frame, side].carry(rows)
    found = _unit(np.cross(one - at, other - at))
    return at, found * float(np.sign(found @ (beyond - at)))


def _sacrum(side: str, placement: Placement) -> tuple[Limit, ...]:
    """Part the body in the middle from the wings that bear the sacroiliac joints."""
    reference, found = growth.reference_landmarks(), []
    middle = np.array([_SACRAL_BODY_MM, *reference["si_joint_left"][1:]])
    pair: tuple[Side, ...] = ("left", "right")
    for half in pair:
        point, normal = _carried("trunk", half, (middle, np.array([-1.0, 0.0, 0.0])), placement)
        found.append(Limit(f"sacrum.sacroiliac.{half}", f"sacrum.body.{side}", point, normal, 30.0))
    return tuple(found)


def _ilium(side: str, placement: Placement) -> tuple[Limit, ...]:
    """Part the ilium by distance to its two joints."""
    marks, reference = believed(placement), growth.reference_landmarks()

    def breadth(points: Mapping[str, Array]) -> float:
        return float(np.linalg.norm(np.subtract(points["asis_left"], points["asis_right"])))

    size, found = breadth(marks) / breadth(reference), []
    for segment, mark, reach in (("acetabular", "hip", _ACETABULAR_MM), ("sacroiliac", "si_joint", _SACROILIAC_MM)):
        centre, up = marks[f"{mark}_{side}"], np.array([0.0, 0.0, 1.0])
        found.append(Limit(f"ilium.{segment}.{side}", f"ilium.wing.{side}", centre, up, reach * size, ball=True))
    return tuple(found)


def _calcaneus(side: str, placement: Placement) -> tuple[Limit, ...]:
    reference = growth.reference_landmarks()
    heel, toe = reference["heel_left"], reference["toe2_left"]
    plane = (heel + _HEEL_PHYSIS * (toe - heel), _unit(heel - toe))
    half: Side = "left" if side == "left" else "right"
    point, normal = _carried("foot", half, plane, placement)
    breadth = float(np.linalg.norm(_shaft("calcaneus", side, placement).wide, axis=1).max())
    return (Limit(f"calcaneus.body.{side}", f"calcaneus.apophysis.{side}", point, normal, breadth, physis=True),)


def physis_planes(
    placement: Placement,
) -> tuple[tuple[str, str, tuple[str, str], Array, Array, float], ...]:
    """Give every physis of the skeleton that is not known to have closed, for drawing.

    Returns
    -------
    tuple of (bone, side, (segment before, segment behind), point, normal, radius)
        Point in LPS mm, unit normal, half breadth of the bone there in mm.
    """
    found = []
    for bone in anatomy.bones():
        for side in bone.sides if bone.id in {*LONG, "calcaneus"} else ():
            for one in limits(bone.id, side, placement):
                if one.physis and not _closed(one, placement):
                    pair = (one.before.split(".")[1], one.after.split(".")[1])
                    found.append((bone.id, side, pair, one.point, one.normal, one.radius_mm))
    return tuple(found)


def closed_ends(bone: str, placement: Placement) -> tuple[str, ...]:
    """Give the ends of a long bone whose growth plates have closed at that age, as far as that is known."""
    return tuple(
        end for end in ("proximal", "distal") if physis_state(bone, end, placement.age_y, placement.sex) == "closed"
    )


def _closed(physis: Limit, placement: Placement) -> bool:
    bone, segment, _ = physis.before.split(".")
    if bone not in LONG:
        return False
    both = {segment, physis.after.split(".")[1]}  # the trochanter's own physis has neither epiphysis
    return any(f"{end}_epiphysis" in both for end in closed_ends(bone, placement))
