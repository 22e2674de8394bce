"""The pictures of the page, whose marks are linked: maps of all visits, the timeline, key images."""

from __future__ import annotations

import base64
import re
from html import escape
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape as xml_escape

from lesionmap.write.figure import map_svg, slim_svg
from lesionmap.write.keyimages import image_title, shown_of
from lesionmap.write.mapmaker import map_model
from lesionmap.write.sections import capital
from lesionmap.write.timeline import lanes, timeline_svg

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lesionmap.write.keyimages import KeyImage
    from lesionmap.write.mapmodel import MapDot, MapPanel
    from lesionmap.write.results import Results

__all__ = ["gallery_html", "map_html", "timeline_html", "track_words"]


def track_words(tracks: Iterable[int]) -> str:
    """Give the attribute that links things of the same lesions."""
    return f' data-track="{" ".join(map(str, tracks))}"'


def map_html(results: Results) -> str:
    """Give the maps of all visits, one a drawing, and the slider that shows one of them."""
    panels = map_model(results)
    drawings = "\n".join(_panel(results, panel, number) for number, panel in enumerate(panels))
    if len(panels) == 1:
        return drawings
    last, words = len(panels) - 1, escape(results.texts.say("map.visit"))
    slider = (
        f'<div class="slider"><label for="visit">{words}</label><input type="range" id="visit" min="0" max="{last}" '
        f'value="{last}" step="1"><output for="visit">{escape(panels[last].title)}</output></div>'
    )
    return f"{slider}\n{drawings}"


def _panel(results: Results, panel: MapPanel, number: int) -> str:
    svg, texts = map_svg([panel]), results.texts
    for dot in panel.dots:
        for view in ("front", "back"):
            drawn = f'id="{_attribute(f"dot-0-{dot.lesion or dot.track}-{view}")}"'
            link = f'{track_words(_tracks(results, panel.visit, dot))} tabindex="0" role="button"'
            words = f"{capital(dot.label)}, {texts.name('state', dot.state)}, {texts.name('view', view)}"
            svg = svg.replace(f"<g {drawn}", f'<g {drawn}{link} aria-label="{escape(words)}"')
    label = texts.say("map.drawing", visit=panel.title)
    title = f'class="drawing" data-title="{escape(panel.title)}"'
    return f"<figure {title}>{_own(svg, f'm{number}-', label)}</figure>"


def _tracks(results: Results, visit: str, dot: MapDot) -> tuple[int, ...]:
    if dot.lesion:
        return results.tracks(visit, dot.lesion)
    return tuple(number for number, course in enumerate(results.courses) if course.track == dot.track)


def timeline_html(results: Results) -> str:
    """Give the timeline; its marks are linked."""
    svg = slim_svg(timeline_svg(results).encode("utf-8")).decode("utf-8")
    texts = results.texts
    for lane in lanes(results):
        for key, state in lane.marks:
            drawn = f'id="lane-{lane.number}-{key}"'
            words = f"{lane.name}, {key}, {texts.name('state', state)}"
            link = f'{track_words([lane.number])} tabindex="0" role="button" aria-label="{escape(words)}"'
            svg = svg.replace(f"<g {drawn}", f"<g {drawn}{link}")
    return f'<figure class="drawing">{_own(svg, "t-", texts.say("timeline.drawing"))}</figure>'


def _attribute(text: str) -> str:
    """Write a text as the drawing library writes an attribute."""
    return xml_escape(text, {'"': "&quot;"})


def _own(svg: str, before: str, label: str) -> str:
    """Give the parts of a drawing names that no other drawing of the page has."""
    svg = re.sub(r' id="', f' id="{before}', svg)
    svg = re.sub(r'href="#', f'href="#{before}', svg)
    svg = svg.replace("url(#", f"url(#{before}")
    return svg.replace("<svg ", f'<svg role="group" aria-label="{escape(label)}" ', 1)


def gallery_html(results: Results) -> str:
    """Give a figure for each lesion of each visit: before, now with its outline, now without."""
    images = results.key_images or ()
    numbers = {(image.visit, image.lesion): n for n, image in enumerate(images)}
    symbols = "".join(_symbol(image, n) for n, image in enumerate(images))
    figures = "\n".join(_lesion(results, image, numbers) for image in reversed(images))
    store = f'<svg width="0" height="0" aria-hidden="true" focusable="false">{symbols}</svg>'
    return f'{store}<div class="gallery">{figures}</div>'


def _symbol(image: KeyImage, number: int) -> str:
    data = base64.b64encode(image.png).decode("ascii")
    size = f'width="{image.size}" height="{image.size}"'
    box = f'viewBox="0 0 {image.size} {image.size}"'
    return f'<symbol id="k{number}" {box}><image href="data:image/png;base64,{data}" {size}/></symbol>'


def _lesion(results: Results, image: KeyImage, numbers: dict[tuple[str, str], int]) -> str:
    cells = "".join(
        _cell(one, numbers[one.visit, one.lesion], (words, _label(results, one, words)), outlined=outlined)
        for one, words, outlined in shown_of(results, image)
    )
    title = escape(image_title(results, image))
    caption = f'<figcaption><button type="button" class="go">{title}</button></figcaption>'
    link = track_words(results.tracks(image.visit, image.lesion))
    return f'<figure class="lesion"{link}>{caption}<div class="pictures">{cells}</div></figure>'


def _label(results: Results, image: KeyImage, words: str) -> str:
    return results.texts.say("images.label", words=words, series=image.series, mm=f"{image.fov_mm:.0f}")


def _cell(image: KeyImage, number: int, said: tuple[str, str], *, outlined: bool) -> str:
    words, label = said
    size, letter = image.size, image.size * 0.075
    lines = "".join(
        f'<path class="line" vector-effect="non-scaling-stroke" d="M{" ".join(f"{x:.1f},{y:.1f}" for x, y in line)}z"/>'
        for line in (image.outline if outlined else ())
    )
    left, right, *_ = image.letters
    sides = "".join(
        f'<text x="{x:.0f}" y="{size / 2:.0f}" font-size="{letter:.0f}" text-anchor="{anchor}">{text}</text>'
        for x, text, anchor in ((3, left, "start"), (size - 3, right, "end"))
    )
    drawn = f'<svg viewBox="0 0 {size} {size}" role="img" aria-label="{escape(label)}"><use href="#k{number}"/>'
    return f"<div><p>{escape(words)}</p>{drawn}{lines}{sides}</svg></div>"
