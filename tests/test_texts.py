"""The texts of the report: all in one catalogue, and another language in their place."""

from __future__ import annotations

import ast
import re
import shutil
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from cli_case import lesionmap
from lesionmap.compare import Pattern, State
from lesionmap.compare.facts import Imaged, SplitMerge
from lesionmap.compare.modalities import Seen
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Certainty, Physis
from lesionmap.skeleton import name_without_side, place_name, regions
from lesionmap.skeleton.lengths import LengthName
from lesionmap.texts import english, texts_named
from lesionmap.texts.catalogue import places
from lesionmap.write import language_named
from lesionmap.write.lettering import figure_settings
from lesionmap.write.page import report_page
from lesionmap.write.pdf import make_pages
from pseudo_language import pseudo, pseudo_file, pseudo_texts
from wordy_case import spoken, wordy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lesionmap.write import Results

CORE = Path(__file__).parents[1] / "lesionmap"
CALLS = {"say", "many", "name", "Said"}
FORMS = ("zero", "one", "two", "few", "many", "other")
DATA = """
    lesionmap matplotlib numpy scipy scikit image pydicom Python
    default small anna naproxen STIR coronal bone scan anterior late the left knee lies far off
    positive predictive value sensitivity marrow hyperintensity signal extension
"""
"""Names of programs, readers, drugs and series, a warning that is stored, words of the scores' own sources."""


@cache
def foreign(name: str) -> Results:
    return replace(wordy()[name], texts=pseudo_texts())


@cache
def course_page() -> str:
    return report_page(foreign("course"))


# English is what it was


def test_the_english_report_says_what_it_said() -> None:
    """``report_en.txt`` was written before there was a catalogue."""
    said = [line for name, results in wordy().items() for line in (f"# {name}", *spoken(results))]
    expected = (Path(__file__).parent / "report_en.txt").read_text("utf-8").split("\n")
    assert [(a, b) for a, b in zip(said, expected, strict=False) if a != b] == []
    assert len(said) == len(expected) - 1  # the file ends with a newline


# The catalogue and the code hold the same keys and places


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Find every call that names a text: where, what is called, and the call; the command line says its own."""
    for path in sorted(CORE.rglob("*.py")):
        if path.parent.name in ("texts", "cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                what = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if what in CALLS and keys_of(node.args[0]):
                    yield f"{path.name}:{node.lineno}", what, node


def keys_of(node: ast.expr) -> set[str]:
    """Give the keys that an argument names: a text, one of two, or a text with a hole (``doubt.*_leg``)."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.IfExp):
        return keys_of(node.body) | keys_of(node.orelse)
    if isinstance(node, ast.JoinedStr):
        return {"".join(str(x.value) if isinstance(x, ast.Constant) else "*" for x in node.values)}
    return set()


def forms_of(key: str, many: bool) -> set[str]:
    """Give the entries of the catalogue that a key means."""
    pattern = re.escape(key).replace(r"\*", r"[\w-]+") + (r"\.\w+" if many else "")
    return {name for name in english().sentences if re.fullmatch(pattern, name)}


def test_every_key_is_used_and_every_used_key_exists_with_its_places() -> None:
    used, wrong = set[str](), []
    for where, what, call in calls():
        for key in keys_of(call.args[0]):
            wanted = f"{key}.*" if what == "name" else key
            found = forms_of(wanted, what == "many")
            used |= found
            given = {word.arg for word in call.keywords} | ({"n"} if what == "many" else set())
            held = set[str]().union(*(places(english().sentences[one]) for one in found))
            if not found or (what in ("say", "many") and given != held):
                wrong.append((where, key, given, held))
    assert wrong == []
    assert set(english().sentences) - used == set()
    assert len(used) > 150


def test_every_word_of_a_fixed_set_is_in_the_catalogue() -> None:
    sets = {
        "state": {*get_args(State), "marked"},
        "certainty": set(get_args(Certainty)),
        "physis": set(get_args(Physis)),
        "imaged": set(get_args(Imaged)),
        "seen": {word.replace(" ", "_") for word in get_args(Seen)},
        "split_merge": {word.replace(" ", "_") for word in get_args(SplitMerge) if word},
        "pattern": {word for word in get_args(Pattern) if word},
        "leg": set(get_args(LengthName)),
    }
    for table, words in sets.items():
        have = {key.partition(".")[2] for key in english().sentences if key.startswith(f"{table}.")}
        assert have == words, table


# Another language


class Page(HTMLParser):
    """Collects all that can be seen or heard of a page; drawings hold their words as comments."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.language = ""
        self._in = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in = tag
        self.words += [value or "" for name, value in attrs if name in ("aria-label", "title", "alt", "data-title")]
        self.language = dict(attrs).get("lang") or self.language

    def handle_data(self, data: str) -> None:
        if self._in not in ("style", "script") and ":" not in self._in and data.strip():  # dc:title and the like
            self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.words.append(data)


def plain(words: list[str]) -> set[str]:
    """Give the words in unaccented letters; numbers of lesions and patients, and what people typed, are left out."""
    typed = [
        re.sub(r"=cmd.*?\$x\^2\$|\([^()]*(?:our reading|derived|confirmed)[^()]*(?:\([^()]*\))?[^()]*\)", "", x)
        for x in words
    ]
    found = {word for text in typed for word in re.findall(r"(?<![^\W\d_])[A-Za-z]{2,}(?![^\W_])", text)}
    return found - set(DATA.split())


@pytest.mark.parametrize("name", ["pictures", "course", "scan", "one visit"])
def test_no_english_is_left_in_another_language(name: str) -> None:
    assert plain(spoken(foreign(name))) - {"warning", "map", "timeline", "plain", "images", "legend", "lanes"} == set()


def test_no_english_is_left_on_a_page_and_its_drawings() -> None:
    page = Page()
    page.feed(course_page())
    assert page.language == "en-x-pseudo"
    assert pseudo("Research use only") in page.words
    assert sum(pseudo("worsened") in words for words in page.words) > 5  # in tables, labels and the legend's drawing
    assert plain(page.words) == set()


def test_names_stay_english_until_they_are_named() -> None:
    bare = pseudo_texts(names=False)
    assert place_name("tibia.diaphysis.left", bare) == "left tibial diaphysis"
    assert bare.named("regions", regions()[0], regions()[0]) == "skull"


LANGUAGE = """
[language]
tag = "xx"
plural.one = ".*1"
plural.few = "[2-4]"
[head]
title = "Knochen: {patient}"
[tally.lesions]
one = "eine"
few = "{n} einige"
other = "{n} viele"
[side]
left = "{site} links"
right = "{site} rechts"
[sites]
"tibia.diaphysis" = "Schienbeinschaft"
"tibia.diaphysis.right" = "ganz eigener Name"
"body_T8.midline" = "x"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "xx.toml"
    path.write_text(LANGUAGE.replace('"body_T8.midline" = "x"\n', ""), encoding="utf-8")
    return path


def test_a_language_says_what_it_has_and_english_the_rest(file: Path) -> None:
    texts = language_named(str(file))
    assert texts.say("head.title", patient="P") == "Knochen: P"
    assert texts.say("map.title") == "Lesion map"
    assert [texts.many("tally.lesions", n) for n in (1, 3, 5, 21)] == ["eine", "3 einige", "5 viele", "eine"]
    assert texts.many("tally.bones", 21) == "21 bones"  # English by the rule of English
    assert place_name("tibia.diaphysis.left", texts) == "Schienbeinschaft links"
    assert place_name("tibia.diaphysis.right", texts) == "ganz eigener Name"
    assert name_without_side("tibia.diaphysis", texts) == "Schienbeinschaft"
    assert name_without_side("femur.diaphysis", texts) == "femoral diaphysis"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title =", "titel =", "English has no head.titel; did you mean head.title?"),
        ("{patient}", "{patient} {reader}", "English has no place {reader}"),
        ("{patient}", "", "it lacks the place {patient}"),
        ("{patient}", "{patient.id}", "a name alone may stand in braces"),
        ("{patient}", "{", "head.title: "),
        ('few = "{n}', 'several = "{n}', "English has no tally.lesions.several"),
        ("plural.few", "plural.some", "a form for numbers is one of zero, one, two, few, many, other, got 'some'"),
        ("[2-4]", "[2-4", "a regular expression was expected"),
        ('tag = "xx"', 'tag = "<b>"', "[language] tag"),
        ('"eine"', "1", "tally.lesions.one must be a text, got 1"),
        ('"tibia.diaphysis"', '"tibia.shaft"', "[sites] names 'tibia.shaft', but there is no such thing"),
        ("[sites]", "[sites", "expected TOML"),
    ],
)
def test_a_file_with_a_mistake_is_refused_in_one_line(file: Path, old: str, new: str, said: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(LesionmapError) as caught:
        language_named(str(file))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_whole_catalogue_can_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pseudo.toml"
    path.write_text(pseudo_file(), encoding="utf-8")
    assert language_named(str(path)).sentences == pseudo_texts().sentences


def test_the_command_line_names_an_unknown_language(tmp_path: Path) -> None:
    ran = lesionmap("report", tmp_path / "x.lesionmap", "P001", "-o", tmp_path / "r.html", "--language", "xx")
    assert ran.code == 1
    assert ran.line.endswith("language 'xx' is not known; it is one of en, or a TOML file")
    assert list(tmp_path.iterdir()) == []
    assert texts_named("en") is english()


# Room for longer words


@pytest.mark.long
@pytest.mark.parametrize("name", ["course", "pictures"])
def test_no_word_of_a_longer_language_is_cut_on_paper(name: str) -> None:
    from matplotlib.text import Text

    with figure_settings():
        pages: list[Any] = make_pages(foreign(name))
        for page in pages:
            renderer, wide = page.canvas.get_renderer(), page.canvas.get_width_height()[0]
            shown: list[Any] = [text for text in page.findobj(Text) if text.get_text()]
            assert [x.get_text() for x in shown if "…" in x.get_text().replace("x …", "")] == []
            ends = [(x.get_text(), x.get_window_extent(renderer)) for x in shown]
            assert [text for text, box in ends if box.x0 < 0 or box.x1 > wide] == []


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
def test_a_longer_language_has_room_on_a_page(tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    path = tmp_path / "course.html"
    path.write_text(course_page(), encoding="utf-8")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        cut = "all => all.filter(x => x.scrollWidth > x.clientWidth + 1).map(x => x.getAttribute('aria-label'))"
        assert page.eval_on_selector_all(".wide, .pictures, header, footer", cut) == []
        browser.close()
