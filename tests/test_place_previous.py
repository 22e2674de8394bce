"""The skeleton carried over from the previous visit, and corrected."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.phantom import body
from lesionmap.place import correct, place_previous
from lesionmap.place.bodyparts import carriers_of, neighbours, parts
from lesionmap.place.register import Move, Sample, alike
from lesionmap.skeleton import Placement, growth
from lesionmap.space import Grid, Volume
from whole_body import child_at, errors_mm, from_to

THEN, NOW = 3.0, 4.2


@cache
def before() -> Placement:
    child, _ = child_at(THEN, 3)
    return skeleton.place(child.landmarks(), age_y=THEN, sex="F", stature_cm=child.size.stature_cm)


@cache
def carried() -> Placement:
    """Give the girl a year older, lying otherwise, brightness and slices other ones."""
    _, image = child_at(NOW, 4)
    brighter = Volume((image.array * 1.7).astype(np.uint16), image.grid)
    return place_previous(brighter, child_at(THEN, 3)[1], before(), age_y=NOW, sex="F")


def test_a_grown_child_that_lies_otherwise_is_followed() -> None:
    child, _ = child_at(NOW, 4)
    moved = errors_mm(before().positions(), child)
    assert np.median(list(moved.values())) > 30.0  # or there was nothing to follow
    errors = errors_mm(carried().positions(), child)
    assert np.median(list(errors.values())) < 4.0
    assert max(errors.values()) < 20.0
    assert carried().how == "previous"


def test_carried_landmarks_are_nobodys_decision_and_tell_their_radius() -> None:
    child, _ = child_at(NOW, 4)
    assert not any(mark.placed for mark in carried().landmarks)
    radii = {mark.name: mark.radius90_mm for mark in carried().landmarks}
    assert min(radii.values()) > 5.0
    errors = errors_mm(carried().positions(), child)
    assert np.mean([errors[n] <= radii[n] for n in errors]) >= 0.9
    assert carried().labels is None


def test_legs_alone_are_followed_and_the_head_is_not_made_up() -> None:
    child, image = child_at(NOW, 4)
    low, high = child.marks["ankle_left"][2] - 90.0, child.marks["hip_left"][2] + 60.0
    found = place_previous(from_to(image, low, high), child_at(THEN, 3)[1], before(), age_y=NOW, sex="F")
    errors = errors_mm(found.positions(), child)
    legs = [f"{n}_{s}" for n in ("hip", "knee", "ankle", "heel", "toe2") for s in ("left", "right")]
    assert np.median([errors[n] for n in legs]) < 5.0
    radii = {mark.name: mark.radius90_mm for mark in found.landmarks}
    assert radii["vertex"] > 1.5 * radii["knee_left"]


def test_nothing_of_the_body_found_again_is_said() -> None:
    _, image = child_at(THEN, 3)
    noise = np.random.default_rng(3).uniform(0, 300, (40, 60, 20))
    other = Volume(noise, Grid((40, 60, 20), np.diag([8.0, 8.0, 8.0, 1.0])))
    with pytest.raises(LesionmapError, match="same part of the body was expected"):
        place_previous(other, image, before(), age_y=NOW, sex="F")


def test_a_planar_view_is_refused() -> None:
    _, image = child_at(THEN, 3)
    view = Volume(np.ones((8, 9, 1)), Grid((8, 9, 1), np.diag([2.0, 3.0, 1.0, 1.0])), projection=True)
    for now, then in ((view, image), (image, view)):
        with pytest.raises(LesionmapError, match=r"images with depth .* were expected in both visits"):
            place_previous(now, then, before())


def test_an_even_image_is_refused() -> None:
    _, image = child_at(THEN, 3)
    even = Volume(np.full((30, 50, 20), 7.0), Grid((30, 50, 20), np.diag([9.0, 8.0, 7.0, 1.0])))
    with pytest.raises(LesionmapError, match="all voxels of this one are equal"):
        place_previous(even, image, before())


# ---- the parts of the body ------------------------------------------------------------------------------------------


def test_every_landmark_and_vertebra_has_its_parts() -> None:
    shares = carriers_of()
    assert {*skeleton.landmarks(), *growth.vertebra_names()} == set(shares)
    for name, found in shares.items():
        assert sum(found.values()) == pytest.approx(1.0), name
        assert found.keys() <= parts().keys()
        if name.endswith("_left"):
            assert not any(part.startswith("right") for part in found)


def test_the_parts_hang_together() -> None:
    seen, waiting = {"head"}, ["head"]
    while waiting:
        new = neighbours()[waiting.pop()].keys() - seen
        seen |= new
        waiting += new
    assert seen == parts().keys()


def test_a_move_told_about_another_centre_is_the_same() -> None:
    move = Move(1.1 * np.eye(3), np.array([1.0, 2.0, 3.0]), np.array([10.0, 0.0, -4.0])).turned(
        np.array([0.1, 0.4, -0.2])
    )
    points = np.array([[5.0, 7.0, 11.0], [-40.0, 3.0, 200.0]])
    np.testing.assert_allclose(move.about(points[1])(points), move(points))
    assert move.scale == pytest.approx(1.1)
    assert move.angle_deg(move.turned(np.radians([0.0, 30.0, 0.0]))) == pytest.approx(30.0)


def test_alike_does_not_mind_the_contrast() -> None:
    rng = np.random.default_rng(5)
    grid = Grid((12, 14, 16), np.diag([4.0, 4.0, 4.0, 1.0]))
    image = Volume(rng.uniform(0, 1, grid.shape), grid)
    index = np.argwhere(np.ones(grid.shape, dtype=bool))
    still = Move(np.eye(3), np.zeros(3), np.zeros(3))
    sample = Sample(grid.lps(index), 1.0 - image.array.ravel())
    assert alike(sample, image, still) > 0.95
    assert alike(sample, image, still.shifted(np.array([8.0, 0.0, 4.0]))) < 0.4
    assert alike(sample, image, still.shifted(np.array([400.0, 0.0, 0.0]))) == -1.0


# ---- corrected ------------------------------------------------------------------------------------------------------


def guess() -> Placement:
    child, _ = child_at(THEN, 3)
    marks = tuple(replace(m, placed=False, radius90_mm=20.0 + 0.02 * abs(m.lps_mm[2])) for m in before().landmarks)
    assert child.landmarks()
    return replace(before(), landmarks=marks, how="silhouette")


def test_what_is_put_right_stays_and_its_neighbours_follow() -> None:
    first = {m.name: m for m in guess().landmarks}
    target = tuple(np.add(first["knee_left"].lps_mm, (24.0, -5.0, 9.0)).tolist())
    better = {m.name: m for m in correct(guess(), {"knee_left": target}).landmarks}
    assert better["knee_left"].lps_mm == target
    assert better["knee_left"].placed
    assert better["knee_left"].radius90_mm == 0.0

    def moved(name: str) -> float:
        return float(np.linalg.norm(np.subtract(better[name].lps_mm, first[name].lps_mm)))

    assert moved("ankle_left") > 2.0
    assert better["ankle_left"].radius90_mm < first["ankle_left"].radius90_mm
    assert sum(mark.placed for mark in better.values()) == 1


def test_corrections_add_up_in_any_order() -> None:
    marks = {"knee_left": (80.0, 10.0, -300.0), "chin": (3.0, -70.0, 520.0)}
    one = correct(correct(guess(), {"chin": marks["chin"]}), {"knee_left": marks["knee_left"]})
    both = correct(guess(), marks)
    assert {m.name for m in one.landmarks if m.placed} == {m.name for m in both.landmarks if m.placed} == set(marks)


def test_a_landmark_put_right_twice_counts_once() -> None:
    knee = np.array({m.name: m for m in guess().landmarks}["knee_left"].lps_mm)
    first, then = (tuple((knee + off).tolist()) for off in ((40.0, 0.0, 10.0), (-12.0, 6.0, -9.0)))
    twice = correct(correct(guess(), {"knee_left": first}), {"knee_left": then})
    once = correct(guess(), {"knee_left": then})
    apart = [
        np.linalg.norm(np.subtract(a.lps_mm, b.lps_mm)) for a, b in zip(twice.landmarks, once.landmarks, strict=True)
    ]
    assert max(apart) < 2.0


def test_true_landmarks_make_the_others_better() -> None:
    """On average over phantoms: the median error falls, and the radii stay true."""
    before, after, inside = [], [], []
    for seed in range(4):
        child = body(6.0 + seed, "F", seed, pose=seed)
        truth = {**child.landmarks(), **child.vertebrae()}
        noise = np.random.default_rng(seed).normal(0.0, 12.0, (len(truth), 3))
        off = {name: tuple(np.add(xyz, n).tolist()) for (name, xyz), n in zip(truth.items(), noise, strict=True)}
        rows = skeleton.place(off, age_y=6.0 + seed, sex="F")
        first = replace(
            rows,
            how="silhouette",
            landmarks=tuple(replace(mark, placed=False, radius90_mm=12.0 * 2.5) for mark in rows.landmarks),
        )
        given = ("vertex", "C7", "L5", "hip_left", "hip_right", "knee_left", "ankle_right", "elbow_left")
        better = correct(first, {name: truth[name] for name in given})
        for old, new in zip(first.landmarks, better.landmarks, strict=True):
            if new.name not in given:
                before.append(np.linalg.norm(np.subtract(old.lps_mm, truth[old.name])))
                after.append(np.linalg.norm(np.subtract(new.lps_mm, truth[new.name])))
                inside.append(after[-1] <= new.radius90_mm)
    assert np.median(after) < 0.75 * np.median(before)
    assert 0.8 <= np.mean(inside) <= 1.0


def test_a_correction_names_what_it_does_not_know() -> None:
    with pytest.raises(LesionmapError, match="landmarks of the skeleton were expected, got kneecap"):
        correct(guess(), {"kneecap": (0.0, 1.0, 2.0)})
