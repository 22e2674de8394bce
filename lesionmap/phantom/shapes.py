"""Analytic solids of the phantom's body: curved tapered tubes and rounded blobs, in LPS millimetres.

These have nothing to do with the atlas: they are the truth that the atlas is measured against.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = ["Ball", "Blob", "Cut", "Form", "Frame", "Plane", "Shape", "Tube", "turned", "unit"]


def unit(vector: ArrayLike) -> Array:
    """Give the vector at length 1."""
    v = np.asarray(vector, dtype=np.float64)
    return v / np.linalg.norm(v)


def turned(x_deg: float = 0.0, y_deg: float = 0.0, z_deg: float = 0.0) -> Array:
    """Give the rotation about z, then x, then y (a limb turns about itself, then bends, then spreads)."""
    (cx, cy, cz), (sx, sy, sz) = (f(np.radians([x_deg, y_deg, z_deg])) for f in (np.cos, np.sin))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A body part's own axes: to the left, to the back, upwards."""

    origin: Array
    """LPS mm, shape (3,)."""
    axes: Array
    """Columns: left, back, up, as LPS directions."""

    def at(self, x: float, y: float, z: float) -> Array:
        """Give the LPS mm of a point of this frame (mm)."""
        return np.asarray(self.origin + self.axes @ np.array([x, y, z]), dtype=np.float64)

    def way(self, x: float, y: float, z: float) -> Array:
        """Give the unit LPS direction of a direction of this frame."""
        return unit(self.axes @ np.array([x, y, z]))

    def points(self, rows: ArrayLike) -> Array:
        """Give the LPS mm of points of this frame, shape (n, 3)."""
        return np.asarray(self.origin + np.asarray(rows, dtype=np.float64) @ self.axes.T, dtype=np.float64)

    def bent(self, origin: Array, *, x_deg: float = 0.0, y_deg: float = 0.0, z_deg: float = 0.0) -> Frame:
        """Give the frame of the next part of the chain."""
        return Frame(origin, self.axes @ turned(x_deg, y_deg, z_deg))


class Cut(Protocol):
    """A surface that parts a bone: negative before it, positive behind it, in mm."""

    def value(self, points: Array) -> Array:
        """Give the signed distance of points (n, 3), LPS mm."""


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """A plane, domed by ``bow`` mm at ``reach`` mm from its middle (a physis is never flat)."""

    point: Array
    normal: Array
    bow_mm: float = 0.0
    reach_mm: float = 20.0

    def value(self, points: Array) -> Array:
        """Give the signed distance of points (n, 3), LPS mm."""
        away = points - self.point
        height = away @ self.normal
        if self.bow_mm == 0:
            return np.asarray(height)
        across = np.sum(away * away, axis=-1) - height**2
        return np.asarray(height + self.bow_mm * across / self.reach_mm**2)


@dataclass(frozen=True, slots=True, eq=False)
class Ball:
    """The surface of a ball; negative inside."""

    centre: Array
    radius_mm: float

    def value(self, points: Array) -> Array:
        """Give the signed distance of points (n, 3), LPS mm."""
        return np.asarray(np.linalg.norm(points - self.centre, axis=-1) - self.radius_mm)


class Form(Protocol):
    """A solid without a name."""

    @property
    def box(self) -> tuple[Array, Array]:
        """Lowest and highest corner, LPS mm."""

    def distance(self, points: Array) -> Array:
        """Give the distance of points (n, 3) to the surface, mm, negative inside (near the surface nearly exact)."""


def _radial(offset: Array, level: Array, least: float | Array) -> Array:
    """Turn the level of a star-shaped form (1 on its surface) into mm along the ray from its middle."""
    length = np.sqrt(np.sum(offset * offset, axis=-1))
    far = level > 1e-6
    return np.asarray(np.where(far, length * (1 - 1 / np.where(far, level, 1.0)), -np.asarray(least)))


@dataclass(frozen=True, slots=True, eq=False)
class Blob:
    """A rounded box: ``|x/a|^p + |y/b|^p + |z/c|^p = 1`` in its own axes; may be hollow."""

    frame: Frame
    half_mm: Array
    """a, b, c."""
    power: float = 2.0
    wall_mm: float = 0.0
    """Thickness of the wall of a hollow blob (skull, acetabulum); 0: solid."""

    @property
    def box(self) -> tuple[Array, Array]:
        """Lowest and highest corner, LPS mm."""
        reach = np.abs(self.frame.axes) @ self.half_mm
        return self.frame.origin - reach, self.frame.origin + reach

    def distance(self, points: Array) -> Array:
        """Give the distance of points (n, 3) to the surface, mm, negative inside."""
        own = (points - self.frame.origin) @ self.frame.axes
        scaled = np.abs(own / self.half_mm)
        level = np.sqrt(np.sum(scaled**2, axis=-1)) if self.power == 2 else self._level(scaled)
        outer = _radial(own, level, float(self.half_mm.min()))
        return np.maximum(outer, -self.wall_mm - outer) if self.wall_mm else outer

    def _level(self, scaled: Array) -> Array:
        if self.power == 4:  # much faster than a general power
            return np.asarray(np.sqrt(np.sqrt(np.sum((scaled * scaled) ** 2, axis=-1))))
        return np.asarray(np.sum(scaled**self.power, axis=-1) ** (1 / self.power))


@dataclass(frozen=True, slots=True, eq=False)
class Tube:
    """A tube along a polyline with an elliptic cross-section that changes from node to node."""

    nodes: Array
    """Centreline, LPS mm, shape (m, 3)."""
    half_mm: Array
    """Half breadths along ``wide`` and across it, shape (m, 2)."""
    wide: Array
    """Direction of the first half breadth: one for all, shape (3,), or one a node, shape (m, 3)."""
    cap_mm: tuple[float, float] = (0.0, 0.0)
    """How far the rounded ends reach beyond the first and the last node."""

    @property
    def box(self) -> tuple[Array, Array]:
        """Lowest and highest corner, LPS mm."""
        margin = np.maximum(self.half_mm.max(axis=1), max(self.cap_mm))[:, None]
        return (self.nodes - margin).min(axis=0), (self.nodes + margin).max(axis=0)

    def distance(self, points: Array) -> Array:
        """Give the distance of points (n, 3) to the surface, mm, negative inside."""
        best = np.full(len(points), np.inf)
        wide = np.broadcast_to(self.wide, self.nodes.shape)
        reach = float(max(self.half_mm.max(), *self.cap_mm)) + 12.0
        columns = np.ascontiguousarray(points.T)
        for k in range(len(self.nodes) - 1):
            low = np.minimum(self.nodes[k], self.nodes[k + 1]) - reach
            high = np.maximum(self.nodes[k], self.nodes[k + 1]) + reach
            inside = [(c >= a) & (c <= b) for c, a, b in zip(columns, low, high, strict=True)]
            near = np.flatnonzero(inside[0] & inside[1] & inside[2])
            if len(near):
                best[near] = np.minimum(best[near], self._piece(points[near], k, wide))
        if np.isinf(best).any():  # beyond every piece: any honest lower bound will do
            far = np.isinf(best)
            ends = self.nodes[:: max(1, len(self.nodes) // 6)]
            gaps = np.linalg.norm(points[far, None, :] - ends[None], axis=-1).min(axis=1)
            best[far] = np.maximum(gaps - reach, 12.0)
        return best

    def _piece(self, points: Array, k: int, wide: Array) -> Array:
        start, along = self.nodes[k], self.nodes[k + 1] - self.nodes[k]
        length = float(np.linalg.norm(along))
        axis = along / length
        first = unit(wide[k] - (wide[k] @ axis) * axis)
        own = (points - start) @ np.stack([first, np.cross(axis, first), axis], axis=1)
        t = np.clip(own[:, 2] / length, 0, 1)
        a = self.half_mm[k, 0] + t * (self.half_mm[k + 1, 0] - self.half_mm[k, 0])
        b = self.half_mm[k, 1] + t * (self.half_mm[k + 1, 1] - self.half_mm[k, 1])
        least = np.minimum(a, b)
        own[:, 2] -= t * length  # what is left lies beyond an end
        cap = np.where(own[:, 2] < 0, self._cap(k == 0, 0, least), self._cap(k == len(self.nodes) - 2, 1, least))
        level = np.sqrt((own[:, 0] / a) ** 2 + (own[:, 1] / b) ** 2 + (own[:, 2] / cap) ** 2)
        return _radial(own, level, least)

    def _cap(self, at_end: bool, which: int, least: Array) -> Array:
        return np.full_like(least, self.cap_mm[which]) if at_end and self.cap_mm[which] > 0 else least


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A solid with its bone and the surfaces that part it into segments."""

    bone: str
    side: str
    form: Form
    segments: tuple[str, ...] = ("whole",)
    """Along the bone; the first whose cut a point lies before is the point's segment, the last needs none."""
    cuts: tuple[Cut, ...] = ()
    """One fewer than segments."""
    clips: tuple[Cut, ...] = ()
    """The solid is only where all of these are negative."""
    physes: tuple[tuple[Cut, float], ...] = field(default=())
    """Growth plates that cross it, with their thickness in mm."""

    def distance(self, points: Array) -> Array:
        """Give the distance of points (n, 3), LPS mm, to the surface, negative inside."""
        best = self.form.distance(points)
        for clip in self.clips:
            best = np.maximum(best, clip.value(points))
        return best

    def segment(self, points: Array) -> NDArray[np.intp]:
        """Give the index of the segment of points (n, 3), LPS mm."""
        found = np.full(len(points), len(self.segments) - 1, dtype=np.intp)
        for i in reversed(range(len(self.cuts))):
            found[self.cuts[i].value(points) < 0] = i
        return found


def nodes_through(rows: Sequence[Sequence[float]], n: int) -> Array:
    """Give ``n`` rows interpolated smoothly (Catmull-Rom, no overshoot worth the name) through given rows."""
    given = np.asarray(rows, dtype=np.float64)
    padded = np.vstack([2 * given[0] - given[1], given, 2 * given[-1] - given[-2]])
    where = np.linspace(0, len(given) - 1, n)
    k = np.minimum(where.astype(int), len(given) - 2)
    t = (where - k)[:, None]
    p0, p1, p2, p3 = (padded[k + i] for i in range(4))
    return np.asarray(
        0.5 * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
    )
