"""Laws of the reader's facts: Mask above all."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionmap.errors import LesionmapError
from lesionmap.lesions import LesionMap, Mask
from lesionmap.space import Grid, Volume
from strategies import grids, label_volumes, lesion_maps, masks


@given(masks())
def test_a_mask_survives_the_way_through_a_volume(mask: Mask) -> None:
    again = Mask.of(mask.volume())
    assert again == mask
    assert hash(again) == hash(mask)


@given(grids(), st.data())
def test_a_ball_is_what_lies_within_its_radius_and_the_voxel_that_holds_its_middle(
    grid: Grid, data: st.DataObject
) -> None:
    at = np.array([data.draw(st.floats(-0.4, n - 0.6)) for n in grid.shape])
    radius_mm = data.draw(st.floats(0.0, 4.0)) * max(grid.spacing_mm)
    middle = grid.lps(at)
    every = np.argwhere(np.ones(grid.shape, dtype=bool))
    inside = {tuple(v) for v in every[np.linalg.norm(grid.lps(every) - middle, axis=1) <= radius_mm].tolist()}
    inside.add(tuple(np.rint(at).astype(int).tolist()))
    found = {tuple(v) for v in Mask.ball(grid, middle, radius_mm).voxels().tolist()}
    assert found == inside


def test_a_ball_outside_its_grid_is_refused() -> None:
    with pytest.raises(LesionmapError, match=r"do not lie in a grid of shape \(5, 7, 11\)"):
        Mask.ball(Grid((5, 7, 11), np.diag([2.0, 3.0, 4.0, 1.0])), (100.0, 0.0, 0.0), 8.0)


@given(masks())
def test_the_box_is_tight_and_read_only(mask: Mask) -> None:
    for axis in range(3):
        flat = np.asarray(mask.box.any(axis=tuple({0, 1, 2} - {axis})))
        assert flat[0]
        assert flat[-1]
    assert not mask.box.flags.writeable


@given(masks())
def test_voxels_points_and_slices_tell_of_the_same_places(mask: Mask) -> None:
    whole = mask.volume()
    assert mask.n_voxels == len(mask.voxels()) == np.count_nonzero(whole.array)
    assert whole.array[tuple(mask.voxels().T)].all()
    np.testing.assert_array_equal(whole.array[mask.slices], mask.box)
    np.testing.assert_allclose(mask.lps_mm(), mask.grid.lps(np.argwhere(whole.array)))
    assert mask.grid.contains(mask.lps_mm()).all()


@given(label_volumes())
def test_a_mask_of_a_label_volume_holds_all_that_is_not_zero(volume: Volume) -> None:
    if volume.array.any():
        np.testing.assert_array_equal(Mask.of(volume).volume().array, volume.array != 0)


@given(masks(), grids())
def test_masks_on_other_grids_differ(mask: Mask, grid: Grid) -> None:
    other = Mask(grid, mask.origin, mask.box)
    assert (other == mask) == (grid == mask.grid)
    assert mask != "a mask"


@given(grids())
def test_masks_that_are_none_are_refused(grid: Grid) -> None:
    with pytest.raises(LesionmapError, match="a mask needs at least one voxel, got an empty one"):
        Mask.of(Volume(np.zeros(grid.shape), grid))
    words = f"do not lie in a grid of shape {grid.shape}"
    for voxel in ([-1, 0, 0], [0, grid.shape[1], 0]):
        with pytest.raises(LesionmapError, match=re.escape(words)):
            Mask.of_voxels(np.array([voxel]), grid)


@given(lesion_maps())
def test_a_lesion_is_found_by_its_id_and_nothing_else(lesion_map: LesionMap) -> None:
    for lesion in lesion_map.lesions:
        assert lesion_map.lesion(lesion.id) is lesion
    with pytest.raises(LesionmapError, match=r"visit 2010-05-04 has no lesion 'L99'; it has: (L\d|none)"):
        lesion_map.lesion("L99")


@given(lesion_maps())
def test_numbers_used_before_do_not_make_maps_unequal(lesion_map: LesionMap) -> None:
    assert dataclasses.replace(lesion_map, used=lesion_map.used + 7) == lesion_map


@given(data=st.data())
def test_a_mask_comes_back_from_the_same_voxels_in_another_order(data: st.DataObject) -> None:
    mask = data.draw(masks())
    grid = mask.grid
    order = data.draw(st.permutations(range(3)))
    signs = data.draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=3, max_size=3))
    shift = [data.draw(st.sampled_from([0.0, 0.3, -0.45])) for _ in range(3)]
    own_from_other = np.eye(4)
    own_from_other[:3, :3] = np.eye(3)[:, list(order)] * signs
    far = [grid.shape[axis] - 1 for axis in range(3)]
    own_from_other[:3, 3] = [far[axis] * (signs[list(order).index(axis)] < 0) + shift[axis] for axis in range(3)]
    shape = (grid.shape[order[0]], grid.shape[order[1]], grid.shape[order[2]])
    there = mask.on(Grid(shape, grid.lps_from_voxel @ own_from_other))
    assert there is not None
    assert there.n_voxels == mask.n_voxels
    assert there.on(grid) == mask
    if not any(shift):
        one, other = there.lps_mm(), mask.lps_mm()
        np.testing.assert_allclose(one[np.lexsort(one.round(3).T)], other[np.lexsort(other.round(3).T)], atol=1e-6)


def test_a_mask_on_coarser_and_on_finer_voxels_takes_the_nearest() -> None:
    grid = Grid((5, 7, 11), np.diag([2.0, 3.0, 4.0, 1.0]))
    box = np.argwhere(np.ones((5, 7, 11), dtype=bool))
    mask = Mask.of_voxels(box[(box[:, 0] < 2) & (box[:, 2] > 8)], grid)
    matrix = np.diag([1.0, 3.0, 8.0, 1.0])
    matrix[:3, 3] = [-0.5, 0, 0]
    found = mask.on(Grid((10, 7, 6), matrix))
    assert found is not None
    assert sorted(set(found.voxels()[:, 0].tolist())) == [0, 1, 2, 3]
    assert set(found.voxels()[:, 2].tolist()) == {5}
    assert mask.on(Grid((5, 7, 11), np.diag([2.0, 3.0, 0.1, 1.0]))) is None


@given(masks())
def test_masks_on_one_grid_are_united(mask: Mask) -> None:
    other = Mask.of_voxels(np.array([[0, 0, 0]]), mask.grid)
    both = Mask.united([mask, other, mask])
    np.testing.assert_array_equal(both.volume().array, mask.volume().array | other.volume().array)
    elsewhere = Mask.of_voxels(np.array([[0, 0, 0]]), mask.grid.crop((0, 0, 0), (1, 1, 1)))
    with pytest.raises(LesionmapError, match="masks to be united lie on one grid, got several"):
        Mask.united([mask, elsewhere])
