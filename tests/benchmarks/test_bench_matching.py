"""Tracks proposed on simulated courses that nothing was chosen on, beside overlap after registration and panoptica."""

from __future__ import annotations

import time
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from courses import bodies, course
from lesionmap.compare import match, position
from link_scores import Score, calibration_error, f1, fresh, links_by_event, score, true_links
from registered import by_overlap, by_panoptica, carried_voxels, deformed, image_of, moved, voxels_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from figures import Tell
    from lesionmap.compare import VisitFacts
    from link_scores import Link
    from registered import Voxels


SEEDS = range(200, 228)
PEER_SEEDS = (206, 207, 208, 209, 213, 214)
VISITS = 4
_LESIONS = (2, 4, 7, 10, 16, 25, 40)
_YEARS = (0.5, 1.0, 1.7)


class Step(NamedTuple):
    """A visit, and what is before it."""

    seed: int
    growth: float
    """Of the femur since the visit before, a share."""
    found: Score


@cache
def simulated(seed: int) -> list[VisitFacts]:
    """Make a course; number of lesions and years between visits go round with the seed."""
    return course(seed, _LESIONS[seed % 7], VISITS, _YEARS[seed % 3])


def _growth(seed: int) -> list[float]:
    marks = [child.landmarks() for child in bodies(seed, VISITS, _YEARS[seed % 3])]
    femur = [float(np.linalg.norm(np.subtract(x["hip_left"], x["knee_left"]))) for x in marks]
    return [after / before - 1 for before, after in pairwise(femur)]


def _f1s(steps: Sequence[Step]) -> tuple[float, float]:
    """Give F1 of links and of states over all steps together."""
    true = [(n, x) for n, one in enumerate(steps) for x in one.found.true]
    proposed = [(n, x) for n, one in enumerate(steps) for x in one.found.proposed]
    rows = [(n, x) for n, one in enumerate(steps) for x in one.found.true_states.elements()]
    told = [(n, x) for n, one in enumerate(steps) for x in one.found.states.elements()]
    return f1(true, proposed), f1(rows, told)


def _row(name: str, steps: Sequence[Step]) -> str:
    links, states = _f1s(steps)
    return f"{name:<28} {sum(len(x.found.true) for x in steps):5} links, F1 {links:.3f}, states F1 {states:.3f}"


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_links_and_states(tell: Tell) -> None:
    steps = [
        Step(seed, grown, score(simulated(seed)[k], simulated(seed)[:k]))
        for seed in SEEDS
        for k, grown in enumerate(_growth(seed), start=1)
    ]
    lines = [_row("all", steps)]
    for low, high in pairwise((-np.inf, 0.03, 0.06, 0.12, np.inf)):
        lines.append(_row(f"growth {low:.0%} to {high:.0%}", [x for x in steps if low <= x.growth < high]))
    lines += [_row(f"{n} lesions", [x for x in steps if _LESIONS[x.seed % 7] == n]) for n in _LESIONS]
    for event, (hit, of) in links_by_event([x.found for x in steps]).items():
        lines.append(f"{event:<28} {hit} of {of} links proposed")
    growth = [x.growth for x in steps]
    lines.append(f"growth of the femur a step: {min(growth):.3f} to {max(growth):.3f}, median {np.median(growth):.3f}")
    sure = np.array([x for one in steps for x in one.found.confidence])
    error = calibration_error(sure[:, 0], sure[:, 1])
    lines.append(f"confidence: {len(sure)} proposals, {sure[:, 1].mean():.3f} right, calibration error {error:.3f}")
    tell("tracks proposed on simulated courses", lines)
    links, states = _f1s(steps)
    assert links >= 0.97
    assert states >= 0.95
    assert error <= 0.05


def _fastest(now: VisitFacts, then: VisitFacts, *known: VisitFacts) -> float:
    """Give the least time of five in ms, where positions of some visits' lesions are remembered and others are not."""
    taken = []
    for _ in range(5):
        position._position.cache_clear()
        for facts in known:
            for lesion in facts.lesion_map.lesions:
                position.position_of(facts, lesion)
        start = time.perf_counter()
        match(now, [then])
        taken.append(time.perf_counter() - start)
    return min(taken) * 1e3


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_forty_by_forty(tell: Tell) -> None:
    then, now = simulated(202)[0], fresh(simulated(202)[1])
    sizes = [len(x.lesion_map.lesions) for x in (then, now)]
    assert min(sizes) >= 30
    match(now, [then])
    none, before, both = _fastest(now, then), _fastest(now, then, then), _fastest(now, then, then, now)
    tell(
        f"time of match, {sizes[0]} by {sizes[1]} lesions",
        [f"nothing remembered {none:.0f} ms, the visit before {before:.0f} ms, both {both:.1f} ms"],
    )


def _by_peers(seed: int, rows: dict[str, list[tuple[set[Link], set[Link]]]]) -> None:
    """Pair the second visit of a course with the first by every way."""
    then, now = simulated(seed)[:2]
    true, tracks = true_links(now, [then]), {x.id: x.tracks for x in then.lesion_map.lesions}
    rows.setdefault("lesionmap", []).append((true, score(now, [then], states=False).proposed))
    images = [image_of(child) for child in bodies(seed, VISITS, _YEARS[seed % 3])[:2]]
    new: Voxels = voxels_of(now)
    ways: dict[str, Callable[[Voxels], set[tuple[str, str]]]] = {
        "overlap, one to one": lambda old: by_overlap(old, new, many=False),
        "all overlaps": lambda old: by_overlap(old, new, many=True),
    }
    if find_spec("panoptica") is not None:
        ways["panoptica, IoU above 0"] = lambda old: by_panoptica(old, new, 0.0)
        ways["panoptica, IoU 0.5"] = lambda old: by_panoptica(old, new, 0.5)
    for name, register in (("rigid", moved), ("deformable", deformed)):
        old = carried_voxels(then, now, register(*images))
        for way, pairs in ways.items():
            links = {(lesion, track) for lesion, other in pairs(old) for track in tracks[other]}
            rows.setdefault(f"{name}, {way}", []).append((true, links))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_beside_registration(tell: Tell) -> None:
    """Its images have neither noise nor lesions, which is kinder to the peers than any real pair."""
    rows: dict[str, list[tuple[set[Link], set[Link]]]] = {}
    for seed in PEER_SEEDS:
        _by_peers(seed, rows)
    found = {
        name: f1(*([(n, x) for n, one in enumerate(pairs) for x in one[side]] for side in (0, 1)))
        for name, pairs in rows.items()
    }
    n = sum(len(true) for true, _ in rows["lesionmap"])
    tell(
        f"links F1, {n} links of {len(PEER_SEEDS)} pairs", [f"{name:<40} {value:.3f}" for name, value in found.items()]
    )
    assert found["lesionmap"] >= 0.95
    assert found["lesionmap"] > max(value for name, value in found.items() if name.startswith("rigid"))
