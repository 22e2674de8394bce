"""The small CSV files: what is read, and what is said about a bad one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from lesionmap.errors import LesionmapError
from lesionmap.read.rows import read_landmarks, read_markers, read_points, read_reading, read_sites

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

XYZ = "x_lps_mm,y_lps_mm,z_lps_mm"


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "rows.csv"
    path.write_text(text, encoding=encoding)
    return path


def test_landmarks_keep_order_and_sign(tmp_path: Path) -> None:
    path = write(tmp_path, f"name,{XYZ},who\nknee_left,95.5,-12,-610.25,anna\n\n hip_left , 80 ,0,-250\n")
    assert read_landmarks(path) == {"knee_left": (95.5, -12.0, -610.25), "hip_left": (80.0, 0.0, -250.0)}


def test_byte_order_mark_of_a_spreadsheet_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    path = write(tmp_path, f"id,{XYZ}\r\na,1,2,3\r\n", "utf-8-sig")
    ids, points = read_points(path)
    assert (ids, points.tolist()) == (("a",), [[1.0, 2.0, 3.0]])


def test_columns_of_markers_that_are_missing_are_empty(tmp_path: Path) -> None:
    (mark,) = read_markers(write(tmp_path, f"id,{XYZ}\n7,1,2,3\n"))
    assert (mark.id, mark.site, mark.certainty, mark.track, mark.answer) == ("7", "", "definite", "", None)
    assert mark.lps_mm == (1.0, 2.0, 3.0)


def test_sites_hold_lesions_and_answers(tmp_path: Path) -> None:
    text = "site,certainty,answer,note\nankle.left,probable,,seen on one view\nrib_7.whole.left,,resolved,\n"
    lesion, answer = read_sites(write(tmp_path, text))
    assert (lesion.site, lesion.certainty, lesion.answer, lesion.note) == (
        "ankle.left", "probable", None, "seen on one view",
    )  # fmt: skip
    assert (answer.site, answer.answer) == ("rib_7.whole.left", "resolved")


def test_reading_may_name_one_lesion_on_two_series(tmp_path: Path) -> None:
    heading = f"id,{XYZ},certainty,series,site,answer,note\n"
    text = heading + "1,1,2,3,definite,STIR coronal,,,\n1,1,2,3,definite,T1 coronal,,,\nx,,,,,,ankle.left,resolved,\n"
    first, second, answer = read_reading(write(tmp_path, text))
    assert (first.id, first.series, second.id, second.series) == ("1", "STIR coronal", "1", "T1 coronal")
    assert (answer.lps_mm, answer.answer, answer.site) == (None, "resolved", "ankle.left")


@pytest.mark.parametrize(
    ("reader", "text", "said"),
    [
        (read_landmarks, "", "columns name,x_lps_mm,y_lps_mm,z_lps_mm were expected, name, x_lps_mm, y_lps_mm"),
        (read_landmarks, "name;x_lps_mm\nC7;1\n", "the first line reads 'name;x_lps_mm'"),
        (read_landmarks, f"name,{XYZ}\n", "at least one row under the heading was expected, got none"),
        (read_landmarks, f"name,{XYZ}\nC7,1,2,3\nC7,1,2,4\n", "name 'C7' occurs twice; each may stand once"),
        (read_landmarks, f"name,{XYZ}\nC7,1,two,3\n", "y_lps_mm of C7 must be a number in mm, got 'two'"),
        (read_landmarks, f"name,{XYZ}\nC7,1,2\n", "z_lps_mm of C7 must be a number in mm, got ''"),
        (read_landmarks, f"name,{XYZ}\nC7,1,2,inf\n", "z_lps_mm of C7 must be a number in mm, got 'inf'"),
        (read_points, f"id,{XYZ}\na,1,2,3\na,1,2,4\n", "id 'a' occurs twice"),
        (read_points, f"id,{XYZ}\n,1,2,3\n", "a row has an empty id; each row needs one"),
        (read_markers, f"id,{XYZ},certainty\na,1,2,3,sure\n", "certainty must be one of definite, probable, equivocal"),
        (read_sites, "site,answer\nankle.left,gone\n", "answer must be empty or one of resolved, not_imaged"),
        (read_sites, "site,note\n,something\n", "row 1 has no site; name one"),
    ],
)
def test_bad_files_say_what_was_expected_and_what_came(
    tmp_path: Path, reader: Callable[[Path], object], text: str, said: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(LesionmapError, match=re.escape(said)) as caught:
        reader(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_file_that_is_no_text_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "image.csv").write_bytes(b"\xff\xd8\xff\xe0 not text")
    with pytest.raises(LesionmapError, match="a CSV file in UTF-8 was expected"):
        read_points(tmp_path / "image.csv")
    with pytest.raises(LesionmapError, match=re.escape("none.csv cannot be read (No such file or directory)")):
        read_points(tmp_path / "none.csv")
