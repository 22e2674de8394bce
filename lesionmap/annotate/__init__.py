"""What a reader does to a LesionMap: pure verbs. A LesionMap in, a LesionMap out, the argument unchanged."""

from lesionmap.annotate.edit import (
    add_extent,
    add_lesion,
    answer,
    change_lesion,
    mirror_lesion,
    new_track,
    remove_lesion,
    sign,
    unlock,
    withdraw_answer,
)
from lesionmap.annotate.masks import lesions_from_mask, split_components
from lesionmap.annotate.near import site_distance
from lesionmap.annotate.normal import Finding, Hint, check_findings, normal_findings, normal_hint
from lesionmap.annotate.parts import merge_lesions, parts_by_component, parts_by_track, split_lesion
from lesionmap.annotate.places import expected_place, mirror_place, same_place, site_middle
from lesionmap.annotate.takeover import take_over
from lesionmap.annotate.worklist import Task, worklist

__all__ = [
    "Finding",
    "Hint",
    "Task",
    "add_extent",
    "add_lesion",
    "answer",
    "change_lesion",
    "check_findings",
    "expected_place",
    "lesions_from_mask",
    "merge_lesions",
    "mirror_lesion",
    "mirror_place",
    "new_track",
    "normal_findings",
    "normal_hint",
    "parts_by_component",
    "parts_by_track",
    "remove_lesion",
    "same_place",
    "sign",
    "site_distance",
    "site_middle",
    "split_components",
    "split_lesion",
    "take_over",
    "unlock",
    "withdraw_answer",
    "worklist",
]
