"""The BIDS sidecar beside a NIfTI: what it tells, and what a broken one costs."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cli_case import SHAPE, lesionmap, nifti
from lesionmap.read import dry_run_json, scan

if TYPE_CHECKING:
    from pathlib import Path


def entry(folder: Path, sidecar: str | bytes | dict[str, Any], name: str = "x.nii.gz") -> dict[str, Any]:
    """Read one NIfTI with this sidecar."""
    path = nifti(folder / name, np.ones(SHAPE, dtype=np.int16))
    text = json.dumps(sidecar) if isinstance(sidecar, dict) else sidecar
    (folder / "x.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    (found,) = dry_run_json(scan([path]))["series"]
    return dict(found)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"EchoTime": 0.06, "InversionTime": 0.16, "ScanningSequence": "SE_IR"}, ("STIR", 60.0, 160.0, [])),
        ({"EchoTime": 0.06, "InversionTime": 0.16, "ScanningSequence": ["SE", "IR"]}, ("STIR", 60.0, 160.0, [])),
        ({"SeriesDescription": "t2_tirm"}, ("STIR", None, None, [])),
        (
            {"ProtocolName": "T1 TSE", "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"]},
            ("T1", None, None, ["magnitude"]),
        ),
        ({"ImageType": "DERIVED\\PRIMARY\\ADC", "EchoTime": 0.07}, ("ADC", 70.0, None, ["adc"])),
        ({"ImageType": ["DERIVED", "PRIMARY", "DIXON", "W"]}, ("", None, None, ["water"])),
        ({"EchoTime": "0.06", "InversionTime": True, "ImageType": 7, "SeriesDescription": 3}, ("", None, None, [])),
        ({"EchoTime": -1, "RepetitionTime": 1e400}, ("", None, None, [])),
    ],
)
def test_what_it_tells(tmp_path: Path, facts: dict[str, Any], expected: tuple[Any, ...]) -> None:
    found = entry(tmp_path, facts | {"Modality": "MR", "AcquisitionDateTime": "2010-05-04T10:11:12"})
    assert (found["sequence"], found["echo_time_ms"], found["inversion_time_ms"], found["kind"]) == expected
    assert (found["modality"], found["visit_date"], found["note"]) == ("MR", "2010-05-04", "")


@pytest.mark.parametrize("broken", ["{", "[1, 2]", "null", b"\xff\xfe{\x00", "", "[" * 100_000])
def test_a_broken_one_is_a_note_and_no_failure(tmp_path: Path, broken: str | bytes) -> None:
    found = entry(tmp_path, broken)
    assert found["note"] == "the sidecar (.json) beside it cannot be read: sequence and times are not known from it"
    assert (found["sequence"], found["modality"], found["shape"]) == ("", "", list(SHAPE))


def test_a_sidecar_in_an_archive(tmp_path: Path) -> None:
    entry(tmp_path, {"Modality": "MR", "SeriesDescription": "STIR"})
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in ("x.nii.gz", "x.json"):
            archive.write(tmp_path / name, f"deep/{name}")
    (found,) = dry_run_json(scan([tmp_path / "a.zip"]))["series"]
    assert (found["sequence"], found["modality"]) == ("STIR", "MR")


def test_a_broken_one_on_the_way_in(tmp_path: Path) -> None:
    entry(tmp_path, "{")
    options = ("--patient", "anna", "--visit", "2010-05-04", "--deidentify", tmp_path / "out")
    ran = lesionmap("import", tmp_path / "a", tmp_path / "x.nii.gz", *options)
    assert ran.code == 0, ran.err
    assert [path.name for path in (tmp_path / "out/anna/2010-05-04").iterdir()] == ["image-01.nii.gz"]
