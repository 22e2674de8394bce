"""A TID 1500 report by another program: its findings as lesions, as far as they can be used.

One Tracking UID is one lesion, and a group without one is one too. A finding site becomes a site of the skeleton where
its codes are those of exactly one; where they are not, the place of what is drawn has to tell. Numbers are told in
words and not kept: lesionmap computes its own.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Lesion
from lesionmap.read import srterms as terms
from lesionmap.read.srregions import Drawn, drawn_on, segmentations_beside
from lesionmap.read.srtree import ImageRef, Number, Region, same
from lesionmap.skeleton import Code, Group, Site, groups, known, sites

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lesionmap.lesions import Extent
    from lesionmap.read.srtree import Item
    from lesionmap.visits import Visit
    from lesionmap.write.codes import SiteCodes

__all__ = ["coded_site", "foreign_lesions"]


def foreign_lesions(path: Path, found: Sequence[Item], visit: Visit) -> tuple[tuple[Lesion, ...], tuple[str, ...]]:
    """Read the measurement groups of a report by another program.

    Parameters
    ----------
    path : Path
        Of the report.
    found : sequence of Item
        Its measurement groups.
    visit : Visit
        On whose images they were drawn; of a visit without images only the sites are read.

    Returns
    -------
    tuple of Lesion
        Definite, without a site where the file names none that is known; named L1, L2 … in the order of the file.
    tuple of str
        What was left out, and what was measured, in words.

    Raises
    ------
    LesionmapError
        If no group has a known site or a region.
    """
    by_track: dict[str, list[Item]] = {}
    for n, group in enumerate(found):
        by_track.setdefault(group.value_of(terms.TRACKING_UID, str) or f"group {n + 1}", []).append(group)
    lesions: list[Lesion] = []
    remarks: list[str] = []
    for track, own in by_track.items():
        sites_told = tuple(dict.fromkeys(site for group in own for site in _sites(group)))
        extents = _extents(path, own, visit) if visit.series else ()
        if not (sites_told or extents):
            remarks.append(f"{_name(own[0])}: names no site that is known and draws nothing that can be read; left out")
            continue
        tracks = () if track.startswith("group") else (track,)
        lesions.append(Lesion(f"L{len(lesions) + 1}", sites_told, tracks=tracks, extents=tuple(extents)))
        remarks += [f"L{len(lesions)}: {words}" for group in own if (words := _measured(group))]
    if not lesions:
        raise LesionmapError(
            f"{path.name} has {len(found)} measurement groups, none of them with a finding site that is known or a "
            "region on the images of this visit; mark its lesions by --sites or --mask"
        )
    return tuple(lesions), tuple(remarks)


def _name(group: Item) -> str:
    """Name a group without its own words: they may name people."""
    finding = group.value_of(terms.FINDING, Code)
    return f"a finding ({finding.meaning})" if finding else "a finding"


def _sites(group: Item) -> list[str]:
    """Give the sites that a group codes and that are known."""
    found = []
    for item in group.named(terms.FINDING_SITE):
        modifiers, side = item.values(terms.MODIFIER, Code), item.value_of(terms.LATERALITY, Code)
        site = coded_site(item.value, modifiers, side) if isinstance(item.value, Code) else None
        if site is not None:
            found.append(site)
    return found


def coded_site(region: Code, modifiers: Sequence[Code] = (), laterality: Code | None = None) -> str | None:
    """Give the site or site group that codes stand for; None where they stand for none or for several.

    A modifier that is not known is passed over: what is left is the bone.

    Examples
    --------
    >>> coded_site(Code("12611008", "SCT", "Tibia"), [], Code("7771000", "SCT", "Left"))
    'tibia.left'
    """
    fitting = [
        (name, codes.modifiers)
        for name, codes in _coded().items()
        if same(region, codes.region) and _same_side(laterality, codes.laterality)
    ]
    exact = [
        name
        for name, own in fitting
        if len(own) == len(modifiers) and all(any(same(x, y) for x in modifiers) for y in own)
    ]
    whole = [name for name, own in fitting if not own]
    return _all_of(exact) or _all_of(whole)


def _all_of(names: Sequence[str]) -> str | None:
    """Give the one of some places that holds all the others; None where there is none.

    A bone of one site is named as the site, one of several as the group.
    """
    held = {name: {name} if isinstance(place := known(name), Site) else set(place.sites) for name in names}
    order = sorted(names, key=lambda name: (-len(held[name]), isinstance(known(name), Group)))
    return order[0] if order and all(held[name] <= held[order[0]] for name in order) else None


def _same_side(one: Code | None, other: Code | None) -> bool:
    return one is None if other is None else one is not None and same(one, other)


@cache
def _coded() -> Mapping[str, SiteCodes]:
    """Give the codes of every site and group that has codes of its own."""
    from lesionmap.write.codes import site_codes

    names = [*(site.id for site in sites()), *(group.id for group in groups())]
    return {name: codes for name in names if not (codes := site_codes(name)).region_is_parent}


def _extents(path: Path, own: Sequence[Item], visit: Visit) -> list[Extent]:
    references = [ref for group in own for ref in group.values(terms.SEGMENT, ImageRef)]
    regions = [
        (item, image.value)
        for group in own
        for item in group.children
        if item.kind == "SCOORD" and isinstance(item.value, Region) and item.value.kind in ("POLYLINE", "POINT")
        for image in item.children
        if isinstance(image.value, ImageRef)
    ]
    return drawn_on(Drawn(tuple(references), tuple(regions)), visit, segmentations_beside(path, references))


def _measured(group: Item) -> str:
    """Put the numbers of a group into words."""
    words = []
    for item in group.children:
        if isinstance(item.value, Number) and item.name is not None:
            how = item.value_of(terms.DERIVATION, Code)
            derived = f" ({how.meaning})" if how else ""
            words.append(f"{item.name.meaning}{derived} {item.value.value:g} {item.value.unit.value}")
    return ", ".join(words)
