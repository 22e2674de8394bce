"""Several readers on the command line: sign, agree, blind, consensus."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from PIL import Image

from cli_case import lesionmap
from lesionmap.skeleton import sites

VISITS = {"P001": ("2010-05-04", "2011-05-04"), "P002": ("2010-07-01",)}
ANNA = {
    ("P001", "2010-05-04"): ["tibia.distal_metaphysis.left", "clavicle.medial.right", "vertebra_T7.body.midline"],
    ("P001", "2011-05-04"): ["tibia.distal_metaphysis.left"],
    ("P002", "2010-07-01"): ["femur.distal_metaphysis.right", "sacrum.sacroiliac.left"],
}
BERT = {
    ("P001", "2010-05-04"): ["tibia.distal_metaphysis.left", "clavicle.medial.right,probable", "ilium.wing.left"],
    ("P001", "2011-05-04"): [],
    ("P002", "2010-07-01"): ["femur.distal_metaphysis.right", "sacrum.sacroiliac.left,equivocal"],
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a study of three visits that anna and bert read by sites; nothing is signed."""
    folder = tmp_path_factory.mktemp("readers")
    path, table = folder / "study.lesionmap", folder / "sites.csv"
    for patient, days in VISITS.items():
        for day in days:
            assert lesionmap("visit", path, patient, day, "--age", "9").code == 0
    for reader, found in (("anna", ANNA), ("bert", BERT)):
        for (patient, day), marked in found.items():
            lines = [x if "," in x else f"{x},definite" for x in marked]
            table.write_text("\n".join(["site,certainty", *lines]) + "\n", encoding="utf-8")
            if marked:
                assert lesionmap("add", path, patient, day, "--reader", reader, "--sites", table).code == 0
    return path


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Path:
    """Give a copy of it."""
    return Path(shutil.copy(made, tmp_path / "study.lesionmap"))


def sign_all(study: Path) -> None:
    for reader in ("anna", "bert"):
        for patient, days in VISITS.items():
            for day in days:
                assert lesionmap("sign", study, patient, day, "--reader", reader).code == 0


def rows_of(path: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return {(x["statistic"], x["unit"], x["of"]): x for x in csv.DictReader(stream)}


# ---- agree ----------------------------------------------------------------------------------------------------------


def test_agreement_as_a_table(study: Path, tmp_path: Path) -> None:
    sign_all(study)
    ran = lesionmap("agree", study, "--readers", "anna,bert", "-o", tmp_path / "a.csv", "--resamples", "200")
    assert ran.code == 0, ran.err
    assert "3 visits of 2 patients" in ran.out
    assert 'Counted (rule "default")' in ran.out
    rows = rows_of(tmp_path / "a.csv")
    recall, precision = (rows[name, "lesion", "all"] for name in ("recall", "precision"))
    assert (recall["n"], float(recall["value"])) == ("6", 3 / 6)
    assert (precision["n"], float(precision["value"])) == ("4", 3 / 4)
    assert recall["readers"] == "anna, bert"
    bias = rows["bias", "visit", "n_lesions"]
    assert float(bias["value"]) == pytest.approx((0 + 1 + 1) / 3, abs=1e-4)
    kappa = rows["kappa_cohen", "site", "all"]
    assert (kappa["value"], kappa["note"]) == ("", "there is no unit")  # visits without images: nobody knows


def test_one_patient_another_rule_and_json(study: Path) -> None:
    sign_all(study)
    ran = lesionmap("agree", study, "--readers", "anna,bert", "--patient", "P002", "--json", "--rule", "definite_only")
    told: dict[str, Any] = json.loads(ran.out)
    assert told["readers"] == ["anna", "bert"]
    assert "definite lesions" in told["rule"]
    unknown = "of which nobody knows whether they were imaged (no skeleton, or no images)"
    assert told["left_out"] == {f"sites of visits {unknown}, anna and bert": len(sites())}
    assert {x["patient"] for x in told["visits"]} == {"P002"}
    assert [(x["kind"], x["first_counted"], x["second_counted"]) for x in told["lesions"]] == [
        ("same", 1, 1), ("same", 1, 0),
    ]  # fmt: skip
    recall = next(x for x in told["estimates"] if x["statistic"] == "recall")
    assert (recall["value"], recall["low"]) == (0.5, None)


def test_a_book_a_page_and_plots(study: Path, tmp_path: Path) -> None:
    sign_all(study)
    for name in ("a.xlsx", "a.html", "a.png"):
        ran = lesionmap("agree", study, "--readers", "anna,bert", "-o", tmp_path / name, "--resamples", "100")
        assert ran.code == 0, ran.err
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["Summary", "Regions", "Sites", "Lesions", "Visits", "About"]
    lesions = list(book["Lesions"].values)
    kinds = [row[lesions[0].index("kind")] for row in lesions[1:]]
    assert sorted(kinds) == ["only_first", "only_first", "only_second", "same", "same", "same", "same"]
    about = [str(cell) for row in book["About"].values for cell in row]
    assert any("percentiles of 100 draws of patients with replacement (seed 1)" in cell for cell in about)
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "Agreement of anna and bert" in page
    assert not re.search(r"<script|src=|href=.http|url\(http", page)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.width > 2 * picture.height


def test_an_existing_file_stays(study: Path, tmp_path: Path) -> None:
    sign_all(study)
    kept = tmp_path / "a.csv"
    kept.write_text("mine", encoding="utf-8")
    ran = lesionmap("agree", study, "--readers", "anna,bert", "-o", kept, "--resamples", "100")
    assert ran.code == 1
    assert "exists already" in ran.line
    assert kept.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("readers", "more", "words"),
    [
        ("anna", (), "--readers takes the names of two or more different readers, as anna,bert; got 'anna'"),
        ("anna,anna", (), "two or more different readers"),
        ("anna,zoe", (), "nothing was read by zoe; there are: anna, bert"),
        (
            "anna,bert",
            ("-o", "a.txt"),
            "a file name ending in .csv, .xlsx, .json, .html, .pdf, .png, .svg was expected",
        ),
        ("anna,bert", ("--patient", "P009"), "the study has no patient 'P009'"),
        ("anna,bert", ("--rule", "mine"), "count rule 'mine' is not known"),
    ],
)
def test_wrong_requests_are_refused(study: Path, readers: str, more: tuple[str, ...], words: str) -> None:
    ran = lesionmap("agree", study, "--readers", readers, *more)
    assert ran.code == 1
    assert words in ran.line


# ---- blind ----------------------------------------------------------------------------------------------------------


def test_maps_are_hidden_until_all_have_signed(study: Path, tmp_path: Path) -> None:
    ran = lesionmap("blind", study, "--readers", "anna,bert", "--as", "chief")
    assert "read blind by anna, bert" in ran.out
    assert "chief: read blind: anna, bert" in ran.out
    day = "2010-05-04"
    hidden = f"the map of anna of P001 {day} is hidden: the study is read blind and anna and bert must sign first"
    asked = ["table", study, "P001", "--reader", "anna", "-o", tmp_path / "t.csv"]
    nobody, bert, anna = (lesionmap(*asked, *who) for who in ((), ("--as", "bert"), ("--as", "anna")))
    assert (nobody.code, bert.code, anna.code) == (1, 1, 0)
    assert nobody.line == f"lesionmap: {hidden}; if you are anna, say so with --as"
    assert bert.line == f"lesionmap: {hidden}"
    assert not (tmp_path / "u.csv").exists()
    for verb in (
        ["compare", study, "P001", "--reader", "anna", "-o", tmp_path / "u.csv"],
        ["map", study, "P001", "--reader", "anna", "-o", tmp_path / "u.png"],
        ["report", study, "P001", "--reader", "anna", "-o", tmp_path / "u.html"],
        ["export", study, "P001", day, "--reader", "anna", "--fhir", "-o", tmp_path / "out"],
        ["scores", study, "P001", "--reader", "anna"],
        ["registry", study, "P001", "--reader", "anna", "-o", tmp_path / "r.csv"],
        ["agree", study, "--readers", "anna,bert"],
    ):
        ran = lesionmap(*verb)
        assert (ran.code, "is hidden: the study is read blind" in ran.line) == (1, True), verb
    assert sorted(x.name for x in tmp_path.iterdir()) == ["study.lesionmap", "t.csv"]
    listed = lesionmap("list", study).out
    assert "read by anna: hidden (read blind)" in listed
    assert "3 lesions" not in listed


def test_the_last_signature_opens_a_visit_and_unlocking_closes_it(study: Path) -> None:
    lesionmap("blind", study, "--readers", "anna,bert")
    sign_all(study)
    assert lesionmap("agree", study, "--readers", "anna,bert", "--resamples", "100").code == 0
    assert lesionmap("scores", study, "P001", "--reader", "anna").code == 0
    lesionmap("sign", study, "P001", "2011-05-04", "--reader", "bert", "--unlock")
    ran = lesionmap("scores", study, "P001", "--reader", "anna")
    assert "P001 2011-05-04 is hidden: the study is read blind and bert must sign first" in ran.line
    assert lesionmap("blind", study, "--off").out.splitlines()[0] == "nobody reads blind"
    assert lesionmap("scores", study, "P001", "--reader", "anna").code == 0
    told = json.loads(lesionmap("blind", study, "--json").out)
    assert told["blind"] == []
    assert [x["what"] for x in told["history"]] == ["read blind: anna, bert", "end blind reading"]


def test_who_asks_needs_no_reader(study: Path, tmp_path: Path) -> None:
    ran = lesionmap("table", study, "P001", "-o", tmp_path / "t.csv")
    assert ran.code == 2
    assert "P001 was read by anna, bert; say which with --reader" in ran.line
    ran = lesionmap("table", study, "P001", "-o", tmp_path / "t.csv", "--as", "bert")
    assert ran.code == 0
    with (tmp_path / "t.csv").open(encoding="utf-8") as stream:
        assert {row["reader"] for row in csv.DictReader(stream)} == {"bert"}


# ---- consensus ------------------------------------------------------------------------------------------------------


def test_a_consensus_is_started_listed_and_started_anew(study: Path) -> None:
    asked = ["consensus", study, "P001", "2010-05-04", "--readers", "anna,bert"]
    assert "that of anna of P001 2010-05-04 is not signed" in lesionmap(*asked).line
    sign_all(study)
    assert "has no consensus yet; start it without --list" in lesionmap(*asked, "--list").line
    ran = lesionmap(*asked)
    assert ran.out.splitlines() == [
        "consensus of anna and bert: 4 lesions, 3 of 3 differences to settle",
        "  to settle (L2): right medial clavicle; anna L2 | bert L2; certainty: definite | probable",
        "  to settle (L3): body of T7; anna L3; only anna",
        "  to settle (L4): left iliac wing; bert L3; only bert",
    ]
    assert "has a consensus already (4 lesions)" in lesionmap(*asked).line
    listed = json.loads(lesionmap(*asked, "--list", "--json").out)
    assert [x["settled"] for x in listed["differences"]] == [False] * 3
    lesionmap("sign", study, "P001", "2010-05-04", "--reader", "consensus")
    listed = json.loads(lesionmap(*asked, "--list", "--json").out)
    assert [x["settled"] for x in listed["differences"]] == [True] * 3
    assert "is signed; unlock it to change it" in lesionmap(*asked, "--overwrite").line
    lesionmap("sign", study, "P001", "2010-05-04", "--reader", "consensus", "--unlock")
    again = json.loads(lesionmap(*asked, "--overwrite", "--json").out)
    assert [x["lesions"] for x in again["differences"]] == [["L6"], ["L7"], ["L8"]]


def test_a_consensus_is_hidden_as_the_maps_that_it_tells_are(study: Path, tmp_path: Path) -> None:
    lesionmap("blind", study, "--readers", "anna,bert")
    sign_all(study)
    day = "2010-05-04"
    assert lesionmap("consensus", study, "P001", day, "--readers", "anna,bert").code == 0
    asked = ("table", study, "P001", "--reader", "consensus", "--overwrite", "-o", tmp_path / "t.csv")
    assert lesionmap(*asked).code == 0
    lesionmap("sign", study, "P001", day, "--reader", "bert", "--unlock")
    for who in ((), ("--as", "anna"), ("--as", "consensus")):
        ran = lesionmap(*asked, *who)
        assert ran.code == 1
        assert ran.line == (
            f"lesionmap: the map of consensus of P001 {day} is hidden: the study is read blind and bert must sign first"
        )
    assert "read by consensus: hidden (read blind)" in lesionmap("list", study).out
    lesionmap("blind", study, "--off")
    assert lesionmap(*asked).code == 0


def test_the_history_keeps_the_consensus_before(study: Path) -> None:
    from lesionmap.store import Study

    sign_all(study)
    asked = ["consensus", study, "P002", "2010-07-01", "--readers", "anna,bert"]
    assert lesionmap(*asked).code == lesionmap(*asked, "--overwrite").code == 0
    with Study.open(study) as opened:
        titles = [x.title for x in opened.history("P002", "2010-07-01", "consensus")]
        assert titles[:2] == ["add lesion 1", "add lesion 2"]
        assert sorted(titles[2:]) == ["add lesion 3", "add lesion 4", "remove lesion 1", "remove lesion 2"]
        assert [x.id for x in opened.undo("P002", "2010-07-01", "consensus").lesions] == ["L1", "L2"]
