"""DICOM SEG of 40 lesions over five stations of 40 × 384 × 384, written and read, beside plain highdicom and dcmqi."""

from __future__ import annotations

import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import dicom_files as df
from lesionmap import mark, skeleton
from lesionmap.lesions import Extent, Lesion, LesionMap, Mask
from lesionmap.read import read_seg, scan
from lesionmap.visits import Patient
from lesionmap.write import segmentations, write_segs

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from figures import Ratio
    from lesionmap.space import Grid
    from lesionmap.visits import Series, Visit

_ROUNDS = 3


@dataclass(frozen=True)
class _Case:
    """A visit with 40 lesions, some of them over a seam."""

    visit: Visit
    series: Series
    lesion_map: LesionMap
    per_station: list[list[NDArray[np.bool_]]]
    """Masks of each station, shape (slices, rows, columns), for the peers."""


def _ball(grid: Grid, rng: np.random.Generator) -> Mask:
    centre = rng.uniform([20, 20, 6], np.array(grid.shape) - [20, 20, 6])
    radius = np.array([*rng.uniform(5, 12, 2), rng.uniform(2, 5)])
    ranges = [np.arange(int(c - r), int(c + r) + 2) for c, r in zip(centre, radius, strict=True)]
    voxels = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1).reshape(-1, 3)
    return Mask.of_voxels(voxels[(((voxels - centre) / radius) ** 2).sum(axis=1) < 1], grid)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> _Case:
    root = tmp_path_factory.mktemp("images")
    for n in range(5):
        where = df.grid((384, 384, 40), spacing=(1.25, 1.25, 5.0), origin=(-240, -100, 600 - n * 420))
        tags: dict[str, Any] = {"ReferringPhysicianName": "", "AccessionNumber": "", "StudyID": "", "StudyTime": ""}
        df.write_series(root / f"{n}", df.noise(where, n), seed=n, SeriesInstanceUID=f"1.9.{n}", **tags)
    visit = replace(scan([root]).studies[0].visit, patient="P001")
    (series,) = visit.series
    rng, sites = np.random.default_rng(0), [site.id for site in skeleton.sites()]
    masks = [_ball(series.grid, rng) for _ in range(40)]
    lesions = [
        Lesion(f"L{n}", (sites[3 * n],), "definite", (f"2.25.{n}",), (Extent(series.name, mask),))
        for n, mask in enumerate(masks, start=1)
    ]
    parts = [
        [found.volume().array.transpose(2, 1, 0) for mask in masks if (found := mask.on(station.grid)) is not None]
        for station in series.stations
    ]
    return _Case(visit, series, LesionMap("P001", visit.key, "anna", tuple(lesions)), parts)


def _seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _beside(benchmark: Any, ratio: Ratio, work: Callable[[], object], peer: Callable[[], object], name: str) -> None:
    work()
    theirs = _seconds(peer)
    benchmark.pedantic(work, rounds=_ROUNDS, iterations=1)
    ours = float(benchmark.stats.stats.min)
    benchmark.extra_info.update({"peer": name, "peer_s": round(theirs, 4), "ratio": round(ours / theirs, 3)})
    ratio(benchmark.name, ours, theirs, name)


def _plain_highdicom(case: _Case, folder: Path) -> list[Path]:
    """Write as highdicom's documents show: headers by pydicom, masks stacked as (slices, rows, columns, segments)."""
    import highdicom as hd
    from pydicom import dcmread
    from pydicom.sr.codedict import codes

    folder.mkdir(exist_ok=True)
    what = (codes.SCT.MorphologicallyAbnormalStructure, codes.SCT.Lesion, "MANUAL")
    paths = []
    for n, (station, masks) in enumerate(zip(case.series.stations, case.per_station, strict=True)):
        images = [dcmread(file.path, stop_before_pixels=True) for file in station.files]
        described = [hd.seg.SegmentDescription(k, f"L{k}", *what) for k in range(1, len(masks) + 1)]
        stack = np.stack(masks, axis=-1).astype(np.uint8)
        uids = {"series_instance_uid": hd.UID(), "sop_instance_uid": hd.UID()}
        words = {"manufacturer": "m", "manufacturer_model_name": "m", "software_versions": "1"}
        made = hd.seg.Segmentation(
            images,
            stack,
            "BINARY",
            described,
            series_number=1,
            instance_number=1,
            device_serial_number="1",
            **uids,
            **words,
        )
        paths.append(folder / f"{n}.dcm")
        made.save_as(paths[-1])
    return paths


@pytest.mark.parametrize("labelmap", [False, True], ids=["binary", "labelmap"])
def test_write_segs(benchmark: Any, ratio: Ratio, case: _Case, tmp_path: Path, labelmap: bool) -> None:
    def ours() -> tuple[Path, ...]:
        files = segmentations(Patient("P001"), case.visit, case.lesion_map, labelmap=labelmap)
        return write_segs(files, tmp_path, overwrite=True)

    assert len(ours()) == 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _beside(benchmark, ratio, ours, lambda: _plain_highdicom(case, tmp_path / "peer"), "plain highdicom, BINARY")


def test_read_segs_beside_highdicom(benchmark: Any, ratio: Ratio, case: _Case, tmp_path: Path) -> None:
    from highdicom.seg import segread

    paths = write_segs(segmentations(Patient("P001"), case.visit, case.lesion_map), tmp_path)

    def ours() -> LesionMap:
        empty = replace(case.lesion_map, lesions=())
        return mark.add_segs(empty, case.visit, None, [read_seg(path) for path in paths])

    def theirs() -> int:
        return sum(segread(path).get_volume().array.size for path in paths)

    assert ours() == case.lesion_map
    _beside(benchmark, ratio, ours, theirs, "highdicom get_volume")


def test_read_segs_beside_dcmqi(benchmark: Any, ratio: Ratio, case: _Case, tmp_path: Path) -> None:
    paths = write_segs(segmentations(Patient("P001"), case.visit, case.lesion_map), tmp_path)
    program = str(Path(sys.executable).with_name("segimage2itkimage"))

    def theirs() -> None:
        for n, path in enumerate(paths):
            folder = tmp_path / f"dcmqi{n}"
            folder.mkdir(exist_ok=True)
            words = [program, "--inputDICOM", str(path), "--outputDirectory", str(folder), "--outputType", "nrrd"]
            subprocess.run(words, check=True, capture_output=True)

    _beside(benchmark, ratio, lambda: [read_seg(path) for path in paths], theirs, "dcmqi segimage2itkimage")
