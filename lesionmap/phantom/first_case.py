"""The first sample patient: one boy, three visits, after a published case (see sample_data/README.md)."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom.case import Case, VisitPlan, clavicle, metaphysis, vertebra
from lesionmap.phantom.lesion import LesionShape
from lesionmap.phantom.shapes import Blob, Frame

if TYPE_CHECKING:
    from lesionmap.phantom.body import Body

__all__ = ["FIRST"]

_SITES = {
    "clavicle_left": "clavicle.medial.left",
    "T7": "vertebra_T7.body.midline",
    "T8": "vertebra_T8.body.midline",
    "T9": "vertebra_T9.body.midline",
    "sacroiliac_left": "sacrum.sacroiliac.left",
    "sacroiliac_right": "sacrum.sacroiliac.right",
    "tibia_left": "tibia.distal_metaphysis.left",
}
"""Lesion → site. The report names neither the third of the clavicle nor the side of the joint: chosen here."""


def _sacroiliac(child: Body, side: str, s: float) -> LesionShape:
    pelvis, k = child.frames["pelvis"], (child.size["biiliac"] - 8.0) / 274.0
    normal, along = pelvis.way(s * 0.894, 0.447, 0), pelvis.way(-s * 0.447, 0.894, 0)
    middle = child.marks[f"si_joint_{side}"] - (1.5 + 9.0 * k) * normal
    frame = Frame(middle, np.stack([normal, along, pelvis.axes[:, 2]], axis=1))
    more = Frame(frame.at(0, 3 * s, -9.0 * k), frame.axes)
    lumps = (Blob(frame, np.array([8.2, 16, 15 + s]) * k, 2.4), Blob(more, np.array([7.5, 12, 12]) * k))
    return LesionShape(f"sacroiliac_{side}", _SITES[f"sacroiliac_{side}"], lumps, "sacrum", side, 1.0)


def _lesions(visit: VisitPlan, child: Body) -> tuple[LesionShape, ...]:
    if visit.number == 1:
        return (clavicle(child, "left", (12.5, 8.4, 8.2), swell=True),)
    if visit.number == 3:
        return (clavicle(child, "left", (7.2, 5.5, 5.5), swell=False),)
    return (
        clavicle(child, "left", (13.2, 8.6, 8.4), swell=True),
        vertebra(child, "T7", 0.86),
        vertebra(child, "T8", 0.92),
        vertebra(child, "T9", 0.84),
        _sacroiliac(child, "left", 1.0),
        _sacroiliac(child, "right", -1.0),
        metaphysis(
            child,
            "tibia_left",
            "tibia",
            "left",
            (((0.0, 0.0, 10.5), (13.0, 11.5, 11.0)), ((4.0, -2.0, 17.5), (8.5, 8.0, 9.0))),
        ),
    )


FIRST = Case(
    "SAMPLE-CRMO-1",
    "M",
    date(1998, 5, 4),
    seed=1,
    visits=(
        VisitPlan(1, date(2006, 5, 10), 11, seen="chest", t1=True),
        VisitPlan(2, date(2008, 5, 14), 12, t1=True, spine=True, bone_scan=True),
        VisitPlan(3, date(2009, 2, 18), 13),
    ),
    lesions=_lesions,
    states={
        name: ("first_seen", "persistent", "improved") if name == "clavicle_left" else (None, "first_seen", "resolved")
        for name in _SITES
    },
    sites=_SITES,
    on_scan=("clavicle_left", "T8", "sacroiliac_left", "sacroiliac_right", "tibia_left"),  # as the report tells it
)
