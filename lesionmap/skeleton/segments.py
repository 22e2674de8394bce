"""Where along and about its bone a point lies, and which segment that is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton import anatomy
from lesionmap.skeleton.limits import LONG, Limit, axis_of, limits
from lesionmap.skeleton.shape import filling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.skeleton.placement import Placement

__all__ = ["Coordinates", "axis_of", "coordinates", "site_names"]


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """Bone coordinates of points, one entry a point."""

    code: NDArray[np.int16]
    """Index into ``site_names()``."""
    fraction_along: NDArray[np.float64]
    physis_mm: NDArray[np.float64]
    """Distance to the nearest physis; NaN for bones without."""
    limit_mm: NDArray[np.float64]
    """Distance to the nearest limit of the segment; infinite where it has none."""
    beyond: NDArray[np.int16]
    """Code of the site behind that limit."""


@cache
def site_names() -> NDArray[np.object_]:
    """Give all site ids; the last is empty: no site."""
    names = np.array([*(site.id for site in anatomy.sites()), ""], dtype=object)
    names.setflags(write=False)
    return names


@cache
def _codes() -> dict[str, int]:
    return {name: code for code, name in enumerate(site_names().tolist())}


@cache
def _bones() -> tuple[NDArray[np.int16], NDArray[np.bool_], tuple[bool, ...]]:
    """Give for each bone of the filling a site of it, whether it is a rib, and whether limits part it."""
    sites = {(site.bone, site.side): site.id for site in anatomy.sites()}
    first = np.array([_codes()[sites[key]] for key in filling().bones], dtype=np.int16)
    rib = np.array([bone.startswith("rib_") for bone, _ in filling().bones])
    return first, rib, tuple(len(anatomy.bone(bone).segments) > 1 for bone, _ in filling().bones)


def coordinates(points: NDArray[np.float64], balls: NDArray[np.int_], placement: Placement) -> Coordinates:
    """Give site and bone coordinates of points, each with the ball that it belongs to.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        LPS mm.
    balls : ndarray of int, shape (n,)
        Ball of ``pose(placement)`` that owns the point.
    """
    static, (first, rib, parted) = filling(), _bones()
    bone = static.bone[balls].astype(np.int16)
    code = first[bone]
    fraction = np.where(rib[bone], static.along[balls], np.nan)
    physis, limit = np.full(len(points), np.nan), np.full(len(points), np.inf)
    beyond = np.full(len(points), -1, dtype=np.int16)
    order = np.argsort(bone, kind="stable")  # numbers of 16 bit are sorted in linear time
    edges = np.searchsorted(bone[order], np.arange(len(parted) + 1))
    for number in np.flatnonzero(np.diff(edges)).tolist():
        if not parted[number]:
            continue
        rows = order[edges[number] : edges[number + 1]]
        mine, (name, side) = points.take(rows, axis=0), static.bones[number]
        if name in LONG or name == "clavicle":
            axis = axis_of(name, side, placement)
            fraction[rows] = np.clip((mine - axis.origin) @ axis.direction / axis.length_mm, 0.0, 1.0)
        surfaces = limits(name, side, placement)
        values = np.stack([one.value(mine) for one in surfaces])
        code[rows], limit[rows], beyond[rows] = _parted(values, surfaces)
        if name in LONG:
            physis[rows] = np.abs(values[[one.physis for one in surfaces]]).min(axis=0)
    return Coordinates(code, fraction, physis, limit, beyond)


def _parted(
    values: NDArray[np.float64], surfaces: tuple[Limit, ...]
) -> tuple[NDArray[np.int_], NDArray[np.float64], NDArray[np.int_]]:
    """Give the segment of points, the distance to its nearest limit, and what lies behind that."""
    codes = _codes()
    before = np.array([codes[one.before] for one in surfaces])
    step = np.argmax(np.vstack([values < 0, np.ones((1, values.shape[1]), dtype=bool)]), axis=0)
    own = np.append(before, codes[surfaces[-1].after])[step]
    # A limit that comes later cannot be crossed without leaving an earlier one first.
    gap = np.where(np.arange(len(surfaces))[:, None] <= step, np.abs(values), np.inf)
    nearest = gap.argmin(axis=0)
    # Across it lies the limit's own site, or, from there, whatever the next limits say.
    after = np.array([codes[one.after] for one in surfaces])
    beyond = np.where(nearest == step, after[nearest], before[nearest])
    return own, gap[nearest, np.arange(len(step))], beyond
