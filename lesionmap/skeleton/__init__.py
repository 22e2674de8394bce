"""The skeletal atlas: a growing skeleton with every bone, segment and side, placed on a visit by landmarks."""

from lesionmap.skeleton.anatomy import (
    Bone,
    Code,
    Group,
    Site,
    bone,
    bones,
    group,
    groups,
    known,
    landmarks,
    mirror,
    regions,
    site,
    sites,
)
from lesionmap.skeleton.coverage import coverage, imaged
from lesionmap.skeleton.locate import Located, SiteShare, locate, site_shares
from lesionmap.skeleton.outline import (
    Outline,
    SiteShape,
    bone_lines,
    map_points,
    map_site,
    outline,
    slice_contours,
)
from lesionmap.skeleton.placement import LabelMap, PlacedLandmark, Placement, place

__all__ = [
    "Bone",
    "Code",
    "Group",
    "LabelMap",
    "Located",
    "Outline",
    "PlacedLandmark",
    "Placement",
    "Site",
    "SiteShape",
    "SiteShare",
    "bone",
    "bone_lines",
    "bones",
    "coverage",
    "group",
    "groups",
    "imaged",
    "known",
    "landmarks",
    "locate",
    "map_points",
    "map_site",
    "mirror",
    "outline",
    "place",
    "regions",
    "site",
    "site_shares",
    "sites",
    "slice_contours",
]
