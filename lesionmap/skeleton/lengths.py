"""Lengths of the legs from the placed landmarks: a difference between the sides is a known late effect of CRMO."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.skeleton.estimate import PLACING_MM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lesionmap.skeleton.placement import PlacedLandmark, Placement

__all__ = ["Length", "leg_lengths"]

LengthName = Literal["femur", "tibia", "leg"]

# hip: centre of the femoral head; knee: middle of the joint line; ankle: between the malleoli
_ENDS: dict[LengthName, tuple[str, ...]] = {
    "femur": ("hip", "knee"),
    "tibia": ("knee", "ankle"),
    "leg": ("hip", "knee", "ankle"),
}
_WIDEST_MM = 15.0
_SD_OF_RADIUS90 = 1 / 2.5003  # root of the 0.9 quantile of chi-square with three degrees of freedom


@dataclass(frozen=True, slots=True)
class Length:
    """A length of both legs in mm, each with its standard error; None where the landmarks do not tell it."""

    name: LengthName
    """``femur``: hip centre to knee; ``tibia``: knee to ankle; ``leg``: both, so that a bent knee shortens nothing."""
    left_mm: float | None
    left_se_mm: float | None
    right_mm: float | None
    right_se_mm: float | None
    difference_mm: float | None
    """Left minus right."""
    difference_se_mm: float | None


def leg_lengths(placement: Placement, *, placing_mm: float = PLACING_MM) -> tuple[Length, ...]:
    """Measure femur, tibia and whole leg of both sides.

    An estimated landmark tells the model's length rather than the child's. So an end that is estimated counts only
    where its neighbours fix it: 90 % radius of at most 15 mm (assumed). The knee of the whole leg lies between the ends
    and may be estimated more widely, for it hardly changes the sum.

    Parameters
    ----------
    placement : Placement
        Landmarks in patient LPS mm.
    placing_mm : float
        Standard deviation of each coordinate of a placed landmark, mm (assumed; put your own readers' here).

    Returns
    -------
    tuple of Length
        Femur, tibia, leg. Standard errors are first-order: errors of landmarks are independent, equal in x, y and z.
    """
    marks = {mark.name: mark for mark in placement.landmarks}
    return tuple(_both(name, marks, placing_mm) for name in _ENDS)


def _both(name: LengthName, marks: Mapping[str, PlacedLandmark], placing_mm: float) -> Length:
    (left, left_se), (right, right_se) = (_length(name, marks, side, placing_mm) for side in ("left", "right"))
    if left is None or right is None or left_se is None or right_se is None:
        return Length(name, left, left_se, right, right_se, None, None)
    return Length(name, left, left_se, right, right_se, left - right, float(np.hypot(left_se, right_se)))


def _length(
    name: LengthName, marks: Mapping[str, PlacedLandmark], side: str, placing_mm: float
) -> tuple[float | None, float | None]:
    """Give the length of the way through the landmarks and its standard error, mm."""
    way = [marks.get(f"{end}_{side}") for end in _ENDS[name]]
    found = [mark for mark in way if mark is not None]
    if len(found) < len(way) or any(mark.radius90_mm > _WIDEST_MM for mark in (found[0], found[-1])):
        return None, None
    points = np.array([mark.lps_mm for mark in found])
    steps = np.diff(points, axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    if lengths.min() < 1.0:
        return None, None
    units = np.vstack([np.zeros(3), steps / lengths[:, None], np.zeros(3)])
    pulls = np.array([before - after for before, after in pairwise(units)])  # change of the length with each landmark
    spread = [placing_mm if mark.placed else mark.radius90_mm * _SD_OF_RADIUS90 for mark in found]
    return float(lengths.sum()), float(np.sqrt(np.sum(np.sum(pulls**2, axis=1) * np.square(spread))))
