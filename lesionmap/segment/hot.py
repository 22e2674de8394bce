"""A click on a planar bone scan becomes a hot spot; the same spot in the other view is its partner.

The region is grown on smoothed counts, half-way between the surroundings and the peak. What is measured are the counts
as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Mask
from lesionmap.segment.counts import check_counts

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lesionmap.space import Volume

    Array = NDArray[np.float64]

__all__ = ["HotSpot", "hot_spot", "partner"]

_SMOOTH_MM = 3.5  # for finding only; about what the camera blurs (assumed)
_TO_PEAK_MM = 6.0  # a click is so near to its peak
_REACH_MM = 32.0  # no spot reaches farther from its peak (assumed)
_CORE_MM = 8.0  # what is compared between two views
_RING_MM = (14.0, 22.0)  # the surroundings
_QUIET = 30.0  # percentile of the smoothed ring: other hot bones in it do not count
_PARTNER_MM = 12.0  # farther apart than this two spots are not one: both views are taken at once
_SEEN_SD = 3.0  # a spot stands out by so many standard deviations of Poisson's law


@dataclass(frozen=True, slots=True, eq=False)
class HotSpot:
    """A hot region of one view."""

    mask: Mask
    peak_lps_mm: tuple[float, float, float]
    """Its hottest place once smoothed; its depth is the view's own."""
    background: float
    """Counts a pixel of the quiet part of its surroundings."""
    excess: float
    """Counts above the background within 8 mm of the peak: the same disc in either view."""
    stands_out: float
    """That in standard deviations of the counts of the disc."""


def hot_spot(view: Volume, seed_lps_mm: ArrayLike, *, to_peak_mm: float = _TO_PEAK_MM) -> HotSpot:
    """Grow the hot spot that was clicked.

    Parameters
    ----------
    view : Volume
        A projection of counts.
    seed_lps_mm : array-like, (x, y, z)
        The click, LPS mm; y is not used.
    to_peak_mm : float
        How far from the click its peak is looked for.

    Raises
    ------
    LesionmapError
        If the volume is no projection or of no counts, the click lies outside, or nothing stands out there.
    """
    counts, cell = _checked(view, seed_lps_mm)
    spot = _spot_at(view, counts, _peak(view, counts, cell, to_peak_mm))
    if spot.stands_out < _SEEN_SD:
        raise LesionmapError(
            f"a spot hotter than its surroundings was expected, {spot.excess:.0f} counts above {spot.background:.1f} a "
            "pixel came, no more than noise; click elsewhere, or mark it by its site"
        )
    return spot


def partner(spot: HotSpot, other: Volume) -> HotSpot | None:
    """Find the same spot in the other view of the scan: at its height, on its side of the body.

    Parameters
    ----------
    spot : HotSpot
        Of one view.
    other : Volume
        The other view of the same scan; a posterior view may be stored mirrored or not, its grid tells.

    Returns
    -------
    HotSpot or None
        None where it does not stand out in the other view: a sternum from the back.

    Raises
    ------
    LesionmapError
        As ``hot_spot``, but for nothing standing out.
    """
    counts, cell = _checked(other, spot.peak_lps_mm)
    found = _spot_at(other, counts, _peak(other, counts, cell, _PARTNER_MM, lean_mm=_PARTNER_MM / 2))
    return found if found.stands_out >= _SEEN_SD else None


def _checked(view: Volume, point_lps_mm: ArrayLike) -> tuple[Array, Array]:
    """Give the counts (columns, rows) and the continuous pixel of a point."""
    point = np.array(point_lps_mm, dtype=np.float64)
    if not view.projection:
        raise LesionmapError("a planar view was expected, a volume with depth came; click lesions of slices with click")
    if point.shape != (3,) or not np.isfinite(point[[0, 2]]).all():
        raise LesionmapError(f"a click is x, y, z in LPS mm with finite x and z, got {point_lps_mm!r}")
    point[1] = view.grid.lps_from_voxel[1, 3]
    if not view.grid.contains(point):
        raise LesionmapError(
            f"the click at x {point[0]:.0f}, z {point[2]:.0f} mm lies outside the view; click inside it"
        )
    check_counts("clicked", view.array)
    counts = np.asarray(view.array[:, :, 0], dtype=np.float64)
    return counts, view.grid.voxels(point)[:2]


def _away_mm(view: Volume, cell: ArrayLike) -> Array:
    """Give the distance of every pixel from one, mm."""
    first, second = np.ogrid[: view.grid.shape[0], : view.grid.shape[1]]
    (i, j), (wide, high, _) = np.asarray(cell), view.grid.spacing_mm
    return np.asarray(np.hypot((first - i) * wide, (second - j) * high))


def _smooth(view: Volume, counts: Array) -> Array:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(counts, [_SMOOTH_MM / mm for mm in view.grid.spacing_mm[:2]]))


def _peak(view: Volume, counts: Array, cell: Array, reach_mm: float, lean_mm: float = np.inf) -> tuple[int, int]:
    """Give the hottest pixel near a place; ``lean_mm``: how far it may be before distance counts against it."""
    away = _away_mm(view, cell)
    worth = np.where(away <= reach_mm, _smooth(view, counts) * np.exp(-0.5 * (away / lean_mm) ** 2), -1.0)
    i, j = np.unravel_index(int(worth.argmax()), worth.shape)
    return int(i), int(j)


def _spot_at(view: Volume, counts: Array, peak: tuple[int, int]) -> HotSpot:
    from skimage.segmentation import flood

    away, smooth = _away_mm(view, peak), _smooth(view, counts)
    ring = smooth[(away >= _RING_MM[0]) & (away <= _RING_MM[1])]
    background = float(np.percentile(ring, _QUIET)) if len(ring) else 0.0
    edge = (background + smooth[peak]) / 2
    region = flood((smooth >= edge) & (away <= _REACH_MM), peak)
    core = counts[away <= _CORE_MM]
    excess = float(core.sum() - background * len(core))
    spread = float(np.sqrt(max(core.sum() + background * len(core), 1.0)))
    x, y, z = view.grid.lps([*peak, 0]).tolist()
    mask = Mask.of_voxels(np.column_stack([np.argwhere(region), np.zeros(int(region.sum()), dtype=int)]), view.grid)
    return HotSpot(mask, (x, y, z), background, excess, excess / spread)
