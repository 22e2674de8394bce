"""Every key, once: what it does, and in which words. The window binds them, the help shows them, the docs list them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GROUPS", "KEYS", "MOUSE", "Key", "shown"]


@dataclass(frozen=True, slots=True)
class Key:
    """A key and what it does."""

    press: str
    """As Qt writes it: ``M``, ``Shift+N``, ``Return``."""
    act: str
    """Method of ``Acts`` that it calls."""
    words: str
    group: str
    arguments: tuple[str, ...] = ()
    """Handed to the method."""


GROUPS = ("Look", "Mark", "The chosen lesion", "Findings: yes, no, not assessed", "Earlier lesions", "Always")
_FINDINGS = (
    ("1", "soft_tissue_oedema", "soft tissue oedema"),
    ("2", "periosteal_reaction", "periosteal reaction"),
    ("3", "bone_expansion", "bone expansion"),
    ("4", "vertebral_height_loss", "vertebral height loss"),
    ("5", "disc_involved", "disc involved"),
    ("6", "physeal_damage", "physeal damage"),
    ("7", "joint_involved", "joint involved"),
    ("8", "appearance", "lytic, sclerotic, mixed"),
    ("9", "painful", "painful here"),
    ("0", "biopsied", "biopsied"),
)

KEYS: tuple[Key, ...] = (
    Key("W", "next_window", "next window: auto, marrow, STIR, T1, bone scan, its logarithm", "Look"),
    Key("Shift+W", "invert", "black on white, or white on black", "Look"),
    Key("X", "next_series", "next series of the visit, at the same place", "Look"),
    Key("O", "next_plane", "coronal, sagittal, axial", "Look"),
    Key("L", "planes", "the other planes beside the image; of a bone scan the other view", "Look"),
    Key("Shift+L", "from_behind", "posterior views as seen from behind, or left where anterior ones have it", "Look"),
    Key("P", "earlier_visit", "the earlier visit beside the image, at the same place of the same bone", "Look"),
    Key("T", "skeleton", "skeleton shown or hidden", "Look"),
    Key("H", "hide", "lesions shown or hidden", "Look"),
    Key("D", "stations", "edges of the stations shown or hidden", "Look"),
    Key("V", "tool", "a click chooses", "Mark", ("look",)),
    Key("M", "tool", "a click marks: outline and site are proposed", "Mark", ("mark",)),
    Key("K", "marker", "mark a point under the cursor, without an outline", "Mark"),
    Key("B", "tool", "brush", "Mark", ("paint",)),
    Key("E", "tool", "eraser", "Mark", ("erase",)),
    Key("F", "fill", "fill between the painted slices", "Mark"),
    Key("G", "reference", "muscle under the cursor is what signal is compared with", "Mark"),
    Key("C", "candidates", "look for bright marrow; then: the next candidate", "Mark"),
    Key("Return", "accept", "accept the outline, or the candidate", "Mark"),
    Key("Escape", "reject", "reject the outline, or the candidate; else: back to looking", "Mark"),
    Key("Q", "uncertain", "place the landmark that is least certain", "Mark"),
    Key("1", "certainty", "definite", "The chosen lesion", ("definite",)),
    Key("2", "certainty", "probable", "The chosen lesion", ("probable",)),
    Key("3", "certainty", "equivocal", "The chosen lesion", ("equivocal",)),
    Key("4", "certainty", "normal variant", "The chosen lesion", ("normal_variant",)),
    Key("5", "certainty", "not bone", "The chosen lesion", ("not_bone",)),
    Key("S", "mirror", "mark the same site on the other side", "The chosen lesion"),
    Key("U", "unite", "merge with the lesion that is chosen next", "The chosen lesion"),
    Key("Shift+U", "divide", "split into its unconnected parts", "The chosen lesion"),
    Key("Delete", "remove", "delete; undo brings it back", "The chosen lesion"),
    *(Key(f"Ctrl+{digit}", "finding", words, GROUPS[3], (name,)) for digit, name, words in _FINDINGS),
    Key("N", "next_earlier", "next lesion that is not answered for", "Earlier lesions"),
    Key("Shift+N", "previous_earlier", "the one before", "Earlier lesions"),
    Key("Y", "present", "still there: outline it under the cursor", "Earlier lesions"),
    Key("A", "assign", "it is the lesion that is chosen", "Earlier lesions"),
    Key("R", "answer", "resolved", "Earlier lesions", ("resolved",)),
    Key("I", "answer", "not imaged", "Earlier lesions", ("not_imaged",)),
    Key("J", "answer", "cannot judge", "Earlier lesions", ("cannot_judge",)),
    Key("Ctrl+Z", "undo", "undo", "Always"),
    Key("Ctrl+Shift+Z", "redo", "redo", "Always"),
    Key("?", "help", "these keys", "Always"),
)
"""In the order in which they are shown. The same in every tool and on every page."""

MOUSE: tuple[tuple[str, str], ...] = (
    ("wheel", "zoom; while an outline is new: smaller, larger"),
    ("Ctrl + wheel", "next slice"),
    ("drag", "move the image"),
    ("Shift + drag", "brighter, darker; more, less contrast"),
)
"""What the mouse does in the image, and in which words."""

_SIGNS = {"Return": "Enter", "Escape": "Esc", "Delete": "Del"}


def shown(press: str) -> str:
    """Give a key as it stands on the keyboard.

    Examples
    --------
    >>> shown("Ctrl+Shift+Z"), shown("Escape")
    ('Ctrl + Shift + Z', 'Esc')
    """
    return " + ".join(_SIGNS.get(part, part) for part in press.split("+")) if press != "+" else press
