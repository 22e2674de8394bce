"""Bones by TotalSegmentator: a stand-in package beside the tests yields a reference map; nothing is downloaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cli_case import lesionmap, nifti
from label_maps import child, label_map, renumbered
from lesionmap.errors import LesionmapError
from lesionmap.place import place_labels
from lesionmap.place.totalsegmentator import TASKS, segment_bones
from lesionmap.read import read_mask
from lesionmap.space import Volume

if TYPE_CHECKING:
    from pathlib import Path

STAND_IN = """
import json, os, shutil, socket, sys
def totalsegmentator(input, output, ml=False, task="total", device="gpu", quiet=False, **more):
    import nibabel as nib
    assert ml and nib.load(input).get_fdata().ndim == 3
    print("chatter of a program")
    if task == os.environ.get("STAND_IN_FAILS"):
        print("RuntimeError: no memory left on the device", file=sys.stderr)
        sys.exit(1)
    if task == os.environ.get("STAND_IN_DOWNLOADS"):
        socket.create_connection(("127.0.0.1", 9))
    shutil.copy(os.path.join(os.path.dirname(__file__), task + ".nii.gz"), output)
"""


@pytest.fixture(scope="module")
def image() -> Volume:
    noise = np.random.default_rng(3).normal(50, 5, label_map().grid.shape)
    return Volume((noise + 100 * (label_map().array > 0)).astype(np.float32), label_map().grid)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the stand-in, which answers each task with the map of the girl of five."""
    folder = tmp_path_factory.mktemp("site") / "totalsegmentator"
    folder.mkdir()
    (folder / "__init__.py").write_text("", encoding="utf-8")
    (folder / "python_api.py").write_text(STAND_IN, encoding="utf-8")
    for task in TASKS:
        volume = renumbered(task)
        nifti(folder / f"{task}.nii.gz", volume.array, lps_from_voxel=volume.grid.lps_from_voxel)
    return folder.parent


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: Path) -> Path:
    """Give the folder of weights and licence of a machine that has the package and all weights."""
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.delenv("TOTALSEG_WEIGHTS_PATH", raising=False)
    monkeypatch.setenv("TOTALSEG_HOME_DIR", str(tmp_path))
    for number in (n for numbers in TASKS.values() for n in numbers):
        (tmp_path / "nnunet" / "results" / f"Dataset{number:03d}_of_something").mkdir(parents=True)
    return tmp_path


def test_two_tasks_become_one_map_that_places_the_skeleton(image: Volume, machine: Path) -> None:
    labels, names = segment_bones(image, ("total_mr", "vertebrae_mr"))
    assert (36, "femur", "left") in names
    assert (1012, "vertebra_T7", "midline") in names
    # The spine as a whole and the sacrum are resolved by single vertebrae; soft tissue is no bone.
    assert not {19, 18, 1} & {n for n, _, _ in names}
    assert set(np.unique(labels.array)) - {0} == {n for n, _, _ in names}
    assert labels.grid == image.grid
    found = {m.name: m.lps_mm for m in place_labels(labels, names).landmarks if m.placed}
    true = {**child().landmarks(), **child().vertebrae()}
    for name in ("T7", "hip_left", "shoulder_right"):
        assert np.linalg.norm(np.subtract(found[name], true[name])) < 7.0, name


def test_the_task_with_a_licence(image: Volume, machine: Path) -> None:
    with pytest.raises(LesionmapError, match=r"appendicular_bones_mr needs a licence number .*totalseg_set_license"):
        segment_bones(image, ("total_mr", "appendicular_bones_mr"))
    (machine / "config.json").write_text(json.dumps({"license_number": "aca_ABCDEFGHIJKLMN"}), encoding="utf-8")
    _, names = segment_bones(image, ("total_mr", "appendicular_bones_mr"))
    assert {(36, "femur", "left"), (1002, "tibia", "left"), (1002, "tibia", "right")} <= set(names)


def test_without_the_package(image: Volume) -> None:
    with pytest.raises(LesionmapError, match="package TotalSegmentator was expected in this Python and is not there"):
        segment_bones(image)


def test_without_weights_nothing_is_downloaded(image: Volume, machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "nnunet" / "results" / "Dataset756_of_something").rmdir()
    with pytest.raises(LesionmapError, match=r"weights of vertebrae_mr .* \(Dataset756_…\).* -t vertebrae_mr"):
        segment_bones(image)
    monkeypatch.setenv("TOTALSEG_WEIGHTS_PATH", str(machine / "elsewhere"))
    with pytest.raises(LesionmapError, match=r"weights of total_mr were expected in \S*elsewhere"):
        segment_bones(image)


def test_a_program_that_fails_or_wants_the_network(
    image: Volume, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_FAILS", "total_mr")
    with pytest.raises(LesionmapError, match="by total_mr; it said: RuntimeError: no memory left on the device"):
        segment_bones(image, ["total_mr"])
    monkeypatch.setenv("STAND_IN_DOWNLOADS", "vertebrae_mr")
    with pytest.raises(LesionmapError, match="lets no segmentation program open a connection"):
        segment_bones(image, ["vertebrae_mr"])


@pytest.mark.parametrize("tasks", [("total",), ()])
def test_tasks_that_are_none(image: Volume, tasks: tuple[str, ...]) -> None:
    with pytest.raises(LesionmapError, match=r"tasks of TotalSegmentator for bones in MR .*vertebrae_mr"):
        segment_bones(image, tasks)


def test_an_image_without_bones(image: Volume, machine: Path, package: Path) -> None:
    path = package / "totalsegmentator" / "vertebrae_mr.nii.gz"
    kept = path.read_bytes()
    try:
        nifti(path, np.zeros(image.grid.shape, dtype=np.uint8), lps_from_voxel=image.grid.lps_from_voxel)
        with pytest.raises(LesionmapError, match="found no bone by vertebrae_mr"):
            segment_bones(image, ["vertebrae_mr"])
    finally:
        path.write_bytes(kept)


def test_the_verb_writes_what_locate_reads(tmp_path: Path, image: Volume, machine: Path) -> None:
    source = nifti(tmp_path / "stir.nii.gz", image.array, lps_from_voxel=image.grid.lps_from_voxel)
    out = tmp_path / "bones.nii.gz"
    ran = lesionmap("segment-bones", source, "-o", out, "--task", "total_mr", "--device", "cpu")
    assert ran.code == 0, ran.err
    assert read_mask(out).grid.shape == image.grid.shape
    (tmp_path / "p.csv").write_text(
        "id,x_lps_mm,y_lps_mm,z_lps_mm\nhip," + ",".join(str(v) for v in child().landmarks()["hip_left"]) + "\n",
        encoding="utf-8",
    )
    given = ("--labels", out, "--names", tmp_path / "bones_names.csv", "--points", tmp_path / "p.csv")
    assert lesionmap("locate", *given, "-o", tmp_path / "o.csv").code == 0
    assert "femur.proximal_epiphysis.left" in (tmp_path / "o.csv").read_text(encoding="utf-8-sig")
    again = lesionmap("segment-bones", source, "-o", out)
    assert again.code == 1
    assert "exists; --overwrite replaces it" in again.line
