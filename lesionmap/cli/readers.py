"""``sign``, ``agree``, ``blind``, ``consensus``: several readers of one study."""

from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lesionmap.cli.common import (
    AsJson,
    Asker,
    Overwrite,
    PatientId,
    Rule,
    StudyPath,
    VisitKey,
    busy,
    open_study,
    put_json,
    say,
)
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from lesionmap.agreement import Agreement, Difference, Estimate

__all__ = ["agree", "blind", "consensus", "sign"]

Readers = Annotated[str, typer.Option("--readers", metavar="A,B", help="Names, parted by commas.", show_default=False)]


def sign(
    study: StudyPath,
    patient: PatientId,
    visit: VisitKey,
    reader: Annotated[str, typer.Option("--reader", help="Whose map it is.", show_default=False)],
    unlock: Annotated[bool, typer.Option("--unlock", help="Instead: let a signed map be changed again.")] = False,
) -> None:
    """Sign a reader's map of a visit.

    It is read-only then, and counts as read without a lesion too.
    """
    from lesionmap import annotate

    with open_study(study) as opened:
        old = opened.lesion_map(patient, visit, reader)
        opened.save(old, annotate.unlock(old) if unlock else annotate.sign(old))
    say(f"{patient} {old.visit} of {reader}: {'unlocked' if unlock else 'signed'}, {len(old.lesions)} lesions")


def agree(
    study: StudyPath,
    readers: Readers,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="CSV, XLSX or JSON: tables; HTML: a page; PDF, PNG or SVG: plots."),
    ] = None,
    patient: Annotated[str | None, typer.Option("--patient", help="This one only; without it: all.")] = None,
    rule: Rule = "default",
    resamples: Annotated[
        int, typer.Option("--resamples", min=100, max=1_000_000, help="Draws of patients, for the intervals.")
    ] = 2000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the draws.")] = 1,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Say how well readers agree on lesions, sites, numbers and volumes.

    Visits that two of them read are compared; a visit without a lesion counts as read once it is signed.
    """
    from lesionmap.measure import rule_named
    from lesionmap.readers import agreement_of, named_readers
    from lesionmap.write.agreed import AGREEMENT_ENDINGS, agreement_json, write_agreement
    from lesionmap.write.files import ending

    names = named_readers(readers)
    if output is not None:
        ending(output, AGREEMENT_ENDINGS)
    with open_study(study) as opened, busy("comparing readers"):
        found = agreement_of(opened, names, patient=patient, rule=rule_named(rule), resamples=resamples, seed=seed)
    if output is not None:
        with busy("writing"):
            write_agreement(found, output, overwrite=overwrite)
    if as_json:
        put_json(agreement_json(found))
        return
    _tell(found)
    if output is not None:
        say(f"agreement written to {output}")


def _tell(found: "Agreement") -> None:
    from lesionmap.write.agreed import agreement_notes, headline, statistic_name, visits_of

    visits = {(pair.patient, pair.visit) for pair in found.pairs}
    say(visits_of(len(visits), len({who for who, _ in visits})))
    for one in headline(found):
        say(f"{', '.join(one.readers)}: {statistic_name(one)}: {_figures(one)}")
    for line in agreement_notes(found):
        say(line)


def _figures(one: "Estimate") -> str:
    from lesionmap.write.agreed import own_note

    if not isfinite(one.value):
        return f"- ({one.note})"
    note = own_note(one)
    low, high, how = one.low, one.high, "by patients"
    if not isfinite(low):
        low, high, how = one.low_formula, one.high_formula, "by formula"
    between = f" ({low:.2f} to {high:.2f} {how})" if isfinite(low) else ""
    return f"{one.value:.2f}{between}, n = {one.n}" + (f"; {note}" if note else "")


def blind(
    study: StudyPath,
    readers: Annotated[
        str | None, typer.Option("--readers", metavar="A,B", help="Who reads blind from now on.", show_default=False)
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="End blind reading.")] = False,
    asker: Asker = None,
    as_json: AsJson = False,
) -> None:
    """Hide readers' maps from one another until all of them have signed a visit.

    Without --readers and --off: say who reads blind, and since when.
    """
    from lesionmap.readers import named_readers

    if readers and off:
        raise typer.BadParameter("--readers begins blind reading, --off ends it; give one of them")
    names = named_readers(readers) if readers else ()
    with open_study(study) as opened:
        if readers or off:
            opened.save_blinding(names, asker or "study")
        now, history = opened.blind_readers(), opened.study_history()
    if as_json:
        told = [{"time": x.time.isoformat(), "reader": x.reader, "what": x.title} for x in history]
        put_json({"blind": list(now), "history": told})
        return
    words = f"read blind by {', '.join(now)}: a map is hidden until all of them have signed its visit"
    say(words if now else "nobody reads blind")
    for x in history:
        say(f"  {x.time:%Y-%m-%d %H:%M} UTC, {x.reader}: {x.title}")


def consensus(
    study: StudyPath,
    patient: PatientId,
    visit: VisitKey,
    readers: Readers,
    listed: Annotated[
        bool, typer.Option("--list", help="Change nothing: list what is settled and what is not.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start anew; the history keeps what was decided before.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start the map of the reader 'consensus' from two signed maps.

    What both say is taken over; differences are listed, and settled in the window.
    """
    from lesionmap.readers import begin_consensus, consensus_worklist, named_readers

    names = named_readers(readers, exactly=2)
    if listed and overwrite:
        raise LesionmapError("--list changes nothing and --overwrite starts anew; give one of them")
    with open_study(study) as opened, busy("comparing readers"):
        if listed:
            found = consensus_worklist(opened, patient, visit, names)
        else:
            _, found = begin_consensus(opened, patient, visit, names, again=overwrite)
        n_lesions = len(opened.lesion_map(patient, visit, "consensus").lesions)
    if as_json:
        put_json({"lesions": n_lesions, "differences": [_plain(x) for x in found]})
        return
    waiting = f"{sum(not x.settled for x in found)} of {len(found)} differences to settle"
    say(f"consensus of {' and '.join(names)}: {n_lesions} lesions, {waiting}")
    for x in found:
        say(_line(x, names))


def _plain(x: "Difference") -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(x).items()}


def _line(x: "Difference", names: tuple[str, ...]) -> str:
    from lesionmap.skeleton import known

    whose = " | ".join(f"{who} {', '.join(ids)}" for who, ids in zip(names, (x.ones, x.others), strict=True) if ids)
    how = "settled" if x.settled else "to settle"
    here = f" ({', '.join(x.lesions)})" if x.lesions else ""
    words = x.words or ("only " + names[0 if x.ones else 1])
    return f"  {how}{here}: {known(x.site).name}; {whose}; {words}"
