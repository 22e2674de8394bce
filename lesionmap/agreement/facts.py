"""What comes out of a comparison of readers, as frozen facts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lesionmap.measure import CountRule

__all__ = ["TOO_FEW", "Agreement", "Estimate", "Kind", "Shared", "Statistic", "Unit", "VisitPair"]

TOO_FEW = "few patients: the interval is too narrow"
"""Note of an estimate whose interval is drawn from fewer than ten patients."""

Kind = Literal["same", "merged", "split", "several", "only_first", "only_second"]
Unit = Literal["lesion", "site", "region", "visit"]
Statistic = Literal[
    "recall",
    "precision",
    "f1",
    "kappa_cohen",
    "kappa_free",
    "kappa_fleiss",
    "icc_2_1",
    "bias",
    "lower_limit",
    "upper_limit",
    "dice",
]


@dataclass(frozen=True, slots=True)
class Shared:
    """Lesions of two readers in one visit that are one and the same, or one that the other reader does not have."""

    ones: tuple[str, ...]
    """Ids in the first reader's map, in its order; empty: only the second reader marked it."""
    others: tuple[str, ...]
    """Ids in the second reader's map."""
    by: Literal["overlap", "outline", "place", "site", ""] = ""
    """What told: voxels in common on one Series, outlines in one place, bone coordinates, sites; empty: alone. Where
    several did, the first of these."""

    @property
    def kind(self) -> Kind:
        """Tell how they are shared: *merged* are two of the first reader in one of the second; *split* the reverse."""
        n, m = len(self.ones), len(self.others)
        if not n or not m:
            return "only_first" if n else "only_second"
        if n == 1:
            return "same" if m == 1 else "split"
        return "merged" if m == 1 else "several"


@dataclass(frozen=True, slots=True)
class VisitPair:
    """One visit that two readers read."""

    patient: str
    visit: str
    readers: tuple[str, str]
    shared: tuple[Shared, ...]
    """All lesions of both, whether they count or not."""
    counted: tuple[frozenset[str], frozenset[str]]
    """Ids of the lesions that count, of either reader."""
    n_lesions: tuple[int, int]
    """Under the rule, which may count a lesion twice."""
    volume_ml: tuple[float | None, float | None]
    """Of all lesions that count; None where one of them has no volume."""
    shared_ml: tuple[tuple[float | None, float | None], ...]
    """For each of ``shared``, the volume of those of its lesions that count; None: unknown, or not one counts."""
    dice: tuple[float | None, ...]
    """For each of ``shared``, of those that count: mean over the Series on which both drew outlines; None: on none."""
    sites: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    """For each of ``shared``, the primary sites of either reader's lesions."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """One row of the result."""

    statistic: Statistic
    unit: Unit
    """What was rated or measured: lesions, sites of visits, regions of visits, visits."""
    of: str
    """``all``, a region, a site; ``n_lesions`` or ``volume_ml`` for what was measured."""
    readers: tuple[str, ...]
    """A difference is that of the first less the second."""
    n: int
    """Number of units."""
    n_patients: int
    value: float
    """NaN where it is not defined; ``note`` says why."""
    low: float
    """95 % interval by resampling patients; NaN where there is none."""
    high: float
    low_formula: float
    """95 % interval by the published formula, which takes all units as independent; NaN where there is none."""
    high_formula: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """All that two or more readers have in common."""

    readers: tuple[str, ...]
    rule: CountRule
    resamples: int
    seed: int
    estimates: tuple[Estimate, ...]
    pairs: tuple[VisitPair, ...]
    """Every two readers of every visit that both read."""
    left_out: Mapping[str, int]
    """Why visits, or sites of visits, take no part, in words, and how many of them."""
