"""Where landmarks are believed to be: exact ones move nothing, wrong ones come nearer, the dots stay."""

from __future__ import annotations

import numpy as np
import pytest

from landmark_bodies import SETS, jittered, phantoms, placed
from lesionmap.skeleton.believed import believed, placing_mm
from lesionmap.skeleton.estimate import PLACING_MM

JOINTS = [
    f"{name}_{side}" for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")
]


def test_exact_landmarks_move_nothing() -> None:
    who = phantoms(3)[1]
    marks = {name: who.marks[name] for name in SETS["all 43"]}
    placement = placed(marks, who)
    assert placing_mm(marks) < 0.01
    for name, at in believed(placement).items():
        assert at == pytest.approx(placement.positions()[name], abs=1e-9)


def test_the_sides_tell_how_wrongly_landmarks_were_set() -> None:
    for mm in (1.0, 3.0):
        told = [placing_mm(jittered(who.marks, SETS["all 43"], i, mm)) for i, who in enumerate(phantoms(12))]
        assert np.mean(told) == pytest.approx(mm, rel=0.2)
    assert placing_mm(jittered(phantoms(1)[0].marks, SETS["16"], 0)) == PLACING_MM


def test_joints_are_believed_nearer_to_the_truth_and_never_far_from_where_they_were_set() -> None:
    before, after = [], []
    for i, who in enumerate(phantoms(12)):
        marks = jittered(who.marks, SETS["all 43"], i)
        placement = placed(marks, who)
        held = believed(placement)
        before += [float(np.linalg.norm(marks[name] - who.marks[name])) for name in JOINTS]
        after += [float(np.linalg.norm(held[name] - who.marks[name])) for name in JOINTS]
        for name, at in marks.items():
            assert placement.positions()[name] == pytest.approx(at)
            assert np.linalg.norm(held[name] - at) <= 2 * PLACING_MM + 1e-9
    assert np.median(after) < 0.9 * np.median(before)


def test_a_leg_that_is_shorter_in_truth_is_left_so() -> None:
    who = phantoms(3)[2]
    marks = {name: at.copy() for name, at in who.marks.items() if name in SETS["all 43"]}
    for name in ("ankle_left", "heel_left", "toe2_left"):
        marks[name] = marks[name] + 0.08 * (who.marks["knee_left"] - who.marks["ankle_left"])
    held = believed(placed(marks, who))
    assert held["ankle_left"] == pytest.approx(marks["ankle_left"], abs=1e-6)
