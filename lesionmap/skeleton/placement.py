"""Placement: a Skeleton put on one visit, from landmarks.

The landmarks that are not given are estimated (``estimate.py``): the jointed body of a child of that age, sex and
stature is bent and stretched to those given, as far as joints and persons allow, and says how sure each place is.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.skeleton import growth, joints
from lesionmap.skeleton.anatomy import landmarks as landmark_names
from lesionmap.skeleton.estimate import estimate, scale_of
from lesionmap.skeleton.plausible import doubts
from lesionmap.skeleton.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lesionmap.skeleton.estimate import Scale

__all__ = ["LabelMap", "PlacedLandmark", "Placement", "place", "radius90_mm"]

How = Literal["landmarks", "labels", "previous", "silhouette"]
Sex = Literal["F", "M"]

_AGES_Y = (0.0, 120.0)
_MADE_FOR_Y = 2.0
_STATURES_CM = (60.0, 230.0)  # the smallest child, and taller than nearly all adults (assumed)
_NORMAL_90 = 1.2816  # 0.9 quantile of the normal distribution
# Radii as the spreads in bones.toml give them hold more than 90 %, since some spreads cover anatomies that differ by a
# fixed amount. Of them this share is stated, chosen so that two real skeletons come to 90 % (docs/measured.md).
_HOLDS_90 = 0.92


@dataclass(frozen=True, slots=True)
class PlacedLandmark:
    """One landmark of a placement, in patient LPS mm."""

    name: str
    lps_mm: tuple[float, float, float]
    placed: bool
    """True: put there by a reader or a label map; False: estimated."""
    radius90_mm: float
    """90 % of true positions are expected within this distance; 0 for a placed one whose depth is known."""


@dataclass(frozen=True, slots=True)
class LabelMap:
    """A bone label map that goes with a placement: where it is and what its numbers mean."""

    path: str
    sha256: str
    names: tuple[tuple[int, str, str], ...]
    """Rows (label, bone or group family, side); a label with several rows is one of these bones."""


_HASHED = 7  # every seventh landmark takes part in the hash


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
    scan: Placement | None = None
    """The same child on the planar views of a visit that has slices too: nobody knows where these views lie in the
    frame of the slices. None: not placed there, or the visit has views alone, and this is on them."""

    def __hash__(self) -> int:
        # Shapes are looked up by their placement hundreds of times for one picture: a few numbers are hashed fast.
        return hash((self.age_y, self.stature_cm, *[mark.lps_mm for mark in self.landmarks[::_HASHED]]))

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
    flat: bool = False,
) -> Placement:
    """Place the skeleton on landmarks; those not given are estimated and say so.

    Parameters
    ----------
    landmarks : mapping of str to (x, y, z)
        LPS mm; any subset of the 43, and any vertebra by name (``T7``). A placed landmark is never moved.
    age_y, sex, stature_cm : optional
        Stature is inferred from the landmarks, age from stature, where not given. Sex stays unknown: the model is then
        the mean of both (bones of children do not tell it).
    flat : bool
        The landmarks were put on planar views: y is not used and estimated.

    Raises
    ------
    LesionmapError
        On an unknown name, a value that is not finite, coordinates that cannot be mm, no landmark at all, or an age or
        stature that nobody has.
    """
    _check_child(age_y, stature_cm)
    given = _checked({name: (p[0], 0.0, p[2]) for name, p in landmarks.items()} if flat else landmarks)
    if flat:
        given = {name: point * [1.0, np.nan, 1.0] for name, point in given.items()}
    scale = scale_of(given, age_y, sex, stature_cm)
    _check_scale(scale)
    with one_thread():
        found = estimate(given, scale, age_y, sex, stature_cm)
    inferred = tuple(n for n, v in (("age_y", age_y), ("stature_cm", stature_cm)) if v is None)
    stature = found.stature_cm if stature_cm is None else stature_cm
    age = growth.age_for_stature(stature, sex) if age_y is None else age_y
    index, radius = joints.tree().index, radius90_mm(found.covariance)
    order = [*landmark_names(), *(v for v in growth.vertebra_names() if v not in landmark_names())]
    marks = []
    whole = {name: np.where(np.isnan(p), found.points[index[name]], p) for name, p in given.items()}
    for name in order:
        x, y, z = whole.get(name, found.points[index[name]]).tolist()
        spread = 0.0 if np.isfinite(given.get(name, np.nan)).all() else float(radius[index[name]])
        marks.append(PlacedLandmark(name, (x, y, z), name in given, spread))
    warnings = (*_young(age_y), *_other_size(scale, age_y, sex, stature_cm), *doubts(whole, found))
    return Placement(tuple(marks), age, sex, stature, inferred, warnings=warnings)


def _check_child(age_y: float | None, stature_cm: float | None) -> None:
    """Refuse an age or stature that no patient has."""
    if age_y is not None and not _AGES_Y[0] <= age_y <= _AGES_Y[1]:
        raise LesionmapError(f"an age of 0 to 120 years was expected, got {age_y:g}; the atlas is for 2 years to adult")
    least, most = 40.0, 250.0
    if stature_cm is not None and not least <= stature_cm <= most:
        raise LesionmapError(
            f"a stature of {least:.0f} to {most:.0f} cm was expected, got {stature_cm:g}; give it in cm"
        )


def _young(age_y: float | None) -> tuple[str, ...]:
    if age_y is None or age_y >= _MADE_FOR_Y:
        return ()
    return (f"the atlas is made for 2 years to adult; at {age_y:g} years its proportions are those of 2 years",)


def _other_size(scale: Scale, age_y: float | None, sex: Sex | None, stature_cm: float | None) -> tuple[str, ...]:
    """Say if the landmarks are those of a body far smaller or taller than is told."""
    told, open_log = (stature_cm, 0.15) if stature_cm is not None else (None, 0.30)
    if told is None and age_y is not None:
        told = growth.stature_for_age(age_y, sex)
    if told is None or abs(float(np.log(scale.stature_cm / told))) < open_log + 3 * scale.sd_log:
        return ()
    whose = "the stature told is" if stature_cm is not None else f"at {age_y:g} years it is"
    return (f"the landmarks are those of a body about {scale.stature_cm:.0f} cm tall, {whose} about {told:.0f} cm",)


def _checked(landmarks: Mapping[str, Sequence[float]]) -> dict[str, NDArray[np.float64]]:
    """Give the landmarks as arrays, or say what is wrong with them."""
    names = joints.tree().index
    given: dict[str, NDArray[np.float64]] = {}
    for name, xyz in landmarks.items():
        if name not in names:
            near = get_close_matches(name, names, n=1, cutoff=0.7)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise LesionmapError(
                f"landmark {name!r} is not known; paired ones end in _left or _right, vertebrae read like T7{hint}"
            )
        point = np.asarray(xyz, dtype=np.float64)
        if point.shape != (3,) or not np.isfinite(point).all():
            raise LesionmapError(f"landmark {name} needs three finite coordinates in LPS mm, got {list(xyz)}")
        given[name] = point
    if not given:
        raise LesionmapError("no landmark was given; at least one is needed, 16 are enough to begin")
    return given


def _check_scale(scale: Scale) -> None:
    """Refuse landmarks of a body that is too small or too tall by far: their unit is not the millimetre."""
    low, high = (scale.stature_cm * float(np.exp(k * 3 * scale.sd_log)) for k in (-1, 1))
    expected = "landmarks in LPS mm, of a body 60 to 230 cm tall, were expected"
    if high < _STATURES_CM[0]:
        raise LesionmapError(
            f"{expected}; these are of one {scale.stature_cm:.2g} cm tall or less: got metres or voxels?"
        )
    if low > _STATURES_CM[1]:
        raise LesionmapError(f"{expected}; these are of one {scale.stature_cm:.3g} cm tall or more: check their unit")


def radius90_mm(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the radius that holds 90 % of a normal distribution in space, shape (n,), from (n, 3, 3).

    The squared distance is a sum of chi-squares; one scaled chi-square of the same mean and variance stands for it
    (Satterthwaite 1946), its quantile is that of Wilson and Hilferty (1931).
    """
    trace = np.maximum(np.trace(covariance, axis1=1, axis2=2), 1e-9)
    square = np.maximum(np.einsum("nij,nji->n", covariance, covariance), 1e-18)
    freedom = trace**2 / square
    part = 2 / (9 * freedom)
    return np.asarray(_HOLDS_90 * np.sqrt(trace * (1 - part + _NORMAL_90 * np.sqrt(part)) ** 3))
