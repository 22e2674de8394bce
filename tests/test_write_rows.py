"""Rows of the lesion table and of the comparison, from a case whose numbers are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lesionmap.errors import LesionmapError
from lesionmap.visits import Patient
from lesionmap.write import (
    LESION_COLUMNS,
    comparison_columns,
    comparison_rows,
    lesion_rows,
    notes,
    results_of,
    write_table,
)
from lesionmap.write.rows import tally_words
from write_case import case

if TYPE_CHECKING:
    from pathlib import Path


def test_lesion_rows_hold_what_was_marked() -> None:
    rows = lesion_rows(case())
    assert [(row["visit_date"], row["lesion"]) for row in rows] == [
        ("2006-03-01", "L1"),
        *(("2008-05-04", f"L{n}") for n in (1, 2, 3, 4, 5)),
        ("2009-05-04", "L1"),
    ]
    assert all(set(row) == set(LESION_COLUMNS) for row in rows)
    clavicle = rows[1]
    assert (clavicle["bone"], clavicle["segment"], clavicle["side"]) == ("clavicle", "medial", "left")
    assert (clavicle["region"], clavicle["state"], clavicle["volume_ml"]) == ("shoulder girdle", "worsened", 8.2)
    assert (clavicle["modality"], clavicle["diameter_mm"], clavicle["n_slices"]) == ("MR", 17.25, 3)
    assert rows[-1]["age_y"] is None
    assert rows[-1]["state"] == "improved"


def test_a_group_is_never_a_made_up_site() -> None:
    joint = lesion_rows(case(), ["2008-05-04"])[2]
    assert (joint["site"], joint["side"], joint["region"]) == ("sacroiliac_joint.right", "right", "pelvis")
    assert (joint["bone"], joint["segment"]) == (None, None)
    assert (joint["volume_ml"], joint["diameter_mm"], joint["n_slices"], joint["x_lps_mm"]) == (None,) * 4
    assert joint["why_not_measured"] == "nothing is drawn: the lesion is known by its site only"


def test_rows_sum_to_the_count() -> None:
    results = case()
    for key, found in results.counts.items():
        rows = lesion_rows(results, [key])
        assert sum(row["counted"] for row in rows) == found.total.lesions == rows[0]["n_lesions"]
    toe = lesion_rows(results, ["2008-05-04"])[4]
    assert (toe["counted"], toe["why_not_counted"]) == (False, "certainty normal variant")


def test_free_text_of_readers_stays_out_of_the_tables() -> None:
    assert not any("script" in str(value) for row in lesion_rows(case()) for value in row.values())


def test_comparison_has_two_columns_a_visit() -> None:
    results = case()
    columns = comparison_columns(results)
    assert columns[:4] == ("track", "site", "state@2006-03-01", "volume_ml@2006-03-01")
    assert len(columns) == 8
    rows = {row["site"]: row for row in comparison_rows(results)}
    assert rows["clavicle.medial.left"]["state@2008-05-04"] == "worsened"
    assert rows["vertebra_T8.body.midline"]["state@2006-03-01"] is None
    assert rows["vertebra_T8.body.midline"]["state@2009-05-04"] == "resolved"
    assert rows["sacroiliac_joint.right"]["state@2009-05-04"] == "cannot_judge"
    assert rows["tibia.distal_metaphysis.left"]["state@2009-05-04"] == "unanswered"
    assert rows["tibia.distal_metaphysis.left"]["volume_ml@2009-05-04"] is None


def test_tables_are_written_for_other_programs(tmp_path: Path) -> None:
    import pandas as pd

    results = case()
    write_table(lesion_rows(results), LESION_COLUMNS, tmp_path / "lesions.csv")
    frame = pd.read_csv(tmp_path / "lesions.csv")
    assert list(frame.columns) == list(LESION_COLUMNS)
    assert frame["volume_ml"].tolist()[:3] == [6.123, 8.2, 1.25]
    assert frame["segment"].isna().sum() == 1
    write_table(comparison_rows(results), comparison_columns(results), tmp_path / "course.xlsx", notes=notes(results))
    assert pd.read_excel(tmp_path / "course.xlsx")["volume_ml@2009-05-04"].tolist()[0] == 0.4


def test_notes_tell_rule_counts_and_threshold() -> None:
    told = notes(case())
    assert told[0].startswith('Counted (rule "default"): definite and probable lesions of any size')
    assert "2008-05-04: 4 lesions in 4 bones (4 sites)." in told
    assert "30 %" in told[-1]


def test_words_of_a_count() -> None:
    results = case()
    assert tally_words(results.counts["2006-03-01"]) == "1 lesion in 1 bone (1 site)"


def test_unknown_visit_and_no_visit() -> None:
    with pytest.raises(LesionmapError, match="has no visit '2001-01-01'; there are: 2006-03-01, 2008-05-04"):
        lesion_rows(case(), ["2001-01-01"])
    with pytest.raises(LesionmapError, match="patient P009 has no visit to write"):
        results_of(Patient("P009"), [])
