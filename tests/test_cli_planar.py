"""A visit with a planar bone scan alone, by command line: placed by its counts, marked by a click in either view."""

from __future__ import annotations

import csv
import json
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest
from skimage.io import imread

from cli_case import lesionmap
from lesionmap.phantom.files import Header
from lesionmap.phantom.scan_files import write_scan
from lesionmap.store import Study
from planar_cases import clicks, eight_of, off_mm, scan_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DAY = "2012-05-04"
SCAN = scan_of(8.0, 2)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the two views of a girl of 8, and their truth."""
    who = Header("X1", "A^B", "F", date(2004, 5, 3), date(2012, 5, 4), 8.0, 1.28, 25.0, "planar")
    return write_scan(SCAN.case, who, tmp_path_factory.mktemp("scan"))


@pytest.fixture
def study(tmp_path: Path, files: Path) -> Path:
    """Give a study with one visit: that scan."""
    ran = lesionmap("import", tmp_path / "a.lesionmap", files)
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


# Grown outlines, measurements, pictures, and what has no depth


def test_a_click_grown_is_an_outline_in_both_views_with_its_counts(study: Path, tmp_path: Path) -> None:
    assert lesionmap("place", study, "P001", DAY, "--auto").code == 0
    site, (x, _, z) = next((s, at) for s, at in clicks(SCAN, 2) if s.startswith(("tibia", "femur", "ilium")))
    marks = _markers(tmp_path / "m.csv", f"a,{x},,{z},{site}")
    assert lesionmap("add", study, "P001", DAY, "--reader", "R", "--markers", marks, "--grow").code == 0
    with Study.open(study) as opened:
        (lesion,) = opened.lesion_map("P001", DAY, "R").lesions
    shown = dict(zip(("bone scan anterior late", "bone scan posterior late"), SCAN.views.values(), strict=True))
    assert {one.series for one in lesion.extents} == set(shown)
    sums = {}
    for one in lesion.extents:
        assert one.mask is not None
        assert one.marker_lps_mm is None
        assert abs(one.mask.lps_mm()[:, 2].mean() - z) < 10
        sums[one.series] = float(shown[one.series].array[one.mask.slices][one.mask.box].sum())
    assert lesionmap("table", study, "P001", DAY, "-o", tmp_path / "t.csv").code == 0
    (row,) = csv.DictReader((tmp_path / "t.csv").open(encoding="utf-8"))
    assert (row["modality"], row["marked_on"], row["phases"], row["volume_ml"]) == ("NM", "scan", "late", "")
    assert float(row["counts"]) in sums.values()
    assert float(row["mirrored_ratio"]) > 1
    assert (row["n_scan_foci"], row["early_late_ratio"]) == ("1", "")
    assert 0 < float(row["bone_scan_index_adult_masses"]) < 5


def test_the_outlines_are_drawn_on_the_views(study: Path, tmp_path: Path) -> None:
    _, (x, _, z) = clicks(SCAN, 2)[0]
    marks = _markers(tmp_path / "m.csv", f"a,{x},,{z},ankle.left")
    assert lesionmap("add", study, "P001", DAY, "--reader", "R", "--markers", marks, "--grow").code == 0
    ran = lesionmap("export", study, "P001", DAY, "--png", "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    picture = imread(tmp_path / "out" / f"P001_{DAY}_bone_scan.png")
    orange = np.abs(picture[:, :, :3].astype(int) - [0xD5, 0x5E, 0x00]).max(axis=2) < 12
    assert orange[:, : picture.shape[1] // 2].any()
    assert orange[:, picture.shape[1] // 2 :].any()


def test_segmentation_and_report_come_back_as_they_were(study: Path, tmp_path: Path) -> None:
    (_, (x, _, z)), (_, (x2, _, z2)) = clicks(SCAN, 2)[:2]
    marks = _markers(tmp_path / "m.csv", f"a,{x},,{z},ankle.left", f"b,{x2},,{z2},pelvis.right")
    assert lesionmap("add", study, "P001", DAY, "--reader", "R", "--markers", marks, "--grow").code == 0
    assert lesionmap("export", study, "P001", DAY, "--sr", "-o", tmp_path / "out").code == 0
    ran = lesionmap("add", study, "P001", DAY, "--reader", "S", "--sr", tmp_path / "out" / f"P001_{DAY}_sr.dcm")
    assert ran.code == 0, ran.err
    with Study.open(study) as opened:
        first, second = (opened.lesion_map("P001", DAY, reader).lesions for reader in "RS")
    assert [set(one.extents) for one in first] == [set(one.extents) for one in second]
    assert [one.sites for one in second] == [("ankle.left",), ("pelvis.right",)]


def test_points_of_a_view_need_no_depth(tmp_path: Path) -> None:
    marks = SCAN.case.landmarks()
    flat = _csv(
        tmp_path / "l.csv", "name,x_lps_mm,y_lps_mm,z_lps_mm", [f"{n},{p[0]:.2f},,{p[2]:.2f}" for n, p in marks.items()]
    )
    x, _, z = marks["knee_left"]
    points = _csv(tmp_path / "p.csv", "id,x_lps_mm,y_lps_mm,z_lps_mm", [f"a,{x:.1f},,{z + 40:.1f}", "far,900,,900"])
    size = ("--age", "8", "--sex", "F")
    ran = lesionmap(
        "locate", "--landmarks", flat, "--points", points, "--view", "anterior", *size, "-o", tmp_path / "o.csv"
    )
    assert ran.code == 0, ran.err
    near, far = csv.DictReader((tmp_path / "o.csv").open(encoding="utf-8"))
    assert (near["bone"], near["side"], near["distance_mm"]) == ("femur", "left", "")
    assert 0.5 < float(near["confidence"]) <= 1
    assert (far["site"], far["confidence"]) == ("", "")
    ran = lesionmap("locate", "--landmarks", flat, "--points", points, *size, "-o", tmp_path / "o2.csv")
    assert (ran.code, "y_lps_mm of" in ran.line) == (1, True)


def test_the_truth_of_a_phantom_scan_stands_beside_it(files: Path) -> None:
    facts = json.loads((files / "facts.json").read_text(encoding="utf-8"))
    assert facts["counts"] == [int(view.array.sum()) for view in SCAN.views.values()]
    assert [one["site"] for one in facts["lesions"]] == [site for site, _ in SCAN.lesions]
    for told, (_, (x, _, z)) in zip(facts["lesions"], SCAN.lesions, strict=True):
        assert told["middle_lps_mm"][::2] == pytest.approx([x, z], abs=0.1)
    assert set(facts["not_bone"]) == {"bladder", "injection"}
    assert len(facts["landmarks"]) == 43
    assert set(facts["plate_over_shaft"]) == set(SCAN.case.plates)
