"""What a worker does with one patient: the same small function on a process pool and on a cluster."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionmap.cohort.facts import PatientFacts, facts_of
from lesionmap.cohort.order import Order, file_name
from lesionmap.cores import LIMIT
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lesionmap.cohort.order import Task
    from lesionmap.store import Study
    from lesionmap.visits import Visit
    from lesionmap.write import Results

__all__ = ["ready", "result_path", "work"]

_ENDINGS = {"table": ".parquet", "compare": ".parquet", "report": ".html"}


@cache
def ready() -> None:
    """Import what is heavy once a process, and let its libraries run on one thread: workers are its threads."""
    import threadpoolctl

    os.environ |= {LIMIT: "1", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}  # the second is read when SimpleITK comes

    import lesionmap.evaluate
    import lesionmap.place
    import lesionmap.store.database
    import lesionmap.write.report  # noqa: F401

    threadpoolctl.threadpool_limits(limits=1)


def result_path(task: Task) -> Path | None:
    """Give the file of a patient's results; None of a verb that writes into the study."""
    verb = task.order[0]
    if verb not in _ENDINGS:
        return None
    return Path(task.folder, verb, task.label, file_name(task.patient, _ENDINGS[verb]))


def work(task: Task) -> dict[str, Any]:
    """Do the work on one patient.

    Returns
    -------
    dict
        ``why``: the reason why nothing came of it. Else ``state`` of the patient in the study before its results were
        made, ``rows``, ``marked`` (whether anybody marked anything) and ``facts``; ``same`` alone: the results that are
        there still hold.
    """
    from lesionmap import __version__
    from lesionmap.store import Study

    if task.version != __version__:
        return {"why": f"the worker has lesionmap {__version__}, {task.version} was expected; install one everywhere"}
    ready()
    try:
        with Study.open(task.study) as study:
            state, path = study.state(task.patient), result_path(task)
            if state == task.known and (path is None or path.exists() or not study.readers(task.patient)):
                return {"same": True}
            order = Order(*task.order)
            if order.verb == "place":
                n = _place(study, task.patient, order)
                return {"state": study.state(task.patient), "rows": n, "marked": True}
            return {"state": state, **_results(study, task, order)}
    except LesionmapError as error:
        return {"why": " ".join(str(error).split())}
    except OSError as error:
        return {"why": f"{error.strerror or type(error).__name__}; check the disk and the permissions"}


def _results(study: Study, task: Task, order: Order) -> dict[str, Any]:
    from lesionmap.compare import Threshold
    from lesionmap.evaluate import patient_results, the_reader
    from lesionmap.measure import rule_named

    found = None
    if study.readers(task.patient):
        rule, limit = rule_named(order.rule), Threshold(order.change / 100)
        reader = the_reader(study, task.patient, order.reader)
        found = patient_results(study, task.patient, reader=reader, rule=rule, threshold=limit)
    n = _write(found, task, order)
    facts = facts_of(found) if found else PatientFacts()
    return {"rows": n, "marked": found is not None, "facts": facts.plain()}


def _write(found: Results | None, task: Task, order: Order) -> int:
    """Write the file of a patient and give the number of its rows; what nobody marked has a table without rows."""
    from lesionmap.evaluate import with_key_images
    from lesionmap.write import COURSE_COLUMNS, LESION_COLUMNS, course_rows, lesion_rows, write_report, write_table

    path = result_path(task)
    if path is None or (found is None and order.verb == "report"):
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    if found is not None and order.verb == "report":
        write_report(with_key_images(found), path, overwrite=True)
        return 1
    make, columns = (lesion_rows, LESION_COLUMNS) if order.verb == "table" else (course_rows, COURSE_COLUMNS)
    rows = [{"study": task.label, **row} for row in make(found)] if found else []
    write_table(rows, ("study", *columns), path, overwrite=True, fixed=True)
    return len(rows)


def _place(study: Study, patient: str, order: Order) -> int:
    """Place the visits with images that have no skeleton, by date; give how many."""
    from lesionmap.evaluate import place_by_images
    from lesionmap.store import VisitConflict

    visits = study.visits(patient)
    placed = {visit.key for visit in visits if study.placement(patient, visit.key) is not None}
    todo = [visit for visit in visits if visit.series and visit.key not in placed]
    failed = []
    for visit in todo:
        try:
            other = (
                _nearest(visit, [one for one in visits if one.key in placed]) if order.placing == "previous" else None
            )
            found, _ = place_by_images(study, patient, visit.key, other)
            study.save_placement(patient, visit.key, found, order.reader or "lesionmap", over=None)
        except VisitConflict:  # somebody placed it meanwhile: theirs stays
            placed.add(visit.key)
        except (LesionmapError, OSError) as error:
            failed.append(f"{visit.key}: {error}")
        else:
            placed.add(visit.key)
    if failed:
        raise LesionmapError(f"{len(failed)} of {len(todo)} visits were not placed; {failed[0]}")
    return len(todo)


def _nearest(visit: Visit, others: Sequence[Visit]) -> str:
    """Give the visit whose skeleton is carried over: the last one before, else the first one after."""
    if not others:
        raise LesionmapError("no visit of the patient has a skeleton to carry over; place one first, or use --auto")
    before = [one for one in others if (one.date, one.ordinal) < (visit.date, visit.ordinal)]
    return (before[-1] if before else others[0]).key
