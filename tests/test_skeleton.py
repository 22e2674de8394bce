"""The skeletal atlas: its table, its growth, and what it says about places."""

from __future__ import annotations

import csv
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from shapely import Polygon, unary_union

from lesionmap import Grid, LesionmapError, skeleton
from lesionmap.skeleton import growth
from lesionmap.skeleton.coverage import site_of_ball
from lesionmap.skeleton.drawing import draw
from lesionmap.skeleton.outline import map_placement
from lesionmap.skeleton.segments import axis_of
from lesionmap.skeleton.shape import pose, reference_tubes
from shared import shared_data

if TYPE_CHECKING:
    from pathlib import Path

    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.drawing import Drawing


@cache
def child(age_y: float = 10.0, turn_deg: float = 0.0) -> Placement:
    """A placed child, turned about the table's long axis and shifted."""
    model = growth.landmark_model(age_y, "F", growth.stature_for_age(age_y, "F"))
    cos, sin = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    marks = {n: (turn @ p + [13, -70, 400]).tolist() for n, p in model.items() if n in skeleton.landmarks()}
    return skeleton.place(marks, age_y=age_y, sex="F", stature_cm=growth.stature_for_age(age_y, "F"))


def read_landmarks(path: Path) -> dict[str, list[float]]:
    with path.open() as file:
        return {r["name"]: [float(r[k]) for k in ("x_lps_mm", "y_lps_mm", "z_lps_mm")] for r in csv.DictReader(file)}


# ---- the table


def test_every_site_has_a_name_a_region_and_codes() -> None:
    for site in skeleton.sites():
        assert site.name
        assert site.region in skeleton.regions()
        assert site.code.value.isdigit()
        assert site.id == f"{site.bone}.{site.segment}.{site.side}"
    assert len({s.id for s in skeleton.sites()}) == len(skeleton.sites())
    assert len({s.name for s in skeleton.sites()}) == len(skeleton.sites())


def test_left_and_right_are_mirror_images() -> None:
    ids = {s.id for s in skeleton.sites()} | {g.id for g in skeleton.groups()}
    assert {skeleton.mirror(i) for i in ids} == ids


def test_the_vocabulary_of_the_issue() -> None:
    assert len(skeleton.landmarks()) == 43
    assert skeleton.site("tibia.distal_metaphysis.left").name == "left distal tibial metaphysis"
    assert skeleton.site("sacrum.sacroiliac.left").side == "left"
    assert skeleton.group("ankle.left").name == "left ankle"
    assert "ilium.sacroiliac.right" in skeleton.group("pelvis.right").sites
    assert set(skeleton.group("fibula.left").sites) == {
        s.id for s in skeleton.sites() if s.id.startswith("fibula.")
    } - {s.id for s in skeleton.sites() if s.side == "right"}


def test_unknown_names_are_answered_with_near_ones() -> None:
    with pytest.raises(LesionmapError, match=r"site 'tibia.distal_metaphisis.left' is not known; did you mean tibia"):
        skeleton.known("tibia.distal_metaphisis.left")


def test_every_bone_has_a_shape_and_every_site_a_place() -> None:
    assert {t.bone for t in reference_tubes()} == {b.id for b in skeleton.bones()}
    placement = child()
    assert set(site_of_ball(placement)) == {s.id for s in skeleton.sites()}


# ---- growth


@pytest.mark.parametrize("sex", ["F", "M"])
@pytest.mark.parametrize(
    ("end", "age_y", "share"),
    [
        ("humerus_proximal", 4, 0.183),
        ("femur_distal", 8, 0.211),
        ("tibia_distal", 12, 0.143),
        ("radius_distal", 2, 0.174),
    ],
)
def test_metaphyses_follow_the_ao_square(sex: str, end: str, age_y: float, share: float) -> None:
    bone, side = end.split("_")
    model = growth.landmark_model(age_y, sex, growth.stature_for_age(age_y, sex))  # type: ignore[arg-type]
    marks = {n: p.tolist() for n, p in model.items() if n in skeleton.landmarks()}
    placement = skeleton.place(marks, age_y=age_y, sex=sex)  # type: ignore[arg-type]
    limits = axis_of(bone, "left", placement).limits
    shaft = limits[3] - limits[0]
    found = (limits[1] - limits[0]) / shaft if side == "proximal" else (limits[3] - limits[2]) / shaft
    assert found == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("age_y", [2.0, 6.0, 10.0, 14.0, 18.0])
def test_the_model_is_as_tall_as_the_child(age_y: float) -> None:
    stature = growth.stature_for_age(age_y, "M")
    posed = pose(skeleton.place({n: p.tolist() for n, p in growth.landmark_model(age_y, "M", stature).items()}))
    top, bottom = (posed.centres[:, 2] + posed.radii).max(), (posed.centres[:, 2] - posed.radii).min()
    skin_mm = 20.0  # scalp and heel pad
    assert float(top - bottom) + skin_mm == pytest.approx(stature * 10, rel=0.05)


# ---- placement


def test_a_placed_landmark_is_never_moved_and_the_others_say_that_they_are_estimated() -> None:
    given_marks = {"hip_left": [78.0, 80.0, 20.0], "knee_left": [90.0, 75.0, -330.0]}
    placement = skeleton.place(given_marks, age_y=10)
    at = placement.positions()
    assert at["hip_left"] == (78.0, 80.0, 20.0)
    marks = {m.name: m for m in placement.landmarks}
    assert marks["hip_left"].placed
    assert marks["hip_left"].radius90_mm == 0
    assert not marks["ankle_left"].placed
    assert marks["ankle_left"].radius90_mm > 0
    assert at["ankle_left"][2] < at["knee_left"][2] < at["hip_left"][2] < at["vertex"][2]


def test_age_and_stature_are_inferred_from_the_landmarks() -> None:
    model = growth.landmark_model(7.0, None, growth.stature_for_age(7.0, None))
    placement = skeleton.place({n: p.tolist() for n, p in model.items()})
    assert placement.age_y == pytest.approx(7.0, abs=0.5)
    assert placement.inferred == ("age_y", "stature_cm")


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        ({"hip": [1, 2, 3]}, "landmark 'hip' is not known; paired ones end in _left or _right"),
        ({"hip_left": [1, 2, float("nan")]}, "landmark hip_left needs three finite coordinates in LPS mm"),
        ({}, "no landmark was given"),
        (
            {"hip_left": [0.08, 0, 0], "hip_right": [-0.08, 0, 0], "vertex": [0, 0, 0.8], "C7": [0, 0, 0.6]},
            "got metres or voxels",
        ),
    ],
)
def test_bad_landmarks_are_refused_in_words(marks: dict[str, list[float]], words: str) -> None:
    with pytest.raises(LesionmapError, match=words.replace(".", r"\.")):
        skeleton.place(marks)


def test_exchanged_sides_are_named() -> None:
    marks = {n: list(p) for n, p in child().positions().items() if n in skeleton.landmarks()}
    marks["knee_left"], marks["knee_right"] = marks["knee_right"], marks["knee_left"]
    assert "knee_left and knee_right look exchanged" in skeleton.place(marks).warnings[0]


# ---- locate


def bone_points(placement: Placement, seed: int = 3) -> np.ndarray:
    posed = pose(placement)
    rng = np.random.default_rng(seed)
    pick = rng.integers(0, len(posed.centres), 400)
    return np.asarray(posed.centres[pick])


def test_moving_and_turning_the_patient_changes_no_site() -> None:
    still, moved = child(), child(turn_deg=20.0)
    first, second = pose(still), pose(moved)
    pick = np.arange(0, len(first.centres), 37)
    a = skeleton.locate(first.centres[pick], still)
    b = skeleton.locate(
        [second.tubes[t].at(np.array([u]))[0][0] for t, u in zip(first.tube[pick], first.along[pick], strict=True)],
        moved,
    )
    centre = skeleton.locate(
        [first.tubes[t].at(np.array([u]))[0][0] for t, u in zip(first.tube[pick], first.along[pick], strict=True)],
        still,
    )
    assert np.mean(b.site == centre.site) > 0.98
    assert a.inside.mean() > 0.995  # the centres of balls; few stand at the edge of their tube


def test_flipping_the_patient_swaps_every_side() -> None:
    marks = {n: p for n, p in child().positions().items() if n in skeleton.landmarks()}
    flipped = skeleton.place(
        {skeleton.mirror(n): (-p[0], p[1], p[2]) for n, p in marks.items()}, age_y=10, sex="F", stature_cm=138.2
    )
    points = bone_points(child())
    here = skeleton.locate(points, child()).site
    there = skeleton.locate(points * [-1, 1, 1], flipped).site
    assert np.mean([skeleton.mirror(a) == b for a, b in zip(here, there, strict=True)]) > 0.985


def test_a_far_point_has_no_site_but_a_distance() -> None:
    found = skeleton.locate([[0.0, 900.0, 400.0]], child())
    assert found.site[0] == ""
    assert found.distance_mm[0] > 500
    assert np.isnan(found.fraction_along[0])
    assert found.confidence[0] == 0


def test_points_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(LesionmapError, match="finite coordinates in LPS mm"):
        skeleton.locate([[0, 1, float("inf")]], child())


def test_a_mask_across_the_physis_crosses_it() -> None:
    placement = child()
    axis = axis_of("tibia", "left", placement)
    rng = np.random.default_rng(5)

    def cloud(fraction: float) -> np.ndarray:
        centre = axis.origin + axis.direction * fraction * axis.length_mm
        return np.asarray(centre + rng.uniform(-5, 5, (800, 3)))

    crossing = skeleton.site_shares(cloud(float(axis.limits[3])), placement)
    assert {s.site for s in crossing[:2]} == {"tibia.distal_metaphysis.left", "tibia.distal_epiphysis.left"}
    assert crossing[0].physis == "crosses"
    middle = skeleton.site_shares(cloud(0.5), placement)
    assert (middle[0].site, middle[0].physis) == ("tibia.diaphysis.left", "spares")


@pytest.mark.parametrize("body", ["myobody", "myobody_simpleupper"])
def test_vertebral_levels_at_body_centres(body: str) -> None:
    marks = read_landmarks(shared_data(f"myo_sim/{body}_labels_landmarks.csv"))
    few = {n: marks[n] for n in ("C7", "T12", "L5", "hip_left", "hip_right", "vertex")}
    placement = skeleton.place(few)
    levels = [n for n in marks if n[0] in "CTL" and n[1:].isdigit()]
    found = skeleton.locate([marks[n] for n in levels], placement)
    wrong = [n for n, s in zip(levels, found.site, strict=True) if not str(s).startswith(f"vertebra_{n}.")]
    assert wrong == []


# ---- coverage and drawing


def test_coverage_tells_imaged_from_not_imaged() -> None:
    placement = child()
    hip = placement.positions()["hip_left"][2]
    upper = Grid((50, 41, 60), np.array([[0, 10, 0, -190], [10, 0, 0, -200], [0, 0, 14, hip + 40.0], [0, 0, 0, 1.0]]))
    found = dict(skeleton.coverage(placement, [upper]))
    assert found["vertebra_T7.body.midline"] == 1.0
    assert found["tibia.diaphysis.left"] == 0.0
    from dataclasses import replace

    covered = replace(placement, coverage=tuple(found.items()))
    assert skeleton.imaged(covered, "vertebra_T7.body.midline") == "imaged"
    assert skeleton.imaged(covered, "ankle.left") == "not_imaged"
    assert skeleton.imaged(placement, "ankle.left") == "unknown"


def test_the_drawing_shows_every_site_on_both_views() -> None:
    for view in ("front", "back"):
        drawn = skeleton.outline(view)
        assert {s.site for s in drawn.shapes} == {s.id for s in skeleton.sites()}
        right_arm = next(s for s in drawn.shapes if s.site == "humerus.diaphysis.right").polygons[0]
        assert (right_arm[:, 0].mean() < 0) == (view == "front")
        assert drawn.height_mm > drawn.width_mm > 100


def test_a_carried_drawing_is_like_one_made_at_that_age() -> None:
    small = map_placement(4.0, "F")
    carried, made = (area_by_site(drawing, small) for drawing in (draw(map_placement(10.0, None)), draw(small)))
    shared = {site: carried[site].intersection(made[site]).area for site in made}
    like = [share / carried[site].union(made[site]).area for site, share in shared.items()]
    # Made anew, small epiphyses are as coarse as the slabs that they are made of.
    assert np.mean(like) > 0.9
    assert np.quantile(like, 0.05) > 0.65


def area_by_site(drawing: Drawing, placement: Placement) -> dict[str, Any]:
    rings = np.split(drawing.carried(placement), drawing.starts)
    pieces = [unary_union([Polygon(ring) for ring in rings[first:last]]) for first, last in drawing.rings]
    return {
        site: unary_union([p for p, s in zip(pieces, drawing.sites, strict=True) if s == site])
        for site in drawing.sites
    }


@pytest.mark.parametrize("age_y", [2.0, 18.0])
def test_every_outline_is_simple_whatever_the_age(age_y: float) -> None:
    drawn = skeleton.outline("back", age_y=age_y, sex="M")
    assert {s.site for s in drawn.shapes} == {s.id for s in skeleton.sites()}
    assert all(Polygon(ring).is_valid and Polygon(ring).area > 0.5 for s in drawn.shapes for ring in s.polygons)


def test_patient_points_are_drawn_in_their_bone() -> None:
    placement = child(6.0, 15.0)
    axis = axis_of("femur", "right", placement)
    centre = axis.origin + axis.direction * 0.8 * axis.length_mm
    x, y = skeleton.map_points([centre], placement, "front", age_y=10)[0]
    target = axis_of("femur", "right", map_placement(10.0, None))
    assert x < 0
    top = skeleton.map_site("femur.greater_trochanter.right", "front")[1]
    bottom = skeleton.map_site("femur.distal_epiphysis.right", "front")[1]
    assert (top - y) / (top - bottom) == pytest.approx(0.8, abs=0.06)
    assert target.length_mm > 0


def test_the_placed_skeleton_is_cut_by_a_plane() -> None:
    placement = child()
    knee = placement.positions()["knee_left"]
    lines = skeleton.cut(placement, [0.0, 0.0, knee[2] - 30.0], [0.0, 0.0, 1.0])
    assert {"tibia.proximal_metaphysis.left", "tibia.proximal_metaphysis.right"} <= {name for name, _ in lines}
    assert all(np.allclose(line[:, 2], knee[2] - 30.0) for _, line in lines)
