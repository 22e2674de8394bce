"""What the map tells for the items of scores. A *no* is told only where it was looked at; else nothing is told."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, TypeAlias

from lesionmap.compare import is_read
from lesionmap.measure import main_measurement
from lesionmap.skeleton import imaged, members, sites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from lesionmap.clinic import Observation
    from lesionmap.compare import Disease, TrackCourse, VisitDisease, VisitFacts
    from lesionmap.lesions import Lesion
    from lesionmap.measure import Count
    from lesionmap.skeleton import Site

__all__ = ["FACTS", "Ground", "Read", "Told", "Value", "ground_of", "no_if_imaged"]

Value: TypeAlias = float | bool | str | None
_OTHER = "other sites"
_APART = frozenset({"mandible", "clavicle", "skull"})


class Read(Protocol):
    """What a score needs to know of a patient; ``write.Results`` is one."""

    @property
    def counts(self) -> Mapping[str, Count]:
        """Visit key to count."""

    @property
    def courses(self) -> Sequence[TrackCourse]:
        """What became of each lesion."""

    @property
    def disease(self) -> Disease:
        """The course over all visits."""

    @property
    def observations(self) -> tuple[Observation, ...]:
        """What was measured, asked or judged."""

    def facts(self, visit: str) -> VisitFacts:
        """Give the facts of a visit."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What a fact is computed of: a visit, and those of its lesions that count, in one unit or all."""

    facts: VisitFacts
    count: Count
    disease: VisitDisease
    lesions: Sequence[Lesion]
    unit: str = ""
    """Bone and side, or a lesion's id; empty: the whole visit."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the map tells; without a value, why not."""

    value: Value
    why: str = ""


def ground_of(results: Read, visit: str) -> Ground:
    """Give the ground of a whole visit."""
    facts, count = results.facts(visit), results.counts[visit]
    disease = next(one for one in results.disease.visits if one.visit == visit)
    counted = [lesion for lesion in facts.lesion_map.lesions if count.of(lesion.id).counted]
    return Ground(facts, count, disease, counted)


def _number(get: Callable[[Ground], int]) -> Callable[[Ground], Told]:
    return lambda ground: Told(float(get(ground)))


def _largest(ground: Ground) -> Told:
    if not ground.lesions:
        return Told(None, "no lesion counts")
    found = [main_measurement(ground.facts.measurements.get(x.id, ())).diameter_mm for x in ground.lesions]
    sizes = [mm for mm in found if mm is not None]
    if len(sizes) < len(found):
        return Told(None, f"{len(found) - len(sizes)} of {len(found)} lesions are not measured")
    return Told(max(sizes))


def _said(ground: Ground, *names: str) -> Told:
    """Say whether a lesion has one of some attributes: no, only where all of them were looked at."""
    if not ground.lesions:
        return no_if_imaged(ground, sites())
    words = [getattr(lesion.attributes, name) for lesion in ground.lesions for name in names]
    if any(words):
        return Told(value=True)
    open_ones = sum(word is None for word in words)
    return Told(None, "not assessed in all lesions") if open_ones else Told(value=False)


def _vertebral(ground: Ground) -> Told:
    vertebral = any(name.startswith("vertebra_") for lesion in ground.lesions for name in lesion.sites)
    if ground.unit and not vertebral:
        return Told(value=False)
    return _said(ground, "vertebral_height_loss")


def no_if_imaged(ground: Ground, places: Iterable[Site]) -> Told:
    """Say *no*, if all these places were imaged; else nothing, and where it was not looked."""
    placement = ground.facts.placement
    if placement is None or placement.coverage is None:
        return Told(None, "what was imaged is not known")
    regions = sorted({place.region for place in places if imaged(placement, place.id) != "imaged"})
    return Told(None, f"not all was imaged: {', '.join(regions)}") if regions else Told(value=False)


def _symmetric(ground: Ground) -> Told:
    if ground.disease.symmetric:
        return Told(value=True)
    return no_if_imaged(ground, [x for x in sites() if x.side != "midline"])


def _several(ground: Ground) -> Told:
    return Told(value=True) if ground.count.total.lesions > 1 else no_if_imaged(ground, sites())


def _spine(ground: Ground) -> Told:
    if ground.disease.spine:
        return Told(value=True)
    return no_if_imaged(ground, [x for x in sites() if x.region == "spine"])


def _suggestive(ground: Ground) -> Told:
    """Tell vertebra, clavicle, sternum."""
    disease = ground.disease
    if disease.spine or disease.clavicle or disease.sternum:
        return Told(value=True)
    wanted = [x for x in sites() if x.region == "spine" or x.bone in ("clavicle", "sternum")]
    return no_if_imaged(ground, wanted)


def _sites(ground: Ground) -> Told:
    """Name the places that the criteria tell apart, and whether there are others."""
    found = {_place(lesion.sites[0]) for lesion in ground.lesions}
    words = sorted(found, key=lambda word: (word == _OTHER, word))
    return Told(", ".join(words)) if words else Told(None, "no lesion counts")


def _place(name: str) -> str:
    """Give mandible, clavicle, skull or hand where a site or all sites of a group lie there."""
    names = {place.bone if place.bone in _APART else place.region for place in members(name)}
    only = names.pop() if len(names) == 1 else ""
    return only if only in (*_APART, "hand") else _OTHER


def _pattern(ground: Ground) -> Told:
    if not ground.disease.focality:
        return Told(None, "no lesion counts")
    return Told(f"{ground.disease.focality}{', symmetric' if ground.disease.symmetric else ''}")


def _read(tell: Callable[[Ground], Told]) -> Callable[[Ground], Told]:
    return lambda ground: tell(ground) if is_read(ground.facts) else Told(None, "the visit was not read")


FACTS: Mapping[str, Callable[[Ground], Told]] = MappingProxyType(
    {
        name: _read(tell)
        for name, tell in {
            "n_lesions": _number(lambda ground: ground.count.total.lesions),
            "n_bones": _number(lambda ground: ground.count.total.bones),
            "n_sites": _number(lambda ground: ground.count.total.sites),
            "n_regions": _number(lambda ground: len(ground.disease.regions)),
            "n_lesions_without_hands_feet": _number(lambda ground: ground.count.without_hands_feet.lesions),
            "n_bones_without_hands_feet": _number(lambda ground: ground.count.without_hands_feet.bones),
            "n_sites_without_hands_feet": _number(lambda ground: ground.count.without_hands_feet.sites),
            "largest_diameter_mm": _largest,
            "extramedullary": lambda ground: _said(ground, "soft_tissue_oedema", "periosteal_reaction"),
            "bone_expansion": lambda ground: _said(ground, "bone_expansion"),
            "vertebral_height_loss": _vertebral,
            "spine": _spine,
            "symmetric": _symmetric,
            "several_lesions": _several,
            "vertebra_clavicle_sternum": _suggestive,
            "suggestive_sites": _sites,
            "pattern": _pattern,
        }.items()
    }
)
"""What an item may ask of the map, by name."""
