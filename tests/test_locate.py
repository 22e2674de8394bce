"""What bone is this point in: beside bones, between bones, and where a label map names them voxel by voxel."""

from __future__ import annotations

import importlib
import re
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atlas_child import placed
from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.skeleton import LabelMap, anatomy
from lesionmap.skeleton.limits import axis_of, limits
from lesionmap.skeleton.locate import FAR_MM, confidence_of
from lesionmap.skeleton.nearest import nearest_bones
from lesionmap.skeleton.shape import pose, posed_tubes
from lesionmap.skeleton.tubes import in_tube
from lesionmap.space import Grid, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.skeleton import Located, Placement
    from lesionmap.skeleton.shape import Tube

    Array = NDArray[np.float64]

CERTAIN = 1.0 / (1.0 + np.exp(-30.0 / 1.85))  # a second bone farther than 30 mm behind is as good as none


def shaft(bone: str, side: str, placement: Placement) -> Tube:
    tubes = [tube for tube in posed_tubes(placement) if (tube.bone, tube.side) == (bone, side)]
    return max(tubes, key=lambda tube: float(tube.lengths_mm()[-1]))


def middle_of(bone: str, along: float = 0.5, age: float = 8.0) -> Array:
    return np.asarray(shaft(bone, "left", placed(age)).at(np.array([along]))[0][0])


def agree(one: Located, other: Located) -> bool:
    """Say whether two answers are the same in every field."""
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        if name.endswith("site") or name == "inside"
        else np.allclose(getattr(one, name), getattr(other, name), equal_nan=True)
        for name in (field.name for field in fields(one))
    )


# ---- how sure


def test_the_confidence_is_a_logistic_law_of_the_gap_over_what_is_known() -> None:
    outside = np.array([0.0, 0.0, 0.0, 10.0, 10.0])
    gap = np.array([0.0, 1.85, 3.7, np.hypot(1.85, 8.3), 0.0])
    expected = [0.5, 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-1)), 0.5]
    assert confidence_of(gap, outside) == pytest.approx(expected)
    none, far = confidence_of(np.array([-4.0, 30.0, 500.0, np.inf]), np.zeros(4)), CERTAIN
    assert none == pytest.approx([0.5, far, far, far], abs=1e-12)
    less = confidence_of(np.array([30.0, 31.0, 90.0]), np.full(3, 30.0))
    assert less[0] == less[1] == less[2] < 0.8


def test_between_two_bones_it_is_a_coin_toss_and_the_other_one_is_told() -> None:
    tibia, fibula = middle_of("tibia", 0.6), middle_of("fibula", 0.6)
    line = tibia + np.linspace(0, 1, 400)[:, None] * (fibula - tibia)
    found = skeleton.locate(line, placed(8))
    bones = np.array([site.split(".")[0] for site in found.site])
    assert (bones[0], bones[-1]) == ("tibia", "fibula")
    change = int(np.flatnonzero(bones == "fibula")[0])
    assert (bones[change:] == "fibula").all()
    assert found.confidence[change] == pytest.approx(0.5, abs=0.05)
    assert found.confidence[0] > 0.95
    assert found.second_site[change - 1] == "fibula.diaphysis.left"
    assert found.second_site[change] == "tibia.diaphysis.left"


# ---- beside bones


def test_farther_than_40_mm_from_every_bone_there_is_only_a_distance() -> None:
    top = np.array(placed(8).positions()["vertex"])
    line = top + np.arange(20.0, 80.0, 0.25)[:, None] * [0.0, 0.0, 1.0]
    away = nearest_bones(line, placed(8))[1][:, 0]
    found = skeleton.locate(line, placed(8))
    near = away <= FAR_MM
    assert FAR_MM == 40.0
    assert 0 < near.sum() < len(line)
    assert set(found.site[near]) == {"skull.whole.midline"}
    assert set(found.site[~near]) == set(found.second_site[~near]) == {""}
    assert found.distance_mm[~near] == pytest.approx(away[~near])
    assert not found.inside.any()
    assert (found.confidence[~near] == 0.0).all()
    assert (found.confidence[near] > 0.5).all()
    for name in ("fraction_along", "angle_rad", "radius_fraction", "physis_mm"):
        assert np.isnan(getattr(found, name)[~near]).all()
    assert np.isfinite(found.angle_rad[near]).all()
    assert np.isfinite(found.radius_fraction[near]).all()


def test_the_surface_is_that_of_the_tube() -> None:
    """Around the middle of the femur, where it is a tube: by its half widths."""
    tube = shaft("femur", "left", placed(8))
    (centre,), (wide,), (across,) = tube.at(np.array([0.55]))
    for angle in (-2.5, -0.4, 0.0, 1.2, np.pi / 2):
        out = np.cos(angle) * wide + np.sin(angle) * across
        found = skeleton.locate(centre + np.array([[0.5], [0.9], [1.6]]) * out, placed(8))
        assert found.inside.tolist() == [True, True, False]
        assert found.distance_mm[:2].tolist() == [0.0, 0.0]
        assert found.distance_mm[2] == pytest.approx(0.6 * np.linalg.norm(out), rel=0.15)
        assert found.radius_fraction == pytest.approx([0.5, 0.9, 1.6], rel=0.05)
        assert found.angle_rad == pytest.approx([angle] * 3, abs=0.1)
        assert found.site.tolist() == ["femur.diaphysis.left"] * 3


def test_a_ball_stands_out_of_its_tube_by_two_millimetres_at_most() -> None:
    posed, rng = pose(placed(8)), np.random.default_rng(7)
    points = posed.centres[rng.integers(0, len(posed.centres), 3000)] + rng.normal(0, 6.0, (3000, 3))
    balls, surface = nearest_bones(points, placed(8))
    tube, found = in_tube(points, balls[:, 0], placed(8)).surface_mm, skeleton.locate(points, placed(8))
    assert np.array_equal(found.inside, found.distance_mm == 0.0)
    assert (found.distance_mm <= np.maximum(surface[:, 0] + 2.0, 0.0) + 1e-9).all()
    assert (found.distance_mm <= np.maximum(tube, 0.0) + 1e-9).all()
    outside = found.distance_mm[~found.inside]
    told = np.stack([tube, surface[:, 0] + 2.0])[:, ~found.inside]
    assert (np.abs(outside - told).min(axis=0) < 1e-9).all()
    assert 200 < len(outside) < 2800


def test_a_second_site_is_told_up_to_15_mm_from_the_limit() -> None:
    """In the femur, far from other bones."""
    limit = next(one for one in limits("femur", "left", placed(8)) if ".distal_metaphysis." in one.after)
    points = limit.point + np.array([[-15.4], [-14.6], [14.6]]) * limit.normal
    found = skeleton.locate(points, placed(8))
    assert found.site.tolist() == ["femur.diaphysis.left"] * 2 + ["femur.distal_metaphysis.left"]
    assert found.second_site[:2].tolist() == ["", "femur.distal_metaphysis.left"]


@pytest.mark.parametrize("n", [1, 2, 1999, 2000, 2001, 4321])
def test_points_are_answered_in_their_order_however_they_are_parted(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    posed, rng = pose(placed(8)), np.random.default_rng(8)
    points = posed.centres[rng.integers(0, len(posed.centres), n)] + rng.normal(0, 30.0, (n, 3))
    whole = skeleton.locate(points, placed(8))
    monkeypatch.setattr(importlib.import_module("lesionmap.skeleton.locate"), "_CHUNK", 1000)
    assert agree(skeleton.locate(points, placed(8)), whole)
    assert whole.site.shape == whole.confidence.shape == (n,)


def test_one_point_none_and_what_is_no_number() -> None:
    point = middle_of("tibia")
    assert skeleton.locate(point, placed(8)).site.tolist() == ["tibia.diaphysis.left"]
    assert skeleton.locate([], placed(8)).site.tolist() == []
    words = "points need finite coordinates in LPS mm, got NaN or infinity"
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(LesionmapError, match=f"^{re.escape(words)}$"):
            skeleton.locate([point.tolist(), [1.0, bad, 2.0]], placed(8))


# ---- a label map


@cache
def block() -> Grid:
    """Give a left-handed grid of 2 × 3 × 4 mm, 40 × 48 × 56 mm, about the middle of the left tibia's shaft."""
    matrix = np.diag([-2.0, 3.0, 4.0, 1.0])
    matrix[:3, 3] = middle_of("tibia") - [-20.0, 24.0, 28.0]
    return Grid((20, 16, 14), matrix)


def labelled(*names: tuple[int, str, str]) -> Placement:
    return replace(placed(8.0), labels=LabelMap("labels.nii.gz", "0" * 64, names))


def painted(*boxes: tuple[int, slice, slice, slice]) -> Volume:
    array = np.zeros(block().shape, dtype=np.uint8)
    for value, *box in boxes:
        array[tuple(box)] = value
    return Volume(array, block())


BOX = (slice(6, 14), slice(5, 11), slice(3, 9))
TIBIA = painted((5, *BOX))


def beyond(axis: int, mm: float, up: bool) -> Array:
    """Give points so many millimetres outside the middle of a face of ``BOX``, shape (1, 3)."""
    low, high = np.array([[b.start - 0.5, b.stop - 0.5] for b in BOX]).T
    at = (low + high) / 2 + [0.2, 0.3, 0.1]
    at[axis] = high[axis] if up else low[axis]
    at[axis] += (1 if up else -1) * mm / block().spacing_mm[axis]
    return block().lps(at)[None]


def test_a_voxel_of_a_label_is_in_its_bone_whatever_the_atlas_says() -> None:
    points = block().lps(np.argwhere(TIBIA.array))
    for bone, side in (("tibia", "left"), ("fibula", "left"), ("tibia", "right"), ("humerus", "right")):
        found = skeleton.locate(points, labelled((5, bone, side)), TIBIA)
        assert {(site.split(".")[0], site.split(".")[2]) for site in found.site} == {(bone, side)}
        assert found.inside.all()
        assert (found.distance_mm == 0.0).all()
        assert found.confidence == pytest.approx(np.full(len(points), CERTAIN))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("up", [False, True])
def test_a_point_beside_a_label_is_told_by_steps_of_some_millimetres(axis: int, up: bool) -> None:
    wrong_side = labelled((5, "tibia", "right"))
    for mm, step in ((-0.1, 0.0), (0.1, 1.5), (1.4, 1.5), (1.6, 3.0), (2.9, 3.0), (3.1, 5.0), (4.9, 5.0)):
        found = skeleton.locate(beyond(axis, mm, up), wrong_side, TIBIA)
        assert found.site[0].endswith(".right")
        assert found.distance_mm[0] == step
        assert found.inside[0] == (step == 0.0)
        blur = np.hypot(1.85, 0.83 * step)
        assert found.confidence[0] == pytest.approx(1 / (1 + np.exp(-30.0 / blur)))
    far = beyond(axis, 5.2, up)
    assert agree(skeleton.locate(far, wrong_side, TIBIA), skeleton.locate(far, placed(8)))


def test_corners_are_seen_from_the_diagonal() -> None:
    corner = block().lps(np.array([b.stop - 0.5 for b in BOX]))
    out = np.sign(corner - block().lps(np.array([9.5, 7.5, 5.5]))) / np.sqrt(3.0)
    for mm, step in ((1.2, 1.5), (2.6, 3.0), (4.6, 5.0)):
        found = skeleton.locate(corner + mm * out, labelled((5, "tibia", "right")), TIBIA)
        assert (found.site[0].split(".")[2], found.distance_mm[0]) == ("right", step)


def test_the_nearest_of_two_labels_is_taken() -> None:
    two = painted((5, *BOX), (3, slice(16, 19), *BOX[1:]))  # 2 voxels of 2 mm between them
    placement = labelled((5, "tibia", "right"), (3, "fibula", "right"))
    for mm, bone, step in ((1.2, "tibia", 1.5), (2.8, "fibula", 1.5)):
        found = skeleton.locate(beyond(0, mm, up=True), placement, two)
        assert (found.site[0].split(".")[0], found.distance_mm[0]) == (bone, step)


def test_labels_hold_to_the_edge_of_their_voxels_and_of_the_map() -> None:
    """Half a voxel from the outermost centres; beyond there is no label, and none comes in from the other end."""
    full = painted((5, slice(None), slice(None), slice(None)))
    middle = np.array([9.7, 7.2, 6.4])
    for axis, n in enumerate(block().shape):
        for edge, way in ((-0.5, -1.0), (n - 0.5, 1.0)):
            for off, distance in ((-0.05, 0.0), (0.05, 1.5)):
                at = middle.copy()
                at[axis] = edge + way * off
                found = skeleton.locate(block().lps(at), labelled((5, "tibia", "right")), full)
                assert found.distance_mm.tolist() == [distance]
                assert found.site[0].endswith(".right")


def test_what_has_no_name_or_lies_elsewhere_changes_nothing() -> None:
    rng = np.random.default_rng(9)
    points = middle_of("tibia") + rng.normal(0, 40.0, (500, 3))
    plain = skeleton.locate(points, placed(8))
    assert agree(skeleton.locate(points, labelled((9, "femur", "right")), TIBIA), plain)
    moved = block().lps_from_voxel.copy()
    moved[:3, 3] += 500.0
    elsewhere = Volume(TIBIA.array, Grid(block().shape, moved))
    assert agree(skeleton.locate(points, labelled((5, "femur", "right")), elsewhere), plain)


def test_of_several_bones_of_one_label_geometry_chooses() -> None:
    """The atlas' tibia and fibula in one label: no point of it is in any other bone, and the other is the second."""
    full = painted((5, slice(None), slice(None), slice(None)))
    points = block().lps(np.argwhere(full.array)[::7])
    both = labelled((5, "tibia", "left"), (5, "fibula", "left"))
    found, plain = skeleton.locate(points, both, full), skeleton.locate(points, placed(8))
    assert found.inside.all()
    assert np.array_equal(found.site, plain.site)  # there are no other bones
    assert {site.split(".")[0] for site in found.site} == {"tibia", "fibula"}
    pairs = zip(found.second_site.tolist(), found.site.tolist(), strict=True)
    near = np.array([second != "" and second.split(".")[0] != site.split(".")[0] for second, site in pairs])
    assert near.mean() > 0.3
    tibia, fibula = middle_of("tibia"), middle_of("fibula")
    line = tibia + np.linspace(0.0, 1.0, 200)[:, None] * (fibula - tibia)
    sure = skeleton.locate(line, both, painted((5, slice(None), slice(None), slice(None)))).confidence
    assert sure[:3].min() > 0.95
    assert sure.min() == pytest.approx(0.5, abs=0.05)


def test_a_label_may_name_a_family_of_bones() -> None:
    heel = np.array(placed(8).positions()["heel_left"])
    toe = np.array(placed(8).positions()["toe2_left"])
    matrix = np.diag([-3.0, 3.0, 3.0, 1.0])
    matrix[:3, 3] = (heel + toe) / 2 - [-60.0, 75.0, 60.0]
    foot = Volume(np.full((40, 50, 40), 6, dtype=np.uint8), Grid((40, 50, 40), matrix))
    points = heel + np.linspace(0.1, 0.9, 40)[:, None] * (toe - heel) + [0.0, 0.0, 5.0]
    found = skeleton.locate(points, labelled((6, "tarsals", "left")), foot)
    tarsals = set(next(g.sites for g in anatomy.groups() if g.id == "tarsals.left"))
    assert set(found.site) <= tarsals
    assert {site.split(".")[0] for site in found.site} >= {"calcaneus", "cuboid"}
    assert found.inside.all()
    assert not set(skeleton.locate(points, placed(8)).site) <= tarsals  # without it metatarsals are named too


def test_a_map_without_names_is_refused() -> None:
    words = "a label map needs the names of its labels; place it with --labels and --names"
    with pytest.raises(LesionmapError, match=f"^{re.escape(words)}$"):
        skeleton.locate(middle_of("tibia"), placed(8), TIBIA)


# ---- shares of a mask


def test_points_outside_count_the_less_the_farther() -> None:
    """By e for 6 mm; far from all bones not at all."""
    placement = labelled((5, "tibia", "right"), (3, "humerus", "left"))
    maps = painted((5, *BOX), (3, slice(6, 14), slice(5, 11), slice(11, 14)))
    inside, beside = block().lps(np.array([9.0, 7.0, 5.0])), beyond(1, 2.2, up=False)[0]  # 3 mm from the first
    other = block().lps(np.array([9.0, 7.0, 12.0]))
    far = np.array([2000.0, 0.0, 0.0])
    found = skeleton.site_shares([beside, other, far, inside, other, other], placement, maps)
    weight = 1.0 + np.exp(-3.0 / 6.0)
    assert [share.site.split(".")[::2] for share in found] == [["humerus", "left"], ["tibia", "right"]]
    assert [share.share for share in found] == pytest.approx([3 / (3 + weight), weight / (3 + weight)])
    assert skeleton.site_shares([far, far], placement, maps) == ()


def radius(age: float, end: int, *steps: tuple[int, float], side: str = "left") -> Array:
    """Give points on the axis of a girl's radius, each so often and so many mm to the shaft's side of a physis."""
    limit = [one for one in limits("radius", side, placed(age)) if one.physis][end]
    way = limit.normal if end == 0 else -limit.normal
    return np.concatenate([np.repeat((limit.point + mm * way)[None], n, axis=0) for n, mm in steps])


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (((95, 4.0), (5, -1.0)), "crosses"),  # a twentieth on either side
        (((96, 4.0), (4, -1.0)), "touches"),
        (((5, 4.0), (95, -1.0)), "crosses"),
        (((4, 4.0), (96, -1.0)), "touches"),
        (((10, 4.8), (1, 8.0)), "touches"),
        (((10, 5.2), (1, 8.0)), "spares"),
    ],
)
@pytest.mark.parametrize("end", [0, 1])
def test_a_mask_crosses_touches_or_spares_a_physis(
    steps: tuple[tuple[int, float], ...], expected: str, end: int
) -> None:
    for side in ("left", "right"):
        found = skeleton.site_shares(radius(8.0, end, *steps, side=side), placed(8.0))
        assert {(share.physis, share.growth_risk) for share in found} == {(expected, expected == "crosses")}


def test_a_physis_that_has_closed_is_neither_crossed_nor_touched() -> None:
    """Of a girl's radius the upper one closes until 13.5 years, the lower one until 16.5."""
    across = (50, 2.0), (50, -1.0)
    for age, upper, lower in ((13.0, "crosses", "crosses"), (14.0, "spares", "crosses"), (17.0, None, None)):
        for end, expected in ((0, upper), (1, lower)):
            found = skeleton.site_shares(radius(age, end, *across), placed(age))
            assert {share.physis for share in found} == {expected}, (age, end)
            assert {share.growth_risk for share in found} == {expected == "crosses"}


def test_the_relation_is_that_to_the_physes_of_the_own_bone_and_side() -> None:
    """A mask over two bones has one for each; bones without a physis have none."""
    shin = radius(8.0, 1, (50, 2.0), (50, -1.0))
    axis = axis_of("radius", "right", placed(8.0))
    other = np.repeat((axis.origin + 0.5 * axis.length_mm * axis.direction)[None], 30, axis=0)
    level = np.repeat(np.array(placed(8.0).positions()["T9"])[None], 20, axis=0)
    found = {
        share.site: share.physis for share in skeleton.site_shares(np.concatenate([shin, other, level]), placed(8.0))
    }
    assert found == {
        "radius.distal_metaphysis.left": "crosses",
        "radius.distal_epiphysis.left": "crosses",
        "radius.diaphysis.right": "spares",
        "vertebra_T9.body.midline": None,
    }
