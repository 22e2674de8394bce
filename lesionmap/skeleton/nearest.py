"""The two bones nearest to many points at once: the ball of least power distance, and the nearest ball of another bone.

The first is exact: a search tree in four dimensions. The second only serves confidence and the second-best site: every
ball knows some balls of other bones around it, thinned to some millimetres, and the nearest of these is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.skeleton.shape import filling, pose

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pykdtree.kdtree import KDTree

    from lesionmap.skeleton.placement import Placement

__all__ = ["FAR_MM", "best_of", "nearest_bones"]

FAR_MM = 40.0
"""A point farther than this from every bone belongs to none."""

_FAR_ERROR = 0.05  # a distance beyond FAR_MM may be too long by this share
_THIN_MM = 12.0  # one ball of a tube in each cube of this size stands for its neighbours
_AROUND = 64  # thinned balls looked at around each for those of other bones …
_OTHERS = 8  # … and how many of these are kept
_NO_BALL = (0.0, 0.0, 0.0, -np.inf)


def _tree(centres: NDArray[np.float64], radii: NDArray[np.float64]) -> KDTree:
    """Index balls so that the nearest to (point, 0) is the one of least power distance, distance² − radius²."""
    from pykdtree.kdtree import KDTree  # twice as fast here as scipy's

    square = radii**2  # squared once: the square of the largest, squared apart, may be smaller in its last bit
    lift = np.sqrt(square.max() - square)
    return KDTree(np.column_stack([centres, lift]), leafsize=16)


@cache
def _thinned() -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Give some of the balls, and for each of all balls the one of them (as place in the first) that stands for it."""
    static = filling()
    cubes = np.zeros((len(static.tube), 4), dtype=np.int64)
    cubes[:, 0] = static.tube
    for number, tube in enumerate(static.tubes):
        mine = static.tube == number
        centre, wide, across = tube.at(static.along[mine])
        u, v = static.offset[mine, :1], static.offset[mine, 1:]
        cubes[mine, 1:] = np.floor((centre + u * wide + v * across) / _THIN_MM)
    _, first, stands = np.unique(cubes, axis=0, return_index=True, return_inverse=True)
    return first, stands.reshape(-1)


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """What is looked up for a placement."""

    tree: KDTree
    biggest_mm: float
    balls: NDArray[np.float64]
    """(m, 4) centres and radii: what is looked up together lies together."""
    others: NDArray[np.int_]
    """(k, _OTHERS) for each thinned ball the nearest thinned balls of other bones; -1 where there are fewer."""
    other_balls: NDArray[np.float32]
    """(k, 4 * _OTHERS) their centres and radii, x of all first; infinitely small where there are fewer."""


@lru_cache(maxsize=8)
def _index(placement: Placement) -> _Index:
    posed = pose(placement)
    some, _ = _thinned()
    bone, centres, radii = posed.filling.bone[some], posed.centres[some], posed.radii[some]
    tree = _tree(centres, radii)
    _, near = tree.query(np.column_stack([centres, np.zeros(len(centres))]), k=_AROUND)
    other = bone[near] != bone[:, None]
    order = np.argsort(~other, axis=1, kind="stable")[:, :_OTHERS]
    others = np.where(np.take_along_axis(other, order, axis=1), some[np.take_along_axis(near, order, axis=1)], -1)
    balls = np.column_stack([posed.centres, posed.radii])
    other_balls = np.where(others[..., None] < 0, _NO_BALL, balls[others]).swapaxes(1, 2)
    return _Index(
        _tree(posed.centres, posed.radii),
        float(posed.radii.max()),
        balls,
        others,
        other_balls.reshape(len(others), -1).astype(np.float32),  # to a thousandth of a mm: half the work
    )


def nearest_bones(points: NDArray[np.float64], placement: Placement) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Give for each point the ball of least power distance, a ball of the second-best bone, and how far they are.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        LPS mm.
    placement : Placement

    Returns
    -------
    balls : (n, 2) int
        Balls of ``pose(placement)``; the second is -1 where no other bone is near.
    surface_mm : (n, 2) float
        Distance to their surfaces, negative inside; infinite where there is no second.
    """
    placement = placement.shape_key()
    index = _index(placement)
    query = np.column_stack([points, np.zeros(len(points))])
    # Most points of a body are near no bone: a bounded search finds that out fast.
    reach = float(np.hypot(FAR_MM + index.biggest_mm, index.biggest_mm))
    distance, first = index.tree.query(query, distance_upper_bound=reach)
    first = first.astype(np.intp)
    lost = np.flatnonzero(~np.isfinite(distance))
    if len(lost):
        first[lost] = index.tree.query(query.take(lost, axis=0), eps=_FAR_ERROR)[1]
    balls = np.stack([first, np.full(len(points), -1)], axis=1)
    surface = np.stack([_surface(points, index.balls.take(first, axis=0)), np.full(len(points), np.inf)], axis=1)
    near = np.flatnonzero(surface[:, 0] <= FAR_MM)
    balls[near, 1], surface[near, 1] = _second(points.take(near, axis=0), first[near], placement)
    return balls, surface


def _second(
    points: NDArray[np.float64], first: NDArray[np.int_], placement: Placement
) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Give the nearest ball of another bone around the ball that owns each point."""
    index, every = _index(placement), np.arange(len(points))
    row = _thinned()[1].take(first)
    away = index.other_balls.take(row, axis=0).reshape(len(points), 4, _OTHERS)
    away[:, :3] -= points.astype(np.float32)[:, :, None]
    surface = np.sqrt(np.einsum("nij,nij->nj", away[:, :3], away[:, :3])) - away[:, 3]
    which = surface.argmin(axis=1)
    return index.others[row, which], surface[every, which].astype(np.float64)


def _surface(points: NDArray[Any], balls: NDArray[Any]) -> NDArray[Any]:
    """Give the distance of each point (n, 3) to the surface of its ball (n, 4), mm."""
    away = points - balls[:, :3]
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", away, away)) - balls[:, 3])


def best_of(
    points: NDArray[np.float64], placement: Placement, bones: list[NDArray[np.int_]]
) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Choose among a few bones by geometry.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        LPS mm.
    placement : Placement
    bones : list of ndarray of int
        The balls of each bone.

    Returns
    -------
    balls : (n, 2) int
        The ball of least power distance of the best bone and of the second-best; -1 where there is but one bone.
    gap_mm : (n,)
        How much farther the second's surface is; infinite where there is but one bone.
    """
    posed = pose(placement)
    query = np.column_stack([points, np.zeros(len(points))])
    every_ball = _index(placement.shape_key()).balls
    found = np.stack([mine[_tree(posed.centres[mine], posed.radii[mine]).query(query)[1]] for mine in bones])
    surface = np.stack([_surface(points, every_ball[balls]) for balls in found])
    power = (surface + posed.radii[found]) ** 2 - posed.radii[found] ** 2
    order, every = power.argsort(axis=0), np.arange(len(points))
    first = found[order[0], every]
    if len(bones) == 1:
        return np.stack([first, np.full(len(points), -1)], axis=1), np.full(len(points), np.inf)
    balls = np.stack([first, found[order[1], every]], axis=1)
    return balls, np.clip(surface[order[1], every] - surface[order[0], every], 0.0, None)
