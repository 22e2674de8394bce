"""A click becomes a mask that the reader makes larger and smaller: one look at the box, then any tolerance at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Mask
from lesionmap.segment.box import REACH_MM, box_around, connected
from lesionmap.segment.levels import apart, height_of, lesion_level, n_filled, settle
from lesionmap.segment.prior import penalty_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from lesionmap.segment.box import Box, Floats, Voxel
    from lesionmap.skeleton import Placement
    from lesionmap.space import Grid, Volume
    from lesionmap.visits import Series

__all__ = ["Click", "click", "grow"]

_WIDEST = 0.95  # largest tolerance: beyond it lies what surrounds the lesion
_SUGGESTED = (0.05, 0.6)  # where something as bright lies beside the lesion, what it fills is not well known
_BEFORE = 0.9  # a suggestion keeps to this share of the tolerance at which the region would leak
_LARGEST_ML = 80.0
_ADVICE = "lower the tolerance, click nearer to the lesion's middle, or paint it"


@dataclass(frozen=True, slots=True, eq=False)
class Click:
    """What one click found: the masks of all tolerances, one within the other."""

    tolerance: float
    """The suggested one: its mask has the volume that the lesion fills."""
    leak: str
    """What went wrong in words, where the region ran away and the suggestion was lowered; else empty."""
    home: tuple[str, ...]
    """Bones that hold the mask (``tibia.left``); empty without a placement, or far from every bone."""
    _joins: Floats
    """Tolerance at which each voxel of the box joins the mask; infinite: never."""
    _origin: tuple[int, int, int]
    _grid: Grid

    def mask(self, tolerance: float | None = None) -> Mask:
        """Give the mask for a tolerance.

        Parameters
        ----------
        tolerance : float, optional
            Share of the way down from the lesion's level to its surroundings at which it ends, between 0 and 1; by
            default the suggested one. A larger one gives a mask that holds the smaller one's.

        Returns
        -------
        Mask
            On the grid of the volume that was clicked in.

        Raises
        ------
        LesionmapError
            If the tolerance does not lie between 0 and 1.
        """
        at = self.tolerance if tolerance is None else tolerance
        _check(at)
        return Mask.of_voxels(np.argwhere(self._joins <= at) + self._origin, self._grid)


def click(
    volume: Volume,
    seed_lps_mm: ArrayLike,
    *,
    placement: Placement | None = None,
    labels: Volume | None = None,
    series: Series | None = None,
    largest_ml: float = _LARGEST_ML,
) -> Click:
    """Look at a box around a click, once, so that a mask of any tolerance is ready.

    Each voxel joins the lesion at the lowest tolerance at which a bright path leads to it. So the masks of all
    tolerances lie one within the other.

    Parameters
    ----------
    volume : Volume
        STIR or another image in which lesions are bright; a planar view too. Only a box around the click is read.
    seed_lps_mm : array-like, (x, y, z)
        The click, LPS mm. If the voxel there is dark, the nearest bright one within 6 mm is taken.
    placement : Placement, optional
        The skeleton on the visit: what lies mainly in another bone, or farther than some mm outside the bone that was
        clicked, is then not part of the lesion. Not used on a projection, where bones lie one behind the other.
    labels : Volume, optional
        Bone label map of ``placement.labels``; where it names the bone it is used in the place of the skeleton.
    series : Series, optional
        Whose volume it is; tells where none of its stations was: the 0 there is no signal and no surroundings.
    largest_ml : float
        A region above this has leaked.

    Returns
    -------
    Click

    Raises
    ------
    LesionmapError
        If the click lies outside the image or where no station was, or if nothing bright is there.
    """
    box = box_around(volume, seed_lps_mm, series)
    level, here = lesion_level(box)
    found = settle(box, level, here)
    held = None if placement is None or volume.projection else penalty_of(found.region, box, placement, labels)
    if held is not None:
        found = settle(box, found.level, here, held.penalty)
    height = height_of(box.smooth, found.level, found.low)
    joins = _joins(height if held is None else height + held.penalty, here)
    joins[~box.imaged] = np.inf
    suggested = float(np.sort(joins[np.isfinite(joins)])[: n_filled(found, box)][-1])
    least, leak = _leak(joins, suggested, box, largest_ml)
    tolerance = float(np.clip(min(suggested, _BEFORE * least), *_SUGGESTED))
    return Click(tolerance, leak, held.home if held else (), joins, box.origin, volume.grid)


def grow(
    volume: Volume,
    seed_lps_mm: ArrayLike,
    *,
    placement: Placement | None = None,
    series: Series | None = None,
    tolerance: float | None = None,
    largest_ml: float = _LARGEST_ML,
) -> Mask:
    """Make the mask of the bright lesion under a click: the suggested one of ``click``, or that of a tolerance.

    Raises
    ------
    LesionmapError
        As ``click``, and if the region leaks.
    """
    if tolerance is not None:
        _check(tolerance)
    found = click(volume, seed_lps_mm, placement=placement, series=series, largest_ml=largest_ml)
    if found.leak:
        raise LesionmapError(found.leak)
    return found.mask(tolerance)


def _check(tolerance: float) -> None:
    if not 0 < tolerance < 1:
        raise LesionmapError(f"tolerance must lie between 0 and 1 (0.5 is the half-way edge), got {tolerance:g}")


def _joins(height: Floats, here: Voxel) -> Floats:
    """Give the tolerance at which each voxel joins: the least over all paths of the greatest height on the path."""
    from skimage.morphology import reconstruction

    height = np.maximum(height, 0.01)
    height[here] = 0.01
    wide = connected(height < _WIDEST, here)
    home = apart(wide, height, here)
    places = np.argwhere(home)
    part = tuple(slice(int(a), int(b) + 1) for a, b in zip(places.min(axis=0), places.max(axis=0), strict=True))
    outer = np.where(home[part], height[part], np.float32(2.0))
    marker = np.full_like(outer, 2.0)
    inner = tuple(h - p.start for h, p in zip(here, part, strict=True))
    marker[inner] = outer[inner]
    reached = reconstruction(marker, outer, method="erosion", footprint=np.ones((3, 3, 3)))
    found = np.full(height.shape, np.inf, dtype=np.float32)
    found[part] = np.where(home[part], reached, np.inf)
    return found


def _leak(joins: Floats, suggested: float, box: Box, largest_ml: float) -> tuple[float, str]:
    """Give the tolerance from which on the region leaks, and in words how the suggested one does; empty: it does not."""
    at_border = float(joins[box.open_faces()].min(initial=np.inf))
    ordered, most = np.sort(joins[np.isfinite(joins)]), int(largest_ml / box.grid.voxel_volume_ml)
    too_large = float(ordered[most]) if most < len(ordered) else np.inf
    ml = float(np.searchsorted(ordered, suggested, side="right")) * box.grid.voxel_volume_ml
    least = min(at_border, too_large)
    if suggested < least:
        return least, ""
    if suggested >= too_large:
        return least, f"a lesion of at most {largest_ml:g} ml was expected, the region has {ml:.0f} ml; {_ADVICE}"
    return least, (
        f"the region ({ml:.1f} ml) reaches the border of the {2 * REACH_MM:.0f} mm box around the click, so it has "
        f"leaked into something else that is bright; {_ADVICE}"
    )
