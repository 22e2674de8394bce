"""A verb over all patients of some studies: sent out, noted as they come, told at the end."""

from __future__ import annotations

from dataclasses import asdict, astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionmap.cohort.engines import on_dask, on_pool
from lesionmap.cohort.figures import write_figures
from lesionmap.cohort.journal import Journal
from lesionmap.cohort.order import Summary, Task, labels_of, shown_name, whole_name
from lesionmap.cohort.work import result_path
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from lesionmap.cohort.engines import Outcome
    from lesionmap.cohort.order import Order

__all__ = ["cohort"]


def cohort(
    studies: Sequence[str],
    order: Order,
    folder: str | Path,
    *,
    where: int | str = 1,
    overwrite: bool = False,
    told: Callable[[int, int], None] | None = None,
) -> Summary:
    """Do what is asked with every patient of the studies.

    Done again with the same request, only what is missing is made, and what changed in the study since. Results are
    ``folder/<verb>/<study>/<patient>``: of ``table`` and ``compare`` one Parquet data set in files of one schema.
    Beside them ``cohort.json`` (what was asked, the sums), ``done.jsonl``, ``failed.csv`` and ``figures``.

    Parameters
    ----------
    studies : sequence of str
        Paths or URLs.
    order : Order
        The verb and its options.
    folder : str or Path
        Of the results; workers on other machines must see it, and the studies, under the same path.
    where : int or str
        Number of processes of this machine, or address of a Dask scheduler.
    overwrite : bool
        Replace the results of another request.
    told : callable, optional
        Is given how many patients are through, and of how many.

    Returns
    -------
    Summary
        With those that failed, each with its reason: nothing of a patient stops the rest.

    Raises
    ------
    LesionmapError
        If the request is wrong, the folder holds other results, or no scheduler answers.
    """
    folder = Path(folder).absolute()
    labels, order = labels_of(studies), _checked(order)
    named = dict(zip(labels, map(whole_name, studies), strict=True))
    journal = Journal(folder, _asked(named, order), overwrite=overwrite)
    patients, failed = _patients(named)
    total, made = sum(map(len, patients.values())), 0
    for through, (task, outcome) in enumerate(_outcomes(_tasks(named, patients, order, journal), where), start=1):
        if "why" in outcome:
            failed.append((*task.key, outcome["why"]))
            _forget(task, journal)
        elif "same" not in outcome:
            journal.done(task.key, outcome)
            made += 1
        if told:
            told(through, total)
    failed.sort(key=lambda row: (labels.index(row[0]), row[1]))
    summary = _closed(journal, total, made, failed)
    if order.verb == "place" or order.treatment is None:
        return summary
    return replace(summary, notes=write_figures(journal.facts(), folder / "figures", treatment=order.treatment))


def _outcomes(tasks: Iterator[Task], where: int | str) -> Iterator[tuple[Task, Outcome]]:
    return on_pool(tasks, where) if isinstance(where, int) else on_dask(tasks, where)


def _checked(order: Order) -> Order:
    """Give the order with a whole path for a rule of the user's own."""
    from lesionmap.measure import RULES

    own = order.rule not in RULES and Path(order.rule).is_file()
    return replace(order, rule=str(Path(order.rule).absolute())) if own else order


def _asked(named: Mapping[str, str], order: Order) -> dict[str, Any]:
    """Say what is asked, so that two runs can be compared: a file of a rule that changed is another request."""
    from lesionmap import __version__
    from lesionmap.measure import rule_named

    studies = {label: shown_name(study) for label, study in named.items()}
    words = {"rule_words": repr(rule_named(order.rule)), "version": __version__}
    return {"studies": studies, **asdict(replace(order, treatment="")), **words}


def _patients(named: Mapping[str, str]) -> tuple[dict[str, list[str]], list[tuple[str, str, str]]]:
    """Give the pseudonyms of each study by its label, and the studies that cannot be read."""
    from lesionmap.store import Study

    found: dict[str, list[str]] = {}
    failed = []
    for label, study in named.items():
        try:
            with Study.open(study) as opened:
                found[label] = sorted(who.id for who in opened.patients())
        except (LesionmapError, OSError) as error:
            failed.append((label, "", " ".join(str(error).split())))
    return found, failed


def _tasks(
    named: Mapping[str, str], patients: Mapping[str, Sequence[str]], order: Order, journal: Journal
) -> Iterator[Task]:
    """Give the tasks by study and pseudonym, one by one."""
    from lesionmap import __version__

    for label, names in patients.items():
        blank = Task(named[label], label, "", str(journal.folder), astuple(order), __version__)
        for name in names:
            yield blank._replace(patient=name, known=journal.state((label, name)))


def _forget(task: Task, journal: Journal) -> None:
    """Take away what an earlier run made of a patient who fails now: it is no longer right, or nobody knows."""
    journal.forget(task.key)
    path = result_path(task)
    if path is not None:
        path.unlink(missing_ok=True)


def _closed(journal: Journal, total: int, made: int, failed: list[tuple[str, str, str]]) -> Summary:
    """Add up what came of it, and write it down."""
    done = without = rows = 0
    for row in journal.rows():
        done, without, rows = done + 1, without + (not row["marked"]), rows + row["rows"]
    summary = Summary(total, done, made, without, rows, tuple(failed))
    journal.close(failed, asdict(summary) | {"failed": len(failed)})
    return summary
