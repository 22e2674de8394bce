"""Readers of a study compared: what they share in each visit, and every statistic over all of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lesionmap.agreement.facts import TOO_FEW, Agreement, Estimate, Shared, VisitPair
from lesionmap.agreement.matching import masks_by_series, match_readers, shared_voxels
from lesionmap.agreement.ratings import rate_regions, rate_sites
from lesionmap.agreement.statistics import (
    RESAMPLED,
    Interval,
    bland_altman,
    cohen_kappa,
    difference_sums,
    fleiss_kappa,
    free_kappa,
    icc_2_1,
    icc_sums,
    resampled,
)
from lesionmap.compare import is_read
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Mask
from lesionmap.measure import RULES, count, main_measurement
from lesionmap.skeleton import regions, site, sites

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from lesionmap.agreement.facts import Statistic, Unit
    from lesionmap.compare import VisitFacts
    from lesionmap.lesions import Lesion
    from lesionmap.measure import Count, CountRule

    Array = NDArray[np.float64]

__all__ = ["compare_readers"]

_NAN = float("nan")
_FEW = 10
_WHY_NOT = {
    "recall": "the first reader has no lesion that counts",
    "precision": "the second reader has no lesion that counts",
    "f1": "one of the readers has no lesion that counts",
    "kappa_cohen": "both readers say the same of every unit, so agreement by chance is certain",
    "kappa_fleiss": "all readers say the same of every unit, so agreement by chance is certain",
    "icc_2_1": "it needs two units and values that differ",
}


@dataclass(frozen=True, slots=True)
class _Read:
    """One visit as some readers marked it."""

    facts: tuple[VisitFacts, ...]
    counts: tuple[Count, ...]

    @property
    def patient(self) -> str:
        return self.facts[0].visit.patient


class _Unit(NamedTuple):
    """A unit that was rated or measured, and whose it is."""

    patient: str
    of: tuple[str, ...]
    """What it belongs to: ``all``, its region, itself."""
    values: tuple[float, ...]
    """One of each reader; 0 and 1 for no and yes."""


def compare_readers(
    visits: Sequence[Mapping[str, VisitFacts]],
    readers: Sequence[str],
    *,
    rule: CountRule | None = None,
    resamples: int = 2000,
    seed: int = 1,
) -> Agreement:
    """Compare two or more readers over the visits of a study.

    Parameters
    ----------
    visits : sequence of mapping of str to VisitFacts
        For each visit, reader to the visit as that reader marked it. Maps with neither mark, answer nor signature
        are not read, and a visit counts for those who read it.
    readers : sequence of str
        Two or more; the first of two is what the second is held against in recall, precision and differences.
    rule : CountRule, optional
        Which lesions count; the default rule where not given.
    resamples, seed : int
        Of the intervals: patients are drawn with replacement, each with all visits.

    Returns
    -------
    Agreement

    Raises
    ------
    LesionmapError
        If fewer than two readers are named, one is named twice, or no visit was read by two of them.
    """
    names = tuple(readers)
    if len(names) < 2 or len(set(names)) < len(names):
        raise LesionmapError(f"two or more different readers are compared, got {', '.join(names) or 'none'}")
    rule = rule or RULES["default"]
    read = [{x: facts[x] for x in names if x in facts and is_read(facts[x])} for facts in visits]
    left: Counter[str] = Counter()
    estimates: list[Estimate] = []
    pairs: list[VisitPair] = []
    groups = [*combinations(names, 2), *([names] if len(names) > 2 else [])]
    for group in groups:
        ours = [_counted(facts, group, rule) for facts in read if set(group) <= set(facts)]
        left[f"visits not read by {' and '.join(group)}"] += len(read) - len(ours)
        work = _Work(group, resamples, seed)
        if len(group) == 2:
            mine = [visit_pair(x) for x in ours]
            pairs += mine
            estimates += [*_detection(work, mine), *_sizes(work, mine)]
        estimates += [*_kappas(work, ours, left), *_counts(work, ours)]
    if not pairs:
        raise LesionmapError(
            f"visits read by two of {', '.join(names)} were expected, there is none; a map without a lesion counts as "
            "read once it is signed"
        )
    return Agreement(names, rule, resamples, seed, tuple(estimates), tuple(pairs), {k: n for k, n in left.items() if n})


def _counted(facts: Mapping[str, VisitFacts], group: Sequence[str], rule: CountRule) -> _Read:
    mine = tuple(facts[name] for name in group)
    return _Read(mine, tuple(count(x.lesion_map, rule, x.measurements) for x in mine))


# ---- one visit ------------------------------------------------------------------------------------------------------


def visit_pair(read: _Read) -> VisitPair:
    """Put together what two readers have in common in one visit."""
    one, other = read.facts
    shared = match_readers(one, other)
    counted = tuple(frozenset(x.lesion for x in found.judged if x.counted) for found in read.counts)
    lesions = tuple({x.id: x for x in facts.lesion_map.lesions} for facts in read.facts)
    kept = [tuple([i for i in ids if i in ok] for ids, ok in zip(_ids(x), counted, strict=True)) for x in shared]
    return VisitPair(
        patient=one.visit.patient,
        visit=one.visit.key,
        readers=(one.lesion_map.reader, other.lesion_map.reader),
        shared=shared,
        counted=(counted[0], counted[1]),
        n_lesions=(read.counts[0].total.lesions, read.counts[1].total.lesions),
        volume_ml=(_volume(one, counted[0]), _volume(other, counted[1])),
        shared_ml=tuple((_volume(one, a) if a else None, _volume(other, b) if b else None) for a, b in kept),
        dice=tuple(_dice([lesions[0][i] for i in a], [lesions[1][i] for i in b]) for a, b in kept),
        sites=tuple(
            (tuple(lesions[0][i].sites[0] for i in x.ones), tuple(lesions[1][i].sites[0] for i in x.others))
            for x in shared
        ),
    )


def _ids(shared: Shared) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return shared.ones, shared.others


def _volume(facts: VisitFacts, ids: Iterable[str]) -> float | None:
    """Add up volumes, ml; None where one is not known."""
    found = [main_measurement(facts.measurements.get(i, ())).volume_ml for i in sorted(ids)]
    known = [ml for ml in found if ml is not None]
    return sum(known) if len(known) == len(found) else None


def _dice(ones: Sequence[Lesion], others: Sequence[Lesion]) -> float | None:
    """Give the mean over the Series on which both drew of Dice's coefficient (1945) of all that either drew there."""
    here, there = (_united(lesions) for lesions in (ones, others))
    found = [
        2 * shared_voxels(mask, there[name]) / (mask.n_voxels + there[name].n_voxels)
        for name, mask in here.items()
        if name in there
    ]
    return float(np.mean(found)) if found else None


def _united(lesions: Sequence[Lesion]) -> dict[str, Mask]:
    masks: dict[str, list[Mask]] = {}
    for lesion in lesions:
        for name, mask in masks_by_series(lesion).items():
            masks.setdefault(name, []).append(mask)
    return {name: Mask.united(found) for name, found in masks.items()}


# ---- over all visits ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Work:
    """Who is compared, and how intervals are drawn."""

    readers: tuple[str, ...]
    resamples: int
    seed: int

    def estimate(
        self,
        what: tuple[Statistic, Unit, str],
        patients: Sequence[str],
        sums: Array,
        found: Interval | None = None,
        n: int | None = None,
    ) -> Estimate:
        """Make a row: the formula's value (or the one found), and the interval by resampling patients.

        ``sums`` has a row for each unit, ``patients`` says whose it is.
        """
        names = list(dict.fromkeys(patients))
        of_patient = np.zeros((len(names), sums.shape[1]))
        np.add.at(of_patient, [names.index(x) for x in patients], sums)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = found.value if found else float(RESAMPLED[what[0]](of_patient.sum(axis=0)))
        low, high, why_not = _NAN, _NAN, ""
        if len(names) > 1 and np.isfinite(value):
            low, high, why_not = resampled(what[0], of_patient, self.resamples, self.seed)
        formula = (found.low, found.high) if found else (_NAN, _NAN)
        n = len(sums) if n is None else n
        note = why_not or _note(what[0], value, n, len(names))
        return Estimate(*what, self.readers, n, len(names), value, low, high, *formula, note)


def _note(statistic: str, value: float, n: int, patients: int) -> str:
    if not np.isfinite(value):
        return "there is no unit" if n == 0 else f"not defined: {_WHY_NOT.get(statistic, 'it needs two units')}"
    if patients < 2:
        return "one patient: no interval by patients"
    return TOO_FEW if patients < _FEW else ""


def _detection(work: _Work, pairs: Sequence[VisitPair]) -> list[Estimate]:
    rows = []
    for pair in pairs:
        found = [0, 0]
        for shared in pair.shared:
            here = [[i for i in ids if i in ok] for ids, ok in zip(_ids(shared), pair.counted, strict=True)]
            if all(here):
                found = [found[0] + len(here[0]), found[1] + len(here[1])]
        rows.append([found[0], len(pair.counted[0]), found[1], len(pair.counted[1])])
    sums = np.array(rows, dtype=np.float64).reshape(-1, 4)
    whose = [pair.patient for pair in pairs]
    ns = {"recall": sums[:, 1].sum(), "precision": sums[:, 3].sum(), "f1": sums[:, [1, 3]].sum()}
    return [
        work.estimate(("recall", "lesion", "all"), whose, sums, n=int(ns["recall"])),
        work.estimate(("precision", "lesion", "all"), whose, sums, n=int(ns["precision"])),
        work.estimate(("f1", "lesion", "all"), whose, sums, n=int(ns["f1"])),
    ]


def _kappas(work: _Work, visits: Sequence[_Read], left: Counter[str]) -> list[Estimate]:
    """Give kappas of all sites, of each region's, of each site that somebody marked, and of regions."""
    at_sites: list[_Unit] = []
    in_regions: list[_Unit] = []
    for read in visits:
        rated, why = rate_sites(read.facts, read.counts)
        left.update({f"sites of visits {words}, {' and '.join(work.readers)}": n for words, n in why.items()})
        for name, said in rated.items():
            place = site(name)
            at_sites.append(_Unit(read.patient, ("all", place.region, name), tuple(map(float, said))))
        areas = rate_regions(read.facts, read.counts).values()
        in_regions += [_Unit(read.patient, ("all",), tuple(map(float, said))) for said in areas]
    marked = {unit.of[-1] for unit in at_sites if any(unit.values)}
    wanted = ["all", *regions(), *(place.id for place in sites() if place.id in marked)]
    return [
        *(row for of in wanted for row in _kappa(work, "site", of, at_sites)),
        *_kappa(work, "region", "all", in_regions),
    ]


def _kappa(work: _Work, unit: Unit, of: str, units: Sequence[_Unit]) -> list[Estimate]:
    ours = [x for x in units if of in x.of]
    whose, said = [x.patient for x in ours], np.array([x.values for x in ours]).reshape(len(ours), len(work.readers))
    yes = said.sum(axis=1)
    ratings = np.stack([len(work.readers) - yes, yes], axis=1)
    how_many = (yes[:, None] == np.arange(len(work.readers) + 1)).astype(np.float64)
    free = work.estimate(("kappa_free", unit, of), whose, how_many, Interval(free_kappa(ratings)))
    if len(work.readers) > 2:
        return [work.estimate(("kappa_fleiss", unit, of), whose, how_many, Interval(fleiss_kappa(ratings))), free]
    a, b = said.T
    cells = np.stack([a * b, a * (1 - b), (1 - a) * b, (1 - a) * (1 - b)], axis=1)
    cohen = cohen_kappa(cells.sum(axis=0).reshape(2, 2))
    return [work.estimate(("kappa_cohen", unit, of), whose, cells, cohen), free]


def _counts(work: _Work, visits: Sequence[_Read]) -> list[Estimate]:
    """Give ICC of number and volume per visit, of all readers; and bias and limits of two."""
    numbers = [_Unit(x.patient, ("n_lesions",), tuple(float(c.total.lesions) for c in x.counts)) for x in visits]
    volumes = []
    for read in visits:
        ml = [
            _volume(facts, [x.lesion for x in found.judged if x.counted])
            for facts, found in zip(read.facts, read.counts, strict=True)
        ]
        known = tuple(x for x in ml if x is not None)
        volumes += [_Unit(read.patient, ("volume_ml",), known)] if len(known) == len(ml) else []
    return [*_measured(work, "visit", "n_lesions", numbers), *_measured(work, "visit", "volume_ml", volumes)]


def _sizes(work: _Work, pairs: Sequence[VisitPair]) -> list[Estimate]:
    """Give agreement on the volume of lesions that both readers have, and the overlap of their outlines."""
    volumes = [
        _Unit(pair.patient, ("volume_ml",), (a, b))
        for pair in pairs
        for a, b in pair.shared_ml
        if a is not None and b is not None
    ]
    dices = [(pair.patient, dice) for pair in pairs for dice in pair.dice if dice is not None]
    sums = np.array([(1.0, dice) for _, dice in dices]).reshape(-1, 2)
    return [
        *_measured(work, "lesion", "volume_ml", volumes),
        work.estimate(("dice", "lesion", "all"), [who for who, _ in dices], sums),
    ]


def _measured(work: _Work, unit: Unit, of: str, units: Sequence[_Unit]) -> list[Estimate]:
    whose, values = [x.patient for x in units], np.array([x.values for x in units]).reshape(-1, len(work.readers))
    centred = values - (values.mean() if len(values) else 0.0)  # the same statistic, without loss of digits
    rows = [work.estimate(("icc_2_1", unit, of), whose, icc_sums(centred), icc_2_1(centred))]
    if len(work.readers) == 2:
        limits = bland_altman(*values.T)
        sums = difference_sums(*values.T)
        figures: list[tuple[Statistic, Interval]] = [
            ("bias", limits.bias),
            ("lower_limit", limits.lower),
            ("upper_limit", limits.upper),
        ]
        rows += [work.estimate((name, unit, of), whose, sums, found) for name, found in figures]
    return rows
