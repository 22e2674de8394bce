"""One part of the body registered: from where it lay in one image to where it lies in another."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lesionmap.place.coarse import part_of, values_at

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from lesionmap.space import Volume

    Array = NDArray[np.float64]

__all__ = ["Move", "Sample", "alike", "rough", "sharp"]

_INSIDE = 0.6  # share of a part's points that must lie inside the other image
_BINS = 10
_ROUNDS = 20
_THREADS = 2  # more bring nothing for so few points
_MARGIN_MM = 36.0  # how far beyond its place after the rough search a part is looked for


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """A similarity about a centre: p ↦ matrix (p - centre) + centre + shift, LPS mm."""

    matrix: Array
    """(3, 3) rotation times scale."""
    centre: Array
    shift: Array

    def __call__(self, points: Array) -> Array:
        """Carry points (…, 3)."""
        return np.asarray((points - self.centre) @ self.matrix.T + self.centre + self.shift)

    def about(self, pivot: Array) -> Move:
        """Give the same move told about another centre."""
        return Move(self.matrix, pivot, self(pivot) - pivot)

    @property
    def scale(self) -> float:
        """How many times longer things become."""
        return float(np.cbrt(np.linalg.det(self.matrix)))

    def turned(self, vector: Array) -> Move:
        """Give the move with a rotation vector (radians), about the carried centre, put after it."""
        from scipy.spatial.transform import Rotation

        return Move(Rotation.from_rotvec(vector).as_matrix() @ self.matrix, self.centre, self.shift)

    def shifted(self, by: Array) -> Move:
        """Give the move with a shift put after it."""
        return Move(self.matrix, self.centre, self.shift + by)

    def angle_deg(self, other: Move) -> float:
        """Give the angle of the rotation between two moves."""
        turn = (self.matrix / self.scale) @ (other.matrix / other.scale).T
        return float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))


class Sample(NamedTuple):
    """A part of the body in the earlier image."""

    points: Array
    """(n, 3) LPS mm."""
    values: Array
    """(n,) brightness there."""


def alike(sample: Sample, now: Volume, move: Move) -> float:
    """Say how well what the other image shows, where the move takes a part, tells of the part: 1 wholly, 0 not at all.

    The correlation that two normal variables of the same mutual information would have (Linfoot 1957,
    doi:10.1016/S0019-9958(57)90116-X): it does not mind whether both images are of one contrast.

    Returns
    -------
    float
        -1 where too little of the part lies inside the other image.
    """
    found = values_at(now, move(sample.points))
    seen = np.isfinite(found)
    if seen.mean() < _INSIDE:
        return -1.0
    return float(np.sqrt(1.0 - np.exp(-2.0 * _information(sample.values[seen], found[seen]))))


def _information(a: Array, b: Array) -> float:
    """Give the mutual information of two rows of values from 0 to 1, in nats."""
    cells = np.minimum((a * _BINS).astype(int), _BINS - 1) * _BINS + np.minimum((b * _BINS).astype(int), _BINS - 1)
    joint = np.bincount(cells, minlength=_BINS * _BINS).reshape(_BINS, _BINS) / len(a)
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    full = joint > 0
    return max(float((joint[full] * np.log(joint[full] / apart[full])).sum()), 0.0)


def rough(starts: Sequence[Move], angles_deg: Array, worth: Callable[[Move], float]) -> Move:
    """Find the best of many turns about the centre, then of ever smaller turns and shifts.

    Parameters
    ----------
    starts : sequence of Move
        What to begin from.
    angles_deg : ndarray, shape (k,)
        Tried about each of the three axes.
    worth : callable
        What is to become large.
    """
    turns = [np.radians(angles) for angles in product(angles_deg, repeat=3)]
    best, top = _best([start.turned(turn) for start in starts for turn in turns], worth)
    ways = np.concatenate([np.eye(3), -np.eye(3)])
    step_mm, angle = 12.0, np.radians(8.0)
    while step_mm > 2.0:
        steps = [best.shifted(step_mm * way) for way in ways] + [best.turned(angle * way) for way in ways]
        found, value = _best(steps, worth)
        if value > top + 1e-4:
            best, top = found, value
        else:
            step_mm, angle = step_mm / 2, angle / 2
    return best


def _best(moves: Sequence[Move], worth: Callable[[Move], float]) -> tuple[Move, float]:
    values = [worth(move) for move in moves]
    i = int(np.argmax(values))
    return moves[i], values[i]


def sharp(before: Volume, mask: Volume, now: Volume, start: Move, *, grow: bool = True) -> Move:
    """Refine a move by SimpleITK: turn, shift and (``grow``) scale, by mutual information (Mattes) within the mask.

    Parameters
    ----------
    before, mask : Volume
        The part in the earlier image; the mask is 1 in the part.
    now : Volume
        The other image; looked at only near to where ``start`` takes the part.
    start : Move
        About the part's middle.

    Returns
    -------
    Move
        ``start`` where SimpleITK finds no way, too little being inside.
    """
    import SimpleITK

    transform = SimpleITK.Similarity3DTransform()
    transform.SetCenter(start.centre.tolist())
    transform.SetMatrix(start.matrix.ravel().tolist(), 1e-4)
    transform.SetTranslation(start.shift.tolist())
    method = SimpleITK.ImageRegistrationMethod()
    method.SetNumberOfThreads(min(_THREADS, method.GetGlobalDefaultNumberOfThreads()))
    method.SetMetricAsMattesMutualInformation(24)
    method.SetMetricFixedMask(_picture(mask))
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.05, _ROUNDS, 0.6, 1e-6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetOptimizerWeights([1.0] * 6 + [1.0 if grow else 0.0])
    method.SetInitialTransform(transform, inPlace=True)
    near = part_of(now, start(before.grid.corners_lps_mm()), _MARGIN_MM)
    try:
        method.Execute(_picture(before), _picture(near))
    except RuntimeError:
        return start
    matrix, centre = np.array(transform.GetMatrix()).reshape(3, 3), np.array(transform.GetCenter())
    return Move(matrix, centre, np.array(transform.GetTranslation()))


def _picture(volume: Volume) -> Any:
    """Give a volume along the patient's axes as SimpleITK image."""
    import SimpleITK

    picture = SimpleITK.GetImageFromArray(np.ascontiguousarray(volume.array.transpose(2, 1, 0)))
    picture.SetSpacing(volume.grid.spacing_mm)
    picture.SetOrigin(volume.grid.lps([0, 0, 0]).tolist())
    return picture
