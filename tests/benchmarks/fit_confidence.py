"""Fit the constants of ``locate``'s confidence, and print how well it is calibrated before and after.

Run by hand when the shapes or the landmark model have changed::

    cd tests && ../.venv/bin/python benchmarks/fit_confidence.py

The confidence is that of a logistic law: how much farther off the surface of the second-nearest bone is, over a blur in
mm. The blur is the root of squares of two things: how well shapes are known at all, and a share of how far outside all
bones the point lies (the 90 % radius of the landmarks nearby, a third, was tried: it adds nothing to these). The two
constants are those that make the greatest calibration error, over the real bodies re-posed and phantoms, as small as it
gets. A phantom's points are weighted by their bone's volume, as voxels of a label map are.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from atlas_bodies import BODIES, SIXTEEN, body_of_labels, calibration_error, jittered, key_of, only, placed
from atlas_poses import POSES, reposed
from lesionmap import skeleton
from lesionmap.phantom import body as phantom
from lesionmap.skeleton.nearest import nearest_bones

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from atlas_bodies import Key, Marks
    from lesionmap.skeleton import Placement
    from lesionmap.visits import Sex

    Array = NDArray[np.float64]

__all__ = ["Case", "cases", "fit"]

_CHILDREN: tuple[tuple[float, Sex, int], ...] = (
    (3.0, "M", 5),
    (8.0, "M", 2),
    (10.0, "M", 3),
    (14.0, "F", 4),
    (17.0, "M", 6),
)
_FEW = frozenset({"vertex", "C7", "pubis", "hip_left", "hip_right", "ankle_left", "ankle_right"})
_SEEN_MM = 30.0  # gaps beyond this are as good as none


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Points of one body in one pose, placed by one set of landmarks."""

    body: str
    what: str
    gap: Array
    """How much farther the surface of the second bone is, mm."""
    outside: Array
    named: NDArray[np.bool_]
    """False where the point was given no site."""
    right: NDArray[np.bool_]
    weight: Array
    confidence: Array
    """As ``locate`` gives it today."""


def _sets(marks: Marks) -> Iterator[tuple[str, Marks]]:
    yield "all", marks
    yield "jitter", jittered(marks, 5.0, 3)
    yield "16", only(marks, SIXTEEN)


def _case(
    name: tuple[str, str], points: Array, placement: Placement, truth: list[frozenset[Key]], weight: Array
) -> Case:
    _, surface = nearest_bones(points, placement)
    found = skeleton.locate(points, placement)
    right = np.array([key_of(site) in keys for site, keys in zip(found.site.tolist(), truth, strict=True)])
    gap = np.clip(surface[:, 1] - surface[:, 0], 0.0, _SEEN_MM)
    return Case(
        *name,
        gap=gap,
        outside=found.distance_mm,
        named=found.site != "",
        right=right,
        weight=weight,
        confidence=found.confidence,
    )


def _real(most: int) -> Iterator[Case]:
    for name in BODIES:
        for pose in POSES:
            body = reposed(body_of_labels(name), pose)
            rows = np.random.default_rng(1).permutation(np.flatnonzero(body.counted))[:most]
            truth = [body.truth[label] for label in body.label[rows].tolist()]
            for what, marks in _sets(body.marks):
                placement = placed(marks)
                yield _case((f"{name}, {pose}", what), body.points[rows], placement, truth, np.ones(len(rows)))


@cache
def _volumes(age_y: float, sex: Sex, seed: int) -> dict[str, float]:
    """Give the volume of each bone of a phantom in ml, from the share of its box that is the bone."""
    child, rng = phantom(age_y, sex, seed), np.random.default_rng(0)
    found = {}
    for bone in skeleton.bones():
        boxes = [s.form.box for s in child.shapes if s.bone == bone.id and s.side == bone.sides[0]]
        low, high = np.min([b[0] for b in boxes], axis=0), np.max([b[1] for b in boxes], axis=0)
        names, _, sides = child.label(rng.uniform(low, high, (2000, 3)))
        found[bone.id] = float(((names == bone.id) & (sides == bone.sides[0])).mean() * np.prod(high - low)) / 1000.0
    return found


def _children(most: int) -> Iterator[Case]:
    for age_y, sex, seed in _CHILDREN:
        child, volumes = phantom(age_y, sex, seed), _volumes(age_y, sex, seed)
        keys = [(bone.id, side) for bone in skeleton.bones() for side in bone.sides]
        each = max(most // len(keys), 5)
        points = np.concatenate([child.sample_points(bone, side, each) for bone, side in keys])
        truth: list[frozenset[Key]] = [frozenset({key}) for key in keys for _ in range(each)]
        weight = np.repeat([volumes[bone] for bone, _ in keys], each)
        marks = {name: np.array(point) for name, point in child.landmarks().items()}
        for what, some in (*_sets(marks), ("few", only(marks, _FEW))):
            placement = placed(some, age_y, sex)
            yield _case((f"phantom, {age_y:g} {sex}", what), points, placement, truth, weight)


def cases(most: int = 3000) -> list[Case]:
    """Give all cases: real bodies in every pose and phantoms of all ages, by three or four sets of landmarks each."""
    return [*_real(most), *_children(most)]


def law(case: Case, constants: Array) -> Array:
    """Give the confidence: of a logistic law over a blur made of two constants."""
    base, of_outside = constants
    blur = np.hypot(base, of_outside * case.outside)
    return np.asarray(case.named / (1.0 + np.exp(-case.gap / blur)))


def _groups(found: list[Case]) -> dict[str, list[Case]]:
    groups: dict[str, list[Case]] = {}
    for case in found:
        body = "phantoms" if case.body.startswith("phantom") else "real bodies"
        groups.setdefault(f"{body}, {case.what}", []).append(case)
    return groups


def fit(found: list[Case]) -> Array:
    """Give the two constants of least greatest error, over the groups of cases."""
    from scipy.optimize import minimize

    groups = _groups(found)

    def worst(constants: Array) -> float:
        errors = [_error(group, [law(case, constants) for case in group]) for group in groups.values()]
        return max(errors) + 0.2 * float(np.mean(errors))

    starts = ((2.0, 0.3), (3.0, 0.1), (1.0, 1.0))
    tried = [minimize(worst, start, method="Nelder-Mead", options={"maxiter": 250}) for start in starts]
    return np.asarray(np.abs(np.round(min(tried, key=lambda result: float(result.fun)).x, 2)))


def _error(group: list[Case], confidence: list[Array]) -> float:
    right = np.concatenate([case.right for case in group])
    weight = np.concatenate([case.weight / case.weight.sum() for case in group])
    return calibration_error(np.concatenate(confidence), right, weight)


def main() -> None:
    """Print the best constants, and for each group its share right, its error today and by the law."""
    found = cases()
    constants = fit(found)
    write = sys.stdout.write
    write("blur² = {:.2f}² + ({:.2f} × mm outside)²\n".format(*constants))
    write(f"{'':<24}{'right':>8}{'today':>8}{'fitted':>8}{'worst body':>12}\n")
    for name, group in _groups(found).items():
        right = np.average(np.concatenate([c.right for c in group]), weights=np.concatenate([c.weight for c in group]))
        today = _error(group, [case.confidence for case in group])
        after = _error(group, [law(case, constants) for case in group])
        worst = max(_error([case], [law(case, constants)]) for case in group)
        write(f"{name:<24}{right:8.3f}{today:8.3f}{after:8.3f}{worst:12.3f}\n")


if __name__ == "__main__":
    main()
