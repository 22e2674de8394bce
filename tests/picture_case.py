"""The patient of the writers' tests with images: an outline and pixels for each lesion."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from atlas_child import placed
from lesionmap.annotate.places import site_middle
from lesionmap.lesions import Extent, Mask
from lesionmap.space import Grid, Volume
from lesionmap.visits import Series
from lesionmap.write import results_of
from write_case import case

if TYPE_CHECKING:
    from lesionmap.compare import VisitFacts
    from lesionmap.lesions import Lesion
    from lesionmap.write import Results

__all__ = ["pictured"]

# Columns to the left, rows to the feet, slices to the back: a coronal series, unequal in all three axes.
_MATRIX = np.array([[4.0, 0, 0, -320], [0, 0, 8.0, -200], [0, -5.0, 0, 0.0], [0, 0, 0, 1.0]])


def pictured(reader: str = "anna") -> tuple[Results, dict[tuple[str, str], Volume]]:
    """Give the results with an outline on STIR for each lesion, and the pixels by visit and series."""
    results = case(reader)
    volumes: dict[tuple[str, str], Volume] = {}
    visits = []
    for number, facts in enumerate(results.visits):
        placement = placed(10)
        if facts.placement is not None:
            placement = replace(placement, coverage=facts.placement.coverage)
        head = placement.positions()["vertex"][2]
        matrix = _MATRIX.copy()
        matrix[2, 3] = head + 10.0
        grid = Grid((160, 310, 56), matrix)
        array = np.random.default_rng(number).normal(100, 15, grid.shape)
        lesions = []
        for lesion in facts.lesion_map.lesions:
            mask = Mask.ball(grid, site_middle(lesion.sites[0], placement), 12.0 - 2 * number)
            array[mask.slices][mask.box] = 400
            lesions.append(replace(lesion, extents=(Extent("STIR coronal", mask),)))
        visits.append(_with_images(replace(facts, placement=placement), tuple(lesions), grid))
        volumes[facts.visit.key, "STIR coronal"] = Volume(array, grid)
    return results_of(results.patient, visits), volumes


def _with_images(facts: VisitFacts, lesions: tuple[Lesion, ...], grid: Grid) -> VisitFacts:
    series = Series("STIR coronal", grid, "MR", "STIR", "coronal", ())
    return replace(
        facts,
        visit=replace(facts.visit, series=(series,)),
        lesion_map=replace(facts.lesion_map, lesions=lesions),
    )
