"""The skeleton's shape: centrelines with cross-sections, carried from the reference body to a placement.

A posed bone is one or more tubes. For questions about points each tube is filled with balls; the ball of least power
distance (distance² minus radius²) says which bone a point belongs to, and the points of a ball's own tube give its
coordinates. The reference body is filled once; a placement only carries the balls. For drawing, the tubes' sections
are used as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.skeleton import growth
from lesionmap.skeleton.anatomy import bones, table
from lesionmap.skeleton.frames import Carrier, carriers
from lesionmap.skeleton.threads import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.skeleton.anatomy import Side
    from lesionmap.skeleton.placement import Placement

    Array = NDArray[np.float64]
    Indices = NDArray[np.int_]

__all__ = [
    "PLATES",
    "Filling",
    "Posed",
    "Tube",
    "carriers_of",
    "filling",
    "pose",
    "posed_nodes",
    "posed_tubes",
    "reference_tubes",
    "sections",
]

PLATES = ("ilium", "scapula")
"""Bones that are plates: fans of tubes, whose notches a drawing closes."""

_END_BALL_MM = 4.0  # smallest ball at a square end
_REGION = {"C": "cervical", "T": "thoracic", "L": "lumbar"}
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

    def reach_mm(self) -> tuple[float, float]:
        """Give how far the tube's ends reach beyond its first and last node, mm: 0 for those cut square."""
        if self.ends == "flat":
            return 0.0, 0.0
        small = np.minimum(*(np.linalg.norm(v[[0, -1]], axis=1) for v in (self.wide, self.across)))
        first, last = np.minimum(small, _MOST_MM).tolist()
        return first, float(small[1]) if self.ends == "sphere" else last

    def lengths_mm(self) -> NDArray[np.float64]:
        """Give the length of the centreline up to each node, shape (n,)."""
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.nodes, axis=0), axis=1))])

    def between(self, along: NDArray[np.float64]) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
        """Give the nodes before places along the centreline (0 to 1 by length), and how far on to the next, (k, 1)."""
        total = self.lengths_mm()
        places = np.interp(along * total[-1], total, np.arange(len(total)))
        low = np.minimum(places.astype(int), len(total) - 2)
        return low, (places - low)[:, None]

    def at(self, along: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Give centre, wide and across, each (k, 3), at places along the centreline from 0 to 1 by length."""
        low, share = self.between(along)
        first, second, third = (_between(v, low, share) for v in (self.nodes, self.wide, self.across))
        return first, second, third


@dataclass(frozen=True, slots=True, eq=False)
class Filling:
    """The balls that fill the tubes, but for where they lie: the same for every placement. Sorted by bone."""

    bones: tuple[tuple[str, Side], ...]
    """Every bone with its side."""
    tubes: tuple[Tube, ...]
    """The tube of the reference body that each posed tube is carried from; its side is that of the posed one."""
    bone_of_tube: NDArray[np.int_]
    first_node: NDArray[np.int_]
    """Where the nodes of each tube begin among the nodes of all, and last the number of all."""
    low: NDArray[np.int_]
    """(s,) node before each section, among the nodes of all tubes."""
    share: NDArray[np.float64]
    """(s, 1) how far each section lies on from that node to the next."""
    tube: NDArray[np.int_]
    """(m,) index of the tube of each ball."""
    bone: NDArray[np.int_]
    """(m,) index of the bone of each ball, ascending."""
    section: NDArray[np.int_]
    """(m,) index of the section of each ball."""
    along: NDArray[np.float64]
    """(m,) place of each ball along its tube's centreline, 0 to 1 by length."""
    offset: NDArray[np.float64]
    """(m, 2) of the ball's centre from the section's, in half widths (wide, across)."""
    radius: NDArray[np.float64]
    """(m,) over the section's smaller half width."""

    def on_sections(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give what is known at the nodes of all tubes, (n, 3), at each section, (s, 3)."""
        return _between(rows, self.low, self.share)


@dataclass(frozen=True, slots=True, eq=False)
class Posed:
    """All bones of a placement: tubes, and the balls that fill them."""

    filling: Filling
    tubes: tuple[Tube, ...]
    centres: NDArray[np.float64]
    """(m, 3) LPS mm."""
    radii: NDArray[np.float64]
    """(m,) mm."""
    tube: NDArray[np.int_]
    """(m,) index of the tube of each ball."""
    along: NDArray[np.float64]
    """(m,) place of each ball along its tube's centreline, 0 to 1 by length."""
    sections: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    """Centre, wide, across of each section, (s, 3) LPS mm."""


def _between(rows: NDArray[np.float64], low: NDArray[np.int_], share: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows[low] * (1 - share) + rows[low + 1] * share)


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
    shared = table()["vertebra_shape"][_REGION[name[0]]]
    bone, hang = f"vertebra_{name}", f"vertebra:{name}"
    half, middle = shared["waist"]
    body = [
        [0, 0, z * height, width * w, depth * w] for z, w in ((-1, 1), (-0.5, half), (0, middle), (0.5, half), (1, 1))
    ]
    (back, *base), halfway, tip = shared["spinous"]
    spine = [
        [0, depth + back, 0, *base],
        [0, (depth + back + sy) / 2 - 2, sz / 2, *halfway],
        [0, sy - 2, sz, *tip],
    ]
    rows = [
        {"bone": bone, "hang": hang, "segment": "body", "wide": [1, 0, 0], "ends": "flat", "nodes": body},
        {"bone": bone, "hang": hang, "segment": "posterior_elements", "wide": [1, 0, 0], "nodes": spine},
    ]
    for sign in (1, -1):
        arch = [[sign * width * left, depth + back, up, *halves] for left, back, up, *halves in shared["arch"]]
        root, end = shared["transverse"]
        transverse = [
            [sign * width * root[0], depth + root[1], *root[2:]],
            [sign * tx, ty, tz, *end],
        ]
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


def _balls(tube: Tube) -> tuple[NDArray[np.float64], NDArray[np.int_], NDArray[np.float64]]:
    """Fill a tube of the reference body with balls.

    Returns
    -------
    along : (s,)
        Places of the sections.
    section : (m,)
        Section of each ball.
    discs : (m, 3)
        Offset (u, v) in half widths, and radius over the section's smaller half width.
    """
    half_b = float(np.linalg.norm(tube.across, axis=1).min())
    total = float(tube.lengths_mm()[-1])
    *_, along = sections(tube, float(np.clip(half_b * 0.7, 2.5, 7.0)))
    most = np.full(len(along), _MOST_MM)
    if tube.ends == "flat":  # no ball may stick out of a square end
        inset = min(_END_BALL_MM / total, 0.4)
        along = np.clip(along, inset, 1.0 - inset)
        most = np.clip(np.minimum(along, 1.0 - along) * total, _END_BALL_MM, _MOST_MM)
    _, wide, across = tube.at(along)
    half = np.stack([np.linalg.norm(wide, axis=1), np.linalg.norm(across, axis=1), most], axis=1)
    filled = [_discs(a, b, m) / [1.0, 1.0, min(a, b)] for a, b, m in half.tolist()]
    return along, np.repeat(np.arange(len(filled)), [len(discs) for discs in filled]), np.concatenate(filled)


def _posed_sides(tube: Tube) -> tuple[Side, ...]:
    pair: tuple[Side, ...] = ("left", "right")
    return pair if tube.paired else next(bone.sides for bone in bones() if bone.id == tube.bone)


@cache
def filling() -> Filling:
    """Fill the reference body with balls, once: a placement only carries them."""
    rows = [(replace(tube, side=side), _balls(tube)) for tube in reference_tubes() for side in _posed_sides(tube)]
    names: dict[tuple[str, Side], int] = {}
    keys = [names.setdefault((tube.bone, "midline" if tube.paired else tube.side), len(names)) for tube, _ in rows]
    order = np.argsort(keys, kind="stable").tolist()
    tubes = tuple(rows[i][0] for i in order)
    filled = [rows[i][1] for i in order]
    bone_of_tube = np.array([keys[i] for i in order])
    first_node = np.concatenate([[0], np.cumsum([len(tube.nodes) for tube in tubes])])
    places = [tube.between(along) for tube, (along, _, _) in zip(tubes, filled, strict=True)]
    first_section = np.cumsum([0, *(len(along) for along, _, _ in filled)])
    section = np.concatenate([s + first for (_, s, _), first in zip(filled, first_section, strict=False)])
    discs = np.concatenate([d for _, _, d in filled])
    tube = np.repeat(np.arange(len(tubes)), [len(d) for _, _, d in filled])
    return Filling(
        bones=tuple(names),
        tubes=tubes,
        bone_of_tube=bone_of_tube,
        first_node=first_node,
        low=np.concatenate([low + first for (low, _), first in zip(places, first_node, strict=False)]),
        share=np.concatenate([share for _, share in places]),
        tube=tube,
        bone=bone_of_tube[tube],
        section=section,
        along=np.concatenate([along for along, _, _ in filled])[section],
        offset=discs[:, :2],
        radius=discs[:, 2],
    )


def posed_tubes(placement: Placement) -> tuple[Tube, ...]:
    """Give the tubes of the whole skeleton in patient LPS mm, without the balls: all that a drawing needs."""
    return _carried(placement.shape_key())[0]


def posed_nodes(placement: Placement) -> tuple[Array, Array, Array]:
    """Give the nodes of all tubes, one after the other, and their wide and across, each (n, 3) LPS mm."""
    return _carried(placement.shape_key())[1]


@lru_cache(maxsize=8)
def carriers_of(placement: Placement) -> dict[tuple[str, Side], Carrier]:
    """Give the carriers of a placement, remembered; ``placement`` is a ``shape_key()``."""
    return carriers(placement)


@lru_cache(maxsize=8)
def _carried(placement: Placement) -> tuple[tuple[Tube, ...], tuple[Array, Array, Array]]:
    """Carry all tubes; give also the nodes, wide and across of all in one array each."""
    with one_thread():
        return _carry_all(placement)


def _carry_all(placement: Placement) -> tuple[tuple[Tube, ...], tuple[Array, Array, Array]]:
    """Carry all tubes, a frame at a time."""
    found, static = carriers_of(placement), filling()
    rows: dict[tuple[str, Side], list[int]] = {}
    for number, tube in enumerate(static.tubes):
        rows.setdefault((tube.hang, tube.side), []).append(number)
    total = int(static.first_node[-1])
    nodes, wide, across = (np.empty((total, 3)) for _ in range(3))
    for key, numbers in rows.items():
        mine = np.concatenate([np.arange(static.first_node[n], static.first_node[n + 1]) for n in numbers])
        start, w, x = (
            np.concatenate([getattr(static.tubes[n], name) for n in numbers]) for name in ("nodes", "wide", "across")
        )
        carried = found[key].carry(np.concatenate([start, start + w, start + x])).reshape(3, -1, 3)
        nodes[mine], wide[mine], across[mine] = carried[0], carried[1] - carried[0], carried[2] - carried[0]
    cut = static.first_node[1:-1]
    parts = zip(static.tubes, *(np.split(rows_of, cut) for rows_of in (nodes, wide, across)), strict=True)
    tubes = tuple(replace(tube, nodes=n, wide=w, across=x) for tube, n, w, x in parts)
    return tubes, (nodes, wide, across)


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
    tubes, carried = _carried(placement)
    static = filling()
    centre, wide, across = (static.on_sections(rows) for rows in carried)
    u, v = static.offset[:, :1], static.offset[:, 1:]
    centres = centre[static.section] + u * wide[static.section] + v * across[static.section]
    thin = np.minimum(np.linalg.norm(wide, axis=1), np.linalg.norm(across, axis=1))
    radii = static.radius * thin[static.section]
    return Posed(static, tubes, centres, radii, static.tube, static.along, (centre, wide, across))
