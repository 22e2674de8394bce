"""Where points lie in the tubes that they belong to: about the centreline, and how far from the surface.

A ball only fills its section in part, so the section itself is asked: three oblique axes (along the tube, and the two
half widths) give a point's place in it, and how fast the tube widens gives its half widths there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton.shape import filling, pose

if TYPE_CHECKING:
    from lesionmap.skeleton.placement import Placement
    from lesionmap.skeleton.shape import Array, Indices

__all__ = ["InTube", "in_tube", "level_mm"]

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


@lru_cache(maxsize=8)
def _sections(placement: Placement) -> Array:
    """Give what is asked of every section, one row of 20 numbers each, as ``in_tube`` unpacks it."""
    posed, static = pose(placement), filling()
    centre, wide, across = posed.sections
    half = np.stack([np.linalg.norm(wide, axis=1), np.linalg.norm(across, axis=1)], axis=1)
    _, ball = np.unique(static.section, return_index=True)
    tube, along = static.tube[ball], static.along[ball, None]
    here, (_, first, count) = np.arange(len(tube)), np.unique(tube, return_index=True, return_counts=True)
    # Two sections on to either side: at a square end the outermost ones lie in one place.
    before = np.maximum(here - 2, first[tube])
    after = np.minimum(here + 2, (first + count - 1)[tube])
    way = centre[after] - centre[before]
    step = np.linalg.norm(way, axis=1, keepdims=True)
    axes = np.linalg.inv(np.stack([way / step, wide, across], axis=2))
    length = np.array([one.lengths_mm()[-1] for one in posed.tubes])[tube, None]
    reach = np.maximum([one.reach_mm() for one in posed.tubes], _SQUARE_MM)[tube]
    origin = np.einsum("sij,sj->si", axes, centre)
    widening = (half[after] - half[before]) / step / half
    return np.hstack([axes.reshape(-1, 9), origin, half, widening, along * length, (1 - along) * length, reach])


def in_tube(points: Array, balls: Indices, placement: Placement) -> InTube:
    """Tell where points lie in the tubes of the balls that they belong to.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        LPS mm.
    balls : ndarray of int, shape (n,)
        Balls of ``pose(placement)``.
    """
    row = _sections(placement.shape_key())[filling().section[balls]]
    place = np.einsum("nij,nj->ni", row[:, :9].reshape(-1, 3, 3), points) - row[:, 9:12]
    along = place[:, :1]
    wider = np.clip(1.0 + along * row[:, 14:16], *_WIDENING)
    half, uv = row[:, 12:14] * wider, place[:, 1:] / wider
    beyond, reach = np.hstack([-along, along]) - row[:, 16:18], row[:, 18:20]
    first = beyond[:, 0] > beyond[:, 1]
    reach = np.where(first, reach[:, 0], reach[:, 1])
    end = np.maximum(np.where(first, beyond[:, 0], beyond[:, 1]), 0.0) / reach
    round_it = np.hypot(uv[:, 0], uv[:, 1])
    slope = ((uv / half) ** 2).sum(axis=1) + (end / reach) ** 2
    surface = level_mm(round_it**2 + end**2, slope)
    return InTube(np.arctan2(uv[:, 1], uv[:, 0]), round_it, surface)


def level_mm(square: Array, slope: Array) -> Array:
    """Give the distance to where ``square`` is 1, mm to first order; ``slope`` is its gradient's length, squared / 4."""
    root = np.sqrt(square)
    return np.asarray((root - 1) * root / np.sqrt(np.maximum(slope, 1e-12)))
