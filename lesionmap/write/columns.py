"""What the columns of the tables are: kind, rounding and meaning, by name. Units stand in the names."""

from __future__ import annotations

from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, get_args

from lesionmap.clinic import clinic_items
from lesionmap.compare import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "COMPARISON_COLUMNS",
    "COURSE_COLUMNS",
    "FLAGS",
    "LESION_COLUMNS",
    "MODALITY_COLUMNS",
    "SCORE_COLUMNS",
    "decimals",
    "kind_of",
    "meaning",
]

Kind = Literal["text", "number", "whole", "truth"]

_MEANING: Mapping[str, str] = MappingProxyType(
    {
        "patient": "Pseudonym of the patient.",
        "visit_date": "Date of the visit, year-month-day; .2 for a second visit on that day.",
        "age_y": "Age at the visit, years.",
        "reader": "Who marked the lesion.",
        "lesion": "Name of the lesion in its visit.",
        "track": "Identity of the lesion over the visits (DICOM Tracking UID); several: merged.",
        "site": "Where it is: bone.segment.side, or a group of sites where the image cannot tell.",
        "bone": "Bone of the site; empty for a group of bones.",
        "segment": "Segment of the bone; empty for a group.",
        "side": "left, right or midline.",
        "region": "Region of the body.",
        "certainty": "definite, probable, equivocal, normal_variant, not_bone.",
        "modality": "DICOM modality of the images it was marked on; several are joined by +.",
        "state": "Compared with the visits before: new, first_seen, recurrent, improved, persistent, worsened.",
        "split_merge": "split or merged, where tracks part or meet.",
        "volume_ml": "Volume of the mask, millilitres.",
        "diameter_mm": "Largest diameter of the mask, millimetres.",
        "n_slices": "Slices that the mask touches.",
        "signal_mean": "Mean signal inside the mask, in units of the image.",
        "signal_ratio": "Mean signal divided by that of the reference region (muscle).",
        "physis": "Relation to the physis: touches, crosses, spares.",
        "counted": "Whether it is counted under the rule told beside.",
        "why_not_counted": "Why the rule does not count it.",
        "x_lps_mm": "Centre, millimetres to the patient's left.",
        "y_lps_mm": "Centre, millimetres to the patient's back.",
        "z_lps_mm": "Centre, millimetres to the patient's head.",
        "sites": "All sites of the lesion, joined by ;",
        "series": "Series on which it was measured.",
        "signal_max": "Largest signal inside the mask, in units of the image.",
        "why_not_measured": "Why the volume, or the ratio of signals, is missing.",
        "change_reason": "Why the state is what it is.",
        "rule": "Counting rule of this table.",
        "n_lesions": "Lesions counted in this visit.",
        "n_bones": "Bones affected in this visit.",
        "n_sites": "Sites affected in this visit.",
        "n_lesions_without_hands_feet": "Lesions counted in this visit, hands and feet left out.",
        "n_bones_without_hands_feet": "Bones affected in this visit, hands and feet left out.",
        "n_sites_without_hands_feet": "Sites affected in this visit, hands and feet left out.",
        "growth_risk": "yes: it spans metaphysis and epiphysis, which may disturb growth.",
        "marked_on": "slices, scan (planar views of a bone scan), or both.",
        "phases": "Phases of the bone scan on which it is marked: early, late; joined by +.",
        "area_mm2": "Area of its outline on the bone scan, square millimetres: the larger of the views.",
        "counts": "Counts inside this outline, as acquired.",
        "scan_mean": "Mean counts of its pixels.",
        "mirrored_ratio": "Mean counts there over those of the same place on the other side.",
        "shaft_ratio": "Mean counts there over those of the middle third of its long bone.",
        "plates_ratio": "Mean counts there over the median of the other open growth plates of the scan.",
        "early_late_ratio": "Its share of the view's counts in the early phase over that in the late one.",
        "n_scan_foci": "Lesions counted that are marked on the bone scan of this visit.",
        "scan_area_mm2": "Area of all their outlines together, square millimetres.",
        "bone_scan_index_adult_masses": "Bone Scan Index, per cent, by the bone masses of adults; not verified for "
        "children, for research only.",
    }
)

_MODALITY_MEANING: Mapping[str, str] = MappingProxyType(
    {
        "on_slices": "What slices (MRI, CT) show there: lesion, no lesion, not imaged, imaged in part, not known.",
        "on_scan": "What the planar views of the bone scan show there.",
        "agree": "Whether both show a lesion; empty where one of them does not tell.",
        "lesions": "Names of the lesions, joined by ;",
    }
)

_COURSE_MEANING: Mapping[str, str] = MappingProxyType(
    {
        "study": "Name of the study that the patient is of.",
        "since_first_y": "Years since the first visit that was read; negative before it.",
    }
)

_SCORE_MEANING: Mapping[str, str] = MappingProxyType(
    {
        "score": "Name of the score.",
        "label": "Its title, with whatever of it is not verified.",
        "unit": "Bone and side, or lesion, where the score is one of units; empty: the visit.",
        "item": "Name of the item; sum: the whole score.",
        "words": "The item in words.",
        "value": "Answer: yes, no, a number or words; empty: missing.",
        "points": "What the answer is worth; empty: missing, or it has no points.",
        "missing": "Items without an answer, joined by ;",
        "told": "Where the answer comes from, or why it is missing.",
        "reading": "What the sum means by the published cut-off that it reaches.",
        "citation": "Where the score stands written.",
    }
)

SCORE_COLUMNS: tuple[str, ...] = ("patient", "visit_date", "reader", "rule", *_SCORE_MEANING)
"""Columns of the table of scores."""

_REGISTRY_MEANING: Mapping[str, str] = MappingProxyType(
    {
        "sex": "F or M.",
        "n_unmeasured": "Lesions counted that have no volume.",
        "largest_diameter_mm": "Largest diameter of the lesions counted, millimetres; empty where one is not measured.",
        "n_regions": "Regions of the body with a counted lesion.",
        "focality": "unifocal (one bone) or multifocal; empty: no lesion counts.",
        "symmetric_sites": "Sites without their side that are marked on both sides, joined by ;",
        "pattern": "tibio-appendicular, claviculo-spinal or both, in our own reading of Andronikou 2019.",
        "n_silent": "Lesions counted that are said not to be painful.",
        "n_painful": "Lesions counted that are said to be painful.",
        "n_not_asked": "Lesions counted of which nobody was asked.",
        "treatments": "Drugs that run on the day of the visit, joined by ;",
    }
)
_FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "symmetric": "a site is marked on both sides",
        "spine": "a counted lesion lies in the spine",
        "epiphysis": "a counted lesion lies in an epiphysis",
        "clavicle": "a counted lesion lies in a clavicle",
        "mandible": "a counted lesion lies in the mandible",
        "sternum": "a counted lesion lies in the sternum",
    }
)
FLAGS: tuple[str, ...] = tuple(_FLAGS)
"""Yes-or-no columns of the registry; *no* is said only where all of the place was imaged."""

LESION_COLUMNS: tuple[str, ...] = tuple(_MEANING)
"""Columns of the lesion table, in their order."""

COMPARISON_COLUMNS: tuple[str, ...] = ("track", "site")
"""First columns of the comparison; ``state@DATE`` and ``volume_ml@DATE`` follow for each visit."""

COURSE_COLUMNS: tuple[str, ...] = (
    "patient", "reader", "track", "site", "visit_date", "since_first_y", "state", "split_merge", "change_reason",
    "volume_ml", "counted", "marked_on", "rule",
)  # fmt: skip
"""Columns of the comparison with a row for each track and visit, the same for every patient."""

MODALITY_COLUMNS: tuple[str, ...] = (
    "patient", "visit_date", "reader", "site", "on_slices", "on_scan", "agree", "lesions",
)  # fmt: skip
"""Columns of the table of slices against bone scan."""

_DECIMALS: Mapping[str, int] = MappingProxyType(
    {
        "_ml": 3,
        "_mm": 2,
        "_y": 2,
        "_mean": 2,
        "_max": 2,
        "_ratio": 3,
        "share": 4,
        "_mm2": 1,
        "_masses": 2,
        "confidence": 4,
        "_along": 5,
    }
)
_WHOLE_START = "n_"
_TRUTHS = ("counted", "inside", "agree")


@cache
def decimals(column: str) -> int | None:
    """Give the number of decimals of a column, None where numbers stay as they are.

    Examples
    --------
    >>> decimals("volume_ml@2010-05-04"), decimals("n_slices")
    (3, None)
    """
    name = column.partition("@")[0]
    return next((digits for suffix, digits in _DECIMALS.items() if name.endswith(suffix)), None)


def kind_of(column: str, values: Sequence[Any] = ()) -> Kind:
    """Say what a column holds, from its values or, where all are unknown (or none is given), from its name."""
    known = [value for value in values if value is not None]
    if not known:
        return _kind_by_name(column)
    if all(isinstance(value, bool) for value in known):
        return "truth"
    if any(isinstance(value, (bool, str)) for value in known):
        return "text"
    by_name_number = _kind_by_name(column) == "number"
    return "whole" if all(isinstance(value, int) for value in known) and not by_name_number else "number"


def _kind_by_name(column: str) -> Kind:
    item = clinic_items().get(column.partition("@")[0])
    if column in (*_TRUTHS, *FLAGS) or column.startswith("region_") or (item and item.kind == "yes_no"):
        return "truth"
    if item or column in ("points", "counts") or (column.startswith("score_") and not column.endswith("_missing")):
        return "number"
    if column.startswith(_WHOLE_START):
        return "whole"
    return "text" if decimals(column) is None else "number"


def meaning(column: str) -> str:
    """Give the meaning of a column in one sentence; empty for an unknown one."""
    name, at, visit = column.partition("@")
    known = (_MEANING, _COURSE_MEANING, _MODALITY_MEANING, _SCORE_MEANING, _REGISTRY_MEANING)
    text = next((table[name] for table in known if name in table), "") or _by_rule(name)
    if not at or not text:
        return text
    return f"{text} Of {visit}." if name in clinic_items() else f"{text} At the visit of {visit}."


def _by_rule(name: str) -> str:
    """Give the meaning of a column of the registry whose name follows a rule."""
    imaged = "empty: no, and not all of it was imaged or nobody knows what was."
    if name in _FLAGS:
        return f"Whether {_FLAGS[name]}; {imaged}"
    if name.startswith("region_"):
        return f"Whether a counted lesion lies in this region: {name[7:].replace('_', ' ')}; {imaged}"
    if name.startswith("score_") and name.endswith("_missing"):
        return "Items of the score that have no answer, joined by ;"
    if name.startswith("score_"):
        return "Sum of the score; empty where an item is missing. _derived, _not_verified: see its label in 'scores'."
    if name.removeprefix("n_") in get_args(State):
        return f"Tracks in the state {name[2:].replace('_', ' ')}, counted or not."
    item = clinic_items().get(name.partition("@")[0])
    return f"Observation nearest to the visit: {item.words}{f', {item.unit}' if item.unit else ''}." if item else ""
