"""The phantom's shoulder girdles, arms and hands."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom.bones import Ends, long_bone
from lesionmap.phantom.shapes import Blob, Frame, Plane, Shape, Tube, nodes_through, unit

if TYPE_CHECKING:
    from lesionmap.phantom.growth import Size
    from lesionmap.phantom.pose import Pose
    from lesionmap.phantom.shapes import Array, Form

__all__ = ["arm", "girdle"]

Made = tuple[list[Shape], "dict[str, Array]"]


def _clavicle(size: Size, side: str, ends: tuple[Array, Array], chest: Frame) -> Shape:
    inner, outer = ends
    axis = unit(outer - inner)
    k = size.stature_cm / 176.0
    t = np.array([0.03, 0.15, 0.3, 0.45, 0.6, 0.75, 0.88, 0.97])
    bend = (0.055 + 0.01 * size.z["clavicle_bend"]) * size["clavicle"]
    forward = -unit(chest.axes[:, 1] - (chest.axes[:, 1] @ axis) * axis)
    rows = inner + np.outer(t * np.linalg.norm(outer - inner), axis) + np.outer(bend * np.sin(2 * np.pi * t), forward)
    tall = np.array([8.6, 7.6, 6.2, 5.4, 5.2, 5.2, 5.4, 5.0]) * k + 0.8
    deep = np.array([8.6, 7.8, 6.4, 5.6, 5.8, 7.2, 8.8, 8.4]) * k + 0.8
    third = [Plane(inner + f * (outer - inner), axis) for f in (1 / 3, 2 / 3)]
    form = Tube(rows, np.stack([tall, deep], axis=1), np.cross(axis, forward), (3.0, 3.0))
    return Shape("clavicle", side, form, ("medial", "middle", "lateral"), tuple(third))


def _scapula(size: Size, side: str, s: float, chest: Frame, joint: tuple[Array, Array]) -> list[Shape]:
    """Build the blade, the spine with the acromion, the socket and the coracoid."""
    shoulder, ac = joint
    k = size["biacromial"] / 400.0
    socket = shoulder + chest.axes @ np.array([-s * 24, 6, 0]) * k
    blade = chest.axes @ np.array([-s * 0.80, 0.60, 0.0])
    rows = socket + np.array([[-0.0, 0, 52], [0, 0, 20], [0, 0, -30], [0, 0, -80], [0, 0, -112]]) * k @ chest.axes.T
    inwards = np.array([52, 50, 54, 74, 84]) * k
    nodes = rows + inwards[:, None] * blade
    half = np.array([[26, 3.0], [46, 2.4], [40, 2.4], [16, 3.0], [8, 3.5]]) * k + [0, 1.0]
    plate = Tube(nodes_through(nodes.tolist(), 9), nodes_through(half.tolist(), 9), blade)
    tip = ac + chest.axes @ np.array([s * 20, 12, -4]) * k
    ridge = np.array(
        [
            nodes[1] + 40 * k * blade,
            nodes[1] + chest.axes @ np.array([0, 14, 8]) * k,
            tip + chest.axes @ np.array([-s * 22, 22, 2]) * k,
            tip,
        ]
    )
    spine = Tube(nodes_through(ridge.tolist(), 8), np.tile([9.0 * k, 4.0 * k], (8, 1)), chest.axes[:, 2])
    beak = np.array(
        [socket + chest.axes @ np.array([-s * 10, -4, 14]) * k, socket + chest.axes @ np.array([s * 2, -32, 16]) * k]
    )
    forms: list[Form] = [
        plate,
        spine,
        Tube(
            np.array([socket + 30 * k * blade, socket + 3 * k * blade]),
            np.array([[12, 5], [17, 11]]) * k,
            chest.axes[:, 2],
        ),
        Tube(beak, np.full((2, 2), 6.5 * k), chest.axes[:, 2]),
        Blob(Frame(tip, chest.axes), np.array([13, 17, 5.5]) * k, 4.0),
    ]
    return [Shape("scapula", side, form) for form in forms]


def girdle(size: Size, pose: Pose, chest: Frame, notch: Frame) -> tuple[list[Shape], dict[str, Array]]:
    """Build clavicles and scapulae.

    Parameters
    ----------
    chest : Frame
        Of the upper thorax.
    notch : Frame
        Of the sternal notch.
    """
    shapes: list[Shape] = []
    marks: dict[str, Array] = {}
    k = size["biacromial"] / 400.0
    for i, (side, s) in enumerate((("left", 1.0), ("right", -1.0))):
        sc = notch.at(s * 15 * k, -1 * k, 3 * k)
        inner = sc + chest.axes @ np.array([s * 2.5, 0, 1])
        lift = pose.shrug_mm[i] + 14 * k
        back = 0.36 * size["clavicle"]
        out = np.sqrt(size["clavicle"] ** 2 - back**2 - lift**2)
        outer = inner + chest.axes @ np.array([s * out, back, lift])
        ac = outer + chest.axes @ np.array([s * 2.5, 1, 0])
        width = size["biacromial"] / 2 - 7.0
        mid = notch.origin + chest.axes[:, 0] * ((ac - notch.origin) @ chest.axes[:, 0])
        x = s * max(0.86 * width, abs(float((ac - chest.origin) @ chest.axes[:, 0])) + 2 * k)
        shoulder = ac + chest.axes @ np.array([x - float((mid - chest.origin) @ chest.axes[:, 0]), 6 * k, -34 * k])
        marks |= {f"sc_joint_{side}": sc, f"ac_joint_{side}": ac, f"shoulder_{side}": shoulder}
        shapes.append(_clavicle(size, side, (inner, outer), chest))
        shapes += _scapula(size, side, s, chest, (shoulder, ac))
    return shapes, marks


def _humerus(size: Size, side: str, s: float, frame: Frame) -> tuple[list[Shape], Ends]:
    r = size["humerus_head"] / 2
    ends = Ends(
        size["humerus"],
        (size["humerus_proximal_epiphysis"], size["humerus_distal_epiphysis"]),
        (size["humerus_proximal"], size["humerus_distal"]),
        (size["humerus_proximal_metaphysis"], size["humerus_distal_metaphysis"]),
        size["humerus_mid"],
        (0.92, 1.0, 0.42),
        (0.0, 2.5),
    )
    top, bottom = frame.at(s * 0.16 * r, -0.05 * r, 0.92 * r), frame.at(s * 0.02 * r, 0, 0.92 * r - ends.whole)
    wide = frame.way(s, 0, 0), frame.way(s, 0, 0)
    shaft = long_bone("humerus", side, (top, bottom), wide, ends)
    ball = Blob(frame, np.array([0.95, 0.95, 0.95]) * r)
    return [shaft, Shape("humerus", side, ball, shaft.segments[:2], shaft.cuts[:1])], ends


def _forearm(size: Size, side: str, s: float, elbow: Frame, turn: float) -> tuple[list[Shape], Frame]:
    """Build radius and ulna; give the frame of the wrist (x to the thumb's side times ``s``)."""
    radius = Ends(
        size["radius"],
        (size["radius_proximal_epiphysis"], size["radius_distal_epiphysis"]),
        (size["radius_proximal"], size["radius_distal"]),
        (size["radius_proximal_metaphysis"], size["radius_distal_metaphysis"]),
        size["radius_mid"],
        (1.0, 0.9, 0.72),
        (3.0, 0.0),
    )
    ulna = Ends(
        size["ulna"],
        (size["ulna_proximal_epiphysis"], size["ulna_distal_epiphysis"]),
        (size["ulna_proximal"], size["ulna_distal"]),
        (size["ulna_proximal_metaphysis"], size["ulna_distal_metaphysis"]),
        size["ulna_mid"],
        (1.1, 0.95, 0.95),
        (-1.5, 1.0),
    )
    hand = elbow.bent(elbow.origin, z_deg=-s * turn)
    gap = 0.52 * (size["radius_distal"] + size["ulna_distal"]) / 2 + 1.0
    low = 0.22 * size["humerus_distal"]
    head_top = elbow.at(s * 0.27 * size["humerus_distal"], -2, -0.06 * size["humerus_distal"] - 2)
    elbow_top = elbow.at(-s * 0.16 * size["humerus_distal"], 0.14 * size["humerus_distal"], low)
    wrist_r = hand.at(s * gap, 0, -float(np.hypot(radius.whole, 0.0)) - 0.06 * size["humerus_distal"] - 2)
    wrist_u = hand.at(-s * gap, 0, low - ulna.whole)
    # The chords lean a little, so their ends are put at the bones' own lengths.
    wrist_r = head_top + radius.whole * unit(wrist_r - head_top)
    wrist_u = elbow_top + ulna.whole * unit(wrist_u - elbow_top)
    out = elbow.way(s, 0, 0), hand.way(s, 0, 0)
    shapes = [
        long_bone("radius", side, (head_top, wrist_r), out, radius),
        long_bone("ulna", side, (elbow_top, wrist_u), out, ulna),
    ]
    return shapes, Frame((wrist_r + wrist_u) / 2, hand.axes)


# base and head of the metacarpal, tip of the finger: x to the thumb (in breadths of the palm), z along (in hands)
_FINGERS = {
    1: ((0.34, -0.09), (0.72, -0.27), (1.02, -0.55)),
    2: ((0.26, -0.17), (0.38, -0.52), (0.46, -0.94)),
    3: ((0.05, -0.18), (0.08, -0.515), (0.10, -1.0)),
    4: ((-0.14, -0.175), (-0.20, -0.48), (-0.25, -0.93)),
    5: ((-0.31, -0.16), (-0.45, -0.44), (-0.56, -0.78)),
}


def _hand(size: Size, side: str, s: float, frame: Frame) -> tuple[list[Shape], dict[str, Array]]:
    length = 0.96 * size["hand"]
    broad = 0.42 * length
    k = length / 180.0
    shapes: list[Shape] = []
    for x, z in (
        (0.24, -0.045),
        (0.02, -0.045),
        (-0.2, -0.055),
        (0.34, -0.115),
        (0.14, -0.12),
        (-0.06, -0.125),
        (-0.26, -0.115),
    ):
        blob = Blob(Frame(frame.at(s * x * broad, 0, z * length), frame.axes), np.array([8.0, 8.0, 8.0]) * k, 3.0)
        shapes.append(Shape("carpals", side, blob))
    marks: dict[str, Array] = {}
    for number, (base, knuckle, tip) in _FINGERS.items():
        palm = 6.0 * k * (number == 1)
        a, b, c = (frame.at(s * x * broad, -palm, z * length) for x, z in (base, knuckle, tip))
        thick = np.array([[7.0, 6.0], [4.4, 4.6], [4.4, 4.6], [7.0, 7.0]]) * k
        nodes = a + np.outer([0.08, 0.3, 0.7, 0.94], b - a)
        shapes.append(Shape(f"metacarpal_{number}", side, Tube(nodes, thick, frame.way(s, 0, 0))))
        joints = (0.03, 0.52, 1.0) if number == 1 else (0.03, 0.47, 0.76, 1.0)
        curl = 0.05 * (1 + 0.3 * size.z["fingers"]) * length
        for low, high in pairwise(joints):
            ends = [
                b + t * (c - b) + frame.axes @ np.array([0, -curl * t**2, 0])
                for t in (low + 0.02 + 0.02, (low + high) / 2, high - 0.03)
            ]
            small = 1.0 - 0.35 * low
            rim = np.array([[5.6, 5.0], [3.6, 3.4], [4.6, 3.8]]) * k * small
            shapes.append(Shape(f"finger_{number}", side, Tube(np.array(ends), rim, frame.way(s, 0, 0))))
        if number == 3:
            marks[f"mcp3_{side}"] = b
            marks[f"fingertip3_{side}"] = c + frame.axes @ np.array([0, -curl, 0])
    return shapes, marks


def arm(size: Size, pose: Pose, i: int, shoulder: Array, chest: Frame) -> Made:
    """Build humerus, radius, ulna and hand of the left (``i`` = 0) or right (1) side."""
    side, s = (("left", 1.0), ("right", -1.0))[i]
    frame = chest.bent(shoulder, x_deg=pose.arm_back[i] + 6.0, y_deg=-s * pose.arm_spread[i], z_deg=-s * 25.0)
    shapes, ends = _humerus(size, side, s, frame)
    bottom = 0.46 * size["humerus_head"] - ends.whole
    # The epicondyles stand about a third of the bone's breadth above the end of trochlea and capitellum: 18 to 20 mm in
    # a grown arm, as the head of the radius does below them.
    elbow = frame.at(0, 0, bottom + 0.32 * ends.breadth[1])
    joint = frame.bent(
        frame.at(0, 0, bottom + 0.3 * ends.epiphysis[1]), x_deg=-pose.elbow_bend[i], y_deg=-s * (9 + size.z["carrying"])
    )
    bones, wrist = _forearm(size, side, s, joint, pose.forearm_turn[i] - 25.0)
    hand, marks = _hand(size, side, s, wrist.bent(wrist.origin, x_deg=-pose.wrist_bend[i]))
    return [*shapes, *bones, *hand], marks | {f"elbow_{side}": elbow, f"wrist_{side}": wrist.origin}
