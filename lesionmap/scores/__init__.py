"""Scores: definitions as data files, and the code that reads them.

A definition says of each of its parts whether it is verified in its source; whatever is not stands in the label, with
which every score is printed. A sum of which an item is missing is unknown, never smaller.
"""

from lesionmap.scores.bone_scan import ScanFigures, scan_figures
from lesionmap.scores.definition import CutOff, Definition, Item, definition_from_file, definitions
from lesionmap.scores.mapped import FACTS, Read, ground_of, no_if_imaged
from lesionmap.scores.score import WITHIN_DAYS, Score, ScoreItem, nearest, score

__all__ = [
    "FACTS",
    "WITHIN_DAYS",
    "CutOff",
    "Definition",
    "Item",
    "Read",
    "ScanFigures",
    "Score",
    "ScoreItem",
    "definition_from_file",
    "definitions",
    "ground_of",
    "nearest",
    "no_if_imaged",
    "scan_figures",
    "score",
]
