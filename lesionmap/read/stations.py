"""Stations of one sequence, found among the volumes of a visit and joined into one Series.

Frames of reference are not trusted either way: scanners give each station its own though they share the coordinates
of the patient. Where two stations lie proposes: same directions, one below the other, overlapping or nearly touching.
Where they overlap the pixels decide (``overlap``), if they may be looked at: an import does, a listing does not.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from math import floor
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.read.moved import placed_by_table
from lesionmap.read.overlap import UNREAD
from lesionmap.read.places import box, neighbours, same_voxels
from lesionmap.visits import Series

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lesionmap.read.overlap import Overlaps, Verdict
    from lesionmap.read.stack import Stack
    from lesionmap.space import Grid

__all__ = ["joined_grid", "series_of"]

_WHOLE_STEP = 0.01


def series_of(stacks: Iterable[Stack], overlaps: Overlaps | None = None) -> tuple[Series, ...]:
    """Join the stations among the volumes of one visit and name every Series.

    Parameters
    ----------
    stacks : iterable of Stack
        Of one visit.
    overlaps : Overlaps, optional
        Looks at the pixels where stations overlap; without it their places decide.

    Returns
    -------
    tuple of Series
        Stations from head to foot; names unique, without personal data.
    """
    groups: dict[tuple[object, ...], list[Stack]] = {}
    for stack in sorted(stacks, key=_order):
        groups.setdefault(_contrast(stack), []).append(stack)
    joined: list[Series] = []
    for group in groups.values():
        found = placed_by_table(group, overlaps) if overlaps is not None else group
        joined += [_series(chain, found, overlaps) for chain in _chains(found, overlaps)]
    return tuple(_with_names(joined))


def _chains(stacks: Sequence[Stack], overlaps: Overlaps | None) -> list[list[Stack]]:
    chains: list[list[Stack]] = []
    for stack in stacks:
        home = _best_chain(stack, chains, overlaps)
        if home is None:
            chains.append([stack])
        else:
            home.append(stack)
    return _merged(chains, overlaps)


def _order(stack: Stack) -> tuple[object, ...]:
    frame = stack.frame or 0
    return (stack.modality, stack.plane, stack.sequence, stack.series_number, frame, -box(stack.station.grid)[1, 2])


def _contrast(stack: Stack) -> tuple[object, ...]:
    """Give what stations of one sequence share."""
    times = tuple(None if t is None else round(t) for t in (stack.echo_ms, stack.inversion_ms))
    return (stack.study_uid, stack.modality, stack.sequence, stack.plane, stack.kind, *times)


def _alike(a: Stack, b: Stack) -> tuple[bool, bool, bool]:
    return a.station.series_uid == b.station.series_uid, a.title == b.title, same_voxels(a, b)


def _best_chain(stack: Stack, chains: Sequence[list[Stack]], overlaps: Overlaps | None) -> list[Stack] | None:
    """Find the chain of like stations (same words, same voxels) that the stack continues."""
    alike = [chain for chain in chains if _alike(stack, chain[0])[1:] == (True, True)]
    fits = [chain for chain in alike if _continues([stack], chain, overlaps)]
    return max(fits, key=lambda chain: _alike(stack, chain[-1])[0], default=None)


def _merged(chains: Sequence[list[Stack]], overlaps: Overlaps | None) -> list[list[Stack]]:
    """Join chains of other words or other voxels that continue each other without lying twice anywhere."""
    merged: list[list[Stack]] = []
    for chain in sorted(chains, key=len, reverse=True):
        home = next((other for other in merged if _continues(chain, other, overlaps)), None)
        if home is None:
            merged.append(list(chain))
        else:
            home.extend(chain)
    return merged


def _continues(chain: Sequence[Stack], other: Sequence[Stack], overlaps: Overlaps | None) -> bool:
    """Say whether two chains touch somewhere, nowhere show the same place twice, and fit where they overlap."""
    pairs = [(a, b, *neighbours(a, b)) for a in chain for b in other]
    touching = [(a, b) for a, b, touch, _ in pairs if touch]
    if not touching or not all(apart for *_, apart in pairs):
        return False
    return overlaps is None or all(overlaps.verdict(a, b).joins for a, b in touching)


def _series(chain: Sequence[Stack], group: Sequence[Stack], overlaps: Overlaps | None) -> Series:
    ordered = sorted(chain, key=lambda stack: -float(box(stack.station.grid).mean(axis=0)[2]))
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
        note="; ".join([*_note(ordered, overlaps), *_kept_apart(ordered, group, overlaps)]),
    )


def _note(ordered: Sequence[Stack], overlaps: Overlaps | None) -> list[str]:
    notes = list(dict.fromkeys(stack.note for stack in ordered if stack.note))
    frames = len({stack.station.frame_uid for stack in ordered})
    fit = _fit_words(ordered, overlaps) if overlaps is not None else ""
    if frames > 1 or UNREAD in fit:
        of_frames = f" of {frames} frames of reference" if frames > 1 else ""
        how = f" ({fit})" if fit else ""
        notes.append(f"{len(ordered)} stations{of_frames} joined by their coordinates{how}")
    if len(ordered) > 1 and not all(same_voxels(ordered[0], stack) for stack in ordered):
        notes.append("stations of different voxels resampled to the finest")
    return notes


def _fit_words(ordered: Sequence[Stack], overlaps: Overlaps) -> str:
    """Say how the overlaps of joined stations fit."""
    verdicts = [overlaps.verdict(a, b) for a, b in pairwise(ordered)]
    known = [verdict.correlation for verdict in verdicts if verdict.correlation is not None]
    fit = f"their overlaps fit, correlation {floor(min(known) * 100) / 100:.2f} or more" if known else ""
    untold = list(dict.fromkeys(verdict.why for verdict in verdicts if verdict.correlation is None))
    return "; ".join(words for words in (fit, *untold) if words)


def _kept_apart(chain: Sequence[Stack], group: Sequence[Stack], overlaps: Overlaps | None) -> list[str]:
    """Say which neighbours by place were not joined because their overlap spoke against it."""
    if overlaps is None:
        return []
    others = [stack for stack in group if not any(stack is mine for mine in chain)]
    pairs = [(mine, other) for mine in chain for other in others if neighbours(mine, other)[0]]
    said = [_apart_words(overlaps.verdict(mine, other)) for mine, other in pairs]
    return list(dict.fromkeys(words for words in said if words))


def _apart_words(verdict: Verdict) -> str:
    if verdict.joins or verdict.correlation is None:
        return ""
    return f"not joined with a neighbouring station: {verdict.why} (correlation {verdict.correlation:.2f})"


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
