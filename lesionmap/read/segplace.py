"""Segments of Segmentations, gathered to lesions and brought onto the Series of a visit that they were drawn on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, Mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lesionmap.read.seg import ReadMask, ReadSeg, ReadSegment
    from lesionmap.space import Grid
    from lesionmap.visits import Series, Station, Visit

__all__ = ["extents_of", "lesions_of", "on_visit", "told_grid", "told_grids"]

_OFF_VOXELS = 0.1
"""By how much a voxel may lie off one of the images and still be that one."""


def on_visit(one: ReadMask, seg: ReadSeg, visit: Visit, series_name: str | None = None) -> tuple[Series, Mask] | None:
    """Find the Series that a mask was drawn on, and bring it onto its grid.

    Parameters
    ----------
    one : ReadMask
        Of ``seg``.
    seg : ReadSeg
        Whose references say which images it was drawn on; where they do not help, the place of its voxels does.
    visit : Visit
    series_name : str, optional
        Look on this Series only.

    Returns
    -------
    (Series, Mask) or None
        None where no Series has these voxels. A voxel that two stations share is the same voxel of the Series.
    """
    chosen = (visit.series_named(series_name),) if series_name else visit.series
    stations = [(series, station) for series in chosen for station in series.stations]
    stations.sort(key=lambda pair: _kinship(one, seg, pair[1]), reverse=True)
    for series, station in stations:
        if not one.placed and not _kinship(one, seg, station)[0]:
            continue
        found = _on_station(one.mask, station) if one.placed else _by_source(one, station)
        if found is not None:
            on_series = found.on(series.grid)
            if on_series is not None:
                return series, on_series
        elif one.placed and (joined := _fitted(one.mask, series.grid)) is not None:
            return series, joined
    return None


def _kinship(one: ReadMask, seg: ReadSeg, station: Station) -> tuple[int, bool, bool]:
    """Say how surely a mask was drawn on a station: images shared, series shared, frame of reference shared."""
    own = set(_sources(station))
    uids = {uid for uid, number in own if number is None}
    shared = sum((uid, number) in own or uid in uids for uid, number in one.sources)
    return shared, station.series_uid in seg.series_uids, bool(seg.frame_uid) and station.frame_uid == seg.frame_uid


def _sources(station: Station) -> Iterator[tuple[str, int | None]]:
    """Give UID and frame (from 1; None: the file is one slice) of each slice of a station, in slice order."""
    for file in station.files:
        yield from ((file.uid, index + 1) for index in file.frames) if file.frames else ((file.uid, None),)


def _by_source(one: ReadMask, station: Station) -> Mask | None:
    """Lay a mask without position on the slice of a station that it names as its source."""
    if one.mask.grid.shape[:2] != station.grid.shape[:2]:
        return None
    for k, (uid, number) in enumerate(_sources(station)):
        if (uid, number) in one.sources or (uid, None) in one.sources:
            return Mask.of_voxels(one.mask.voxels() + np.array([0, 0, k]), station.grid)
    return None


def _on_station(mask: Mask, station: Station) -> Mask | None:
    """Give a mask that lies where the header says on the slices of a station, wherever the table was."""
    found = _fitted(mask, station.header_grid)
    return None if found is None else Mask.of_voxels(found.voxels(), station.grid)


def _fitted(mask: Mask, grid: Grid) -> Mask | None:
    """Give a mask on a grid that has its voxels, along whichever axes; None where it has others.

    Rows and columns must be as far apart as those of the grid. Slices may be farther: a frame names one slice.
    """
    steps = (grid.voxel_from_lps @ mask.grid.lps_from_voxel)[:3, :2]
    extent = np.array(mask.box.shape[:2])
    if np.any(np.abs(steps - np.rint(steps)) @ extent > 2 * _OFF_VOXELS) or np.any(np.abs(np.rint(steps)).sum(0) != 1):
        return None
    there = grid.voxels(mask.lps_mm())
    voxels = np.rint(there)
    if np.abs(there - voxels).max() > _OFF_VOXELS or np.any(voxels < 0) or np.any(voxels >= grid.shape):
        return None
    return Mask.of_voxels(voxels.astype(np.int_), grid)


def lesions_of(segs: Sequence[ReadSeg]) -> list[list[tuple[ReadSeg, ReadSegment]]]:
    """Gather the segments of each lesion, over all objects.

    Those that lesionmap wrote by their lesion and in its order, then the others: one Tracking UID is one lesion, and a
    segment without one is one too. Segments without a voxel are left out.

    Raises
    ------
    LesionmapError
        If no segment has a voxel.
    """
    found: dict[tuple[object, ...], list[tuple[ReadSeg, ReadSegment]]] = {}
    for seg in segs:
        for segment in (one for one in seg.segments if one.masks):
            told = segment.told
            if told is not None:
                number = int(told.lesion[1:]) if told.lesion[1:].isdecimal() else 0
                key: tuple[object, ...] = (0, number, told.lesion, seg.reader, told.tracks)
            elif segment.tracking_uid:
                key = (1, segment.tracking_uid)
            else:
                key = (1, seg.path, segment.number)
            found.setdefault(key, []).append((seg, segment))
    if not found:
        files = ", ".join(seg.path for seg in segs) or "none"
        raise LesionmapError(f"a segmentation with at least one voxel was expected, got {files} with nothing set")
    ours = sorted((key for key in found if key[0] == 0), key=lambda key: (key[1], key[2:]))
    return [found[key] for key in (*ours, *(key for key in found if key[0] == 1))]


def extents_of(parts: Sequence[tuple[ReadSeg, ReadSegment]], visit: Visit, series_name: str | None) -> list[Extent]:
    """Give the extents of a lesion: one for each series, on however many stations its segments lie.

    Raises
    ------
    LesionmapError
        If no series of the visit has the voxels of a segment.
    """
    on_series: dict[str, list[Mask]] = {}
    for seg, segment in parts:
        for one in segment.masks:
            found = on_visit(one, seg, visit, series_name)
            if found is None:
                candidates = (visit.series_named(series_name),) if series_name else visit.series
                raise LesionmapError(
                    f"segment {segment.number} of {seg.path} lies on {told_grid(one.mask.grid)}, which fit none of the "
                    f"series of visit {visit.key} ({told_grids(candidates)}); import the images that it was drawn on"
                )
            on_series.setdefault(found[0].name, []).append(found[1])
    order = [series for series in visit.series if series.name in on_series]
    return [Extent(one.name, Mask.united(on_series[one.name]), None, one.phase) for one in order]


def told_grids(candidates: Sequence[Series]) -> str:
    """Say in words which voxels series have, for a message."""
    return "; ".join(f"{series.name!r} has {told_grid(series.grid)}" for series in candidates) or "there is none"


def told_grid(grid: Grid) -> str:
    """Say in words which voxels a grid has, for a message."""
    spacing = " × ".join(f"{mm:.2f}" for mm in grid.spacing_mm)
    return f"{' × '.join(str(n) for n in grid.shape)} voxels of {spacing} mm"
