"""``import``, ``visit``, ``list``: what is read, and what is said about what cannot be."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cli_case import FIRST_MM, HOSPITAL_ID, NAME, SHAPE, SPACING_MM, Ran, lesionmap, mr_slices, nifti

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def listed(study: Path) -> list[dict[str, Any]]:
    ran = lesionmap("list", study, "--json")
    assert ran.code == 0, ran.err
    patients: list[dict[str, Any]] = json.loads(ran.out)["patients"]
    return patients


def test_import_names_the_patient_and_keeps_no_personal_data(tmp_path: Path) -> None:
    mr_slices(tmp_path / "images")
    study = tmp_path / "a.lesionmap"
    ran = lesionmap("import", study, tmp_path / "images")
    assert (ran.code, ran.err) == (0, "")
    (patient,) = listed(study)
    assert (patient["patient"], patient["sex"]) == ("P001", "F")
    (visit,) = patient["visits"]
    assert (visit["visit"], visit["age_y"], visit["placed"]) == ("2010-05-04", 10.34, False)
    (series,) = visit["series"]
    assert (series["sequence"], series["plane"], series["shape"]) == ("STIR", "coronal", list(SHAPE))
    content = study.read_bytes() + ran.out.encode()
    assert HOSPITAL_ID.encode() not in content
    assert b"Jane" not in content
    assert NAME.encode() not in content


def test_patient_is_recognised_and_a_later_visit_added(tmp_path: Path) -> None:
    study = tmp_path / "a.lesionmap"
    for day in ("20100504", "20120601"):
        mr_slices(tmp_path / day, day=day)
        assert lesionmap("import", study, tmp_path / day).code == 0
    (patient,) = listed(study)
    assert [visit["visit"] for visit in patient["visits"]] == ["2010-05-04", "2012-06-01"]


def test_second_patient_gets_the_next_name(tmp_path: Path) -> None:
    study = tmp_path / "a.lesionmap"
    mr_slices(tmp_path / "one")
    mr_slices(tmp_path / "two", PatientID="ANOTHER")
    assert lesionmap("import", study, tmp_path / "one", tmp_path / "two").code == 0
    assert [patient["patient"] for patient in listed(study)] == ["P001", "P002"]


def test_same_images_again_change_nothing_and_moved_ones_are_linked_anew(tmp_path: Path) -> None:
    study = tmp_path / "a.lesionmap"
    mr_slices(tmp_path / "images")
    assert lesionmap("import", study, tmp_path / "images").code == 0
    before = listed(study)
    (tmp_path / "images").rename(tmp_path / "moved")
    assert lesionmap("import", study, tmp_path / "moved").code == 0
    assert listed(study) == before


def test_files_of_another_patient_are_not_mixed_in(tmp_path: Path) -> None:
    study = tmp_path / "a.lesionmap"
    mr_slices(tmp_path / "one")
    mr_slices(tmp_path / "two", day="20120601")
    assert lesionmap("import", study, tmp_path / "one", "--patient", "anna").code == 0
    ran = lesionmap("import", study, tmp_path / "two", "--patient", "bea")
    assert ran.code == 1
    assert "belong to anna of this study, not to bea" in ran.line
    assert len(listed(study)) == 1


def test_two_patients_under_one_name(tmp_path: Path) -> None:
    mr_slices(tmp_path / "one")
    mr_slices(tmp_path / "two", PatientID="ANOTHER")
    ran = lesionmap("import", tmp_path / "a.lesionmap", tmp_path, "--patient", "anna")
    assert ran.code == 1
    assert "belong to several patients, --patient anna names one" in ran.line


def test_nifti_asks_for_patient_and_day(tmp_path: Path) -> None:
    study, path = tmp_path / "a.lesionmap", nifti(tmp_path / "stir.nii.gz", np.ones(SHAPE, dtype=np.int16))
    assert "give it with --visit 2010-05-04" in lesionmap("import", study, path).line
    assert "name one with --patient P001" in lesionmap("import", study, path, "--visit", "2010-05-04").line
    assert not study.exists()
    ran = lesionmap("import", study, path, "--visit", "2010-05-04", "--patient", "anna")
    assert ran.code == 0, ran.err
    assert listed(study)[0]["visits"][0]["series"][0]["shape"] == list(SHAPE)


def test_four_dimensional_nifti_is_an_entry_a_volume(tmp_path: Path) -> None:
    path = nifti(tmp_path / "dwi.nii", np.ones((*SHAPE, 3), dtype=np.int16))
    ran = lesionmap("import", tmp_path / "none", path, "--dry-run", "--json")
    assert [entry["shape"] for entry in json.loads(ran.out)["series"]] == [list(SHAPE)] * 3


def test_dry_run_prints_only_json_and_makes_no_study(tmp_path: Path) -> None:
    mr_slices(tmp_path / "images")
    (tmp_path / "images" / "notes.dcm").write_text("not an image")
    ran = lesionmap("import", tmp_path / "a.lesionmap", tmp_path / "images", "--dry-run", "--json")
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    (entry,) = found["series"]
    assert (entry["shape"], entry["spacing_mm"], entry["n_files"]) == (list(SHAPE), list(SPACING_MM), SHAPE[2])
    assert entry["first_voxel_lps_mm"] == list(FIRST_MM)
    assert entry["last_voxel_lps_mm"] == [
        FIRST_MM[0] + 23 * SPACING_MM[0], FIRST_MM[1] + 7 * SPACING_MM[2], FIRST_MM[2] - 39 * SPACING_MM[1],
    ]  # fmt: skip
    assert [refused["path"].endswith("notes.dcm") for refused in found["refused"]] == [True]
    assert {path.name for path in tmp_path.iterdir()} == {"images"}


def test_dry_run_of_nothing_but_bad_files_exits_1_with_json(tmp_path: Path) -> None:
    (tmp_path / "x.dcm").write_text("no")
    ran = lesionmap("import", tmp_path / "a", tmp_path / "x.dcm", "--dry-run", "--json")
    assert ran.code == 1
    assert "nothing could be read" in ran.line
    assert json.loads(ran.out)["series"] == []


# ---- bad input: alone refused with exit 1, beside good series listed and the rest read ------------------------------


def not_dicom(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "text.dcm").write_text("this is no image")


def truncated(folder: Path) -> None:
    paths = mr_slices(folder, SeriesInstanceUID="1.2.9", SOPInstanceUID="1.2.9.1")
    for path in paths[1:]:
        path.unlink()
    paths[0].write_bytes(paths[0].read_bytes()[:-700])


def slice_missing(folder: Path) -> None:
    mr_slices(folder)[3].unlink()


def slices_twice(folder: Path) -> None:
    import pydicom

    for path in mr_slices(folder)[2:4]:
        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID += ".7"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(path.with_suffix(".again.dcm"))


def no_position(folder: Path) -> None:
    mr_slices(folder, ImagePositionPatient=None)


def before_birth(folder: Path) -> None:
    mr_slices(folder, birth="20110101", PatientID="BORN-LATER")


def nifti_without_affine(folder: Path) -> None:
    import nibabel as nib

    folder.mkdir(exist_ok=True)
    image = nib.Nifti1Image(np.ones(SHAPE, dtype=np.int16), None)
    image.header.set_sform(None, 0)
    image.header.set_qform(None, 0)
    nib.save(image, folder / "nowhere.nii")


BAD = [
    (not_dicom, "was expected"),
    (truncated, "cut short"),
    (slice_missing, "missing"),
    (slices_twice, "remove the duplicate slices"),
    (no_position, "position"),
    (before_birth, "before the patient's birth"),
    (nifti_without_affine, "neither sform nor qform"),
]


@pytest.mark.parametrize(("make", "said"), BAD, ids=[make.__name__ for make, _ in BAD])
def test_bad_input_alone(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    study = tmp_path / "a.lesionmap"
    make(tmp_path / "bad")
    ran = lesionmap("import", study, tmp_path / "bad")
    assert (ran.code, ran.out) == (1, "")
    assert said in ran.line
    assert not study.exists()


@pytest.mark.parametrize(("make", "said"), BAD, ids=[make.__name__ for make, _ in BAD])
def test_bad_input_alone_leaves_a_study_as_it_was(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    study = tmp_path / "a.lesionmap"
    mr_slices(tmp_path / "good", day="20120601")
    assert lesionmap("import", study, tmp_path / "good").code == 0
    before = study.read_bytes()
    make(tmp_path / "bad")
    assert said in lesionmap("import", study, tmp_path / "bad").line
    assert study.read_bytes() == before


@pytest.mark.parametrize(("make", "said"), BAD, ids=[make.__name__ for make, _ in BAD])
def test_bad_input_beside_good(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    study = tmp_path / "a.lesionmap"
    mr_slices(tmp_path / "all" / "good", day="20120601")
    make(tmp_path / "all" / "bad")
    ran = lesionmap("import", study, tmp_path / "all", "--json")
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(ran.out)
    assert found["visits"] == [{"patient": "P001", "visit": "2012-06-01"}]
    assert any(said in refused["why"] for refused in found["refused"])
    (patient,) = listed(study)
    assert [series["shape"] for visit in patient["visits"] for series in visit["series"]] == [list(SHAPE)]


def test_two_series_in_one_folder_are_two_entries(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    for path in mr_slices(folder):
        path.rename(path.with_name(f"a{path.name}"))
    other: dict[str, Any] = {
        "InversionTime": None,
        "ScanningSequence": "SE",
        "SequenceName": "se",
        "EchoTime": 12,
        "RepetitionTime": 500,
    }
    mr_slices(folder, SeriesDescription="T1 cor", SeriesInstanceUID="1.2.77", SeriesNumber=4, **other)
    for n, path in enumerate(sorted(folder.glob("0*.dcm"))):
        import pydicom

        dataset = pydicom.dcmread(path)
        dataset.SOPInstanceUID = f"1.2.77.{n + 1}"
        dataset.save_as(path)
    ran = lesionmap("import", tmp_path / "none", folder, "--dry-run", "--json")
    found = json.loads(ran.out)
    assert sorted(entry["sequence"] for entry in found["series"]) == ["STIR", "T1"]
    assert found["refused"] == []


def test_empty_folder_and_folder_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = lesionmap("import", tmp_path / "a.lesionmap", tmp_path / "empty")
    assert (ran.code, "no image was found" in ran.line) == (1, True)
    gone = lesionmap("import", tmp_path / "a.lesionmap", tmp_path / "gone")
    assert (gone.code, "gone" in gone.line) == (1, True)
    assert not (tmp_path / "a.lesionmap").exists()


def test_visit_date_before_birth(tmp_path: Path) -> None:
    study = tmp_path / "a.lesionmap"
    mr_slices(tmp_path / "images")
    ran = lesionmap("import", study, tmp_path / "images", "--visit", "1999-01-01")
    assert (ran.code, "before the patient's birth" in ran.line) == (1, True)
    assert not study.exists()
    assert lesionmap("import", study, tmp_path / "images").code == 0
    ran = lesionmap("visit", study, "P001", "1999-12-31")
    assert (ran.code, "before the patient's birth" in ran.line) == (1, True)
    assert len(listed(study)[0]["visits"]) == 1


def test_date_that_is_none(tmp_path: Path) -> None:
    ran = lesionmap("visit", tmp_path / "a", "P001", "4 May 2010")
    assert (ran.code, "a visit is named by its date, 2010-05-04" in ran.line) == (1, True)
    assert not (tmp_path / "a").exists()


def test_visit_without_images(tmp_path: Path) -> None:
    study = tmp_path / "a.lesionmap"
    assert lesionmap("visit", study, "P007", "2006-03-01", "--age", "8").code == 0
    (patient,) = listed(study)
    assert (patient["patient"], patient["visits"][0]["age_y"], patient["visits"][0]["series"]) == ("P007", 8.0, [])
    again = lesionmap("visit", study, "P007", "2006-03-01")
    assert (again.code, "a visit 2006-03-01 already" in again.line) == (1, True)


def test_study_of_a_newer_version_is_not_touched(tmp_path: Path) -> None:
    study = tmp_path / "a.lesionmap"
    mr_slices(tmp_path / "images")
    assert lesionmap("visit", study, "P001", "2006-03-01").code == 0
    with closing(sqlite3.connect(study)) as database, database:
        database.execute("update meta set value = '1000' where name = 'schema'")
    before = study.read_bytes()
    for arguments in (("list", study), ("import", study, tmp_path / "images")):
        ran = lesionmap(*arguments)
        assert (ran.code, "newer" in ran.line) == (1, True)
    assert study.read_bytes() == before


def test_file_that_is_no_study(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("my notes")
    ran = lesionmap("list", tmp_path / "a.txt")
    assert (ran.code, "is not a lesionmap study" in ran.line) == (1, True)
    assert (tmp_path / "a.txt").read_text() == "my notes"


def test_study_cannot_be_made_where_nothing_can_be_written(tmp_path: Path) -> None:
    mr_slices(tmp_path / "images")
    ran = lesionmap("import", "/proc/a.lesionmap", tmp_path / "images")
    assert (ran.code, "read-only" in ran.line) == (1, True)


def powerless(*arguments: object) -> Ran:
    """Run the command line where read-only means read-only: root loses the right to write anywhere."""
    command = [sys.executable, "-m", "lesionmap", *map(str, arguments)]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
def test_read_only_disk(tmp_path: Path) -> None:
    folder = tmp_path / "read-only"
    mr_slices(folder / "images")
    study = folder / "there.lesionmap"
    assert lesionmap("visit", study, "P001", "2006-03-01").code == 0
    study.chmod(0o444)
    folder.chmod(0o555)
    try:
        for target in (study, folder / "new.lesionmap"):
            ran = powerless("import", target, folder / "images")
            assert (ran.code, "read-only" in ran.line) == (1, True)
        ran = powerless("list", study)
        assert (ran.code, ran.out.split()[:2]) == (0, ["P001", "2006-03-01"])
        assert sorted(path.name for path in folder.iterdir()) == ["images", "there.lesionmap"]
    finally:
        folder.chmod(0o755)
