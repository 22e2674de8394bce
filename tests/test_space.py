"""Laws of Grid, Volume and resample."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionmap.errors import LesionmapError
from lesionmap.space import Grid, Volume, resample
from strategies import grids, label_volumes, lps_points

if TYPE_CHECKING:
    from numpy.typing import NDArray


@given(grids())
def test_strategy_is_never_symmetric(grid: Grid) -> None:
    linear = grid.lps_from_voxel[:3, :3]
    assert len(set(grid.shape)) == 3
    assert len({round(mm, 6) for mm in grid.spacing_mm}) == 3
    assert np.count_nonzero(np.abs(linear) > 1e-9) > 3  # tilted: not a permutation of axes


@given(grids(), st.lists(st.tuples(*[st.floats(-50, 50)] * 3), min_size=1, max_size=5))
def test_voxel_to_world_to_voxel_is_identity(grid: Grid, rows: list[tuple[float, float, float]]) -> None:
    voxels = np.array(rows)
    np.testing.assert_allclose(grid.voxels(grid.lps(voxels)), voxels, atol=1e-8)


@given(grids(), lps_points())
def test_world_to_voxel_to_world_is_identity(grid: Grid, points: NDArray[np.float64]) -> None:
    np.testing.assert_allclose(grid.lps(grid.voxels(points)), points, atol=1e-6)


@given(grids())
def test_spacing_is_the_distance_of_neighbours_and_volume_their_box(grid: Grid) -> None:
    steps = grid.lps(np.eye(3)) - grid.lps([0, 0, 0])
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), grid.spacing_mm)
    box_ml = abs(np.dot(np.cross(steps[0], steps[1]), steps[2])) / 1000
    assert grid.voxel_volume_ml == pytest.approx(box_ml)


@given(grids(), st.permutations(range(3)), st.tuples(*[st.booleans()] * 3))
def test_volume_and_obliquity_survive_any_order_of_axes(
    grid: Grid, order: list[int], flips: tuple[bool, bool, bool]
) -> None:
    """Turn the axes round and count from their other ends: the same voxels in the same places."""
    matrix = grid.lps_from_voxel.copy()
    for axis, flip in enumerate(flips):
        if flip:
            matrix[:3, 3] += matrix[:3, axis] * (grid.shape[axis] - 1)
            matrix[:3, axis] *= -1
    matrix[:3, :3] = matrix[:3, order]
    turned = Grid((grid.shape[order[0]], grid.shape[order[1]], grid.shape[order[2]]), matrix)
    assert turned.voxel_volume_ml == pytest.approx(grid.voxel_volume_ml)
    assert turned.obliquity_deg == pytest.approx(grid.obliquity_deg, abs=1e-5)
    ours = np.sort(turned.corners_lps_mm().round(4), axis=0)
    np.testing.assert_allclose(ours, np.sort(grid.corners_lps_mm().round(4), axis=0), atol=2e-4)


@given(grids())
def test_every_voxel_centre_is_inside_and_every_corner_on_the_border(grid: Grid) -> None:
    index = np.argwhere(np.ones(grid.shape, dtype=bool))
    assert grid.contains(grid.lps(index)).all()
    middle = grid.corners_lps_mm().mean(axis=0)
    outwards = grid.corners_lps_mm() + (grid.corners_lps_mm() - middle) * 1e-3
    assert not grid.contains(outwards).any()


@given(grids(), st.data())
def test_crop_keeps_every_voxel_where_it_is(grid: Grid, data: st.DataObject) -> None:
    i, j, k = (data.draw(st.integers(0, n - 1)) for n in grid.shape)
    part = grid.crop((i, j, k), (1, 2, 3))
    np.testing.assert_allclose(part.lps([0, 1, 2]), grid.lps([i, j + 1, k + 2]), atol=1e-9)


def test_letters_of_a_tilted_coronal_left_handed_grid() -> None:
    """Columns to the patient's left, rows to the feet, slices to the front, tilted 15 degrees about x."""
    c, s = np.cos(np.radians(15)), np.sin(np.radians(15))
    matrix = np.eye(4)
    matrix[:3, 0] = [1.2, 0, 0]
    matrix[:3, 1] = [0, 1.7 * s, -1.7 * c]
    matrix[:3, 2] = [0, -5 * c, -5 * s]
    grid = Grid((5, 7, 11), matrix)
    assert grid.letters == ("L", "F", "A")
    assert grid.obliquity_deg == pytest.approx(15)
    assert grid.spacing_mm == pytest.approx((1.2, 1.7, 5))


@given(label_volumes())
def test_resample_onto_its_own_grid_changes_nothing(volume: Volume) -> None:
    np.testing.assert_array_equal(resample(volume, volume.grid, order=0).array, volume.array)


@given(label_volumes(), st.data())
def test_resample_onto_a_crop_cuts_it_out(volume: Volume, data: st.DataObject) -> None:
    low = [data.draw(st.integers(0, n - 1)) for n in volume.grid.shape]
    size = [data.draw(st.integers(1, n - o)) for n, o in zip(volume.grid.shape, low, strict=True)]
    grid = volume.grid.crop((low[0], low[1], low[2]), (size[0], size[1], size[2]))
    cut = volume.array[tuple(slice(o, o + n) for o, n in zip(low, size, strict=True))]
    np.testing.assert_array_equal(resample(volume, grid, order=0).array, cut)


@given(label_volumes(), grids())
def test_nearest_resample_gives_the_voxel_that_holds_the_point(volume: Volume, target: Grid) -> None:
    got = resample(volume, target, order=0, outside=9).array
    centres = target.lps(np.moveaxis(np.indices(target.shape), 0, -1))
    index = volume.grid.voxels(centres)
    clear = np.all(np.abs(index - np.floor(index) - 0.5) > 1e-6, axis=-1)  # not on the border of two voxels
    inside = volume.grid.contains(centres)
    assert (got[~inside & clear] == 9).all()
    nearest = np.rint(index[inside & clear]).astype(int)
    np.testing.assert_array_equal(got[inside & clear], volume.array[tuple(nearest.T)])


@given(grids(), grids(), st.tuples(*[st.floats(-2, 2)] * 3))
def test_resample_carries_a_linear_field_to_the_same_millimetres(
    source: Grid, target: Grid, slope: tuple[float, float, float]
) -> None:
    """A linear field is resampled without error wherever the source reaches; elsewhere stands ``outside``."""
    everywhere = source.lps(np.moveaxis(np.indices(source.shape), 0, -1)) @ slope
    got = resample(Volume(everywhere, source), target, outside=np.nan).array
    truth = target.lps(np.moveaxis(np.indices(target.shape), 0, -1)) @ slope
    reached = np.isfinite(got)
    np.testing.assert_allclose(got[reached], truth[reached], atol=1e-6)
    index = source.voxels(target.lps(np.moveaxis(np.indices(target.shape), 0, -1)))
    deep = np.all((index > 0.01) & (index < np.array(source.shape) - 1.01), axis=-1)
    assert reached[deep].all()


@given(label_volumes(), grids())
def test_resample_keeps_the_type_and_the_projection(volume: Volume, grid: Grid) -> None:
    assert resample(volume, grid, order=0).array.dtype == volume.array.dtype
    assert not resample(volume, grid).projection


@given(grids())
def test_equal_grids_hash_alike_and_are_read_only(grid: Grid) -> None:
    twin = Grid(grid.shape, grid.lps_from_voxel.copy())
    assert twin == grid
    assert hash(twin) == hash(grid)
    assert grid != "a grid"
    with pytest.raises(ValueError, match="read-only"):
        grid.lps_from_voxel[0, 0] = 1.0


@pytest.mark.parametrize(
    ("shape", "matrix", "words"),
    [
        ((5, 7, 11), np.eye(3), "lps_from_voxel must be a finite 4×4 matrix in mm, got shape (3, 3)"),
        ((5, 7, 11), np.diag([2.0, np.nan, 4.0, 1.0]), "must be a finite 4×4 matrix"),
        ((5, 7, 11), np.diag([2.0, 0.0, 4.0, 1.0]), "must be an invertible affine matrix"),
        ((5, 7, 11), np.diag([2.0, 3.0, 4.0, 2.0]), "must be an invertible affine matrix"),
        ((5, 0, 11), np.diag([2.0, 3.0, 4.0, 1.0]), "three axes of at least one voxel, got shape (5, 0, 11)"),
        ((5, 7), np.diag([2.0, 3.0, 4.0, 1.0]), "three axes of at least one voxel, got shape (5, 7)"),
    ],
)
def test_a_grid_that_is_none_is_refused(shape: tuple[int, int, int], matrix: NDArray[np.float64], words: str) -> None:
    with pytest.raises(LesionmapError, match=re.escape(words)):
        Grid(shape, matrix)


def test_an_array_of_another_shape_is_refused() -> None:
    grid = Grid((5, 7, 11), np.diag([-2.0, -3.0, 4.0, 1.0]))
    with pytest.raises(LesionmapError, match=re.escape("array of shape (7, 5, 11) does not fit a grid of shape (5, 7")):
        Volume(np.zeros((7, 5, 11)), grid)
    with pytest.raises(LesionmapError, match="a projection is one voxel deep, got shape"):
        Volume(np.zeros((5, 7, 11)), grid, projection=True)
