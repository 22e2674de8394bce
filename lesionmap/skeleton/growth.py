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
    from collections.abc import Sequence

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
    "open_share",
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


def _by_age(values: Sequence[float], age_y: float) -> float:
    return float(np.interp(age_y, _growth("age_y"), values))


def _sexes(sex: Sex | None) -> tuple[Sex, ...]:
    return (sex,) if sex else ("F", "M")


@cache
def _of_sex(name: str, sex: Sex | None) -> tuple[float, ...]:
    """Give a measure's values by age; the mean of both sexes where the sex is not known, or the measure is of both."""
    values = _growth(name)
    if not isinstance(values, dict):
        return tuple(values)
    return tuple(float(np.mean(pair)) for pair in zip(*(values[s] for s in _sexes(sex)), strict=True))


def stature_for_age(age_y: float, sex: Sex | None) -> float:
    """Give the median stature in cm; the mean of both sexes where the sex is not known (CDC 2000)."""
    return _by_age(_of_sex("stature_cm", sex), age_y)


def age_for_stature(stature_cm: float, sex: Sex | None) -> float:
    """Give the age in years at which a stature is the median one; 2 to 18."""
    return float(np.interp(stature_cm, _of_sex("stature_cm", sex), _growth("age_y")))


def length_mm(measure: str, stature_cm: float) -> float:
    """Give a length or breadth in mm from stature (KS-Stature quadratics); proportional below 80 cm."""
    a0, a1, a2 = _growth("from_stature")[measure]
    height = max(stature_cm, 80.0)
    return float((a0 + a1 * height + a2 * height**2) * min(stature_cm / 80.0, 1.0))


def open_share(age_y: float, sex: Sex | None) -> float:
    """Give how far the growth plates of the limbs are open: 1 in a child, 0 when all have joined (assumed ages)."""
    ages = _growth("joining")
    shares = [float(np.interp(age_y, ages[s], [1.0, 0.0])) for s in _sexes(sex)]
    return sum(shares) / len(shares)


def breadth_ratio(frame: str, age_y: float, sex: Sex | None, stature_cm: float) -> float:
    """Give how much broader a limb is than that of the reference body.

    While growth plates are open, breadths are published of the physis, later of the whole end: the reference body is
    as broad as its published end, yet narrower at the place where the physis was.

    Parameters
    ----------
    frame : str
        As in ``bones.toml``, ``[frames]``: its ``breadth`` names measures, each with the reference body's own in mm.
    age_y, sex, stature_cm
        The child.
    """
    reference, measures = table()["shape"]["stature_cm"], table()["frames"][frame]["breadth"]
    if isinstance(measures, str):
        share = _growth(f"{measures}_share")
        return float(_by_age(share, age_y) * stature_cm / (share[-1] * reference))
    growing, ratios = open_share(age_y, sex), []
    for measure, own_mm in measures.items():
        own = np.array([own_mm, length_mm(measure, reference)])
        ratios.append(length_mm(measure, stature_cm) * float(np.array([growing, 1 - growing]) @ (1 / own)))
    return float(np.mean(ratios))


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


def _limb(bone: str, age_y: float, sex: Sex | None, stature_cm: float) -> float:
    """Give a limb's length as ratio to the reference body's, which has grown up.

    Published lengths leave the epiphyses out while they are open, and hold them once they have joined; the femur's
    upper one is its head, of which half lies above the shaft.
    """
    ends = [epiphysis_mm(f"{bone}_distal", stature_cm)]
    if bone == "femur":
        ends.append(_growth("femur_head") * length_mm("femur_distal_breadth", stature_cm) / 2)
    else:
        ends.append(epiphysis_mm(f"{bone}_proximal", stature_cm))
    whole = length_mm(f"{bone}_length", stature_cm) + sum(ends) * open_share(age_y, sex)
    return whole / length_mm(f"{bone}_length", table()["shape"]["stature_cm"])


_NARROW = ("clavicle", "biacromial")


def _clavicle(age_y: float, sex: Sex | None, stature_cm: float) -> float:
    """Give the clavicle's length as ratio to the reference body's.

    Its published lengths and those that published shoulders leave to it do not agree; the middle serves both.
    """
    own = _growth("own_mm")
    shares = ((_growth("clavicle_share"), own["clavicle"]), (_growth("biacromial_share"), own["biacromial"]))
    ratios = [10 * stature_cm * np.mean([_by_age(share[s], age_y) for s in _sexes(sex)]) / mm for share, mm in shares]
    return float(np.mean(ratios))


def _factors(age_y: float, sex: Sex | None, stature_cm: float) -> dict[str, NDArray[np.float64]]:
    """Give the factors (x, y, z) by which offsets from the parent differ from the reference, by part or landmark."""
    reference = float(table()["shape"]["stature_cm"])

    def ratio(measure: str) -> float:
        """Compare with the grown body of both sexes: the reference has no sex."""
        return _by_age(_of_sex(measure, sex), age_y) * stature_cm / (_of_sex(measure, None)[-1] * reference)

    def below_head(age: float, who: Sex | None, cm: float) -> float:
        return (_by_age(_of_sex("sitting_share", who), age) - _by_age(_growth("head_share"), age)) * cm

    trunk = below_head(age_y, sex, stature_cm) / below_head(18.0, None, reference)
    head, shoulders, hips = ratio("head_share"), ratio("biacromial_share"), ratio("biiliac_share")
    limbs = {bone: (_limb(bone, age_y, sex, stature_cm),) * 3 for bone in ("humerus", "radius", "femur", "tibia")}
    factors = {
        "head": (head, head, head),
        "spine": (trunk, trunk, trunk),
        "thorax": (shoulders, (trunk + shoulders) / 2, trunk),
        "girdle": (shoulders, shoulders, shoulders),
        "ac_joint": (_clavicle(age_y, sex, stature_cm), shoulders, shoulders),
        "pelvis": (hips, hips, (hips + trunk) / 2),
        "upper_arm": limbs["humerus"],
        "forearm": limbs["radius"],
        "hand": (ratio("hand_share"),) * 3,
        "thigh": limbs["femur"],
        "shank": limbs["tibia"],
        "foot": (ratio("foot_share"),) * 3,
    }
    return _as_tall(stature_cm, {name: np.array(values, dtype=np.float64) for name, values in factors.items()})


def _as_tall(stature_cm: float, factors: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Stretch trunk and legs so that the skeleton stands as tall as the child: each measure is published by itself."""
    at = reference_landmarks()
    ways = (("head", "vertex", "C2"), ("spine", "C2", "S1"), ("pelvis", "S1", "hip_left"), ("foot", "ankle_left", ""))
    limbs = (("thigh", "hip_left", "knee_left"), ("shank", "knee_left", "ankle_left"))
    floor = _growth("own_mm")["floor"]
    height = {part: float(at[top][2] - (at[low][2] if low else floor)) for part, top, low in (*ways, *limbs)}
    grown = {part: mm * float(factors[part][2]) for part, mm in height.items()}
    held = grown["head"] + grown["pelvis"] + grown["foot"]
    whole = sum(height.values()) * stature_cm / table()["shape"]["stature_cm"]
    share = (whole - held) / (sum(grown.values()) - held)
    return {part: by * share if part in {"spine", "thigh", "shank"} else by for part, by in factors.items()}


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
                own = factors.get(name.removesuffix("_left").removesuffix("_right"), factors[part])
                found[name] = found[parent] + (reference[name] - reference[parent]) * own
                del waiting[name]
    return found
