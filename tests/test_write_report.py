"""The report: one file, no network, nothing typed becomes markup, the same facts as in the tables."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from lesionmap.errors import LesionmapError
from lesionmap.lesions import Extent, Mask
from lesionmap.space import Grid, Volume
from lesionmap.visits import Patient, Series
from lesionmap.write import STATE_STYLE, key_images, lesion_rows, pdf, results_of, write_report
from lesionmap.write.content import sections
from lesionmap.write.lettering import wrap
from lesionmap.write.sections import Cell, Table
from lesionmap.write.timeline import lanes
from picture_case import pictured
from write_case import EVIL, Mark, case, facts

if TYPE_CHECKING:
    from pathlib import Path


class Page(HTMLParser):
    """Collects tags, attributes, words and table cells of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip("\n")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(case(EVIL), path, with_notes=True)
    parsed = Page()
    parsed.feed(path.read_text("utf-8"))
    return parsed


def test_nothing_typed_becomes_markup(page: Page) -> None:
    assert page.tags.count("script") == 1  # the page's own, allowed by its hash alone
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    said = "".join(page.words)
    assert said.count("<script>alert(1)</script>") >= 7  # the reader's name, and the note of each lesion
    assert "$x^2$" in said


def test_nothing_is_fetched(page: Page) -> None:
    assert not set(page.tags) & {"link", "img", "iframe", "object", "embed", "form", "base"}
    script = files("lesionmap.write").joinpath("report.js").read_text("utf-8")
    digest = base64.b64encode(sha256(script.encode()).digest()).decode()
    (policy,) = [value for name, value in page.attributes if name == "content" and value.startswith("default-src")]
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{digest}';")
    assert script in page.words
    targets = [value for name, value in page.attributes if name in ("src", "href", "xlink:href", "action", "data")]
    assert targets
    assert all(value.startswith("#") for value in targets)
    policy = next(value for name, value in page.attributes if name == "content" and "default-src" in value)
    assert "default-src 'none'" in policy


def test_every_lesion_state_and_rule_is_told(page: Page) -> None:
    said = "".join(page.words)
    for words in ("Research use only", case().rule.sentence, "Not imaged is never no lesion."):
        assert words in said
    lesions = [row for row in page.rows if row and re.fullmatch(r"L\d+", row[0])]
    assert len(lesions) == len(lesion_rows(case()))
    ankle = next(row for row in lesions if row[1].startswith("Left distal tibial metaphysis"))
    assert ankle[2:] == ["definite", "first seen", "4.0", "17", "–", "–", "yes"]
    joint = next(row for row in lesions if row[1].startswith("Right sacroiliac joint"))
    assert joint[4:7] == ["–", "–", "–"]  # unknown, not 0
    course = next(row for row in page.rows if row and row[0] == "Left medial clavicle")
    assert course == ["Left medial clavicle", "first seen · 6.1 ml", "worsened · 8.2 ml", "improved · 0.4 ml"]


def test_what_was_not_imaged_is_told(page: Page) -> None:
    regions = {row[0]: row[1:] for row in page.rows if row and row[0] in ("Thorax", "Leg")}
    assert regions == {
        "Thorax": ["imaged", "imaged", "not known"],
        "Leg": ["not imaged", "imaged", "not known"],
    }


def test_open_questions_stand_first() -> None:
    first = sections(case())[0]
    assert first.kind == "warning"
    assert first.lines == (
        "2008-05-04: no volume for L3 (right sacroiliac joint).",
        "2009-05-04: not answered yet, gone or not seen: left distal tibial metaphysis, right second metatarsal.",
        "2009-05-04: what was imaged is not known; a lesion not marked there may have been missed.",
    )


def test_states_sum_over_the_tracks() -> None:
    table = next(section.table for section in sections(case()) if section.title == "Counts")
    assert table is not None
    rows = {row[0].text: dict(zip(table.header, (cell.text for cell in row), strict=True)) for row in table.rows}
    assert rows["2008-05-04"]["first seen"] == "4"
    assert rows["2009-05-04"]["not answered yet"] == "2"
    assert rows["2009-05-04"]["age, years"] == "–"
    assert set(table.header[5:]) <= {style.words for style in STATE_STYLE.values()}


def test_pictures_that_cannot_be_read_are_named() -> None:
    results, volumes = pictured()
    titles = [section.title for section in sections(results)]
    assert "Key images" not in titles  # not asked for
    none = next(x for x in sections(replace(results, key_images=())) if x.title == "Key images")
    assert none.below[0].startswith("No picture, as the images cannot be read any more: 2006-03-01 L1 (left medial")
    some = key_images(results.visits, lambda key, name: volumes[key, name] if key != "2006-03-01" else None)
    words = next(x for x in sections(replace(results, key_images=some)) if x.title == "Key images").below
    assert words[1] == "No picture, as the images cannot be read any more: 2006-03-01 L1 (left medial clavicle)."
    assert {image.fov_mm for image in some if image.lesion == "L1"} == {some[0].fov_mm}  # the same at all visits
    assert some[0].letters == ("R", "L", "H", "F")


def test_on_paper_a_lesion_is_seen_before_and_now_with_its_outline_and_without() -> None:
    results, volumes = pictured()
    results = replace(results, key_images=key_images(results.visits, lambda key, name: volumes[key, name]))
    assert results.key_images
    shown = [
        axes for page in pdf.make_pages(results) for axes in page.axes if str(axes.get_label()).startswith("picture-")
    ]
    pixels = {image.png: np.asarray(Image.open(io.BytesIO(image.png))) for image in results.key_images}
    for png, picture in pixels.items():
        mine = [axes for axes in shown if np.array_equal(np.asarray(axes.images[0].get_array()), picture)]
        outlined = [axes for axes in mine if axes.lines]
        (image,) = [one for one in results.key_images if one.png == png]
        assert len(mine) - len(outlined) == 1  # once without, beside the same with its outline
        assert len(outlined) in (1, 2)  # once more as what was before
        for axes in outlined:
            for line, outline in zip(axes.lines, image.outline, strict=True):
                assert np.array_equal(np.asarray(line.get_xydata())[:-1], outline)  # in pixels of the picture


def test_two_visits_on_a_day_have_marks_of_their_own() -> None:
    first, _, last = case().visits
    again = replace(last, visit=replace(last.visit, date=first.visit.date, ordinal=2))
    again = replace(again, lesion_map=replace(again.lesion_map, visit=again.visit.key, answers=()))
    (lane,) = lanes(results_of(Patient("P001", "M"), [first, again]))
    assert [key for key, _ in lane.marks] == ["2006-03-01", "2006-03-01.2"]


def test_many_visits_break_the_tables(tmp_path: Path) -> None:
    placement = case().visits[1].placement
    visits = [
        facts(f"20{10 + n}-05-04", 10.2, [Mark("vertebra_T8.body.midline", "2.25.7", 1.0 + n)], placement)
        for n in range(7)
    ]
    results = results_of(Patient("P002"), visits)
    titles = [section.title for section in sections(results)]
    assert "Course of each lesion, 2010-05-04 to 2013-05-04" in titles
    assert "What was imaged, 2014-05-04 to 2016-05-04" in titles
    assert [x for x in titles if x.startswith("Scores")] == [
        "Scores, 2010-05-04 to 2013-05-04", "Scores, 2014-05-04 to 2016-05-04",
    ]  # fmt: skip
    write_report(results, tmp_path / "report.pdf")


def test_notes_stay_out_unless_asked(tmp_path: Path) -> None:
    write_report(case(), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text("utf-8")
    assert "alert(1)" not in text
    assert "<svg" in text
    assert len(text) < 5_000_000


def test_report_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a.html", "b.html", "a.pdf", "b.pdf"):
        write_report(case(), tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()


def test_pdf_is_a4(tmp_path: Path) -> None:
    write_report(case(EVIL), tmp_path / "report.pdf", with_notes=True)
    data = (tmp_path / "report.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    boxes = re.findall(rb"/MediaBox \[ ?([\d. ]+?) ?\]", data)
    assert len(boxes) >= 2
    assert {tuple(round(float(x)) for x in box.split()) for box in boxes} == {(0, 0, 595, 842)}


def test_bad_endings_and_existing_files(tmp_path: Path) -> None:
    with pytest.raises(LesionmapError, match=r"ending in \.html, \.pdf was expected, got 'report\.docx'"):
        write_report(case(), tmp_path / "report.docx")
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(LesionmapError, match="exists already"):
        write_report(case(), tmp_path / "report.html")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


_FLIPS = {
    "as written": [[2.0, 0, 0, -40], [0, 0, 5.0, -20], [0, -2.5, 0, 60], [0, 0, 0, 1.0]],
    "left-handed": [[-2.0, 0, 0, 40], [0, 0, 5.0, -20], [0, -2.5, 0, 60], [0, 0, 0, 1.0]],
    "rows first": [[0, -2.0, 0, 40], [0, 0, -5.0, 20], [2.5, 0, 0, -60], [0, 0, 0, 1.0]],
    "tilted": [[1.99, 0, 0.5, -42], [0.2, 0.3, 4.9, -24], [0, -2.48, 0.3, 58], [0, 0, 0, 1.0]],
}


@pytest.mark.parametrize("matrix", _FLIPS.values(), ids=_FLIPS)
def test_a_picture_lies_as_in_radiology_however_the_array_lies(matrix: list[list[float]]) -> None:
    """Brightness rises to the patient's left, and more steeply to the head: on a coronal slice to the right and up."""
    grid = Grid((41, 47, 9), np.array(matrix))
    where = grid.lps(np.argwhere(np.ones(grid.shape))).reshape(*grid.shape, 3)
    volume = Volume(500 + where[..., 0] + 3 * where[..., 2], grid)
    results = case()
    first = results.visits[0]
    lesion = replace(first.lesion_map.lesions[0], extents=(Extent("STIR", Mask.ball(grid, (3.0, 2.0, -5.0), 11.0)),))
    series = Series("STIR", grid, "MR", "STIR", "coronal", ())
    visit = replace(first.visit, series=(series,))
    facts_ = replace(first, visit=visit, lesion_map=replace(first.lesion_map, lesions=(lesion,)))
    (image,) = key_images([facts_], lambda _key, _name: volume)
    pixels = np.asarray(Image.open(io.BytesIO(image.png))).astype(float)
    middle = slice(image.size // 3, -image.size // 3)
    across, down = np.gradient(pixels[middle, middle], axis=(1, 0))
    assert across.mean() > 0
    assert -down.mean() > 2 * across.mean()
    assert image.letters == ("R", "L", "H", "F")
    line = np.concatenate(image.outline)
    assert np.abs(line.mean(axis=0) - image.size / 2).max() < 0.06 * image.size  # the lesion is in the middle
    assert np.ptp(line, axis=0) * image.fov_mm / image.size == pytest.approx([22.0, 22.0], abs=5.0)


def test_no_word_of_a_table_is_cut_on_paper() -> None:
    header = ("visit", "lesions", "persistent", "first seen", "not imaged now", "worsened", "recurrent", "improved")
    cells = (Cell("2012-02-15"), *[Cell("12", number=True)] * (len(header) - 1))
    table = Table(header, (cells,), (9.0, *[1.0] * (len(header) - 1)))
    columns = pdf._columns(table)
    assert sum(one.width for one in columns) == pytest.approx(pdf._ROOM)
    for name, one in zip(header, columns, strict=True):
        assert "…" not in "".join(wrap(name, one.width - pdf._AIR, one.size, "bold"))
    assert [one.number for one in columns] == [False, *[True] * (len(header) - 1)]
    many = pdf._columns(Table(header * 3, (cells * 3,)))
    assert many[0].size < columns[0].size
