"""Writing the sample patient: images, landmarks with jitter, the reader's clicks, and the facts."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.phantom.bone_scan import planar, up_mm
from lesionmap.phantom.case import (
    BORN,
    SEED,
    SEEN_ON_SCAN,
    SEX,
    STATES,
    VISITS,
    body_of,
    lesions_of,
    plan_of,
    spine_plan,
)
from lesionmap.phantom.files import Header, write_bone_scan, write_stack
from lesionmap.phantom.lesion import truth
from lesionmap.phantom.stations import Stack, acquire
from lesionmap.phantom.tissue import SIGNAL, tissues

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lesionmap.phantom.body import Body
    from lesionmap.phantom.case import VisitPlan
    from lesionmap.phantom.lesion import LesionShape
    from lesionmap.phantom.shapes import Array
    from lesionmap.phantom.stations import Plan
    from lesionmap.phantom.tissue import Contrast, Tissues

__all__ = ["JITTER_MM", "PATIENT", "jittered", "make_sample", "make_visit"]

PATIENT = "SAMPLE-CRMO-1"
JITTER_MM = 5.0
"""Root mean square distance of a landmark handed on from the true one; 2.89 mm SD along each axis."""
_SERIES, _SCAN = "STIR coronal", "bone scan anterior late"


def jittered(marks: dict[str, tuple[float, float, float]], seed: int) -> dict[str, Array]:
    """Move each landmark by a random step of 5 mm root mean square, as a reader would."""
    rng = np.random.default_rng([5, seed])
    return {name: np.array(xyz) + rng.normal(0, JITTER_MM / np.sqrt(3), 3) for name, xyz in marks.items()}


def _header(visit: VisitPlan, child: Body) -> Header:
    stature = child.size.stature_cm / 100
    return Header(
        patient_id=PATIENT,
        name="SAMPLE^PATIENT",
        sex=SEX,
        born=BORN,
        day=visit.day,
        age_y=visit.age_y,
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


def _write_reading(path: Path, visit: VisitPlan, child: Body, muscle: Array, centres: dict[str, Array]) -> None:
    rng = np.random.default_rng([9, visit.number])
    rows: list[list[str]] = []
    lesions = lesions_of(visit, child)
    for lesion in lesions:
        click = _click(lesion, child, centres[lesion.name], rng)
        rows.append([lesion.name, *_mm(click), "definite", _SERIES, lesion.site, "", ""])
        if visit.bone_scan and lesion.name in SEEN_ON_SCAN:
            x, _, z = click
            rows.append(
                [lesion.name, f"{x:.1f}", "", f"{z + up_mm(child):.1f}", "definite", _SCAN, lesion.site, "", ""]
            )
    if visit.number == 3:
        gone = [x for x in lesions_of(VISITS[1], body_of(VISITS[1])) if x.name not in centres]
        rows += [[x.name, "", "", "", "", "", x.site, "resolved", "gone after treatment"] for x in gone]
    rows.append(["reference", *_mm(muscle), "", _SERIES, "", "", "muscle"])
    _write_csv(path, ("id", "x_lps_mm", "y_lps_mm", "z_lps_mm", "certainty", "series", "site", "answer", "note"), rows)


def _facts(visit: VisitPlan, child: Body, found: dict[str, tuple[LesionShape, float, Array]]) -> dict[str, Any]:
    return {
        "date": visit.day.isoformat(),
        "folder": visit.folder,
        "age_y": round(visit.age_y, 3),
        "stature_cm": round(child.size.stature_cm, 1),
        "pose_seed": visit.pose,
        "count": len(found),
        "lesions": [
            {
                "id": name,
                "site": lesion.site,
                "bone": lesion.bone,
                "side": lesion.site.rsplit(".", 1)[1],
                "volume_ml": round(ml, 3),
                "centroid_lps_mm": [round(float(v), 2) for v in centre],
            }
            for name, (lesion, ml, centre) in found.items()
        ],
        "states": {name: states[visit.number - 1] for name, states in STATES.items() if states[visit.number - 1]},
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


def make_visit(visit: VisitPlan, folder: Path) -> dict[str, Any]:
    """Write one visit's folder; give its facts."""
    child = body_of(visit)
    lesions, plan = lesions_of(visit, child), plan_of(visit, child)
    header, home = _header(visit, child), folder / visit.folder
    painted = tissues(child, plan.lattice(), lesions)
    number = 1
    contrasts: tuple[Contrast, ...] = ("STIR", "T1") if visit.t1 else ("STIR",)
    for contrast in contrasts:
        for stack in acquire(painted, plan, contrast, 100 * visit.number):
            write_stack(stack, contrast, header, number, home)
            number += 1
    if visit.bone_scan:
        across = spine_plan(child)
        (one,) = acquire(tissues(child, across.lattice(), lesions), across, "STIR", 100 * visit.number + 50)
        write_stack(Stack(0, one.plane, one.pixels, one.grid), "STIR", header, number, home)
        write_bone_scan(planar(child, lesions, seed=visit.number), header, number + 1, home / "bone_scan" / "001.dcm")
    measured = {lesion.name: (lesion, *truth(lesion, child)) for lesion in lesions}
    named = _write_landmarks(home / "landmarks.csv", visit, child, plan)
    muscle = _muscle(painted, child, visit.whole_body)
    _write_reading(home / "reading.csv", visit, child, muscle, {n: c for n, (_, _, c) in measured.items()})
    return {**_facts(visit, child, measured), "landmarks_given": named}


def make_sample(folder: str | Path, visits: Sequence[int] = (1, 2, 3)) -> Path:
    """Write the sample patient into ``folder`` (``sample_data``): images, landmarks, clicks and ``facts.json``.

    Parameters
    ----------
    folder : path
    visits : sequence of int
        Which of the three visits.

    Returns
    -------
    Path
        Of the patient's folder.
    """
    home = Path(folder) / PATIENT
    facts: dict[str, Any] = {
        "patient": {"id": PATIENT, "sex": SEX, "birth_date": BORN.isoformat(), "seed": SEED},
        "landmark_jitter_mm_rms": JITTER_MM,
        "visits": [make_visit(visit, home) for visit in VISITS if visit.number in visits],
    }
    (home / "facts.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return home
