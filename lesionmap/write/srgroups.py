"""The measurement groups of a DICOM SR: what a reader decided of each lesion, and what was computed of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING

from lesionmap.read import srterms as terms
from lesionmap.read.srtree import kept
from lesionmap.skeleton import Group as SiteGroup
from lesionmap.skeleton import known
from lesionmap.write.codes import site_codes
from lesionmap.write.srtree import code_item, container, number_item, text_item, uid_item

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lesionmap.compare import Change, TrackCourse, VisitFacts
    from lesionmap.lesions import Answer, Extent, Lesion
    from lesionmap.measure import Measurement
    from lesionmap.skeleton import Code
    from lesionmap.write.results import Results

__all__ = ["Group", "Part", "Told", "answer_items", "lesion_groups", "summary"]

_CONTEXT = "HAS OBS CONTEXT"


@dataclass(frozen=True, slots=True)
class Part:
    """One group of a lesion: where it is drawn."""

    template: str
    """Number of the template: 1410 planar, 1411 volume, 1501 no region."""
    references: tuple[bytes, ...] = ()
    """Content items of the segment, the region or the marker."""
    extent: int | None = None
    """Number of the Extent in its lesion, from 1; None: nothing is drawn on any Series."""
    first: bool = True
    """True for the first of its Extent, which carries the numbers of all of it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What all groups of a document need to know."""

    results: Results
    facts: VisitFacts
    parts: Mapping[str, tuple[Part, ...]]
    """Lesion id to its groups, at least one."""
    tracks: Mapping[str, str]
    """Lesion id to the Tracking UID of its groups."""
    with_notes: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A measurement group, encoded."""

    item: bytes
    on_images: bool
    """Whether it points to a segment, a region or a point."""


def lesion_groups(told: Told, lesion: Lesion) -> list[Group]:
    """Make the groups of a lesion, all under its first track; the first one says what holds for the whole lesion."""
    name, coded = f"{lesion.id} {known(lesion.sites[0]).name}", _finding(lesion.sites)
    groups = []
    shown_first = sorted(told.parts[lesion.id], key=lambda part: not part.references)
    for n, part in enumerate(shown_first):
        items = [text_item(terms.LESION_ID, kept(lesion.id)), *coded]
        if n == 0:
            items += [*_named(lesion.sites), *_decided(lesion, with_notes=told.with_notes), *_computed(told, lesion)]
        if part.extent is not None:
            items += _extent(told, lesion, part)
        tracked = _tracked(told, name, told.tracks[lesion.id])
        item = container(terms.GROUP, [*tracked, *part.references, *items], template=part.template)
        groups.append(Group(item, on_images=bool(part.references)))
    return groups


def answer_items(told: Told) -> list[bytes]:
    """Make an item for each track that is not marked in this visit: what the reader answered, else its state."""
    key = told.facts.visit.key
    answers = {answer.track: answer for answer in told.facts.lesion_map.answers}
    courses = {course.track: course for course in told.results.courses if course.track}
    unmarked = [track for track, course in courses.items() if (cell := course.states.get(key)) and not cell.lesions]
    tracks = dict.fromkeys([*answers, *unmarked])
    return [_answer_item(told, track, answers.get(track), courses.get(track)) for track in tracks]


def summary(told: Told, said: Sequence[bytes]) -> bytes:
    """Make the container of what holds for the whole visit: the counts and their rule, and how it was written.

    It is no measurement group: other programs would take it for a lesion. ``said`` is what else goes in: lesions that
    nothing on the images shows, and tracks that are not marked.
    """
    counts, lesion_map = told.results.counts[told.facts.visit.key], told.facts.lesion_map
    whole, part = counts.total, counts.without_hands_feet
    numbers = (
        (terms.N_LESIONS, whole.lesions),
        (terms.N_BONES, whole.bones),
        (terms.N_SITES, whole.sites),
        (terms.N_LESIONS_PART, part.lesions),
        (terms.N_BONES_PART, part.bones),
        (terms.N_SITES_PART, part.sites),
    )
    notes = [note for note in (*(x.note for x in lesion_map.lesions), *(x.note for x in lesion_map.answers)) if note]
    items = [text_item(terms.RULE, told.results.rule.sentence)]
    items += [number_item(name, number, terms.ONE) for name, number in numbers]
    items += [
        text_item(terms.FORM, terms.THIS_FORM),
        text_item(terms.READER, kept(lesion_map.reader)),
        text_item(terms.HOLDS, terms.holds(lesion_map)),
        text_item(terms.USED, str(lesion_map.used)),
        text_item(terms.COMMENT, "Research use only. Not for diagnosis or treatment."),
    ]
    if notes and not told.with_notes:
        items.append(number_item(terms.NOTES_LEFT_OUT, len(notes), terms.ONE))
    items += [text_item(terms.LESION_ID, kept(lesion.id)) for lesion in lesion_map.lesions]
    return container(terms.EVALUATIONS, [*items, *said])


def _tracked(told: Told, name: str, track: str) -> list[bytes]:
    """Give tracking identifier and UID, and the time point, which stand before all else."""
    key = told.facts.visit.key
    return [
        text_item(terms.TRACKING_ID, kept(name), relationship=_CONTEXT),
        uid_item(terms.TRACKING_UID, track, relationship=_CONTEXT),
        text_item(terms.SUBJECT_TIME_POINT, key, relationship=_CONTEXT),
        text_item(terms.TIME_POINT, key, relationship=_CONTEXT),
    ]


def _finding(names: Sequence[str]) -> list[bytes]:
    """Give the finding and its sites as codes, for other programs."""
    items = [code_item(terms.FINDING, terms.LESION)]
    for name in names:
        found = site_codes(name)
        modify = partial(code_item, relationship="HAS CONCEPT MOD")
        modifiers = [modify(terms.MODIFIER, modifier) for modifier in found.modifiers]
        if found.laterality is not None:
            modifiers.insert(0, modify(terms.LATERALITY, found.laterality))
        items.append(modify(terms.FINDING_SITE, found.region, modifiers))
    return items


def _named(names: Sequence[str]) -> list[bytes]:
    """Give the sites by their own names, for lesionmap: many share their codes."""
    return [text_item(terms.SITE_GROUP if isinstance(known(name), SiteGroup) else terms.SITE, name) for name in names]


def _decided(lesion: Lesion, *, with_notes: bool) -> list[bytes]:
    """Give what the reader said of a lesion; what was not assessed is left out."""
    items = [code_item(terms.CERTAINTY, terms.CERTAINTIES[lesion.certainty])]
    items += [uid_item(terms.FURTHER_TRACK, track) for track in lesion.tracks[1:]]
    if not lesion.tracks:
        items.append(code_item(terms.UNTRACKED, terms.YES_NO["yes"]))
    if lesion.change is not None:
        items.append(code_item(terms.CHANGE_SAID, terms.CHANGES[lesion.change]))
    if lesion.physis is not None:
        items.append(code_item(terms.PHYSIS_SAID, terms.PHYSES[lesion.physis]))
    for field, name in terms.ATTRIBUTES.items():
        said = getattr(lesion.attributes, field)
        if said is not None:
            items.append(code_item(name, terms.YES_NO["yes" if said else "no"]))
    if lesion.attributes.appearance is not None:
        items.append(code_item(terms.APPEARANCE, terms.APPEARANCES[lesion.attributes.appearance]))
    if lesion.note and with_notes:
        items.append(text_item(terms.NOTE, kept(lesion.note)))
    return items


def _computed(told: Told, lesion: Lesion) -> list[bytes]:
    """Give the change since the prior, and whether the lesion counts."""
    key = told.facts.visit.key
    counted = "yes" if told.results.counts[key].of(lesion.id).counted else "no"
    items = [code_item(terms.COUNTED, terms.YES_NO[counted])]
    change = told.results.change(key, lesion)
    return items if change is None else [*items, *_change(change, with_reason=True)]


def _change(change: Change, *, with_reason: bool) -> list[bytes]:
    items = [code_item(terms.CHANGE, terms.STATES[change.state])]
    if change.split_merge:
        items.append(code_item(terms.SPLIT_MERGE, terms.SPLITS[change.split_merge]))
    if change.reason and with_reason:
        items.append(text_item(terms.CHANGE_REASON, kept(change.reason)))
    return items


def _answer_item(told: Told, track: str, answer: Answer | None, course: TrackCourse | None) -> bytes:
    """Make the item of a track without a mark. How an answer came about may be the reader's note: it is left out."""
    site = course.site if course else ""
    sites = [site] if site else []
    items = [*_finding(sites), *_named(sites)]
    change = course.states.get(told.facts.visit.key) if course else None
    if answer is not None:
        items.append(code_item(terms.ANSWER, terms.VERDICTS[answer.verdict]))
        if answer.note and told.with_notes:
            items.append(text_item(terms.NOTE, kept(answer.note)))
    if change is not None:
        items += _change(change, with_reason=answer is None)
    elif answer is not None:
        items.append(code_item(terms.CHANGE, terms.STATES[answer.verdict]))
    name = f"not marked: {known(site).name}" if site else "not marked"
    return container(terms.UNMARKED, [*_tracked(told, name, track), *items])


def _extent(told: Told, lesion: Lesion, part: Part) -> list[bytes]:
    """Give the Series of an Extent, the marker to the last digit, and in its first group what was measured of it."""
    number = part.extent or 0
    extent = lesion.extents[number - 1]
    items = [text_item(terms.EXTENT, str(number)), text_item(terms.SERIES, kept(extent.series))]
    if not part.first:
        return items
    if extent.phase is not None:
        items.append(code_item(terms.PHASE, terms.PHASES[extent.phase]))
    if extent.marker_lps_mm is not None:
        items.append(text_item(terms.MARKER_LPS, " ".join(repr(float(mm)) for mm in extent.marker_lps_mm)))
    measured = told.facts.measurements.get(lesion.id, ())
    return [*items, *_numbers(measured[number - 1], extent)] if number <= len(measured) else items


def _numbers(measured: Measurement, extent: Extent) -> list[bytes]:
    """Give the numbers of an Extent with their units; what is not known is left out."""
    if extent.mask is None:
        return []
    signal, unit = _signal(measured)
    rows = (
        (terms.VOLUME, measured.volume_ml, terms.ML, None),
        (terms.AREA, measured.area_mm2, terms.MM2, None),
        (terms.DIAMETER, measured.diameter_mm, terms.MM, terms.MAXIMUM),
        (terms.SLICES, measured.n_slices, terms.ONE, None),
        (signal, measured.signal_mean, unit, terms.MEAN),
        (signal, measured.signal_max, unit, terms.MAXIMUM),
        (signal, measured.signal_sd, unit, terms.DEVIATION),
        (terms.SIGNAL_RATIO, measured.signal_ratio, terms.RATIO, None),
    )
    items = [
        number_item(name, value, its_unit, _derived(derivation))
        for name, value, its_unit, derivation in rows
        if value is not None and isfinite(value)
    ]
    if measured.physis is not None and measured.physis_by == "computed":
        items.append(code_item(terms.PHYSIS, terms.PHYSES[measured.physis]))
    return items


def _derived(how: Code | None) -> list[bytes]:
    return [] if how is None else [code_item(terms.DERIVATION, how, relationship="HAS CONCEPT MOD")]


def _signal(measured: Measurement) -> tuple[Code, Code]:
    """Give what the pixels of a Series mean, and their unit."""
    if measured.modality == "MR":
        return terms.SIGNALS.get(measured.sequence, terms.MR_SIGNAL), terms.ONE
    return terms.OTHER_SIGNAL, terms.COUNTS if measured.modality == "NM" else terms.ONE
