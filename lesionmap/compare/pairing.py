"""Which Series of two visits show the same and are looked at side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lesionmap.visits import Series, Visit

__all__ = ["pair_series"]

_CONTRASTS = {"STIR": 0.0, "T2": 1.0, "PD": 1.5, "T1": 3.0}
"""Place of a sequence on the way from fluid to fat; others pair with their like alone."""
_NOT_THE_SAME = 0.25
"""A like contrast of another sequence comes after the same sequence."""
_FAT_SUPPRESSED = "water"
_SHARED = ("magnitude", "b=")
"""Words of a kind in which paired series may differ."""


def pair_series(earlier: Visit, later: Visit) -> tuple[tuple[str, str], ...]:
    """Pair the Series of two visits by what they show.

    Each Series of the later visit gets the one of the earlier visit that is most like it. It must be of the same
    modality and part (phase with phase, water with water, localizer with localizer); a bone scan pairs view with view
    and never an early with a late phase. The rule then is, the first that tells two apart: the same sequence; else the
    nearest contrast, so that STIR pairs with fat-suppressed T2, then T2, then PD, then T1; the same plane; the nearest
    b-value; a like length of body; the same name (first echo with first echo). Diffusion, maps and sequences that the
    header does not name pair with their like alone.

    Parameters
    ----------
    earlier, later : Visit

    Returns
    -------
    tuple of (name in ``earlier``, name in ``later``)
        In the order of the later visit. A Series that nothing fits has no pair; two of the later visit may share one
        of the earlier.
    """
    pairs = []
    for series in later.series:
        unlike = {other.name: found for other in earlier.series if (found := _unlikeness(series, other)) is not None}
        if unlike:
            pairs.append((min(unlike, key=lambda name: unlike[name]), series.name))
    return tuple(pairs)


def _unlikeness(a: Series, b: Series) -> tuple[float, ...] | None:
    """Say how unlike two series are, the weightiest first; None: they do not pair."""
    if (a.modality, a.projection) != (b.modality, b.projection):
        return None
    contrast = _contrast_steps(a, b)
    if contrast is None:
        return None
    if a.projection:
        if a.plane != b.plane or {a.phase, b.phase} == {"early", "late"}:
            return None
        return (float(a.phase != b.phase), float(a.name != b.name))
    heights = [float(np.ptp(series.grid.corners_lps_mm()[:, 2])) for series in (a, b)]
    length = round(abs(float(np.log(heights[0] / heights[1]))), 1)
    return (contrast, float(a.plane != b.plane), abs(_b_value(a) - _b_value(b)), length, float(a.name != b.name))


def _contrast_steps(a: Series, b: Series) -> float | None:
    """Count the steps between two contrasts: 0 for the same sequence and part; None where nothing compares."""
    if a.sequence == b.sequence and _part(a) == _part(b):
        return 0.0
    if not all(series.sequence in _CONTRASTS and _part(series) <= {_FAT_SUPPRESSED} for series in (a, b)):
        return None
    return _NOT_THE_SAME + abs(_place(a) - _place(b))


def _place(series: Series) -> float:
    """Give the place of a contrast: water of T2 or PD is fat-suppressed, like STIR; of T1 it is another T1."""
    suppressed = _FAT_SUPPRESSED in series.kind and series.sequence in ("T2", "PD")
    return 0.0 if suppressed else _CONTRASTS[series.sequence]


def _part(series: Series) -> set[str]:
    return {word for word in series.kind if not word.startswith(_SHARED)}


def _b_value(series: Series) -> float:
    return next((float(word[2:]) for word in series.kind if word.startswith("b=")), 0.0)
