"""A first guess from the body's silhouette: a jointed mannequin laid into the body that an image shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.place import mannequin
from lesionmap.place.coarse import body_mask, coarse
from lesionmap.skeleton import growth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.skeleton import Placement
    from lesionmap.space import Grid, Volume

    Array = NDArray[np.float64]

__all__ = ["place_silhouette"]

_STEP_MM = 6.0
_SKIN = 700  # points of the skin that the mannequin is laid to
_SOFT_MM = 8.0  # how far the mannequin's skin is from a child's (assumed)
# Standard deviations of the logarithms of trunk, arms, legs, stoutness of limbs and trunk; of the turns (assumed).
_SPREAD = (0.04, 0.05, 0.04, 0.12, 0.12, 0.10, 0.07, 0.10)
_SIZE = {"stature": 0.04, "age": 0.06, "none": 0.25}  # of the logarithm of the size, by what is known (assumed)
_SEEK_MM = 120.0
_TRIES, _ROUNDS = 4, 20
_BAD = 1.25  # mean misfit of the skin, in 8 mm, beyond which the mannequin does not lie in the body (assumed)
_UNSURE = 1.5  # how much larger the radii are where the head's top is not seen (assumed)

# 90 % radius in a child of 150 cm, over phantoms of 3 to 17 years in other poses, STIR and T1.
_RADIUS_MM = {
    "C2": 20.0, "C7": 20.0, "ankle": 20.0, "knee": 27.0, "heel": 27.0, "xiphoid": 27.0, "T12": 34.0, "wrist": 34.0,
    "mcp3": 34.0, "sternal_notch": 34.0, "mandible_angle": 34.0,
}  # fmt: skip
_OTHER_MM = 43.0


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """The body in an image."""

    skin: Array
    """(n, 3) points on its surface, LPS mm; none where the image's border cuts it."""
    depth: Array
    """mm under the skin of each voxel, negative outside."""
    grid: Grid
    top_mm: float | None
    """z of the head's top; None where the image cuts the body there."""
    middle: Array
    flat: bool


def _seen(image: Volume) -> _Seen:
    from scipy.ndimage import binary_erosion, distance_transform_edt, generate_binary_structure

    view = coarse(image, _STEP_MM)
    mask = body_mask(view)
    deep = np.array(mask.shape) > 1
    cross = generate_binary_structure(3, 1)
    for axis in np.flatnonzero(~deep):
        cross &= np.moveaxis(np.arange(3).reshape(3, 1, 1) == 1, 0, axis)
    index = np.argwhere(mask & ~binary_erosion(mask, cross, border_value=1))
    if len(index) > _SKIN:
        index = index[np.random.default_rng(0).choice(len(index), _SKIN, replace=False)]
    depth = (distance_transform_edt(mask) - distance_transform_edt(~mask)) * _STEP_MM
    highest = int(np.flatnonzero(mask.any(axis=(0, 1)))[-1])
    top = None if highest >= mask.shape[2] - 2 else float(view.grid.lps([0, 0, highest])[2])
    middle = view.grid.lps(np.argwhere(mask)).mean(axis=0)
    return _Seen(view.grid.lps(index), depth, view.grid, top, middle, not deep.all())


@dataclass(frozen=True, slots=True, eq=False)
class _Child:
    """The child to be laid in: the model's landmarks, and how sure its size is."""

    model: dict[str, Array]
    stature_mm: float
    spread: float
    """Standard deviation of the logarithm of its size."""

    def laid(self, numbers: Array) -> tuple[dict[str, Array], mannequin.Rods]:
        """Give landmarks and rods.

        Parameters
        ----------
        numbers : ndarray
            Shift (3, dm); logarithms of size, of the lengths of trunk, arms and legs, of the stoutness of limbs and
            trunk; turn of the whole (3), then the angles of the pose, radians.
        """
        size, trunk, arms, legs, stout, belly = np.exp(numbers[3:9]).tolist()
        stretch = {"spine": trunk, "thorax": trunk, "upper_arm": arms, "forearm": arms, "thigh": legs, "shank": legs}
        posed = mannequin.pose(self.model, numbers[12:], stretch)
        turn = mannequin.turn(0, numbers[9]) @ mannequin.turn(1, numbers[10]) @ mannequin.turn(2, numbers[11])
        origin = posed["S1"]
        marks = {n: size * (turn @ (p - origin)) + origin + 100.0 * numbers[:3] for n, p in posed.items()}
        return marks, mannequin.rods(marks, size * self.stature_mm, (stout, belly))

    def start(self, seen: _Seen, height_mm: float) -> Array:
        """Give the numbers of the usual pose with the vertex at a height, in the middle of what is seen."""
        usual, _ = mannequin.usual()
        numbers = np.concatenate([np.zeros(12), usual])
        marks, _ = self.laid(numbers)
        middle = np.mean([marks[n] for n in ("hip_left", "hip_right", "T9", "knee_left", "knee_right")], axis=0)
        numbers[:2] = (seen.middle - middle)[:2] / 100.0
        numbers[2] = (height_mm - marks["vertex"][2]) / 100.0
        return numbers


def _skin_misfit(numbers: Array, child: _Child, seen: _Seen) -> tuple[Array, mannequin.Rods]:
    _, rods = child.laid(numbers)
    if seen.flat:  # a planar view: all lies in its plane
        keep, plane = np.array([1.0, 0.0, 1.0]), np.array([0.0, seen.middle[1], 0.0])
        rods = rods._replace(starts=rods.starts * keep + plane, ends=rods.ends * keep + plane)
    return rods.outside_mm(seen.skin) / _SOFT_MM, rods


def _misfit(numbers: Array, child: _Child, seen: _Seen) -> Array:
    """Give what is to become small: skin off the rods, rods out of the body, an unusual child or pose."""
    from scipy.ndimage import map_coordinates

    skin, rods = _skin_misfit(numbers, child, seen)
    share = np.linspace(0.0, 1.0, 4)[:, None]
    axis = (rods.starts * (1 - share[:, :, None]) + rods.ends * share[:, :, None]).reshape(-1, 3)
    radii = (rods.radii[:, 0] * (1 - share) + rods.radii[:, 1] * share).ravel()
    depth = map_coordinates(seen.depth, seen.grid.voxels(axis).T, order=1, cval=np.nan)
    out = np.where(np.isfinite(depth), np.minimum(depth - 0.85 * radii, 0.0), 0.0) / _SOFT_MM
    usual, spread = mannequin.usual()
    unusual = numbers[3:12] / np.array([child.spread, *_SPREAD])
    few = np.sqrt(200.0 / len(skin))
    return np.concatenate([_robust(skin) * few, _robust(out), unusual, (numbers[12:] - usual) / spread])


def _robust(values: Array) -> Array:
    """Give values whose squares grow like the values where they are large: far ones shall not rule."""
    return np.asarray(np.sign(values) * np.sqrt(2.0 * (np.sqrt(1.0 + values**2) - 1.0)))


def _laid(child: _Child, seen: _Seen) -> Array:
    """Lay the child into the body; at several heights where the head's top is not seen.

    Raises
    ------
    LesionmapError
        If the body can be that of several parts of a child, or of none.
    """
    from scipy.optimize import least_squares

    def fit(body: _Seen, start: Array, rounds: int) -> tuple[float, Array]:
        done = least_squares(_misfit, start, args=(child, body), max_nfev=rounds, x_scale="jac")
        return float(done.cost), np.asarray(done.x, dtype=np.float64)

    if seen.top_mm is not None:
        starts = [child.start(seen, seen.top_mm - 6.0)]
    else:
        low, high = float(seen.skin[:, 2].min()), float(seen.skin[:, 2].max())
        heights = np.arange(high, low + child.stature_mm + 0.5 * _SEEK_MM, _SEEK_MM)
        few = replace(seen, skin=seen.skin[::4])
        tried = sorted((fit(few, child.start(seen, height), _TRIES) for height in heights.tolist()), key=_cost)
        starts = [numbers for _, numbers in tried[:2]]
    found = sorted((fit(seen, start, _ROUNDS) for start in starts), key=_cost)
    best = found[0][1]
    skin, _ = _skin_misfit(best, child, seen)
    apart = abs(found[-1][1][2] - best[2]) * 100.0
    if float(np.abs(skin).mean()) > _BAD or (apart > _SEEK_MM / 2 and found[-1][0] < 1.1 * found[0][0]):
        raise LesionmapError(
            "the outline of a child with the head's top, or of the legs from the hips down, was expected; a part of "
            "a body came that could lie elsewhere as well; place by landmarks or from another visit"
        )
    return best


def _cost(row: tuple[float, Array]) -> float:
    return row[0]


def place_silhouette(
    image: Volume,
    *,
    age_y: float | None = None,
    sex: Literal["F", "M"] | None = None,
    stature_cm: float | None = None,
) -> Placement:
    """Place the skeleton by the outline of the body, as a first guess to be corrected.

    Parameters
    ----------
    image : Volume
        Whole-body MRI or another image in which the body is brighter than air; a planar view tells nothing of depth.
    age_y, sex, stature_cm : optional
        As for ``skeleton.place``; without age and stature the size is taken from the body's length.

    Returns
    -------
    Placement
        ``how="silhouette"``; all landmarks are estimated and have a radius.

    Raises
    ------
    LesionmapError
        If no body stands out from the air, or not enough of it is seen to tell which part it is.
    """
    seen = _seen(image)
    known = "stature" if stature_cm is not None else "age" if age_y is not None else "none"
    age = 10.0 if age_y is None and stature_cm is None else age_y
    cm = growth.stature_for_age(age if age is not None else 10.0, sex) if stature_cm is None else stature_cm
    if known == "none" and seen.top_mm is not None:
        cm = float(np.clip((seen.top_mm - float(seen.skin[:, 2].min())) / 10.0, 75.0, 195.0))
    model_age = age_y if age_y is not None else growth.age_for_stature(cm, sex)
    child = _Child(growth.landmark_model(model_age, sex, cm), 10.0 * cm, _SIZE[known])
    marks, _ = child.laid(_laid(child, seen))
    placement = skeleton.place({n: p.tolist() for n, p in marks.items()}, age_y=age_y, sex=sex, stature_cm=stature_cm)
    unsure = (1.0 if seen.top_mm is not None else _UNSURE) * placement.stature_cm / 150.0
    rows = tuple(
        replace(m, placed=False, radius90_mm=unsure * _RADIUS_MM.get(m.name.rsplit("_", 1)[0], _OTHER_MM))
        for m in placement.landmarks
    )
    return replace(placement, landmarks=rows, how="silhouette")
