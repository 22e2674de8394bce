"""A consensus of two readers: what both say is taken over, and what they do not is a list to be settled.

The map of the reader ``consensus`` starts with every lesion of both. Agreed ones are decided; one that only one reader
has is *equivocal*, so that it does not count before it is settled. Each note begins with where it comes from,
``[anna L2 | bert L3]``: by that the list finds it again. A difference is settled by an ordinary edit of its lesion (of
anything but note and tracks), by its removal, or, as it stands, by signing the map.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Literal, get_args

from lesionmap.agreement.matching import match_readers
from lesionmap.annotate.edit import append_lesions
from lesionmap.annotate.places import drawn_place, site_middle
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Attributes, Certainty, Extent, Lesion, LesionMap
from lesionmap.skeleton import known
from lesionmap.visits import placement_on

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.agreement.facts import Shared
    from lesionmap.annotate.places import Point
    from lesionmap.compare import VisitFacts

__all__ = ["CONSENSUS", "Difference", "Differs", "differences", "named_in", "start_consensus"]

CONSENSUS = "consensus"
"""Name of the reader whose map it is."""

Differs = Literal["only_first", "only_second", "merged", "split", "several", "site", "certainty", "state", "findings"]
States = tuple["Mapping[str, str]", "Mapping[str, str]"]


_OF = r"(?:-|(?P<{}>.+?) L\d+(?:, L\d+)*)"
_HEAD = re.compile(rf"\[{_OF.format('first')} \| {_OF.format('second')}\]")
"""How a note begins, as ``_draft`` writes it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing to be settled."""

    differs: tuple[Differs, ...]
    ones: tuple[str, ...]
    """Ids in the first reader's map."""
    others: tuple[str, ...]
    """Ids in the second reader's map."""
    site: str
    """Primary site, as the consensus starts."""
    words: str
    """What either says: ``certainty: definite | probable``; empty where one has nothing."""
    place_lps_mm: Point | None
    """Where to look; None without a skeleton and a drawing."""
    lesions: tuple[str, ...]
    """Ids in the consensus map; empty: taken off it, or not started."""
    settled: bool


def start_consensus(
    one: VisitFacts, other: VisitFacts, started: LesionMap, states: States | None = None
) -> tuple[LesionMap, tuple[Difference, ...]]:
    """Start the map of the consensus from those of two readers.

    Parameters
    ----------
    one, other : VisitFacts
        The same visit as two readers marked it; both signed.
    started : LesionMap
        Of the reader ``consensus``, as it is. Lesions in it are taken off, and the new ones have new ids.
    states : pair of mapping of str to str, optional
        Lesion id to its state (``new``, ``worsened``) as either reader's visits say it.

    Returns
    -------
    LesionMap, tuple of Difference
        A lesion that both have carries all sites of both, the first reader's drawings (and the second's on Series where
        the first has none), the first reader's tracks, and the less certain of both words. Where several of one
        reader are one of the other, they stay the first reader's. What either finds stays where the other says the
        same, or nothing.

    Raises
    ------
    LesionmapError
        If one has not signed, or the maps are not of two readers of one visit.
    """
    for facts in (one, other):
        if not facts.lesion_map.signed:
            raise LesionmapError(
                f"a consensus starts from two signed maps, that of {facts.lesion_map.reader} of visit "
                f"{facts.visit.key} is not; sign it in the window first"
            )
    drafts = _drafts(one, other, states)
    empty = replace(started, lesions=(), answers=(), used=max(started.used, _highest(started)))
    new = append_lesions(empty, [lesion for draft in drafts for lesion in draft.lesions])
    return new, _listed(drafts, new, one)


def differences(
    one: VisitFacts, other: VisitFacts, consensus: LesionMap | None = None, states: States | None = None
) -> tuple[Difference, ...]:
    """List what two readers of a visit do not say alike, and whether the consensus has settled it.

    Parameters
    ----------
    one, other : VisitFacts
        The same visit as two readers marked it.
    consensus : LesionMap, optional
        As it is now; without it nothing is settled.
    states : pair of mapping of str to str, optional
        As for ``start_consensus``.
    """
    return _listed(_drafts(one, other, states), consensus, one)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What becomes of lesions that are one and the same."""

    shared: Shared
    lesions: tuple[Lesion, ...]
    differs: tuple[Differs, ...]
    words: str


def _drafts(one: VisitFacts, other: VisitFacts, states: States | None) -> list[_Draft]:
    return [
        _draft(one.lesion_map, other.lesion_map, shared, states or ({}, {})) for shared in match_readers(one, other)
    ]


def _draft(first: LesionMap, second: LesionMap, shared: Shared, states: States) -> _Draft:
    ones, others = [first.lesion(x) for x in shared.ones], [second.lesion(x) for x in shared.others]
    told = _compared(ones, others, states)
    if shared.kind != "same":
        told = {shared.kind: f"{_ids(first, ones)} | {_ids(second, others)}", **told}
    head = f"[{_ids(first, ones)} | {_ids(second, others)}]"
    notes = [f"{m.reader}: {x.note}" for m, all_ in ((first, ones), (second, others)) for x in all_ if x.note]
    words = "; ".join(f"{what}: {said}" for what, said in told.items() if what not in ("only_first", "only_second"))
    note = "\n".join([f"{head} {words}".strip(), *notes])
    lesions = tuple(replace(x, id="", note=note) for x in _joined(ones, others))
    return _Draft(shared, lesions, tuple(told), words)


def _ids(lesion_map: LesionMap, lesions: Sequence[Lesion]) -> str:
    return f"{lesion_map.reader} {', '.join(x.id for x in lesions)}" if lesions else "-"


def _compared(ones: Sequence[Lesion], others: Sequence[Lesion], states: States) -> dict[Differs, str]:
    """Give what two readers say otherwise of lesions that both have, in words."""
    if not ones or not others:
        return {}
    said: dict[Differs, tuple[set[str], set[str]]] = {
        "site": ({known(x.sites[0]).name for x in ones}, {known(x.sites[0]).name for x in others}),
        "certainty": ({x.certainty for x in ones}, {x.certainty for x in others}),
        "state": tuple(
            {state for x in lesions if (state := x.change or own.get(x.id, ""))}
            for lesions, own in zip((ones, others), states, strict=True)
        ),  # type: ignore[dict-item]
        "findings": _findings(ones, others),
    }
    return {
        what: f"{', '.join(sorted(a)) or '-'} | {', '.join(sorted(b)) or '-'}"
        for what, (a, b) in said.items()
        if a != b and (what != "state" or (a and b))
    }


def _findings(ones: Sequence[Lesion], others: Sequence[Lesion]) -> tuple[set[str], set[str]]:
    """Give the attributes of which either reader says another thing; what one did not assess is no difference."""
    found: tuple[set[str], set[str]] = (set(), set())
    for field in fields(Attributes):
        a, b = ({getattr(x.attributes, field.name) for x in lesions} - {None} for lesions in (ones, others))
        if a and b and a != b:
            for side, values in zip(found, (a, b), strict=True):
                side.update(f"{field.name.replace('_', ' ')} {_word(value)}" for value in values)
    return found


def _word(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _joined(ones: Sequence[Lesion], others: Sequence[Lesion]) -> list[Lesion]:
    """Make the lesions of the consensus: the first reader's, with what the second adds."""
    if not ones or not others:
        return [replace(x, certainty=_weaker([x.certainty, "equivocal"])) for x in (*ones, *others)]
    alone = len(ones) == 1
    return [
        replace(
            x,
            sites=tuple(dict.fromkeys([*x.sites, *(name for y in others for name in y.sites if alone)])),
            certainty=_weaker([x.certainty, *(y.certainty for y in others)]),
            extents=(*x.extents, *(_more(x, others[0]) if alone and len(others) == 1 else ())),
            attributes=_attributes(x, others),
            change=x.change if all(y.change == x.change for y in others) else None,
            physis=x.physis if all(y.physis == x.physis for y in others) else None,
        )
        for x in ones
    ]


def _weaker(words: Sequence[Certainty]) -> Certainty:
    return max(words, key=get_args(Certainty).index)


def _more(lesion: Lesion, other: Lesion) -> tuple[Extent, ...]:
    have = {(x.series, x.phase) for x in lesion.extents}
    return tuple(x for x in other.extents if (x.series, x.phase) not in have)


def _attributes(lesion: Lesion, others: Sequence[Lesion]) -> Attributes:
    values = {}
    for field in fields(Attributes):
        said = {getattr(x.attributes, field.name) for x in (lesion, *others)} - {None}
        values[field.name] = said.pop() if len(said) == 1 else None
    return Attributes(**values)


def _highest(lesion_map: LesionMap) -> int:
    return max((int(x.id[1:]) for x in lesion_map.lesions if x.id[1:].isdecimal()), default=0)


# ---- the list -------------------------------------------------------------------------------------------------------


def _listed(drafts: Sequence[_Draft], consensus: LesionMap | None, facts: VisitFacts) -> tuple[Difference, ...]:
    return tuple(_difference(draft, consensus, facts) for draft in drafts if draft.differs)


def _difference(draft: _Draft, consensus: LesionMap | None, facts: VisitFacts) -> Difference:
    here = [x for x in consensus.lesions if _head(x) == _head(draft.lesions[0])] if consensus else []
    as_begun = [_compact(x) for x in here] == [_compact(x) for x in draft.lesions]
    return Difference(
        draft.differs,
        draft.shared.ones,
        draft.shared.others,
        draft.lesions[0].sites[0],
        draft.words,
        _place(draft.lesions[0], facts),
        tuple(x.id for x in here),
        settled=consensus is not None and (consensus.signed or not as_begun),
    )


def named_in(consensus: LesionMap) -> tuple[str, str]:
    """Give the names of both readers as the notes tell them; empty: no lesion of this one is left."""
    heads = [found for lesion in consensus.lesions if (found := _HEAD.match(lesion.note))]
    first, second = (next((head[who] for head in heads if head[who]), "") for who in ("first", "second"))
    return first, second


def _head(lesion: Lesion) -> str:
    return lesion.note.partition("]")[0]


def _compact(lesion: Lesion) -> Lesion:
    """Leave out what settles nothing: number, tracks and note."""
    return replace(lesion, id="", tracks=(), note="")


def _place(lesion: Lesion, facts: VisitFacts) -> Point | None:
    views = [series for series in facts.visit.series if series.projection]
    on_views = placement_on(facts.visit, facts.placement, views[0]) if views else None
    found = drawn_place(lesion, facts.placement, on_views, projections=[x.name for x in views])
    if found is not None:
        x, y, z = found[2].tolist()
        return x, y, z
    return None if facts.placement is None else site_middle(lesion.sites[0], facts.placement)
