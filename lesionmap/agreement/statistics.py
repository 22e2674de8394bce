"""The statistics of agreement, on plain numbers. Points come from statsmodels where it has them.

Each is a formula of sums over units, so that resampling patients needs the sums of each patient only: ``RESAMPLED``
holds those formulas, which take sums of shape (..., m) and give (...).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import ArrayLike, NDArray

    Array = NDArray[np.float64]

__all__ = [
    "RESAMPLED",
    "Interval",
    "Limits",
    "bland_altman",
    "cohen_kappa",
    "difference_sums",
    "fleiss_kappa",
    "free_kappa",
    "icc_2_1",
    "icc_sums",
    "resampled",
]

_TINY = 1e-12
_NAN = float("nan")
_MOST_LOST = 0.05
_Z = 1.96
"""Limits of agreement: 95 % of differences lie within so many standard deviations, if they are normal."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % interval by a published formula; NaN where it is not defined."""

    value: float
    low: float = _NAN
    high: float = _NAN


@dataclass(frozen=True, slots=True)
class Limits:
    """Bland and Altman's bias and limits of agreement, each with its 95 % interval."""

    bias: Interval
    lower: Interval
    upper: Interval
    sd: float
    """Standard deviation of the differences (n - 1)."""


def cohen_kappa(table: ArrayLike) -> Interval:
    """Give Cohen's kappa of two readers (Cohen 1960), with the large-sample interval of Fleiss, Cohen and Everitt 1969.

    Parameters
    ----------
    table : array-like, shape (k, k)
        How often the first reader gave category i and the second j.

    Returns
    -------
    Interval
        NaN where there is no unit, or both gave one and the same category throughout: agreement by chance is then
        certain, and kappa has no meaning. Its interval is cut at -1 and 1, and there is none where its standard error
        is 0.

    Examples
    --------
    >>> round(cohen_kappa([[75, 1, 4], [5, 4, 1], [0, 0, 10]]).value, 2)
    0.68
    """
    from statsmodels.stats.inter_rater import cohens_kappa

    counts = np.asarray(table, dtype=np.float64)
    n = counts.sum()
    if n == 0 or np.isclose(counts.sum(axis=0) @ counts.sum(axis=1), n * n):
        return Interval(_NAN)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = cohens_kappa(counts)
    if found.std_kappa <= _TINY:
        return Interval(float(found.kappa))
    return Interval(float(found.kappa), max(float(found.kappa_low), -1.0), min(float(found.kappa_upp), 1.0))


def free_kappa(ratings: ArrayLike) -> float:
    """Give Randolph's free-marginal kappa (2005) of two or more readers; of two and two categories it is PABAK.

    Parameters
    ----------
    ratings : array-like, shape (n, k)
        How many readers gave unit i category j; each unit has as many readers.

    Examples
    --------
    >>> round(free_kappa([[7, 1], [3, 5]]), 4)
    0.2143
    """
    return _fleiss(ratings, "randolph")


def fleiss_kappa(ratings: ArrayLike) -> float:
    """Give Fleiss' kappa (1971) of two or more readers; NaN where all gave one category throughout."""
    counts = np.asarray(ratings, dtype=np.float64)
    return _fleiss(counts, "fleiss") if np.count_nonzero(counts.sum(axis=0)) > 1 else _NAN


def _fleiss(ratings: ArrayLike, method: str) -> float:
    from statsmodels.stats.inter_rater import fleiss_kappa as kappa_of

    counts = np.asarray(ratings, dtype=np.float64)
    return float(kappa_of(counts, method=method)) if len(counts) else _NAN


def icc_2_1(values: ArrayLike) -> Interval:
    """Give the intraclass correlation ICC(2,1) of Shrout and Fleiss 1979, with their interval.

    Two-way random effects, absolute agreement, a single reading: readers stand for all readers there might be, and a
    reader who always finds more lowers it.

    Parameters
    ----------
    values : array-like, shape (n, k)
        n units, each measured by the same k readers.

    Returns
    -------
    Interval
        NaN where there are fewer than two units or readers, or all values are the same.

    Examples
    --------
    >>> judges = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> round(icc_2_1(judges).value, 2)
    0.29
    """
    from scipy.stats import f

    found = _table(values)
    n, k = found.shape
    if n < 2 or k < 2:
        return Interval(_NAN)
    sums = icc_sums(found - found.mean()).sum(axis=0)
    between, judges, error = (float(x) for x in _mean_squares(sums))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(_icc(sums))
    if np.isnan(value):
        return Interval(_NAN)
    if error <= _TINY * between:
        return Interval(value)
    ratio = judges / error
    rest = n * (1 + (k - 1) * value) - k * value
    freedom = (k - 1) * (n - 1) * (k * value * ratio + rest) ** 2 / ((n - 1) * (k * value * ratio) ** 2 + rest**2)
    upper, lower = f.ppf(0.975, n - 1, freedom), f.ppf(0.975, freedom, n - 1)
    spread = k * judges + (k * n - k - n) * error
    low = n * (between - upper * error) / (upper * spread + n * between)
    high = n * (lower * between - error) / (spread + n * lower * between)
    return Interval(value, float(low), float(high))


def bland_altman(one: ArrayLike, other: ArrayLike) -> Limits:
    """Give bias and 95 % limits of agreement (Bland and Altman 1986), the first less the second.

    Their intervals are by Student's t: the bias has the standard error s / √n, a limit s · √(3 / n), as they give it.

    Parameters
    ----------
    one, other : array-like, shape (n,)
        The same units, by two readers.

    Returns
    -------
    Limits
        NaN where there is no unit; spread and intervals NaN where there is one.
    """
    from scipy.stats import t

    away = _table(one).ravel() - _table(other).ravel()
    n = len(away)
    if n < 2:
        bias = float(away[0]) if n else _NAN
        return Limits(Interval(bias), Interval(_NAN), Interval(_NAN), _NAN)
    bias, sd = float(away.mean()), float(away.std(ddof=1))
    times = float(t.ppf(0.975, n - 1))
    half, wide = times * sd / np.sqrt(n), times * sd * np.sqrt(3 / n)
    return Limits(
        Interval(bias, bias - half, bias + half),
        Interval(bias - _Z * sd, bias - _Z * sd - wide, bias - _Z * sd + wide),
        Interval(bias + _Z * sd, bias + _Z * sd - wide, bias + _Z * sd + wide),
        sd,
    )


def _table(values: ArrayLike) -> Array:
    found = np.asarray(values, dtype=np.float64)
    if not np.isfinite(found).all():
        raise LesionmapError("finite numbers were expected, got unknown ones; leave units out that one reader lacks")
    return found


# ---- sums, and formulas of sums -------------------------------------------------------------------------------------


def icc_sums(values: ArrayLike) -> Array:
    """Give the sums of each unit that ICC(2,1) is made of, shape (n, k + 3): 1, Σx², (Σx)², and the values."""
    found = np.asarray(values, dtype=np.float64)
    columns = [np.ones(len(found)), (found**2).sum(axis=1), found.sum(axis=1) ** 2, *found.T]
    return np.stack(columns, axis=1)


def difference_sums(one: ArrayLike, other: ArrayLike) -> Array:
    """Give the sums of each unit that bias and limits are made of, shape (n, 3): 1, d, d²."""
    away = np.asarray(one, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    return np.stack([np.ones(len(away)), away, away**2], axis=1)


def _mean_squares(sums: Array) -> tuple[Array, Array, Array]:
    """Give the mean squares between units, between readers, and of the error."""
    n, squares, rows, columns = sums[..., 0], sums[..., 1], sums[..., 2], sums[..., 3:]
    k = columns.shape[-1]
    mean = columns.sum(axis=-1) ** 2 / (n * k)
    between, judges = rows / k - mean, (columns**2).sum(axis=-1) / n - mean
    error = squares - mean - between - judges
    return between / (n - 1), judges / (k - 1), np.maximum(error, 0.0) / ((n - 1) * (k - 1))


def _icc(sums: Array) -> Array:
    between, judges, error = _mean_squares(sums)
    n, k = sums[..., 0], sums.shape[-1] - 3
    whole = between + (k - 1) * error + k * (judges - error) / n
    return np.where(whole > _TINY * np.maximum(sums[..., 1], _TINY), (between - error) / whole, np.nan)


def _cohen(sums: Array) -> Array:
    """Of yes-yes, yes-no, no-yes, no-no."""
    both, first, second, none = np.moveaxis(sums, -1, 0)
    n = both + first + second + none
    agree, chance = (both + none) / n, ((both + first) * (both + second) + (none + first) * (none + second)) / n**2
    return np.where(chance < 1 - _TINY, (agree - chance) / (1 - chance), np.nan)


def _agreeing(sums: Array) -> tuple[Array, Array]:
    """Of how many units 0, 1 … k readers said yes: the share of pairs of readers that agree, and that of *yes*."""
    k = sums.shape[-1] - 1
    yes = np.arange(k + 1)
    pairs = (yes * (yes - 1) + (k - yes) * (k - yes - 1)) / (k * (k - 1))
    n = sums.sum(axis=-1)
    return sums @ pairs / n, sums @ (yes / k) / n


def _free(sums: Array) -> Array:
    return np.asarray(2 * _agreeing(sums)[0] - 1)


def _fleiss_of(sums: Array) -> Array:
    agree, yes = _agreeing(sums)
    chance = yes**2 + (1 - yes) ** 2
    return np.where(chance < 1 - _TINY, (agree - chance) / (1 - chance), np.nan)


def _mean(sums: Array) -> Array:
    return np.asarray(sums[..., 1] / sums[..., 0])


def _sd(sums: Array) -> Array:
    n, total, squares = np.moveaxis(sums, -1, 0)
    return np.asarray(np.sqrt(np.maximum(squares - total**2 / n, 0.0) / (n - 1)))


def _harmonic(sums: Array) -> Array:
    """Of found and all of the first, found and all of the second; 0 where neither has one in common."""
    recall, precision = sums[..., 0] / sums[..., 1], sums[..., 2] / sums[..., 3]
    whole = recall + precision
    return np.where(whole > 0, 2 * recall * precision / np.where(whole > 0, whole, 1.0), whole)


RESAMPLED: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "recall": lambda sums: sums[..., 0] / sums[..., 1],
        "precision": lambda sums: sums[..., 2] / sums[..., 3],
        "f1": _harmonic,
        "kappa_cohen": _cohen,
        "kappa_free": _free,
        "kappa_fleiss": _fleiss_of,
        "icc_2_1": _icc,
        "bias": _mean,
        "lower_limit": lambda sums: _mean(sums) - _Z * _sd(sums),
        "upper_limit": lambda sums: _mean(sums) + _Z * _sd(sums),
        "dice": _mean,
    }
)
"""Name of a statistic to its formula of sums."""


def resampled(statistic: str, sums: Array, resamples: int, seed: int) -> tuple[float, float, str]:
    """Give the 95 % percentile interval of a statistic by drawing patients with replacement (Efron 1979).

    Parameters
    ----------
    statistic : str
        A name in ``RESAMPLED``.
    sums : ndarray, shape (patients, m)
        What its formula takes, of each patient: a patient comes with all visits, as these are not independent.
    resamples, seed : int
        How often, and the start of the random numbers: the same seed gives the same interval.

    Returns
    -------
    low, high, why_not : float, float, str
        NaN, and why, where all draws give the same, or the statistic is not defined in more than 5 % of them.
    """
    n = len(sums)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = RESAMPLED[statistic](drawn @ sums)
    known = found[np.isfinite(found)]
    lost = 1 - len(known) / len(found)
    if lost > _MOST_LOST:
        return _NAN, _NAN, f"no interval: not defined in {lost:.0%} of the draws of patients"
    low, high = np.percentile(known, [2.5, 97.5])
    if high - low <= _TINY:
        return _NAN, _NAN, "no interval: all draws of patients give the same"
    return float(low), float(high), ""
