"""Placement: a Skeleton put on one visit, from landmarks.

The landmarks that are not given are estimated. The body's landmarks form a tree (growth.CHAIN); each offset from a
landmark to the next is the one of a child of that age, sex and stature, give or take a share of its length (it may turn
and differ). That makes all landmarks jointly Gaussian, so those not given have a conditional mean and a spread in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.skeleton import growth
from lesionmap.skeleton.anatomy import landmarks as landmark_names
from lesionmap.skeleton.anatomy import mirror

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["LabelMap", "PlacedLandmark", "Placement", "place"]

How = Literal["landmarks", "labels", "previous", "silhouette"]
Sex = Literal["F", "M"]

# How far an offset may differ from the model, as share of its length (assumed): the trunk is stiff, limbs swing.
_FREEDOM = {
    "head": 0.15, "spine": 0.25, "thorax": 0.15, "girdle": 0.2, "pelvis": 0.12, "upper_arm": 0.35, "forearm": 0.4,
    "hand": 0.35, "thigh": 0.2, "shank": 0.2, "foot": 0.3,
}  # fmt: skip
_LEAST_MM = 4.0
_RADIUS90 = 2.5003  # sqrt of the 0.9 quantile of chi-square with 3 degrees of freedom


@dataclass(frozen=True, slots=True)
class PlacedLandmark:
    """One landmark of a placement, in patient LPS mm."""

    name: str
    lps_mm: tuple[float, float, float]
    placed: bool
    """True: put there by a reader or a label map; False: estimated."""
    radius90_mm: float
    """90 % of true positions are expected within this distance; 0 for a placed one."""


@dataclass(frozen=True, slots=True)
class LabelMap:
    """A bone label map that goes with a placement: where it is and what its numbers mean."""

    path: str
    sha256: str
    names: tuple[tuple[int, str, str], ...]
    """Rows (label, bone or group family, side); a label with several rows is one of these bones."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A Skeleton put on one visit."""

    landmarks: tuple[PlacedLandmark, ...]
    """The 43 in the order of ``anatomy.landmarks()``, then all other vertebrae (``T7``)."""
    age_y: float
    sex: Sex | None
    stature_cm: float
    inferred: tuple[str, ...] = ()
    """Which of age_y, stature_cm were inferred from the landmarks."""
    how: How = "landmarks"
    labels: LabelMap | None = None
    coverage: tuple[tuple[str, float], ...] | None = None
    """(site id, share of its volume inside imaged voxels); None: not computed, no images."""
    warnings: tuple[str, ...] = ()
    """What looks impossible about the landmarks, one line each."""

    def shape_key(self) -> Placement:
        """Give the placement without all that does not bear on the skeleton's shape: what shapes are cached by."""
        return Placement(self.landmarks, self.age_y, self.sex, self.stature_cm)

    def positions(self) -> dict[str, tuple[float, float, float]]:
        """Give name → LPS mm of all landmarks."""
        return {mark.name: mark.lps_mm for mark in self.landmarks}


def place(
    landmarks: Mapping[str, Sequence[float]],
    *,
    age_y: float | None = None,
    sex: Sex | None = None,
    stature_cm: float | None = None,
) -> Placement:
    """Place the skeleton on landmarks; those not given are estimated and say so.

    Parameters
    ----------
    landmarks : mapping of str to (x, y, z)
        LPS mm; any subset of the 43, and any vertebra by name (``T7``). A placed landmark is never moved.
    age_y, sex, stature_cm : optional
        Stature is inferred from the distances of the landmarks, age from stature, where not given.

    Raises
    ------
    LesionmapError
        On an unknown name, a value that is not finite, coordinates that cannot be mm, or no landmark at all.
    """
    given = _checked(landmarks)
    age, stature, inferred = _size(given, age_y, sex, stature_cm)
    mean = _lay(growth.landmark_model(age, sex, stature), given)
    points, spread = _condition(mean, given)
    order = [*landmark_names(), *(v for v in growth.vertebra_names() if v not in landmark_names())]
    marks = tuple(
        PlacedLandmark(
            name,
            (float(points[name][0]), float(points[name][1]), float(points[name][2])),
            name in given,
            0.0 if name in given else float(spread[name] * _RADIUS90),
        )
        for name in order
    )
    return Placement(marks, age, sex, stature, inferred, warnings=_warnings(given, mean))


def _checked(landmarks: Mapping[str, Sequence[float]]) -> dict[str, NDArray[np.float64]]:
    """Give the landmarks as arrays, or say what is wrong with them."""
    names = {*landmark_names(), *growth.vertebra_names()}
    given: dict[str, NDArray[np.float64]] = {}
    for name, xyz in landmarks.items():
        if name not in names:
            raise LesionmapError(
                f"landmark {name!r} is not known; paired ones end in _left or _right, vertebrae read like T7"
            )
        point = np.asarray(xyz, dtype=np.float64)
        if point.shape != (3,) or not np.isfinite(point).all():
            raise LesionmapError(f"landmark {name} needs three finite coordinates in LPS mm, got {list(xyz)}")
        given[name] = point
    if not given:
        raise LesionmapError("no landmark was given; at least one is needed, 16 are enough to begin")
    if len(given) >= 4:
        extent = float(np.ptp(np.array(list(given.values())), axis=0).max())
        if extent < 20.0:
            raise LesionmapError(
                f"the landmarks lie within {extent:.2f} of each other: LPS mm are expected, got metres or voxels?"
            )
    return given


def _size(
    given: dict[str, NDArray[np.float64]], age_y: float | None, sex: Sex | None, stature_cm: float | None
) -> tuple[float, float, tuple[str, ...]]:
    """Give age, stature and which of them were inferred."""
    inferred = tuple(n for n, v in (("age_y", age_y), ("stature_cm", stature_cm)) if v is None)
    if stature_cm is None:
        stature_cm = _fit_stature(given, age_y, sex)
    if age_y is None:
        age_y = growth.age_for_stature(stature_cm, sex)
    return age_y, stature_cm, inferred


# Pairs whose distance tells the size whatever the pose.
_SIZERS = (
    ("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"), ("C7", "T12"), ("T12", "L5"),
    ("C7", "L5"), ("heel", "toe2"), ("vertex", "C7"), ("hip_left", "hip_right"), ("shoulder_left", "shoulder_right"),
    ("asis_left", "asis_right"), ("sternal_notch", "xiphoid"), ("wrist", "fingertip3"), ("L5", "S1"),
)  # fmt: skip


@lru_cache(maxsize=32)
def _size_table(age_y: float | None, sex: Sex | None) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Give statures in cm and, for each, every landmark of the model, shape (statures, 3)."""
    statures = np.arange(70.0, 205.0, 1.0)
    models = []
    for stature in statures.tolist():
        age = age_y if age_y is not None else growth.age_for_stature(stature, sex)
        models.append(growth.landmark_model(age, sex, stature))
    return statures, {name: np.array([model[name] for model in models]) for name in models[0]}


def _fit_stature(given: dict[str, NDArray[np.float64]], age_y: float | None, sex: Sex | None) -> float:
    """Find the stature whose landmark distances are nearest to the given ones (least squares of logarithms)."""
    pairs = [
        (a + s, b + s)
        for a, b in _SIZERS
        for s in ("", "_left", "_right")
        if a + s in given and b + s in given and np.linalg.norm(given[a + s] - given[b + s]) > 1e-6
    ]
    if not pairs:
        return growth.stature_for_age(age_y if age_y is not None else 10.0, sex)
    statures, models = _size_table(age_y, sex)
    cost = np.zeros(len(statures))
    for a, b in pairs:
        expected = np.linalg.norm(models[a] - models[b], axis=1)
        cost += np.log(np.linalg.norm(given[a] - given[b]) / expected) ** 2
    return float(statures[int(np.argmin(cost))])


def _lay(
    model: dict[str, NDArray[np.float64]], given: dict[str, NDArray[np.float64]]
) -> dict[str, NDArray[np.float64]]:
    """Lay the model on the given landmarks: turned and shifted, not scaled (Kabsch, leaning to no turn)."""
    names = [n for n in given if n in model]
    stiff = np.array([0.2 if n.startswith(("elbow", "wrist", "mcp3", "finger", "toe", "heel")) else 1.0 for n in names])
    target, source = np.array([given[n] for n in names]), np.array([model[n] for n in names])
    weight = stiff[:, None] / stiff.sum()
    centre_t, centre_s = (weight * target).sum(axis=0), (weight * source).sum(axis=0)
    lean = 100.0**2 / max(len(names), 1)  # mm²: keeps the body from turning about an axis that the landmarks do not fix
    cross = (weight * (target - centre_t)).T @ (source - centre_s) + lean * np.eye(3)
    u, _, vt = np.linalg.svd(cross)
    turn = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    return {name: turn @ (point - centre_s) + centre_t for name, point in model.items()}


@cache
def _tree() -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Give all names, and for each name which edges (named by their lower end) lie between it and S1."""
    parents = growth.parents()
    names = ("S1", *parents)
    index = {name: i for i, name in enumerate(names)}
    paths = np.zeros((len(names), len(names)), dtype=bool)
    for name in parents:
        at = name
        while at != "S1":
            paths[index[name], index[at]] = True
            at = parents[at][0]
    return names, paths


def _condition(
    mean: dict[str, NDArray[np.float64]], given: dict[str, NDArray[np.float64]]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, float]]:
    """Give the conditional mean of every landmark and its spread (standard deviation per axis, mm)."""
    names, paths = _tree()
    parents = growth.parents()
    variance = np.zeros(len(names))
    for i, name in enumerate(names[1:], start=1):
        parent, part = parents[name]
        length = float(np.linalg.norm(mean[name] - mean[parent]))
        variance[i] = (_FREEDOM[part] * length) ** 2 / 3 + _LEAST_MM**2 / 3
    covariance = (paths * variance) @ paths.T + 20.0**2  # where the whole body lies is open by 20 mm
    seen = np.array([name in given for name in names])
    prior = np.array([mean[name] for name in names])
    gap = np.array([given[name] - mean[name] for name in names if name in given])
    within = covariance[np.ix_(seen, seen)] + 1e-6 * np.eye(int(seen.sum()))
    gain = np.linalg.solve(within, covariance[seen]).T
    points = prior + gain @ gap
    left = np.clip(np.diag(covariance) - np.einsum("ij,ji->i", gain, covariance[seen]), 0.0, None)
    result = {name: (given[name] if name in given else points[i]) for i, name in enumerate(names)}
    return result, {name: float(np.sqrt(left[i])) for i, name in enumerate(names)}


def _warnings(given: dict[str, NDArray[np.float64]], mean: dict[str, NDArray[np.float64]]) -> tuple[str, ...]:
    """Say in words what looks impossible: sides exchanged, landmarks on one point, far from where they can be."""
    lines = []
    for name, point in given.items():
        other = mirror(name)
        if name.endswith("_left") and other in given:
            across = mean[name] - mean[other]
            if float((point - given[other]) @ across) < 0:
                lines.append(f"{name} and {other} look exchanged: left lies on the patient's right")
        far = float(np.linalg.norm(point - mean[name]))
        if far > 400.0:
            lines.append(f"{name} lies {far:.0f} mm from where the other landmarks expect it")
    points = sorted(given.items())
    for i, (name, point) in enumerate(points):
        for other, second in points[i + 1 :]:
            if float(np.linalg.norm(point - second)) < 1.0:
                lines.append(f"{name} and {other} lie on the same point")
    return tuple(lines)
