"""From the state of the work to what the dock shows: pure functions, frozen rows of words, nothing changed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, get_args

from lesionmap import annotate
from lesionmap.annotate import normal_hint
from lesionmap.lesions import Appearance, Attributes, Certainty
from lesionmap.measure import main_measurement
from lesionmap.skeleton import groups, known, landmarks, sites
from lesionmap.write import state_style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.compare import TrackCourse, VisitFacts
    from lesionmap.lesions import Lesion, Verdict
    from lesionmap.measure import Measurement
    from lesionmap.skeleton import PlacedLandmark
    from lesionmap.space import Grid
    from lesionmap.visits import Sex
    from lesionmap.write import MapPanel, Results

__all__ = [
    "ATTRIBUTES",
    "CERTAINTIES",
    "CourseCell",
    "CourseRow",
    "EarlierRow",
    "LandmarkRow",
    "LesionRow",
    "VisitRow",
    "attribute_choices",
    "attribute_words",
    "changes_of",
    "count_words",
    "course_rows",
    "earlier_rows",
    "expected_place",
    "landmark_rows",
    "landmark_words",
    "least_certain",
    "lesion_rows",
    "next_landmark",
    "normal_words",
    "place_of",
    "site_choices",
    "site_name",
    "visit_rows",
]

CERTAINTIES: tuple[Certainty, ...] = get_args(Certainty)
ATTRIBUTES = tuple(field.name for field in fields(Attributes))

_CAME_OR_WENT = frozenset({"new", "first_seen", "recurrent", "resolved"})

XYZ = tuple[float, float, float]


_SHORT = ("sc", "ac", "asis", "si", "mcp3")
"""What landmarks' names begin with that is written in capitals."""


@dataclass(frozen=True, slots=True)
class VisitRow:
    """One visit in the list."""

    key: str
    age: str
    images: str
    lesions: str


@dataclass(frozen=True, slots=True)
class LandmarkRow:
    """One landmark in the list."""

    name: str
    words: str
    state: Literal["placed", "estimated", "missing"]
    told: str
    """``placed``, ``estimated ± 12 mm``."""
    lps_mm: XYZ | None


@dataclass(frozen=True, slots=True)
class LesionRow:
    """One lesion in the list."""

    id: str
    site: str
    certainty: str
    volume: str
    state: str
    """Key of the state, empty where there is none."""
    told: str
    """The state in words, with what is special."""
    counted: bool
    why: str
    """Why it is not counted, or how the state was found."""


@dataclass(frozen=True, slots=True)
class EarlierRow:
    """One track of earlier visits in the worklist."""

    track: str
    site: str
    """Its name, readable."""
    site_id: str
    last: str
    """Date of the visit in which it was marked last."""
    answer: Verdict | Literal["present", ""]
    hint: str
    """``not imaged`` where the coverage says so."""
    lesion: str
    """Id of the lesion that is on the track now; empty: none."""


@dataclass(frozen=True, slots=True)
class CourseCell:
    """One track at one visit."""

    state: str
    told: str
    lesion: str
    """Id of its lesion in that visit; empty: none."""
    reason: str


@dataclass(frozen=True, slots=True)
class CourseRow:
    """One track over all visits."""

    track: str
    site: str
    cells: tuple[CourseCell, ...]
    """One for each visit, by date."""


def site_name(name: str) -> str:
    """Give the readable name of a site or group, with a capital."""
    words = known(name).name
    return words[:1].upper() + words[1:]


@cache
def site_choices() -> tuple[tuple[str, str], ...]:
    """Give (id, readable name) of all sites and then all groups; a group says that it is one."""
    return tuple([(x.id, site_name(x.id)) for x in sites()] + [(x.id, f"{site_name(x.id)} (group)") for x in groups()])


def attribute_choices(name: str) -> tuple[tuple[Any, str], ...]:
    """Give what a reader can say of an attribute, and in which words; the first is that it was not assessed."""
    values = get_args(Appearance) if name == "appearance" else (True, False)
    words = {True: "yes", False: "no"}
    return (None, "not assessed"), *((value, words.get(value, value)) for value in values)


def attribute_words(name: str) -> str:
    """Give the name of an attribute as it is read."""
    return "Painful here" if name == "painful" else name.replace("_", " ").capitalize()


def visit_rows(results: Results) -> tuple[VisitRow, ...]:
    """List the visits, by date."""
    return tuple(
        VisitRow(
            x.visit.key,
            "" if x.visit.age_y is None else f"{x.visit.age_y:.1f} y",
            ", ".join(dict.fromkeys(s.sequence or s.modality for s in x.visit.series)) or "no images",
            str(len(x.lesion_map.lesions)),
        )
        for x in results.visits
    )


def landmark_rows(facts: VisitFacts, pending: Mapping[str, XYZ] | None = None) -> tuple[LandmarkRow, ...]:
    """List the 43 landmarks, and the vertebrae placed beside them; ``pending`` are set but not placed upon yet."""
    marks = {mark.name: mark for mark in facts.placement.landmarks} if facts.placement else {}
    waiting = pending or {}
    more = [name for name, mark in marks.items() if mark.placed]
    return tuple(
        _landmark_row(name, marks.get(name), waiting.get(name)) for name in dict.fromkeys((*landmarks(), *more))
    )


def _landmark_row(name: str, mark: PlacedLandmark | None, waiting: XYZ | None) -> LandmarkRow:
    words = landmark_words(name)
    words = words[:1].upper() + words[1:]
    if waiting is not None:
        return LandmarkRow(name, words, "placed", "placed, more are needed", waiting)
    if mark is None:
        return LandmarkRow(name, words, "missing", "", None)
    if mark.placed:
        return LandmarkRow(name, words, "placed", "placed", mark.lps_mm)
    return LandmarkRow(name, words, "estimated", f"estimated ± {mark.radius90_mm:.0f} mm", mark.lps_mm)


def landmark_words(name: str) -> str:
    """Give the name of a landmark as it is read.

    Examples
    --------
    >>> landmark_words("si_joint_left"), landmark_words("knee_right"), landmark_words("C7")
    ('SI joint left', 'knee right', 'C7')
    """
    first, *more = name.split("_")
    return " ".join([first.upper() if first in _SHORT else first, *more])


def next_landmark(rows: Sequence[LandmarkRow], after: str) -> str:
    """Give the next landmark of the list that is not placed yet; empty: all are."""
    names = [row.name for row in rows]
    start = names.index(after) + 1 if after in names else 0
    order = (*rows[start:], *rows[:start])
    return next((row.name for row in order if row.state != "placed" and row.name != after), "")


def least_certain(facts: VisitFacts, grid: Grid) -> list[str]:
    """List the landmarks that are estimated to lie in an image, the least certain one first."""
    marks = facts.placement.landmarks if facts.placement else ()
    estimated = [x for x in marks if not x.placed and x.name in landmarks() and bool(grid.contains(x.lps_mm))]
    return [mark.name for mark in sorted(estimated, key=lambda mark: -mark.radius90_mm)]


def lesion_rows(results: Results, key: str) -> tuple[LesionRow, ...]:
    """List the lesions of a visit in the order of the map."""
    facts = results.facts(key)
    return tuple(_lesion_row(results, facts, lesion) for lesion in facts.lesion_map.lesions)


def _lesion_row(results: Results, facts: VisitFacts, lesion: Lesion) -> LesionRow:
    change = results.change(facts.visit.key, lesion)
    judged = results.counts[facts.visit.key].of(lesion.id)
    told = state_style(change.state).words if change else ""
    more = f", {change.split_merge}" if change and change.split_merge else ""
    return LesionRow(
        lesion.id,
        site_name(lesion.sites[0]),
        lesion.certainty.replace("_", " "),
        volume_words(facts.measurements.get(lesion.id, ())),
        change.state if change else "",
        told + more,
        judged.counted,
        f"not counted: {judged.why_not}" if judged.why_not else change.reason if change else "",
    )


def volume_words(measured: Sequence[Measurement]) -> str:
    """Give the volume that stands for a lesion; empty where it is not known."""
    volume = main_measurement(measured).volume_ml
    return "" if volume is None else f"{volume:.2f}" if volume < 1 else f"{volume:.1f}"


def earlier_rows(results: Results, key: str) -> tuple[EarlierRow, ...]:
    """List the tracks that were marked before a visit: the worklist of that visit.

    What was resolved before, and is not marked again, has no row.
    """
    order = [x.visit.key for x in results.visits]
    now = results.facts(key).lesion_map
    answers = {x.track: x.verdict for x in now.answers}
    here = {track: lesion.id for lesion in now.lesions for track in lesion.tracks}
    rows = []
    for course in results.courses:
        before = [k for k in order[: order.index(key)] if k in course.states and course.states[k].lesions]
        if before and (key in course.states or course.track in answers):
            answer: Verdict | Literal["present", ""] = (
                "present" if course.track in here else answers.get(course.track, "")
            )
            hint = "not imaged" if course.imaged.get(key) == "not_imaged" else ""
            name = site_name(course.site)
            rows.append(
                EarlierRow(course.track, name, course.site, before[-1], answer, hint, here.get(course.track, ""))
            )
    return tuple(rows)


def expected_place(results: Results, key: str, track: str) -> XYZ | None:
    """Give where a track of earlier visits is expected in a visit, LPS mm; None where that cannot be told."""
    now = results.facts(key)
    for facts in reversed([x for x in results.visits if x.visit.key < key]):
        lesion = next((x for x in facts.lesion_map.lesions if track in x.tracks), None)
        if lesion is not None and now.placement is not None:
            flat = [series.name for series in facts.visit.series if series.projection]
            return annotate.expected_place(lesion, facts.placement, now.placement, projections=flat)
    return None


def course_rows(results: Results) -> tuple[CourseRow, ...]:
    """List the tracks with their states at each visit."""
    keys = [x.visit.key for x in results.visits]
    return tuple(
        CourseRow(course.track, site_name(course.site), tuple(_course_cell(course, key) for key in keys))
        for course in results.courses
    )


def _course_cell(course: TrackCourse, key: str) -> CourseCell:
    change = course.states.get(key)
    if change is None:
        imaged = course.imaged.get(key)
        told = "not imaged" if imaged == "not_imaged" else "" if imaged == "unknown" else "no mark"
        return CourseCell("", told, "", "")
    volume = "" if change.volume_ml is None else f"\n{change.volume_ml:.1f} ml"
    more = f", {change.split_merge}" if change.split_merge else ""
    lesion = change.lesions[0] if change.lesions else ""
    return CourseCell(change.state, f"{state_style(change.state).words}{more}{volume}", lesion, change.reason)


def changes_of(panel: MapPanel) -> MapPanel:
    """Give the map of what came and went in a visit alone: what stayed is left out."""
    return replace(panel, dots=tuple(dot for dot in panel.dots if dot.state in _CAME_OR_WENT))


def normal_words(facts: VisitFacts, lesion: Lesion, sex: Sex | None) -> str:
    """Say that signal is often seen at such a place in healthy children of that age; empty: nothing is known of it."""
    main = main_measurement(facts.measurements.get(lesion.id, ()))
    hint = normal_hint(
        lesion.sites[0], facts.visit.age_y, sex, diameter_mm=main.diameter_mm, physis=lesion.physis or main.physis
    )
    return f"{hint.words} ({hint.citation}); 4 makes it a normal variant" if hint is not None else ""


def count_words(results: Results, key: str) -> str:
    """Say the count of a visit."""
    from lesionmap.write.rows import tally_words

    return tally_words(results.counts[key])


def place_of(lesion: Lesion, measured: Mapping[str, Sequence[Measurement]]) -> XYZ | None:
    """Give where a lesion is, LPS mm; None for one that is known by its site only, or on a projection."""
    for one in sorted(measured.get(lesion.id, ()), key=lambda m: m.volume_ml is None):
        middle = one.centroid_lps_mm
        if middle is not None and all(map(isfinite, middle)):
            return middle
    return None
