"""Bones of an MR image by TotalSegmentator, where that package and its weights are on the machine; never required.

Nothing is downloaded and nothing is sent: the program runs in a process of its own that cannot open a connection, so a
missing weight is an error and its usage statistics stay at home. ``appendicular_bones_mr`` needs a licence of its
authors (free for non-commercial use); ``total_mr`` and ``vertebrae_mr`` are open (Apache-2.0).

What is asked of the package (version 2): ``totalsegmentator.python_api.totalsegmentator(input, output, ml=True,
task=…)``; weights lie in ``$TOTALSEG_WEIGHTS_PATH``, else in ``nnunet/results`` below ``$TOTALSEG_HOME_DIR`` or
``~/.totalsegmentator``, a folder ``Dataset850_…`` for each network.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import numpy as np

from lesionmap.errors import LesionmapError
from lesionmap.place.names import members, read_names
from lesionmap.space import Volume

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from lesionmap.place.names import Names

__all__ = ["TASKS", "segment_bones"]

TASKS: Mapping[str, tuple[int, ...]] = {
    "total_mr": (850, 851),
    "vertebrae_mr": (756,),
    "appendicular_bones_mr": (855,),
}
"""Tasks for MR that show bones, and the numbers of the networks that each needs (TotalSegmentator 2.5 and later)."""

Device = Literal["gpu", "cpu"]

_LICENSED = ("appendicular_bones_mr",)
_BLOCK = 1000  # labels of the second task begin above 1000, of the third above 2000
_SAID = 300  # characters of the program's last line that an error repeats

_CHILD = """
import socket, sys
def closed(self, address, *rest):
    raise OSError("lesionmap lets no segmentation program open a connection")
socket.socket.connect = socket.socket.connect_ex = closed
from totalsegmentator.python_api import totalsegmentator
image, output, task, device = sys.argv[1:]
totalsegmentator(image, output, ml=True, task=task, device=device, quiet=True)
"""


def segment_bones(
    image: Volume, tasks: Sequence[str] = ("total_mr", "vertebrae_mr"), *, device: Device = "gpu"
) -> tuple[Volume, Names]:
    """Find the bones of an MR image with TotalSegmentator.

    Parameters
    ----------
    image : Volume
        MR image with depth; LPS mm.
    tasks : sequence of str
        Of ``TASKS``. Where two name a voxel the later one wins, and a label of an earlier one that a later one
        resolves (the whole spine, by single vertebrae) is left out.
    device : "gpu" or "cpu"
        Without a GPU the program takes the CPU by itself.

    Returns
    -------
    labels, names
        A bone label map on the image's grid, and its rows (label, bone, side), for ``place_labels``.

    Raises
    ------
    LesionmapError
        If package, weights or licence are missing, the program fails, or it finds no bone.
    """
    _check(tasks)
    if image.projection:
        raise LesionmapError("an MR image with depth was expected for TotalSegmentator, a planar view came")
    found = [(read_names(task), _run(image, task, device)) for task in tasks]
    merged = np.zeros(image.grid.shape, dtype=np.uint16)
    rows: list[tuple[int, str, str]] = []
    for n, (names, array) in enumerate(found):
        later = {key for more, _ in found[n + 1 :] for _, bone, side in more for key in members(bone, side)}
        kept = _kept(names, later)
        bones = np.isin(array, list(kept))
        merged[bones] = array[bones].astype(np.uint16) + n * _BLOCK
        rows += [(label + n * _BLOCK, bone, side) for label, bone, side in names if label in kept]
    if not merged.any():
        raise LesionmapError(f"TotalSegmentator found no bone by {', '.join(tasks)}; place by landmarks")
    return Volume(merged, image.grid), tuple(rows)


def _kept(names: Names, later: set[tuple[str, str]]) -> set[int]:
    """Give the labels that a later task does not resolve."""
    may_be: dict[int, set[tuple[str, str]]] = {}
    for label, bone, side in names:
        may_be.setdefault(label, set()).update(members(bone, side))
    return {label for label, keys in may_be.items() if not keys <= later}


def _home() -> Path:
    return Path(os.environ.get("TOTALSEG_HOME_DIR") or Path.home() / ".totalsegmentator")


def _check(tasks: Sequence[str]) -> None:
    """Refuse, with what to do, where anything that the tasks need is not on this machine."""
    unknown = [task for task in tasks if task not in TASKS]
    if unknown or not tasks:
        raise LesionmapError(
            f"tasks of TotalSegmentator for bones in MR were expected ({', '.join(TASKS)}), got {list(tasks)}"
        )
    if find_spec("totalsegmentator") is None:
        raise LesionmapError(
            "the package TotalSegmentator was expected in this Python and is not there; install it (pip install "
            "TotalSegmentator), or hand in a label map with --labels and --names"
        )
    weights = Path(os.environ.get("TOTALSEG_WEIGHTS_PATH") or _home() / "nnunet" / "results")
    for task in tasks:
        missing = [n for n in TASKS[task] if not any(weights.glob(f"Dataset{n:03d}_*"))]
        if missing:
            raise LesionmapError(
                f"weights of {task} were expected in {weights} (Dataset{missing[0]:03d}_…) and are not there; "
                f"lesionmap downloads nothing: run 'totalseg_download_weights -t {task}' once, or set "
                "TOTALSEG_WEIGHTS_PATH"
            )
        if task in _LICENSED and not _has_licence():
            raise LesionmapError(
                f"{task} needs a licence number of TotalSegmentator in {_home() / 'config.json'} (free for non-"
                "commercial use) and there is none; set it with totalseg_set_license, or leave that task out"
            )


def _has_licence() -> bool:
    try:
        config = json.loads((_home() / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and bool(config.get("license_number"))


def _run(image: Volume, task: str, device: Device) -> NDArray[np.integer]:
    """Run one task in a process of its own; give its label map on the image's grid."""
    import nibabel as nib

    from lesionmap.read import read_mask
    from lesionmap.read.nifti import LPS_FROM_RAS

    with TemporaryDirectory(prefix="lesionmap-") as folder:
        source, target = Path(folder) / "image.nii.gz", Path(folder) / "labels.nii.gz"
        nib.save(
            nib.Nifti1Image(np.asarray(image.array, dtype=np.float32), LPS_FROM_RAS @ image.grid.lps_from_voxel), source
        )
        command = [sys.executable, "-c", _CHILD, str(source), str(target), task, device]
        # The child sees the packages that this process sees.
        surroundings = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        done = subprocess.run(  # noqa: S603
            command, env=surroundings, cwd=folder, capture_output=True, text=True, check=False
        )
        if not target.is_file():
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise LesionmapError(f"TotalSegmentator made no label map by {task}; it said: {said[-_SAID:]}")
        labels = read_mask(target)
    same = labels.grid.shape == image.grid.shape and np.allclose(
        labels.grid.lps_from_voxel, image.grid.lps_from_voxel, atol=1e-2
    )
    if not same:
        raise LesionmapError(
            f"TotalSegmentator's label map of {task} was expected on the image's voxels {image.grid.shape}, it has "
            f"{labels.grid.shape} or lies elsewhere; another version of the package may be needed"
        )
    return labels.array
