"""Candidates: lesions are listed with their reason, healthy growth plates and spinal fluid are not."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.phantom import body, jittered
from lesionmap.phantom.lesion import LesionShape
from lesionmap.phantom.shapes import Blob, Frame
from lesionmap.segment import candidates
from lesionmap.segment.marrow import blocks, in_canal, marrow_of
from lesionmap.space import Grid, Volume
from phantom_lesions import dice, image_around, true_mask

KNEE, BACK = "femur.distal_metaphysis.left", "vertebra_L1.body.midline"


@cache
def block(where: str, lesion: bool) -> tuple[Volume, skeleton.Placement, LesionShape, object]:
    """Scan a block around the left knee or the first lumbar vertebra of a girl of 9, landmarks 5 mm off."""
    child = body(9.0, "F", 61, pose=61)
    marks = {name: list(xyz) for name, xyz in jittered(child.landmarks(), 61).items()}
    placement = skeleton.place(marks, age_y=9.0, sex="F", stature_cm=child.size.stature_cm)
    bone, side, segment = (
        ("femur", "left", "distal_metaphysis") if where == "knee" else ("vertebra_L1", "midline", "body")
    )
    points = child.sample_points(bone, side, 900, seed=3)
    segments = child.label(points)[1]
    deep = child.nearest(points)[1]
    near = np.argsort(np.linalg.norm(points - child.marks["knee_left" if where == "knee" else "L1"], axis=1))
    at = next(points[n] for n in near if segments[n] == segment and deep[n] < -5)
    shape = LesionShape(
        "x", f"{bone}.{segment}.{side}", (Blob(Frame(at, np.eye(3)), np.array([9.0, 8.0, 7.5])),), bone, side, 0.8
    )
    volume = image_around(child, [shape] if lesion else [], at, (2.0, 5.0, 2.0))
    return volume, placement, shape, true_mask(child, shape, volume) if lesion else None


@pytest.mark.parametrize(("where", "site"), [("knee", KNEE), ("back", BACK)])
def test_a_lesion_is_listed_first_with_its_site_and_reason(where: str, site: str) -> None:
    volume, placement, _, true = block(where, True)
    first, *others = candidates(volume, placement)
    assert dice(first.mask, true) > 0.7  # type: ignore[arg-type]
    assert first.site.rpartition(".")[0].startswith(site.split(".", maxsplit=1)[0])
    assert "times the marrow of the same bone" in first.reason
    assert not first.reason.endswith(".")
    assert 0 < first.score <= 1
    assert [x.score for x in others] == sorted((x.score for x in others), reverse=True)
    assert len(others) <= 1
    assert not hasattr(first, "certainty")  # it is no Lesion, and nothing counts it


@pytest.mark.parametrize("where", ["knee", "back"])
def test_a_healthy_child_with_bright_growth_plates_and_spinal_fluid_has_none(where: str) -> None:
    volume, placement, _, _ = block(where, False)
    assert candidates(volume, placement) == ()


def test_the_list_does_not_hang_on_gain_and_is_cut_to_the_best() -> None:
    volume, placement, _, _ = block("knee", True)
    found = candidates(volume, placement)
    louder = candidates(Volume(volume.array.astype(np.float32) * 7.0, volume.grid), placement)
    assert [x.site for x in louder] == [x.site for x in found]
    assert dice(louder[0].mask, found[0].mask) > 0.98
    assert candidates(volume, placement, most=0) == ()


def test_a_projection_is_refused() -> None:
    _, placement, _, _ = block("knee", True)
    view = Volume(np.zeros((5, 7, 1)), Grid((5, 7, 1), np.diag([2.0, 3.0, 4.0, 1.0])), projection=True)
    with pytest.raises(LesionmapError, match="got a projection; mark bone scans by hand"):
        candidates(view, placement)


def test_blocks_average_and_stay_in_place() -> None:
    matrix = np.array([[1.1, 0, 0.2, 5], [0.1, 1.2, 0, -8], [0, 0.1, -5.5, 30], [0, 0, 0, 1.0]])
    grid = Grid((13, 11, 5), matrix)
    voxels = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    ramp = grid.lps(voxels) @ [1.0, 2.0, 3.0]
    coarse = blocks(Volume(ramp, grid))
    assert coarse.grid.shape == (4, 3, 5)
    places = np.stack(np.meshgrid(*map(np.arange, coarse.grid.shape), indexing="ij"), axis=-1)
    np.testing.assert_allclose(coarse.array, coarse.grid.lps(places) @ [1.0, 2.0, 3.0], atol=1e-3)


def test_what_is_expected_rises_at_growth_plates_and_is_never_less_than_red_marrow_allows() -> None:
    volume, placement, _, _ = block("knee", False)
    marrow = marrow_of(blocks(volume), placement)
    assert (marrow.limit >= 1.4 * marrow.expected).all()
    assert marrow.bone["femur.left"] > 0
    bright = marrow.signal[marrow.inside] > marrow.limit[marrow.inside]
    assert float(bright.mean()) < 0.03


def test_the_canal_lies_behind_the_bodies() -> None:
    child = body(9.0, "F", 61, pose=61)
    placement = skeleton.place({n: list(p) for n, p in child.landmarks().items()}, age_y=9.0, sex="F")
    names = ("T4", "T8", "T12", "L2")
    bodies = np.array([child.marks[n] for n in names])
    canal = np.array([child.frames[n].at(0, 20.0, 0) for n in names])
    assert in_canal(canal, placement).all()
    assert not in_canal(bodies, placement).any()
    assert not in_canal(np.array([child.frames[n].at(0, 50.0, 0) for n in names]), placement).any()
