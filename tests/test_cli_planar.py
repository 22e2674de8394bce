"""A visit with a planar bone scan alone, by command line: placed by its counts, marked by a click in either view."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cli_case import lesionmap
from lesionmap.phantom.files import Header, write_bone_scan
from lesionmap.store import Study
from planar_cases import clicks, eight_of, off_mm, scan_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DAY = "2012-05-04"
SCAN = scan_of(8.0, 2)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Give a study with one visit: the two views of a girl of 8."""
    who = Header("X1", "A^B", "F", date(2004, 5, 3), date(2012, 5, 4), 8.0, 1.28, 25.0, "planar")
    frames = np.stack([view.array[:, :, 0].T for view in SCAN.views.values()])
    write_bone_scan(frames, who, 1, tmp_path / "in" / "scan.dcm")
    ran = lesionmap("import", tmp_path / "a.lesionmap", tmp_path / "in")
    assert ran.code == 0, ran.err
    return tmp_path / "a.lesionmap"


def _csv(path: Path, header: str, rows: Iterable[str]) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def _markers(path: Path, *rows: str) -> Path:
    return _csv(path, "id,x_lps_mm,y_lps_mm,z_lps_mm,site", rows)


def test_a_bone_scan_is_placed_by_its_counts(study: Path) -> None:
    ran = lesionmap("place", study, "P001", DAY, "--auto")
    assert ran.code == 0, ran.err
    assert "placed by the counts of 'bone scan anterior late' and 'bone scan posterior late'" in ran.out
    with Study.open(study) as opened:
        placement = opened.placement("P001", DAY)
    assert placement is not None
    assert np.median(list(off_mm(placement, SCAN).values())) < 20.0
    assert dict(placement.coverage or ())["femur.diaphysis.left"] == 1.0


def test_landmarks_of_a_view_have_no_depth(study: Path, tmp_path: Path) -> None:
    rows = [f"{n},{x},{150 * i},{z}" for i, (n, (x, _, z)) in enumerate(eight_of(SCAN, 2).items())]
    marks = _csv(tmp_path / "l.csv", "name,x_lps_mm,y_lps_mm,z_lps_mm", rows)
    ran = lesionmap("place", study, "P001", DAY, "--landmarks", marks)
    assert ran.code == 0, ran.err
    with Study.open(study) as opened:
        placement = opened.placement("P001", DAY)
    assert placement is not None
    assert max(abs(mark.lps_mm[1]) for mark in placement.landmarks) < 300.0
    assert np.median(list(off_mm(placement, SCAN).values())) <= 10.0


def test_one_click_is_one_lesion_in_two_views_with_its_site(study: Path, tmp_path: Path) -> None:
    assert lesionmap("place", study, "P001", DAY, "--auto").code == 0
    site, (x, _, z) = next((s, at) for s, at in clicks(SCAN, 2) if s.startswith(("tibia", "femur", "ilium")))
    ran = lesionmap(
        "add", study, "P001", DAY, "--reader", "R", "--markers", _markers(tmp_path / "m.csv", f"a,{x},0,{z},")
    )
    assert ran.code == 0, ran.err
    with Study.open(study) as opened:
        (lesion,) = opened.lesion_map("P001", DAY, "R").lesions
    assert [x.series for x in lesion.extents] == ["bone scan anterior late", "bone scan posterior late"]
    assert {x.phase for x in lesion.extents} == {"late"}
    assert lesion.sites[0].split(".")[0] == site.split(".")[0]
    assert lesion.sites[0].endswith(site.split(".")[-1])


def test_a_site_that_the_reader_names_is_taken(study: Path, tmp_path: Path) -> None:
    _, (x, _, z) = clicks(SCAN, 2)[0]
    marks = _markers(tmp_path / "m.csv", f"a,{x},0,{z},ankle.left")
    ran = lesionmap("add", study, "P001", DAY, "--reader", "R", "--markers", marks)  # no skeleton is needed
    assert ran.code == 0, ran.err
    with Study.open(study) as opened:
        (lesion,) = opened.lesion_map("P001", DAY, "R").lesions
    assert lesion.sites == ("ankle.left",)
    assert len(lesion.extents) == 2


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a,900,0,1200,tibia.diaphysis.left", "lies outside the planar views of visit 2012-05-04"),
        ("a,280,0,2300,tibia.diaphysis.left", "no more than noise"),
    ],
)
def test_a_marker_on_nothing_is_refused(study: Path, tmp_path: Path, row: str, words: str) -> None:
    ran = lesionmap("add", study, "P001", DAY, "--reader", "R", "--markers", _markers(tmp_path / "m.csv", row))
    assert (ran.code, words in ran.line) == (1, True), ran.err


def test_a_marker_without_site_needs_a_skeleton(study: Path, tmp_path: Path) -> None:
    _, (x, _, z) = clicks(SCAN, 2)[0]
    ran = lesionmap(
        "add", study, "P001", DAY, "--reader", "R", "--markers", _markers(tmp_path / "m.csv", f"a,{x},0,{z},")
    )
    assert (ran.code, "no skeleton is placed" in ran.line) == (1, True), ran.err
