"""Where landmarks are believed to be: one that was set is some mm off, and its neighbours and the other side know.

A placed landmark stays where it was put. The bones hang on where it most probably is, given how all were set: vertebrae
are held by their neighbours (``frames.py``), joints by the most probable body (``estimate.py``). How far landmarks were
set wrongly is read off the two sides: lengths of left and right that agree to a millimetre were not set 5 mm wrongly.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton import growth, joints
from lesionmap.skeleton.estimate import PLACING_MM, estimate, scale_of
from lesionmap.skeleton.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lesionmap.skeleton.placement import Placement

    Array = NDArray[np.float64]

__all__ = ["believed", "placing_mm"]

_LEAST = 12  # so many lengths, at least, tell how far the sides disagree (assumed)
_EXACT_MM = 0.3  # below it landmarks are taken as they are
_FARTHEST = 2.0  # standard deviations of placing: a landmark that was set farther off was meant so (assumed)
_MEDIAN = 0.6745  # of the absolute value of a standard normal number
# Within a rigid piece, beside the lengths from each landmark to the one that it hangs on.
_RIGID = (
    ("asis", "hip"), ("asis", "pubis"), ("hip", "pubis"), ("ischium", "pubis"), ("ischium", "asis"),
    ("hip", "si_joint"), ("heel", "toe2"), ("mandible_angle", "chin"), ("mandible_angle", "vertex"),
    ("ac_joint", "sternal_notch"),
)  # fmt: skip


@cache
def _lengths() -> tuple[tuple[str, str, str, str], ...]:
    """Give lengths that both sides have: two landmarks of the left, the same two of the right."""
    parents, found = growth.parents(), []
    edges = [(name.removesuffix("_left"), parents[name][0]) for name in parents if name.endswith("_left")]
    for child, other in (*edges, *_RIGID):
        parent = other.removesuffix("_left")
        left, right = (parent if parent in parents or parent == "S1" else f"{parent}_{s}" for s in ("left", "right"))
        found.append((f"{child}_left", left, f"{child}_right", right))
    return tuple(found)


def placing_mm(marks: Mapping[str, Array]) -> float:
    """Tell how far each coordinate of landmarks was set wrongly, from how differently long the two sides are.

    Parameters
    ----------
    marks : mapping of str to ndarray, shape (3,)
        LPS mm.

    Returns
    -------
    float
        Standard deviation in mm, at most ``PLACING_MM``; that, where too few lengths tell. A difference of two lengths
        holds four errors; the median of all leaves out a leg that is shorter in truth.
    """
    rows = [np.array([marks[name] for name in four]) for four in _lengths() if all(name in marks for name in four)]
    if len(rows) < _LEAST:
        return PLACING_MM
    left, right = (np.linalg.norm(np.diff(np.array(rows)[:, k : k + 2], axis=1)[:, 0], axis=1) for k in (0, 2))
    return float(min(np.median(np.abs(left - right)) / (2 * _MEDIAN), PLACING_MM))


def believed(placement: Placement) -> Mapping[str, Array]:
    """Give where each landmark most probably is, LPS mm: the estimated ones where they are, placed ones near it."""
    return _believed(placement.shape_key())


@lru_cache(maxsize=8)
def _believed(placement: Placement) -> Mapping[str, Array]:
    points = {mark.name: np.array(mark.lps_mm) for mark in placement.landmarks}
    placed = {mark.name: points[mark.name] for mark in placement.landmarks if mark.placed}
    error_mm = placing_mm(placed)
    if error_mm < _EXACT_MM or len(placed) < _LEAST:
        return points
    child = (placement.age_y, placement.sex, placement.stature_cm)
    with one_thread():
        found = estimate(placed, scale_of(placed, *child), *child, placing_mm=error_mm)
    for name, at in placed.items():
        off = found.points[joints.tree().index[name]] - at
        points[name] = at + off * min(1.0, _FARTHEST * error_mm / max(float(np.linalg.norm(off)), 1e-9))
    return points
