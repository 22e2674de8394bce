"""Mistakes that people make with the command line: each is told in one line, and nothing is written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cli_case import SHAPE, lesionmap, mr_slices, nifti, write_landmarks
from lesionmap import skeleton
from lesionmap.skeleton import growth

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Moved = Callable[[float, float, float], tuple[float, float, float]]

FIRST, SECOND = "2010-05-04", "2011-05-04"
HEADING = "id,x_lps_mm,y_lps_mm,z_lps_mm"
SITE = "femur.diaphysis.left"


def text(folder: Path, content: str, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode())
    return path


def track_of(study: Path, folder: Path, reader: str) -> str:
    table = folder / "table.json"
    ran = lesionmap("table", study, "P001", "--reader", reader, "-o", table, "--overwrite")
    assert ran.code == 0, ran.err
    return str(json.loads(table.read_text())[0]["track"])


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Two visits without images; one lesion in the first."""
    path = tmp_path / "study.lesionmap"
    for day in (FIRST, SECOND):
        assert lesionmap("visit", path, "P001", day, "--age", "10").code == 0
    rows = text(tmp_path, f"site\n{SITE}\n", "first.csv")
    assert lesionmap("add", path, "P001", FIRST, "--reader", "mw", "--sites", rows).code == 0
    return path


@pytest.mark.parametrize("track", ["hello", "2.25.1234567"])
def test_answer_for_a_track_that_was_never_marked(study: Path, tmp_path: Path, track: str) -> None:
    rows = text(tmp_path, f"site,track,answer\n,{track},resolved\n")
    ran = lesionmap("add", study, "P001", SECOND, "--reader", "mw", "--sites", rows)
    assert ran.code == 1
    assert f"{track!r} is none" in ran.line
    assert "0 answers" in lesionmap("list", study).out
    assert "1 answers" not in lesionmap("list", study).out


def test_answer_for_the_track_of_another_reader(study: Path, tmp_path: Path) -> None:
    rows = text(tmp_path, f"site,track,answer\n,{track_of(study, tmp_path, 'mw')},resolved\n")
    assert lesionmap("add", study, "P001", SECOND, "--reader", "mw", "--sites", rows).code == 0
    assert lesionmap("add", study, "P001", SECOND, "--reader", "ab", "--sites", rows).code == 1


def test_answer_before_the_track_was_marked(study: Path, tmp_path: Path) -> None:
    later = text(tmp_path, "site\ntibia.diaphysis.left\n", "later.csv")
    assert lesionmap("add", study, "P001", SECOND, "--reader", "mw", "--sites", later).code == 0
    rows = text(tmp_path, "site,answer\ntibia.diaphysis.left,resolved\n")
    ran = lesionmap("add", study, "P001", FIRST, "--reader", "mw", "--sites", rows)
    assert ran.code == 1
    assert "earlier visit" in ran.line


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (f"site,certianty\n{SITE},equivocal\n", "'certainty' is"),
        (f"site,note\n{SITE},big, two parts\n", "double quotes"),
        (f"site;note\n{SITE};big\n", "by commas, not semicolons"),
        (f"site,site\n{SITE},{SITE}\n", "occurs twice"),
    ],
)
def test_rows_that_would_lose_what_they_say(study: Path, tmp_path: Path, content: str, says: str) -> None:
    ran = lesionmap("add", study, "P001", SECOND, "--reader", "mw", "--sites", text(tmp_path, content))
    assert ran.code == 1
    assert says in ran.line


def test_heading_with_blanks_capitals_and_windows_line_ends(study: Path, tmp_path: Path) -> None:
    rows = text(tmp_path, f"\ufeffSite , Certainty\r\n{SITE} , probable\r\n\r\n")
    ran = lesionmap("add", study, "P001", SECOND, "--reader", "mw", "--sites", rows)
    assert ran.code == 0, ran.err
    assert f"{SITE} (probable)" in ran.out


@pytest.mark.parametrize("x", ["1e200", "-1e7", "1e12"])
def test_point_beyond_all_measure(tmp_path: Path, x: str) -> None:
    marks, points = write_landmarks(tmp_path / "l.csv"), text(tmp_path, f"{HEADING}\na,{x},0,0\n")
    ran = lesionmap("locate", "--landmarks", marks, "--points", points, "-o", tmp_path / "out.csv")
    assert ran.code == 1
    assert "kilometre" in ran.line
    assert not (tmp_path / "out.csv").exists()


def moved_landmarks(folder: Path, moved: Moved) -> Path:
    child = growth.landmark_model(10.0, None, 138.0)
    places = [(name, moved(*child[name].tolist())) for name in skeleton.landmarks()]
    rows = [f"{name},{x},{y},{z}" for name, (x, y, z) in places]
    return text(folder, "\n".join(["name,x_lps_mm,y_lps_mm,z_lps_mm", *rows]))


@pytest.mark.parametrize(
    ("moved", "says"),
    [
        (lambda x, y, z: (10 * x, 10 * y, 10 * z), "check the unit"),
        (lambda x, y, z: (1e3 * x, y, z), "check the unit"),
    ],
)
def test_landmarks_that_are_no_body_in_mm(study: Path, tmp_path: Path, moved: Moved, says: str) -> None:
    marks = moved_landmarks(tmp_path, moved)
    ran = lesionmap("place", study, "P001", FIRST, "--landmarks", marks)
    assert ran.code == 1
    assert says in ran.line
    assert "placed" not in lesionmap("list", study).out


@pytest.mark.parametrize(
    ("moved", "says"),
    [
        (lambda x, y, z: (-x, -y, z), "the body lies on its front, or these are RAS coordinates"),
        (lambda x, y, z: (-x, y, z), "left and right look exchanged throughout"),
    ],
)
def test_a_prone_child_is_placed_and_sides_that_look_exchanged_are_told(
    study: Path, tmp_path: Path, moved: Moved, says: str
) -> None:
    ran = lesionmap("place", study, "P001", FIRST, "--landmarks", moved_landmarks(tmp_path, moved))
    assert ran.code == 0
    assert says in ran.out + ran.err
    assert "placed" in lesionmap("list", study).out


def test_visit_that_was_not_read_has_no_count(study: Path, tmp_path: Path) -> None:
    ran = lesionmap("map", study, "P001", "-o", tmp_path / "map.svg")
    assert f"{FIRST}: 1 lesion" in ran.out
    assert f"{SECOND}: nothing marked" in ran.out
    assert lesionmap("report", study, "P001", "-o", tmp_path / "report.html").code == 0
    assert f"{SECOND}: nothing marked." in (tmp_path / "report.html").read_text()


def test_dry_run_of_nothing_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ran = lesionmap("import", tmp_path / "s.lesionmap", tmp_path / "empty", "--dry-run", "--json")
    assert ran.code == 1
    assert json.loads(ran.out) == {"series": [], "refused": []}
    assert "no image was found" in ran.line


@pytest.mark.parametrize("stature", ["5000", "1.42"])
def test_stature_in_another_unit(study: Path, stature: str) -> None:
    ran = lesionmap("visit", study, "P001", "2012-05-04", "--stature", stature)
    assert ran.code == 1
    assert "in cm" in ran.line


def box() -> NDArray[np.uint8]:
    """Draw one lesion, 16 × 24 × 24 mm, in the left femur of LANDMARKS."""
    mask = np.zeros(SHAPE, np.uint8)
    mask[20:22, 22:25, 3:5] = 1
    return mask


def test_the_same_marks_twice(tmp_path: Path) -> None:
    study = tmp_path / "s.lesionmap"
    mr_slices(tmp_path / "dicom")
    assert lesionmap("import", study, tmp_path / "dicom").code == 0
    (visit,) = json.loads(lesionmap("list", study, "--json").out)["patients"][0]["visits"]
    day = visit["visit"]
    assert lesionmap("place", study, "P001", day, "--landmarks", write_landmarks(tmp_path / "l.csv")).code == 0
    mask = nifti(tmp_path / "mask.nii.gz", box())
    markers = text(tmp_path, f"{HEADING},site\na,0,0,0,sacrum.body.midline\n")
    for source in (("--mask", mask), ("--markers", markers)):
        first = lesionmap("add", study, "P001", day, "--reader", "mw", *source)
        assert first.code == 0, first.err
        again = lesionmap("add", study, "P001", day, "--reader", "mw", *source)
        assert again.code == 1
        assert "marked already" in again.line
        assert lesionmap("add", study, "P001", day, "--reader", "other", *source).code == 0
    gone = lesionmap("add", study, "P001", day, "--reader", "mw", "--mask", tmp_path / "gone.nii.gz")
    assert gone.code == 1
    assert "nothing is there" in gone.line
