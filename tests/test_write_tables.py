"""Tables: unknown stays empty, text stays text, a file is whole or not there."""

from __future__ import annotations

import csv
import json
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lesionmap.errors import LesionmapError
from lesionmap.write import LESION_COLUMNS, saving, write_table
from lesionmap.write.columns import meaning

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("patient", "volume_ml", "n_slices", "counted", "signal_ratio", "age_y")
ROWS: list[dict[str, Any]] = [
    {"patient": "P001", "volume_ml": 1.23456789, "n_slices": np.int64(3), "counted": True, "signal_ratio": None},
    {"patient": None, "volume_ml": None, "n_slices": None, "counted": None, "signal_ratio": float("nan")},
    {"patient": "P003", "volume_ml": np.float32(0.0004), "n_slices": 0, "counted": False, "age_y": -0.00001},
]
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "=cmd|'/c calc'!A1")


def read_back(path: Path) -> list[dict[str, Any]]:
    """Read a table with another program's reader: None for what is empty."""
    reader = {
        ".csv": pd.read_csv,
        ".xlsx": pd.read_excel,
        ".parquet": pd.read_parquet,
        ".json": lambda p: pd.DataFrame(json.loads(p.read_text("utf-8"))),
    }[path.suffix]
    frame = reader(path).astype(object)
    return [{k: None if pd.isna(v) else v for k, v in row.items()} for row in frame.to_dict("records")]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet", ".json"])
def test_unknown_stays_empty_and_zero_stays_zero(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    write_table(ROWS, COLUMNS, path)
    first, second, third = read_back(path)
    assert tuple(first) == COLUMNS
    assert (first["patient"], first["volume_ml"], first["n_slices"], first["counted"]) == ("P001", 1.235, 3, True)
    assert set(second.values()) == {None}
    assert (third["volume_ml"], third["n_slices"], third["counted"], third["age_y"]) == (0.0, 0, False, 0.0)
    assert first["signal_ratio"] is None
    assert first["age_y"] is None


def test_csv_is_plain(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_table(ROWS, COLUMNS, path, notes=["not in the rows"])
    assert path.read_bytes() == (
        b"patient,volume_ml,n_slices,counted,signal_ratio,age_y\nP001,1.235,3,true,,\n,,,,,\nP003,0.0,0,false,,0.0\n"
    )


def test_parquet_types_do_not_depend_on_what_is_known(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    names = ("volume_ml@2010-05-04", "n_slices", "counted", "state@2010-05-04", "diameter_mm")
    write_table([dict.fromkeys(names)], names, tmp_path / "empty.parquet", notes=["Rule ä"])
    schema = pq.read_schema(tmp_path / "empty.parquet")
    assert [str(schema.field(name).type) for name in names] == ["double", "int64", "bool", "string", "double"]
    assert json.loads(schema.metadata[b"lesionmap.notes"]) == ["Rule ä"]
    write_table([{"diameter_mm": 12}], ("diameter_mm",), tmp_path / "whole.parquet")
    assert str(pq.read_schema(tmp_path / "whole.parquet").field(0).type) == "double"


@pytest.mark.parametrize("text", FORMULAS)
def test_text_never_becomes_a_formula(tmp_path: Path, text: str) -> None:
    import openpyxl

    write_table([{"reader": text, "x_lps_mm": -3.25}], ("reader", "x_lps_mm"), tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as stream:
        _, row = list(csv.reader(stream))
    assert row == ["'" + text.replace("\r", "\n"), "-3.25"]
    write_table([{"reader": text, "x_lps_mm": -3.25}], ("reader", "x_lps_mm"), tmp_path / "t.xlsx")
    cell = openpyxl.load_workbook(tmp_path / "t.xlsx")["Table"]["A2"]
    assert cell.data_type == "s"
    assert str(cell.value).replace("_x000D_", "\r") == text


def test_xlsx_tells_units_rule_and_use(tmp_path: Path) -> None:
    import openpyxl

    write_table(ROWS, COLUMNS, tmp_path / "t.xlsx", notes=["=Counted by the rule."])
    book = openpyxl.load_workbook(tmp_path / "t.xlsx")
    assert book.sheetnames == ["Table", "About"]
    assert book["Table"].freeze_panes == "A2"
    assert book["Table"]["A1"].font.bold
    assert book["Table"]["B2"].number_format == "0.000"
    assert book["Table"]["B3"].value is None
    told = [str(cell.value) for row in book["About"].iter_rows() for cell in row if cell.value is not None]
    assert "Research use only" in told
    assert "=Counted by the rule." in told
    assert "Volume of the mask, millilitres." in told


def test_every_column_of_the_lesion_table_has_a_meaning() -> None:
    first = (  # the order of the design
        "patient,visit_date,age_y,reader,lesion,track,site,bone,segment,side,region,certainty,modality,state,"
        "split_merge,volume_ml,diameter_mm,n_slices,signal_mean,signal_ratio,physis,counted,why_not_counted,"
        "x_lps_mm,y_lps_mm,z_lps_mm"
    )
    assert ",".join(LESION_COLUMNS).startswith(first + ",")
    assert all(meaning(name).endswith(".") or ";" in meaning(name) for name in LESION_COLUMNS)
    assert meaning("volume_ml@2010-05-04") == "Volume of the mask, millilitres. At the visit of 2010-05-04."


def test_json_is_a_list_of_rows(tmp_path: Path) -> None:
    write_table(ROWS, COLUMNS, tmp_path / "t.json")
    rows = json.loads((tmp_path / "t.json").read_text("utf-8"))
    assert rows[1] == dict.fromkeys(COLUMNS)
    assert rows[0]["n_slices"] == 3


texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@given(st.lists(st.tuples(texts, st.none() | st.floats(-1e6, 1e6)), min_size=1, max_size=5))
def test_rows_come_back_from_json_and_parquet(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, float | None]]
) -> None:
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("rows")
    rows = [{"note": text, "volume_ml": number} for text, number in pairs]
    expected = [{"note": text, "volume_ml": None if x is None else round(x, 3)} for text, x in pairs]
    for suffix in (".json", ".parquet"):
        write_table(rows, ("note", "volume_ml"), folder / f"t{suffix}")
    assert json.loads((folder / "t.json").read_text("utf-8")) == expected
    assert pq.read_table(folder / "t.parquet").to_pylist() == expected


def test_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LesionmapError, match=re.escape("ending in .csv, .xlsx, .parquet, .json was expected, got")):
        write_table(ROWS, COLUMNS, tmp_path / "table.ods")
    with pytest.raises(LesionmapError, match=r"'\.csv'"):
        write_table(ROWS, COLUMNS, tmp_path / ".csv")


def test_existing_file_is_kept_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("mine")
    with pytest.raises(LesionmapError, match="exists already; choose another name or ask for it with --overwrite"):
        write_table(ROWS, COLUMNS, path)
    assert path.read_text() == "mine"
    write_table(ROWS, COLUMNS, path, overwrite=True)
    assert path.read_text().startswith("patient,")


def test_missing_folder_and_folder_as_file(tmp_path: Path) -> None:
    with pytest.raises(LesionmapError, match=r"the folder .*nowhere does not exist; make it first"):
        write_table(ROWS, COLUMNS, tmp_path / "nowhere" / "table.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(LesionmapError, match=r"folder\.csv is a folder; add a file name"):
        write_table(ROWS, COLUMNS, tmp_path / "folder.csv", overwrite=True)


def test_nothing_is_left_behind_by_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "table.xlsx"
    path.write_bytes(b"older")
    with pytest.raises(LesionmapError, match="an XLSX cell holds 32767 characters"):
        write_table([{"reader": "x" * 40000}], ("reader",), path, overwrite=True)
    assert path.read_bytes() == b"older"
    assert [file.name for file in tmp_path.iterdir()] == ["table.xlsx"]


def test_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    import errno

    def fill() -> None:
        with saving(tmp_path / "map.svg") as temporary:
            temporary.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(LesionmapError, match=r"map\.svg cannot be written \(No space left on device\)"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def stop() -> None:
        with saving(tmp_path / "map.svg") as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert list(tmp_path.iterdir()) == []


def test_unwritable_folder_is_told() -> None:
    from pathlib import Path

    folder = Path("/proc/self")
    if not folder.is_dir():
        pytest.skip("needs a folder in which nobody may write")
    with pytest.raises(LesionmapError, match=r"table\.csv cannot be written \("):
        write_table(ROWS, COLUMNS, folder / "table.csv")
