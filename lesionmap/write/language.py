"""The language of a report, by name or from a file whose names are those of the atlas and of the scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError
from lesionmap.scores import definitions
from lesionmap.skeleton import groups, regions, sites
from lesionmap.texts import texts_named

if TYPE_CHECKING:
    from lesionmap.texts import Texts

__all__ = ["language_named"]


def language_named(name: str) -> Texts:
    """Give the texts of a language that ships, or of a file in the form of ``lesionmap/texts/en.toml``.

    Parameters
    ----------
    name : str
        ``en``, or the path of a TOML file.

    Raises
    ------
    LesionmapError
        If it is neither, or the file holds a sentence, a place in a sentence, a site, a region or a score that there
        is not.
    """
    texts = texts_named(name)
    places = {place.id for place in sites()} | {place.id for place in groups()}
    known = {
        "sites": places | {place.rpartition(".")[0] for place in places},
        "regions": set(regions()),
        "score_titles": set(definitions()),
    }
    for key in texts.sentences:
        table, _, word = key.partition(".")
        if table in known and word not in known[table]:
            raise LesionmapError(f"language {texts.language}: [{table}] names {word!r}, but there is no such thing")
    return texts
