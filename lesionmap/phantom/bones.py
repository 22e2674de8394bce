"""One long bone of the phantom: two epiphyses, two physes, two metaphyses by the AO square, a bowed shaft."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom.shapes import Plane, Shape, Tube, unit

if TYPE_CHECKING:
    from lesionmap.phantom.shapes import Array

__all__ = ["LONG_SEGMENTS", "Ends", "long_bone", "physis_mm"]

LONG_SEGMENTS = ("proximal_epiphysis", "proximal_metaphysis", "diaphysis", "distal_metaphysis", "distal_epiphysis")


def physis_mm(age_y: float) -> float:
    """Give the thickness of an open physis (assumed: 3.4 mm at two years, 2 mm at fourteen)."""
    return float(np.interp(age_y, [2, 8, 14, 18], [3.4, 3.0, 2.0, 1.2]))


@dataclass(frozen=True, slots=True)
class Ends:
    """Measures of a long bone, mm; ``(proximal, distal)`` pairs."""

    shaft: float
    """Length of the shaft without epiphyses."""
    epiphysis: tuple[float, float]
    """Heights of the epiphyses."""
    breadth: tuple[float, float]
    """Breadths at the physes."""
    metaphysis: tuple[float, float]
    """Lengths of the metaphyses."""
    mid: float
    """Breadth of the mid-shaft."""
    depth: tuple[float, float, float] = (0.8, 1.0, 0.8)
    """Depth against breadth: proximal end, mid-shaft, distal end."""
    bow: tuple[float, float] = (0.0, 0.0)
    """How far the mid-shaft lies outwards and backwards of the chord, mm."""

    @property
    def whole(self) -> float:
        """Whole length."""
        return self.shaft + sum(self.epiphysis)


def _profile(s: Array, size: Ends) -> Array:
    """Give half breadths along (columns: breadth, depth) at ``s`` mm from the top."""
    first, last = size.epiphysis[0], size.epiphysis[0] + size.shaft
    rows = []
    for x in s:
        near = np.exp(-((max(x - first, 0) / (0.62 * size.breadth[0])) ** 1.35))
        far = np.exp(-((max(last - x, 0) / (0.62 * size.breadth[1])) ** 1.35))
        middle = max(1 - near - far, 0.0)
        breadth = near * size.breadth[0] + far * size.breadth[1] + middle * size.mid
        depth = near * size.depth[0] * size.breadth[0] + far * size.depth[2] * size.breadth[1]
        rows.append([breadth / 2, (depth + middle * size.depth[1] * size.mid) / 2])
    return np.array(rows)


def long_bone(name: str, side: str, chord: tuple[Array, Array], wide: tuple[Array, Array], size: Ends) -> Shape:
    """Build a long bone between its two ends.

    Parameters
    ----------
    chord : tuple of ndarray, shape (3,)
        Top and bottom, LPS mm, ``size.whole`` apart.
    wide : tuple of ndarray, shape (3,)
        Direction of its breadth at the top and at the bottom, LPS, pointing outwards.
    """
    top, bottom = chord
    down = unit(bottom - top)
    first, last = size.epiphysis[0], size.epiphysis[0] + size.shaft
    caps = (0.5 * size.epiphysis[0] + 1.0, 0.5 * size.epiphysis[1] + 1.0)
    s = np.unique(
        np.concatenate(
            [
                [caps[0], first, last, size.whole - caps[1]],
                first + np.array([0.12, 0.28, 0.5, 0.8, 1.2]) * size.breadth[0],
                last - np.array([0.12, 0.28, 0.5, 0.8, 1.2]) * size.breadth[1],
                np.linspace(first + 1.3 * size.breadth[0], last - 1.3 * size.breadth[1], 7),
            ]
        )
    )
    t = (s / size.whole)[:, None]
    across = wide[0] * (1 - t) + wide[1] * t
    across -= (across @ down)[:, None] * down
    across /= np.linalg.norm(across, axis=1)[:, None]
    hump = np.sin(np.pi * t)
    nodes = top + s[:, None] * down + hump * (size.bow[0] * across + size.bow[1] * np.cross(down, wide[0]))
    tube = Tube(nodes, _profile(s, size), across, caps)
    at = [first, first + size.metaphysis[0], last - size.metaphysis[1], last]
    # An epiphysis sits on the shaft like a cap: its rim reaches farther. Its height is the mean over the section.
    widest = max(size.breadth)
    bows = (-0.06 * size.breadth[0], 0.0, 0.0, 0.06 * size.breadth[1])
    at[0] += 0.5 * bows[0] * (size.breadth[0] / widest) ** 2
    at[3] += 0.5 * bows[3] * (size.breadth[1] / widest) ** 2
    cuts = tuple(Plane(top + x * down, down, bow, widest / 2) for x, bow in zip(at, bows, strict=True))
    return Shape(name, side, tube, LONG_SEGMENTS, cuts, physes=((cuts[0], 1.0), (cuts[3], 1.0)))
