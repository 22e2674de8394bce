"""Which sites were imaged: the share of each site's volume inside the voxels of a visit."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.skeleton.anatomy import group, groups, sites
from lesionmap.skeleton.segments import coordinates, site_names
from lesionmap.skeleton.shape import pose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lesionmap.skeleton.placement import Placement
    from lesionmap.space import Grid

__all__ = ["coverage", "imaged", "site_of_ball"]

IMAGED_FROM = 0.9
NOT_IMAGED_TO = 0.1


def site_of_ball(placement: Placement) -> NDArray[np.object_]:
    """Give the site of every ball of ``pose(placement)``."""
    return _site_of_ball(placement.shape_key())


@lru_cache(maxsize=8)
def _site_of_ball(placement: Placement) -> NDArray[np.object_]:
    posed = pose(placement)
    return np.asarray(site_names()[coordinates(posed.centres, np.arange(len(posed.centres)), placement).code])


def coverage(placement: Placement, grids: Sequence[Grid]) -> tuple[tuple[str, float], ...]:
    """Give for every site the share of its volume that lies inside the voxels of at least one grid.

    Parameters
    ----------
    placement : Placement
        The skeleton on the visit.
    grids : sequence of Grid
        Of the stations as acquired, so that gaps between stations count as not imaged.

    Returns
    -------
    tuple of (site id, share)
        Share from 0 to 1.
    """
    posed, site = pose(placement), site_of_ball(placement)
    seen = np.zeros(len(site), dtype=bool)
    for grid in grids:
        seen |= grid.contains(posed.centres)
    names, index = np.unique(site.astype(str), return_inverse=True)
    weight = posed.radii**3
    total = np.bincount(index, weight)
    share = np.bincount(index, weight * seen) / total
    found = dict(zip(names.tolist(), share.tolist(), strict=True))
    return tuple((s.id, float(found[s.id])) for s in sites() if s.id in found)


def imaged(placement: Placement | None, name: str) -> Literal["imaged", "partly", "not_imaged", "unknown"]:
    """Say whether a site or group was imaged, from the coverage kept with the placement.

    A group is as much imaged as the mean of its sites. Without a placement or coverage it is unknown.
    """
    if placement is None or placement.coverage is None:
        return "unknown"
    known = dict(placement.coverage)
    members = group(name).sites if any(g.id == name for g in groups()) else (name,)
    shares = [known[m] for m in members if m in known]
    if not shares:
        return "unknown"
    share = sum(shares) / len(shares)
    if share >= IMAGED_FROM:
        return "imaged"
    return "not_imaged" if share <= NOT_IMAGED_TO else "partly"
