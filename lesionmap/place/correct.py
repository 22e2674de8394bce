"""A first guess corrected: what a reader puts right stays, and what hangs on it follows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.skeleton import growth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.skeleton import Placement

__all__ = ["correct"]

_APART_MM = 4.0  # by how much two neighbours' errors differ at least (assumed)


def correct(guess: Placement, landmarks: Mapping[str, Sequence[float]]) -> Placement:
    """Put landmarks of a guess (previous visit, silhouette) right; those put right are *placed* from then on.

    The errors of a guess are shared by neighbours: its radii grow from landmark to landmark along the body, and what
    two landmarks have in common is the error of the way to both. So the others move along as far as they share the
    error that was put right, and their radii shrink.

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
    names = [mark.name for mark in guess.landmarks]
    unknown = sorted(set(landmarks) - set(names))
    if unknown or not landmarks:
        raise LesionmapError(f"landmarks of the skeleton were expected, got {', '.join(unknown) or 'none'}")
    sure = {n: m.lps_mm for n, m in marks.items() if m.placed} | {n: tuple(map(float, p)) for n, p in landmarks.items()}
    shared = _shared(guess)
    known = [names.index(name) for name in sure]
    rest = shared[np.ix_(known, known)] + 1e-6 * np.eye(len(known))
    gain = np.linalg.solve(rest, shared[known]).T
    gap = np.array([np.subtract(sure[names[i]], marks[names[i]].lps_mm) for i in known])
    moved = np.array([marks[name].lps_mm for name in names]) + gain @ gap
    left = np.clip(np.diag(shared) - np.einsum("ij,ji->i", gain, shared[known]), 0.0, None)
    before = np.maximum(np.diag(shared), 1e-9)
    positions = {n: (sure[n] if n in sure else tuple(moved[i].tolist())) for i, n in enumerate(names)}
    placed = skeleton.place(positions, age_y=guess.age_y, sex=guess.sex, stature_cm=guess.stature_cm)
    rows = tuple(
        mark
        if mark.name in sure
        else replace(mark, placed=False, radius90_mm=marks[mark.name].radius90_mm * float(np.sqrt(left[i] / before[i])))
        for i, mark in ((names.index(m.name), m) for m in placed.landmarks)
    )
    return replace(guess, landmarks=rows, coverage=None, warnings=placed.warnings)


def _shared(guess: Placement) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Give how far the errors of any two landmarks are the same, mm² (of the 90 % radius), shape (n, n).

    Each step along the body (``growth.parents``) adds an error of its own: what the radius grows by, at least 4 mm.
    """
    radius = {mark.name: mark.radius90_mm for mark in guess.landmarks}
    parents = growth.parents()
    names = [mark.name for mark in guess.landmarks]
    ways = []
    for name in names:
        way = {"S1": radius["S1"] ** 2}
        at = name
        while at != "S1":
            parent = parents[at][0]
            way[at] = max(radius[at] ** 2 - radius[parent] ** 2, 0.3 * radius[at] ** 2, _APART_MM**2)
            at = parent
        ways.append(way)
    found = np.array([[sum(a[k] for k in a.keys() & b.keys()) for b in ways] for a in ways])
    size = np.sqrt(np.diag(found))
    own = np.maximum([radius[name] for name in names], 1.0)
    return np.asarray(found / np.outer(size, size) * np.outer(own, own))
