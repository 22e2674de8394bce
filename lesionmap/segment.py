"""A click becomes a mask: the bright region around it, cut at half its height above its surroundings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Mask
from lesionmap.visits import station_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lesionmap.skeleton import Placement
    from lesionmap.space import Grid, Volume
    from lesionmap.visits import Series

    Floats = NDArray[np.float32]

__all__ = ["grow"]

_REACH_MM = 45.0
"""Half the side of the box that is looked at."""
_SEARCH_MM = 6.0
"""How far from the click the lesion may begin."""
_CORE_MM = 5.0
"""Half the side of the region around the click whose brightest voxels tell the lesion's level."""
_SHELL_MM = (2.5, 7.0)
"""Distance from the region at which its surroundings are measured."""
_BRIDGES = (0.4, 0.3, 0.2)
"""Thresholds, as shares of the way down to the surroundings, at which bright things that touch are told apart."""


def grow(
    volume: Volume,
    seed_lps_mm: ArrayLike,
    *,
    placement: Placement | None = None,
    series: Series | None = None,
    tolerance: float = 0.5,
    largest_ml: float = 80.0,
) -> Mask:
    """Make the mask of the bright lesion under a click.

    The edge of a blurred object lies where its signal has fallen half-way from its own level to that of its
    surroundings. Both levels are measured around the click, the second one again around the region found with
    the first.

    Parameters
    ----------
    volume : Volume
        STIR or another image in which lesions are bright.
    seed_lps_mm : array-like, (x, y, z)
        The click, LPS mm. If the voxel there is dark, the nearest bright one within 6 mm is taken.
    placement : Placement, optional
        Not needed; the region is found by signal alone.
    series : Series, optional
        Whose volume it is; tells where none of its stations was: the 0 there is no signal and no surroundings.
    tolerance : float
        Share of the way down from the lesion's level to its surroundings at which it ends; 0.5 is the
        physical edge, more makes it larger.
    largest_ml : float
        A region above this has leaked.

    Returns
    -------
    Mask
        On the grid of ``volume``.

    Raises
    ------
    LesionmapError
        If the click lies outside the image or where no station was, if nothing bright is there, or if the region leaks.
    """
    del placement  # accepted so that callers need not know that signal suffices
    if not 0 < tolerance < 1:
        raise LesionmapError(f"tolerance must lie between 0 and 1 (0.5 is the half-way edge), got {tolerance:g}")
    box, window = _box(volume, seed_lps_mm)
    imaged = _imaged(series, box, seed_lps_mm)
    smooth = _smoothed(_continued(np.asarray(volume.array[window], dtype=np.float32), imaged, box), box)
    seed = tuple(np.rint(box.voxels(seed_lps_mm)).astype(int).tolist())
    level, here = _lesion_level(smooth, box, seed)
    low = _low_around(smooth, box, here)
    region = _connected(smooth > level - tolerance * (level - low), here)
    for _ in range(4):  # the surroundings are those of the region, and the region hangs on them: they settle soon
        region = _apart(region, smooth, (level, low), here)
        level, low = _levels(smooth, region, box)
        again = _connected(smooth > level - tolerance * (level - low), here)
        if np.array_equal(again, region):
            break
        region = again
    region = _apart(region, smooth, (level, low), here)
    _guard(region, volume, window, largest_ml)
    region = _whole_voxels(region, smooth, (level, level - tolerance * (level - low)), here, box)
    region &= imaged
    return Mask.of_voxels(np.argwhere(region) + [w.start for w in window], volume.grid)


def _box(volume: Volume, seed_lps_mm: ArrayLike) -> tuple[Grid, tuple[slice, slice, slice]]:
    """Give the part of the volume around the click: its grid and its place in the array."""
    point = np.asarray(seed_lps_mm, dtype=np.float64)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise LesionmapError(f"a click is three numbers in LPS mm, got {seed_lps_mm!r}")
    if not volume.grid.contains(point):
        corners = volume.grid.corners_lps_mm()
        raise LesionmapError(
            f"the click at {point.round(1).tolist()} LPS mm lies outside the image, which reaches from "
            f"{corners.min(axis=0).round(1).tolist()} to {corners.max(axis=0).round(1).tolist()}; click inside it"
        )
    centre = np.rint(volume.grid.voxels(point)).astype(int)
    reach = np.ceil(_REACH_MM / np.array(volume.grid.spacing_mm)).astype(int)
    low = np.maximum(centre - reach, 0)
    high = np.minimum(centre + reach + 1, volume.grid.shape)
    i, j, k = (slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    start = (i.start, j.start, k.start)
    return volume.grid.crop(start, (i.stop - i.start, j.stop - j.start, k.stop - k.start)), (i, j, k)


def _imaged(series: Series | None, box: Grid, seed_lps_mm: ArrayLike) -> NDArray[np.bool_]:
    """Say which voxels of the box a station of the Series imaged."""
    if series is None or len(series.stations) < 2:
        return np.ones(box.shape, dtype=bool)
    if station_of(series, seed_lps_mm) < 0:
        raise LesionmapError("the click lies where no station of the series was imaged; click inside the image")
    return np.asarray(station_of(series, box.lps(np.moveaxis(np.indices(box.shape), 0, -1))) >= 0)


def _continued(local: Floats, imaged: NDArray[np.bool_], box: Grid) -> Floats:
    """Let the image go on as at its edge where nothing was imaged, so that the edge is not taken for a dark one."""
    if imaged.all():
        return local
    from scipy.ndimage import distance_transform_edt

    _, nearest = distance_transform_edt(~imaged, sampling=box.spacing_mm, return_indices=True)
    return np.asarray(local[tuple(nearest)])


def _smoothed(local: Floats, box: Grid) -> Floats:
    """Take the noise down a little, only along axes that are sampled finely (a thick slice is smooth already)."""
    from scipy.ndimage import gaussian_filter

    sigma = [0.45 if spacing < 3.0 else 0.0 for spacing in box.spacing_mm]
    return np.asarray(gaussian_filter(local, sigma), dtype=np.float32)


def _near(box: Grid, seed: tuple[int, ...], reach_mm: float) -> tuple[slice, ...]:
    reach = np.maximum(np.rint(reach_mm / np.array(box.spacing_mm)).astype(int), 1)
    return tuple(slice(max(s - r, 0), s + r + 1) for s, r in zip(seed, reach, strict=True))


def _lesion_level(smooth: Floats, box: Grid, seed: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
    """Give the lesion's level near the click, and the voxel it is grown from."""
    window = _near(box, seed, _SEARCH_MM)
    brightest = float(np.quantile(smooth[window], 0.95))
    here = seed
    if smooth[seed] < 0.6 * brightest:  # the click lies beside what is bright
        bright = np.argwhere(smooth[window] >= 0.9 * brightest) + [w.start for w in window]
        away = np.linalg.norm((bright - np.array(seed)) * box.spacing_mm, axis=1)
        here = tuple(bright[int(np.argmin(away))].tolist())
    return float(np.quantile(smooth[_near(box, here, _CORE_MM)], 0.85)), here


def _low_around(smooth: Floats, box: Grid, here: tuple[int, ...]) -> float:
    """Give a first guess of what surrounds the lesion: the middle signal of a wide region."""
    return float(np.quantile(smooth[_near(box, here, 22.0)], 0.35))


def _connected(bright: NDArray[np.bool_], here: tuple[int, ...]) -> NDArray[np.bool_]:
    """Give the 26-connected region of bright voxels that holds one voxel."""
    from scipy.ndimage import label

    bright[here] = True
    labels, _ = label(bright, structure=np.ones((3, 3, 3), dtype=bool))
    return np.asarray(labels == labels[here])


def _surroundings(smooth: Floats, region: NDArray[np.bool_], box: Grid) -> float:
    """Give the signal just around the region: a low quantile, for a bone lesion borders on cortex and fat."""
    from scipy.ndimage import distance_transform_edt

    places = np.argwhere(region)
    margin = np.ceil((_SHELL_MM[1] + 1) / np.array(box.spacing_mm)).astype(int)
    low = np.maximum(places.min(axis=0) - margin, 0)
    high = np.minimum(places.max(axis=0) + margin + 1, region.shape)
    part = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    away = distance_transform_edt(~region[part], sampling=box.spacing_mm)
    shell = smooth[part][(away > _SHELL_MM[0]) & (away <= _SHELL_MM[1])]
    return float(np.quantile(shell, 0.3)) if len(shell) else float(smooth.min())


def _levels(smooth: Floats, region: NDArray[np.bool_], box: Grid) -> tuple[float, float]:
    """Give the level of the region (its brighter part: its rim is half something else) and of its surroundings."""
    level, low = float(np.quantile(smooth[region], 0.85)), _surroundings(smooth, region, box)
    if level - low < 0.25 * abs(level):
        raise LesionmapError(
            f"a click must lie in a region that is clearly brighter than what is around it, got signal {level:.0f} "
            f"against {low:.0f}; click into the brightest part, or paint the lesion"
        )
    return level, low


def _whole_voxels(
    region: NDArray[np.bool_], smooth: Floats, levels: tuple[float, float], here: tuple[int, ...], box: Grid
) -> NDArray[np.bool_]:
    """Give the mask that holds as much volume as the lesion fills of the voxels in and around the region.

    Thick slices are the reason: whether a slice that is half lesion counts wholly or not at all would change a
    small lesion's volume by a third, and the half-way surface of a small round thing lies inside the thing. What a
    voxel holds is told by where its signal lies between the surroundings beside it and the lesion; as many of the
    brightest voxels are taken as fill the sum.
    """
    from scipy.ndimage import binary_dilation, gaussian_filter

    level, threshold = levels
    places = np.argwhere(region)
    margin = np.ceil(12.0 / np.array(box.spacing_mm)).astype(int)
    low, high = np.maximum(places.min(axis=0) - margin, 0), places.max(axis=0) + margin + 1
    part = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    inside, signal = region[part], smooth[part]
    near = binary_dilation(inside, np.ones((3, 3, 3)))
    others = (signal > threshold) & ~inside
    beside_others = binary_dilation(others, np.ones((3, 3, 3))) & ~inside
    around = (~near & ~beside_others).astype(np.float32)
    sigma = [3.0 / spacing for spacing in box.spacing_mm]
    beside = gaussian_filter(around * signal, sigma) / np.maximum(gaussian_filter(around, sigma), 1e-6)
    share = np.clip((signal - beside) / np.maximum(level - beside, 1e-6), 0.0, 1.2)
    share[beside_others] *= 0.5  # between two bright things, each gets half
    allowed = near & ~others
    n = round(float(share[allowed].sum()))
    order = np.sort(signal[allowed])[::-1]
    whole = np.zeros_like(region)
    whole[part] = allowed & (signal >= order[min(max(n, 1), len(order)) - 1])
    return _connected(whole, here)


def _guard(region: NDArray[np.bool_], volume: Volume, window: tuple[slice, slice, slice], largest_ml: float) -> None:
    """Refuse a region that has run away."""
    ml = float(np.count_nonzero(region)) * volume.grid.voxel_volume_ml
    advice = "lower the tolerance, click nearer to the lesion's middle, or paint it"
    if ml > largest_ml:
        raise LesionmapError(
            f"a lesion of at most {largest_ml:g} ml was expected, the region has {ml:.0f} ml; {advice}"
        )
    for axis, part in enumerate(window):
        first, last = np.take(region, 0, axis=axis).any(), np.take(region, -1, axis=axis).any()
        if (first and part.start > 0) or (last and part.stop < volume.grid.shape[axis]):
            raise LesionmapError(
                f"the region ({ml:.1f} ml) reaches the border of the {2 * _REACH_MM:.0f} mm box around the click, "
                f"so it has leaked into something else that is bright; {advice}"
            )


def _apart(
    region: NDArray[np.bool_], smooth: Floats, levels: tuple[float, float], here: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Cut a region off from other bright things that it touches: the next vertebra, spinal fluid, the bladder.

    The bridge between two bright things is darker than both: at a higher threshold they fall apart, and a watershed
    then gives each its share of the bridge.
    """
    from scipy.ndimage import label
    from skimage.segmentation import watershed

    level, low = levels
    for share in _BRIDGES:
        cores, n = label(region & (smooth > level - share * (level - low)), structure=np.ones((3, 3, 3)))
        sizes = np.bincount(cores.ravel(), minlength=n + 1)[1:]
        if n > 1 and cores[here] and np.delete(sizes, cores[here] - 1).max() >= 0.1 * sizes[cores[here] - 1]:
            region = np.asarray(watershed(-smooth, cores, mask=region) == cores[here])
    return region
