"""Walk through the visits: the state table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lesionmap.compare.facts import Change, State, Threshold, TrackCourse
from lesionmap.compare.links import links_of, split_merge
from lesionmap.compare.size import changed, total_volume_ml
from lesionmap.errors import LesionmapError
from lesionmap.measure import RULES, count

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lesionmap.compare.facts import Imaged, VisitFacts
    from lesionmap.compare.links import Link, Marks
    from lesionmap.lesions import Answer, Lesion
    from lesionmap.measure import Count, CountRule

__all__ = ["compare"]


def compare(
    visits: Sequence[VisitFacts],
    *,
    threshold: Threshold | None = None,
    rule: CountRule | None = None,
    imaged: Callable[[VisitFacts, str], Imaged] | None = None,
) -> tuple[TrackCourse, ...]:
    """Compare all visits of a patient, read by one reader.

    Parameters
    ----------
    visits : sequence of VisitFacts
        In any order; they are compared by date.
    threshold : Threshold, optional
        When a volume has changed, where the reader does not say.
    rule : CountRule, optional
        What counts; the default rule where not given.
    imaged : callable, optional
        Gives imaged, partly, not_imaged or unknown for a visit and a site or group; by default from the coverage kept
        with the visit's placement.

    Returns
    -------
    tuple of TrackCourse
        By the visit of the first mark, then in the order of its lesion map.

    Raises
    ------
    LesionmapError
        If the visits are of several patients or readers, or one is given twice.
    """
    ordered = _by_date(visits)
    marks = _marks(ordered)
    walk = _Walk(
        visits=ordered,
        marks=marks,
        links=tuple(links_of(marks, n, _resolved_at(ordered, marks, n)) for n in range(len(ordered))),
        counts=tuple(count(x.lesion_map, rule or RULES["default"], x.measurements) for x in ordered),
        threshold=threshold or Threshold(),
        imaged=imaged or _coverage,
    )
    return tuple(_course(walk, track) for track in marks)


@dataclass(frozen=True, slots=True)
class _Walk:
    """What every step looks at; visits are numbered by date."""

    visits: Sequence[VisitFacts]
    marks: Marks
    links: Sequence[Sequence[Link]]
    """For each visit, from the lesions before to its own."""
    counts: Sequence[Count]
    threshold: Threshold
    imaged: Callable[[VisitFacts, str], Imaged]

    def key(self, n: int) -> str:
        return self.visits[n].visit.key


def _by_date(visits: Sequence[VisitFacts]) -> tuple[VisitFacts, ...]:
    ordered = tuple(sorted(visits, key=lambda facts: (facts.visit.date, facts.visit.ordinal)))
    keys = [facts.visit.key for facts in ordered]
    if len(set(keys)) < len(keys):
        raise LesionmapError(f"each visit is compared once, got {', '.join(keys)}; leave the double one out")
    if len({(facts.lesion_map.patient, facts.lesion_map.reader) for facts in ordered}) > 1:
        raise LesionmapError("the visits of one patient read by one reader are compared, got several; choose one")
    for facts in ordered:
        if facts.lesion_map.visit != facts.visit.key:
            raise LesionmapError(
                f"visit {facts.visit.key} came with the lesion map of visit {facts.lesion_map.visit}; pair them by date"
            )
    return ordered


def _coverage(facts: VisitFacts, site: str) -> Imaged:
    if facts.placement is None:
        return "unknown"
    from lesionmap.skeleton import imaged

    return imaged(facts.placement, site)


def _marks(visits: Sequence[VisitFacts]) -> Marks:
    """List for each track the visits (by number) in which it is marked, and its lesions there.

    A lesion without a track is its own, under a name that no Tracking UID can have.
    """
    found: dict[str, dict[int, tuple[Lesion, ...]]] = {}
    for n, facts in enumerate(visits):
        for lesion in facts.lesion_map.lesions:
            for track in lesion.tracks or (f"{facts.visit.key}/{lesion.id}",):
                here = found.setdefault(track, {})
                here[n] = (*here.get(n, ()), lesion)
    return found


def _answer(visits: Sequence[VisitFacts], track: str, n: int) -> Answer | None:
    return next((x for x in visits[n].lesion_map.answers if x.track == track), None)


def _resolved_at(visits: Sequence[VisitFacts], marks: Marks, n: int) -> dict[str, int]:
    """Give the tracks whose last decision before visit ``n`` is *resolved*, and the visit of that decision."""
    found: dict[str, int] = {}
    for track, marked in marks.items():
        last = max((m for m in marked if m < n), default=n)
        resolved = [m for m in range(last + 1, n) if (said := _answer(visits, track, m)) and said.verdict == "resolved"]
        if resolved:
            found[track] = resolved[-1]
    return found


def _course(walk: _Walk, track: str) -> TrackCourse:
    changes = (_change(walk, track, n) for n in range(len(walk.visits)))
    site = _site(walk.marks[track][max(walk.marks[track])])
    return TrackCourse(
        track="" if "/" in track else track,
        site=site,
        states={change.visit: change for change in changes if change is not None},
        imaged={facts.visit.key: walk.imaged(facts, site) for facts in walk.visits},
    )


def _site(lesions: Sequence[Lesion]) -> str:
    return lesions[0].sites[0]


def _change(walk: _Walk, track: str, n: int) -> Change | None:
    """Give the cell of a track at a visit; None: no row."""
    before = max((m for m in walk.marks[track] if m < n), default=None)
    if n in walk.marks[track]:
        return _marked(walk, track, n, before)
    return None if before is None else _unmarked(walk, track, n, before)


def _marked(walk: _Walk, track: str, n: int, before: int | None) -> Change:
    lesions = walk.marks[track][n]
    resolved = _resolved_at(walk.visits, walk.marks, n).get(track)
    if before is None:
        state, reason = _first_mark(walk, _site(lesions), n)
    elif resolved is not None:
        state, reason = "recurrent", f"resolved at {walk.key(resolved)}, marked again"
    else:
        state, reason = _compared(walk, track, n)
    volume_ml, error_ml = total_volume_ml(walk.visits[n], lesions)
    return Change(
        visit=walk.key(n),
        state=state,
        split_merge=split_merge(walk.links[n], track, walk.marks, n),
        reason=reason,
        since="" if before is None else walk.key(before),
        lesions=tuple(lesion.id for lesion in lesions),
        volume_ml=volume_ml,
        volume_error_ml=error_ml,
        counted=any(walk.counts[n].of(lesion.id).counted for lesion in lesions),
    )


def _first_mark(walk: _Walk, site: str, n: int) -> tuple[State, str]:
    seen = {facts.visit.key: walk.imaged(facts, site) for facts in walk.visits[:n]}
    imaged = [key for key, share in seen.items() if share == "imaged"]
    if imaged:
        return "new", f"its site was imaged at {imaged[-1]} and not marked"
    if not seen:
        return "first_seen", "no earlier visit"
    return "first_seen", "its site before: " + ", ".join(f"{k} {share.replace('_', ' ')}" for k, share in seen.items())


def _compared(walk: _Walk, track: str, n: int) -> tuple[State, str]:
    said = [lesion.change for lesion in walk.marks[track][n] if lesion.change is not None]
    if said:
        worst = max(said, key=("improved", "persistent", "worsened").index)
        return worst, "the reader's word" if len(set(said)) == 1 else "the reader's words differ; the worst holds"
    return changed(walk.visits, walk.links[n], track, n, walk.threshold)


def _unmarked(walk: _Walk, track: str, n: int, before: int) -> Change | None:
    key, since = walk.key(n), walk.key(before)
    said = _answer(walk.visits, track, n)
    if said is not None:
        return Change(key, said.verdict, reason=said.note or "the reader's answer", since=since)
    if walk.imaged(walk.visits[n], _site(walk.marks[track][before])) == "not_imaged":
        return Change(key, "not_imaged", reason="computed: its site lies outside the images", since=since)
    if track in _resolved_at(walk.visits, walk.marks, n):
        return None
    return Change(key, "unanswered", reason="neither marked nor answered", since=since)
