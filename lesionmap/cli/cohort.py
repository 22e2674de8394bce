"""``cohort``: a verb over all patients of one or several studies."""

import os
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from lesionmap.cli.common import AsJson, Out, Overwrite, Reader, Rule, VolumeChange, busy, put_json, say
from lesionmap.errors import LesionmapError

__all__ = ["cohort"]


def cohort(
    studies: Annotated[list[str], typer.Argument(metavar="STUDY...", help="Studies: paths or database URLs.")],
    output: Out,
    verb: Annotated[Literal["table", "compare", "report", "place"], typer.Option("--verb", help="What is done.")],
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; as many as there are processors.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", help="Address of a Dask scheduler to use instead: tcp://host:8786.")
    ] = None,
    from_: Annotated[
        Literal["previous"] | None,
        typer.Option("--from", help="place: carry the skeleton over from the previous visit that has one."),
    ] = None,
    auto: Annotated[bool, typer.Option("--auto", help="place: a first guess by the images of the visit.")] = False,
    reader: Reader = None,
    rule: Rule = "default",
    change: VolumeChange = 30.0,
    treatment: Annotated[
        str, typer.Option("--treatment", help="Drug for the map of sites with and without it; the most common one.")
    ] = "",
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Draw the figures of the cohort.")] = True,
    as_json: AsJson = False,
    overwrite: Overwrite = False,
) -> None:
    """Do a verb with all patients of studies.

    On all processors, or on the workers of a Dask scheduler. The same command again does what is missing, and what
    changed. Who failed is listed with the reason in failed.csv; the rest is done all the same.
    """
    from lesionmap.cohort import Order
    from lesionmap.cohort import cohort as run

    if bool(from_) + auto != (verb == "place"):
        raise typer.BadParameter("--from previous or --auto goes with --verb place, one of them and with no other verb")
    if workers and scheduler:
        raise typer.BadParameter("--workers or --scheduler, not both: a scheduler has workers of its own")
    order = Order(
        verb, reader, rule, change, "auto" if auto else "previous" if from_ else "", treatment if figures else None
    )
    where = scheduler or workers or _processors()
    with busy(verb) as told:
        found = run(studies, order, output, where=where, overwrite=overwrite, told=told)
    if as_json:
        put_json(asdict(found))
    else:
        unread = f", {found.without_marks} of them without marks" if found.without_marks else ""
        say(f"{found.done} of {found.patients} patients done{unread}; {found.made_now} made now")
        say(f"{_what(verb, found.rows)} in {output}")
        for note in found.notes:
            say(note)
    if found.failed:
        studies_too = sum(not patient for _, patient, _ in found.failed)
        whole = f" and {studies_too} of {len(studies)} studies" if studies_too else ""
        raise LesionmapError(
            f"{len(found.failed) - studies_too} of {found.patients} patients{whole} failed; {output / 'failed.csv'} "
            "lists them with the reasons"
        )


def _processors() -> int:
    """Give how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _what(verb: str, n: int) -> str:
    noun = {"table": "lesion", "compare": "row", "report": "report", "place": "skeleton"}[verb]
    return f"{n} {noun}{'' if n == 1 else 's'}"
