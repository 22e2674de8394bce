"""NIfTI files: volumes in, with the one change from RAS to LPS; shared with the writer.

Which matrix places the voxels: the sform if its code is above 0, else the qform if its code is above 0, else the file
is refused: a NIfTI with both codes 0 does not say where the patient is. Where both are set and differ, the sform is
taken and the difference told. Arrays are never re-oriented.
"""

from __future__ import annotations

import gzip
import io
import math
import re
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.read.files import open_file, real_path, unpacked
from lesionmap.read.header import broken
from lesionmap.read.kinds import Contrast, kind_words, plane_of, sequence_of
from lesionmap.read.sidecar import read_sidecar
from lesionmap.read.stack import Stack
from lesionmap.space import Grid, Volume
from lesionmap.visits import ImageFile, Station

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image
    from numpy.typing import NDArray

__all__ = ["LPS_FROM_RAS", "is_nifti", "nifti_stacks", "nifti_volume", "read_mask"]

LPS_FROM_RAS: NDArray[np.float64] = np.diag([-1.0, -1.0, 1.0, 1.0])
"""4×4: LPS mm of a point in RAS mm, and the other way round. The only place where the two frames meet."""
LPS_FROM_RAS.setflags(write=False)

_MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
_SHEAR_TOLD_DEG = 0.1
_SHEAR_MOST_DEG = 5.0
_TAIL_BYTES = 1 << 20
"""What may come behind the voxels of a packed file."""


def is_nifti(path: str) -> bool:
    """Say by the ending whether a file is NIfTI."""
    return path.lower().endswith((".nii", ".nii.gz"))


def nifti_stacks(path: str) -> list[Stack]:
    """Describe each volume of a NIfTI file; a 4-D file holds several.

    Parameters
    ----------
    path : str
        A ``.nii`` or ``.nii.gz`` file; a BIDS sidecar (``.json``) beside it is used where there is one.

    Raises
    ------
    LesionmapError
        If it is damaged, in colour or complex, or does not place its voxels.
    """
    try:
        with _stream(path) as stream:
            image = _image_of(stream)
            _check_whole(path, image)
            grid, note = _grid(image)
    except LesionmapError:
        raise
    except _bad_nifti() as error:
        raise LesionmapError(f"a NIfTI image was expected, {path} cannot be read; send the file again") from error
    beside = read_sidecar(path)
    note = "; ".join(word for word in (note, beside.note) if word)
    echo, inversion, repetition = map(beside.milliseconds, ("EchoTime", "InversionTime", "RepetitionTime"))
    kind = kind_words(beside.list("ImageType"), beside.words("ComplexImageComponent").upper())
    named = re.sub(r"\.nii(\.gz)?$", "", path.replace("\\", "/").rsplit("/", 1)[-1], flags=re.IGNORECASE)
    said = " ".join(beside.words(name) for name in ("SeriesDescription", "ProtocolName", "SequenceName"))
    scanning = tuple(word for part in beside.list("ScanningSequence") for word in re.split(r"[\W_]+", part) if word)
    contrast = Contrast(kind, f"{said} {named}".replace("_", " "), "", scanning, repetition, echo, inversion)
    directions = grid.lps_from_voxel[:3, :3]
    normal = np.cross(directions[:, 0], directions[:, 1])
    n_volumes = int(np.prod(image.shape[3:], dtype=int)) if len(image.shape) > 3 else 1
    return [
        Stack(
            station=Station(grid, (ImageFile(path, "", ""),), volume_index=index),
            modality=beside.words("Modality").upper(),
            sequence=sequence_of(contrast),
            plane=plane_of(normal / np.linalg.norm(normal)),
            kind=kind,
            note=note,
            echo_ms=echo,
            inversion_ms=inversion,
            title=re.sub(r"[\d\W_]+", " ", said).strip().lower(),
            day=beside.day,
        )
        for index in range(n_volumes)
    ]


def nifti_volume(station: Station) -> Volume:
    """Read the voxels of one volume of a NIfTI file, indexed as in the file, on the station's grid."""
    path = station.files[0].path
    try:
        with _stream(path) as stream:
            return _read_volume(stream, station)
    except LesionmapError:
        raise
    except _bad_nifti() as error:
        raise LesionmapError(f"the voxels of {path} cannot be read; send the file again") from error


def _read_volume(stream: BinaryIO, station: Station) -> Volume:
    image = _image_of(stream)
    grid, _ = _grid(image)
    there = station.grid
    if grid.shape != there.shape or not np.allclose(grid.lps_from_voxel, there.lps_from_voxel, atol=1e-3):
        path = station.files[0].path
        raise LesionmapError(f"another image lies at {path} than when it was imported; re-link the images")
    array = _voxels(image, station.volume_index)
    _check_end(stream, image)
    return Volume(array, grid)


def read_mask(path: str | Any) -> Volume:
    """Read a mask or label map from a NIfTI file or a DICOM SEG.

    Parameters
    ----------
    path : path-like
        NIfTI with one volume of whole numbers, or a DICOM Segmentation (each segment becomes its number).

    Returns
    -------
    Volume
        Of whole numbers, on the file's own grid (LPS mm); the array is not re-oriented.

    Raises
    ------
    LesionmapError
        If it is neither, holds fractions, or several volumes.
    """
    where = str(path)
    if not is_nifti(where):
        from lesionmap.read.seg import seg_volume

        return seg_volume(where)
    stacks = nifti_stacks(where)
    if len(stacks) != 1:
        raise LesionmapError(f"a mask of one volume was expected, {where} holds {len(stacks)}; save one of them")
    volume = nifti_volume(stacks[0].station)
    return Volume(_whole_numbers(volume.array, where), volume.grid)


def _whole_numbers(array: NDArray[Any], where: str) -> NDArray[Any]:
    if np.issubdtype(array.dtype, np.integer):
        return np.asarray(array)
    if not np.isfinite(array).all() or np.any(array != np.rint(array)) or np.abs(array).max(initial=0) >= 2**31:
        raise LesionmapError(f"a mask of whole numbers was expected, {where} holds fractions; save it as labels")
    return array.astype(np.int32)


def _bad_nifti() -> tuple[type[Exception], ...]:
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError

    return (ImageFileError, HeaderDataError, *broken())


def _stream(path: str) -> BinaryIO:
    """Open a NIfTI file, unpacked while it is read; one inside an archive is unpacked at once."""
    if not real_path(path).exists():
        raise LesionmapError(f"the image file {path} is not there; re-link the images")
    file = open_file(path)
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if not packed:
        return file
    if isinstance(file, io.BytesIO):
        unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        whole = unpacked(unpacker, file.read())
        if not unpacker.eof:
            raise EOFError
        return io.BytesIO(whole)
    file.close()
    return cast("BinaryIO", gzip.open(path))


def _image_of(stream: BinaryIO) -> Nifti1Image:
    import nibabel as nib

    two = int.from_bytes(stream.read(4), "little") == 540
    stream.seek(0)
    return (nib.Nifti2Image if two else nib.Nifti1Image).from_stream(stream)


def _check_end(stream: BinaryIO, image: Nifti1Image) -> None:
    """Read a packed file to its end, where its check sum stands.

    Raises
    ------
    LesionmapError
        If more comes than the header says.
    OSError, EOFError, zlib.error
        If the sum is wrong or missing.
    """
    if not hasattr(stream, "mtime"):  # a GzipFile has one
        return
    left = _needed(image) - stream.tell() + _TAIL_BYTES
    while left > 0 and (block := stream.read(min(left, 1 << 20))):
        left -= len(block)
    if left <= 0:
        raise LesionmapError("the NIfTI holds more than its header says; send the file again")


def _needed(image: Nifti1Image) -> int:
    """Bytes of the whole file, unpacked."""
    itemsize = int(image.get_data_dtype().itemsize)
    return int(image.dataobj.offset) + math.prod(int(n) for n in image.shape) * itemsize


def _check_whole(path: str, image: Nifti1Image) -> None:
    """Refuse a file that is cut short, without unpacking it."""
    kind = image.get_data_dtype()
    if kind.fields is not None or np.issubdtype(kind, np.complexfloating):
        raise LesionmapError("grey values were expected, the NIfTI holds colours or complex numbers; leave it out")
    if not 2 <= len(image.shape) <= 7 or min(image.shape) < 1:
        raise LesionmapError(f"a volume was expected, the NIfTI has shape {tuple(image.shape)}; leave it out")
    needed = _needed(image)
    file = real_path(path)
    if str(file) != path:
        return
    have, most = file.stat().st_size, 2**63
    if not path.lower().endswith(".nii"):
        needed, most = needed % 2**32, needed % 2**32 + _TAIL_BYTES
        with file.open("rb") as opened:
            opened.seek(-4, 2)  # gzip ends with the size unpacked
            have = int.from_bytes(opened.read(4), "little")
    if not needed <= have <= most:
        raise LesionmapError(f"the NIfTI is cut short: {needed:,} bytes of it were expected; send the file again")


def _grid(image: Nifti1Image) -> tuple[Grid, str]:
    """Place the voxels; give the grid and what was assumed."""
    header = image.header
    sform, qform = header.get_sform(coded=True)[0], header.get_qform(coded=True)[0]
    matrix = sform if sform is not None else qform
    if matrix is None:
        raise LesionmapError(
            "a NIfTI must say where its voxels are, this one has neither sform nor qform (both codes are 0); "
            "export it again with its position"
        )
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if not np.isfinite(matrix).all() or lengths.min() < 1e-6 or abs(np.linalg.det(matrix[:3, :3] / lengths)) < 1e-3:
        raise LesionmapError(
            "a NIfTI must say where its voxels are, its affine is not valid (singular or not finite); export it again"
        )
    notes = [_disagreement(sform, qform, image.shape), _shear(matrix / np.append(lengths, 1.0))]
    unit = _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
    if unit != 1:
        notes.append(f"the file counts in {'metres' if unit > 1 else 'micrometres'}, changed to mm")
    shape = (*image.shape[:3], 1, 1)[:3]
    scale = np.diag([unit, unit, unit, 1.0])
    grid = Grid((shape[0], shape[1], shape[2]), LPS_FROM_RAS @ scale @ np.asarray(matrix, dtype=np.float64))
    return grid, "; ".join(note for note in notes if note)


def _disagreement(sform: NDArray[Any] | None, qform: NDArray[Any] | None, shape: tuple[int, ...]) -> str:
    if sform is None or qform is None:
        return ""
    far = np.array([*(n - 1 for n in (*shape[:3], 1)[:3]), 1.0])
    apart = max(float(np.abs((sform - qform)[:3, 3]).max()), float(np.abs(((sform - qform) @ far)[:3]).max()))
    return f"sform and qform differ by up to {apart:.1f} mm, the sform was taken" if apart > 0.5 else ""


def _shear(directions: NDArray[np.float64]) -> str:
    """Tell axes that are not at right angles; refuse where they are far from it."""
    axes = directions[:3, :3]
    cosines = np.abs((axes.T @ axes)[np.triu_indices(3, 1)])
    off = float(np.degrees(np.arcsin(np.clip(cosines.max(), 0, 1))))
    if off > _SHEAR_MOST_DEG:
        raise LesionmapError(
            f"axes at right angles were expected, those of the NIfTI are {off:.1f} degrees off (sheared); resample it"
        )
    return f"axes are {off:.1f} degrees off right angles (sheared)" if off > _SHEAR_TOLD_DEG else ""


def _voxels(image: Nifti1Image, index: int) -> NDArray[Any]:
    shape = (*image.shape[:3], 1, 1)[:3]
    if len(image.shape) <= 3:
        array = np.asanyarray(image.dataobj)
    else:
        trailing = np.unravel_index(index, image.shape[3:], order="F")
        array = np.asanyarray(image.dataobj[(..., *(int(i) for i in trailing))])
    array = array.reshape(shape, order="F")
    if array.dtype.byteorder not in ("=", "|") and array.dtype != array.dtype.newbyteorder("="):
        array = array.astype(array.dtype.newbyteorder("="))
    return np.asarray(array, dtype=np.float32) if array.dtype.kind == "f" else np.asarray(array)
