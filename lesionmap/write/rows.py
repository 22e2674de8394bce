"""The rows of the lesion table and of the comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lesionmap.compare import is_read, marked_on, seen_by_site
from lesionmap.measure import early_over_late, main_measurement
from lesionmap.skeleton import Group, known, members
from lesionmap.texts import english
from lesionmap.visits import years_between
from lesionmap.write.columns import COMPARISON_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.compare import Change, VisitFacts
    from lesionmap.lesions import Lesion
    from lesionmap.measure import Count, Measurement, Tally
    from lesionmap.scores import ScanFigures
    from lesionmap.texts import Texts
    from lesionmap.write.results import Results

__all__ = [
    "comparison_columns",
    "comparison_rows",
    "count_words",
    "course_rows",
    "lesion_rows",
    "modality_rows",
    "notes",
    "tally_words",
]

_AND = ";"


def lesion_rows(results: Results, visits: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Give one row for each lesion, with the columns ``LESION_COLUMNS``, by visit and in the order of the map.

    Parameters
    ----------
    results : Results
        Of one patient.
    visits : sequence of str, optional
        Keys of the visits wanted; all where not given. States are those of all visits together.

    Returns
    -------
    list of dict
        Unknown is None. The free text of notes is left out: it may hold personal data.
    """
    wanted = [results.facts(key) for key in visits] if visits is not None else results.visits
    return [_lesion_row(results, facts, lesion) for facts in wanted for lesion in facts.lesion_map.lesions]


def _lesion_row(results: Results, facts: VisitFacts, lesion: Lesion) -> dict[str, Any]:
    visit = facts.visit
    change = results.change(visit.key, lesion)
    counts = results.counts[visit.key]
    judged = counts.of(lesion.id)
    return {
        "patient": results.patient.id,
        "visit_date": visit.key,
        "age_y": visit.age_y,
        "reader": facts.lesion_map.reader,
        "lesion": lesion.id,
        "track": _AND.join(lesion.tracks) or None,
        **_where(lesion.sites[0]),
        "sites": _AND.join(lesion.sites),
        "certainty": lesion.certainty,
        "state": change.state if change else None,
        "split_merge": (change.split_merge if change else "") or None,
        "change_reason": (change.reason if change else "") or None,
        **_measured(facts.measurements.get(lesion.id, ()), lesion),
        **_on_scan(facts.measurements.get(lesion.id, ())),
        "marked_on": marked_on(visit, lesion) or None,
        "counted": judged.counted,
        "why_not_counted": judged.why_not or None,
        **_tallies(counts),
        **_whole_scan(results.scans.get(visit.key)),
    }


def _where(name: str) -> dict[str, Any]:
    """Split a site into its parts; of a group only what all its sites share is known."""
    place = known(name)
    bones, regions = ({getattr(one, what) for one in members(name)} for what in ("bone", "region"))
    return {
        "site": name,
        "bone": bones.pop() if len(bones) == 1 else None,
        "segment": None if isinstance(place, Group) else place.segment,
        "side": place.side,
        "region": regions.pop() if len(regions) == 1 else None,
    }


def _measured(measurements: Sequence[Measurement], lesion: Lesion) -> dict[str, Any]:
    measured = main_measurement(measurements)
    x, y, z = measured.centroid_lps_mm or (None, None, None)
    return {
        "modality": "+".join(dict.fromkeys(one.modality for one in measurements if one.modality)) or None,
        "series": measured.series or None,
        "volume_ml": measured.volume_ml,
        "diameter_mm": measured.diameter_mm,
        "n_slices": measured.n_slices,
        "signal_mean": measured.signal_mean,
        "signal_max": measured.signal_max,
        "signal_ratio": measured.signal_ratio,
        "why_not_measured": measured.why_not or None,
        "physis": lesion.physis or measured.physis,
        "growth_risk": "yes" if (lesion.physis or measured.physis) == "crosses" else None,
        "x_lps_mm": x,
        "y_lps_mm": y,
        "z_lps_mm": z,
    }


def _on_scan(measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Give what the bone scan shows of a lesion; of two views the larger outline stands for it."""
    phases = dict.fromkeys(one.phase for one in measurements if one.phase)
    main = main_measurement([one for one in measurements if one.area_mm2 is not None])
    return {
        "phases": "+".join(phases) or None,
        "area_mm2": main.area_mm2,
        "counts": main.counts,
        "scan_mean": main.signal_mean,
        "mirrored_ratio": main.uptake.mirrored_ratio,
        "shaft_ratio": main.uptake.shaft_ratio,
        "plates_ratio": main.uptake.plates_ratio,
        "early_late_ratio": early_over_late(measurements),
    }


def _whole_scan(found: ScanFigures | None) -> dict[str, Any]:
    return {
        "n_scan_foci": found.n_foci if found else None,
        "scan_area_mm2": found.area_mm2 if found else None,
        "bone_scan_index_adult_masses": found.index_percent if found else None,
    }


def modality_rows(results: Results, visits: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Give a row for each site with a lesion in visits with slices and bone scan: ``MODALITY_COLUMNS``.

    ``agree`` is None where one of both does not tell.
    """
    wanted = [results.facts(key) for key in visits] if visits is not None else results.visits
    return [
        {
            "patient": results.patient.id,
            "visit_date": facts.visit.key,
            "reader": facts.lesion_map.reader,
            "site": row.site,
            "on_slices": row.slices,
            "on_scan": row.scan,
            "agree": row.agree,
            "lesions": _AND.join(row.lesions),
        }
        for facts in wanted
        for row in seen_by_site(facts, counted=_counted(results, facts))
    ]


def _counted(results: Results, facts: VisitFacts) -> set[str]:
    return {one.lesion for one in results.counts[facts.visit.key].judged if one.counted}


def _tallies(counts: Count) -> dict[str, Any]:
    whole, part = counts.total, counts.without_hands_feet
    return {
        "rule": counts.rule.name,
        "n_lesions": whole.lesions,
        "n_bones": whole.bones,
        "n_sites": whole.sites,
        "n_lesions_without_hands_feet": part.lesions,
        "n_bones_without_hands_feet": part.bones,
        "n_sites_without_hands_feet": part.sites,
    }


def comparison_columns(results: Results) -> tuple[str, ...]:
    """Give the columns of the comparison: ``track,site``, then ``state@DATE,volume_ml@DATE`` for each visit.

    At the end ``marked_on@DATE`` for each, where one of them has a bone scan.
    """
    keys = [facts.visit.key for facts in results.visits]
    scanned = any(series.projection for facts in results.visits for series in facts.visit.series)
    dated = [f"{name}@{key}" for key in keys for name in ("state", "volume_ml")]
    return (*COMPARISON_COLUMNS, *dated, *(f"marked_on@{key}" for key in keys if scanned))


def comparison_rows(results: Results) -> list[dict[str, Any]]:
    """Give one row for each track, with the columns of ``comparison_columns``; no state is None."""
    rows = []
    for course in results.courses:
        row: dict[str, Any] = {"track": course.track or None, "site": course.site}
        for facts in results.visits:
            change = course.states.get(facts.visit.key)
            found = _at_visit(facts, change) if change else {}
            row |= {f"{name}@{facts.visit.key}": found.get(name) for name in ("state", "volume_ml", "marked_on")}
        rows.append(row)
    return rows


def course_rows(results: Results) -> list[dict[str, Any]]:
    """Give one row for each track and each visit at which it has a state, with the columns ``COURSE_COLUMNS``.

    The comparison once more, in a form that is the same for every patient.
    """
    first = next((facts.visit.date for facts in results.visits if is_read(facts)), results.visits[0].visit.date)
    return [
        {
            "patient": results.patient.id,
            "reader": results.reader,
            "track": course.track or None,
            "site": course.site,
            "visit_date": facts.visit.key,
            "since_first_y": years_between(first, facts.visit.date),
            "split_merge": change.split_merge or None,
            "change_reason": change.reason or None,
            "counted": change.counted,
            "rule": results.rule.name,
            **_at_visit(facts, change),
        }
        for course in results.courses
        for facts in results.visits
        if (change := course.states.get(facts.visit.key))
    ]


def _at_visit(facts: VisitFacts, change: Change) -> dict[str, Any]:
    """Give what the comparison tells of a track at a visit."""
    marked = [facts.lesion_map.lesion(x) for x in change.lesions]
    kinds = {kind for lesion in marked if (kind := marked_on(facts.visit, lesion))}
    return {
        "state": change.state,
        "volume_ml": change.volume_ml,
        "marked_on": kinds.pop() if len(kinds) == 1 else "both" if kinds else None,
    }


def notes(results: Results) -> tuple[str, ...]:
    """Give what must be told beside a table: the rule, the counts under it, the thresholds, how unknown is written."""
    say = results.texts.say
    counts = [say("tally.visit", visit=x.visit.key, tally=count_words(results, x)) for x in results.visits]
    return (results.rule.told(results.texts), *counts, threshold_words(results))


def threshold_words(results: Results) -> str:
    """Say when a volume is called changed."""
    percent, beyond = f"{results.threshold.volume_change * 100:g}", results.threshold.beyond_slice_error
    return results.texts.say("method.changed_beyond" if beyond else "method.changed", percent=percent)


def tally_words(found: Count, texts: Texts | None = None) -> str:
    """Say a count in words, in English where no texts are given; without hands and feet as well where that differs.

    Examples
    --------
    ``7 lesions in 6 bones (7 sites); without hands and feet 5 lesions in 5 bones (5 sites)``
    """
    whole, part, texts = found.total, found.without_hands_feet, texts or english()
    words = _tally_words(whole, texts)
    return words if part == whole else texts.say("tally.without", whole=words, part=_tally_words(part, texts))


def count_words(results: Results, facts: VisitFacts) -> str:
    """Say the count of a visit; where nothing was marked or answered, nobody knows whether it was read."""
    texts = results.texts
    return tally_words(results.counts[facts.visit.key], texts) if is_read(facts) else texts.say("tally.unread")


def _tally_words(found: Tally, texts: Texts) -> str:
    if found.lesions == 0:
        return texts.say("tally.none")
    return texts.say(
        "tally.whole",
        lesions=texts.many("tally.lesions", found.lesions),
        bones=texts.many("tally.bones", found.bones),
        sites=texts.many("tally.sites", found.sites),
    )
