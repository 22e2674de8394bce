"""``place --from`` and ``place --auto``, by command line."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cli_case import lesionmap, mr_slices, nifti
from lesionmap.store import Study
from whole_body import child_at, errors_mm

if TYPE_CHECKING:
    from pathlib import Path

THEN, NOW, BARE = "2010-05-04", "2011-07-20", "2012-01-02"


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a study: two visits with images, placed on the first, and one without images."""
    folder = tmp_path_factory.mktemp("place")
    study = folder / "a.lesionmap"
    for day, age, pose in ((THEN, 3.0, 3), (NOW, 4.2, 4)):
        _, volume = child_at(age, pose)
        image = nifti(
            folder / f"stir_{day}.nii.gz", np.ascontiguousarray(volume.array), lps_from_voxel=volume.grid.lps_from_voxel
        )
        ran = lesionmap("import", study, image, "--patient", "P001", "--visit", day)
        assert ran.code == 0, ran.err
    assert lesionmap("visit", study, "P001", BARE).code == 0
    with Study.open(study) as opened:
        for day, age in ((THEN, 3.0), (NOW, 4.2)):
            opened.replace_visit(replace(opened.visit("P001", day), age_y=age))
    child, _ = child_at(3.0, 3)
    rows = [f"{n},{x},{y},{z}" for n, (x, y, z) in child.landmarks().items()]
    marks = folder / "l.csv"
    marks.write_text("\n".join(["name,x_lps_mm,y_lps_mm,z_lps_mm", *rows]) + "\n", encoding="utf-8")
    assert lesionmap("place", study, "P001", THEN, "--landmarks", marks).code == 0
    return study


@pytest.fixture
def study(placed: Path, tmp_path: Path) -> Path:
    """Give a copy of that study to work in."""
    shutil.copy(placed, tmp_path / "a.lesionmap")
    return tmp_path / "a.lesionmap"


def test_place_from_carries_the_skeleton_over(study: Path) -> None:
    ran = lesionmap("place", study, "P001", NOW, "--from", THEN)
    assert ran.code == 0, ran.err
    assert f"of {THEN}" in ran.out
    assert "landmarks estimated" in ran.out
    assert ran.err == ""
    with Study.open(study) as opened:
        placement = opened.placement("P001", NOW)
    assert placement is not None
    assert placement.how == "previous"
    assert placement.coverage is not None
    assert np.median(list(errors_mm(placement.positions(), child_at(4.2, 4)[0]).values())) < 8.0


def test_place_auto_guesses(study: Path) -> None:
    ran = lesionmap("place", study, "P001", NOW, "--auto")
    assert ran.code == 0, ran.err
    assert "by the outline in '" in ran.out
    with Study.open(study) as opened:
        placement = opened.placement("P001", NOW)
    assert placement is not None
    assert placement.how == "silhouette"
    assert np.median(list(errors_mm(placement.positions(), child_at(4.2, 4)[0]).values())) < 30.0


@pytest.mark.parametrize(
    ("visit", "options", "words"),
    [
        (NOW, ("--from", NOW), f"another visit to carry the skeleton over from was expected, got {NOW} itself"),
        (THEN, ("--from", NOW), f"a skeleton placed on visit {NOW} was expected, none is there"),
        (NOW, ("--from", "2001-01-01"), "2001-01-01"),
        (BARE, ("--from", THEN), f"were expected in visit {BARE}, it has: none"),
        (BARE, ("--auto",), f"were expected in visit {BARE}, it has: none"),
    ],
    ids=["itself", "not placed", "unknown", "no images", "no image for auto"],
)
def test_what_cannot_be_placed_is_said_and_nothing_is_written(
    study: Path, visit: str, options: tuple[str, ...], words: str
) -> None:
    with Study.open(study) as opened:
        before = opened.placement("P001", visit)
    ran = lesionmap("place", study, "P001", visit, *options)
    assert ran.code == 1
    assert words in ran.line
    with Study.open(study) as opened:
        assert opened.placement("P001", visit) == before


def test_images_that_are_gone_are_said(study: Path, tmp_path: Path) -> None:
    mr_slices(tmp_path / "dicom", day="20130101")
    assert lesionmap("import", study, tmp_path / "dicom", "--patient", "P001", "--visit", "2013-01-01").code == 0
    shutil.rmtree(tmp_path / "dicom")
    ran = lesionmap("place", study, "P001", "2013-01-01", "--auto")
    assert ran.code == 1
    assert len(ran.line) > 20


@pytest.mark.parametrize(
    "options",
    [(), ("--auto", "--from", THEN), ("--auto", "--landmarks", "x.csv"), ("--labels", "x.nii", "--from", THEN)],
)
def test_one_way_to_place_must_be_given(study: Path, options: tuple[str, ...]) -> None:
    ran = lesionmap("place", study, "P001", NOW, *options)
    assert ran.code == 2
    assert "one way to place is needed" in " ".join(ran.err.replace("│", " ").split())
