"""Where points lie in the tubes that they belong to: about the centreline, and how far from the surface.

A ball only fills its section in part, so the section itself is asked: three oblique axes (along the tube, and the two
half widths) give a point's place in it, and how fast the tube widens gives its half widths there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton.shape import MOST_ROUND_MM, filling, pose

if TYPE_CHECKING:
    from lesionmap.skeleton.placement import Placement
    from lesionmap.skeleton.shape import Array, Indices

__all__ = ["InTube", "in_tube"]

_SQUARE_MM = 0.01  # a square end is a round one that reaches so little
_WIDENING = (0.5, 2.0)  # a section's half widths are not trusted to change more than by these until a point


@dataclass(frozen=True, slots=True, eq=False)
class InTube:
    """Where points lie in their tubes, one entry a point."""

    angle_rad: Array
    """About the centreline."""
    radius_fraction: Array
    """Distance from the centreline over the half width there."""
    surface_mm: Array
    """Distance to the tube's surface, to first order; negative inside."""


@dataclass(frozen=True, slots=True, eq=False)
class _Sections:
    """What is asked of every section of a placement."""

    axes: Array
    """(s, 3, 3) rows that give mm along the tube, and half widths (wide, across), of a point …"""
    origin: Array
    """(s, 3) … less those of the section's centre."""
    widening: Array
    """(s, 2) share by which the half widths grow per mm along the tube."""
    ends: Array
    """(s, 2) mm to the tube's first and last node."""
    reach: Array
    """(s, 2) mm that the tube reaches beyond these."""
    half: Array
    """(s, 2) half widths, mm."""


@lru_cache(maxsize=8)
def _sections(placement: Placement) -> _Sections:
    posed, static = pose(placement), filling()
    centre, wide, across = posed.sections
    half = np.stack([np.linalg.norm(wide, axis=1), np.linalg.norm(across, axis=1)], axis=1)
    # Every section's neighbours in its own tube; at an end, itself.
    tube = static.tube_of_section
    here = np.arange(len(tube))
    before = np.where(np.diff(tube, prepend=-1) == 0, here - 1, here)
    after = np.where(np.diff(tube, append=-1) == 0, here + 1, here)
    way = centre[after] - centre[before]
    step = np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9)
    axes = np.linalg.inv(np.stack([way / step, wide, across], axis=2))
    length = np.array([one.lengths_mm()[-1] for one in posed.tubes])[tube]
    along = static.along_of_section
    ends = np.stack([along * length, (1.0 - along) * length], axis=1)
    return _Sections(
        axes,
        np.einsum("sij,sj->si", axes, centre),
        (half[after] - half[before]) / step / half,
        ends,
        np.array([_reach(one) for one in posed.tubes])[tube],
        half,
    )


def in_tube(points: Array, balls: Indices, placement: Placement) -> InTube:
    """Tell where points lie in the tubes of the balls that they belong to.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        LPS mm.
    balls : ndarray of int, shape (n,)
        Balls of ``pose(placement)``.
    """
    sections, section = _sections(placement.shape_key()), filling().section[balls]
    along, u, v = (np.einsum("nij,nj->ni", sections.axes[section], points) - sections.origin[section]).T
    wider = np.clip(1.0 + along[:, None] * sections.widening[section], *_WIDENING)
    u, v = u / wider[:, 0], v / wider[:, 1]
    half = sections.half[section] * wider
    beyond = np.stack([-along, along], axis=1) - sections.ends[section]
    reach = sections.reach[section]
    end = np.maximum(beyond, 0.0).max(axis=1)
    end_reach = np.where(beyond[:, 0] > beyond[:, 1], reach[:, 0], reach[:, 1])
    return InTube(np.arctan2(v, u), np.hypot(u, v), level((u, v, end / end_reach), (half[:, 0], half[:, 1], end_reach)))
