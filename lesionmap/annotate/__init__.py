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
from lesionmap.annotate.parts import merge_lesions, parts_by_component, parts_by_track, split_lesion
from lesionmap.annotate.propose import propose_tracks
from lesionmap.annotate.takeover import take_over

__all__ = [
    "add_extent",
    "add_lesion",
    "answer",
    "change_lesion",
    "lesions_from_mask",
    "merge_lesions",
    "mirror_lesion",
    "new_track",
    "parts_by_component",
    "parts_by_track",
    "propose_tracks",
    "remove_lesion",
    "sign",
    "split_components",
    "split_lesion",
    "take_over",
    "unlock",
    "withdraw_answer",
]
