"""The sites as seen from the front, drawn once: each corner is fixed to a tube, and other placements only carry it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.skeleton.limits import LONG, axis_of
from lesionmap.skeleton.segments import coordinates, site_names
from lesionmap.skeleton.shape import PLATES, filling, posed_nodes, posed_tubes, sections

if TYPE_CHECKING:
    from lesionmap.skeleton.anatomy import Side
    from lesionmap.skeleton.placement import Placement
    from lesionmap.skeleton.shape import Array, Indices

__all__ = ["Drawing", "draw"]

_SMOOTH_MM = 3.0
_PLATE_MM = 10.0  # plates are drawn as fans of tubes: closes the notches between them
_STEP_MM = 3.0
_LEAST_MM2 = 4.0  # smaller pieces are left out
_ANGLES = np.linspace(0, 2 * np.pi, 12, endpoint=False)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_CIRCLE.setflags(write=False)
_SEEN = [0, 2]  # x and z
_CAP = (0.95, 0.7, 0.4)  # rims of a round end, share of its reach


@dataclass(frozen=True, slots=True, eq=False)
class Drawing:
    """The sites as drawn in one placement."""

    sites: tuple[str, ...]
    """A site may have two drawings: the front and the back of a rib."""
    depth_mm: tuple[float, ...]
    """LPS y of each."""
    rings: tuple[tuple[int, int], ...]
    """First and last closed outline (not included) of each."""
    starts: Indices
    """Where the outlines but the first begin among the corners."""
    low: Indices
    """(n,) for each corner the node before it, among the nodes of all tubes …"""
    share: Array
    """(n, 1) … and how far on to the next node it lies."""
    offset: Array
    """(n, 2) of the nearest point of the tube's edge, in half widths (wide, across)."""
    beside: Array
    """(n, 2) of the corner from there, in the picture, in half widths (wide)."""
    axes: tuple[tuple[str, Side, Array], ...]
    """Bones with an axis, and the ends of their segments along it, 0 to 1 …"""
    own: tuple[Indices, ...]
    """… which corners are theirs …"""
    fraction: tuple[Array, ...]
    """… and where these lie along it."""

    def edges(self, placement: Placement) -> tuple[Array, Array]:
        """Give the points of the tubes' edges, (n, 3) LPS mm, and the half widths (wide) there, (n, 1) mm."""
        centre, wide, across = (
            rows[self.low] * (1 - self.share) + rows[self.low + 1] * self.share for rows in posed_nodes(placement)
        )
        points = centre + self.offset[:, :1] * wide + self.offset[:, 1:] * across
        return points, np.linalg.norm(wide, axis=1, keepdims=True)

    def carried(self, placement: Placement) -> Array:
        """Give the corners in a placement: x and z, (n, 2) LPS mm."""
        points, half = self.edges(placement)
        for (bone, side, before), rows, fraction in zip(self.axes, self.own, self.fraction, strict=True):
            # Segments do not grow in proportion: along its bone, a corner goes where its segment goes.
            axis = axis_of(bone, side, placement)
            wanted = np.interp(fraction, before, [0.0, *axis.limits, 1.0]) * axis.length_mm
            found = (points[rows] - axis.origin) @ axis.direction
            points[rows] += np.outer(wanted - found, axis.direction)
        return np.asarray(points[:, _SEEN] + self.beside * half)


@dataclass(frozen=True, slots=True, eq=False)
class _Rims:
    """Sections through all tubes; a slab is what lies between one rim and the next of its tube."""

    tube: Indices
    low: Indices
    share: Array
    size: Array
    """Of the half widths; less than 1 in a round end."""
    points: Array
    """(r, 12, 3) LPS mm."""
    depth_mm: Array

    def nearest(self, corners: Array, slabs: Indices) -> tuple[Indices, Array]:
        """Give for corners (n, 2) of an outline the rim of the nearest point on some slabs, and the offset there."""
        from scipy.spatial import cKDTree

        rims = np.unique(np.concatenate([slabs, slabs + 1]))
        _, found = cKDTree(self.points[rims][..., _SEEN].reshape(-1, 2)).query(corners)
        rim, angle = rims[found // len(_CIRCLE)], found % len(_CIRCLE)
        return rim, self.size[rim, None] * _CIRCLE[angle]


def _rims(placement: Placement) -> _Rims:
    found, first_node = [], filling().first_node
    for number, tube in enumerate(posed_tubes(placement)):
        centres, wide, across, along = sections(tube, _STEP_MM)
        size = np.ones(len(along))
        if tube.ends == "round":
            centres, along, size = _rounded(centres, along, _reaches(wide, across))
        _, wide, across = tube.at(along)
        low, share = tube.between(along)
        u, v = (size[:, None] * _CIRCLE.T[i] for i in (0, 1))
        points = centres[:, None] + u[..., None] * wide[:, None] + v[..., None] * across[:, None]
        found.append((np.full(len(along), number), low + first_node[number], share[:, 0], size, points, centres[:, 1]))
    return _Rims(*(np.concatenate(rows) for rows in zip(*found, strict=True)))


def _reaches(wide: Array, across: Array) -> Array:
    """Give how far the round ends of a tube reach, (2,) mm."""
    return np.asarray(np.minimum(*(np.linalg.norm(v[[0, -1]], axis=1) for v in (wide, across))))


def _rounded(centres: Array, along: Array, reaches: Array) -> tuple[Array, Array, Array]:
    """Close a tube with rounded ends: centres, places along it, and sizes of its rims."""
    cap = np.array(_CAP)
    size = np.sqrt(1 - cap**2)
    out = np.stack([centres[0] - centres[1], centres[-1] - centres[-2]])
    out *= (reaches / np.maximum(np.linalg.norm(out, axis=1), 1e-9))[:, None]
    head, tail = centres[0] + cap[:, None] * out[0], centres[-1] + cap[::-1, None] * out[1]
    return (
        np.concatenate([head, centres, tail]),
        np.concatenate([np.zeros(len(cap)), along, np.ones(len(cap))]),
        np.concatenate([size, np.ones(len(along)), size[::-1]]),
    )


def _by_site(rims: _Rims, placement: Placement) -> list[tuple[str, Indices]]:
    """Give for each site the slabs that are drawn as one: of a rib the front and the back apart."""
    static = filling()
    first_ball = np.searchsorted(static.tube, np.arange(len(static.tubes)))
    # Any ball of its bone will do: the middle of a slab is parted by the bone's limits.
    site = coordinates(rims.points.mean(axis=1), first_ball[rims.tube], placement).code.astype(int)
    rib = np.array([tube.bone.startswith("rib_") for tube in static.tubes])
    middle = np.array([np.median(rims.depth_mm[rims.tube == number]) for number in range(len(static.tubes))])
    behind = rib[rims.tube] & (rims.depth_mm > middle[rims.tube])
    key = np.where(np.diff(rims.tube, append=-1) == 0, 2 * site + behind, -1)
    return [(str(site_names()[k // 2]), np.flatnonzero(key == k)) for k in np.unique(key[key >= 0]).tolist()]


@lru_cache(maxsize=1)
def draw(placement: Placement) -> Drawing:
    """Draw every site as seen from the front: what is seen of its tubes, united and smoothed (most of a second)."""
    from shapely import convex_hull, multipoints

    rims = _rims(placement)
    pairs = np.flatnonzero(np.diff(rims.tube) == 0)
    seen = np.concatenate([rims.points[:-1], rims.points[1:]], axis=1)[..., _SEEN]
    hulls = np.full(len(rims.tube), None, dtype=object)
    hulls[pairs] = convex_hull(multipoints(seen[pairs]))
    outlines: list[Array] = []
    sites, depths, rings, fixed = [], [], [], []
    for site, slabs in _by_site(rims, placement):
        found = _outlines(hulls[slabs], _PLATE_MM if site.startswith(PLATES) else _SMOOTH_MM)
        sites.append(site)
        depths.append(float(rims.depth_mm[slabs].mean()))
        rings.append((len(outlines), len(outlines) + len(found)))
        outlines += found
        fixed += [rims.nearest(outline, slabs) for outline in found]
    rim, offset = (np.concatenate(rows) for rows in zip(*fixed, strict=True))
    starts = np.cumsum([len(outline) for outline in outlines])[:-1]
    corners = np.concatenate(outlines)
    made = Drawing(
        tuple(sites), tuple(depths), tuple(rings), starts, rims.low[rim], rims.share[rim, None], offset,
        np.zeros_like(corners), (), (), (),
    )  # fmt: skip
    return _fixed(made, corners, rims.tube[rim], placement)


def _fixed(made: Drawing, corners: Array, tube: Indices, placement: Placement) -> Drawing:
    """Add to a drawing how its corners lie to the tubes' edges, and along their bones."""
    points, half = made.edges(placement)
    axes, own, fraction = [], [], []
    pair: tuple[Side, ...] = ("left", "right")
    for bone, side in ((bone, side) for bone in (*LONG, "clavicle") for side in pair):
        axis = axis_of(bone, side, placement)
        mine = [number for number, x in enumerate(filling().tubes) if (x.bone, x.side) == (bone, side)]
        rows = np.flatnonzero(np.isin(tube, mine))
        axes.append((bone, side, np.array([0.0, *axis.limits, 1.0])))
        own.append(rows)
        fraction.append((points[rows] - axis.origin) @ axis.direction / axis.length_mm)
    beside = (corners - points[:, _SEEN]) / half
    return replace(made, beside=beside, axes=tuple(axes), own=tuple(own), fraction=tuple(fraction))


def _outlines(hulls: Any, close_mm: float) -> list[Array]:
    """Give the outer lines of what hulls cover together, smoothed; as they are where smoothing eats all."""
    from shapely import union_all

    whole = union_all(hulls)
    smooth = whole.buffer(close_mm, 5).buffer(-close_mm - 2.0, 5).buffer(2.0, 5)
    shape = whole if smooth.is_empty else smooth
    parts = getattr(shape, "geoms", [shape])
    return [np.array(part.simplify(0.3).exterior.coords) for part in parts if part.area > _LEAST_MM2]
