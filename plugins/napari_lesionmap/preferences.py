"""What the reader set in napari's preferences for lesionmap; napari keeps it in a file of its own."""

from __future__ import annotations

from dataclasses import dataclass

from lesionmap.measure import RULES

__all__ = ["Preferences", "preferences"]


@dataclass(frozen=True, slots=True)
class Preferences:
    """How the dock begins."""

    rule: str = "default"
    """Name of the rule by which lesions are counted."""
    hide: bool = False
    """Pseudonym and dates are hidden, for teaching."""
    folder: str = ""
    """Where exports go; empty: the reader is asked."""


def preferences() -> Preferences:
    """Give what was set; where napari does not know the plugin, or a rule is no more, what holds without."""
    from napari.settings import get_plugin_settings

    try:
        work = get_plugin_settings("lesionmap").work
    except KeyError:  # the dock was opened by code, without the installed manifest
        return Preferences()
    rule = str(work.rule)
    return Preferences(rule if rule in RULES else "default", bool(work.hide), str(work.folder))
