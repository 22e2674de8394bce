"""``export --sr`` and ``add --sr``: a map goes from one study into another as a report."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cli_case import HOSPITAL_ID, SHAPE, lesionmap, mr_slices, nifti, write_landmarks
from lesionmap.store import Study

FIRST, SECOND = "2010-05-04", "2012-06-01"
NOTE = "left at the window, says Jane"


def done(*arguments: object) -> str:
    ran = lesionmap(*arguments)
    assert ran.code == 0, ran.err
    return ran.out


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a study of two visits: masks and a site with a note, then one mask and an answer."""
    folder = tmp_path_factory.mktemp("marked")
    path = folder / "a.lesionmap"
    marks = write_landmarks(folder / "landmarks.csv")
    array = np.zeros(SHAPE, dtype=np.uint8)
    array[20:22, 27:30, 3:5] = 1
    mask = nifti(folder / "mask.nii.gz", array)
    for day in (FIRST, SECOND):
        mr_slices(folder / day, day=day.replace("-", ""))
        done("import", path, folder / day)
        done("place", path, "P001", day, "--landmarks", marks)
        done("add", path, "P001", day, "--reader", "anna", "--mask", mask, "--accept-tracks")
    sites = folder / "sites.csv"
    sites.write_text(f'site,certainty,note\ncalcaneus.body.left,probable,"{NOTE}"\n', encoding="utf-8")
    done("add", path, "P001", FIRST, "--reader", "anna", "--sites", sites)
    sites.write_text("site,answer\ncalcaneus.body.left,resolved\n", encoding="utf-8")
    done("add", path, "P001", SECOND, "--reader", "anna", "--sites", sites)
    return path


def test_a_map_goes_into_another_study(marked: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.lesionmap"
    for day in (FIRST, SECOND):
        out = tmp_path / day
        said = done("export", marked, "P001", day, "--sr", "--notes", "-o", out)
        assert f"P001_{day}_sr.dcm" in said
        assert "the report points to the Segmentations, so they are written with it" in said
        assert sorted(x.name for x in out.iterdir()) == [f"P001_{day}_STIR-coronal_seg.dcm", f"P001_{day}_sr.dcm"]
        done("import", other, marked.parent / day)
        said = done("add", other, "P001", day, "--reader", "bernd", "--sr", out / f"P001_{day}_sr.dcm")
        assert "L1 femur" in said
        with Study.open(marked) as study, Study.open(other) as copy:
            before, after = study.lesion_map("P001", day, "anna"), copy.lesion_map("P001", day, "bernd")
        assert (after.lesions, after.answers, after.signed) == (before.lesions, before.answers, before.signed)
    assert before.answers[0].verdict == "resolved"
    assert "resolved for track" in said
    ran = lesionmap(
        "add", other, "P001", SECOND, "--reader", "bernd", "--sr", tmp_path / SECOND / f"P001_{SECOND}_sr.dcm"
    )
    assert ran.code == 1
    assert "lesion L1 of the file is marked already as L1 of visit 2012-06-01 by bernd" in ran.line
    ran = lesionmap(
        "add", other, "P001", FIRST, "--reader", "carl", "--sr", tmp_path / SECOND / f"P001_{SECOND}_sr.dcm"
    )
    assert "the report is about other images than those of visit 2010-05-04" in ran.line


def test_notes_and_names_are_asked_for(marked: Path, tmp_path: Path) -> None:
    said = done("export", marked, "P001", FIRST, "--sr", "-o", tmp_path)
    assert "the reader's notes were left out; --notes writes them" in said
    report = tmp_path / f"P001_{FIRST}_sr.dcm"
    for secret in (NOTE, "Jane", HOSPITAL_ID):
        assert secret.encode() not in report.read_bytes()
    assert "exists already" in lesionmap("export", marked, "P001", FIRST, "--sr", "-o", tmp_path).line
    done("export", marked, "P001", FIRST, "--seg", "--sr", "--identified", "-o", tmp_path, "--overwrite")
    raw = report.read_bytes()
    assert b"Doe^Jane" in raw
    assert HOSPITAL_ID.encode() in raw
    assert NOTE.encode() not in raw
    said = done("add", marked, "P001", FIRST, "--reader", "doris", "--sr", report)
    assert "1 note was left out when the report was written" in said


def test_sites_alone_make_a_report(marked: Path, tmp_path: Path) -> None:
    study = Path(shutil.copy(marked, tmp_path / "a.lesionmap"))
    sites = tmp_path / "sites.csv"
    sites.write_text("site\nrib_5.whole.left\n", encoding="utf-8")
    done("add", study, "P001", FIRST, "--reader", "emil", "--sites", sites)
    said = done("export", study, "P001", FIRST, "--reader", "emil", "--sr", "-o", tmp_path / "out")
    assert "1 lesions, 0 answers" in said
    assert [x.name for x in (tmp_path / "out").iterdir()] == [f"P001_{FIRST}_sr.dcm"]
    assert (
        "has no mask to export"
        in lesionmap("export", study, "P001", FIRST, "--reader", "emil", "--sr", "--seg", "-o", tmp_path / "both").line
    )


def test_wrong_options(marked: Path, tmp_path: Path) -> None:
    for options in ([], ["--notes", "--seg"], ["--identified", "--nifti"]):
        assert lesionmap("export", marked, "P001", FIRST, *options, "-o", tmp_path).code == 2
    both = ["--sr", tmp_path / "x.dcm", "--sites", tmp_path / "y.csv"]
    assert lesionmap("add", marked, "P001", FIRST, "--reader", "anna", *both).code == 2
    ran = lesionmap("add", marked, "P001", FIRST, "--reader", "anna", "--sr", tmp_path / "none.dcm")
    assert "a file was expected at" in ran.line
