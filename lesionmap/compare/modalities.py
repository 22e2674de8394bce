"""Slices against the bone scan of one visit: which of them shows a lesion, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from lesionmap.skeleton import coverage, imaged
from lesionmap.visits import placement_on

if TYPE_CHECKING:
    from collections.abc import Collection

    from lesionmap.compare.facts import VisitFacts
    from lesionmap.lesions import Lesion
    from lesionmap.skeleton import Placement
    from lesionmap.visits import Visit

__all__ = ["MarkedOn", "Seen", "SiteSeen", "marked_on", "seen_by_site"]

Seen = Literal["lesion", "no lesion", "not imaged", "imaged in part", "not known"]
MarkedOn = Literal["", "slices", "scan", "both"]


_KINDS: dict[MarkedOn, tuple[str, ...]] = {
    "": (), "slices": ("slices",), "scan": ("scan",), "both": ("slices", "scan"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SiteSeen:
    """What slices and bone scan show at one site."""

    site: str
    """Primary site of a lesion."""
    slices: Seen
    scan: Seen
    lesions: tuple[str, ...]
    """Ids."""

    @property
    def agree(self) -> bool | None:
        """Whether both show a lesion; None where one of them does not tell."""
        told = ("lesion", "no lesion")
        return self.slices == self.scan if self.slices in told and self.scan in told else None


def marked_on(visit: Visit, lesion: Lesion) -> MarkedOn:
    """Say whether a lesion is marked on slices (MRI, CT), on a bone scan's planar views, or on both; empty: nowhere."""
    flat = {series.name for series in visit.series if series.projection}
    kinds = {extent.series in flat for extent in lesion.extents}
    if len(kinds) == 2:
        return "both"
    return "" if not kinds else "scan" if kinds == {True} else "slices"


def seen_by_site(facts: VisitFacts, *, counted: Collection[str] | None = None) -> tuple[SiteSeen, ...]:
    """Compare slices and bone scan of a visit, site by site; empty where it has not both.

    Parameters
    ----------
    facts : VisitFacts
        One visit.
    counted : collection of str, optional
        Ids of the lesions that count; all where not given. Lesions of a site alone are on neither.

    Returns
    -------
    tuple of SiteSeen
        A row for each primary site of a lesion, in the order of the map. What is not marked is *no lesion* only where
        the site was imaged on that kind of image, and something else was marked on it: else nobody knows it was read.
    """
    flat = [series for series in facts.visit.series if series.projection]
    if not flat or len(flat) == len(facts.visit.series):
        return ()
    wanted = [x for x in facts.lesion_map.lesions if counted is None or x.id in counted]
    on = {lesion.id: marked_on(facts.visit, lesion) for lesion in wanted}
    sites = dict.fromkeys(lesion.sites[0] for lesion in wanted if on[lesion.id])
    read = {kind for one in facts.lesion_map.lesions for kind in _KINDS[marked_on(facts.visit, one)]}
    scan, by_slices = placement_on(facts.visit, facts.placement, flat[0]), _by_slices(facts)
    rows = []
    for site in sites:
        here = [lesion.id for lesion in wanted if lesion.sites[0] == site and on[lesion.id]]
        shown = [
            _seen(any(kind in _KINDS[on[x]] for x in here), placement if kind in read else None, site)
            for kind, placement in (("slices", by_slices), ("scan", scan))
        ]
        rows.append(SiteSeen(site, shown[0], shown[1], tuple(here)))
    return tuple(rows)


def _seen(marked: bool, placement: Placement | None, site: str) -> Seen:
    if marked:
        return "lesion"
    words: dict[str, Seen] = {"imaged": "no lesion", "not_imaged": "not imaged", "partly": "imaged in part"}
    return words.get(imaged(placement, site), "not known")


def _by_slices(facts: VisitFacts) -> Placement | None:
    """Give the placement with the coverage of the slices alone."""
    if facts.placement is None:
        return None
    grids = [station.grid for one in facts.visit.series if not one.projection for station in one.stations]
    return replace(facts.placement, coverage=coverage(facts.placement, grids))
