"""A sample patient: a child, its visits, and its lesions at each of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from lesionmap.phantom.body import Body, body
from lesionmap.phantom.lesion import LesionShape
from lesionmap.phantom.pose import pose_of
from lesionmap.phantom.shapes import Blob, Frame, Plane, Tube, unit
from lesionmap.phantom.stations import Plan
from lesionmap.visits import age_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from lesionmap.compare import State
    from lesionmap.phantom.shapes import Array
    from lesionmap.visits import Sex

__all__ = ["Case", "Lump", "VisitPlan", "clavicle", "metaphysis", "spine_plan", "vertebra"]

_STATIONS = {"whole body": 4, "chest": 1, "no legs": 2}
_SPACING_MM = (1.8, 5.5, 1.8)


@dataclass(frozen=True, slots=True)
class VisitPlan:
    """What is done at a visit."""

    number: int
    day: date
    pose: int
    """Seed of how the child lies."""
    seen: Literal["whole body", "chest", "no legs"] = "whole body"
    """What the coronal slices hold: all, the upper chest down to T5, or all down to the pelvis."""
    t1: bool = False
    spine: bool = False
    """Sagittal slices of the spine as well."""
    bone_scan: bool = False

    @property
    def folder(self) -> str:
        """Name of the visit's folder."""
        return f"visit_{self.number}_{self.day.isoformat()}"


@dataclass(frozen=True, slots=True)
class Case:
    """A child and its course."""

    patient: str
    sex: Sex
    born: date
    seed: int
    visits: tuple[VisitPlan, ...]
    lesions: Callable[[VisitPlan, Body], tuple[LesionShape, ...]]
    """Gives the lesions of a visit on the child as it lies there."""
    states: Mapping[str, tuple[State | None, ...]]
    """Track → its state at each visit."""
    sites: Mapping[str, str]
    """Track → its site."""
    tracks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Lesion → its tracks, where it is not the one of its name: it is of several, or of one with others."""
    on_scan: tuple[str, ...] = ()
    """Lesions that the reader marks on the bone scan too."""
    treatments: tuple[tuple[str, str, str], ...] = ()
    """Drug, first and last day; an empty last day: it goes on."""
    observations: tuple[tuple[str, ...], ...] = ()
    """Rows of ``observations.csv``, the header first."""
    spacing_mm: tuple[float, float, float] = _SPACING_MM
    """Of the coronal slices: x, y (through them), z."""

    def age_y(self, visit: VisitPlan) -> float:
        """Give the age at a visit in years."""
        return age_at(visit.day, self.born)

    def body(self, visit: VisitPlan) -> Body:
        """Give the child as it lies at a visit."""
        drawn = pose_of(visit.pose)
        flat = replace(drawn, hip_bend=(5.0, 6.0), knee_bend=(9.0, 11.0), foot_down=(38.0, 36.0))
        return body(self.age_y(visit), self.sex, self.seed, pose=flat)

    def tracks_of(self, lesion: str) -> tuple[str, ...]:
        """Give the tracks of a lesion."""
        return self.tracks.get(lesion, (lesion,))

    def resolved(self, visit: VisitPlan) -> tuple[str, ...]:
        """Give the tracks that the reader answers with *resolved* at a visit."""
        return tuple(track for track, states in self.states.items() if states[visit.number - 1] == "resolved")

    def plan(self, visit: VisitPlan, child: Body) -> Plan:
        """Give the coronal slices of a visit."""
        marks = np.array(list(child.landmarks().values()))
        low, high = marks.min(axis=0), marks.max(axis=0)
        top, bottom = high[2] + 26.0, low[2] - 34.0
        front, back = low[1] - 22.0, max(high[1] + 20.0, child.marks["T8"][1] + 62)
        right, left = low[0] - 28.0, high[0] + 28.0
        if visit.seen == "chest":
            # T7 and below must not be seen: the published course has them as not imaged before.
            top, bottom = child.marks["chin"][2] + 10.0, child.marks["T5"][2] - 3.0
            right, left = child.marks["shoulder_right"][0] - 62.0, child.marks["shoulder_left"][0] + 62.0
            front, back = child.marks["xiphoid"][1] - 34.0, child.marks["T6"][1] + 66.0
        elif visit.seen == "no legs":
            bottom = min(child.marks[f"ischium_{side}"][2] for side in ("left", "right")) - 25.0
        counts = tuple(
            int((b - a) / h) + 1
            for a, b, h in zip((right, front, bottom), (left, back, top), self.spacing_mm, strict=True)
        )
        x, y, z = (round(float(v), 2) for v in (right, front, bottom))
        stations = _STATIONS[visit.seen]
        return Plan((x, y, z), (counts[0], counts[1], counts[2]), self.spacing_mm, stations=stations)


def clavicle(child: Body, side: str, half_mm: tuple[float, float, float], *, swell: bool) -> LesionShape:
    """Make a lesion of the clavicle's medial third, ``half_mm`` along it and across; a swollen one passes the bone."""
    inner, outer = child.marks[f"sc_joint_{side}"], child.marks[f"ac_joint_{side}"]
    form = next(s.form for s in child.shapes if s.bone == "clavicle" and s.side == side)
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
    inset = None if swell else 0.3
    return LesionShape(f"clavicle_{side}", f"clavicle.medial.{side}", tuple(lumps), "clavicle", side, inset)


def _axes(up: Array) -> Array:
    """Give axes whose third is along ``up``."""
    third = unit(up)
    first = unit(np.cross([0.0, 1.0, 0.0], third))
    return np.stack([first, np.cross(third, first), third], axis=1)


def vertebra(child: Body, name: str, share: float) -> LesionShape:
    """Make a lesion that fills a share of a vertebra's body, e.g. of ``T8``, in each direction."""
    form = next(s.form for s in child.shapes if s.bone == f"vertebra_{name}" and s.segments == ("body",))
    if not isinstance(form, Blob):
        raise TypeError(f"the body of {name} must be a Blob, got {type(form).__name__}")
    lump = Blob(form.frame, share * form.half_mm, 3.0)
    return LesionShape(name, f"vertebra_{name}.body.midline", (lump,), f"vertebra_{name}", "midline", 0.9)


Lump: TypeAlias = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Middle (sideways, back, away from the growth plate) and half breadths in these directions, mm."""


def metaphysis(child: Body, name: str, bone: str, side: str, lumps: tuple[Lump, ...]) -> LesionShape:
    """Make a lesion behind the distal growth plate of a long bone; it does not pass the plate.

    Parameters
    ----------
    child : Body
    name : str
        Of the lesion.
    bone, side : str
    lumps : tuple of Lump
        The lesion is their union; the first is a little boxy.
    """
    shaft = next(s for s in child.shapes if s.bone == bone and s.side == side and "distal_metaphysis" in s.segments)
    physis = shaft.cuts[shaft.segments.index("distal_metaphysis")]
    if not isinstance(physis, Plane):
        raise TypeError(f"the distal physis must be a Plane, got {type(physis).__name__}")
    axes = _axes(-physis.normal)
    frame = Frame(physis.point, axes)
    blobs = tuple(
        Blob(Frame(frame.at(*middle), axes), np.array(half), 2.0 if n else 2.3)
        for n, (middle, half) in enumerate(lumps)
    )
    edge = Plane(physis.point - 1.4 * physis.normal, physis.normal, physis.bow_mm, physis.reach_mm)
    return LesionShape(name, f"{bone}.distal_metaphysis.{side}", blobs, bone, side, 1.2, (edge,))


def spine_plan(child: Body) -> Plan:
    """Give the sagittal slices of the thoracic and lumbar spine."""
    x = float(np.mean([child.marks[n][0] for n in ("T3", "T8", "L2")]))
    y, top, bottom = float(child.marks["T8"][1]), child.marks["C5"][2], child.marks["coccyx"][2]
    low = (round(x - 7 * 4.4, 2), round(y - 90.0, 2), round(float(bottom), 2))
    return Plan(low, (15, 112, int((top - bottom) / 1.4) + 1), (4.4, 1.4, 1.4), plane="sagittal")
