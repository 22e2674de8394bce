"""Segments of other programs become lesions: one Tracking UID is one, on the series that it was drawn on."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import dicom_files as df
import seg_case as sc
from cli_case import LANDMARKS
from lesionmap import mark, skeleton
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent
from lesionmap.read import read_seg

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionmap.lesions import Lesion
    from lesionmap.skeleton import Placement
    from lesionmap.visits import Series


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Series:
    return sc.femur_series(tmp_path_factory.mktemp("series"))


@pytest.fixture(scope="module")
def placement() -> Placement:
    return skeleton.place(LANDMARKS, age_y=9.0)


def by_name(found: Sequence[Lesion]) -> dict[str, int]:
    return {x.tracks[0]: sum(e.mask.n_voxels for e in x.extents if e.mask) for x in found}


def test_segments_of_one_uid_are_one_lesion_in_any_order(tmp_path: Path, series: Series, placement: Placement) -> None:
    top = sc.foreign(tmp_path / "a.dcm", series, sc.drawn((2, 19, 4), (5, 1, 1)), tracks=("2.25.71", "2.25.72"))
    low = sc.foreign(
        tmp_path / "b.dcm", series, sc.drawn((2, 0, 4), (6, 9, 1)), station=1, tracks=("2.25.71", "2.25.73")
    )
    visit = sc.visit_of(series)
    for files in ((top, low), (low, top)):
        found = mark.add_segs(sc.map_of(), visit, placement, [read_seg(file) for file in files]).lesions
        # Rows 19 to 21 are drawn on the upper station, 20 to 23 of the whole on the lower one: two rows on both.
        assert by_name(found) == {"2.25.71": 2 * 3 * 5, "2.25.72": 24, "2.25.73": 24}
        assert {(x.sites, x.certainty) for x in found} == {(("femur.diaphysis.left",), "definite")}


def test_segments_without_uid_are_a_lesion_each_on_a_new_track(
    tmp_path: Path, series: Series, placement: Placement
) -> None:
    path = sc.foreign(tmp_path / "a.dcm", series, sc.drawn((2, 3, 4), (5, 1, 1)))
    found = mark.add_segs(sc.map_of(), sc.visit_of(series), placement, [read_seg(path)])
    assert [x.id for x in found.lesions] == ["L1", "L2"]
    assert all(re.fullmatch(r"2\.25\.\d+", x.tracks[0]) for x in found.lesions)
    with pytest.raises(LesionmapError, match=r"segment 1 of .* is marked already as L1 of visit 2010-05-04 by anna"):
        mark.add_segs(found, sc.visit_of(series), placement, [read_seg(path)])


def test_a_lesion_marked_already_is_drawn_on_another_series(tmp_path: Path, series: Series) -> None:
    t1 = sc.series_of([sc.station(tmp_path / "t1", df.grid((13, 22, 9)), SeriesInstanceUID="1.2.8")], "T1 coronal")
    visit = sc.visit_of(series, t1)
    first = sc.lesion(1, Extent(series.name, sc.boxed(series.grid, (1, 1, 1), (3, 4, 5))))
    seg = read_seg(sc.foreign(tmp_path / "a.dcm", t1, sc.drawn((2, 3, 4)), tracks=first.tracks))
    (found,) = mark.add_segs(sc.map_of(first), visit, None, [seg]).lesions
    assert (found.id, found.sites, [x.series for x in found.extents]) == (
        "L1",
        first.sites,
        ["STIR coronal", "T1 coronal"],
    )
    other = read_seg(sc.foreign(tmp_path / "b.dcm", series, sc.drawn((2, 3, 4)), tracks=first.tracks))
    with pytest.raises(
        LesionmapError, match="L1 of visit 2010-05-04 has the same track and is drawn on STIR coronal in"
    ):
        mark.add_segs(sc.map_of(first), visit, None, [other])


def test_segments_that_fit_no_series_or_no_skeleton_are_refused_in_words(tmp_path: Path, series: Series) -> None:
    seg = read_seg(sc.foreign(tmp_path / "a.dcm", series, sc.drawn((2, 3, 4))))
    elsewhere = sc.visit_of(replace(series, grid=df.grid(), stations=(replace(series.stations[0], grid=df.grid()),)))
    words = (
        r"segment 1 of .*a\.dcm lies on 13 × 22 × \d voxels of 1\.50 × 2\.25 × 4\.00 mm, which fit none of the series "
        r"of visit 2010-05-04 \('STIR coronal' has 5 × 7 × 11 voxels .*\); import the images"
    )
    with pytest.raises(LesionmapError, match=words):
        mark.add_segs(sc.map_of(), elsewhere, None, [seg])
    with pytest.raises(LesionmapError, match="visit 2010-05-04 has no skeleton to propose sites; place it with"):
        mark.add_segs(sc.map_of(), sc.visit_of(series), None, [seg])
