"""The statistics of agreement against published worked examples, and their laws."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from lesionmap.agreement import bland_altman, cohen_kappa, fleiss_kappa, free_kappa, icc_2_1
from lesionmap.agreement.statistics import RESAMPLED, difference_sums, icc_sums, resampled
from lesionmap.errors import LesionmapError

# Shrout and Fleiss 1979, table 2: six targets, four judges.
JUDGES = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
# Bland and Altman 1986: peak flow, l/min, first measurement by the Wright and by the mini Wright meter.
WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
# Fleiss 1971: 14 readers, 10 subjects, 5 categories (as printed by Wikipedia, "Fleiss' kappa").
FOURTEEN = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def test_icc_of_shrout_and_fleiss() -> None:
    found = icc_2_1(JUDGES)
    assert found.value == pytest.approx(0.29, abs=0.005)
    # R's psych, ICC(), prints this interval for the same table.
    assert (found.low, found.high) == pytest.approx((0.019, 0.761), abs=0.001)


def test_icc_falls_where_one_reader_always_finds_more() -> None:
    same = np.array([[1.0, 1.0], [4.0, 4.0], [9.0, 9.0]])
    assert icc_2_1(same).value == pytest.approx(1.0)
    assert icc_2_1(same + np.array([0.0, 3.0])).value < 0.85


def test_icc_is_not_defined_where_nothing_differs() -> None:
    for values in ([[3.0, 3.0], [3.0, 3.0]], [[3.0, 4.0]], np.empty((0, 2))):
        assert np.isnan(icc_2_1(values).value)


def test_icc_takes_no_unknown_values() -> None:
    with pytest.raises(LesionmapError, match=re.escape("finite numbers were expected, got unknown ones")):
        icc_2_1([[1.0, float("nan")], [2.0, 3.0]])


def test_kappa_of_fleiss_levin_and_paik() -> None:
    """Statistical Methods for Rates and Proportions, 3rd edition, table 18.1: kappa 0.68, standard error 0.087."""
    found = cohen_kappa([[75, 1, 4], [5, 4, 1], [0, 0, 10]])
    assert found.value == pytest.approx(0.68, abs=0.005)
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(0.087, abs=0.001)


def test_kappa_of_viera_and_garrett() -> None:
    """Family Medicine 2005: 15 and 70 of 100 alike, 0.85 seen, 0.65 by chance, kappa 0.57."""
    assert cohen_kappa([[15, 5], [10, 70]]).value == pytest.approx(0.57, abs=0.005)


def test_kappa_is_not_defined_where_both_say_one_thing_throughout() -> None:
    for table in ([[0, 0], [0, 50]], [[7, 0], [0, 0]], [[0, 0], [0, 0]]):
        assert np.isnan(cohen_kappa(table).value)
    assert np.isnan(fleiss_kappa([[2, 0], [2, 0]]))


def test_kappa_of_one_reader_who_never_says_yes_is_0() -> None:
    assert cohen_kappa([[0, 6], [0, 30]]).value == pytest.approx(0.0)


def test_free_marginal_kappa_of_randolphs_calculator() -> None:
    assert free_kappa([[7, 1], [3, 5]]) == pytest.approx(0.214286, abs=1e-6)
    assert free_kappa([[6, 1, 0], [0, 7, 0]]) == pytest.approx(0.785714, abs=1e-6)
    assert fleiss_kappa([[7, 1], [3, 5]]) == pytest.approx(0.161905, abs=1e-6)


def test_fleiss_and_free_kappa_of_fourteen_readers() -> None:
    assert fleiss_kappa(FOURTEEN) == pytest.approx(0.210, abs=0.0005)
    assert free_kappa(FOURTEEN) == pytest.approx((0.378 - 0.2) / 0.8, abs=0.001)


def test_limits_of_agreement_of_bland_and_altman() -> None:
    """The paper takes two standard deviations: 38.8, limits -79.7 and 75.5; its intervals are printed too."""
    found = bland_altman(WRIGHT, MINI)
    assert found.bias.value == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    assert found.lower.value == pytest.approx(-2.1 - 1.96 * 38.8, abs=0.1)
    assert (found.bias.low, found.bias.high) == pytest.approx((-22.0, 17.8), abs=0.1)
    half = (found.upper.high - found.upper.low) / 2
    assert half == pytest.approx((110.1 - 40.9) / 2, abs=0.2)


def test_limits_of_one_unit_have_a_bias_alone() -> None:
    found = bland_altman([3.0], [1.0])
    assert found.bias.value == 2.0
    assert np.isnan([found.sd, found.lower.value, found.bias.low]).all()
    assert np.isnan(bland_altman([], []).bias.value)


# ---- formulas of sums, and resampling -------------------------------------------------------------------------------

TABLES = st.lists(st.integers(0, 40), min_size=4, max_size=4).filter(lambda cells: sum(cells) > 0)


@given(TABLES)
def test_formula_of_cohens_kappa_gives_what_statsmodels_does(cells: list[int]) -> None:
    with np.errstate(all="ignore"):
        ours = RESAMPLED["kappa_cohen"](np.array(cells, dtype=float))
    assert ours == pytest.approx(cohen_kappa(np.reshape(cells, (2, 2))).value, nan_ok=True)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=30))
def test_formulas_of_free_and_fleiss_kappa_give_what_statsmodels_does(yes: list[int]) -> None:
    said = np.array(yes)
    sums = (said[:, None] == np.arange(4)).sum(axis=0).astype(float)
    ratings = np.stack([3 - said, said], axis=1)
    with np.errstate(all="ignore"):
        assert RESAMPLED["kappa_free"](sums) == pytest.approx(free_kappa(ratings))
        assert RESAMPLED["kappa_fleiss"](sums) == pytest.approx(fleiss_kappa(ratings), nan_ok=True)


@given(TABLES)
def test_kappa_does_not_mind_who_is_first(cells: list[int]) -> None:
    table = np.reshape(cells, (2, 2))
    assert cohen_kappa(table.T).value == pytest.approx(cohen_kappa(table).value, nan_ok=True)


def test_formulas_of_icc_and_limits_give_the_whole() -> None:
    assert RESAMPLED["icc_2_1"](icc_sums(JUDGES).sum(axis=0)) == pytest.approx(icc_2_1(JUDGES).value)
    sums = difference_sums(WRIGHT, MINI).sum(axis=0)
    whole = bland_altman(WRIGHT, MINI)
    assert RESAMPLED["bias"](sums) == pytest.approx(whole.bias.value)
    assert RESAMPLED["lower_limit"](sums) == pytest.approx(whole.lower.value)
    assert RESAMPLED["upper_limit"](sums) == pytest.approx(whole.upper.value)


def test_interval_by_patients_is_that_of_scipy() -> None:
    """Seventeen patients of one visit: scipy draws the same kind of sample, with other random numbers."""
    sums = difference_sums(WRIGHT, MINI)
    low, high, why_not = resampled("bias", sums, 20_000, 5)
    away = np.subtract(WRIGHT, MINI)
    theirs = bootstrap((away,), np.mean, n_resamples=20_000, method="percentile").confidence_interval
    assert not why_not
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.7)


def test_a_seed_gives_the_same_interval_again() -> None:
    sums = difference_sums(WRIGHT, MINI)
    assert resampled("bias", sums, 300, 4) == resampled("bias", sums, 300, 4)
    assert resampled("bias", sums, 300, 4) != resampled("bias", sums, 300, 5)


def test_patients_are_drawn_whole() -> None:
    """Two visits of each patient that are alike tell no more than one: the interval stays as wide."""
    sums = difference_sums(WRIGHT, MINI)
    assert resampled("bias", 2 * sums, 2000, 1)[:2] == pytest.approx(resampled("bias", sums, 2000, 1)[:2])


def test_no_interval_where_draws_are_alike_or_mostly_not_defined() -> None:
    alike = np.array([[4.0, 4.0, 5.0, 5.0]] * 6)
    assert resampled("recall", alike, 200, 1)[2] == "no interval: all draws of patients give the same"
    lonely = np.array([[1.0, 0, 1, 20], [0, 0, 0, 20], [0, 0, 0, 20]])
    low, high, why_not = resampled("kappa_cohen", lonely, 500, 1)
    assert np.isnan([low, high]).all()
    assert re.fullmatch(r"no interval: not defined in \d\d% of the draws of patients", why_not)
