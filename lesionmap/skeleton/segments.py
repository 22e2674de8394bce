"""Where along and about its bone a point lies, and which segment that is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton import anatomy, growth
from lesionmap.skeleton.shape import Posed, pose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.skeleton.placement import Placement

__all__ = ["Axis", "Coordinates", "around", "axis_of", "coordinates"]

_LONG = ("humerus", "radius", "ulna", "femur", "tibia", "fibula")
_SEGMENTS = ("proximal_epiphysis", "proximal_metaphysis", "diaphysis", "distal_metaphysis", "distal_epiphysis")
# The femur's proximal physis lies across the neck; what belongs to the metaphysis ends at the trochanters.
_HEAD_PHYSIS_MM = 8.0  # from the head's centre towards the neck, reference body (assumed)
_INTERTROCHANTERIC = 0.16  # of the femur's length, from the top (assumed)


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    """The axis of a long bone in a patient, and its segment limits along it."""

    origin: NDArray[np.float64]
    """Most proximal end, LPS mm."""
    direction: NDArray[np.float64]
    """Unit vector, proximal to distal."""
    length_mm: float
    limits: NDArray[np.float64]
    """Four limits between the five segments, fractions of the length."""


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """Bone coordinates of points, one entry a point."""

    site: NDArray[np.object_]
    fraction_along: NDArray[np.float64]
    angle_rad: NDArray[np.float64]
    radius_fraction: NDArray[np.float64]
    physis_mm: NDArray[np.float64]


def _limits(bone: str, length_mm: float, placement: Placement) -> NDArray[np.float64]:
    """Give the segment limits of a long bone as fractions of its length."""
    ends = []
    model = placement.stature_cm
    for end in ("proximal", "distal"):
        if bone == "femur" and end == "proximal":
            ends.append(0.0)
        else:
            ends.append(growth.epiphysis_mm(f"{bone}_{end}", model) / length_mm)
    shaft = 1.0 - sum(ends)
    first = (
        _INTERTROCHANTERIC
        if bone == "femur"
        else ends[0] + shaft * growth.metaphysis_share(f"{bone}_proximal", placement.age_y)
    )
    last = 1.0 - ends[1] - shaft * growth.metaphysis_share(f"{bone}_distal", placement.age_y)
    return np.array([ends[0], first, last, 1.0 - ends[1]])


def axis_of(bone: str, side: str, placement: Placement) -> Axis:
    """Give the axis of a long bone from its most proximal to its most distal point."""
    return _axis_of(bone, side, placement.shape_key())


@lru_cache(maxsize=256)
def _axis_of(bone: str, side: str, placement: Placement) -> Axis:
    posed = pose(placement)
    numbers = [i for i, tube in enumerate(posed.tubes) if tube.bone == bone and tube.side == side]
    shaft = max((posed.tubes[i] for i in numbers), key=lambda tube: len(tube.nodes))
    ends = np.array([shaft.nodes[0], shaft.nodes[-1]])
    marks = placement.positions()
    start, _ = _ends(bone, side)
    if np.linalg.norm(ends[0] - marks[start]) > np.linalg.norm(ends[1] - marks[start]):
        ends = ends[::-1]
    direction = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    mine = np.isin(posed.tube, numbers)
    along = (posed.centres[mine] - ends[0]) @ direction
    low = float((along - posed.radii[mine]).min())
    high = float((along + posed.radii[mine]).max())
    return Axis(ends[0] + low * direction, direction, high - low, _limits(bone, high - low, placement))


def _ends(bone: str, side: str) -> tuple[str, str]:
    frames = anatomy.table()["frames"]
    hang = next(row["hang"] for row in anatomy.table()["part"] if row["bone"] == bone)
    return f"{frames[hang]['from']}_{side}", f"{frames[hang]['to']}_{side}"


def coordinates(points: NDArray[np.float64], balls: NDArray[np.int_], placement: Placement) -> Coordinates:
    """Give site and bone coordinates of points, each with the ball that it belongs to.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        LPS mm.
    balls : ndarray of int, shape (n,)
        Ball of ``pose(placement)`` that owns the point.
    """
    posed = pose(placement)
    count = len(points)
    site = np.full(count, "", dtype=object)
    fraction, angle, radius, physis = (np.full(count, np.nan) for _ in range(4))
    tube = posed.tube[balls]
    for number in np.unique(tube).tolist():
        rows = np.flatnonzero(tube == number)
        part = posed.tubes[number]
        angle[rows], radius[rows] = around(points[rows], balls[rows], posed, number)
        if part.bone in _LONG:
            axis = axis_of(part.bone, part.side, placement)
            fraction[rows] = np.clip((points[rows] - axis.origin) @ axis.direction / axis.length_mm, 0.0, 1.0)
            site[rows], physis[rows] = _long_site(points[rows], fraction[rows], axis, posed, number)
        else:
            if part.bone == "clavicle" or part.bone.startswith("rib_"):
                fraction[rows] = posed.along[balls[rows]]
            site[rows] = _short_site(balls[rows], posed, number)
    return Coordinates(site, fraction, angle, radius, physis)


def around(
    points: NDArray[np.float64], balls: NDArray[np.int_], posed: Posed, number: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give angle about a tube's centreline and distance from it over the half width, each (n,)."""
    centre, wide, across = posed.tubes[number].at(posed.along[balls])
    offset = points - centre
    u = (offset * wide).sum(axis=1) / (wide**2).sum(axis=1)
    v = (offset * across).sum(axis=1) / (across**2).sum(axis=1)
    return np.arctan2(v, u), np.hypot(u, v)


def _long_site(
    points: NDArray[np.float64], fraction: NDArray[np.float64], axis: Axis, posed: Posed, number: int
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """Give sites and distances to the nearest physis of points of a long bone."""
    part = posed.tubes[number]
    step = np.searchsorted(axis.limits, fraction, side="right")
    names = np.array([f"{part.bone}.{segment}.{part.side}" for segment in _SEGMENTS], dtype=object)
    planes = axis.limits[[0, 3]] if part.bone != "femur" else axis.limits[[3]]
    physis = np.abs((fraction[:, None] - planes) * axis.length_mm).min(axis=1)
    if part.bone != "femur":
        return names[step], physis
    neck = next(t for t in posed.tubes if t.bone == "femur" and t.side == part.side and t.segment == "neck")
    centre = neck.nodes[-1]
    towards = (neck.nodes[-3] - centre) / np.linalg.norm(neck.nodes[-3] - centre)
    scale = float(np.linalg.norm(neck.wide[-1])) / 22.0
    beyond = (points - centre) @ towards - _HEAD_PHYSIS_MM * scale
    near = np.linalg.norm(points - centre, axis=1) < 45.0 * scale
    physis = np.where(near, np.minimum(physis, np.abs(beyond)), physis)
    head = near & (beyond < 0)
    site = np.where(head, names[0], names[np.maximum(step, 1)])
    if part.segment == "greater_trochanter":
        site = np.where(head, site, f"femur.greater_trochanter.{part.side}")
    return site, physis


def _short_site(balls: NDArray[np.int_], posed: Posed, number: int) -> NDArray[np.object_]:
    """Give sites of points of other bones, from the part or from where its ball is in the reference body."""
    part = posed.tubes[number]
    if part.segment:
        return np.full(len(balls), _site_of_part(part.bone, part.segment, part.side), dtype=object)
    origin = posed.template[balls]
    if part.bone == "clavicle":
        third = np.minimum((posed.along[balls] * 3).astype(int), 2)
        thirds = np.array([f"clavicle.{s}.{part.side}" for s in ("medial", "middle", "lateral")], dtype=object)
        return np.asarray(thirds[third])
    if part.bone == "ilium":
        return _ilium(origin, part.side)
    if part.bone == "calcaneus":
        back = origin[:, 1] > 138.0
        names = np.array([f"calcaneus.body.{part.side}", f"calcaneus.apophysis.{part.side}"], dtype=object)
        return np.asarray(names[back.astype(int)])
    return np.full(len(balls), _site_of_part(part.bone, "whole", part.side), dtype=object)


@cache
def _site_of_part(bone: str, segment: str, side: str) -> str:
    """Give the site of a part; a midline site is built of parts on either side."""
    names = {site.id for site in anatomy.sites() if site.bone == bone}
    own = f"{bone}.{segment}.{side}"
    return own if own in names else f"{bone}.{segment}.midline"


def _ilium(origin: NDArray[np.float64], side: str) -> NDArray[np.object_]:
    """Part the ilium by distance to its joints, in the reference body."""
    reference = growth.reference_landmarks()
    joint = np.linalg.norm(origin - reference["si_joint_left"], axis=1) < 30.0
    socket = np.linalg.norm(origin - reference["hip_left"], axis=1) < 48.0
    names = np.array([f"ilium.{s}.{side}" for s in ("wing", "acetabular", "sacroiliac")], dtype=object)
    return np.asarray(names[np.where(joint, 2, np.where(socket, 1, 0))])
