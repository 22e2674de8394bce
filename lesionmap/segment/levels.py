"""How bright a lesion and its surroundings are, where it ends, and how much of its voxels it fills.

The edge of a blurred object lies where its signal has fallen half-way from its own level to that of its surroundings.
*Height* is how far a voxel has fallen: 0 at the lesion's level, 1 at that of its surroundings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.segment.box import connected, near, part_around

if TYPE_CHECKING:
    from lesionmap.segment.box import Bools, Box, Floats, Voxel

__all__ = ["EDGE", "Levels", "apart", "height_of", "lesion_level", "n_filled", "settle"]

EDGE = 0.5
"""Height of the physical edge."""

_SEARCH_MM = 6.0  # how far from the click the lesion may begin
_CORE_MM = 5.0  # half the side of the region whose brightest voxels tell the lesion's level
_WIDE_MM = 22.0  # the same, for a first guess of the surroundings
_SHELL_MM = (2.5, 7.0)  # distance from the region at which its surroundings are measured
_BRIDGES = (0.4, 0.3, 0.2)  # heights at which bright things that touch are told apart
_OTHER = 0.1  # smallest other thing, over the lesion's own core
_CONTRAST = 0.25  # least fall to the surroundings, over the lesion's level
_BESIDE_MM = 3.0  # how far around a voxel its surroundings are averaged, and …
_MARGIN_MM = 12.0  # … how far around the region that is done
_MOST = 1.2  # a voxel brighter than the lesion's level holds at most so much


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """A lesion as its signal tells it."""

    level: float
    low: float
    """Signal of its surroundings."""
    region: Bools
    """What lies above the edge and hangs together."""

    @property
    def edge(self) -> float:
        """Signal at the edge."""
        return self.level - EDGE * (self.level - self.low)


def height_of(smooth: Floats, level: float, low: float) -> Floats:
    """Give the height of every voxel."""
    return (np.float32(level) - smooth) / np.float32(max(level - low, 1e-6))


def lesion_level(box: Box) -> tuple[float, Voxel]:
    """Give the lesion's level near the click, and the voxel it is grown from."""
    smooth, seed = box.smooth, box.seed
    window = near(box.grid, seed, _SEARCH_MM)
    brightest = float(np.quantile(smooth[window], 0.95))
    here = seed
    if smooth[seed] < 0.6 * brightest:  # the click lies beside what is bright
        bright = np.argwhere(smooth[window] >= 0.9 * brightest) + [w.start for w in window]
        away = np.linalg.norm((bright - np.array(seed)) * box.grid.spacing_mm, axis=1)
        here = tuple(bright[int(np.argmin(away))].tolist())
    return float(np.quantile(smooth[near(box.grid, here, _CORE_MM)], 0.85)), here


def settle(box: Box, level: float, here: Voxel, penalty: Floats | None = None) -> Levels:
    """Find the lesion's level, that of its surroundings, and its region.

    Both levels are measured around the click, the second one again around the region found with the first.

    Parameters
    ----------
    box : Box
    level, here
        As ``lesion_level`` gives them.
    penalty : ndarray, optional
        What the bones add to the height of each voxel.

    Raises
    ------
    LesionmapError
        If nothing there is clearly brighter than what is around it.
    """
    low = float(np.quantile(box.smooth[near(box.grid, here, _WIDE_MM)], 0.35))
    height = _held(box, level, low, penalty)
    region = connected(height < EDGE, here)
    for _ in range(4):  # the surroundings are those of the region, and the region hangs on them: they settle soon
        region = apart(region, height, here)
        level, low = _levels(region, box)
        height = _held(box, level, low, penalty)
        again = connected(height < EDGE, here)
        if np.array_equal(again, region):
            break
        region = again
    return Levels(level, low, apart(region, height, here))


def _held(box: Box, level: float, low: float, penalty: Floats | None) -> Floats:
    height = height_of(box.smooth, level, low)
    return height if penalty is None else height + penalty


def _levels(region: Bools, box: Box) -> tuple[float, float]:
    """Give the level of the region (its brighter part: its rim is half something else) and of its surroundings."""
    level, low = float(np.quantile(box.smooth[region], 0.85)), _surroundings(region, box)
    if level - low < _CONTRAST * abs(level):
        raise LesionmapError(
            f"a click must lie in a region that is clearly brighter than what is around it, got signal {level:.0f} "
            f"against {low:.0f}; click into the brightest part, or paint the lesion"
        )
    return level, low


def _surroundings(region: Bools, box: Box) -> float:
    """Give the signal just around the region: a low quantile, for a bone lesion borders on cortex and fat."""
    from scipy.ndimage import distance_transform_edt

    part = part_around(region, box.grid, _SHELL_MM[1] + 1)
    away = distance_transform_edt(~region[part], sampling=box.grid.spacing_mm)
    shell = box.smooth[part][(away > _SHELL_MM[0]) & (away <= _SHELL_MM[1])]
    return float(np.quantile(shell, 0.3)) if len(shell) else float(box.smooth.min())


def apart(region: Bools, height: Floats, here: Voxel) -> Bools:
    """Cut a region off from other bright things that it touches: the next vertebra, spinal fluid, the bladder.

    The bridge between two bright things is darker than both: at a lower height they fall apart, and a watershed then
    gives each its share of the bridge.
    """
    from scipy.ndimage import label
    from skimage.segmentation import watershed

    for bridge in _BRIDGES:
        cores, n = label(region & (height < bridge), structure=np.ones((3, 3, 3)))
        if n < 2 or not cores[here]:
            continue
        sizes = np.bincount(cores.ravel(), minlength=n + 1)
        large = sizes >= _OTHER * sizes[cores[here]]
        large[0] = False
        if np.count_nonzero(large) > 1:
            markers = np.where(large[cores], cores, 0)
            region = np.asarray(watershed(height, markers, mask=region) == cores[here])
    return region


def n_filled(found: Levels, box: Box) -> int:
    """Give how many voxels the lesion would fill.

    Thick slices are the reason: whether a slice that is half lesion counts wholly or not at all would change a
    small lesion's volume by a third, and the half-way surface of a small round thing lies inside the thing. What a
    voxel holds is told by where its signal lies between the surroundings beside it and the lesion.
    """
    from scipy.ndimage import binary_dilation, gaussian_filter

    part = part_around(found.region, box.grid, _MARGIN_MM)
    inside, signal = found.region[part], box.smooth[part]
    reach = binary_dilation(inside, np.ones((3, 3, 3)))
    others = (signal > found.edge) & ~inside
    beside_others = binary_dilation(others, np.ones((3, 3, 3))) & ~inside
    around = (~reach & ~beside_others).astype(np.float32)
    sigma = [_BESIDE_MM / spacing for spacing in box.grid.spacing_mm]
    beside = gaussian_filter(around * signal, sigma) / np.maximum(gaussian_filter(around, sigma), 1e-6)
    share = np.clip((signal - beside) / np.maximum(found.level - beside, 1e-6), 0.0, _MOST)
    share[beside_others] *= 0.5  # between two bright things, each gets half
    return max(round(float(share[reach & ~others].sum())), 1)
