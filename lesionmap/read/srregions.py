"""What a DICOM SR refers to (segments, regions, points) as the Extents of a lesion on the Series of a visit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, Mask
from lesionmap.read.header import broken
from lesionmap.read.regions import pixels_inside
from lesionmap.read.seg import read_seg
from lesionmap.read.segplace import extents_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from lesionmap.read.seg import ReadSeg, ReadSegment
    from lesionmap.read.srtree import ImageRef, Item, Region
    from lesionmap.visits import Series, Station, Visit

__all__ = ["Drawn", "drawn_on", "segmentations_beside"]


def segmentations_beside(path: Path, references: Iterable[ImageRef]) -> dict[str, ReadSeg]:
    """Find the Segmentations that a report refers to, by their SOP Instance UID, in the folder of the report.

    Raises
    ------
    LesionmapError
        If one of them is not there.
    """
    wanted = {one.uid for one in references}
    found: dict[str, ReadSeg] = {}
    for file in sorted(path.parent.iterdir()) if wanted else ():
        uid = _uid(file) if file.is_file() and file != path else ""
        if uid in wanted and uid not in found:
            found[uid] = read_seg(file)
    missing = wanted - set(found)
    if missing:
        raise LesionmapError(
            f"{path.name} refers to {len(wanted)} DICOM SEG files, {len(missing)} of them are not beside it; "
            "put them into the folder of the report"
        )
    return found


def _uid(file: Path) -> str:
    from pydicom import dcmread

    try:
        return str(dcmread(file, specific_tags=["SOPInstanceUID"], stop_before_pixels=True).get("SOPInstanceUID", ""))
    except broken():
        return ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one or more groups refer to."""

    segments: tuple[ImageRef, ...] = ()
    regions: tuple[tuple[Item, ImageRef], ...] = ()
    """SCOORD items with the image that each is drawn on."""


def drawn_on(drawn: Drawn, visit: Visit, segs: Mapping[str, ReadSeg], series_name: str | None = None) -> list[Extent]:
    """Bring segments and regions onto the Series of a visit.

    Parameters
    ----------
    drawn : Drawn
        Of one lesion.
    visit : Visit
        Of whose images it is.
    segs : mapping
        SOP Instance UID to Segmentation.
    series_name : str, optional
        The Series on which all of it must lie.

    Returns
    -------
    list of Extent
        One for each Series, in the order of the visit: a mask of segments and closed lines, else a marker.

    Raises
    ------
    LesionmapError
        If a segment is not in its file, or an image is not in the visit.
    """
    masks: dict[str, list[Mask]] = defaultdict(list)
    points: dict[str, tuple[float, float, float]] = {}
    parts = [(segs[one.uid], _segment(segs[one.uid], one)) for one in drawn.segments]
    for extent in extents_of(parts, visit, series_name) if parts else []:
        masks[extent.series] += [extent.mask] if extent.mask else []
    for item, image in drawn.regions:
        series, station, k = _slice_of(image, visit, series_name)
        mask = _filled(item.value, station, k)
        on_series = mask.on(series.grid) if mask else None
        if on_series is not None:
            masks[series.name].append(on_series)
        else:
            x, y, z = station.grid.lps([*(item.value.points.mean(axis=0) - 0.5), k]).tolist()
            points[series.name] = (x, y, z)
    found = []
    for series in visit.series:
        if masks[series.name]:
            found.append(Extent(series.name, Mask.united(masks[series.name]), None, series.phase))
        elif series.name in points:
            found.append(Extent(series.name, None, points[series.name], series.phase))
    return found


def _filled(region: Region, station: Station, k: int) -> Mask | None:
    """Fill a closed line on slice k of a station; None for a point, or a line around no pixel's centre."""
    if region.kind == "POINT":
        return None
    pixels = pixels_inside([region.points], station.grid.shape[:2])
    if not len(pixels):
        return None
    return Mask.of_voxels(np.column_stack([pixels, np.full(len(pixels), k)]), station.grid)


def _segment(seg: ReadSeg, reference: ImageRef) -> ReadSegment:
    for segment in seg.segments:
        if segment.number == reference.segment:
            return segment
    raise LesionmapError(
        f"the report refers to segment {reference.segment} of {seg.path}, which has no such segment; export both again"
    )


def _slice_of(image: ImageRef, visit: Visit, series_name: str | None) -> tuple[Series, Station, int]:
    """Find the slice that an image of a report is."""
    for series in (visit.series_named(series_name),) if series_name else visit.series:
        for station in series.stations:
            k = 0
            for file in station.files:
                for index in file.frames or (None,):
                    if file.uid == image.uid and (index is None or image.frame in (None, index + 1)):
                        return series, station, k
                    k += 1
    raise LesionmapError(
        f"a region of the report lies on an image that is not in visit {visit.key}; import the images it was drawn on"
    )
