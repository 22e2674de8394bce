"""The outline of a station in a slice, on a grid that lies obliquely and has no two sides alike."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from lesionmap.space import Grid, Volume
from lesionmap.visits import Series, Station
from napari_lesionmap.layers import image_layer, world_from_lps
from napari_lesionmap.seams import STATIONS, Seams, cut_of_box
from napari_lesionmap.session import Session

_TURNED = np.array([[-2.9, 0.2, 0.5, 80.0], [0.1, -0.4, 5.9, -30.0], [-0.3, -3.1, -0.2, 200.0], [0, 0, 0, 1.0]])
GRID = Grid((50, 70, 11), _TURNED)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_line_lies_in_the_slice_and_on_the_faces_of_the_box(axis: int) -> None:
    corners = world_from_lps(GRID.corners_lps_mm())
    at = float(corners[:, axis].min() * 0.4 + corners[:, axis].max() * 0.6)
    line = cut_of_box(GRID, axis, at)
    assert len(line) >= 4
    assert line[0] == pytest.approx(line[-1])
    assert world_from_lps(line)[:, axis] == pytest.approx(at)
    voxel = GRID.voxels(line)
    off = np.minimum(np.abs(voxel + 0.5), np.abs(voxel - (np.array(GRID.shape) - 0.5)))
    # A slice meets the edges of the box: there a point lies on two of its faces.
    assert np.all(np.sort(off, axis=1)[:, 1] < 1e-9)


def test_a_slice_beside_the_box_has_no_line() -> None:
    assert len(cut_of_box(GRID, 0, 500.0)) == 0


def test_only_a_series_of_several_stations_has_lines() -> None:
    viewer, session = ViewerModel(), Session()
    seams = Seams(viewer, session)
    assert seams.n_stations == 0
    seams.toggle()
    assert STATIONS not in viewer.layers
    seams.close()


def test_lines_of_stations_come_and_go_and_leave_the_slices_alone() -> None:
    class Shown(Session):
        series = Series("STIR coronal", GRID, "MR", "STIR", "coronal", (Station(GRID, ()), Station(GRID, ())))
        volume = Volume(np.zeros(GRID.shape, np.float32), GRID)

    viewer, session = ViewerModel(), Shown()
    data, options, _ = image_layer(session.volume, "STIR coronal")
    viewer.add_image(data, **options)
    slices = viewer.dims.nsteps
    seams = Seams(viewer, session)
    assert seams.n_stations == 2
    assert seams.toggle()
    viewer.dims.point = tuple(world_from_lps(GRID.corners_lps_mm()).mean(axis=0))
    assert len(viewer.layers[STATIONS].data) >= 8
    assert viewer.dims.nsteps == pytest.approx(slices, abs=1)
    assert not seams.toggle()
    assert STATIONS not in viewer.layers
    seams.close()
