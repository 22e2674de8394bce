"""DICOM Segmentations on stations, enhanced files and planar views: the right object, the right frame."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

import dicom_files as df
import seg_case as sc
from lesionmap import mark
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent
from lesionmap.read import read_seg, scan
from lesionmap.space import Grid
from lesionmap.write import segmentations, write_segs
from shared import shared_data

if TYPE_CHECKING:
    from pathlib import Path


# Stations and stacks


def test_stations_inside_one_series_have_an_object_each_and_slices_with_a_gap_share_one(tmp_path: Path) -> None:
    grid = df.grid((7, 10, 4), directions=sc.TILTED)
    series = sc.row(tmp_path, grid, [0, 8], one_series=True)
    mask = sc.boxed(series.grid, (1, 5, 1), (4, 12, 3))
    files = segmentations(sc.PATIENT, sc.visit_of(series), sc.map_of(sc.lesion(1, Extent(series.name, mask))))
    assert [file.series_uid for file in files] == ["1.2.3.4.1"] * 2
    assert [file.name for file in files] == [f"P001_2010-05-04_STIR-coronal_{n}_seg.dcm" for n in (1, 2)]

    matrix = grid.lps_from_voxel.copy()
    matrix[:3, 3] = grid.lps([0, 0, 6])  # two slices after the end of the first: one stack, a gap between
    later = [sc.station(tmp_path / f"z{n}", one, seed=n) for n, one in enumerate([grid, Grid(grid.shape, matrix)])]
    series = sc.series_of(later)
    mask = sc.boxed(series.grid, (1, 2, 2), (3, 6, 8))
    visit, lesion_map = sc.visit_of(series), sc.map_of(sc.lesion(1, Extent(series.name, mask)))
    (file,) = segmentations(sc.PATIENT, visit, lesion_map)
    assert file.name == "P001_2010-05-04_STIR-coronal_seg.dcm"
    assert file.not_imaged == {"L1": 16}
    (path,) = write_segs([file], tmp_path)
    (found,) = sc.back(visit, [path]).lesions[0].extents
    assert found.mask is not None
    assert found.mask.n_voxels == mask.n_voxels - 16
    between = sc.boxed(series.grid, (1, 2, 4), (3, 6, 6))
    with pytest.raises(LesionmapError, match="lesion L2 lies between the stations of series 'STIR coronal'"):
        segmentations(sc.PATIENT, visit, sc.map_of(sc.lesion(2, Extent(series.name, between))))


def test_a_station_of_coarser_voxels_gets_the_nearest_and_the_fine_ones_stay(tmp_path: Path) -> None:
    fine = df.grid((12, 20, 6), spacing=(1.5, 1.5, 4.0))
    matrix = df.grid((12, 20, 6), spacing=(3.0, 3.0, 4.0)).lps_from_voxel.copy()
    matrix[:3, 3] = fine.lps([0.5, 18.5, 0])
    coarse = Grid((6, 10, 6), matrix)
    stations = [
        sc.station(tmp_path / f"{n}", one, SeriesInstanceUID=f"1.2.3.{n}") for n, one in enumerate([fine, coarse])
    ]
    series = sc.series_of(stations)
    assert series.grid.spacing_mm == pytest.approx((1.5, 1.5, 4.0))
    mask = sc.boxed(series.grid, (2, 12, 1), (8, 30, 4))
    visit, lesion_map = sc.visit_of(series), sc.map_of(sc.lesion(1, Extent(series.name, mask)))
    files = segmentations(sc.PATIENT, visit, lesion_map)
    assert [(file.dataset.Rows, file.dataset.Columns) for file in files] == [(20, 12), (10, 6)]
    (extent,) = sc.back(visit, write_segs(files, tmp_path)).lesions[0].extents
    assert extent.mask is not None
    fine_part = mask.lps_mm()[fine.contains(mask.lps_mm())]
    theirs = extent.mask.lps_mm()
    assert {tuple(x) for x in fine_part.round(2)} <= {tuple(x) for x in theirs.round(2)}
    assert extent.mask.n_voxels == pytest.approx(mask.n_voxels, rel=0.15)


# Sources of other kinds


def test_an_enhanced_file_is_referred_to_by_its_frames(tmp_path: Path) -> None:
    found = scan([shared_data("dcm_qa_enh") / "In"]).studies
    enhanced = [(x.visit, s) for x in found for s in x.series if s.stations[0].files[0].frames and s.grid.shape[2] > 3]
    assert len(enhanced) > 3
    for n, (scanned, series) in enumerate(enhanced[-3:]):
        mask = sc.boxed(series.grid, (3, 5, 0), (9, 14, 3))
        visit = replace(scanned, patient="P001")
        marked = sc.map_of(sc.lesion(1, Extent(series.name, mask, None, series.phase)))
        lesion_map = replace(marked, visit=visit.key)
        (path,) = sc.written(tmp_path / str(n), visit, lesion_map)
        dataset = dcmread(path)
        (station,) = series.stations
        indices = [index for file in station.files for index in file.frames]
        frames = [
            group.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber
            for group in dataset.PerFrameFunctionalGroupsSequence
        ]
        assert sorted(frames) == sorted(index + 1 for index in indices[:3])
        assert [x.ReferencedSOPInstanceUID for x in dataset.SourceImageSequence] == [station.files[0].uid]
        assert sc.same_points(sc.by_highdicom(path, 1), mask.lps_mm())
        again = mark.add_segs(replace(lesion_map, lesions=()), visit, None, [read_seg(path)])
        assert again.lesions == lesion_map.lesions
        if shutil.which("dciodvfy"):
            ran = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
            assert [line for line in ran.stderr.splitlines() if line.startswith("Error")] == []


def test_views_of_a_bone_scan_have_an_object_each_that_names_its_frame(tmp_path: Path) -> None:
    frames = np.random.default_rng(2).integers(0, 900, (2, 30, 12)).astype(np.uint16)
    df.write_planar(tmp_path / "nm", frames, detectors=[{"StartAngle": "180"}, {"StartAngle": "0"}])
    found = scan([tmp_path / "nm"]).studies[0].visit
    visit = replace(found, patient="P001")
    front, behind = (next(s for s in visit.series if s.plane == plane) for plane in ("anterior", "posterior"))
    shown = [
        Extent(s.name, sc.boxed(s.grid, (2, 4, 0), (5, 9 + n, 1)), None, s.phase) for n, s in enumerate([front, behind])
    ]
    lesion_map = sc.map_of(sc.lesion(1, *shown), sc.lesion(2, shown[0]))
    lesion_map = replace(lesion_map, visit=visit.key)
    files = segmentations(sc.PATIENT, visit, lesion_map)
    assert [file.series for file in files] == [front.name, behind.name]
    paths = write_segs(files, tmp_path)
    for path, number in zip(paths, (1, 2), strict=True):
        dataset = dcmread(path)
        group = dataset.PerFrameFunctionalGroupsSequence[0]
        (source,) = group.DerivationImageSequence[0].SourceImageSequence
        assert (source.ReferencedSOPClassUID, source.ReferencedFrameNumber) == (df.NM, number)
        assert (dataset.Rows, dataset.Columns) == (30, 12)
        if shutil.which("dciodvfy"):
            ran = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
            assert [line for line in ran.stderr.splitlines() if line.startswith("Error")] == []
    again = mark.add_segs(replace(lesion_map, lesions=()), visit, None, [read_seg(path) for path in paths[::-1]])
    assert again.lesions == lesion_map.lesions


def test_a_real_bone_scan_takes_a_segment(tmp_path: Path) -> None:
    found = scan([str(get_testdata_file("JPEG2000.dcm"))], view="anterior").studies[0].visit
    (series,) = found.series
    visit = replace(found, patient="P001")
    mask = sc.boxed(series.grid, (100, 300, 0), (120, 340, 1))
    lesion_map = replace(sc.map_of(sc.lesion(1, Extent(series.name, mask, None, series.phase))), visit=visit.key)
    (path,) = sc.written(tmp_path, visit, lesion_map)
    assert read_seg(path).segments[0].masks[0].mask.n_voxels == mask.n_voxels
    again = mark.add_segs(replace(lesion_map, lesions=()), visit, None, [read_seg(path)])
    assert again.lesions == lesion_map.lesions
