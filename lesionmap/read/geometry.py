"""Slices to volumes: sorted by position along the plane normal, checked, and split where positions repeat.

Never by file name or instance number. The slice step is taken from the positions; ``k`` runs along rows × columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.read.frames import marks_of
from lesionmap.read.tags import integer
from lesionmap.space import Grid

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

    from numpy.typing import NDArray

    from lesionmap.read.frames import Frame

__all__ = ["Pile", "piles"]

_SAME_MM = 0.01
"""Slices closer than this lie at the same position."""
_LATERAL_MM = 0.1
"""In-plane shift between slices that is rounding, not tilt or another station."""
_TILT = 0.001
"""In-plane shift per mm along the normal that is rounding (0.06 degrees)."""
_UNEVEN = 0.05
"""Share of the slice step by which a slice may be out of place; told from 0.01 mm on."""
_SURE = ("time point", "stack", "gradient direction", "diffusion", "image type", "frame type", "flip angle")
"""Marks that say of themselves that another volume begins."""
_MOST_OVERLAP = 0.6
"""Share of the shorter range by which two stacks of one series may overlap without being one stack."""


@dataclass(frozen=True, slots=True)
class Pile:
    """Slices that make one volume, in slice order; or slices that do not, and why."""

    frames: tuple[Frame, ...]
    grid: Grid | None = None
    note: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class _Places:
    """Where slices lie in the frame of their own plane, mm."""

    along: NDArray[np.float64]
    """Along the normal, ascending."""
    across: NDArray[np.float64]
    """Along rows and columns, shape (n, 2)."""
    order: NDArray[np.int_]
    """Index of the sorted slices in the sequence given."""


def piles(frames: Sequence[Frame]) -> list[Pile]:
    """Make volumes of slices that share everything that always tells volumes apart (``Frame.what``).

    Parameters
    ----------
    frames : sequence of Frame
        Of one orientation and one ``what``.

    Returns
    -------
    list of Pile
        One for each station, stack and time point; those that are no volume carry the reason.
    """
    groups = _by_lateral_place(frames)
    return [pile for group in groups for pile in _told_apart(group)]


def _places(frames: Sequence[Frame]) -> _Places:
    rows, columns = np.array(frames[0].orientation[:3]), np.array(frames[0].orientation[3:])
    positions = np.array([frame.position for frame in frames], dtype=np.float64)
    along = positions @ np.cross(rows, columns)
    order = np.argsort(along, kind="stable")
    return _Places(along[order], np.stack([positions @ rows, positions @ columns], axis=1)[order], order)


def _by_lateral_place(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Part the stations of one series that lie beside each other in the plane (coronal ones, one below the other)."""
    places = _places(frames)
    labels = np.zeros(len(frames), dtype=int)
    for axis in range(2):
        order = np.argsort(places.across[:, axis], kind="stable")
        steps = np.diff(places.across[order, axis]) > _LATERAL_MM
        label = np.empty_like(labels)
        label[order] = np.concatenate([[0], np.cumsum(steps)])
        labels = labels * (len(frames) + 1) + label
    found = np.unique(labels)
    parts = [[frames[i] for i in places.order[labels == label]] for label in found]
    return parts if len(parts) > 1 and _beside_each_other(parts) else [list(frames)]


def _beside_each_other(parts: list[list[Frame]]) -> bool:
    """Say whether the parts share their range along the normal; the slices of a tilted stack do not."""
    ends = sorted((float(places.along[0]), float(places.along[-1])) for places in map(_places, parts))
    reach = ends[0][1]
    for low, high in ends[1:]:
        if low > reach + _SAME_MM:
            return False
        reach = max(reach, high)
    return True


def _told_apart(frames: Sequence[Frame]) -> list[Pile]:
    """Make one volume, or split by the first mark that explains why the slices do not make one."""
    whole = _pile(frames)
    if not whole.fault or len(frames) < 2:
        return [whole]
    places = _places(frames)
    most = _most_repeats(places)
    marks = [marks_of(frame) for frame in frames]
    named = [name for name in marks[0] if len({mark.get(name) for mark in marks}) > 1]
    for names in [*((name,) for name in named), *combinations(named, 2)]:
        parts = _parted(frames, [tuple(mark.get(name) for name in names) for mark in marks])
        sure = all(name in _SURE for name in names)
        if (most > 1 and _explains_repeats(parts, most, sure=sure)) or _explains_gap(parts):
            return [pile for part in parts for pile in _noted(part, names)]
    by_number = _by_instance_number(frames, most)
    return [p for part in by_number for p in _noted(part, ("instance number",))] if by_number else [whole]


def _noted(frames: Sequence[Frame], names: tuple[str, ...]) -> list[Pile]:
    pile = _pile(frames)
    sure = all(name in _SURE for name in names)
    note = "" if sure else f"told apart from others at the same place by {' and '.join(names)}"
    return [Pile(pile.frames, pile.grid, _joined(pile.note, note), pile.fault)]


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _parted(frames: Sequence[Frame], keys: Iterable[Hashable]) -> list[list[Frame]]:
    parts: dict[Hashable, list[Frame]] = {}
    for frame, key in zip(frames, keys, strict=True):
        parts.setdefault(key, []).append(frame)
    return list(parts.values())


def _most_repeats(places: _Places) -> int:
    """How many slices lie at the place where most do."""
    group = np.concatenate([[0], np.cumsum(np.diff(places.along) >= _SAME_MM)])
    return int(np.bincount(group).max())


def _explains_repeats(parts: list[list[Frame]], most: int, *, sure: bool) -> bool:
    """Say whether each part has every place once, and there are as many parts as repeats.

    Parts told by a mark that may also count slices (a clock) must be of like size.
    """
    sizes = [len(part) for part in parts]
    if len(parts) != most or (not sure and min(sizes) * 2 < max(sizes)):
        return False
    return all(_most_repeats(_places(part)) == 1 for part in parts)


def _explains_gap(parts: list[list[Frame]]) -> bool:
    """Say whether the parts are whole stacks of the same step that lie one beyond the other, not one in the other."""
    if len(parts) < 2 or min(len(part) for part in parts) < 3:
        return False
    found = [_pile(part) for part in parts]
    if any(pile.fault or pile.grid is None for pile in found):
        return False
    steps = [pile.grid.spacing_mm[2] for pile in found if pile.grid is not None]
    ranges = sorted((float(p.along[0]), float(p.along[-1])) for p in map(_places, parts))
    apart = all((min(a[1], b[1]) - b[0]) <= _MOST_OVERLAP * min(a[1] - a[0], b[1] - b[0]) for a, b in pairwise(ranges))
    return apart and max(steps) - min(steps) <= 0.01 * min(steps)


def _by_instance_number(frames: Sequence[Frame], most: int) -> list[list[Frame]]:
    """Part whole repeated volumes by the rank of the instance number at each place; nothing if that is not clear."""
    numbers = [integer(frame.header.tags, 0x00200013) for frame in frames]
    if most < 2 or len(frames) % most or None in numbers or len(set(numbers)) != len(frames):
        return []
    places = _places(frames)
    group = np.concatenate([[0], np.cumsum(np.diff(places.along) >= _SAME_MM)])
    if np.any(np.bincount(group) != most):
        return []
    number = np.array(numbers, dtype=np.int64)[places.order]
    by_place = np.lexsort((number, group)).reshape(-1, most)
    return [[frames[i] for i in places.order[by_place[:, rank]]] for rank in range(most)]


def _pile(frames: Sequence[Frame]) -> Pile:
    """Sort slices and check that they make one evenly spaced, upright stack."""
    places = _places(frames)
    ordered = tuple(frames[i] for i in places.order)
    if len(ordered) == 1:
        return _single(ordered[0])
    fault = _repeats_fault(ordered, places) or _tilt_fault(places) or _gap_fault(places)
    if fault:
        return Pile(ordered, fault=fault)
    step = (np.array(ordered[-1].position) - np.array(ordered[0].position)) / (len(ordered) - 1)
    out_of_place = _out_of_place(places)
    note = f"slices lie up to {out_of_place:.2f} mm out of even spacing" if out_of_place > _SAME_MM else ""
    return Pile(ordered, _grid(ordered[0], step, len(ordered)), note)


def _single(frame: Frame) -> Pile:
    normal = np.cross(frame.orientation[:3], frame.orientation[3:])
    note = "" if frame.thickness_mm else "a single slice of unknown thickness, taken as 1 mm"
    return Pile((frame,), _grid(frame, normal * (frame.thickness_mm or 1.0), 1), note)


def _grid(first: Frame, step: NDArray[np.float64], n_slices: int) -> Grid:
    matrix = np.eye(4)
    matrix[:3, 0] = np.array(first.orientation[:3]) * first.spacing[1]
    matrix[:3, 1] = np.array(first.orientation[3:]) * first.spacing[0]
    matrix[:3, 2] = step
    matrix[:3, 3] = first.position
    return Grid((first.header.columns, first.header.rows, n_slices), matrix)


def _repeats_fault(ordered: Sequence[Frame], places: _Places) -> str:
    repeats = np.flatnonzero(np.diff(places.along) < _SAME_MM)
    if not len(repeats):
        return ""
    first, second = ordered[repeats[0]], ordered[repeats[0] + 1]
    same = first.header.uid == second.header.uid and first.index == second.index
    what = "copies of the same image" if same else "nothing in the headers tells them apart"
    return (
        f"one slice at each position was expected, {len(repeats)} of {len(ordered)} slices lie where another one does "
        f"(first at {places.along[repeats[0]]:.1f} mm; {what}); remove the duplicate slices"
    )


def _tilt_fault(places: _Places) -> str:
    shift = places.across - places.across[0]
    extent = float(places.along[-1] - places.along[0])
    worst = float(np.abs(shift).max())
    if worst <= _LATERAL_MM + _TILT * extent:
        return ""
    last = float(np.linalg.norm(shift[-1]))
    even = np.outer(places.along - places.along[0], shift[-1] / extent)
    if float(np.abs(shift - even).max()) <= _LATERAL_MM:
        angle = float(np.degrees(np.arctan2(last, extent)))
        return (
            f"an upright stack was expected, the slices are sheared by {angle:.1f} degrees (gantry tilt); "
            "export it reformatted without tilt"
        )
    return (
        f"slices in one line were expected, they lie up to {worst:.1f} mm beside it; "
        "several acquisitions are mixed, export them as series of their own"
    )


def _gap_fault(places: _Places) -> str:
    gaps = np.diff(places.along)
    if _out_of_place(places) <= max(_UNEVEN * float(gaps.mean()), _SAME_MM):
        return ""
    step = float(np.median(gaps)) if len(gaps) > 2 else float(gaps.min())
    whole = np.rint(gaps / step)
    missing = int((whole - 1).sum())
    if missing > 0 and np.all(np.abs(gaps / step - whole) < 0.1) and np.all(whole >= 1):
        where = places.along[int(np.argmax(gaps))] + step
        return (
            f"{len(gaps) + 1 + missing} slices {step:.2f} mm apart were expected, {len(gaps) + 1} came: "
            f"{missing} missing (first at {where:.1f} mm along the normal); send the series again"
        )
    return (
        f"evenly spaced slices were expected, their distances run from {gaps.min():.2f} to {gaps.max():.2f} mm; "
        "export them evenly spaced or as series of their own"
    )


def _out_of_place(places: _Places) -> float:
    """Largest distance of a slice from its place in an even stack between the first and the last, mm."""
    even = np.linspace(places.along[0], places.along[-1], len(places.along))
    return float(np.abs(places.along - even).max())
