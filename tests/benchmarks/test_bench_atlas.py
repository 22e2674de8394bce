"""How right the atlas is on real skeletons: tables per bone, per pose and per set of landmarks.

The peer is a transfer of labels: another body's voxels, carried by a thin-plate spline through the landmarks that both
have, name each point by the nearest voxel. Labels of which that body has nothing are left out for all. The two bodies
share most of their meshes (all of the legs), so that one transfers to the other better than to any patient; a phantom
of 17 years is the peer with another anatomy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atlas_bodies import (
    BODIES,
    SIXTEEN,
    body_of_labels,
    calibration_error,
    jittered,
    labels_of,
    levels_off,
    lower,
    only,
    placed,
    rasterised,
    score,
    score_of_keys,
)
from atlas_poses import POSES, reposed
from lesionmap import skeleton
from lesionmap.phantom import body as phantom
from lesionmap.place.labels import place_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from atlas_bodies import BodyOfLabels, Key, Marks, Score
    from figures import Tell

    Array = NDArray[np.float64]

MOST = 100_000
SEEDS = range(1, 6)
both = pytest.mark.parametrize("name", BODIES)

_HEAD = f"{'':<34}{'share':>8}{'mean':>8}{'wrong side':>12}   worst label"


def line(what: str, found: Score) -> str:
    """One line of a table: shares, and the worst label with what it was taken for."""
    row = found.worst
    taken = ", ".join(f"{name} {share:.2f}" for name, share in row.taken_for[:2])
    return (
        f"{what:<34}{found.share:8.4f}{found.mean:8.4f}{found.wrong_side:12.5f}   {row.name} {row.share:.3f} ({taken})"
    )


def by(body: BodyOfLabels, marks: Marks, most: int = MOST) -> Score:
    return score(body, placed(marks), most=most)


def averaged(what: str, body: BodyOfLabels, marks: Marks, *, each_axis: bool) -> str:
    """One line for jittered landmarks: means over seeds."""
    found = [by(body, jittered(marks, 5.0, seed, each_axis=each_axis), 40_000) for seed in SEEDS]
    share, mean, wrong = (float(np.mean([getattr(s, k) for s in found])) for k in ("share", "mean", "wrong_side"))
    return f"{what:<34}{share:8.4f}{mean:8.4f}{wrong:12.5f}   mean of {len(found)} draws"


@both
def test_landmarks(name: str, tell: Tell) -> None:
    body = body_of_labels(name)
    legs = lower(body)
    whole = by(body, body.marks)
    lines = [
        _HEAD,
        line("all landmarks", whole),
        line("16 landmarks", by(body, only(body.marks, SIXTEEN))),
        averaged("all, off by 5 mm (r.m.s.)", body, body.marks, each_axis=False),
        averaged("all, off by 5 mm on each axis", body, body.marks, each_axis=True),
        averaged("16, off by 5 mm (r.m.s.)", body, only(body.marks, SIXTEEN), each_axis=False),
        line("pelvis and legs alone", by(legs, legs.marks)),
        averaged("the same, off by 5 mm (r.m.s.)", legs, legs.marks, each_axis=False),
    ]
    volume = rasterised(body)
    placement = place_labels(volume, body.names)
    lines += [
        line("label map, placed and named by it", score(body, placement, labels=volume, most=MOST)),
        line("placed by the label map alone", score(body, placement, most=MOST)),
    ]
    left = ", ".join(f"{count} voxels of {what}" for what, count in body.left_out.items())
    tell(f"{name}: share of bone voxels with the right bone and side (left out: {left})", lines)
    assert whole.wrong_side == 0


@both
def test_every_bone(name: str, tell: Tell) -> None:
    found = by(body_of_labels(name), body_of_labels(name).marks, most=10**9)
    rows = [
        f"{row.label:>4}  {row.name:<22}{row.voxels:>8}{row.share:8.3f}   "
        + ", ".join(f"{taken} {share:.3f}" for taken, share in row.taken_for if share >= 0.002)
        for row in found.rows
    ]
    tell(f"{name}: every label with all landmarks, the worst first; what the rest was taken for", rows)
    assert found.rows


@both
def test_poses(name: str, tell: Tell) -> None:
    lines = [_HEAD]
    for pose in POSES:
        body = reposed(body_of_labels(name), pose)
        found = by(body, body.marks)
        lines.append(line(pose, found))
        assert found.wrong_side == 0
    tell(f"{name}: label maps in other poses, all landmarks", lines)


@both
def test_levels(name: str, tell: Tell) -> None:
    marks = body_of_labels(name).marks
    three = {n: p for n, p in marks.items() if n in {"C7", "T12", "L5"} or not n[1:].isdigit()}
    none = {n: p for n, p in three.items() if n not in {"C7", "T12", "L5"}}
    sets = {"all": marks, "C7, T12, L5": three, "no vertebra": none, "16": only(marks, SIXTEEN)}
    tell(
        f"{name}: vertebrae given another level at their body's centre",
        [f"{what:<14}{levels_off(placed(some), marks) or 'none'}" for what, some in sets.items()],
    )


# ---- the peer


@dataclass(frozen=True, slots=True, eq=False)
class Donor:
    """A body whose labels are carried to another."""

    points: Array
    answer: NDArray[np.int_]
    """(n,) row of ``answers`` of each point."""
    answers: list[frozenset[Key]]
    marks: Marks


@cache
def other_body(name: str, of: bool) -> Donor:
    other = body_of_labels(next(n for n in BODIES if n != name))
    other = lower(other) if of else other
    values, answer = np.unique(other.label[other.counted], return_inverse=True)
    return Donor(other.points[other.counted], answer, [other.truth[v] for v in values.tolist()], other.marks)


@cache
def grown_phantom() -> Donor:
    child = phantom(17.0, "M", 6)
    keys: list[Key] = [(bone.id, side) for bone in skeleton.bones() for side in bone.sides]
    points = [child.sample_points(bone, side, 400) for bone, side in keys]
    marks = {n: np.array(p) for n, p in {**child.landmarks(), **child.vertebrae()}.items()}
    return Donor(np.concatenate(points), np.repeat(np.arange(len(keys)), 400), [frozenset({k}) for k in keys], marks)


def transferred(body: BodyOfLabels, donor: Donor) -> Score:
    """Name points by the nearest point of a donor, warped by a thin plate through the landmarks of both."""
    from scipy.interpolate import RBFInterpolator
    from scipy.spatial import cKDTree

    common = sorted(body.marks.keys() & donor.marks.keys())
    here, there = (np.array([marks[n] for n in common]) for marks in (body.marks, donor.marks))
    tree = cKDTree(donor.points)
    warp = RBFInterpolator(here, there, kernel="thin_plate_spline")
    return score_of_keys(body, lambda points: (donor.answers, donor.answer[tree.query(warp(points))[1]]), most=MOST)


@both
@pytest.mark.parametrize("of", [False, True], ids=["whole", "lower"])
def test_transfer_of_another_bodys_labels(name: str, of: bool, tell: Tell) -> None:
    donor = other_body(name, of)
    body = lower(body_of_labels(name)) if of else body_of_labels(name)
    known = frozenset[tuple[str, str]]().union(*donor.answers)
    strange = [label for label, keys in body.truth.items() if not keys & known]
    body = replace(body, counted=body.counted & ~np.isin(body.label, strange))
    rows = (
        ("lesionmap", by(body, body.marks)),
        ("the other body, thin plate", transferred(body, donor)),
        ("a phantom, thin plate", transferred(body, grown_phantom())),
    )
    what = "pelvis and legs" if of else "whole body"
    tell(f"{name}, {what}: lesionmap and labels carried by a thin plate", [_HEAD, *(line(*row) for row in rows)])
    assert rows[1][1].share > 0.5


# ---- confidence


@both
def test_calibration(name: str, tell: Tell) -> None:
    lines = [f"{'':<34}{'all':>8}{'jitter':>8}{'16':>8}   expected calibration error over ten bins"]
    pooled: dict[str, list[Score]] = {"all": [], "jitter": [], "16": []}
    for pose in POSES:
        body = reposed(body_of_labels(name), pose)
        sets = {"all": body.marks, "jitter": jittered(body.marks, 5.0, 1), "16": only(body.marks, SIXTEEN)}
        found = {what: by(body, marks, 20_000) for what, marks in sets.items()}
        for what, one in found.items():
            pooled[what].append(one)
        lines.append(
            f"{pose:<34}" + "".join(f"{calibration_error(s.confidence, s.right):8.3f}" for s in found.values())
        )
    together = [
        calibration_error(np.concatenate([s.confidence for s in many]), np.concatenate([s.right for s in many]))
        for many in pooled.values()
    ]
    lines.append(f"{'together':<34}" + "".join(f"{error:8.3f}" for error in together))
    tell(f"{name}: how well the confidence is calibrated", lines)
    assert all(0.0 <= error <= 1.0 for error in together)


# ---- bone coordinates


def true_fraction(points: Array, start: Array, end: Array) -> Array:
    """Give 0 to 1 along a bone's own long axis, from its most proximal voxel to its most distal one."""
    centred = points - points.mean(axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, 2]
    along = points @ (axis if axis @ (end - start) > 0 else -axis)
    return np.asarray((along - along.min()) / np.ptp(along))


@both
def test_fraction_along(name: str, tell: Tell) -> None:
    body = body_of_labels(name)
    lines = [f"{'':<16}{'median':>9}{'90 %':>9}{'bias':>9}"]
    for what, marks in (("all", body.marks), ("16", only(body.marks, SIXTEEN))):
        placement = placed(marks)
        for bone, high, low in (("femur", "hip", "knee"), ("tibia", "knee", "ankle")):
            (label,) = labels_of(body, f"{bone}.left")
            points = body.points[body.label == label]
            true = true_fraction(points, body.marks[f"{high}_left"], body.marks[f"{low}_left"])
            found = skeleton.locate(points, placement)
            mine = np.array([site.startswith(f"{bone}.") for site in found.site])
            off = found.fraction_along[mine] - true[mine]
            lines.append(
                f"{bone + ', ' + what:<16}{np.median(np.abs(off)):9.4f}{np.quantile(np.abs(off), 0.9):9.4f}"
                f"{off.mean():9.4f}"
            )
            assert mine.mean() > 0.9
    tell(f"{name}: error of fraction_along", lines)
