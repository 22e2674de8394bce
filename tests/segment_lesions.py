"""Lesions whose true segment is known, in phantoms; and the best linear prediction of where physes lie.

Where lesions sit and in which part of a long bone follows Fritz 2009 and Andronikou 2019 (long bones: metaphysis 0.60,
epiphysis 0.25, diaphysis 0.15). A lesion is a ball of 6 to 15 mm radius about a random point of that segment, cut by
the bone. Its segment is the one that holds most of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lesionmap import phantom, skeleton
from lesionmap.skeleton import growth, joints
from lesionmap.skeleton.estimate import estimate, scale_of
from lesionmap.skeleton.limits import LONG, limits

if TYPE_CHECKING:
    from lesionmap.phantom import Body
    from lesionmap.skeleton import Placement
    from lesionmap.visits import Sex

__all__ = ["Child", "Lesion", "child", "lesions_of", "marks_of", "offsets_mm", "placed_on", "predictors", "side_of"]

Array = np.ndarray

_ENDS = {
    ("femur", "distal"): 17, ("tibia", "proximal"): 14, ("tibia", "distal"): 14, ("fibula", "distal"): 8,
    ("femur", "proximal"): 8, ("humerus", "proximal"): 4, ("radius", "distal"): 3, ("fibula", "proximal"): 2,
    ("ulna", "distal"): 1, ("humerus", "distal"): 1.2, ("ulna", "proximal"): 0.8, ("radius", "proximal"): 0.5,
}  # fmt: skip
_WHOLE = {
    "vertebra_T4": 2.3, "vertebra_T5": 2.3, "vertebra_L2": 2.4, "ilium": 6, "clavicle": 5, "sacrum": 3, "calcaneus": 3,
    "ischium": 2, "pubis": 2, "talus": 2, "metatarsal_1": 1.5, "metatarsal_3": 1, "sternum": 1, "mandible": 1,
}  # fmt: skip
_PARTS = (("metaphysis", 0.60), ("epiphysis", 0.25), ("diaphysis", 0.15))
_SIDES = ("left", "right")
_NEAR_MM = 480.0  # lengths up to that of a thigh
_JOINTS = (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))


class Child(NamedTuple):
    """A phantom that is asked about."""

    age_y: float
    sex: Sex
    body: Body


class Lesion(NamedTuple):
    """A ball in a bone."""

    points: Array
    site: str
    share: float
    """How much of it lies in that site."""


def child(seed: int) -> Child:
    """Make one of the phantoms that nothing was fitted to."""
    age_y, sex = float(np.random.default_rng([77, seed]).uniform(2, 18)), ("F", "M")[seed % 2]
    return Child(age_y, sex, phantom.body(age_y, sex, 5000 + seed, pose=6000 + seed))  # type: ignore[arg-type]


def _spot(body: Body, rng: np.random.Generator) -> tuple[str, str, str]:
    """Draw bone, side, and end with part (or nothing)."""
    keys = [*_ENDS, *_WHOLE]
    weight = np.array([*_ENDS.values(), *_WHOLE.values()])
    key, side = keys[rng.choice(len(keys), p=weight / weight.sum())], _SIDES[rng.integers(2)]
    if isinstance(key, str):
        return key, side if skeleton.bone(key).paired else "midline", ""
    part = str(rng.choice([p for p, _ in _PARTS], p=[w for _, w in _PARTS]))
    return key[0], side, part if part == "diaphysis" else f"{key[1]}_{part}"


def lesions_of(body: Body, n: int, seed: int) -> list[Lesion]:
    """Draw lesions; those of which hardly anything lies in the bone are left out."""
    rng, found, inside = np.random.default_rng([78, seed]), [], {}
    for _ in range(n):
        bone, side, part = _spot(body, rng)
        if (bone, side) not in inside:
            points = body.sample_points(bone, side, 300, seed=seed)
            inside[bone, side] = points, body.label(points)[1]
        points, parts = inside[bone, side]
        middles = points[parts == part] if part else points
        if not len(middles):
            continue
        way = rng.normal(size=(250, 3))
        way *= rng.uniform(6, 15) * rng.uniform(size=(250, 1)) ** (1 / 3) / np.linalg.norm(way, axis=1, keepdims=True)
        ball = middles[rng.integers(len(middles))] + way
        own = body.label(ball)
        mine = (own[0] == bone) & ((own[2] == side) | (bone == "sacrum"))
        if mine.sum() < 15:
            continue
        names, counts = np.unique(body.sites(ball[mine]).astype(str), return_counts=True)
        found.append(Lesion(ball[mine], str(names[counts.argmax()]), float(counts.max() / mine.sum())))
    return found


def marks_of(body: Body, mm: float, seed: int) -> dict[str, Array]:
    """Give the 43 landmarks, each coordinate set wrongly by a normal error of that standard deviation."""
    rng = np.random.default_rng([9, seed])
    return {name: np.array(at) + rng.normal(0.0, mm, 3) for name, at in body.landmarks().items()}


def placed_on(marks: dict[str, Array], who: Child) -> Placement:
    """Place on landmarks, age and sex told."""
    return skeleton.place({n: p.tolist() for n, p in marks.items()}, age_y=who.age_y, sex=who.sex)


def offsets_mm(body: Body, placement: Placement) -> dict[tuple[str, str, int], float]:
    """Give for every limit of a long bone (bone, side, which) how far behind the atlas's one the true one lies, mm."""
    found = {}
    for shape in body.shapes:
        if shape.bone not in LONG or not shape.cuts:
            continue
        own = limits(shape.bone, shape.side, placement)
        head = shape.bone == "femur" and shape.segments[0] == "proximal_epiphysis"
        if len(shape.cuts) < 4 and not head:
            continue
        first = 1 if shape.bone == "femur" and not head else 0
        for i, cut in enumerate(shape.cuts[:1] if head else shape.cuts):
            one = own[first + i]
            found[shape.bone, shape.side, first + i] = float((cut.point - one.point) @ one.normal)  # type: ignore[attr-defined]
    return found


def side_of(name: str, side: str) -> str:
    """Give a landmark of the other side where a body is looked at from the right."""
    if side == "left" or "_" not in name:
        return name
    stem, _, end = name.rpartition("_")
    return f"{stem}_{'right' if end == 'left' else 'left'}" if end in _SIDES else name


def predictors(marks: dict[str, Array], who: Child, side: str) -> Array:
    """Give what all landmarks say, seen from one side: lengths against the model's, joints against the body's, age."""
    model = growth.landmark_model(who.age_y, who.sex, growth.stature_for_age(who.age_y, who.sex))
    names = [name for name in skeleton.landmarks() if not name.endswith("_right")]
    own = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    reference = growth.reference_landmarks()
    rows = [(a, b) for a, b in own if np.linalg.norm(reference[a] - reference[b]) < _NEAR_MM]
    rows += [(side_of(a, "right"), side_of(b, "right")) for a, b in rows]
    seen = [(side_of(a, side), side_of(b, side)) for a, b in rows]
    found = [float(np.linalg.norm(marks[a] - marks[b]) - np.linalg.norm(model[a] - model[b])) for a, b in seen]
    told = (who.age_y, who.sex, None)
    most = estimate(marks, scale_of(marks, *told), *told).points
    for start, end in _JOINTS:
        for half in _SIDES:
            ends = [side_of(f"{joint}_{half}", side) for joint in (start, end)]
            way = marks[ends[1]] - marks[ends[0]]
            way = way / np.linalg.norm(way)
            found += [float((most[joints.tree().index[joint]] - marks[joint]) @ way) for joint in ends]
    return np.array([*found, who.age_y, (who.age_y - 10) ** 2 / 10, 10.0 * (who.sex == "F")])
