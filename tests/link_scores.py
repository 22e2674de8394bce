"""What ``match`` proposes against the true tracks of simulated courses: links, states, confidence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.annotate import answer
from lesionmap.compare import compare, match
from lesionmap.mark import accept_tracks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

    from lesionmap.compare import VisitFacts

__all__ = ["Link", "Score", "calibration_error", "events", "f1", "fresh", "links_by_event", "score", "true_links"]

Link = tuple[str, str]
"""Lesion id and earlier track."""


@dataclass
class Score:
    """Of one visit."""

    true: set[Link]
    proposed: set[Link]
    events: dict[Link, str]
    """What happened to each true link: same, merged, split, recurrent."""
    confidence: list[tuple[float, bool]]
    """Of each proposal, and whether it is right."""
    true_states: Counter[tuple[str, ...]] = field(default_factory=Counter)
    states: Counter[tuple[str, ...]] = field(default_factory=Counter)


def f1(true: Iterable[object], found: Iterable[object]) -> float:
    """Give the harmonic mean of precision and sensitivity, of sets or of counters."""
    a, b = Counter(true), Counter(found)
    return 2 * (a & b).total() / (a.total() + b.total())


def fresh(facts: VisitFacts) -> VisitFacts:
    """Give a visit as it was read without knowing others: own new tracks, nothing answered."""
    own = tuple(replace(x, tracks=(f"own-{x.id}",)) for x in facts.lesion_map.lesions)
    return replace(facts, lesion_map=replace(facts.lesion_map, lesions=own, answers=()))


def _tracks(visits: Sequence[VisitFacts]) -> list[str]:
    return list(dict.fromkeys(t for facts in visits for x in facts.lesion_map.lesions for t in x.tracks))


def true_links(now: VisitFacts, before: Sequence[VisitFacts]) -> set[Link]:
    """Give lesions of a visit with the tracks that are marked before."""
    seen = set(_tracks(before))
    return {(x.id, track) for x in now.lesion_map.lesions for track in x.tracks if track in seen}


def events(now: VisitFacts, before: Sequence[VisitFacts]) -> dict[Link, str]:
    """Tell of each true link whether the lesion has merged or split since its last marks, came back, or is the same."""
    found = {}
    counts = Counter(track for x in now.lesion_map.lesions for track in x.tracks)
    lesions = {x.id: x for x in now.lesion_map.lesions}
    for lesion, track in true_links(now, before):
        last = next(f for f in reversed(before) if any(track in x.tracks for x in f.lesion_map.lesions))
        then = [x for x in last.lesion_map.lesions if track in x.tracks]
        if counts[track] > len(then):
            found[lesion, track] = "split"
        elif len(then) == 1 and set(lesions[lesion].tracks) - set(then[0].tracks):
            found[lesion, track] = "merged"
        else:
            found[lesion, track] = "same" if last is before[-1] else "recurrent"
    return found


def _states(visits: Sequence[VisitFacts]) -> Counter[tuple[str, ...]]:
    """Count the rows of the last visit, named by its lesions, or by the track where none is marked."""
    key = visits[-1].visit.key
    found: Counter[tuple[str, ...]] = Counter()
    for row in compare(visits, imaged=lambda _facts, _site: "imaged"):
        if key in row.states:
            change = row.states[key]
            found[change.lesions or (row.track,), change.state, change.split_merge] += 1  # type: ignore[index]
    return found


def score(now: VisitFacts, before: Sequence[VisitFacts], *, states: bool = True) -> Score:
    """Read a visit afresh, take every proposal, answer *resolved* for the rest, and compare with the truth."""
    read, true = fresh(now), true_links(now, before)
    matches = match(read, before)
    sure = [(one.confidence, all((one.lesion, t) in true for t in one.tracks)) for one in matches]
    proposed = {(one.lesion, track) for one in matches for track in one.tracks if not one.warning}
    found = Score(true, proposed, events(now, before), sure)
    if states:
        lesion_map = accept_tracks(read, before)
        marked = set(_tracks([replace(read, lesion_map=lesion_map)]))
        for track in _tracks(before):
            if track not in marked:
                lesion_map = answer(lesion_map, track, "resolved")
        found.states = _states([*before, replace(read, lesion_map=lesion_map)])
        found.true_states = _states([*before, now])
    return found


def links_by_event(scores: Sequence[Score]) -> dict[str, tuple[int, int]]:
    """Give for each event the true links that are proposed, and all."""
    told: dict[str, tuple[int, int]] = {}
    for one in scores:
        for link, event in one.events.items():
            hit, of = told.get(event, (0, 0))
            told[event] = (hit + (link in one.proposed), of + 1)
    return told


def calibration_error(confidence: ArrayLike, right: ArrayLike) -> float:
    """Give the expected calibration error over ten bins of equal width."""
    p, ok = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    bins = np.minimum((p * 10).astype(int), 9)
    return float(sum(abs((p - ok)[bins == b].sum()) for b in range(10)) / len(p))
