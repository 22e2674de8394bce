"""DICOM Segmentations by other programs come in at their millimetres, with what is told of them."""

from __future__ import annotations

import contextlib
import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread

import dicom_files as df
import seg_case as sc
from lesionmap import mark
from lesionmap.errors import LesionmapError
from lesionmap.read import is_seg, read_mask, read_seg, scan
from lesionmap.read.segplace import on_visit
from lesionmap.read.segtext import told, understood
from shared import shared_data
from strategies import lesions

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydicom.dataset import Dataset

    from lesionmap.lesions import Lesion
    from lesionmap.visits import Series


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Series:
    return sc.femur_series(tmp_path_factory.mktemp("series"))


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
    path = sc.foreign(tmp_path_factory.mktemp("bits") / "seg.dcm", series, array, kind=kind)
    found = read_seg(path)
    assert found.kind == kind
    for segment in found.segments:
        points = [one.mask.lps_mm() for one in segment.masks]
        expected = sc.truth(series, array, segment.number)
        assert len(points) == (len(expected) > 0)
        assert not points or sc.same_points(points[0], expected)


def test_fractions_are_set_from_one_half_on_and_say_so(tmp_path: Path, series: Series) -> None:
    array = np.zeros((9, 22, 13))
    array[2, 3:8, 4] = [0.2, 0.49, 0.503, 0.8, 1.0]
    found = read_seg(sc.foreign(tmp_path / "seg.dcm", series, array, kind="FRACTIONAL"))
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
    array = sc.drawn((2, 3, 4), (5, 10, 1))
    other = replace(series, name="elsewhere", grid=df.grid(), stations=(replace(series.stations[0], grid=df.grid()),))
    visit = sc.visit_of(other, series)
    for station in (0, 1):
        path = sc.foreign(tmp_path / f"{station}.dcm", series, array, station=station, change=without_references)
        seg = read_seg(path)
        assert seg.series_uids == frozenset()
        for segment in seg.segments:
            placed = on_visit(segment.masks[0], seg, visit)
            assert placed is not None
            assert placed[0].name == "STIR coronal"
            assert placed[1].grid == series.grid
            assert sc.same_points(placed[1].lps_mm(), sc.truth(series, array, segment.number, station))


def test_references_decide_between_series_on_the_same_voxels(tmp_path: Path) -> None:
    grid = df.grid((13, 22, 9), directions=sc.TILTED)
    made = [sc.series_of([sc.station(tmp_path / n, grid, SeriesInstanceUID=f"1.2.{n}")], n) for n in ("3", "4")]
    visit = sc.visit_of(*made)
    for one in made:
        seg = read_seg(sc.foreign(tmp_path / f"{one.name}.dcm", one, sc.drawn((2, 3, 4))))
        placed = on_visit(seg.segments[0].masks[0], seg, visit)
        assert placed is not None
        assert placed[0].name == one.name
        other = on_visit(seg.segments[0].masks[0], seg, visit, "4")
        assert other is not None
        assert other[0].name == "4"


def test_stations_in_one_object_lie_on_a_grid_each(tmp_path: Path, series: Series) -> None:
    """Some programs put stations that lie one beside the other into one object."""
    array = sc.drawn((1, 2, 3), (5, 2, 3))

    def move(dataset: Dataset) -> None:
        for group in dataset.PerFrameFunctionalGroupsSequence:
            if group.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 2:
                place = group.PlanePositionSequence[0]
                moved = series.stations[0].grid
                shift = moved.lps([0, 20, 0]) - moved.lps([0, 0, 0])
                there = np.array(place.ImagePositionPatient, dtype=float) + shift
                place.ImagePositionPatient = [f"{x:.6f}" for x in there]

    path = sc.foreign(tmp_path / "seg.dcm", series, array, change=move)
    found = read_seg(path)
    assert len({one.mask.grid for segment in found.segments for one in segment.masks}) == 2
    for segment, station in zip(found.segments, (0, 1), strict=True):
        (one,) = segment.masks
        assert sc.same_points(one.mask.lps_mm(), sc.truth(series, array, segment.number, station))
    with pytest.raises(LesionmapError, match=r"a segmentation on one regular grid was expected, .* lies on 2; add its"):
        read_mask(path)


def test_slices_far_apart_keep_their_place(tmp_path: Path, series: Series) -> None:
    """Nothing is said of the distance of slices but their thickness, which is another one."""
    array = sc.drawn((0, 3, 4))
    array[1] = 0
    array[3, 7, 2] = array[8, 9, 9] = 1

    def thin(dataset: Dataset) -> None:
        measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        measures.SliceThickness = "2.9"
        if "SpacingBetweenSlices" in measures:
            del measures.SpacingBetweenSlices

    seg = read_seg(sc.foreign(tmp_path / "seg.dcm", series, array, change=thin))
    for one in seg.segments[0].masks:
        placed = on_visit(one, seg, sc.visit_of(series))
        assert placed is not None
    points = np.concatenate([one.mask.lps_mm() for one in seg.segments[0].masks])
    assert sc.same_points(points, sc.truth(series, array, 1))


def test_a_label_volume_of_a_segmentation(tmp_path: Path, series: Series) -> None:
    array = sc.drawn((2, 3, 4), (3, 10, 1), (5, 12, 6))
    for kind in ("BINARY", "LABELMAP"):
        volume = read_mask(sc.foreign(tmp_path / f"{kind}.dcm", series, array, kind=kind))
        for number in (1, 2, 3):
            assert sc.same_points(volume.grid.lps(np.argwhere(volume.array == number)), sc.truth(series, array, number))


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
    whole = sc.foreign(tmp_path / "a.dcm", series, sc.drawn((2, 3, 4)))
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

    seg = read_seg(sc.foreign(tmp_path / "a.dcm", series, sc.drawn((2, 3, 4)), change=empty))
    assert seg.segments[0].masks == ()
    with pytest.raises(
        LesionmapError, match=r"a segmentation with at least one voxel was expected, got .* with nothing"
    ):
        mark.add_segs(sc.map_of(), sc.visit_of(series), None, [seg])


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory, series: Series) -> bytes:
    path = tmp_path_factory.mktemp("intact") / "a.dcm"
    return sc.foreign(path, series, sc.drawn((2, 3, 4), (5, 10, 1)), tracks=("2.25.1", "2.25.2")).read_bytes()


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
