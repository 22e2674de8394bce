"""DICOM SR as other programs see it: dciodvfy, PixelMed's validator, dcmqi and highdicom."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import sr_case as case
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, Lesion, LesionMap
from lesionmap.measure import main_measurement
from lesionmap.write import report_sr, segmentations, write_sr

if TYPE_CHECKING:
    from lesionmap.visits import Visit
    from lesionmap.write import Results

PIXELMED = Path("/usr/share/java/pixelmed.jar")
Written = tuple[Path, "LesionMap", "Results"]


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    return case.dicom_visit(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def whole(visit: Visit, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Write the map that uses all there is."""
    return written(visit, case.rich_map(visit), tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def drawn(visit: Visit, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Write only what is drawn: no answers, no markers, no lesions known by their site."""
    lesions = []
    for lesion in case.rich_map(visit).lesions:
        masks = tuple(x for x in lesion.extents if x.mask is not None)
        lesions += [replace(lesion, tracks=lesion.tracks or ("2.25.33",), extents=masks)] if masks else []
    lesion_map = replace(case.rich_map(visit), lesions=tuple(lesions), answers=())
    return written(visit, lesion_map, tmp_path_factory.mktemp("drawn"), first=True)


def written(
    visit: Visit, lesion_map: LesionMap, folder: Path, *, identified: bool = False, first: bool = False
) -> Written:
    results = case.results_on(visit, lesion_map, first=first)
    segs = segmentations(case.PATIENT, visit, lesion_map, identified=identified)
    path = folder / "sr.dcm"
    write_sr(report_sr(results, visit.key, segs, identified=identified), path, segs=segs)
    return path, lesion_map, results


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not on this machine")
@pytest.mark.parametrize("identified", [False, True])
def test_dciodvfy_finds_no_error(visit: Visit, tmp_path: Path, identified: bool) -> None:
    path, _, _ = written(visit, case.rich_map(visit), tmp_path, identified=identified)
    said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False).stderr
    assert "Comprehensive3DSR" in said
    assert [line for line in said.splitlines() if line.startswith(("Error", "Abort"))] == []


def pixelmed(path: Path) -> list[str]:
    """Give the errors of PixelMed's validator, which checks each row of the templates."""
    limits = [f"-Djdk.xml.xpath{name}Limit=0" for name in ("TotalOp", "ExprOp", "ExprGrp")]
    command = ["java", "-XX:TieredStopAtLevel=1", *limits, "-cp", str(PIXELMED)]
    command += ["com.pixelmed.validate.DicomSRValidator", str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    said = run.stdout + run.stderr
    assert "Found Root Template TID_1500" in said
    assert "Root Template Validation Complete" in said
    return [line for line in said.splitlines() if line.startswith("Error")]


needs_pixelmed = pytest.mark.skipif(
    not PIXELMED.is_file() or shutil.which("java") is None, reason="PixelMed (libpixelmed-java) is not on this machine"
)


@needs_pixelmed
def test_pixelmed_finds_no_error(drawn: Written) -> None:
    assert pixelmed(drawn[0]) == []


@needs_pixelmed
@pytest.mark.long
def test_pixelmed_finds_no_error_where_nothing_is_drawn(visit: Visit, tmp_path: Path) -> None:
    lesions = tuple(replace(x, extents=()) for x in case.rich_map(visit).lesions)
    lesion_map = replace(case.rich_map(visit), lesions=lesions)
    path = tmp_path / "sr.dcm"
    write_sr(report_sr(case.results_on(visit, lesion_map), visit.key), path)
    assert pixelmed(path) == []


@needs_pixelmed
@pytest.mark.long
def test_pixelmed_finds_no_error_where_all_kinds_stand_together(whole: Written) -> None:
    """Segments, regions, markers, lesions known by their site and answers: it wants a region of each group."""
    assert pixelmed(whole[0]) == []


def by_dcmqi(path: Path) -> dict[str, Any]:
    """Read a report with dcmqi."""
    program = Path(sys.executable).with_name("tid1500reader")
    out = path.with_suffix(".json")
    command = [program, "--inputDICOM", path, "--outputMetadata", out]
    subprocess.run([str(x) for x in command], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return found


def numbers_of(group: dict[str, Any]) -> dict[tuple[str, str], tuple[float, str]]:
    """Give quantity and derivation to value and unit."""
    return {
        (item["quantity"]["CodeMeaning"], item.get("derivationModifier", {}).get("CodeMeaning", "")): (
            float(item["value"]),
            item["units"]["CodeValue"],
        )
        for item in group.get("measurementItems", [])
    }


def test_dcmqi_reads_the_same(whole: Written, visit: Visit) -> None:
    path, lesion_map, results = whole
    read = by_dcmqi(path)
    assert read["observerContext"] == {"ObserverType": "PERSON", "PersonObserverName": "Dr. O'Brien"}
    groups: dict[str, list[dict[str, Any]]] = {}
    for group in read["Measurements"]:
        groups.setdefault(group["TrackingUniqueIdentifier"], []).append(group)
    assert set(groups) >= {"2.25.11", "2.25.15"}
    assert not set(groups) & {"2.25.97", "2.25.98", "2.25.99"}  # what is not marked is no lesion of this visit
    first, second = groups["2.25.11"][:2]
    assert first["TrackingIdentifier"] == "L1 left distal tibial metaphysis"
    words = [first[name]["CodeMeaning"] for name in ("Finding", "FindingSite", "Laterality")]
    assert words == ["Lesion", "Tibia", "Left"]
    assert (first["timePoint"], first["ReferencedSegment"]) == (visit.key, 1)
    segs = segmentations(case.PATIENT, visit, lesion_map)
    stir = [seg for seg in segs if seg.series == visit.series[0].name]
    assert [x["SourceSeriesForImageSegmentation"] for x in (first, second)] == [seg.series_uid for seg in stir]
    assert first["segmentationSOPInstanceUID"] != second["segmentationSOPInstanceUID"]
    measured = results.facts(visit.key).measurements["L1"][0]
    found = numbers_of(first)
    signal = "MR signal intensity"
    truth = {
        ("Volume", ""): (measured.volume_ml, "mL"),
        ("Diameter", "Maximum"): (measured.diameter_mm, "mm"),
        ("slices with voxels of the lesion", ""): (measured.n_slices, "1"),
        (signal, "Mean"): (measured.signal_mean, "1"),
        (signal, "Maximum"): (measured.signal_max, "1"),
        (signal, "Standard Deviation"): (measured.signal_sd, "1"),
    }
    assert {key: unit for key, (_, unit) in found.items()} == {key: unit for key, (_, unit) in truth.items()}
    for key, (value, _) in truth.items():
        assert found[key][0] == pytest.approx(value, rel=1e-12)
    assert numbers_of(second) == {}  # the numbers of an extent stand once


def test_highdicom_reads_the_same(whole: Written, visit: Visit) -> None:
    from highdicom.sr import srread
    from pydicom.uid import Comprehensive3DSRStorage

    path, _, results = whole
    document = srread(path)
    assert document.SOPClassUID == Comprehensive3DSRStorage
    content = document.content
    volumes = content.get_volumetric_roi_measurement_groups(tracking_uid="2.25.11")
    assert len(volumes) == 3  # over the seam of two stations, and a marker on T1
    assert [group.roi.graphic_type.value for group in volumes if group.roi is not None] == ["POINT"]
    volume = volumes[0].get_measurements()[0]
    assert volume.value == pytest.approx(results.facts(visit.key).measurements["L1"][0].volume_ml)
    site = volumes[0].finding_sites[0]
    assert (site.value.meaning, site.laterality.meaning) == ("Tibia", "Left")
    assert site.topographical_modifier.meaning == "distal tibial metaphysis"
    flat = content.get_planar_roi_measurement_groups(tracking_uid="2.25.11")
    assert [region.roi.graphic_type.value for region in flat] == ["POLYLINE", "POLYLINE"]  # two parts of one mask
    area = {x.name.meaning: x.value for x in flat[0].get_measurements()}["Area"]
    assert area == pytest.approx(results.facts(visit.key).measurements["L1"][2].area_mm2)
    segments = {x.dataset.SOPInstanceUID for x in segmentations(case.PATIENT, visit, case.rich_map(visit))}
    assert len(segments & {uid for _, _, uid, _ in document.get_evidence()}) == 0  # UIDs are new each time
    beside = {str(seg.SOPInstanceUID) for seg in segs_beside(path)}
    assert beside <= {uid for _, _, uid, _ in document.get_evidence()}


def segs_beside(path: Path) -> list[Any]:
    from pydicom import dcmread

    return [dcmread(file, stop_before_pixels=True) for file in path.parent.glob("*_seg.dcm")]


def items_of(path: Path) -> Any:
    from pydicom import dcmread

    return dcmread(path).ContentSequence


def named(items: Any, code: str) -> list[Any]:
    """Give the items of that concept."""
    return [x for x in items if x.get("ConceptNameCodeSequence") and x.ConceptNameCodeSequence[0].CodeValue == code]


def groups_of(path: Path) -> list[Any]:
    """Give the groups of all lesions: measured ones, and those that are known by their site alone."""
    items = items_of(path)
    measured = [group for found in named(items, "126010") for group in found.ContentSequence]
    return [*measured, *named(named(items, "C0034375")[0].ContentSequence, "125007")]


def unmarked_of(path: Path) -> list[Any]:
    """Give the items of the tracks that are not marked in the visit."""
    return named(named(items_of(path), "C0034375")[0].ContentSequence, "unmarked")


def test_every_group_has_its_tracking_uid(whole: Written, drawn: Written) -> None:
    """No validator notices where it is missing."""
    for path, lesion_map, _ in (whole, drawn):
        groups = groups_of(path)
        uids = [[x.UID for x in named(group.ContentSequence, "112040")] for group in groups]
        assert all(len(one) == 1 and re.fullmatch(r"[0-9.]{3,64}", one[0]) for one in uids)
        by_lesion: dict[str, set[str]] = {}
        for group, (uid,) in zip(groups, uids, strict=True):
            for item in named(group.ContentSequence, "121151"):
                by_lesion.setdefault(item.TextValue, set()).add(uid)
        assert {x.id: len(by_lesion[x.id]) for x in lesion_map.lesions} == {x.id: 1 for x in lesion_map.lesions}
        assert all(by_lesion[x.id] == {x.tracks[0]} for x in lesion_map.lesions if x.tracks)
        assert all(named(group.ContentSequence, "126070")[0].TextValue == lesion_map.visit for group in groups)


def test_words_of_a_lesion_are_coded(whole: Written) -> None:
    group = next(x for x in groups_of(whole[0]) if named(x.ContentSequence, "121151")[0].TextValue == "L1")
    said = {}
    for item in (x for x in group.ContentSequence if x.ValueType == "CODE"):
        value = item.ConceptCodeSequence[0]
        said[item.ConceptNameCodeSequence[0].CodeValue] = (value.CodeValue, value.CodingSchemeDesignator)
    assert said["certainty"] == ("definite", "99LESIONMAP")
    assert said["change_said"] == ("1250004", "SCT")  # improved: decreased
    assert said["RID49896"] == ("1250004", "SCT")  # change from prior, as it was found: by the reader's word
    assert said["split_merge"] == ("merged", "99LESIONMAP")  # two tracks before, one lesion now
    assert said["physis_said"] == ("crosses", "99LESIONMAP")
    assert (said["soft_oedema"], said["painful"]) == (("373066001", "SCT"), ("373067005", "SCT"))
    assert "periosteal" not in said  # not assessed is not no


def test_states_without_a_standard_code_have_a_private_one(visit: Visit, whole: Written) -> None:
    states = {}
    for group in [*groups_of(whole[0]), *unmarked_of(whole[0])]:
        track = named(group.ContentSequence, "112040")[0].UID
        for item in named(group.ContentSequence, "RID49896"):
            states[track] = item.ConceptCodeSequence[0].CodeValue
    assert states["2.25.98"] == "resolved"
    assert states["2.25.99"] == "not_imaged"
    assert states["2.25.77"] == "unanswered"  # marked before, neither marked nor answered now: told, but no answer
    answered = [x for x in unmarked_of(whole[0]) if named(x.ContentSequence, "answer")]
    assert {named(x.ContentSequence, "112040")[0].UID for x in answered} == {"2.25.97", "2.25.98", "2.25.99"}


def test_count_and_rule_stand_together(whole: Written, visit: Visit) -> None:
    summary = named(items_of(whole[0]), "C0034375")[0].ContentSequence
    counts = whole[2].counts[visit.key]
    numbers = {
        code: int(named(summary, code)[0].MeasuredValueSequence[0].NumericValue)
        for code in ("246206008", "n_bones", "n_sites", "n_lesions_part")
    }
    assert numbers == {
        "246206008": counts.total.lesions,
        "n_bones": counts.total.bones,
        "n_sites": counts.total.sites,
        "n_lesions_part": counts.without_hands_feet.lesions,
    }
    assert named(summary, "rule")[0].TextValue == counts.rule.sentence
    assert named(summary, "121106")[0].TextValue.startswith("Research use only")


def test_a_report_names_nobody(whole: Written, visit: Visit, tmp_path: Path) -> None:
    raw = whole[0].read_bytes()
    for secret in ("Müller", "M\\u00fcller", "Änne", "HOSPITAL-4711", "20000101", "it hurts", "gone"):
        assert secret.encode("utf-8") not in raw
        assert secret.encode("latin-1", "replace") not in raw
    assert named(named(items_of(whole[0]), "C0034375")[0].ContentSequence, "notes_left_out")
    path, _, _ = written(visit, case.rich_map(visit), tmp_path, identified=True)
    from pydicom import dcmread

    told = dcmread(path)
    assert (str(told.PatientName), told.PatientID, told.PatientBirthDate) == (case.NAME, "HOSPITAL-4711", "20000101")
    assert told.StudyInstanceUID == case.STUDY_UID
    assert b"it hurts" not in path.read_bytes()  # notes are asked for apart


def test_all_images_with_marks_are_in_the_library(whole: Written, visit: Visit) -> None:
    library = named(items_of(whole[0]), "111028")[0].ContentSequence
    listed = {
        image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
        for group in library
        for image in group.ContentSequence
        if image.ValueType == "IMAGE"
    }
    assert listed == {file.uid for series in visit.series for station in series.stations for file in station.files}
    assert all(named(group.ContentSequence, "121139") for group in library)


def test_what_cannot_be_reported_is_refused_in_words(visit: Visit, tmp_path: Path) -> None:
    lesion_map = case.rich_map(visit)
    empty = replace(lesion_map, lesions=(), answers=(), signed=False)
    with pytest.raises(LesionmapError, match="has no mark, no answer and no signature of Dr"):
        report_sr(case.results_on(visit, empty), visit.key)
    with pytest.raises(LesionmapError, match="lesion L1 on series 'STIR coronal' has no segment among the DICOM SEGs"):
        report_sr(case.results_on(visit, lesion_map), visit.key)
    odd = replace(lesion_map, lesions=(Lesion("L1", ("rib_5.whole.left",), tracks=("track 5",)),))
    with pytest.raises(LesionmapError, match=r"a track is a DICOM UID \(64 digits and dots at most\), got 'track 5'"):
        report_sr(case.results_on(visit, odd), visit.key)
    bare = replace(visit, series=())
    sites = replace(lesion_map, lesions=lesion_map.lesions[2:3])
    with pytest.raises(LesionmapError, match="belongs to a study of DICOM images, visit 2010-05-04 has none; write"):
        report_sr(case.results_on(bare, sites), visit.key)
    stir = visit.series[0]
    nifti = replace(stir, study_uid="", stations=tuple(replace(x, series_uid="") for x in stir.stations))
    mixed = replace(visit, series=(nifti, *visit.series[1:]))
    with pytest.raises(LesionmapError, match="series 'STIR coronal' on which lesion L1 is drawn was read from NIfTI"):
        report_sr(case.results_on(mixed, lesion_map, pixels_of=visit), visit.key)


def test_a_file_that_is_there_stops_all_of_them(visit: Visit, tmp_path: Path) -> None:
    lesion_map = case.rich_map(visit)
    segs = segmentations(case.PATIENT, visit, lesion_map)
    report = report_sr(case.results_on(visit, lesion_map), visit.key, segs)
    (tmp_path / segs[1].name).write_text("mine")
    with pytest.raises(LesionmapError, match="exists already"):
        write_sr(report, tmp_path / "sr.dcm", segs=segs)
    assert [file.name for file in tmp_path.iterdir()] == [segs[1].name]


def test_an_empty_map_that_was_signed_says_none(visit: Visit, tmp_path: Path) -> None:
    signed = LesionMap(case.PATIENT.id, visit.key, "anna", signed=True)
    path = tmp_path / "sr.dcm"
    write_sr(report_sr(case.results_on(visit, signed, first=True), visit.key), path)
    summary = named(items_of(path), "C0034375")[0].ContentSequence
    assert named(summary, "246206008")[0].MeasuredValueSequence[0].NumericValue == 0
    assert named(items_of(path), "126010") == []


def test_a_marker_without_pixels_has_no_number(visit: Visit, tmp_path: Path) -> None:
    marker = Extent(visit.series[1].name, None, (1.5, 2.0, 3.25))
    lesion_map = LesionMap("P001", visit.key, "anna", (Lesion("L1", ("rib_5.whole.left",), extents=(marker,)),))
    results = case.results_on(visit, lesion_map, first=True)
    path = tmp_path / "sr.dcm"
    write_sr(report_sr(results, visit.key), path)
    (group,) = groups_of(path)
    assert main_measurement(results.facts(visit.key).measurements["L1"]).volume_ml is None
    assert [x for x in group.ContentSequence if x.ValueType == "NUM"] == []
    (point,) = [x for x in group.ContentSequence if x.ValueType == "SCOORD3D"]
    assert np.allclose(point.GraphicData, [1.5, 2.0, 3.25])
    assert point.ReferencedFrameOfReferenceUID == visit.series[1].stations[0].frame_uid
