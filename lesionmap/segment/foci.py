"""Hot spots of a bone scan, listed for the reader to accept or reject. A focus is no Lesion and is never counted.

Whatever is hotter than the scan itself lets expect (``segment.fitted``) is looked at. A growth plate may be as hot as
it is, but it is as broad as a line and as hot as its like of the other side. So a lesion on both sides, or on a plate,
still is one where it is broader than a plate, or off it. What is hot but no bone (bladder, kidneys, the injected arm)
is told as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.segment.fitted import fitted
from lesionmap.segment.planar import sites_seen, spots_at
from lesionmap.segment.plates import plate_evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from lesionmap.segment.hot import HotSpot
    from lesionmap.segment.plates import PlateEvidence
    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.seen import Face, SeenSite
    from lesionmap.space import Volume

    Array = NDArray[np.float64]
    NotBone = Literal["bladder", "kidney", "injection"]

__all__ = ["Focus", "planar_candidates"]

_SPOT_MM, _AROUND_MM = 4.0, 15.0  # blur of what is looked at, and of the model's own error there (standard deviations)
_CLIPPED = 0.5  # a spot tells no more of its surroundings' error than this share of what is expected
_BESIDE, _BESIDE_MM, _WAYS = 0.5, 16.0, 6
_MODEL, _NOISE, _FLOOR = (
    0.15,
    2.0,
    0.7,
)  # of the model, share of counts; of Poisson's law; share of the median (assumed)
_SAME_MM = 12.0  # peaks so near to one another are one spot, in both views
_LEAST, _LEAST_HEAD = 1.55, 2.3  # over the expected error; the face is broken up, and the atlas has one block for it
_HEAD_BELOW_MM = 20.0  # the head reaches so far below the chin's height


@dataclass(frozen=True, slots=True, eq=False)
class Focus:
    """A hot spot of a bone scan that may be a lesion."""

    spots: Mapping[Face, HotSpot]
    """In one view or in both: one lesion."""
    sites: tuple[SeenSite, ...]
    """Sites that it may be, the most probable first; never empty unless ``not_bone`` is told."""
    score: float
    """0 to 1: how far it is above what is expected. Only the order has a meaning."""
    reason: str
    """In words, without a full stop."""
    seed_lps_mm: tuple[float, float, float]
    """Where a click finds it; y is not used."""
    plate: PlateEvidence | None = None
    """What the scan says of the open growth plate that it lies at."""
    not_bone: NotBone | None = None
    """What else is hot there: such a focus is told, never to be offered as a lesion."""


class _Peak(NamedTuple):
    x: float
    z: float
    over: float
    """Counts above the expected ones, in expected errors."""
    times: float
    """Counts over the expected ones."""


def planar_candidates(views: Mapping[Face, Volume], placement: Placement, *, most: int = 24) -> tuple[Focus, ...]:
    """List hot spots of a planar bone scan that are worth a look.

    Parameters
    ----------
    views : mapping of {"anterior", "posterior"} to Volume
        One view or both of one scan, a projection each, of counts.
    placement : Placement
        Of the scan.
    most : int
        No more than so many, the best ones; those that are no bone are not among these.

    Returns
    -------
    tuple of Focus
        The best first; those with ``not_bone`` last.

    Raises
    ------
    LesionmapError
        If a view has depth or holds no counts, or there is none.
    """
    from lesionmap.place.counts import check_views

    check_views(views)
    peaks = _merged(peak for face, view in views.items() for peak in _peaks(view, placement, face))
    head = placement.positions()["chin"][2] - _HEAD_BELOW_MM
    looked = [
        _focus(views, placement, peak) for peak in peaks if peak.over > (_LEAST_HEAD if peak.z > head else _LEAST)
    ]
    found = [one for one in looked if one is not None]
    bone = [one for one in found if one.not_bone is None][:most]
    return (*bone, *(one for one in found if one.not_bone is not None))


def _peaks(view: Volume, placement: Placement, face: Face) -> list[_Peak]:
    """Give the places of a view where the counts are farthest above the expected ones."""
    from scipy.ndimage import gaussian_filter, maximum_filter

    fit, spacing = fitted(view, placement, face), np.array(view.grid.spacing_mm[:2])
    seen, expected = (gaussian_filter(one, _SPOT_MM / spacing) for one in (fit.counts, fit.expected))
    rest = np.where(fit.body, seen - expected, 0.0)
    clip = _CLIPPED * (expected + 1.0)
    share = gaussian_filter(fit.body.astype(np.float64), _AROUND_MM / spacing)
    around = gaussian_filter(np.clip(rest, -clip, clip) * fit.body, _AROUND_MM / spacing) / np.maximum(share, 1e-3)
    rest = rest - around - _BESIDE * _beside(rest, spacing)
    noise = expected / (4 * np.pi * np.prod(_SPOT_MM / spacing))  # variance of smoothed counts
    error = np.sqrt(_NOISE * noise + (_MODEL * (expected + _FLOOR * fit.level)) ** 2) + 1e-9
    over = np.where(fit.body, rest / error, 0.0)
    beside = np.maximum(np.rint(_SAME_MM / spacing).astype(int), 1)
    cells = np.argwhere((rest == maximum_filter(rest, beside)) & (over > _LEAST))
    points = view.grid.lps(np.column_stack([cells, np.zeros(len(cells))]))
    return [
        _Peak(float(x), float(z), float(over[i, j]), float(seen[i, j] / max(expected[i, j], 1e-6)))
        for (i, j), (x, _, z) in zip(cells.tolist(), points.tolist(), strict=True)
    ]


def _beside(rest: Array, spacing: Array) -> Array:
    """Give the mean of the two places 16 mm to either side, in the direction in which it is most, at least 0.

    A lesion is a blob; the edge of a bone that lies beside its place in the atlas is a ridge.
    """
    found = np.zeros_like(rest)
    for angle in np.arange(_WAYS) * np.pi / _WAYS:
        step = np.rint(_BESIDE_MM * np.array([np.cos(angle), np.sin(angle)]) / spacing).astype(int)
        both = [np.roll(rest, sign * step, axis=(0, 1)) for sign in (1, -1)]  # nothing lies at the picture's edge
        found = np.maximum(found, (both[0] + both[1]) / 2)
    return found


def _merged(peaks: Iterable[_Peak]) -> list[_Peak]:
    """Give one peak for each spot: the best of those near to one another, in whatever view."""
    kept: list[_Peak] = []
    for peak in sorted(peaks, key=lambda one: -one.over):
        if all(np.hypot(peak.x - one.x, peak.z - one.z) > _SAME_MM for one in kept):
            kept.append(peak)
    return kept


def _focus(views: Mapping[Face, Volume], placement: Placement, peak: _Peak) -> Focus | None:
    """Tell what a peak is; None where a click there would find no spot, or no bone."""
    seed = (peak.x, 0.0, peak.z)
    try:
        spots = spots_at(views, seed)
    except LesionmapError:  # nothing there is clearly hotter than what is around it
        return None
    sites, what = sites_seen(spots, placement, seed), _not_bone(peak, placement.positions())
    if not sites and what is None:
        return None
    plate = plate_evidence(views, placement, seed)
    return Focus(spots, sites, peak.over / (1.0 + peak.over), _reason(peak, plate, what), seed, plate, what)


def _reason(peak: _Peak, plate: PlateEvidence | None, what: NotBone | None) -> str:
    said = [f"{peak.times:.1f} times what the rest of the scan lets expect"]
    if what is not None:
        said.append(f"where the {what} is" if what != "injection" else "in the forearm, as an injection")
    elif plate is not None:
        said.append("at a growth plate")
        if plate.to_mirrored is not None:
            said.append(f"{plate.to_mirrored:.1f} times that of the other side")
    return ", ".join(said)


# Where something other than bone is hot, by landmarks (assumed): shares of the half distance of the hips, of the height
# from pubis to S1, and of the forearm from elbow to wrist.
_BLADDER_WIDE, _BLADDER_HIGH = 0.4, (0.03, 0.45)
_KIDNEY_WIDE, _KIDNEY_HIGH = (0.4, 1.3), ("L3", "T11")
_VEIN, _VEIN_MM = (0.12, 0.75), 30.0


def _not_bone(peak: _Peak, marks: Mapping[str, Sequence[float]]) -> NotBone | None:
    """Name what else may be hot at a place; None where it is bone."""
    pubis, top = marks["pubis"], marks["S1"]
    half = abs(marks["hip_left"][0] - marks["hip_right"][0]) / 2
    high = (peak.z - pubis[2]) / max(top[2] - pubis[2], 1.0)
    if abs(peak.x - pubis[0]) < _BLADDER_WIDE * half and _BLADDER_HIGH[0] < high < _BLADDER_HIGH[1]:
        return "bladder"
    beside = abs(peak.x - marks["L1"][0]) / max(half, 1.0)
    if _KIDNEY_WIDE[0] < beside < _KIDNEY_WIDE[1] and marks[_KIDNEY_HIGH[0]][2] < peak.z < marks[_KIDNEY_HIGH[1]][2]:
        return "kidney"
    for side in ("left", "right"):
        elbow, wrist = (np.array(marks[f"{name}_{side}"])[[0, 2]] for name in ("elbow", "wrist"))
        along, away = wrist - elbow, np.array([peak.x, peak.z]) - elbow
        share = float(away @ along / max(float(along @ along), 1.0))
        if _VEIN[0] < share < _VEIN[1] and np.linalg.norm(away - share * along) < _VEIN_MM:
            return "injection"
    return None
