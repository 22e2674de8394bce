"""Laws of the reader's facts: Mask above all."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given

from lesionmap.errors import LesionmapError
from lesionmap.lesions import LesionMap, Mask
from lesionmap.space import Grid, Volume
from strategies import grids, label_volumes, lesion_maps, masks


@given(masks())
def test_a_mask_survives_the_way_through_a_volume(mask: Mask) -> None:
    again = Mask.of(mask.volume())
    assert again == mask
    assert hash(again) == hash(mask)


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
