"""How the child lies on the table: a few joint angles, other ones at each visit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Pose", "pose_of"]

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pose:
    """Joint angles in degrees; pairs are (left, right)."""

    lean: float
    """Of the trunk to the patient's left."""
    side_curve: float
    """How much the lean changes from pelvis to neck."""
    pelvis_tilt: float
    head_turn: float
    head_nod: float
    shrug_mm: Pair
    arm_spread: Pair
    arm_back: Pair
    elbow_bend: Pair
    forearm_turn: Pair
    """90: thumb to the front; 150: palm on the table."""
    wrist_bend: Pair
    leg_spread: Pair
    hip_bend: Pair
    knee_bend: Pair
    foot_out: Pair
    foot_down: Pair
    shift_mm: tuple[float, float, float]
    """Where the middle of the hips lies in the scanner's LPS frame."""


def pose_of(seed: int) -> Pose:
    """Draw a supine pose, arms beside the body."""
    rng = np.random.default_rng([43, seed])

    def one(middle: float, spread: float) -> float:
        return float(middle + spread * rng.uniform(-1, 1))

    def two(middle: float, spread: float) -> Pair:
        common = one(middle, 0.6 * spread)
        return common + one(0, 0.4 * spread), common + one(0, 0.4 * spread)

    return Pose(
        lean=one(0, 2.0),
        side_curve=one(0, 4.0),
        pelvis_tilt=one(0, 3.0),
        head_turn=one(0, 6.0),
        head_nod=one(0, 4.0),
        shrug_mm=two(0, 5.0),
        arm_spread=two(10, 4.0),
        arm_back=two(-1, 3.0),
        elbow_bend=two(12, 8.0),
        forearm_turn=two(120, 30.0),
        wrist_bend=two(5, 8.0),
        leg_spread=two(5, 3.0),
        hip_bend=two(7, 4.0),
        knee_bend=two(12, 6.0),
        foot_out=two(14, 9.0),
        foot_down=two(32, 8.0),
        shift_mm=(one(0, 8.0), one(0, 6.0), one(0, 15.0)),
    )
