"""The second sample patient: a girl, six visits; her lesions come back, merge, split, and are not always looked for.

She follows nobody's case: the course is made up so that every state of a track, and every change of identity, occurs.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from lesionmap.phantom.case import Case, VisitPlan, clavicle, metaphysis, vertebra

if TYPE_CHECKING:
    from lesionmap.phantom.body import Body
    from lesionmap.phantom.case import Lump
    from lesionmap.phantom.lesion import LesionShape

__all__ = ["SECOND"]

_T10 = {1: 0.8, 4: 0.9, 5: 0.6}
"""Visit → share of the vertebra; it is gone at the second visit and comes back at the fourth."""
_CLAVICLE = {2: (12.5, 8.4, 8.2), 3: (12.8, 8.5, 8.3), 4: (13.0, 8.6, 8.4)}
_METAPHYSES: dict[str, dict[int, tuple[Lump, ...]]] = {
    "femur_right": {1: (((0.0, 0.0, 14.0), (12.0, 10.0, 11.0)),), 2: (((0.0, 0.0, 16.0), (19.0, 15.0, 14.5)),)},
    "femur_right_inner": {3: (((13.0, 0.0, 13.0), (8.0, 8.5, 9.0)),), 5: (((13.0, 0.0, 12.0), (5.5, 6.0, 6.0)),)},
    "femur_right_outer": {3: (((-13.0, 0.0, 17.0), (9.0, 9.0, 10.0)),), 5: (((-13.0, 0.0, 15.0), (6.0, 6.5, 6.5)),)},
    "tibia_left_outer": {1: (((9.5, 0.0, 9.0), (6.0, 8.0, 6.5)),)},
    "tibia_left_inner": {1: (((-9.0, 0.0, 13.0), (6.5, 8.0, 7.5)),)},
    "tibia_left": {
        2: (((-3.0, 0.0, 12.0), (13.5, 12.0, 11.0)), ((5.0, 0.0, 9.0), (10.5, 11.0, 8.5))),
        3: (((-3.0, 0.0, 12.5), (13.5, 12.0, 11.0)), ((5.0, 0.0, 9.5), (10.5, 11.0, 8.5))),
        5: (((-1.0, 0.0, 11.0), (8.0, 8.5, 7.5)),),
    },
    "femur_left": {5: (((0.0, 0.0, 14.0), (15.0, 13.0, 12.0)),), 6: (((0.0, 0.0, 12.0), (8.5, 8.5, 8.0)),)},
}
"""Lesion → visit → what it is made of behind the distal growth plate; the right femur's inner side is to the left."""


def _lesions(visit: VisitPlan, child: Body) -> tuple[LesionShape, ...]:
    n, made = visit.number, []
    if n in _T10:
        made.append(vertebra(child, "T10", _T10[n]))
    if n in _CLAVICLE:
        made.append(clavicle(child, "right", _CLAVICLE[n], swell=True))
    for name, course in _METAPHYSES.items():
        if n in course:
            bone, side = name.split("_")[:2]
            made.append(metaphysis(child, name, bone, side, course[n]))
    return tuple(made)


SECOND = Case(
    "SAMPLE-CRMO-2",
    "F",
    date(2001, 3, 12),
    seed=6,
    visits=(
        VisitPlan(1, date(2009, 2, 11), 21),
        VisitPlan(2, date(2009, 9, 2), 22),
        VisitPlan(3, date(2010, 4, 21), 23, bone_scan=True),
        VisitPlan(4, date(2010, 12, 8), 24, seen="no legs"),
        VisitPlan(5, date(2011, 6, 29), 25),
        VisitPlan(6, date(2012, 2, 15), 26),
    ),
    lesions=_lesions,
    states={
        "T10": ("first_seen", "resolved", None, "recurrent", "improved", "resolved"),
        "femur_right": ("first_seen", "worsened", "improved", "not_imaged", "improved", "resolved"),
        "tibia_left_outer": ("first_seen", "worsened", "persistent", "not_imaged", "improved", "resolved"),
        "tibia_left_inner": ("first_seen", "worsened", "persistent", "not_imaged", "improved", "resolved"),
        "clavicle_right": (None, "new", "persistent", "persistent", "resolved", None),
        "femur_left": (None, None, None, None, "new", "improved"),
    },
    sites={
        "T10": "vertebra_T10.body.midline",
        "femur_right": "femur.distal_metaphysis.right",
        "tibia_left_outer": "tibia.distal_metaphysis.left",
        "tibia_left_inner": "tibia.distal_metaphysis.left",
        "clavicle_right": "clavicle.medial.right",
        "femur_left": "femur.distal_metaphysis.left",
    },
    tracks={
        "tibia_left": ("tibia_left_outer", "tibia_left_inner"),
        "femur_right_inner": ("femur_right",),
        "femur_right_outer": ("femur_right",),
    },
    on_scan=("clavicle_right", "femur_right_outer", "tibia_left"),
    treatments=(("naproxen", "2009-02-20", "2010-12-08"), ("pamidronate", "2010-12-20", "2011-09-20")),
    observations=(
        ("date", "esr_mm_h", "crp_mg_l", "pain_0_10", "fever"),
        ("2009-02-11", "34", "11", "6", "no"),
        ("2009-09-02", "41", "14", "7", "no"),
        ("2010-04-21", "22", "", "4", "no"),
        ("2010-12-08", "29", "9", "6", "no"),
        ("2011-06-29", "14", "3", "2", "no"),
        ("2012-02-15", "9", "2", "0", "no"),
    ),
    spacing_mm=(2.8, 6.6, 2.8),
)
