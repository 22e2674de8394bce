"""Label maps that show little or are wrong: what can be known from pieces of bone, and what is refused in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import nibabel as nib
import numpy as np
import pytest

from cli_case import lesionmap, nifti
from label_maps import EVERY_BONE, child, crop, label_map, map_of, renumbered
from lesionmap import skeleton
from lesionmap.phantom import body
from lesionmap.place import landmarks_of, place_file, place_labels, read_names
from lesionmap.place.names import members
from lesionmap.space import Volume
from shared import shared_data

if TYPE_CHECKING:
    from pathlib import Path

    from lesionmap.place.names import Names
    from lesionmap.skeleton import Placement

HEAD = "label,bone,side\n"


def truth() -> dict[str, np.ndarray]:
    return {name: np.array(xyz) for name, xyz in {**child().landmarks(), **child().vertebrae()}.items()}


def between(volume: Volume, low: float, high: float) -> Volume:
    return crop(volume, top_lps_mm=high, bottom_lps_mm=low)


def right_share(volume: Volume, names: Names, placement: Placement, most: int = 20_000) -> float:
    """Give the share of the map's bone voxels that come back as (one of) the bones of their label."""
    may_be: dict[int, set[tuple[str, str]]] = {}
    for label, bone, side in names:
        may_be.setdefault(label, set()).update(members(bone, side))
    index = np.argwhere(np.isin(volume.array, list(may_be)))
    index = index[:: max(len(index) // most, 1)]
    found = skeleton.locate(volume.grid.lps(index), placement, volume).site
    right = []
    for site, label in zip(found, volume.array[tuple(index.T)].tolist(), strict=True):
        bone, _, side = str(site).split(".") if site else ("", "", "")
        right.append(any(bone == b and (side == s or "midline" in (side, s)) for b, s in may_be[label]))
    return float(np.mean(right))


# ---- pieces of bone -------------------------------------------------------------------------------------------------


def test_shafts_of_both_femora_tell_which_way_the_thighs_run() -> None:
    true = truth()
    knee, hip = float(true["knee_left"][2]), float(true["hip_left"][2])
    part = between(label_map(), knee + 45.0, hip - 45.0)
    legs = tuple(row for row in EVERY_BONE if row[1] == "femur")
    volume = Volume(np.where(np.isin(part.array, [n for n, _, _ in legs]), part.array, 0), part.grid)
    placement = place_labels(volume, legs, age_y=5.0, sex="F")
    marks = {mark.name: mark for mark in placement.landmarks}
    assert not any(mark.placed for mark in marks.values())
    assert placement.inferred == ("stature_cm",)
    for side in ("left", "right"):
        ends = [np.array(marks[f"{name}_{side}"].lps_mm) for name in ("hip", "knee")]
        axis, right = ends[1] - ends[0], true[f"knee_{side}"] - true[f"hip_{side}"]
        cosine = axis @ right / np.linalg.norm(axis) / np.linalg.norm(right)
        assert np.degrees(np.arccos(cosine)) < 8.0
        for name in ("hip", "knee"):
            mark = marks[f"{name}_{side}"]
            assert 40.0 < mark.radius90_mm < 120.0
            assert np.linalg.norm(np.array(mark.lps_mm) - true[mark.name]) < 120.0
    assert right_share(volume, legs, placement) == 1.0


def test_a_stump_beside_a_hip_gives_the_knee_an_estimate() -> None:
    true = truth()
    middle = float(true["hip_left"][2] + true["knee_left"][2]) / 2
    placement = place_labels(crop(label_map(), bottom_lps_mm=middle), EVERY_BONE, age_y=5.0, sex="F")
    marks = {mark.name: mark for mark in placement.landmarks}
    assert marks["hip_left"].placed
    for side in ("left", "right"):
        knee = marks[f"knee_{side}"]
        assert not knee.placed
        assert np.linalg.norm(np.array(knee.lps_mm) - true[knee.name]) < 2 * knee.radius90_mm < 120.0


def test_a_few_vertebrae_are_known_whole_ones_exactly() -> None:
    true = truth()
    volume = between(renumbered("vertebrae_mr"), float(true["T10"][2] - 10), float(true["T5"][2] + 10))
    placement = place_labels(volume, read_names("vertebrae_mr"), age_y=5.0, sex="F")
    placed = {mark.name: mark.lps_mm for mark in placement.landmarks if mark.placed}
    assert {"T6", "T7", "T8", "T9"} <= set(placed) <= {f"T{n}" for n in range(4, 12)}
    assert max(np.linalg.norm(np.subtract(xyz, true[name])) for name, xyz in placed.items()) < 6.0
    assert right_share(volume, read_names("vertebrae_mr"), placement) > 0.99


def test_vertebrae_whose_levels_nobody_can_tell_are_said_to_be_guessed() -> None:
    true = truth()
    names = tuple(row for row in read_names("total_mr") if row[0] == 19)
    volume = between(renumbered("total_mr"), float(true["T10"][2]), float(true["T7"][2]))
    volume = Volume(np.where(volume.array == 19, volume.array, 0), volume.grid)
    placement = place_labels(volume, names, age_y=5.0, sex="F")
    assert not any(mark.placed for mark in placement.landmarks)
    assert any("does not tell which vertebrae it shows" in line for line in placement.warnings)
    assert min(m.radius90_mm for m in placement.landmarks) > 60.0
    known = place_labels(volume, names, age_y=5.0, sex="F", landmarks={"T8": true["T8"].tolist()})
    assert not any("which vertebrae" in line for line in known.warnings)
    found = skeleton.locate(true["T8"][None], known, volume)
    assert str(found.site[0]) == "vertebra_T8.body.midline"


@pytest.mark.parametrize(("sex", "seed"), [("F", 1), ("F", 7), ("M", 2)])
def test_levels_in_a_small_childs_spine_of_one_label(sex: Literal["F", "M"], seed: int) -> None:
    """At three years a vertebra of the neck is three voxels high, and hips are narrow for the length of the spine."""
    small = body(3.0, sex, seed, pose=seed)
    spine = [shape for shape in small.shapes if shape.bone.startswith(("vertebra", "sacrum"))]
    found = landmarks_of(renumbered("total_mr", map_of(small, spine, (3.0, 3.0, 3.0))), read_names("total_mr"))
    levels = {name: xyz for name, xyz in found.items() if name != "S1" and name[1:].isdigit()}
    assert set(levels) == set(small.vertebrae()) - {"S1", "C1", "C2"}
    assert max(np.linalg.norm(np.subtract(xyz, small.marks[name])) for name, xyz in levels.items()) < 5.0


@pytest.mark.parametrize(
    ("file", "numbering"),
    [
        ("example_seg_mr", "total_mr"),
        ("example_seg_dicom", "total"),
        ("example_seg_fast_force_split", "total"),
    ],
)
def test_real_maps_of_a_part_of_the_body(file: str, numbering: str) -> None:
    placement, volume = place_file(shared_data("totalsegmentator") / f"{file}.nii.gz", numbering)
    assert placement.how == "labels"
    assert right_share(volume, read_names(numbering), placement) >= 0.99


@pytest.mark.parametrize("name", ["myobody_labels", "myobody_simpleupper_labels"])
def test_bones_of_whole_skeletons_come_back_from_the_map(name: str) -> None:
    folder = shared_data("myo_sim")
    placement, volume = place_file(folder / f"{name}.nii.gz", folder / f"{name}_names.csv")
    assert right_share(volume, read_names(folder / f"{name}_names.csv"), placement) >= 0.99


# ---- bad input, by the command line ---------------------------------------------------------------------------------


@pytest.fixture
def points(tmp_path: Path) -> Path:
    x, y, z = truth()["hip_left"].tolist()
    (tmp_path / "p.csv").write_text(f"id,x_lps_mm,y_lps_mm,z_lps_mm\na,{x},{y},{z}\n", encoding="utf-8")
    return tmp_path / "p.csv"


def saved(path: Path, array: np.ndarray, volume: Volume | None = None) -> Path:
    grid = (volume or label_map()).grid
    return nifti(path, np.ascontiguousarray(array), lps_from_voxel=grid.lps_from_voxel)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEAD}1,femurr,left\n", "bone 'femurr' is not known; did you mean femur"),
        (f"{HEAD}1,femur,lefft\n", "femur has the side left or right, got 'lefft'"),
        (f"{HEAD}1,femur,\n", "femur has the side left or right, got ''"),
        (f"{HEAD}1.5,femur,left\n", "a label is a whole number above 0, got '1.5'"),
        ("label,bone\n1,femur\n", "columns label,bone,side were expected, side missing"),
        ("label,bone,side,side\n1,femur,left,left\n", "column 'side' occurs twice"),
        ("label;bone;side\n1;femur;left\n", "separate the cells by commas"),
        (HEAD, "at least one row under the heading was expected"),
        ("", "columns label,bone,side were expected"),
        (f"{HEAD}200,femur,left\n", "no label of the map is a bone by its names"),
    ],
)
def test_names_that_are_wrong(tmp_path: Path, points: Path, text: str, words: str) -> None:
    (tmp_path / "n.csv").write_text(text, encoding="utf-8")
    given = ("--labels", saved(tmp_path / "m.nii.gz", label_map().array), "--names", tmp_path / "n.csv")
    ran = lesionmap("locate", *given, "--points", points, "-o", tmp_path / "o.csv")
    assert ran.code == 1
    assert words in ran.line
    assert not (tmp_path / "o.csv").exists()


def test_names_of_labels_that_the_map_lacks_do_no_harm(tmp_path: Path, points: Path) -> None:
    rows = "".join(f"{n},{bone},{side}\n" for n, bone, side in (*EVERY_BONE, (240, "femur", "left")))
    (tmp_path / "n.csv").write_text(HEAD + rows, encoding="utf-8")
    given = ("--labels", saved(tmp_path / "m.nii.gz", label_map().array), "--names", tmp_path / "n.csv")
    ran = lesionmap("locate", *given, "--points", points, "-o", tmp_path / "o.csv")
    assert ran.code == 0, ran.err
    assert "femur" in (tmp_path / "o.csv").read_text(encoding="utf-8-sig")


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "the label map is empty"), (77, "numbers that total_mr does not: 77"), (-3, "numbers that total_mr does not")],
)
def test_maps_of_strange_numbers(tmp_path: Path, points: Path, value: int, words: str) -> None:
    path = saved(tmp_path / "m.nii.gz", np.full(label_map().grid.shape, value, dtype=np.int16))
    ran = lesionmap("locate", "--labels", path, "--names", "total_mr", "--points", points, "-o", tmp_path / "o.csv")
    assert ran.code == 1
    assert words in ran.line


def test_a_map_without_affine_is_refused(tmp_path: Path, points: Path) -> None:
    image = nib.Nifti1Image(label_map().array, None)
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    nib.save(image, tmp_path / "m.nii.gz")
    given = ("--labels", tmp_path / "m.nii.gz", "--names", "total_mr", "--points", points)
    ran = lesionmap("locate", *given, "-o", tmp_path / "o.csv")
    assert ran.code == 1
    assert "neither sform nor qform" in ran.line


def test_a_map_of_fractions_is_refused(tmp_path: Path, points: Path) -> None:
    path = saved(tmp_path / "m.nii.gz", label_map().array.astype(np.float32) * 0.37)
    ran = lesionmap("locate", "--labels", path, "--names", "total_mr", "--points", points, "-o", tmp_path / "o.csv")
    assert ran.code == 1
    assert "whole numbers was expected" in ran.line


def test_a_slab_of_thighs_is_placed_by_the_command_line(tmp_path: Path, points: Path) -> None:
    true = truth()
    part = between(renumbered("total"), float(true["knee_left"][2] + 45), float(true["hip_left"][2] - 45))
    path = saved(tmp_path / "m.nii.gz", part.array, part)
    given = ("--labels", path, "--names", "total", "--age", "5", "--points", points)
    ran = lesionmap("locate", *given, "-o", tmp_path / "o.csv")
    assert ran.code == 0, ran.err
    assert "landmarks estimated" in ran.out
