"""The placed skeleton cut by any plane: outlines of its bones by site, and its physes as lines.

The plane meets each closed surface of ``surface.py`` in closed lines. Every edge that it crosses is entered from one
triangle and left into the next, so that the lines are the cycles of one permutation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.skeleton.anatomy import bones
from lesionmap.skeleton.limits import physis_planes
from lesionmap.skeleton.surface import reference_mesh, site_at, vertices

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionmap.skeleton.anatomy import Side
    from lesionmap.skeleton.placement import Placement

    Points = NDArray[np.float64]
    XYZ = tuple[float, float, float]

__all__ = ["cut", "cut_physes"]

_STEEP = 0.2
"""A plane that meets a physis at a smaller angle (its sine) runs along it."""
_THIN_MM = 0.2
"""Corners nearer than this to the line without them are left out."""


@dataclass(frozen=True, slots=True, eq=False)
class _Shells:
    """The surfaces of all bones as one: what all placements share."""

    keys: tuple[tuple[str, Side], ...]
    """Bone and side of each surface."""
    faces: NDArray[np.int32]
    """(m, 3) indices of vertices."""
    face_edges: NDArray[np.int32]
    """(m, 3) the edge from each corner of a face to the next one."""
    edges: NDArray[np.int32]
    """(e, 2) indices of vertices."""
    owner: NDArray[np.int32]
    """(n,) number of the surface that each vertex is of."""


@dataclass(frozen=True, slots=True, eq=False)
class _Loop:
    """A closed line in which the plane meets a surface; the first point is not repeated."""

    key: tuple[str, Side]
    """Bone and side."""
    points: Points


def cut(placement: Placement, point_lps_mm: Sequence[float], normal: Sequence[float]) -> tuple[tuple[str, Points], ...]:
    """Cut the placed skeleton by a plane.

    Parameters
    ----------
    placement : Placement
        The skeleton on the visit.
    point_lps_mm : (x, y, z)
        A point of the plane.
    normal : (x, y, z)
        At right angles to the plane, of any length.

    Returns
    -------
    tuple of (site id, line of shape (m, 3), LPS mm)
        Outlines of the bones, each in as many lines as there are sites on it; closed where it is one.

    Raises
    ------
    LesionmapError
        If the plane is not finite or its normal has no length.
    """
    plane = _plane(point_lps_mm, normal)
    runs = [run for loop in _loops(placement.shape_key(), *plane) for run in _runs(loop, placement)]
    thin = _thinned([points for _, points in runs], *plane)
    return tuple((site, points) for (site, _), points in zip(runs, thin, strict=True))


def cut_physes(
    placement: Placement, point_lps_mm: Sequence[float], normal: Sequence[float]
) -> tuple[tuple[str, str, Points], ...]:
    """Cut the physes of the placed skeleton by a plane.

    Returns
    -------
    tuple of (bone, side, line of shape (2, 3), LPS mm)
        From one edge of the bone to the other; none where the plane runs along a physis.
    """
    plane = _plane(point_lps_mm, normal)
    loops: dict[tuple[str, str], list[Points]] = {}
    for loop in _loops(placement.shape_key(), *plane):
        loops.setdefault(loop.key, []).append(loop.points)
    found = []
    for bone, side, _, centre, across, radius_mm in physis_planes(placement):
        way = np.cross(plane[1], across)
        steep = float(np.linalg.norm(way))
        if steep < _STEEP or (bone, side) not in loops:
            continue
        chords = _chords(loops[bone, side], centre, across, way / steep)
        found += [(bone, side, x) for x in chords if np.linalg.norm(x.mean(axis=0) - centre) < radius_mm]
    return tuple(found)


def _plane(point_lps_mm: Sequence[float], normal: Sequence[float]) -> tuple[XYZ, XYZ]:
    """Give a plane as a point and a unit normal."""
    point, across = np.asarray(point_lps_mm, dtype=np.float64), np.asarray(normal, dtype=np.float64)
    length = float(np.linalg.norm(across))
    if point.shape != (3,) or across.shape != (3,) or not np.isfinite([*point, length]).all() or length == 0.0:
        raise LesionmapError(
            f"a plane needs a point in LPS mm and a normal that is not zero, got {list(point_lps_mm)}, {list(normal)}"
        )
    x, y, z = point.tolist()
    a, b, c = (across / length).tolist()
    return (x, y, z), (a, b, c)


@cache
def _shells() -> _Shells:
    """Put the surfaces of all bones together."""
    keys: list[tuple[str, Side]] = []
    faces, face_edges, edges, owner = [], [], [], []
    n_vertices = n_edges = 0
    for row in bones():
        mesh = reference_mesh(row.id)
        ends = np.sort(np.stack([mesh.faces, np.roll(mesh.faces, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
        code, index = np.unique(ends[:, 0] * len(mesh.vertices) + ends[:, 1], return_inverse=True)
        pairs = np.stack(np.divmod(code, len(mesh.vertices)), axis=1)
        for side in row.sides:
            faces.append(mesh.faces + n_vertices)
            face_edges.append(index.reshape(-1, 3) + n_edges)
            edges.append(pairs + n_vertices)
            owner.append(np.full(len(mesh.vertices), len(keys)))
            keys.append((row.id, side))
            n_vertices, n_edges = n_vertices + len(mesh.vertices), n_edges + len(pairs)
    return _Shells(tuple(keys), *(np.concatenate(x).astype(np.int32) for x in (faces, face_edges, edges, owner)))


@lru_cache(maxsize=4)
def _points(placement: Placement) -> Points:
    """Give the vertices of all surfaces, LPS mm."""
    return np.concatenate(list(vertices(placement).values()))


@lru_cache(maxsize=4)
def _loops(placement: Placement, point: XYZ, normal: XYZ) -> tuple[_Loop, ...]:
    """Give the lines in which a plane meets the surfaces."""
    shells, points = _shells(), _points(placement)
    height = points @ np.array(normal) - float(np.dot(point, normal))
    above = height > 0
    a, b, c = (above[shells.faces[:, i]] for i in range(3))
    crossed = np.flatnonzero((a != b) | (b != c))
    if not len(crossed):
        return ()
    corners = np.stack([a[crossed], b[crossed], c[crossed]], axis=1)
    following = np.roll(corners, -1, axis=1)
    rows = np.arange(len(crossed))
    entered = shells.face_edges[crossed][rows, (corners & ~following).argmax(axis=1)]
    left = shells.face_edges[crossed][rows, (~corners & following).argmax(axis=1)]
    order = np.argsort(entered)
    entered, left = entered[order], left[order]
    ends = shells.edges[entered]
    low, high = height[ends[:, 0]], height[ends[:, 1]]
    share = (low / (low - high))[:, None]
    where = points[ends[:, 0]] * (1 - share) + points[ends[:, 1]] * share
    cycles = _cycles(np.searchsorted(entered, left))
    return tuple(_Loop(shells.keys[shells.owner[ends[i[0], 0]]], where[i]) for i in cycles if len(i) > 2)


def _cycles(following: NDArray[np.int_]) -> list[list[int]]:
    """Give the cycles of a permutation."""
    after, seen, found = following.tolist(), bytearray(len(following)), []
    for start in range(len(after)):
        if not seen[start]:
            cycle, at = [], start
            while not seen[at]:
                seen[at] = 1
                cycle.append(at)
                at = after[at]
            found.append(cycle)
    return found


def _runs(loop: _Loop, placement: Placement) -> list[tuple[str, Points]]:
    """Part a closed line by site; each part ends where the next one begins."""
    site = site_at(loop.points, *loop.key, placement)
    starts = np.flatnonzero(site != site[np.arange(-1, len(site) - 1)])
    if not len(starts):
        return [(site[0], np.concatenate([loop.points, loop.points[:1]]))]
    around = np.concatenate([loop.points[starts[0] :], loop.points[: starts[0] + 1]])
    ends = [*(starts[1:] - starts[0]).tolist(), len(site)]
    return [
        (site[start], around[start - starts[0] : end + 1]) for start, end in zip(starts.tolist(), ends, strict=True)
    ]


def _thinned(lines: list[Points], point: XYZ, normal: XYZ) -> list[Points]:
    """Leave out the corners of lines that hardly are ones (Douglas and Peucker, in the plane)."""
    from shapely import get_coordinates, linestrings, simplify

    if not lines:
        return []
    across = np.array(normal)
    first = np.cross(across, np.eye(3)[np.abs(across).argmin()])
    first /= np.linalg.norm(first)
    basis = np.stack([first, np.cross(across, first)])
    flat = (np.concatenate(lines) - point) @ basis.T
    made = linestrings(flat, indices=np.repeat(np.arange(len(lines)), [len(line) for line in lines]))
    thin, line = get_coordinates(simplify(made, _THIN_MM, preserve_topology=False), return_index=True)
    return np.split(thin @ basis + point, np.flatnonzero(np.diff(line)) + 1)


def _chords(loops: list[Points], centre: Points, across: Points, way: Points) -> list[Points]:
    """Give the pieces of a line inside closed ones: those of the plane through ``centre``, from end to end."""
    crossings = []
    for points in loops:
        height = (points - centre) @ across
        after = np.roll(height, -1)
        at = np.flatnonzero((height > 0) != (after > 0))
        share = (height[at] / (height[at] - after[at]))[:, None]
        crossings.append(points[at] * (1 - share) + np.roll(points, -1, axis=0)[at] * share)
    ends = np.concatenate(crossings)
    ends = ends[np.argsort(ends @ way)]
    return [ends[i : i + 2] for i in range(0, len(ends) - 1, 2)]
