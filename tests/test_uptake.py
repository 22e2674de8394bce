"""A lesion on a bone scan against the rest of its scan, the whole scan in figures, slices against scan."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest

from atlas_child import placed as child
from lesionmap import annotate, skeleton
from lesionmap.compare import VisitFacts, marked_on, seen_by_site
from lesionmap.evaluate import with_coverage
from lesionmap.lesions import Extent, Lesion, LesionMap, Mask
from lesionmap.measure import early_over_late, geometric_mean, measure_map
from lesionmap.read.planar import planar_grid
from lesionmap.scores import scan_figures
from lesionmap.skeleton.limits import physis_planes
from lesionmap.space import Grid, Volume
from lesionmap.visits import Series, Station, Visit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.measure import Measurement
    from lesionmap.skeleton import Placement
    from lesionmap.visits import Phase

SITE, OTHER = "tibia.distal_metaphysis.left", "tibia.distal_metaphysis.right"
QUIET, HOT, MIRRORED, SHAFT = 10.0, 60.0, 20.0, 5.0
UP = np.array([0.0, 0.0, 1000.0])
"""From the child to the views, whose lower edge is at z = 0."""


@cache
def placed(age_y: float = 9.0) -> Placement:
    marks = {name: tuple(np.array(point) + UP) for name, point in child(age_y).positions().items()}
    return skeleton.place(marks, age_y=age_y, sex="F", flat=True)


def grid(face: str) -> Grid:
    return planar_grid((280, 700), (2.6, 2.4), posterior=face == "posterior")


def middle(site: str) -> NDArray[np.float64]:
    return np.array(annotate.site_middle(site, placed())) * [1.0, 0.0, 1.0]


def block(face: str, at: NDArray[np.float64], turned: bool = False) -> NDArray[np.int_]:
    """Give the pixels of an L of 5 and 3 about a place: no symmetry hides an error."""
    i, j, k = np.rint(grid(face).voxels(at)).astype(int).tolist()
    sign = -1 if turned else 1
    steps = [(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (sign, 0), (2 * sign, 0)]
    return np.array([[i + a, j + b, k] for a, b in steps])


def view(face: Literal["anterior", "posterior"], hot: float = HOT) -> Volume:
    counts = np.full(grid(face).shape, QUIET)
    there = annotate.mirror_place(annotate.site_middle(SITE, placed()), placed())
    assert there is not None
    across = np.array(there) * [1.0, 0.0, 1.0]
    offset = grid(face).lps(block(face, middle(SITE))).mean(axis=0) - middle(SITE)
    shaft = np.abs(grid(face).lps(np.argwhere(counts))[:, 2] - (middle("tibia.diaphysis.left")[2])) < 75
    counts[tuple(np.argwhere(counts)[shaft].T)] = SHAFT
    turned = block(face, across, turned=True)
    assert np.allclose(grid(face).lps(turned).mean(axis=0) - across, offset * [-1, 1, 1], atol=3.0)
    for cells in [turned + np.array([a, b, 0]) for a in (-1, 0, 1) for b in (-1, 0, 1)]:
        counts[tuple(cells.T)] = MIRRORED
    counts[tuple(block(face, middle(SITE)).T)] = hot
    return Volume(counts, grid(face), projection=True)


def views(visit: Visit, hot: float = HOT) -> dict[str, Volume]:
    return {
        one.name: view("posterior" if one.plane == "posterior" else "anterior", hot)
        for one in visit.series
        if one.projection
    }


def series(face: Literal["anterior", "posterior"], phase: Phase = "late") -> Series:
    station = Station(grid(face), ())
    name = f"bone scan {face} {phase}"
    return Series(name, grid(face), "NM", "planar", face, (station,), phase=phase, projection=True)


def slices(where: Grid) -> Series:
    return Series("STIR coronal", where, "MR", "STIR", "coronal", (Station(where, ()),))


def on_scan(*views: Series, solid: tuple[Series, ...] = ()) -> Visit:
    return Visit("P001", date(2012, 5, 4), age_y=9.0, series=(*solid, *views))


def lesion_on(visit: Visit, site: str = SITE) -> Lesion:
    extents = [
        Extent(one.name, Mask.of_voxels(block(one.plane, middle(SITE)), one.grid), None, one.phase)
        for one in visit.series
        if one.projection
    ]
    return Lesion("L1", (site,), tracks=("2.25.1",), extents=tuple(extents))


def measured(visit: Visit, lesion: Lesion, placement: Placement | None, hot: float = HOT) -> tuple[Measurement, ...]:
    volumes = views(visit, hot)
    lesion_map = LesionMap("P001", visit.key, "R", (lesion,))
    return measure_map(lesion_map, visit, volumes, placement)["L1"]


@pytest.mark.parametrize("face", ["anterior", "posterior"])
def test_a_focus_is_compared_with_its_mirror_image_its_shaft_and_the_plates(face: Literal["anterior"]) -> None:
    visit = on_scan(series(face))
    (found,) = measured(visit, lesion_on(visit), placed())
    assert (found.counts, found.signal_mean, found.signal_max) == (7 * HOT, HOT, HOT)
    assert found.area_mm2 == pytest.approx(7 * 2.6 * 2.4)
    assert found.uptake.mirrored_ratio == pytest.approx(HOT / MIRRORED)
    assert found.uptake.shaft_ratio == pytest.approx(HOT / SHAFT)
    assert found.uptake.plates_ratio == pytest.approx(HOT / QUIET)


def test_what_has_no_mirror_image_or_shaft_has_no_ratio() -> None:
    visit = on_scan(series("anterior"))
    (found,) = measured(visit, lesion_on(visit, "vertebra_T8.body.midline"), placed())
    assert (found.uptake.mirrored_ratio, found.uptake.shaft_ratio) == (None, None)
    (found,) = measured(visit, lesion_on(visit, "ankle.left"), placed())
    assert found.uptake.shaft_ratio is None
    assert found.uptake.mirrored_ratio == pytest.approx(HOT / MIRRORED)


def test_a_grown_person_has_no_plates_to_compare_with() -> None:
    visit = on_scan(series("anterior"))
    grown = replace(placed(), age_y=25.0)
    (found,) = measured(visit, lesion_on(visit), grown)
    assert found.uptake.plates_ratio is None
    assert physis_planes(placed()) != ()


def test_without_a_skeleton_on_the_view_there_are_counts_and_no_ratios() -> None:
    visit = on_scan(series("anterior"), solid=(slices(Grid((5, 7, 11), np.eye(4))),))
    (found,) = measured(visit, lesion_on(visit), placed())  # it lies on the slices
    assert found.counts == 7 * HOT
    assert found.uptake.mirrored_ratio is None
    assert "the skeleton is not placed on this view" in found.why_not
    beside = replace(placed(), scan=placed())
    (found,) = measured(visit, lesion_on(visit), beside)
    assert found.uptake.mirrored_ratio == pytest.approx(HOT / MIRRORED)


def test_early_and_late_are_compared_by_their_share_of_the_view() -> None:
    visit = on_scan(series("anterior", "early"), series("anterior", "late"))
    lesion = lesion_on(visit)
    early, late = measured(visit, lesion, placed(), 30.0)[0], measured(visit, lesion, placed(), 60.0)[1]
    assert (early.phase, late.phase) == ("early", "late")
    assert early_over_late([early]) is None
    assert early_over_late([early, late]) == pytest.approx(0.5, rel=0.002)  # of a view's mean, which hardly differs
    assert early.counts_share == pytest.approx(30.0 / view("anterior", 30.0).array.mean())


# The whole scan


def facts_of(visit: Visit, placement: Placement | None, *lesions: Lesion) -> VisitFacts:
    lesion_map = LesionMap("P001", visit.key, "R", lesions)
    return VisitFacts(visit, lesion_map, placement, measure_map(lesion_map, visit, views(visit), placement))


def test_the_whole_scan_in_three_figures() -> None:
    visit = on_scan(series("anterior"), series("posterior"))
    found = scan_figures(facts_of(visit, placed(), lesion_on(visit)))
    assert found is not None
    assert (found.n_foci, found.why_not) == (1, "")
    assert found.area_mm2 == pytest.approx(7 * 2.6 * 2.4)  # of two views their mean
    assert found.index_percent is not None
    assert found.area_mm2 is not None
    centres, radii = annotate.places._balls_of("tibia.left", placed())
    low, high = centres.min(axis=0) - 40, centres.max(axis=0) + 40
    x, z = np.meshgrid(np.arange(low[0], high[0], 3.1), np.arange(low[2], high[2], 2.7))
    away = np.hypot(x.ravel()[:, None] - centres[:, 0], z.ravel()[:, None] - centres[:, 2])
    tibia_mm2 = 3.1 * 2.7 * (away <= radii).any(axis=1).sum()
    assert found.index_percent == pytest.approx(5.1 * found.area_mm2 / tibia_mm2, rel=0.02)


def test_the_index_is_not_told_where_it_is_not_known() -> None:
    visit = on_scan(series("anterior"))
    unplaced = scan_figures(facts_of(visit, None, lesion_on(visit)))
    assert unplaced is not None
    assert (unplaced.n_foci, unplaced.index_percent) == (1, None)
    assert unplaced.why_not == "the skeleton is not placed on the scan"
    marker = Lesion("L1", (SITE,), extents=(Extent(visit.series[0].name, None, (60.0, 0.0, 200.0)),))
    found = scan_figures(facts_of(visit, placed(), marker))
    assert found is not None
    assert (found.area_mm2, found.index_percent, found.why_not) == (None, None, "1 of 1 foci have no outline")
    assert scan_figures(facts_of(visit, placed(), Lesion("L1", (SITE,)))) is None
    patella = scan_figures(facts_of(visit, placed(), lesion_on(visit, "patella.whole.left")))
    assert patella is not None
    assert patella.why_not.startswith("a focus lies in a bone of which no mass is told")


def test_what_is_no_bone_is_no_focus() -> None:
    visit = on_scan(series("anterior"))
    found = scan_figures(facts_of(visit, placed(), replace(lesion_on(visit), certainty="not_bone")))
    assert found is not None
    assert (found.n_foci, found.area_mm2) == (0, None)


# Slices against scan


def test_slices_and_scan_agree_or_not_and_what_was_not_imaged_is_no_disagreement() -> None:
    matrix = np.diag([3.0, 3.0, 3.0, 1.0])
    matrix[:3, 3] = [-200.0, -150.0, 0.0]
    legs = Grid((140, 100, 150), matrix)  # z 0 to 450: no clavicle
    visit = on_scan(series("anterior"), solid=(slices(legs),))
    placement = with_coverage(replace(placed(), scan=placed()), visit)
    mr = Extent("STIR coronal", None, (60.0, 0.0, 200.0))
    nm = Extent(visit.series[1].name, None, (60.0, 0.0, 200.0))
    lesions = (
        Lesion("L1", (SITE,), extents=(mr, nm)),
        Lesion("L2", (OTHER,), extents=(mr,)),
        Lesion("L3", ("clavicle.medial.left",), extents=(nm,)),
        Lesion("L4", ("talus.whole.left",)),
    )
    rows = seen_by_site(facts_of(visit, placement, *lesions))
    assert [(row.slices, row.scan, row.agree) for row in rows] == [
        ("lesion", "lesion", True),
        ("lesion", "no lesion", False),
        ("not imaged", "lesion", None),
    ]
    assert [marked_on(visit, lesion) for lesion in lesions] == ["both", "slices", "scan", ""]
    alone = seen_by_site(facts_of(visit, placement, lesions[1]))
    assert alone[0].scan == "not known"  # nothing was marked on the scan: nobody knows that it was read
    assert seen_by_site(facts_of(on_scan(series("anterior")), placed(), lesions[2])) == ()


def test_the_geometric_mean_pairs_what_both_views_show_at_one_place() -> None:
    front = np.diag([2.0, 1.0, 3.0, 1.0])[:, [0, 2, 1, 3]]  # columns go to the left, rows down
    front[:3, 3] = [-6.0, -100.0, 40.0]
    front[2, 1] = -3.0
    behind = front.copy()
    behind[0, 0], behind[0, 3], behind[1, 3] = -2.0, 6.0, 100.0
    grids = [Grid((7, 5, 1), matrix) for matrix in (front, behind)]
    counts = np.arange(35.0).reshape(7, 5, 1)
    anterior = Volume(counts, grids[0], projection=True)
    mean = geometric_mean(anterior, Volume(counts[::-1] * 4.0, grids[1], projection=True))
    assert np.allclose(mean.array, counts * 2.0)  # the posterior view is the mirror image
    assert mean.grid == grids[0]
    less = geometric_mean(anterior, Volume(counts[2:], Grid((5, 5, 1), behind), projection=True))
    assert np.isnan(less.array[:2]).all()
    assert np.isfinite(less.array[2:]).all()
