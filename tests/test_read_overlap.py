"""Stations whose coordinates their overlap confirms or denies, and stations placed by the table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset

import dicom_files as df
from cli_case import lesionmap
from lesionmap.read import pixels, scan
from lesionmap.read.table import table_positions
from lesionmap.space import Grid, Volume
from shared import shared_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lesionmap.visits import Series

TURNED = df.turned(4, -3, 5) @ np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
"""Oblique coronal."""
STEP_MM = 130.0


def _child(points: NDArray[np.float64], seed: int = 0) -> NDArray[np.float64]:
    """A body of uneven width in air, with tissue that is nowhere the same; ``seed`` gives another body."""
    x, y, z = np.moveaxis(points, -1, 0)
    a, b, c = np.random.default_rng(seed).uniform(0, 6, 3)
    half = 80 + 14 * np.sin(z / 37 + a) + 9 * np.cos(z / 19 + b)
    inside = ((x - 6 * np.sin(z / 50 + c)) / half) ** 2 + ((y - 10) / 60) ** 2 < 1
    tissue = 500 + 220 * np.sin(x / 15 + z / 21 + a) * np.cos(z / 17 - x / 33 + b) + 130 * np.sin(z / 9 + y / 14 + c)
    return np.asarray(np.where(inside, tissue, 0.0))


def _grid(n: int, height: int = 80) -> Grid:
    down = TURNED[:, 1] * STEP_MM * n
    return df.grid(
        (70, height, 9), spacing=(3.0, 2.0, 6.0), directions=TURNED, origin=tuple(np.array([-95, -15, 300]) + down)
    )


def _seen(where: Grid, gain: float = 1.0, seed: int = 0, up_mm: float = 0.0, body: int = 0) -> Volume:
    """What a scanner sees of the child whose body lies ``up_mm`` higher than the header says; it fades at the ends."""
    index = np.moveaxis(np.indices(where.shape), 0, -1)
    rng = np.random.default_rng(seed)
    values = gain * _child(where.lps(index) - [0, 0, up_mm], body)
    fading = 1 - 0.4 * np.abs(np.linspace(-1, 1, where.shape[1])) ** 4
    values = values * fading[np.newaxis, :, np.newaxis]
    noise = np.hypot(values + rng.normal(0, 15, values.shape), rng.normal(0, 15, values.shape))
    return Volume(noise.round().astype(np.uint16), where)


def _write(folder: Path, n: int, volume: Volume, **other: Any) -> None:
    tags = {"SeriesInstanceUID": f"1.9.{n}", "FrameOfReferenceUID": f"1.8.{n}", "SeriesDescription": f"STIR {n}"}
    df.write_series(folder / f"s{n}", volume, seed=n, **{**tags, **other})


def _read(folder: Path) -> tuple[Series, ...]:
    (visit,) = scan([folder], overlaps=True).studies
    return visit.series


def test_stations_of_other_frames_are_joined_as_their_overlaps_fit(tmp_path: Path) -> None:
    for n, gain in enumerate((0.6, 1.0, 1.7)):
        _write(tmp_path, n, _seen(_grid(n), gain, n))
    (series,) = _read(tmp_path)
    assert len(series.stations) == 3
    assert "3 stations of 3 frames of reference joined by their coordinates (their overlaps fit" in series.note
    assert series.note.endswith("correlation 0.99 or more)")


def test_agreeing_frames_that_fit_are_joined_without_a_word(tmp_path: Path) -> None:
    for n in range(2):
        _write(tmp_path, n, _seen(_grid(n), seed=n), FrameOfReferenceUID="1.8.1")
    (series,) = _read(tmp_path)
    assert (len(series.stations), series.note) == (2, "")


@pytest.mark.parametrize("frame", ["1.8.1", None])
def test_coordinates_that_are_off_are_found_out(tmp_path: Path, frame: str | None) -> None:
    frames = {"FrameOfReferenceUID": frame} if frame else {}
    _write(tmp_path, 0, _seen(_grid(0)), **frames)
    _write(tmp_path, 1, _seen(_grid(1), seed=1, up_mm=-11), **frames)
    series = _read(tmp_path)
    assert [len(one.stations) for one in series] == [1, 1]
    for one in series:
        assert "not joined with a neighbouring station: they fit better 12 mm apart along the body" in one.note
    assert [len(one.stations) for one in scan([tmp_path]).studies[0].series] == [2]  # a listing opens no pixels


@pytest.mark.parametrize("frame", ["1.8.1", None])
def test_another_body_in_the_overlap_is_not_joined(tmp_path: Path, frame: str | None) -> None:
    frames = {"FrameOfReferenceUID": frame} if frame else {}
    _write(tmp_path, 0, _seen(_grid(0)), **frames)
    _write(tmp_path, 1, _seen(_grid(1), seed=1, body=5), **frames)
    series = _read(tmp_path)
    assert [len(one.stations) for one in series] == [1, 1]
    assert "they do not show the same where they overlap (correlation " in series[0].note


def test_one_bad_seam_parts_a_body_in_two(tmp_path: Path) -> None:
    for n in range(4):
        _write(tmp_path, n, _seen(_grid(n), seed=n, up_mm=0 if n < 2 else -13))
    series = _read(tmp_path)
    assert [len(one.stations) for one in series] == [2, 2]
    assert "not joined with a neighbouring station" in series[0].note


@pytest.mark.parametrize("height", [66, 60])
def test_little_or_no_overlap_leaves_it_to_the_coordinates(tmp_path: Path, height: int) -> None:
    for n in range(2):
        _write(tmp_path, n, _seen(_grid(n, height), seed=n, body=5 * n))
    (series,) = _read(tmp_path)
    assert "joined by their coordinates (they overlap too little to compare)" in series.note


def test_an_overlap_of_air_leaves_it_to_the_coordinates(tmp_path: Path) -> None:
    for n in range(2):
        volume = _seen(_grid(n), seed=n)
        array = volume.array.copy()
        rows = slice(60, 80) if n == 0 else slice(0, 20)
        array[:, rows] = np.random.default_rng(n).integers(5, 30, array[:, rows].shape)
        _write(tmp_path, n, Volume(array, volume.grid))
    (series,) = _read(tmp_path)
    assert "joined by their coordinates (too little tissue in their overlap to compare)" in series.note


@pytest.mark.parametrize("frame", ["1.8.1", None])
def test_damaged_pixels_leave_it_to_the_coordinates_and_it_is_told(tmp_path: Path, frame: str | None) -> None:
    def spoilt(ds: FileDataset) -> None:
        from pydicom.uid import RLELossless

        ds.compress(RLELossless)
        ds.PixelData = ds.PixelData[:8] + b"\xff" * 64 + ds.PixelData[72:]

    frames: dict[str, Any] = {"FrameOfReferenceUID": frame} if frame else {}
    for n in range(2):
        _write(tmp_path, n, _seen(_grid(n), seed=n), change=spoilt if n else None, **frames)
    (series,) = _read(tmp_path)
    assert "joined by their coordinates (their pixels cannot be read to compare)" in series.note


def test_a_phase_image_has_the_verdict_of_its_magnitude(tmp_path: Path) -> None:
    for n in range(2):
        _write(tmp_path, n, _seen(_grid(n), seed=n))
        phase = df.noise(_grid(n), seed=n + 7)
        tags: dict[str, Any] = {"SeriesInstanceUID": f"1.9.{n}", "FrameOfReferenceUID": f"1.8.{n}"}
        tags["SeriesDescription"] = "STIR"
        df.write_series(tmp_path / f"p{n}", phase, seed=n, ImageType=["ORIGINAL", "PRIMARY", "P", "ND"], **tags)
    series = _read(tmp_path)
    assert sorted((one.kind, len(one.stations)) for one in series) == [(("magnitude",), 2), (("phase",), 2)]


def test_axial_stations_are_compared_slice_by_slice(tmp_path: Path) -> None:
    for folder, up_mm in (("right", 0.0), ("wrong", -11.0)):
        for n in range(2):
            axes = df.turned(3, -4, 2)
            where = df.grid((60, 40, 30), spacing=(4.0, 5.0, 5.0), directions=axes, origin=(-115, -80, 80 - n * 110))
            volume = _seen(where, seed=n, up_mm=n * up_mm)
            _write(tmp_path / folder, n, volume)
    (series,) = _read(tmp_path / "right")
    assert len(series.stations) == 2
    series_apart = _read(tmp_path / "wrong")
    assert [len(one.stations) for one in series_apart] == [1, 1]
    assert "12 mm apart" in series_apart[0].note


def test_the_philips_stations_fit_by_their_magnitude() -> None:
    (visit,) = scan([shared_data("dcm_qa_table_philips") / "In"], overlaps=True).studies
    assert [len(one.stations) for one in visit.series] == [2, 2, 2, 2]
    assert all("their overlaps fit, correlation 0.99 or more" in one.note for one in visit.series)


# ---- the table -----------------------------------------------------------------------------------------------------


def siemens(mm: float) -> Callable[[FileDataset], object]:
    def write(ds: FileDataset) -> None:
        ds.Manufacturer = "SIEMENS"
        ds.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x14, "IS", [0, 0, round(mm)])

    return write


def siemens_xa(mm: float) -> Callable[[FileDataset], object]:
    def write(ds: FileDataset) -> None:
        ds.Manufacturer = "Siemens Healthineers"
        ds.private_block(0x0021, "SIEMENS MR SDS 01", create=True).add_new(0x05, "IS", [0, 0, round(mm)])

    return write


def philips(mm: float) -> Callable[[FileDataset], object]:
    def write(ds: FileDataset) -> None:
        ds.Manufacturer = "Philips Medical Systems"
        stack = Dataset()
        stack.private_block(0x2005, "Philips MR Imaging DD 005", create=True)
        stack.add_new(0x2005143C, "FL", mm)
        block = ds.private_block(0x2001, "Philips Imaging DD 001", create=True)
        block.add_new(0x5F, "SQ", [stack])

    return write


def ge(mm: float) -> Callable[[FileDataset], object]:
    def write(ds: FileDataset) -> None:
        ds.Manufacturer = "GE MEDICAL SYSTEMS"
        ds.private_block(0x0019, "GEMS_ACQU_01", create=True).add_new(0x7F, "DS", "12.5")
        values = ["956.1", "320.1", f"{mm + 12.5:.4f}", "0", "75.3604", "58.0479"]
        ds.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0xB2, "LO", values)

    return write


def standard(mm: float) -> Callable[[FileDataset], object]:
    def write(ds: FileDataset) -> None:
        ds.TablePosition = mm

    return write


def _at_isocentre(
    folder: Path, table: Callable[[float], Callable[[FileDataset], object]], sign: int, step: float
) -> None:
    """Three stations that all say the same place; the body moved by whole steps up through the scanner."""
    where = _grid(0)
    for n in range(3):
        volume = _seen(where, 1 + 0.3 * n, n, up_mm=n * step)
        _write(folder, n, volume, FrameOfReferenceUID="1.8.1", change=table(sign * -n * step))


@pytest.mark.parametrize(
    ("table", "sign", "source"),
    [
        (siemens, 1, "Siemens (0019,1014)"),
        (siemens_xa, 1, "Siemens (0021,1005)"),
        (philips, 1, "Philips (2005,143C)"),
        (ge, -1, "GE (0043,10B2)"),
        (standard, -1, "Table Position (0018,9327)"),
    ],
)
def test_stations_of_one_place_are_placed_by_the_table(
    tmp_path: Path, table: Callable[[float], Callable[[FileDataset], object]], sign: int, source: str
) -> None:
    _at_isocentre(tmp_path, table, sign, 130.0)
    (series,) = _read(tmp_path)
    assert [station.moved_mm for station in series.stations] == [0, -130, -260]
    assert series.note == (
        f"all stations in one place by their headers; placed by the table ({source}, steps of 130 to 130 mm): "
        "the overlaps fit"
    )
    volume = pixels(series)
    truth = _child(volume.grid.lps(np.moveaxis(np.indices(volume.grid.shape), 0, -1)))
    tissue = (truth > 150) & (volume.array > 0)
    assert np.corrcoef(volume.array[tissue], truth[tissue])[0, 1] > 0.9
    assert len(scan([tmp_path]).studies[0].series) == 3


def test_a_table_that_no_overlap_confirms_places_nothing(tmp_path: Path) -> None:
    _at_isocentre(tmp_path, siemens, 1, 190.0)  # farther than a station is long
    series = _read(tmp_path)
    assert [len(one.stations) for one in series] == [1, 1, 1]
    assert all(one.stations[0].moved_mm == 0 for one in series)
    assert (
        "though the table had moved (Siemens (0019,1014)): no place by the table fits their overlaps" in series[0].note
    )


def test_the_same_place_again_is_left_where_it_is_though_the_table_moved(tmp_path: Path) -> None:
    for n in range(2):
        _write(tmp_path, n, _seen(_grid(0), seed=n), change=siemens(-130 * n))
    series = _read(tmp_path)
    assert [(len(one.stations), one.note) for one in series] == [(1, ""), (1, "")]


def test_the_table_as_the_philips_phantom_has_it() -> None:
    folder = shared_data("dcm_qa_table_philips") / "In"
    first = [str(min(path.iterdir())) for path in sorted(folder.iterdir())]
    source, positions = table_positions(first)
    assert source == "Philips (2005,143C)"
    assert positions == pytest.approx((-0.2, -60.3), abs=0.01)  # dcm2niix writes these with the other sign


def test_a_table_is_read_as_dcm2niix_reads_it(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("dcm2niix")
    for table in (siemens, siemens_xa, ge):
        folder = tmp_path / table.__name__
        paths = df.write_series(folder, df.noise(df.grid()), change=table(37), PatientPosition="HFS")
        other = df.write_series(tmp_path / "other" / table.__name__, df.noise(df.grid()), change=table(0))
        subprocess.run([program, "-o", str(folder), str(folder)], check=True, capture_output=True)
        (told,) = (json.loads(path.read_text())["TablePosition"] for path in folder.glob("*.json"))
        _, (here, _) = table_positions([str(paths[0]), str(other[0])])
        assert abs(here) == pytest.approx(abs(told[2]), abs=0.01)


# ---- what an import says --------------------------------------------------------------------------------------------


def test_an_import_prints_what_was_decided_and_a_dry_run_opens_no_pixels(tmp_path: Path) -> None:
    for n in range(2):
        _write(tmp_path / "images", n, _seen(_grid(n), seed=n, up_mm=-11 * n))
    dry = lesionmap("import", tmp_path / "none", tmp_path / "images", "--dry-run")
    assert "2 stations joined" in dry.out
    assert "2 stations of 2 frames of reference joined by their coordinates\n" in dry.out
    ran = lesionmap("import", tmp_path / "a.lesionmap", tmp_path / "images")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("P001 2010-05-04: STIR coronal, STIR coronal 2\n")
    assert "  STIR coronal: not joined with a neighbouring station: they fit better 12 mm apart" in ran.out


def test_images_imported_again_are_the_same_although_the_table_placed_them(tmp_path: Path) -> None:
    _at_isocentre(tmp_path / "images", siemens, 1, 130.0)
    for _ in range(2):
        assert lesionmap("import", tmp_path / "a.lesionmap", tmp_path / "images").code == 0
    listed = json.loads(lesionmap("list", tmp_path / "a.lesionmap", "--json").out)
    (series,) = listed["patients"][0]["visits"][0]["series"]
    assert series["n_stations"] == 3
    assert "placed by the table" in series["note"]
