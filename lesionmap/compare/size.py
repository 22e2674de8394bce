"""Has it grown? The threshold rule, where the reader does not say."""

from __future__ import annotations

from math import hypot
from typing import TYPE_CHECKING

from lesionmap.compare.links import family
from lesionmap.measure import main_measurement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lesionmap.compare.facts import State, Threshold, VisitFacts
    from lesionmap.compare.links import Link, Node
    from lesionmap.lesions import Lesion
    from lesionmap.measure import Measurement

__all__ = ["changed", "total_volume_ml"]

# Sequences on which marrow oedema is bright: a volume on the one may be compared with a volume on the other.
_FLUID = frozenset({"STIR", "T2"})


def total_volume_ml(facts: VisitFacts, lesions: Sequence[Lesion]) -> tuple[float | None, float | None]:
    """Give the volume of lesions of a visit together, and its error, ml; None if one of them has no volume."""
    return _sum(main_measurement(facts.measurements.get(lesion.id, ())) for lesion in lesions)


def changed(
    visits: Sequence[VisitFacts], links: Sequence[Link], track: str, n: int, threshold: Threshold
) -> tuple[State, str]:
    """Compare the volume of a track's lesions, with all that merged into or split off from them, with the one before.

    Measurements are compared on one kind of sequence, which all these lesions have; STIR and T2 are of one kind.

    Returns
    -------
    state, reason
        improved, persistent or worsened; persistent if it cannot be measured.
    """
    nodes = sorted(family(links, track))
    measured = [_by_kind(_measurements(visits, node)) for node in nodes]
    common = set.intersection(*(set(kinds) for kinds in measured))
    if not common:
        return "persistent", _why_not(visits, nodes)
    kind = _kind(main_measurement([kinds[name] for kinds in measured for name in common]))
    chosen = [(node, kinds[kind]) for node, kinds in zip(nodes, measured, strict=True)]
    before, error_before = _sum(x for node, x in chosen if node[0] != n)
    now, error_now = _sum(x for node, x in chosen if node[0] == n)
    if before is None or now is None:  # not so: only measurements with a volume have a kind
        return "persistent", _why_not(visits, nodes)
    return _judge(before, now, hypot(error_before or 0.0, error_now or 0.0), threshold)


def _judge(before: float, now: float, error: float, threshold: Threshold) -> tuple[State, str]:
    words = f"{before:.2f} → {now:.2f} ml ({now / before - 1:+.0%}), slice error ±{error:.2f} ml"
    small, large = sorted((before, now))
    if large < small * (1 + threshold.volume_change):
        return "persistent", f"{words}; within {threshold.volume_change:.0%} of the smaller"
    if threshold.beyond_slice_error and large - small <= error:
        return "persistent", f"{words}; not more than the slice error"
    return ("worsened" if now > before else "improved"), words


def _measurements(visits: Sequence[VisitFacts], node: Node) -> Sequence[Measurement]:
    return visits[node[0]].measurements.get(node[1], ())


def _kind(measured: Measurement) -> tuple[str, str]:
    return measured.modality, "fluid" if measured.sequence in _FLUID else measured.sequence


def _by_kind(measurements: Sequence[Measurement]) -> dict[tuple[str, str], Measurement]:
    found: dict[tuple[str, str], list[Measurement]] = {}
    for one in measurements:
        if one.volume_ml is not None:
            found.setdefault(_kind(one), []).append(one)
    return {kind: main_measurement(some) for kind, some in found.items()}


def _sum(measurements: Iterable[Measurement]) -> tuple[float | None, float | None]:
    """Add volumes, and their errors as the root of the sum of squares."""
    total, error = 0.0, 0.0
    for one in measurements:
        if one.volume_ml is None:
            return None, None
        total += one.volume_ml
        error = hypot(error, one.volume_error_ml or 0.0)
    return total, error


def _why_not(visits: Sequence[VisitFacts], nodes: Sequence[Node]) -> str:
    """Say why volumes cannot be compared, at the first visit in which they cannot."""
    for node in nodes:
        main = main_measurement(_measurements(visits, node))
        if main.volume_ml is None:
            return f"not measured at {visits[node[0]].visit.key}: {main.why_not.split(';')[0]}"
    kinds = [
        f"{visits[node[0]].visit.key} {main.modality} {main.sequence}".strip()
        for node in nodes
        for main in [main_measurement(_measurements(visits, node))]
    ]
    return f"not measured on one kind of sequence: {', '.join(dict.fromkeys(kinds))}"
