"""How each part of a body moved from one visit's image to another's: one part after the other, from the middle out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.place.bodyparts import Part, neighbours, parts
from lesionmap.place.coarse import coarse, lattice, part_of
from lesionmap.place.register import Move, Sample, alike, rough, sharp
from lesionmap.space import Grid, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["Before", "Carried", "carry"]

_FINE_MM, _ROUGH_MM = 4.0, 8.0
_ROOTS = ("pelvis", "chest", "shoulders", "head", "loins", "left thigh", "right thigh", "left shank", "right shank")
_POINTS = 1500  # of a part, for the rough search
_LEAST_POINTS = 20
_SURE = 0.8  # likeness at which the first part is taken for found
_SEEK_MM = 20.0  # step of the search for the first part
_STARTS = 6
_HOLD = 0.02  # what a part loses in likeness when it parts from its neighbour by 10 mm, or turns by 30° (assumed)
_LOOSE_MM, _LOOSE_DEG = 10.0, 30.0
_LEAST_ALIKE = 0.5  # below this a part counts as not found (assumed)
_GROWN = 0.12  # share by which a part's scale may differ from the expected one (assumed)
_GAP_MM = 30.0  # how far a part may part from its neighbour at the joint, in a child of 150 cm (assumed)


@dataclass(frozen=True, slots=True)
class Before:
    """The earlier visit."""

    image: Volume
    marks: Mapping[str, Array]
    """Landmarks that were known there, LPS mm."""
    scale: float
    """Of the child then: stature over 150 cm."""
    growth: Mapping[str, float]
    """How many times longer each part is expected to be now; the whole body under ``body``."""


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """What registration found."""

    moves: dict[str, Move]
    """Part → how it moved."""
    outside: tuple[str, ...]
    """Parts that the image does not hold."""
    failed: tuple[str, ...]
    """Parts that should be in the image and were not found."""


@dataclass(frozen=True, slots=True, eq=False)
class _Views:
    """One image at two resolutions."""

    fine: Volume
    rough: Volume


def _views(image: Volume) -> _Views:
    fine = coarse(image, _FINE_MM)
    return _Views(fine, lattice(fine, _ROUGH_MM))


def carry(image: Volume, before: Before) -> Carried:
    """Find how each part of the body moved.

    Parameters
    ----------
    image : Volume
        Of the visit now.
    before : Before
        Image and landmarks of the earlier visit.
    """
    now, then = _views(image), _views(before.image)
    fitted = _Fit(now, then, before)
    root, move = fitted.root()
    return _outwards(fitted, root, move)


def _still() -> Move:
    return Move(np.eye(3), np.zeros(3), np.zeros(3))


def _middle(view: Volume) -> Array:
    """Give the middle of what is bright, LPS mm."""
    weight = [view.array.sum(axis=tuple(k for k in range(3) if k != axis), dtype=np.float64) for axis in range(3)]
    return view.grid.lps([float(np.average(np.arange(len(w)), weights=w)) for w in weight])


class _Fit:
    """The two images and the parts of the earlier one; fits one part at a time."""

    def __init__(self, now: _Views, then: _Views, before: Before) -> None:
        self.now, self.then, self.before = now, then, before
        self.names = [name for name in parts() if self._known(parts()[name])]
        self.owner = _territories(then.rough.grid, before, self.names)
        self.samples = {name: self._sample(name) for name in self.names}
        self.names = [name for name in self.names if len(self.samples[name].points) >= _LEAST_POINTS]

    def _known(self, part: Part) -> bool:
        return all(name in self.before.marks for pair in part.line for name in pair)

    def _sample(self, name: str) -> Sample:
        index = np.argwhere(self.owner.array == list(parts()).index(name))
        if len(index) > _POINTS:
            index = index[np.random.default_rng(0).choice(len(index), _POINTS, replace=False)]
        values = self.then.rough.array[tuple(index.T)].astype(np.float64)
        return Sample(self.then.rough.grid.lps(index), values)

    def worth(self, name: str, move: Move) -> float:
        """Say how alike a part is in both images, -1 to 1."""
        return alike(self.samples[name], self.now.rough, move) if name else -1.0

    def root(self) -> tuple[str, Move]:
        """Fit the first part that is found for sure, or the one found best; "" where there is none."""
        found: list[tuple[float, str, Move]] = []
        for name in _ROOTS:
            starts = self._starts(name) if name in self.names else []
            if starts:
                move = self.fit(name, starts, 0.0)
                if move.angle_deg(starts[0]) <= parts()[name].turn_deg and self.inside(name, move):
                    found.append((self.worth(name, move), name, move))
            if found and found[-1][0] >= _SURE:
                break
        best = max(found, key=lambda row: row[0], default=(-1.0, "", _still()))
        return best[1:] if best[0] >= _LEAST_ALIKE else ("", _still())

    def _starts(self, name: str) -> list[Move]:
        """Find the best places for a part, turned in no way, at any height of the image."""
        sample, grown = self.samples[name], self.before.growth[name]
        middle = sample.points.mean(axis=0)
        ahead = _middle(self.now.rough) - _middle(self.then.rough)
        low, high = (
            self.now.rough.grid.lps([0, 0, 0])[2],
            self.now.rough.grid.lps(np.array(self.now.rough.grid.shape) - 1)[2],
        )
        heights = np.arange(low, high, _SEEK_MM) - middle[2]
        aside = np.arange(-2, 3) * _SEEK_MM
        shifts = [np.array([ahead[0] + x, ahead[1] + y, z]) for z in heights for x in aside for y in aside]
        moves = [Move(np.eye(3) * grown, middle, shift) for shift in shifts]
        order = sorted(((self.worth(name, move), i) for i, move in enumerate(moves)), reverse=True)
        return [moves[i] for value, i in order[:_STARTS] if value > 0]

    def inside(self, name: str, move: Move) -> bool:
        """Say whether the image now holds most of a part if it moves so."""
        return float(self.now.rough.grid.contains(move(self.samples[name].points)).mean()) >= 0.7

    def start(self, name: str, neighbour: Move, joint: Array) -> Move:
        """Give where a part lies if its joint with a neighbour does not turn."""
        turn = neighbour.matrix / neighbour.scale
        return Move(turn * self.before.growth[name], joint, neighbour(joint) - joint)

    def fit(self, name: str, starts: list[Move], hold: float, wide: bool = False) -> Move:
        """Fit a part: roughly about the joint (held there by ``hold``), then by SimpleITK."""
        sample, turn = self.samples[name], parts()[name].turn_deg
        angles = turn * (np.array([-0.8, -0.4, 0.0, 0.4, 0.8]) if wide else np.array([-0.4, 0.0, 0.4]))
        anchor = starts[0].centre + starts[0].shift

        def worth(move: Move) -> float:
            gap = float(np.linalg.norm(move.centre + move.shift - anchor)) / (_LOOSE_MM * self.before.scale)
            return self.worth(name, move) - hold * (gap**2 + (move.angle_deg(starts[0]) / _LOOSE_DEG) ** 2)

        first = rough(starts, angles, worth)
        piece = part_of(self.then.fine, sample.points, _ROUGH_MM)
        centre = sample.points.mean(axis=0)
        grow = not name.endswith(("hand", "foot"))
        found = sharp(piece, self._mask(name, piece.grid), self.now.fine, first.about(centre), grow=grow)
        better = self.worth(name, found) >= self.worth(name, first) - 0.005
        expected = first.scale
        return found if better and abs(found.scale / expected - 1) < _GROWN else first.about(centre)

    def _mask(self, name: str, grid: Grid) -> Volume:
        """Mark a part on a finer grid."""
        from lesionmap.space import resample

        mine = Volume((self.owner.array == list(parts()).index(name)).astype(np.uint8), self.owner.grid)
        return resample(mine, grid, order=0)

    def believable(self, name: str, found: Move, start: Move) -> bool:
        """Say whether a part was found: alike, at its joint, not turned too far."""
        gap = float(np.linalg.norm(found(start.centre) - start(start.centre)))
        near = gap < _GAP_MM * max(self.before.scale, 0.6)
        return self.worth(name, found) >= _LEAST_ALIKE and near and found.angle_deg(start) <= parts()[name].turn_deg


def _outwards(fitted: _Fit, root: str, move: Move) -> Carried:
    """Fit all parts, each starting from a neighbour; past a part that is not known, from the one behind it."""
    if not root:
        return Carried({}, (), tuple(fitted.names))
    moves, outside, failed = {root: move}, [], []
    for name, neighbour, mark in _order(root):
        start = moves[neighbour]
        if mark in fitted.before.marks and name in fitted.names:
            start = fitted.start(name, moves[neighbour], fitted.before.marks[mark])
        moves[name] = start
        if name not in fitted.names:
            continue
        if not fitted.inside(name, start):
            outside.append(name)
            continue
        found = fitted.fit(name, [start], _HOLD)
        if not fitted.believable(name, found, start):
            found = fitted.fit(name, [start], _HOLD, wide=True)
        if fitted.believable(name, found, start):
            moves[name] = found
        else:
            failed.append(name)
    gone = {*outside, *failed}
    return Carried({n: moves[n] for n in fitted.names if n not in gone}, tuple(outside), tuple(failed))


def _order(root: str) -> Iterator[tuple[str, str, str]]:
    """Give (part, its neighbour towards the root, the landmark of their joint), the root's neighbours first."""
    seen, waiting = {root}, [root]
    while waiting:
        here = waiting.pop(0)
        for name, mark in neighbours()[here].items():
            if name not in seen:
                seen.add(name)
                waiting.append(name)
                yield name, here, mark


def _territories(grid: Grid, before: Before, names: list[str]) -> Volume:
    """Give for each voxel the number of the part (in ``parts()``) whose lines are nearest by its radius; -1: none."""
    points = grid.lps(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)).reshape(-1, 3)
    best, owner = np.ones(len(points)), np.full(len(points), -1, dtype=np.int16)
    for number, (name, part) in enumerate(parts().items()):
        radius = part.radius_mm * before.scale
        for pair in part.line if name in names else ():
            a, b = (before.marks[mark] for mark in pair)
            box = (points >= np.minimum(a, b) - radius) & (points <= np.maximum(a, b) + radius)
            near = np.flatnonzero(box.all(axis=1))
            share = _distance(points[near], a, b) / radius
            closer = share < best[near]
            best[near[closer]], owner[near[closer]] = share[closer], number
    return Volume(owner.reshape(grid.shape), grid)


def _distance(points: Array, a: Array, b: Array) -> Array:
    """Give the distance of points (n, 3) to the line from a to b."""
    way = b - a
    along = np.clip((points - a) @ way / max(float(way @ way), 1e-9), 0.0, 1.0)
    return np.asarray(np.linalg.norm(points - a - along[:, None] * way, axis=1))
