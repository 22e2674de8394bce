"""DICOM Segmentations by other programs come in at their millimetres, with what is told of them."""

from __future__ import annotations

import contextlib
import json
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import highdicom as hd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.sr.codedict import codes

import dicom_files as df
import seg_case as sc
from cli_case import LANDMARKS
from lesionmap import mark, skeleton
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent
from lesionmap.read import is_seg, read_mask, read_seg, scan
from lesionmap.read.segplace import on_visit
from lesionmap.read.segtext import told, understood
from shared import shared_data
from strategies import lesions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from pydicom.dataset import Dataset

    from lesionmap.lesions import Lesion
    from lesionmap.skeleton import Placement
    from lesionmap.visits import Series

_WHAT = (codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Lesion, "MANUAL")
_TILTED = df.turned(8, -13, 21) @ np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])


def foreign(
    path: Path,
    series: Series,
    array: NDArray[Any],
    *,
    station: int = 0,
    kind: str = "BINARY",
    tracks: Sequence[str] = (),
    change: Callable[[Dataset], object] | None = None,
) -> Path:
    """Write a Segmentation as highdicom's users do: array (slices, rows, columns) of numbers, on one station."""
    files = series.stations[station].files
    numbers = range(1, max(int(np.ceil(array.max())), len(tracks)) + 1)
    described = [
        hd.seg.SegmentDescription(
            n,
            f"thing {n}",
            *_WHAT,
            tracking_id=f"T{n}" if tracks else None,
            tracking_uid=tracks[n - 1] if tracks else None,
            anatomic_regions=[codes.SCT.Femur],
        )
        for n in numbers
    ]
    images = [dcmread(file.path) for file in files]
    for image in images:
        for keyword in ("StudyID", "AccessionNumber", "StudyTime", "ReferringPhysicianName"):
            setattr(image, keyword, "")
    uids = {"series_instance_uid": hd.UID(), "sop_instance_uid": hd.UID()}
    made = hd.seg.Segmentation(
        images,
        array,
        kind,
        described,
        series_number=2,
        instance_number=1,
        manufacturer="m",
        manufacturer_model_name="m",
        software_versions="1",
        device_serial_number="1",
        **uids,
    )
    if change is not None:
        change(made)
    made.save_as(path)
    return path


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Series:
    """Two tilted stations of 13 × 22 × 9 (286 voxels a slice, no multiple of 8) that overlap by two rows.

    They show the middle of the left femur.
    """
    middle = df.grid((13, 22, 9), spacing=(1.5, 2.25, 4.0), directions=_TILTED, origin=(0, 0, 0)).lps([6, 20, 4])
    x, y, z = (np.array([74.0, 2.0, -265.0]) - middle).tolist()
    grid = df.grid((13, 22, 9), spacing=(1.5, 2.25, 4.0), directions=_TILTED, origin=(x, y, z))
    return sc.row(tmp_path_factory.mktemp("series"), grid, [0, 20])


@pytest.fixture(scope="module")
def placement() -> Placement:
    return skeleton.place(LANDMARKS, age_y=9.0)


def drawn(*boxes: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Draw a box of 3 × 4 × 2 voxels from each corner (slice, row, column), numbered from 1."""
    array = np.zeros((9, 22, 13), dtype=np.uint8)
    for number, (k, j, i) in enumerate(boxes, start=1):
        array[k : k + 2, j : j + 4, i : i + 3] = number
    return array


def truth(series: Series, array: NDArray[Any], number: int, station: int = 0) -> NDArray[np.float64]:
    return series.stations[station].grid.lps(np.argwhere(array.transpose(2, 1, 0) == number))


# Files of other programs


@pytest.mark.parametrize("name", ["liver.dcm", "partial_overlaps.dcm", "24x38x3/seg/label.seg"])
def test_segmentations_by_dcmqi_hold_what_their_facts_say(name: str) -> None:
    folder = shared_data("dcmqi")
    fact = json.loads((folder / "facts.json").read_text())[f"segmentations/{name}"]
    found = read_seg(folder / "segmentations" / name)
    assert [segment.label for segment in found.segments] == fact["segments"]
    for segment, expected in zip(found.segments, fact["read_by_dcmqi"], strict=True):
        (one,) = segment.masks
        assert one.mask.n_voxels == expected["voxels"]
        assert one.mask.n_voxels * one.mask.grid.voxel_volume_ml == pytest.approx(expected["volume_ml"], abs=1e-3)


@pytest.mark.parametrize(
    ("name", "drawings"),
    [
        ("liver.dcm", ["liver_seg.nrrd"]),
        ("partial_overlaps.dcm", [f"partial_overlaps-{n}.nrrd" for n in (1, 2, 3)]),
        ("24x38x3/seg/label.seg", ["24x38x3/nrrd/label.nrrd"]),
    ],
)
def test_segmentations_by_dcmqi_lie_where_their_drawings_do(name: str, drawings: list[str]) -> None:
    import SimpleITK

    folder = shared_data("dcmqi") / "segmentations"
    found = {segment.number: segment.masks[0].mask for segment in read_seg(folder / name).segments}
    seen = set()
    for drawing in drawings:
        image = SimpleITK.ReadImage(str(folder / drawing))
        array = SimpleITK.GetArrayFromImage(image).T
        for number in np.unique(array[array > 0]).tolist():
            voxels = np.argwhere(array == number)
            direction = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
            there = voxels @ direction.T + np.array(image.GetOrigin())
            own = found[int(number)].lps_mm()
            assert len(own) == len(there)
            assert np.allclose(own[np.lexsort(own.round(1).T)], there[np.lexsort(there.round(1).T)], atol=0.02)
            seen.add(int(number))
    assert seen == set(found)


def test_a_segmentation_of_a_pet_tumour_tells_its_region() -> None:
    (segment,) = read_seg(shared_data("dcmqi") / "sr-example" / "seg.dcm").segments
    assert (segment.label, segment.masks[0].mask.n_voxels) == ("Neoplasm, Primary", 795)
    assert segment.region == "pharyngeal tonsil (adenoid)"
    assert segment.told is None


@pytest.mark.parametrize(
    ("images", "name", "voxels"), [("ct-3slice", "liver.dcm", 107098), ("24x38x3/image", "24x38x3/seg/label.seg", 315)]
)
def test_segmentations_by_dcmqi_find_their_images(images: str, name: str, voxels: int) -> None:
    folder = shared_data("dcmqi") / "segmentations"
    (found,) = scan([folder / images]).studies
    seg = read_seg(folder / name)
    (one,) = seg.segments[0].masks
    placed = on_visit(one, seg, found.visit)
    assert placed is not None
    assert placed[0] == found.series[0]
    assert placed[1].n_voxels == voxels
    assert sc.same_points(placed[1].lps_mm()[:500], one.mask.lps_mm()[:500], 0.02)


# What a file may look like


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_bits_come_back(tmp_path_factory: pytest.TempPathFactory, series: Series, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 2**32 - 1))
    kind = data.draw(st.sampled_from(["BINARY", "LABELMAP", "FRACTIONAL"]))
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 4, (9, 22, 13)).astype(np.uint8) * (rng.random((9, 1, 1)) < 0.6)
    array = array.astype(np.uint8)
    array[3, 2, 1] = 3
    path = foreign(tmp_path_factory.mktemp("bits") / "seg.dcm", series, array, kind=kind)
    found = read_seg(path)
    assert found.kind == kind
    for segment in found.segments:
        points = [one.mask.lps_mm() for one in segment.masks]
        expected = truth(series, array, segment.number)
        assert len(points) == (len(expected) > 0)
        assert not points or sc.same_points(points[0], expected)


def test_fractions_are_set_from_one_half_on_and_say_so(tmp_path: Path, series: Series) -> None:
    array = np.zeros((9, 22, 13))
    array[2, 3:8, 4] = [0.2, 0.49, 0.503, 0.8, 1.0]
    found = read_seg(foreign(tmp_path / "seg.dcm", series, array, kind="FRACTIONAL"))
    assert found.note == "fractions: set from one half on"
    (one,) = found.segments[0].masks
    expected = series.stations[0].grid.lps([[4, j, 2] for j in (5, 6, 7)])
    assert sc.same_points(one.mask.lps_mm(), expected)


def without_references(dataset: Dataset) -> None:
    for keyword in ("ReferencedSeriesSequence", "SourceImageSequence"):
        delattr(dataset, keyword)
    for group in dataset.PerFrameFunctionalGroupsSequence:
        group.DerivationImageSequence = []


def test_without_references_the_place_decides(tmp_path: Path, series: Series) -> None:
    array = drawn((2, 3, 4), (5, 10, 1))
    other = replace(series, name="elsewhere", grid=df.grid(), stations=(replace(series.stations[0], grid=df.grid()),))
    visit = sc.visit_of(other, series)
    for station in (0, 1):
        path = foreign(tmp_path / f"{station}.dcm", series, array, station=station, change=without_references)
        seg = read_seg(path)
        assert seg.series_uids == frozenset()
        for segment in seg.segments:
            placed = on_visit(segment.masks[0], seg, visit)
            assert placed is not None
            assert placed[0].name == "STIR coronal"
            assert placed[1].grid == series.grid
            assert sc.same_points(placed[1].lps_mm(), truth(series, array, segment.number, station))


def test_references_decide_between_series_on_the_same_voxels(tmp_path: Path) -> None:
    grid = df.grid((13, 22, 9), directions=_TILTED)
    made = [sc.series_of([sc.station(tmp_path / n, grid, SeriesInstanceUID=f"1.2.{n}")], n) for n in ("3", "4")]
    visit = sc.visit_of(*made)
    for one in made:
        seg = read_seg(foreign(tmp_path / f"{one.name}.dcm", one, drawn((2, 3, 4))))
        placed = on_visit(seg.segments[0].masks[0], seg, visit)
        assert placed is not None
        assert placed[0].name == one.name
        other = on_visit(seg.segments[0].masks[0], seg, visit, "4")
        assert other is not None
        assert other[0].name == "4"


def test_stations_in_one_object_lie_on_a_grid_each(tmp_path: Path, series: Series) -> None:
    """Some programs put stations that lie one beside the other into one object."""
    array = drawn((1, 2, 3), (5, 2, 3))

    def move(dataset: Dataset) -> None:
        for group in dataset.PerFrameFunctionalGroupsSequence:
            if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 2:
                place = group.PlanePositionSequence[0]
                moved = series.stations[0].grid
                shift = moved.lps([0, 20, 0]) - moved.lps([0, 0, 0])
                there = np.array(place.ImagePositionPatient, dtype=float) + shift
                place.ImagePositionPatient = [f"{x:.6f}" for x in there]

    path = foreign(tmp_path / "seg.dcm", series, array, change=move)
    found = read_seg(path)
    assert len({one.mask.grid for segment in found.segments for one in segment.masks}) == 2
    for segment, station in zip(found.segments, (0, 1), strict=True):
        (one,) = segment.masks
        assert sc.same_points(one.mask.lps_mm(), truth(series, array, segment.number, station))
    with pytest.raises(LesionmapError, match=r"a segmentation on one regular grid was expected, .* lies on 2; add its"):
        read_mask(path)


def test_slices_far_apart_keep_their_place(tmp_path: Path, series: Series) -> None:
    """Nothing is said of the distance of slices but their thickness, which is another one."""
    array = drawn((0, 3, 4))
    array[1] = 0
    array[3, 7, 2] = array[8, 9, 9] = 1

    def thin(dataset: Dataset) -> None:
        measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        measures.SliceThickness = "2.9"
        if "SpacingBetweenSlices" in measures:
            del measures.SpacingBetweenSlices

    seg = read_seg(foreign(tmp_path / "seg.dcm", series, array, change=thin))
    for one in seg.segments[0].masks:
        placed = on_visit(one, seg, sc.visit_of(series))
        assert placed is not None
    points = np.concatenate([one.mask.lps_mm() for one in seg.segments[0].masks])
    assert sc.same_points(points, truth(series, array, 1))


def test_a_label_volume_of_a_segmentation(tmp_path: Path, series: Series) -> None:
    array = drawn((2, 3, 4), (3, 10, 1), (5, 12, 6))
    for kind in ("BINARY", "LABELMAP"):
        volume = read_mask(foreign(tmp_path / f"{kind}.dcm", series, array, kind=kind))
        for number in (1, 2, 3):
            assert sc.same_points(volume.grid.lps(np.argwhere(volume.array == number)), truth(series, array, number))


# Lesions of segments by other programs


def by_name(found: Sequence[Lesion]) -> dict[str, int]:
    return {x.tracks[0]: sum(e.mask.n_voxels for e in x.extents if e.mask) for x in found}


def test_segments_of_one_uid_are_one_lesion_in_any_order(tmp_path: Path, series: Series, placement: Placement) -> None:
    top = foreign(tmp_path / "a.dcm", series, drawn((2, 19, 4), (5, 1, 1)), tracks=("2.25.71", "2.25.72"))
    low = foreign(tmp_path / "b.dcm", series, drawn((2, 0, 4), (6, 9, 1)), station=1, tracks=("2.25.71", "2.25.73"))
    visit = sc.visit_of(series)
    for files in ((top, low), (low, top)):
        found = mark.add_segs(sc.map_of(), visit, placement, [read_seg(file) for file in files]).lesions
        # Rows 19 to 21 are drawn on the upper station, 20 to 23 of the whole on the lower one: two rows on both.
        assert by_name(found) == {"2.25.71": 2 * 3 * 5, "2.25.72": 24, "2.25.73": 24}
        assert {(x.sites, x.certainty) for x in found} == {(("femur.diaphysis.left",), "definite")}


def test_segments_without_uid_are_a_lesion_each_on_a_new_track(
    tmp_path: Path, series: Series, placement: Placement
) -> None:
    path = foreign(tmp_path / "a.dcm", series, drawn((2, 3, 4), (5, 1, 1)))
    found = mark.add_segs(sc.map_of(), sc.visit_of(series), placement, [read_seg(path)])
    assert [x.id for x in found.lesions] == ["L1", "L2"]
    assert all(re.fullmatch(r"2\.25\.\d+", x.tracks[0]) for x in found.lesions)
    with pytest.raises(LesionmapError, match=r"segment 1 of .* is marked already as L1 of visit 2010-05-04 by anna"):
        mark.add_segs(found, sc.visit_of(series), placement, [read_seg(path)])


def test_a_lesion_marked_already_is_drawn_on_another_series(tmp_path: Path, series: Series) -> None:
    t1 = sc.series_of([sc.station(tmp_path / "t1", df.grid((13, 22, 9)), SeriesInstanceUID="1.2.8")], "T1 coronal")
    visit = sc.visit_of(series, t1)
    first = sc.lesion(1, Extent(series.name, sc.boxed(series.grid, (1, 1, 1), (3, 4, 5))))
    seg = read_seg(foreign(tmp_path / "a.dcm", t1, drawn((2, 3, 4)), tracks=first.tracks))
    (found,) = mark.add_segs(sc.map_of(first), visit, None, [seg]).lesions
    assert (found.id, found.sites, [x.series for x in found.extents]) == (
        "L1",
        first.sites,
        ["STIR coronal", "T1 coronal"],
    )
    other = read_seg(foreign(tmp_path / "b.dcm", series, drawn((2, 3, 4)), tracks=first.tracks))
    with pytest.raises(
        LesionmapError, match="L1 of visit 2010-05-04 has the same track and is drawn on STIR coronal in"
    ):
        mark.add_segs(sc.map_of(first), visit, None, [other])


def test_segments_that_fit_no_series_or_no_skeleton_are_refused_in_words(tmp_path: Path, series: Series) -> None:
    seg = read_seg(foreign(tmp_path / "a.dcm", series, drawn((2, 3, 4))))
    elsewhere = sc.visit_of(replace(series, grid=df.grid(), stations=(replace(series.stations[0], grid=df.grid()),)))
    words = (
        r"segment 1 of .*a\.dcm lies on 13 × 22 × \d voxels of 1\.50 × 2\.25 × 4\.00 mm, which fit none of the series "
        r"of visit 2010-05-04 \('STIR coronal' has 5 × 7 × 11 voxels .*\); import the images"
    )
    with pytest.raises(LesionmapError, match=words):
        mark.add_segs(sc.map_of(), elsewhere, None, [seg])
    with pytest.raises(LesionmapError, match="visit 2010-05-04 has no skeleton to propose sites; place it with"):
        mark.add_segs(sc.map_of(), sc.visit_of(series), None, [seg])


# What is no segmentation


def test_what_is_no_segmentation_is_refused_in_words(tmp_path: Path, series: Series) -> None:
    image = Path(series.stations[0].files[0].path)
    text = tmp_path / "text.dcm"
    text.write_text("no DICOM at all")
    for path in (image, text):
        assert not is_seg(path)
        with pytest.raises(
            LesionmapError, match=r"a mask as NIfTI or DICOM SEG was expected, .* is neither or cannot be"
        ):
            read_seg(path)
    assert not is_seg(tmp_path / "nothing")
    with pytest.raises(LesionmapError, match="is not there or cannot be read"):
        read_seg(tmp_path / "nothing")
    whole = foreign(tmp_path / "a.dcm", series, drawn((2, 3, 4)))
    assert is_seg(whole)
    cases: list[tuple[Callable[[Dataset], object], str]] = [
        (lambda x: setattr(x, "PixelData", x.PixelData[:4]), "72 bytes of pixels expected, 4 came; send it again"),
        (lambda x: setattr(x, "SegmentationType", "OTHER"), "type BINARY, FRACTIONAL, LABELMAP was expected"),
        (lambda x: setattr(x, "TotalPixelMatrixColumns", 9), "is one of a microscope slide"),
        (lambda x: x.PerFrameFunctionalGroupsSequence.pop(), "2 frames were expected, descriptions of 1 came"),
        (lambda x: x.pop("SegmentSequence"), "is neither or cannot be read"),
    ]
    for n, (change, words) in enumerate(cases):
        dataset = dcmread(whole)
        change(dataset)
        dataset.save_as(tmp_path / f"{n}.dcm")
        with pytest.raises(LesionmapError, match=words):
            read_seg(tmp_path / f"{n}.dcm")


def test_a_segmentation_with_nothing_set(tmp_path: Path, series: Series) -> None:
    def empty(dataset: Dataset) -> None:
        dataset.PixelData = bytes(len(dataset.PixelData))

    seg = read_seg(foreign(tmp_path / "a.dcm", series, drawn((2, 3, 4)), change=empty))
    assert seg.segments[0].masks == ()
    with pytest.raises(
        LesionmapError, match=r"a segmentation with at least one voxel was expected, got .* with nothing"
    ):
        mark.add_segs(sc.map_of(), sc.visit_of(series), None, [seg])


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory, series: Series) -> bytes:
    path = tmp_path_factory.mktemp("intact") / "a.dcm"
    return foreign(path, series, drawn((2, 3, 4), (5, 10, 1)), tracks=("2.25.1", "2.25.2")).read_bytes()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damaged_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, intact: bytes, data: st.DataObject
) -> None:
    raw = bytearray(intact)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(132, 5000))
        raw[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    path = tmp_path_factory.mktemp("damaged") / "b.dcm"
    path.write_bytes(raw)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning may hold what the header says
        with contextlib.suppress(LesionmapError):
            segments = read_seg(path).segments if is_seg(path) else ()
            assert all(one.mask.n_voxels for segment in segments for one in segment.masks)


@given(lesions())
def test_what_is_told_of_a_lesion_is_understood(lesion: Lesion) -> None:
    found = understood(told(lesion))
    assert found is not None
    assert (found.lesion, found.sites, found.certainty, found.tracks) == (
        lesion.id,
        lesion.sites,
        lesion.certainty,
        lesion.tracks,
    )


@pytest.mark.parametrize("text", ["", "a tumour", "lesionmap lesion=L1 sites=a certainty=sure tracks="])
def test_other_words_are_not_ours(text: str) -> None:
    assert understood(text) is None
