"""The skeleton on a planar bone scan: from eight landmarks, by the counts, and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom.data import get_testdata_file

from lesionmap import skeleton
from lesionmap.errors import LesionmapError
from lesionmap.phantom.bone_scan import MATRIX, PIXEL_MM
from lesionmap.place import place_views
from lesionmap.read import pixels, scan
from lesionmap.space import Grid, Volume
from planar_cases import EIGHT, eight_of, off_mm, scan_of

if TYPE_CHECKING:
    from lesionmap.place.counts import Face


def test_the_two_views_overlay_and_show_the_truth() -> None:
    case = scan_of(8.0, 2)
    both = case.views
    assert both["anterior"].array.shape == both["posterior"].array.shape == (*MATRIX[::-1], 1)
    total = sum(int(view.array.sum()) for view in both.values())
    assert total == pytest.approx(case.case.counts, rel=0.01)
    assert 5e5 <= case.case.counts <= 2e6
    knee = case.case.landmarks()["knee_left"]
    for view in both.values():
        i, j, _ = view.grid.voxels([knee[0], view.grid.lps_from_voxel[1, 3], knee[2]]).astype(int)
        there = view.array[i - 10 : i + 11, j - 10 : j + 11].mean()
        beyond = view.array[i - 10 : i + 11, j + 30 : j + 51].mean()
        assert there > 1.5 * beyond  # growth plates against the shank


def test_growth_plates_are_drawn_by_seed_within_the_asked_ratios() -> None:
    plates = scan_of(8.0, 2).case.plates
    pairs = {name.rsplit(".", 1)[0] for name in plates}
    for pair in pairs:
        left, right = plates[f"{pair}.left"], plates[f"{pair}.right"]
        assert 0.89 * 2.0 <= min(left, right) <= max(left, right) <= 1.11 * 9.0
        assert abs(left - right) <= 0.2 * (left + right) / 2 + 1e-9
    assert len({round(value, 3) for value in plates.values()}) > len(pairs)


def test_bladder_and_injection_are_hot_where_the_truth_says() -> None:
    case = scan_of(8.0, 2)
    view = case.case.anterior
    for place in case.case.not_bone.values():
        i, j, _ = view.grid.voxels([place[0], view.grid.lps_from_voxel[1, 3], place[2]]).astype(int)
        assert view.array[i - 2 : i + 3, j - 2 : j + 3].mean() > 5 * np.median(view.array[view.array > 0])


@pytest.mark.parametrize(("age", "seed"), [(4.0, 1), (8.0, 2)])
def test_eight_landmarks_of_either_view_place_all_in_the_plane(age: float, seed: int) -> None:
    case = scan_of(age, seed)
    given = eight_of(case, seed)
    placed = skeleton.place(given, age_y=age, sex=case.sex, flat=True)
    assert np.median(list(off_mm(placed, case).values())) <= 10.0
    marks = {mark.name: mark for mark in placed.landmarks}
    for name in EIGHT:
        assert marks[name].placed
        assert (marks[name].lps_mm[0], marks[name].lps_mm[2]) == pytest.approx((given[name][0], given[name][2]))
        assert marks[name].radius90_mm > 0  # its depth is estimated
    assert placed.warnings == ()


def test_depth_that_is_given_with_a_flat_landmark_is_not_used() -> None:
    case = scan_of(4.0, 1)
    given = eight_of(case, 1)
    moved = {name: (x, 900.0 * i, z) for i, (name, (x, _, z)) in enumerate(given.items())}
    one, other = (skeleton.place(marks, age_y=4.0, flat=True) for marks in (given, moved))
    assert one.positions() == other.positions()


def test_depths_estimated_from_flat_landmarks_are_those_of_the_body() -> None:
    case = scan_of(8.0, 2)
    at = skeleton.place(eight_of(case, 2), age_y=8.0, sex=case.sex, flat=True).positions()
    true = case.case.landmarks()
    off = np.array([at[name][1] - true[name][1] for name in true])
    assert np.median(np.abs(off - np.median(off))) <= 15.0
    assert at["xiphoid"][1] < at["T12"][1] - 40.0


@pytest.mark.parametrize(("age", "seed"), [(4.0, 1), (8.0, 2)])
def test_the_counts_alone_place_the_skeleton(age: float, seed: int) -> None:
    case = scan_of(age, seed)
    placed = place_views(case.views, age_y=age, sex=case.sex)
    off = off_mm(placed, case)
    assert np.median(list(off.values())) <= 12.0
    radii = {mark.name: mark.radius90_mm for mark in placed.landmarks}
    assert np.mean([off[name] <= radii[name] for name in off]) >= 0.85
    assert placed.how == "silhouette"
    assert not any(mark.placed for mark in placed.landmarks)


def test_one_view_alone_places_too() -> None:
    case = scan_of(8.0, 2)
    for face, view in case.views.items():
        placed = place_views({face: view}, age_y=8.0, sex=case.sex)
        assert np.median(list(off_mm(placed, case).values())) <= 20.0


def test_without_age_the_size_is_that_of_the_body() -> None:
    case = scan_of(8.0, 2)
    placed = place_views(case.views)
    assert placed.inferred == ("age_y", "stature_cm")
    assert placed.stature_cm == pytest.approx(case.case.body.size.stature_cm, rel=0.06)
    assert np.median(list(off_mm(placed, case).values())) <= 20.0


def test_landmarks_of_a_reader_stay_and_the_counts_do_the_rest() -> None:
    case = scan_of(8.0, 2)
    given = eight_of(case, 2)
    alone = skeleton.place(given, age_y=8.0, sex=case.sex, flat=True)
    with_counts = place_views(case.views, given, age_y=8.0, sex=case.sex)
    better, before = (np.median(list(off_mm(p, case).values())) for p in (with_counts, alone))
    assert better < before
    at = with_counts.positions()
    assert all((at[n][0], at[n][2]) == pytest.approx((p[0], p[2])) for n, p in given.items())


def _changed(view: Volume, array: np.ndarray) -> Volume:
    return Volume(array, view.grid, projection=True)


def _refused(views: dict[Face, Volume], words: str) -> None:
    with pytest.raises(LesionmapError, match=words):
        place_views(views, age_y=8.0)


def test_views_that_cannot_be_a_bone_scan_are_refused() -> None:
    case = scan_of(8.0, 2)
    front, back = case.case.anterior, case.case.posterior
    _refused({}, "an anterior or a posterior view was expected, none came")
    less = front.array.astype(np.int32) - 3
    _refused({"anterior": _changed(front, less)}, "counts of 0 or more were expected in the anterior view, the least")
    _refused({"posterior": _changed(back, np.zeros_like(back.array))}, "50,000 counts or more were expected in the pos")
    half = np.eye(4) * [PIXEL_MM, 1.0, PIXEL_MM, 1.0]
    small = Volume(back.array[:, :512], Grid((256, 512, 1), back.grid.lps_from_voxel), projection=True)
    _refused(
        {"anterior": front, "posterior": small}, "one size, the anterior is 256 × 1024 pixels of 2.4 × 2.4 mm, the"
    )
    _refused({"anterior": Volume(np.ones((9, 9, 9)), Grid((9, 9, 9), half))}, "a volume with depth came")
    lost = np.where(front.array > 40, np.nan, front.array)
    _refused({"anterior": _changed(front, lost)}, "some pixels are no number")
    flat = np.random.default_rng(0).poisson(9.0, front.array.shape)
    _refused({"anterior": _changed(front, flat)}, "little like them was found")


def test_the_real_scan_of_pydicom_is_placed_though_its_compression_left_values_below_0() -> None:
    (visit,) = scan([str(get_testdata_file("JPEG2000.dcm"))], view="anterior").studies
    view = pixels(visit.series[0])
    assert view.array.min() < 0
    placed = place_views({"anterior": view})
    assert placed.warnings == ("the anterior view has values below 0, as lossy compression makes them; taken as 0",)
    assert 155.0 <= placed.stature_cm <= 185.0
    at = placed.positions()
    bladder = at["pubis"]  # by eye: the bladder's middle lies at x 20, z 1365, the knees at z 870, the ankles at z 500
    assert abs(bladder[0] - 20.0) <= 30.0
    assert at["knee_left"][2] == pytest.approx(870.0, abs=50.0)
    assert at["ankle_right"][2] == pytest.approx(500.0, abs=50.0)


def test_exchanged_views_are_refused() -> None:
    case = scan_of(8.0, 2)
    front, back = case.case.anterior, case.case.posterior
    _refused({"anterior": _changed(front, back.array), "posterior": _changed(back, front.array)}, "are exchanged")


def test_a_mirrored_file_beside_one_that_is_not_is_refused() -> None:
    case = scan_of(8.0, 2)
    back = case.case.posterior
    _refused({"anterior": case.case.anterior, "posterior": _changed(back, back.array[::-1])}, "shows its mirror image")


def test_from_another_visit_the_search_begins_with_how_the_child_lay() -> None:
    case = scan_of(8.0, 2)
    lain = {name: (p[0] + 35.0, 80.0, p[2] - 700.0) for name, p in case.case.landmarks().items()}  # another frame
    before = skeleton.place(lain, age_y=7.5, sex=case.sex)
    placed = place_views(case.views, age_y=8.0, sex=case.sex, before=before)
    assert placed.how == "previous"
    assert not any(mark.placed for mark in placed.landmarks)
    alone = place_views(case.views, age_y=8.0, sex=case.sex)
    errors = [np.median(list(off_mm(one, case).values())) for one in (placed, alone)]
    assert errors[0] < min(10.0, errors[1] + 2.0)
