"""``segment-bones``: a bone label map of an MR image by TotalSegmentator, where that is on the machine."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from lesionmap.cli.common import Out, Overwrite, busy, say, there
from lesionmap.errors import LesionmapError

__all__ = ["segment_bones"]


def segment_bones(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="MR image, NIfTI.")],
    output: Out,
    task: Annotated[
        list[str] | None,
        typer.Option("--task", help="total_mr, vertebrae_mr, appendicular_bones_mr; may be given several times."),
    ] = None,
    device: Annotated[Literal["gpu", "cpu"], typer.Option("--device", help="Where to compute.")] = "gpu",
    overwrite: Overwrite = False,
) -> None:
    """Find the bones of an MR image with TotalSegmentator, if that is installed; nothing is downloaded.

    Writes the label map, and beside it FILE_names.csv; both are for --labels and --names of place and locate.
    """
    from lesionmap.place.totalsegmentator import segment_bones as found_in
    from lesionmap.read.nifti import is_nifti, nifti_stacks, nifti_volume
    from lesionmap.write import write_label_map, write_table

    if not is_nifti(str(output)):
        raise LesionmapError(f"a NIfTI file (.nii, .nii.gz) was expected to write to, got {output}")
    names = output.with_name(output.name.split(".nii")[0] + "_names.csv")
    for path in (output, names):
        if path.exists() and not overwrite:
            raise LesionmapError(f"{path} exists; --overwrite replaces it")
    stacks = nifti_stacks(str(there(image)))
    if len(stacks) != 1:
        raise LesionmapError(f"an image of one volume was expected, {image} holds {len(stacks)}; save one of them")
    with busy("finding the bones"):
        labels, rows = found_in(
            nifti_volume(stacks[0].station), tuple(task or ("total_mr", "vertebrae_mr")), device=device
        )
    write_label_map(labels, output, overwrite=overwrite)
    write_table(
        [{"label": n, "bone": bone, "side": side} for n, bone, side in rows],
        ("label", "bone", "side"),
        names,
        overwrite=overwrite,
    )
    say(f"{len({n for n, _, _ in rows})} labels written to {output}, their names to {names}")
