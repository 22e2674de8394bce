"""Joining stations, beside SimpleITK on the same volumes in the same run; the ratio is printed, never asserted."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import SimpleITK

import dicom_files as df
from lesionmap.read import pixels, scan, station_pixels
from lesionmap.read.blend import join
from lesionmap.read.overlap import Overlaps
from lesionmap.read.stations import series_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from figures import Ratio, Tell
    from lesionmap.space import Grid, Volume

_ROUNDS = 5


@pytest.fixture(scope="module")
def whole_body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences of five stations of 20 slices, 384 × 384, the table moved by no whole number of voxels."""
    root = tmp_path_factory.mktemp("whole_body")
    for sequence, echo in (("STIR", "30"), ("T1", "10")):
        for n in range(5):
            where = df.grid((384, 384, 20), spacing=(1.25, 1.25, 5.0), origin=(-240, -100, 600 - n * 408))
            tags: dict[str, Any] = {"SeriesDescription": sequence, "EchoTime": echo}
            tags["SeriesInstanceUID"] = f"1.9.{echo}.{n}"
            df.write_series(root / f"{sequence}{n}", df.noise(where, n), seed=n, **tags)
    return root


def _seconds(work: Callable[[], object]) -> float:
    """Give the median time of a few runs."""
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _beside(benchmark: Any, ratio: Ratio, work: Callable[[], object], peer: Callable[[], object], name: str) -> None:
    work()
    peer()
    theirs = _seconds(peer)
    benchmark.pedantic(work, rounds=_ROUNDS, iterations=1)
    ours = float(benchmark.stats.stats.median)
    benchmark.extra_info.update({"peer": name, "peer_s": round(theirs, 4), "ratio": round(ours / theirs, 3)})
    ratio(benchmark.name, ours, theirs, name)


def _image(volume: Volume) -> SimpleITK.Image:
    image = SimpleITK.GetImageFromArray(volume.array.transpose(2, 1, 0))
    _place(image, volume.grid)
    return image


def _place(image: Any, grid: Grid) -> None:
    image.SetSpacing(grid.spacing_mm)
    image.SetOrigin(grid.lps([0, 0, 0]).tolist())
    image.SetDirection((grid.lps_from_voxel[:3, :3] / grid.spacing_mm).ravel().tolist())


def test_join_five_stations(benchmark: Any, ratio: Ratio, whole_body: Path) -> None:
    series = next(one for one in scan([whole_body]).studies[0].series if one.sequence == "STIR")
    assert len(series.stations) == 5
    volumes = [station_pixels(station) for station in series.stations]
    images = [_image(volume) for volume in volumes]
    target = SimpleITK.Image(list(series.grid.shape), SimpleITK.sitkFloat32)
    _place(target, series.grid)
    nothing = SimpleITK.Transform()

    def theirs() -> SimpleITK.Image:
        total = weight = None
        for image in images:
            here = SimpleITK.Resample(image, target, nothing, SimpleITK.sitkLinear, 0.0, SimpleITK.sitkFloat32)
            inside = SimpleITK.Cast(here != 0, SimpleITK.sitkFloat32)
            total = here if total is None else total + here
            weight = inside if weight is None else weight + inside
        return total / SimpleITK.Maximum(weight, 1.0)

    _beside(benchmark, ratio, lambda: join(volumes, series.grid), theirs, "SimpleITK resample and mean")


def test_peak_memory_of_a_joined_body(benchmark: Any, tell: Tell, whole_body: Path) -> None:
    """Pixels of five stations read and joined: peak of what Python and numpy hold, per byte of the joined volume."""
    series = next(one for one in scan([whole_body]).studies[0].series if one.sequence == "STIR")
    tracemalloc.start()
    try:
        volume = pixels(series)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    ratio = peak / volume.array.nbytes
    benchmark.extra_info.update({"peak_mb": round(peak / 1e6, 1), "ratio_to_pixels": round(ratio, 2)})
    benchmark.pedantic(lambda: pixels(series), rounds=_ROUNDS, iterations=1)
    tell("read and joined, five stations", [f"peak {peak / 1e6:.0f} MB, {ratio:.2f} × the pixels"])


def test_overlaps_looked_at(benchmark: Any, ratio: Ratio, whole_body: Path) -> None:
    """What an import adds to the scan: the overlaps of two sequences of five stations, beside reading all pixels."""
    plain = scan([whole_body])

    def theirs() -> int:
        return sum(station_pixels(stack.station).array.size for stack in plain.stacks)

    _beside(benchmark, ratio, lambda: series_of(plain.stacks, Overlaps(plain.stacks)), theirs, "all pixels read once")
