"""A first guess corrected: what a reader puts right stays, and what hangs on it follows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lesionmap import skeleton
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.skeleton import PlacedLandmark, Placement

__all__ = ["correct"]

_LEAST = 0.5  # of a guess's precision that must be left (assumed)


def correct(guess: Placement, landmarks: Mapping[str, Sequence[float]]) -> Placement:
    """Put landmarks of a guess (previous visit, silhouette) right; those put right are *placed* from then on.

    The landmarks put right tell where the others are by the model of the skeleton; the guess tells it too. The two are
    independent, so each of the others is their mean, weighted by precision.

    Parameters
    ----------
    guess : Placement
        All landmarks with their radii.
    landmarks : mapping of str to (x, y, z)
        LPS mm: the landmarks that are put right (or were before).

    Returns
    -------
    Placement
        Of the same ``how``.

    Raises
    ------
    LesionmapError
        As ``skeleton.place`` does.
    """
    marks = {mark.name: mark for mark in guess.landmarks}
    unknown = sorted(set(landmarks) - set(marks))
    if unknown or not landmarks:
        raise LesionmapError(f"landmarks of the skeleton were expected, got {', '.join(unknown) or 'none'}")
    before = {name: mark.lps_mm for name, mark in marks.items() if mark.placed}
    sure = before | {name: tuple(map(float, lps_mm)) for name, lps_mm in landmarks.items()}
    told = {mark.name: mark for mark in _model(sure, guess)}
    used = {mark.name: mark for mark in _model(before, guess)} if before else {}
    fused = {name: _fused(mark, told[name], used.get(name)) for name, mark in marks.items() if name not in sure}
    positions = {name: sure[name] if name in sure else fused[name][0] for name in marks}
    placed = skeleton.place(positions, age_y=guess.age_y, sex=guess.sex, stature_cm=guess.stature_cm)
    rows = tuple(
        mark if mark.name in sure else replace(mark, placed=False, radius90_mm=fused[mark.name][1])
        for mark in placed.landmarks
    )
    return replace(guess, landmarks=rows, coverage=None, warnings=placed.warnings)


def _model(sure: Mapping[str, tuple[float, ...]], guess: Placement) -> tuple[PlacedLandmark, ...]:
    """Give all landmarks as the model of the skeleton has them from the sure ones alone."""
    return skeleton.place(sure, age_y=guess.age_y, sex=guess.sex, stature_cm=guess.stature_cm).landmarks


def _fused(
    guess: PlacedLandmark, told: PlacedLandmark, used: PlacedLandmark | None
) -> tuple[tuple[float, float, float], float]:
    """Give the mean of a guess and of what the sure landmarks tell, weighted by precision, and its radius, LPS mm.

    What the landmarks told that were sure before (``used``) is in the guess already and is taken out.
    """
    weights = [_precision(guess), _precision(told), -_precision(used) if used else 0.0]
    total = sum(weights)
    if total <= _LEAST * weights[0]:  # the model believes less than it did: what it says of the difference is noise
        return guess.lps_mm, guess.radius90_mm
    points = np.array([guess.lps_mm, told.lps_mm, used.lps_mm if used else (0.0, 0.0, 0.0)])
    x, y, z = (np.array(weights) @ points / total).tolist()
    return (x, y, z), float(total**-0.5)


def _precision(mark: PlacedLandmark) -> float:
    return 1.0 / max(mark.radius90_mm, 1.0) ** 2
