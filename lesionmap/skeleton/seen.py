"""Which site may a spot on a planar view be? Every bone that lies along the line of sight, with its probability.

A view fixes x and z and says nothing of depth. What lies nearer to the camera is seen brighter (sternum, clavicle and
face from the front; spine, scapula, the ribs' back and sacrum from the back), and where a spot shows in both views, how
bright it is in each tells its depth. Nothing of it is certain, so the candidates come with what speaks for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.skeleton.coverage import site_of_ball
from lesionmap.skeleton.shape import pose

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from lesionmap.skeleton.placement import Placement

    Array = NDArray[np.float64]

__all__ = ["ATTENUATION_PER_MM", "Face", "SeenSite", "locate_seen"]

Face = Literal["anterior", "posterior"]

ATTENUATION_PER_MM = 0.0135
"""140 keV in soft tissue, broad beam: scatter counts with it (assumed; narrow beam 0.015)."""
_OFF_MM = 6.0  # how far a placed skeleton is off in a view, standard deviation (measured: docs/measured.md)
_FAR = 5.0  # so many of these away nothing counts
_DEPTH_MM = 30.0  # how well the brightness of both views tells the depth, standard deviation (measured on phantoms)
_SLICE_MM, _BESIDE_MM = 120.0, 200.0  # the part of the skeleton whose front and back stand for those of the body there
_OUTLIER = 0.02  # share of spots whose place or depth tells nothing (assumed)
_LEAST = 0.01  # candidates of less are not told

# How often the middle of a lesion lies in a site, against others. Ends of long bones as in Fritz 2009 (distal femur 21,
# proximal tibia 17, distal tibia and fibula 14 each, of 101 lesions); epiphyses are mostly touched beside a metaphysis
# (67 % of these, Wipff 2011), so few lesions have their middle there; shafts 14 % of tubular sites (Fritz 2009).
# Pelvis, clavicle and calcaneus are main sites, ribs are rare, of the spine the neck is the rarest (Wipff 2011). What
# has no number there is assumed.
_ENDS = {
    "femur.distal": 21.0, "tibia.proximal": 17.0, "tibia.distal": 14.0, "fibula.distal": 14.0, "femur.proximal": 10.0,
}  # fmt: skip
_END, _EPIPHYSIS, _SHAFT, _ULNA = 4.0, 0.1, 0.25, 0.3  # other ends; shares of: the metaphysis, both ends, the radius
_SITES = {
    "clavicle.medial": 8.0, "clavicle.middle": 2.0, "clavicle.lateral": 2.0, "mandible.whole": 5.0,
    "sternum.body": 3.0, "sternum.manubrium": 2.0, "scapula.whole": 2.0, "skull.whole": 0.5, "ilium.wing": 5.0,
    "ilium.acetabular": 5.0, "ilium.sacroiliac": 5.0, "ischium.whole": 4.0, "pubis.whole": 4.0,
    "sacrum.sacroiliac": 5.0, "sacrum.body": 3.0, "calcaneus.body": 6.0, "calcaneus.apophysis": 2.0,
    "talus.whole": 2.0, "femur.greater_trochanter": 1.0,
}  # fmt: skip
_BODY, _NECK, _ELEMENTS, _RIB, _ELSE = 2.0, 0.5, 0.15, 0.2, 0.5  # a vertebra's body, shares of it, a rib, small bones
_BY_VOLUME = 0.5  # 0: lesions lie by the volume of bone, 1: by site (between them is best on phantoms)


@dataclass(frozen=True, slots=True)
class SeenSite:
    """A site that a spot on a view may be."""

    site: str
    confidence: float
    """Probability among all sites, 0 to 1."""
    y_lps_mm: float
    """Depth of the site's part there, in the placement's frame."""


def locate_seen(
    point_lps_mm: ArrayLike,
    placement: Placement,
    face: Face,
    *,
    brightness: tuple[float, float] | None = None,
    off_mm: float = _OFF_MM,
) -> tuple[SeenSite, ...]:
    """List the sites that a spot on a planar view may be, the most probable first.

    Parameters
    ----------
    point_lps_mm : array-like, (x, y, z)
        Middle of the spot, LPS mm; y is not used.
    placement : Placement
        Of the scan.
    face : "anterior" or "posterior"
        The view that the spot is seen on; where ``brightness`` is given it does not matter.
    brightness : (float, float), optional
        Counts of the spot over its surroundings in the anterior and in the posterior view.
    off_mm : float
        Standard deviation of the skeleton's place in the view.

    Returns
    -------
    tuple of SeenSite
        Empty where no bone is near.

    Raises
    ------
    LesionmapError
        If x or z is not finite.
    """
    point = np.asarray(point_lps_mm, dtype=np.float64)
    if point.shape != (3,) or not np.isfinite(point[[0, 2]]).all():
        raise LesionmapError(f"a spot is x, y, z in LPS mm with finite x and z, got {point_lps_mm!r}")
    posed = pose(placement)
    away = np.hypot(posed.centres[:, 0] - point[0], posed.centres[:, 2] - point[2]) / off_mm
    near = np.flatnonzero(away < _FAR)
    if not len(near):
        return ()
    deep = posed.centres[near, 1]
    weight = posed.radii[near] ** 3 * np.exp(-0.5 * away[near] ** 2)
    weight *= _by_depth(deep, _depth_told(point, posed.centres, brightness), face)
    names, of_all = np.unique(site_of_ball(placement).astype(str), return_inverse=True)
    volume, index = np.bincount(of_all, posed.radii**3), of_all[near]
    weight *= (np.array([_usual(name) for name in names]) / volume**_BY_VOLUME)[index]
    total = np.bincount(index, weight, minlength=len(names))
    depth = np.bincount(index, weight * deep, minlength=len(names)) / np.maximum(total, 1e-300)
    share = total / total.sum()
    order = np.argsort(-share, kind="stable")
    return tuple(SeenSite(str(names[i]), float(share[i]), float(depth[i])) for i in order if share[i] >= _LEAST)


def _usual(site: str) -> float:
    """Give how often the middle of a lesion lies in a site, against others."""
    bone, segment, _ = site.split(".")
    if bone == "ulna":
        return _ULNA * _usual(f"radius.{segment}.")
    end, _, part = segment.partition("_")
    if part in ("metaphysis", "epiphysis"):
        return _ENDS.get(f"{bone}.{end}", _END) * (_EPIPHYSIS if part == "epiphysis" else 1.0)
    if segment == "diaphysis":
        return _SHAFT * sum(_ENDS.get(f"{bone}.{end}", _END) for end in ("proximal", "distal"))
    if bone.startswith("vertebra_"):
        return _BODY * (_NECK if bone[9] == "C" else 1.0) * (1.0 if segment == "body" else _ELEMENTS)
    return _RIB if bone.startswith("rib_") else _SITES.get(f"{bone}.{segment}", _ELSE)


def _depth_told(point: Array, centres: Array, brightness: tuple[float, float] | None) -> float | None:
    """Give the depth (y) that the brightness in both views tells; None where a view does not show the spot.

    Both views see a source through soft tissue: the logarithm of their ratio is the difference of the depths.
    """
    if brightness is None or min(brightness) <= 0:
        return None
    beside = (np.abs(centres[:, 2] - point[2]) < _SLICE_MM) & (np.abs(centres[:, 0] - point[0]) < _BESIDE_MM)
    low, high = float(centres[beside, 1].min()), float(centres[beside, 1].max())
    front, back = brightness
    told = (low + high) / 2 + float(np.log(back / front)) / (2 * ATTENUATION_PER_MM)
    return float(np.clip(told, low, high))


def _by_depth(deep: Array, told: float | None, face: Face) -> Array:
    """Give how much speaks for a depth: that which was told, or the nearer to the camera the more."""
    if told is None:
        toward = deep if face == "anterior" else -deep
        return np.asarray(np.exp(-ATTENUATION_PER_MM * (toward - toward.min())))
    return np.asarray(np.exp(-0.5 * ((deep - told) / _DEPTH_MM) ** 2) + _OUTLIER)
