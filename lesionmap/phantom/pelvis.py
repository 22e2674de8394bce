"""The phantom's hip bones, sacrum and coccyx. Lengths are a grown pelvis's times its bi-iliac breadth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom.shapes import Ball, Blob, Frame, Plane, Shape, Tube, nodes_through, unit

if TYPE_CHECKING:
    from lesionmap.phantom.growth import Size
    from lesionmap.phantom.shapes import Array

__all__ = ["Pelvis", "pelvis", "sacrum"]


@dataclass(frozen=True, slots=True, eq=False)
class Pelvis:
    """Where the pelvis's points are."""

    frame: Frame
    """Origin between the hips."""
    k: float
    """Breadth against a grown one."""
    ky: float
    """Height against a grown one."""
    hip: float
    """Half the distance of the hip centres, mm."""
    head: float
    """Radius of the femoral head, mm."""

    def at(self, side: float, x: float, y: float, z: float) -> Array:
        """Give the LPS mm of a point told from the hip centre of a side, in grown mm, x outwards."""
        return self.frame.at(side * (self.hip + x * self.k), y * self.k, z * self.ky)

    def way(self, side: float, x: float, y: float, z: float) -> Array:
        """Give the unit LPS direction of x outwards, y to the back, z up."""
        return self.frame.way(side * x, y, z)

    def joint(self, side: float) -> Array:
        """Give the middle of the sacroiliac joint."""
        return self.frame.at(side * 43.0 * self.k, 56.0 * self.k, 113.0 * self.ky)

    @property
    def s1(self) -> Array:
        """Centre of the body of S1."""
        return self.frame.at(0, 35.0 * self.k, 116.0 * self.ky)


def pelvis_at(size: Size, frame: Frame) -> Pelvis:
    """Give the pelvis's own measures."""
    k = (size["biiliac"] - 8.0) / 274.0
    hip = 78.0 * k * (1 + 0.03 * size.z["hips"])
    return Pelvis(frame, k, k * (1 + 0.04 * size.z["pelvis_height"]), hip, size["femur_head"] / 2)


def _cup(p: Pelvis, s: float, side: str) -> list[Shape]:
    """Build the acetabulum: a bowl open to the side and downwards, of three bones that meet in a Y."""
    hip = p.at(s, 0, 0, 0)
    bowl = Blob(Frame(hip, p.frame.axes), np.full(3, p.head + 3.0 + 7.5 * p.k), 2.0, 7.0 * p.k)
    open_side = Plane(hip, p.way(s, 0.80, -0.25, -0.55))
    roof = Plane(hip + 0.25 * p.head * p.way(s, 0, 0, 1), p.way(s, 0, 0, -1))
    front = Plane(hip, p.way(s, 0, 1, -0.1))
    not_roof, not_front = (Plane(c.point, -c.normal) for c in (roof, front))
    return [
        Shape("ilium", side, bowl, ("acetabular",), clips=(open_side, roof)),
        Shape("pubis", side, bowl, clips=(open_side, not_roof, front)),
        Shape("ischium", side, bowl, clips=(open_side, not_roof, not_front)),
    ]


def _ilium(p: Pelvis, s: float, side: str) -> list[Shape]:
    reach = Ball(p.at(s, 0, 0, 0), p.head + 20.0 * p.k)
    joint = p.joint(s)
    normal, along = p.way(s, 0.894, 0.447, 0), p.way(s, -0.447, 0.894, 0)
    rows = [[0, 4, 24], [4, 7, 48], [12, 9, 76], [22, 10, 104], [34, 10, 132]]
    nodes = np.array([p.at(s, *row) for row in nodes_through(rows, 14)])
    half = nodes_through([[20, 10], [34, 6.5], [56, 4.2], [70, 4.0], [64, 6.0]], 14) * p.k
    wing = Tube(nodes, half, p.way(s, 0.58, -0.81, -0.06), (0.0, 9.0 * p.k))
    near = Ball(joint, 27.0 * p.k)
    rim = p.frame.way(0, 0, 1)
    plate = np.array([joint + (8.5 * p.k) * normal + dz * p.ky * rim - 4 * p.k * along for dz in (-24, -8, 8, 26)])
    ear = Tube(plate, np.array([[13, 6.5], [23, 7.0], [24, 7.0], [17, 6.0]]) * p.k, along)
    spine = p.at(s, 49, -50, 84)
    knob = Blob(Frame(spine - 5 * p.k * p.way(s, 0.3, -0.9, 0.2), p.frame.axes), np.full(3, 8.0) * p.k)
    return [
        Shape("ilium", side, wing, ("acetabular", "sacroiliac", "wing"), (reach, near)),
        Shape("ilium", side, ear, ("sacroiliac",)),
        Shape("ilium", side, knob, ("wing",)),
    ]


def _front_and_seat(p: Pelvis, s: float, side: str) -> list[Shape]:
    up = p.frame.axes[:, 2]
    symphysis = p.hip / p.k - 4.5  # 4.5 mm of cartilage on each side
    seat = nodes_through([[-8, 20, -14], [-22, 27, -28], [-36, 27, -40]], 6)
    branch = nodes_through([[-36, 20, -46], [-44, 4, -42], [-54, -14, -34]], 6)
    upper = nodes_through([[-12, -22, 6], [-36, -36, 4], [-symphysis + 4, -39, -8]], 7)
    lower = nodes_through([[-symphysis + 5, -36, -20], [-60, -26, -30], [-52, -12, -35]], 6)

    def tube(rows: Array, first: float, second: float) -> Tube:
        nodes = np.array([p.at(s, *row) for row in rows])
        return Tube(nodes, np.tile([first * p.k, second * p.k], (len(rows), 1)), up)

    corpus = Blob(Frame(p.at(s, -symphysis + 9, -38, -14), p.frame.axes), np.array([9.0, 8.0, 15.0]) * p.k, 4.0)
    return [
        Shape("ischium", side, tube(seat, 12.0, 11.0)),
        Shape("ischium", side, tube(branch, 8.0, 5.0)),
        Shape("pubis", side, tube(upper, 8.0, 7.0)),
        Shape("pubis", side, tube(lower, 7.0, 5.0)),
        Shape("pubis", side, corpus),
    ]


def pelvis(size: Size, frame: Frame) -> tuple[Pelvis, list[Shape], dict[str, Array]]:
    """Build both hip bones; ``frame`` has its origin between the hips."""
    p = pelvis_at(size, frame)
    shapes: list[Shape] = []
    marks = {"pubis": frame.at(0, -38.0 * p.k, -14.0 * p.ky)}
    for side, s in (("left", 1.0), ("right", -1.0)):
        shapes += [*_cup(p, s, side), *_ilium(p, s, side), *_front_and_seat(p, s, side)]
        marks[f"hip_{side}"] = p.at(s, 0, 0, 0)
        marks[f"asis_{side}"] = p.at(s, 50, -56, 84)
        marks[f"si_joint_{side}"] = p.joint(s)
        marks[f"ischium_{side}"] = p.at(s, -35, 27, -46)
    return p, shapes, marks


def sacrum(size: Size, p: Pelvis) -> tuple[list[Shape], dict[str, Array]]:
    """Build sacrum and coccyx: a tapered curve in the middle, and the wings that bear the sacroiliac joints."""
    depth = 1 + 0.04 * size.z["sacrum"]
    rows = [[0, 35, 128], [0, 44, 100], [0, 62, 76], [0, 74, 54], [0, 78, 36]]
    nodes = p.frame.points(nodes_through(rows, 12) * [p.k, p.k * depth, p.ky])
    half = nodes_through([[24, 15], [23, 14], [21, 12], [17, 9], [9, 6]], 12) * p.k
    shapes = [Shape("sacrum", "midline", Tube(nodes, half, p.frame.axes[:, 0], (3.0 * p.k, 3.0)), ("body",))]
    tail = p.frame.points(nodes_through([[0, 79, 27], [0, 76, 18], [0, 70, 11]], 5) * [p.k, p.k * depth, p.ky])
    thin = np.array([[8, 5], [7, 4.5], [6, 4], [5, 3.5], [4, 3]]) * p.k
    shapes.append(Shape("coccyx", "midline", Tube(tail, thin, p.frame.axes[:, 0])))
    up = p.frame.axes[:, 2]
    for side, s in (("left", 1.0), ("right", -1.0)):
        inwards, along = -p.way(s, 0.894, 0.447, 0), p.way(s, -0.447, 0.894, 0)
        middle = p.joint(s) + (1.2 + 9.5 * p.k) * inwards
        wing = np.array(
            [middle + dz * p.ky * up + dy * p.k * along for dz, dy in ((18, -8), (6, -3), (-8, 3), (-24, 8))]
        )
        solid = Tube(wing, np.array([[19, 9.5], [22, 9.5], [20, 9.0], [12, 7.0]]) * p.k, along)
        clip = Plane(p.joint(s) + 1.0 * inwards, unit(-inwards))
        shapes.append(Shape("sacrum", side, solid, ("sacroiliac",), clips=(clip,)))
    return shapes, {"S1": p.s1, "coccyx": p.frame.points(np.array([0, 70, 9.0]) * [p.k, p.k * depth, p.ky])}
