"""Simulated cohorts, made fast: small masks at the sites of the disease, with skeletons, courses and treatments."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from lesionmap import skeleton
from lesionmap.clinic import Observation, Treatment
from lesionmap.lesions import Answer, Extent, Lesion, Mask
from lesionmap.skeleton.coverage import site_of_ball
from lesionmap.skeleton.outline import map_placement
from lesionmap.skeleton.shape import pose
from lesionmap.space import Grid
from lesionmap.store import Study
from lesionmap.visits import ImageFile, Patient, Series, Station, Visit

if TYPE_CHECKING:
    from pathlib import Path

    from lesionmap.skeleton import Placement

__all__ = ["DRUG", "PLACES", "add_patient", "simulate", "simulate_images"]

DRUG = "pamidronate"
PLACES = {
    "tibia.distal_metaphysis.left": 9, "tibia.distal_metaphysis.right": 8, "tibia.proximal_metaphysis.left": 6,
    "tibia.proximal_metaphysis.right": 6, "femur.distal_metaphysis.left": 7, "femur.distal_metaphysis.right": 7,
    "femur.proximal_metaphysis.right": 3, "clavicle.medial.left": 4, "clavicle.medial.right": 5,
    "ilium.sacroiliac.left": 3, "sacrum.sacroiliac.right": 3, "ischium.whole.left": 2, "pubis.whole.right": 2,
    "vertebra_T7.body.midline": 3, "vertebra_T9.body.midline": 2, "vertebra_L2.body.midline": 1,
    "calcaneus.body.right": 4, "talus.whole.left": 3, "fibula.distal_metaphysis.left": 3, "mandible.whole.midline": 1,
    "radius.distal_metaphysis.left": 1, "rib_6.whole.right": 1, "sternum.manubrium.midline": 1,
}  # fmt: skip
"""Site to weight; the left ankle most often. A simulation, not a distribution that was measured."""
_VOXEL_MM = (4.0, 6.0, 4.0)


class _Body(NamedTuple):
    placement: Placement
    grid: Grid
    middles: dict[str, Any]


@cache
def _body(age_y: int, sex: Any, legs_only: bool) -> _Body:
    """Give a skeleton, the grid it was imaged in, and the middle of each site, LPS mm."""
    placement = map_placement(float(age_y), sex)
    centres, names = pose(placement).centres, site_of_ball(placement)
    middles = {site: centres[names == site].mean(axis=0) for site in PLACES}
    low, high = centres.min(axis=0) - 30, centres.max(axis=0) + 30
    if legs_only:
        high[2] = middles["pubis.whole.right"][2] + 25
    matrix = np.diag([*_VOXEL_MM, 1.0])
    matrix[:3, 3] = low
    i, j, k = ((high - low) / _VOXEL_MM).astype(int).tolist()
    grid = Grid((i, j, k), matrix)
    return _Body(replace(placement, coverage=skeleton.coverage(placement, [grid])), grid, middles)


@cache
def _mask(age_y: int, sex: Any, legs_only: bool, site: str, radius: int) -> Mask | None:
    body = _body(age_y, sex, legs_only)
    middle = np.rint(body.grid.voxels(body.middles[site])).astype(int)
    offsets = np.argwhere(np.ones((2 * radius + 1,) * 3)) - radius
    voxels = middle + offsets[np.linalg.norm(offsets, axis=1) <= radius]
    inside = np.all((voxels >= 0) & (voxels < body.grid.shape), axis=1)
    return Mask.of_voxels(voxels[inside], body.grid) if inside.all() else None


def simulate(path: Path, n: int, *, visits: int = 4, seed: int = 1, first: int = 1) -> Path:
    """Add ``n`` patients to a study, P0001 …; the same seed gives the same cohort."""
    with Study.open(path, create=True) as study:
        for number in range(first, first + n):
            add_patient(study, f"P{number:04d}", np.random.default_rng([seed, number]), visits)
    return path


def add_patient(study: Study, name: str, rng: np.random.Generator, visits: int = 4, reader: str = "anna") -> None:
    """Add a patient with a course; half of those the clinic knows are treated from the second visit on."""
    sex: Literal["F", "M"] = "F" if rng.random() < 0.65 else "M"
    age, day = int(rng.integers(5, 13)), date(2008, 1, 7) + timedelta(int(rng.integers(0, 2000)))
    told, treated = bool(rng.random() < 0.9), bool(rng.random() < 0.5)
    study.add_patient(Patient(name, sex))
    alive: dict[str, tuple[str, int]] = {}
    gone, marked = list[str](), set[str]()
    for number in range(visits):
        if number == 1 and told and treated:
            study.save_clinic(name, [Treatment(DRUG, day - timedelta(20))], reader)
        _grow(alive, gone, rng, (number, told and treated and number > 1))
        legs_only = bool(rng.random() < 0.15)
        _add_visit(study, (name, day, age + number, sex, legs_only), alive, (gone, marked, reader))
        day += timedelta(int(rng.normal(365, 60)))
    if told:
        study.save_clinic(name, [Observation(day - timedelta(400), "pain_0_10", 4.0)], reader)


def _grow(alive: dict[str, Any], gone: list[str], rng: np.random.Generator, when: tuple[int, bool]) -> None:
    """Let lesions resolve and come."""
    number, treated = when
    for track in list(alive):
        if rng.random() < (0.45 if treated else 0.22):
            del alive[track]
            gone.append(track)
    weights = np.array(list(PLACES.values()), dtype=float)
    n = 2 + rng.poisson(4.0) if number == 0 else rng.poisson(0.4 if treated else 1.0)
    taken = {site for site, _ in alive.values()}
    for site in rng.choice(list(PLACES), size=n, replace=False, p=weights / weights.sum()):
        if site not in taken:
            alive[f"2.25.{rng.integers(1, 2**62)}"] = (str(site), int(rng.integers(1, 4)))


def _add_visit(
    study: Study, who: tuple[Any, ...], alive: dict[str, Any], before: tuple[list[str], set[str], str]
) -> None:
    (name, day, age, sex, legs_only), (gone, marked, reader) = who, before
    body = _body(age, sex, legs_only)
    gone_file = (ImageFile("/nowhere/stir.nii.gz", "", ""),)
    series = Series("STIR", body.grid, "MR", "STIR", "coronal", (Station(body.grid, gone_file),))
    key = study.add_visit(Visit(name, day, age_y=float(age), series=(series,))).key
    study.save_placement(name, key, body.placement, reader)
    imaged, lesions = dict(body.placement.coverage or ()), list[Lesion]()
    for track, (site, radius) in alive.items():
        mask = _mask(age, sex, legs_only, site, radius)
        if imaged[site] > 0.9 and mask is not None:
            lesions.append(Lesion(f"L{len(lesions) + 1}", (site,), tracks=(track,), extents=(Extent("STIR", mask),)))
    empty = study.lesion_map(name, key, reader)
    answers = tuple(Answer(track, "resolved") for track in gone if track in marked)
    study.save(empty, replace(empty, lesions=tuple(lesions), answers=answers, signed=True))
    marked |= {track for lesion in lesions for track in lesion.tracks}


def simulate_images(path: Path, n: int) -> Path:
    """Make a study of small children with STIR images of two visits, of which the first has a skeleton.

    They all have the images of one: it is the work that counts here.
    """
    from cli_case import lesionmap, nifti
    from lesionmap.evaluate import place_visit
    from whole_body import child_at

    for day, age, lying in (("2010-05-04", 3.0, 3), ("2011-07-20", 4.2, 4)):
        _, volume = child_at(age, lying)
        array, matrix = np.ascontiguousarray(volume.array), volume.grid.lps_from_voxel
        image = nifti(path.with_name(f"stir_{day}.nii.gz"), array, lps_from_voxel=matrix)
        ran = lesionmap("import", path, image, "--patient", "P0001", "--visit", day)
        assert ran.code == 0, ran.err
    with Study.open(path) as study:
        who = study.patient("P0001")
        first, second = study.visits("P0001")
        first = study.replace_visit(replace(first, age_y=3.0))
        second = study.replace_visit(replace(second, age_y=4.2))
        placement = place_visit(who, first, child_at(3.0, 3)[0].landmarks())
        study.save_placement("P0001", first.key, placement, "anna")
        for number in range(2, n + 1):
            name = f"P{number:04d}"
            study.add_patient(Patient(name))
            for visit in (first, second):
                study.add_visit(replace(visit, patient=name))
            study.save_placement(name, first.key, placement, "anna")
    return path
