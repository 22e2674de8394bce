"""A process that reads damaged files, one case after the other, and says what came of each; run by test_read_fuzz.

A line a case and a step: ``read KIND SEED``, then ``ask KIND SEED`` before another reader is asked (whose crash is not
ours), then a line of JSON with the outcome:

refused      nothing of the damaged part was taken, with a reason in one line
confirmed    what was taken is what pydicom's (NIfTI: this module's own) reading of the same damaged bytes says
unconfirmed  it was taken, the other reader takes none of it
wrong        it was taken, and the other reader says something else
broken       an exception that is no LesionmapError, a reason of several lines, or nothing said at all

The oracle looks at the matrix, at the place of each slice and at every voxel. It cannot know damage that leaves a file
self-consistent (another digit in a position of a single slice, another grey value): there both readers agree, and the
hash of an import is what finds it. It asks nothing of SEG, whose reading it only watches, and nothing of what a bone
scan's view is called.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import struct
import sys
import traceback
import warnings
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from pydicom import dcmread
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from lesionmap.errors import LesionmapError
from lesionmap.read import read_mask, scan, station_pixels
from mutations import mutated
from valid_images import valid_files

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lesionmap.read import Stack
    from lesionmap.space import Volume

_SECONDS = 5.0
_MOST_BYTES = 6 << 30
"""Address space, most of it libraries and never touched; what is touched is measured."""
_TYPES = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
Outcome = tuple[str, str]


def _peak_bytes() -> int:
    """Give the most memory that this program had; what the one that started it had is in ``ru_maxrss`` too."""
    (line,) = [x for x in Path("/proc/self/status").read_text("ascii").splitlines() if x.startswith("VmHWM:")]
    return int(line.split()[1]) << 10


def main(kind: str, first: int, last: int) -> None:
    """Run the cases of a kind from ``first`` up to but not with ``last``."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    warnings.simplefilter("ignore")
    valid_files(kind)
    with TemporaryDirectory() as folder:
        for seed in range(first, last):
            where = Path(folder) / str(seed)
            where.mkdir()
            for name, data in mutated(kind, seed).items():
                (where / name).write_bytes(data)
            say(f"read {kind} {seed}")
            signal.setitimer(signal.ITIMER_PROF, _SECONDS)  # of processor time: the machine may be busy
            outcome, words = _case(kind, seed, where)
            signal.setitimer(signal.ITIMER_PROF, 0)
            peak = _peak_bytes()
            say(json.dumps({"kind": kind, "seed": seed, "outcome": outcome, "words": words, "peak": peak}))
            for path in where.iterdir():
                path.unlink()


def say(line: str) -> None:
    """Write a line at once: the next moment may be the last."""
    os.write(1, f"{line}\n".encode())


def _case(kind: str, seed: int, where: Path) -> Outcome:
    whys: list[str] = []
    taken: list[tuple[Stack, Volume]] = []
    try:
        if kind == "seg":
            volume = read_mask(next(where.iterdir()))
            return ("unconfirmed", "") if volume.array.shape == volume.grid.shape else ("wrong", "shape")
        _take(where, taken, whys)
    except LesionmapError as error:
        whys.append(str(error))
    except BaseException:  # noqa: BLE001 - a decoder's panic too
        return "broken", traceback.format_exc(limit=-3)
    if any("\n" in why or "ecret" in why.lower() or not why for why in whys):
        return "broken", repr(whys)
    if not whys and (lost := _lost(where, taken)):
        return "broken", f"nothing said of {lost}"
    if not taken:
        return "refused", (*whys, "no image any more")[0]
    say(f"ask {kind} {seed}")
    signal.setitimer(signal.ITIMER_PROF, 0)
    outcomes = [_asked(kind, stack, volume) for stack, volume in taken]
    order = ("wrong", "unconfirmed", "refused", "confirmed")
    return min(outcomes, key=lambda outcome: order.index(outcome[0]))


def _take(where: Path, taken: list[tuple[Stack, Volume]], whys: list[str]) -> None:
    """Read all that is to be read, and note the reasons for what is not."""
    found = scan([where])
    whys += [refused.why for refused in found.refused]
    for stack in found.stacks:
        try:
            taken.append((stack, station_pixels(stack.station)))
        except LesionmapError as error:
            whys.append(str(error))


def _lost(where: Path, taken: list[tuple[Stack, Volume]]) -> str:
    """Name a file of which nothing was read and nothing said, though it still is an image to pydicom."""
    read = {file.path.partition("!/")[0] for stack, _ in taken for file in stack.station.files}
    return next((path.name for path in where.iterdir() if str(path) not in read and _is_image(path)), "")


def _is_image(path: Path) -> bool:
    if path.read_bytes()[128:132] != b"DICM":
        return path.suffix in (".nii", ".gz", ".zip", ".dcm")
    try:
        ds = dcmread(path, force=True)
    except Exception:  # noqa: BLE001 - whatever pydicom raises
        return False
    return ds.get("Modality", "") in ("MR", "NM") and "PixelData" in ds


def _asked(kind: str, stack: Stack, volume: Volume) -> Outcome:
    if volume.array.shape != stack.station.grid.shape:
        return "wrong", "the array is not of the shape of its grid"
    try:
        if kind.startswith("nifti"):
            return _ask_nifti(volume, stack)
        if kind == "zip":
            return _ask_dicom(stack, volume, valid_files("raw"))
        return _ask_dicom(stack, volume, {})
    except Exception as error:  # noqa: BLE001 - whatever the other reader raises
        return "unconfirmed", f"{type(error).__name__}: {error}; {stack.note}"[:300]


def _ask_dicom(stack: Stack, volume: Volume, originals: dict[str, bytes]) -> Outcome:
    """Hold each slice against what pydicom makes of its file (of an archive: of the file that was packed)."""
    matrix = volume.grid.lps_from_voxel
    k = 0
    for file in stack.station.files:
        data = originals[file.path.rsplit("/", 1)[-1]] if originals else Path(file.path).read_bytes()
        ds = dcmread(io.BytesIO(data), force=True)
        for n in file.frames or (0,):
            groups = [*ds.get("PerFrameFunctionalGroupsSequence", [])][n : n + 1]
            groups += [*ds.get("SharedFunctionalGroupsSequence", [])]
            fault = _place_fault(ds, groups, matrix, k) if not stack.projection else _spacing_fault(ds, volume)
            fault = fault or _pixel_fault(ds, groups, n, volume.array[:, :, k])
            if fault and "out of even spacing" not in stack.note:
                return "wrong", f"slice {k}: {fault}; {stack.note}"
            k += 1
    return ("confirmed", "") if k == volume.grid.shape[2] else ("wrong", f"{k} slices of {volume.grid.shape}")


def _macro(ds: Any, groups: list[Any], sequence: str, keyword: str) -> Any:
    """Value of a keyword, of a functional group where there are such."""
    if not groups:
        return getattr(ds, keyword)
    return next(getattr(group[sequence].value[0], keyword) for group in groups if sequence in group)


def _place_fault(ds: Any, groups: list[Any], matrix: NDArray[np.float64], k: int) -> str:
    position = _macro(ds, groups, "PlanePositionSequence", "ImagePositionPatient")
    turned = np.array(_macro(ds, groups, "PlaneOrientationSequence", "ImageOrientationPatient"), float)
    between = [float(x) for x in _macro(ds, groups, "PixelMeasuresSequence", "PixelSpacing")]
    told = np.stack([turned[:3] * between[1], turned[3:] * between[0]], axis=1)
    if not np.allclose(matrix[:3, :2], told, atol=2e-3 * max(between)):
        return f"directions {matrix[:3, :2].tolist()} for {told.tolist()}"
    here = matrix[:3, 3] + k * matrix[:3, 2]
    apart = float(np.abs(here - np.array(position, float)).max())
    return f"{apart} mm from its place" if apart > 0.12 else ""


def _spacing_fault(ds: Any, volume: Volume) -> str:
    between = [float(x) for x in ds.PixelSpacing]
    same = np.allclose(volume.grid.spacing_mm[:2], [between[1], between[0]])
    return "" if same else f"spacing {volume.grid.spacing_mm} for {between}"


def _pixel_fault(ds: Any, groups: list[Any], frame: int, plane: NDArray[Any]) -> str:
    if (int(ds.Columns), int(ds.Rows)) != plane.shape:
        return f"shape {plane.shape} for {ds.Columns}, {ds.Rows}"
    if "TransferSyntaxUID" not in ds.file_meta:
        implicit = bool(ds.original_encoding[0])
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    theirs = np.asarray(pixel_array(ds, index=frame)).astype(np.float64)
    slope, intercept = 1.0, 0.0
    name = "PixelValueTransformationSequence"
    holders = [group[name].value[0] for group in groups if name in group]
    for holder in [*holders, *([] if groups else [ds])][:1]:
        slope, intercept = float(holder.get("RescaleSlope", 1) or 1), float(holder.get("RescaleIntercept", 0) or 0)
    with np.errstate(all="ignore"):
        told = theirs.T * slope + intercept
        mine = plane.astype(np.float64)
        different = ~np.isclose(mine, told, rtol=1e-4, atol=1e-3, equal_nan=True)
    return f"{int(different.sum())} voxels differ" if different.any() else ""


def _ask_nifti(volume: Volume, stack: Stack) -> Outcome:
    """Read the file by its first principles (nifti1.h): 348 bytes, a matrix, voxels."""
    import gzip

    path = stack.station.files[0].path
    data = Path(path).read_bytes()
    try:
        data = gzip.decompress(data) if path.endswith(".gz") else data
    except (OSError, EOFError, zlib.error) as error:
        return "wrong", f"damaged: {error}"
    order = "<" if struct.unpack_from("<i", data)[0] == 348 else ">"
    dim = struct.unpack_from(f"{order}8h", data, 40)
    datatype, _ = struct.unpack_from(f"{order}2h", data, 70)
    offset, slope, inter = struct.unpack_from(f"{order}3f", data, 108)
    shape = tuple(int(n) for n in dim[1 : dim[0] + 1])
    count = int(np.prod(shape))
    kind = np.dtype(f"{order}{_TYPES[datatype]}")
    voxels = np.frombuffer(data, kind, count, int(offset)).astype(np.float64)
    with np.errstate(all="ignore"):
        if slope and np.isfinite(slope):
            voxels = voxels * slope + (inter if np.isfinite(inter) else 0.0)
        three = (*shape, 1, 1)[:3]
        told = voxels.reshape((*three, -1), order="F")[..., stack.station.volume_index]
        same = np.isclose(volume.array.astype(np.float64), told, rtol=1e-4, atol=1e-3, equal_nan=True)
    if not same.all():
        return "wrong", f"{int((~same).sum())} voxels differ; {stack.note}"
    return _nifti_place(data, order, volume, stack)


def _nifti_place(data: bytes, order: str, volume: Volume, stack: Stack) -> Outcome:
    qform, sform = struct.unpack_from(f"{order}2h", data, 252)
    rows = np.array(struct.unpack_from(f"{order}12f", data, 280)).reshape(3, 4)
    (units,) = struct.unpack_from("B", data, 123)
    scale = {1: 1000.0, 3: 0.001}.get(units & 7, 1.0)
    if sform <= 0:
        return ("unconfirmed", f"qform {qform}") if qform > 0 else ("wrong", "placed without a place")
    told = np.diag([-1.0, -1, 1]) @ rows * scale
    good = np.allclose(volume.grid.lps_from_voxel[:3], told, atol=1e-3 * scale, rtol=1e-4)
    return ("confirmed", "") if good else ("wrong", f"{volume.grid.lps_from_voxel.tolist()}; {stack.note}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
