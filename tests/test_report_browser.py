"""The report in a real browser: nothing is fetched, the slider and the links work, keyboard and contrast too."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lesionmap.clinic import Observation, Treatment
from lesionmap.write import write_report
from lesionmap.write.keyimages import key_images
from lesionmap.write.page import report_page
from picture_case import pictured
from write_case import EVIL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lesionmap.write import Results

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
# A machine without a way out must not wait for the browser's own services.
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


def rich() -> Results:
    """Give three visits with pictures, treatments and observations; the reader's name wants to be a script."""
    results, volumes = pictured(EVIL)
    return replace(
        results,
        key_images=key_images(results.visits, lambda key, name: volumes.get((key, name))),
        treatments=(
            Treatment(f"naproxen {EVIL}", date(2006, 4, 1), date(2008, 1, 1)),
            Treatment("x", date(2008, 6, 1)),
        ),
        observations=(Observation(date(2008, 5, 4), "esr_mm_h", 44.0),),
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        made = play.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield made
        made.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("browser") / "report.html"
    write_report(rich(), found, with_notes=True)
    return found


@pytest.fixture
def page(browser: Any, path: Path) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
    opened.goto(path.as_uri())
    yield opened
    assert said == []
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    context.close()


def shown(page: Any) -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        ".map .drawing", "all => all.filter(x => x.offsetParent !== null).map(x => x.dataset.title)"
    )
    return found


def test_the_slider_shows_one_visit_at_a_time(page: Any) -> None:
    assert shown(page) == ["2009-05-04"]
    page.focus(".slider input")
    page.keyboard.press("ArrowLeft")
    assert shown(page) == ["2008-05-04 · 10.2 years"]
    assert page.inner_text(".slider output") == "2008-05-04 · 10.2 years"
    assert page.get_attribute(".slider input", "aria-valuetext") == "2008-05-04 · 10.2 years"
    page.keyboard.press("Home")
    assert shown(page) == ["2006-03-01 · 8.1 years"]
    box = page.locator(".slider input").bounding_box()
    page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    assert shown(page) == ["2009-05-04"]


def test_map_rows_and_pictures_are_linked(page: Any) -> None:
    page.focus(".slider input")
    page.keyboard.press("ArrowLeft")
    dot = page.locator('.map .drawing.shown g[data-track][aria-label*="tibial metaphysis"]').first
    dot.hover()
    lit = page.eval_on_selector_all(".lit", "all => all.map(x => [x.tagName.toLowerCase(), x.dataset.track])")
    assert {tag for tag, _ in lit} == {"g", "tr", "figure"}
    assert len({track for _, track in lit}) == 1
    dot.click()
    row = page.evaluate("document.activeElement.closest('tr').innerText")
    assert row.startswith("Left distal tibial metaphysis")
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") < 900
    page.keyboard.press("Enter")  # and back, to the mark on the map
    assert page.evaluate("document.activeElement.closest('section').className") == "map"
    picture = page.locator("figure.lesion button").last
    picture.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('tr') !== null")


def test_everything_is_reached_by_the_keyboard(page: Any) -> None:
    page.evaluate("document.body.focus()")
    reached = set[str]()
    for _ in range(250):
        page.keyboard.press("Tab")
        kind = page.evaluate(
            "(() => { const x = document.activeElement; if (x === document.body) return ''; "
            "return `${x.closest('section') ? x.closest('section').className : ''}/${x.tagName.toLowerCase()}`; })()"
        )
        if not kind and reached:
            break
        reached.add(kind)
    assert {"map/input", "map/g", "timeline/g", "plain/button", "images/button", "plain/div"} <= reached


@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_nothing(browser: Any, path: Path, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(viewport={"width": width, "height": 900}, bypass_csp=True)
    opened = context.new_page()
    opened.goto(path.as_uri())
    found = Axe().run(opened)
    told = [(x["id"], x["help"], [node["html"][:120] for node in x["nodes"][:2]]) for x in found.response["violations"]]
    assert told == []
    assert len(found.response["passes"]) > 15
    wide = opened.evaluate("document.documentElement.scrollWidth")
    assert wide <= width
    context.close()


def test_on_paper_every_visit_is_there_and_nothing_is_cut(browser: Any, path: Path) -> None:
    context = browser.new_context(viewport={"width": 688, "height": 1000})  # A4 less its margins, 96 a inch
    opened = context.new_page()
    opened.goto(path.as_uri())
    opened.emulate_media(media="print")
    assert len(shown(opened)) == 3
    assert opened.evaluate("document.querySelector('.slider').offsetParent") is None
    assert opened.evaluate("document.documentElement.scrollWidth") <= 688
    cut = "all => all.filter(x => x.scrollWidth > x.clientWidth + 1).length"
    assert opened.eval_on_selector_all(".wide", cut) == 0
    pages = opened.pdf(format="A4", print_background=True).count(b"/Type /Page\n")
    assert 3 <= pages <= 14
    context.close()


def test_without_script_all_is_to_be_seen(browser: Any, path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    opened = context.new_page()
    opened.goto(path.as_uri())
    assert opened.locator(".map .drawing").count() == 3
    assert all(opened.locator(".map .drawing").nth(n).is_visible() for n in range(3))
    assert not opened.locator(".slider").is_visible()
    context.close()


def test_a_page_with_many_lesions_stays_small() -> None:
    """Forty lesions at four visits, in noise that no format makes smaller."""
    results = rich()
    assert results.key_images
    one = results.key_images[0]
    rng = np.random.default_rng(0)
    from lesionmap.write.keyimages import _png

    png = _png(rng.integers(0, 256, (110, 110), dtype=np.uint8))
    many = tuple(replace(one, png=png, size=110) for _ in range(160))
    assert len(report_page(replace(results, key_images=many)).encode("utf-8")) < 5e6
