"""Yes or no of each reader at each site, and each region, of a visit that was imaged there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lesionmap.skeleton import imaged, members, sites

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.compare import VisitFacts
    from lesionmap.measure import Count
    from lesionmap.skeleton import Site

__all__ = ["rate_regions", "rate_sites", "region_of"]

Ratings = dict[str, tuple[bool, ...]]


def region_of(site: Site) -> str:
    """Name the region of a site with its side, as ``foot.left``."""
    return f"{site.region}.{site.side}"


def rate_sites(facts: Sequence[VisitFacts], counts: Sequence[Count]) -> tuple[Ratings, Counter[str]]:
    """Say for each site of a visit which readers marked it with a lesion that counts.

    Parameters
    ----------
    facts : sequence of VisitFacts
        One visit, as each reader marked it.
    counts : sequence of Count
        Of each.

    Returns
    -------
    dict of str to tuple of bool
        Site id to *yes* or *no* of each reader; sites that were imaged whole. A site that only a group holds (one of
        these, nobody knows which) has no rating, unless a lesion names it too.
    Counter
        Why sites have none, to how many of them.
    """
    marked = [_marked(x, count) for x, count in zip(facts, counts, strict=True)]
    found: Ratings = {}
    left: Counter[str] = Counter()
    for site in sites():
        how = imaged(facts[0].placement, site.id)
        if how != "imaged":
            left[_WORDS[how]] += 1
        elif any(site.id in vague and site.id not in sure for sure, vague in marked):
            left["in a group that a reader gave"] += 1
        else:
            found[site.id] = tuple(site.id in sure for sure, _ in marked)
    return found, left


_WORDS: Mapping[str, str] = {
    "not_imaged": "not imaged",
    "partly": "imaged in part",
    "unknown": "of which nobody knows whether they were imaged (no skeleton, or no images)",
}


def _marked(facts: VisitFacts, count: Count) -> tuple[set[str], set[str]]:
    """Give the sites that counted lesions name, and those that are one of a group."""
    sure: set[str] = set()
    vague: set[str] = set()
    for lesion in facts.lesion_map.lesions:
        if not count.of(lesion.id).counted:
            continue
        for name in lesion.sites:
            held = {site.id for site in members(name)}
            (sure if held == {name} else vague).update(held)
    return sure, vague


def rate_regions(facts: Sequence[VisitFacts], counts: Sequence[Count]) -> Ratings:
    """Say for each region and side of a visit which readers marked a lesion that counts in it.

    Regions of which all sites were imaged. A group within one region counts there; one over several leaves those of
    them that no other lesion lies in without a rating.
    """
    named = [_regions(x, count) for x, count in zip(facts, counts, strict=True)]
    whole: dict[str, bool] = {}
    for site in sites():
        seen = imaged(facts[0].placement, site.id) == "imaged"
        whole[region_of(site)] = whole.get(region_of(site), True) and seen
    return {
        region: tuple(region in sure for sure, _ in named)
        for region, seen in whole.items()
        if seen and not any(region in vague and region not in sure for sure, vague in named)
    }


def _regions(facts: VisitFacts, count: Count) -> tuple[set[str], set[str]]:
    sure: set[str] = set()
    vague: set[str] = set()
    for lesion in facts.lesion_map.lesions:
        if count.of(lesion.id).counted:
            for name in lesion.sites:
                held = {region_of(site) for site in members(name)}
                (sure if len(held) == 1 else vague).update(held)
    return sure, vague
