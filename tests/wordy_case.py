"""Patients whose reports hold nearly every sentence that a report can say, for the tests of its texts."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from atlas_child import placed
from lesionmap.annotate import add_lesion, answer, change_lesion
from lesionmap.annotate.places import site_middle
from lesionmap.clinic import Observation, Treatment
from lesionmap.compare import Threshold, VisitFacts
from lesionmap.lesions import Attributes, Extent, LesionMap, Mask
from lesionmap.measure import CountRule, Measurement
from lesionmap.measure.uptake import Uptake
from lesionmap.read.planar import planar_grid
from lesionmap.skeleton import place, sites
from lesionmap.space import Grid
from lesionmap.visits import Patient, Series, Station, Visit
from lesionmap.write import key_images, results_of
from lesionmap.write.content import facts_line, heading, sections
from lesionmap.write.keyimages import image_title
from lesionmap.write.legend import legend_items
from lesionmap.write.mapmaker import map_model
from lesionmap.write.timeline import lanes
from picture_case import pictured

if TYPE_CHECKING:
    from lesionmap.lesions import Answer, Lesion
    from lesionmap.write import Results

__all__ = ["spoken", "wordy"]

ANKLE, MIRRORED = "tibia.distal_metaphysis.left", "tibia.distal_metaphysis.right"


def wordy() -> dict[str, Results]:
    """Give the patients by what they are for."""
    return {"pictures": _pictures(), "course": _course(), "scan": _scans(), "one visit": _one_visit()}


@cache
def _pictures() -> Results:
    """Give three visits with treatments and observations, and pictures of two; small and unsure lesions left out."""
    results, volumes = pictured()
    first, second, third = results.visits
    changed = second.lesion_map
    changed = change_lesion(changed, "L2", physis="crosses", attributes=Attributes(painful=False))
    changed = change_lesion(changed, "L3", physis="touches", attributes=Attributes(painful=True))
    second = replace(second, lesion_map=change_lesion(changed, "L4", physis="spares"))
    placement = first.placement
    warned = replace(first, placement=placement and replace(placement, warnings=("the left knee lies far off",)))
    found = results_of(
        Patient("P001", "M"),
        [warned, second, third],
        rule=CountRule("small", ("definite", "probable", "equivocal"), 2.0, "apart", "left_out"),
        threshold=Threshold(beyond_slice_error=False),
        treatments=[Treatment("naproxen", date(2006, 4, 1), date(2008, 1, 1)), Treatment("x", date(2008, 6, 1))],
        observations=[Observation(date(2008, 5, 4), "esr_mm_h", 44.0), Observation(date(2008, 5, 5), "fever", 1.0)],
    )
    return replace(
        found,
        key_images=key_images(found.visits, lambda key, name: volumes[key, name] if key != first.visit.key else None),
    )


def _at(year: int, *marks: tuple[str, str, float | None], **answers: Answer | str) -> VisitFacts:
    """Give a visit with lesions by track, site and volume."""
    lesion_map, measured = LesionMap("P002", f"{year}-01-02", "anna"), {}
    for track, site, volume_ml in marks:
        lesion_map = add_lesion(lesion_map, sites=[site], track=track)
        if volume_ml is not None:
            measured[lesion_map.lesions[-1].id] = (Measurement("s", "MR", "STIR", volume_ml, 0.0),)
    for track, verdict in answers.items():
        lesion_map = answer(lesion_map, track, verdict)  # type: ignore[arg-type]
    return VisitFacts(Visit("P002", date(year, 1, 2)), lesion_map, None, measured)


@cache
def _course() -> Results:
    """Give seven visits in which much can hardly be so: all that is to be looked at again."""
    everywhere = placed(9), placed(10)
    marks = {mark.name: np.array(mark.lps_mm) for mark in everywhere[1].landmarks}
    for end in ("knee", "ankle", "heel", "toe2"):
        marks[f"{end}_left"] = marks[f"{end}_left"] + [0.0, 0.0, 45.0]
    short = place({k: v.tolist() for k, v in marks.items()}, age_y=11, sex="F")
    visits = [
        replace(_at(2010, ("a", ANKLE, 0.5), ("s", "vertebra_T8.body.midline", 1.0)), placement=everywhere[0]),
        _at(2011, ("a", ANKLE, 8.0), ("b", "clavicle.medial.left", None), s="resolved"),
        replace(_at(2012, ("a", MIRRORED, 8.0), ("c", ANKLE, 2.0)), placement=everywhere[1]),
        _at(2013, ("a", "fibula.distal_metaphysis.left", 8.0), b="cannot_judge", c="not_imaged"),
        replace(_at(2014, ("a", "rib_7.whole.right", 7.9), ("s", "vertebra_T8.body.midline", 1.0)), placement=short),
        _at(2015, ("c", ANKLE, 2.0), a="resolved", s="resolved"),
        VisitFacts(Visit("P002", date(2016, 1, 2)), LesionMap("P002", "2016-01-02", "anna"), None, {}),
    ]
    last = visits[5].lesion_map
    last = change_lesion(last, last.lesions[0].id, tracks=("b", "c"))
    visits[5] = replace(visits[5], lesion_map=last)
    beside = site_middle(ANKLE, everywhere[1])
    third = visits[2].lesion_map
    off = Extent("s", marker_lps_mm=(beside[0] + 60.0, beside[1], beside[2]))
    lesions = (*third.lesions[:1], replace(third.lesions[1], extents=(off,)))
    visits[2] = replace(visits[2], lesion_map=replace(third, lesions=lesions))
    return results_of(Patient("P002", "F"), visits, rule=CountRule(certainties=("definite",)))


def _scan(key: str, lesions: tuple[Lesion, ...], placement: bool, solid: bool = True) -> VisitFacts:
    flat, whole = planar_grid((280, 700), (2.6, 2.4)), Grid((60, 50, 20), np.diag([8.0, 8.0, 8.0, 1.0]))
    scan = Series("bone scan anterior late", flat, "NM", "planar", "anterior", (Station(flat, ()),), projection=True)
    stir = Series("STIR coronal", whole, "MR", "STIR", "coronal", (Station(whole, ()),))
    visit = Visit("P003", date.fromisoformat(key), age_y=9.0, series=(stir, scan) if solid else (scan,))
    shares = {site.id: 0.5 if site.region == "thigh" else float(site.bone != "tibia") for site in sites()}
    on = replace(placed(9), coverage=tuple(shares.items()))
    measured = {x.id: (_counts(scan.name),) for x in lesions if any(one.mask is not None for one in x.extents)}
    return VisitFacts(visit, LesionMap("P003", key, "anna", lesions), on if placement else None, measured)


def _counts(series: str) -> Measurement:
    return Measurement(series, "NM", "planar", area_mm2=43.7, counts=420.0, signal_mean=60.0,
                       uptake=Uptake(3.0, 12.0, 6.0), phase="late")  # fmt: skip


@cache
def _scans() -> Results:
    """Give bone scans: one with an index, one without a skeleton, one without an outline."""
    from lesionmap.lesions import Lesion

    flat = planar_grid((280, 700), (2.6, 2.4))
    cells = np.array([[100, 80 + n, 0] for n in range(4)] + [[101, 80, 0]])
    outlined = Extent("bone scan anterior late", Mask.of_voxels(cells, flat), None, "late")
    marker = Extent("bone scan anterior late", None, (60.0, 0.0, 200.0))
    slice_ = Extent("STIR coronal", None, (60.0, 8.0, 80.0))
    return results_of(
        Patient("P003"),
        [
            _scan("2012-05-04", (Lesion("L1", (ANKLE,), tracks=("1",), extents=(outlined, slice_)),), True),
            _scan("2013-05-04", (Lesion("L1", (ANKLE,), tracks=("1",), extents=(outlined,)),
                                 Lesion("L2", (MIRRORED,), tracks=("2",), extents=(slice_,))), False),
            _scan("2014-05-04", (Lesion("L1", (MIRRORED,), tracks=("2",), extents=(marker,)),), True, solid=False),
            _scan("2015-05-04", (Lesion("L1", ("patella.whole.left",), extents=(outlined,)),), True, solid=False),
            _scan("2016-05-04", (Lesion("L1", (ANKLE,), tracks=("1",), extents=(outlined,)),), True, solid=False),
        ],
    )  # fmt: skip


@cache
def _one_visit() -> Results:
    return results_of(
        Patient("P004"), [VisitFacts(Visit("P004", date(2012, 1, 2)), LesionMap("P004", "2012-01-02", "b"))]
    )


def spoken(results: Results) -> list[str]:
    """Give all that a report says, line by line; versions are left out."""
    lines = [heading(results), facts_line(results)]
    for section in sections(results, with_notes=True):
        lines += [f"## {section.title} [{section.kind}]", *section.lines]
        if section.table is not None:
            lines.append(" | ".join(section.table.header))
            lines += [" | ".join(cell.text for cell in row) for row in section.table.rows]
        lines += section.below
    panels = map_model(results)
    lines += [f"{panel.title} / {panel.count} / {panel.rule} / {[dot.label for dot in panel.dots]}" for panel in panels]
    lines += ["legend", *(item.words for item in legend_items(panels, 5.0))]
    lines += ["lanes", *(lane.name for lane in lanes(results))]
    lines += ["images", *(image_title(results, image) for image in results.key_images or ())]
    return [line for line in lines if not line.startswith("Programs: ")]
