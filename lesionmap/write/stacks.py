"""The stations of a Series as stacks of slices: each on one regular grid and of one DICOM series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.read.source import SourceSlice, source_slices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lesionmap.space import Grid
    from lesionmap.visits import Series, Station

__all__ = ["SourceStack", "from_nifti", "stacks_of"]

_ON_LATTICE = 0.05
"""Voxels by which slices may be off the lattice of the others and still stand on one stack with them."""


@dataclass(frozen=True, slots=True)
class SourceStack:
    """Stations of one DICOM series on one stack of slices, mostly one."""

    grid: Grid
    """Over all of them; slices between two stations belong to none."""
    stations: tuple[tuple[Station, int], ...]
    """Each with the slice of ``grid`` at which it begins."""

    @property
    def first(self) -> Station:
        """The station whose file tells of patient and study."""
        return self.stations[0][0]

    def slices(self) -> frozenset[int]:
        """Give the slices of ``grid`` that are an image."""
        return frozenset(k for station, low in self.stations for k in range(low, low + station.grid.shape[2]))

    def sources(self, wanted: Iterable[int], *, projection: bool) -> list[SourceSlice]:
        """Read the headers of slices, in their order.

        Raises
        ------
        LesionmapError
            If an image is not there any more.
        """
        found: dict[int, SourceSlice] = {}
        slices = sorted(wanted)
        for station, low in self.stations:
            own = [k - low for k in slices if low <= k < low + station.grid.shape[2]]
            found |= {k + low: one for k, one in source_slices(station, own, projection=projection).items()}
        return [found[k] for k in slices]


def from_nifti(series: Series) -> bool:
    """Say whether a Series was read from NIfTI, and so has no DICOM images to lay anything on."""
    return not all(station.series_uid for station in series.stations)


def stacks_of(series: Series) -> tuple[SourceStack, ...]:
    """Part the stations of a Series into stacks, in the order of the stations.

    Raises
    ------
    LesionmapError
        If the images do not say in which frame of reference they lie.
    """
    if not series.projection and not all(station.frame_uid for station in series.stations):
        raise LesionmapError(
            f"a DICOM SEG needs the Frame of Reference UID of its images, those of series {series.name!r} have none; "
            "export it with --nifti"
        )
    groups: list[list[tuple[Station, int]]] = []
    for station in series.stations:
        for group in groups:
            low = _slice_on(group, station)
            if low is not None:
                group.append((station, low))
                break
        else:
            groups.append([(station, 0)])
    return tuple(_stack(group) for group in groups)


def _slice_on(group: list[tuple[Station, int]], station: Station) -> int | None:
    """Give the slice at which a station begins on the stack of others; None where it is another stack."""
    first = group[0][0]
    same = (station.series_uid, station.frame_uid, station.moved_mm, station.grid.shape[:2])
    if same != (first.series_uid, first.frame_uid, first.moved_mm, first.grid.shape[:2]):
        return None
    matrix = first.grid.voxel_from_lps @ station.grid.lps_from_voxel
    low = round(float(matrix[2, 3]))
    off = np.abs((matrix[:3, :3] - np.eye(3)) @ (np.array(station.grid.shape) - 1))
    if (off + np.abs(matrix[:3, 3] - [0, 0, low])).max() > _ON_LATTICE:
        return None
    apart = all(low + station.grid.shape[2] <= k or k + other.grid.shape[2] <= low for other, k in group)
    return low if apart else None


def _stack(group: list[tuple[Station, int]]) -> SourceStack:
    first = group[0][0].grid
    low = min(k for _, k in group)
    high = max(k + station.grid.shape[2] for station, k in group)
    grid = first.crop((0, 0, low), (*first.shape[:2], high - low)) if len(group) > 1 else first
    return SourceStack(grid, tuple((station, k - low) for station, k in group))
