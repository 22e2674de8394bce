"""The pictures of the page, whose marks are linked: maps of all visits, the timeline, key images."""

from __future__ import annotations

import base64
import re
from html import escape
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape as xml_escape

from lesionmap.skeleton import known
from lesionmap.write.figure import map_svg, slim_svg
from lesionmap.write.mapmaker import map_model
from lesionmap.write.sections import capital
from lesionmap.write.style import state_style
from lesionmap.write.timeline import lanes, timeline_svg

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lesionmap.write.keyimages import KeyImage
    from lesionmap.write.mapmodel import MapDot, MapPanel
    from lesionmap.write.results import Results

__all__ = ["before_of", "gallery_html", "image_title", "map_html", "timeline_html", "track_words"]


def track_words(tracks: Iterable[int]) -> str:
    """Give the attribute that links things of the same lesions."""
    return f' data-track="{" ".join(map(str, tracks))}"'


def map_html(results: Results) -> str:
    """Give the maps of all visits, one a drawing, and the slider that shows one of them."""
    panels = map_model(results)
    drawings = "\n".join(_panel(results, panel, number) for number, panel in enumerate(panels))
    if len(panels) == 1:
        return drawings
    last = len(panels) - 1
    slider = (
        f'<div class="slider"><label for="visit">Visit</label><input type="range" id="visit" min="0" max="{last}" '
        f'value="{last}" step="1"><output for="visit">{escape(panels[last].title)}</output></div>'
    )
    return f"{slider}\n{drawings}"


def _panel(results: Results, panel: MapPanel, number: int) -> str:
    svg = map_svg([panel])
    for dot in panel.dots:
        for view in ("front", "back"):
            drawn = f'id="{_attribute(f"dot-0-{dot.lesion or dot.track}-{view}")}"'
            link = f'{track_words(_tracks(results, panel.visit, dot))} tabindex="0" role="button"'
            words = f"{capital(dot.label)}, {state_style(dot.state).words}, {view}"
            svg = svg.replace(f"<g {drawn}", f'<g {drawn}{link} aria-label="{escape(words)}"')
    label = f"Lesion map of {panel.title}, front and back"
    title = f'class="drawing" data-title="{escape(panel.title)}"'
    return f"<figure {title}>{_own(svg, f'm{number}-', label)}</figure>"


def _tracks(results: Results, visit: str, dot: MapDot) -> tuple[int, ...]:
    if dot.lesion:
        return results.tracks(visit, dot.lesion)
    return tuple(number for number, course in enumerate(results.courses) if course.track == dot.track)


def timeline_html(results: Results) -> str:
    """Give the timeline; its marks are linked."""
    svg = slim_svg(timeline_svg(results).encode("utf-8")).decode("utf-8")
    for lane in lanes(results):
        for day, state in lane.marks:
            drawn = f'id="lane-{lane.number}-{day.isoformat()}"'
            words = f"{lane.name}, {day.isoformat()}, {state_style(state).words}"
            link = f'{track_words([lane.number])} tabindex="0" role="button" aria-label="{escape(words)}"'
            svg = svg.replace(f"<g {drawn}", f"<g {drawn}{link}")
    return f'<figure class="drawing">{_own(svg, "t-", "Timeline of all lesions")}</figure>'


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
    images = {(image.visit, image.lesion): n for n, image in enumerate(results.key_images)}
    symbols = "".join(_symbol(image, n) for n, image in enumerate(results.key_images))
    figures = "\n".join(_lesion(results, image, images) for image in reversed(results.key_images))
    store = f'<svg width="0" height="0" aria-hidden="true" focusable="false">{symbols}</svg>'
    return f'{store}<div class="gallery">{figures}</div>'


def _symbol(image: KeyImage, number: int) -> str:
    data = base64.b64encode(image.png).decode("ascii")
    size = f'width="{image.size}" height="{image.size}"'
    box = f'viewBox="0 0 {image.size} {image.size}"'
    return f'<symbol id="k{number}" {box}><image href="data:image/png;base64,{data}" {size}/></symbol>'


def image_title(results: Results, image: KeyImage) -> str:
    """Say what a key image shows: visit, lesion, site and state."""
    lesion = results.facts(image.visit).lesion_map.lesion(image.lesion)
    change = results.change(image.visit, lesion)
    state = f", {state_style(change.state).words}" if change else ""
    return f"{image.visit} · {image.lesion} · {capital(known(lesion.sites[0]).name)}{state}"


def _lesion(results: Results, image: KeyImage, images: dict[tuple[str, str], int]) -> str:
    tracks = results.tracks(image.visit, image.lesion)
    number, before = images[image.visit, image.lesion], before_of(results, image)
    cells = [_cell(image, number, image.visit, outlined=True), _cell(image, number, image.series, outlined=False)]
    if before is not None:
        earlier = images[before.visit, before.lesion]
        cells.insert(0, _cell(before, earlier, f"{before.visit}, before", outlined=True))
    caption = (
        f'<figcaption><button type="button" class="go">{escape(image_title(results, image))}</button></figcaption>'
    )
    return f'<figure class="lesion"{track_words(tracks)}>{caption}<div class="pictures">{"".join(cells)}</div></figure>'


def before_of(results: Results, image: KeyImage) -> KeyImage | None:
    """Give the picture of the last visit before in which one of the lesion's tracks is marked; None: there is none."""
    have = {(one.visit, one.lesion): one for one in results.key_images}
    keys = [facts.visit.key for facts in results.visits]
    for key in reversed(keys[: keys.index(image.visit)]):
        for number in results.tracks(image.visit, image.lesion):
            change = results.courses[number].states.get(key)
            found = next((have[key, x] for x in (change.lesions if change else ()) if (key, x) in have), None)
            if found is not None:
                return found
    return None


def _cell(image: KeyImage, number: int, words: str, *, outlined: bool) -> str:
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
    label = f"{words}, {image.series}, {image.fov_mm:.0f} mm a side"
    drawn = f'<svg viewBox="0 0 {size} {size}" role="img" aria-label="{escape(label)}"><use href="#k{number}"/>'
    return f"<div><p>{escape(words)}</p>{drawn}{lines}{sides}</svg></div>"
