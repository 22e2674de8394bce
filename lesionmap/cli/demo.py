"""``demo``: the sample patient, from the images to map, tables and report."""

import os
import sys
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionmap.cli.common import Overwrite, busy, open_study, say
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from lesionmap.write import Results

__all__ = ["demo", "sample_folder"]

OUTPUTS = (
    "study.lesionmap",
    "map.png",
    "map.svg",
    "map.pdf",
    "lesions.csv",
    "lesions.xlsx",
    "comparison.csv",
    "comparison.xlsx",
    "report.html",
)


def demo(
    no_window: Annotated[bool, typer.Option("--no-window", help="Write the results only; open no window.")] = False,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results.")] = Path("lesionmap-demo"),
    course: Annotated[
        bool, typer.Option("--course", help="The second sample patient: six visits, whose images are made first.")
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Show a sample patient.

    Three visits (six with --course) are read, compared and written; then, where there is a display, the window opens.
    """
    from lesionmap.cli.sample import read_sample
    from lesionmap.cli.studies import window
    from lesionmap.evaluate import patient_results, with_key_images

    study = prepare(output, overwrite=overwrite)
    sample = made_course(output) if course else sample_folder()
    with busy("reading the sample patient"), open_study(str(study), create=True) as opened:
        patient = read_sample(opened, sample)
        found = with_key_images(patient_results(opened, patient))
    with busy("writing"):
        write_results(found, output)
    say(f"sample patient {patient}, {len(found.visits)} visits; written to {output.resolve()}:")
    for name in OUTPUTS:
        say(f"  {name}")
    if no_window or not has_display():
        say(f"See it in napari: lesionmap view {study}" if no_window else "No display: no window was opened.")
        return
    raise typer.Exit(window([str(study), patient]))


def made_course(output: Path) -> Path:
    """Make the images of the second sample patient, which are not stored, in a folder."""
    from lesionmap.phantom import SECOND, make_sample

    with busy("making the images of six visits; this takes a minute"):
        return make_sample(output, SECOND, workers=os.cpu_count() or 1)


def sample_folder() -> Path:
    """Find the first sample patient: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_sample", package.parent / "sample_data"):
        if any(folder.glob("*/landmarks.csv")) or any(folder.glob("*/*/landmarks.csv")):
            return folder
    raise LesionmapError("the sample patient is missing from this installation; in a checkout, make it: make sample")


def has_display() -> bool:
    """Say whether a window can be shown."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def prepare(output: Path, *, overwrite: bool) -> Path:
    """Make the folder for the results, and give the path of its study.

    A study that is there already is moved aside, never deleted: somebody may have read in it, or have it open.

    Raises
    ------
    LesionmapError
        If results lie there already and ``overwrite`` is False.
    """
    output.mkdir(parents=True, exist_ok=True)
    there = [name for name in OUTPUTS if (output / name).exists()]
    if there and not overwrite:
        raise LesionmapError(f"{output} holds {there[0]} already; choose another folder with -o, or say --overwrite")
    study = output / OUTPUTS[0]
    if study.exists():
        kept = next(p for n in count(1) if not (p := study.with_name(f"study.{n}.lesionmap")).exists())
        for ending in ("-shm", "-wal", ""):  # SQLite finds its side files by the study's name
            beside = study.with_name(study.name + ending)
            if beside.exists():
                beside.rename(kept.with_name(kept.name + ending))
        say(f"the earlier study is kept as {kept}")
    return study


def write_results(found: "Results", output: Path) -> None:
    """Write map, tables and report of a patient into a folder."""
    from lesionmap.write import (
        LESION_COLUMNS,
        body_map,
        comparison_columns,
        comparison_rows,
        lesion_rows,
        map_model,
        notes,
        write_report,
        write_table,
    )

    panels = map_model(found)
    for name in ("map.png", "map.svg", "map.pdf"):
        body_map(panels, output / name, title=f"{found.patient.id} · read by {found.reader}", overwrite=True)
    told = notes(found)
    for ending in ("csv", "xlsx"):
        write_table(lesion_rows(found), LESION_COLUMNS, output / f"lesions.{ending}", overwrite=True, notes=told)
        rows, columns = comparison_rows(found), comparison_columns(found)
        write_table(rows, columns, output / f"comparison.{ending}", overwrite=True, notes=told)
    write_report(found, output / "report.html", overwrite=True)
