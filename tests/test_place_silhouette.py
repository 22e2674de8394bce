"""The skeleton guessed from the outline of the body."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from lesionmap.errors import LesionmapError
from lesionmap.phantom.bone_scan import MATRIX, PIXEL_MM
from lesionmap.place import place_silhouette
from lesionmap.place.mannequin import JOINTS, Rods, pose, usual
from lesionmap.skeleton import Placement, growth
from lesionmap.space import Grid, Volume
from whole_body import child_at, errors_mm, from_to

AGE = 4.2


@cache
def guessed() -> Placement:
    return place_silhouette(child_at(AGE, 4)[1], age_y=AGE, sex="F")


def test_a_whole_body_is_guessed_to_some_centimetres() -> None:
    child, _ = child_at(AGE, 4)
    errors = errors_mm(guessed().positions(), child)
    assert np.median(list(errors.values())) < 25.0
    radii = {mark.name: mark.radius90_mm for mark in guessed().landmarks}
    assert np.mean([errors[n] <= radii[n] for n in errors]) >= 0.9
    assert guessed().how == "silhouette"
    assert not any(mark.placed for mark in guessed().landmarks)
    assert guessed().age_y == AGE


def test_left_and_right_are_not_exchanged() -> None:
    found = guessed().positions()
    for name in ("hip", "knee", "ankle", "wrist", "shoulder"):
        assert found[f"{name}_left"][0] > found[f"{name}_right"][0] + 20.0


def test_legs_alone_are_known_for_legs() -> None:
    child, image = child_at(AGE, 4)
    low, high = child.marks["ankle_left"][2] - 90.0, child.marks["hip_left"][2] + 60.0
    found = place_silhouette(from_to(image, low, high), age_y=AGE, sex="F")
    errors = errors_mm(found.positions(), child)
    legs = [f"{n}_{s}" for n in ("hip", "knee", "ankle", "heel") for s in ("left", "right")]
    assert np.median([errors[n] for n in legs]) < 30.0
    radius = {mark.name: mark.radius90_mm for mark in found.landmarks}
    assert radius["knee_left"] > {m.name: m.radius90_mm for m in guessed().landmarks}["knee_left"]


def test_a_planar_view_gives_a_guess_in_its_plane() -> None:
    child, image = child_at(AGE, 4)
    flat = image.array.max(axis=2)[:, :, None]
    matrix = image.grid.lps_from_voxel.copy()
    matrix[:3, 2] /= image.grid.spacing_mm[2]
    matrix[1, 3] = 0.0
    view = Volume(flat, Grid((flat.shape[0], flat.shape[1], 1), matrix), projection=True)
    assert MATRIX[0] * PIXEL_MM > 2000.0  # as the bone scan of the phantom: the whole body in one view
    found = place_silhouette(view, age_y=AGE, sex="F").positions()
    off = [np.hypot(found[n][0] - p[0], found[n][2] - p[2]) for n, p in child.landmarks().items()]
    assert np.median(off) < 30.0


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((30, 60, 12)), "all voxels of this one are equal"),
        (np.pad(np.full((2, 2, 2), 90.0), ((9, 20), (30, 30), (5, 5))), "a body brighter than the air"),
        (np.pad(np.full((20, 30, 8), 90.0), ((5, 5), (15, 15), (2, 2))), "could lie elsewhere"),
    ],
    ids=["empty", "speck", "brick"],
)
def test_what_is_no_body_is_refused(array: np.ndarray, words: str) -> None:
    matrix = np.array([[8.0, 0, 0, -110], [0, 0, 12.0, -60], [0, -8.0, 0, 300], [0, 0, 0, 1]])
    image = Volume(array, Grid((array.shape[0], array.shape[1], array.shape[2]), matrix))
    with pytest.raises(LesionmapError, match=words):
        place_silhouette(image, age_y=8.0, sex="M")


# ---- the mannequin --------------------------------------------------------------------------------------------------


def test_a_bent_knee_moves_what_hangs_on_it_and_nothing_else() -> None:
    model = growth.landmark_model(9.0, "F", 133.0)
    straight = np.zeros(len(usual()[0]))
    knee = next(i for i, name in enumerate(_names()) if name == ("shank", 0, "left"))
    bent = straight.copy()
    bent[knee] = np.radians(40.0)
    before, after = pose(model, straight, {}), pose(model, bent, {})
    moved = {n for n in before if not np.allclose(before[n], after[n])}
    assert moved == {"ankle_left", "heel_left", "toe2_left"}
    assert after["ankle_left"][1] > before["ankle_left"][1] + 50.0  # to the back
    for name in before:
        np.testing.assert_allclose(before[name], model[name], atol=1e-9)


def _names() -> list[tuple[str, int, str]]:
    sides = {"spine": ("",), "head": ("",)}
    return [(j.name, j.axis, side) for j in JOINTS for side in sides.get(j.name, ("left", "right"))]


def test_rods_know_their_distance() -> None:
    rod = Rods(np.array([[0.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 100.0]]), np.array([[10.0, 20.0]]))
    points = np.array([[30.0, 0.0, 50.0], [0.0, 0.0, 130.0], [0.0, 5.0, 0.0]])
    np.testing.assert_allclose(rod.outside_mm(points), [15.0, 10.0, -5.0])
