"""The whole of a bone scan in three figures: how many foci, how large together, and the Bone Scan Index.

The index is the sum over bones of the share that is involved times the bone's share of the skeleton's mass. It was made
for prostate cancer, its masses are those of adults, and nothing is known of it in children with CRMO: a figure for
research, no measure of the disease.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.measure import RULES
from lesionmap.skeleton import members
from lesionmap.skeleton.coverage import site_of_ball
from lesionmap.skeleton.shape import pose
from lesionmap.texts import Said, english
from lesionmap.visits import placement_on

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.compare import VisitFacts
    from lesionmap.lesions import Lesion
    from lesionmap.measure import Count, Measurement
    from lesionmap.skeleton import Placement

__all__ = ["ScanFigures", "scan_figures"]

_STEP_MM = 2.0  # of the lattice on which a bone's shadow is measured
_PER_CENT = 100.0


@dataclass(frozen=True, slots=True)
class ScanFigures:
    """What a visit's bone scan shows as a whole, of the lesions that are counted."""

    n_foci: int
    """Lesions counted that are marked on the scan."""
    area_mm2: float | None
    """Of all that are outlined; of one outlined in both views the mean of both. None where none is."""
    index_percent: float | None
    """Bone Scan Index by masses of adults, 0 to 100; None where ``why`` says."""
    why: Said | None = None

    @property
    def why_not(self) -> str:
        """Why there is no index, in English; empty if there is one."""
        return english().tell(self.why) if self.why else ""


def scan_figures(facts: VisitFacts, count: Count | None = None) -> ScanFigures | None:
    """Sum up a visit's bone scan; None where nothing is marked on one.

    Parameters
    ----------
    facts : VisitFacts
        With its measurements.
    count : Count, optional
        What counts; by the default rule where not given.
    """
    flat = {series.name: series for series in facts.visit.series if series.projection}
    marked = [x for x in facts.lesion_map.lesions if any(extent.series in flat for extent in x.extents)]
    if not marked:
        return None
    certain = RULES["default"].certainties
    counted = [x for x in marked if (count.of(x.id).counted if count else x.certainty in certain)]
    areas = {x.id: _areas(facts.measurements.get(x.id, ())) for x in counted}
    outlined = {key: found for key, found in areas.items() if found}
    total = sum(float(np.mean(list(found.values()))) for found in outlined.values()) if outlined else None
    placement = next((placement_on(facts.visit, facts.placement, series) for series in flat.values()), None)
    why_not = Said("scan.no_skeleton") if placement is None else None
    if not why_not and len(outlined) < len(counted):
        bare = len(counted) - len(outlined)
        why_not = Said("scan.no_outline", (("n", str(bare)), ("all", str(len(counted)))))
    shares = [] if why_not or placement is None else [_share(x, areas[x.id], placement) for x in counted]
    if None in shares:
        why_not = Said("scan.no_mass")
    known_shares = [share for share in shares if share is not None]
    return ScanFigures(len(counted), total, None if why_not else _PER_CENT * _added(known_shares), why_not)


def _areas(measurements: Sequence[Measurement]) -> dict[str, float]:
    """Give the area of each view, mm², of the phase that has more of them (late where alike)."""
    by_phase: dict[bool, dict[str, float]] = {}
    for one in measurements:
        if one.area_mm2 is not None:
            by_phase.setdefault(one.phase == "early", {})[one.series] = one.area_mm2
    return max(by_phase.items(), key=lambda item: (len(item[1]), not item[0]))[1] if by_phase else {}


@cache
def _parts() -> dict[tuple[str, str], tuple[str, float]]:
    """Give (bone, side) → name of the part of the mass table, and its share of the skeleton's mass."""
    table = tomllib.loads((files("lesionmap.scores") / "bone_masses.toml").read_text(encoding="utf-8"))
    found = {}
    for part in table["part"]:
        for bone in part["bones"]:
            for side in ("left", "right", "midline"):
                name = f"{part['name']}.{side}" if part.get("each") else part["name"]
                found[bone, side] = (name, part["percent"] / _PER_CENT)
    return found


def _share(lesion: Lesion, areas: Mapping[str, float], placement: Placement) -> tuple[str, float, float] | None:
    """Give part, involved share of it and its mass; None where the lesion lies in no single part of the table."""
    parts = {_parts().get((one.bone, one.side)) for one in members(lesion.sites[0])}
    part = parts.pop() if len(parts) == 1 else None
    if part is None:
        return None
    name, mass = part
    return name, float(np.mean(list(areas.values()))) / _shadows(placement.shape_key())[name], mass


def _added(shares: Sequence[tuple[str, float, float]]) -> float:
    """Add up: no part is involved by more than the whole of it."""
    involved: dict[tuple[str, float], float] = {}
    for name, share, mass in shares:
        involved[name, mass] = min(1.0, involved.get((name, mass), 0.0) + share)
    return sum(share * mass for (_, mass), share in involved.items())


@cache
def _shadows(placement: Placement) -> dict[str, float]:
    """Give the area of each part's shadow seen from the front, mm², by the name in the mass table."""
    posed, sites = pose(placement), site_of_ball(placement).astype(str)
    of_site = {name: _parts().get(tuple(np.array(name.split("."))[[0, 2]].tolist())) for name in np.unique(sites)}
    names = np.array([part[0] if (part := of_site[name]) else "" for name in sites.tolist()])
    return {
        name: _shadow_mm2(posed.centres[names == name][:, [0, 2]], posed.radii[names == name])
        for name in np.unique(names[names != ""]).tolist()
    }


def _shadow_mm2(centres: np.ndarray, radii: np.ndarray) -> float:
    """Give the area that discs cover together."""
    low = (centres - radii[:, None]).min(axis=0)
    size = np.ceil(((centres + radii[:, None]).max(axis=0) - low) / _STEP_MM).astype(int) + 1
    covered = np.zeros(size, dtype=bool)
    axes = [low[k] + _STEP_MM * (np.arange(size[k]) + 0.5) for k in (0, 1)]
    for (x, z), radius in zip(centres.tolist(), radii.tolist(), strict=True):
        i, j = (np.searchsorted(axis, [at - radius, at + radius]) for axis, at in zip(axes, (x, z), strict=True))
        near = np.hypot(axes[0][i[0] : i[1], None] - x, axes[1][None, j[0] : j[1]] - z) <= radius
        covered[i[0] : i[1], j[0] : j[1]] |= near
    return float(covered.sum()) * _STEP_MM**2
