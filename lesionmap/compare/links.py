"""Which lesions of earlier visits a visit's lesions continue: merged and split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lesionmap.lesions import Lesion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.compare.facts import SplitMerge

__all__ = ["Link", "Marks", "Node", "family", "links_of", "split_merge"]

Marks: TypeAlias = Mapping[str, Mapping[int, tuple[Lesion, ...]]]
"""Track to visit (numbered by date) to its lesions there."""
Node: TypeAlias = tuple[int, str]
"""Visit number and lesion id."""


@dataclass(frozen=True, slots=True)
class Link:
    """A track ties a lesion of a visit to one of the visit in which it was last marked."""

    track: str
    before: Node
    now: Node
    after_resolved: bool
    """True where the track had gone in between: the same lesion, but nothing to compare its size with."""


def links_of(marks: Marks, n: int, resolved: Mapping[str, int]) -> tuple[Link, ...]:
    """List the links from before to visit ``n``; ``resolved`` holds the tracks whose last decision is *resolved*."""
    found: list[Link] = []
    for track, marked in marks.items():
        last = max((m for m in marked if m < n), default=None)
        if n in marked and last is not None:
            pairs = _paired(marked[last], marked[n])
            found += [Link(track, (last, old), (n, new), track in resolved) for old, new in pairs]
    return tuple(found)


def _paired(before: Sequence[Lesion], now: Sequence[Lesion]) -> list[tuple[str, str]]:
    """Pair lesions on one track by site, one to one; what is over goes with the last, so that none is left alone."""
    old = [x.id for x in sorted(before, key=lambda lesion: lesion.sites)]
    new = [x.id for x in sorted(now, key=lambda lesion: lesion.sites)]
    return [(old[min(i, len(old) - 1)], new[min(i, len(new) - 1)]) for i in range(max(len(old), len(new)))]


def family(links: Sequence[Link], track: str) -> frozenset[Node]:
    """Give all lesions, before and now, that hang together with a track by links that were not resolved."""
    alive = [link for link in links if not link.after_resolved]
    found = {node for link in alive if link.track == track for node in (link.before, link.now)}
    while True:
        grown = found | {node for x in alive if x.before in found or x.now in found for node in (x.before, x.now)}
        if grown == found:
            return frozenset(found)
        found = grown


def split_merge(links: Sequence[Link], track: str, marks: Marks, n: int) -> SplitMerge:
    """Say whether a track's lesions are several that became one, or one that became several.

    Seen from the marks before, so that it happens once and reads backwards as its opposite. Where no track of its
    lesions was ever marked before: two tracks in one lesion are merged, one track in two lesions is split.
    """
    own = [link for link in links if link.track == track]
    before, now = {link.before for link in own}, {link.now for link in own}
    merged = any(len({x.before for x in links if x.now == node}) > 1 for node in now)
    split = any(len({x.now for x in links if x.before == node}) > 1 for node in before)
    lesions = marks[track][n]
    if not any((n, lesion.id) == link.now for lesion in lesions for link in links):
        merged, split = any(len(lesion.tracks) > 1 for lesion in lesions), len(lesions) > 1
    if merged and split:
        return "merged and split"
    return "merged" if merged else "split" if split else ""
