"""The layer of masks: which label is which lesion, what napari is told of each, and what it says of a stroke."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.lesions import Mask
from napari_lesionmap import layers
from napari_lesionmap.resolve import lesion_rows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from lesionmap.space import Grid
    from napari_lesionmap.session import Session

__all__ = ["label_of", "mask_features", "mask_in", "painted"]


def label_of(lesion_id: str) -> int:
    """Give the label that a lesion has in the layer of masks: its number."""
    digits = "".join(c for c in lesion_id if c.isdigit())
    return int(digits or 0)


def mask_in(
    data: NDArray[np.uint16],
    label: int,
    grid: Grid,
    box: tuple[NDArray[np.int_], NDArray[np.int_]],
    before: Mask | None,
) -> Mask | None:
    """Give the mask of a label after a stroke within a box of the layer; no more than that and the old mask is read."""
    low, high = box
    if before is not None:
        first, last = layers.shown_box(before)
        low, high = np.minimum(low, first), np.maximum(high, last)
    low = np.maximum(low, 0)
    part = data[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))]
    found = np.argwhere(part == label) + low
    return Mask.of_voxels(layers.voxels_from_shown(found, grid), grid) if len(found) else None


def mask_features(session: Session) -> dict[str, list[Any]]:
    """Give a row for each lesion, as napari's features table and its status bar show the layer of masks."""
    rows = lesion_rows(session.results, session.key) if session.results and session.key else ()
    return {
        "index": [0, *(label_of(row.id) for row in rows)],
        "lesion": ["", *(row.id for row in rows)],
        "site": ["", *(row.site for row in rows)],
        "certainty": ["", *(row.certainty for row in rows)],
        "volume": ["", *(f"{row.volume} ml" if row.volume else "" for row in rows)],
        "state": ["", *(row.told for row in rows)],
    }


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
