"""Results on paper: tables, the body map, a report page; label volumes and DICOM for other programs.

The writers take ``Results`` (``results_of``): the facts of all visits of one patient as one reader sees them, with
counts and states computed once. Every file is written whole or not at all, and never over another one unasked.
"""

from lesionmap.write.codes import SiteCodes, site_codes
from lesionmap.write.columns import COMPARISON_COLUMNS, COURSE_COLUMNS, LESION_COLUMNS, MODALITY_COLUMNS, SCORE_COLUMNS
from lesionmap.write.fhir import fhir_bundle, write_fhir
from lesionmap.write.figure import body_map, map_svg
from lesionmap.write.files import ending, saving
from lesionmap.write.keyimages import KeyImage, key_images
from lesionmap.write.language import language_named
from lesionmap.write.mapmaker import map_model
from lesionmap.write.mapmodel import REFERENCE_MM, MapDot, MapPanel, dot_radius_mm
from lesionmap.write.nifti import write_label_map, write_nifti_labels
from lesionmap.write.overlay import scan_picture
from lesionmap.write.registry import registry_columns, registry_rows
from lesionmap.write.report import write_report
from lesionmap.write.results import Results, results_of
from lesionmap.write.rows import comparison_columns, comparison_rows, course_rows, lesion_rows, modality_rows, notes
from lesionmap.write.scored import score_lines, score_rows, within_words
from lesionmap.write.seg import SegFile, segmentations, write_segs
from lesionmap.write.sr import report_sr, write_sr
from lesionmap.write.style import STATE_STYLE, StateStyle, segment_colour, state_style
from lesionmap.write.tables import write_table

__all__ = [
    "COMPARISON_COLUMNS",
    "COURSE_COLUMNS",
    "LESION_COLUMNS",
    "MODALITY_COLUMNS",
    "REFERENCE_MM",
    "SCORE_COLUMNS",
    "STATE_STYLE",
    "KeyImage",
    "MapDot",
    "MapPanel",
    "Results",
    "SegFile",
    "SiteCodes",
    "StateStyle",
    "body_map",
    "comparison_columns",
    "comparison_rows",
    "course_rows",
    "dot_radius_mm",
    "ending",
    "fhir_bundle",
    "key_images",
    "language_named",
    "lesion_rows",
    "map_model",
    "map_svg",
    "modality_rows",
    "notes",
    "registry_columns",
    "registry_rows",
    "report_sr",
    "results_of",
    "saving",
    "scan_picture",
    "score_lines",
    "score_rows",
    "segment_colour",
    "segmentations",
    "site_codes",
    "state_style",
    "within_words",
    "write_fhir",
    "write_label_map",
    "write_nifti_labels",
    "write_report",
    "write_segs",
    "write_sr",
    "write_table",
]
