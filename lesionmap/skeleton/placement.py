"""Placement: a Skeleton put on one visit, from landmarks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["LabelMap", "PlacedLandmark", "Placement", "place"]

How = Literal["landmarks", "labels", "previous", "silhouette"]


@dataclass(frozen=True, slots=True)
class PlacedLandmark:
    """One landmark of a placement, in patient LPS mm."""

    name: str
    lps_mm: tuple[float, float, float]
    placed: bool
    """True: put there by a reader or a label map; False: estimated."""
    radius90_mm: float
    """90 % of true positions are expected within this distance; 0 for a placed one."""


@dataclass(frozen=True, slots=True)
class LabelMap:
    """A bone label map that goes with a placement: where it is and what its numbers mean."""

    path: str
    sha256: str
    names: tuple[tuple[int, str, str], ...]
    """Rows (label, bone or group family, side); a label with several rows is one of these bones."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A Skeleton put on one visit."""

    landmarks: tuple[PlacedLandmark, ...]
    """The 43 in the order of ``anatomy.landmarks()``, then vertebrae given beside them (``T7``)."""
    age_y: float
    sex: Literal["F", "M"] | None
    stature_cm: float
    inferred: tuple[str, ...] = ()
    """Which of age_y, stature_cm were inferred from the landmarks."""
    how: How = "landmarks"
    labels: LabelMap | None = None
    coverage: tuple[tuple[str, float], ...] | None = None
    """(site id, share of its volume inside imaged voxels); None: not computed, no images."""
    warnings: tuple[str, ...] = ()
    """What looks impossible about the landmarks, one line each."""

    def positions(self) -> dict[str, tuple[float, float, float]]:
        """Give name → LPS mm of all landmarks."""
        return {mark.name: mark.lps_mm for mark in self.landmarks}


def place(
    landmarks: Mapping[str, Sequence[float]],
    *,
    age_y: float | None = None,
    sex: Literal["F", "M"] | None = None,
    stature_cm: float | None = None,
) -> Placement:
    """Place the skeleton on landmarks; those not given are estimated and say so.

    Parameters
    ----------
    landmarks : mapping of str to (x, y, z)
        LPS mm; any subset of the 43, and any vertebra by name (``T7``).
    age_y, sex, stature_cm : optional
        Inferred from the landmarks (age from stature, stature from distances) where not given.

    Raises
    ------
    LesionmapError
        On an unknown name, a value that is not finite, or too few landmarks.
    """
    raise NotImplementedError
