"""Visits made by hand for tests of the comparison."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from lesionmap.annotate import add_lesion, answer, change_lesion
from lesionmap.compare import VisitFacts
from lesionmap.lesions import LesionMap
from lesionmap.measure import Measurement
from lesionmap.visits import Visit

if TYPE_CHECKING:
    from lesionmap.lesions import Change, Verdict

__all__ = ["TIBIA", "replace_year", "sized", "visit", "worded"]

TIBIA = "tibia.distal_metaphysis.left"


def visit(year: int, *lesions: str | tuple[str, ...], **answers: Verdict) -> VisitFacts:
    """Give a visit whose lesions are named by their tracks, all at the left ankle."""
    lesion_map = LesionMap("P001", f"{year}-01-02", "anna")
    for tracks in lesions:
        lesion_map = add_lesion(lesion_map, sites=[TIBIA], track="x")
        named = (tracks,) if isinstance(tracks, str) else tracks
        lesion_map = change_lesion(lesion_map, lesion_map.lesions[-1].id, tracks=named)
    for track, verdict in answers.items():
        lesion_map = answer(lesion_map, track, verdict)
    return VisitFacts(Visit("P001", date(year, 1, 2)), lesion_map)


def sized(facts: VisitFacts, *volumes_ml: float | None, error_ml: float = 0.0, sequence: str = "STIR") -> VisitFacts:
    """Give the volumes of its lesions, in their order; None: a marker."""
    found = {
        lesion.id: (Measurement("s", "MR", sequence, volume_ml=ml, volume_error_ml=error_ml, why_not="a marker; x"),)
        for lesion, ml in zip(facts.lesion_map.lesions, volumes_ml, strict=True)
    }
    return replace(facts, measurements=found)


def worded(facts: VisitFacts, *words: Change) -> VisitFacts:
    """Give the reader's own words on its lesions, in their order."""
    lesion_map = facts.lesion_map
    for lesion, word in zip(lesion_map.lesions, words, strict=True):
        lesion_map = change_lesion(lesion_map, lesion.id, change=word)
    return replace(facts, lesion_map=lesion_map)


def replace_year(facts: VisitFacts, year: int) -> VisitFacts:
    """Move the visit to another year."""
    moved = replace(facts.visit, date=date(year, 1, 2))
    return replace(facts, visit=moved, lesion_map=replace(facts.lesion_map, visit=moved.key))
