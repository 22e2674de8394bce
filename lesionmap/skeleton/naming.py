"""How a site or group is called in a language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.skeleton.anatomy import known

if TYPE_CHECKING:
    from lesionmap.texts import Texts

__all__ = ["name_without_side", "place_name"]


def place_name(name: str, texts: Texts) -> str:
    """Give the readable name of a site or group, ``left distal tibial metaphysis``.

    A language names it with its side, or without; else the atlas's own name, which is English, stands.

    Raises
    ------
    LesionmapError
        If there is no such site or group.
    """
    place = known(name)
    bare = texts.named("sites", name.rpartition(".")[0], "")
    sided = bare if place.side == "midline" or not bare else texts.say(f"side.{place.side}", site=bare)
    return texts.named("sites", name, sided or place.name)


def name_without_side(base: str, texts: Texts) -> str:
    """Give the name of a site of both sides, ``tibia.distal_metaphysis``."""
    return texts.named("sites", base, known(f"{base}.left").name.removeprefix("left "))
