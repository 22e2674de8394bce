"""Two lesions become one, one becomes several."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, TypeVar, get_args

import numpy as np

from lesionmap.annotate.edit import append_lesions, change_lesion, remove_lesion, require_open
from lesionmap.annotate.masks import split_components
from lesionmap.annotate.places import middle_of
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Attributes, Certainty, Extent, Mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lesionmap.lesions import Lesion, LesionMap

_Word = TypeVar("_Word", bound=str)

__all__ = ["merge_lesions", "parts_by_component", "parts_by_track", "split_lesion"]


def merge_lesions(lesion_map: LesionMap, lesion_ids: Sequence[str]) -> LesionMap:
    """Make one lesion of several; it keeps the id of the first.

    Sites, tracks and notes are joined, the first lesion's first; masks on the same Series and phase become one mask;
    the certainty is the surest. The reader's word on change and physis stays where all that were said agree.

    Raises
    ------
    LesionmapError
        If the map is signed, has not these lesions, or fewer than two different ones are named.
    """
    require_open(lesion_map)
    lesions = [lesion_map.lesion(name) for name in dict.fromkeys(lesion_ids)]
    if len(lesions) < 2:
        raise LesionmapError(f"to merge takes two or more lesions, got {', '.join(lesion_ids) or 'none'}")
    rank = get_args(Certainty)
    merged = change_lesion(
        lesion_map,
        lesions[0].id,
        sites=_each_once(name for x in lesions for name in x.sites),
        certainty=min((x.certainty for x in lesions), key=rank.index),
        tracks=_each_once(track for x in lesions for track in x.tracks),
        extents=_joined([extent for x in lesions for extent in x.extents]),
        attributes=reduce(_first_said, (x.attributes for x in lesions)),
        change=_agreed([x.change for x in lesions]),
        physis=_agreed([x.physis for x in lesions]),
        note="; ".join(_each_once(x.note for x in lesions if x.note)),
    )
    return reduce(remove_lesion, (x.id for x in lesions[1:]), merged)


def split_lesion(lesion_map: LesionMap, lesion_id: str, parts: Sequence[Lesion]) -> LesionMap:
    """Make several lesions of one.

    Parameters
    ----------
    lesion_map : LesionMap
        Left as it is.
    lesion_id : str
        Which one.
    parts : sequence of Lesion
        What becomes of it, their ids not looked at: ``parts_by_component`` or ``parts_by_track`` of the lesion,
        changed as the reader likes. The first keeps the id and place of the lesion, the others get new ids.

    Raises
    ------
    LesionmapError
        If the map is signed, there are fewer than two parts, or a track of the lesion would be lost.
    """
    require_open(lesion_map)
    lesion = lesion_map.lesion(lesion_id)
    if len(parts) < 2:
        raise LesionmapError(f"to split lesion {lesion_id} takes two or more parts, got {len(parts)}")
    lost = sorted(set(lesion.tracks) - {track for part in parts for track in part.tracks})
    if lost:
        raise LesionmapError(f"splitting lesion {lesion_id} would lose track {', '.join(lost)}; give it to a part")
    first = parts[0]
    kept = change_lesion(
        lesion_map,
        lesion_id,
        sites=first.sites,
        certainty=first.certainty,
        tracks=first.tracks,
        extents=first.extents,
        attributes=first.attributes,
        change=first.change,
        physis=first.physis,
        note=first.note,
    )
    return append_lesions(kept, parts[1:])


def parts_by_component(lesion: Lesion) -> tuple[Lesion, ...]:
    """Cut a lesion into the 26-neighbour components of its mask, all on the lesion's tracks.

    The Extent with the most components leads; components and markers on other Series go to the nearest of them
    (LPS mm between middles). One part if no mask falls apart.
    """
    pieces = [[replace(extent, mask=mask) for mask in _components(extent)] for extent in lesion.extents]
    lead = max(pieces, key=len, default=[])
    if len(lead) < 2:
        return (lesion,)
    middles = np.array([middle_of(extent) for extent in lead])
    shares: list[list[Extent]] = [[] for _ in lead]
    for piece in (piece for some in pieces for piece in some):
        middle = middle_of(piece)
        near = 0 if middle is None else int(np.argmin(np.linalg.norm(middles - middle, axis=1)))
        shares[near].append(piece)
    return tuple(replace(lesion, extents=_joined(share)) for share in shares)


def parts_by_track(lesion: Lesion) -> tuple[Lesion, ...]:
    """Cut a lesion into one part for each of its tracks.

    The first part keeps what is drawn; the others keep the sites and are to be drawn anew, so that no voxel is
    measured twice.
    """
    first, *others = (replace(lesion, tracks=(track,)) for track in lesion.tracks)
    return (first, *(replace(part, extents=()) for part in others))


def _components(extent: Extent) -> tuple[Mask | None, ...]:
    return (None,) if extent.mask is None else split_components(extent.mask)


def _joined(extents: Sequence[Extent]) -> tuple[Extent, ...]:
    """Join masks on the same Series and phase; other Extents stay, equal ones once."""
    found: dict[tuple[object, ...], Extent] = {}
    for extent in extents:
        mask = extent.mask
        if mask is None:
            found.setdefault((extent,), extent)
            continue
        key = (extent.series, extent.phase, mask.grid)
        before = found.get(key)
        if before is not None and before.mask is not None:
            voxels = np.concatenate([before.mask.voxels(), mask.voxels()])
            found[key] = replace(before, mask=Mask.of_voxels(voxels, mask.grid))
        else:
            found[key] = extent
    return tuple(found.values())


def _each_once(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _agreed(said: Sequence[_Word | None]) -> _Word | None:
    words = {word for word in said if word is not None}
    return words.pop() if len(words) == 1 else None


def _first_said(one: Attributes, other: Attributes) -> Attributes:
    """Fill what is not assessed in one from the other."""
    values = {name: getattr(one, name) for name in Attributes.__dataclass_fields__}
    return Attributes(**{name: getattr(other, name) if value is None else value for name, value in values.items()})
