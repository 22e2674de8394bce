"""Scores: definitions as data files, and the code that reads them.

A definition says of each of its parts whether it is verified in its source; whatever is not stands in the label, with
which every score is printed. A sum of which an item is missing is unknown, never smaller.
"""

from lesionmap.scores.bone_scan import ScanFigures, scan_figures
from lesionmap.scores.definition import CutOff, Definition, Item, definition_from_file, definitions
from lesionmap.scores.score import WITHIN_DAYS, Read, Score, ScoreItem, nearest, score

__all__ = [
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
    "nearest",
    "scan_figures",
    "score",
]
