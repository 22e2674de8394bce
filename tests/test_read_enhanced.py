"""Several volumes in one enhanced file: stations, orientations, matrices of one object, parts and times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid
from pydicom.valuerep import format_number_as_ds as ds_number

import dicom_files as df
from lesionmap.read import pixels, scan, station_of, station_pixels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lesionmap.space import Grid, Volume

ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"


def _item(**values: Any) -> list[Dataset]:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return [item]


def _group(volume: Volume, k: int, stack: int, facts: Mapping[str, Any]) -> Dataset:
    """Functional groups of one frame."""
    grid, spacing = volume.grid, volume.grid.spacing_mm
    matrix = grid.lps_from_voxel
    directions = [*(matrix[:3, 0] / spacing[0]), *(matrix[:3, 1] / spacing[1])]
    group = Dataset()
    group.PlanePositionSequence = _item(ImagePositionPatient=[ds_number(x) for x in grid.lps([0, 0, k])])
    group.PlaneOrientationSequence = _item(ImageOrientationPatient=[ds_number(x) for x in directions])
    group.PixelMeasuresSequence = _item(
        PixelSpacing=[ds_number(spacing[1]), ds_number(spacing[0])], SliceThickness=ds_number(spacing[2])
    )
    group.FrameContentSequence = _item(
        StackID=str(facts.get("stack", stack)), InStackPositionNumber=k + 1, TemporalPositionIndex=facts.get("time", 1)
    )
    group.MREchoSequence = _item(EffectiveEchoTime=float(facts.get("echo", 30.0)))
    group.MRImageFrameTypeSequence = _item(
        FrameType=facts.get("type", ["ORIGINAL", "PRIMARY", "M", "NONE"]), ComplexImageComponent="MAGNITUDE"
    )
    if "inversion" in facts:
        group.MRModifierSequence = _item(InversionTimes=[float(facts["inversion"])])
    return group


def _write(path: Path, volumes: Sequence[tuple[Volume, Mapping[str, Any]]]) -> Path:
    """Write volumes of one matrix as one enhanced file, its frames in no order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [(v, k, n, facts) for n, (v, facts) in enumerate(volumes, 1) for k in range(v.grid.shape[2])]
    order = np.random.default_rng(1).permutation(len(frames))
    ds = df.slice_dataset(volumes[0][0], 0, {"SOPClassUID": ENHANCED_MR, "SOPInstanceUID": generate_uid()})
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(ds, keyword)
    ds.SharedFunctionalGroupsSequence = [Dataset()]
    ds.PerFrameFunctionalGroupsSequence = [_group(*frames[i]) for i in order]
    ds.NumberOfFrames = len(frames)
    ds.PixelData = b"".join(np.ascontiguousarray(frames[i][0].array[:, :, frames[i][1]].T).tobytes() for i in order)
    ds.save_as(path, enforce_file_format=True)
    return path


TURNED = df.turned(4, -6, 9) @ np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])


def _coronal(n: int, seed: int = 0) -> Volume:
    origin = np.array([-31.0, 17, -140]) + TURNED @ [0, 12 * 2.25 * n, 0]
    return df.noise(df.grid((5, 15, 11), directions=TURNED, origin=tuple(origin)), seed + n)


@pytest.mark.parametrize("axial", [False, True])
@pytest.mark.parametrize("one_stack", [False, True])
def test_stations_in_one_enhanced_file_are_volumes_and_one_series(tmp_path: Path, axial: bool, one_stack: bool) -> None:
    if axial:
        axes = df.turned(3, 5, -4)
        origins = [np.array([-30.0, -20, 100]) - axes[:, 2] * 40 * n for n in range(3)]
        made = [df.noise(df.grid((7, 5, 12), directions=axes, origin=tuple(o)), n) for n, o in enumerate(origins)]
    else:
        made = [_coronal(n) for n in range(3)]
    _write(tmp_path / "e.dcm", [(volume, {"stack": 1} if one_stack else {}) for volume in made])
    if axial and one_stack:  # slices at one place twice, and nothing that says which station they are of
        found = scan([tmp_path])
        assert found.stacks == ()
        assert "4 of 36 slices lie where another one does" in found.refused[0].why
        return
    entries = df.read_entries(tmp_path)
    assert [e["n_files"] for e in entries] == [1, 1, 1]
    (series,) = scan([tmp_path]).studies[0].series
    assert len(series.stations) == 3
    for volume in made:
        middle = volume.grid.lps([2, volume.grid.shape[1] // 2, volume.grid.shape[2] // 2])
        station = series.stations[int(station_of(series, middle))]
        df.same_world(volume, station_pixels(station))
    assert pixels(series).grid == series.grid


def test_orientations_in_one_enhanced_file_are_volumes_of_their_own(tmp_path: Path) -> None:
    axes = [[0, 1, 2], [2, 1, 0], [0, 2, 1]]
    coronal = df.turned(2, 3, 4) @ np.array([[1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]])
    made = [df.noise(df.grid((6, 8, 3), directions=coronal[:, order]), n) for n, order in enumerate(axes)]
    _write(tmp_path / "e.dcm", [(volume, {"stack": 1}) for volume in made])
    found = scan([tmp_path])
    assert sorted(stack.plane for stack in found.stacks) == ["axial", "coronal", "sagittal"]
    for stack in found.stacks:
        normal = _normal(stack.station.grid)
        mine = next(v for v in made if abs(_normal(v.grid) @ normal) > 0.9)
        df.same_world(mine, station_pixels(stack.station))


def _normal(grid: Grid) -> Any:
    matrix = grid.lps_from_voxel
    normal = np.cross(matrix[:3, 0], matrix[:3, 1])
    return normal / np.linalg.norm(normal)


def test_two_spacings_in_one_enhanced_file(tmp_path: Path) -> None:
    fine = df.noise(df.grid((5, 15, 11), directions=TURNED, spacing=(1.2, 1.4, 4.0)), 3)
    _write(tmp_path / "e.dcm", [(_coronal(0), {}), (fine, {})])
    entries = df.read_entries(tmp_path)
    assert sorted(e["spacing_mm"] for e in entries) == [[1.2, 1.4, 4.0], [1.5, 2.25, 4.0]]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"echo": 10}, {"echo": 80}),
        ({"inversion": 150}, {"inversion": 2200}),
        ({"time": 1}, {"time": 2}),
        ({"type": ["DERIVED", "PRIMARY", "DIXON", "WATER"]}, {"type": ["DERIVED", "PRIMARY", "DIXON", "FAT"]}),
        ({"stack": 1}, {"stack": 2}),
    ],
)
def test_parts_of_one_enhanced_file_at_one_place(tmp_path: Path, first: dict[str, Any], second: dict[str, Any]) -> None:
    made = [(_coronal(0, 1), first), (_coronal(0, 5), second)]
    _write(tmp_path / "e.dcm", [(volume, {"stack": 1, **facts}) for volume, facts in made])
    found = scan([tmp_path])
    assert [stack.station.grid.shape for stack in found.stacks] == [(5, 15, 11)] * 2
    arrays = [station_pixels(stack.station).array for stack in found.stacks]
    for volume, _ in made:
        assert any(np.array_equal(volume.array, array[:, :, ::step]) for array in arrays for step in (1, -1))


def test_frames_at_one_place_that_nothing_tells_apart_are_refused(tmp_path: Path) -> None:
    _write(tmp_path / "e.dcm", [(_coronal(0, 1), {"stack": 1}), (_coronal(0, 5), {"stack": 1})])
    found = scan([tmp_path])
    assert found.stacks == ()
    assert "slices lie where another one does" in found.refused[0].why
    assert "nothing in the headers tells them apart" in found.refused[0].why


# ---- classic files: several volumes in one series UID ---------------------------------------------------------------


def test_dixon_of_four_parts_two_echoes_and_stations_in_one_series(tmp_path: Path) -> None:
    parts = {"W": "water", "F": "fat", "IP": "in_phase", "OP": "out_of_phase"}
    for n in range(2):
        for number, part in enumerate(parts):
            kind = ["DERIVED", "PRIMARY", "DIXON", part]
            volume = _coronal(n, 10 * number)
            df.write_series(tmp_path / part, volume, seed=n, ImageType=kind, EchoTime=str(1.2 + (number > 2)))
    (visit,) = scan([tmp_path]).studies
    assert sorted((s.kind[-1], len(s.stations)) for s in visit.series) == sorted((word, 2) for word in parts.values())


def test_acquisitions_of_stations_that_share_planes(tmp_path: Path) -> None:
    """Axial stations whose slices fall between each other's: told apart by the acquisition, never woven together."""
    axes = df.turned(2, -3, 5)
    for n in range(2):
        origin = np.array([-30.0, -20, 100]) - axes[:, 2] * (34.0 * n)
        volume = df.noise(df.grid((7, 5, 12), directions=axes, origin=tuple(origin)), n)
        df.write_series(tmp_path, volume, seed=n, AcquisitionNumber=str(n + 1))
    entries = df.read_entries(tmp_path)
    assert [(e["shape"], e["spacing_mm"][2]) for e in entries] == [([7, 5, 12], pytest.approx(4))] * 2
