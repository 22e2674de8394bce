"""Segmentations by command line: out for the PACS, in from other programs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import highdicom as hd
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.sr.codedict import codes

from cli_case import HOSPITAL_ID, SHAPE, lesionmap, mr_slices, nifti, write_landmarks
from lesionmap.store import Study

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.lesions import LesionMap

DAY = "2010-05-04"
NAME = f"P001_{DAY}_STIR-coronal_seg.dcm"


def done(*arguments: object) -> str:
    ran = lesionmap(*arguments)
    assert ran.code == 0, ran.err
    return ran.out


def stored(study: Path, reader: str) -> LesionMap:
    with Study.open(study) as opened:
        return opened.lesion_map("P001", DAY, reader)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    mr_slices(folder, AccessionNumber="ACC-4712", InstitutionName="St. Elsewhere", StudyTime="101112", StudyID="S1")
    return folder


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory, images: Path) -> Path:
    """Give a study with one visit and two lesions by anna, one above the other in the left femur; nobody changes it."""
    folder = tmp_path_factory.mktemp("placed")
    path = folder / "a.lesionmap"
    done("import", path, images)
    done("place", path, "P001", DAY, "--landmarks", write_landmarks(folder / "landmarks.csv"))
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[20:22, 27:30, 3:5], array[20:22, 34:37, 3:5] = 1, 2
    array[20, 27, 3] = 0
    done("add", path, "P001", DAY, "--reader", "anna", "--mask", nifti(folder / "mask.nii.gz", array))
    return path


@pytest.fixture
def study(placed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(placed.parent, tmp_path / "study")) / placed.name


@pytest.mark.parametrize("options", [[], ["--labelmap"], ["--identified"]])
def test_out_and_in_again(study: Path, tmp_path: Path, options: list[str]) -> None:
    out = tmp_path / "out"
    said = done("export", study, "P001", DAY, "--seg", *options, "-o", out)
    assert said == f"STIR coronal: {out / NAME}, 2 segments\n"
    assert sorted(path.name for path in out.iterdir()) == [NAME]
    said = done("add", study, "P001", DAY, "--reader", "bea", "--mask", out)
    assert said.splitlines()[0].startswith("L1 femur.diaphysis.left")
    mine, theirs = stored(study, "anna"), stored(study, "bea")
    assert len(mine.lesions) == 2
    assert theirs.lesions == mine.lesions
    ran = lesionmap("add", study, "P001", DAY, "--reader", "bea", "--mask", out / NAME)
    assert (ran.code, "is marked already as L1 of visit 2010-05-04 by bea" in ran.line) == (1, True)


def test_pseudonymous_unless_asked(study: Path, tmp_path: Path) -> None:
    for options, named in (([], False), (["--identified"], True)):
        out = tmp_path / f"{named}"
        done("export", study, "P001", DAY, "--seg", *options, "-o", out)
        data = (out / NAME).read_bytes()
        assert [word in data for word in (b"Doe^Jane", HOSPITAL_ID.encode(), b"20000101", b"ACC-4712")] == [named] * 4
        assert str(dcmread(out / NAME).PatientID) == (HOSPITAL_ID if named else "P001")


def test_seg_and_nifti_together(study: Path, tmp_path: Path) -> None:
    said = done("export", study, "P001", DAY, "--seg", "--nifti", "-o", tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"P001_{DAY}_STIR-coronal{end}" for end in (".json", ".nii.gz", "_seg.dcm")]
    assert len(said.splitlines()) == 2
    ran = lesionmap("export", study, "P001", DAY, "--seg", "-o", tmp_path / "out")
    assert (ran.code, "exists already" in ran.line, "--overwrite" in ran.line) == (1, True, True)
    before = (tmp_path / "out" / NAME).read_bytes()
    done("export", study, "P001", DAY, "--seg", "--overwrite", "-o", tmp_path / "out")
    assert (tmp_path / "out" / NAME).read_bytes() != before


def by_others(path: Path, images: Path, array: NDArray[Any], tracks: list[str]) -> Path:
    """Write a Segmentation as another program does: array indexed as the images' grid."""
    sources = sorted((dcmread(file) for file in images.iterdir()), key=lambda x: x.ImagePositionPatient[1])
    for image in sources:
        image.ReferringPhysicianName = ""
    described = [
        hd.seg.SegmentDescription(
            n,
            f"Lesion {n}",
            codes.SCT.MorphologicallyAbnormalStructure,
            codes.SCT.Lesion,
            "MANUAL",
            tracking_id=f"T{n}",
            tracking_uid=uid,
        )
        for n, uid in enumerate(tracks, start=1)
    ]
    made = hd.seg.Segmentation(
        sources,
        np.ascontiguousarray(array.transpose(2, 1, 0)),
        "BINARY",
        described,
        series_instance_uid=hd.UID(),
        series_number=2,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="other",
        manufacturer_model_name="other",
        software_versions="1",
        device_serial_number="1",
    )
    made.save_as(path)
    return path


def test_segments_of_other_programs_are_sited(study: Path, images: Path, tmp_path: Path) -> None:
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[20:22, 25:27, 3:5], array[20:22, 31:33, 3:5] = 1, 2
    one = by_others(tmp_path / "one.dcm", images, array, ["2.25.81", "2.25.82"])
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[20:22, 25:28, 4:5] = 1
    two = by_others(tmp_path / "two.dcm", images, array, ["2.25.81"])
    for reader, files in (("bea", (one, two)), ("carl", (two, one))):
        masks = [word for file in files for word in ("--mask", file)]
        said = done("add", study, "P001", DAY, "--reader", reader, *masks)
        assert [line.split()[1] for line in said.splitlines()] == ["femur.diaphysis.left"] * 2
        sizes = {x.tracks[0]: x.extents[0].mask.n_voxels for x in stored(study, reader).lesions if x.extents[0].mask}
        assert sizes == {"2.25.81": 10, "2.25.82": 8}


def test_masks_of_both_kinds_and_several_files(study: Path, images: Path, tmp_path: Path) -> None:
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[20:22, 25:27, 3:5] = 1
    seg = by_others(tmp_path / "one.dcm", images, array, ["2.25.81"])
    other = np.zeros(SHAPE, dtype=np.uint8)
    other[20:22, 31:33, 3:5] = 7
    image = nifti(tmp_path / "b.nii.gz", other)
    done("add", study, "P001", DAY, "--reader", "bea", "--mask", seg, "--mask", image, "--series", "STIR coronal")
    assert len(stored(study, "bea").lesions) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            ["export", "{study}", "P001", DAY, "-o", "out"],
            2,
            "say what to export: --nifti, --seg, --sr, --png or --fhir",
        ),
        (["export", "{study}", "P001", DAY, "--nifti", "--labelmap", "-o", "out"], 2, "are for --seg"),
        (
            ["add", "{study}", "P001", DAY, "--reader", "r", "--mask", "{here}"],
            1,
            "DICOM SEG files were expected in the",
        ),
        (["add", "{study}", "P001", DAY, "--reader", "r", "--mask", "{here}/x.dcm"], 1, "a file was expected at"),
    ],
)
def test_mistakes(study: Path, tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    here = tmp_path / "here"
    here.mkdir()
    ran = lesionmap(*(word.format(study=study, here=here) for word in arguments))
    assert (ran.code, words in ran.err) == (code, True), ran.err


def test_images_that_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    mr_slices(folder)
    path = tmp_path / "a.lesionmap"
    done("import", path, folder)
    done("place", path, "P001", DAY, "--landmarks", write_landmarks(tmp_path / "landmarks.csv"))
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[20:22, 27:30, 3:5] = 1
    done("add", path, "P001", DAY, "--reader", "anna", "--mask", nifti(tmp_path / "mask.nii.gz", array))
    shutil.rmtree(folder)
    ran = lesionmap("export", path, "P001", DAY, "--seg", "-o", tmp_path / "out")
    assert (ran.code, "is not there or cannot be read; re-link the images" in ran.line) == (1, True)
    assert list((tmp_path / "out").iterdir()) == []
