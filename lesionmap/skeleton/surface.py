"""The placed skeleton as surfaces: one closed mesh for each bone and side, with the site of every vertex.

A bone is meshed once, in the reference body: a bone of one tube is swept, one of several is the zero level of the least
of their distance fields, so that nothing lies inside. The vertices are then carried to a placement as the tubes are,
so that all placements have the same vertices and faces.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton.anatomy import bone as bone_named
from lesionmap.skeleton.anatomy import bones, sites
from lesionmap.skeleton.limits import limits
from lesionmap.skeleton.shape import PLATES, Tube, carriers_of, reference_tubes, sections
from lesionmap.skeleton.tubes import level_mm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.skeleton.anatomy import Side
    from lesionmap.skeleton.placement import Placement

    Points = NDArray[np.float64]
    Faces = NDArray[np.int_]

__all__ = ["Mesh", "Surface", "reference_mesh", "site_at", "surfaces", "vertices"]

DETAIL_MM = 3.5
_CAP = (0.5, 0.85, 1.0)  # rings of a round end, share of its reach
_FINE_MM = 4.0
_TURNS = 4
_CLOSE_MM = 6.0  # plates are fans of tubes: gaps between these are closed where no ball of this radius fits
_BENT = 0.87  # cosine of 30 degrees
_LEAST_MM = 1.6


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """A closed surface of triangles."""

    vertices: Points
    """(n, 3) mm."""
    faces: Faces
    """(m, 3) indices of vertices, anticlockwise as seen from outside."""


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """The surface of one bone of one side in a patient."""

    bone: str
    side: Side
    vertices: Points
    """(n, 3) LPS mm."""
    faces: Faces
    """(m, 3) indices of vertices, anticlockwise as seen from outside."""
    sites: NDArray[np.object_]
    """(n,) site id of each vertex."""


def surfaces(placement: Placement, *, detail_mm: float = DETAIL_MM) -> tuple[Surface, ...]:
    """Give the surface of every bone and side.

    Parameters
    ----------
    placement : Placement
        The skeleton on the visit.
    detail_mm : float
        About the length of a triangle's side; thin bones have finer ones.

    Returns
    -------
    tuple of Surface
        In the order of ``anatomy.bones()`` and their sides. The first call with a detail makes the meshes (a second
        or two); the last few placements are remembered.
    """
    return _surfaces(placement.shape_key(), detail_mm)


@lru_cache(maxsize=4)
def _surfaces(placement: Placement, detail_mm: float) -> tuple[Surface, ...]:
    found = []
    for (name, side), points in vertices(placement, detail_mm=detail_mm).items():
        faces = reference_mesh(name, detail_mm).faces
        turned = faces if _volume(points, faces) > 0 else np.ascontiguousarray(faces[:, ::-1])
        found.append(Surface(name, side, points, turned, site_at(points, name, side, placement)))
    return tuple(found)


def vertices(placement: Placement, *, detail_mm: float = DETAIL_MM) -> dict[tuple[str, Side], Points]:
    """Give the vertices of every bone and side, LPS mm: the quick part of ``surfaces``, not remembered."""
    found = carriers_of(placement.shape_key())
    hangs = _hangs()
    return {
        (row.id, side): found[hangs[row.id], side].carry(reference_mesh(row.id, detail_mm).vertices)
        for row in bones()
        for side in row.sides
    }


@cache
def _hangs() -> dict[str, str]:
    """Give the frame that each bone hangs on."""
    return {tube.bone: tube.hang for tube in reference_tubes()}


def _volume(points: Points, faces: Faces) -> float:
    """Give the volume that a closed surface encloses, mm³: positive if its normals look outwards."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    return float((a * np.cross(b, c)).sum()) / 6


def site_at(points: Points, name: str, side: Side, placement: Placement) -> NDArray[np.object_]:
    """Give the site of each point of a bone: the first of the bone's limits that it lies before names it."""
    parted = limits(name, side, placement)
    whole = parted[-1].after if parted else next(s.id for s in sites() if (s.bone, s.side) == (name, side))
    found = np.full(len(points), whole, dtype=object)
    for limit in reversed(parted):
        found[limit.value(points) < 0] = limit.before
    return found


# ---- meshes of the reference body --------------------------------------------------------------------------------


@cache
def reference_mesh(name: str, detail_mm: float = DETAIL_MM) -> Mesh:
    """Give the surface of a bone of the reference body (the left one of a pair; vertebrae in their own frames)."""
    tubes = [tube for tube in reference_tubes() if tube.bone == name]
    if bone_named(name).sides == ("midline",):
        tubes += [_mirrored(tube) for tube in tubes if tube.paired]
    mesh = _sweep(tubes[0], detail_mm) if len(tubes) == 1 else _union(tubes, detail_mm)
    if _volume(mesh.vertices, mesh.faces) < 0:
        mesh = replace(mesh, faces=np.ascontiguousarray(mesh.faces[:, ::-1]))
    return mesh


def _mirrored(tube: Tube) -> Tube:
    over = np.array([-1.0, 1.0, 1.0])
    return replace(tube, side="right", nodes=tube.nodes * over, wide=tube.wide * over, across=tube.across * over)


def _rings(tube: Tube, step_mm: float) -> tuple[Points, Points, Points]:
    """Cut a tube into rings from end to end, with those that close a round end: centres, wide, across."""
    centres, wide, across, _ = sections(tube, step_mm)
    if tube.ends == "flat":
        return centres, wide, across
    cap = np.array(_CAP[:-1])
    size = np.sqrt(1 - cap**2)[:, None]
    out = [centres[0] - centres[1], centres[-1] - centres[-2]]
    first, last = (reach * cap[:, None] * v / np.linalg.norm(v) for v, reach in zip(out, tube.reach_mm(), strict=True))
    return (
        np.concatenate([centres[0] + first[::-1], centres, centres[-1] + last]),
        np.concatenate([wide[:1] * size[::-1], wide, wide[-1:] * size]),
        np.concatenate([across[:1] * size[::-1], across, across[-1:] * size]),
    )


def _sweep(tube: Tube, detail_mm: float) -> Mesh:
    """Mesh one tube: rings of points, and a point at either end."""
    widest = float(max(np.linalg.norm(tube.wide, axis=1).max(), np.linalg.norm(tube.across, axis=1).max()))
    around = int(np.clip(round(2 * np.pi * widest / detail_mm / 1.2), 10, 48))
    centres, wide, across = _rings(tube, 1.6 * detail_mm)
    angle = np.arange(around) * 2 * np.pi / around
    rings = centres[:, None] + np.cos(angle)[:, None] * wide[:, None] + np.sin(angle)[:, None] * across[:, None]
    ends = np.array([tube.nodes[0], tube.nodes[-1]])
    if tube.ends != "flat":
        out = np.array([tube.nodes[0] - tube.nodes[1], tube.nodes[-1] - tube.nodes[-2]])
        ends = ends + np.array(tube.reach_mm())[:, None] * out / np.linalg.norm(out, axis=1, keepdims=True)
    count = len(centres) * around
    here = np.arange(count).reshape(len(centres), around)
    beside = np.roll(here, -1, axis=1)
    a, b, c, d = here[:-1], beside[:-1], beside[1:], here[1:]
    head, tail = np.full(around, count), np.full(around, count + 1)
    faces = [
        np.stack([a, b, c], axis=-1).reshape(-1, 3),
        np.stack([a, c, d], axis=-1).reshape(-1, 3),
        np.stack([head, beside[0], here[0]], axis=-1),
        np.stack([tail, here[-1], beside[-1]], axis=-1),
    ]
    return Mesh(np.concatenate([rings.reshape(-1, 3), ends]), np.concatenate(faces))


def _union(tubes: list[Tube], detail_mm: float) -> Mesh:
    """Mesh what at least one of the tubes fills (Lorensen and Cline's marching cubes, in the form of Lewiner)."""
    from skimage.measure import marching_cubes

    thin = min(float(np.linalg.norm(v, axis=1).min()) for tube in tubes for v in (tube.wide, tube.across))
    step = float(np.clip(0.8 * thin, _LEAST_MM, detail_mm))
    boxes = np.array([_box(tube) for tube in tubes])
    close = _CLOSE_MM if tubes[0].bone in PLATES else 0.0
    margin = close + 2 * step
    low = boxes[:, 0].min(axis=0) - margin
    shape = np.ceil((boxes[:, 1].max(axis=0) + margin - low) / step).astype(int) + 1
    field = np.full(shape, margin + step)
    for tube, (first, last) in zip(tubes, boxes, strict=True):
        start = np.floor((first - margin - low) / step).astype(int).clip(0)
        stop = np.minimum(np.ceil((last + margin - low) / step).astype(int) + 1, shape)
        part = tuple(slice(i, j) for i, j in zip(start.tolist(), stop.tolist(), strict=True))
        index = np.stack(np.meshgrid(*(np.arange(i, j) for i, j in zip(start, stop, strict=True)), indexing="ij"), -1)
        distance = _distance(low + step * index.reshape(-1, 3), tube, margin + step)
        field[part] = np.minimum(field[part], distance.reshape(index.shape[:-1]))
    if close:
        field = _closed(field, close, step)
    points, faces, _, _ = marching_cubes(field, 0.0, spacing=(step,) * 3)
    return Mesh(points.astype(np.float64) + low, faces.astype(np.int64))


def _closed(field: NDArray[np.float64], close_mm: float, step: float) -> NDArray[np.float64]:
    """Close gaps: what no ball of a radius reaches that stays outside is inside."""
    from scipy.spatial import cKDTree
    from skimage.measure import marching_cubes

    centres, *_ = marching_cubes(field, close_mm, spacing=(step,) * 3)  # of the balls that touch the surface
    near = np.argwhere((field > -step) & (field < close_mm))
    away, _ = cKDTree(centres).query(near * step)
    closed = field.copy()
    closed[tuple(near.T)] = np.minimum(field[tuple(near.T)], close_mm - away)
    return closed


def _box(tube: Tube) -> tuple[Points, Points]:
    """Give the corners of a box around a tube."""
    half = np.sqrt(tube.wide**2 + tube.across**2)
    round_off = max(tube.reach_mm())
    return (tube.nodes - half).min(axis=0) - round_off, (tube.nodes + half).max(axis=0) + round_off


def _distance(points: Points, tube: Tube, most_mm: float) -> NDArray[np.float64]:
    """Give about the distance of points to a tube's surface, mm, negative inside, ``most_mm`` far off."""
    from scipy.spatial import cKDTree

    centres, *_, along = sections(tube, _FINE_MM)
    total = float(tube.lengths_mm()[-1])
    widest = float(np.sqrt((tube.wide**2).sum(axis=1).max() + (tube.across**2).sum(axis=1).max()))
    away, near = cKDTree(centres).query(points, distance_upper_bound=widest + most_mm)
    found = np.full(len(points), most_mm)
    rows = np.flatnonzero(near < len(centres))
    place = along[near[rows]] * total
    found[rows] = np.minimum(_beside(points[rows], _settled(points[rows], place, tube)[0], tube), most_mm)
    if _straight(tube):
        return found
    # Where a tube is bent, other sections than those of the nearest centre may reach a point.
    open_rows = np.flatnonzero((found[rows] > 0) & (away[rows] < widest))
    rows, place = rows[open_rows], place[open_rows]
    for shift in (-widest, -widest / 2, widest / 2, widest):
        settled, still = _settled(points[rows], np.clip(place + shift, 0.0, total), tube)
        distance = np.where(still, _beside(points[rows], settled, tube), most_mm)
        found[rows] = np.minimum(found[rows], distance)
    return found


def _straight(tube: Tube) -> bool:
    """Say whether no two pieces of a tube's centreline turn from one another by more than ``_BENT``."""
    ways = np.diff(tube.nodes, axis=0)
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return float((ways @ ways.T).min()) > _BENT


def _settled(points: Points, place: NDArray[np.float64], tube: Tube) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Move along a tube until the section at that place (mm) holds the point; tell where it does."""
    total, tangent = float(tube.lengths_mm()[-1]), np.gradient(tube.nodes, axis=0)
    off = np.zeros(len(points))
    for _ in range(_TURNS):
        inside = np.clip(place, 0.0, total)
        centre, wide, across = tube.at(inside / total)
        plane = np.cross(wide, across)
        plane /= np.linalg.norm(plane, axis=1, keepdims=True)
        way = tangent[tube.between(inside / total)[0]]
        off = ((points - centre) * plane).sum(axis=1) * np.sign((plane * way).sum(axis=1))
        place = inside + off
    return place, np.abs(off) < 1.0


def _beside(points: Points, place: NDArray[np.float64], tube: Tube) -> NDArray[np.float64]:
    """Give about the distance of points to the surface of a tube, each at its place (mm) along the centreline."""
    total = float(tube.lengths_mm()[-1])
    centre, wide, across = tube.at(np.clip(place / total, 0.0, 1.0))
    offset = points - centre
    ww, aa = (wide**2).sum(axis=1), (across**2).sum(axis=1)
    u, v = (offset * wide).sum(axis=1) / ww, (offset * across).sum(axis=1) / aa
    square, slope = u**2 + v**2, u**2 / ww + v**2 / aa
    beyond = np.maximum(-place, place - total)
    if tube.ends == "flat":
        return np.asarray(np.maximum(level_mm(square, slope), beyond))
    reach = np.where(place < 0, *tube.reach_mm())
    end = np.maximum(beyond, 0.0) / reach
    return level_mm(square + end**2, slope + (end / reach) ** 2)
