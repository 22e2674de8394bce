"""How fast the skeleton answers: sites of a million points, a placement, the drawing.

The peer of ``locate`` is the obvious other way: a label volume of the same skeleton, asked by a k-d tree of its voxels.
"""

from __future__ import annotations

import time
import tracemalloc
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap import skeleton
from lesionmap.skeleton import growth
from lesionmap.skeleton.shape import _carried, _pose, filling, pose

if TYPE_CHECKING:
    from collections.abc import Callable

    from figures import Ratio
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


def test_locate_a_million_points_of_the_whole_box(ratio: Ratio) -> None:
    """Most of them near no bone; the first call of a new placement included, and what it takes of memory."""
    from scipy.spatial import cKDTree

    posed, rng = pose(child()), np.random.default_rng(12)
    points = rng.uniform(posed.centres.min(axis=0) - 20, posed.centres.max(axis=0) + 20, (MILLION, 3))
    moved = {name: [x + 1.0, y, z] for name, (x, y, z) in marks().items()}
    fresh = skeleton.place(moved, age_y=10.0, sex="F")
    skeleton.locate(points[:10], child())
    first = seconds(lambda: skeleton.locate(points[:10], fresh))
    ours = first + min(seconds(lambda: skeleton.locate(points, fresh)) for _ in range(3))
    tree = cKDTree(posed.centres)
    theirs = min(seconds(lambda: tree.query(points, k=6)) for _ in range(2))
    tracemalloc.start()
    skeleton.locate(points, fresh)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e9
    ratio(f"locate 1,000,000 points of the box, {peak / 1e6:.0f} MB", ours, theirs, "six nearest balls (scipy cKDTree)")


def test_lines_after_a_landmark_moved(benchmark: Any) -> None:
    """What the drawing needs while a landmark is dragged: centrelines, and one cut."""
    steps = iter(range(1000))

    def drag() -> object:
        step = next(steps)
        moved = {name: [x + 0.1 * step, y, z] for name, (x, y, z) in marks().items()}
        placed = skeleton.place(moved, age_y=10.0, sex="F", stature_cm=138.0)
        return skeleton.bone_lines(placed), skeleton.cut(placed, [0.0, 100.0, 0.0], [0.0, 1.0, 0.0])

    lines, contours = benchmark.pedantic(drag, rounds=8, warmup_rounds=1)
    assert len(lines) > 200
    assert len(contours) > 20


def test_scrolling(benchmark: Any) -> None:
    depths = iter(np.linspace(20.0, 140.0, 200).tolist())

    def scroll() -> object:
        return skeleton.cut(child(), [0.0, next(depths), 0.0], [0.0, 1.0, 0.0])

    found = benchmark.pedantic(scroll, rounds=20, warmup_rounds=2)
    assert isinstance(found, tuple)


def test_outline_of_another_age(benchmark: Any) -> None:
    ages = iter(range(3, 18))
    skeleton.outline("front")  # the first drawing of a process makes what all others carry: most of a second
    drawn = benchmark.pedantic(lambda: skeleton.outline("front", age_y=next(ages), sex="M"), rounds=12)
    assert len(drawn.shapes) > 150


def test_locate_a_million_points(ratio: Ratio) -> None:
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
    static = filling()

    def forget() -> None:
        _carried.cache_clear()
        _pose.cache_clear()

    posed = benchmark.pedantic(pose, (child(),), setup=forget, rounds=5)
    assert posed.filling is static
    assert len(posed.tubes) > 200
