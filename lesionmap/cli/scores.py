"""``scores`` and ``registry``: what was found, in the numbers that others ask for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionmap.cli.common import (
    AsJson,
    Asker,
    OptionalPatient,
    Out,
    Overwrite,
    PatientId,
    Reader,
    Rule,
    StudyPath,
    put_json,
    say,
)
from lesionmap.cli.results import patients_of, results_for

if TYPE_CHECKING:
    from lesionmap.scores import Definition

__all__ = ["registry", "scores"]

Own = Annotated[
    list[Path] | None, typer.Option("--file", help="A score of your own (TOML); of a name that ships: instead of it.")
]

Within = Annotated[int, typer.Option("--within", min=0, help="Days that an observation may be away from its visit.")]


def scores(
    study: StudyPath,
    patient: PatientId,
    file: Own = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="CSV, XLSX, Parquet or JSON.")] = None,
    within: Within = 30,
    reader: Reader = None,
    asker: Asker = None,
    rule: Rule = "default",
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """List all scores over all visits.

    Items come from the map and from observations near the visit ('lesionmap clinic'). What is missing leaves no sum.
    """
    from lesionmap.write import SCORE_COLUMNS, notes, score_lines, score_rows, within_words, write_table

    asked = _definitions(file)
    found = results_for(study, patient, reader, rule, asker=asker)
    if output is not None:
        rows = score_rows(found, asked, within)
        write_table(rows, SCORE_COLUMNS, output, overwrite=overwrite, notes=[*notes(found), within_words(within)])
        say(f"{len(asked)} scores over {len(found.visits)} visits written to {output}")
    elif as_json:
        rows = score_rows(found, asked, within)
        put_json([{name: row.get(name) for name in SCORE_COLUMNS} for row in rows])
    else:
        for line in score_lines(found, asked, within):
            say(line)


def registry(
    study: StudyPath,
    output: Out,
    patient: OptionalPatient = None,
    file: Own = None,
    within: Within = 30,
    reader: Reader = None,
    asker: Asker = None,
    rule: Rule = "default",
    overwrite: Overwrite = False,
) -> None:
    """Write one row for each visit, with counts, states, treatments, observations and scores.

    CSV, XLSX, Parquet or JSON by the ending.
    """
    from lesionmap.write import notes, registry_columns, registry_rows, within_words, write_table

    asked = _definitions(file)
    found = [results_for(study, who, reader, rule, asker=asker) for who in patients_of(study, patient)]
    rows = [row for one in found for row in registry_rows(one, asked, within)]
    told = [
        within_words(within),
        *(note for one in found for note in notes(one)),
        *(f"{x.name}: {x.label}. {x.source}" for x in asked),
    ]
    columns = registry_columns(found, asked)
    write_table(rows, columns, output, overwrite=overwrite, notes=list(dict.fromkeys(told)))
    for line in dict.fromkeys(one.rule.sentence for one in found):
        say(line)
    say(f"{len(rows)} visits written to {output}")


def _definitions(own: list[Path] | None) -> "list[Definition]":
    """Give the scores that ship, and those of the site in place of them or beside them."""
    from lesionmap.scores import definition_from_file, definitions

    mine = {one.name: one for one in (definition_from_file(path) for path in own or [])}
    return list({**definitions(), **mine}.values())
