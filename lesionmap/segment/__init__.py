"""A click becomes a mask, painted slices become a body, bright marrow becomes candidates."""

from lesionmap.segment.clicked import Click, click, grow
from lesionmap.segment.fill import fill_between
from lesionmap.segment.foci import Focus, planar_candidates
from lesionmap.segment.hot import HotSpot, hot_spot, partner
from lesionmap.segment.planar import likely_sites, marks_seen, sites_seen, spots_at
from lesionmap.segment.plates import PlateEvidence, plate_evidence
from lesionmap.segment.spots import Candidate, candidates

__all__ = [
    "Candidate",
    "Click",
    "Focus",
    "HotSpot",
    "PlateEvidence",
    "candidates",
    "click",
    "fill_between",
    "grow",
    "hot_spot",
    "likely_sites",
    "marks_seen",
    "partner",
    "planar_candidates",
    "plate_evidence",
    "sites_seen",
    "spots_at",
]
