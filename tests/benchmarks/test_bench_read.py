"""Loading and joining, beside named peers on the same files in the same run; ratios are printed, never asserted.

Other work on the machine falls on both alike, because the rounds of the two take turns; the ratio is that of the median
times by the clock, and that of the processor times (user and system, children too) stands beside it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless, RLELossless
from scipy import ndimage

import dicom_files as df
from lesionmap.read import scan, station_pixels
from lesionmap.space import Volume

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from figures import Ratio, Tell


_ROUNDS = 3
_PEER_TAGS = (
    *(0x0020000E, 0x00200032, 0x00200037, 0x00280010, 0x00280011, 0x00280030),
    *(0x00180081, 0x00080008, 0x00280100, 0x00281053),
)
_SIZE = 384


def _slice(seed: int) -> NDArray[np.uint16]:
    """Make a slice that compresses like an image: a smooth body, and the noise of a magnitude image."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.standard_normal((_SIZE, _SIZE)), 12)
    x, y = np.mgrid[:_SIZE, :_SIZE] / (_SIZE / 2) - 1
    body = (smooth - smooth.min()) / np.ptp(smooth) * 1200 * ((x / 0.9) ** 2 + (y / 0.75) ** 2 < 1)
    noise = rng.standard_normal((2, _SIZE, _SIZE)) * 4
    return np.asarray(np.hypot(body + noise[0], noise[1]), dtype=np.uint16)


def _visit(root: Path, n_series: int, n_slices: int, syntax: str = "") -> Path:
    """Write series of one sequence after the other, each a station of its own; the slices repeat after forty."""
    pictures = [_slice(seed) for seed in range(min(n_slices, 40))]
    for n in range(n_series):
        where = df.grid((_SIZE, _SIZE, n_slices), spacing=(1.25, 1.25, 5.0), origin=(-240, -100, 600 - n * 408))
        array = np.stack([pictures[k % len(pictures)] for k in range(n_slices)], axis=2)
        df.write_series(
            root / f"series{n}",
            Volume(array, where),
            seed=n,
            change=(lambda ds: ds.compress(syntax, generate_instance_uid=False)) if syntax else None,
            SeriesInstanceUID=f"1.9.{n}",
            EchoTime=str(30 if n % 2 else 10),
            BitsStored=12,
            HighBit=11,
        )
    return root


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


def _seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Give the time of one run, by the clock and of the processor."""
    start, before = time.perf_counter(), os.times()
    work()
    after = os.times()
    return time.perf_counter() - start, sum(after[:4]) - sum(before[:4])


def _beside(
    benchmark: Any, ratio: Ratio, work: Callable[[], object], peers: Mapping[str, Callable[[], object]]
) -> None:
    """Run ours and each peer by turns, and tell each median beside ours."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ("ours", *peers)}
    for round_ in range(_ROUNDS + 1):
        for name, peer in {"ours": work, **peers}.items():
            if round_:  # the first one warms up
                times[name].append(_seconds(peer))
            else:
                peer()
    benchmark.pedantic(work, rounds=1, iterations=1)
    clock = {name: statistics.median(one for one, _ in rounds) for name, rounds in times.items()}
    processor = {name: statistics.median(one for _, one in rounds) for name, rounds in times.items()}
    for name in peers:
        benchmark.extra_info[name] = {"peer_s": round(clock[name], 4), "ratio": round(clock["ours"] / clock[name], 3)}
        of_processor = processor["ours"] / max(processor[name], 1e-3)
        ratio(benchmark.name, clock["ours"], clock[name], f"{name} (processor {of_processor:.2f})")


def _ours(root: Path) -> int:
    return sum(station_pixels(stack.station).array.size for stack in scan([root]).stacks)


def _by_simpleitk(folder: str) -> int:
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(folder))
    return int(reader.Execute().GetNumberOfPixels())


def _by_pydicom(folder: str) -> NDArray[Any]:
    slices = [dcmread(path) for path in Path(folder).iterdir()]
    slices.sort(key=lambda ds: float(ds.ImagePositionPatient[1]))
    return np.stack([ds.pixel_array for ds in slices])


def _folders(root: Path) -> list[str]:
    return sorted(str(path) for path in root.iterdir())


@pytest.mark.parametrize(("n_series", "n_slices"), [(10, 40), (20, 100)])
def test_load_raw_to_checked_volumes(
    benchmark: Any, ratio: Ratio, tmp_path: Path, n_series: int, n_slices: int
) -> None:
    root = _visit(tmp_path, n_series, n_slices)
    folders = _folders(root)

    def theirs() -> int:
        return sum(map(_by_simpleitk, folders))

    assert _ours(root) == theirs()
    _beside(benchmark, ratio, partial(_ours, root), {"SimpleITK ImageSeriesReader": theirs})


@pytest.fixture(scope="module")
def two_processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(abs, range(8)))
        yield pool


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless], ids=["RLE", "JPEG-LS", "J2K"])
def test_load_compressed(
    benchmark: Any, ratio: Ratio, tmp_path: Path, two_processes: ProcessPoolExecutor, syntax: str
) -> None:
    root = _visit(tmp_path, 10, 20, syntax)
    folders = _folders(root)

    def by_simpleitk() -> int:
        with ThreadPoolExecutor(2) as pool:
            return sum(pool.map(_by_simpleitk, folders))

    def by_pydicom() -> int:
        return sum(array.size for array in two_processes.map(_by_pydicom, folders))

    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    assert _ours(root) == by_simpleitk() == by_pydicom()
    peers = {"SimpleITK, two threads": by_simpleitk, "pydicom, two processes": by_pydicom}
    _beside(benchmark, ratio, partial(_ours, root), peers)


def test_load_lossless_jpeg(benchmark: Any, ratio: Ratio, tmp_path: Path) -> None:
    """The syntax that needs GDCM's own process; there is no encoder for it but dcmtk's."""
    root = _visit(tmp_path / "raw", 5, 20)
    for path in list(root.rglob("im*")):
        if subprocess.run(["dcmcjpeg", "+e1", path, path], check=False).returncode:
            pytest.skip("dcmtk is not installed")
    assert str(dcmread(path).file_meta.TransferSyntaxUID) == JPEGLosslessSV1

    def theirs() -> int:
        return sum(map(_by_simpleitk, _folders(root)))

    assert _ours(root) == theirs()
    _beside(benchmark, ratio, partial(_ours, root), {"SimpleITK ImageSeriesReader": theirs})


def test_headers_only(benchmark: Any, ratio: Ratio, whole_body: Path) -> None:
    from pydicom.tag import BaseTag

    files = [path for path in whole_body.rglob("*") if path.is_file()]
    tags = [BaseTag(tag) for tag in _PEER_TAGS]

    def theirs() -> int:
        return len([dcmread(path, stop_before_pixels=True, specific_tags=tags) for path in files])

    _beside(benchmark, ratio, lambda: scan([whole_body]), {"pydicom, ten tags": theirs})


_MEASURE = """
    import sys
    from pathlib import Path
    from lesionmap.read import scan, station_pixels

    def memory(name):
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith(name))

    stacks = sorted(scan(sys.argv[1:]).stacks, key=lambda stack: stack.n_files)
    station_pixels(stacks[0].station)  # what is imported counts as the start
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins again: a child inherits its parent's
    before = memory("VmRSS")
    array = station_pixels(stacks[-1].station).array
    print((memory("VmHWM") - before) / (array.size * 2))
"""


@pytest.mark.parametrize(
    "syntax", ["", RLELossless, JPEGLSLossless, JPEG2000Lossless], ids=["raw", "RLE", "JLS", "J2K"]
)
@pytest.mark.parametrize("slope", ["1", "0.37"])
def test_peak_memory(benchmark: Any, tell: Tell, tmp_path: Path, syntax: str, slope: str) -> None:
    """Peak of a child process over what it had before, in multiples of the stored pixels of 16 bits."""
    for name, n, size in (("a", 2, 64), ("b", 200, 384)):
        where = df.grid((size, size, n), spacing=(1.25, 1.25, 5.0))
        picture = _slice(n)[:size, :size, np.newaxis]
        df.write_series(
            tmp_path / name,
            Volume(np.repeat(picture, n, axis=2), where),
            change=(lambda ds: ds.compress(syntax, generate_instance_uid=False)) if syntax else None,
            SeriesInstanceUID=f"1.9.{n}",
            RescaleSlope=slope,
        )
    command = [sys.executable, "-c", textwrap.dedent(_MEASURE), str(tmp_path / "a"), str(tmp_path / "b")]
    ratio = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    benchmark.pedantic(lambda: None, rounds=1, iterations=1)
    benchmark.extra_info["peak"] = round(ratio, 2)
    tell(benchmark.name, [f"peak {ratio:.2f} x the stored pixels"])
