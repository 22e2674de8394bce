"""From ``place`` to ``export``: the work by command line."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cli_case import LANDMARKS, SHAPE, lesionmap, mr_slices, nifti, write_landmarks

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIRST, SECOND = "2010-05-04", "2012-06-01"
ROOM = "x_lps_mm,y_lps_mm,z_lps_mm"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def done(*arguments: object) -> str:
    ran = lesionmap(*arguments)
    assert ran.code == 0, ran.err
    return ran.out


def femur_mask(*, upper: bool = True, lower: bool = False) -> NDArray[np.uint8]:
    """Draw boxes of 3 × 3 × 2 voxels in the shaft of the left femur (x = 68 and 76 mm)."""
    array = np.zeros(SHAPE, dtype=np.uint8)
    if upper:
        array[20:22, 27:30, 3:5] = 1
    if lower:
        array[20:22, 34:37, 3:5] = 1
    return array


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a study with two visits of one child, the skeleton placed on both; nobody changes it."""
    folder = tmp_path_factory.mktemp("placed")
    path = folder / "a.lesionmap"
    marks = write_landmarks(folder / "landmarks.csv")
    for day in (FIRST, SECOND):
        mr_slices(folder / day, day=day.replace("-", ""))
        done("import", path, folder / day)
        said = done("place", path, "P001", day, "--landmarks", marks)
        assert "placed on 5 landmarks" in said
    return path


@pytest.fixture
def study(placed: Path, tmp_path: Path) -> Path:
    """Give a copy of that study to work in."""
    return Path(shutil.copy(placed, tmp_path / "a.lesionmap"))


# ---- locate ---------------------------------------------------------------------------------------------------------


def test_locate_points_gives_one_row_for_each_id(tmp_path: Path) -> None:
    marks = write_landmarks(tmp_path / "landmarks.csv")
    middle = (np.array(LANDMARKS["hip_left"]) + LANDMARKS["knee_left"]) / 2
    points = tmp_path / "points.csv"
    x, y, z = middle
    points.write_text(f"id,{ROOM}\nshaft,{x},{y},{z}\nfar,0,0,3000\nmirror,{-x},{y},{z}\n")
    out = tmp_path / "where.csv"
    done("locate", "--landmarks", marks, "--points", points, "-o", out)
    shaft, far, mirror = rows_of(out)
    assert list(shaft) == [
        "id", "site", "bone", "segment", "side", "fraction_along", "distance_mm", "inside", "confidence", "second_site",
    ]  # fmt: skip
    assert (shaft["id"], shaft["site"], shaft["bone"]) == ("shaft", "femur.diaphysis.left", "femur")
    assert (shaft["segment"], shaft["side"]) == ("diaphysis", "left")
    assert 0.35 < float(shaft["fraction_along"]) < 0.65
    assert (far["id"], far["site"], far["bone"], far["side"], far["inside"]) == ("far", "", "", "", "false")
    assert float(far["distance_mm"]) > 1000
    assert (mirror["id"], mirror["side"]) == ("mirror", "right")


def test_locate_mask_gives_a_row_for_each_site_touched(tmp_path: Path) -> None:
    marks = write_landmarks(tmp_path / "landmarks.csv")
    array = femur_mask(lower=True) * 7
    array[array > 0] = 7
    array[20:22, 34:37, 3:5] = 9
    mask, out = nifti(tmp_path / "m.nii.gz", array), tmp_path / "where.csv"
    done("locate", "--landmarks", marks, "--mask", mask, "-o", out, "--age", "10", "--sex", "F")
    rows = rows_of(out)
    assert list(rows[0]) == ["component", "site", "share", "bone", "segment", "side", "physis", "growth_risk"]
    assert {row["component"] for row in rows} == {"7", "9"}
    assert {row["bone"] for row in rows} == {"femur"}
    assert {row["side"] for row in rows} == {"left"}
    for component in ("7", "9"):
        assert sum(float(row["share"]) for row in rows if row["component"] == component) == pytest.approx(1, abs=1e-3)


def test_locate_needs_points_or_mask(tmp_path: Path) -> None:
    marks = write_landmarks(tmp_path / "landmarks.csv")
    ran = lesionmap("locate", "--landmarks", marks, "-o", tmp_path / "x.csv")
    assert (ran.code, "one of --points and --mask is needed" in ran.err) == (2, True)


def test_locate_with_an_unknown_landmark(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(f"name,{ROOM}\nkneecap,1,2,3\n")
    (tmp_path / "p.csv").write_text(f"id,{ROOM}\na,1,2,3\n")
    ran = lesionmap(
        "locate", "--landmarks", tmp_path / "l.csv", "--points", tmp_path / "p.csv", "-o", tmp_path / "o.csv"
    )
    assert (ran.code, "landmark 'kneecap' is not known" in ran.line) == (1, True)
    assert not (tmp_path / "o.csv").exists()


# ---- the work -------------------------------------------------------------------------------------------------------


def test_mask_to_table_comparison_map_and_report(study: Path, tmp_path: Path) -> None:
    both, one = femur_mask(lower=True), femur_mask()
    said = done("add", study, "P001", FIRST, "--reader", "anna", "--mask", nifti(tmp_path / "1.nii", both))
    assert re.findall(r"^L\d", said, re.MULTILINE) == ["L1", "L2"]
    said = done("add", study, "P001", SECOND, "--reader", "anna", "--mask", nifti(tmp_path / "2.nii", one))
    assert "proposed track" in said
    table = tmp_path / "lesions.csv"
    told = done("table", study, "P001", "-o", table)
    assert 'Counted (rule "default")' in told
    rows = rows_of(table)
    assert [(row["visit_date"], row["lesion"], row["bone"], row["side"]) for row in rows] == [
        (FIRST, "L1", "femur", "left"), (FIRST, "L2", "femur", "left"), (SECOND, "L1", "femur", "left"),
    ]  # fmt: skip
    volume_ml = 12 * 8 * 8 * 12 / 1000
    assert [float(row["volume_ml"]) for row in rows] == pytest.approx([volume_ml] * 3, abs=1e-3)
    assert all(20 <= float(row["signal_mean"]) < 60 for row in rows)
    assert [row["signal_ratio"] for row in rows] == ["", "", ""]
    comparison = tmp_path / "comparison.csv"
    done("compare", study, "P001", "-o", comparison)
    assert list(rows_of(comparison)[0]) == [
        "track", "site", f"state@{FIRST}", f"volume_ml@{FIRST}", f"state@{SECOND}", f"volume_ml@{SECOND}",
    ]  # fmt: skip
    done("map", study, "P001", "-o", tmp_path / "map.svg")
    assert (tmp_path / "map.svg").read_text().startswith("<?xml")
    done("map", study, "P001", FIRST, "-o", tmp_path / "first.png")
    assert (tmp_path / "first.png").read_bytes()[:4] == b"\x89PNG"
    done("report", study, "P001", "-o", tmp_path / "report.html")
    assert "Research use only" in (tmp_path / "report.html").read_text()


def test_accepted_track_is_persistent_and_not_accepted_is_new(study: Path, tmp_path: Path) -> None:
    mask = nifti(tmp_path / "m.nii", femur_mask())
    done("add", study, "P001", FIRST, "--reader", "anna", "--mask", mask)
    done("add", study, "P001", SECOND, "--reader", "anna", "--mask", mask, "--accept-tracks")
    done("compare", study, "P001", "-o", tmp_path / "c.csv")
    (row,) = rows_of(tmp_path / "c.csv")
    assert (row[f"state@{FIRST}"], row[f"state@{SECOND}"]) == ("first_seen", "persistent")


def test_another_threshold_is_taken_and_told(study: Path, tmp_path: Path) -> None:
    mask = nifti(tmp_path / "m.nii", femur_mask())
    done("add", study, "P001", FIRST, "--reader", "anna", "--mask", mask)
    for change, told in ((), "more than 30 %"), (("--change", "55"), "more than 55 %"):
        done("report", study, "P001", *change, "-o", tmp_path / "report.html", "--overwrite")
        assert told in (tmp_path / "report.html").read_text("utf-8")
    assert lesionmap("table", study, "P001", "--change", "0", "-o", tmp_path / "x.csv").code == 2


def test_answers_and_sites(study: Path, tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("site,certainty,note\nankle.left,probable,planar scan\nrib_7.whole.left,,\n")
    (tmp_path / "2.csv").write_text("site,answer\nankle.left,resolved\n")
    done("add", study, "P001", FIRST, "--reader", "anna", "--sites", tmp_path / "1.csv")
    assert "answer resolved" in done("add", study, "P001", SECOND, "--reader", "anna", "--sites", tmp_path / "2.csv")
    done("compare", study, "P001", "-o", tmp_path / "c.json")
    rows = {row["site"]: row for row in json.loads((tmp_path / "c.json").read_text())}
    assert rows["ankle.left"][f"state@{SECOND}"] == "resolved"
    assert rows["rib_7.whole.left"][f"state@{SECOND}"] in ("unanswered", "not_imaged")
    assert rows["ankle.left"][f"volume_ml@{FIRST}"] is None


def test_markers_get_their_site_from_the_skeleton(study: Path, tmp_path: Path) -> None:
    path = tmp_path / "markers.csv"
    path.write_text(f"id,{ROOM},certainty\n1,74,0,-200,probable\n")
    assert "femur.diaphysis.left (probable)" in done("add", study, "P001", FIRST, "--reader", "anna", "--markers", path)


def test_export_nifti_reads_back_at_the_same_place(study: Path, tmp_path: Path) -> None:
    import nibabel as nib

    array = femur_mask(lower=True)
    done("add", study, "P001", FIRST, "--reader", "anna", "--mask", nifti(tmp_path / "in.nii", array))
    done("export", study, "P001", FIRST, "--nifti", "-o", tmp_path / "out")
    (path,) = (tmp_path / "out").glob("*.nii.gz")
    back = nib.load(path)
    np.testing.assert_array_equal(np.asarray(back.dataobj) > 0, array > 0)
    assert set(np.unique(np.asarray(back.dataobj))) == {0, 1, 2}
    np.testing.assert_allclose(back.affine, nib.load(tmp_path / "in.nii").affine, atol=1e-3)
    again = lesionmap("export", study, "P001", FIRST, "--nifti", "-o", tmp_path / "out")
    assert (again.code, "--overwrite" in again.line) == (1, True)


def test_several_readers_are_a_matter_of_usage(study: Path, tmp_path: Path) -> None:
    mask = nifti(tmp_path / "m.nii", femur_mask())
    for reader in ("anna", "bea"):
        done("add", study, "P001", FIRST, "--reader", reader, "--mask", mask)
    ran = lesionmap("table", study, "P001", "-o", tmp_path / "t.csv")
    assert (ran.code, "P001 was read by anna, bea; say which with --reader" in ran.line) == (2, True)
    done("table", study, "P001", "--reader", "bea", "-o", tmp_path / "t.csv")
    assert {row["reader"] for row in rows_of(tmp_path / "t.csv")} == {"bea"}
    ran = lesionmap("table", study, "P001", "--reader", "carl", "-o", tmp_path / "u.csv")
    assert (ran.code, "was not read by 'carl', but by: anna, bea" in ran.line) == (1, True)


def test_files_are_not_overwritten_unasked(study: Path, tmp_path: Path) -> None:
    done("add", study, "P001", FIRST, "--reader", "anna", "--mask", nifti(tmp_path / "m.nii", femur_mask()))
    (tmp_path / "t.csv").write_text("mine")
    ran = lesionmap("table", study, "-o", tmp_path / "t.csv")
    assert (ran.code, "exists already" in ran.line, "--overwrite" in ran.line) == (1, True, True)
    assert (tmp_path / "t.csv").read_text() == "mine"
    done("table", study, "-o", tmp_path / "t.csv", "--overwrite")
    assert len(rows_of(tmp_path / "t.csv")) == 1


# ---- bad requests: exit 1, one line, the study as it was -------------------------------------------------------------


def test_bad_requests_leave_the_study_as_it_was(study: Path, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("site\ntibia.knee.left\n")
    (tmp_path / "l.csv").write_text(f"name,{ROOM}\nknee,1,2,3\n")
    far = np.zeros(SHAPE, dtype=np.uint8)
    far[1, 38, 0] = 1
    small = nifti(tmp_path / "small.nii", np.ones((5, 7, 11), dtype=np.uint8))
    nothing = nifti(tmp_path / "empty.nii", np.zeros(SHAPE, dtype=np.uint8))
    out = tmp_path / "o.csv"
    add = ("add", study, "P001", FIRST, "--reader", "anna")
    before = lesionmap("list", study, "--json").out
    for arguments, said in (
        ((*add, "--mask", small), "this one has 5 × 7 × 11 voxels"),
        ((*add, "--mask", nothing), "no voxel that is not 0"),
        ((*add, "--mask", tmp_path / "none.nii"), "none.nii"),
        ((*add, "--sites", tmp_path / "s.csv"), "site 'tibia.knee.left' is not known"),
        (("add", study, "P001", "2011-01-01", "--reader", "anna", "--sites", tmp_path / "s.csv"), FIRST),
        (("place", study, "P001", FIRST, "--landmarks", tmp_path / "l.csv"), "landmark 'knee' is not known"),
        (("place", study, "P009", FIRST, "--landmarks", tmp_path / "l.csv"), "P009"),
        (("table", study, "-o", out), "has no marks yet"),
        (("table", study, "P001", "-o", out), "has no marks yet"),
        (("table", study, "P001", "-o", out, "--rule", "mine"), "count rule 'mine' is not known"),
        (("compare", study, "P001", "-o", out), "has no marks yet"),
        (("view", study, "P009"), "P009"),
    ):
        ran = lesionmap(*arguments)
        assert (ran.code, said in ran.line) == (1, True), (arguments, ran)
    assert lesionmap("list", study, "--json").out == before
    assert not out.exists()


def test_unknown_ending(study: Path, tmp_path: Path) -> None:
    done("add", study, "P001", FIRST, "--reader", "anna", "--mask", nifti(tmp_path / "m.nii", femur_mask()))
    ran = lesionmap("table", study, "-o", tmp_path / "t.docx")
    assert (ran.code, ".csv" in ran.line) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("table",), ("add", "s", "P001", FIRST, "--mask", "m.nii"), ("list", "s", "--nonsense")],
)
def test_usage_errors_exit_2(arguments: tuple[str, ...]) -> None:
    ran = lesionmap(*arguments)
    assert ran.code == 2
    assert "Traceback" not in ran.err


def test_add_wants_one_source(study: Path) -> None:
    ran = lesionmap("add", study, "P001", FIRST, "--reader", "anna")
    assert (ran.code, "exactly one of --mask, --markers, --sites and --sr" in ran.err) == (2, True)


def test_view_names_the_missing_extra(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionmap.cli.studies.find_spec", lambda _: None)
    ran = lesionmap("view", study)
    assert (ran.code, "pip install 'lesionmap[napari]'" in ran.line) == (1, True)


def test_help_starts_light_and_names_every_verb() -> None:
    script = (
        "import sys; sys.argv = ['lesionmap', '--help']\nfrom lesionmap.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'scipy', 'pydicom', 'pandas', 'sqlalchemy', 'matplotlib', 'nibabel', 'highdicom', 'rich'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.rstrip().endswith("HEAVY []")
    verbs = "demo import visit list place locate add table compare map report export view"
    for verb in verbs.split(" "):
        assert re.search(rf"^  {verb} ", out, re.MULTILINE), verb


def test_python_dash_m_is_the_same_program(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "lesionmap", "list", str(tmp_path / "none")], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("lesionmap: there is no study")


def test_moved_images_leave_sizes_and_no_signal(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lesionmap.errors import LesionmapError

    def gone(_: object) -> None:
        raise LesionmapError("the image file is not there; re-link the images")

    done("add", study, "P001", FIRST, "--reader", "anna", "--mask", nifti(tmp_path / "m.nii", femur_mask()))
    monkeypatch.setattr("lesionmap.read.pixels", gone)
    done("table", study, "-o", tmp_path / "t.csv")
    (row,) = rows_of(tmp_path / "t.csv")
    assert (row["volume_ml"], row["signal_mean"]) == ("9.216", "")
    assert "the pixels were not given" in row["why_not_measured"]
