"""What lesionmap writes of a lesion into the description of its segment, and reads again.

Codes do not bring a site back (many sites share one), so the site ids stand there as text, with the certainty and the
tracks: ``lesionmap lesion=L3 sites=tibia.diaphysis.left certainty=definite tracks=2.25.17``. The note and whatever
else a reader typed does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Certainty

if TYPE_CHECKING:
    from lesionmap.lesions import Lesion

__all__ = ["Told", "told", "understood"]

_MOST = 1024
"""Characters of a Segment Description (VR ST)."""
_PATTERN = re.compile(r"lesionmap lesion=(\S+) sites=(\S+) certainty=(\S+) tracks=(\S*)")


@dataclass(frozen=True, slots=True)
class Told:
    """What a segment written by lesionmap says of its lesion."""

    lesion: str
    sites: tuple[str, ...]
    certainty: Certainty
    tracks: tuple[str, ...]


def told(lesion: Lesion) -> str:
    """Put a lesion into the words of a segment description.

    Raises
    ------
    LesionmapError
        If its sites and tracks are too many for one.
    """
    words = (
        f"lesionmap lesion={lesion.id} sites={','.join(lesion.sites)} certainty={lesion.certainty} "
        f"tracks={','.join(lesion.tracks)}"
    )
    if len(words) > _MOST:
        raise LesionmapError(
            f"a DICOM segment describes its lesion in {_MOST} characters, {lesion.id} with {len(lesion.sites)} sites "
            f"and {len(lesion.tracks)} tracks takes {len(words)}; name a site group instead"
        )
    return words


def understood(text: str) -> Told | None:
    """Read the description of a segment; None where lesionmap did not write it.

    Examples
    --------
    >>> understood("lesionmap lesion=L3 sites=tibia.diaphysis.left certainty=definite tracks=2.25.17").sites
    ('tibia.diaphysis.left',)
    """
    found = _PATTERN.fullmatch(text.strip())
    if found is None:
        return None
    lesion, sites, certainty, tracks = found.groups()
    known: dict[str, Certainty] = {word: word for word in get_args(Certainty)}
    if certainty not in known:
        return None
    return Told(lesion, tuple(sites.split(",")), known[certainty], tuple(tracks.split(",")) if tracks else ())
