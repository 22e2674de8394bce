"""Reading images: what a folder holds, and the pixels of what is wanted, in LPS millimetres.

``scan`` makes one pass over headers and gives visits, Series and what was refused; ``pixels`` reads one Series;
``imaged`` says where any of its stations was, ``station_of`` which one.
Arrays are indexed [column, row, slice] (NIfTI: as in the file) and never re-oriented.

pydicom writes values that are not as their type wants them into its log; in a damaged file such a value may be a whole
header with the name of a child. From the import of this package on its log holds no values.
"""

import logging

from lesionmap.read.blend import imaged, pixels
from lesionmap.read.clinic import read_observations, read_treatments
from lesionmap.read.nifti import read_mask
from lesionmap.read.pixels import station_pixels
from lesionmap.read.planar import Told
from lesionmap.read.scanning import UNDATED, Scan, ScannedVisit, dry_run_json, relink, scan
from lesionmap.read.seg import is_seg, read_seg
from lesionmap.read.sr import ReadReport, read_sr
from lesionmap.read.stack import Refused, Stack
from lesionmap.visits import station_of

__all__ = [
    "UNDATED",
    "ReadReport",
    "Refused",
    "Scan",
    "ScannedVisit",
    "Stack",
    "Told",
    "dry_run_json",
    "imaged",
    "is_seg",
    "pixels",
    "read_mask",
    "read_observations",
    "read_seg",
    "read_sr",
    "read_treatments",
    "relink",
    "scan",
    "station_of",
    "station_pixels",
]


def _without_values(record: logging.LogRecord) -> bool:
    """Put a sentence in the place of one that may quote a file."""
    if record.levelno >= logging.WARNING:
        record.msg, record.args = "something in a file is not as DICOM wants it (left out: it may be personal)", ()
    return True


logging.getLogger("pydicom").addFilter(_without_values)
