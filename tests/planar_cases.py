"""Planar bone scans of the phantom's children with eight lesions, and what placements of them are off."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom import body
from lesionmap.phantom.scan_case import ScanCase, scan_case
from phantom_lesions import drawn_lesions

if TYPE_CHECKING:
    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.seen import Face
    from lesionmap.space import Volume
    from lesionmap.visits import Sex

__all__ = ["EIGHT", "Scan", "clicks", "eight_of", "off_mm", "scan_of"]

EIGHT = (
    "sternal_notch", "pubis", "wrist_left", "wrist_right", "knee_left", "knee_right", "ankle_left", "ankle_right",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A scan, its child, and where its lesions are."""

    age_y: float
    sex: Sex
    case: ScanCase
    lesions: tuple[tuple[str, tuple[float, float, float]], ...]
    """Site and true middle in the views' frame, LPS mm."""

    @property
    def views(self) -> dict[Face, Volume]:
        return {"anterior": self.case.anterior, "posterior": self.case.posterior}


@cache
def scan_of(age_y: float, seed: int, n: int = 8) -> Scan:
    """Scan a child, a girl where the seed is even."""
    sex: Sex = "M" if seed % 2 else "F"
    child = body(age_y, sex, seed, pose=seed)
    planted = drawn_lesions(child, n, seed)
    case = scan_case(child, [lesion for lesion, *_ in planted], seed=seed)
    places = []
    for lesion, _, middle in planted:
        x, y, z = case.in_views(middle).tolist()
        places.append((lesion.site, (x, y, z)))
    return Scan(age_y, sex, case, tuple(places))


def eight_of(scan: Scan, seed: int) -> dict[str, tuple[float, float, float]]:
    """Give eight landmarks as a reader puts them: 3 mm off in x and in z, no depth."""
    rng, marks = np.random.default_rng([8, seed]), scan.case.landmarks()
    return {n: (marks[n][0] + rng.normal(0, 3), 0.0, marks[n][2] + rng.normal(0, 3)) for n in EIGHT}


def clicks(scan: Scan, seed: int) -> list[tuple[str, tuple[float, float, float]]]:
    """Give a click on each lesion, 2 mm off in x and in z, and the site that is right."""
    rng = np.random.default_rng([9, seed])
    return [(site, (x + rng.normal(0, 2), 0.0, z + rng.normal(0, 2))) for site, (x, _, z) in scan.lesions]


def off_mm(placement: Placement, scan: Scan) -> dict[str, float]:
    """Give how far each landmark is off in the plane of the views, mm."""
    at, true = placement.positions(), scan.case.landmarks()
    return {n: float(np.hypot(at[n][0] - p[0], at[n][2] - p[2])) for n, p in true.items()}
