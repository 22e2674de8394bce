"""What napari says of a stroke that was painted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["painted"]


def painted(atoms: Iterable[Any]) -> tuple[set[int], NDArray[np.int_], NDArray[np.int_]]:
    """Read what napari's paint event says: labels concerned, lowest and highest index (3,), the highest included.

    The one place that knows the two forms of its entries: (box, mask, old values, new value), and (indices, old
    values, new values).
    """
    labels: set[int] = set()
    lows, highs = [], []
    for atom in atoms:
        where, old, new = atom[0], atom[-2], atom[-1]
        labels |= {int(v) for v in np.unique(old)} | {int(v) for v in np.unique(new)}
        if isinstance(where[0], slice):
            lows.append([s.start for s in where])
            highs.append([s.stop - 1 for s in where])
        elif np.size(where[0]):
            lows.append([int(np.min(axis)) for axis in where])
            highs.append([int(np.max(axis)) for axis in where])
    if not lows:
        return set(), np.zeros(3, int), np.zeros(3, int)
    return labels - {0}, np.min(lows, axis=0), np.max(highs, axis=0)
