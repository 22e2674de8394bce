"""What a click proposes: an outline or a marker, and its sites. Touches no state; run in threads."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, Mask
from lesionmap.visits import planar_views
from napari_lesionmap.resolve import site_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lesionmap.segment import Click, Focus, HotSpot, PlateEvidence
    from lesionmap.skeleton import Placement, SeenSite
    from lesionmap.skeleton.placement import LabelMap
    from lesionmap.skeleton.seen import Face
    from lesionmap.space import Volume
    from lesionmap.visits import Series, Visit

    Points = NDArray[np.float64]

__all__ = [
    "Offer", "Proposal", "bones_of", "face_of", "marked", "muscle", "offers", "offers_seen", "plate_words", "propose",
    "propose_seen", "seen_words", "sites_of",
]  # fmt: skip

_MUSCLE_MM = 8.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a click proposes: sites, and what was drawn on the Series."""

    sites: tuple[str, ...]
    """The primary one first; empty where no bone is near."""
    extent: Extent
    words: str = ""
    """What the reader should know, as that no mask could be grown."""
    grown: Click | None = None
    """Gives the mask for other tolerances; None where there is none."""
    partners: tuple[Extent, ...] = ()
    """The same spot in the other view of a bone scan."""
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    """Pixels that were read for it, by name of the Series."""


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """A candidate, as it would be marked."""

    site: str
    reason: str
    """In words, without a full stop."""
    proposal: Proposal
    """Its extent has a mask on the Series that was searched."""

    @property
    def mask(self) -> Mask:
        """Its outline on the Series that was searched."""
        if self.proposal.extent.mask is None:  # not so: only what has an outline is offered
            raise LesionmapError(f"a candidate has an outline, that of {self.site} has none")
        return self.proposal.extent.mask


def offers(series: Series, volume: Volume, placement: Placement) -> tuple[tuple[Offer, ...], str]:
    """List bright marrow in slices; the words are empty."""
    from lesionmap.segment import candidates

    found = candidates(volume, placement, labels=bones_of(placement))
    made = [Proposal((one.site,), Extent(series.name, one.mask, None, series.phase)) for one in found]
    return tuple(Offer(one.site, one.reason, each) for one, each in zip(found, made, strict=True)), ""


def offers_seen(visit: Visit, series: Series, volume: Volume, placement: Placement) -> tuple[tuple[Offer, ...], str]:
    """List hot spots that a planar view shows, each with its partner in the other view; the words tell what is no bone.

    Parameters
    ----------
    visit, series, volume
        The view that is shown, and its counts; the other view is read.
    placement : Placement
        As it lies on the views.
    """
    from lesionmap.segment import planar_candidates

    views = planar_views(visit, series)
    mine = next((face for face, one in views.items() if one.name == series.name), None)
    if mine is None:
        raise LesionmapError(
            f"candidates are looked for in anterior and posterior views, got {series.name}; X shows the next series"
        )
    read = _both(views, series, volume)
    found = planar_candidates(read, placement)
    bone = [one for one in found if one.not_bone is None]
    here = [one for one in bone if mine in one.spots]
    hot = dict.fromkeys(one.not_bone for one in found if one.not_bone is not None)
    told = (
        f"left out as no bone: {', '.join(hot)}" if hot else "",
        f"{len(bone) - len(here)} more in the other view alone" if len(here) < len(bone) else "",
    )
    return tuple(_offer(one, mine, views, read) for one in here), "; ".join(filter(None, told))


def _offer(focus: Focus, mine: Face, views: Mapping[Face, Series], read: Mapping[Face, Volume]) -> Offer:
    """Make a focus what a click on it would propose."""
    extents = {face: _outlined(views[face], spot) for face, spot in focus.spots.items()}
    others = tuple(extent for face, extent in extents.items() if face != mine)
    first = focus.sites[0]
    volumes = {views[face].name: each for face, each in read.items()}
    proposal = Proposal((first.site,), extents[mine], partners=others, volumes=volumes)
    return Offer(first.site, f"site {first.confidence:.0%}; {focus.reason}", proposal)


def _both(views: Mapping[Face, Series], series: Series, volume: Volume) -> dict[Face, Volume]:
    """Give the counts of both views, of which one is at hand."""
    from lesionmap.read import pixels

    return {face: volume if one.name == series.name else pixels(one) for face, one in views.items()}


def _outlined(view: Series, spot: HotSpot) -> Extent:
    return Extent(view.name, spot.mask, None, view.phase)


def propose(
    series: Series, volume: Volume, seed_lps_mm: tuple[float, float, float], placement: Placement | None
) -> Proposal:
    """Grow a mask from a click and name its site; a marker where no mask can be grown.

    Parameters
    ----------
    series : Series
        That was clicked in.
    volume : Volume
        Its pixels.
    seed_lps_mm : (x, y, z)
        The click, LPS mm.
    placement : Placement, optional
        Without one no site is proposed.
    """
    from lesionmap.segment import click

    marker = marked(series, volume, seed_lps_mm, placement)
    try:
        bones = bones_of(placement) if placement is not None else None
        seed = _seed(volume, seed_lps_mm)
        grown = click(volume, seed, placement=placement, labels=bones, series=series)
        mask = grown.mask(grown.tolerance)
    except LesionmapError as error:
        return replace(marker, words=f"a marker was set, no outline: {error}")
    sites = sites_of(mask.lps_mm(), series, placement) or marker.sites
    return Proposal(sites, Extent(series.name, mask, None, series.phase), grown=grown)


def propose_seen(
    visit: Visit, series: Series, volume: Volume, seed_lps_mm: tuple[float, float, float], placement: Placement | None
) -> Proposal:
    """Grow the hot spot of a click on a planar view, and its partner in the other view: one lesion.

    Parameters
    ----------
    visit : Visit
    series : Series
        The view that was clicked in.
    volume : Volume
        Its counts.
    seed_lps_mm : (x, y, z)
        The click, LPS mm; y is not used.
    placement : Placement, optional
        As it lies on the views. Without one no site is proposed.
    """
    from lesionmap.segment import plate_evidence, sites_seen, spots_at

    views = planar_views(visit, series)
    read = _both(views, series, volume)
    try:
        spots = spots_at(read, seed_lps_mm)
    except LesionmapError as error:
        marker = marked(series, volume, seed_lps_mm, placement, visit)
        return replace(marker, words=f"a marker was set, no outline: {error}")
    extents = {face: _outlined(views[face], spot) for face, spot in spots.items()}
    main, *others = sorted(extents, key=lambda face: views[face].name != series.name)
    seen = sites_seen(spots, placement, seed_lps_mm) if placement is not None else ()
    evidence = plate_evidence(read, placement, seed_lps_mm) if placement is not None else None
    words = "; ".join(filter(None, (seen_words(seen), "" if others else "not seen in the other view")))
    return Proposal(
        tuple(one.site for one in seen[:1]),
        extents[main],
        "\n".join(filter(None, (words, plate_words(evidence) if evidence else ""))),
        partners=tuple(extents[face] for face in others),
        volumes={views[face].name: one for face, one in read.items()},
    )


def face_of(series: Series) -> Literal["anterior", "posterior"]:
    """Say from where a planar view is seen."""
    return "posterior" if series.plane == "posterior" else "anterior"


def marked(
    series: Series,
    volume: Volume,
    lps_mm: tuple[float, float, float],
    placement: Placement | None,
    visit: Visit | None = None,
) -> Proposal:
    """Propose a marker at a place (LPS mm), with its site; nothing is outlined.

    On a planar view of a visit the other view of the scan is marked at the same place.
    """
    seed = _seed(volume, lps_mm)
    pair = planar_views(visit, series).values() if visit is not None and series.projection else ()
    others = tuple(
        Extent(one.name, None, seed, one.phase) for one in pair if one.name != series.name and one.grid.contains(seed)
    )
    sites = sites_of(np.array([seed]), series, placement)
    return Proposal(sites, Extent(series.name, None, seed, series.phase), partners=others)


def muscle(volume: Volume, lps_mm: tuple[float, float, float]) -> Mask:
    """Give the reference region at a place (LPS mm) in muscle: a ball of 8 mm (assumed)."""
    return Mask.ball(volume.grid, _seed(volume, lps_mm), _MUSCLE_MM)


def _seed(volume: Volume, lps_mm: tuple[float, float, float]) -> tuple[float, float, float]:
    """Give the place itself; on a projection, in the middle of its depth."""
    if not volume.projection:
        return lps_mm
    i, j, _ = volume.grid.voxels(lps_mm).tolist()
    x, y, z = volume.grid.lps((i, j, 0.0)).tolist()
    return x, y, z


def sites_of(points_lps_mm: Points, series: Series, placement: Placement | None) -> tuple[str, ...]:
    """Propose the sites of what was drawn on a Series; on a planar view the most probable one."""
    from lesionmap.mark import proposed_sites
    from lesionmap.skeleton import locate_seen

    if placement is None:
        return ()
    if series.projection:
        seen = locate_seen(points_lps_mm.mean(axis=0), placement, face_of(series))
        return tuple(one.site for one in seen[:1])
    return proposed_sites(points_lps_mm, placement, bones_of(placement))


def bones_of(placement: Placement) -> Volume | None:
    """Give the bone label map of a placement, None where there is none; the last one read is kept."""
    return _bones_of(placement.labels)


@lru_cache(maxsize=1)
def _bones_of(told: LabelMap | None) -> Volume | None:
    from lesionmap.place import stored_labels

    return stored_labels(told)


def seen_words(seen: Sequence[SeenSite]) -> str:
    """Say which sites a place on a planar view may be.

    Examples
    --------
    ``Left distal tibial metaphysis (0.71)``, below it ``or left distal fibular metaphysis (0.18)``
    """
    told = [f"{site_name(one.site)} ({one.confidence:.2f})" for one in seen[:2]]
    return "\nor ".join([*told[:1], *(words[:1].lower() + words[1:] for words in told[1:])])


def plate_words(found: PlateEvidence) -> str:
    """Say how a spot at an open growth plate compares with the rest of its scan."""
    told = (
        (found.to_mirrored, "other side"),
        (found.to_shaft, "shaft"),
        (found.to_others, "other plates"),
    )
    ratios = ", ".join(f"{value:.1f} × {what}" for value, what in told if value is not None)
    return f"growth plate{', as usual here' if found.usual else ''}: {ratios}"
