"""Which segment lesions are given when landmarks are set wrongly, beside the best that a linear law tells from them.

Over other phantoms, for each limit of each long bone: the best linear prediction (ridge, five-fold cross-validation
over bodies) of how far the true limit lies from the atlas's one, from all jittered landmarks and age. Lesions are asked
again with all limits moved there. It knows the phantoms' own heights of epiphyses and that their two sides are alike,
which no atlas can; it moves no bone, so it is no strict bound. The last line moves every limit to its true place. The
phantoms that are asked were not looked at when the atlas was changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from lesionmap import phantom, skeleton
from lesionmap.skeleton.limits import LONG, limits
from lesionmap.skeleton.locate import _BLUR_MM  # points outside a bone count as in site_shares
from lesionmap.skeleton.segments import _parted, site_names
from segment_lesions import Child, child, lesions_of, marks_of, offsets_mm, placed_on, predictors

if TYPE_CHECKING:
    from figures import Tell
    from lesionmap.skeleton import Located, Placement
    from segment_lesions import Lesion

    Limits = dict[tuple[str, str, int], float]

Array = np.ndarray

FIRST, ASKED, TAUGHT, LESIONS = 50, 16, 80, 30


class Law(NamedTuple):
    """A linear prediction."""

    mean: Array
    scale: Array
    weights: Array
    level: float

    def at(self, row: Array) -> float:
        """Give the prediction for one body seen from one side."""
        return float(self.level + (row - self.mean) / self.scale @ self.weights)


def ridge(rows: Array, values: Array, strength: float) -> Array:
    """Solve by the rows, of which there are fewer than columns."""
    return np.asarray(rows.T @ np.linalg.solve(rows @ rows.T + strength * np.eye(len(rows)), values))


def law(rows: Array, values: Array) -> Law:
    """Fit one limit; two neighbouring rows are the two sides of one body."""
    mean, scale, level = rows.mean(axis=0), rows.std(axis=0) + 1e-9, float(values.mean())
    flat, fold = (rows - mean) / scale, np.arange(len(rows)) // 2 % 5

    def error(strength: float) -> float:
        off = [values[fold == k] - level - flat[fold == k] @ ridge(flat[fold != k], values[fold != k] - level, strength)
               for k in range(5)]  # fmt: skip
        return float(np.square(np.concatenate(off)).mean())

    best = min((10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0), key=error)
    return Law(mean, scale, ridge(flat, values - level, best), level)


def taught(mm: float) -> dict[tuple[str, int], Law]:
    """Learn where limits lie, over bodies that are not asked about."""
    rows: list[Array] = []
    values: dict[tuple[str, int], list[float]] = {}
    for i in range(TAUGHT):
        age_y, sex = float(np.random.default_rng([55, i]).uniform(2, 18)), ("F", "M")[i % 2]
        who = Child(age_y, sex, phantom.body(age_y, sex, 20000 + i, pose=30000 + i))  # type: ignore[arg-type]
        marks = marks_of(who.body, mm, 50_000 + i)
        off = offsets_mm(who.body, placed_on(marks, who))
        for side in ("left", "right"):
            rows.append(predictors(marks, who, side))
            for (bone, half, which), value in off.items():
                if half == side:
                    values.setdefault((bone, which), []).append(value)
    return {key: law(np.array(rows), np.array(of)) for key, of in values.items()}


def renamed(points: Array, found: Located, placement: Placement, moved: Limits) -> Array:
    """Name the points of long bones again with their limits moved."""
    sites = found.site.astype(str)
    owner = np.array([f"{s.split('.')[0]}.{s.split('.')[-1]}" if s else "." for s in sites.tolist()])
    for key in np.unique(owner).tolist():
        bone, side = key.split(".")
        if bone in LONG:
            mine, own = np.flatnonzero(owner == key), limits(bone, side, placement)
            away = np.stack([one.value(points[mine]) - moved.get((bone, side, i), 0.0) for i, one in enumerate(own)])
            sites[mine] = site_names()[_parted(away, own)[0]].astype(str)
    return sites


def right(sites: Array, weight: Array, lesions: list[Lesion]) -> list[bool]:
    """Say for each lesion whether most of it was named as its true site."""
    edges = np.cumsum([0, *(len(one.points) for one in lesions)])
    found = []
    for i, one in enumerate(lesions):
        names, index = np.unique(sites[edges[i] : edges[i + 1]], return_inverse=True)
        share = np.bincount(index, weight[edges[i] : edges[i + 1]])
        found.append(str(names[share.argmax()]) == one.site)
    return found


@pytest.fixture(scope="module")
def asked() -> list[tuple[Child, list[Lesion]]]:
    seeds = range(FIRST, FIRST + ASKED)
    return [(who, lesions_of(who.body, LESIONS, seed)) for seed, who in zip(seeds, map(child, seeds), strict=True)]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mm", [0.0, 5 / 3**0.5, 5.0], ids=["exact", "5 mm r.m.s.", "5 mm each axis"])
def test_segments_and_the_best_that_landmarks_can_tell(
    mm: float, asked: list[tuple[Child, list[Lesion]]], tell: Tell
) -> None:
    laws = taught(mm)
    rows: dict[str, list[bool]] = {"atlas": [], "best linear limits": [], "true limits": []}
    clear = []
    for seed, (who, lesions) in enumerate(asked, start=FIRST):
        marks = marks_of(who.body, mm, seed)
        placement = placed_on(marks, who)
        points = np.concatenate([one.points for one in lesions])
        found = skeleton.locate(points, placement)
        weight = np.where(found.site != "", np.exp(-found.distance_mm / _BLUR_MM), 0.0)
        true = offsets_mm(who.body, placement)
        seen = {side: predictors(marks, who, side) for side in ("left", "right")}
        linear = {key: laws[key[0], key[2]].at(seen[key[1]]) for key in true}
        for name, moved in zip(rows, ({}, linear, true), strict=True):
            rows[name] += right(renamed(points, found, placement, moved), weight, lesions)
        clear += [one.share > 0.75 for one in lesions]
    clear_cut = np.array(clear)
    right_of = {name: np.array(of) for name, of in rows.items()}
    tell(
        f"right bone, segment and side, landmarks off by {mm:.1f} mm on each axis: {len(clear)} lesions",
        [f"{name:<22}{of.mean():8.3f}   clear-cut {of[clear_cut].mean():.3f}" for name, of in right_of.items()],
    )
    assert np.mean(rows["true limits"]) > np.mean(rows["atlas"]) - 0.01
    assert np.mean(rows["atlas"]) > 0.85
