"""Slices against the bone scan of a visit, where one shows what the other does not, or was not read, or not imaged."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from atlas_child import placed
from lesionmap.compare import VisitFacts, marked_on, seen_by_site
from lesionmap.compare.modalities import SiteSeen
from lesionmap.lesions import Extent, Lesion, LesionMap
from lesionmap.space import Grid
from lesionmap.visits import Series, Station, Visit

if TYPE_CHECKING:
    from lesionmap.compare.modalities import Seen
    from lesionmap.skeleton import Placement

KNEE, SHAFT, ANKLE = (f"tibia.{s}.left" for s in ("proximal_metaphysis", "diaphysis", "distal_metaphysis"))
CLAVICLE = "clavicle.medial.left"


@cache
def shank() -> Grid:
    """Give a grid whose lower edge cuts the shaft of the tibiae in two; the clavicles lie above it."""
    marks = placed(9.0).positions()
    knee, ankle = (np.array(marks[f"{name}_left"]) for name in ("knee", "ankle"))
    matrix = np.array([[0.0, 4.0, 0, -200], [5.0, 0, 0, -190], [0, 0, 6.0, (knee[2] + ankle[2]) / 2], [0, 0, 0, 1]])
    return Grid((80, 100, 60), matrix)


def series(name: str, **other: object) -> Series:
    stir = Series(name, shank(), "MR", "STIR", "coronal", (Station(shank(), ()),))
    return replace(stir, **other)  # type: ignore[arg-type]


def view(name: str) -> Series:
    flat = Grid((20, 40, 1), np.diag([9.0, 9.0, 400.0, 1.0]))
    return series(name, grid=flat, modality="NM", sequence="planar", plane="anterior", stations=(), projection=True)


VISIT = Visit("P001", date(2012, 5, 4), age_y=9.0, series=(view("early"), series("STIR"), view("late"), series("T1")))


def placement(**shares: float) -> Placement:
    """Give the skeleton, on the scan too, where it knows what the scan shows of the sites."""
    names = {"knee": KNEE, "shaft": SHAFT, "ankle": ANKLE, "clavicle": CLAVICLE}
    coverage = tuple((names[name], share) for name, share in shares.items())
    return replace(placed(9.0), coverage=(), scan=replace(placed(9.0), coverage=coverage))


def lesion(name: str, site: str, *drawn_on: str) -> Lesion:
    return Lesion(name, (site,), extents=tuple(Extent(one, None, (1.0, 2.0, 3.0)) for one in drawn_on))


def facts(*lesions: Lesion, placement: Placement | None = None, visit: Visit = VISIT) -> VisitFacts:
    return VisitFacts(visit, LesionMap("P001", visit.key, "anna", lesions), placement)


@pytest.mark.parametrize(
    ("drawn_on", "expected"),
    [
        ((), ""),
        (("STIR",), "slices"),
        (("STIR", "T1"), "slices"),
        (("late",), "scan"),
        (("early", "late"), "scan"),
        (("T1", "early"), "both"),
        (("late", "STIR"), "both"),
    ],
)
def test_what_a_lesion_is_marked_on(drawn_on: tuple[str, ...], expected: str) -> None:
    assert marked_on(VISIT, lesion("L1", KNEE, *drawn_on)) == expected


def test_every_site_has_one_row_in_the_order_of_the_map() -> None:
    one = facts(
        lesion("L1", ANKLE, "late"),
        lesion("L2", KNEE, "STIR"),
        lesion("L3", CLAVICLE),
        lesion("L4", ANKLE, "early"),
        lesion("L5", KNEE, "T1", "late"),
        placement=placement(knee=0.95, ankle=1.0),
    )
    assert [(row.site, row.slices, row.scan, row.lesions) for row in seen_by_site(one)] == [
        (ANKLE, "not imaged", "lesion", ("L1", "L4")),
        (KNEE, "lesion", "lesion", ("L2", "L5")),
    ]


def test_what_slices_show_is_told_by_the_slices_and_what_the_scan_shows_by_the_scan() -> None:
    """The coverage kept with the placement is of both together, and tells neither."""
    here = replace(placement(knee=0.05, shaft=0.5, clavicle=0.9), coverage=((KNEE, 0.0), (SHAFT, 1.0), (CLAVICLE, 1.0)))
    lesions = [lesion(f"L{n}", site, "late") for n, site in enumerate((KNEE, SHAFT, ANKLE))]
    other = [lesion(f"K{n}", site, "STIR") for n, site in enumerate((CLAVICLE, "femur.distal_epiphysis.left"))]
    seen = {row.site: (row.slices, row.scan) for row in seen_by_site(facts(*lesions, *other, placement=here))}
    assert seen == {
        KNEE: ("no lesion", "lesion"),
        SHAFT: ("imaged in part", "lesion"),
        ANKLE: ("not imaged", "lesion"),
        CLAVICLE: ("lesion", "no lesion"),
        "femur.distal_epiphysis.left": ("lesion", "not known"),
    }
    turned = facts(*(lesion(f"L{n}", site, "STIR") for n, site in enumerate((KNEE, SHAFT))), other[0], placement=here)
    read = replace(turned, lesion_map=replace(turned.lesion_map, lesions=(*turned.lesion_map.lesions, lesions[2])))
    assert [row.scan for row in seen_by_site(read)] == ["not imaged", "imaged in part", "no lesion", "lesion"]


def test_what_nobody_marked_anything_on_is_not_known_to_be_read() -> None:
    here = placement(knee=1.0, ankle=1.0)
    (row,) = seen_by_site(facts(lesion("L1", KNEE, "STIR"), lesion("L2", ANKLE), placement=here))
    assert (row.slices, row.scan, row.agree) == ("lesion", "not known", None)
    (row,) = seen_by_site(facts(lesion("L1", KNEE, "late"), placement=here))
    assert (row.slices, row.scan, row.agree) == ("not known", "lesion", None)


def test_a_mark_that_does_not_count_has_no_row_but_says_that_it_was_read() -> None:
    here = placement(knee=1.0, ankle=1.0)
    both = facts(lesion("L1", KNEE, "STIR"), lesion("L2", ANKLE, "late"), placement=here)
    (row,) = seen_by_site(both, counted={"L1"})
    assert (row.site, row.slices, row.scan, row.agree) == (KNEE, "lesion", "no lesion", False)
    assert seen_by_site(both, counted=()) == ()
    assert len(seen_by_site(both)) == 2


def test_without_a_skeleton_only_the_marks_are_known() -> None:
    both = facts(lesion("L1", KNEE, "STIR"), lesion("L2", ANKLE, "late"))
    assert [(row.slices, row.scan) for row in seen_by_site(both)] == [("lesion", "not known"), ("not known", "lesion")]
    half = replace(both, placement=placed(9.0))  # on the slices alone
    assert [(row.slices, row.scan) for row in seen_by_site(half)] == [("lesion", "not known"), ("not imaged", "lesion")]


def test_a_visit_of_one_kind_has_nothing_to_compare() -> None:
    for only in (VISIT.series[::2], VISIT.series[1::2]):
        one = replace(VISIT, series=only)
        marked = lesion("L1", KNEE, only[0].name)
        assert seen_by_site(facts(marked, placement=placement(knee=1.0), visit=one)) == ()


@pytest.mark.parametrize(
    ("slices", "scan", "agree"),
    [
        ("lesion", "lesion", True),
        ("no lesion", "no lesion", True),
        ("lesion", "no lesion", False),
        ("no lesion", "lesion", False),
        ("lesion", "not imaged", None),
        ("not known", "lesion", None),
        ("imaged in part", "no lesion", None),
        ("not imaged", "not imaged", None),
    ],
)
def test_they_agree_only_where_both_tell(slices: Seen, scan: Seen, agree: bool | None) -> None:
    assert SiteSeen(KNEE, slices, scan, ()).agree is agree
