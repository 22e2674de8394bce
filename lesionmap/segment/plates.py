"""Is this hot spot a growth plate as the others of the same scan? Evidence, no verdict: the reader decides.

No norm by age is sourced, but two peaks of the distal femoral plate over its shaft, 8.26 (girls, 11 years) and 8.18
(boys, 13 years): above these a plate is not called usual. All else is compared within the scan: with the same plate of
the other side, with the shaft of the same bone, and with the other plates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.measure.uptake import disc, mean_counts, shaft
from lesionmap.skeleton import growth
from lesionmap.skeleton.limits import physis_planes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import ArrayLike, NDArray

    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.seen import Face
    from lesionmap.space import Volume

    Array = NDArray[np.float64]

__all__ = ["PEAK", "PlateEvidence", "plate_evidence"]

PEAK = 8.26
"""Highest mean of counts at the distal femoral plate over the shaft (334 children, girls of 11 years; domain.md, 8)."""
_NEAR_MM = 15.0  # a spot so near to a plate in the view may be it (assumed)
_EVEN = 1.35  # left over right, or over the other plates, that still is usual: 20 % between sides and noise (assumed)


@dataclass(frozen=True, slots=True)
class PlateEvidence:
    """What the scan says of a hot spot near an open growth plate; None is not known, never 1."""

    bone: str
    side: str
    segments: tuple[str, str]
    """Before and behind the plate."""
    away_mm: float
    """From the spot to the middle of the plate, in the view."""
    to_mirrored: float | None
    """Mean counts over those of the same plate of the other side."""
    to_shaft: float | None
    """The same over the middle third of the bone's shaft."""
    to_others: float | None
    """``to_shaft`` over the median of that of all other plates."""

    @property
    def usual(self) -> bool:
        """Whether nothing speaks against a normal plate: as hot as the other side, and below the highest norm.

        A heel bone has no shaft: the other side alone tells.
        """
        even = self.to_mirrored is not None and self.to_mirrored <= _EVEN
        return even and (self.to_shaft is None or self.to_shaft <= PEAK)


def plate_evidence(views: Mapping[Face, Volume], placement: Placement, point_lps_mm: ArrayLike) -> PlateEvidence | None:
    """Compare a hot spot with the growth plates of the same scan.

    Parameters
    ----------
    views : mapping of {"anterior", "posterior"} to Volume
        Of one scan; the geometric mean of both is compared, that of one view where there is one.
    placement : Placement
        Of the scan.
    point_lps_mm : array-like, (x, y, z)
        Middle of the spot, LPS mm; y is not used.

    Returns
    -------
    PlateEvidence or None
        None where no open plate is near, and in a grown person, even of plates whose closing age is not known.
    """
    if growth.open_share(placement.age_y, placement.sex) <= 0:
        return None
    point = np.asarray(point_lps_mm, dtype=np.float64)
    plates = {(bone, side, pair[0]): (at, pair) for bone, side, pair, at, *_ in physis_planes(placement)}
    away = {key: float(np.hypot(at[0] - point[0], at[2] - point[2])) for key, (at, _) in plates.items()}
    key = min(away, key=lambda one: away[one], default=None)
    if key is None or away[key] > _NEAR_MM:
        return None
    shafts = {one[:2]: _shaft(views, placement, *one[:2]) for one in plates}
    ratios = {one: _over(_mean(views, at), shafts[one[:2]]) for one, (at, _) in plates.items()}
    bone, side, before = key
    here = _mean(views, point)
    twin = plates.get((bone, "right" if side == "left" else "left", before))
    others = [value for one, value in ratios.items() if one != key and np.isfinite(value)]
    to_shaft = _over(here, shafts[bone, side])
    return PlateEvidence(
        bone,
        side,
        plates[key][1],
        away[key],
        _known(_over(here, _mean(views, twin[0]))) if twin else None,
        _known(to_shaft),
        _known(_over(to_shaft, float(np.median(others)))) if others else None,
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _over(value: float, other: float) -> float:
    return value / other if other > 0 else float("nan")


def _shaft(views: Mapping[Face, Volume], placement: Placement, bone: str, side: str) -> float:
    return _both(mean_counts(view, shaft(bone, side, view, placement)) for view in views.values())


def _mean(views: Mapping[Face, Volume], at: Array) -> float:
    """Give the mean counts a pixel in a disc: the geometric mean of the views; NaN outside of them."""
    return _both(mean_counts(view, disc(view, at)) for view in views.values())


def _both(found: Iterable[float | None]) -> float:
    means = [np.nan if one is None else one for one in found]
    return float(np.exp(np.mean(np.log(np.maximum(means, 1e-9)))))
