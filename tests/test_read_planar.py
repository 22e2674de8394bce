"""Planar bone scans: which view, which side, which phase."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

import dicom_files as df
from lesionmap.read import dry_run_json, pixels, scan
from shared import shared_data

if TYPE_CHECKING:
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
