"""DICOM Segmentations: every voxel at its millimetre, on the images that it was drawn on, and nobody's name in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread

import dicom_files as df
import seg_case as sc
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, Mask
from lesionmap.read import read_seg
from lesionmap.space import Grid
from lesionmap.visits import Patient
from lesionmap.write import segmentations, write_segs
from strategies import grids

if TYPE_CHECKING:
    from pathlib import Path

    from lesionmap.lesions import LesionMap
    from lesionmap.visits import Series

_SECRETS = (b"Secret", b"SECRET-17", b"20020405", b"Refer^", b"Doctor", b"Elsewhere", b"ACC-99")


# The law of the way there and back


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_masks_come_back_at_their_millimetres(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Oblique, anisotropic, three lengths, one to three stations that overlap, touch or lie a part of a voxel off."""
    folder = tmp_path_factory.mktemp("law")
    grid = data.draw(grids(smallest=3, largest=8))
    steps = [0.0]
    for _ in range(data.draw(st.integers(0, 2))):
        steps.append(
            steps[-1] + grid.shape[1] - data.draw(st.sampled_from([0, 1, 2])) + data.draw(st.sampled_from([0, 0.3]))
        )
    series = sc.row(folder, grid, steps)
    inside = np.argwhere(np.ones(series.grid.shape, dtype=bool))
    points = series.grid.lps(inside)
    inside = inside[np.any([one.grid.contains(points) for one in series.stations], axis=0)]
    chosen = st.lists(st.integers(0, len(inside) - 1), min_size=1, max_size=40, unique=True)
    masks = [Mask.of_voxels(inside[data.draw(chosen)], series.grid) for _ in range(data.draw(st.integers(1, 3)))]
    visit = sc.visit_of(series)
    lesion_map = sc.map_of(*(sc.lesion(n, Extent(series.name, mask)) for n, mask in enumerate(masks, start=1)))
    paths = sc.written(folder / "out", visit, lesion_map)
    assert sc.back(visit, reversed(paths)).lesions == lesion_map.lesions
    if all(step == round(step) for step in steps):
        truth = np.unique(np.concatenate([mask.lps_mm() for mask in masks]).round(2) + 0.0, axis=0)
        assert sc.same_points(sc.points_of(paths), truth, 0.03)


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_left_handed_series_come_back(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A Series whose slices run against rows × columns, as a program may keep it."""
    folder = tmp_path_factory.mktemp("left")
    series = sc.row(folder, data.draw(grids(smallest=3, largest=7)), [0])
    (one,) = series.stations
    matrix = one.grid.lps_from_voxel.copy()
    matrix[:3, 3] = one.grid.lps([0, 0, one.grid.shape[2] - 1])
    matrix[:3, 2] *= -1
    turned = Grid(one.grid.shape, matrix)
    assert np.linalg.det(turned.lps_from_voxel[:3, :3]) < 0
    series = replace(series, grid=turned, stations=(replace(one, grid=turned, files=one.files[::-1]),))
    mask = sc.boxed(turned, (0, 1, 1), (2, 3, 3))
    visit = sc.visit_of(series)
    lesion_map = sc.map_of(sc.lesion(1, Extent(series.name, mask)))
    paths = sc.written(folder / "out", visit, lesion_map)
    assert sc.same_points(sc.points_of(paths), mask.lps_mm())
    assert sc.back(visit, paths).lesions == lesion_map.lesions


# What other programs see


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> tuple[Series, LesionMap]:
    """Three tilted stations of 13 × 22 × 9 that overlap by two rows; lesions in one, over a seam, and overlapping."""
    folder = tmp_path_factory.mktemp("body")
    grid = df.grid((13, 22, 9), spacing=(1.5, 2.25, 4.0), directions=sc.TILTED)
    series = sc.row(folder, grid, [0, 20, 40], AccessionNumber="ACC-99")
    boxes = [((2, 3, 1), (6, 8, 4)), ((5, 15, 2), (9, 26, 5)), ((7, 38, 3), (11, 46, 8)), ((6, 50, 0), (9, 55, 2))]
    masks = [sc.boxed(series.grid, *box) for box in boxes]
    marked = [sc.lesion(n, Extent(series.name, mask)) for n, mask in enumerate(masks, start=1)]
    return series, sc.map_of(*marked, sc.lesion(5), reader="anna")


def test_other_programs_read_the_same_millimetres(tmp_path: Path, body: tuple[Series, LesionMap]) -> None:
    series, lesion_map = body
    files = segmentations(sc.PATIENT, sc.visit_of(series), lesion_map)
    assert [dict(file.segments) for file in files] == [{"L1": 1, "L2": 1 + 1}, {"L2": 1, "L3": 2}, {"L3": 1, "L4": 2}]
    paths = write_segs(files, tmp_path)
    for n, (file, path) in enumerate(zip(files, paths, strict=True)):
        dcmqi = sc.by_dcmqi(path, tmp_path / f"dcmqi{n}")
        assert sorted(dcmqi) == sorted(file.segments.values())
        for name, number in file.segments.items():
            mask = lesion_map.lesion(name).extents[0].mask
            assert mask is not None
            there = mask.lps_mm()
            truth = there[series.stations[n].grid.contains(there)]
            assert sc.same_points(sc.by_highdicom(path, number), truth)
            assert sc.same_points(dcmqi[number], truth)


def test_a_label_map_is_read_by_others_too(tmp_path: Path, body: tuple[Series, LesionMap]) -> None:
    series, lesion_map = body
    files = segmentations(sc.PATIENT, sc.visit_of(series), lesion_map, labelmap=True)
    paths = write_segs(files, tmp_path)
    header = dcmread(paths[0])
    assert (header.SegmentationType, header.SOPClassUID) == ("LABELMAP", "1.2.840.10008.5.1.4.1.1.66.7")
    mask = lesion_map.lesions[0].extents[0].mask
    assert mask is not None
    assert sc.same_points(sc.by_highdicom(paths[0], 1), mask.lps_mm())
    assert sc.same_points(sc.by_dcmqi(paths[0], tmp_path / "dcmqi")[1], mask.lps_mm())
    assert sc.back(sc.visit_of(series), paths).lesions == lesion_map.lesions[:4]
    assert [segment.number for segment in read_seg(paths[0]).segments] == [1, 2]  # 0, the background, is none


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not on this machine")
@pytest.mark.parametrize("identified", [False, True])
def test_dciodvfy_finds_no_error(tmp_path: Path, body: tuple[Series, LesionMap], identified: bool) -> None:
    series, lesion_map = body
    for path in sc.written(tmp_path, sc.visit_of(series), lesion_map, identified=identified):
        ran = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, check=False)
        assert "Segmentation" in ran.stderr
        assert [line for line in ran.stderr.splitlines() if line.startswith("Error")] == []


def test_a_lesion_over_a_seam_has_one_track_and_counts_its_overlap_once(
    tmp_path: Path, body: tuple[Series, LesionMap]
) -> None:
    series, lesion_map = body
    paths = sc.written(tmp_path, sc.visit_of(series), lesion_map)
    parts = [
        (segment.tracking_uid, segment.tracking_id, one.mask)
        for path in paths
        for segment in read_seg(path).segments
        for one in segment.masks
        if segment.told is not None and segment.told.lesion == "L2"
    ]
    assert [part[:2] for part in parts] == [("2.25.1002", "L2")] * 2
    whole = lesion_map.lesions[1].extents[0].mask
    assert whole is not None
    assert sum(mask.n_voxels for _, _, mask in parts) > whole.n_voxels
    found = np.unique(np.concatenate([mask.lps_mm() for _, _, mask in parts]).round(2) + 0.0, axis=0)
    assert sc.same_points(found, whole.lps_mm(), 0.03)
    for order in (paths, paths[::-1]):
        assert sc.back(sc.visit_of(series), order).lesions == lesion_map.lesions[:4]


def test_frames_refer_to_images_of_their_own_series_only(tmp_path: Path, body: tuple[Series, LesionMap]) -> None:
    series, lesion_map = body
    files = segmentations(sc.PATIENT, sc.visit_of(series), lesion_map)
    for file, station in zip(files, series.stations, strict=True):
        places = {one.uid: station.grid.lps([0, 0, k]) for k, one in enumerate(station.files)}
        dataset = file.dataset
        assert file.series_uid == station.series_uid
        assert [item.SeriesInstanceUID for item in dataset.ReferencedSeriesSequence] == [station.series_uid]
        assert dataset.FrameOfReferenceUID == station.frame_uid
        assert dataset.StudyInstanceUID == "1.2.3.4"
        referred = {item.ReferencedSOPInstanceUID for item in dataset.SourceImageSequence}
        used = set()
        for group in dataset.PerFrameFunctionalGroupsSequence:
            (source,) = group.DerivationImageSequence[0].SourceImageSequence
            assert source.ReferencedSOPClassUID == df.MR
            used.add(source.ReferencedSOPInstanceUID)
            here = [float(x) for x in group.PlanePositionSequence[0].ImagePositionPatient]
            assert np.allclose(here, places[source.ReferencedSOPInstanceUID], atol=0.01)
        assert used == referred <= set(places)


def test_a_segment_says_what_and_where(body: tuple[Series, LesionMap]) -> None:
    series, lesion_map = body
    by_name = {"L2": lesion_map.lesions[1], "L1": lesion_map.lesions[0]}
    dataset = segmentations(sc.PATIENT, sc.visit_of(series), lesion_map)[0].dataset
    seventh, pubis = dataset.SegmentSequence
    assert (seventh.SegmentLabel, pubis.SegmentLabel) == ("L1 body of T7", "L2 right pubis")
    assert seventh.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "49755003"
    assert seventh.SegmentedPropertyTypeCodeSequence[0].CodeValue == "52988006"
    assert (seventh.SegmentAlgorithmType, seventh.TrackingUID) == ("MANUAL", by_name["L1"].tracks[0])
    told = f"lesionmap lesion=L2 sites=pubis.whole.right certainty=definite tracks={by_name['L2'].tracks[0]}"
    assert pubis.SegmentDescription == told
    (region,) = pubis.AnatomicRegionSequence
    assert (region.CodeValue, region.CodeMeaning) == ("29836001", "Hip")  # DICOM has no code for the pubis
    assert [item.CodeValue for item in region.AnatomicRegionModifierSequence] == ["24028007"]
    (region,) = seventh.AnatomicRegionSequence
    assert region.CodeValue == "62487009"
    assert [item.CodeValue for item in region.AnatomicRegionModifierSequence] == ["3572006"]
    assert dataset.ContentCreatorName == "anna"
    assert "Research use only" in dataset.ContentDescription
    assert dataset.SeriesDescription == "lesionmap lesions, STIR coronal"
    assert dataset.SegmentsOverlap == "NO"


# Nobody's name


@pytest.mark.parametrize("labelmap", [False, True])
def test_an_export_names_nobody(tmp_path: Path, body: tuple[Series, LesionMap], labelmap: bool) -> None:
    series, lesion_map = body
    for path in sc.written(tmp_path, sc.visit_of(series), lesion_map, labelmap=labelmap):
        data = path.read_bytes()
        assert not [secret for secret in _SECRETS if secret in data]
        dataset = dcmread(path)
        assert (dataset.PatientID, dataset.PatientName, dataset.PatientSex) == ("P001", "P001", "F")
        assert (dataset.PatientBirthDate, dataset.AccessionNumber, dataset.StudyDate) == ("", "", "20100504")
        assert not re.search("Secret|17", path.name)


def test_identified_names_the_patient_of_the_images(tmp_path: Path, body: tuple[Series, LesionMap]) -> None:
    series, lesion_map = body
    for path in sc.written(tmp_path, sc.visit_of(series), lesion_map, identified=True):
        dataset = dcmread(path)
        assert (dataset.PatientID, dataset.PatientName) == ("SECRET-17", "Secret^Name")
        assert (dataset.PatientBirthDate, dataset.AccessionNumber) == ("20020405", "ACC-99")
        assert (dataset.ReferringPhysicianName, dataset.StudyInstanceUID) == ("Refer^Doctor", "1.2.3.4")
        assert "SECRET" not in path.name


@pytest.mark.parametrize("reader", ["O'Brien", 'x"; DROP TABLE edit; --', "a\\b=c^d\ne", "読影者", "Ænne Ö" * 20])
def test_any_name_of_a_reader_is_written(tmp_path: Path, body: tuple[Series, LesionMap], reader: str) -> None:
    series, lesion_map = body
    paths = sc.written(tmp_path, sc.visit_of(series), replace(lesion_map, reader=reader))
    name = str(dcmread(paths[0]).ContentCreatorName)
    assert 0 < len(name) <= 64
    assert not re.search(r"[\\^=\n]", name)
    if reader == "読影者":
        assert name == reader


# What is refused, and what is not


def test_lesions_that_overlap(tmp_path: Path) -> None:
    series = sc.row(tmp_path, df.grid((9, 11, 5), directions=sc.TILTED), [0])
    masks = [sc.boxed(series.grid, (1, 1, n), (6, 5, n + 3)) for n in range(3)]
    lesion_map = sc.map_of(*(sc.lesion(n, Extent(series.name, mask)) for n, mask in enumerate(masks, start=1)))
    visit = sc.visit_of(series)
    (path,) = sc.written(tmp_path, visit, lesion_map)
    assert dcmread(path).SegmentsOverlap == "YES"
    assert sc.back(visit, [path]).lesions == lesion_map.lesions
    words = "on series 'STIR coronal' L1 and L2, L1 and L3, L2 and L3 overlap; leave --labelmap out, or draw them apart"
    with pytest.raises(LesionmapError, match=words):
        segmentations(sc.PATIENT, visit, lesion_map, labelmap=True)


def test_merged_lesions_keep_their_tracks_and_two_phases_are_one_segment(tmp_path: Path) -> None:
    series = sc.row(tmp_path, df.grid((9, 11, 5), directions=sc.TILTED), [0])
    one, two = sc.boxed(series.grid, (1, 1, 0), (3, 4, 2)), sc.boxed(series.grid, (4, 5, 1), (8, 9, 4))
    merged = sc.lesion(1, Extent(series.name, one), tracks=("2.25.7", "2.25.8"))
    both = sc.lesion(2, Extent(series.name, one, None, "early"), Extent(series.name, two, None, "late"))
    split = [sc.lesion(n, Extent(series.name, mask), tracks=("2.25.9",)) for n, mask in ((3, one), (4, two))]
    lesion_map = sc.map_of(merged, both, *split, sc.lesion(5, Extent(series.name, one), tracks=()))
    (path,) = sc.written(tmp_path, sc.visit_of(series), lesion_map)
    segments = read_seg(path).segments
    assert [segment.tracking_uid for segment in segments] == ["2.25.7", "2.25.1002", "2.25.9", "2.25.9", ""]
    assert segments[1].masks[0].mask.n_voxels == one.n_voxels + two.n_voxels
    found = sc.back(sc.visit_of(series), [path]).lesions
    assert [x.tracks for x in found] == [x.tracks for x in lesion_map.lesions]
    assert [x.id for x in found] == ["L1", "L2", "L3", "L4", "L5"]


def test_what_cannot_be_laid_on_images_is_refused_in_words(tmp_path: Path) -> None:
    series = sc.row(tmp_path / "a", df.grid((9, 11, 5)), [0])
    mask = sc.boxed(series.grid, (1, 1, 0), (3, 4, 2))
    lesion_map = sc.map_of(sc.lesion(1, Extent(series.name, mask)))
    with pytest.raises(
        LesionmapError, match="visit 2010-05-04 has no mask to export; its lesions are marked by points"
    ):
        segmentations(sc.PATIENT, sc.visit_of(series), sc.map_of(sc.lesion(1)))
    bare = replace(series, stations=tuple(replace(one, series_uid="") for one in series.stations))
    with pytest.raises(LesionmapError, match="'STIR coronal' of visit 2010-05-04 was read from NIfTI; export it with"):
        segmentations(sc.PATIENT, sc.visit_of(bare), lesion_map)
    loose = replace(series, stations=tuple(replace(one, frame_uid="") for one in series.stations))
    with pytest.raises(LesionmapError, match="needs the Frame of Reference UID of its images, those of series 'STIR"):
        segmentations(sc.PATIENT, sc.visit_of(loose), lesion_map)
    many = sc.lesion(1, Extent(series.name, mask), tracks=[f"2.25.{10**37 + n}" for n in range(30)])
    with pytest.raises(LesionmapError, match="describes its lesion in 1024 characters, L1 with 1 sites and 30 tracks"):
        segmentations(sc.PATIENT, sc.visit_of(series), sc.map_of(many))
    sc.written(tmp_path, sc.visit_of(series), lesion_map)
    with pytest.raises(LesionmapError, match="exists already; choose another name"):
        sc.written(tmp_path, sc.visit_of(series), lesion_map)
    for identified in (False, True):
        shutil.rmtree(tmp_path / "a", ignore_errors=True)
        with pytest.raises(LesionmapError, match="is not there or cannot be read; re-link the images"):
            segmentations(sc.PATIENT, sc.visit_of(series), lesion_map, identified=identified)


def test_an_image_that_was_exchanged_is_refused(tmp_path: Path) -> None:
    series = sc.row(tmp_path / "a", df.grid((9, 11, 5)), [0])
    first, second = (series.stations[0].files[k].path for k in (0, 1))
    shutil.copy(second, first)
    mask = sc.boxed(series.grid, (1, 1, 0), (3, 4, 2))
    with pytest.raises(LesionmapError, match=r"another image lies at .* than when it was imported; re-link the images"):
        segmentations(sc.PATIENT, sc.visit_of(series), sc.map_of(sc.lesion(1, Extent(series.name, mask))))


def test_frames_are_few_and_identifiers_new(tmp_path: Path) -> None:
    series = sc.row(tmp_path / "a", df.grid((9, 11, 8)), [0])
    mask = sc.boxed(series.grid, (1, 1, 3), (3, 4, 5))
    visit, lesion_map = sc.visit_of(series), sc.map_of(sc.lesion(1, Extent(series.name, mask)))
    one, two = (segmentations(Patient("P001"), visit, lesion_map)[0].dataset for _ in range(2))
    assert int(one.NumberOfFrames) == 2
    assert one.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices == 4.0
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert getattr(one, keyword).startswith("1.2.826.0.1.3680043.8.498.")
        assert getattr(one, keyword) != getattr(two, keyword)


def test_one_object_a_series_lies_at_even_steps(body: tuple[Series, LesionMap]) -> None:
    series, lesion_map = body
    for file in segmentations(sc.PATIENT, sc.visit_of(series), lesion_map):
        positions: Any = [
            g.PlanePositionSequence[0].ImagePositionPatient for g in file.dataset.PerFrameFunctionalGroupsSequence
        ]
        normal = series.grid.lps_from_voxel[:3, 2] / series.grid.spacing_mm[2]
        along = sorted({round(float(np.dot(normal, np.array(p, dtype=float))), 3) for p in positions})
        assert all(abs((b - a) / 4 - round((b - a) / 4)) < 0.01 for a, b in pairwise(along))
