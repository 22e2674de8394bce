"""Measurements against published figures and shapes known beforehand; counting by its laws."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from lesionmap import skeleton
from lesionmap.annotate import add_lesion, change_lesion
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, LesionMap, Mask
from lesionmap.measure import (
    Measurement,
    early_over_late,
    main_measurement,
    measure_extent,
    measure_lesion,
    measure_map,
    reference_mean,
)
from lesionmap.skeleton import Placement
from lesionmap.space import Grid, Volume
from lesionmap.visits import Reference, Series, Visit
from shared import shared_data
from strategies import masks

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Oblique, anisotropic, left-handed.
MATRIX = np.array([[0.3, -1.6, 0.5, -40], [0.1, 0.4, 3.1, 12], [-0.9, -0.3, 1.0, 7], [0, 0, 0, 1]])
GRID = Grid((5, 7, 11), MATRIX)
EMPTY = LesionMap("P001", "2010-05-04", "anna")
PLACEMENT = Placement((), age_y=10.0, sex=None, stature_cm=140.0)


def measured(mask: Mask, volume: Volume | None = None, reference: float | None = None) -> Measurement:
    return measure_extent(Extent("STIR", mask), volume, None, reference)


def corners_mm(mask: Mask) -> NDArray[np.float64]:
    steps = np.array(list(product((-0.5, 0.5), repeat=3)))
    return mask.grid.lps((mask.voxels()[:, None] + steps).reshape(-1, 3))


# ---- published figures ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["brain1", "breast1"])
def test_a_lesion_measures_as_published_by_pyradiomics(case: str) -> None:
    import SimpleITK

    folder = shared_data("pyradiomics")
    facts = json.loads((folder / "facts.json").read_text(encoding="utf-8"))[case]
    image, label = (SimpleITK.ReadImage(str(folder / f"{case}_{what}.nrrd")) for what in ("image", "label"))
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    matrix[:3, 3] = image.GetOrigin()
    pixels = SimpleITK.GetArrayFromImage(image).T
    grid = Grid(pixels.shape, matrix)
    mask = Mask.of(Volume(SimpleITK.GetArrayFromImage(label).T == 1, grid))
    found = measured(mask, Volume(pixels, grid), reference=10.0)
    assert found.volume_ml == pytest.approx(facts["shape_VoxelVolume"] / 1000, rel=1e-6)
    assert found.signal_mean == pytest.approx(facts["firstorder_Mean"], rel=1e-9)
    assert found.signal_max == facts["firstorder_Maximum"]
    assert found.signal_sd == pytest.approx(np.sqrt(facts["firstorder_Variance"]), rel=1e-6)
    assert found.signal_ratio == pytest.approx(facts["firstorder_Mean"] / 10, rel=1e-9)
    assert found.diameter_mm is not None
    # Theirs runs between mesh points in the middle of voxel edges, ours between voxel corners.
    beyond = found.diameter_mm - facts["shape_Maximum3DDiameter"]
    assert 0 <= beyond <= np.linalg.norm(grid.spacing_mm)


# ---- shapes known beforehand ----------------------------------------------------------------------------------------


def test_one_voxel() -> None:
    found = measured(Mask.of_voxels(np.array([[3, 2, 5]]), GRID))
    volume_ml = abs(np.linalg.det(MATRIX[:3, :3])) / 1000
    assert found.volume_ml == pytest.approx(volume_ml)
    assert found.volume_error_ml == pytest.approx(volume_ml)  # half a slice at both ends is all of it
    assert found.n_slices == 1
    diagonals = [np.linalg.norm(MATRIX[:3, :3] @ d) for d in product((-1, 1), repeat=3)]
    assert found.diameter_mm == pytest.approx(max(diagonals))
    assert found.centroid_lps_mm == pytest.approx(tuple(GRID.lps([3, 2, 5])))
    assert found.area_mm2 is None
    assert found.signal_mean is None
    assert "no signal: the pixels were not given" in found.why_not


def test_the_whole_grid_and_one_slice() -> None:
    whole = measured(Mask.of(Volume(np.ones(GRID.shape), GRID)))
    assert whole.volume_ml == pytest.approx(GRID.voxel_volume_ml * 5 * 7 * 11)
    assert whole.volume_error_ml == pytest.approx(GRID.voxel_volume_ml * 5 * 7)
    assert whole.diameter_mm == pytest.approx(pdist(GRID.corners_lps_mm()).max())
    assert whole.n_slices == 11
    plate = np.zeros(GRID.shape)
    plate[:, :, 4] = 1
    flat = measured(Mask.of(Volume(plate, GRID)))
    assert flat.n_slices == 1
    assert flat.diameter_mm == pytest.approx(pdist(GRID.crop((0, 0, 4), (5, 7, 1)).corners_lps_mm()).max())


def test_slices_with_a_gap_between_them_are_counted_without_the_gap() -> None:
    found = measured(Mask.of_voxels(np.array([[1, 1, 2], [2, 1, 2], [1, 1, 6]]), GRID))
    assert found.n_slices == 2
    assert found.volume_error_ml == pytest.approx(1.5 * GRID.voxel_volume_ml)


@given(masks())
def test_the_diameter_is_the_largest_distance_of_all_voxel_corners(mask: Mask) -> None:
    assert measured(mask).diameter_mm == pytest.approx(pdist(corners_mm(mask)).max(), rel=1e-9)


@given(masks(), st.sampled_from(list(permutations(range(3)))), st.tuples(*[st.booleans()] * 3))
def test_size_and_place_survive_any_reorientation(mask: Mask, axes: tuple[int, ...], flips: tuple[bool, ...]) -> None:
    volume = mask.volume()
    array = volume.array.transpose(axes)
    matrix = mask.grid.lps_from_voxel.copy()
    matrix[:3, :3] = matrix[:3, list(axes)]
    for axis in np.flatnonzero(flips).tolist():
        matrix[:3, 3] += matrix[:3, axis] * (array.shape[axis] - 1)
        matrix[:3, axis] *= -1
        array = np.flip(array, axis)
    turned = measured(Mask.of(Volume(array, Grid(array.shape, matrix))))
    before = measured(mask)
    assert turned.volume_ml == pytest.approx(before.volume_ml, rel=1e-9)
    assert turned.diameter_mm == pytest.approx(before.diameter_mm, rel=1e-9)
    assert turned.centroid_lps_mm == pytest.approx(before.centroid_lps_mm, abs=1e-6)


# ---- unknown stays unknown ------------------------------------------------------------------------------------------


def test_a_projection_has_an_area_and_no_volume() -> None:
    matrix = np.array([[2.0, 0.3, 0, -100], [0.2, 0, -400.0, 30], [0.1, -2.5, 0, 900], [0, 0, 0, 1]])
    grid = Grid((5, 7, 1), matrix)
    mask = Mask.of_voxels(np.array([[1, 1, 0], [2, 1, 0], [2, 5, 0]]), grid)
    pixels = Volume(np.arange(35.0).reshape(5, 7, 1), grid, projection=True)
    found = measured(mask, pixels)
    pixel = np.linalg.norm(np.cross(matrix[:3, 0], matrix[:3, 1]))
    assert found.volume_ml is None
    assert found.volume_error_ml is None
    assert found.area_mm2 == pytest.approx(3 * pixel)
    assert found.diameter_mm == pytest.approx(np.linalg.norm(2 * matrix[:3, 0] + 5 * matrix[:3, 1]), rel=1e-9)
    assert found.centroid_lps_mm is not None
    assert np.isnan(found.centroid_lps_mm).tolist() == [False, True, False]
    assert found.signal_max == 19
    assert found.physis is None
    assert found.why_not.startswith("no volume: a projection has no depth")
    # Without pixels the Series says that it is one.
    series = Series("planar", grid, "NM", "planar", "anterior", (), projection=True)
    assert measure_extent(Extent("planar", mask), series=series).volume_ml is None


def test_a_marker_and_nothing_drawn_have_no_size() -> None:
    marker = measure_extent(Extent("STIR", marker_lps_mm=(1.0, -2.0, 3.0)))
    assert marker == Measurement("STIR", centroid_lps_mm=(1.0, -2.0, 3.0), why_not="a marker has no size")
    assert measure_extent(Extent("STIR")).why_not == "nothing is drawn on this series"
    assert main_measurement(()) == Measurement(why_not="nothing is drawn: the lesion is known by its site only")


def test_values_that_are_missing_in_the_image_are_left_out() -> None:
    mask = Mask.of_voxels(np.array([[0, 0, 0], [0, 0, 1], [0, 0, 2]]), GRID)
    pixels = np.full(GRID.shape, 5.0)
    pixels[0, 0] = [1, np.nan, 2, *[9] * 8]
    found = measured(mask, Volume(pixels, GRID))
    assert (found.signal_mean, found.signal_max, found.signal_sd) == (1.5, 2.0, 0.5)
    assert found.signal_ratio is None
    assert "no signal ratio: the series has no reference region" in found.why_not
    empty = measured(mask, Volume(np.full(GRID.shape, np.nan), GRID))
    assert (empty.signal_mean, empty.signal_max, empty.signal_sd) == (None, None, None)
    assert empty.volume_ml is not None


def test_a_reference_of_zero_gives_no_ratio() -> None:
    mask = Mask.of_voxels(np.array([[0, 0, 0]]), GRID)
    assert measured(mask, Volume(np.ones(GRID.shape), GRID), reference=0.0).signal_ratio is None


def test_pixels_of_another_grid_are_refused() -> None:
    mask = Mask.of_voxels(np.array([[0, 0, 0]]), GRID)
    moved = MATRIX.copy()
    moved[0, 3] += 0.5
    with pytest.raises(LesionmapError, match=r"drawn on a grid of shape \(5, 7, 11\), but the series has .* elsewhere"):
        measured(mask, Volume(np.ones(GRID.shape), Grid(GRID.shape, moved)))
    hair = MATRIX.copy()
    hair[0, 3] += 1e-6  # as after a way through a file
    assert measured(mask, Volume(np.ones(GRID.shape), Grid(GRID.shape, hair))).signal_mean == 1


def test_only_the_box_of_the_image_is_read() -> None:
    class Watched(np.ndarray):
        seen: tuple[int, ...] = ()

        def __getitem__(self, key: Any) -> Any:
            part = np.asarray(super().__getitem__(key))
            Watched.seen = part.shape
            return part

    array = np.ones(GRID.shape).view(Watched)
    measured(Mask.of_voxels(np.array([[1, 1, 1], [2, 2, 3]]), GRID), Volume(array, GRID))
    assert Watched.seen == (2, 2, 3)


# ---- physis, whole lesions ------------------------------------------------------------------------------------------


class Share:
    def __init__(self, physis: str | None) -> None:
        self.physis = physis


@pytest.mark.parametrize(
    ("shares", "expected"),
    [(["spares", "crosses"], "spares"), (["touches"], "touches"), ([None, "crosses"], None), ([], None)],
)
def test_the_physis_is_that_of_the_bone_that_holds_most_of_the_mask(
    monkeypatch: pytest.MonkeyPatch, shares: list[str | None], expected: str | None
) -> None:
    found: list[NDArray[np.float64]] = []

    def site_shares(points: NDArray[np.float64], placement: Placement, labels: object) -> list[Share]:
        found.append(points)
        return [Share(x) for x in shares]

    monkeypatch.setattr(skeleton, "site_shares", site_shares, raising=False)
    mask = Mask.of_voxels(np.array([[1, 1, 1], [2, 2, 3]]), GRID)
    one = measure_extent(Extent("STIR", mask), None, PLACEMENT)
    assert one.physis == expected
    assert one.physis_by == ("computed" if expected else None)
    np.testing.assert_allclose(found[0], mask.lps_mm())
    lesion_map = add_lesion(EMPTY, sites=["ankle.left"], extents=[Extent("STIR", mask)])
    lesion_map = change_lesion(lesion_map, "L1", physis="touches")
    (said,) = measure_lesion(lesion_map.lesions[0], Visit("P001", date(2010, 5, 4)), {}, PLACEMENT)
    assert (said.physis, said.physis_by) == ("touches", "reader")


def test_a_map_is_measured_series_by_series() -> None:
    stir = Series("STIR", GRID, "MR", "STIR", "coronal", ())
    other = Grid((7, 5, 3), np.diag([2.0, -1.0, 5.0, 1.0]))
    visit = Visit("P001", date(2010, 5, 4), series=(stir, replace(stir, name="T1", grid=other, sequence="T1")))
    mask = Mask.of_voxels(np.array([[1, 1, 1]]), GRID)
    large = Mask.of(Volume(np.ones(other.shape), other))
    lesion_map = add_lesion(EMPTY, sites=["ankle.left"], extents=[Extent("T1", large), Extent("STIR", mask)])
    lesion_map = add_lesion(lesion_map, sites=["hip.left"])
    volumes = {"STIR": Volume(np.full(GRID.shape, 6.0), GRID)}
    muscle = Reference("STIR", Mask.of_voxels(np.array([[4, 4, 4]]), GRID))
    volumes["STIR"].array[4, 4, 4] = 2.0
    assert reference_mean(muscle, volumes["STIR"]) == 2
    found = measure_map(lesion_map, visit, volumes, references=[muscle, replace(muscle, series="T1")])
    assert [(x.series, x.sequence, x.signal_ratio) for x in found["L1"]] == [("T1", "T1", None), ("STIR", "STIR", 3.0)]
    assert found["L2"] == ()
    assert main_measurement(found["L1"]).series == "STIR"


def test_the_measurement_that_stands_for_the_lesion() -> None:
    nm = Measurement("nm", "NM", "planar", area_mm2=900.0)
    marker = Measurement("marker", "MR", "STIR")
    t1 = Measurement("t1", "MR", "T1", volume_ml=9.0)
    t2 = Measurement("t2", "MR", "T2", volume_ml=2.0)
    small, large = (Measurement(f"{v}", "MR", "STIR", volume_ml=v) for v in (1.0, 3.0))
    found = [marker, nm, t1, t2, small, large]
    order = []
    while found:
        order.append(main_measurement(found).series)
        found = [x for x in found if x.series != order[-1]]
    assert order == ["3.0", "1.0", "t2", "t1", "nm", "marker"]


@pytest.mark.parametrize(
    "ranked",
    [
        [("MR", "STIR"), ("MR", "T2"), ("MR", "DWI"), ("MR", "ADC"), ("MR", "T1"), ("MR", "PD")],
        [("MR", "T1"), ("CT", ""), ("NM", "planar"), ("US", "")],
        [("MR", ""), ("CT", "STIR")],
    ],
)
def test_modality_goes_before_sequence_and_both_before_the_size(ranked: list[tuple[str, str]]) -> None:
    found = [Measurement(f"{n}", *kind, volume_ml=1.0 + n) for n, kind in enumerate(ranked)]
    assert main_measurement(found[::-1]).series == main_measurement(found).series == "0"
    assert [main_measurement(found[n:]).series for n in range(len(found))] == [x.series for x in found]
    views = [Measurement("a", "NM", "planar", area_mm2=20.0), Measurement("b", "NM", "planar", area_mm2=30.0)]
    assert main_measurement(views).series == main_measurement(views[::-1]).series == "b"


def test_all_that_is_not_known_is_said_once_in_its_order() -> None:
    mask = Mask.of_voxels(np.array([[1, 1, 1]]), GRID)
    assert measured(mask).why_not == "no signal: the pixels were not given; no physis relation: no skeleton is placed"
    nothing = measured(mask, Volume(np.full(GRID.shape, np.inf), GRID), reference=2.0).why_not
    assert nothing == "no signal: the image has no values under the mask; no physis relation: no skeleton is placed"
    known = measured(mask, Volume(np.ones(GRID.shape), GRID), reference=2.0)
    assert known.why_not == "no physis relation: no skeleton is placed"
    assert known.signal_ratio == 0.5


def test_pixels_may_lie_off_by_a_hundredth_of_a_millimetre() -> None:
    mask = Mask.of_voxels(np.array([[0, 0, 0]]), GRID)
    for off, fits in ((0.009, True), (0.011, False)):
        matrix = MATRIX.copy()
        matrix[2, 3] += off
        pixels = Volume(np.ones(GRID.shape), Grid(GRID.shape, matrix))
        if fits:
            assert measured(mask, pixels).signal_mean == 1
        else:
            with pytest.raises(LesionmapError, match="or lies elsewhere"):
                measured(mask, pixels)
    with pytest.raises(LesionmapError, match=r"shape \(5, 7, 11\), but the series has one of shape \(5, 7, 12\) or"):
        measured(mask, Volume(np.ones((5, 7, 12)), Grid((5, 7, 12), MATRIX)))


# ---- projections ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_the_depth_of_a_projection_is_not_known(depth: int) -> None:
    matrix = np.eye(4)
    matrix[:3, :3] = np.roll(np.array([[0.1, 2.5, 0], [0.0, 0.2, 300.0], [2.0, 0.1, 0]]), depth - 1, axis=0)
    matrix[:3, 3] = [-7.0, 11.0, 400.0]
    grid = Grid((5, 7, 1), matrix)
    mask = Mask.of_voxels(np.array([[1, 1, 0], [2, 5, 0]]), grid)
    found = measured(mask, Volume(np.ones((5, 7, 1)), grid, projection=True)).centroid_lps_mm
    assert found is not None
    assert np.flatnonzero(np.isnan(found)).tolist() == [depth]
    known = [axis for axis in range(3) if axis != depth]
    assert np.array(found)[known] == pytest.approx(grid.lps([1.5, 3.0, 0.0])[known])


def test_counts_of_a_view() -> None:
    grid = Grid((5, 7, 1), np.diag([2.0, 3.0, 4.0, 1.0]))
    mask = Mask.of_voxels(np.array([[1, 1, 0], [2, 5, 0]]), grid)
    pixels = np.full((5, 7, 1), 2, dtype=np.uint8)
    pixels[1, 1], pixels[2, 5] = 200, 220  # their sum is more than 8 bit hold
    found = measured(mask, Volume(pixels, grid, projection=True))
    assert (found.counts, found.signal_mean) == (420.0, 210.0)
    assert found.counts_share == pytest.approx(210.0 / ((33 * 2 + 420) / 35))
    empty = measured(mask, Volume(pixels * 0, grid, projection=True))
    assert (empty.counts, empty.signal_mean, empty.counts_share) == (0.0, 0.0, None)
    series = Series("planar", grid, "NM", "planar", "anterior", (), phase="late", projection=True)
    unseen = measure_extent(Extent("planar", mask), series=series)
    assert (unseen.counts, unseen.counts_share, unseen.phase) == (None, None, "late")
    assert (unseen.modality, unseen.sequence) == ("NM", "planar")
    assert measure_extent(Extent("planar", mask, phase="early"), series=series).phase == "early"
    assert unseen.why_not == "no volume: a projection has no depth; no signal: the pixels were not given"


def test_early_over_late_is_a_ratio_of_means_over_the_views() -> None:
    def one(phase: Any, share: float | None) -> Measurement:
        return Measurement("v", "NM", "planar", counts_share=share, phase=phase)

    assert early_over_late([one("early", 1.0), one("late", 4.0), one("early", 3.0)]) == 0.5
    assert early_over_late([one("early", 1.0), one("late", 4.0), one("late", None), one(None, 9.0)]) == 0.25
    assert early_over_late([one("early", 1.0), one(None, 9.0)]) is None
    assert early_over_late([one("late", 1.0)]) is None
    assert early_over_late([one("early", 1.0), one("late", 0.0)]) is None
    assert early_over_late([]) is None
