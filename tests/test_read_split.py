"""Reading DICOM: what makes a volume, and what files become of one series."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dicom_files as df
from lesionmap.read import pixels, relink, scan


def _two(folder: Path, first: dict[str, Any], second: dict[str, Any]) -> list[dict[str, Any]]:
    """Two volumes of one series UID at the same place, told apart by tags."""
    df.write_series(folder / "a", df.noise(df.grid(), 1), seed=1, **first)
    df.write_series(folder / "b", df.noise(df.grid(), 2), seed=2, **second)
    return df.read_entries(folder)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"EchoTime": "10"}, {"EchoTime": "20"}),
        ({"InversionTime": "150"}, {"InversionTime": "300"}),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "M"]}, {"ImageType": ["ORIGINAL", "PRIMARY", "P"]}),
        ({"ImageType": ["DERIVED", "PRIMARY", "DIXON", "W"]}, {"ImageType": ["DERIVED", "PRIMARY", "DIXON", "F"]}),
        ({"DiffusionBValue": 50.0}, {"DiffusionBValue": 800.0}),
        ({"TemporalPositionIdentifier": "1"}, {"TemporalPositionIdentifier": "2"}),
        ({"AcquisitionNumber": "1"}, {"AcquisitionNumber": "2"}),
        ({"TriggerTime": "1"}, {"TriggerTime": "300"}),
    ],
)
def test_one_series_uid_is_split_by_what_makes_a_volume(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any]
) -> None:
    entries = _two(tmp_path, first, second)
    assert [e["shape"] for e in entries] == [[5, 7, 11], [5, 7, 11]]
    assert [e["n_files"] for e in entries] == [11, 11]
    assert len({e["path"] for e in entries}) == 2


def test_b_values_are_words_of_the_kind(tmp_path: Path) -> None:
    entries = _two(tmp_path, {"DiffusionBValue": 0.0}, {"DiffusionBValue": 800.0})
    assert sorted(e["kind"] for e in entries) == [["magnitude", "b=0"], ["magnitude", "b=800"]]


def test_repeats_without_any_time_are_told_by_instance_number(tmp_path: Path) -> None:
    for n in range(3):
        numbers = [str(n * 11 + k + 1) for k in range(11)]

        def numbered(k: int, numbers: list[str] = numbers) -> dict[str, Any]:
            return {"InstanceNumber": numbers[k]}

        df.write_series(tmp_path, df.noise(df.grid(), n), seed=n, per_slice=numbered)
    entries = df.read_entries(tmp_path)
    assert [e["n_files"] for e in entries] == [11, 11, 11]
    assert all("instance number" in e["note"] for e in entries)


def test_a_localizer_of_three_planes_is_three_volumes(tmp_path: Path) -> None:
    coronal = df.grid((6, 8, 3)).lps_from_voxel[:3, :3]
    for n, axes in enumerate(([0, 1, 2], [2, 1, 0], [0, 2, 1])):
        directions = coronal[:, axes] / np.linalg.norm(coronal[:, axes], axis=0)
        df.write_series(tmp_path, df.noise(df.grid((6, 8, 3), directions=directions), n), seed=n)
    entries = df.read_entries(tmp_path)
    assert sorted(e["plane"] for e in entries) == ["axial", "coronal", "sagittal"]
    assert [e["shape"] for e in entries] == [[6, 8, 3]] * 3


def test_echo_times_that_differ_by_rounding_are_one_volume(tmp_path: Path) -> None:
    df.write_series(tmp_path, df.noise(df.grid()), per_slice=lambda k: {"EchoTime": f"{7.004 + 0.002 * (k % 2):.3f}"})
    (entry,) = df.read_entries(tmp_path)
    assert entry["n_files"] == 11


def test_a_time_point_that_was_broken_off_is_a_shorter_volume(tmp_path: Path) -> None:
    for n in range(3):
        paths = df.write_series(tmp_path, df.noise(df.grid(), n), seed=n, TemporalPositionIdentifier=str(n))
    for path in paths[3:]:
        path.unlink()
    assert [e["shape"][2] for e in df.read_entries(tmp_path)] == [11, 11, 3]


def test_axial_stations_in_one_series_uid_are_told_by_acquisition(tmp_path: Path) -> None:
    for n in range(3):  # two slices of each lie where two of the next do
        where = df.grid((7, 5, 12), directions=np.eye(3), origin=(-30, -20, 100 - n * 40))
        df.write_series(tmp_path, df.noise(where, n), seed=n, AcquisitionNumber=str(n))
    entries = df.read_entries(tmp_path)
    assert [e["shape"] for e in entries] == [[7, 5, 12]] * 3
    assert sorted(e["first_voxel_lps_mm"][2] for e in entries) == [20, 60, 100]
    (series,) = scan([tmp_path]).studies[0].series
    assert series.grid.shape == (7, 5, 32)


def test_stations_in_one_series_uid_are_parted_by_place(tmp_path: Path) -> None:
    for n in range(3):
        df.write_series(tmp_path, df.noise(df.grid(origin=(-31, 17, -140 - 12 * n)), n), seed=n)
    entries = df.read_entries(tmp_path)
    assert sorted(e["first_voxel_lps_mm"][2] for e in entries) == [-164, -152, -140]
    (visit,) = scan([tmp_path]).studies
    assert [len(series.stations) for series in visit.series] == [3]


def test_copies_in_other_folders_and_paths_given_twice_are_not_read_twice(tmp_path: Path) -> None:
    paths = df.write_series(tmp_path / "deep" / "er", df.noise(df.grid()))
    (entry,) = df.read_entries(tmp_path, tmp_path / "deep", paths[0], tmp_path)
    assert entry["n_files"] == 11


def test_zip_archives_are_read_where_they_are(tmp_path: Path) -> None:
    original = df.noise(df.grid())
    df.write_series(tmp_path / "in" / "nested", original)
    archive = shutil.make_archive(str(tmp_path / "visit"), "zip", tmp_path / "in")
    shutil.rmtree(tmp_path / "in")
    (visit,) = scan([archive]).studies
    df.same_world(original, pixels(visit.series[0]))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["visit.zip"]


def test_a_dicomdir_stands_for_its_folder(tmp_path: Path) -> None:
    df.write_series(tmp_path / "DICOM", df.noise(df.grid()))
    (tmp_path / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 40)
    assert len(df.read_entries(tmp_path)) == 1
    assert len(df.read_entries(tmp_path / "DICOMDIR")) == 1


def test_moved_images_are_linked_again_by_uid(tmp_path: Path) -> None:
    original = df.noise(df.grid())
    df.write_series(tmp_path / "old", original)
    (visit,) = scan([tmp_path / "old"], hashes=True).studies
    series = visit.series[0]
    assert all(len(file.sha256) == 64 for file in series.stations[0].files)
    (tmp_path / "old").rename(tmp_path / "new")
    with pytest.raises(ValueError, match="is not there or cannot be read; re-link the images"):
        pixels(series)
    df.same_world(original, pixels(relink(series, tmp_path / "new")))
    next((tmp_path / "new").iterdir()).unlink()
    with pytest.raises(ValueError, match=r"11 image files of 'MR coronal' were expected .* 1 of them are not there"):
        relink(series, tmp_path)


def test_a_file_exchanged_after_the_scan_is_noticed(tmp_path: Path) -> None:
    paths = df.write_series(tmp_path, df.noise(df.grid()))
    (visit,) = scan([tmp_path]).studies
    first = Path(visit.series[0].stations[0].files[0].path)
    other = next(path for path in paths if path != first)
    shutil.copy(other, first)
    with pytest.raises(ValueError, match="another image lies at"):
        pixels(visit.series[0])
