"""Which lesions of two readers of one visit are the same, many to many.

Both looked at the same body, so millimetres count, the first line that fits:

1. Both outlined on one Series: voxels in common decide, a tenth of the smaller outline or more.
2. Both drew on slices, at least one an outline: what lies within 5 mm of the other's decides, half of the smaller
   outline or more, or the marker.
3. What is left, one to one at the least price together: in bone coordinates where both drew, else by sites, as tracks
   are proposed over visits (``lesionmap.compare``), but at a price of 4 at most: 16 mm along the bone, 14 mm
   across it, a site in common.

One outline that holds two of the other reader's is one with both: lesions that hang together so are one ``Shared``.
Neighbours whose outlines run into each other are not: where both of a pair have another partner with whom they have
more in common, and less than half of the smaller outline is shared (four fifths on two Series), the pair is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from lesionmap.agreement.facts import Shared
from lesionmap.compare.matching import price
from lesionmap.compare.position import position_of
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lesionmap.compare import VisitFacts
    from lesionmap.lesions import Extent, Lesion, Mask

    By = Literal["overlap", "outline", "place", "site", ""]

__all__ = ["check_one_visit", "masks_by_series", "match_readers", "shared_voxels"]

# Chosen on simulated second readings (docs/agreement.md).
_OVERLAP = 0.1  # of the smaller outline, on one Series
_WITHIN = 0.5  # of the smaller outline within so many mm of the other, on two Series
_NEAR_MM = 5.0  # half a slice and a reader's hand
_HELD = {"overlap": 0.5, "outline": 0.8}  # of the smaller one: it is held by the other, whatever else it touches
_MOST = 4.0  # price of a pair
_ORDER: tuple[By, ...] = ("overlap", "outline", "place", "site")


class _Link(NamedTuple):
    """A lesion of the first reader and one of the second, by their places in the maps."""

    one: int
    other: int
    by: By
    share: float = 1.0
    """Of the smaller drawing."""


def match_readers(one: VisitFacts, other: VisitFacts) -> tuple[Shared, ...]:
    """Say which lesions of two readers of a visit are the same.

    Parameters
    ----------
    one, other : VisitFacts
        The same visit as two readers marked it. All lesions take part, whether they count or not.

    Returns
    -------
    tuple of Shared
        Each lesion of both stands in exactly one. In the order of the first map, then of the second.

    Raises
    ------
    LesionmapError
        If the maps are of two visits, or of one reader.
    """
    check_one_visit(one, other)
    ones, others = one.lesion_map.lesions, other.lesion_map.lesions
    views = {series.name for series in one.visit.series if series.projection}
    told = {(i, j): _told(a, b, views) for i, a in enumerate(ones) for j, b in enumerate(others)}
    links = _without_touches([_Link(i, j, by, share) for (i, j), (by, share) in told.items() if by])
    free = [i for i in range(len(ones)) if all(link.one != i for link in links)]
    rest = [j for j in range(len(others)) if all(link.other != j for link in links)]
    links += _paired((one, other), (free, rest), {pair for pair, (by, _) in told.items() if by == ""})
    return tuple(_grouped(ones, others, links))


def check_one_visit(one: VisitFacts, other: VisitFacts) -> None:
    """Refuse maps that are not of two readers of one visit."""
    a, b = one.lesion_map, other.lesion_map
    if (a.patient, a.visit) != (b.patient, b.visit):
        raise LesionmapError(f"readers are compared in one visit, got maps of {a.visit} and {b.visit}; name one visit")
    if a.reader == b.reader:
        raise LesionmapError(
            f"two readers are compared, got {a.reader!r} twice; a second reading has a name of its own"
        )


def _told(a: Lesion, b: Lesion, views: set[str]) -> tuple[By | None, float]:
    """Say what drawings tell of two lesions, and their share: that they are one, that they are not (""), or nothing."""
    here, there = masks_by_series(a), masks_by_series(b)
    both = [name for name in here if name in there]
    if both:
        share = max(_overlap(here[name], there[name]) for name in both)
        return ("overlap" if share >= _OVERLAP else ""), share
    mine, yours = (_on_slices(x, views) for x in (a, b))
    if mine is None or yours is None or not (mine.mask or yours.mask):
        return None, 0.0
    share = _share_within(mine, yours)
    if share >= _WITHIN:
        return "outline", share
    return ("" if mine.mask and yours.mask else None), share


def _without_touches(links: Sequence[_Link]) -> list[_Link]:
    """Drop links of neighbours that touch, where either has a better partner."""
    return [
        link
        for link in links
        if link.share >= _HELD[link.by]
        or all(x.share <= link.share for x in links if x.one == link.one)
        or all(x.share <= link.share for x in links if x.other == link.other)
    ]


def masks_by_series(lesion: Lesion) -> dict[str, Mask]:
    """Give what is outlined of a lesion, by name of the Series."""
    return {extent.series: extent.mask for extent in lesion.extents if extent.mask is not None}


def _overlap(a: Mask, b: Mask) -> float:
    return shared_voxels(a, b) / min(a.n_voxels, b.n_voxels)


def shared_voxels(a: Mask, b: Mask) -> int:
    """Count the voxels that two masks of one Series have in common; on another grid each takes its nearest."""
    there = b if a.grid == b.grid else b.on(a.grid)
    if there is None:
        return 0
    low = np.maximum(a.origin, there.origin)
    high = np.minimum(np.add(a.origin, a.box.shape), np.add(there.origin, there.box.shape))
    if np.any(low >= high):
        return 0
    mine, yours = (_cut(mask, low, high) for mask in (a, there))
    return int(np.count_nonzero(mine & yours))


def _cut(mask: Mask, low: NDArray[np.int_], high: NDArray[np.int_]) -> NDArray[np.bool_]:
    i, j, k = (slice(a, b) for a, b in zip(low - mask.origin, high - mask.origin, strict=True))
    return mask.box[i, j, k]


def _on_slices(lesion: Lesion, views: set[str]) -> Extent | None:
    """Give the Extent that tells best where a lesion is in the body: an outline before a marker, on slices."""
    drawn = [x for x in lesion.extents if x.series not in views and (x.mask or x.marker_lps_mm)]
    return min(drawn, key=lambda extent: extent.mask is None, default=None)


def _share_within(a: Extent, b: Extent) -> float:
    """Give the share of the smaller drawing that lies within 5 mm of the other; a marker is the smallest."""
    from scipy.spatial import cKDTree

    small, large = sorted((_points(a), _points(b)), key=len)
    ways = [(small, large)] + [(large, small)] * (len(small) == len(large))
    found = [cKDTree(there).query(here, distance_upper_bound=_NEAR_MM)[0] for here, there in ways]
    return max(float(np.mean(np.isfinite(away))) for away in found)


def _points(extent: Extent) -> NDArray[np.float64]:
    return extent.mask.lps_mm() if extent.mask is not None else np.array([extent.marker_lps_mm], dtype=np.float64)


def _paired(
    facts: tuple[VisitFacts, VisitFacts], free: tuple[list[int], list[int]], apart: set[tuple[int, int]]
) -> Iterator[_Link]:
    """Pair what is left, one to one, as many as can be and these at the least price."""
    from scipy.optimize import linear_sum_assignment

    ones, others = (
        [(i, lesions[i], position_of(visit, lesions[i])) for i in left]
        for visit, left, lesions in zip(facts, free, (x.lesion_map.lesions for x in facts), strict=True)
    )
    if not ones or not others:
        return
    prices = np.array(
        [
            [np.inf if (i, j) in apart else (price(a, b, x, y) + price(b, a, y, x)) / 2 for j, b, y in others]
            for i, a, x in ones
        ]
    )
    allowed = prices <= _MOST
    costs = np.where(allowed, prices, _MOST * (min(prices.shape) + 1))
    for m, n in zip(*linear_sum_assignment(costs), strict=True):
        if allowed[m, n]:
            (i, _, here), (j, _, there) = ones[m], others[n]
            yield _Link(i, j, "site" if here.drawn is None or there.drawn is None else "place")


def _grouped(ones: Sequence[Lesion], others: Sequence[Lesion], links: Sequence[_Link]) -> Iterator[Shared]:
    """Put together what hangs together by links."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, m = len(ones), len(others)
    if not n + m:
        return
    rows, columns = [link.one for link in links], [n + link.other for link in links]
    graph = coo_array((np.ones(len(links)), (rows, columns)), shape=(n + m, n + m))
    _, number = connected_components(graph, directed=False)
    for group in dict.fromkeys(number.tolist()):
        by = [link.by for link in links if number[link.one] == group]
        yield Shared(
            tuple(x.id for x, at in zip(ones, number[:n], strict=True) if at == group),
            tuple(x.id for x, at in zip(others, number[n:], strict=True) if at == group),
            next((word for word in _ORDER if word in by), ""),
        )
