"""Writing a sample patient: images, landmarks with jitter, the reader's clicks, and the facts."""

from __future__ import annotations

import csv
import json
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lesionmap.phantom.bone_scan import planar, up_mm
from lesionmap.phantom.case import spine_plan
from lesionmap.phantom.files import Header, write_bone_scan, write_stack
from lesionmap.phantom.first_case import FIRST
from lesionmap.phantom.lesion import truth
from lesionmap.phantom.stations import Stack, acquire
from lesionmap.phantom.tissue import SIGNAL, tissues

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lesionmap.phantom.body import Body
    from lesionmap.phantom.case import Case, VisitPlan
    from lesionmap.phantom.lesion import LesionShape
    from lesionmap.phantom.shapes import Array
    from lesionmap.phantom.stations import Plan
    from lesionmap.phantom.tissue import Contrast, Tissues

__all__ = ["JITTER_MM", "jittered", "make_sample", "make_visit"]

JITTER_MM = 5.0
"""Root mean square distance of a landmark handed on from the true one; 2.89 mm SD along each axis."""
Found: TypeAlias = "dict[str, tuple[LesionShape, float, Array]]"
"""Lesion's name → lesion, true volume in ml, true centroid in LPS mm."""
_SERIES, _SCAN = "STIR coronal", "bone scan anterior late"


def jittered(marks: dict[str, tuple[float, float, float]], seed: int) -> dict[str, Array]:
    """Move each landmark by a random step of 5 mm root mean square, as a reader would."""
    rng = np.random.default_rng([5, seed])
    return {name: np.array(xyz) + rng.normal(0, JITTER_MM / np.sqrt(3), 3) for name, xyz in marks.items()}


def _header(case: Case, visit: VisitPlan, child: Body) -> Header:
    stature = child.size.stature_cm / 100
    return Header(
        patient_id=case.patient,
        name="SAMPLE^PATIENT",
        sex=case.sex,
        born=case.born,
        day=visit.day,
        age_y=case.age_y(visit),
        stature_m=stature,
        weight_kg=16.5 * stature**2,
        study=visit.folder,
    )


def _click(lesion: LesionShape, child: Body, centre: Array, rng: np.random.Generator) -> Array:
    """Give a click in the lesion, a few mm from its middle."""
    for _ in range(200):
        tried = centre + rng.normal(0, 1.8, 3)
        if lesion.distance(tried[None], child)[0] < -1.2:
            return np.asarray(tried)
    return centre


def _muscle(painted: Tissues, child: Body, whole_body: bool) -> Array:
    """Give a place in the middle of even muscle: thigh, or beside the thoracic spine."""
    from scipy.ndimage import uniform_filter

    near = child.frames["T3"].at(28, 22, 0)
    if whole_body:
        near = child.marks["hip_left"] + 0.45 * (child.marks["knee_left"] - child.marks["hip_left"]) + [0, 26.0, 0]
    lattice = painted.lattice
    window = lattice.window(near - 24, near + 24)
    part = painted.stir[window].astype(np.float64)
    size = [9.0 / (axis[1] - axis[0]) for axis in (lattice.x, lattice.y, lattice.z)]
    kernel = [2 * int(s / 2) + 1 for s in size]
    mean = uniform_filter(part, kernel)
    spread = uniform_filter(part**2, kernel) - mean**2 + (mean - SIGNAL["muscle"][0]) ** 2
    cut = tuple(slice(k, -k) for k in kernel)
    best = np.unravel_index(int(np.argmin(spread[cut])), spread[cut].shape)
    return np.asarray(lattice.points(window).reshape(*part.shape, 3)[cut][best], dtype=np.float64)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _mm(point: Iterable[float]) -> list[str]:
    return [f"{v:.1f}" for v in point]


def _write_landmarks(path: Path, visit: VisitPlan, child: Body, plan: Plan) -> list[str]:
    """Write the landmarks with jitter, those inside the imaged field; give their names."""
    low = np.array(plan.low_mm)
    high = low + np.array(plan.counts) * plan.spacing_mm
    marks = {n: p for n, p in child.landmarks().items() if np.all(np.array(p) > low) and np.all(np.array(p) < high)}
    moved = jittered(marks, visit.number)
    _write_csv(path, ("name", "x_lps_mm", "y_lps_mm", "z_lps_mm"), ([n, *_mm(p)] for n, p in moved.items()))
    return list(marks)


def _write_reading(path: Path, case: Case, visit: VisitPlan, child: Body, muscle: Array, found: Found) -> None:
    rng = np.random.default_rng([9, visit.number])
    rows: list[list[str]] = []
    for name, (lesion, _, centre) in found.items():
        click = _click(lesion, child, centre, rng)
        rows.append([name, *_mm(click), "definite", _SERIES, lesion.site, "", ""])
        if visit.bone_scan and name in case.on_scan:
            x, _, z = click
            rows.append([name, f"{x:.1f}", "", f"{z + up_mm(child):.1f}", "definite", _SCAN, lesion.site, "", ""])
    gone = {case.sites[track]: track for track in case.resolved(visit)}  # tracks that merged have one site
    rows += [[track, "", "", "", "", "", site, "resolved", "gone after treatment"] for site, track in gone.items()]
    rows.append(["reference", *_mm(muscle), "", _SERIES, "", "", "muscle"])
    _write_csv(path, ("id", "x_lps_mm", "y_lps_mm", "z_lps_mm", "certainty", "series", "site", "answer", "note"), rows)


def _facts(case: Case, visit: VisitPlan, child: Body, found: Found) -> dict[str, Any]:
    return {
        "date": visit.day.isoformat(),
        "folder": visit.folder,
        "age_y": round(case.age_y(visit), 3),
        "stature_cm": round(child.size.stature_cm, 1),
        "pose_seed": visit.pose,
        "count": len(found),
        "lesions": [
            {
                "id": name,
                **({"tracks": list(case.tracks[name])} if name in case.tracks else {}),
                "site": lesion.site,
                "bone": lesion.bone,
                "side": lesion.site.rsplit(".", 1)[1],
                "volume_ml": round(ml, 3),
                "centroid_lps_mm": [round(float(v), 2) for v in centre],
            }
            for name, (lesion, ml, centre) in found.items()
        ],
        "states": {name: states[visit.number - 1] for name, states in case.states.items() if states[visit.number - 1]},
        "landmarks": {n: [round(v, 2) for v in p] for n, p in child.landmarks().items()},
        "vertebrae": {n: [round(v, 2) for v in p] for n, p in child.vertebrae().items()},
        "physis_mm": physis_heights(child),
    }


def physis_heights(child: Body) -> dict[str, list[float]]:
    """Give for each long bone how far its two physes lie from its top, mm along the bone (femur: the distal one)."""
    found: dict[str, list[float]] = {}
    for shape in child.shapes:
        if "diaphysis" in shape.segments:
            bone, ends = f"{shape.bone}.{shape.side}", ("proximal", "distal")
            epiphysis = [child.size.mm.get(f"{shape.bone}_{end}_epiphysis", 0.0) for end in ends]
            found[bone] = [round(epiphysis[0], 2), round(epiphysis[0] + child.size[shape.bone], 2)]
    return found


def make_visit(case: Case, visit: VisitPlan, folder: Path) -> dict[str, Any]:
    """Write one visit's folder; give its facts."""
    child = case.body(visit)
    lesions, plan = case.lesions(visit, child), case.plan(visit, child)
    header, home = _header(case, visit, child), folder / visit.folder
    painted = tissues(child, plan.lattice(), lesions)
    number = 1
    contrasts: tuple[Contrast, ...] = ("STIR", "T1") if visit.t1 else ("STIR",)
    for contrast in contrasts:
        for stack in acquire(painted, plan, contrast, 100 * visit.number):
            write_stack(stack, contrast, header, number, home)
            number += 1
    if visit.spine:
        across = spine_plan(child)
        (one,) = acquire(tissues(child, across.lattice(), lesions), across, "STIR", 100 * visit.number + 50)
        write_stack(Stack(0, one.plane, one.pixels, one.grid), "STIR", header, number, home)
        number += 1
    if visit.bone_scan:
        write_bone_scan(planar(child, lesions, seed=visit.number), header, number, home / "bone_scan" / "001.dcm")
    found = {lesion.name: (lesion, *truth(lesion, child)) for lesion in lesions}
    named = _write_landmarks(home / "landmarks.csv", visit, child, plan)
    muscle = _muscle(painted, child, visit.seen == "whole body")
    _write_reading(home / "reading.csv", case, visit, child, muscle, found)
    return {**_facts(case, visit, child, found), "landmarks_given": named}


def make_sample(
    folder: str | Path, case: Case = FIRST, visits: Sequence[int] | None = None, *, workers: int = 1
) -> Path:
    """Write a sample patient into ``folder``: images, landmarks, clicks, what the clinic knows, and ``facts.json``.

    Parameters
    ----------
    folder : path
    case : Case
    visits : sequence of int, optional
        Which of the case's visits; all by default.
    workers : int
        Processes that make the visits side by side.

    Returns
    -------
    Path
        Of the patient's folder.
    """
    home = Path(folder) / case.patient
    plans = [visit for visit in case.visits if visits is None or visit.number in visits]
    facts: dict[str, Any] = {
        "patient": {"id": case.patient, "sex": case.sex, "birth_date": case.born.isoformat(), "seed": case.seed},
        "landmark_jitter_mm_rms": JITTER_MM,
        "visits": _made(case, plans, home, workers),
    }
    (home / "facts.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    if case.treatments:
        _write_csv(home / "treatments.csv", ("drug", "start", "end"), case.treatments)
    if case.observations:
        _write_csv(home / "observations.csv", case.observations[0], case.observations[1:])
    return home


def _made(case: Case, plans: Sequence[VisitPlan], home: Path, workers: int) -> list[dict[str, Any]]:
    if workers == 1:
        return [make_visit(case, visit, home) for visit in plans]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(make_visit, repeat(case), plans, repeat(home)))
