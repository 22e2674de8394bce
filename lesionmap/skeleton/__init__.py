"""The skeletal atlas: a growing skeleton with every bone, segment and side, placed on a visit by landmarks."""

from lesionmap.skeleton.anatomy import (
    Bone,
    Code,
    Group,
    Site,
    bone,
    bones,
    bones_of,
    group,
    groups,
    known,
    landmarks,
    members,
    mirror,
    regions,
    site,
    sites,
)
from lesionmap.skeleton.coverage import coverage, imaged
from lesionmap.skeleton.estimate import PLACING_MM
from lesionmap.skeleton.lengths import Length, leg_lengths
from lesionmap.skeleton.locate import Located, SiteShare, locate, site_shares
from lesionmap.skeleton.naming import name_without_side, place_name
from lesionmap.skeleton.outline import Outline, SiteShape, bone_lines, map_points, map_site, outline, seen_lines
from lesionmap.skeleton.physes import PhysisState, physis_state
from lesionmap.skeleton.placement import LabelMap, PlacedLandmark, Placement, place
from lesionmap.skeleton.section import cut, cut_physes
from lesionmap.skeleton.seen import SeenSite, locate_seen
from lesionmap.skeleton.surface import Surface, surfaces

__all__ = [
    "PLACING_MM",
    "Bone",
    "Code",
    "Group",
    "LabelMap",
    "Length",
    "Located",
    "Outline",
    "PhysisState",
    "PlacedLandmark",
    "Placement",
    "SeenSite",
    "Site",
    "SiteShape",
    "SiteShare",
    "Surface",
    "bone",
    "bone_lines",
    "bones",
    "bones_of",
    "coverage",
    "cut",
    "cut_physes",
    "group",
    "groups",
    "imaged",
    "known",
    "landmarks",
    "leg_lengths",
    "locate",
    "locate_seen",
    "map_points",
    "map_site",
    "members",
    "mirror",
    "name_without_side",
    "outline",
    "physis_state",
    "place",
    "place_name",
    "regions",
    "seen_lines",
    "site",
    "site_shares",
    "sites",
    "surfaces",
]
