"""Reading DICOM: known truths, other programs' answers, and one law."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

import dicom_files as df
from lesionmap.read import dry_run_json, pixels, scan, station_pixels
from lesionmap.space import Grid, Volume
from shared import shared_data

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

_MM = 0.01


def _ends(entry: dict[str, Any]) -> tuple[list[float], list[float]]:
    return entry["first_voxel_lps_mm"], entry["last_voxel_lps_mm"]


def _close(a: object, b: object) -> bool:
    return bool(np.allclose(np.array(a, dtype=float), np.array(b, dtype=float), atol=_MM, rtol=0))


def test_a_philips_series_of_two_echoes_and_phase_is_eight_volumes_and_joins_to_four() -> None:
    folder = shared_data("dcm_qa_table_philips")
    facts = json.loads((folder / "facts.json").read_text())["volumes"]
    entries = df.read_entries(folder / "In")
    assert len(entries) == len(facts) == 8
    for fact in facts:
        same = [
            e
            for e in entries
            if fact["folder"] in e["path"] and e["echo_time_ms"] == fact["echo_time_ms"] and fact["part"] in e["kind"]
        ]
        assert len(same) == 1
        assert same[0]["shape"] == fact["shape"]
        assert same[0]["n_files"] == fact["n_files"]
        assert _close(same[0]["spacing_mm"], fact["spacing_mm"])
        assert any(_close(_ends(same[0]), pair) for pair in fact["ends_lps_mm"])
    (visit,) = scan([folder / "In"]).studies
    assert [len(series.stations) for series in visit.series] == [2, 2, 2, 2]
    assert all("2 frames of reference" in series.note for series in visit.series)


@pytest.mark.parametrize("name", ["1301_Dual-echo_iso_e1", "1301_Dual-echo_iso_e2_ph"])
def test_values_and_places_equal_dcm2niix(name: str) -> None:
    folder = shared_data("dcm_qa_table_philips")
    reference = nib.load(next((folder / "Ref").glob(f"*{name}.nii")))
    lps = np.diag([-1.0, -1, 1, 1]) @ reference.affine
    echo, part = (7.001 if "_e1" in name else 10.0), ("phase" if name.endswith("_ph") else "magnitude")
    found = scan([folder / "In" / "1301_Dual-echo_iso"])
    (stack,) = [s for s in found.stacks if s.echo_ms == echo and part in s.kind]
    volume = station_pixels(stack.station)
    theirs = Volume(np.asarray(reference.dataobj), Grid(reference.shape, lps))
    index = np.random.default_rng(0).integers(0, volume.grid.shape, (500, 3))
    there = theirs.grid.voxels(volume.grid.lps(index))
    assert np.abs(there - np.rint(there)).max() * 4 < _MM
    mine = volume.array[tuple(index.T)]
    its = theirs.array[tuple(np.rint(there).astype(int).T)]
    assert np.corrcoef(mine, its)[0, 1] > 0.99999  # Philips: display scaling here, float scaling there


def test_enhanced_files_give_each_part_and_time_point() -> None:
    folder = shared_data("dcm_qa_enh")
    philips = df.read_entries(folder / "In" / "Philips")
    assert [(e["kind"], e["shape"], e["n_files"]) for e in philips] == [
        (["magnitude"], [64, 64, 32], 1),
        (["field_map"], [64, 64, 32], 1),
    ]
    siemens = df.read_entries(folder / "In" / "Siemens")
    assert [(e["kind"], e["shape"], e["n_files"]) for e in siemens] == [(["magnitude"], [64, 64, 6], 1)] * 4
    facts = json.loads((folder / "facts.json").read_text())
    for entry, name in ((philips[0], "Philips_WIP_B0_NS_801_e1"), (siemens[0], "Siemens_REST1_w_SMS_PF7-8_6")):
        fact = facts[f"Ref/{name}.nii"]
        for axis in range(3):  # the reference turns the array; the box of corners is the same
            mine = sorted(end[axis] for end in _ends(entry))
            theirs = sorted((fact["first_voxel_lps_mm"][axis], fact["last_voxel_lps_mm"][axis]))
            assert np.allclose(mine, theirs, atol=_MM)


def test_the_field_map_of_an_enhanced_file_is_in_hertz() -> None:
    folder = shared_data("dcm_qa_enh")
    reference = nib.load(folder / "Ref" / "Philips_WIP_B0_NS_801_e2_fieldmaphz.nii")
    (stack,) = [s for s in scan([folder / "In" / "Philips"]).stacks if s.kind == ("field_map",)]
    volume = station_pixels(stack.station)
    theirs = np.asarray(reference.dataobj)[::-1, ::-1, :]  # this one was turned both ways
    assert np.abs(volume.array - theirs).max() < 0.01


def test_time_points_of_siemens_xa_keep_their_order() -> None:
    folder = shared_data("dcm_qa_enh")
    theirs = np.asarray(nib.load(folder / "Ref" / "Siemens_REST1_w_SMS_PF7-8_6.nii").dataobj)
    stacks = scan([folder / "In" / "Siemens"]).stacks
    for time, stack in enumerate(stacks):
        assert np.array_equal(station_pixels(stack.station).array, theirs[:, ::-1, :, time])


def test_decubitus_is_in_patient_coordinates() -> None:
    folder = shared_data("dcm_qa_decubitus_hfdl")
    (fact,) = json.loads((folder / "facts.json").read_text())["volumes"]
    (entry,) = df.read_entries(folder / "In")
    assert any(_close(_ends(entry), pair) for pair in fact["ends_lps_mm"])
    assert (entry["plane"], entry["sequence"], entry["n_files"]) == ("sagittal", "T1", 35)


def test_a_compressed_ct_equals_simpleitk() -> None:
    folder = shared_data("totalsegmentator") / "example_ct_dicom"
    (visit,) = scan([folder]).studies
    volume = pixels(visit.series[0])
    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    image = SimpleITK.ReadImage(names)
    assert np.array_equal(volume.array, SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0))
    assert _close(volume.grid.lps([0, 0, 0]), image.GetOrigin())
    assert volume.array.dtype == np.int16


def _by_simpleitk(paths: list[Path]) -> Volume:
    image = SimpleITK.ReadImage([str(p) for p in paths])
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    matrix[:3, 3] = image.GetOrigin()
    array = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
    return Volume(array, Grid(array.shape, matrix))


@settings(max_examples=12)
@given(
    angles=st.tuples(*[st.floats(-170, 170)] * 3),
    spacing=st.tuples(st.floats(0.5, 1.5), st.floats(1.6, 2.4), st.floats(2.5, 6)),
    left_handed=st.booleans(),
    seed=st.integers(0, 99),
)
def test_law_an_oblique_volume_is_read_at_the_same_millimetres_as_by_simpleitk_and_nibabel(
    tmp_path_factory: pytest.TempPathFactory,
    angles: tuple[float, float, float],
    spacing: tuple[float, float, float],
    left_handed: bool,
    seed: int,
) -> None:
    directions = df.turned(*angles)
    if left_handed:
        directions = directions * np.array([1.0, 1.0, -1.0])
    original = df.noise(df.grid(spacing=spacing, directions=directions), seed)
    folder = tmp_path_factory.mktemp("law")
    paths = df.write_series(folder / "series", original, seed=seed)
    (visit,) = scan([folder]).studies
    volume = pixels(visit.series[0])
    df.same_world(original, volume)
    df.same_world(_by_simpleitk(paths), volume)
    ras = np.diag([-1.0, -1, 1, 1]) @ original.grid.lps_from_voxel
    nib.save(nib.Nifti1Image(original.array, ras), folder / "same.nii")
    (nifti,) = scan([folder / "same.nii"]).studies
    df.same_world(pixels(nifti.series[0]), volume)
    assert (np.linalg.det(nifti.series[0].grid.lps_from_voxel) < 0) == left_handed


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_compressed_slices_give_the_same_values(tmp_path: Path, syntax: str) -> None:
    original = df.noise(df.grid((32, 40, 6)))
    df.write_series(tmp_path, original, change=lambda ds: ds.compress(syntax))
    (visit,) = scan([tmp_path]).studies
    df.same_world(original, pixels(visit.series[0]))


def _big_endian(ds: FileDataset) -> None:
    from pydicom.uid import ExplicitVRBigEndian

    ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
    ds["PixelData"].VR = "OW"
    ds.set_original_encoding(is_implicit_vr=False, is_little_endian=False, character_encoding="iso8859")
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian


def _implicit(ds: FileDataset) -> None:
    from pydicom.uid import ImplicitVRLittleEndian

    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian


def _deflated(ds: FileDataset) -> None:
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    ds["PixelData"].VR = "OW"
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian


@pytest.mark.parametrize("change", [_big_endian, _implicit, _deflated])
def test_every_raw_transfer_syntax_is_read(tmp_path: Path, change: Any) -> None:
    original = df.noise(df.grid())
    df.write_series(tmp_path, original, change=change)
    (visit,) = scan([tmp_path]).studies
    df.same_world(original, pixels(visit.series[0]))


def test_slope_and_intercept_are_applied_and_whole_numbers_stay_whole(tmp_path: Path) -> None:
    original = df.noise(df.grid())
    df.write_series(tmp_path / "ct", original, RescaleSlope="1", RescaleIntercept="-1024", SeriesInstanceUID="1.1")
    df.write_series(
        tmp_path / "each",
        original,
        per_slice=lambda k: {"RescaleSlope": str(k + 0.5)},
        SeriesInstanceUID="1.2",
        EchoTime=7,
    )
    first, second = sorted(scan([tmp_path]).stacks, key=lambda s: s.station.series_uid)
    shifted = station_pixels(first.station)
    assert shifted.array.dtype == np.int16
    df.same_world(Volume(original.array.astype(np.int16) - 1024, original.grid), shifted)
    scaled = station_pixels(second.station).array
    slopes = {k + 0.5 for k in range(11)}
    found = {round(float(np.median(scaled[:, :, k] / original.array[:, :, k])), 3) for k in range(11)}
    assert found in (slopes, {round(s, 3) for s in slopes})


@pytest.mark.parametrize(("slope", "intercept"), [("0", "0"), ("nan", "0"), ("1", "inf"), ("1e38", "0")])
def test_a_slope_that_makes_nothing_of_the_values_is_refused(tmp_path: Path, slope: str, intercept: str) -> None:
    (path,) = df.write_series(tmp_path, df.noise(df.grid((5, 7, 1))), RescaleSlope="7777", RescaleIntercept="8888")
    whole = path.read_bytes().replace(b"7777", slope.ljust(4).encode()).replace(b"8888", intercept.ljust(4).encode())
    path.write_bytes(whole)
    assert "a slope and an intercept of the grey values were expected" in scan([tmp_path]).refused[0].why


def test_sides_of_a_coronal_image(tmp_path: Path) -> None:
    original = df.noise(df.grid((9, 5, 3)))
    original.array[...] = 0
    original.array[8, 0, 0] = 77  # last column, first row: the patient's left, towards the head
    df.write_series(tmp_path, original)
    (visit,) = scan([tmp_path]).studies
    volume = pixels(visit.series[0])
    ((i, j, k),) = np.argwhere(volume.array)
    x, _, z = volume.grid.lps([i, j, k])
    assert x == pytest.approx(-31 + 8 * 1.5)
    assert z == pytest.approx(-140)
    assert volume.grid.letters == ("L", "F", "P")
    assert visit.series[0].name == "MR coronal"


def test_facts_of_the_visit_come_from_the_header_and_no_name_leaves_it(tmp_path: Path) -> None:
    df.write_series(tmp_path, df.noise(df.grid()), SeriesDescription="STIR_COR Secret^Name", InversionTime="160")
    found = scan([tmp_path])
    (visit,) = found.studies
    assert visit.visit.key == "2010-05-04"
    assert visit.visit.age_y == pytest.approx(8.08, abs=0.01)
    assert visit.sex == "M"
    assert visit.visit.stature_cm == pytest.approx(134)
    assert visit.series[0].name == "STIR coronal"
    assert visit.patient_key.endswith("SECRET-17")
    shown = json.dumps(dry_run_json(found)) + repr(found)
    assert "ecret" not in shown
    assert "SECRET" not in shown


@pytest.mark.parametrize(
    ("tags", "sequence"),
    [
        ({"SeriesDescription": "Cor TIRM wb"}, "STIR"),
        ({"ScanningSequence": ["SE", "IR"], "InversionTime": "150"}, "STIR"),
        ({"ScanningSequence": ["SE", "IR"], "InversionTime": "2200"}, "FLAIR"),
        ({"ScanningSequence": "SE", "RepetitionTime": "500", "EchoTime": "12"}, "T1"),
        ({"ScanningSequence": "SE", "RepetitionTime": "4000", "EchoTime": "90"}, "T2"),
        ({"ScanningSequence": "SE", "RepetitionTime": "3000", "EchoTime": "25"}, "PD"),
        ({"SeriesDescription": "t1_tse_cor"}, "T1"),
        ({"SeriesDescription": "WIP T2W sag"}, "T2"),
        ({"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]}, "ADC"),
        ({"DiffusionBValue": 800.0}, "DWI"),
        ({"SeriesDescription": "survey"}, ""),
    ],
)
def test_the_sequence_is_named_from_the_header(tmp_path: Path, tags: dict[str, Any], sequence: str) -> None:
    df.write_series(tmp_path, df.noise(df.grid((4, 3, 2))), **tags)
    (entry,) = df.read_entries(tmp_path)
    assert entry["sequence"] == sequence


def test_places_equal_dcm2niix_on_an_oblique_series(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("dcm2niix")
    if not program.exists():
        pytest.skip("dcm2niix is not installed")
    original = df.noise(df.grid((16, 24, 11), directions=df.turned(80, 12, -9)))
    df.write_series(tmp_path / "in", original, Manufacturer="SIEMENS", EchoTime="11", RepetitionTime="500")
    subprocess.run([program, "-z", "n", "-f", "out", "-o", tmp_path, tmp_path / "in"], check=True, capture_output=True)
    image = nib.load(next(tmp_path.glob("out*.nii")))
    (visit,) = scan([tmp_path / "in"]).studies
    theirs = Volume(
        np.asarray(image.dataobj).astype(np.uint16), Grid(image.shape, np.diag([-1.0, -1, 1, 1]) @ image.affine)
    )
    df.same_world(theirs, pixels(visit.series[0]))
