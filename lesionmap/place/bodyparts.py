"""The body in parts that move as one: which landmarks each holds, what it hangs on, how far it may turn."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

__all__ = ["Part", "carriers_of", "neighbours", "parts"]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the body that registration moves as one."""

    name: str
    line: tuple[tuple[str, str], ...]
    """Pairs of landmarks; the part is what lies around the lines between them."""
    radius_mm: float
    """How far around, in a child of 150 cm (assumed)."""
    turn_deg: float
    """How far it may turn against its neighbour between visits (assumed)."""


# Trunk and head, from the feet up; each hangs on the one before. Landmarks, radius, turn.
_TRUNK: tuple[tuple[str, str, float, float], ...] = (
    (
        "pelvis",
        "asis_left-hip_left asis_right-hip_right hip_left-hip_right ischium_left-ischium_right S1-pubis",
        55,
        25,
    ),
    ("loins", "L4-L1", 75, 12),
    ("chest", "T11-T6 xiphoid-T9", 100, 12),
    ("shoulders", "T5-C7 sternal_notch-T3 ac_joint_left-sc_joint_left ac_joint_right-sc_joint_right", 50, 15),
    ("head", "C2-vertex chin-vertex", 80, 35),
)
# One side: name, hangs on, landmarks, radius, turn.
_LIMBS: tuple[tuple[str, str, str, float, float], ...] = (
    ("upper arm", "shoulders", "shoulder-elbow", 42, 60),
    ("forearm", "upper arm", "elbow-wrist", 38, 80),
    ("hand", "forearm", "wrist-mcp3 mcp3-fingertip3", 42, 70),
    ("thigh", "pelvis", "hip-knee", 75, 40),
    ("shank", "thigh", "knee-ankle", 52, 60),
    ("foot", "shank", "ankle-heel ankle-toe2 heel-toe2", 45, 65),
)
_SIDES = ("left", "right")
_SPINE_SHARES = {  # vertebra levels between parts: which part carries them, and how much of it
    "S1": {"pelvis": 1.0}, "L5": {"pelvis": 0.75, "loins": 0.25}, "L4": {"pelvis": 0.4, "loins": 0.6},
    "L3": {"loins": 1.0}, "L2": {"loins": 1.0}, "L1": {"loins": 0.75, "chest": 0.25},
    "T12": {"loins": 0.5, "chest": 0.5}, "T11": {"loins": 0.25, "chest": 0.75}, "T10": {"chest": 1.0},
    "T9": {"chest": 1.0}, "T8": {"chest": 1.0}, "T7": {"chest": 0.75, "shoulders": 0.25},
    "T6": {"chest": 0.5, "shoulders": 0.5}, "T5": {"chest": 0.25, "shoulders": 0.75}, "T4": {"shoulders": 1.0},
    "T3": {"shoulders": 1.0}, "T2": {"shoulders": 1.0}, "T1": {"shoulders": 1.0},
    "C7": {"shoulders": 0.9, "head": 0.1}, "C6": {"shoulders": 0.75, "head": 0.25},
    "C5": {"shoulders": 0.55, "head": 0.45}, "C4": {"shoulders": 0.4, "head": 0.6},
    "C3": {"shoulders": 0.2, "head": 0.8}, "C2": {"head": 1.0}, "C1": {"head": 1.0},
}  # fmt: skip
_OTHERS = {
    "pelvis": "coccyx pubis si_joint asis ischium",
    "chest": "xiphoid",
    "shoulders": "sternal_notch sc_joint ac_joint",
    "head": "vertex chin mandible_angle",
}
_MIDLINE = {"coccyx", "pubis", "xiphoid", "sternal_notch", "vertex", "chin"}
_JOINTS = {"shoulder": ("shoulders", "upper arm"), "elbow": ("upper arm", "forearm"), "wrist": ("forearm", "hand"),
           "mcp3": ("hand",), "fingertip3": ("hand",), "hip": ("pelvis", "thigh"), "knee": ("thigh", "shank"),
           "ankle": ("shank", "foot"), "heel": ("foot",), "toe2": ("foot",)}  # fmt: skip


def _lines(words: str, side: str = "") -> tuple[tuple[str, str], ...]:
    pairs = (word.split("-") for word in words.split())
    end = f"_{side}" if side else ""
    return tuple((a + end, b + end) for a, b in pairs)


def _own(name: str, side: str) -> str:
    return name if name in {row[0] for row in _TRUNK} else f"{side} {name}"


@cache
def parts() -> dict[str, Part]:
    """Give the parts by name: ``pelvis``, ``left thigh`` and the like."""
    found = {name: Part(name, _lines(words), radius, turn) for name, words, radius, turn in _TRUNK}
    for name, _, words, radius, turn in _LIMBS:
        for side in _SIDES:
            found[f"{side} {name}"] = Part(f"{side} {name}", _lines(words, side), radius, turn)
    return found


@cache
def neighbours() -> dict[str, dict[str, str]]:
    """Give for each part the parts that it is joined to, with the landmark of the joint."""
    found: dict[str, dict[str, str]] = {name: {} for name in parts()}
    joints = [(a[0], b[0], joint) for a, b, joint in zip(_TRUNK, _TRUNK[1:], ("L5", "T12", "T6", "C7"), strict=False)]
    for name, parent, words, _, _ in _LIMBS:
        joint = words.split("-")[0]
        joints += [(_own(parent, side), f"{side} {name}", f"{joint}_{side}") for side in _SIDES]
    for one, other, joint in joints:
        found[one][other] = found[other][one] = joint
    return found


@cache
def carriers_of() -> dict[str, dict[str, float]]:
    """Give for each landmark and vertebra the parts that carry it, with their shares (sum 1)."""
    found = {name: dict(shares) for name, shares in _SPINE_SHARES.items()}
    for part, words in _OTHERS.items():
        for word in words.split():
            found |= {name: {part: 1.0} for name in ([word] if word in _MIDLINE else [f"{word}_{s}" for s in _SIDES])}
    for joint, names in _JOINTS.items():
        for side in _SIDES:
            found[f"{joint}_{side}"] = {_own(name, side): 1.0 / len(names) for name in names}
    return found
