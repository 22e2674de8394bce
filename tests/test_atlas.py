"""The atlas on real skeletons: how many bone voxels get the right bone and side. Floors, to be raised, never lowered.

The tables behind these figures are printed by ``make bench``.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from atlas_bodies import (
    BODIES,
    SIXTEEN,
    BodyOfLabels,
    Score,
    body_of_labels,
    calibration_error,
    jittered,
    levels_off,
    lower,
    only,
    placed,
    rasterised,
    score,
)
from atlas_poses import reposed
from lesionmap.place.labels import place_labels

MOST = 20_000
both = pytest.mark.parametrize("name", BODIES)


@cache
def whole(name: str) -> Score:
    body = body_of_labels(name)
    return score(body, placed(body.marks), most=MOST)


def share(body: BodyOfLabels, marks: dict[str, np.ndarray]) -> Score:
    return score(body, placed(marks), most=MOST)


def told(found: Score) -> str:
    """Say what is worst, for the message of a failing test."""
    return "; ".join(f"{row.name} {row.share:.2f} {row.taken_for[:2]}" for row in found.rows[:4])


@both
def test_bones_with_all_landmarks(name: str) -> None:
    found = whole(name)
    assert found.share >= 0.97, told(found)
    assert found.mean >= 0.96, told(found)
    assert found.worst.share >= 0.78, told(found)


@both
def test_no_limb_point_is_on_the_wrong_side(name: str) -> None:
    assert whole(name).wrong_side == 0
    legs = lower(body_of_labels(name))
    assert share(legs, jittered(legs.marks, 5.0, 1)).wrong_side == 0


@both
def test_bones_with_sixteen_landmarks(name: str) -> None:
    body = body_of_labels(name)
    found = share(body, only(body.marks, SIXTEEN))
    assert found.share >= 0.96, told(found)


@both
def test_landmarks_that_are_off_by_five_millimetres(name: str) -> None:
    body = body_of_labels(name)
    found = [share(body, jittered(body.marks, 5.0, seed)) for seed in (1, 2)]
    assert np.mean([s.share for s in found]) >= whole(name).share - 0.02, told(found[0])


@both
def test_pelvis_and_legs_alone(name: str) -> None:
    body = lower(body_of_labels(name))
    found = share(body, body.marks)
    assert found.share >= 0.975, told(found)
    assert found.worst.share >= 0.92, told(found)  # fibula, patella and talus tell whether the leg is turned right


@both
@pytest.mark.parametrize("pose", ["both knees bent 30", "legs turned 25", "scoliosis 20", "head tilted 20"])
def test_bones_of_other_poses(name: str, pose: str) -> None:
    body = reposed(body_of_labels(name), pose)
    found = share(body, body.marks)
    assert found.share >= 0.965, told(found)
    assert found.wrong_side == 0
    assert calibration_error(found.confidence, found.right) <= 0.05


def test_bones_from_the_label_map_alone() -> None:
    body = reposed(body_of_labels("myobody"), "left knee bent 30")
    volume = rasterised(body)
    placement = place_labels(volume, body.names)
    assert score(body, placement, labels=volume, most=MOST).share >= 0.99
    found = score(body, placement, most=MOST)
    assert found.share >= 0.95, told(found)


@both
def test_vertebral_levels(name: str) -> None:
    marks = body_of_labels(name).marks
    three = {n: p for n, p in marks.items() if n in {"C7", "T12", "L5"} or not n[1:].isdigit()}
    assert levels_off(placed(three), marks) == {}
    none = {n: p for n, p in three.items() if n not in {"C7", "T12", "L5"}}
    assert max(levels_off(placed(none), marks).values(), default=0) <= 1


# ---- the instrument itself


def test_a_pose_keeps_the_shape_of_every_limb_bone() -> None:
    body = body_of_labels("myobody_simpleupper")
    moved = reposed(body, "both knees bent 30")
    shank = np.flatnonzero(body.of("tibia.left"))[::50]
    before, after = (np.linalg.norm(b.points[shank] - b.points[shank[0]], axis=1) for b in (body, moved))
    assert before == pytest.approx(after, abs=1e-6)
    shank_axis, thigh_axis = (
        moved.marks[low] - moved.marks[high] for high, low in (("knee_left", "ankle_left"), ("hip_left", "knee_left"))
    )
    before_axis = body.marks["ankle_left"] - body.marks["knee_left"]
    cosine = shank_axis @ before_axis / np.linalg.norm(shank_axis) / np.linalg.norm(before_axis)
    assert np.degrees(np.arccos(cosine)) == pytest.approx(30, abs=0.1)
    assert shank_axis[1] > 150 > abs(thigh_axis[1])  # the heel went backwards


def test_the_scoliosis_has_cobbs_angle() -> None:
    body = reposed(body_of_labels("myobody"), "scoliosis 20")
    spine = [body.marks[n] for n in ("L5", "L4", "T2", "T1")]
    low, high = spine[1] - spine[0], spine[3] - spine[2]
    leans = [np.degrees(np.arctan2(step[0], step[2])) for step in (low, high)]
    assert leans[0] - leans[1] == pytest.approx(20, abs=1.5)
    length = np.linalg.norm(body.marks["T5"] - body.marks["T6"])
    still = body_of_labels("myobody").marks
    assert length == pytest.approx(np.linalg.norm(still["T5"] - still["T6"]), abs=0.1)


def test_what_is_left_out_of_the_bodies() -> None:
    for name, emblem in (("myobody", 14_000), ("myobody_simpleupper", 19_000)):
        body = body_of_labels(name)
        assert body.left_out["emblem"] == pytest.approx(emblem, rel=0.1)
        assert body.left_out["patella"] == pytest.approx(5_830, rel=0.01)
        assert body.counted.sum() == len(body.points) - sum(body.left_out.values())
