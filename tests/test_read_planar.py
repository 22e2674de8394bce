"""Planar bone scans: which view, which side, which phase."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

import dicom_files as df
from cli_case import lesionmap
from lesionmap.errors import LesionmapError
from lesionmap.read import Told, dry_run_json, pixels, scan
from shared import shared_data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ANTERIOR = ("399321004", "SCT", "Anterior projection")
_POSTERIOR = ("G-5216", "SRT", "Posterior projection")


def _frames(n: int = 2) -> np.ndarray[Any, np.dtype[np.uint16]]:
    """Rows 30 (head first), columns 12; the hot spot lies in the first column near the head."""
    frames = np.zeros((n, 30, 12), np.uint16)
    frames[:, 4, 0] = 900
    return frames


def test_the_real_bone_scan_of_pydicom_is_read_and_its_view_asked_for() -> None:
    path = str(get_testdata_file("JPEG2000.dcm"))
    (entry,) = dry_run_json(scan([path]))["series"]
    assert (entry["modality"], entry["shape"][:2], entry["frame"], entry["n_files"]) == ("NM", [256, 1024], 1, 1)
    assert entry["spacing_mm"][:2] == [2.26, 2.26]
    assert entry["first_voxel_lps_mm"] is None
    assert entry["kind"] == []
    assert "does not tell anterior from posterior; say which view it is" in entry["note"]
    facts = json.loads((shared_data("bone_scan") / "facts.json").read_text())["JPEG2000.dcm"]
    assert entry["shape"][:2] == [facts["Columns"], facts["Rows"]]
    (visit,) = scan([path], view="anterior").studies
    (series,) = visit.series
    assert (series.name, series.plane, series.projection) == ("bone scan anterior", "anterior", True)
    assert "anterior as told by the user" in series.note
    assert pixels(series).array.shape == (256, 1024, 1)


@pytest.mark.parametrize(
    "detectors",
    [
        [{"view": _ANTERIOR}, {"view": _POSTERIOR}],
        [{"StartAngle": "180"}, {"StartAngle": "0"}],
        [{"StartAngle": "181.5"}, {"StartAngle": "360"}],
        [{"view": _ANTERIOR, "StartAngle": "180"}, {"view": _POSTERIOR}],
    ],
)
def test_two_detectors_are_told_by_code_or_angle_never_by_orientation(
    tmp_path: Path, detectors: list[dict[str, Any]]
) -> None:
    df.write_planar(tmp_path / "nm", _frames(), detectors=detectors)
    entries = dry_run_json(scan([tmp_path]))["series"]
    assert [(e["kind"], e["frame"], e["n_files"]) for e in entries] == [(["anterior"], 1, 1), (["posterior"], 2, 1)]
    anterior, posterior = scan([tmp_path]).studies[0].series
    spots = []
    for series in (anterior, posterior):
        volume = pixels(series)
        assert volume.projection
        ((i, j, k),) = np.argwhere(volume.array)
        spots.append(volume.grid.lps([i, j, k]))
    assert spots[0][0] == pytest.approx(-5.5 * 2.4)  # image left: the patient's right from the front
    assert spots[1][0] == pytest.approx(5.5 * 2.4)  # and the patient's left from behind
    assert spots[0][2] == spots[1][2] == pytest.approx((30 - 4 - 0.5) * 2.4)


def test_a_mirrored_posterior_view_is_marked_and_its_sides_are_right(tmp_path: Path) -> None:
    df.write_planar(tmp_path / "nm", _frames(1), detectors=[{"view": _POSTERIOR}], PatientOrientation=["L", "F"])
    (series,) = scan([tmp_path]).studies[0].series
    assert series.mirrored
    assert "mirrored" in series.note
    assert series.grid.lps([0, 4, 0])[0] < 0


def test_rows_that_run_to_the_head(tmp_path: Path) -> None:
    df.write_planar(tmp_path / "nm", _frames(1), detectors=[{"view": _ANTERIOR}], PatientOrientation=["L", "H"])
    (series,) = scan([tmp_path]).studies[0].series
    assert series.grid.lps([0, 4, 0])[2] == pytest.approx((4 + 0.5) * 2.4)
    assert not series.mirrored


def test_code_and_angle_that_disagree_are_refused_with_both(tmp_path: Path) -> None:
    df.write_planar(tmp_path / "nm", _frames(1), detectors=[{"view": _ANTERIOR, "StartAngle": "0"}])
    found = scan([tmp_path])
    assert found.studies == ()
    assert "the view code says anterior, the start angle of 0 degrees says posterior" in found.refused[0].why


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"PixelSpacing": None}, "needs its Pixel Spacing in mm"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "DYNAMIC", "EMISSION"]}, "NM of type DYNAMIC came"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "a colour picture"),
    ],
)
def test_what_is_no_planar_scan_is_refused(tmp_path: Path, tags: dict[str, Any], words: str) -> None:
    df.write_planar(tmp_path / "nm", _frames(1), **tags)
    assert words in scan([tmp_path]).refused[0].why


def _injected(at: str) -> list[Dataset]:
    drug = Dataset()
    drug.RadiopharmaceuticalStartTime = at
    return [drug]


@pytest.mark.parametrize(
    ("tags", "phase", "uptake"),
    [
        ({"AcquisitionTime": "121500", "RadiopharmaceuticalInformationSequence": _injected("090000")}, "late", 195.0),
        ({"AcquisitionTime": "090500", "RadiopharmaceuticalInformationSequence": _injected("090000")}, "early", 5.0),
        ({"SeriesDescription": "blood pool"}, "early", None),
        ({"SeriesDescription": "WB delayed"}, "late", None),
        ({}, None, None),
    ],
)
def test_phase_and_uptake_time(tmp_path: Path, tags: dict[str, Any], phase: str | None, uptake: float | None) -> None:
    df.write_planar(tmp_path / "nm", _frames(1), detectors=[{"view": _ANTERIOR}], **tags)
    (series,) = scan([tmp_path]).studies[0].series
    assert (series.phase, series.uptake_min) == (phase, uptake)
    assert series.name == " ".join(word for word in ("bone scan anterior", phase) if word)


def test_a_bone_scan_and_an_mri_of_one_day_are_one_visit(tmp_path: Path) -> None:
    df.write_planar(tmp_path / "nm", _frames(), detectors=[{"StartAngle": "180"}, {"StartAngle": "0"}])
    df.write_series(tmp_path / "mr", df.noise(df.grid()), SeriesDescription="STIR")
    (visit,) = scan([tmp_path]).studies
    assert sorted(s.name for s in visit.series) == ["STIR coronal", "bone scan anterior", "bone scan posterior"]


# ---- what cameras write, and what must be asked ----------------------------------------------------------------------


def _window(low: str, high: str) -> Dataset:
    limits, window = Dataset(), Dataset()
    limits.EnergyWindowLowerLimit, limits.EnergyWindowUpperLimit = low, high
    window.EnergyWindowRangeSequence = [limits]
    return window


@pytest.mark.parametrize("vectors", [{}, {"DetectorVector": None}], ids=["both vectors", "energy vector only"])
def test_each_energy_window_of_each_detector_is_an_entry(tmp_path: Path, vectors: dict[str, Any]) -> None:
    frames = np.stack([np.full((30, 12), n + 1, np.uint16) for n in range(4)])
    tags = {
        "EnergyWindowVector": [1, 1, 2, 2],
        "DetectorVector": [1, 2, 1, 2],
        "EnergyWindowInformationSequence": [_window("126", "154"), _window("92", "125")],
    } | vectors
    df.write_planar(tmp_path / "nm", frames, detectors=[{"StartAngle": "180"}, {"StartAngle": "0"}], **tags)
    entries = dry_run_json(scan([tmp_path]))["series"]
    assert [entry["kind"] for entry in entries] == [["anterior"], ["posterior"]] * 2
    assert [entry["frame"] for entry in entries] == [1, 2, 3, 4]
    words = ["energy window 1 of 2 (126 to 154 keV)"] * 2 + ["energy window 2 of 2 (92 to 125 keV)"] * 2
    assert [entry["note"].split("; ")[-1] for entry in entries] == words
    values = {series.name: int(pixels(series).array.max()) for series in scan([tmp_path]).studies[0].series}
    assert values == {
        "bone scan anterior": 1, "bone scan posterior": 2, "bone scan anterior 2": 3, "bone scan posterior 2": 4,
    }  # fmt: skip


def test_detectors_in_another_order_than_the_frames(tmp_path: Path) -> None:
    df.write_planar(
        tmp_path / "nm", _frames(), detectors=[{"view": _ANTERIOR}, {"view": _POSTERIOR}], DetectorVector=[2, 1]
    )
    entries = dry_run_json(scan([tmp_path]))["series"]
    assert [entry["kind"] for entry in entries] == [["posterior"], ["anterior"]]


def test_one_view_a_file(tmp_path: Path) -> None:
    for name, view in (("a", _ANTERIOR), ("p", _POSTERIOR)):
        df.write_planar(tmp_path / name, _frames(1), detectors=[{"view": view}], SOPInstanceUID=f"1.2.{ord(name)}")
    assert [s.name for s in scan([tmp_path]).studies[0].series] == ["bone scan anterior", "bone scan posterior"]


def test_secondary_capture_with_two_frames_and_nothing_else(tmp_path: Path) -> None:
    tags: dict[str, Any] = {"SOPClassUID": df.SECONDARY, "DetectorVector": None, "DetectorInformationSequence": None}
    df.write_planar(tmp_path / "nm", _frames(), **tags)
    for told in ("", "anterior"):  # one word cannot tell two views apart
        (visit,) = scan([tmp_path], view=told).studies
        assert [s.plane for s in visit.series] == ["", ""]
        assert "the file holds several: name both in the order of the file, anterior,posterior" in visit.series[0].note
    (visit,) = scan([tmp_path], view="posterior,anterior").studies
    assert [(s.plane, s.stations[0].files[0].frames) for s in visit.series] == [("anterior", (1,)), ("posterior", (0,))]
    assert "posterior as told by the user" in visit.series[1].note


@pytest.mark.parametrize(
    ("detector", "note"),
    [
        (
            {"view": ("399198007", "SCT", "Right lateral projection")},
            "the view code says neither anterior nor posterior",
        ),
        ({"StartAngle": "90"}, "the start angle of 90 degrees says neither"),
    ],
)
def test_a_view_from_the_side_is_neither(tmp_path: Path, detector: dict[str, Any], note: str) -> None:
    df.write_planar(tmp_path / "nm", _frames(1), detectors=[detector])
    (series,) = scan([tmp_path]).studies[0].series
    assert (series.plane, series.kind) == ("", ())
    assert note in series.note


def test_the_user_never_overrules_the_header(tmp_path: Path) -> None:
    df.write_planar(tmp_path / "nm", _frames(1), detectors=[{"view": _POSTERIOR}], SeriesDescription="blood pool")
    (series,) = scan([tmp_path], told=Told.of("anterior", None, 180)).studies[0].series
    assert (series.plane, series.phase, series.uptake_min) == ("posterior", "early", None)
    assert "told" not in series.note


@pytest.mark.parametrize(
    ("phase", "uptake", "expected"),
    [
        ("late", None, ("late", None)),
        (None, 180.0, ("late", 180.0)),
        (None, 5.0, ("early", 5.0)),
        ("early", 60.0, ("early", 60.0)),
    ],
)
def test_phase_and_uptake_as_told(
    tmp_path: Path, phase: Any, uptake: float | None, expected: tuple[str, float | None]
) -> None:
    df.write_planar(tmp_path / "nm", _frames(1), detectors=[{"view": _ANTERIOR}])
    (series,) = scan([tmp_path], told=Told.of("", phase, uptake)).studies[0].series
    assert (series.phase, series.uptake_min) == expected
    assert f"{expected[0]} phase as told by the user" in series.note


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("", "early", 180.0), "the early phase was named, 180 minutes after the injection is the late one"),
        (("", None, 0.0), "the time from injection to scan is 0 to 1440 minutes, got 0"),
        (("left", None, None), "a view is anterior, posterior, or both as anterior,posterior, got 'left'"),
    ],
)
def test_what_is_told_and_makes_no_sense(words: tuple[str, Any, float | None], said: str) -> None:
    with pytest.raises(LesionmapError, match=re.escape(said)):
        Told.of(*words)


@pytest.mark.parametrize(
    ("started", "scanned"), [("000000", "121500"), ("121500", "121500"), ("130000", "121500"), ("", "121500")]
)
def test_an_injection_time_that_nobody_filled_in_is_unknown(tmp_path: Path, started: str, scanned: str) -> None:
    tags = {"AcquisitionTime": scanned, "RadiopharmaceuticalInformationSequence": _injected(started)}
    df.write_planar(tmp_path / "nm", _frames(1), detectors=[{"view": _ANTERIOR}], **tags)
    (series,) = scan([tmp_path]).studies[0].series
    assert (series.phase, series.uptake_min) == (None, None)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"ImageType": ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]}, "NM of type TOMO came"),
        ({"ImageType": ["ORIGINAL", "PRIMARY"], "RotationInformationSequence": [Dataset()]}, "NM of type TOMO came"),
        ({"DetectorVector": [1, 1]}, "some of the same detector and window: a moving scan"),
        ({"PixelSpacing": None, "ImagerPixelSpacing": [2.4, 2.4]}, "needs its Pixel Spacing in mm"),
    ],
)
def test_moving_scans_and_scans_without_spacing_are_refused(tmp_path: Path, tags: dict[str, Any], words: str) -> None:
    df.write_planar(tmp_path / "nm", _frames(), **tags)
    found = scan([tmp_path])
    assert found.studies == ()
    assert words in found.refused[0].why


def test_a_whole_body_scan_that_has_a_position_is_planar_all_the_same(tmp_path: Path) -> None:
    df.write_planar(
        tmp_path / "nm", _frames(), detectors=[{"StartAngle": "180"}, {"StartAngle": "0"}],
        ImagePositionPatient=[0, 0, 0], ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
    )  # fmt: skip
    assert [s.name for s in scan([tmp_path]).studies[0].series] == ["bone scan anterior", "bone scan posterior"]


def _dcmcjpeg(path: Path) -> None:
    subprocess.run(["dcmcjpeg", "+e1", str(path), str(path)], check=True, capture_output=True)


def _rle(path: Path) -> None:
    image = pydicom.dcmread(path)
    image.compress(pydicom.uid.RLELossless, generate_instance_uid=False)
    image.save_as(path)


@pytest.mark.parametrize("compress", [_rle, _dcmcjpeg])
def test_both_views_of_a_compressed_file(tmp_path: Path, compress: Callable[[Path], None]) -> None:
    if compress is _dcmcjpeg and shutil.which("dcmcjpeg") is None:
        pytest.skip("needs dcmcjpeg of dcmtk")
    frames = np.random.default_rng(4).integers(0, 900, (2, 31, 13)).astype(np.uint16)
    path = df.write_planar(tmp_path / "nm", frames, detectors=[{"StartAngle": "180"}, {"StartAngle": "0"}])
    compress(path)
    assert pydicom.dcmread(path).file_meta.TransferSyntaxUID.is_compressed
    for number, series in enumerate(scan([tmp_path]).studies[0].series):
        assert np.array_equal(pixels(series).array[:, :, 0].T, frames[number])


def test_the_command_line_asks_for_the_view_and_takes_it(tmp_path: Path) -> None:
    tags: dict[str, Any] = {"DetectorVector": None, "DetectorInformationSequence": None}
    df.write_planar(tmp_path / "in" / "nm", _frames(), **tags)
    ran = lesionmap("import", tmp_path / "a", tmp_path / "in")
    assert ran.code == 0
    assert "the header does not tell anterior from posterior; say which view it is" in ran.err
    told = ("--view", "anterior,posterior", "--uptake", "180")
    ran = lesionmap("import", tmp_path / "b", tmp_path / "in", *told)
    first = ran.out.splitlines()[0]
    assert (first.split(": ")[1], ran.err) == ("bone scan anterior late, bone scan posterior late", "")
    ran = lesionmap("import", tmp_path / "c", tmp_path / "in", *told, "--deidentify", tmp_path / "out")
    assert "bone scan anterior late, bone scan posterior late" in ran.out
    ran = lesionmap("import", tmp_path / "d", tmp_path / "in", "--phase", "early", "--uptake", "180")
    assert (ran.code, "correct one of the two" in ran.line, (tmp_path / "d").exists()) == (1, True, False)
