"""Bodies whose landmarks are known, and the sets of landmarks that readers set: for the tests of placing."""

from __future__ import annotations

import csv
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lesionmap import skeleton
from lesionmap.phantom import body

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lesionmap.skeleton import Placement
    from lesionmap.visits import Sex

__all__ = ["SETS", "Known", "errors", "jittered", "phantoms", "placed", "read", "turned"]

Marks = dict[str, np.ndarray]


def _pairs(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}_{side}" for name in names for side in ("left", "right"))


SETS = {
    "all 43": skeleton.landmarks(),
    "16": ("vertex", "C7", "L5", "pubis", *_pairs("shoulder", "elbow", "wrist", "hip", "knee", "ankle")),
    "lower body": (
        *("L5", "S1", "coccyx", "pubis"),
        *_pairs("asis", "si_joint", "hip", "ischium", "knee", "ankle", "heel", "toe2"),
    ),
    "trunk": (
        *("C7", "T12", "L5", "S1", "sternal_notch", "xiphoid", "pubis"),
        *_pairs("shoulder", "hip", "asis", "sc_joint"),
    ),
    "5": ("C7", *_pairs("hip"), "knee_left", "ankle_right"),
    "3": ("C7", *_pairs("hip")),
    "2": ("vertex", "pubis"),
    "1": ("L5",),
}


class Known(NamedTuple):
    """A body of the phantom."""

    age_y: float
    sex: Sex
    marks: Marks
    """The 43 and all vertebrae, patient LPS mm."""


@cache
def phantoms(n: int) -> tuple[Known, ...]:
    """Give bodies of 2 to 18 years, both sexes, each in a pose of its own."""
    rng = np.random.default_rng(5)
    found = []
    for i in range(n):
        age, sex = float(rng.uniform(2, 18)), ("F", "M")[i % 2]
        made = body(age, sex, 1000 + i, pose=2000 + i)  # type: ignore[arg-type]
        marks = {**made.landmarks(), **made.vertebrae()}
        found.append(Known(age, sex, {name: np.array(at) for name, at in marks.items()}))  # type: ignore[arg-type]
    return tuple(found)


def jittered(marks: Marks, names: Sequence[str], seed: int, mm: float = 5.0) -> Marks:
    """Give some landmarks, each set wrongly by a normal error that depends on its name and the seed only."""
    order = sorted(marks)
    noise = np.random.default_rng([7, seed]).normal(0.0, mm, (len(order), 3))
    return {name: marks[name] + noise[order.index(name)] for name in names}


def placed(marks: Marks, who: Known | None = None) -> Placement:
    """Place on landmarks; tell age and sex of the body where it is given."""
    rows = {name: at.tolist() for name, at in marks.items()}
    return skeleton.place(rows, age_y=who.age_y if who else None, sex=who.sex if who else None)


def errors(placement: Placement, marks: Marks) -> dict[str, tuple[float, float]]:
    """Give for each estimated landmark how far it lies from the truth and its 90 % radius, mm."""
    return {
        m.name: (float(np.linalg.norm(marks[m.name] - m.lps_mm)), m.radius90_mm)
        for m in placement.landmarks
        if not m.placed and m.name in marks
    }


def turned(marks: Marks, axis: str, degrees: float) -> Marks:
    """Turn a whole body about an axis of the scanner."""
    cos, sin, i = np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), "xyz".index(axis)
    turn = np.eye(3)
    a, b = (i + 1) % 3, (i + 2) % 3
    turn[a, a], turn[a, b], turn[b, a], turn[b, b] = cos, -sin, sin, cos
    return {name: turn @ at for name, at in marks.items()}


def read(path: Path) -> Marks:
    """Read a file of landmarks."""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {row["name"]: np.array([float(row[f"{axis}_lps_mm"]) for axis in "xyz"]) for row in rows}
