"""The sample patient: one boy, three visits, after a published case (see sample_data/README.md)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom.body import Body, body
from lesionmap.phantom.lesion import LesionShape
from lesionmap.phantom.pose import pose_of
from lesionmap.phantom.shapes import Blob, Frame, Plane, Tube, unit
from lesionmap.phantom.stations import Plan
from lesionmap.visits import age_at

if TYPE_CHECKING:
    from lesionmap.phantom.shapes import Array
    from lesionmap.visits import Sex

__all__ = [
    "BORN",
    "SEED",
    "SEEN_ON_SCAN",
    "STATES",
    "VISITS",
    "VisitPlan",
    "body_of",
    "lesions_of",
    "plan_of",
    "spine_plan",
]

SEED = 1
SEX: Sex = "M"
BORN = date(1998, 5, 4)


@dataclass(frozen=True, slots=True)
class VisitPlan:
    """What is done at a visit."""

    number: int
    day: date
    pose: int
    """Seed of how the child lies."""
    whole_body: bool
    t1: bool
    bone_scan: bool = False

    @property
    def folder(self) -> str:
        """Name of the visit's folder."""
        return f"visit_{self.number}_{self.day.isoformat()}"

    @property
    def age_y(self) -> float:
        """Age at the visit in years."""
        return age_at(self.day, BORN)


VISITS = (
    VisitPlan(1, date(2006, 5, 10), 11, whole_body=False, t1=True),
    VisitPlan(2, date(2008, 5, 14), 12, whole_body=True, t1=True, bone_scan=True),
    VisitPlan(3, date(2009, 2, 18), 13, whole_body=True, t1=False),
)

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

SEEN_ON_SCAN = ("clavicle_left", "T8", "sacroiliac_left", "sacroiliac_right", "tibia_left")
"""What the report says of the bone scan of 2008."""

STATES = {
    name: ("first_seen", "persistent", "improved") if name == "clavicle_left" else (None, "first_seen", "resolved")
    for name in _SITES
}
"""Lesion → its state at the three visits."""


def body_of(visit: VisitPlan) -> Body:
    """Give the boy as he lies at a visit."""
    drawn = pose_of(visit.pose)
    flat = replace(drawn, hip_bend=(5.0, 6.0), knee_bend=(9.0, 11.0), foot_down=(38.0, 36.0))
    return body(visit.age_y, SEX, SEED, pose=flat)


def _clavicle(child: Body, half_mm: tuple[float, float, float], swell: bool) -> LesionShape:
    inner, outer = child.marks["sc_joint_left"], child.marks["ac_joint_left"]
    form = next(s.form for s in child.shapes if s.bone == "clavicle" and s.side == "left")
    nodes = form.nodes if isinstance(form, Tube) else np.stack([inner, outer])
    along = (nodes - inner) @ unit(outer - inner)
    span = float(np.linalg.norm(outer - inner))
    middle, before, after = (
        np.array([np.interp(share * span, along, nodes[:, i]) for i in range(3)]) for share in (0.17, 0.09, 0.25)
    )
    frame = Frame(middle, _axes(after - before))
    a, b, c = half_mm
    lumps = [Blob(frame, np.array([b, c, a]), 2.3)]
    if swell:
        lumps.append(
            Blob(Frame(frame.at(0.2 * b, -0.3 * c, -0.35 * a), frame.axes), np.array([0.95 * b, 0.95 * c, 0.5 * a]))
        )
    return LesionShape(
        "clavicle_left", _SITES["clavicle_left"], tuple(lumps), "clavicle", "left", None if swell else 0.3
    )


def _axes(up: Array) -> Array:
    """Give axes whose third is along ``up``."""
    third = unit(up)
    first = unit(np.cross([0.0, 1.0, 0.0], third))
    return np.stack([first, np.cross(third, first), third], axis=1)


def _vertebra(child: Body, name: str, share: float) -> LesionShape:
    form = next(s.form for s in child.shapes if s.bone == f"vertebra_{name}" and s.segments == ("body",))
    if not isinstance(form, Blob):
        raise TypeError(f"the body of {name} must be a Blob, got {type(form).__name__}")
    return LesionShape(
        name, _SITES[name], (Blob(form.frame, share * form.half_mm, 3.0),), f"vertebra_{name}", "midline", 0.9
    )


def _sacroiliac(child: Body, side: str, s: float) -> LesionShape:
    pelvis, k = child.frames["pelvis"], (child.size["biiliac"] - 8.0) / 274.0
    normal, along = pelvis.way(s * 0.894, 0.447, 0), pelvis.way(-s * 0.447, 0.894, 0)
    middle = child.marks[f"si_joint_{side}"] - (1.5 + 9.0 * k) * normal
    frame = Frame(middle, np.stack([normal, along, pelvis.axes[:, 2]], axis=1))
    more = Frame(frame.at(0, 3 * s, -9.0 * k), frame.axes)
    lumps = (Blob(frame, np.array([8.2, 16, 15 + s]) * k, 2.4), Blob(more, np.array([7.5, 12, 12]) * k))
    return LesionShape(f"sacroiliac_{side}", _SITES[f"sacroiliac_{side}"], lumps, "sacrum", side, 1.0)


def _tibia(child: Body) -> LesionShape:
    shin = next(s for s in child.shapes if s.bone == "tibia" and s.side == "left" and s.physes)
    physis = shin.cuts[3]
    if not isinstance(physis, Plane):
        raise TypeError(f"the distal physis must be a Plane, got {type(physis).__name__}")
    frame = Frame(physis.point - 10.5 * physis.normal, _axes(-physis.normal))
    beside = Frame(frame.at(4.0, -2.0, 7.0), frame.axes)
    lumps = (Blob(frame, np.array([13.0, 11.5, 11.0]), 2.3), Blob(beside, np.array([8.5, 8.0, 9.0])))
    edge = Plane(physis.point - 1.4 * physis.normal, physis.normal, physis.bow_mm, physis.reach_mm)
    return LesionShape("tibia_left", _SITES["tibia_left"], lumps, "tibia", "left", 1.2, (edge,))


def lesions_of(visit: VisitPlan, child: Body) -> tuple[LesionShape, ...]:
    """Give the lesions of a visit on the boy as he lies there."""
    if visit.number == 1:
        return (_clavicle(child, (12.5, 8.4, 8.2), swell=True),)
    if visit.number == 3:
        return (_clavicle(child, (7.2, 5.5, 5.5), swell=False),)
    return (
        _clavicle(child, (13.2, 8.6, 8.4), swell=True),
        _vertebra(child, "T7", 0.86),
        _vertebra(child, "T8", 0.92),
        _vertebra(child, "T9", 0.84),
        _sacroiliac(child, "left", 1.0),
        _sacroiliac(child, "right", -1.0),
        _tibia(child),
    )


def plan_of(visit: VisitPlan, child: Body) -> Plan:
    """Give the coronal slices of a visit: the whole body, or at visit 1 the upper chest alone, down to T5."""
    marks = np.array(list(child.landmarks().values()))
    low, high = marks.min(axis=0), marks.max(axis=0)
    top, bottom = high[2] + 26.0, low[2] - 34.0
    front, back = low[1] - 22.0, max(high[1] + 20.0, child.marks["T8"][1] + 62)
    right, left = low[0] - 28.0, high[0] + 28.0
    if not visit.whole_body:
        # T7 and below must not be seen: the published course has them as not imaged before.
        top, bottom = child.marks["chin"][2] + 10.0, child.marks["T5"][2] - 3.0
        right, left = child.marks["shoulder_right"][0] - 62.0, child.marks["shoulder_left"][0] + 62.0
        front, back = child.marks["xiphoid"][1] - 34.0, child.marks["T6"][1] + 66.0
    spacing = (1.8, 5.5, 1.8)
    counts = tuple(
        int((b - a) / h) + 1 for a, b, h in zip((right, front, bottom), (left, back, top), spacing, strict=True)
    )
    x, y, z = (round(float(v), 2) for v in (right, front, bottom))
    return Plan((x, y, z), (counts[0], counts[1], counts[2]), spacing, stations=4 if visit.whole_body else 1)


def spine_plan(child: Body) -> Plan:
    """Give the sagittal slices of the thoracic and lumbar spine."""
    x = float(np.mean([child.marks[n][0] for n in ("T3", "T8", "L2")]))
    y, top, bottom = float(child.marks["T8"][1]), child.marks["C5"][2], child.marks["coccyx"][2]
    low = (round(x - 7 * 4.4, 2), round(y - 90.0, 2), round(float(bottom), 2))
    return Plan(low, (15, 112, int((top - bottom) / 1.4) + 1), (4.4, 1.4, 1.4), plane="sagittal")
