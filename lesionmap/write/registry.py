"""The registry: one flat row for each visit, with all that is known of it. Unknown is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from lesionmap.clinic import clinic_items
from lesionmap.compare import State, is_read
from lesionmap.scores import FACTS, WITHIN_DAYS, ground_of, nearest, no_if_imaged, score
from lesionmap.skeleton import sites
from lesionmap.write.columns import FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lesionmap.compare import VisitDisease, VisitFacts
    from lesionmap.measure import Count
    from lesionmap.scores import Definition
    from lesionmap.scores.mapped import Ground
    from lesionmap.write.results import Results

__all__ = ["registry_columns", "registry_rows"]

_AND = ";"
_WHO = ("patient", "visit_date", "age_y", "sex", "reader", "rule")
_COUNTS = ("n_lesions", "n_bones", "n_sites")
_WITHOUT = tuple(f"{name}_without_hands_feet" for name in _COUNTS)
_SIZES = ("volume_ml", "n_unmeasured", "largest_diameter_mm")
_STATES = tuple(f"n_{state}" for state in get_args(State))
_PATTERN = ("focality", *FLAGS, "symmetric_sites", "pattern", "n_silent", "n_painful", "n_not_asked")


def registry_columns(results: Iterable[Results], definitions: Sequence[Definition]) -> tuple[str, ...]:
    """Give the columns of the registry; the same for all studies but for observations of the site's own items."""
    known = [item.name for item in clinic_items().values() if not item.per]
    seen = {one.item for each in results for one in each.observations}
    regions = [f"region_{name}" for name in _regions()]
    scores = [name for one in definitions if one.can_sum for name in (_column(one), f"score_{one.name}_missing")]
    fixed = (*_WHO, *_COUNTS, *_WITHOUT, *_SIZES, *_STATES, "n_regions", *regions, *_PATTERN, "treatments")
    return (*fixed, *known, *sorted(seen - set(known)), *scores)


def registry_rows(
    results: Results, definitions: Sequence[Definition], within_days: int = WITHIN_DAYS
) -> list[dict[str, Any]]:
    """Give a row for each visit of a patient, by date: ``registry_columns``.

    Parameters
    ----------
    results : Results
        Of one patient and reader.
    definitions : sequence of Definition
        Scores whose sums stand in it.
    within_days : int
        How far from a visit its observations may be.
    """
    return [
        {
            "patient": results.patient.id,
            "visit_date": facts.visit.key,
            "age_y": facts.visit.age_y,
            "sex": results.patient.sex,
            "reader": results.reader,
            "rule": results.rule.name,
            **_of_map(ground_of(results, facts.visit.key)),
            "treatments": _AND.join(x.drug for x in results.treatments if x.runs_on(facts.visit.date)) or None,
            **_observed(results, facts, within_days),
            **_scores(results, facts, definitions, within_days),
        }
        for facts in results.visits
    ]


def _of_map(ground: Ground) -> dict[str, Any]:
    """Give what the map tells; nothing where nobody read the visit."""
    if not is_read(ground.facts):
        return {}
    disease = ground.disease
    return {
        **_counts(ground.count),
        "volume_ml": disease.volume_ml,
        "n_unmeasured": disease.unmeasured,
        "largest_diameter_mm": FACTS["largest_diameter_mm"](ground).value,
        **{f"n_{state}": disease.states.get(state, 0) for state in get_args(State)},
        "n_regions": len(disease.regions),
        **{f"region_{name}": _in_region(ground, name) for name in _regions()},
        "focality": disease.focality or None,
        **{name: _flag(ground, name) for name in FLAGS},
        "symmetric_sites": _AND.join(disease.symmetric) or None,
        "pattern": disease.pattern or None,
        "n_silent": disease.silent,
        "n_painful": disease.painful,
        "n_not_asked": disease.not_asked,
    }


def _counts(count: Count) -> dict[str, int]:
    whole, part = count.total, count.without_hands_feet
    numbers = (whole.lesions, whole.bones, whole.sites, part.lesions, part.bones, part.sites)
    return dict(zip((*_COUNTS, *_WITHOUT), numbers, strict=True))


def _regions() -> list[str]:
    return list(dict.fromkeys(place.region.replace(" ", "_") for place in sites()))


def _in_region(ground: Ground, name: str) -> Any:
    region = next(place.region for place in sites() if place.region.replace(" ", "_") == name)
    if region in ground.disease.regions:
        return True
    return no_if_imaged(ground, [place for place in sites() if place.region == region]).value


def _flag(ground: Ground, name: str) -> Any:
    """Give a flag: *no* only where all of the place was imaged."""
    disease: VisitDisease = ground.disease
    if getattr(disease, name):
        return True
    if name == "symmetric":
        return FACTS["symmetric"](ground).value
    places = {
        "spine": [x for x in sites() if x.region == "spine"],
        "epiphysis": [x for x in sites() if x.segment.endswith("epiphysis")],
    }
    return no_if_imaged(ground, places.get(name, [x for x in sites() if x.bone == name])).value


def _observed(results: Results, facts: VisitFacts, within_days: int) -> dict[str, Any]:
    """Give of each item the observation that is nearest to the visit."""
    found: dict[str, Any] = {}
    for name in dict.fromkeys(one.item for one in results.observations):
        seen = nearest(results.observations, name, facts, within_days)
        item = clinic_items().get(name.partition("@")[0])
        yes_no = item is not None and item.kind == "yes_no"
        found[name] = None if seen is None else bool(seen.value) if yes_no else seen.value
    return found


def _column(definition: Definition) -> str:
    """Name the column of a sum: what is not published may not look as if it were."""
    reasons = definition.unverified
    kind = "" if not reasons else "_derived" if all(x.startswith("derived") for x in reasons) else "_not_verified"
    return f"score_{definition.name}{kind}"


def _scores(results: Results, facts: VisitFacts, definitions: Sequence[Definition], within_days: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for definition in definitions:
        if definition.can_sum:
            one = score(definition, results, facts.visit.key, within_days=within_days)
            found[_column(definition)] = one.sum
            found[f"score_{definition.name}_missing"] = _AND.join(one.missing) or None
    return found
