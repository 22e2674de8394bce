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
from lesionmap.skeleton.placement import LabelMap, PlacedLandmark, Placement, place

__all__ = [
    "Bone",
    "Code",
    "Group",
    "LabelMap",
    "PlacedLandmark",
    "Placement",
    "Site",
    "bone",
    "bones",
    "group",
    "groups",
    "known",
    "landmarks",
    "mirror",
    "place",
    "regions",
    "site",
    "sites",
]
