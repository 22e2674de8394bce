"""Where the table stood: what scanners write beside, or in place of, coordinates of the patient.

All readings are millimetres along the table. Whether they grow towards the head or the feet differs between makers and
with the way the patient lies, so a reading alone places nothing: the overlap of the stations decides the direction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lesionmap.errors import LesionmapError
from lesionmap.read import header as hd
from lesionmap.read.files import open_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydicom.dataset import Dataset

__all__ = ["table_positions"]


def _standard(dataset: Dataset) -> float:
    return float(dataset[0x0018, 0x9327].value)


def _traverse(dataset: Dataset) -> float:
    return float(dataset[0x0018, 0x1131].value)


def _siemens(dataset: Dataset) -> float:
    """ImaRelTablePosition: the third of three, relative to the landmark."""
    return float(dataset.private_block(0x0019, "SIEMENS MR HEADER")[0x14].value[2])


def _siemens_absolute(dataset: Dataset) -> float:
    """ImaAbsTablePosition: the same from the table's home."""
    return float(dataset.private_block(0x0019, "SIEMENS MR HEADER")[0x13].value[2])


def _siemens_xa(dataset: Dataset) -> float:
    return float(dataset[0x0021, 0x1005].value[2])


def _philips(dataset: Dataset) -> float:
    """MRStackTablePosLong, in the stack sequence."""
    return float(dataset[0x2001, 0x105F].value[0][0x2005, 0x143C].value)


def _ge(dataset: Dataset) -> float:
    """MR Table Position Information, the third of six, less the table delta."""
    place = float(dataset.private_block(0x0043, "GEMS_PARM_01")[0xB2].value[2])
    return place - float(dataset.private_block(0x0019, "GEMS_ACQU_01")[0x7F].value)


_SOURCES: tuple[tuple[str, str, Callable[[Dataset], float]], ...] = (
    ("SIEMENS", "Siemens (0019,1014)", _siemens),
    ("SIEMENS", "Siemens (0021,1005)", _siemens_xa),
    ("PHILIPS", "Philips (2005,143C)", _philips),
    ("GE", "GE (0043,10B2)", _ge),
    ("", "Table Position (0018,9327)", _standard),
    ("", "Table Traverse (0018,1131)", _traverse),
    ("SIEMENS", "Siemens (0019,1013)", _siemens_absolute),
)
"""Maker, name and reader of each source; those relative to the patient's landmark first.

Standard: DICOM PS3.3, never seen on MR stations. Siemens (0019,1014) and (0021,1005) and GE are read as dcm2niix reads
them, which a test compares; Philips is checked on a phantom whose table was moved by 60 mm (neurolabusc/dcm_qa_table).
Siemens (0019,1013) is known by its name alone, and comes last.
"""


def table_positions(paths: Sequence[str]) -> tuple[str, tuple[float, ...]]:
    """Read where the table stood for each of several files.

    Parameters
    ----------
    paths : sequence of str
        One file of each station.

    Returns
    -------
    source, positions_mm
        The first source that all files have and in which they differ; ("", ()) where there is none.
    """
    try:
        datasets = [_dataset(path) for path in paths]
    except LesionmapError:
        return "", ()
    for maker, name, read in _SOURCES:
        if not all(str(ds.get("Manufacturer", "")).upper().startswith(maker) for ds in datasets):
            continue
        try:
            found = tuple(read(ds) for ds in datasets)
        except hd.broken():
            continue
        if len({round(position) for position in found}) == len(found) and all(abs(x) < 1e5 for x in found):
            return name, found
    return "", ()


def _dataset(path: str) -> Any:
    from pydicom import dcmread

    try:
        with open_file(path) as file:
            return dcmread(file, stop_before_pixels=True, force=True)
    except hd.broken() as error:
        raise LesionmapError(
            f"a DICOM header was expected in {path}, it cannot be read; send the file again"
        ) from error
