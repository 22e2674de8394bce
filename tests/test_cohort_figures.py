"""The figures of a cohort: shares among what was imaged, counts by year, survival; against published numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lesionmap.clinic import Observation, Treatment
from lesionmap.cohort import PatientFacts, Span, VisitTally, facts_of, write_figures
from lesionmap.cohort.facts import from_plain
from lesionmap.cohort.figures import Group, counts_by_year, survival_of
from lesionmap.lesions import Answer
from lesionmap.skeleton import sites
from lesionmap.visits import Patient
from lesionmap.write import results_of
from lesionmap.write.heat import HeatPanel, heat_map
from lesionmap.write.style import NOT_IMAGED
from write_case import Mark, case, facts, placed

if TYPE_CHECKING:
    from pathlib import Path

TIBIA, RIB = "tibia.distal_metaphysis.left", "rib_7.whole.left"
ALL = frozenset(site.id for site in sites())


def visit(
    years: float, n: int, imaged: frozenset[str], *involved: str, drugs: tuple[str, ...] | None = None
) -> VisitTally:
    return VisitTally("2010-01-01", years, n, imaged, frozenset(involved), 0, drugs)


def test_facts_of_the_published_case() -> None:
    found = facts_of(case())
    assert [v.lesions for v in found.visits] == [1, 4, 1]
    first, second, third = found.visits
    assert first.involved == {"clavicle.medial.left"}
    assert {site.split(".")[0] for site in first.imaged} >= {"rib_7"}
    assert TIBIA not in first.imaged
    assert second.imaged == ALL
    assert TIBIA in second.involved
    assert "metatarsal_2.whole.right" not in second.involved  # a normal variant does not count
    assert second.in_groups == 1  # the sacroiliac joint
    assert third.imaged == frozenset()  # nobody knows
    assert first.drugs is None  # the clinic told nothing
    # clavicle still there after three years; spine resolved in one; joint, ankle: last seen when first seen
    years = (date(2009, 5, 4) - date(2006, 3, 1)).days / 365.25
    assert sorted(found.spans) == sorted([Span(years, False), Span(365 / 365.25, True), Span(0, False), Span(0, False)])
    assert from_plain(found.plain()) == found


def test_drugs_that_run_on_the_day_and_silence_of_the_clinic() -> None:
    visits = [facts(f"{year}-05-04", 9.0, [Mark(TIBIA, "1")], placed()) for year in (2008, 2009, 2010)]
    drugs = [Treatment("  Pamidronate", date(2008, 12, 1), date(2010, 1, 1)), Treatment("naproxen", date(2009, 5, 4))]
    found = facts_of(results_of(Patient("P001"), visits, treatments=drugs)).visits
    assert [v.drugs for v in found] == [(), ("naproxen", "pamidronate"), ("naproxen",)]
    seen = [Observation(date(2008, 1, 1), "pain_0_10", 3.0)]
    assert [v.drugs for v in facts_of(results_of(Patient("P001"), visits, observations=seen)).visits] == [(), (), ()]


def test_a_lesion_that_comes_back_resolved_the_first_time() -> None:
    one, two, three = (facts(f"{year}-05-04", 9.0, [Mark(TIBIA, "1")], placed()) for year in (2008, 2009, 2010))
    gone = replace(two, lesion_map=replace(two.lesion_map, lesions=(), answers=(Answer("1", "resolved"),)))
    (span,) = facts_of(results_of(Patient("P001"), [one, gone, three])).spans
    assert span == Span(365 / 365.25, True)


def test_shares_are_of_the_visits_in_which_the_site_was_imaged() -> None:
    group = Group()
    legs = frozenset({TIBIA})
    for tally in (
        visit(0, 1, ALL, TIBIA),
        visit(0, 1, legs, TIBIA, RIB),  # marked on the rib though it was not imaged: outside the share of the rib
        visit(0, 0, ALL),
        visit(0, 0, ALL),
        visit(0, 5, frozenset(), TIBIA),  # nobody knows what was imaged
    ):
        group.add(tally)
    shares = group.shares()
    assert shares[TIBIA] == 2 / 4
    assert shares[RIB] == 0 / 3
    assert (group.visits, group.known) == (5, 4)
    part = Group()
    part.add(visit(0, 1, ALL, TIBIA))
    rest = group.without(part)
    assert rest.shares()[TIBIA] == 1 / 3
    assert (rest.visits, rest.known) == (4, 3)


def test_counts_by_year() -> None:
    lines = [[(0.0, 4), (1.2, 8)], [(0.0, 6), (0.9, 2), (1.1, 4)], [(0.0, 8), (2.6, 1)]]
    bins = counts_by_year(lines)
    assert [(b.years, b.children, b.median) for b in bins] == [(0, 3, 6.0), (1, 2, 5.5), (3, 1, 1.0)]
    assert (bins[0].low, bins[0].high) == (5.0, 7.0)
    assert (bins[1].low, bins[1].high) == (4.25, 6.75)  # of 8 and (2 + 4) / 2


def test_survival_is_that_of_the_leukaemia_trial() -> None:
    """Freireich 1963, 6-mercaptopurine, weeks in remission; estimates as textbooks print them."""
    events = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    spans = [Span(float(t), True) for t in events] + [Span(float(t), False) for t in censored]
    found = survival_of(spans)
    assert list(found.years) == [6, 7, 10, 13, 16, 22, 23]
    np.testing.assert_allclose(found.share, [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448], atol=5e-4)
    assert list(found.at_risk) == [21, 17, 15, 12, 11, 7, 6]
    assert list(found.resolved) == [3, 1, 1, 1, 1, 1, 1]
    assert found.median_y == 23
    assert [found.at_risk_at(t) for t in (0, 6, 7, 36)] == [21, 21, 17, 0]
    assert found.share_at(5.9) == 1
    assert found.share_at(9) == pytest.approx(0.807, abs=5e-4)


def test_nothing_resolved_and_nothing_known_is_said(tmp_path: Path) -> None:
    told = write_figures([PatientFacts()], tmp_path / "none")
    assert len(told) == 3
    assert told[0].startswith("no map of sites: of no visit is it known what was imaged")
    assert [path.name for path in (tmp_path / "none").iterdir()] == ["sites.csv"]
    held = PatientFacts((visit(0, 1, ALL, TIBIA),), (Span(0.0, False),))
    told = write_figures([held], tmp_path / "one", treatment="naproxen")
    assert [note.partition(":")[0] for note in told] == ["no map of sites by treatment"]
    assert (tmp_path / "one" / "survival.csv").read_text(encoding="utf-8") == "years,n_at_risk,n_resolved,share\n"
    assert (tmp_path / "one" / "survival.png").stat().st_size > 10_000


def test_the_map_of_sites_draws_what_it_is_given_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    shares = {site: 0.0 for site in ALL if not site.startswith("rib_")} | {TIBIA: 0.4, "femur.diaphysis.right": 0.1}
    panels = [HeatPanel("Visit 1", "n = 9 of 10 children", shares)]
    paths = [tmp_path / name for name in ("a.svg", "b.svg", "a.png", "a.pdf")]
    heat_map(panels, paths, title="Sites", notes=["Note."])
    text = paths[0].read_text(encoding="utf-8")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert text.count("fill: #800026") == 2  # the largest share, front and back
    assert NOT_IMAGED in text  # the ribs
    none = [HeatPanel("Visit 1", "n = 9", dict.fromkeys(ALL, 0.0))]
    heat_map(none, [tmp_path / "none.svg"], title="Sites")
    text = (tmp_path / "none.svg").read_text(encoding="utf-8")
    assert "#800026" not in text
