"""From masks, segmentations, reports, markers or named sites to the lesions of a LesionMap; sites are proposed."""

from lesionmap.mark.grown import grow_marks
from lesionmap.mark.joined import join_lesions
from lesionmap.mark.masks import add_masks, add_report, add_segs, onto_grid
from lesionmap.mark.rows import accept_tracks, add_marks, with_tracks
from lesionmap.mark.sites import proposed_sites

__all__ = [
    "accept_tracks",
    "add_marks",
    "add_masks",
    "add_report",
    "add_segs",
    "grow_marks",
    "join_lesions",
    "onto_grid",
    "proposed_sites",
    "with_tracks",
]
