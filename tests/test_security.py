"""What a hostile file, name or text can do: nothing. One test for each way in."""

from __future__ import annotations

import ast
import csv
import os
import sqlite3
import subprocess
import sys
import threading
import warnings
import zipfile
from pathlib import Path

import pytest
from pydicom import dcmread

import dicom_files as df
from cli_case import lesionmap, mr_slices
from lesionmap import annotate
from lesionmap.lesions import LesionMap
from lesionmap.read import scan
from lesionmap.store import Study
from lesionmap.visits import Patient
from lesionmap.write import body_map, map_model
from write_case import EVIL, case

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted([*(ROOT / "lesionmap").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")])
RUNS_DATA = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "code"}
RUNS_TEXT = {"eval", "exec", "compile", "__import__", "system", "popen"}
NAMES = ("../../evil", "/etc/passwd", "..", "a/b", "a\\b", "con\0", "-rf", "P1\n", "~root", "$(reboot)")
SQL = "x'; DROP TABLE edit; --"


def _calls(tree: ast.Module) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_data_is_ever_run(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {
        name.name.split(".")[0] if isinstance(node, ast.Import) else (node.module or "").split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    assert not imported & RUNS_DATA
    for call in _calls(tree):
        named = call.func.id if isinstance(call.func, ast.Name) else ""
        owned = call.func.attr if isinstance(call.func, ast.Attribute) and _is_os(call.func.value) else ""
        assert not {named, owned} & RUNS_TEXT, ast.unparse(call)
        assert not any(word.arg in {"shell", "allow_pickle"} for word in call.keywords), ast.unparse(call)


def _is_os(owner: ast.expr) -> bool:
    return isinstance(owner, ast.Name) and owner.id in {"os", "builtins"}


def test_an_archive_cannot_write_outside_itself(tmp_path: Path) -> None:
    path, *_ = paths = df.write_series(tmp_path / "made", df.noise(df.grid((5, 7, 2))))
    inbox, out = tmp_path / "in" / "deep", tmp_path / "out"
    inbox.mkdir(parents=True)
    out.mkdir()
    with zipfile.ZipFile(inbox / "visit.zip", "w") as archive:
        for name in ("../../escaped.dcm", "/escaped.dcm", "C:\\escaped.dcm"):
            archive.writestr(name, path.read_bytes())
        archive.writestr("good.dcm", paths[1].read_bytes())
    before = {str(p) for p in tmp_path.rglob("*")}
    ran = lesionmap("import", out / "s.lesionmap", inbox)
    assert ran.code == 1  # which of the three is the slice?
    assert "2 of 4 slices lie where another one does" in ran.err
    new = {str(p) for p in tmp_path.rglob("*")} - before
    assert all(name.startswith(str(out)) for name in new), new
    assert not Path("/escaped.dcm").exists()


def test_links_neither_lead_in_circles_nor_out(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    mr_slices(folder / "visit")
    secret = tmp_path / "elsewhere"
    mr_slices(secret, day="20110504")
    (folder / "again").symlink_to(folder)
    (folder / "other").symlink_to(secret)
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "endless").symlink_to("/dev/zero")
    ran = lesionmap("import", tmp_path / "s.lesionmap", folder)
    assert ran.code == 0, ran.err
    with Study.open(str(tmp_path / "s.lesionmap")) as study:
        assert [visit.key for visit in study.visits("P001")] == ["2010-05-04"]


def test_a_pipe_or_a_device_among_the_images_stops_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    mr_slices(folder)
    os.mkfifo(folder / "waiting.dcm")
    done = []
    worker = threading.Thread(
        target=lambda: done.append(lesionmap("import", tmp_path / "s.lesionmap", folder)), daemon=True
    )
    worker.start()
    worker.join(60)
    assert done, "a pipe that nobody writes to is waited for"
    assert done[0].code == 0, done[0].err


@pytest.mark.parametrize("name", NAMES)
def test_a_pseudonym_is_no_path(tmp_path: Path, name: str) -> None:
    mr_slices(tmp_path / "images")
    before = sorted(str(p) for p in tmp_path.rglob("*"))
    ran = lesionmap("import", tmp_path / "s.lesionmap", tmp_path / "images", f"--patient={name}")
    assert ran.code == 1, ran.out
    assert ran.err.count("\n") == 1
    left = {str(p) for p in tmp_path.rglob("*")} - set(before)
    assert all(Path(p).name.startswith("s.lesionmap") for p in left), left


def test_words_of_a_file_are_no_path(tmp_path: Path) -> None:
    words = "../../../escaped/..\\x"
    mr_slices(tmp_path / "images", SeriesDescription=words, ProtocolName=words, SequenceName=words)
    ran = lesionmap("import", tmp_path / "s.lesionmap", tmp_path / "images", "--deidentify", tmp_path / "a" / "copies")
    assert ran.code == 0, ran.err
    with Study.open(str(tmp_path / "s.lesionmap")) as study:
        visit = study.visits("P001")[0]
        old = study.lesion_map("P001", visit.key, "anna")
        study.save(old, annotate.add_lesion(old, sites=["tibia.diaphysis.left"]))
    out = tmp_path / "b" / "out"
    ran = lesionmap("export", tmp_path / "s.lesionmap", "P001", visit.key, "--nifti", "--sr", "-o", out)
    assert ran.code in {0, 1}, ran.err
    written = {str(p.relative_to(tmp_path).parts[0]) for p in tmp_path.rglob("*")}
    assert written <= {"images", "a", "b", "s.lesionmap", "s.lesionmap-wal", "s.lesionmap-shm"} | {
        name for name in written if name.startswith("s.lesionmap")
    }
    assert not (tmp_path.parent / "escaped").exists()


def test_names_are_no_sql(tmp_path: Path) -> None:
    path = tmp_path / "s.lesionmap"
    with Study.open(str(path), create=True) as study:
        study.add_patient(Patient("P001"))
        mr_slices(tmp_path / "images")
    ran = lesionmap("import", path, tmp_path / "images", "--patient", "P001")
    assert ran.code == 0, ran.err
    with Study.open(str(path)) as study:
        old = study.lesion_map("P001", "2010-05-04", SQL)
        new = annotate.add_lesion(old, sites=["tibia.diaphysis.left"], note=SQL)
        study.save(old, new)
        assert study.lesion_map("P001", "2010-05-04", SQL).lesions[0].note == SQL
        assert study.readers("P001") == (SQL,)
    database = sqlite3.connect(path)
    assert database.execute("SELECT count(*) FROM edit").fetchone()[0] >= 1
    database.close()
    for verb in (("table", path, "P001", "-o", tmp_path / "t.csv"), ("list", path)):
        assert lesionmap(*verb).code == 0
    assert lesionmap("table", path, SQL, "-o", tmp_path / "u.csv").code == 1


def test_the_drawn_map_holds_no_markup_of_others(tmp_path: Path) -> None:
    body_map(map_model(case(EVIL)), tmp_path / "m.svg", title=f"{EVIL} & <script>alert(1)</script>")
    text = (tmp_path / "m.svg").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "onerror=" not in text.replace("&lt;", "")


def test_a_table_holds_no_formula(tmp_path: Path) -> None:
    path = tmp_path / "s.lesionmap"
    mr_slices(tmp_path / "images")
    assert lesionmap("import", path, tmp_path / "images").code == 0
    with Study.open(str(path)) as study:
        old = LesionMap("P001", "2010-05-04", "=1+1")
        study.save(old, annotate.add_lesion(old, sites=["tibia.diaphysis.left"], note='=HYPERLINK("http://x")'))
    assert lesionmap("table", path, "P001", "-o", tmp_path / "t.csv").code == 0
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as stream:
        cells = [cell for row in csv.DictReader(stream) for cell in row.values()]
    assert cells
    assert not [cell for cell in cells if cell and cell[0] in "=+@" and not cell.lstrip("+").replace(".", "").isdigit()]


def test_the_program_says_nothing_of_the_machine_when_it_fails(tmp_path: Path) -> None:
    mr_slices(tmp_path / "images", PatientName="HIDDEN^PERSON", PatientID="SECRET-77")
    for arguments in (("import", "/proc/nowhere/s", str(tmp_path / "images")), ("list", str(tmp_path / "images"))):
        ran = subprocess.run(
            [sys.executable, "-m", "lesionmap", *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
        )
        said = ran.stdout + ran.stderr
        assert ran.returncode == 1
        assert "Traceback" not in said
        assert "HIDDEN" not in said
        assert "SECRET-77" not in said


def test_what_a_library_logs_of_a_file_holds_no_value(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (path, *_) = df.write_series(tmp_path, df.noise(df.grid((5, 7, 2))))
    path.write_bytes(path.read_bytes().replace(b"1.2.840.10008.5.1.4.1.1.4", b"HIDDEN^PERSON of no UID\x00\x00"))
    scan([tmp_path])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        str(dcmread(path, force=True).SOPClassUID)
    said = " ".join(record.getMessage() for record in caplog.records if record.name == "pydicom")
    assert "it may be personal" in said
    assert "HIDDEN" not in caplog.text
