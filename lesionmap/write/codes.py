"""Coded sites for DICOM: anatomic region, modifier and laterality of a site, as plain values.

The codes are those of ``bones.toml``: SNOMED CT as DICOM uses it for the bone or the group, FMA (or SNOMED CT) for the
segment. Many sites share a code, so nothing is ever read back from codes: exports keep the site id as text beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lesionmap.skeleton import Code, Site, known, mirror

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["BILATERAL", "LEFT", "RIGHT", "SiteCodes", "site_codes"]

RIGHT = Code("24028007", "SCT", "Right")
LEFT = Code("7771000", "SCT", "Left")
BILATERAL = Code("51440002", "SCT", "Bilateral")
"""DICOM CID 244, Laterality."""


@dataclass(frozen=True, slots=True)
class SiteCodes:
    """A site, or the sites of a lesion, in codes."""

    region: Code
    """Anatomic region: the bone, the joint, the group; the nearest parent that has a code where it has none."""
    region_is_parent: bool
    """True where ``region`` is larger than the bone or group itself; the text then says which is meant."""
    modifiers: tuple[Code, ...]
    """The segment of the bone, where it has a code."""
    laterality: Code | None
    """None for the midline."""
    text: str
    """Readable name of the primary site: ``left distal tibial metaphysis``."""


def site_codes(sites: str | Sequence[str]) -> SiteCodes:
    """Give the codes of a site or site group, or of the sites of a lesion: those of the first, its primary one.

    Parameters
    ----------
    sites : str or sequence of str
        Site ids or site groups. A lesion that names its primary site on both sides is bilateral.

    Returns
    -------
    SiteCodes

    Raises
    ------
    LesionmapError
        If a name is not known.

    Examples
    --------
    >>> found = site_codes("tibia.distal_metaphysis.left")
    >>> found.region.meaning, [x.value for x in found.modifiers], found.laterality.meaning
    ('Tibia', ['32824'], 'Left')
    """
    names = (sites,) if isinstance(sites, str) else tuple(sites)
    place = known(names[0])
    segment = place.segment_code if isinstance(place, Site) else None
    other = mirror(names[0])
    both = other != names[0] and other in names
    one_side = {"left": LEFT, "right": RIGHT, "midline": None}[place.side]
    return SiteCodes(
        region=place.code,
        region_is_parent=place.code_is_parent,
        modifiers=() if segment is None else (segment,),
        laterality=BILATERAL if both else one_side,
        text=place.name,
    )
