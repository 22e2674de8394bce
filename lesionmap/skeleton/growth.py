"""How the skeleton grows: sizes by age, sex and stature, and the landmarks of a child of that size.

All figures stand in ``bones.toml`` (``[growth]``) with their sources.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lesionmap.skeleton.anatomy import table

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "CHAIN",
    "MIDLINE",
    "age_for_stature",
    "breadth_ratio",
    "epiphysis_mm",
    "landmark_model",
    "length_mm",
    "metaphysis_share",
    "stature_for_age",
    "vertebra_names",
]

Sex = Literal["F", "M"]

CHAIN: tuple[tuple[str, str], ...] = (
    ("chin", "C2"),
    ("vertex", "C2"),
    ("mandible_angle", "C2"),
    ("sternal_notch", "T3"),
    ("xiphoid", "sternal_notch"),
    ("sc_joint", "sternal_notch"),
    ("ac_joint", "sc_joint"),
    ("shoulder", "ac_joint"),
    ("elbow", "shoulder"),
    ("wrist", "elbow"),
    ("mcp3", "wrist"),
    ("fingertip3", "mcp3"),
    ("coccyx", "S1"),
    ("pubis", "S1"),
    ("si_joint", "S1"),
    ("asis", "si_joint"),
    ("hip", "S1"),
    ("ischium", "hip"),
    ("knee", "hip"),
    ("ankle", "knee"),
    ("heel", "ankle"),
    ("toe2", "ankle"),
)
"""Each landmark and the one that it hangs on; the vertebrae L5 to C1 hang one on the other, from S1 up."""

MIDLINE = frozenset({"vertex", "chin", "coccyx", "sternal_notch", "xiphoid", "pubis"})
"""Landmarks without a side, but for the vertebrae."""


@cache
def vertebra_names() -> tuple[str, ...]:
    """Give C1 … L5, head to foot."""
    return tuple(table()["vertebrae"])


def _growth(name: str) -> Any:
    return table()["growth"][name]


def _by_age(values: list[float], age_y: float) -> float:
    return float(np.interp(age_y, _growth("age_y"), values))


def stature_for_age(age_y: float, sex: Sex | None) -> float:
    """Give the median stature in cm; the mean of both sexes where the sex is not known (CDC 2000)."""
    values = _growth("stature_cm")
    return float(np.mean([_by_age(values[s], age_y) for s in ([sex] if sex else ["F", "M"])]))


def age_for_stature(stature_cm: float, sex: Sex | None) -> float:
    """Give the age in years at which a stature is the median one; 2 to 18."""
    values = _growth("stature_cm")
    medians = np.mean([values[s] for s in ([sex] if sex else ["F", "M"])], axis=0)
    return float(np.interp(stature_cm, medians, _growth("age_y")))


def length_mm(measure: str, stature_cm: float) -> float:
    """Give a length or breadth in mm from stature (KS-Stature quadratics); proportional below 80 cm."""
    a0, a1, a2 = _growth("from_stature")[measure]
    height = max(stature_cm, 80.0)
    return float((a0 + a1 * height + a2 * height**2) * min(stature_cm / 80.0, 1.0))


def breadth_ratio(measure: str, age_y: float, stature_cm: float) -> float:
    """Give a breadth as ratio to that of the reference body."""
    reference = table()["shape"]["stature_cm"]
    if measure in {"hand", "foot"}:
        share = _growth(f"{measure}_share")
        return float(_by_age(share, age_y) * stature_cm / (share[-1] * reference))
    return length_mm(measure, stature_cm) / length_mm(measure, reference)


def metaphysis_share(end: str, age_y: float) -> float:
    """Give the metaphysis' length as share of the ossified shaft, by the AO square.

    Parameters
    ----------
    end : str
        Bone and end: ``tibia_distal``.
    age_y : float
        Years.
    """
    rows = _growth("metaphysis")
    return float(np.interp(age_y, rows["age_y"], rows[rows["assumed"].get(end, end)]))


def epiphysis_mm(end: str, stature_cm: float) -> float:
    """Give the height of an epiphysis, from the bone's end to the physis, in mm (assumed figures)."""
    rows = _growth("epiphysis")
    breadth = rows["breadth"].get(end, f"{end}_breadth")
    return float(rows[end] * length_mm(breadth, stature_cm))


def _factors(age_y: float, sex: Sex | None, stature_cm: float) -> dict[str, NDArray[np.float64]]:
    """Give, for each landmark, the factors (x, y, z) by which its offset from its parent differs from the reference."""
    reference = float(table()["shape"]["stature_cm"])
    whole = stature_cm / reference

    def ratio(shares: list[float]) -> float:
        return _by_age(shares, age_y) / shares[-1] * whole

    sitting = np.mean([_growth("sitting_share")[s] for s in ([sex] if sex else ["F", "M"])], axis=0).tolist()
    head = ratio(_growth("head_share"))
    seat, seat_ref = _by_age(sitting, age_y) * stature_cm, sitting[-1] * reference
    crown, crown_ref = _by_age(_growth("head_share"), age_y) * stature_cm, _growth("head_share")[-1] * reference
    trunk = (seat - crown) / (seat_ref - crown_ref)
    shoulders, hips = ratio(_growth("biacromial_share")), ratio(_growth("biiliac_share"))
    hand, foot = ratio(_growth("hand_share")), ratio(_growth("foot_share"))

    def limb(measure: str) -> float:
        return length_mm(measure, stature_cm) / length_mm(measure, reference)

    factors = {
        "head": (head, head, head),
        "spine": (trunk, trunk, trunk),
        "thorax": (shoulders, (trunk + shoulders) / 2, trunk),
        "girdle": (shoulders, shoulders, shoulders),
        "pelvis": (hips, hips, (hips + trunk) / 2),
        "upper_arm": (limb("humerus_length"),) * 3,
        "forearm": (limb("radius_length"),) * 3,
        "hand": (hand,) * 3,
        "thigh": (limb("femur_length"),) * 3,
        "shank": (limb("tibia_length"),) * 3,
        "foot": (foot,) * 3,
    }
    return {name: np.array(values, dtype=np.float64) for name, values in factors.items()}


_PART = {
    "chin": "head", "vertex": "head", "mandible_angle": "head", "sternal_notch": "thorax", "xiphoid": "thorax",
    "sc_joint": "girdle", "ac_joint": "girdle", "shoulder": "girdle", "elbow": "upper_arm", "wrist": "forearm",
    "mcp3": "hand", "fingertip3": "hand", "coccyx": "pelvis", "pubis": "pelvis", "si_joint": "pelvis",
    "asis": "pelvis", "hip": "pelvis", "ischium": "pelvis", "knee": "thigh", "ankle": "shank", "heel": "foot",
    "toe2": "foot",
}  # fmt: skip


@cache
def parents() -> dict[str, tuple[str, str]]:
    """Give for every landmark and vertebra (with side) its parent and the part of the body whose growth it follows."""
    spine = (*vertebra_names(), "S1")
    found = {lower: (upper, "spine") for lower, upper in pairwise(spine)}
    for name, parent in CHAIN:
        for side in [""] if name in MIDLINE else ["_left", "_right"]:
            paired_parent = parent + side if parent not in {*MIDLINE, *spine} else parent
            found[name + side] = (paired_parent, _PART[name])
    return found


@cache
def reference_landmarks() -> dict[str, NDArray[np.float64]]:
    """Give the landmarks and vertebrae of the reference body, LPS mm, both sides."""
    found: dict[str, NDArray[np.float64]] = {}
    for name, xyz in table()["reference"].items():
        point = np.array(xyz, dtype=np.float64)
        if name in table()["landmarks"]["paired"]:
            found[f"{name}_left"] = point
            found[f"{name}_right"] = point * [-1, 1, 1]
        else:
            found[name] = point
    return found


def landmark_model(age_y: float, sex: Sex | None, stature_cm: float) -> dict[str, NDArray[np.float64]]:
    """Give landmarks and vertebrae of a child of that age, sex and stature in the pose of the reference body.

    Returns
    -------
    dict of str to ndarray, shape (3,)
        LPS mm, S1 where the reference body has it.
    """
    reference, factors = reference_landmarks(), _factors(age_y, sex, stature_cm)
    found = {"S1": reference["S1"]}
    waiting = dict(parents())
    while waiting:
        for name, (parent, part) in list(waiting.items()):
            if parent in found:
                found[name] = found[parent] + (reference[name] - reference[parent]) * factors[part]
                del waiting[name]
    return found
