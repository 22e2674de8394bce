"""Readers compared: which of their lesions are one, how well they agree, and a consensus of two maps.

Numbers only: visits as several readers marked them go in, frozen facts come out.
"""

from lesionmap.agreement.blinding import hidden_from
from lesionmap.agreement.consensus import CONSENSUS, Difference, differences, named_in, start_consensus
from lesionmap.agreement.facts import TOO_FEW, Agreement, Estimate, Shared, VisitPair
from lesionmap.agreement.matching import match_readers
from lesionmap.agreement.readers import compare_readers
from lesionmap.agreement.statistics import (
    bland_altman,
    cohen_kappa,
    fleiss_kappa,
    free_kappa,
    icc_2_1,
)

__all__ = [
    "CONSENSUS",
    "TOO_FEW",
    "Agreement",
    "Difference",
    "Estimate",
    "Shared",
    "VisitPair",
    "bland_altman",
    "cohen_kappa",
    "compare_readers",
    "differences",
    "fleiss_kappa",
    "free_kappa",
    "hidden_from",
    "icc_2_1",
    "match_readers",
    "named_in",
    "start_consensus",
]
