"""Brightness of two stations compared where both saw the same: a gain, and an offset where one is sure.

Scanners scale each station anew. The factor between two stations is the median ratio over tissue. An offset (rescaled
data, a noise floor) is believed only if the overlap holds both dark and bright tissue, and if a line with it fits far
better than one through the origin: a wrong offset does more harm than none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

__all__ = ["match"]

_MOST_GAIN = 8.0
_LEAST_VOXELS = 64
_DARK = 0.15
"""Share of a station's bright level below which nothing of an overlap is tissue."""
_BINS = 24
_LEAST_IN_BIN = 20
_LEAST_BINS = 8
_LEAST_SPREAD = 0.5
"""Share of the bright level that an overlap must span from dark to bright to tell an offset from a gain."""
_BETTER = 0.5
"""Share of the misfit without an offset that may be left with one."""
_TOLD_OFFSET = (0.02, 0.5)
"""Offsets as shares of the bright level: below the first nothing is won, above the second it is no offset."""


def match(known: Floats, other: Floats, levels: tuple[float, float]) -> tuple[float, float]:
    """Give gain and offset that bring one station to the brightness of another one.

    Parameters
    ----------
    known, other : ndarray, shape (n,)
        What the two stations have at the same places.
    levels : (float, float)
        Bright level (95th percentile) of each whole station, by which an overlap of air alone is known.

    Returns
    -------
    gain, offset
        ``known ≈ gain · other + offset``; (1, 0) where the overlap is too little or too dark to tell.
    """
    sure = _between_their_ends(known) & _between_their_ends(other)
    one, two = known[sure], other[sure]
    if len(one) < _LEAST_VOXELS or not (_bright(one, levels[0]) and _bright(two, levels[1])):
        return 1.0, 0.0
    brightness = np.sqrt(np.clip(one, 0, None) * np.clip(two, 0, None))
    tissue = brightness > 0.5 * float(brightness.mean())
    if np.count_nonzero(tissue) < _LEAST_VOXELS:
        return 1.0, 0.0
    gain = float(np.clip(np.median(one[tissue] / two[tissue]), 1 / _MOST_GAIN, _MOST_GAIN))
    return _line(one, two, gain) or (gain, 0.0)


def _between_their_ends(values: Floats) -> NDArray[np.bool_]:
    """Leave out the lowest and the highest value: clipped voxels, and the zeros of masked air."""
    finite = values[np.isfinite(values)]
    low, high = finite.min(initial=np.inf), finite.max(initial=-np.inf)
    return np.asarray((values > low) & (values < high))


def _bright(values: Floats, level: float) -> bool:
    return float(np.percentile(values, 95)) > _DARK * level


def _line(one: Floats, two: Floats, gain: float) -> tuple[float, float] | None:
    """Fit a line with an offset; None where it is not sure or no better than the gain alone.

    Through the medians of voxels of like brightness (of the mean of both stations, so that the noise of either pulls
    the same way), by the median of the slopes between them (Theil 1950, Sen 1968).
    """
    both = (one + np.float32(gain) * two) / 2
    low, high = np.percentile(both, [0.5, 99.5])
    if high - low < _LEAST_SPREAD * abs(float(high)):
        return None
    number = np.clip(((both - low) / (high - low) * _BINS).astype(int), 0, _BINS - 1)
    held = [np.flatnonzero(number == n) for n in range(_BINS)]
    full = [n for n in range(_BINS) if len(held[n]) >= _LEAST_IN_BIN]
    if len(full) < _LEAST_BINS or full[-1] - full[0] < _BINS / 2:
        return None
    y, x = (np.array([np.median(values[held[n]]) for n in full]) for values in (one, two))
    i, j = np.triu_indices(len(full), len(full) // 4)
    rises = x[j] - x[i]
    if rises.min() <= 0:
        return None
    slope = float(np.median((y[j] - y[i]) / rises))
    offset = float(np.median(y - slope * x))
    share = abs(offset) / float(np.percentile(one, 95))
    left, without = np.abs(y - slope * x - offset).mean(), np.abs(y - gain * x).mean()
    sure = _TOLD_OFFSET[0] < share < _TOLD_OFFSET[1] and left < _BETTER * without
    return (slope, offset) if sure and 1 / _MOST_GAIN < slope < _MOST_GAIN else None
