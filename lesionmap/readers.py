"""Several readers of one study: their agreement, who may see whose map, and the consensus of two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.agreement import CONSENSUS, compare_readers, differences, hidden_from, named_in, start_consensus
from lesionmap.compare import VisitFacts, compare, is_read
from lesionmap.errors import LesionmapError
from lesionmap.measure import measure_map

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lesionmap.agreement import Agreement, Difference
    from lesionmap.lesions import LesionMap
    from lesionmap.measure import CountRule
    from lesionmap.store import Study

__all__ = [
    "agreement_of",
    "begin_consensus",
    "check_may_see",
    "consensus_readers",
    "consensus_worklist",
    "named_readers",
    "signed_readers",
    "sized_facts",
    "why_hidden",
]


def named_readers(text: str, *, exactly: int | None = None) -> tuple[str, ...]:
    """Read the names of readers, parted by commas.

    Raises
    ------
    LesionmapError
        If there are fewer than two, another number than ``exactly``, or one stands there twice.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if len(names) < 2 or len(set(names)) < len(names) or (exactly and len(names) != exactly):
        wanted = "two" if exactly else "two or more"
        raise LesionmapError(f"--readers takes the names of {wanted} different readers, as anna,bert; got {text!r}")
    return names


# ---- blind reading --------------------------------------------------------------------------------------------------


def why_hidden(study: Study, patient: str, visit: str, reader: str, asker: str | None) -> str:
    """Say why a reader's map of a visit may not be seen yet; empty: it may.

    Parameters
    ----------
    study : Study
        Keeps who reads blind.
    patient, visit, reader : str
        Whose map of which visit.
    asker : str or None
        Who wants to see it; None: nobody said.
    """
    blind = study.blind_readers()
    signed = [name for name in blind if study.lesion_map(patient, visit, name).signed]
    return hidden_from(asker, reader, blind, signed)


def check_may_see(study: Study, patient: str, visit: str | None, reader: str, asker: str | None) -> None:
    """Refuse what would show a map that is hidden; without a visit, one of any of the patient's visits.

    Raises
    ------
    LesionmapError
        That says who must sign what, or how to say who asks.
    """
    if not study.blind_readers():
        return
    for key in [visit] if visit else [one.key for one in study.visits(patient)]:
        if visit is None and reader not in study.readers(patient, key):
            continue
        why = why_hidden(study, patient, key, reader, asker)
        if why:
            hint = f"; if you are {reader}, say so with --as" if asker is None and reader != CONSENSUS else ""
            raise LesionmapError(f"the map of {reader} of {patient} {key} is hidden: {why}{hint}")


# ---- agreement ------------------------------------------------------------------------------------------------------


def sized_facts(study: Study, patient: str, visit: str, reader: str) -> VisitFacts:
    """Give a visit as a reader marked it, measured without its pixels: sizes are known, signals are not."""
    stored, placement = study.visit(patient, visit), study.placement(patient, visit)
    lesion_map = study.lesion_map(patient, visit, reader)
    return VisitFacts(stored, lesion_map, placement, measure_map(lesion_map, stored, {}, placement, ()))


def agreement_of(
    study: Study,
    readers: Sequence[str],
    *,
    patient: str | None = None,
    rule: CountRule | None = None,
    resamples: int = 2000,
    seed: int = 1,
) -> Agreement:
    """Compare readers over all visits of a study, or of one patient.

    Raises
    ------
    LesionmapError
        If a reader read nothing here, no visit was read by two of them, or a map is hidden.
    """
    patients = [study.patient(patient).id] if patient else [who.id for who in study.patients()]
    have = {name for who in patients for name in study.readers(who)}
    missing = [name for name in readers if name not in have]
    if missing:
        raise LesionmapError(
            f"nothing was read by {', '.join(missing)}; there are: {', '.join(sorted(have)) or 'none'}"
        )
    visits = [facts for who in patients for facts in _visits(study, who, readers)]
    return compare_readers(visits, readers, rule=rule, resamples=resamples, seed=seed)


def _visits(study: Study, patient: str, readers: Sequence[str]) -> Iterator[Mapping[str, VisitFacts]]:
    for visit in study.visits(patient):
        read = [name for name in readers if name in study.readers(patient, visit.key)]
        for name in read:
            check_may_see(study, patient, visit.key, name, None)
        yield {name: sized_facts(study, patient, visit.key, name) for name in read}


# ---- consensus ------------------------------------------------------------------------------------------------------


def begin_consensus(
    study: Study, patient: str, visit: str, readers: Sequence[str], *, again: bool = False
) -> tuple[LesionMap, tuple[Difference, ...]]:
    """Start the map of the reader ``consensus`` from those of two readers, and store it.

    Parameters
    ----------
    study : Study
        Changed.
    patient, visit : str
        Which visit.
    readers : sequence of str
        The two; both have signed.
    again : bool
        Start anew where there is one already: what was decided in it stays in the history.

    Raises
    ------
    LesionmapError
        If one has not signed, there is a consensus already, or it is signed.
    """
    one, other = (_signed(study, patient, visit, name) for name in readers)
    old = study.lesion_map(patient, visit, CONSENSUS)
    there = VisitFacts(one.visit, old)
    if is_read(there) and not again:
        raise LesionmapError(
            f"visit {visit} has a consensus already ({len(old.lesions)} lesions); list its differences with --list, or "
            "start it anew with --overwrite: the history keeps what it was"
        )
    new, found = start_consensus(one, other, old, _states(study, patient, visit, readers))
    study.save(old, new)
    return new, found


def consensus_worklist(study: Study, patient: str, visit: str, readers: Sequence[str]) -> tuple[Difference, ...]:
    """List what two readers do not say alike in a visit, and what of it the consensus has settled.

    Raises
    ------
    LesionmapError
        If one has not signed, or no consensus was started.
    """
    one, other = (_signed(study, patient, visit, name) for name in readers)
    now = study.lesion_map(patient, visit, CONSENSUS)
    if not is_read(VisitFacts(one.visit, now)):
        raise LesionmapError(f"visit {visit} has no consensus yet; start it without --list")
    return differences(one, other, now, _states(study, patient, visit, readers))


def signed_readers(study: Study, patient: str, visit: str) -> tuple[str, ...]:
    """Give those who have signed their map of a visit, without the consensus."""
    return tuple(
        name
        for name in study.readers(patient, visit)
        if name != CONSENSUS and study.lesion_map(patient, visit, name).signed
    )


def consensus_readers(study: Study, patient: str, visit: str) -> tuple[str, str]:
    """Give the two from whose maps the consensus of a visit was started, as its notes tell.

    Raises
    ------
    LesionmapError
        If its notes name fewer than two, and not just two readers have signed the visit.
    """
    first, second = named_in(study.lesion_map(patient, visit, CONSENSUS))
    others = [name for name in signed_readers(study, patient, visit) if name not in (first, second)]
    missing = (first, second).count("")
    if len(others) != missing and missing:
        raise LesionmapError(
            f"the notes of the consensus of visit {visit} do not say whose it is; list its differences with "
            "'lesionmap consensus --list --readers A,B'"
        )
    return first or others.pop(0), second or others.pop(0)


def _signed(study: Study, patient: str, visit: str, reader: str) -> VisitFacts:
    facts = sized_facts(study, patient, visit, reader)
    if not facts.lesion_map.signed:
        raise LesionmapError(
            f"a consensus starts from signed maps, that of {reader} of {patient} {facts.visit.key} is not signed; "
            "sign it first, in the window or with 'lesionmap sign'"
        )
    check_may_see(study, patient, facts.visit.key, reader, None)
    return facts


def _states(
    study: Study, patient: str, visit: str, readers: Sequence[str]
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    one, other = (_states_of(study, patient, visit, name) for name in readers)
    return one, other


def _states_of(study: Study, patient: str, visit: str, reader: str) -> dict[str, str]:
    """Give the state of each lesion of a visit, as a reader's own visits say it."""
    key = study.visit(patient, visit).key
    courses = compare([sized_facts(study, patient, one.key, reader) for one in study.visits(patient)])
    here = [course.states[key] for course in courses if key in course.states]
    return {lesion: change.state for change in here for lesion in change.lesions}
