"""A second reader of simulated courses: who misses some lesions, sees others, joins two, and draws another outline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from courses import course
from lesionmap.annotate import sign
from lesionmap.compare import VisitFacts
from lesionmap.lesions import Extent, Lesion, LesionMap, Mask
from lesionmap.measure import measure_map
from lesionmap.skeleton import coverage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.lesions import Certainty

__all__ = ["Habits", "SecondReading", "read_again", "two_readers"]

_HAND_MM = 2.0


@dataclass(frozen=True)
class Habits:
    """What a reader does otherwise than the first one."""

    misses: float = 0.15
    imagines: float = 0.1
    """Lesions that only this reader sees, for each that is there."""
    joins: float = 0.1
    doubts: float = 0.15
    swelling: float = 1.1
    """Outlines are so much wider."""
    draws: str = "masks"
    """``masks``; ``markers``; ``sites`` alone; ``other`` Series."""


@dataclass(frozen=True)
class SecondReading:
    """A visit read by two, and which of their lesions are truly the same."""

    one: VisitFacts
    other: VisitFacts
    truth: frozenset[tuple[str, str]]


def _again(mask: Mask, habits: Habits, rng: np.random.Generator) -> Mask:
    """Draw an outline anew: shifted by a hand's error, and wider."""
    points = mask.lps_mm()
    middle = points.mean(axis=0)
    reach = np.linalg.norm(points - middle, axis=1)
    moved = middle + (points - middle) * habits.swelling + rng.normal(0.0, _HAND_MM, 3)
    steps = np.array(np.meshgrid(*[[-0.25, 0.25]] * 3, indexing="ij")).reshape(3, -1).T * mask.grid.spacing_mm
    dense = (moved[:, None] + steps[None]).reshape(-1, 3) if reach.max() > 0 else moved
    voxels = np.unique(np.rint(mask.grid.voxels(dense)).astype(int), axis=0)
    return Mask.of_voxels(voxels[np.all((voxels >= 0) & (voxels < mask.grid.shape), axis=1)], mask.grid)


def _drawn(masks: Sequence[Mask], habits: Habits, rng: np.random.Generator) -> tuple[Extent, ...]:
    if habits.draws == "sites":
        return ()
    found = Mask.united([_again(mask, habits, rng) for mask in masks])
    if habits.draws == "markers":
        middle = found.lps_mm()[int(rng.integers(found.n_voxels))]
        return (Extent("STIR", None, (float(middle[0]), float(middle[1]), float(middle[2]))),)
    return (Extent("T1" if habits.draws == "other" else "STIR", found),)


def read_again(facts: VisitFacts, habits: Habits, seed: int, reader: str = "bert") -> SecondReading:
    """Read a visit once more, as another reader."""
    rng = np.random.default_rng([97, seed])
    lesions: list[Lesion] = []
    truth: set[tuple[str, str]] = set()
    left = list(facts.lesion_map.lesions)
    while left:
        here = [left.pop(0)]
        kin = [x for x in left if x.sites[0].split(".")[::2] == here[0].sites[0].split(".")[::2]]
        if kin and rng.random() < habits.joins:
            here.append(kin[0])
            left.remove(kin[0])
        if rng.random() < habits.misses:
            continue
        masks = [extent.mask for x in here for extent in x.extents if extent.mask]
        certainty: Certainty = "equivocal" if rng.random() < habits.doubts else "definite"
        sites = tuple(dict.fromkeys(name for x in here for name in x.sites))
        new = Lesion(f"L{len(lesions) + 1}", sites, certainty, (f"b{len(lesions)}",), _drawn(masks, habits, rng))
        truth |= {(x.id, new.id) for x in here}
        lesions.append(new)
    order = rng.permutation(len(lesions))
    lesion_map = LesionMap(facts.visit.patient, facts.visit.key, reader, tuple(lesions[i] for i in order))
    return SecondReading(facts, replace(facts, lesion_map=lesion_map, measurements={}), frozenset(truth))


def _with_imagined(reading: SecondReading, habits: Habits, seed: int, pool: Sequence[Lesion]) -> SecondReading:
    """Add lesions that the first reader does not have: drawn where another course has some."""
    rng = np.random.default_rng([98, seed])
    taken = {x.sites[0] for x in reading.one.lesion_map.lesions}
    free = [x for x in pool if x.sites[0] not in taken]
    lesions = list(reading.other.lesion_map.lesions)
    for n in range(int(rng.binomial(len(taken), habits.imagines))):
        if n < len(free):
            lesions.append(replace(free[n], id=f"L{len(lesions) + 50}", tracks=(f"i{n}",), extents=()))
    return replace(
        reading, other=replace(reading.other, lesion_map=replace(reading.other.lesion_map, lesions=tuple(lesions)))
    )


def _ready(facts: VisitFacts, patient: str) -> VisitFacts:
    """Sign, measure, and say what was imaged."""
    visit = replace(facts.visit, patient=patient)
    lesion_map = sign(replace(facts.lesion_map, patient=patient))
    placement = facts.placement
    if placement is not None:
        placement = replace(placement, coverage=coverage(placement, [series.grid for series in visit.series]))
    return VisitFacts(visit, lesion_map, placement, measure_map(lesion_map, visit, {}, placement, ()))


@cache
def _courses(patients: int, visits: int) -> tuple[tuple[VisitFacts, ...], ...]:
    return tuple(tuple(course(seed, 3 + 3 * (seed % 3), visits)) for seed in range(patients))


def two_readers(patients: int, habits: Habits, visits: int = 2) -> list[Mapping[str, VisitFacts]]:
    """Give a study of simulated patients, each visit as anna and bert read it."""
    found: list[Mapping[str, VisitFacts]] = []
    all_courses = _courses(patients, visits)
    for p, one_course in enumerate(all_courses):
        pool = [x for facts in all_courses[(p + 1) % patients] for x in facts.lesion_map.lesions]
        for v, facts in enumerate(one_course):
            bare = replace(facts, lesion_map=replace(facts.lesion_map, answers=()))
            reading = _with_imagined(read_again(bare, habits, 10 * p + v), habits, 10 * p + v, pool)
            found.append({x.lesion_map.reader: _ready(x, f"P{p + 1:03d}") for x in (reading.one, reading.other)})
    return found
