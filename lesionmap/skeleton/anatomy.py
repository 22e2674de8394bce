"""The vocabulary of the skeletal atlas: bones, sites, groups of sites and landmarks, read from ``bones.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatch
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Bone",
    "Code",
    "Group",
    "Site",
    "bone",
    "bones",
    "bones_of",
    "group",
    "groups",
    "known",
    "landmarks",
    "members",
    "mirror",
    "regions",
    "site",
    "sites",
    "table",
]

Side = Literal["left", "right", "midline"]
_PAIR: tuple[Side, Side] = ("left", "right")


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept: value, coding scheme designator, meaning."""

    value: str
    scheme: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Bone:
    """One row of the table of bones, without side."""

    id: str
    name: str
    region: str
    paired: bool
    sides: tuple[Side, ...]
    """("left", "right") or ("midline",)."""
    segments: tuple[str, ...]
    """Names of its segments, proximal to distal."""
    code: Code
    """SNOMED CT code as DICOM uses it, of the bone or (``code_is_parent``) of the nearest part that has one."""
    code_is_parent: bool
    fma: str
    """FMA id; empty where there is none."""

    @property
    def long(self) -> bool:
        """True for the six long bones with epiphyses, metaphyses and a diaphysis."""
        return "diaphysis" in self.segments


@dataclass(frozen=True, slots=True)
class Site:
    """Bone + segment + side: the finest place that the atlas names."""

    id: str
    """``tibia.distal_metaphysis.left``."""
    bone: str
    segment: str
    side: Side
    name: str
    """``left distal tibial metaphysis``."""
    region: str
    code: Code
    """Of the bone (see ``Bone.code``)."""
    code_is_parent: bool
    segment_code: Code | None
    """Of the segment: SNOMED CT where DICOM has one, else FMA, else None."""


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of sites with side, for what an image cannot tell apart; it counts once."""

    id: str
    """``ankle.left``."""
    name: str
    side: Side
    sites: tuple[str, ...]
    code: Code
    """SNOMED CT code as DICOM uses it, of the group or (``code_is_parent``) of the nearest part that has one."""
    code_is_parent: bool


@cache
def table() -> Mapping[str, Any]:
    """Give ``bones.toml`` as read; nobody changes it."""
    text = files("lesionmap.skeleton").joinpath("bones.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _code(entry: list[str], scheme: str = "SCT") -> Code:
    if len(entry) == 3:
        return Code(entry[0], entry[1], entry[2])
    return Code(entry[0], scheme, entry[1])


def _segments(row: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for name in row["segments"]:
        found |= table()["segments"][name]
    return found


def _make_bone(row: Mapping[str, Any]) -> Bone:
    return Bone(
        id=row["id"],
        name=row["name"],
        region=row["region"],
        paired=row["paired"],
        sides=_PAIR if row["paired"] else ("midline",),
        segments=tuple(_segments(row)),
        code=_code(row.get("sct") or row["parent"]),
        code_is_parent="sct" not in row,
        fma=row.get("fma", ""),
    )


@cache
def _bones() -> Mapping[str, Bone]:
    return {row["id"]: _make_bone(row) for row in table()["bone"]}


def _site_code(row: Mapping[str, Any], segment: str, entry: Mapping[str, Any], text: str) -> Code | None:
    if "sct" in entry:
        return _code(entry["sct"])
    if "modifier" in entry:
        return _code(entry["modifier"])
    fma = row.get("segment_fma", {}).get(segment, entry.get("fma", ""))
    return Code(fma.removeprefix("FMA:"), "FMA", text) if fma else None


def _make_sites(row: Mapping[str, Any]) -> list[Site]:
    made = []
    for segment, entry in _segments(row).items():
        paired = entry.get("side", "paired" if row["paired"] else "midline") == "paired"
        sides: tuple[Side, ...] = _PAIR if paired else ("midline",)
        for side in sides:
            word = "" if side == "midline" else side
            adjective = row.get("adjective", row["name"])
            text = entry["name"].format(side=word, bone=row["name"], adjective=adjective).strip()
            plain = entry["name"].format(side="", bone=row["name"], adjective=adjective).strip()
            built = _make_bone(row)
            made.append(
                Site(
                    id=f"{row['id']}.{segment}.{side}",
                    bone=row["id"],
                    segment=segment,
                    side=side,
                    name=text,
                    region=row["region"],
                    code=built.code,
                    code_is_parent=built.code_is_parent,
                    segment_code=_site_code(row, segment, entry, plain),
                )
            )
    return made


@cache
def _sites() -> Mapping[str, Site]:
    return {site.id: site for row in table()["bone"] for site in _make_sites(row)}


def _side_groups(name: str, text: str, members: list[Site], row: Mapping[str, Any]) -> dict[str, Group]:
    made: dict[str, Group] = {}
    code = _code(row.get("sct") or row["parent"])
    for side in ("left", "right", "midline"):
        ids = tuple(site.id for site in members if site.side == side)
        if ids:
            word = "" if side == "midline" else side
            label = text.format(side=word).strip() if "{side}" in text else f"{word} {text}".strip()
            made[f"{name}.{side}"] = Group(f"{name}.{side}", label, side, ids, code, "sct" not in row)
    return made


def _joint(entry: Mapping[str, Any]) -> list[Site]:
    """Collect a joint's sites; a midline part (manubrium) belongs to the joint of either side."""
    return [site for site in _sites().values() if f"{site.bone}.{site.segment}" in entry["sites"]]


@cache
def _groups() -> Mapping[str, Group]:
    made: dict[str, Group] = {}
    rows = table()["groups"]
    for region in regions():
        members = [site for site in _sites().values() if site.region == region]
        made |= _side_groups(region.replace(" ", "_"), region, members, rows["regions"][region])
    for name, entry in rows["families"].items():
        members = [s for s in _sites().values() if any(fnmatch(s.bone, pattern) for pattern in entry["bones"])]
        made |= _side_groups(name, entry["name"], members, entry)
    for name, entry in rows["joints"].items():
        members = _joint(entry)
        shared = tuple(site.id for site in members if site.side == "midline")
        for key, group_ in _side_groups(name, entry["name"], members, entry).items():
            if group_.side != "midline":
                made[key] = replace(group_, sites=group_.sites + shared)
    for found in _bones().values():
        members = [site for site in _sites().values() if site.bone == found.id]
        sides = found.sides if len({site.side for site in members}) <= 2 - (not found.paired) else ("midline",)
        for side in sides:
            ids = tuple(s.id for s in members if s.side == side or not found.paired)
            word = "" if side == "midline" else f"{side} "
            key, name = f"{found.id}.{side}", f"{word}{found.name}"
            made[key] = Group(key, name, side, ids, found.code, found.code_is_parent)
    return made


def bones() -> tuple[Bone, ...]:
    """Give all bones, head to foot."""
    return tuple(_bones().values())


def sites() -> tuple[Site, ...]:
    """Give all sites, head to foot."""
    return tuple(_sites().values())


def groups() -> tuple[Group, ...]:
    """Give all groups of sites: regions, families of bones, joints, whole bones."""
    return tuple(_groups().values())


@cache
def regions() -> tuple[str, ...]:
    """Give the names of the regions, head to foot."""
    return tuple(dict.fromkeys(row["region"] for row in table()["bone"]))


@cache
def landmarks() -> tuple[str, ...]:
    """Give the names of the 43 landmarks, ``hip_left`` and so on."""
    entry = table()["landmarks"]
    return (*entry["midline"], *(f"{name}_{side}" for name in entry["paired"] for side in _PAIR))


def _unknown(what: str, name: str, have: Mapping[str, object]) -> LesionmapError:
    near = get_close_matches(name, have, n=3, cutoff=0.5)
    hint = (
        f"; did you mean {', '.join(near)}?" if near else "; lesionmap's sites read like tibia.distal_metaphysis.left"
    )
    return LesionmapError(f"{what} {name!r} is not known{hint}")


def bone(name: str) -> Bone:
    """Give the bone of that id, ``tibia`` or ``vertebra_T7``; LesionmapError with near names if there is none."""
    try:
        return _bones()[name]
    except KeyError:
        raise _unknown("bone", name, _bones()) from None


def site(name: str) -> Site:
    """Give the site of that id; LesionmapError with near names if there is none."""
    try:
        return _sites()[name]
    except KeyError:
        raise _unknown("site", name, _sites()) from None


def group(name: str) -> Group:
    """Give the group of that id, ``ankle.left``; LesionmapError with near names if there is none."""
    try:
        return _groups()[name]
    except KeyError:
        raise _unknown("site group", name, _groups()) from None


def known(name: str) -> Site | Group:
    """Give the site or, where the name is none, the group of that id.

    Raises
    ------
    LesionmapError
        If it is neither; the message names near ones.
    """
    if name in _groups():
        return _groups()[name]
    if name in _sites():
        return _sites()[name]
    raise _unknown("site", name, {**_sites(), **_groups()})


def members(name: str) -> tuple[Site, ...]:
    """Give the sites that a site or group name stands for."""
    place = known(name)
    return tuple(map(site, place.sites)) if isinstance(place, Group) else (place,)


def bones_of(name: str) -> frozenset[tuple[str, Side]]:
    """Give the bones, each with its side, that a site or group lies in; a bone of the midline is one, on both sides.

    Examples
    --------
    >>> bones_of("sacrum.sacroiliac.left"), bones_of("tibia.diaphysis.left")
    (frozenset({('sacrum', 'midline')}), frozenset({('tibia', 'left')}))
    """
    return frozenset((one.bone, one.side if bone(one.bone).paired else "midline") for one in members(name))


def mirror(name: str) -> str:
    """Give the site, group or landmark of the other side; a midline one is its own.

    Examples
    --------
    >>> mirror("tibia.distal_metaphysis.left"), mirror("hip_right"), mirror("C7")
    ('tibia.distal_metaphysis.right', 'hip_left', 'C7')
    """
    for old, new in (("left", "right"), ("right", "left")):
        if name.endswith((f".{old}", f"_{old}")):
            return name[: -len(old)] + new
    return name
