"""Candidates on phantoms that were not looked at while the limits were chosen: found, missed, false ones, seconds."""

from __future__ import annotations

import sys
import time
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pytest
from scipy.ndimage import zoom

from lesionmap import skeleton
from lesionmap.phantom import Plan, acquire, body, jittered, tissues
from lesionmap.read.blend import join
from lesionmap.read.stations import joined_grid
from lesionmap.segment import candidates, click
from lesionmap.space import Grid, Volume
from phantom_lesions import dice, drawn_lesions, true_mask

if TYPE_CHECKING:
    from figures import Tell
    from lesionmap.lesions import Mask
    from lesionmap.phantom import Body
    from lesionmap.skeleton import Placement


SPACING_MM = (2.0, 5.5, 2.0)
FOUND = 0.3  # overlap (Dice) with the true lesion
WHOLE = (384, 1690, 40)  # a visit of 26 million voxels


class Who(NamedTuple):
    """A child of the phantom, and how many lesions it has."""

    age_y: float
    sex: Literal["F", "M"]
    seed: int
    n: int


WHOS = (Who(4, "F", 311, 8), Who(7, "M", 312, 8), Who(10, "F", 313, 8), Who(13, "M", 314, 8), Who(16, "F", 315, 8),
        Who(8, "M", 316, 0))  # fmt: skip


class Case(NamedTuple):
    """A visit with its truth."""

    volume: Volume
    placement: Placement
    sites: list[str]
    masks: list[Mask]


@cache
def visit_of(who: Who) -> Case:
    """Scan a child with lesions of at least 1 ml, weak ones too; the landmarks are 5 mm off."""
    child = body(who.age_y, who.sex, who.seed, pose=who.seed)
    drawn = drawn_lesions(child, who.n, who.seed, weakest=0.6, least_ml=1.0) if who.n else []
    lesions = [lesion for lesion, *_ in drawn]
    plan = plan_of(child)
    stacks = acquire(tissues(child, plan.lattice(), lesions), plan, "STIR", who.seed)
    stations = [Volume(s.pixels.transpose(2, 1, 0), s.grid) for s in stacks]
    grid = joined_grid([v.grid for v in stations])
    volume = Volume(join(stations, grid), grid)
    marks = {name: list(xyz) for name, xyz in jittered(child.landmarks(), who.seed).items()}
    placement = skeleton.place(marks, age_y=who.age_y, sex=who.sex)
    return Case(volume, placement, [x.site for x in lesions], [true_mask(child, x, volume) for x in lesions])


def plan_of(child: Body) -> Plan:
    """Plan the coronal slices of a whole body in four stations."""
    marks = np.array(list(child.landmarks().values()))
    low, high = marks.min(axis=0) - [28.0, 22.0, 34.0], np.add(marks.max(axis=0), (28.0, 20.0, 26.0))
    high[1] = max(high[1], child.marks["T8"][1] + 62.0)
    counts = [int((b - a) / h) + 1 for a, b, h in zip(low, high, SPACING_MM, strict=True)]
    x, y, z = low.tolist()
    return Plan((x, y, z), (counts[0], counts[1], counts[2]), SPACING_MM, stations=4)


def as_large(volume: Volume) -> Volume:
    """Bring a visit to 26 million voxels."""
    factors = [n / m for n, m in zip(WHOLE, volume.grid.shape, strict=True)]
    matrix = volume.grid.lps_from_voxel.copy()
    matrix[:3, :3] /= factors
    return Volume(zoom(volume.array, factors, order=1, grid_mode=True, mode="nearest"), Grid(WHOLE, matrix))


def told(who: Who, case: Case) -> tuple[int, int, str]:
    """Give how many lesions were found, how many candidates are false, and a line that says which."""
    start = time.perf_counter()
    listed = candidates(case.volume, case.placement)
    seconds = time.perf_counter() - start
    hits = [[dice(one.mask, true) > FOUND for true in case.masks] for one in listed]
    missed = [site for n, site in enumerate(case.sites) if not any(row[n] for row in hits)]
    false = [one.site for one, row in zip(listed, hits, strict=True) if not any(row)]
    found = len(case.sites) - len(missed)
    line = f"{who.age_y:4g} y {who.sex}  found {found} of {len(case.sites)}, false {len(false)}, {seconds:.1f} s"
    return found, len(false), f"{line}; missed: {', '.join(missed) or 'none'}; false: {', '.join(false) or 'none'}"


@pytest.mark.timeout(3600)
def test_candidates(tell: Tell) -> None:
    rows = []
    for who in WHOS:
        rows.append(told(who, visit_of(who)))
        sys.stdout.write(rows[-1][2] + "\n")
    sensitivity = sum(row[0] for row in rows) / sum(who.n for who in WHOS)
    false = sum(row[1] for row in rows) / len(WHOS)
    lines = [row[2] for row in rows]
    tell("candidates", [*lines, f"sensitivity {sensitivity:.2f}, false ones a visit {false:.1f}"])
    assert sensitivity >= 0.85
    assert false <= 3.0


def test_a_visit_of_26_million_voxels(tell: Tell) -> None:
    case = visit_of(WHOS[2])
    large = as_large(case.volume)
    seed = case.masks[0].lps_mm().mean(axis=0)
    candidates(case.volume, case.placement)  # poses the skeleton
    click(large, seed, placement=case.placement)
    times = []
    for work in (
        lambda: candidates(large, case.placement),
        lambda: click(large, seed, placement=case.placement),
        lambda: click(large, seed),
    ):
        start = time.process_time(), time.perf_counter()
        work()
        times.append((time.process_time() - start[0], time.perf_counter() - start[1]))
    found = click(large, seed, placement=case.placement)
    start = time.process_time(), time.perf_counter()
    for tolerance in np.linspace(0.1, 0.9, 50).tolist():
        found.mask(tolerance)
    times.append(((time.process_time() - start[0]) / 50, (time.perf_counter() - start[1]) / 50))
    names = ("candidates", "first mask of a click, with a placement", "the same by signal alone", "each further mask")
    tell(
        "26 million voxels: seconds of CPU, and of the clock",
        [f"{name:42} {cpu:7.4f} {clock:7.4f}" for name, (cpu, clock) in zip(names, times, strict=True)],
    )
