"""Stations whose headers all say the same place because the table moved and not the coordinates.

Some scanners write every station as if it lay at the isocentre, and the move in an element of the table alone. The
table proposes where the stations lie, in either direction; their overlaps decide, or the stations stay apart.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from lesionmap.read.places import box, neighbours, same_place, same_voxels
from lesionmap.read.table import table_positions
from lesionmap.space import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.read.overlap import Overlaps, Verdict
    from lesionmap.read.stack import Stack

__all__ = ["placed_by_table"]

_LEAST_STEP_MM = 20.0
"""A table that moved less did not go to another station."""
_SURE = 0.8
"""Correlation from which on an overlap confirms a place that no coordinates tell."""


def placed_by_table(stacks: Sequence[Stack], overlaps: Overlaps) -> list[Stack]:
    """Move stations that lie in one place by their headers to where the table was.

    Parameters
    ----------
    stacks : sequence of Stack
        Of one visit and contrast.
    overlaps : Overlaps
        By which a place is confirmed.

    Returns
    -------
    list of Stack
        In the same order. Moved ones have ``station.moved_mm``; those for which no place is sure stay where they are
        and say so.
    """
    found = list(stacks)
    for family in _families(stacks):
        for number, stack in zip(family, _moved([stacks[n] for n in family], overlaps), strict=True):
            found[number] = stack
    return found


def _families(stacks: Sequence[Stack]) -> list[list[int]]:
    """Find the stacks of one sequence that lie in the same place: their numbers."""
    families: list[list[int]] = []
    for number, stack in enumerate(stacks):
        for family in families:
            first = stacks[family[0]]
            if first.title == stack.title and same_voxels(first, stack) and same_place(first, stack):
                family.append(number)
                break
        else:
            families.append([number])
    return [family for family in families if len(family) > 1]


def _moved(family: list[Stack], overlaps: Overlaps) -> list[Stack]:
    source, positions = table_positions([stack.station.files[0].path for stack in family])
    ordered = sorted(positions)
    if not source or min(b - a for a, b in pairwise(ordered)) < _LEAST_STEP_MM:
        return family  # the same place scanned again
    if any(_fits(overlaps.verdict(a, b)) for a, b in combinations(family, 2)):
        return family  # the coordinates are right: the table moved to bring this place into the middle
    tried = [[_shifted(s, sign * t) for s, t in zip(family, positions, strict=True)] for sign in (1, -1)]
    fits = [moved for moved in tried if _fit(moved, overlaps)]
    if len(fits) == 1:
        steps = [b - a for a, b in pairwise(ordered)]
        told = f"steps of {min(steps):.0f} to {max(steps):.0f} mm" if len(steps) > 1 else f"a step of {steps[0]:.0f} mm"
        words = f"all stations in one place by their headers; placed by the table ({source}, {told}): the overlaps fit"
        return [_noted(stack, words) for stack in fits[0]]
    words = f"in the same place as another station by its header, though the table had moved ({source}): "
    return [_noted(stack, words + "no place by the table fits their overlaps, so it stays alone") for stack in family]


def _fits(verdict: Verdict, least: float = 0.0) -> bool:
    return verdict.joins and verdict.correlation is not None and verdict.correlation >= least


def _fit(moved: Sequence[Stack], overlaps: Overlaps) -> bool:
    """Say whether each station overlaps the next one and fits there, and no two others lie in the same place."""
    ordered = sorted(moved, key=lambda stack: -float(box(stack.station.grid).mean(axis=0)[2]))
    if not all(neighbours(a, b)[1] for a, b in combinations(ordered, 2)):
        return False
    return all(neighbours(a, b)[0] and _fits(overlaps.verdict(a, b), _SURE) for a, b in pairwise(ordered))


def _shifted(stack: Stack, up_mm: float) -> Stack:
    matrix = stack.station.grid.lps_from_voxel.copy()
    matrix[2, 3] += up_mm
    grid = Grid(stack.station.grid.shape, matrix)
    return replace(stack, station=replace(stack.station, grid=grid, moved_mm=up_mm))


def _noted(stack: Stack, words: str) -> Stack:
    return replace(stack, note=f"{stack.note}; {words}" if stack.note else words)
