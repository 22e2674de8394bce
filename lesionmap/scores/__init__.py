"""Scores: definitions as data files, and the code that reads them."""

from lesionmap.scores.bone_scan import ScanFigures, scan_figures

__all__ = ["ScanFigures", "scan_figures"]
