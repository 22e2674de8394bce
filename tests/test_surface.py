"""The surfaces of the placed skeleton: closed, turned outwards on either side, as large as what locate knows."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from lesionmap.skeleton import Placement, Surface, anatomy, growth, locate, place, surfaces
from lesionmap.skeleton.surface import reference_mesh

Made = dict[tuple[str, anatomy.Side], Surface]


def crooked(knee_mm: float = 25.0) -> Placement:
    """Place a child of 9 who bends the left knee, leans to the right and has a raised left shoulder."""
    marks = growth.landmark_model(9.0, "F", 131.0)
    lean = np.array([-0.12, 0.05, 0.0])
    for name in marks:
        marks[name] = marks[name] + lean * max(marks[name][2] - marks["S1"][2], 0.0)
    marks["knee_left"] = marks["knee_left"] + [4.0, -knee_mm, 3.0]
    marks["shoulder_left"] = marks["shoulder_left"] + [0.0, 0.0, 14.0]
    return place({k: v.tolist() for k, v in marks.items() if k != "C1"}, age_y=9.0, sex="F", stature_cm=131.0)


@pytest.fixture(scope="module")
def placement() -> Placement:
    return crooked()


@pytest.fixture(scope="module")
def made(placement: Placement) -> Made:
    return {(x.bone, x.side): x for x in surfaces(placement)}


def volume_ml(surface: Surface) -> float:
    a, b, c = (surface.vertices[surface.faces[:, i]] for i in range(3))
    return float((a * np.cross(b, c)).sum()) / 6000.0


def test_every_bone_and_side_has_a_surface(made: Made) -> None:
    assert set(made) == {(bone.id, side) for bone in anatomy.bones() for side in bone.sides}


@pytest.mark.parametrize("bone", [bone.id for bone in anatomy.bones()])
def test_every_surface_is_closed_and_turned_one_way(bone: str) -> None:
    faces = reference_mesh(bone).faces
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there = Counter(map(tuple, edges.tolist()))
    assert max(there.values()) == 1
    assert all((b, a) in there for a, b in there)
    assert sorted(np.unique(faces).tolist()) == list(range(len(reference_mesh(bone).vertices)))


def test_normals_look_outwards_left_and_right(made: Made) -> None:
    assert min(volume_ml(x) for x in made.values()) > 0.05
    for bone in ("humerus", "ilium", "scapula", "rib_7", "calcaneus"):
        left, right = volume_ml(made[bone, "left"]), volume_ml(made[bone, "right"])
        assert left == pytest.approx(right, rel=0.25), bone


def test_a_left_bone_lies_on_the_patients_left(made: Made) -> None:
    for bone in ("femur", "clavicle", "toe_5", "rib_3"):
        assert made[bone, "left"].vertices[:, 0].mean() > made[bone, "right"].vertices[:, 0].mean() + 15.0


@pytest.mark.parametrize(
    ("bone", "side"),
    [("femur", "right"), ("tibia", "left"), ("vertebra_L2", "midline"), ("ilium", "left"), ("fibula", "right")],
)
def test_a_surface_encloses_the_bone_that_locate_knows(
    made: Made, placement: Placement, bone: str, side: anatomy.Side
) -> None:
    surface = made[bone, side]
    low, high = surface.vertices.min(axis=0) - 3.0, surface.vertices.max(axis=0) + 3.0
    points = np.random.default_rng(3).uniform(low, high, (60_000, 3))
    found = locate(points, placement)
    mine = np.char.startswith(found.site.astype(str), f"{bone}.") & found.inside
    mine &= np.char.endswith(found.site.astype(str), f".{side}")
    known_ml = float(np.prod(high - low)) / 1000.0 * mine.mean()
    assert volume_ml(surface) == pytest.approx(known_ml, rel=0.15)


def test_vertices_have_the_sites_that_locate_gives(made: Made, placement: Placement) -> None:
    parted: list[tuple[str, anatomy.Side]] = [
        ("femur", "left"),
        ("clavicle", "right"),
        ("vertebra_T8", "midline"),
        ("sacrum", "midline"),
    ]
    for key in parted:
        surface = made[key]
        assert set(surface.sites) == {
            s.id for s in anatomy.sites() if s.bone == key[0] and key[1] in (s.side, "midline")
        }
        located = locate(surface.vertices, placement).site
        own = np.array([str(site).startswith(f"{key[0]}.") for site in located])
        assert own.mean() > 0.8, key
        assert (located[own] == surface.sites[own]).mean() > 0.97, key
    assert set(made["tibia", "left"].sites) == {
        f"tibia.{segment}.left"
        for segment in (
            "proximal_epiphysis",
            "proximal_metaphysis",
            "diaphysis",
            "distal_metaphysis",
            "distal_epiphysis",
        )
    }


def test_a_surface_follows_its_landmark_alone(placement: Placement, made: Made) -> None:
    bent = {(x.bone, x.side): x for x in surfaces(crooked(knee_mm=60.0))}
    moved = {key: float(np.abs(bent[key].vertices - made[key].vertices).max()) for key in made}
    assert moved["tibia", "left"] > 20.0
    assert moved["femur", "left"] > 20.0
    assert moved["tibia", "right"] == pytest.approx(0.0, abs=0.1)
    assert moved["skull", "midline"] == pytest.approx(0.0, abs=0.1)
    assert np.array_equal(bent["tibia", "left"].faces, made["tibia", "left"].faces)


def test_finer_is_finer() -> None:
    coarse, fine = (len(reference_mesh("tibia", mm).faces) for mm in (5.0, 2.5))
    assert fine > 2 * coarse
