"""What the report says, section by section, free of any format: the HTML page and the PDF set the same words."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from lesionmap import __version__
from lesionmap.compare import is_read
from lesionmap.measure import main_measurement
from lesionmap.skeleton import PLACING_MM, imaged, known, leg_lengths, regions, sites
from lesionmap.write.clinical import clinical_sections
from lesionmap.write.diseased import disease_section, doubt_lines
from lesionmap.write.rows import tally_words, threshold_words
from lesionmap.write.scanned import scan_sections
from lesionmap.write.sections import UNKNOWN, Cell, Section, Table, capital, dated, figure, side_by_side
from lesionmap.write.style import STATE_STYLE, state_style

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.compare import TrackCourse, VisitFacts
    from lesionmap.lesions import Lesion
    from lesionmap.measure import Measurement
    from lesionmap.write.results import Results

__all__ = ["UNKNOWN", "Cell", "Section", "Table", "facts_line", "heading", "sections"]

_BEFORE_LIST = 6


def heading(results: Results) -> str:
    """Give the title of the report."""
    return f"Bone lesions of {results.patient.id}"


def facts_line(results: Results) -> str:
    """Say who, how many visits and who read them."""
    sex = {"F": "girl", "M": "boy", None: "sex not known"}[results.patient.sex]
    first, last = results.visits[0].visit.key, results.visits[-1].visit.key
    n = len(results.visits)
    when = f"1 visit, {first}" if n == 1 else f"{n} visits, {first} to {last}"
    return f"{sex} · {when} · read by {results.reader}"


def sections(results: Results, *, with_notes: bool = False) -> tuple[Section, ...]:
    """Give the sections of the report in their order; those without content are left out."""
    warned = _warnings(results)
    made = [
        Section("Look at this first", warned, kind="warning") if warned else None,
        Section("Lesion map", kind="map"),
        Section("Timeline", kind="timeline", below=_timeline_words(results)) if results.courses else None,
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
    return (
        "A line joins readings of one lesion; dotted: a visit between them does not tell.",
        "Hatched: not imaged before its first mark. Bars at leg lengths: one standard error.",
        results.rule.sentence,
    )


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
    gone = [f"{key} {_short(lesion)}" for key, lesion in drawn if (key, lesion.id) not in have]
    words = ("The slice with most of the outline; the same millimetres a side at all visits of a lesion.",) * bool(have)
    lost = (f"No picture, as the images cannot be read any more: {_names(gone)}.",) if gone else ()
    return Section("Key images", kind="images", below=(*words, *lost))


def _names(names: Sequence[str]) -> str:
    """List names, the first few of many."""
    more = len(names) - _BEFORE_LIST
    return ", ".join(names[:_BEFORE_LIST]) + (f" and {more} more" if more > 0 else "")


def _warnings(results: Results) -> tuple[str, ...]:
    found = []
    for facts in results.visits:
        key = facts.visit.key
        open_ = [known(course.site).name for course in results.courses if _state(course, key) == "unanswered"]
        if open_:
            found.append(f"{key}: not answered yet, gone or not seen: {_names(open_)}.")
        if facts.placement is None or facts.placement.coverage is None:
            found.append(f"{key}: what was imaged is not known; a lesion not marked there may have been missed.")
        unsized = [_short(lesion) for lesion in facts.lesion_map.lesions if _main(facts, lesion).volume_ml is None]
        if unsized:
            found.append(f"{key}: no volume for {_names(unsized)}.")
        found += [f"{key}: skeleton: {warning}" for warning in (facts.placement.warnings if facts.placement else ())]
    return (*found, *doubt_lines(results))


def _state(course: TrackCourse, key: str) -> str:
    change = course.states.get(key)
    return change.state if change is not None else ""


def _short(lesion: Lesion) -> str:
    return f"{lesion.id} ({known(lesion.sites[0]).name})"


def _main(facts: VisitFacts, lesion: Lesion) -> Measurement:
    return main_measurement(facts.measurements.get(lesion.id, ()))


def _counts(results: Results) -> Section:
    keys = [facts.visit.key for facts in results.visits]
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
    header = ("visit", "age, years", "lesions", "bones", "sites", *(state_style(name).words for name in used))
    apart = [
        f"{key}: {tally_words(found)}."
        for key, found in results.counts.items()
        if found.total != found.without_hands_feet
    ]
    unread = [f"{facts.visit.key}: nothing marked." for facts in results.visits if not is_read(facts)]
    below = (results.rule.sentence, *apart, *unread, "States count tracks, whether they are counted as lesions or not.")
    return Section("Counts", table=Table(header, tuple(rows), tuple(map(_longest, header))), below=below)


def _longest(words: str) -> float:
    """Give the relative width of a column of figures: that of the longest word over it."""
    return max(len(word) for word in words.split()) + (5.0 if words == "visit" else 1.5)


def _courses(results: Results) -> list[Section]:
    return [_course(results, few) for few in side_by_side(results)] if results.courses else []


def _course(results: Results, few: Sequence[VisitFacts]) -> Section:
    keys = [facts.visit.key for facts in few]
    rows, tracks = [], []
    for number, course in enumerate(results.courses):
        cells = [_course_cell(course, key) for key in keys]
        if any(cell.state for cell in cells) or len(few) == len(results.visits):
            rows.append((Cell(capital(known(course.site).name)), *cells))
            tracks.append((number,))
    return Section(
        dated("Course of each lesion", few, results),
        table=Table(("site", *keys), tuple(rows), (1.5, *[1.0] * len(keys)), tuple(tracks)),
        below=("New: an earlier visit had the site imaged. First seen: none had.",),
    )


def _course_cell(course: TrackCourse, key: str) -> Cell:
    change = course.states.get(key)
    if change is None:
        return Cell(_before(course.imaged.get(key, "unknown")))
    size = f" · {_ml(change.volume_ml)}" if change.volume_ml is not None else ""
    more = f" · {change.split_merge}" if change.split_merge else ""
    return Cell(f"{state_style(change.state).words}{size}{more}", change.state)


def _before(how: str) -> str:
    """Say of a visit without a state whether the site was imaged there."""
    words = {"imaged": "", "partly": "imaged in part", "not_imaged": "not imaged", "unknown": ""}
    return words.get(how, "")


def _lesions(results: Results, facts: VisitFacts, *, with_notes: bool) -> Section:
    key = facts.visit.key
    rows = []
    for lesion in facts.lesion_map.lesions:
        measured = _main(facts, lesion)
        change = results.change(key, lesion)
        judged = results.counts[key].of(lesion.id)
        place = "; ".join(known(name).name for name in lesion.sites)
        note = f" ({lesion.note})" if with_notes and lesion.note else ""
        rows.append(
            (
                Cell(lesion.id),
                Cell(capital(place) + note),
                Cell(lesion.certainty.replace("_", " ")),
                Cell(state_style(change.state).words, change.state) if change else Cell(UNKNOWN),
                Cell(_ml(measured.volume_ml, unit=""), number=True),
                Cell(figure(measured.diameter_mm, 0), number=True),
                Cell(figure(measured.signal_ratio, 2), number=True),
                Cell(lesion.physis or measured.physis or UNKNOWN),
                Cell("yes" if judged.counted else f"no: {judged.why_not}"),
            )
        )
    header = ("lesion", "site", "certainty", "state", "ml", "mm", "ratio", "physis", "counted")
    widths = (0.75, 3.0, 1.15, 1.4, 0.7, 0.6, 0.75, 0.95, 1.2)
    below = (f"ml: volume. mm: largest diameter. ratio: signal to reference region. {UNKNOWN}: not known.",)
    tracks = tuple(results.tracks(key, lesion.id) for lesion in facts.lesion_map.lesions)
    return Section(f"Lesions on {key}", table=Table(header, tuple(rows), widths, tracks), below=below)


_LEG_WORDS = {"femur": "Femur: hip centre to knee", "tibia": "Tibia: knee to ankle", "leg": "Leg: both together"}


def _legs(results: Results) -> Section | None:
    """Give the lengths of the legs of each visit whose landmarks tell them."""
    rows = []
    for facts in results.visits:
        for length in leg_lengths(facts.placement) if facts.placement is not None else ():
            sides = (length.left_mm, length.left_se_mm), (length.right_mm, length.right_se_mm)
            if any(value is not None for value, _ in sides):
                apart = _with_error(length.difference_mm, length.difference_se_mm, signed=True)
                figures = (*(_with_error(*side) for side in sides), apart)
                rows.append(
                    (Cell(facts.visit.key), Cell(_LEG_WORDS[length.name]), *(Cell(x, number=True) for x in figures))
                )
    if not rows:
        return None
    below = (
        f"mm between landmarks ± standard error; placing a landmark is taken to err by {PLACING_MM:.0f} mm (assumed).",
        "Difference: left minus right. Less than two standard errors cannot be told from no difference.",
    )
    header = ("visit", "length", "left", "right", "difference")
    return Section("Leg lengths", table=Table(header, tuple(rows), (1.0, 2.2, 1.0, 1.0, 1.0)), below=below)


def _with_error(value: float | None, error: float | None, *, signed: bool = False) -> str:
    if value is None or error is None:
        return UNKNOWN
    whole = round(value)
    return f"{whole:+d} ± {error:.0f}" if signed and whole else f"{whole} ± {error:.0f}"


def _coverages(results: Results) -> list[Section]:
    return [_coverage(results, few) for few in side_by_side(results)]


def _coverage(results: Results, few: Sequence[VisitFacts]) -> Section:
    rows = [(Cell(capital(region)), *(Cell(_region_imaged(facts, region)) for facts in few)) for region in regions()]
    header = ("region", *(facts.visit.key for facts in few))
    series = tuple(
        f"{facts.visit.key}: {', '.join(one.name for one in facts.visit.series) or 'no images'}." for facts in few
    )
    below = ("Not imaged is never no lesion.", *series)
    return Section(dated("What was imaged", few, results), table=Table(header, tuple(rows)), below=below)


def _region_imaged(facts: VisitFacts, region: str) -> str:
    if facts.placement is None or facts.placement.coverage is None:
        return "not known"
    placement = facts.placement
    members = [site for site in sites() if site.region == region]
    found = {site.id: imaged(placement, site.id) for site in members}
    kinds = set(found.values())
    if len(kinds) == 1:
        return {"imaged": "imaged", "not_imaged": "not imaged", "partly": "in part"}.get(kinds.pop(), "not known")
    gone = sum(how == "not_imaged" for how in found.values())
    return f"in part ({gone} of {len(members)} sites not)" if gone else "in part"


def _method(results: Results) -> Section:
    lines = (
        "Lesions were marked by the reader. Volumes, diameters and signals are computed from the masks.",
        "Sites are the reader's own, proposed by a parametric skeleton placed on landmarks.",
        threshold_words(results),
        f"Programs: lesionmap {__version__}, Python {platform.python_version()}, {_versions()}.",
        "Research use only. Not for diagnosis or treatment.",
    )
    return Section("Method", lines)


def _versions() -> str:
    found = []
    for name in ("numpy", "scipy", "scikit-image", "pydicom", "matplotlib"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _ml(volume_ml: float | None, unit: str = " ml") -> str:
    if volume_ml is None:
        return UNKNOWN
    return (f"{volume_ml:.1f}" if volume_ml >= 1 else f"{volume_ml:.2g}") + unit
