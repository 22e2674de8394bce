"""How fast the skeleton answers: sites of a million points, a placement, the drawing.

The peer of ``locate`` is the obvious other way: a label volume of the same skeleton, asked by a k-d tree of its voxels.
"""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap import skeleton
from lesionmap.skeleton import growth
from lesionmap.skeleton.shape import _pose, pose

if TYPE_CHECKING:
    from collections.abc import Callable

    from lesionmap.skeleton import Placement

MILLION = 1_000_000


@cache
def marks() -> dict[str, list[float]]:
    model = growth.landmark_model(10.0, "F", growth.stature_for_age(10.0, "F"))
    return {name: point.tolist() for name, point in model.items() if name in skeleton.landmarks()}


@cache
def child() -> Placement:
    return skeleton.place(marks(), age_y=10.0, sex="F")


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def test_locate_a_million_points(ratio: Callable[[str, float, float, str], None]) -> None:
    from scipy.spatial import cKDTree

    posed, rng = pose(child()), np.random.default_rng(11)
    points = posed.centres[rng.integers(0, len(posed.centres), MILLION)] + rng.normal(0.0, 12.0, (MILLION, 3))
    voxels = cKDTree(np.unique(np.rint(posed.centres + rng.normal(0, 2, posed.centres.shape)), axis=0))
    skeleton.locate(points[:10], child())
    found: list[Any] = []
    ours = min(seconds(lambda: found.append(skeleton.locate(points, child()))) for _ in range(3))
    theirs = min(seconds(lambda: voxels.query(points)) for _ in range(3))
    assert np.mean(found[0].site != "") > 0.9
    ratio("locate 1,000,000 points", ours, theirs, "nearest labelled voxel (scipy cKDTree)")


def test_place(benchmark: Any) -> None:
    placed = benchmark(skeleton.place, marks(), age_y=10.0, sex="F", stature_cm=138.0)
    assert len(placed.landmarks) == 43 + 20


def test_pose(benchmark: Any) -> None:
    posed = benchmark.pedantic(_pose.__wrapped__, (child().shape_key(),), rounds=3)
    assert len(posed.tubes) > 200
