"""``import --deidentify`` and ``--pseudonyms``: what is written, what is said, what is refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest

from cli_case import HOSPITAL_ID, SHAPE, lesionmap, mr_slices, nifti

if TYPE_CHECKING:
    from pathlib import Path


def listed(study: Path) -> list[dict[str, Any]]:
    ran = lesionmap("list", study, "--json")
    assert ran.code == 0, ran.err
    patients: list[dict[str, Any]] = json.loads(ran.out)["patients"]
    return patients


def everything_below(folder: Path) -> bytes:
    """Contents and names of all files."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return b"".join(str(path.relative_to(folder)).encode() + path.read_bytes() for path in paths)


def test_copies_have_neutral_names_and_the_study_refers_to_them(tmp_path: Path) -> None:
    mr_slices(tmp_path / "in" / "Doe Jane", StudyDescription="WB of Jane Doe")
    study, out = tmp_path / "a.lesionmap", tmp_path / "copies"
    ran = lesionmap("import", study, tmp_path / "in", "--deidentify", out)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "P001 2010-05-04: STIR coronal",
        f"copies without the patient's data lie below {out}; nothing was looked for in the pixels",
    ]
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert names == [f"P001/2010-05-04/series-03/{n:04d}.dcm" for n in range(1, SHAPE[2] + 1)]
    (patient,) = listed(study)
    assert (patient["patient"], patient["sex"]) == ("P001", "F")
    assert patient["visits"][0]["age_y"] == pytest.approx(10.34, abs=0.05)
    content = everything_below(out) + study.read_bytes() + ran.out.encode()
    for word in (b"Jane", b"Doe", HOSPITAL_ID.encode(), b"20000101", b"1.2.826."):
        assert word not in content.replace(b"1.2.826.0.1.3680043.8.498", b"")  # pydicom's own identifier
    assert str(out).encode() in study.read_bytes()
    assert str(tmp_path / "in").encode() not in study.read_bytes()


def test_what_dcmdump_reads(tmp_path: Path) -> None:
    mr_slices(tmp_path / "in")
    lesionmap("import", tmp_path / "a", tmp_path / "in", "--deidentify", tmp_path / "out", "--patient", "anna")
    dump = subprocess.run(
        ["dcmdump", str(tmp_path / "out/anna/2010-05-04/series-03/0001.dcm")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in ("PatientName", "PatientID"):
        assert re.search(rf"\[anna\].*{line}", dump)
    assert re.search(r"\[YES\].*PatientIdentityRemoved", dump)
    assert re.search(r"\[STIR cor\].*SeriesDescription", dump)
    assert re.search(r"\[124M\].*PatientAge", dump)
    assert re.search(r"no value available.*PatientBirthDate", dump)


def test_the_same_files_again_change_nothing(tmp_path: Path) -> None:
    mr_slices(tmp_path / "in")
    study, out = tmp_path / "a", tmp_path / "out"
    assert lesionmap("import", study, tmp_path / "in", "--deidentify", out).code == 0
    before, files = listed(study), everything_below(out)
    assert lesionmap("import", study, tmp_path / "in", "--deidentify", out).code == 0
    assert (listed(study), everything_below(out)) == (before, files)
    assert lesionmap("import", study, out).code == 0  # the copies themselves
    assert listed(study) == before


def test_files_that_come_later_find_their_series(tmp_path: Path) -> None:
    paths = mr_slices(tmp_path / "in")
    (tmp_path / "later").mkdir()
    for path in paths[5:]:
        path.rename(tmp_path / "later" / path.name)
    study, out = tmp_path / "a", tmp_path / "out"
    assert lesionmap("import", study, tmp_path / "in", "--deidentify", out).code == 0
    (tmp_path / "all").mkdir()
    for folder in ("in", "later"):
        for path in (tmp_path / folder).iterdir():
            path.rename(tmp_path / "all" / path.name)
    assert lesionmap("import", study, tmp_path / "all", "--deidentify", out).code == 0
    assert len(list((out / "P001/2010-05-04/series-03").iterdir())) == SHAPE[2]


def test_another_file_in_the_place_of_a_copy(tmp_path: Path) -> None:
    mr_slices(tmp_path / "in")
    study, out = tmp_path / "a", tmp_path / "out"
    assert lesionmap("import", study, tmp_path / "in", "--deidentify", out).code == 0
    changed = out / "P001/2010-05-04/series-03/0002.dcm"
    image = pydicom.dcmread(changed)
    image.EchoTime = 61
    image.save_as(changed)
    before = everything_below(out)
    ran = lesionmap("import", study, tmp_path / "in", "--deidentify", out)
    assert (ran.code, everything_below(out)) == (1, before)
    assert "1 other files lie where copies belong, first" in ran.line
    assert "ask for it with --overwrite" in ran.line
    assert lesionmap("import", study, tmp_path / "in", "--deidentify", out, "--overwrite").code == 0
    assert pydicom.dcmread(changed).EchoTime == 60


def test_copies_of_two_studies_are_not_mixed(tmp_path: Path) -> None:
    mr_slices(tmp_path / "in")
    mr_slices(tmp_path / "other", PatientID="ANOTHER")
    assert lesionmap("import", tmp_path / "a", tmp_path / "in", "--deidentify", tmp_path / "out").code == 0
    before = everything_below(tmp_path / "out")
    ran = lesionmap("import", tmp_path / "b", tmp_path / "other", "--deidentify", tmp_path / "out")
    assert "copies made for another study lie there; choose another folder" in ran.line
    assert everything_below(tmp_path / "out") == before
    for study in ("a", "b"):
        lesionmap("import", tmp_path / study, tmp_path / "other", "--deidentify", tmp_path / f"out-{study}")
    both = tmp_path / "c"
    lesionmap("import", both, tmp_path / "out", tmp_path / "out-b")
    assert len(listed(both)) == 2  # both are called P001, and are two patients


def test_ages_moves_all_dates_of_a_patient_alike(tmp_path: Path) -> None:
    for day in ("20100504", "20120601"):
        mr_slices(tmp_path / "in" / day, day=day)
    study, out = tmp_path / "a", tmp_path / "out"
    ran = lesionmap("import", study, tmp_path / "in" / "20100504", "--deidentify", out, "--ages")
    assert ran.code == 0, ran.err
    assert lesionmap("import", study, tmp_path / "in" / "20120601", "--deidentify", out, "--ages").code == 0
    (patient,) = listed(study)
    first, second = patient["visits"]
    days = [date.fromisoformat(visit["visit"]) for visit in (first, second)]
    assert days[1] - days[0] == date(2012, 6, 1) - date(2010, 5, 4)
    assert 1000 <= (date(2010, 5, 4) - days[0]).days < 5000
    assert (first["age_y"], second["age_y"]) == (pytest.approx(10.34, abs=0.05), pytest.approx(12.42, abs=0.05))
    content = everything_below(out) + study.read_bytes()
    for true_date in (b"20100504", b"2010-05-04", b"20120601", b"20000101"):
        assert true_date not in content
    plain = lesionmap("import", study, tmp_path / "in")
    assert "the dates of P001 in this study are moved, these files have the true ones" in plain.line
    kept = lesionmap("import", study, tmp_path / "in", "--deidentify", tmp_path / "more")
    assert "import them with --deidentify FOLDER --ages" in kept.line
    assert lesionmap("import", study, out).code == 0
    assert listed(study) == [patient]


def test_moved_dates_do_not_join_true_ones(tmp_path: Path) -> None:
    mr_slices(tmp_path / "in")
    assert lesionmap("import", tmp_path / "a", tmp_path / "in").code == 0
    ran = lesionmap("import", tmp_path / "a", tmp_path / "in", "--deidentify", tmp_path / "out", "--ages")
    assert "the visits of P001 in this study have their true dates, moved ones do not fit among them" in ran.line
    assert not (tmp_path / "out").exists()


def test_a_visit_named_by_hand_is_moved_too(tmp_path: Path) -> None:
    path = nifti(tmp_path / "in.nii.gz", np.ones(SHAPE, dtype=np.int16))
    options = ("--patient", "anna", "--visit", "2010-05-04", "--deidentify", tmp_path / "out", "--ages")
    ran = lesionmap("import", tmp_path / "a", path, *options)
    assert ran.code == 0, ran.err
    (visit,) = listed(tmp_path / "a")[0]["visits"]
    assert visit["visit"] < "2008"
    assert [p.name for p in (tmp_path / "out" / "anna").iterdir()] == [visit["visit"]]
    assert lesionmap("import", tmp_path / "a", path, *options).code == 0
    assert [p.name for p in (tmp_path / "out" / "anna" / visit["visit"]).iterdir()] == ["image-01.nii.gz"]


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_loses_its_texts_and_keeps_its_voxels(tmp_path: Path, ending: str) -> None:
    import nibabel as nib

    from lesionmap.read import pixels, scan

    array = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    path = nifti(tmp_path / f"Jane_stir_cor{ending}", array)
    image = nib.Nifti1Image(array, nib.load(path).affine)
    for name in ("descrip", "aux_file", "intent_name", "db_name"):
        image.header[name] = b"Jane"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Jane Doe was here"))
    nib.save(image, path)
    facts = {
        "PatientName": "Jane", "EchoTime": 0.06, "InversionTime": 0.16, "ScanningSequence": "SE_IR", "Modality": "MR",
        "ImageType": ["ORIGINAL", "PRIMARY", "M"], "SeriesDescription": "Jane stir", "InstitutionName": "Jane",
        "AcquisitionDateTime": "2010-05-04T10:11:12", "Manufacturer": "Siemens",
    }  # fmt: skip
    (tmp_path / "Jane_stir_cor.json").write_text(json.dumps(facts))
    ran = lesionmap("import", tmp_path / "a", path, "--patient", "anna", "--deidentify", tmp_path / "out")
    assert ran.code == 0, ran.err
    folder = tmp_path / "out/anna/2010-05-04"
    assert sorted(p.name for p in folder.iterdir()) == ["image-01_stir_cor.json", f"image-01_stir_cor{ending}"]
    copy = nib.load(folder / f"image-01_stir_cor{ending}")
    assert [bytes(copy.header[name].tobytes()).strip(b"\0") for name in ("descrip", "aux_file", "db_name")] == [b""] * 3
    assert len(copy.header.extensions) == 0
    assert b"Jane" not in everything_below(tmp_path / "out") + copy.header.binaryblock
    (one,), (two,) = (scan([p]).studies[0].series for p in (path, folder))
    assert (
        (one.name, one.kind, one.modality)
        == (two.name, two.kind, two.modality)
        == ("STIR coronal", ("magnitude",), "MR")
    )
    assert np.array_equal(pixels(one).array, pixels(two).array)
    assert np.array_equal(one.grid.lps_from_voxel, two.grid.lps_from_voxel)


def test_text_in_the_pixels_is_warned_about(tmp_path: Path) -> None:
    mr_slices(tmp_path / "in", BurnedInAnnotation="YES")
    ran = lesionmap("import", tmp_path / "a", tmp_path / "in", "--deidentify", tmp_path / "out")
    assert ran.err == (
        "look at P001/2010-05-04/series-03 before it is handed on: the header says that there is text in the pixels\n"
    )
    ran = lesionmap("import", tmp_path / "a", tmp_path / "in", "--deidentify", tmp_path / "out", "--json")
    assert [entry["path"] for entry in json.loads(ran.out)["may_show_text"]] == ["P001/2010-05-04/series-03"]


def test_folders_and_options_that_do_not_fit(tmp_path: Path) -> None:
    mr_slices(tmp_path / "in")
    study = tmp_path / "a"
    for out in (tmp_path / "in" / "copies", tmp_path, tmp_path / "in"):
        ran = lesionmap("import", study, tmp_path / "in", "--deidentify", out)
        assert (ran.code, "copies and originals were expected in different folders" in ran.line) == (1, True)
    assert "--ages concerns copies" in lesionmap("import", study, tmp_path / "in", "--ages").line
    (tmp_path / "file").write_text("x")
    assert not study.exists()
    ran = lesionmap("import", study, tmp_path / "in", "--deidentify", tmp_path / "file" / "x")
    assert "cannot be made" in ran.line
    dry = lesionmap("import", tmp_path / "b", tmp_path / "in", "--deidentify", tmp_path / "dry", "--dry-run")
    assert (dry.code, (tmp_path / "dry").exists(), (tmp_path / "b").exists()) == (0, False, False)


def test_an_import_that_fails_leaves_no_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mr_slices(tmp_path / "in")
    calls = []

    def full(number: int) -> None:
        calls.append(number)
        if len(calls) == 4:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    ran = lesionmap("import", tmp_path / "a", tmp_path / "in", "--deidentify", tmp_path / "out")
    monkeypatch.undo()
    assert "copies cannot be written to" in ran.line
    assert "No space left on device" in ran.line
    assert not (tmp_path / "out").exists()
    assert listed(tmp_path / "a") == []


# ---- pseudonyms from a table -----------------------------------------------------------------------------------------


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "names.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_patients_are_named_by_the_table(tmp_path: Path) -> None:
    mr_slices(tmp_path / "in" / "one")
    mr_slices(tmp_path / "in" / "two", PatientID="0042", IssuerOfPatientID="B")
    names = table(tmp_path, f"patient_id,pseudonym,issuer\n{HOSPITAL_ID},crmo-17,\n0042,crmo-18,B\n0042,crmo-19,C\n")
    study, out = tmp_path / "a", tmp_path / "out"
    ran = lesionmap("import", study, tmp_path / "in", "--pseudonyms", names, "--deidentify", out)
    assert ran.code == 0, ran.err
    assert [patient["patient"] for patient in listed(study)] == ["crmo-17", "crmo-18"]
    assert sorted(path.name for path in out.iterdir()) == ["crmo-17", "crmo-18"]
    assert b"crmo-19" not in study.read_bytes()
    plain = lesionmap("import", tmp_path / "b", tmp_path / "in", "--pseudonyms", names)
    assert (plain.code, [p["patient"] for p in listed(tmp_path / "b")]) == (0, ["crmo-17", "crmo-18"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("patient_id,pseudonym\n1,anna\n", "2 patients of these files are not in the table of pseudonyms (2 in all)"),
        (f"patient_id,pseudonym\n{HOSPITAL_ID},anna\n", "1 patient of these files is not in the table"),
        (f"patient_id,pseudonym\n{HOSPITAL_ID},anna\nANOTHER,anna\n", "rows 1 and 2 have the same; give another one"),
        (f"patient_id,pseudonym\n{HOSPITAL_ID},a\n{HOSPITAL_ID},b\n", "row 2 has one again; remove a row"),
        (f"{HOSPITAL_ID},anna\n", "columns patient_id,pseudonym (and issuer where needed) were expected"),
        (f"patient_id;pseudonym\n{HOSPITAL_ID};anna\n", "separate the cells by commas"),
        (f"patient_id,pseudonym\n{HOSPITAL_ID},\n", "in row 1, one is empty; fill it in"),
        (f"patient_id,pseudonym\n{HOSPITAL_ID},Jane/Doe\n", "a patient's pseudonym is 1 to 64 letters"),
    ],
)
def test_tables_that_do_not_fit(tmp_path: Path, text: str, said: str) -> None:
    mr_slices(tmp_path / "in" / "one")
    mr_slices(tmp_path / "in" / "two", PatientID="ANOTHER")
    ran = lesionmap("import", tmp_path / "a", tmp_path / "in", "--pseudonyms", table(tmp_path, text))
    assert (ran.code, said in ran.line) == (1, True), ran.err
    assert "ANOTHER" not in ran.err
    assert not (tmp_path / "a").exists()


def test_one_row_and_two_hospitals(tmp_path: Path) -> None:
    for issuer in ("A", "B"):
        mr_slices(tmp_path / "in" / issuer, IssuerOfPatientID=issuer)
    names = table(tmp_path, f"patient_id,pseudonym\n{HOSPITAL_ID},anna\n")
    ran = lesionmap("import", tmp_path / "a", tmp_path / "in", "--pseudonyms", names)
    assert "patients of two issuers have the same id" in ran.line


def test_a_pseudonym_that_another_patient_of_the_study_has(tmp_path: Path) -> None:
    mr_slices(tmp_path / "one")
    mr_slices(tmp_path / "two", PatientID="ANOTHER")
    study = tmp_path / "a"
    assert lesionmap("import", study, tmp_path / "one").code == 0
    ran = lesionmap(
        "import", study, tmp_path / "two", "--pseudonyms", table(tmp_path, "patient_id,pseudonym\nANOTHER,P001\n")
    )
    assert "P001 of the table of pseudonyms has images of another Patient ID in this study" in ran.line
    text = f"patient_id,pseudonym\n{HOSPITAL_ID},anna\n"
    ran = lesionmap("import", study, tmp_path / "one", "--pseudonyms", table(tmp_path, text))
    assert "belong to P001 of this study, not to anna; correct the table of pseudonyms" in ran.line
    ran = lesionmap("import", study, tmp_path / "one", "--patient", "x", "--pseudonyms", tmp_path / "names.csv")
    assert "--patient and --pseudonyms both name the patient" in ran.line
