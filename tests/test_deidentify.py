"""De-identified copies: nothing of the patient is left in the bytes, nothing of the image is lost."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import uid as transfer
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

import dicom_files as df
import planted as pl
from lesionmap.read import Scan, dry_run_json, pixels, scan
from lesionmap.read.deidentify import Disguise, copying
from lesionmap.read.deidentify.dicom import dicom_copy
from lesionmap.read.deidentify.words import left_out, letters_of, safe_words
from lesionmap.read.kinds import Contrast, sequence_of
from lesionmap.visits import age_at
from shared import shared_data

if TYPE_CHECKING:
    from collections.abc import Callable

_KEPT = Disguise(b"key of a study", "P007")
_MOVED = Disguise(b"key of a study", "P007", shifts=True)


def copied(sources: list[Path] | list[str], into: Path, disguise: Disguise = _KEPT) -> Scan:
    """Copy files as one visit and scan the copies."""
    with copying(into) as copies:
        for path in sources:
            copies.add("P007/visit", str(path), disguise, None)
        paths = copies.put()
    assert copies.refused == []
    return scan(paths)


def same_images(originals: Scan, copies: Scan) -> None:
    """Every Series reads alike, voxel by voxel and in millimetres."""
    mine = [series for visit in originals.studies for series in visit.series]
    theirs = [series for visit in copies.studies for series in visit.series]
    assert [one.name for one in mine] == [one.name for one in theirs]
    for one, two in zip(mine, theirs, strict=True):
        assert (one.sequence, one.kind, one.plane, one.phase, one.note) == (
            two.sequence, two.kind, two.plane, two.phase, two.note,
        )  # fmt: skip
        assert np.array_equal(one.grid.lps_from_voxel, two.grid.lps_from_voxel)
        assert np.array_equal(pixels(one).array, pixels(two).array)


def entries_of(found: Scan) -> list[str]:
    """List the volumes as a dry run does, without paths and identifiers."""
    entries = dry_run_json(found)["series"]
    return sorted(str({k: v for k, v in entry.items() if k not in ("path", "series_uid")}) for entry in entries)


# ---- nothing of the patient is left --------------------------------------------------------------------------------


@pytest.mark.parametrize("disguise", [_KEPT, _MOVED], ids=["dates kept", "dates moved"])
@pytest.mark.parametrize("tags", [pl.profile_tags, pl.text_tags], ids=["table of the profile", "whole dictionary"])
def test_no_marker_of_any_element_at_any_depth_is_left(
    tmp_path: Path, tags: Callable[[], set[int]], disguise: Disguise
) -> None:
    whole = pl.planted(tags(), valid_times=False)
    assert len(set(pl.MARKER.findall(whole))) > 1000
    (tmp_path / "planted").write_bytes(whole)
    copy = dicom_copy(str(tmp_path / "planted"), disguise, 9.0)
    assert set(pl.MARKER.findall(copy.content)) == set()
    assert set(pl.UID_MARKER.findall(copy.content)) == set()
    assert pl.BIRTH.encode() not in copy.content
    assert b"Zq" not in copy.content


def test_moved_dates_leave_no_true_date_and_kept_ones_only_those_of_the_visit(tmp_path: Path) -> None:
    (tmp_path / "planted").write_bytes(pl.planted(pl.profile_tags() | pl.text_tags(), valid_times=True))
    moved = dicom_copy(str(tmp_path / "planted"), _MOVED, None).content
    kept = dicom_copy(str(tmp_path / "planted"), _KEPT, None).content
    assert pl.DAY.encode() not in moved
    assert pl.BIRTH.encode() not in moved + kept
    assert _MOVED.moved(date(2008, 2, 29)).strftime("%Y%m%d").encode() in moved
    image = pydicom.dcmread(pydicom.filebase.DicomBytesIO(kept))
    assert image.StudyDate == pl.DAY
    assert [str(element.tag) for element in image.group_dataset(0x0010) if element.VR in ("DA", "TM")] == [
        "(0010,0030)"
    ]


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom, of values that are none
def test_an_implicit_file_with_the_same_markers(tmp_path: Path) -> None:
    (tmp_path / "explicit").write_bytes(pl.planted(pl.profile_tags(), valid_times=True))
    image = pydicom.dcmread(tmp_path / "explicit")
    image.remove_private_tags()
    for tag in [tag for tag in image.keys() if tag.group < 8]:  # noqa: SIM118
        del image[tag]
    image.file_meta.TransferSyntaxUID = transfer.ImplicitVRLittleEndian
    image.save_as(tmp_path / "implicit", implicit_vr=True, little_endian=True)
    assert pl.MARKER.search((tmp_path / "implicit").read_bytes())
    assert pl.MARKER.findall(dicom_copy(str(tmp_path / "implicit"), _KEPT, None).content) == []


def test_pixels_are_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "planted").write_bytes(pl.planted(pl.text_tags(), valid_times=True))
    copy = pydicom.dcmread(pydicom.filebase.DicomBytesIO(dicom_copy(str(tmp_path / "planted"), _KEPT, None).content))
    assert copy.PixelData == bytes(range(12))
    assert (copy.Rows, copy.Columns, list(copy.PixelSpacing)) == (3, 2, [1.5, 2.5])


@given(
    name=st.text("abcdefghijklmnopqrstuvwxyzäöüß", min_size=5, max_size=12),
    words=st.lists(st.sampled_from(["t2", "TIRM", "cor", "T1", "tse", "STIR", "WB", "dark fluid", "b800"]), max_size=4),
    at=st.integers(0, 4),
    glue=st.sampled_from([" ", "_", "-", "."]),
)
def test_a_name_never_stays_in_a_description_and_the_sequence_does(
    name: str, words: list[str], at: int, glue: str
) -> None:
    text = glue.join([*words[:at], f"{name}xq", *words[at:]])
    kept = safe_words(text)
    assert name not in kept.lower()
    assert f"{name}xq".translate({228: "ae", 246: "oe", 252: "ue", 223: "ss"}) in left_out(text)
    assert sequence_of(Contrast(description=kept)) == sequence_of(Contrast(description=glue.join(words)))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("t2_tirm_cor WB Anna Doe 04.05.2010", "t2 tirm cor WB"),
        ("*tir2d1_19", "tir2d1"),
        ("Rein Armin Meli Corinna Stirling", ""),
        ("H4711 20100504 123", ""),
        ("Ganzkörper STIR 3 h", "Ganzkoerper STIR 3h"),
        ("Blood.Pool ant", "Blood Pool ant"),
    ],
)
def test_words_that_stay(text: str, kept: str) -> None:
    assert safe_words(text) == kept


def test_letters_that_stand_for_other_words_spell_no_sequence() -> None:
    for number in range(11**4):
        assert sequence_of(Contrast(description=letters_of(number))) == ""


# ---- nothing of the image is lost ----------------------------------------------------------------------------------

_OBLIQUE = df.turned(7, -12, 30) * np.array([1, 1, -1])


def _described(ds: Any) -> None:
    ds.SeriesDescription, ds.Manufacturer, ds.ReceiveCoilName = "STIR cor Anna", "SIEMENS", "Body Anna"
    block = ds.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    block.add_new(0x0C, "IS", "50")
    block.add_new(0x08, "LO", "Anna")


@pytest.mark.parametrize(
    "syntax",
    [
        "ExplicitVRLittleEndian", "ImplicitVRLittleEndian", "DeflatedExplicitVRLittleEndian", "RLELossless",
        "JPEGLSLossless", "JPEG2000Lossless",
    ],
)  # fmt: skip
def test_every_transfer_syntax_is_kept_and_reads_alike(tmp_path: Path, syntax: str) -> None:
    chosen = getattr(transfer, syntax)

    def change(ds: Any) -> None:
        _described(ds)
        if chosen.is_compressed and not chosen.is_deflated:
            ds.compress(chosen, generate_instance_uid=False)
        ds.file_meta.TransferSyntaxUID = chosen

    paths = df.write_series(tmp_path / "in", df.noise(df.grid((35, 37, 3), directions=_OBLIQUE)), change=change)
    found = copied(paths, tmp_path / "out")
    same_images(scan([tmp_path / "in"]), found)
    copy = pydicom.dcmread(found.studies[0].series[0].stations[0].files[0].path)
    assert copy.file_meta.TransferSyntaxUID == chosen
    originals = [pydicom.dcmread(path) for path in paths]
    assert copy.PixelData in [original.PixelData for original in originals]
    assert copy.SOPInstanceUID not in [original.SOPInstanceUID for original in originals]


def test_a_big_endian_file(tmp_path: Path) -> None:
    (path,) = df.write_series(tmp_path / "in", df.noise(df.grid((5, 7, 1))), SeriesDescription="T1")
    image = pydicom.dcmread(path)
    image.file_meta.TransferSyntaxUID = transfer.ExplicitVRBigEndian
    image.PixelData = np.frombuffer(image.PixelData, "<u2").astype(">u2").tobytes()
    image.decode()
    pydicom.dcmwrite(path, image, implicit_vr=False, little_endian=False, force_encoding=True)
    same_images(scan([path]), copied([path], tmp_path / "out"))


@pytest.mark.parametrize("name", ["dcm_qa_enh", "dcm_qa_decubitus_hfdl"])
def test_real_files_read_alike(tmp_path: Path, name: str) -> None:
    folder = shared_data(name)
    files = {f.path: None for v in scan([folder]).studies for s in v.series for t in s.stations for f in t.files}
    paths = [path for path in files if not path.endswith((".nii", ".nii.gz"))]
    for number, visit in enumerate(scan(paths).studies):
        mine = list(dict.fromkeys(f.path for s in visit.series for t in s.stations for f in t.files))
        original, found = scan(mine), copied(mine, tmp_path / str(number))
        same_images(original, found)
        assert entries_of(original) == entries_of(found)


def _converted(folder: Path, into: Path) -> set[tuple[object, ...]]:
    """Convert DICOM files by dcm2niix: shape, millimetres and scaled values of each volume."""
    import nibabel as nib

    program = Path(sys.executable).with_name("dcm2niix")
    if not program.exists():
        pytest.skip("dcm2niix is not installed")
    into.mkdir()
    options = ("-b", "n", "-z", "n", "-f", "%s_%e_%p", "-o", str(into), str(folder))
    subprocess.run([program, *options], check=False, capture_output=True)
    images = [nib.load(path) for path in into.glob("*.nii")]
    return {(image.shape, image.affine.round(3).tobytes(), image.get_fdata().tobytes()) for image in images}


def test_dcm2niix_finds_the_same_volumes_and_scaled_values(tmp_path: Path) -> None:
    folder = shared_data("dcm_qa_table_philips") / "In"
    copied([str(path) for path in folder.rglob("*.dcm")], tmp_path / "out")
    volumes = _converted(folder, tmp_path / "one")
    assert len(volumes) == 8
    assert _converted(tmp_path / "out", tmp_path / "two") == volumes


def test_the_real_bone_scan_reads_alike(tmp_path: Path) -> None:
    path = str(get_testdata_file("JPEG2000.dcm"))
    with copying(tmp_path / "out") as copies:
        copies.add("P007/visit", path, _KEPT, None)
        paths = copies.put()
    same_images(scan([path], view="anterior"), scan(paths, view="anterior"))
    assert "secondary capture" in copies.may_show["P007/visit/series-01"]


def test_a_bone_scan_keeps_views_windows_and_uptake(tmp_path: Path) -> None:
    drug = Dataset()
    drug.RadiopharmaceuticalStartDateTime = "20100504090000"
    drug.Radiopharmaceutical = "Tc-99m MDP Anna"
    frames = np.arange(2 * 30 * 12, dtype=np.uint16).reshape(2, 30, 12)
    path = df.write_planar(
        tmp_path / "in" / "nm", frames, AcquisitionTime="121500", AcquisitionDate="20100504",
        RadiopharmaceuticalInformationSequence=[drug],
        detectors=[{"view": ("4711", "99KLINIK", "Anterior view")}, {"StartAngle": "0"}],
    )  # fmt: skip
    for disguise in (_KEPT, _MOVED):
        found = copied([path], tmp_path / disguise.issuer, disguise)
        same_images(scan([path]), found)
        assert [s.uptake_min for s in found.studies[0].series] == [195.0, 195.0]


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="needs dciodvfy of dicom3tools")
@pytest.mark.parametrize("where", ["mr", "enhanced", "nm"])
def test_the_validator_finds_no_new_error(tmp_path: Path, where: str) -> None:
    if where == "mr":
        (path,) = df.write_series(tmp_path, df.noise(df.grid((5, 7, 1))), change=_complete)
    elif where == "nm":
        path = df.write_planar(tmp_path / "nm", np.ones((2, 9, 5), np.uint16), detectors=[{"StartAngle": "180"}] * 2)
    else:
        path = next(p for p in sorted(shared_data("dcm_qa_enh").rglob("*.dcm")))
    (tmp_path / "copy.dcm").write_bytes(dicom_copy(str(path), _KEPT, None).content)
    assert _errors(tmp_path / "copy.dcm") - _errors(path) == set()


def _complete(ds: Any) -> None:
    _described(ds)
    ds.PositionReferenceIndicator, ds.StationName, ds.InstitutionName = "Anna", "MR1", "Klinik"
    ds.OperatorsName, ds.AccessionNumber, ds.StudyID, ds.StudyTime = "Op^One", "A1", "S1", "101112"
    ds.ReferringPhysicianName, ds.DeviceSerialNumber = "Ref^One", "4711"


def _errors(path: Path) -> set[str]:
    ran = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
    lines = (ran.stdout + ran.stderr).splitlines()
    return {re.sub(r"<[^<>]*\d{4,}[^<>]*>", "", line) for line in lines if line.startswith("Error")}


# ---- identifiers, dates, marks -------------------------------------------------------------------------------------


def _copy_of(tmp_path: Path, disguise: Disguise = _KEPT, age_y: float | None = None, **tags: Any) -> Any:
    folder = tmp_path / "one"
    shutil.rmtree(folder, ignore_errors=True)
    (path,) = df.write_series(folder, df.noise(df.grid((5, 7, 1))), **tags)
    return pydicom.dcmread(pydicom.filebase.DicomBytesIO(dicom_copy(str(path), disguise, age_y).content))


def test_uids_are_the_same_in_every_copy_of_a_study_and_others_in_another(tmp_path: Path) -> None:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = df.MR, "1.2.3.55"
    one = _copy_of(tmp_path, SOPInstanceUID="1.2.3.7", ReferencedImageSequence=[item])
    two = _copy_of(tmp_path, SOPInstanceUID="1.2.3.55")
    other = _copy_of(tmp_path, Disguise(b"another key", "P007"), SOPInstanceUID="1.2.3.55")
    assert one.ReferencedImageSequence[0].ReferencedSOPInstanceUID == two.SOPInstanceUID != other.SOPInstanceUID
    assert one.ReferencedImageSequence[0].ReferencedSOPClassUID == df.MR
    assert one.FrameOfReferenceUID == two.FrameOfReferenceUID
    assert two.file_meta.MediaStorageSOPInstanceUID == two.SOPInstanceUID
    for uid in (one.SOPInstanceUID, one.StudyInstanceUID):
        assert uid.is_valid
        assert uid.startswith("2.25.")


def test_what_the_copy_says_of_itself(tmp_path: Path) -> None:
    for disguise, dates, word in ((_KEPT, "113106", "UNMODIFIED"), (_MOVED, "113107", "MODIFIED")):
        copy = _copy_of(tmp_path, disguise, 8.079, PatientAge="008Y", PatientWeight="23.5")
        codes = [item.CodeValue for item in copy.DeidentificationMethodCodeSequence]
        assert (copy.PatientIdentityRemoved, copy.LongitudinalTemporalInformationModified) == ("YES", word)
        assert codes == ["113100", "113105", dates, "113108", "113111"]
        assert (copy.PatientName, copy.PatientID, copy.PatientBirthDate) == ("P007", "P007", "")
        assert (copy.PatientAge, copy.PatientSex, copy.PatientSize, copy.PatientWeight) == ("097M", "M", 1.34, 23.5)


def test_without_a_birth_date_the_age_stays_as_it_was_written(tmp_path: Path) -> None:
    assert _copy_of(tmp_path, PatientBirthDate=None, PatientAge="008Y", age_y=8.0).PatientAge == "008Y"
    assert "PatientAge" not in _copy_of(tmp_path, PatientBirthDate=None)


def test_intervals_between_visits_stay_and_patients_move_differently(tmp_path: Path) -> None:
    days = [date(2010, 5, 4), date(2010, 5, 5), date(2013, 3, 1)]
    moved = [_MOVED.moved(day) for day in days]
    assert [(b - a).days for a, b in pairwise(moved)] == [1, 1031]
    assert all(1000 <= (a - b).days < 5000 for a, b in zip(days, moved, strict=True))
    assert Disguise(b"key of a study", "P008", shifts=True).moved(days[0]) != moved[0]
    copy = _copy_of(
        tmp_path, _MOVED, StudyTime="101112", AcquisitionDateTime="20100504101112.5+0100", StudyDate="20100504"
    )
    assert (copy.StudyDate, copy.StudyTime) == (f"{moved[0]:%Y%m%d}", "101112")
    assert copy.AcquisitionDateTime == f"{moved[0]:%Y%m%d}101112.5+0100"


def test_private_elements_only_of_the_list_and_only_as_numbers(tmp_path: Path) -> None:
    (path,) = df.write_series(tmp_path / "in", df.noise(df.grid((5, 7, 1))), change=_described)
    copy = pydicom.dcmread(pydicom.filebase.DicomBytesIO(dicom_copy(str(path), _KEPT, None).content))
    assert [str(element.tag) for element in copy if element.tag.is_private] == ["(0019,0010)", "(0019,100C)"]
    image = pydicom.dcmread(path)
    image[0x0019, 0x100C].VR = "UN"
    image[0x0019, 0x100C].value = b"Doe^Anna"
    image.save_as(path)
    copy = pydicom.dcmread(pydicom.filebase.DicomBytesIO(dicom_copy(str(path), _KEPT, None).content))
    assert [element.tag for element in copy if element.tag.is_private] == []


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"BurnedInAnnotation": "YES"}, "the header says that there is text in the pixels"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "the image type says SCREEN"),
        ({"SOPClassUID": df.SECONDARY}, "it is a secondary capture"),
        ({}, ""),
    ],
)
def test_burned_in_text_is_warned_about(tmp_path: Path, tags: dict[str, Any], why: str) -> None:
    (path,) = df.write_series(tmp_path, df.noise(df.grid((5, 7, 1))), **tags)
    assert dicom_copy(str(path), _KEPT, None).may_show.startswith(why)
    assert bool(dicom_copy(str(path), _KEPT, None).may_show) == bool(why)


def test_two_runs_of_other_words_stay_two(tmp_path: Path) -> None:
    one, two, again = (
        _copy_of(tmp_path, SeriesDescription=text).SeriesDescription
        for text in ("STIR cor Anna", "STIR cor Wdh.", "STIR cor 2 Anna")
    )
    assert one == again != two
    assert one.startswith("STIR cor ")
    assert age_at(date(2010, 5, 4), date(2002, 4, 5)) == pytest.approx(8.08, abs=0.01)
