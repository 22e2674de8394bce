"""What looks wrong about the landmarks that were given: one line each, naming them. Nothing is moved."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton import growth, joints
from lesionmap.skeleton.anatomy import table
from lesionmap.skeleton.estimate import PLACING_MM

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lesionmap.skeleton.estimate import Estimate

    Array = NDArray[np.float64]
    Given = Mapping[str, Array]

__all__ = ["doubts"]

_APART_MM = 1.4 * PLACING_MM  # standard deviation of a distance between two landmarks
_SAME_MM = 0.5
_LIMBS = ("elbow", "wrist", "mcp3", "fingertip3", "knee", "ankle", "heel", "toe2")
_FAR_SD, _FAR_MM = 8.0, 60.0
# How much longer a bone may be than the others say, and than its fellow, beside what placing explains (log; assumed).
_STRANGE, _UNEVEN = 0.35, 0.15
_CLEARLY = 0.03  # how much better lengths must fit to call a pair exchanged (logarithm; assumed)
_SPAN_MM = 20.0


def doubts(given: Given, found: Estimate) -> tuple[str, ...]:
    """Say what looks impossible about landmarks.

    Parameters
    ----------
    given : mapping of str to ndarray, shape (3,)
        Patient LPS mm.
    found : Estimate
        The body that fits them best.
    """
    same = [f"{a} and {b} lie on the same point" for a, b in _same(given)]
    exchanged = _exchanged(given, found)
    first = (*_lies(found), *_sides(given, found, exchanged), *same, *_spine(given, found))
    said = {name for left in exchanged for name in (left, _other(left))} | {a for pair in _same(given) for a in pair}
    lengths = tuple(line for line in _lengths(given, found) if not any(name in line for name in said))
    return (*first, *lengths) or tuple(_far(found))


def _sides(given: Given, found: Estimate, exchanged: Sequence[str]) -> list[str]:
    """Name pairs whose left and right are exchanged; say it once if all are."""
    pairs = sum(name.endswith("_left") and _other(name) in given for name in given)
    if found.mirrored or len(exchanged) == pairs > 2:
        return ["left and right look exchanged throughout: each landmark of the left lies on the patient's right"]
    return [f"{name} and {_other(name)} look exchanged: left lies on the patient's right" for name in exchanged]


def _other(name: str) -> str:
    return name.removesuffix("_left") + "_right"


def _lies(found: Estimate) -> Iterator[str]:
    """Say what is unusual about how the whole body lies."""
    if found.first[2, 2] < -0.5:
        yield "the head lies towards -z; in LPS mm z grows towards the head: check the sign of z"
    elif found.first[1, 1] < -0.5 and not found.mirrored:
        yield (
            "the body lies on its front, or these are RAS coordinates, or left and right are exchanged throughout; LPS "
            "mm were expected: if it lies on its back, change the signs of x and y, or the sides"
        )


def _exchanged(given: Given, found: Estimate) -> list[str]:
    """Find pairs (by their left name) with the left one on the right, from the trunk outwards."""
    index, parents = joints.tree().index, growth.parents()
    at = dict(given)
    pairs: list[str] = []
    trunk = [name for name in table()["landmarks"]["paired"] if name not in _LIMBS]
    for pair in (*trunk, *_LIMBS):
        left, right = f"{pair}_left", f"{pair}_right"
        if left not in at or right not in at:
            continue
        expected = float(found.rest[index[left], 0] - found.rest[index[right], 0])
        if float((at[left] - at[right]) @ found.first[:, 0]) > -max(12.0, 0.3 * expected):
            continue
        above = parents[left][0] if pair in _LIMBS else ""
        while above and not (above in at and _other(above) in at):
            above = parents[above][0] if above.endswith("_left") else ""
        if above and not _fits_exchanged(at, (left, right), above, found):
            continue
        pairs.append(left)
        at[left], at[right] = at[right], at[left]
    return pairs


def _fits_exchanged(at: Given, pair: tuple[str, str], above: str, found: Estimate) -> bool:
    """Say whether the lengths are better right when the sides of a pair are exchanged (legs may be crossed)."""
    index = joints.tree().index
    # Exchanged pairs make the body seem too large.
    expected = 0.95 * np.linalg.norm(found.rest[index[pair[0]]] - found.rest[index[above]])

    def miss(left: str, right: str) -> float:
        ways = (at[left] - at[above], at[right] - at[_other(above)])
        return sum(abs(float(np.log(max(float(np.linalg.norm(way)), 1.0) / expected))) for way in ways)

    return miss(pair[1], pair[0]) < miss(*pair) - _CLEARLY


def _same(given: Given) -> Iterator[tuple[str, str]]:
    names = sorted(given)
    points = np.array([given[name] for name in names])
    near = np.linalg.norm(points[:, None] - points, axis=2) < _SAME_MM
    for i, j in zip(*np.nonzero(np.triu(near, 1)), strict=True):
        yield names[i], names[j]


def _spine(given: Given, found: Estimate) -> Iterator[str]:
    """Name vertebrae that lie in the wrong order."""
    index = joints.tree().index
    levels = [name for name in (*growth.vertebra_names(), "S1") if name in given]
    for upper, lower in combinations(levels, 2):
        expected = float(found.rest[index[upper], 2] - found.rest[index[lower], 2])
        if expected < _SPAN_MM:
            continue
        if float((given[upper] - given[lower]) @ found.first[:, 2]) < -0.3 * expected - 5.0:
            yield f"{upper} lies below {lower}; the spine's order looks reversed"
            return


def _lengths(given: Given, found: Estimate) -> Iterator[str]:
    """Name bones that are far longer or shorter than the other landmarks say, or than on the other side."""
    index, parents = joints.tree().index, growth.parents()
    for pair in ("elbow", "wrist", "knee", "ankle"):
        length = {}
        for side in ("_left", "_right"):
            end, start = pair + side, parents[pair + side][0]
            if end not in given or start not in given:
                continue
            expected = float(np.linalg.norm(found.rest[index[end]] - found.rest[index[start]]))
            length[side] = max(float(np.linalg.norm(given[end] - given[start])), 1.0)
            slack = 3 * _APART_MM / expected
            if abs(np.log(length[side] / expected)) > _STRANGE + slack:
                yield (
                    f"{end} lies {length[side]:.0f} mm from {start}; the other landmarks expect about {expected:.0f} mm"
                )
                length.clear()
                break
        if len(length) == 2:
            left, right = length["_left"], length["_right"]
            if abs(np.log(left / right)) > _UNEVEN + 4 * _APART_MM / (left + right):
                start = parents[f"{pair}_left"][0].removesuffix("_left")
                yield f"from {start} to {pair} it is {left:.0f} mm on the left and {right:.0f} mm on the right"


def _far(found: Estimate) -> Iterator[str]:
    """Name the landmark that lies farthest from where the others expect it."""
    distance = np.linalg.norm(found.surprise, axis=1)
    worst = int(np.argmax(found.surprise_sd))
    if found.surprise_sd[worst] > _FAR_SD and distance[worst] > _FAR_MM:
        name = joints.tree().names[int(found.seen[worst])]
        yield f"{name} lies {distance[worst]:.0f} mm from where the other landmarks expect it"
