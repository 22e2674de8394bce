"""How large, how bright, how many: numbers computed from what was drawn, never stored."""

from lesionmap.measure.count import Count, Judged, Tally, count
from lesionmap.measure.extent import (
    Measurement,
    early_over_late,
    main_measurement,
    measure_extent,
    measure_lesion,
    measure_map,
    reference_mean,
)
from lesionmap.measure.rule import RULES, CountRule, rule_from_file, rule_named
from lesionmap.measure.uptake import Uptake, geometric_mean

__all__ = [
    "RULES",
    "Count",
    "CountRule",
    "Judged",
    "Measurement",
    "Tally",
    "Uptake",
    "count",
    "early_over_late",
    "geometric_mean",
    "main_measurement",
    "measure_extent",
    "measure_lesion",
    "measure_map",
    "reference_mean",
    "rule_from_file",
    "rule_named",
]
