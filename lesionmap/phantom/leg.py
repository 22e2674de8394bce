"""The phantom's legs and feet."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom.bones import LONG_SEGMENTS, Ends, long_bone
from lesionmap.phantom.shapes import Blob, Frame, Plane, Shape, Tube, nodes_through, unit

if TYPE_CHECKING:
    from lesionmap.phantom.growth import Size
    from lesionmap.phantom.pose import Pose
    from lesionmap.phantom.shapes import Array

__all__ = ["leg", "leg_lengths"]


def leg_lengths(size: Size) -> tuple[float, float, float]:
    """Give hip centre to knee, knee to ankle, ankle to sole, mm, of a straight leg."""
    thigh = size["femur"] + size["femur_distal_epiphysis"] + 2.0
    shank = size["tibia"] + size["tibia_proximal_epiphysis"] + size["tibia_distal_epiphysis"] + 2.0
    return thigh, shank, 0.30 * size["foot"]


def _femur(size: Size, side: str, s: float, hip: Frame) -> list[Shape]:
    """Build shaft with condyles, neck, head and greater trochanter, each with its own physis."""
    r, neck = size["femur_head"] / 2, size["femur_neck"]
    thigh = leg_lengths(size)[0]
    turn = np.radians(24 + 5 * size.z["anteversion"])
    angle = np.radians(46 + 2.5 * size.z["neck_angle"])
    down_neck = hip.way(s * np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), -np.cos(angle))
    foot_of_neck = hip.origin + neck * down_neck
    knee = hip.at(0, 0, -thigh)
    axis = unit(knee - foot_of_neck)
    length = float(np.linalg.norm(knee - foot_of_neck)) + 0.35 * neck - 1.0
    epiphysis = size["femur_distal_epiphysis"]
    ends = Ends(
        length - epiphysis,
        (0.0, epiphysis),
        (1.35 * size["femur_mid"], size["femur_distal"]),
        (0.0, size["femur_distal_metaphysis"]),
        size["femur_mid"],
        (1.0, 1.0, 0.74),
        (0.0, -(0.018 + 0.003 * size.z["femur_bow"]) * length * s),
    )
    top = foot_of_neck - 0.35 * neck * axis
    out = hip.way(s, 0, 0)
    shaft = long_bone("femur", side, (top, top + length * axis), (out, out), ends)
    physis = Plane(hip.origin + 0.32 * r * down_neck, down_neck, -0.12 * r, r)
    line = Plane(foot_of_neck + 0.42 * neck * axis, unit(0.80 * axis + 0.60 * out), 0.0)
    own = Plane(foot_of_neck + 0.24 * neck * out, unit(0.85 * out - 0.5 * axis))
    upper = ("greater_trochanter", "proximal_metaphysis", *LONG_SEGMENTS[2:])
    cuts = (Plane(own.point, -own.normal), line, *shaft.cuts[2:])
    body = Shape("femur", side, shaft.form, upper, cuts, physes=((shaft.cuts[3], 1.0),))
    two = ("proximal_epiphysis", "proximal_metaphysis")
    ball = Shape("femur", side, Blob(hip, np.full(3, r)), two, (physis,), physes=((physis, 1.0),))
    rows = hip.origin + np.outer([0.3 * r, 0.9 * r, neck - 4, neck + 4], down_neck)
    wide = hip.axes[:, 2]
    beam = Tube(rows, np.array([[0.80, 0.74], [0.70, 0.60], [0.86, 0.66], [0.7, 0.6]]) * r, wide)
    waist = Shape("femur", side, beam, two, (physis,), physes=((physis, 1.0),))
    knob = Blob(
        Frame(foot_of_neck + 0.34 * neck * out - 0.22 * neck * axis + 0.10 * neck * hip.axes[:, 1], hip.axes),
        np.array([0.24, 0.36, 0.42]) * neck,
        3.0,
    )
    greater = Shape("femur", side, knob, ("proximal_metaphysis", "greater_trochanter"), (own,), physes=((own, 0.8),))
    return [ball, waist, body, greater]


def _shank(size: Size, side: str, s: float, knee: Frame) -> tuple[list[Shape], Frame, Array]:
    """Build tibia and fibula; give the frame of the ankle and the middle between the malleoli."""
    tibia = Ends(
        size["tibia"],
        (size["tibia_proximal_epiphysis"], size["tibia_distal_epiphysis"]),
        (size["tibia_proximal"], size["tibia_distal"]),
        (size["tibia_proximal_metaphysis"], size["tibia_distal_metaphysis"]),
        size["tibia_mid"],
        (0.72, 1.12, 0.86),
        (-1.5, 2.0 * s),
    )
    fibula = Ends(
        size["fibula"],
        (size["fibula_proximal_epiphysis"], size["fibula_distal_epiphysis"]),
        (size["fibula_proximal"], size["fibula_distal"]),
        (size["fibula_proximal_metaphysis"], size["fibula_distal_metaphysis"]),
        size["fibula_mid"],
        (1.0, 1.05, 1.15),
        (-1.0, 0.0),
    )
    out = knee.way(s, 0, 0)
    turned_out = knee.way(s, 0.28, 0)
    top, bottom = knee.at(0, 0, -2.0), knee.at(-s * 1.0, 3, -2.0 - tibia.whole)
    shin = long_bone("tibia", side, (top, bottom), (out, turned_out), tibia)
    ankle = bottom
    low = knee.at(s * (0.5 * size["tibia_distal"] + 0.40 * size["fibula_distal"]), 8, 0)
    tip = low + knee.axes @ np.array([0, 0, -2.0 - tibia.whole - 0.42 * size["tibia_distal"]])
    head = knee.at(s * 0.44 * size["tibia_proximal"], 0.30 * size["tibia_proximal"], 0)
    head = tip + fibula.whole * unit(head - tip + knee.axes @ np.array([0, 0, -2.0 - 0.3 * size["tibia_proximal"]]))
    calf = long_bone("fibula", side, (head, tip), (out, turned_out), fibula)
    inner = ankle + knee.axes @ np.array([-s * 0.44 * size["tibia_distal"], -2, -0.14 * size["tibia_distal"]])
    knob = Blob(Frame(inner, knee.axes), np.array([0.13, 0.26, 0.24]) * size["tibia_distal"])
    medial = Shape("tibia", side, knob, ("distal_epiphysis",))
    outer = tip + knee.axes @ np.array([0, 0, 0.28 * size["tibia_distal"]])
    return [shin, medial, calf], Frame(ankle, knee.axes), (inner + outer) / 2


# name: centre (out, back, up) and half breadths, in lengths of the foot; the foot's frame has its origin at the ankle
_TARSALS = {
    "talus": ((0.0, -0.035, -0.070), (0.080, 0.115, 0.055), 3.0),
    "navicular": ((-0.035, -0.185, -0.085), (0.078, 0.030, 0.052), 3.0),
    "cuboid": ((0.075, -0.225, -0.155), (0.055, 0.062, 0.050), 4.0),
    "cuneiform_medial": ((-0.085, -0.262, -0.120), (0.034, 0.044, 0.050), 4.0),
    "cuneiform_intermediate": ((-0.030, -0.252, -0.098), (0.022, 0.034, 0.040), 4.0),
    "cuneiform_lateral": ((0.018, -0.255, -0.112), (0.025, 0.040, 0.042), 4.0),
}
_RAYS = {  # out: base, head, tip; back: base, head, tip; up: base, head
    1: (-0.090, -0.125, -0.115, -0.312, -0.555, -0.735, -0.130, -0.205),
    2: (-0.038, -0.045, -0.055, -0.292, -0.580, -0.740, -0.105, -0.200),
    3: (0.010, 0.022, 0.015, -0.300, -0.560, -0.705, -0.118, -0.203),
    4: (0.058, 0.085, 0.080, -0.295, -0.535, -0.665, -0.140, -0.205),
    5: (0.105, 0.140, 0.140, -0.285, -0.495, -0.610, -0.168, -0.208),
}


def _foot(size: Size, side: str, s: float, foot: Frame) -> tuple[list[Shape], dict[str, Array]]:
    n = size["foot"]
    shapes = []
    for name, (centre, half, power) in _TARSALS.items():
        x, y, z = (c * n for c in centre)
        shapes.append(Shape(name, side, Blob(Frame(foot.at(s * x, y, z), foot.axes), np.array(half) * n, power)))
    rows = foot.points(
        nodes_through(
            [[s * 0.03, -0.11, -0.165], [s * 0.02, 0.03, -0.165], [s * 0.01, 0.15, -0.185], [s * 0.01, 0.195, -0.19]], 8
        )
        * n
    )
    thick_heel = nodes_through([[0.048, 0.042], [0.056, 0.058], [0.056, 0.075], [0.052, 0.070]], 8) * n
    cut = Plane(foot.at(0, 0.192 * n, 0), foot.way(0, 1, -0.12), -0.01 * n, 0.07 * n)
    heel = Tube(rows, thick_heel, foot.way(s, 0, 0), (0.02 * n, 0.035 * n))
    shapes.append(Shape("calcaneus", side, heel, ("body", "apophysis"), (cut,), physes=((cut, 0.8),)))
    marks = {f"heel_{side}": foot.at(s * 0.01 * n, 0.229 * n, -0.192 * n)}
    for number, (x0, x1, x2, y0, y1, y2, z0, z1) in _RAYS.items():
        base, ball = foot.at(s * x0 * n, y0 * n, z0 * n), foot.at(s * x1 * n, y1 * n, z1 * n)
        tip = foot.at(s * x2 * n, y2 * n * (1 + 0.01 * size.z["toes"]), -0.215 * n)
        big = 1.35 if number == 1 else 1.0
        thick = np.array([[0.030, 0.034], [0.019, 0.021], [0.018, 0.020], [0.028, 0.028]]) * n * big
        nodes = base + np.outer([0.10, 0.35, 0.7, 0.95], ball - base)
        shapes.append(Shape(f"metatarsal_{number}", side, Tube(nodes, thick, foot.way(s, 0, 0))))
        joints = (0.14, 0.60, 1.0) if number == 1 else (0.14, 0.55, 0.78, 1.0)
        for low, high in pairwise(joints):
            ends = ball + np.outer([low + 0.05, (low + high) / 2, high - 0.05], tip - ball)
            rim = np.array([[0.022, 0.020], [0.014, 0.014], [0.018, 0.016]]) * n * big * (1 - 0.25 * low)
            shapes.append(Shape(f"toe_{number}", side, Tube(ends, rim, foot.way(s, 0, 0))))
        if number == 2:
            marks[f"toe2_{side}"] = ball
    return shapes, marks


def leg(size: Size, pose: Pose, i: int, hip: Array, pelvis: Frame) -> tuple[list[Shape], dict[str, Array]]:
    """Build the leg of the left (``i`` = 0) or right (1) side."""
    side, s = (("left", 1.0), ("right", -1.0))[i]
    thigh = pelvis.bent(hip, x_deg=-pose.hip_bend[i], y_deg=-s * pose.leg_spread[i], z_deg=s * pose.foot_out[i] * 0.6)
    knee = thigh.bent(thigh.at(0, 0, -leg_lengths(size)[0]), x_deg=pose.knee_bend[i], z_deg=s * pose.foot_out[i] * 0.2)
    shank, ankle, middle = _shank(size, side, s, knee)
    foot = ankle.bent(ankle.origin, x_deg=pose.foot_down[i], z_deg=s * (pose.foot_out[i] * 0.2 + 6))
    bones, marks = _foot(size, side, s, foot)
    cap = Blob(
        Frame(
            thigh.at(0, -0.52 * size["femur_distal"], 0.18 * size["femur_distal"] - leg_lengths(size)[0] + 8),
            thigh.axes,
        ),
        np.array([0.29, 0.14, 0.30]) * size["femur_distal"],
    )
    shapes = [*_femur(size, side, s, thigh), Shape("patella", side, cap), *shank, *bones]
    return shapes, marks | {f"knee_{side}": knee.origin, f"ankle_{side}": middle}
