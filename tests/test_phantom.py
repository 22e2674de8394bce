"""The phantom: anatomy within the published spreads, truth that agrees with itself, files that come out the same."""

from __future__ import annotations

import csv
import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lesionmap.errors import LesionmapError
from lesionmap.phantom import body, jittered, make_sample, render
from lesionmap.phantom.bone_scan import MATRIX, planar
from lesionmap.phantom.case import spine_plan
from lesionmap.phantom.first_case import FIRST
from lesionmap.phantom.growth import stature_at
from lesionmap.phantom.lesion import truth
from lesionmap.skeleton import anatomy

VISITS = FIRST.visits
SAMPLE = Path(__file__).resolve().parents[1] / "sample_data" / "SAMPLE-CRMO-1"
CHILDREN = [(2.0, "F", 3), (5.5, "M", 8), (8.0, "F", 12), (10.0, "M", 1), (14.0, "F", 2), (18.0, "M", 4)]


def _apart(marks: dict[str, tuple[float, float, float]], first: str, second: str) -> float:
    return float(np.linalg.norm(np.subtract(marks[first], marks[second])))


@pytest.mark.parametrize(("age", "sex", "seed"), CHILDREN)
def test_every_site_of_the_vocabulary_exists(age: float, sex: Any, seed: int) -> None:
    child = body(age, sex, seed, pose=seed)
    have = {f"{s.bone}.{g}.{s.side}" for s in child.shapes for g in s.segments}
    assert have == {site.id for site in anatomy.sites()}


@pytest.mark.parametrize(("age", "sex", "seed"), CHILDREN)
def test_left_is_plus_x_and_the_head_is_up(age: float, sex: Any, seed: int) -> None:
    marks = body(age, sex, seed, pose=seed).landmarks()
    assert set(marks) == set(anatomy.landmarks())
    assert all(marks[f"{n}_left"][0] > marks[f"{n}_right"][0] for n in ("shoulder", "hip", "knee", "wrist", "asis"))
    down = ["vertex", "C2", "C7", "T12", "L5", "S1", "hip_left", "knee_left", "ankle_left", "toe2_left"]
    heights = [marks[n][2] for n in down]
    assert heights == sorted(heights, reverse=True)
    assert marks["heel_left"][1] > marks["toe2_left"][1]  # supine: toes to the front


def test_lengths_stay_within_the_published_spread() -> None:
    # femur without epiphyses at 10 years: 332.6 (kidstats) and 349 (Maresh), SD about 22 mm
    shafts = [body(10.0, "M", seed, stature_cm=138.8).size["femur"] for seed in range(40)]
    assert 330 < np.mean(shafts) < 350
    assert 4 < np.std(shafts) < 22
    clavicles = [body(18.0, "M", seed, stature_cm=176.2).size["clavicle"] for seed in range(40)]
    assert 150 < np.mean(clavicles) < 172  # 161 ± 11
    marks = body(10.0, "M", 3, stature_cm=138.8).landmarks()
    share = _apart(marks, "hip_left", "knee_left") / (
        _apart(marks, "hip_left", "knee_left") + _apart(marks, "knee_left", "ankle_left")
    )
    assert share == pytest.approx(0.53, abs=0.015)  # Snyder 1977


def test_the_same_child_grows_and_stays_itself() -> None:
    young, old = body(8.0, "M", 5), body(10.8, "M", 5)
    assert young.size.z == old.size.z
    assert old.size.stature_cm - stature_at(10.8, "M") == pytest.approx(
        young.size.stature_cm - stature_at(8, "M"), abs=1.5
    )
    for name in ("femur", "tibia", "humerus", "clavicle", "biiliac", "foot"):
        assert young.size[name] < old.size[name] < 1.3 * young.size[name]
    assert body(8.0, "M", 6).size["femur"] != young.size["femur"]


def test_lengths_between_landmarks_do_not_hang_on_the_pose() -> None:
    lying, other = (body(9.0, "F", 2, pose=p).landmarks() for p in (1, 2))
    assert not np.allclose(lying["knee_left"], other["knee_left"], atol=3)
    for first, second in (("hip_left", "knee_left"), ("shoulder_right", "elbow_right"), ("knee_right", "ankle_right")):
        assert _apart(lying, first, second) == pytest.approx(_apart(other, first, second), abs=1.5)


def test_the_metaphysis_is_as_long_as_the_ao_square_says() -> None:
    child = body(10.0, "M", 1)
    points = child.sample_points("tibia", "left", 6000)
    _, segment, side = child.label(points)
    assert set(side) == {"left"}
    top, bottom = np.array(child.landmarks()["knee_left"]), np.array(child.landmarks()["ankle_left"])
    along = (points - top) @ (bottom - top) / np.linalg.norm(bottom - top)
    part = along[segment == "distal_metaphysis"]
    # .149 of the shaft at 10 y (medians of kidstats), and wider or narrower as this child's ankle is
    assert np.ptp(part) / child.size["tibia"] == pytest.approx(0.149, abs=0.02)
    assert along[segment == "proximal_epiphysis"].max() < along[segment == "diaphysis"].min()


@pytest.mark.parametrize(("age", "sex", "seed"), CHILDREN[1:5])
def test_labels_agree_with_landmarks(age: float, sex: Any, seed: int) -> None:
    child = body(age, sex, seed, pose=seed)
    marks = child.landmarks()
    spots = {
        "hip_left": ("femur", "left"),
        "shoulder_right": ("humerus", "right"),
        "elbow_left": ("humerus", "left"),
        "C7": ("vertebra_C7", "midline"),
        "L5": ("vertebra_L5", "midline"),
        "S1": ("sacrum", "midline"),
        "toe2_right": ("metatarsal_2", "right"),
        "ischium_left": ("ischium", "left"),
    }
    bones, _, sides = child.label(np.array([marks[n] for n in spots]))
    assert dict(zip(spots, zip(bones, sides, strict=True), strict=True)) == spots
    far = child.label(np.array([[500.0, 0, 0], [0, 400, 0]]))
    assert [list(words) for words in far] == [["", ""]] * 3


def test_points_are_drawn_inside_their_bone_and_every_bone_has_some() -> None:
    child = body(6.0, "M", 7, pose=3)
    for bone in anatomy.bones():
        for side in ("left", "right") if bone.paired else ("midline",):
            points = child.sample_points(bone.id, side, 5)
            assert set(child.label(points)[0]) == {bone.id}, bone.id


def test_an_unknown_bone_or_age_is_refused_in_words() -> None:
    with pytest.raises(LesionmapError, match="ages of 2 to 18 years, got 30"):
        body(30, "M", 1)
    with pytest.raises(LesionmapError, match="no midline femur; sides are left, right and midline"):
        body(9, "M", 1).sample_points("femur", "midline", 3)


def test_jitter_is_five_millimetres() -> None:
    marks = body(9, "M", 1).landmarks()
    moved = [np.linalg.norm(v - marks[n]) for seed in range(20) for n, v in jittered(marks, seed).items()]
    assert np.sqrt(np.mean(np.square(moved))) == pytest.approx(5.0, rel=0.05)


def test_lesions_lie_in_their_site_and_have_a_plausible_size() -> None:
    child = FIRST.body(VISITS[1])
    for lesion in FIRST.lesions(VISITS[1], child):
        ml, centre = truth(lesion, child, 0.8)
        assert child.sites(centre)[0] == lesion.site
        assert 2.5 < ml < 12, lesion.name
        fine = truth(lesion, child, 0.5)[0]
        assert ml == pytest.approx(fine, rel=0.03)  # the supersampling has settled


def test_stations_overlap_by_thirty_millimetres_and_share_their_anatomy() -> None:
    plan = FIRST.plan(VISITS[1], FIRST.body(VISITS[1]))
    rows = plan.rows()
    assert len(rows) == 4
    assert rows[0][0] == 0
    assert rows[-1][1] == plan.counts[2]
    assert all((end - start) * plan.spacing_mm[2] >= 30 for (_, end), (start, _) in pairwise(rows))


def test_a_slice_shows_a_lesion_where_it_is() -> None:
    child = FIRST.body(VISITS[1])
    lesions = FIRST.lesions(VISITS[1], child)
    plan = spine_plan(child)
    (stack,) = render(child, plan, "STIR", lesions, seed=1)
    (centre,) = (truth(x, child, 1.0)[1] for x in lesions if x.name == "T8")
    i, j, k = np.rint(stack.grid.voxels(centre)).astype(int)
    around = stack.pixels[k, j - 25 : j + 26 : 50, i].mean()
    assert stack.pixels[k, j, i] > 2 * around
    assert stack.grid.letters == ("P", "F", "R")


@pytest.mark.long
def test_the_posterior_view_has_the_left_on_the_left() -> None:
    child = FIRST.body(VISITS[1])
    tibia = [x for x in FIRST.lesions(VISITS[1], child) if x.name == "tibia_left"]
    with_it, without = (planar(child, these, seed=1, counts=2e6).astype(float) for these in (tibia, []))
    more = with_it - without
    assert with_it.shape == (2, *MATRIX)
    columns = [np.unravel_index(np.argmax(view), view.shape)[1] for view in more]
    assert columns[0] > MATRIX[1] / 2 > columns[1]


def test_facts_and_files_of_the_committed_sample() -> None:
    facts = json.loads((SAMPLE / "facts.json").read_text())
    assert [v["count"] for v in facts["visits"]] == [1, 7, 1]
    assert sum(f.stat().st_size for f in SAMPLE.parent.rglob("*") if f.is_file()) < 15e6
    for visit, planned in zip(facts["visits"], VISITS, strict=True):
        child = FIRST.body(planned)
        for name, place in visit["landmarks"].items():
            np.testing.assert_allclose(place, child.landmarks()[name], atol=0.01)
        reading = list(csv.DictReader((SAMPLE / visit["folder"] / "reading.csv").open()))
        assert {r["id"] for r in reading if r["certainty"]} == {x["id"] for x in visit["lesions"]}
        assert {r["site"] for r in reading if r["answer"]} == {
            s for s in (x["site"] for x in facts["visits"][1]["lesions"]) if visit["count"] == 1 and planned.number == 3
        } - {"clavicle.medial.left"}
        assert sum(r["id"] == "reference" for r in reading) == 1


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.rglob("*.dcm"))
    }


def test_the_first_visit_comes_out_byte_for_byte(tmp_path: Path) -> None:
    made = make_sample(tmp_path, visits=(1,)) / VISITS[0].folder
    kept = SAMPLE / VISITS[0].folder
    assert _hashes(made) == _hashes(kept)
    for name in ("landmarks.csv", "reading.csv"):
        assert (made / name).read_bytes() == (kept / name).read_bytes()


@pytest.mark.long
def test_the_whole_sample_comes_out_byte_for_byte(tmp_path: Path) -> None:
    made = make_sample(tmp_path)
    assert _hashes(made) == _hashes(SAMPLE)
    assert (made / "facts.json").read_bytes() == (SAMPLE / "facts.json").read_bytes()
