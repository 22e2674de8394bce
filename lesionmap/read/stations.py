"""Stations of one sequence, found among the volumes of a visit and joined into one Series.

Frames of reference are not trusted either way: scanners give each station its own though they share the coordinates
of the patient. Where two stations lie decides: same directions, one below the other, overlapping or nearly touching.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.visits import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from lesionmap.read.stack import Stack
    from lesionmap.space import Grid

__all__ = ["joined_grid", "series_of"]

_SAME_DIRECTION = 0.999
_TOUCH_MM = 20.0
_MOST_OVERLAP = 0.6
"""Share of the shorter station by which neighbours may overlap; beyond it, it is the same place scanned again."""
_LEAST_BESIDE = 0.5
"""Share of the narrower station that must lie above or below the other one."""
_WHOLE_STEP = 0.01


def series_of(stacks: Iterable[Stack]) -> tuple[Series, ...]:
    """Join the stations among the volumes of one visit and name every Series.

    Parameters
    ----------
    stacks : iterable of Stack
        Of one visit.

    Returns
    -------
    tuple of Series
        Stations from head to foot; names unique, without personal data.
    """
    groups: dict[tuple[object, ...], list[list[Stack]]] = {}
    for stack in sorted(stacks, key=_order):
        chains = groups.setdefault(_contrast(stack), [])
        home = _best_chain(stack, chains)
        if home is None:
            chains.append([stack])
        else:
            home.append(stack)
    joined = [_series(chain) for chains in groups.values() for chain in _merged(chains)]
    return tuple(_with_names(joined))


def _order(stack: Stack) -> tuple[object, ...]:
    frame = stack.frame or 0
    return (stack.modality, stack.plane, stack.sequence, stack.series_number, frame, -_box(stack.station.grid)[1, 2])


def _contrast(stack: Stack) -> tuple[object, ...]:
    """Give what stations of one sequence share."""
    times = tuple(None if t is None else round(t) for t in (stack.echo_ms, stack.inversion_ms))
    return (stack.study_uid, stack.modality, stack.sequence, stack.plane, stack.kind, *times)


def _alike(a: Stack, b: Stack) -> tuple[bool, bool, bool]:
    return a.station.series_uid == b.station.series_uid, a.title == b.title, _same_voxels(a, b)


def _same_voxels(a: Stack, b: Stack) -> bool:
    return bool(np.allclose(a.station.grid.spacing_mm, b.station.grid.spacing_mm, rtol=0.01))


def _best_chain(stack: Stack, chains: Sequence[list[Stack]]) -> list[Stack] | None:
    """Find the chain of like stations (same words, same voxels) that the stack continues."""
    fits = [chain for chain in chains if _alike(stack, chain[0])[1:] == (True, True) and _continues([stack], chain)]
    return max(fits, key=lambda chain: _alike(stack, chain[-1])[0], default=None)


def _merged(chains: Sequence[list[Stack]]) -> list[list[Stack]]:
    """Join chains of other words or other voxels that continue each other without lying twice anywhere."""
    merged: list[list[Stack]] = []
    for chain in sorted(chains, key=len, reverse=True):
        home = next((other for other in merged if _continues(chain, other)), None)
        if home is None:
            merged.append(list(chain))
        else:
            home.extend(chain)
    return merged


def _continues(chain: Sequence[Stack], other: Sequence[Stack]) -> bool:
    """Say whether two chains touch somewhere and nowhere show the same place twice."""
    pairs = [_neighbours(a, b) for a in chain for b in other]
    return any(touch for touch, _ in pairs) and all(apart for _, apart in pairs)


def _neighbours(a: Stack, b: Stack) -> tuple[bool, bool]:
    """Say of two stacks whether they touch or overlap as neighbours do, and whether they are different places."""
    if a.projection or b.projection or not _parallel(a.station.grid, b.station.grid):
        return False, False
    one, two = _box(a.station.grid), _box(b.station.grid)
    shared = np.minimum(one[1], two[1]) - np.maximum(one[0], two[0])
    size = np.minimum(one[1] - one[0], two[1] - two[0])
    apart = shared[2] <= _MOST_OVERLAP * size[2]
    beside = bool(np.all(shared[:2] > _LEAST_BESIDE * size[:2]))
    return bool(apart and beside and shared[2] >= -_TOUCH_MM), bool(apart)


def _parallel(a: Grid, b: Grid) -> bool:
    one, two = _directions(a), _directions(b)
    return bool(np.all(np.sum(one * two, axis=0) > _SAME_DIRECTION))


def _directions(grid: Grid) -> NDArray[np.float64]:
    matrix = grid.lps_from_voxel[:3, :3]
    return np.asarray(matrix / np.linalg.norm(matrix, axis=0))


def _box(grid: Grid) -> NDArray[np.float64]:
    """Lowest and highest LPS mm of the outer corners, shape (2, 3)."""
    corners = grid.corners_lps_mm()
    return np.stack([corners.min(axis=0), corners.max(axis=0)])


def _series(chain: Sequence[Stack]) -> Series:
    ordered = sorted(chain, key=lambda stack: -float(_box(stack.station.grid).mean(axis=0)[2]))
    first = ordered[0]
    stations = tuple(stack.station for stack in ordered)
    return Series(
        name=_name(first),
        grid=joined_grid([station.grid for station in stations]),
        modality=first.modality,
        sequence=first.sequence,
        plane=first.plane,
        stations=stations,
        kind=first.kind,
        phase=first.phase,
        projection=first.projection,
        mirrored=first.mirrored,
        study_uid=first.study_uid,
        uptake_min=first.uptake_min,
        note=_note(ordered),
    )


def _note(ordered: Sequence[Stack]) -> str:
    notes = list(dict.fromkeys(stack.note for stack in ordered if stack.note))
    frames = {stack.station.frame_uid for stack in ordered}
    if len(frames) > 1:
        notes.append(f"{len(ordered)} stations of {len(frames)} frames of reference joined by their coordinates")
    if len(ordered) > 1 and not all(_same_voxels(ordered[0], stack) for stack in ordered):
        notes.append("stations of different voxels resampled to the finest")
    return "; ".join(notes)


def joined_grid(grids: Sequence[Grid]) -> Grid:
    """Give the grid that covers all stations, with the voxels of the finest one.

    Parameters
    ----------
    grids : sequence of Grid
        Of nearly the same directions.

    Returns
    -------
    Grid
        On the lattice of the finest station (the first of those); axes run as in it.
    """
    if len(grids) == 1:
        return grids[0]
    finest = min(grids, key=lambda grid: round(float(np.prod(grid.spacing_mm)), 3))
    ends = []
    for grid in grids:
        far = [n - 1 for n in grid.shape]
        corners = np.array([[i, j, k] for i in (0, far[0]) for j in (0, far[1]) for k in (0, far[2])])
        ends.append(finest.voxels(grid.lps(corners)))
    voxels = np.concatenate(ends)
    low = np.floor(voxels.min(axis=0) + _WHOLE_STEP).astype(int)
    high = np.ceil(voxels.max(axis=0) - _WHOLE_STEP).astype(int)
    i, j, k = (high - low + 1).tolist()
    return finest.crop((int(low[0]), int(low[1]), int(low[2])), (i, j, k))


def _name(stack: Stack) -> str:
    if stack.modality == "NM":
        return " ".join(word for word in ("bone scan", stack.plane, stack.phase or "") if word)
    shown = [word for word in stack.kind if word not in ("magnitude", "adc")]
    words = (stack.sequence or stack.modality or "image", stack.plane, *shown)
    return re.sub(r"\s+", " ", " ".join(words).replace("_", " ")).strip()


def _with_names(series: Sequence[Series]) -> list[Series]:
    """Make names unique: the second of a name gets a 2."""
    taken: dict[str, int] = {}
    named = []
    for one in series:
        taken[one.name] = taken.get(one.name, 0) + 1
        number = taken[one.name]
        named.append(one if number == 1 else replace(one, name=f"{one.name} {number}"))
    return named
