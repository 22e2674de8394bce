"""Do healthy children of that age often show high signal there? A hint with its source, never a verdict."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, get_args

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Physis
from lesionmap.skeleton import groups, known, members, sites
from lesionmap.visits import Sex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

__all__ = ["Finding", "Hint", "check_findings", "normal_findings", "normal_hint"]

_SEXES: tuple[Sex, ...] = get_args(Sex)
_OLDEST_Y = 25.0


@dataclass(frozen=True, slots=True)
class Finding:
    """A normal finding: a row of ``normal.toml``."""

    name: str
    sites: frozenset[str]
    """Site ids, with side."""
    ages_y: tuple[tuple[Sex, float, float], ...]
    """For each sex from (inclusive) to (exclusive)."""
    words: str
    citation: str
    physis: tuple[Physis, ...] = ()
    """Relations to a physis that it is seen with; empty: any."""
    most_mm: float | None = None
    """Its largest diameter; None: any."""

    def holds(self, age_y: float, sex: Sex | None) -> bool:
        """Say whether it is seen at an age; where the sex is not known, in either."""
        return any(first <= age_y < last for one, first, last in self.ages_y if sex in (None, one))


@dataclass(frozen=True, slots=True)
class Hint:
    """What the reader is told beside a mark."""

    finding: str
    """Name of the normal finding."""
    words: str
    """One sentence, without a full stop."""
    citation: str
    age_known: bool
    """False: it would depend on the age, which is not known."""


def normal_hint(
    site: str,
    age_y: float | None,
    sex: Sex | None,
    *,
    diameter_mm: float | None = None,
    physis: Physis | None = None,
) -> Hint | None:
    """Give a hint where healthy children of that age often show high signal.

    Parameters
    ----------
    site : str
        Site id or site group of the mark.
    age_y : float or None
        Years. Not known: the hint says that it depends on the age.
    sex : "F", "M" or None
        Not known: the ages of both count.
    diameter_mm : float, optional
        Largest diameter of the mark, where measured: a large one is not taken for a small normal finding.
    physis : str, optional
        Relation of the mark to the physes: touches, crosses, spares.

    Returns
    -------
    Hint or None
        The most particular one; None: nothing normal is known there at that age.

    Raises
    ------
    LesionmapError
        If the site is not known.

    Notes
    -----
    The rules are hints drawn from studies of healthy children (see ``normal.toml``). The calcaneus is both a common
    site of CNO and the commonest normal finding: a hint never says that a mark is no lesion.
    """
    mine = {place.id for place in members(site)}
    for one in normal_findings():
        if not mine & one.sites or not _fits(one, diameter_mm, physis):
            continue
        if age_y is None:
            return Hint(one.name, f"depends on the age, which is not known: {one.words}", one.citation, False)
        if one.holds(age_y, sex):
            return Hint(one.name, one.words, one.citation, True)
    return None


def _fits(finding: Finding, diameter_mm: float | None, physis: Physis | None) -> bool:
    if finding.physis and physis is not None and physis not in finding.physis:
        return False
    return finding.most_mm is None or diameter_mm is None or diameter_mm <= finding.most_mm


@cache
def normal_findings() -> tuple[Finding, ...]:
    """Give the normal findings in the order of the file: the more particular ones of a place first."""
    text = files("lesionmap.annotate").joinpath("normal.toml").read_text(encoding="utf-8")
    return tuple(_finding(row) for row in tomllib.loads(text)["finding"])


def _finding(row: Mapping[str, Any]) -> Finding:
    ages = row["ages_y"]
    by_sex = {sex: ages[sex] if isinstance(ages, dict) else ages for sex in _SEXES}
    return Finding(
        name=row["name"],
        sites=frozenset(site for name in row["sites"] for site in _members(name)),
        ages_y=tuple((sex, float(first), float(last)) for sex, (first, last) in by_sex.items()),
        words=row["words"],
        citation=row["citation"],
        physis=tuple(row.get("physis", ())),
        most_mm=row.get("most_mm"),
    )


def _members(name: str) -> set[str]:
    """Give the sites of a group or site that is named without its side."""
    sides = ("", ".left", ".right", ".midline")
    found = {site.id for site in sites() if any(site.id == name + side for side in sides[1:])}
    for group in groups():
        if group.id in {name + side for side in sides}:
            found |= set(group.sites)
    return found


def check_findings(findings: tuple[Finding, ...] | None = None) -> dict[str, tuple[str, ...]]:
    """Run the named checks over the normal findings: check → names of the rows that fail it; empty: all is well."""
    rows = normal_findings() if findings is None else findings
    names = [row.name for row in rows]
    battery: dict[str, Callable[[Finding], bool]] = {
        "the sites exist": lambda row: bool(row.sites) and all(_is_known(site) for site in row.sites),
        "both sides are there": lambda row: {_other(site) for site in row.sites} == set(row.sites),
        "the ages are sane": lambda row: bool(row.ages_y) and all(0 <= a < b <= _OLDEST_Y for _, a, b in row.ages_y),
        "both sexes are told": lambda row: {sex for sex, _, _ in row.ages_y} == set(_SEXES),
        "a citation is there": lambda row: bool(row.citation.strip()),
        "the words are one sentence without a full stop": lambda row: bool(row.words) and not row.words.endswith("."),
        "the relations to a physis are known": lambda row: set(row.physis) <= set(get_args(Physis)),
        "the size is one in mm": lambda row: row.most_mm is None or 0 < row.most_mm < 200,
        "the name is told once": lambda row: names.count(row.name) == 1,
    }
    found = {check: tuple(row.name for row in rows if not passes(row)) for check, passes in battery.items()}
    return {check: failed for check, failed in found.items() if failed}


def _is_known(site: str) -> bool:
    try:
        known(site)
    except LesionmapError:
        return False
    return True


def _other(site: str) -> str:
    name, _, side = site.rpartition(".")
    other = {"left": "right", "right": "left"}.get(side, side)
    return f"{name}.{other}"
