"""The phantom's spine, rib cage, sternum, skull and mandible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom.shapes import Blob, Frame, Plane, Shape, Tube, nodes_through, unit

if TYPE_CHECKING:
    from lesionmap.phantom.growth import Size
    from lesionmap.phantom.pose import Pose
    from lesionmap.phantom.shapes import Array

__all__ = ["LEVELS", "Spine", "head", "ribs", "spine", "spine_shapes", "sternum", "thorax_frame"]

LEVELS = (
    *(f"L{i}" for i in range(5, 0, -1)),
    *(f"T{i}" for i in range(12, 0, -1)),
    *(f"C{i}" for i in range(7, 0, -1)),
)

# Tilt of the way from one body centre to the next above it, degrees to the back, of a lying child.
_WAY_BACK = (
    4.0, -3.0, 2.0, 8.0, 11.0,
    12.0, 13.0, 11.0, 7.0, 3.0, 0.0, -3.0, -6.0, -8.0, -10.0, -12.0, -14.0,
    -15.0, -14.0, -10.0, -6.0, -2.0, 0.0, 2.0,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Spine:
    """Where the vertebrae are."""

    frames: dict[str, Frame]
    """Of the body of each vertebra and of S1, by ``T7``; up is along the spine."""
    pitch_mm: dict[str, float]
    """Height of a body with its disc."""
    scale: float
    """Stature of the trunk against a grown man's."""


def _pitches(size: Size, reach_mm: float) -> dict[str, float]:
    """Give body + disc heights; the whole from S1 to C1 is as long as the child's stature needs."""
    thoracic = 0.300 * size["sitting"] / 12 * (1 + 0.03 * size.z["thoracic"])
    lumbar = 0.180 * size["sitting"] / 5 * (1 + 0.03 * size.z["lumbar"])
    pitch = {}
    for i, level in enumerate(LEVELS):
        if level[0] == "L":
            pitch[level] = lumbar * (1.02 - 0.02 * abs(i - 2))
        elif level[0] == "T":
            pitch[level] = thoracic * (1.18 - 0.36 * (i - 5) / 11)
        else:
            pitch[level] = thoracic * 0.74
    ratio = float(np.clip(reach_mm / sum(pitch.values()), 0.90, 1.10))
    return {level: value * ratio for level, value in pitch.items()}


def spine(size: Size, pose: Pose, pelvis: Frame, s1: Array, reach_mm: float) -> Spine:
    """Build the curve of the spine upwards from S1.

    Parameters
    ----------
    s1 : ndarray, shape (3,)
        Centre of the body of S1, LPS mm.
    reach_mm : float
        Length along the spine from S1 to C1.
    """
    pitch = _pitches(size, reach_mm)
    curve = 0.75 + 0.15 * size.z["kyphosis"]
    hollow = 0.75 + 0.15 * size.z["lordosis"]
    frames = {"S1": pelvis.bent(s1, x_deg=22.0)}
    here, before = s1, 0.9 * pitch["L5"]
    for i, level in enumerate(LEVELS):
        back = _WAY_BACK[i] * (hollow if level[0] == "L" else curve)
        side = pose.lean + pose.side_curve * np.sin(np.pi * i / len(LEVELS))
        step = pelvis.bent(here, x_deg=-back, y_deg=float(side))
        here = step.at(0, 0, 0.5 * (before + pitch[level]))
        before = pitch[level]
        next_back = _WAY_BACK[min(i + 1, len(LEVELS) - 1)] * (hollow if level[0] == "L" else curve)
        frames[level] = pelvis.bent(here, x_deg=-(back + next_back) / 2, y_deg=float(side))
    return Spine(frames, pitch, size.stature_cm / 176.0)


def body_half_mm(level: str, size: Size, pitch_mm: float) -> Array:
    """Give half breadth, depth and height of a vertebral body (assumed, of a child's stature)."""
    k = size.stature_cm / 176.0 * (1 + 0.03 * size.z["vertebra_breadth"])
    number = int(level[1:])
    if level[0] == "L":
        breadth, depth, share = 21.5 + 0.8 * (number - 1), 16.5, 0.78
    elif level[0] == "T":
        breadth = 14.0 + 0.55 * max(number - 5, 0) + 0.5 * max(3 - number, 0)
        depth, share = 10.5 + 0.4 * number, 0.79
    else:
        breadth, depth, share = 12.5, 8.3, 0.76
    return np.array([breadth * k, depth * k, 0.5 * share * pitch_mm])


def _vertebra(level: str, size: Size, frame: Frame, pitch: float) -> list[Shape]:
    a, b, c = half = body_half_mm(level, size, pitch)
    name, k = f"vertebra_{level}", size.stature_cm / 176.0
    canal, depth = 9.0 * k + 2.0, 6.0 * k + 4.0
    arch = "posterior_elements"
    shapes = []
    if level == "C1":  # no body: an anterior arch stands for it
        rows = frame.points([[x, -0.9 * b + 0.35 * b * (x / a) ** 2, 0] for x in (-a, -0.5 * a, 0, 0.5 * a, a)])
        shapes.append(Shape(name, "midline", Tube(rows, np.full((5, 2), 0.42 * c + 1), frame.axes[:, 2]), ("body",)))
    else:
        shapes.append(Shape(name, "midline", Blob(frame, half, power=4.0), ("body",)))
    spinous = {"C": 14.0, "T": 19.0, "L": 17.0}[level[0]] * k * (0.4 if level == "C1" else 1.0)
    drop = {"C": -0.2, "T": -0.75, "L": -0.12}[level[0]]
    back = b + canal + depth
    for side in (1, -1):
        lamina = frame.points(
            [[side * 0.72 * a, 0.8 * b, 0.3 * c], [side * (0.45 * a + 2), b + 0.7 * canal, 0], [0, back, -0.2 * c]]
        )
        shapes.append(
            Shape(name, "midline", Tube(lamina, np.array([[0.55 * c, 2.6 * k + 1]] * 3), frame.axes[:, 2]), (arch,))
        )
        out = {"C": 1.5, "T": 2.1, "L": 1.9}[level[0]] * a
        wing = frame.points([[side * 0.75 * a, b + 0.35 * canal, 0.1 * c], [side * out, b + 0.75 * canal, 0.2 * c]])
        shapes.append(
            Shape(name, "midline", Tube(wing, np.array([[0.4 * c, 3.0 * k + 0.6]] * 2), frame.axes[:, 2]), (arch,))
        )
    tail = frame.points([[0, back - 2, -0.2 * c], [0, back + spinous, -0.2 * c + drop * spinous]])
    shapes.append(
        Shape(name, "midline", Tube(tail, np.array([[0.6 * c, 2.4 * k + 0.6]] * 2), frame.axes[:, 2]), (arch,))
    )
    return shapes


def spine_shapes(size: Size, made: Spine) -> list[Shape]:
    """Build C1 to L5."""
    return [s for level in LEVELS for s in _vertebra(level, size, made.frames[level], made.pitch_mm[level])]


def thorax_frame(made: Spine) -> Frame:
    """Give the frame of the rib cage: that of T6."""
    return made.frames["T6"]


# rib 1 to 12: half breadth against the widest, angle at which the bony rib ends (180 = front), drop in pitches
_RIB_BREADTH = (0.46, 0.66, 0.79, 0.88, 0.94, 0.98, 1.0, 1.0, 0.97, 0.92, 0.84, 0.72)
_RIB_END = (158, 156, 154, 152, 149, 146, 140, 132, 124, 114, 84, 58)
_RIB_DROP = (1.6, 2.2, 2.8, 3.3, 3.7, 4.0, 4.3, 4.4, 4.5, 4.5, 4.2, 3.8)


def chest(size: Size) -> tuple[float, float]:
    """Give half the breadth of the bony rib cage and its depth from the spine's middle to the sternum, mm."""
    half = 0.335 * size["biacromial"] * (1 + 0.04 * size.z["chest_breadth"])
    return half, 0.295 * size["biacromial"] * (1 + 0.05 * size.z["chest_depth"])


def ribs(size: Size, made: Spine) -> list[Shape]:
    """Build the 24 ribs, each on an ellipse of its own that falls to the front."""
    half, depth = chest(size)
    k = size.stature_cm / 176.0
    shapes = []
    for number in range(1, 13):
        frame = made.frames[f"T{number}"]
        pitch = made.pitch_mm[f"T{number}"]
        a, b, _ = body_half_mm(f"T{number}", size, pitch)
        breadth = half * _RIB_BREADTH[number - 1]
        front = depth * (0.5 + 0.5 * min(1.0, (number + 1) / 8)) * (1.0 if number < 9 else 0.94)
        hind = 26 * k + 6
        drop = _RIB_DROP[number - 1] * pitch * (1 + 0.06 * size.z["rib_slope"]) * (0.80 if number < 9 else 0.9)
        phi = np.radians(np.linspace(22, _RIB_END[number - 1], 15))
        arc = np.stack(
            [
                breadth * np.sin(phi),
                0.5 * (hind - front) + 0.5 * (hind + front) * np.cos(phi),
                0.35 * pitch - drop * (1 - np.cos(phi)) / 2,
            ],
            axis=1,
        )
        start = np.array([[0.95 * a, 0.75 * b, 0.42 * pitch], [1.45 * a, 0.6 * b + 0.5 * hind, 0.45 * pitch]])
        rows = nodes_through(np.vstack([start, arc[1:]]).tolist(), 22)
        sizes = np.tile([5.6 * k + 0.6, 3.0 * k + 0.5], (22, 1)) * (0.9 if number in (1, 11, 12) else 1.0)
        for side, x in (("left", 1.0), ("right", -1.0)):
            nodes = frame.points(rows * [x, 1, 1])
            shapes.append(Shape(f"rib_{number}", side, Tube(nodes, sizes, made.frames["T6"].axes[:, 2])))
    return shapes


def sternum(size: Size, made: Spine) -> tuple[list[Shape], dict[str, Array], Frame]:
    """Build the sternum; give also its landmarks and a frame at the notch (up along the manubrium)."""
    k = size.stature_cm / 176.0
    _, depth = chest(size)
    top, low = made.frames["T2"], made.frames["T10"]
    notch = top.at(0, -(0.52 * depth + 4), -0.45 * made.pitch_mm["T2"])
    tip = low.at(0, -1.02 * depth, 0.1 * made.pitch_mm["T10"])
    down = unit(tip - notch)
    left = unit(top.axes[:, 0] - (top.axes[:, 0] @ down) * down)
    frame = Frame(notch, np.stack([left, np.cross(-down, left), -down], axis=1))
    length = float(np.linalg.norm(tip - notch))
    z = np.array([0.06, 0.13, 0.24, 0.32, 0.45, 0.6, 0.74, 0.80, 0.97]) * -length
    half = np.array([25, 28, 21, 15, 16, 18, 17, 8, 5]) * k
    thick = np.array([6.5, 7, 6.5, 5.5, 5.5, 5.5, 5, 4, 3]) * k
    bow = np.array([0, 0, -2, -3, -3, -2, 0, 1, 2]) * k  # front of it a little convex
    nodes = frame.points(np.stack([0 * z, bow + thick, z], axis=1))
    shape = Shape(
        "sternum",
        "midline",
        Tube(nodes, np.stack([half, thick], axis=1), left, (0.06 * length, 0.03 * length)),
        ("manubrium", "body"),
        (Plane(frame.at(0, 0, -0.315 * length), down),),
    )
    return (
        [shape],
        {"sternal_notch": notch + thick[0] * frame.axes[:, 1], "xiphoid": frame.at(0, 2 * k, -length)},
        frame,
    )


def head(size: Size, pose: Pose, made: Spine) -> tuple[list[Shape], dict[str, Array], Frame]:
    """Build skull and mandible; give also their landmarks and the head's frame (its origin is C1)."""
    atlas = made.frames["C1"]
    frame = atlas.bent(atlas.origin, x_deg=pose.head_nod - 2.0, y_deg=-0.7 * pose.lean, z_deg=pose.head_turn)
    wide, long = size["head_breadth"] / 2, size["head_length"] / 2
    high = 0.46 * size["head_breadth"]
    base = 0.35 * made.pitch_mm["C1"] + 2.0
    vault = Blob(
        Frame(frame.at(0, -0.10 * long, base + high), frame.axes), np.array([wide - 4, long - 5, high]), 2.3, 6.0
    )
    vertex = frame.at(0, -0.10 * long, base + 2 * high)
    chin_z = base + 2 * high - (size["head_height"] - 6)
    mouth = chin_z + 0.24 * (base + high - chin_z)
    middle = 0.5 * (mouth + base + 0.85 * high)
    face = Blob(
        Frame(frame.at(0, -0.68 * long, middle), frame.axes),
        np.array([0.62 * wide, 0.36 * long, 0.5 * (base + 0.85 * high - mouth)]),
        4.0,
    )
    shapes = [Shape("skull", "midline", vault), Shape("skull", "midline", face)]
    lift = 0.34 * (base + high - chin_z)
    rows = [
        [0.80 * wide, -0.22 * long, base + 2], [0.76 * wide, -0.20 * long, chin_z + 1.35 * lift],
        [0.70 * wide, -0.28 * long, chin_z + 0.62 * lift], [0.58 * wide, -0.55 * long, chin_z + 0.35 * lift],
        [0.36 * wide, -0.86 * long, chin_z + 0.28 * lift], [0.13 * wide, -1.02 * long, chin_z + 0.26 * lift],
    ]  # fmt: skip
    ring = nodes_through([*rows, *([-x, y, z] for x, y, z in reversed(rows))], 24)
    jaw = Tube(frame.points(ring), np.tile([0.26 * lift, 4.2], (24, 1)), frame.axes[:, 2])
    shapes.append(Shape("mandible", "midline", jaw))
    marks = {
        "vertex": vertex,
        "chin": frame.at(0, -1.04 * long, chin_z),
        "mandible_angle_left": frame.at(0.71 * wide, -0.22 * long, chin_z + 0.50 * lift),
        "mandible_angle_right": frame.at(-0.71 * wide, -0.22 * long, chin_z + 0.50 * lift),
    }
    return shapes, marks, frame


def head_reach_mm(size: Size) -> float:
    """Give the height of the vertex above C1, mm."""
    return 0.92 * size["head_breadth"] + 10.0
