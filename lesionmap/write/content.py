"""What the report says, section by section, free of any format: the HTML page and the PDF set the same words."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from lesionmap import __version__
from lesionmap.compare import is_read
from lesionmap.measure import main_measurement
from lesionmap.skeleton import PLACING_MM, imaged, leg_lengths, place_name, regions, sites
from lesionmap.write.clinical import clinical_sections
from lesionmap.write.diseased import disease_section, doubt_lines
from lesionmap.write.rows import tally_words, threshold_words
from lesionmap.write.scanned import scan_sections
from lesionmap.write.sections import UNKNOWN, Cell, Section, Table, capital, dated, figure, listed, side_by_side
from lesionmap.write.style import STATE_STYLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lesionmap.compare import TrackCourse, VisitFacts
    from lesionmap.lesions import Lesion
    from lesionmap.measure import Measurement
    from lesionmap.texts import Texts
    from lesionmap.write.results import Results

__all__ = ["UNKNOWN", "Cell", "Section", "Table", "facts_line", "heading", "sections"]

_BEFORE_LIST = 6


def heading(results: Results) -> str:
    """Give the title of the report."""
    return results.texts.say("head.title", patient=results.patient.id)


def facts_line(results: Results) -> str:
    """Say who, how many visits and who read them."""
    texts = results.texts
    first, last = results.visits[0].visit.key, results.visits[-1].visit.key
    when = texts.many("head.visits", len(results.visits), first=first, last=last)
    sex = texts.name("sex", results.patient.sex or "unknown")
    return texts.say("head.line", sex=sex, when=when, reader=results.reader)


def sections(results: Results, *, with_notes: bool = False) -> tuple[Section, ...]:
    """Give the sections of the report in their order; those without content are left out."""
    warned, say = _warnings(results), results.texts.say
    made = [
        Section(say("warning.title"), warned, kind="warning") if warned else None,
        Section(say("map.title"), kind="map"),
        Section(say("timeline.title"), kind="timeline", below=_timeline_words(results)) if results.courses else None,
        _counts(results),
        *_courses(results),
        disease_section(results),
        _images(results),
        *(_lesions(results, facts, with_notes=with_notes) for facts in results.visits if facts.lesion_map.lesions),
        *scan_sections(results),
        *clinical_sections(results),
        _legs(results),
        *_coverages(results),
        _method(results),
    ]
    return tuple(section for section in made if section is not None)


def _timeline_words(results: Results) -> tuple[str, ...]:
    say = results.texts.say
    return say("timeline.line"), say("timeline.hatched"), results.rule.told(results.texts)


def _images(results: Results) -> Section | None:
    """Give the pictures of the lesions; lesions that have an outline but no picture are named."""
    if results.key_images is None:
        return None
    have = {(image.visit, image.lesion) for image in results.key_images}
    drawn = [
        (facts.visit.key, lesion)
        for facts in results.visits
        for lesion in facts.lesion_map.lesions
        if any(extent.mask is not None for extent in lesion.extents)
    ]
    if not drawn:
        return None
    say = results.texts.say
    gone = [f"{key} {_short(lesion, results)}" for key, lesion in drawn if (key, lesion.id) not in have]
    words = (say("images.below"),) * bool(have)
    lost = (say("images.lost", lesions=listed(gone, _BEFORE_LIST, results)),) if gone else ()
    return Section(say("images.title"), kind="images", below=(*words, *lost))


def _warnings(results: Results) -> tuple[str, ...]:
    return (*(line for facts in results.visits for line in _warnings_of(results, facts)), *doubt_lines(results))


def _warnings_of(results: Results, facts: VisitFacts) -> Iterator[str]:
    key, texts, marked = facts.visit.key, results.texts, facts.lesion_map.lesions
    open_ = [place_name(course.site, texts) for course in results.courses if _state(course, key) == "unanswered"]
    if open_:
        yield texts.say("warning.unanswered", visit=key, sites=listed(open_, _BEFORE_LIST, results))
    if facts.placement is None or facts.placement.coverage is None:
        yield texts.say("warning.coverage", visit=key)
    unsized = [_short(lesion, results) for lesion in marked if _main(facts, lesion).volume_ml is None]
    if unsized:
        yield texts.say("warning.volume", visit=key, lesions=listed(unsized, _BEFORE_LIST, results))
    for warning in facts.placement.warnings if facts.placement else ():
        yield texts.say("warning.skeleton", visit=key, warning=warning)


def _state(course: TrackCourse, key: str) -> str:
    change = course.states.get(key)
    return change.state if change is not None else ""


def _short(lesion: Lesion, results: Results) -> str:
    return f"{lesion.id} ({place_name(lesion.sites[0], results.texts)})"


def _main(facts: VisitFacts, lesion: Lesion) -> Measurement:
    return main_measurement(facts.measurements.get(lesion.id, ()))


def _counts(results: Results) -> Section:
    keys, texts, say = [facts.visit.key for facts in results.visits], results.texts, results.texts.say
    used = [name for name in STATE_STYLE if any(_state(c, key) == name for c in results.courses for key in keys)]
    rows = []
    for facts in results.visits:
        key = facts.visit.key
        total = results.counts[key].total
        states = [sum(_state(course, key) == name for course in results.courses) for name in used]
        tally = (total.lesions, total.bones, total.sites) if is_read(facts) else (UNKNOWN,) * 3
        figures = (*tally, *states)
        age = UNKNOWN if facts.visit.age_y is None else f"{facts.visit.age_y:.1f}"
        rows.append((Cell(key), Cell(age, number=True), *(Cell(str(n), number=True) for n in figures)))
    tallied = say("counts.lesions"), say("counts.bones"), say("counts.sites")
    header = (say("column.visit"), say("counts.age"), *tallied, *(texts.name("state", name) for name in used))
    apart = [
        say("tally.visit", visit=key, tally=tally_words(found, texts))
        for key, found in results.counts.items()
        if found.total != found.without_hands_feet
    ]
    nothing = say("tally.unread")
    unread = [say("tally.visit", visit=x.visit.key, tally=nothing) for x in results.visits if not is_read(x)]
    below = (results.rule.told(texts), *apart, *unread, say("counts.tracks"))
    widths = _longest(header[0]) + 3.5, *map(_longest, header[1:])  # dates stand below the first
    return Section(say("counts.title"), table=Table(header, tuple(rows), widths), below=below)


def _longest(words: str) -> float:
    """Give the relative width of a column of figures: that of the longest word over it."""
    return max(len(word) for word in words.split()) + 1.5


def _courses(results: Results) -> list[Section]:
    return [_course(results, few) for few in side_by_side(results)] if results.courses else []


def _course(results: Results, few: Sequence[VisitFacts]) -> Section:
    keys = [facts.visit.key for facts in few]
    rows, tracks, say = [], [], results.texts.say
    for number, course in enumerate(results.courses):
        cells = [_course_cell(course, key, results.texts) for key in keys]
        if any(cell.state for cell in cells) or len(few) == len(results.visits):
            rows.append((Cell(capital(place_name(course.site, results.texts))), *cells))
            tracks.append((number,))
    return Section(
        dated(say("course.title"), few, results),
        table=Table((say("column.site"), *keys), tuple(rows), (1.5, *[1.0] * len(keys)), tuple(tracks)),
        below=(say("course.below"),),
    )


def _course_cell(course: TrackCourse, key: str, texts: Texts) -> Cell:
    change = course.states.get(key)
    if change is None:  # whether the site was imaged there
        how = course.imaged.get(key, "unknown")
        return Cell(texts.name("before", how) if how in ("partly", "not_imaged") else "")
    parts = [texts.name("state", change.state)]
    if change.volume_ml is not None:
        parts.append(texts.say("course.volume", ml=_ml(change.volume_ml)))
    if change.split_merge:
        parts.append(texts.name("split_merge", change.split_merge.replace(" ", "_")))
    return Cell(" · ".join(parts), change.state)


def _lesions(results: Results, facts: VisitFacts, *, with_notes: bool) -> Section:
    key, texts, say = facts.visit.key, results.texts, results.texts.say
    rows = []
    for lesion in facts.lesion_map.lesions:
        measured = _main(facts, lesion)
        change = results.change(key, lesion)
        why, physis = results.counts[key].of(lesion.id).why, lesion.physis or measured.physis
        place = "; ".join(place_name(name, texts) for name in lesion.sites)
        note = f" ({lesion.note})" if with_notes and lesion.note else ""
        rows.append(
            (
                Cell(lesion.id),
                Cell(capital(place) + note),
                Cell(texts.name("certainty", lesion.certainty)),
                Cell(texts.name("state", change.state), change.state) if change else Cell(UNKNOWN),
                Cell(_ml(measured.volume_ml), number=True),
                Cell(figure(measured.diameter_mm, 0), number=True),
                Cell(figure(measured.signal_ratio, 2), number=True),
                Cell(texts.name("physis", physis) if physis else UNKNOWN),
                Cell(say("lesions.no", why=texts.tell(why)) if why else say("lesions.yes")),
            )
        )
    header = (
        say("column.lesion"), say("column.site"), say("lesions.certainty"), say("lesions.state"), say("column.ml"),
        say("column.mm"), say("lesions.ratio"), say("lesions.physis"), say("lesions.counted"),
    )  # fmt: skip
    widths = (0.75, 3.0, 1.15, 1.4, 0.7, 0.6, 0.75, 0.95, 1.2)
    below = (say("lesions.below", unknown=UNKNOWN),)
    tracks = tuple(results.tracks(key, lesion.id) for lesion in facts.lesion_map.lesions)
    return Section(say("lesions.title", visit=key), table=Table(header, tuple(rows), widths, tracks), below=below)


def _legs(results: Results) -> Section | None:
    """Give the lengths of the legs of each visit whose landmarks tell them."""
    rows = []
    for facts in results.visits:
        for length in leg_lengths(facts.placement) if facts.placement is not None else ():
            sides = (length.left_mm, length.left_se_mm), (length.right_mm, length.right_se_mm)
            if any(value is not None for value, _ in sides):
                apart = _with_error(length.difference_mm, length.difference_se_mm, signed=True)
                figures = (*(_with_error(*side) for side in sides), apart)
                name = Cell(results.texts.name("leg", length.name))
                rows.append((Cell(facts.visit.key), name, *(Cell(x, number=True) for x in figures)))
    if not rows:
        return None
    say = results.texts.say
    below = say("legs.error", mm=f"{PLACING_MM:.0f}"), say("legs.below")
    legs = say("legs.left"), say("legs.right"), say("legs.difference")
    header = (say("column.visit"), say("legs.length"), *legs)
    return Section(say("legs.title"), table=Table(header, tuple(rows), (1.0, 2.2, 1.0, 1.0, 1.0)), below=below)


def _with_error(value: float | None, error: float | None, *, signed: bool = False) -> str:
    if value is None or error is None:
        return UNKNOWN
    whole = round(value)
    return f"{whole:+d} ± {error:.0f}" if signed and whole else f"{whole} ± {error:.0f}"


def _coverages(results: Results) -> list[Section]:
    return [_coverage(results, few) for few in side_by_side(results)]


def _coverage(results: Results, few: Sequence[VisitFacts]) -> Section:
    texts, say = results.texts, results.texts.say
    rows = [
        (Cell(capital(texts.named("regions", region, region))), *(Cell(_region_imaged(x, region, texts)) for x in few))
        for region in regions()
    ]
    header = (say("coverage.region"), *(facts.visit.key for facts in few))
    names = [(x.visit.key, ", ".join(one.name for one in x.visit.series)) for x in few]
    none = say("coverage.no_images")
    below = (
        say("coverage.below"),
        *(say("coverage.series", visit=key, series=listed_ or none) for key, listed_ in names),
    )
    return Section(dated(say("coverage.title"), few, results), table=Table(header, tuple(rows)), below=below)


def _region_imaged(facts: VisitFacts, region: str, texts: Texts) -> str:
    if facts.placement is None or facts.placement.coverage is None:
        return texts.name("imaged", "unknown")
    placement = facts.placement
    members = [site for site in sites() if site.region == region]
    found = {site.id: imaged(placement, site.id) for site in members}
    kinds = set(found.values())
    if len(kinds) == 1:
        return texts.name("imaged", kinds.pop())
    gone = sum(how == "not_imaged" for how in found.values())
    return texts.say("coverage.part", n=gone, all=len(members)) if gone else texts.name("imaged", "partly")


def _method(results: Results) -> Section:
    say = results.texts.say
    lines = (
        say("method.marked"),
        say("method.sites"),
        threshold_words(results),
        say("method.programs", version=__version__, python=platform.python_version(), others=_versions()),
        say("use.whole"),
    )
    return Section(say("method.title"), lines)


def _versions() -> str:
    found = []
    for name in ("numpy", "scipy", "scikit-image", "pydicom", "matplotlib"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _ml(volume_ml: float | None) -> str:
    if volume_ml is None:
        return UNKNOWN
    return f"{volume_ml:.1f}" if volume_ml >= 1 else f"{volume_ml:.2g}"
