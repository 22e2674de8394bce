"""Which lesion of another visit is this one? Proposals in bone coordinates; the reader confirms.

Two lesions may be one if they share a bone and side. The price of a pair is what lies between them in this body,
after the skeleton has carried the other one there: along the bone the smallest of the difference in fraction along and
the differences in mm to either growth plate (bones grow at their plates: a lesion may keep its fraction or its
distance, but not that to the plate at the other end), across it, and in size. All pairs are chosen together at the
least price, where to have no partner has a price of its own. What is left over may have merged into, or split off
from, what it overlaps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.annotate import site_distance
from lesionmap.compare.position import position_of
from lesionmap.errors import LesionmapError
from lesionmap.skeleton import bones
from lesionmap.visits import visit_key_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from lesionmap.compare.facts import VisitFacts
    from lesionmap.compare.position import Drawn, Position
    from lesionmap.lesions import Lesion

    Array = NDArray[np.float64]

__all__ = ["Match", "match", "price"]

# Chosen on simulated courses of children that the measured ones do not hold (docs/course.md).
_ALONG_MM = 8.0
_ACROSS_MM = 7.0
_FAR = 0.9  # of a bone's length between its growth plates: what lies farther from one does not keep that distance
_SIZE = 1.0  # of the logarithm of the ratio of volumes
_ALONE = 12.0  # price of having no partner
_BY_SITE = {0: 2.0, 1: 4.0, 2: 8.0}  # price where only sites are known: the same, one in common, the next segment
_RECENT = 0.01  # price of each visit that lies between: among equals the nearest in time
_LEVEL = 9.0  # price of a vertebra one level off
_NEAR_MM = 5.0  # so near lies what overlaps: half a slice and a reader's hand
_OVERLAP = 0.6  # of the smaller one inside the larger


@dataclass(frozen=True, slots=True)
class Match:
    """A proposal: a lesion of this visit continues one of another visit."""

    lesion: str
    """Id in this visit."""
    tracks: tuple[str, ...]
    """Of the other; what the lesion would get."""
    visit: str
    """Key of the other visit."""
    other: str
    """Id there."""
    confidence: float
    """Probability that it is right, 0 to 1."""
    kind: Literal["same", "merged", "split"] = "same"
    """``merged``: the other is one of several that became this lesion; ``split``: this is one of several it became."""
    warning: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Node:
    """A lesion of a visit and where it lies."""

    lesion: Lesion
    visit: str
    at: Position
    steps: int = 0
    """How many visits lie between."""


def match(now: VisitFacts, others: Sequence[VisitFacts]) -> tuple[Match, ...]:
    """Propose what the lesions of a visit continue.

    Parameters
    ----------
    now : VisitFacts
        The visit being read. Only lesions whose tracks are marked in this visit alone are proposed anything.
    others : sequence of VisitFacts
        Other visits of this patient by this reader, in any order; ``now`` itself is left out. Each track is compared as
        it was last marked before this visit, else as first after it. Measurements are not needed.

    Returns
    -------
    tuple of Match
        In the order of the map; several for a lesion that merged.

    Raises
    ------
    LesionmapError
        If a map is of another patient or reader.
    """
    maps = [facts.lesion_map for facts in (now, *others)]
    if len({(one.patient, one.reader) for one in maps}) > 1:
        raise LesionmapError("tracks are proposed among the visits of one patient and one reader, got maps of others")
    there = [facts for facts in others if facts.visit.key != now.visit.key]
    elsewhere = {track for facts in there for lesion in facts.lesion_map.lesions for track in lesion.tracks}
    mine = now.lesion_map.lesions
    free = [_Node(x, now.visit.key, position_of(now, x)) for x in mine if not elsewhere & set(x.tracks)]
    taken = {track for lesion in mine for track in lesion.tracks}
    old = [node for node in _marked(now, there) if not taken & set(node.lesion.tracks)]
    if not free or not old:
        return ()
    found = [*_paired(old, free)]
    found += _overlapping(old, free, found)
    found += _one_level_off(old, free, found)
    rank = {lesion.id: n for n, lesion in enumerate(mine)}
    return tuple(sorted(found, key=lambda one: (rank[one.lesion], one.kind != "same")))


def _marked(now: VisitFacts, others: Sequence[VisitFacts]) -> Iterator[_Node]:
    """Give the lesions of each track where it was last marked before the visit, else where it is first marked after."""
    day = visit_key_parts(now.visit.key)
    by_date = sorted(others, key=lambda facts: visit_key_parts(facts.visit.key))
    before = [facts for facts in by_date if visit_key_parts(facts.visit.key) < day]
    seen: set[str] = set()
    for steps, facts in enumerate((*reversed(before), *by_date[len(before) :])):
        fresh = [x for x in facts.lesion_map.lesions if set(x.tracks) - seen]
        seen |= {track for lesion in fresh for track in lesion.tracks}
        yield from (_Node(x, facts.visit.key, position_of(facts, x), steps) for x in fresh)


def _paired(old: Sequence[_Node], new: Sequence[_Node]) -> Iterator[Match]:
    """Choose pairs at the least price of all together."""
    from scipy.optimize import linear_sum_assignment

    prices = np.array([[price(a.lesion, b.lesion, a.at, b.at) + _RECENT * a.steps for b in new] for a in old])
    n, m = prices.shape
    square = np.full((n + m, n + m), np.inf)
    square[:n, :m] = prices
    square[:n, m:] = np.where(np.eye(n, dtype=bool), _ALONE / 2, np.inf)
    square[n:, :m] = np.where(np.eye(m, dtype=bool), _ALONE / 2, np.inf)
    square[n:, m:] = 0.0
    likely = np.exp(-prices / 2)
    every = likely.sum(axis=0)[None] + likely.sum(axis=1)[:, None] - likely + np.exp(-_ALONE / 2)
    for i, j in zip(*linear_sum_assignment(square), strict=True):
        if i < n and j < m:
            yield _match(old[i], new[j], float(likely[i, j] / every[i, j]))


def _match(old: _Node, new: _Node, confidence: float, kind: Literal["same", "merged", "split"] = "same") -> Match:
    return Match(new.lesion.id, old.lesion.tracks, old.visit, old.lesion.id, confidence, kind)


def price(old: Lesion, new: Lesion, then: Position, here: Position) -> float:
    """Give the price of taking two lesions for one; infinite where they share no bone, or only sites far apart.

    Parameters
    ----------
    old, new : Lesion
        Their sites tell where nothing is drawn: 2 for the same, 4 for one in common, 8 for the next segment.
    then, here : Position
        Of these. Where both are drawn: (mm along the bone / 8)² + (mm across it / 7)² + (log of the volumes' ratio)².
    """
    if then.bones.isdisjoint(here.bones):
        return np.inf
    if then.drawn is None or here.drawn is None:
        distance = site_distance(new, old)
        return np.inf if distance is None else _BY_SITE[distance]
    away = _away(then.drawn, here.drawn)
    along = min(abs(way) for way in _ways(then.drawn, here.drawn, away))
    across = float(np.linalg.norm(_moved(away, here.drawn, 0.0)))
    found = (along / _ALONG_MM) ** 2 + (across / _ACROSS_MM) ** 2
    if then.drawn.volume_ml and here.drawn.volume_ml:
        found += (float(np.log(here.drawn.volume_ml / then.drawn.volume_ml)) / _SIZE) ** 2
    return found


def _away(old: Drawn, new: Drawn) -> Array:
    """Give where the middle of the old one lies from that of the new one, LPS mm, as the skeleton carries it."""
    return np.asarray(new.middle.matrix @ (old.middle.place - new.middle.place))


def _moved(away: Array, new: Drawn, along_mm: float) -> Array:
    """Give the way to the old one if it is so far along the bone; in a bone without axis it stays as it is."""
    return away if new.axis is None else away + (along_mm - away @ new.axis) * new.axis


def _ways(old: Drawn, new: Drawn, away: Array) -> tuple[float, ...]:
    """Give the way from the new one to the old one along the bone, mm, by fraction and by either growth plate.

    What lies at one plate keeps no distance to the other, from which all growth between them carries it away.
    """
    if new.axis is None:
        return (0.0,)
    found = [float(away @ new.axis)]
    if old.ends_mm is not None and new.ends_mm is not None:
        far = _FAR * abs(old.ends_mm[0] - old.ends_mm[1])
        found += [a - b for a, b in zip(old.ends_mm, new.ends_mm, strict=True) if abs(a) <= far]
    return tuple(found)


def _overlapping(old: Sequence[_Node], new: Sequence[_Node], pairs: Sequence[Match]) -> list[Match]:
    """Find what merged into, or split off from, lesions that are paired already."""
    done = _done(pairs)
    gone, old_pairs = _parted(old, lambda node: _key(node) in done)
    fresh, new_pairs = _parted(new, lambda node: node.lesion.id in done)
    found = []
    for node in gone:
        shares = [_overlap(node.at, other.at, smaller="old") for other in new_pairs]
        if max(shares, default=0.0) >= _OVERLAP:
            found.append(_match(node, new_pairs[int(np.argmax(shares))], max(shares), "merged"))
    for node in fresh:
        shares = [_overlap(other.at, node.at, smaller="new") for other in old_pairs]
        if max(shares, default=0.0) >= _OVERLAP:
            found.append(_match(old_pairs[int(np.argmax(shares))], node, max(shares), "split"))
    return found


def _parted(nodes: Sequence[_Node], paired: Callable[[_Node], bool]) -> tuple[list[_Node], list[_Node]]:
    return [x for x in nodes if not paired(x)], [x for x in nodes if paired(x)]


def _done(pairs: Sequence[Match]) -> set[str | tuple[str, str]]:
    """Give what has a partner: lesions of this visit by id, others by visit and id."""
    return {one.lesion for one in pairs} | {(one.visit, one.other) for one in pairs}


def _key(node: _Node) -> tuple[str, str]:
    return node.visit, node.lesion.id


def _overlap(old: Position, new: Position, *, smaller: Literal["old", "new"]) -> float:
    """Give the share of the smaller outline that lies in the larger, as far along the bone as either may have moved."""
    from scipy.spatial import cKDTree

    if old.bones.isdisjoint(new.bones):
        return 0.0
    then, here = old.drawn, new.drawn
    if then is None or here is None or then.outline_mm is None or here.outline_mm is None:
        return 0.0
    away = _away(then, here)
    grown = then.outline_mm @ (here.middle.matrix @ np.linalg.inv(then.middle.matrix)).T
    best = 0.0
    for along_mm in _ways(then, here, away):
        pair = grown + _moved(away, here, along_mm), here.outline_mm
        inner, outer = pair if smaller == "old" else pair[::-1]
        near, _ = cKDTree(outer).query(inner, distance_upper_bound=_NEAR_MM)
        best = max(best, float(np.mean(np.isfinite(near))))
    return best


def _one_level_off(old: Sequence[_Node], new: Sequence[_Node], pairs: Sequence[Match]) -> list[Match]:
    """Offer vertebrae that are one level apart and both alone: levels are miscounted more often than lesions move."""
    done = _done(pairs)
    found = []
    for a in (x for x in old if _key(x) not in done):
        for b in (x for x in new if x.lesion.id not in done):
            if _levels_apart(a.lesion.sites[0], b.lesion.sites[0]) == 1 and not done & {b.lesion.id, _key(a)}:
                done |= {b.lesion.id, _key(a)}
                then, here = (x.lesion.sites[0].split(".")[0].removeprefix("vertebra_") for x in (a, b))
                confidence = float(np.exp(-_LEVEL / 2) / (np.exp(-_LEVEL / 2) + np.exp(-_ALONE / 2)))
                words = f"{then} in {a.visit}, {here} now: count the vertebrae again"
                found.append(replace(_match(a, b, confidence), warning=words))
    return found


def _levels_apart(one: str, other: str) -> int | None:
    """Count the levels between two vertebral sites of the same segment; None for others."""
    (a, part_a, *_), (b, part_b, *_) = (f"{name}..".split(".") for name in (one, other))
    order = [bone.id for bone in bones() if bone.id.startswith("vertebra_")]
    if a not in order or b not in order or part_a != part_b:
        return None
    return abs(order.index(a) - order.index(b))
