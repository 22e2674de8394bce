"""What a study holds becomes numbers: coverage by MRI, by planar views, by both."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from cli_case import LANDMARKS
from lesionmap import skeleton
from lesionmap.evaluate import place_visit, with_coverage
from lesionmap.skeleton import Placement, imaged
from lesionmap.space import Grid
from lesionmap.visits import Patient, Series, Station, Visit

FEMUR, SKULL, TIBIA = "femur.diaphysis.left", "skull.whole.midline", "tibia.diaphysis.left"


@pytest.fixture(scope="module")
def placement() -> Placement:
    return skeleton.place(LANDMARKS, age_y=10.0, sex="F")


def box(low: tuple[float, float, float], high: tuple[float, float, float]) -> Grid:
    """Give a grid of 10 × 12 × 14 mm voxels that fills a box, LPS mm."""
    spacing = np.array([10.0, 12.0, 14.0])
    counts = np.ceil((np.array(high) - low) / spacing).astype(int)
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = low
    return Grid((int(counts[0]), int(counts[1]), int(counts[2])), matrix)


def mri(grid: Grid) -> Series:
    return Series("STIR coronal", grid, "MR", "STIR", "coronal", (Station(grid, ()),))


def planar() -> Series:
    matrix = np.array([[2.0, 0, 0, -500], [0, 0, 1, 0], [0, -2.0, 0, 800], [0, 0, 0, 1]])
    grid = Grid((500, 1000, 1), matrix)
    return Series("bone scan anterior", grid, "NM", "planar", "anterior", (Station(grid, ()),), projection=True)


def visit(*series: Series) -> Visit:
    return Visit("P001", date(2010, 5, 4), age_y=10.0, series=series)


THIGHS = box((-200, -150, -460), (200, 150, 60))


def test_no_images_no_coverage(placement: Placement) -> None:
    covered = with_coverage(replace(placement, coverage=((FEMUR, 1.0),)), visit())
    assert covered.coverage is None
    assert imaged(covered, FEMUR) == "unknown"


def test_mri_of_the_thighs(placement: Placement) -> None:
    covered = with_coverage(placement, visit(mri(THIGHS)))
    assert [imaged(covered, site) for site in (FEMUR, SKULL, TIBIA)] == ["imaged", "not_imaged", "not_imaged"]


def test_planar_view_sees_through_the_body(placement: Placement) -> None:
    covered = with_coverage(placement, visit(planar()))
    assert [imaged(covered, site) for site in (FEMUR, SKULL, TIBIA)] == ["imaged", "imaged", "imaged"]


def test_beside_a_planar_view_what_the_mri_did_not_see_is_unknown(placement: Placement) -> None:
    covered = with_coverage(placement, visit(mri(THIGHS), planar()))
    assert [imaged(covered, site) for site in (FEMUR, SKULL, TIBIA)] == ["imaged", "unknown", "unknown"]


def test_a_gap_between_stations_is_not_imaged() -> None:
    upper, lower = box((-200, -150, -160), (200, 150, 60)), box((-200, -150, -460), (200, 150, -300))
    series = Series("STIR coronal", THIGHS, "MR", "STIR", "coronal", (Station(upper, ()), Station(lower, ())))
    found = place_visit(Patient("P001", "F"), visit(series), LANDMARKS)
    assert imaged(found, FEMUR) == "partly"
    assert (found.age_y, found.sex) == (10.0, "F")
