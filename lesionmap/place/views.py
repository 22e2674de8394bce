"""The skeleton placed on a planar bone scan: by its views alone, or by some landmarks and its views.

Around every landmark the atlas is painted as the camera should see it, and looked for in the views nearby. What each
place says, and how sure it is, goes into the same jointed body that landmarks of a reader go into; then all is painted
again, with a smaller look around. What is hot (growth plates, joints) tells by its place, never by its brightness.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.place.counts import Pictures, pictures, toned
from lesionmap.place.expected import expected, uptake_of
from lesionmap.segment.counts import check_counts
from lesionmap.skeleton import growth, joints
from lesionmap.skeleton.estimate import PLACING_MM, Scale, estimate
from lesionmap.skeleton.placement import PlacedLandmark, Placement, radius90_mm
from lesionmap.skeleton.threads import one_thread

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lesionmap.place.counts import Face
    from lesionmap.skeleton.estimate import Estimate
    from lesionmap.space import Volume

    Array = NDArray[np.float64]

__all__ = ["place_views"]


class _Look(NamedTuple):
    """How far around a landmark is painted, and how far it is looked for, mm in a child of 150 cm."""

    around_mm: float
    reach_mm: float
    blur_mm: float
    coarser: int
    """How many steps of the finest lattice are one."""


_LOOKS = (
    *(_Look(150, 80, 12, 2), _Look(100, 70, 8, 2), _Look(80, 50, 8, 2)),
    *(_Look(60, 40, 5, 1), _Look(50, 24, 5, 1), _Look(44, 20, 5, 1), _Look(34, 14, 3, 1)),
)
_BESIDE_READER = _LOOKS[3:]  # with landmarks of a reader the first looks are not needed
_PAINT_BLUR_MM = 2.0  # of the atlas beside the same blur, for it is painted sharp
_SHARP = 0.015  # how much less alike a place is at e times less likely (assumed)
_LEAST_MM, _DOUBT = 4.0, 2.0  # least error of a place, and how much larger it is taken: neighbours agree (assumed)
_LEAST_ALIKE = 0.05
_NOT_SOUGHT = ("coccyx", "C1", "C3", "C5", *(f"T{n}" for n in range(1, 12, 2)), "L1", "L3")  # their neighbours tell
_SCALP_MM, _TOE_MM = 8.0, 18.0  # from the picture's edge of the body to the landmarks (assumed)
_ENDS_MM = 10.0
_AS_BEFORE_MM = 40.0  # how far a landmark lies from where it lay in another visit, standard deviation (assumed)
_LYING = 1.06  # length of a lying body, feet pointing, over stature (assumed)
_SIZE_SD = 0.05
_STATURES_CM = (65.0, 205.0)
_EXCHANGED = -0.1  # likeness of front against back; right ones have 0.17 to 0.30, exchanged ones the negative of it
_BAD = 0.3  # mean likeness of the places below which no skeleton was found (assumed)


@dataclass(frozen=True, slots=True)
class _Child:
    age_y: float | None
    sex: Literal["F", "M"] | None
    stature_cm: float | None
    """As told, or by the body's length where neither age nor stature is told."""
    cm: float
    """Stature to begin with."""
    inferred: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Where the views show landmarks."""

    points: dict[str, Array]
    """LPS mm, y NaN."""
    spreads: dict[str, Array]
    """Standard deviations of x, y, z, mm."""
    alike: float
    """Mean likeness, -1 to 1."""


def place_views(
    views: Mapping[Face, Volume],
    landmarks: Mapping[str, Sequence[float]] | None = None,
    *,
    age_y: float | None = None,
    sex: Literal["F", "M"] | None = None,
    stature_cm: float | None = None,
    before: Placement | None = None,
) -> Placement:
    """Place the skeleton on a planar bone scan by its counts.

    Parameters
    ----------
    views : mapping of {"anterior", "posterior"} to Volume
        One view or both of one scan, a projection each, of counts (0 or more).
    landmarks : mapping of str to (x, y, z), optional
        Put on either view by a reader, LPS mm; ``y`` is not used. They stay where they are.
    age_y, sex, stature_cm : optional
        As for ``skeleton.place``; without age and stature the size is taken from the body's length.
    before : Placement, optional
        Of another visit of the child, on slices or on views: the search begins with how it lay then.

    Returns
    -------
    Placement
        ``how="silhouette"``, with ``before`` ``"previous"``; depths are estimated, S1 of a body at rest lies at y = 0.

    Raises
    ------
    LesionmapError
        As ``check_views``; if no skeleton is found in the views, or they contradict one another (exchanged, or one of
        them mirrored).
    """
    seen = pictures(views)
    child, found = _begun(seen, landmarks, (age_y, sex, stature_cm))
    if before is not None and not landmarks:
        found = _as_before(seen, before, child)
    fixed = {n: np.array([p[0], np.nan, p[2]], dtype=np.float64) for n, p in (landmarks or {}).items()}
    placement = _placement(found, child)
    uptake, alike = uptake_of(placement), 0.0
    for look in _BESIDE_READER if fixed else _LOOKS:
        places = _places(seen, placement, uptake, look)
        found = _fitted(places, fixed, child, found.stature_cm)
        placement, alike = _placement(found, child), places.alike
    if alike < _BAD:
        raise LesionmapError(
            f"the bones of a child were expected in the views, little like them was found (likeness {alike:.2f} of 1); "
            "choose the whole-body scan, or place by --landmarks"
        )
    _check_faces(seen, placement, uptake)
    warnings = tuple(said for name, view in views.items() if (said := check_counts(name, view.array)))
    how: Literal["previous", "silhouette"] = "silhouette" if before is None else "previous"
    return replace(_told(placement, fixed), how=how, warnings=warnings)


def _begun(
    seen: Pictures,
    landmarks: Mapping[str, Sequence[float]] | None,
    told: tuple[float | None, Literal["F", "M"] | None, float | None],
) -> tuple[_Child, Estimate]:
    """Lay a child of mean pose between the top and the end of the body; on the landmarks, where there are some."""
    age_y, sex, stature = told
    rows = np.flatnonzero(seen.body.sum(axis=0) > 1)
    across, up = seen.edges
    top, bottom = float(up[rows[-1] + 1]), float(up[rows[0]])
    cm = float(np.clip((top - bottom) / 10.0 / _LYING, *_STATURES_CM))
    if landmarks:
        cm = skeleton.place(landmarks, age_y=age_y, sex=sex, stature_cm=stature, flat=True).stature_cm
    elif stature is not None:
        cm = stature
    elif age_y is not None:
        cm = growth.stature_for_age(age_y, sex)
    inferred = tuple(name for name, value in (("age_y", age_y), ("stature_cm", stature)) if value is None)
    child = _Child(age_y, sex, stature if len(inferred) < 2 else cm, cm, inferred)
    given = {n: np.array([p[0], np.nan, p[2]], dtype=np.float64) for n, p in (landmarks or {}).items()}
    if not given:
        middle = float(np.average((across[:-1] + across[1:]) / 2, weights=seen.body.sum(axis=1)))
        given = {"vertex": np.array([middle, np.nan, top - _SCALP_MM])}
        given |= {f"toe2_{side}": np.array([np.nan, np.nan, bottom + _TOE_MM]) for side in ("left", "right")}
    with one_thread():
        found = estimate(given, Scale(cm, _SIZE_SD, cm), age_y, sex, child.stature_cm, placing_mm=_ENDS_MM)
    return child, found


def _as_before(seen: Pictures, before: Placement, child: _Child) -> Estimate:
    """Lay the child as in another visit, grown since, its head where the picture's begins."""
    rows = np.flatnonzero(seen.body.sum(axis=0) > 1)
    across, up = seen.edges
    middle = float(np.average((across[:-1] + across[1:]) / 2, weights=seen.body.sum(axis=1)))
    top = np.array([middle, np.nan, float(up[rows[-1] + 1]) - _SCALP_MM])
    at = {name: np.array(point) for name, point in before.positions().items()}
    ends = np.array([at["vertex"], at["pubis"]])
    start = np.array([ends[:, 0].mean(), 0.0, ends[0, 2]])
    ratio = child.cm / before.stature_cm
    given = {name: top + ratio * (at[name] - start) for name in joints.tree().names if name in at}
    with one_thread():
        scale = Scale(child.cm, _SIZE_SD, child.cm)
        return estimate(given, scale, child.age_y, child.sex, child.stature_cm, placing_mm=_AS_BEFORE_MM)


def _placement(found: Estimate, child: _Child) -> Placement:
    """Give an estimate as a Placement of estimated landmarks."""
    names, radius = joints.tree().names, radius90_mm(found.covariance)
    wanted = [*skeleton.landmarks(), *(v for v in growth.vertebra_names() if v not in skeleton.landmarks())]
    rows = {name: i for i, name in enumerate(names)}
    marks = tuple(
        PlacedLandmark(n, (x, y, z), False, float(radius[rows[n]]))
        for n in wanted
        for x, y, z in [found.points[rows[n]].tolist()]
    )
    cm = found.stature_cm
    age = growth.age_for_stature(cm, child.sex) if child.age_y is None else child.age_y
    return Placement(marks, age, child.sex, child.stature_cm or cm, child.inferred, how="silhouette")


def _places(seen: Pictures, placement: Placement, uptake: Array, look: _Look) -> _Seen:
    """Look for every landmark near where the placement has it."""
    seen = seen.coarser(look.coarser) if look.coarser > 1 else seen
    size = placement.stature_cm / 150.0 / seen.step_mm
    around, reach = int(look.around_mm * size), int(look.reach_mm * size)
    pairs, blur = [], look.blur_mm / seen.step_mm
    for face, counts in seen.counts.items():
        painted = expected(placement, uptake, seen.edges, face)
        both = toned(counts, blur), toned(painted, blur + _PAINT_BLUR_MM / seen.step_mm)
        pairs.append((_wide(both[0], around + reach), _wide(both[1], around + reach)))
    points, spreads, alike = {}, {}, []
    for mark in placement.landmarks:
        if mark.name in _NOT_SOUGHT:
            continue
        at = np.array(mark.lps_mm)
        cell = np.floor((at[[0, 2]] - seen.low) / seen.step_mm).astype(int)
        if (cell < 0).any() or (cell >= seen.body.shape).any():
            continue
        likeness = _likeness(pairs, cell, around, reach)
        if likeness is None:
            continue
        shift, spread = _moved(likeness, seen.step_mm)
        points[mark.name] = np.array([at[0] + shift[0], np.nan, at[2] + shift[1]])
        spreads[mark.name] = np.array([spread[0], 1.0, spread[1]])
        alike.append(float(likeness.max()))
    return _Seen(points, spreads, float(np.mean(alike)) if alike else 0.0)


def _wide(picture: Array, cells: int) -> Array:
    return np.pad(picture, cells, mode="edge")


def _likeness(pairs: Sequence[tuple[Array, Array]], cell: NDArray[np.int_], around: int, reach: int) -> Array | None:
    """Give how alike the views and the painted atlas are at each shift, shape (2 reach + 1,) * 2; None: nothing there.

    Pictures are wider by ``around + reach`` cells on all sides.
    """
    from skimage.feature import match_template

    i, j = cell.tolist()
    found = []
    for view, painted in pairs:
        patch = painted[i + reach : i + reach + 2 * around + 1, j + reach : j + reach + 2 * around + 1]
        area = view[i : i + 2 * (around + reach) + 1, j : j + 2 * (around + reach) + 1]
        if np.ptp(patch) > 0 and np.ptp(area) > 0:
            found.append(match_template(area, patch))
    return np.mean(found, axis=0) if found else None


def _moved(likeness: Array, step_mm: float) -> tuple[Array, Array]:
    """Give the mean shift (x, z) and its spread, mm, weighing shifts by likeness."""
    share = np.exp((likeness - likeness.max()) / _SHARP)
    share /= share.sum()
    steps = (np.arange(len(share)) - len(share) // 2) * step_mm
    sums = [share.sum(axis=1), share.sum(axis=0)]
    mean = np.array([float(one @ steps) for one in sums])
    spread = np.array([float(one @ (steps - m) ** 2) for one, m in zip(sums, mean, strict=True)])
    return mean, _DOUBT * np.sqrt(spread + _LEAST_MM**2) / max(float(likeness.max()), _LEAST_ALIKE)


def _fitted(places: _Seen, fixed: Mapping[str, Array], child: _Child, cm: float) -> Estimate:
    """Bend the child to the places seen, and to the landmarks that a reader put down."""
    given = {**places.points, **fixed}
    own = np.full(3, PLACING_MM)
    spreads = np.array([own if n in fixed else places.spreads[n] for n in joints.tree().names if n in given])
    with one_thread():
        scale = Scale(cm, _SIZE_SD, cm)
        return estimate(given, scale, child.age_y, child.sex, child.stature_cm, placing_mm=spreads)


def _check_faces(seen: Pictures, placement: Placement, uptake: Array) -> None:
    """Refuse views that contradict one another."""
    if len(seen.counts) < 2:
        return
    front, back = (toned(seen.counts[face], 1.2) for face in ("anterior", "posterior"))
    if _alike(front, back[::-1], seen.body) > _alike(front, back, seen.body):
        raise LesionmapError(
            "the two views of a scan show one body, here one of them shows its mirror image; "
            "say which is stored mirrored, or export them again"
        )
    shown = _nearer(*(seen.counts[face] for face in ("anterior", "posterior")))
    painted = _nearer(*(expected(placement, uptake, seen.edges, face) for face in ("anterior", "posterior")))
    if _alike(shown, painted, seen.body) < _EXCHANGED:
        raise LesionmapError(
            "sternum and face were expected brighter in the anterior view, spine and sacrum in the posterior one; here "
            "it is the other way round: the views are exchanged; import them again with the right --view"
        )


def _nearer(front: Array, back: Array) -> Array:
    """Give the logarithm of how much brighter each place is from the front than from the back."""
    one, other = (np.log(toned(counts, 2.0) + 0.1) for counts in (front, back))
    return np.asarray(one - other)


def _alike(one: Array, other: Array, where: NDArray[np.bool_]) -> float:
    return float(np.corrcoef(one[where], other[where])[0, 1])


def _told(placement: Placement, fixed: Mapping[str, Array]) -> Placement:
    """Put the landmarks of the reader where they were put."""
    rows = tuple(
        replace(m, lps_mm=(float(fixed[m.name][0]), m.lps_mm[1], float(fixed[m.name][2])), placed=True)
        if m.name in fixed
        else m
        for m in placement.landmarks
    )
    return replace(placement, landmarks=rows)
