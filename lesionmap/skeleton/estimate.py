"""Estimating a body from some of its landmarks: most probable joint angles and lengths, and what they leave open.

The unknowns of the jointed body (``joints.py``) are normally distributed, given landmarks are seen with the error of
who set them. The most probable body is found by Gauss and Newton's method; about it, all landmarks are jointly normal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton import growth, joints

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lesionmap.skeleton.growth import Sex

    Array = NDArray[np.float64]
    Given = Mapping[str, Array]

__all__ = ["PLACING_MM", "UNSEEN_MM", "Estimate", "Scale", "estimate", "scale_of"]

PLACING_MM = 5.0
"""Standard deviation of each coordinate of a landmark that a reader sets again (assumed)."""
UNSEEN_MM = 300.0
"""The same of a coordinate that an image does not show, NaN in what is given: a planar view has no depth.

Where no landmark shows it, the mean of the given landmarks lies where it does in a body at rest with S1 in 0."""
_STEPS = 12
_ENOUGH, _LONGEST = 0.1, 3.0
_TAIL = 5.0  # degrees of freedom of a joint's angles: a knee bent far is rare, not impossible (assumed)
_BEND = np.cos(np.radians(30.0))  # beyond it a limb is turned towards its landmarks before the first step
# The joint, its start, and the landmarks beyond it, the first given of which tells the direction.
_LIMBS = (
    (("upper_arm", "shoulder", ("elbow", "wrist", "mcp3")), ("thigh", "hip", ("knee", "ankle"))),
    (("forearm", "elbow", ("wrist", "mcp3", "fingertip3")), ("shank", "knee", ("ankle", "heel", "toe2"))),
    (("hand", "wrist", ("mcp3", "fingertip3")),),
)
_LIMB_MARKS = ("chin", "mandible", "elbow", "wrist", "mcp3", "finger", "toe2", "heel", "ankle", "knee")  # they turn
_LOOSE = 0.01  # weight of such a landmark for how the body lies
_SHOULDER_MARKS, _SOFT = ("shoulder", "ac_joint"), 0.2  # they move somewhat
_LEAN_MM = 160.0
_HEAVY = 0.4  # mean weight (as of the 16) below which landmarks count as fewer for how the body lies (assumed)
_DEEP = 0.008  # depth of the landmarks (SD) as share of stature that tells an image from its mirror image
_TRUNK_MARKS = 8  # so many, at least, tell it
# Distances that tell the size whatever the pose.
_SIZERS = (
    ("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"), ("C7", "T12"), ("T12", "L5"),
    ("C7", "L5"), ("heel", "toe2"), ("vertex", "C7"), ("hip_left", "hip_right"), ("shoulder_left", "shoulder_right"),
    ("asis_left", "asis_right"), ("sternal_notch", "xiphoid"), ("wrist", "fingertip3"), ("L5", "S1"),
    ("C7", "hip"), ("shoulder", "hip"), ("vertex", "pubis"), ("C2", "C7"), ("S1", "hip"), ("pubis", "hip"),
)  # fmt: skip
_SIZER_SD = 0.09  # of the logarithm of such a distance at one stature (assumed)
_STATURE_SD = {"told": 0.02, "age": 0.047, "any": 0.25}
"""Of the logarithm of stature: as told; at one age (CDC 2000, SD / median); from 2 years to adult."""
_ANY_CM = 135.0


@dataclass(frozen=True, slots=True)
class Scale:
    """How tall the landmarks alone say the body is."""

    stature_cm: float
    sd_log: float
    """Standard deviation of its logarithm; infinite where no distance tells it."""
    likely_cm: float
    """The same with what is known of the child."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """All landmarks of a body; rows in the order of ``joints.tree().names``."""

    points: Array
    """Shape (landmarks, 3): most probable place, patient LPS mm."""
    covariance: Array
    """Shape (landmarks, 3, 3): mm²."""
    stature_cm: float
    first: Array
    """Shape (3, 3): how the body lies; columns are its left, its back and its top in patient LPS."""
    mirrored: bool
    """Whether the mirror image of the landmarks fits the body better."""
    rest: Array
    """Shape (landmarks, 3): a body of that stature in the mean pose, in its own left, back and top."""
    seen: NDArray[np.intp]
    """Rows of the given landmarks."""
    surprise: Array
    """Shape (given, 3): how far, in mm, each lies from where all others expect it."""
    surprise_sd: Array
    """Shape (given,): the same in standard deviations of that expectation."""


@cache
def _pairs() -> tuple[tuple[str, str], ...]:
    found = {(a + s, b + t) for a, b in _SIZERS for s in ("", "_left", "_right") for t in ("", s)}
    return tuple(sorted(pair for pair in found if all(name in joints.tree().index for name in pair)))


@lru_cache(maxsize=32)
def _size_table(age_y: float | None, sex: Sex | None) -> tuple[Array, Array]:
    """Give statures in cm, and the logarithm of the distance in mm of each pair at each, shape (pairs, statures)."""
    statures = np.exp(np.linspace(np.log(20.0), np.log(500.0), 41))
    ages = [age_y if age_y is not None else growth.age_for_stature(cm, sex) for cm in statures.tolist()]
    models = [growth.landmark_model(age, sex, cm) for age, cm in zip(ages, statures.tolist(), strict=True)]
    rows = [[float(np.linalg.norm(model[a] - model[b])) for model in models] for a, b in _pairs()]
    return statures, np.log(rows)


def scale_of(given: Given, age_y: float | None, sex: Sex | None, stature_cm: float | None) -> Scale:
    """Find the stature at which the distances between landmarks are most likely."""
    statures, table = _size_table(None if age_y is None else float(round(age_y)), sex)
    rows = [i for i, (a, b) in enumerate(_pairs()) if a in given and b in given]
    middle, spread = _known(age_y, sex, stature_cm)
    prior = (np.log(statures / middle) / spread) ** 2
    if not rows:
        return Scale(middle, float("inf"), middle)
    ends = np.array([[given[name] for name in _pairs()[i]] for i in rows])
    way = np.nan_to_num(ends[:, 0] - ends[:, 1])  # what is not seen of it is small in a body that lies flat
    seen = np.maximum(np.linalg.norm(way, axis=1), 1e-3)
    sd = np.hypot(_SIZER_SD, 1.4 * PLACING_MM / np.maximum(seen, np.exp(table[rows, len(statures) // 2]) / 3))
    # Beyond three deviations a distance counts no more than linearly: one wrong landmark is not the size.
    miss = np.abs(np.log(seen)[:, None] - table[rows]) / sd[:, None]
    cost = np.where(miss < 3, miss**2, 6 * miss - 9).sum(axis=0)
    return Scale(_lowest(statures, cost), float(np.sum(sd**-2) ** -0.5), _lowest(statures, cost + prior))


def _lowest(statures: Array, cost: Array) -> float:
    """Give where a cost is lowest, between the grid's points."""
    i = int(np.clip(np.argmin(cost), 1, len(cost) - 2))
    before, here, after = cost[i - 1 : i + 2]
    bend = before - 2 * here + after
    shift = float(np.clip(0.5 * (before - after) / bend, -1, 1)) if bend > 0 else 0.0
    return float(statures[i] * (statures[1] / statures[0]) ** shift)


def _weight(name: str) -> float:
    return _LOOSE if name.startswith(_LIMB_MARKS) else _SOFT if name.startswith(_SHOULDER_MARKS) else 1.0


def _first_turn(rest: Array, given: Array, seen: NDArray[np.intp]) -> tuple[Array, bool]:
    """Find how the body lies: Kabsch, leaning to no turn about an axis that the landmarks do not fix.

    Also say whether its mirror image would fit instead: left and right are exchanged.
    """
    names = joints.tree().names
    weight = np.array([_weight(names[i]) for i in seen])[:, None]
    trunk = int(np.sum(weight > _LOOSE))
    lean = _LEAN_MM**2 / min(len(seen), float(weight.sum()) / _HEAVY)
    weight /= weight.sum()
    target, source = given - (weight * given).sum(axis=0), rest[seen] - (weight * rest[seen]).sum(axis=0)
    cross = (weight * target).T @ source
    u, size, vt = np.linalg.svd(cross)
    deep = trunk >= _TRUNK_MARKS and size[2] > (_DEEP * np.ptp(rest[:, 2])) ** 2
    mirrored = bool(deep and np.linalg.det(u @ vt) < 0)
    u, _, vt = np.linalg.svd(cross + lean * np.eye(3))
    first = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    return _most_sides_right(first, given, [names[i] for i in seen]), mirrored


def _most_sides_right(first: Array, given: Array, names: list[str]) -> Array:
    """Turn the body over if most pairs have their left on the patient's right: one exchanged pair is no turn."""
    row = {name: i for i, name in enumerate(names)}
    pairs = [(i, row[n[:-4] + "right"]) for n, i in row.items() if n.endswith("_left") and n[:-4] + "right" in row]
    right = sum(np.sign((given[a] - given[b]) @ first[:, 0]) for a, b in pairs)
    return first * [-1.0, -1.0, 1.0] if right < 0 and len(pairs) > 2 else first


class _Fit:
    """One search for the most probable body."""

    def __init__(
        self, body: joints.Sized, given: Given, stature: tuple[float, float], placing_mm: float | Array
    ) -> None:
        self.tree, self.body = joints.tree(), body
        self.seen = np.array([i for i, name in enumerate(self.tree.names) if name in given], dtype=np.intp)
        self.target = np.array([given[self.tree.names[i]] for i in self.seen])
        unseen = np.isnan(self.target)
        self.free = ~unseen.all(axis=0)
        self.middle, self.spread = stature
        self.theta = np.zeros(self.tree.turns.shape[2])
        self.theta[3] = -self.middle / self.spread
        self.tail = np.ones(len(self.theta))
        rest = joints.at_rest(body)
        self.target = _filled(self.target, rest[self.seen])
        self.first, self.mirrored = _first_turn(rest, self.target, self.seen)
        self.origin = self.target.mean(axis=0) - self.first @ rest[self.seen].mean(axis=0)
        own = body.own[np.ix_(self.seen, self.seen)]
        # Of each coordinate: x, y and z err apart from one another.
        spreads = np.where(unseen, UNSEEN_MM, placing_mm).T
        self.precision = np.array([np.linalg.inv(own + np.diag(spread**2)) for spread in spreads])

    def walk(self) -> joints.Walk:
        """Give the body as the unknowns have it."""
        return joints.walk(self.body, self.theta, self.first, self.log_stature())

    def linear(self) -> tuple[Array, Array]:
        """Give all landmarks, and their change with each unknown in units of its own spread."""
        at = self.walk()
        jacobian = joints.jacobian(self.body, at, self.log_stature(), self.spread)
        jacobian[:, :, :3] *= self.free  # where nothing is seen of an axis, the body lies in it by convention
        return at.points + self.origin, jacobian * self.tail

    def log_stature(self) -> float:
        return self.middle + self.spread * float(self.theta[3])

    def turn_limbs(self) -> None:
        """Turn limbs that lie far from the mean pose towards their landmarks: a start for the search."""
        at = {self.tree.names[i]: p for i, p in zip(self.seen, self.target, strict=True)}
        now = self.walk()
        for limbs in _LIMBS:
            turned = False
            for name, start, ends in limbs:
                for side in ("_left", "_right"):
                    end = next((e + side for e in ends if e + side in at), None)
                    if end is not None:
                        begin = now.points[self.tree.index[start + side]]
                        way = now.points[self.tree.index[end]] - begin
                        wanted = at[end] - at.get(start + side, begin + self.origin)
                        turned |= self._turn_limb(name + side, now.rotation, way, wanted)
            now = self.walk() if turned else now

    def _turn_limb(self, limb: str, rotation: Array, now: Array, wanted: Array) -> bool:
        now, wanted = (v / max(float(np.linalg.norm(v)), 1e-6) for v in (now, wanted))
        if float(now @ wanted) > _BEND:
            return False
        piece = self.tree.pieces[limb]
        turned = joints.turn_between(now, wanted) @ rotation[piece]
        local = joints.rotation_vector(rotation[self.tree.above[piece]].T @ turned) - self.tree.mean_turn[piece]
        column = self.tree.column[limb]
        for axis in range(3):
            self.theta[column + axis] = local[axis] / self.tree.turns[piece, axis, column + axis]
        return True

    def search(self, near_cm: float) -> Estimate:
        """Go to the most probable body; ``near_cm``: the stature that the body's offsets belong to."""
        self.turn_limbs()
        for _ in range(_STEPS):
            points, jacobian = self.linear()
            here, start = jacobian[self.seen].reshape(-1, len(self.theta)), self.theta / self.tail
            gap = (self.target - points[self.seen]).ravel() + here @ start
            weighted = self._weighted(here)
            information = weighted.T @ here + np.eye(len(start))
            step = self.tail * np.linalg.solve(information, weighted.T @ gap) - self.theta
            longest = float(np.abs(step).max())
            self.theta = self.theta + step * min(1.0, _LONGEST / max(longest, 1e-9))
            before, self.tail = self.tail, self._tails()
            if longest < _ENOUGH and float(np.abs(self.tail - before).max()) < _ENOUGH:
                break
        inverse = _apart(self.precision) - weighted @ np.linalg.solve(information, weighted.T)
        ratio = float(np.exp(self.log_stature()))
        mean, covariance = self._posterior(points - jacobian @ start, jacobian, inverse, gap)
        rest = joints.at_rest(self.body) * ratio
        return Estimate(
            mean, covariance, near_cm * ratio, self.first, self.mirrored, rest, self.seen, *_surprise(inverse, gap)
        )

    def _weighted(self, here: Array) -> Array:
        """Weigh rows of the Jacobian, one a coordinate of the given landmarks, by how sure these are."""
        n = len(self.seen)
        by_axis = here.reshape(n, 3, -1).transpose(1, 0, 2)
        return np.asarray((self.precision @ by_axis).transpose(1, 0, 2).reshape(here.shape))

    def _tails(self) -> Array:
        """Give how much wider each unknown may be: a joint that is bent far says that it may be (Student's t)."""
        tail, columns = np.ones(len(self.theta)), np.array(self.tree.joints)
        bent = np.sum(self.theta[columns] ** 2, axis=1)
        tail[columns] = np.sqrt(np.maximum(1.0, (_TAIL + bent) / (_TAIL + 3)))[:, None]
        return tail

    def _posterior(self, prior: Array, jacobian: Array, inverse: Array, gap: Array) -> tuple[Array, Array]:
        """Give mean, shape (landmarks, 3), and covariance, shape (landmarks, 3, 3), of all landmarks after seeing."""
        n, _, unknowns = jacobian.shape
        both = jacobian.reshape(-1, unknowns) @ jacobian[self.seen].reshape(-1, unknowns).T
        both += _apart(np.broadcast_to(self.body.own[:, self.seen], (3, n, len(self.seen))))
        gain = both @ inverse
        before = jacobian @ jacobian.transpose(0, 2, 1) + np.diag(self.body.own)[:, None, None] * np.eye(3)
        after = before - gain.reshape(n, 3, -1) @ both.reshape(n, 3, -1).transpose(0, 2, 1)
        return prior + (gain @ gap).reshape(n, 3), after


def _filled(target: Array, rest: Array) -> Array:
    """Fill in the coordinates that are not seen: as far from the others as in a body at rest."""
    unseen = np.isnan(target)
    if not unseen.any():
        return target
    gap = np.where(unseen, np.nan, target - rest)
    off = [float(np.nanmean(column)) if np.isfinite(column).any() else 0.0 for column in gap.T]
    return np.where(unseen, rest + off, target)


def _apart(covariance: Array) -> Array:
    """Give the covariance of x, y and z of landmarks, shape (3, rows, columns), apart from one another, as one."""
    _, rows, columns = covariance.shape
    found = np.zeros((rows, 3, columns, 3))
    for axis in range(3):
        found[:, axis, :, axis] = covariance[axis]
    return found.reshape(3 * rows, 3 * columns)


def _surprise(inverse: Array, gap: Array) -> tuple[Array, Array]:
    """Give how far each given landmark lies from where all others expect it, in mm and in standard deviations."""
    n = len(gap) // 3
    blocks = inverse.reshape(n, 3, n, 3)[np.arange(n), :, np.arange(n), :]
    pull = (inverse @ gap).reshape(n, 3)
    apart = np.asarray(np.linalg.solve(blocks, pull[:, :, None])[:, :, 0], dtype=np.float64)
    return apart, np.asarray(np.sqrt(np.maximum(np.einsum("ni,ni->n", apart, pull), 0.0)), dtype=np.float64)


def estimate(
    given: Given,
    scale: Scale,
    age_y: float | None,
    sex: Sex | None,
    stature_cm: float | None,
    *,
    placing_mm: float | Array = PLACING_MM,
) -> Estimate:
    """Estimate all landmarks of a body from those given.

    Parameters
    ----------
    given : mapping of str to ndarray, shape (3,)
        Patient LPS mm, at least one. NaN where a coordinate is not seen.
    scale : Scale
        Of the same landmarks and child.
    age_y, sex, stature_cm : optional
        What is known of the child.
    placing_mm : float or ndarray, shape (given, 3)
        Standard deviation of each coordinate of a given landmark, in the order of ``joints.tree().names``.
    """
    near = float(np.clip(round(scale.likely_cm), 50, 250))
    middle, spread = _known(age_y, sex, stature_cm)
    fit = _Fit(joints.sized(age_y, sex, near), given, (float(np.log(middle / near)), spread), placing_mm)
    return fit.search(near)


def _known(age_y: float | None, sex: Sex | None, stature_cm: float | None) -> tuple[float, float]:
    """Give the stature in cm that is told of the child, and the standard deviation of its logarithm."""
    if stature_cm is not None:
        return stature_cm, _STATURE_SD["told"]
    if age_y is not None:
        return growth.stature_for_age(age_y, sex), _STATURE_SD["age"]
    return _ANY_CM, _STATURE_SD["any"]
