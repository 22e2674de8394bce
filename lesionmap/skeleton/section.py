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
from lesionmap.skeleton.shape import carriers_of, filling, posed_nodes, posed_tubes
from lesionmap.skeleton.surface import reference_mesh, site_at

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
_BENT, _NEAR_MM = 0.1, 4.0
"""How far vertices may be from about where they lie: times as far as from their nearest node, and mm more."""
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
    vertices: Points
    """(n, 3) of the reference body, mm."""
    node: NDArray[np.int32]
    """(n,) the nearest node of the bone's tubes, among the nodes of all tubes …"""
    away: Points
    """(n, 3) … and from there, in multiples of that node's way along, wide and across …"""
    away_mm: NDArray[np.float64]
    """(n,) … and how far it is, in the reference body."""
    frames: tuple[tuple[str, Side], ...]
    """What carries them …"""
    frame: NDArray[np.int16]
    """(n,) … and which of these each vertex."""


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
    frames: dict[tuple[str, Side], int] = {}
    parts = []
    n_vertices = n_edges = 0
    hangs = {tube.bone: tube.hang for tube in filling().tubes}
    for row in bones():
        mesh = reference_mesh(row.id)
        ends = np.sort(np.stack([mesh.faces, np.roll(mesh.faces, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
        code, index = np.unique(ends[:, 0] * len(mesh.vertices) + ends[:, 1], return_inverse=True)
        pairs = np.stack(np.divmod(code, len(mesh.vertices)), axis=1)
        for side in row.sides:
            numbers = (len(keys), frames.setdefault((hangs[row.id], side), len(frames)))
            owner, frame = (np.full(len(mesh.vertices), number) for number in numbers)
            nodes, *beside = _nearest_nodes(mesh.vertices, row.id, side)
            faces, edges = (mesh.faces + n_vertices, index.reshape(-1, 3) + n_edges), pairs + n_vertices
            parts.append((*faces, edges, owner, nodes, frame, mesh.vertices, *beside))
            keys.append((row.id, side))
            n_vertices, n_edges = n_vertices + len(mesh.vertices), n_edges + len(pairs)
    *whole, points, away, away_mm = (np.concatenate(rows) for rows in zip(*parts, strict=True))
    faces_, face_edges, edges, owner, node, frame = (rows.astype(np.int32) for rows in whole)
    return _Shells(
        tuple(keys),
        faces_,
        face_edges,
        edges,
        owner,
        points,
        node,
        away,
        away_mm,
        tuple(frames),
        frame.astype(np.int16),
    )


def _frames(nodes: Points, wide: Points, across: Points) -> Points:
    """Give for nodes of tubes the vectors along, wide and across, (k, 3, 3) in columns."""
    return np.stack([np.gradient(nodes, axis=0), wide, across], axis=2)


def _nearest_nodes(points: Points, bone: str, side: Side) -> tuple[NDArray[np.int_], Points, NDArray[np.float64]]:
    """Give for vertices of the reference body the nearest node of their bone, and how they lie to it."""
    from scipy.spatial import cKDTree

    static = filling()
    nodes, axes, index = [], [], []
    for tube, first in zip(static.tubes, static.first_node[:-1].tolist(), strict=True):
        if tube.bone == bone and (tube.paired or tube.side == side):
            over = np.array([-1.0 if tube.paired and tube.side == "right" else 1.0, 1.0, 1.0])
            nodes.append(tube.nodes * over)
            axes.append(_frames(tube.nodes * over, tube.wide * over, tube.across * over))
            index.append(first + np.arange(len(tube.nodes)))
    away_mm, found = cKDTree(np.concatenate(nodes)).query(points)
    offset = (points - np.concatenate(nodes)[found])[..., None]
    return np.concatenate(index)[found], np.linalg.solve(np.concatenate(axes)[found], offset)[..., 0], away_mm


@lru_cache(maxsize=4)
def _vertices(placement: Placement) -> tuple[Points, Points]:
    """Give the vertices about where they lie, and a place for those that are known, NaN as yet; LPS mm."""
    shells = _shells()
    axes = np.concatenate([_frames(tube.nodes, tube.wide, tube.across) for tube in posed_tubes(placement)])
    about = posed_nodes(placement)[0][shells.node]
    about += np.einsum("nij,nj->ni", axes[shells.node], shells.away)
    return about, np.full_like(about, np.nan)


def _carry(rows: NDArray[np.int_], known: Points, placement: Placement) -> None:
    """Carry those of some vertices that are not known yet."""
    shells, found = _shells(), carriers_of(placement)
    rows = rows[np.isnan(known[rows, 0])]
    rows = rows[np.argsort(shells.frame[rows], kind="stable")]
    edges = np.searchsorted(shells.frame[rows], np.arange(len(shells.frames) + 1))
    for number in np.flatnonzero(np.diff(edges)).tolist():
        mine = rows[edges[number] : edges[number + 1]]
        known[mine] = found[shells.frames[number]].carry(shells.vertices[mine])


def _crossed(placement: Placement, point: XYZ, normal: XYZ) -> tuple[NDArray[np.int_], Points, Points]:
    """Give the triangles that a plane crosses, the vertices of which these are known, and their heights over it.

    A landmark may be moving: only vertices near the plane are carried. Of the others, about where they lie will do.
    """
    shells, across, offset = _shells(), np.array(normal), float(np.dot(point, normal))
    about, known = _vertices(placement)
    height = about @ across - offset
    rows = np.flatnonzero(np.abs(height) <= _BENT * shells.away_mm + _NEAR_MM)
    while True:
        _carry(rows, known, placement)
        height[rows] = known[rows] @ across - offset
        above = height > 0
        a, b, c = (above[shells.faces[:, i]] for i in range(3))
        crossed = np.flatnonzero((a != b) | (b != c))
        asked = np.zeros(len(height), dtype=bool)
        asked[shells.faces[crossed]] = True
        asked[rows] = False
        if not asked.any():
            return crossed, known, height
        rows = np.concatenate([rows, np.flatnonzero(asked)])


@lru_cache(maxsize=4)
def _loops(placement: Placement, point: XYZ, normal: XYZ) -> tuple[_Loop, ...]:
    """Give the lines in which a plane meets the surfaces."""
    shells = _shells()
    crossed, points, height = _crossed(placement, point, normal)
    if not len(crossed):
        return ()
    corners = height[shells.faces[crossed]] > 0
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
