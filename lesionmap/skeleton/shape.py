"""The skeleton's shape: centrelines with cross-sections, carried from the reference body to a placement.

A posed bone is one or more tubes. For questions about points each tube is filled with balls; the ball of least power
distance (distance² minus radius²) says which bone a point belongs to, and the points of a ball's own tube give its
coordinates. For drawing, the tubes' sections are used as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.skeleton import growth
from lesionmap.skeleton.anatomy import bones, table
from lesionmap.skeleton.frames import Carrier, carriers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.skeleton.anatomy import Side
    from lesionmap.skeleton.placement import Placement

__all__ = ["Posed", "Tube", "pose", "reference_tubes", "sections"]

_END_BALL_MM = 4.0  # smallest ball at a square end
_MOST_MM = 12.0  # largest ball: balls of like size make the search for the nearest one fast


@dataclass(frozen=True, slots=True, eq=False)
class Tube:
    """One part of a bone, as it lies in the patient (or, before it is carried, in the reference body)."""

    bone: str
    side: Side
    segment: str
    """Segment that the part is, or empty where the segment follows from the place along the bone."""
    hang: str
    paired: bool
    """True for a part that a bone of the midline has on either side."""
    ends: str
    """round, flat (cut square) or sphere."""
    nodes: NDArray[np.float64]
    """(n, 3) LPS mm."""
    wide: NDArray[np.float64]
    """(n, 3) vectors from the centreline to the section's edge, mm."""
    across: NDArray[np.float64]
    """(n, 3) the same, at right angles."""

    def lengths_mm(self) -> NDArray[np.float64]:
        """Give the length of the centreline up to each node, shape (n,)."""
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.nodes, axis=0), axis=1))])

    def at(self, along: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Give centre, wide and across, each (k, 3), at places along the centreline from 0 to 1 by length."""
        total = self.lengths_mm()
        places = np.interp(along * total[-1], total, np.arange(len(total)))
        low = np.minimum(places.astype(int), len(total) - 2)
        share = (places - low)[:, None]
        first, second, third = (v[low] * (1 - share) + v[low + 1] * share for v in (self.nodes, self.wide, self.across))
        return first, second, third


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """All bones of a placement: tubes, and the balls that fill them."""

    tubes: tuple[Tube, ...]
    centres: NDArray[np.float64]
    """(m, 3) LPS mm."""
    radii: NDArray[np.float64]
    """(m,) mm."""
    tube: NDArray[np.int_]
    """(m,) index of the tube of each ball."""
    along: NDArray[np.float64]
    """(m,) place of each ball along its tube's centreline, 0 to 1 by length."""
    template: NDArray[np.float64]
    """(m, 3) where the ball's centre is in the reference body (right sides mirrored to the left)."""


def _tangents(nodes: NDArray[np.float64]) -> NDArray[np.float64]:
    steps = np.gradient(nodes, axis=0)
    return np.asarray(steps / np.linalg.norm(steps, axis=1, keepdims=True))


def _make_tube(row: dict[str, Any]) -> Tube:
    """Make a tube of the reference body from a row of ``[[part]]``."""
    data = np.array(row["nodes"], dtype=np.float64)
    nodes, half = data[:, :3], data[:, 3:]
    tangent = _tangents(nodes)
    wide = np.broadcast_to(np.array(row["wide"], dtype=np.float64), nodes.shape)
    wide = wide - (wide * tangent).sum(axis=1, keepdims=True) * tangent
    wide = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    across = np.cross(tangent, wide)
    return Tube(
        row["bone"],
        "left",
        row.get("segment", ""),
        row["hang"],
        row.get("paired", False),
        row.get("ends", "round"),
        nodes,
        wide * half[:, :1],
        across * half[:, 1:],
    )


def _vertebra_rows(name: str) -> list[dict[str, Any]]:
    """Give the parts of a vertebra in its own frame (left, back, up), mm."""
    width, depth, height, tx, ty, tz, sy, sz = table()["vertebrae"][name]
    bone, hang = f"vertebra_{name}", f"vertebra:{name}"
    canal = depth + 9.0
    body = [[0, 0, z * height, width * w, depth * w] for z, w in ((-1, 1), (-0.5, 0.93), (0, 0.9), (0.5, 0.93), (1, 1))]
    spine = [[0, canal + 4, 0, 5, 7], [0, (canal + sy) / 2, sz / 2, 4, 7], [0, sy - 2, sz, 3.5, 5]]
    rows = [
        {"bone": bone, "hang": hang, "segment": "body", "wide": [1, 0, 0], "ends": "flat", "nodes": body},
        {"bone": bone, "hang": hang, "segment": "posterior_elements", "wide": [1, 0, 0], "nodes": spine},
    ]
    for sign in (1, -1):
        arch = [
            [sign * width * 0.6, depth * 0.85, 2, 5, 4.5],
            [sign * width * 0.75, depth + 6, 2, 6, 8],
            [sign * width * 0.5, canal + 3, -2, 6, 9],
            [0, canal + 5, -2, 6, 8],
        ]
        transverse = [[sign * width * 0.8, depth + 5, 2, 5, 5], [sign * tx, ty, tz, 4, 4]]
        rows += [
            {"bone": bone, "hang": hang, "segment": "posterior_elements", "wide": [0, 0, 1], "nodes": nodes}
            for nodes in (arch, transverse)
        ]
    return rows


@cache
def reference_tubes() -> tuple[Tube, ...]:
    """Give the tubes of the reference body: left and midline bones, vertebrae in their own frames."""
    rows = list(table()["part"])
    for name in growth.vertebra_names():
        rows += _vertebra_rows(name)
    return tuple(_make_tube(row) for row in rows)


def _carry(tube: Tube, side: Side, carrier: Carrier) -> Tube:
    """Carry a tube to the patient; sections turn and stretch as the carrier does."""
    nodes = carrier.carry(tube.nodes)
    wide = carrier.carry(tube.nodes + tube.wide) - nodes
    across = carrier.carry(tube.nodes + tube.across) - nodes
    return Tube(tube.bone, side, tube.segment, tube.hang, tube.paired, tube.ends, nodes, wide, across)


def sections(tube: Tube, step_mm: float) -> tuple[NDArray[np.float64], ...]:
    """Cut a tube every ``step_mm``: centres, wide, across, each (k, 3), and the places along it, (k,) from 0 to 1."""
    count = max(int(np.ceil(tube.lengths_mm()[-1] / step_mm)), 2)
    along = np.linspace(0.0, 1.0, count + 1)
    return (*tube.at(along), along)


@lru_cache(maxsize=4096)
def _fill_section(a: float, b: float, most: float) -> NDArray[np.float64]:
    """Fill an ellipse of half widths a ≥ b with discs: rows (u / a, v / b, radius in mm)."""
    radius = min(b, most)
    rings = [np.zeros((1, 2))]
    inner_a, inner_b = a - radius, b - radius
    while inner_a > 0.3 * radius:
        if inner_b <= 0.3 * radius:
            count = max(int(np.ceil(2 * inner_a / (0.9 * radius))), 1) + 1
            rings.append(np.stack([np.linspace(-inner_a, inner_a, count), np.zeros(count)], axis=1))
            break
        count = max(int(np.ceil(np.pi * (inner_a + inner_b) / (1.3 * radius))), 4)
        angle = np.arange(count) * 2 * np.pi / count
        rings.append(np.stack([inner_a * np.cos(angle), inner_b * np.sin(angle)], axis=1))
        inner_a, inner_b = inner_a - 1.4 * radius, inner_b - 1.4 * radius
    points = np.concatenate(rings) / [a, b]
    return np.column_stack([points, np.full(len(points), radius)])


def _discs(a: float, b: float, most: float) -> NDArray[np.float64]:
    """Fill a section of half widths a (wide) and b (across), to half a millimetre: rows (u, v, radius)."""
    a, b, most = (max(round(x * 2) / 2, 0.5) for x in (a, b, most))
    if a >= b:
        return _fill_section(a, b, most)
    return _fill_section(b, a, most)[:, [1, 0, 2]]


def _balls(tube: Tube, reference: Tube) -> tuple[NDArray[np.float64], ...]:
    """Fill a tube with balls: centres, radii, places along it, centres in the reference body."""
    half_b = float(np.linalg.norm(tube.across, axis=1).min())
    total = float(tube.lengths_mm()[-1])
    *_, along = sections(tube, float(np.clip(half_b * 0.7, 2.5, 7.0)))
    most = np.full(len(along), _MOST_MM)
    if tube.ends == "flat":  # no ball may stick out of a square end
        inset = min(_END_BALL_MM / total, 0.4)
        along = np.clip(along, inset, 1.0 - inset)
        most = np.clip(np.minimum(along, 1.0 - along) * total, _END_BALL_MM, _MOST_MM)
    nodes, wide, across = tube.at(along)
    half = np.stack([np.linalg.norm(wide, axis=1), np.linalg.norm(across, axis=1), most], axis=1)
    filled = [_discs(a, b, m) for a, b, m in half.tolist()]
    owner = np.repeat(np.arange(len(filled)), [len(discs) for discs in filled])
    u, v, radii = np.concatenate(filled).T
    origin, origin_w, origin_a = reference.at(along)

    def lay(centre: NDArray[np.float64], w: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(centre[owner] + u[:, None] * w[owner] + v[:, None] * x[owner])

    return lay(nodes, wide, across), radii, along[owner], lay(origin, origin_w, origin_a)


def pose(placement: Placement) -> Posed:
    """Carry the whole skeleton to a placement.

    Returns
    -------
    Posed
        Tubes and balls in patient LPS mm. The last few placements are remembered, since every question about a
        visit asks for the same one.
    """
    return _pose(placement.shape_key())


@lru_cache(maxsize=8)
def _pose(placement: Placement) -> Posed:
    found = carriers(placement)
    sides = {bone.id: bone.sides for bone in bones()}
    pair: tuple[Side, ...] = ("left", "right")
    tubes: list[Tube] = []
    balls: list[tuple[NDArray[np.float64], ...]] = []
    for reference in reference_tubes():
        for side in pair if reference.paired else sides[reference.bone]:
            tube = _carry(reference, side, found[reference.hang, side])
            tubes.append(tube)
            balls.append(_balls(tube, reference))
    owner = np.repeat(np.arange(len(tubes)), [len(b[0]) for b in balls])
    centres, radii, along, template = (np.concatenate([b[i] for b in balls]) for i in range(4))
    return Posed(tuple(tubes), centres, radii, owner, along, template)
