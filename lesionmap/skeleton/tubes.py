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
    """What is asked of the sections of a placement."""

    rows: Array
    """(s, 19), as ``in_tube`` takes them apart: what is looked up together lies together."""
    half: Array
    """(s, 2) half widths (wide, across), mm."""


@lru_cache(maxsize=8)
def _sections(placement: Placement) -> _Sections:
    posed, static = pose(placement), filling()
    centre, wide, across = posed.sections
    half = np.stack([np.linalg.norm(wide, axis=1), np.linalg.norm(across, axis=1)], axis=1)
    _, ball = np.unique(static.section, return_index=True)
    tube, along = static.tube[ball], static.along[ball, None]
    _, first, count = np.unique(tube, return_index=True, return_counts=True)
    first, last = first[tube], (first + count - 1)[tube]
    # Two sections on to either side: at a square end the outermost ones lie in one place.
    here = np.arange(len(tube))
    way = centre[np.minimum(here + 2, last)] - centre[np.maximum(here - 2, first)]
    axes = np.linalg.inv(np.stack([way / np.linalg.norm(way, axis=1, keepdims=True), wide, across], axis=2))
    length = np.array([one.lengths_mm()[-1] for one in posed.tubes])[tube, None]
    reach = np.maximum([one.reach_mm() for one in posed.tubes], _SQUARE_MM)[tube]
    origin = np.einsum("sij,sj->si", axes, centre)
    per_mm = (count - 1)[tube, None] / length
    ends = (along * length, (1 - along) * length)
    rows = [axes.reshape(-1, 9), origin, *ends, reach, per_mm, first[:, None], last[:, None]]
    return _Sections(np.hstack(rows), half)


def in_tube(points: Array, balls: Indices, placement: Placement) -> InTube:
    """Tell where points lie in the tubes of the balls that they belong to.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        LPS mm.
    balls : ndarray of int, shape (n,)
        Balls of ``pose(placement)``.
    """
    section, sections = filling().section[balls], _sections(placement.shape_key())
    row = sections.rows.take(section, axis=0)
    place = np.einsum("nij,nj->ni", row[:, :9].reshape(-1, 3, 3), points) - row[:, 9:12]
    along = place[:, 0]
    # The half widths are those of the place along the tube, not of the ball's section.
    at = np.clip(section + along * row[:, 16], row[:, 17], row[:, 18])
    low = np.minimum(at, row[:, 18] - 1).astype(np.intp)
    share = (at - low)[:, None]
    half = sections.half.take(low, axis=0) * (1 - share) + sections.half.take(low + 1, axis=0) * share
    uv = place[:, 1:] * sections.half.take(section, axis=0) / half
    before, after = -along - row[:, 12], along - row[:, 13]
    reach = np.where(before > after, row[:, 14], row[:, 15])
    end = np.maximum(before, after).clip(0.0) / reach
    round_it = np.hypot(uv[:, 0], uv[:, 1])
    slope = ((uv / half) ** 2).sum(axis=1) + (end / reach) ** 2
    surface = level_mm(round_it**2 + end**2, slope)
    return InTube(np.arctan2(uv[:, 1], uv[:, 0]), round_it, surface)


def level_mm(square: Array, slope: Array) -> Array:
    """Give the distance to where ``square`` is 1, mm to first order; ``slope``: its gradient's length, squared / 4."""
    root = np.sqrt(square)
    return np.asarray((root - 1) * root / np.sqrt(np.maximum(slope, 1e-12)))
