"""Measurements of an Extent: size, signal, place."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.measure.uptake import Uptake, uptake_of
from lesionmap.visits import placement_on, station_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lesionmap.lesions import Extent, Lesion, LesionMap, Mask, Physis
    from lesionmap.skeleton import Placement
    from lesionmap.space import Grid, Volume
    from lesionmap.visits import Phase, Reference, Series, Visit

__all__ = [
    "Measurement",
    "early_over_late",
    "main_measurement",
    "measure_extent",
    "measure_lesion",
    "measure_map",
    "reference_mean",
]

# Which of several Extents stands for the lesion: the fluid-sensitive sequence shows it best (domain: high on STIR/T2).
_MODALITIES = ("MR", "CT", "NM")
_SEQUENCES = ("STIR", "T2", "DWI", "ADC", "T1")


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was computed for one Extent. None is *not known*, never 0; ``why_not`` says why."""

    series: str = ""
    """Name of the Series; empty for a lesion with nothing drawn."""
    modality: str = ""
    sequence: str = ""
    volume_ml: float | None = None
    volume_error_ml: float | None = None
    """What half a slice more or less at both ends makes: the lesion ends somewhere within its end slices."""
    area_mm2: float | None = None
    """Of a projection."""
    diameter_mm: float | None = None
    """Largest distance between two corners of its voxels; in the plane for a projection."""
    n_slices: int | None = None
    """Slices (third array axis) with voxels of the lesion."""
    signal_mean: float | None = None
    signal_max: float | None = None
    signal_sd: float | None = None
    """Standard deviation over the voxels (divided by n)."""
    signal_ratio: float | None = None
    """signal_mean / mean of the Reference region."""
    centroid_lps_mm: tuple[float, float, float] | None = None
    """LPS mm; NaN along the depth of a projection."""
    counts: float | None = None
    """Sum of the counts inside the mask, of a projection."""
    counts_share: float | None = None
    """Mean of its pixels over that of all pixels of the view."""
    uptake: Uptake = field(default_factory=Uptake)
    """Of a projection: against other places of the same view."""
    physis: Physis | None = None
    physis_by: Literal["computed", "reader"] | None = None
    why_not: str = ""
    """What is not known and why, in words."""
    phase: Phase | None = None
    """Of a bone scan."""


def measure_extent(
    extent: Extent,
    volume: Volume | None = None,
    placement: Placement | None = None,
    reference_mean: float | None = None,
    labels: Volume | None = None,
    series: Series | None = None,
) -> Measurement:
    """Measure a lesion on one Series.

    Parameters
    ----------
    extent : Extent
        Mask, marker or nothing drawn.
    volume : Volume, optional
        The Series' pixels, on the grid of the mask; only the mask's box is read.
    placement : Placement, optional
        For the relation to the physis.
    reference_mean : float, optional
        Mean signal of the Reference region of the Series.
    labels : Volume, optional
        The placement's bone label map.
    series : Series, optional
        What the Series is; tells a projection where there are no pixels, and where between or beside its stations
        nothing was imaged: the 0 there is no signal and is left out.

    Raises
    ------
    LesionmapError
        If the mask was drawn on another grid than the volume's.
    """
    blank = Measurement(
        series=extent.series,
        modality=series.modality if series else "",
        sequence=series.sequence if series else "",
        phase=extent.phase or (series.phase if series else None),
    )
    if extent.mask is None:
        drawn = "a marker has no size" if extent.marker_lps_mm else "nothing is drawn on this series"
        return replace(blank, centroid_lps_mm=extent.marker_lps_mm, why_not=drawn)
    flat = (volume is not None and volume.projection) or (series is not None and series.projection)
    measured = _with_size(blank, extent.mask, flat)
    measured = _with_signal(measured, extent.mask, volume, reference_mean, series)
    if flat:
        return _with_counts(measured, extent.mask, volume)
    if placement is None:
        return _because(measured, "no physis relation: no skeleton is placed")
    physis = _physis(extent.mask, placement, labels)
    return replace(measured, physis=physis, physis_by="computed" if physis else None)


def measure_lesion(
    lesion: Lesion,
    visit: Visit,
    volumes: Mapping[str, Volume],
    placement: Placement | None = None,
    reference_means: Mapping[str, float] | None = None,
    labels: Volume | None = None,
) -> tuple[Measurement, ...]:
    """Measure all Extents of a lesion; the reader's own word on the physis goes before the computed one.

    ``volumes`` and ``reference_means`` go by the name of the Series and may lack some.
    """
    known = {series.name: series for series in visit.series}
    means = reference_means or {}
    found = []
    for extent in lesion.extents:
        name, series = extent.series, known.get(extent.series)
        one = measure_extent(extent, volumes.get(name), placement, means.get(name), labels, series)
        if series is not None and series.projection:
            one = _with_uptake(one, extent, lesion, volumes.get(name), placement_on(visit, placement, series))
        found.append(replace(one, physis=lesion.physis, physis_by="reader") if lesion.physis else one)
    return tuple(found)


def measure_map(
    lesion_map: LesionMap,
    visit: Visit,
    volumes: Mapping[str, Volume],
    placement: Placement | None = None,
    references: Sequence[Reference] = (),
    labels: Volume | None = None,
) -> dict[str, tuple[Measurement, ...]]:
    """Measure all lesions of a map: lesion id to one Measurement for each Extent."""
    known = {series.name: series for series in visit.series}
    given = [x for x in references if x.series in volumes]
    means = {x.series: reference_mean(x, volumes[x.series], known.get(x.series)) for x in given}
    known_means = {name: mean for name, mean in means.items() if mean is not None}
    return {
        lesion.id: measure_lesion(lesion, visit, volumes, placement, known_means, labels)
        for lesion in lesion_map.lesions
    }


def main_measurement(measurements: Sequence[Measurement]) -> Measurement:
    """Choose the measurement that stands for the lesion.

    One with a size goes before one without; MR before CT before NM; STIR before T2, DWI, ADC and T1; then the larger
    volume (or area). A lesion with nothing drawn has an empty one that says so.
    """
    if not measurements:
        return Measurement(why_not="nothing is drawn: the lesion is known by its site only")
    return min(measurements, key=_rank)


def reference_mean(reference: Reference, volume: Volume, series: Series | None = None) -> float | None:
    """Give the mean signal of a Reference region; None if no voxel of it has a value.

    With the Series given, voxels that none of its stations imaged are left out.
    """
    return _mean(_values(reference.mask, volume, series)[0])


def _rank(measured: Measurement) -> tuple[bool, int, int, float]:
    size = measured.volume_ml if measured.volume_ml is not None else measured.area_mm2
    return (
        size is None,
        _place(_MODALITIES, measured.modality),
        _place(_SEQUENCES, measured.sequence),
        -(size or 0.0),
    )


def _place(order: Sequence[str], word: str) -> int:
    return order.index(word) if word in order else len(order)


def _because(measured: Measurement, reason: str) -> Measurement:
    return replace(measured, why_not="; ".join(x for x in (measured.why_not, reason) if x))


def _with_size(blank: Measurement, mask: Mask, flat: bool) -> Measurement:
    grid = mask.grid
    per_slice = np.count_nonzero(mask.box, axis=(0, 1))
    middle = grid.lps(mask.voxels().mean(axis=0))
    if flat:
        matrix = grid.lps_from_voxel[:3, :3]
        middle[int(np.argmax(np.abs(np.cross(matrix[:, 0], matrix[:, 1]))))] = np.nan
        blank = replace(
            blank,
            area_mm2=mask.n_voxels * float(np.linalg.norm(np.cross(matrix[:, 0], matrix[:, 1]))),
            why_not="no volume: a projection has no depth",
        )
    else:
        voxel_ml = grid.voxel_volume_ml
        # Half of the first slice and half of the last one: for a lesion of one slice, all of it.
        ends = float(per_slice[0] + per_slice[-1])
        blank = replace(blank, volume_ml=mask.n_voxels * voxel_ml, volume_error_ml=ends / 2 * voxel_ml)
    x, y, z = middle.tolist()
    return replace(
        blank,
        diameter_mm=_diameter_mm(mask, flat),
        n_slices=int(np.count_nonzero(per_slice)),
        centroid_lps_mm=(x, y, z),
    )


def _with_signal(
    measured: Measurement, mask: Mask, volume: Volume | None, reference: float | None, series: Series | None
) -> Measurement:
    if volume is None:
        return _because(measured, "no signal: the pixels were not given")
    values, n_outside = _values(mask, volume, series)
    mean = _mean(values)
    if mean is None:
        why = "no station imaged this place" if n_outside else "the image has no values under the mask"
        return _because(measured, f"no signal: {why}")
    if n_outside:
        measured = _because(measured, f"signal without {n_outside} of {mask.n_voxels} voxels: no station imaged them")
    if not reference:
        measured = _because(measured, "no signal ratio: the series has no reference region")
    return replace(
        measured,
        signal_mean=mean,
        signal_max=float(values.max()),
        signal_sd=float(values.std()),
        signal_ratio=mean / reference if reference else None,
    )


def _with_counts(measured: Measurement, mask: Mask, volume: Volume | None) -> Measurement:
    """Add what is counted in a projection; a view without any count has no share."""
    if volume is None or measured.signal_mean is None:
        return measured
    all_mean = float(np.asarray(volume.array, dtype=np.float64).mean())
    values, _ = _values(mask, volume)
    share = measured.signal_mean / all_mean if all_mean > 0 else None
    return replace(measured, counts=float(values.sum()), counts_share=share)


def _with_uptake(
    measured: Measurement, extent: Extent, lesion: Lesion, volume: Volume | None, placement: Placement | None
) -> Measurement:
    if volume is None or extent.mask is None:
        return measured
    if placement is None:
        return _because(measured, "no ratios to other places: the skeleton is not placed on this view")
    return replace(measured, uptake=uptake_of(extent.mask, lesion.sites[0], volume, placement))


def early_over_late(measurements: Sequence[Measurement]) -> float | None:
    """Give how a lesion's share of the counts in the early phase compares with that in the late one.

    Both phases are scans of their own, of other length and dose: each is taken as a share of its own view (mean of the
    lesion's pixels over the mean of the view). None where a phase is missing. No norm in children is known.
    """
    shares: dict[Phase | None, list[float]] = {}
    for one in measurements:
        if one.counts_share is not None:
            shares.setdefault(one.phase, []).append(one.counts_share)
    early, late = (float(np.mean(shares[phase])) if phase in shares else 0.0 for phase in ("early", "late"))
    return early / late if early and late else None


def _mean(values: NDArray[np.float64]) -> float | None:
    return float(values.mean()) if len(values) else None


def _values(mask: Mask, volume: Volume, series: Series | None = None) -> tuple[NDArray[np.float64], int]:
    """Give the values under the mask that are signals, and the number of voxels that no station imaged.

    Of the image no more than the mask's box is read.
    """
    if not _same_place(mask.grid, volume.grid):
        raise LesionmapError(
            f"the mask was drawn on a grid of shape {mask.grid.shape}, but the series has one of shape "
            f"{volume.grid.shape} or lies elsewhere; give the pixels of the series it was drawn on"
        )
    values = np.asarray(volume.array[mask.slices][mask.box], dtype=np.float64)
    if series is None or len(series.stations) < 2:
        return values[np.isfinite(values)], 0
    imaged = station_of(series, mask.lps_mm()) >= 0
    return values[imaged & np.isfinite(values)], int(np.count_nonzero(~imaged))


def _same_place(one: Grid, other: Grid) -> bool:
    """Say whether two grids have their voxels within 0.01 mm of one another."""
    return one.shape == other.shape and bool(
        np.allclose(one.corners_lps_mm(), other.corners_lps_mm(), rtol=0, atol=0.01)
    )


def _physis(mask: Mask, placement: Placement, labels: Volume | None) -> Physis | None:
    """Give the relation to the physes of the bone that holds most of the mask; None for a bone without."""
    from lesionmap.skeleton import site_shares

    shares = site_shares(mask.lps_mm(), placement, labels)
    return shares[0].physis if shares else None


def _diameter_mm(mask: Mask, flat: bool) -> float:
    """Give the largest distance between two corners of the mask's voxels, exact.

    It lies between two vertices of the convex hull. An affine keeps hulls, so the hull is taken of whole numbers,
    and of each line of corners along the longest axis only the two ends can be on it.
    """
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist

    box: NDArray[np.bool_] = mask.box[:, :, 0] if flat else mask.box
    corners = np.zeros(np.array(box.shape) + 1, dtype=bool)  # corner [i, j, k] is that before voxel [i, j, k]
    for step in product((0, 1), repeat=box.ndim):
        corners[tuple(slice(s, s + n) for s, n in zip(step, box.shape, strict=True))] |= box
    axis = int(np.argmax(corners.shape))
    lines = np.moveaxis(corners, axis, -1)
    rows = np.argwhere(lines.any(axis=-1))
    hit = lines[tuple(rows.T)]
    first, last = hit.argmax(axis=1), hit.shape[1] - 1 - hit[:, ::-1].argmax(axis=1)
    ends = np.concatenate([np.insert(rows, axis, end, axis=1) for end in (first, last)])
    hull = ends[ConvexHull(ends).vertices]
    return float(pdist(hull @ mask.grid.lps_from_voxel[:3, : box.ndim].T).max())
