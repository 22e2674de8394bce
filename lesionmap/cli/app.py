"""The program ``lesionmap``: its verbs, and how errors leave it."""

import logging
import sys
import warnings
from typing import NoReturn

import typer

from lesionmap.cli import (
    clinic,
    cohort,
    demo,
    marks,
    pacs,
    readers,
    results,
    scores,
    segmentation,
    skeletons,
    studies,
    study,
)
from lesionmap.errors import LesionmapError

__all__ = ["app", "main"]

app = typer.Typer(
    name="lesionmap",
    help="Map the bone lesions of children on a growing skeleton, visit after visit. Research use only.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("demo")(demo.demo)
app.command("import")(studies.import_)
app.command("visit")(studies.visit)
app.command("list")(studies.list_)
app.command("place")(skeletons.place)
app.command("locate")(skeletons.locate)
app.command("segment-bones")(segmentation.segment_bones)
app.command("add")(marks.add)
app.command("clinic")(clinic.clinic)
app.command("table")(results.table)
app.command("compare")(results.compare)
app.command("scores")(scores.scores)
app.command("registry")(scores.registry)
app.command("map")(results.map_)
app.command("report")(results.report)
app.command("export")(results.export)
app.command("sign")(readers.sign)
app.command("agree")(readers.agree)
app.command("blind")(readers.blind)
app.command("consensus")(readers.consensus)
app.command("cohort")(cohort.cohort)
app.add_typer(pacs.app, name="pacs")
app.add_typer(study.app, name="study")
app.command("view")(studies.view)


def main() -> None:
    """Run the command line and leave with its exit code."""
    # What a library wants to tell about a file may hold personal data; what the user must know, we say ourselves.
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    try:
        app()
    except LesionmapError as error:
        _leave(str(error), 2 if getattr(error, "usage", False) else 1)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _leave(f"{where}{error.strerror or type(error).__name__}; check the path, its permissions and the disk", 1)


def _leave(message: str, code: int) -> NoReturn:
    typer.echo("lesionmap: " + " ".join(message.split()), err=True)
    sys.exit(code)
