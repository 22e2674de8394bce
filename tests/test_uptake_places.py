"""The other places of a view that a lesion is compared with, pixel by pixel, in a child that is its own mirror."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atlas_child import placed
from lesionmap import annotate, skeleton
from lesionmap.lesions import Mask
from lesionmap.measure import Uptake, geometric_mean
from lesionmap.measure.uptake import disc, mean_counts, shaft, uptake_of
from lesionmap.skeleton.limits import physis_planes
from lesionmap.skeleton.shape import posed_tubes
from lesionmap.space import Grid, Volume

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.skeleton import Placement

    Array = NDArray[np.float64]

SITE = "tibia.distal_metaphysis.left"
MIDLINE_MM = 37.0
DEPTH_MM = -130.0  # of the views: no bone lies there


@cache
def child() -> Placement:
    """Give a girl of nine whose right half is the mirror image of her left one, about x = 37 mm."""
    marks = {name: (x + MIDLINE_MM, y, z + 1000.0) for name, (x, y, z) in placed(9.0).positions().items()}
    return skeleton.place(marks, age_y=9.0, sex="F")


def coronal(low: Array, high: Array, pixel_mm: tuple[float, float], posterior: bool = False) -> Grid:
    """Give the grid of a view that shows x and z from ``low`` to ``high``."""
    columns, rows = (np.ceil((high - low)[[0, 2]] / pixel_mm)).astype(int).tolist()
    matrix = np.zeros((4, 4))
    matrix[0, 0], matrix[2, 1] = -pixel_mm[0] if posterior else pixel_mm[0], -pixel_mm[1]
    matrix[1, 2], matrix[3, 3] = -400.0 if posterior else 400.0, 1.0
    matrix[:3, 3] = [high[0] if posterior else low[0], DEPTH_MM, high[2]]
    return Grid((columns, rows, 1), matrix)


def about(at: Array, x_mm: float, z_mm: float, pixel_mm: tuple[float, float] = (0.5, 0.4)) -> Grid:
    reach = np.array([x_mm, 0.0, z_mm])
    return coronal(at - reach, at + reach, pixel_mm)


def everywhere(grid: Grid) -> NDArray[np.int_]:
    return np.argwhere(np.ones(grid.shape, dtype=bool))


def sloping(points: Array, z_mm: float) -> Array:
    """Give counts that are nowhere the same twice over, by place."""
    x, z = points[..., 0] - MIDLINE_MM, points[..., 2] - z_mm
    return np.asarray(400.0 + 1.5 * x + z + 0.02 * x * z)


def view_of(grid: Grid, z_mm: float = 0.0) -> Volume:
    return Volume(sloping(grid.lps(everywhere(grid)), z_mm).reshape(grid.shape), grid, projection=True)


def angle_at(grid: Grid, at: Array) -> NDArray[np.int_]:
    """Give the pixels of an angle of 9 and 6 mm about a place."""
    way = grid.lps(everywhere(grid)) - at
    x, z = way[:, 0], way[:, 2]
    upright = (np.abs(x) <= 1.0) & (z >= -3.0) & (z <= 6.0)
    across = (np.abs(z + 2.0) <= 1.0) & (x >= 0.0) & (x <= 6.0)
    return everywhere(grid)[upright | across]


def uptake(view: Volume, pixels: NDArray[np.int_], site: str = SITE) -> Uptake:
    return uptake_of(Mask.of_voxels(pixels, view.grid), site, view, child())


# ---- the mean of some pixels


def test_the_mean_is_of_all_pixels_or_not_known() -> None:
    grid = Grid((5, 7, 1), np.diag([2.0, 3.0, 4.0, 1.0]))
    view = Volume(np.arange(35.0).reshape(grid.shape) + 1.0, grid, projection=True)
    corners = np.array([[0, 0, 0], [4, 0, 0], [0, 6, 0], [4, 6, 0]])
    assert mean_counts(view, corners) == (1 + 29 + 7 + 35) / 4
    assert mean_counts(view, corners[[1]]) == 29.0
    for outside in ([-1, 3, 0], [5, 3, 0], [2, -1, 0], [2, 7, 0], [2, 3, -1], [2, 3, 1]):
        assert mean_counts(view, np.array([outside])) is None
        assert mean_counts(view, np.array([[2, 3, 0], outside])) is None
    assert mean_counts(view, corners[:0]) is None
    assert mean_counts(Volume(view.array * 0.0, grid, projection=True), corners) == 0.0


def test_counts_of_single_precision_are_summed_in_double() -> None:
    counts = np.array([[[2.0**24], [1.0], [1.0]]], dtype=np.float32)  # 2^24 + 1 is no number of single precision
    view = Volume(counts, Grid((1, 3, 1), np.eye(4)), projection=True)
    assert mean_counts(view, everywhere(view.grid)) == (2.0**24 + 2.0) / 3


# ---- the other side


@pytest.mark.parametrize("posterior", [False, True])
@pytest.mark.parametrize("off_mm", [(0.0, 0.0), (4.1, -3.2), (-11.0, 2.0)])
def test_each_pixel_is_compared_with_its_mirror_image(off_mm: tuple[float, float], posterior: bool) -> None:
    """Also where the lesion's middle lies beside the bone: what is mirrored keeps its way from it."""
    middle = np.array(annotate.site_middle(SITE, child()))
    reach = np.array([abs(middle[0] - MIDLINE_MM) + 40.0, 0.0, 40.0])
    centre = np.array([MIDLINE_MM, DEPTH_MM, middle[2]])
    view = view_of(coronal(centre - reach, centre + reach, (0.5, 0.4), posterior), middle[2])
    pixels = angle_at(view.grid, middle + np.array([off_mm[0], 0.0, off_mm[1]]))
    own = view.grid.lps(pixels)
    image = own * [-1.0, 1.0, 1.0] + [2 * MIDLINE_MM, 0.0, 0.0]
    expected = sloping(own, middle[2]).mean() / sloping(image, middle[2]).mean()
    assert uptake(view, pixels).mirrored_ratio == pytest.approx(expected, rel=2e-3)
    assert abs(expected - 1.0) > 0.3


def test_the_other_side_is_told_only_where_the_view_shows_it_and_it_is_another_place() -> None:
    middle = np.array(annotate.site_middle(SITE, child()))
    left = view_of(about(middle, 30.0, 30.0), middle[2])
    assert uptake(left, angle_at(left.grid, middle)).mirrored_ratio is None
    pubis = np.array(annotate.site_middle("pubis.whole.left", child()))
    view = view_of(about(np.array([MIDLINE_MM, 0.0, pubis[2]]), 60.0, 30.0), pubis[2])
    beside, across = (
        angle_at(view.grid, np.array([MIDLINE_MM + x, 0.0, pubis[2]])) for x in (1.5, 0.5)
    )  # its pixels begin 1 mm to the right of the place
    assert uptake(view, beside, "pubis.whole.left").mirrored_ratio is not None
    assert uptake(view, across, "pubis.whole.left").mirrored_ratio is None


def test_a_place_without_counts_gives_no_ratio_and_a_lesion_without_counts_one_of_zero() -> None:
    middle = np.array(annotate.site_middle(SITE, child()))
    grid = about(np.array([MIDLINE_MM, 0.0, middle[2]]), abs(middle[0] - MIDLINE_MM) + 30.0, 30.0)
    pixels = angle_at(grid, middle)
    counts = np.zeros(grid.shape)
    counts[tuple(pixels.T)] = 8.0
    assert uptake(Volume(counts, grid, projection=True), pixels).mirrored_ratio is None
    assert uptake(Volume(8.0 - counts, grid, projection=True), pixels).mirrored_ratio == 0.0


def test_pixels_beside_the_view_have_no_uptake() -> None:
    middle = np.array(annotate.site_middle(SITE, child()))
    large = about(middle, 60.0, 60.0)
    small = Grid((20, 30, 1), large.lps_from_voxel)
    pixels = angle_at(large, middle)
    assert uptake_of(Mask.of_voxels(pixels, large), SITE, view_of(small), child()) == Uptake()


# ---- the shaft


@pytest.mark.parametrize(("bone", "side"), [("tibia", "left"), ("femur", "right"), ("radius", "left")])
def test_a_shaft_is_a_band_of_8_mm_along_its_middle_third(bone: str, side: str) -> None:
    tube = max(
        (one for one in posed_tubes(child()) if (one.bone, one.side) == (bone, side)),
        key=lambda one: one.lengths_mm()[-1],
    )
    line = tube.at(np.linspace(1 / 3, 2 / 3, 300))[0]
    view = view_of(about(line.mean(axis=0), 150.0, 120.0, (1.9, 2.3)))
    found = shaft(bone, side, view, child())
    assert (found[:, 2] == 0).all()
    assert len(np.unique(found, axis=0)) == len(found)
    away = np.linalg.norm((view.grid.lps(found)[:, None] - line[None])[..., [0, 2]], axis=2).min(axis=1)
    assert away.max() <= np.hypot(4.0, 4.0) + np.hypot(1.9, 2.3) / 2 + 0.1
    held = set(map(tuple, found.tolist()))
    for across in (-4.0, 0.0, 4.0):
        seen = np.rint(view.grid.voxels(line[::15] * [1, 0, 1] + [across, DEPTH_MM, 0])).astype(int)
        assert np.mean([tuple(cell) in held for cell in seen.tolist()]) >= 0.95  # it is drawn by 41 points
    z = view.grid.lps(found)[:, 2]
    assert (z.min(), z.max()) == pytest.approx((line[:, 2].min() - 4.0, line[:, 2].max() + 4.0), abs=1.2)


def test_other_bones_have_no_shaft() -> None:
    view = view_of(about(np.array([MIDLINE_MM, 0.0, 1000.0]), 50.0, 50.0, (5.0, 5.0)))
    for bone, side in (("sternum", "midline"), ("clavicle", "left"), ("tibia", "midline")):
        assert shaft(bone, side, view, child()).shape == (0, 3)


def test_the_lesion_is_no_part_of_the_shaft_it_is_compared_with() -> None:
    place = np.array(annotate.site_middle("tibia.diaphysis.left", child()))
    grid = about(place, 60.0, 140.0, (2.0, 3.0))
    cells = shaft("tibia", "left", view_of(grid), child())
    counts = np.full(grid.shape, 1000.0)
    counts[tuple(cells.T)] = 60.0
    for rest, ratio in ((5, 12.0), (4, None)):  # of five pixels at least a mean is taken
        array = counts.copy()
        array[tuple(cells[:rest].T)] = 5.0
        view = Volume(array, grid, projection=True)
        assert uptake(view, cells[rest:], "tibia.diaphysis.left").shaft_ratio == ratio
    whole = Volume(counts, grid, projection=True)
    assert uptake(whole, cells[:3] * 0, "tibia.diaphysis.left").shaft_ratio == pytest.approx(1000 / 60)
    assert uptake(whole, cells[:3] * 0, "tibia.left").shaft_ratio is None


# ---- the plates


def test_a_disc_is_all_pixels_within_6_mm_whatever_the_depth() -> None:
    grid = coronal(np.zeros(3), np.array([60.0, 0.0, 90.0]), (2.0, 3.0))
    at = grid.lps([11, 8, 0]) + np.array([0.0, 77.0, 0.0])
    found = disc(Volume(np.zeros(grid.shape), grid, projection=True), at) - [11, 8, 0]
    # (2a)² + (3b)² ≤ 36, the rim counts
    expected = {(a, b, 0) for a in range(-9, 10) for b in range(-9, 10) if 4 * a * a + 9 * b * b <= 36}
    assert len(expected) == 19
    assert set(map(tuple, found.tolist())) == expected
    corner = np.array([1.7, -20.0, 88.1])  # near a corner: what lies outside is told too
    cut = disc(Volume(np.zeros(grid.shape), grid, projection=True), corner)
    lattice = np.argwhere(np.ones((41, 41, 1), dtype=bool)) - [10, 10, 0]
    near = np.linalg.norm((grid.lps(lattice) - corner)[:, [0, 2]], axis=1) <= 6.0
    assert set(map(tuple, cut.tolist())) == set(map(tuple, lattice[near].tolist()))
    assert (cut < 0).any()


def plate(bone: str, side: str, segment: str) -> Array:
    (at,) = (row[3] for row in physis_planes(child()) if row[:2] == (bone, side) and segment in row[2])
    return at


@pytest.mark.parametrize("way", [(1.0, 0.0), (-0.6, 0.8)])
def test_a_plate_within_15_mm_of_the_lesion_is_beside_it(way: tuple[float, float]) -> None:
    """On a view that shows one plate alone."""
    at = plate("femur", "left", "distal_epiphysis")
    view = view_of(about(at, 40.0, 16.0, (0.25, 0.25)), at[2])
    value = mean_counts(view, disc(view, at))
    assert value is not None
    for away, seen in ((14.6, False), (15.4, True)):
        pixel = np.rint(view.grid.voxels(at * [1, 0, 1] + [away * way[0], DEPTH_MM, away * way[1]])).astype(int)
        ratio = uptake(view, pixel[None]).plates_ratio
        expected = mean_counts(view, pixel[None])
        assert expected is not None
        assert ratio == (pytest.approx(expected / value) if seen else None)


def test_a_plate_that_the_view_cuts_is_not_seen() -> None:
    at = plate("femur", "left", "distal_epiphysis")
    for below, seen in ((6.6, True), (5.4, False)):
        low, high = at - np.array([40.0, 0.0, below]), at + np.array([40.0, 0.0, 16.0])
        view = view_of(coronal(low, high, (0.25, 0.25)), at[2])
        assert (uptake(view, np.array([[3, 3, 0]])).plates_ratio is not None) == seen


def test_plates_are_told_by_their_median() -> None:
    """One hot plate, as a lesion makes it, does not move it: here all of the limbs, each with its own counts."""
    planes = np.array([row[3] for row in physis_planes(child())])
    low, high = planes.min(axis=0) - 30.0, planes.max(axis=0) + 30.0
    grid = coronal(low, high, (3.0, 3.0))
    points = grid.lps(everywhere(grid))
    away = np.linalg.norm((points[:, None] - planes[None])[..., [0, 2]], axis=2)
    counts = (10.0 * 1.5 ** away.argmin(axis=1)).reshape(grid.shape)
    view = Volume(counts, grid, projection=True)
    lesion = np.array([[4, 4, 0]])
    means = [counts.ravel()[away[:, n] <= 6.0].mean() for n in range(len(planes))]
    assert uptake(view, lesion).plates_ratio == pytest.approx(counts[4, 4, 0] / np.median(means))


# ---- both views as one


def test_the_geometric_mean_is_of_counts_and_never_of_what_is_below_zero() -> None:
    front = Grid((4, 3, 1), coronal(np.zeros(3), np.full(3, 40.0), (2.0, 3.0)).lps_from_voxel)
    behind = Grid(
        (4, 3, 1), front.lps_from_voxel * [-1.0, 1.0, -1.0, 1.0] + np.eye(4)[:, 3] * [[6.0], [900.0], [0], [0]]
    )
    counts = np.full((4, 3, 1), 0.25)
    counts[1, 1], counts[2, 1] = -4.0, -9.0  # as lossy compression makes them
    back = np.full((4, 3, 1), 0.16)
    back[2, 1], back[0, 2] = -4.0, -1.0  # there the posterior view runs the other way
    mean = geometric_mean(Volume(counts, front, projection=True), Volume(back, behind, projection=True))
    expected = np.full((4, 3, 1), 0.2)
    expected[1, 1] = expected[2, 1] = expected[3, 2] = 0.0
    assert np.allclose(mean.array, expected)
    assert mean.projection
    assert mean.grid == front
