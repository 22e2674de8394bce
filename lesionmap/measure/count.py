"""How many lesions: what a CountRule makes of a LesionMap."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.measure.extent import main_measurement
from lesionmap.measure.rule import RULES
from lesionmap.skeleton import Site, bones_of, known, members
from lesionmap.texts import Said, english

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lesionmap.lesions import Lesion, LesionMap
    from lesionmap.measure.extent import Measurement
    from lesionmap.measure.rule import CountRule

__all__ = ["Count", "Judged", "Tally", "count"]

_HANDS_FEET = frozenset({"hand", "foot"})
# Segments that lie beyond a physis, seen from the rest of their bone.
_BEYOND_PHYSIS = frozenset({"proximal_epiphysis", "distal_epiphysis", "greater_trochanter", "apophysis"})


@dataclass(frozen=True, slots=True)
class Judged:
    """One Lesion under a rule."""

    lesion: str
    """Its id."""
    counts_as: int
    """0: not counted; 2 or more: it lies on both sides of a physis and the rule counts them apart."""
    why: Said | None = None
    """Why it is not counted; None if it is."""
    hands_feet: bool = False
    """True if all its sites lie in hands or feet."""

    @property
    def counted(self) -> bool:
        """True if it counts."""
        return self.counts_as > 0

    @property
    def why_not(self) -> str:
        """Why it is not counted, in English; empty if it is."""
        return english().tell(self.why) if self.why else ""


@dataclass(frozen=True, slots=True)
class Tally:
    """Three counts that stand in every table."""

    lesions: int
    bones: int
    """Bones affected, each side for itself. A site group counts as one, unless one of its bones is counted already."""
    sites: int
    """Sites affected; a site group likewise."""


@dataclass(frozen=True, slots=True)
class Count:
    """What a rule makes of one LesionMap."""

    rule: CountRule
    total: Tally
    without_hands_feet: Tally
    by_site: Mapping[str, int]
    """Site or group to the number of counted Lesions that touch it."""
    by_bone: Mapping[str, int]
    """Bone and side (``tibia.left``), or a group of several bones, to the number of counted Lesions that touch it."""
    by_region: Mapping[str, int]
    """Region of the primary site to lesions; sums to ``total.lesions``. A group over several regions is itself."""
    judged: tuple[Judged, ...]
    """In the order of the map."""

    def of(self, lesion_id: str) -> Judged:
        """Give what became of the lesion of that id.

        Raises
        ------
        LesionmapError
            If there is none.
        """
        for one in self.judged:
            if one.lesion == lesion_id:
                return one
        raise LesionmapError(f"the count knows no lesion {lesion_id!r}; it has {len(self.judged)} lesions")


def count(
    lesion_map: LesionMap,
    rule: CountRule | None = None,
    measurements: Mapping[str, Sequence[Measurement]] | None = None,
) -> Count:
    """Count the lesions of one reader in one visit.

    Parameters
    ----------
    lesion_map : LesionMap
        A Lesion counts once, however many Series, tracks and sites it has.
    rule : CountRule, optional
        The default one where not given.
    measurements : mapping of lesion id to Measurements, optional
        For the smallest size.
    """
    rule = rule or RULES["default"]
    judged = tuple(_judge(lesion, rule, (measurements or {}).get(lesion.id, ())) for lesion in lesion_map.lesions)
    pairs = [(lesion, one) for lesion, one in zip(lesion_map.lesions, judged, strict=True) if one.counted]
    regions: Counter[str] = Counter()
    for lesion, one in pairs:
        regions[_region(lesion.sites[0])] += one.counts_as
    return Count(
        rule=rule,
        total=_tally(pairs),
        without_hands_feet=_tally([pair for pair in pairs if not pair[1].hands_feet]),
        by_site=dict(Counter(name for lesion, _ in pairs for name in dict.fromkeys(lesion.sites))),
        by_bone=dict(Counter(name for lesion, _ in pairs for name in _bone_names(lesion))),
        by_region=dict(regions),
        judged=judged,
    )


def _judge(lesion: Lesion, rule: CountRule, measurements: Sequence[Measurement]) -> Judged:
    hands_feet = all(place.region in _HANDS_FEET for name in lesion.sites for place in members(name))
    volume_ml = main_measurement(measurements).volume_ml
    why_not = None
    if lesion.certainty not in rule.certainties:
        why_not = Said("why_not_counted.certainty", (("certainty", Said(f"certainty.{lesion.certainty}")),))
    elif rule.smallest_ml is not None and volume_ml is not None and volume_ml < rule.smallest_ml:
        sizes = ("ml", f"{volume_ml:.2g}"), ("least", f"{rule.smallest_ml:g}")
        why_not = Said("why_not_counted.small", sizes)
    elif hands_feet and rule.hands_feet == "left_out":
        why_not = Said("why_not_counted.hand_foot")
    if why_not:
        return Judged(lesion.id, 0, why_not, hands_feet)
    return Judged(lesion.id, _parts(lesion) if rule.physis == "apart" else 1, None, hands_feet)


def _parts(lesion: Lesion) -> int:
    """Count what the physes cut the lesion into: one, and one more for each further part of the same bone."""
    parts = set()
    for name in lesion.sites:
        place = known(name)
        if isinstance(place, Site):
            parts.add((place.bone, place.side, place.segment if place.segment in _BEYOND_PHYSIS else ""))
    bones = {part[:2] for part in parts}
    return 1 + len(parts) - len(bones)


def _region(name: str) -> str:
    """Give the one region of a site or group; a group over several regions stands for itself."""
    regions = {place.region for place in members(name)}
    return regions.pop() if len(regions) == 1 else name


def _bones(name: str) -> frozenset[str]:
    """Name the bones of a site or group as their groups are named; a bone of the midline is one, on both sides."""
    return frozenset(f"{bone}.{side}" for bone, side in bones_of(name))


def _bone_names(lesion: Lesion) -> set[str]:
    """Name the bones of a lesion; a group of several bones is itself, as the bone is not known."""
    return {next(iter(bones)) if len(bones := _bones(name)) == 1 else name for name in lesion.sites}


def _tally(pairs: Sequence[tuple[Lesion, Judged]]) -> Tally:
    names = {name for lesion, _ in pairs for name in lesion.sites}
    return Tally(
        lesions=sum(one.counts_as for _, one in pairs),
        bones=_affected({_bones(name) for name in names}),
        sites=_affected({frozenset(place.id for place in members(name)) for name in names}),
    )


def _affected(places: Iterable[frozenset[str]]) -> int:
    """Count places: known ones, and groups (one of these) in which no known one lies."""
    places = set(places)
    single = {next(iter(place)) for place in places if len(place) == 1}
    return len(single) + sum(1 for place in places if len(place) > 1 and not place & single)
