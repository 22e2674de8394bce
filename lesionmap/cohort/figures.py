"""The figures of a cohort and the numbers in them: where the lesions are, how many over time, how long they last."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.skeleton import sites
from lesionmap.write import write_table
from lesionmap.write.curves import CountBin, Survival, counts_figure, survival_figure
from lesionmap.write.heat import HeatPanel, heat_map

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from lesionmap.cohort.facts import PatientFacts, Span, VisitTally

__all__ = ["Group", "counts_by_year", "survival_of", "write_figures"]

_FIRST_VISITS = 4
_ENDINGS = ("png", "svg", "pdf")
_RESEARCH = "Research use only."
_CAUTION = "Nobody drew lots for the treatment: what it does cannot be read from the difference."


@dataclass(slots=True)
class Group:
    """How often each site was imaged, and had a counted lesion, in some visits."""

    visits: int = 0
    """That were read."""
    known: int = 0
    """Of them, those of which it is known what was imaged."""
    in_groups: int = 0
    """Counted lesions given to a group of sites alone, which are not drawn."""
    imaged: Counter[str] = field(default_factory=Counter)
    involved: Counter[str] = field(default_factory=Counter)
    """Where it was imaged."""

    def add(self, visit: VisitTally) -> None:
        """Take a visit in."""
        self.visits += 1
        self.known += bool(visit.imaged)
        self.in_groups += visit.in_groups if visit.imaged else 0
        self.imaged.update(visit.imaged)
        self.involved.update(visit.imaged & visit.involved)

    def without(self, other: Group) -> Group:
        """Give what is left when another group, a part of this one, is taken away."""
        return Group(
            self.visits - other.visits, self.known - other.known, self.in_groups - other.in_groups,
            self.imaged - other.imaged, self.involved - other.involved,
        )  # fmt: skip

    def shares(self) -> dict[str, float]:
        """Give site id to the share with a lesion, of the visits in which the site was imaged."""
        return {site: self.involved[site] / n for site, n in self.imaged.items()}


@dataclass(slots=True)
class _Sums:
    """What is added up over the patients."""

    by_number: dict[int, Group] = field(default_factory=dict)
    by_drug: dict[str, Group] = field(default_factory=dict)
    told: Group = field(default_factory=Group)
    """Visits of patients of whom the clinic told something."""
    lines: list[list[tuple[float, int]]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def add(self, facts: PatientFacts) -> None:
        for number, visit in enumerate(facts.visits, start=1):
            if number <= _FIRST_VISITS:
                self.by_number.setdefault(number, Group()).add(visit)
            if visit.drugs is not None:
                self.told.add(visit)
            for drug in visit.drugs or ():
                self.by_drug.setdefault(drug, Group()).add(visit)
        if facts.visits:
            self.lines.append([(visit.since_first_y, visit.lesions) for visit in facts.visits])
        self.spans += facts.spans


def write_figures(patients: Iterable[PatientFacts], folder: Path, *, treatment: str = "") -> tuple[str, ...]:
    """Draw the figures of a cohort into a folder, as PNG, SVG and PDF, and write the numbers in them as CSV.

    Parameters
    ----------
    patients : iterable of PatientFacts
        Taken once.
    folder : Path
        Made if it is not there; older figures in it are replaced.
    treatment : str
        Drug for the map of sites with and without it; the one that ran at most visits where none is named.

    Returns
    -------
    tuple of str
        Which figures could not be drawn, and why.
    """
    sums = _Sums()
    for facts in patients:
        sums.add(facts)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.*"):
        old.unlink()
    notes = [*_maps(sums, folder, treatment)]
    if sums.lines:
        _counts(sums, folder)
    else:
        notes.append("no figure of counts: no visit was read")
    if sums.spans:
        _survival(sums, folder)
    else:
        notes.append("no figure of survival: no lesion counts")
    return tuple(notes)


def _paths(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}.{ending}" for ending in _ENDINGS]


def _maps(sums: _Sums, folder: Path, treatment: str) -> Iterable[str]:
    """Draw the maps of sites; say which could not be drawn."""
    by_number = {f"visit {n}": group for n, group in sorted(sums.by_number.items())}
    drug = " ".join(treatment.split()).casefold() or _most_common(sums.by_drug)
    by_drug = {}
    if drug:
        given = sums.by_drug.get(drug, Group())
        by_drug = {f"with {drug}": given, f"without {drug}": sums.told.without(given)}
    _write_sites({**by_number, **by_drug}, folder)
    if any(group.known for group in by_number.values()):
        _draw_map(by_number, _paths(folder, "sites-by-visit"), ("Sites with lesions, by visit", "children", ""))
    else:
        yield "no map of sites: of no visit is it known what was imaged; place the skeletons ('cohort --verb place')"
        return
    if all(group.known for group in by_drug.values()) and by_drug:
        _draw_map(
            by_drug, _paths(folder, "sites-by-treatment"), ("Sites with lesions, by treatment", "visits", _CAUTION)
        )
    elif drug:
        yield f"no map of sites by treatment: visits with and without {drug} were expected, not all are there"
    else:
        yield "no map of sites by treatment: no treatment is entered ('lesionmap clinic')"


def _most_common(by_drug: dict[str, Group]) -> str:
    return max(sorted(by_drug), key=lambda drug: by_drug[drug].visits, default="")


def _write_sites(groups: dict[str, Group], folder: Path) -> None:
    rows = [
        {
            "group": name,
            "site": site.id,
            "n_imaged": group.imaged[site.id],
            "n_involved": group.involved[site.id],
            "share": group.involved[site.id] / group.imaged[site.id] if group.imaged[site.id] else None,
        }
        for name, group in groups.items()
        for site in sites()
    ]
    write_table(rows, ("group", "site", "n_imaged", "n_involved", "share"), folder / "sites.csv", overwrite=True)


def _draw_map(groups: dict[str, Group], paths: Sequence[Path], words: tuple[str, str, str]) -> None:
    title, noun, caution = words
    panels = [
        HeatPanel(f"{name[:1].upper()}{name[1:]}", f"n = {group.known:,} of {group.visits:,} {noun}", group.shares())
        for name, group in groups.items()
    ]
    left_out = sum(group.in_groups for group in groups.values())
    what = (
        f"Share of the {noun} with a counted lesion at the site, of those in which the site was imaged whole; n: of "
        "which it is known what was imaged. Drawn on a child of ten years."
    )
    more = f"{left_out:,} lesions given to a group of sites are not drawn. " if left_out else ""
    notes = [what, caution, more + _RESEARCH]
    heat_map(panels, paths, title=title, notes=notes, overwrite=True)


def counts_by_year(lines: Iterable[Iterable[tuple[float, int]]]) -> list[CountBin]:
    """Give median and quartiles of counts for each whole year since the first visit (from half a year before it).

    A child with several visits in one year has their mean there.
    """
    by_year: dict[int, list[float]] = {}
    for line in lines:
        own: dict[int, list[int]] = {}
        for years, n in line:
            own.setdefault(int(np.floor(years + 0.5)), []).append(n)
        for year, found in own.items():
            by_year.setdefault(year, []).append(float(np.mean(found)))
    return [
        CountBin(float(year), len(found), *np.percentile(found, [25, 50, 75]).tolist())
        for year, found in sorted(by_year.items())
    ]


def _counts(sums: _Sums, folder: Path) -> None:
    bins = counts_by_year(sums.lines)
    columns = ("since_first_y", "n_children", "first_quartile", "median", "third_quartile")
    rows = [dict(zip(columns, (b.years, b.children, b.low, b.median, b.high), strict=True)) for b in bins]
    write_table(rows, columns, folder / "counts.csv", overwrite=True)
    note = (
        "Each thin line is a child. Median and quartiles of the children with a visit within half a year; their number "
        f"stands under the axis, and who is seen for long may differ from who is not. {_RESEARCH}"
    )
    counts_figure(sums.lines, bins, _paths(folder, "counts"), notes=[note], overwrite=True)


def survival_of(spans: Sequence[Span]) -> Survival:
    """Estimate the share of lesions not yet resolved, after Kaplan and Meier 1958; what did not resolve is censored."""
    from statsmodels.duration.survfunc import SurvfuncRight

    years = np.array([span.years for span in spans])
    fitted = SurvfuncRight(years, np.array([int(span.resolved) for span in spans]))
    keep = fitted.n_events > 0
    return Survival(
        years=tuple(fitted.surv_times[keep].tolist()),
        share=tuple(fitted.surv_prob[keep].tolist()),
        at_risk=tuple(fitted.n_risk[keep].astype(int).tolist()),
        resolved=tuple(fitted.n_events[keep].astype(int).tolist()),
        spans=tuple(years.tolist()),
        censored=tuple(span.years for span in spans if not span.resolved),
    )


def _survival(sums: _Sums, folder: Path) -> None:
    found = survival_of(sums.spans)
    columns = ("years", "n_at_risk", "n_resolved", "share")
    points = zip(found.years, found.at_risk, found.resolved, found.share, strict=True)
    rows = [dict(zip(columns, point, strict=True)) for point in points]
    write_table(rows, columns, folder / "survival.csv", overwrite=True)
    note = (
        f"Kaplan and Meier, {len(found.spans):,} lesions that count, from their first mark to the visit at which they "
        "were resolved, or to the last one at which they were marked. When a lesion began is not known, and it "
        "resolved some time before that visit. Lesions of one child are not independent, so no interval is drawn. "
        + _RESEARCH
    )
    survival_figure(found, _paths(folder, "survival"), notes=[note], overwrite=True)
