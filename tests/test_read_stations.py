"""Stations joined into one Series, and NIfTI volumes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nibabel as nib
import numpy as np
import pytest
import SimpleITK

import dicom_files as df
from lesionmap.read import dry_run_json, pixels, read_mask, scan, station_pixels
from lesionmap.space import Grid, Volume
from shared import shared_data

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def _body(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """A smooth scene in LPS mm that has no symmetry."""
    x, y, z = np.moveaxis(points, -1, 0)
    waves = np.sin(x / 17) + np.cos(z / 23 + x / 40) + np.sin(z / 11) * 0.3
    return np.asarray(600 + 200 * waves + 40 * np.cos(y / 15))


def _seen(where: Grid, gain: float = 1.0) -> Volume:
    index = np.moveaxis(np.indices(where.shape), 0, -1)
    return Volume((gain * _body(where.lps(index))).round().astype(np.uint16), where)


def _three(tmp_path: Path, step_mm: float, gains: tuple[float, float, float], **other: Any) -> None:
    for n, gain in enumerate(gains):
        where = df.grid((40, 60, 7), spacing=(3.0, 2.0, 6.0), origin=(-60, -20, 200 - n * step_mm))
        df.write_series(
            tmp_path,
            _seen(where, gain),
            seed=n,
            SeriesInstanceUID=f"1.9.{n}",
            FrameOfReferenceUID=f"1.8.{n}",
            SeriesDescription=f"STIR {n}",
            **other,
        )


@pytest.mark.parametrize("step_mm", [100.0, 97.3])
def test_a_joined_body_equals_the_scene_although_gains_differ(tmp_path: Path, step_mm: float) -> None:
    _three(tmp_path, step_mm, (0.7, 1.0, 1.6))
    (series,) = scan([tmp_path]).studies[0].series
    assert (series.name, len(series.stations)) == ("STIR coronal", 3)
    tops = [station.grid.lps([0, 0, 0])[2] for station in series.stations]
    assert tops == sorted(tops, reverse=True)
    volume = pixels(series)
    assert volume.array.dtype == np.uint16
    index = np.moveaxis(np.indices(volume.grid.shape), 0, -1)
    truth = _body(volume.grid.lps(index))
    inside = volume.array > 0
    assert inside.mean() > 0.99
    assert np.abs(volume.array - truth)[inside].max() < 0.02 * truth.max()


def test_stations_on_one_lattice_keep_their_values(tmp_path: Path) -> None:
    _three(tmp_path, 100.0, (1, 1, 1))
    (series,) = scan([tmp_path]).studies[0].series
    first = station_pixels(series.stations[0])
    index = np.argwhere(np.ones(first.grid.shape, dtype=bool))[::7]
    there = np.rint(series.grid.voxels(first.grid.lps(index))).astype(int)
    joined = pixels(series).array[tuple(there.T)].astype(int)
    assert np.abs(joined - first.array[tuple(index.T)]).max() <= 1


def test_a_lesion_over_the_seam_keeps_its_volume(tmp_path: Path) -> None:
    for n in range(2):
        where = df.grid((40, 60, 7), spacing=(2.0, 2.0, 6.0), origin=(-40, -20, 100 - n * 100))
        index = np.moveaxis(np.indices(where.shape), 0, -1)
        offset = where.lps(index) - np.array([3.0, -2.0, -10.0])
        hot = (np.linalg.norm(offset / np.array([15, 14, 24]), axis=-1) < 1) * 800 + 200
        df.write_series(tmp_path, Volume(hot.astype(np.uint16), where), seed=n, SeriesInstanceUID=f"1.9.{n}")
    (series,) = scan([tmp_path]).studies[0].series
    volume = pixels(series)
    ml = float((volume.array > 600).sum()) * volume.grid.voxel_volume_ml
    assert ml == pytest.approx(4 / 3 * np.pi * 15 * 14 * 24 / 1000, rel=0.05)


def test_the_joined_volume_equals_simpleitk_where_one_station_lies(tmp_path: Path) -> None:
    _three(tmp_path, 97.3, (1, 1, 1))
    (series,) = scan([tmp_path]).studies[0].series
    volume, last = pixels(series), station_pixels(series.stations[2])
    image = SimpleITK.GetImageFromArray(last.array.transpose(2, 1, 0))
    image.SetSpacing(last.grid.spacing_mm)
    image.SetOrigin(last.grid.lps([0, 0, 0]).tolist())
    image.SetDirection((last.grid.lps_from_voxel[:3, :3] / last.grid.spacing_mm).ravel().tolist())
    for index in ([5, 150, 3], [30, 152, 1], [17, 145, 6]):
        where = volume.grid.lps(index)
        theirs = image.EvaluateAtPhysicalPoint(where.tolist(), SimpleITK.sitkLinear)
        assert volume.array[tuple(index)] == pytest.approx(theirs, abs=3)


def test_stations_of_other_voxels_are_joined_on_the_finest_and_told(tmp_path: Path) -> None:
    coarse = df.grid((20, 30, 7), spacing=(6.0, 4.0, 6.0), origin=(-60, -20, 200))
    fine = df.grid((60, 80, 7), spacing=(2.0, 1.5, 6.0), origin=(-60, -20, 100))
    df.write_series(tmp_path / "a", _seen(coarse), SeriesInstanceUID="1.9.1", SeriesDescription="STIR")
    df.write_series(tmp_path / "b", _seen(fine), SeriesInstanceUID="1.9.2", SeriesDescription="STIR legs")
    (series,) = scan([tmp_path]).studies[0].series
    assert series.grid.spacing_mm == pytest.approx((2.0, 1.5, 6.0))
    assert "different voxels" in series.note
    volume = pixels(series)
    truth = _body(volume.grid.lps(np.moveaxis(np.indices(volume.grid.shape), 0, -1)))
    inside = volume.array > 0
    assert inside.mean() > 0.95
    assert np.abs(volume.array - truth)[inside].max() < 0.03 * truth.max()


@pytest.mark.parametrize(
    ("tags", "origin", "spacing"),
    [
        ({}, (-60, -20, 200), (3.0, 2.0, 6.0)),  # the same place again
        ({}, (-60, -20, 170), (3.0, 2.0, 6.0)),  # nearly the same place
        ({}, (-60, -20, 0), (3.0, 2.0, 6.0)),  # 80 mm of nothing between
        ({}, (60, -20, 100), (3.0, 2.0, 6.0)),  # beside, not below
        ({"EchoTime": "90"}, (-60, -20, 100), (3.0, 2.0, 6.0)),
        ({"SeriesDescription": "T1"}, (-60, -20, 100), (3.0, 2.0, 6.0)),
        ({"StudyInstanceUID": "1.7"}, (-60, -20, 100), (3.0, 2.0, 6.0)),
    ],
)
def test_what_is_no_neighbour_stays_a_series_of_its_own(
    tmp_path: Path, tags: dict[str, Any], origin: tuple[float, float, float], spacing: tuple[float, float, float]
) -> None:
    first = df.grid((40, 60, 7), spacing=(3.0, 2.0, 6.0), origin=(-60, -20, 200))
    other = df.grid((40, 60, 7), spacing=spacing, origin=origin)
    df.write_series(tmp_path / "a", _seen(first), SeriesInstanceUID="1.9.1", SeriesDescription="STIR")
    df.write_series(tmp_path / "b", _seen(other), **{"SeriesInstanceUID": "1.9.2", "SeriesDescription": "STIR", **tags})
    series = scan([tmp_path]).studies[0].series
    assert [len(one.stations) for one in series] == [1, 1]
    assert len({one.name for one in series}) == 2


def test_a_dedicated_scan_does_not_break_into_the_whole_body(tmp_path: Path) -> None:
    _three(tmp_path / "wb", 100.0, (1, 1, 1))
    pelvis = df.grid((40, 60, 7), spacing=(3.0, 2.0, 6.0), origin=(-60, -20, 135))
    df.write_series(tmp_path / "p", _seen(pelvis), SeriesInstanceUID="1.9.7", SeriesDescription="STIR pelvis")
    series = scan([tmp_path]).studies[0].series
    assert sorted((one.name, len(one.stations)) for one in series) == [("STIR coronal", 3), ("STIR coronal 2", 1)]


def test_the_two_philips_stations_fit_in_their_overlap() -> None:
    folder = shared_data("dcm_qa_table_philips")
    (visit,) = scan([folder / "In"]).studies
    series = next(one for one in visit.series if "phase" not in one.kind)
    head, foot = (station_pixels(station) for station in series.stations)
    joined = pixels(series)
    assert joined.grid.shape == (96, 96, 45)
    assert np.corrcoef(head.array[:, :, :15].ravel(), foot.array[:, :, 15:].ravel())[0, 1] > 0.999
    assert np.array_equal(joined.array[:, :, 30:], head.array[:, :, 15:]) or joined.array[:, :, 30:].max() > 0


# NIfTI


def test_nifti_files_of_a_study_lie_where_their_facts_say() -> None:
    folder = shared_data("open_ms_data_patient01")
    facts = json.loads((folder / "facts.json").read_text())
    names = ("study1_FLAIR", "study2_T1W", "study1_T2W")
    for name in names:
        fact = facts[f"{name}.nii.gz"]
        (entry,) = dry_run_json(scan([folder / f"{name}.nii.gz"]))["series"]
        assert entry["shape"] == fact["shape"]
        for key in ("spacing_mm", "first_voxel_lps_mm", "last_voxel_lps_mm"):
            assert np.allclose(entry[key], fact[key], atol=0.01)
    found = scan([folder / f"{name}.nii.gz" for name in names])
    assert sorted(s.name for s in found.studies[0].series) == ["FLAIR axial", "T1 axial", "T2 axial"]


def test_a_label_map_keeps_its_axes_and_centroids() -> None:
    folder = shared_data("totalsegmentator")
    fact = json.loads((folder / "facts.json").read_text())["example_seg_fast_force_split.nii.gz"]
    labels = read_mask(folder / "example_seg_fast_force_split.nii.gz")
    assert labels.array.dtype.kind in "iu"
    assert labels.grid.letters == ("R", "A", "H")
    for number in ("2", "3"):
        voxels = np.argwhere(labels.array == int(number))
        assert len(voxels) == fact["labels"][number]["voxels"]
        centre = labels.grid.lps(voxels).mean(axis=0)
        assert np.allclose(centre, fact["labels"][number]["centroid_lps_mm"], atol=0.01)


_AFFINE = np.array([[-1.5, 0.0, 0, 40], [0.0, 2, 0, -30], [0, 0, 4.0, 10], [0, 0, 0, 1]])


def test_a_4d_nifti_is_one_entry_a_volume(tmp_path: Path) -> None:
    array = np.random.default_rng(0).integers(0, 99, (5, 7, 11, 3)).astype(np.int16)
    nib.save(nib.Nifti1Image(array, _AFFINE), tmp_path / "dwi.nii.gz")
    found = scan([tmp_path])
    assert [e["shape"] for e in found.series] == [[5, 7, 11]] * 3
    for n, stack in enumerate(found.stacks):
        assert np.array_equal(station_pixels(stack.station).array, array[..., n])


def test_sform_before_qform_and_their_difference_is_told(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.ones((5, 7, 11), np.int16), _AFFINE)
    moved = _AFFINE.copy()
    moved[0, 3] += 12
    image.set_qform(moved, 1)
    image.set_sform(_AFFINE, 1)
    nib.save(image, tmp_path / "both.nii")
    (entry,) = scan([tmp_path]).series
    assert entry["first_voxel_lps_mm"] == [-40, 30, 10]
    assert "sform and qform differ by up to 12.0 mm" in entry["note"]
    image.set_sform(None, 0)
    nib.save(image, tmp_path / "both.nii")
    (entry,) = scan([tmp_path]).series
    assert entry["first_voxel_lps_mm"] == [-52, 30, 10]


def test_metres_become_millimetres_and_slopes_are_applied(tmp_path: Path) -> None:
    image = nib.Nifti1Image(np.arange(385, dtype=np.int16).reshape(5, 7, 11), np.diag([0.002, 0.003, 0.004, 1]))
    image.header.set_xyzt_units("meter")
    image.header.set_slope_inter(2.5, 1)
    nib.save(image, tmp_path / "m.nii")
    found = scan([tmp_path])
    assert found.series[0]["spacing_mm"] == [2, 3, 4]
    assert "metres, changed to mm" in found.series[0]["note"]
    stored = nib.load(tmp_path / "m.nii").get_fdata()
    assert np.allclose(station_pixels(found.stacks[0].station).array, stored)


def test_a_bids_sidecar_tells_the_sequence(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(np.ones((5, 7, 11), np.int16), _AFFINE), tmp_path / "x.nii.gz")
    facts = {"Modality": "MR", "EchoTime": 0.011, "SeriesDescription": "t1_tse", "AcquisitionDateTime": "2012-03-04T1"}
    (tmp_path / "x.json").write_text(json.dumps(facts))
    (visit,) = scan([tmp_path]).studies
    assert (visit.visit.key, visit.series[0].name, visit.series[0].modality) == ("2012-03-04", "T1 axial", "MR")
    assert scan([tmp_path]).series[0]["echo_time_ms"] == pytest.approx(11)


def test_a_segmentation_is_read_at_its_millimetres(tmp_path: Path) -> None:
    import highdicom as hd
    from pydicom import dcmread
    from pydicom.sr.codedict import codes

    where = df.grid((16, 24, 5), directions=df.turned(80, 10, 0))
    paths = df.write_series(
        tmp_path / "mr",
        df.noise(where),
        StudyTime="",
        AccessionNumber="",
        StudyID="",
        SeriesNumber="1",
        ReferringPhysicianName="",
        PatientPosition="HFS",
        PositionReferenceIndicator="",
    )
    mask = np.zeros((5, 24, 16), np.uint8)
    mask[1:3, 4:9, 2:11] = 1
    mask[4, 20, 3] = 2
    what = (codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Lesion, hd.seg.SegmentAlgorithmTypeValues.MANUAL)
    segments = [hd.seg.SegmentDescription(n, f"L{n}", *what) for n in (1, 2)]
    seg = hd.seg.Segmentation(
        [dcmread(p) for p in paths], mask, "BINARY", segments, hd.UID(), 2, hd.UID(), 1, "m", "m", "1", "1"
    )
    seg.save_as(tmp_path / "seg.dcm")
    volume = read_mask(tmp_path / "seg.dcm")
    for number in (1, 2):
        truth = where.lps(np.argwhere(mask.transpose(2, 1, 0) == number))
        found = volume.grid.lps(np.argwhere(volume.array == number))
        order_a, order_b = np.lexsort(truth.round(3).T), np.lexsort(found.round(3).T)
        assert np.allclose(truth[order_a], found[order_b], atol=0.01)
