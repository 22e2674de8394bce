"""The skeleton from a bone label map: names, landmarks by geometry, and what is refused."""

from __future__ import annotations

import csv
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from label_maps import EVERY_BONE, child, crop, label_map, renumbered
from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.place import check_labels, landmarks_of, place_file, place_labels, read_names
from lesionmap.place.names import members
from lesionmap.space import Grid, Volume
from shared import shared_data

if TYPE_CHECKING:
    from pathlib import Path

    from lesionmap.skeleton import Placement

TOLERANCE_MM = {"vertex": 15.0, "C2": 11.0, "fingertip3": 12.0, "sc_joint": 10.0, "ac_joint": 10.0, "toe2": 8.0}


def truth() -> dict[str, np.ndarray]:
    return {name: np.array(xyz) for name, xyz in {**child().landmarks(), **child().vertebrae()}.items()}


def plain(name: str) -> str:
    return name.removesuffix("_left").removesuffix("_right")


# ---- names ----------------------------------------------------------------------------------------------------------


def test_numberings_by_name_agree_with_the_published_class_maps() -> None:
    total, mr, spine, limbs = (
        set(read_names(n)) for n in ("total", "total_mr", "vertebrae_mr", "appendicular_bones_mr")
    )
    assert {(75, "femur", "left"), (78, "hip_bone", "right"), (27, "vertebra_L5", "midline")} < total
    assert {(50, "vertebra_C1", "midline"), (103, "rib_12", "left"), (104, "rib_1", "right")} < total
    assert {(36, "femur", "left"), (39, "hip_bone", "right"), (18, "sacrum", "midline")} < mr
    assert {(2, "vertebra_L5", "midline"), (25, "vertebra_C1", "midline"), (18, "vertebra_T1", "midline")} < spine
    assert {(2, "tibia", "left"), (2, "tibia", "right"), (8, "radius", "right"), (6, "toes", "left")} < limbs


def test_total_is_the_numbering_of_the_reference_file() -> None:
    import json

    told = json.loads((shared_data("totalsegmentator") / "total_labels.json").read_text(encoding="utf-8"))
    words = {"clavicula": "clavicle", "hip": "hip_bone", "vertebrae": "vertebra"}
    for label, bone, side in read_names("total"):
        parts = [words.get(word, word) for word in told[str(label)].split("_")]
        if bone not in ("coccyx", "mandible") and label != 26:
            assert sorted("_".join(parts).split("_")) == sorted(f"{bone}_{side}".replace("_midline", "").split("_"))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("1,femurr,left", "'femurr' is not known; did you mean femur"),
        ("1,femur,midline", "femur has the side left or right, got 'midline'"),
        ("0,femur,left", "above 0, got '0'"),
        ("x,femur,left", "whole number above 0, got 'x'"),
        ("1,knuckle_of_pork,left", "is not known"),
    ],
)
def test_a_bad_row_of_names_is_told(tmp_path: Path, rows: str, words: str) -> None:
    (tmp_path / "n.csv").write_text(f"label,bone,side\n{rows}\n", encoding="utf-8")
    with pytest.raises(LesionmapError, match=words):
        read_names(tmp_path / "n.csv")


def test_names_that_are_neither_numbering_nor_file() -> None:
    with pytest.raises(LesionmapError, match=r"'totl' is neither a numbering \(total, .*did you mean total\?"):
        read_names("totl")


def test_a_names_file_may_name_groups(tmp_path: Path) -> None:
    (tmp_path / "n.csv").write_text("label,bone,side\n4,tarsals,left\n4,talus,left\n", encoding="utf-8")
    assert read_names(tmp_path / "n.csv") == ((4, "tarsals", "left"), (4, "talus", "left"))
    assert ("cuboid", "left") in members("tarsals", "left")


def test_every_bone_that_a_name_may_mean_has_a_shape() -> None:
    posed = skeleton.bone_lines(skeleton.place(child().landmarks()))
    shaped = {bone for bone, _, _ in posed}
    assert {
        bone for n in ("total", "appendicular_bones_mr") for _, b, s in read_names(n) for bone, _ in members(b, s)
    } <= (shaped)


# ---- the map against its names --------------------------------------------------------------------------------------


def test_an_empty_map_and_strange_numbers_are_refused() -> None:
    empty = Volume(np.zeros((5, 7, 11), dtype=np.uint8), Grid((5, 7, 11), np.diag([2.0, 3.0, 4.0, 1.0])))
    names = read_names("total_mr")
    with pytest.raises(LesionmapError, match="the label map is empty"):
        check_labels(empty, names, "total_mr")
    strange = replace(empty, array=np.full((5, 7, 11), 77, dtype=np.uint8))
    with pytest.raises(LesionmapError, match="numbers that total_mr does not: 77"):
        check_labels(strange, names, "total_mr")
    with pytest.raises(LesionmapError, match="no label of the map is a bone by its names: the map has 77"):
        check_labels(strange, ((1, "femur", "left"),))


def test_numbers_without_a_name_are_named() -> None:
    array = np.zeros((5, 7, 11), dtype=np.int16)
    array[1:3], array[4] = 1, 99
    volume = Volume(array, Grid((5, 7, 11), np.eye(4)))
    assert check_labels(volume, ((1, "femur", "left"),)) == ("the label map has numbers without a name, left out: 99",)
    assert check_labels(Volume(np.minimum(array, 80), volume.grid), ((1, "femur", "left"),), "total") == ()


def test_a_mirrored_map_is_refused() -> None:
    volume = label_map()
    mirrored = Volume(volume.array, Grid(volume.grid.shape, np.diag([-1.0, 1, 1, 1]) @ volume.grid.lps_from_voxel))
    with pytest.raises(LesionmapError, match=r"left and right look exchanged in the label map: .*femur"):
        landmarks_of(mirrored, EVERY_BONE)


# ---- landmarks ------------------------------------------------------------------------------------------------------


def test_landmarks_of_a_whole_body() -> None:
    found, true = landmarks_of(label_map(), EVERY_BONE), truth()
    assert set(skeleton.landmarks()) <= set(found)
    errors = {name: float(np.linalg.norm(np.subtract(xyz, true[name]))) for name, xyz in found.items()}
    assert np.median(list(errors.values())) < 3.0
    assert {n: e for n, e in errors.items() if e > TOLERANCE_MM.get(plain(n), 7.5)} == {}


@pytest.mark.parametrize("numbering", ["total", "vertebrae_mr", "appendicular_bones_mr"])
def test_landmarks_by_numbering(numbering: str) -> None:
    found, true = landmarks_of(renumbered(numbering), read_names(numbering)), truth()
    errors = [float(np.linalg.norm(np.subtract(xyz, true[name]))) for name, xyz in found.items()]
    assert np.median(errors) < 4.0
    assert max(errors) < 15.0
    wanted = {"total": "hip_left", "vertebrae_mr": "T7", "appendicular_bones_mr": "ankle_right"}
    assert wanted[numbering] in found


def test_an_end_that_the_border_cuts_gives_no_landmark() -> None:
    true = truth()
    knees = float(true["knee_left"][2])
    upper = landmarks_of(crop(label_map(), bottom_lps_mm=knees + 40.0), EVERY_BONE)
    assert not {"knee_left", "knee_right", "ankle_left", "heel_left", "toe2_left"} & set(upper)
    assert np.linalg.norm(np.subtract(upper["hip_left"], true["hip_left"])) < 6.0
    lower = landmarks_of(crop(label_map(), top_lps_mm=float(true["hip_left"][2]) - 1.0), EVERY_BONE)
    assert not {"hip_left", "hip_right", "asis_left", "L5", "vertex"} & set(lower)
    assert np.linalg.norm(np.subtract(lower["knee_left"], true["knee_left"])) < 6.0


def test_a_vertebra_cut_in_two_is_no_landmark() -> None:
    level = float(truth()["T9"][2])
    found = landmarks_of(crop(renumbered("vertebrae_mr"), top_lps_mm=level), read_names("vertebrae_mr"))
    assert "T9" not in found
    assert "T11" in found


def test_islands_of_noise_do_not_move_a_landmark() -> None:
    array = label_map().array.copy()
    femur = next(n for n, b, s in EVERY_BONE if (b, s) == ("femur", "left"))
    array[3:5, 3:5, 3:5] = femur
    noisy = landmarks_of(Volume(array, label_map().grid), EVERY_BONE)
    assert noisy["knee_left"] == pytest.approx(landmarks_of(label_map(), EVERY_BONE)["knee_left"], abs=0.01)


# ---- placement ------------------------------------------------------------------------------------------------------


def bones_right(volume: Volume, placement: Placement, labels: Volume) -> float:
    """Give the share of bone voxels (of the map with a number for each bone) given the right bone and side."""
    index = np.argwhere(labels.array > 0)[::7]
    key = {label: (bone, side) for label, bone, side in EVERY_BONE}
    found = skeleton.locate(labels.grid.lps(index), placement, labels)
    true = [key[int(n)] for n in volume.array[tuple(index.T)]]
    named = [tuple(str(s).split(".")[::2]) if s else ("", "") for s in found.site]
    return float(
        np.mean([n[0] == t[0] and (n[1] == t[1] or t[1] == "midline") for n, t in zip(named, true, strict=True)])
    )


def test_legs_whose_sides_share_a_label_are_told_apart() -> None:
    names = tuple(row for row in read_names("appendicular_bones_mr") if row[1] in ("tibia", "fibula", "patella"))
    volume = renumbered("appendicular_bones_mr")
    volume = Volume(np.where(np.isin(volume.array, [1, 2, 3]), volume.array, 0), volume.grid)
    placement = place_labels(volume, names, age_y=5.0, sex="F")
    assert placement.how == "labels"
    assert placement.labels is not None
    assert placement.labels.names == names
    assert bones_right(label_map(), placement, volume) > 0.99


def test_a_point_beside_a_labelled_bone_belongs_to_it() -> None:
    placement = place_labels(label_map(), EVERY_BONE, age_y=5.0, sex="F")
    tibia = next(n for n, b, s in EVERY_BONE if (b, s) == ("tibia", "right"))
    voxels = np.argwhere(label_map().array == tibia)
    outer = voxels[np.argmax(label_map().grid.lps(voxels)[:, 1])]
    point = label_map().grid.lps(outer) + np.array([0.0, 3.5, 0.0])
    found = skeleton.locate(point[None], placement, label_map())
    assert str(found.site[0]).startswith("tibia.")
    assert str(found.site[0]).endswith(".right")
    assert not found.inside[0]
    assert 0 < found.distance_mm[0] <= 5.0


# ---- real label maps ------------------------------------------------------------------------------------------------


def read_truth(path: Path) -> dict[str, np.ndarray]:
    with path.open(encoding="utf-8") as stream:
        return {r["name"]: np.array([float(r[f"{a}_lps_mm"]) for a in "xyz"]) for r in csv.DictReader(stream)}


@pytest.mark.parametrize("name", ["myobody_labels", "myobody_simpleupper_labels"])
def test_whole_skeletons(name: str) -> None:
    folder = shared_data("myo_sim")
    placement, _ = place_file(folder / f"{name}.nii.gz", folder / f"{name}_names.csv")
    true = read_truth(folder / f"{name}_landmarks.csv")
    errors = {
        mark.name: float(np.linalg.norm(np.subtract(mark.lps_mm, true[mark.name])))
        for mark in placement.landmarks
        if mark.placed and mark.name in true
    }
    assert len(errors) > 40
    assert np.median(list(errors.values())) < 3.0
    joints = {
        n: e for n, e in errors.items() if plain(n) in {"hip", "knee", "ankle", "heel", "shoulder", "wrist", "pubis"}
    }
    assert max(joints.values()) < 4.0
    assert max(errors.values()) < 12.0


def test_a_ct_of_the_belly() -> None:
    placement, _ = place_file(shared_data("totalsegmentator") / "example_seg_fast_force_split.nii.gz", "total")
    placed = {mark.name for mark in placement.landmarks if mark.placed}
    assert {"hip_left", "hip_right", "asis_left", "L5", "L1", "S1", "coccyx"} <= placed
    assert not {"knee_left", "ischium_left", "T11", "pubis"} & placed


def test_levels_are_counted_in_a_label_of_the_whole_spine() -> None:
    true = truth()
    whole = landmarks_of(renumbered("total_mr"), read_names("total_mr"))
    assert {"C7", "T1", "T9", "L5"} <= set(whole)
    for name, xyz in whole.items():
        if name[1:].isdigit() and name[0] in "CTL":
            assert abs(xyz[2] - true[name][2]) < 5.0, name
    cut = crop(renumbered("total_mr"), top_lps_mm=float(true["T7"][2]))
    seen = {n: xyz for n, xyz in landmarks_of(cut, read_names("total_mr")).items() if n[0] in "CTL" and n[1:].isdigit()}
    assert set(seen) == {"T12", "L1", "L2", "L3", "L4", "L5"}
    assert max(abs(xyz[2] - true[n][2]) for n, xyz in seen.items()) < 5.0
    lost = crop(cut, bottom_lps_mm=float(true["L3"][2]))
    assert not any(n[0] in "CTL" and n[1:].isdigit() for n in landmarks_of(lost, read_names("total_mr")))
