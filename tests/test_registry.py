"""The registry: one row a visit, unknown is empty, text stays text."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from lesionmap.clinic import Observation, Treatment, clinic_items
from lesionmap.lesions import LesionMap
from lesionmap.scores import definitions
from lesionmap.visits import Visit
from lesionmap.write import Results, registry_columns, registry_rows, score_rows, write_table
from lesionmap.write.columns import meaning
from write_case import case

if TYPE_CHECKING:
    from pathlib import Path

EVIL_DRUG = "=cmd|'/c calc'!A1"
DRUGS = (Treatment(EVIL_DRUG, date(2006, 3, 1), date(2006, 3, 1)), Treatment("infliximab", date(2008, 5, 5)))
SEEN = (
    Observation(date(2008, 5, 20), "crp_mg_l", 12.0),
    Observation(date(2008, 4, 20), "crp_mg_l", 3.0),
    Observation(date(2006, 2, 1), "fever", 0.0),
    Observation(date(2006, 1, 1), "esr_mm_h", 9.0),
)


def results() -> Results:
    return replace(case(), treatments=DRUGS, observations=SEEN)


def rows() -> list[dict[str, Any]]:
    return registry_rows(results(), list(definitions().values()))


def test_treatments_of_the_day_and_the_nearest_observations() -> None:
    first, second, third = rows()
    assert [row["treatments"] for row in (first, second, third)] == [EVIL_DRUG, None, "infliximab"]
    assert (second["crp_mg_l"], first["fever"], first["esr_mm_h"]) == (3.0, False, None)  # 14 days before, not 16 after
    assert third["crp_mg_l"] is None


def test_flags_are_no_only_where_the_place_was_imaged() -> None:
    first, second, third = rows()
    assert (first["spine"], first["clavicle"], first["region_leg"], first["region_thorax"]) == (None, True, None, False)
    assert (second["spine"], second["mandible"], second["region_arm"]) == (True, False, False)
    assert (third["spine"], third["region_leg"]) == (None, None)  # nobody knows what was imaged


def test_a_visit_that_was_not_read_has_no_numbers_but_what_the_clinic_knows() -> None:
    whole = results()
    unread = replace(whole.visits[0], lesion_map=LesionMap("P001", "2006-03-01", "anna"))
    row = registry_rows(replace(whole, visits=(unread,)), list(definitions().values()))[0]
    assert row["fever"] is False
    assert row.get("n_lesions") is None
    assert row.get("n_resolved") is None


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_columns_are_the_same_for_all_and_text_is_no_formula(tmp_path: Path, suffix: str) -> None:
    asked = list(definitions().values())
    columns = registry_columns([results()], asked)
    assert columns == registry_columns([case()], asked)
    assert set(columns) >= {key for row in rows() for key in row}
    assert {name for name, item in clinic_items().items() if not item.per} <= set(columns)
    assert [name for name in columns if name.startswith("score_")] == ["score_jansson_derived", "score_jansson_missing"]
    assert [name for name in columns if not meaning(name)] == []
    path = tmp_path / f"r{suffix}"
    write_table(rows(), columns, path)
    if suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as stream:
            assert [row["treatments"] for row in csv.DictReader(stream)] == [f"'{EVIL_DRUG}", "", "infliximab"]
    elif suffix == ".xlsx":
        assert pd.read_excel(path)["treatments"][0] == EVIL_DRUG  # a formula would come back empty
    else:
        frame = pd.read_parquet(path)
        assert frame["normal_temperature"].isna().all()
        assert str(frame.dtypes["esr_mm_h"]) == "float64"


def test_an_item_of_the_site_has_its_column() -> None:
    own = replace(results(), observations=(*SEEN, Observation(date(2008, 5, 4), "il6_pg_ml", 4.0)))
    assert "il6_pg_ml" in registry_columns([own], [])
    assert registry_rows(own, [])[1]["il6_pg_ml"] == 4.0


def test_an_item_of_one_bone_says_which() -> None:
    said = meaning("signal_extension@tibia.left")
    assert said == "Observation nearest to the visit: extension of the signal, grade. Of tibia.left."
    assert meaning("volume_ml@2010-05-04").endswith("At the visit of 2010-05-04.")


def test_rows_of_scores_take_the_second_visit_of_a_day() -> None:
    whole = results()
    second = replace(whole.visits[1], visit=Visit("P001", date(2008, 5, 4), 2))
    both = replace(second, lesion_map=replace(second.lesion_map, visit="2008-05-04.2"))
    from lesionmap.write import results_of

    found = score_rows(results_of(whole.patient, [whole.visits[1], both]), [definitions()["simple_counts"]])
    assert {row["visit_date"] for row in found} == {"2008-05-04", "2008-05-04.2"}
