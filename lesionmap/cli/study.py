"""``study copy``, ``check``, ``upgrade``, ``roles``: the study as a whole."""

from typing import Annotated

import typer

from lesionmap.cli.common import AsJson, StudyPath, busy, put_json, say

__all__ = ["app", "check", "copy", "roles", "upgrade"]

app = typer.Typer(help="Copy, check or upgrade a whole study, or say who may do what in it.", no_args_is_help=True)


@app.command()
def copy(
    study: StudyPath,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A new file, or the address of an empty database.")],
    as_json: AsJson = False,
) -> None:
    """Copy a study with its whole history, between files and servers.

    Nothing is left out and nothing is changed; both are compared before the copy is kept.
    """
    from lesionmap.store.copying import copy_study

    with busy("copying") as told:
        done = copy_study(study, target, told)
    if as_json:
        put_json({"rows": done.n_rows, "sha256_sum": done.hex})
    else:
        say(f"copied {done.n_rows} rows; both studies are equal (fingerprint {done.hex[:16]})")


@app.command()
def check(
    study: StudyPath,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make the indexes anew first; edits are never changed.")
    ] = False,
    images: Annotated[
        bool, typer.Option("--images/--no-images", help="Read all image files and compare their hashes.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Check the database, all edits and masks, the images and the newest backup.

    A line for each fault, and exit code 1 if there is one. Images that are not at their place are no fault.
    """
    from lesionmap.store.checking import check_study, repair_study

    repaired = repair_study(study) if repair else ""
    with busy("checking") as told:
        found = check_study(study, images=images, told=told)
    if as_json:
        put_json(
            {
                "n_edits": found.n_edits,
                "n_images": found.n_images,
                "repaired": repaired,
                "faults": found.faults,
                "notes": found.notes,
            }
        )
    else:
        for line in (*([repaired] if repaired else []), *found.notes):
            say(line)
        for line in found.faults:
            typer.echo(f"fault: {line}", err=True)
        n = len(found.faults)
        say(f"{found.n_edits} edits and {found.n_images} image files checked: {n or 'no'} fault{'s' if n != 1 else ''}")
    if found.faults:
        raise typer.Exit(1)


@app.command()
def upgrade(
    study: StudyPath,
    backed_up: Annotated[
        bool, typer.Option("--backed-up", help="A study on a server: you have a backup; make none.")
    ] = False,
) -> None:
    """Bring a study of an older lesionmap up to date; a backup is made first."""
    from lesionmap.store.upgrading import upgrade_study

    with busy("upgrading"):
        done = upgrade_study(study, backed_up=backed_up)
    if done.before == done.after:
        say(f"the study is up to date (schema {done.after})")
        return
    kept = f"; the study as it was is {done.backup}" if done.backup else ""
    say(f"the study has schema {done.after} now (it had {done.before}){kept}")


@app.command()
def roles() -> None:
    """Write the SQL script that gives readers and viewers their rights on a server: pipe it into psql."""
    from importlib.resources import files

    say(files("lesionmap.store").joinpath("roles.sql").read_text(encoding="utf-8").rstrip())
