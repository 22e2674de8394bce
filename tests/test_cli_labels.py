"""``place`` and ``locate`` with a bone label map, by command line."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cli_case import lesionmap, nifti
from label_maps import child, crop, label_map, renumbered
from lesionmap.mark import proposed_sites
from lesionmap.place import place_labels, read_names
from lesionmap.space import Volume
from lesionmap.store import Study

if TYPE_CHECKING:
    from pathlib import Path


def saved(path: Path, volume: Volume) -> Path:
    return nifti(path, np.ascontiguousarray(volume.array), lps_from_voxel=volume.grid.lps_from_voxel)


@pytest.fixture(scope="module")
def total(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a label map in the numbering ``total``, from the chest to the upper thighs."""
    marks = child().landmarks()
    part = crop(
        renumbered("total"), top_lps_mm=marks["C7"][2], bottom_lps_mm=(marks["hip_left"][2] + marks["knee_left"][2]) / 2
    )
    return saved(tmp_path_factory.mktemp("maps") / "total.nii.gz", part)


@pytest.fixture
def points(tmp_path: Path) -> Path:
    marks = {**child().landmarks(), **child().vertebrae()}
    rows = [f"{n},{','.join(str(v) for v in marks[n])}" for n in ("hip_right", "T9", "knee_left")]
    (tmp_path / "p.csv").write_text("\n".join(["id,x_lps_mm,y_lps_mm,z_lps_mm", *rows]) + "\n", encoding="utf-8")
    return tmp_path / "p.csv"


def rows_of(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8-sig") as stream:
        return {next(iter(row.values())): row for row in csv.DictReader(stream)}


def test_locate_points_by_a_label_map_alone(tmp_path: Path, total: Path, points: Path) -> None:
    out = tmp_path / "o.csv"
    ran = lesionmap("locate", "--labels", total, "--names", "total", "--points", points, "-o", out, "--age", "5")
    assert ran.code == 0, ran.err
    found = rows_of(out)
    assert list(found) == ["hip_right", "T9", "knee_left"]
    assert (found["hip_right"]["bone"], found["hip_right"]["side"]) == ("femur", "right")
    assert found["T9"]["site"] == "vertebra_T9.body.midline"


def test_locate_mask_by_a_label_map(tmp_path: Path, total: Path) -> None:
    volume = label_map()
    inside = np.linalg.norm(
        volume.grid.lps(np.indices(volume.grid.shape).reshape(3, -1).T) - child().marks["hip_left"], axis=1
    )
    mask = (inside < 8.0).reshape(volume.grid.shape).astype(np.uint8)
    path = nifti(tmp_path / "m.nii.gz", mask, lps_from_voxel=volume.grid.lps_from_voxel)
    out = tmp_path / "o.csv"
    ran = lesionmap("locate", "--labels", total, "--names", "total", "--mask", path, "-o", out)
    assert ran.code == 0, ran.err
    assert rows_of(out)["1"]["bone"] == "femur"
    assert rows_of(out)["1"]["side"] == "left"


def test_landmarks_beside_a_label_map_win(tmp_path: Path, total: Path, points: Path) -> None:
    marks = tmp_path / "l.csv"
    x, y, z = child().landmarks()["knee_left"]
    marks.write_text(f"name,x_lps_mm,y_lps_mm,z_lps_mm\nknee_left,{x},{y},{z}\n", encoding="utf-8")
    common = ("locate", "--labels", total, "--names", "total", "--points", points)
    alone = lesionmap(*common, "-o", tmp_path / "a.csv")
    both = lesionmap(*common, "--landmarks", marks, "-o", tmp_path / "b.csv")
    n_alone, n_both = (int(ran.out.split("placed on ")[1].split()[0]) for ran in (alone, both))
    assert n_both == n_alone + 1


def test_place_remembers_the_label_map(tmp_path: Path, total: Path) -> None:
    study = tmp_path / "a.lesionmap"
    with Study.open(study, create=True):
        pass
    assert lesionmap("visit", study, "P001", "2010-05-04", "--age", "5").code == 0
    ran = lesionmap("place", study, "P001", "2010-05-04", "--labels", total, "--names", "total")
    assert ran.code == 0, ran.err
    assert "age 5.0 y" in ran.out
    with Study.open(study) as opened:
        placement = opened.placement("P001", "2010-05-04")
    assert placement is not None
    assert placement.how == "labels"
    assert placement.labels is not None
    assert placement.labels.path == str(total)
    assert len(placement.labels.sha256) == 64
    assert (75, "femur", "left") in placement.labels.names


def test_a_label_map_that_has_changed_is_not_used(tmp_path: Path, total: Path) -> None:
    study, copy, masks = tmp_path / "a.lesionmap", tmp_path / "bones.nii.gz", tmp_path / "m.csv"
    copy.write_bytes(total.read_bytes())
    with Study.open(study, create=True):
        pass
    assert lesionmap("visit", study, "P001", "2010-05-04", "--age", "5").code == 0
    assert lesionmap("place", study, "P001", "2010-05-04", "--labels", copy, "--names", "total").code == 0
    copy.write_bytes(copy.read_bytes() + b" ")
    masks.write_text("id,x_lps_mm,y_lps_mm,z_lps_mm\na,0,0,0\n", encoding="utf-8")
    ran = lesionmap("add", study, "P001", "2010-05-04", "--reader", "mw", "--markers", masks)
    assert ran.code == 1
    assert "bones.nii.gz" in ran.err
    assert "has changed; put it back, or place the skeleton anew" in ran.err


def test_the_label_map_decides_the_proposed_bone() -> None:
    volume, names = renumbered("total"), read_names("total")
    placement = place_labels(volume, names, age_y=5.0)
    inside = np.add(placement.positions()["hip_left"], [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    assert proposed_sites(inside, placement)[0].startswith("femur.")
    hip_left = 77  # of the numbering total
    painted = volume.array.copy()
    painted[tuple(np.rint(volume.grid.voxels(inside)).astype(int).T)] = hip_left
    relabelled = Volume(painted, volume.grid)
    assert proposed_sites(inside, placement, relabelled)[0].split(".")[0] in {"ilium", "ischium", "pubis"}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--labels", "{map}"), 2, "have no default"),
        (("--names", "total"), 2, "is needed"),
        ((), 2, "is needed"),
        (("--labels", "{map}", "--names", "totall"), 1, "did you mean total?"),
        (("--labels", "{map}", "--names", "total_mr"), 1, "numbers that total_mr does not"),
        (("--labels", "{map}.gone", "--names", "total"), 1, "gone"),
    ],
)
def test_wrong_requests(
    tmp_path: Path, total: Path, points: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    given = [text.replace("{map}", str(total)) for text in arguments]
    ran = lesionmap("locate", *given, "--points", points, "-o", tmp_path / "o.csv")
    assert ran.code == code
    assert words in " ".join(ran.err.replace("│", " ").split())
    assert not (tmp_path / "o.csv").exists()
