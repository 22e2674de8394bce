"""Where stations imaged and where not: a 0 of a joined volume is a signal in the one place, none in the other."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dicom_files as df
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, Mask
from lesionmap.measure import measure_extent, reference_mean
from lesionmap.read import imaged, pixels, scan, station_of
from lesionmap.read.blend import join
from lesionmap.read.stations import joined_grid
from lesionmap.segment import grow
from lesionmap.space import Grid, Volume
from lesionmap.store.plain import dumps, loads
from lesionmap.visits import Reference, Series, Station, Visit

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

TURNED = df.turned(7, -5, 4) @ np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])


def _voxels(grid: Grid) -> NDArray[np.int_]:
    return np.moveaxis(np.indices(grid.shape), 0, -1)


def _series(*stations: Grid) -> Series:
    return Series("STIR", joined_grid(stations), "MR", "STIR", "coronal", tuple(Station(grid, ()) for grid in stations))


def _station(
    down_mm: float, *, right_mm: float = 0, shape: tuple[int, int, int] = (12, 20, 5), fine: float = 1
) -> Grid:
    origin = np.array([-30.0, 12, 90]) + TURNED @ [right_mm, down_mm, 0]
    spacing = (3.0 / fine, 2.0 / fine, 6.0)
    return df.grid(shape, spacing=spacing, directions=TURNED, origin=tuple(origin))


GAPPED = _series(_station(0), _station(31.3, right_mm=9), _station(85, shape=(8, 20, 5)))
"""An overlap, a step to the side, a gap, a narrower station; no lattice in common."""


@given(
    st.floats(25, 60),
    st.floats(-12, 12),
    st.sampled_from([(12, 20, 5), (9, 14, 5), (7, 20, 3)]),
    st.sampled_from([1.0, 1.5]),
)
@settings(max_examples=25, deadline=None)
def test_imaged_is_where_the_join_writes(
    down_mm: float, right_mm: float, shape: tuple[int, int, int], fine: float
) -> None:
    series = _series(_station(0), _station(down_mm, right_mm=right_mm, shape=shape, fine=fine))
    ones = [Volume(np.full(s.grid.shape, 7.0), s.grid) for s in series.stations]
    written = join(ones, series.grid) > 0
    known = imaged(series)
    assert known.array.dtype == bool
    assert np.array_equal(known.array, written)
    assert np.array_equal(station_of(series, series.grid.lps(_voxels(series.grid))) >= 0, written)


def test_a_voxel_of_one_station_alone_is_that_stations() -> None:
    index = station_of(GAPPED, GAPPED.grid.lps(_voxels(GAPPED.grid)))
    points = GAPPED.grid.lps(_voxels(GAPPED.grid))
    inside = np.stack([station.grid.contains(points) for station in GAPPED.stations])
    alone = inside.sum(axis=0) == 1
    assert set(np.unique(index).tolist()) == {-1, 0, 1, 2}
    sure = alone & (index >= 0)
    assert np.array_equal(index[sure], np.argmax(inside, axis=0)[sure])
    # Half a voxel at the rim is inside a station's voxels and beyond their centres.
    assert np.count_nonzero(alone & (index < 0)) < 0.2 * np.count_nonzero(alone)
    assert not np.any(inside[:, index < 0].sum(axis=0) > 1)


def test_in_an_overlap_the_station_whose_end_is_farther_counts() -> None:
    series = _series(_station(0), _station(20))
    column = series.grid.lps([[5, row, 2] for row in range(30)])
    index = station_of(series, column)
    assert index.tolist() == [0] * 15 + [1] * 15
    outside = series.grid.lps([[-1, 3, 2], [5, 30, 2], [5, 3, 7]])
    assert station_of(series, outside).tolist() == [-1, -1, -1]
    assert station_of(series, column[3]).shape == ()


def test_a_single_station_is_imaged_everywhere() -> None:
    series = _series(_station(0))
    assert imaged(series).array.all()
    assert set(station_of(series, series.grid.lps(_voxels(series.grid))).ravel().tolist()) == {0}


def test_no_file_is_opened_to_know_it(tmp_path: Path) -> None:
    for n in range(2):
        df.write_series(tmp_path, df.noise(_station(31 * n)), seed=n, SeriesInstanceUID=f"1.9.{n}")
    (series,) = scan([tmp_path]).studies[0].series
    written = pixels(series).array
    for path in list(tmp_path.iterdir()):
        path.unlink()
    assert not np.any(written[~imaged(series).array])


# ---- measuring and growing ---------------------------------------------------------------------------------------


def _case() -> tuple[Series, Volume, NDArray[np.int_]]:
    """A volume of 50 where imaged; a row of voxels that runs out of the images into the gap."""
    seen = imaged(GAPPED).array
    volume = Volume(np.where(seen, np.uint16(50), np.uint16(0)), GAPPED.grid)
    column = next(c for c in np.argwhere(seen.any(axis=1)) if 0 < seen[c[0], 30:, c[1]].sum() < len(seen[0, 30:, 0]))
    rows = np.arange(30, GAPPED.grid.shape[1])
    return GAPPED, volume, np.stack([np.full(len(rows), column[0]), rows, np.full(len(rows), column[1])], axis=1)


def test_voxels_that_no_station_imaged_are_no_signal() -> None:
    series, volume, voxels = _case()
    outside = int(np.count_nonzero(volume.array[tuple(voxels.T)] == 0))
    extent = Extent("STIR", Mask.of_voxels(voxels, series.grid))
    found = measure_extent(extent, volume, None, 25.0, series=series)
    assert (found.signal_mean, found.signal_sd, found.signal_ratio) == (50, 0, 2)
    assert f"signal without {outside} of {len(voxels)} voxels: no station imaged them" in found.why_not
    assert found.volume_ml == pytest.approx(len(voxels) * series.grid.voxel_volume_ml)
    nowhere = voxels[volume.array[tuple(voxels.T)] == 0]
    blind = measure_extent(Extent("STIR", Mask.of_voxels(nowhere, series.grid)), volume, series=series)
    assert blind.signal_mean is None
    assert "no signal: no station imaged this place" in blind.why_not


def test_a_true_zero_inside_the_images_is_a_signal() -> None:
    series, volume, voxels = _case()
    volume.array[volume.array > 0] = 0
    inside = voxels[station_of(series, series.grid.lps(voxels)) >= 0]
    found = measure_extent(Extent("STIR", Mask.of_voxels(inside, series.grid)), volume, series=series)
    assert found.signal_mean == 0
    assert "no station" not in found.why_not


def test_a_reference_leaves_out_what_was_not_imaged() -> None:
    series, volume, voxels = _case()
    reference = Reference("STIR", Mask.of_voxels(voxels, series.grid))
    plain = reference_mean(reference, volume)
    assert plain is not None
    assert plain < 50
    assert reference_mean(reference, volume, series) == 50


def test_a_map_measures_by_the_stations_of_its_series() -> None:
    from lesionmap.annotate import add_lesion
    from lesionmap.lesions import LesionMap
    from lesionmap.measure import measure_map

    series, volume, voxels = _case()
    mask = Mask.of_voxels(voxels, series.grid)
    empty = LesionMap("P001", "2010-05-04", "anna")
    lesions = add_lesion(empty, sites=("ankle.left",), extents=(Extent("STIR", mask),))
    visit = Visit("P001", date(2010, 5, 4), series=(series,))
    (found,) = measure_map(lesions, visit, {"STIR": volume}, references=[Reference("STIR", mask)])["L1"]
    assert (found.signal_mean, found.signal_ratio) == (50, 1)


def test_a_lesion_at_the_edge_of_the_images_grows_as_if_they_went_on() -> None:
    above = _station(0, shape=(40, 60, 15))
    series = _series(above, _station(130, shape=(40, 60, 15)))
    grid = series.grid
    centre = above.lps([20, 56.0, 7])
    away = np.linalg.norm(grid.lps(_voxels(grid)) - centre, axis=-1)
    noise = np.random.default_rng(0).normal(0, 9, grid.shape)
    seen = imaged(series).array
    array = np.where(seen, 200 + 500.0 / (1 + np.exp((away - 11) / 0.8)) + noise, 0).astype(np.float32)
    mask = grow(Volume(array, grid), centre, series=series)
    assert np.all(station_of(series, mask.lps_mm()) == 0)
    truth = np.count_nonzero((away < 11) & seen)
    assert mask.n_voxels == pytest.approx(truth, rel=0.2)
    with pytest.raises(LesionmapError, match="where no station of the series was imaged"):
        grow(Volume(array, grid), above.lps([20, 62.5, 7]), series=series)


def test_the_move_of_a_station_is_kept_in_a_study(tmp_path: Path) -> None:
    from lesionmap.store import Study
    from lesionmap.visits import Patient

    stations = tuple(replace(s, moved_mm=-130.5 * n) for n, s in enumerate(GAPPED.stations))
    visit = Visit("P001", date(2010, 5, 4), series=(replace(GAPPED, stations=stations),))
    with Study.open(tmp_path / "a.lesionmap", create=True) as study:
        study.add_patient(Patient("P001"))
        study.add_visit(visit)
        kept = study.visit("P001", "2010-05-04").series[0]
    assert [station.moved_mm for station in kept.stations] == [0, -130.5, -261]


def test_a_study_of_before_knows_of_no_move() -> None:
    text = dumps(GAPPED, Series)
    old = json.loads(text)
    for station in old["stations"]:
        station.pop("moved_mm", None)
    assert loads(json.dumps(old), Series) == GAPPED
