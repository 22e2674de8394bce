"""Where a lesion lies in its bone: signed distances from its growth plates, its axis, its outline."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atlas_child import placed
from lesionmap.annotate import site_middle
from lesionmap.compare import VisitFacts
from lesionmap.compare.position import drawn_on, position_of, some_of
from lesionmap.lesions import Extent, Lesion, LesionMap, Mask
from lesionmap.skeleton.limits import limits
from lesionmap.space import Grid
from lesionmap.visits import Series, Station, Visit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.compare.position import Position

AGE = 8.0


def grid_about(point: NDArray[np.float64]) -> Grid:
    matrix = np.array([[0.0, 1.5, 0, 0], [2.0, 0, 0, 0], [0, 0, -2.5, 0], [0, 0, 0, 1.0]])
    matrix[:3, 3] = point - matrix[:3, :3] @ [19, 14, 11]
    return Grid((40, 30, 24), matrix)


def facts(*lesions: Lesion, grid: Grid | None = None) -> VisitFacts:
    """Give a visit with slices and a bone scan, whose frame has nothing to do with the slices': 500 mm lower."""
    solid = grid or grid_about(np.zeros(3))
    flat = Grid((60, 90, 1), np.diag([3.0, 3.0, 400.0, 1.0]))
    series = (
        Series("scan", flat, "NM", "planar", "anterior", (), projection=True),
        Series("STIR", solid, "MR", "STIR", "coronal", (Station(solid, ()),)),
    )
    lower = [replace(m, lps_mm=(m.lps_mm[0], m.lps_mm[1], m.lps_mm[2] - 500.0)) for m in placed(AGE).landmarks]
    skeleton = replace(placed(AGE), scan=replace(placed(AGE), landmarks=tuple(lower)))
    visit = Visit("P001", date(2012, 5, 4), age_y=AGE, series=series)
    return VisitFacts(visit, LesionMap("P001", visit.key, "anna", lesions), skeleton)


def marker(point: NDArray[np.float64], *sites: str, on: str = "STIR") -> Lesion:
    x, y, z = point.tolist()
    return Lesion("L1", sites, extents=(Extent(on, None, (x, y, z)),))


def position(lesion: Lesion) -> Position:
    return position_of(facts(lesion), lesion)


@pytest.mark.parametrize("bone", ["tibia", "femur", "radius", "humerus"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_distances_from_both_plates_are_positive_towards_distal(bone: str, side: str) -> None:
    """Of the femur's three plates it is that of the head which counts as the upper one."""
    planes = {
        end: one
        for one in limits(bone, side, placed(AGE))
        for end in ("proximal", "distal")
        if one.physis and f"{end}_epiphysis" in one.before + one.after
    }
    upper, lower = planes["proximal"], planes["distal"]
    for share in (0.2, 0.7, 1.1):
        point = upper.point + share * (lower.point - upper.point)
        found = position(marker(point, f"{bone}.diaphysis.{side}")).drawn
        assert found is not None
        assert found.axis is not None
        assert found.ends_mm is not None
        way = lower.point - upper.point
        assert found.ends_mm == pytest.approx((share * way @ upper.normal, (share - 1) * way @ lower.normal))
        assert np.linalg.norm(found.axis) == pytest.approx(1.0)
        assert found.axis @ way / np.linalg.norm(way) > 0.85
        assert (found.volume_ml, found.outline_mm) == (None, None)


@pytest.mark.parametrize(
    ("site", "has_axis"),
    [
        ("clavicle.middle.left", True),
        ("vertebra_L2.body.midline", False),
        ("ankle.left", False),
        ("tibia.left", False),
        ("metatarsal_3.whole.right", False),
    ],
)
def test_other_bones_and_groups_have_no_plates_to_measure_from(site: str, has_axis: bool) -> None:
    found = position(marker(np.array(site_middle(site, placed(AGE))), site)).drawn
    assert found is not None
    assert (found.axis is not None) == has_axis
    assert found.ends_mm is None


def test_the_bones_are_those_of_all_sites() -> None:
    lesion = Lesion("L1", ("tibia.diaphysis.left", "tarsals.right"))
    found = position(lesion)
    assert found.drawn is None
    assert ("tibia", "left") in found.bones
    assert {bone for bone, side in found.bones if side == "right"} >= {"talus", "cuboid", "calcaneus"}
    assert len({side for bone, side in found.bones if bone == "tibia"}) == 1


def test_an_outline_has_a_volume_and_points_about_its_middle() -> None:
    middle = np.array(site_middle("tibia.diaphysis.left", placed(AGE)))
    grid = grid_about(middle)
    mask = Mask.ball(grid, middle, 9.0)
    lesion = Lesion("L1", ("tibia.diaphysis.left",), extents=(Extent("STIR", mask),))
    found = position_of(facts(lesion, grid=grid), lesion).drawn
    assert found is not None
    assert found.volume_ml == pytest.approx(mask.n_voxels * 1.5 * 2.0 * 2.5 / 1000.0)
    assert found.outline_mm is not None
    assert 200 <= len(found.outline_mm) < 400
    assert np.linalg.norm(found.outline_mm.mean(axis=0)) < 1.0
    assert np.linalg.norm(found.outline_mm, axis=1).max() < 9.5
    here = drawn_on(facts(lesion, grid=grid), lesion)
    assert here is not None
    assert here[2] == pytest.approx(mask.lps_mm().mean(axis=0))


def test_of_an_outline_200_points_are_enough_and_of_a_small_one_all() -> None:
    grid = grid_about(np.zeros(3))
    every = np.argwhere(np.ones(grid.shape, dtype=bool))
    for n, kept in ((1, 1), (199, 199), (399, 399), (400, 200), (1001, 201)):
        mask = Mask.of_voxels(every[:n], grid)
        points = some_of(mask)
        assert len(points) == kept
        assert {tuple(p) for p in points.round(6)} <= {tuple(p) for p in mask.lps_mm().round(6)}


def test_slices_go_before_the_scan_and_each_has_its_skeleton() -> None:
    site = "tibia.diaphysis.left"
    middle = np.array(site_middle(site, placed(AGE)))
    x, y, z = middle.tolist()
    on_scan = Extent("scan", Mask.of_voxels(np.array([[20, 30, 0], [21, 30, 0]]), facts().visit.series[0].grid))
    both = Lesion("L1", (site,), extents=(on_scan, Extent("STIR", None, (x, y, z))))
    here = drawn_on(facts(both), both)
    assert here is not None
    assert (here[0].series, here[1].scan is not None) == ("STIR", True)
    assert position(both).drawn.volume_ml is None  # type: ignore[union-attr]
    flat = marker(middle - [0.0, 300.0, 500.0], site, on="scan")
    there = drawn_on(facts(flat), flat)
    assert there is not None
    assert there[1] == facts().placement.scan  # type: ignore[union-attr]
    assert np.linalg.norm(there[2] - (middle - [0.0, 0.0, 500.0])) < 6.0  # at the depth of its bone
    seen = position(flat).drawn
    assert seen is not None
    solid = position(marker(middle, site)).drawn
    assert solid is not None
    assert seen.ends_mm == pytest.approx(solid.ends_mm, abs=6.0)
    drawn = replace(both, extents=(on_scan,))
    outlined = position(drawn).drawn
    assert outlined is not None
    assert (outlined.volume_ml, outlined.outline_mm) == (None, None)  # a projection has no volume


def test_without_a_skeleton_there_are_sites_alone() -> None:
    lesion = marker(np.zeros(3), "tibia.diaphysis.left")
    bare = replace(facts(lesion), placement=None)
    assert position_of(bare, lesion).drawn is None
    assert drawn_on(bare, lesion) is None
    unplaced = replace(facts(lesion), placement=placed(AGE))  # not on the scan
    flat = marker(np.zeros(3), "tibia.diaphysis.left", on="scan")
    assert position_of(unplaced, flat).drawn is None
    slices_only = replace(unplaced, visit=replace(unplaced.visit, series=unplaced.visit.series[1:]))
    assert position_of(slices_only, lesion).drawn is not None
