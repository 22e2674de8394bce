"""Readers' agreement on paper: one long table, a book of sheets, a page, and plots."""

from __future__ import annotations

import json
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from lesionmap.agreement import TOO_FEW
from lesionmap.skeleton import known, regions
from lesionmap.write.agreeplot import agreement_svg, draw_agreement
from lesionmap.write.figure import rendered
from lesionmap.write.files import ending, saving
from lesionmap.write.lettering import figure_settings
from lesionmap.write.page import plain_page
from lesionmap.write.sections import Cell, Section, Table, capital, figure
from lesionmap.write.tables import Sheet, write_book, write_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lesionmap.agreement import Agreement, Estimate, VisitPair

__all__ = [
    "AGREEMENT_COLUMNS",
    "AGREEMENT_ENDINGS",
    "agreement_json",
    "agreement_notes",
    "agreement_rows",
    "headline",
    "own_note",
    "statistic_name",
    "visits_of",
    "write_agreement",
]

AGREEMENT_ENDINGS = (".csv", ".xlsx", ".json", ".html", ".pdf", ".png", ".svg")
"""What is written: tables, a page, plots."""

_MEANING: Mapping[str, str] = MappingProxyType(
    {
        "statistic": "Name of the statistic; docs/agreement.md defines each.",
        "unit": "What was rated or measured: lesion, site of a visit, region of a visit, visit.",
        "of": "all, a region, or a site; n_lesions or volume_ml for what was measured.",
        "readers": "Who is compared; a difference is that of the first less the second.",
        "n": "Number of units.",
        "n_patients": "Number of patients that they come from.",
        "value": "The statistic; empty: not defined, the note says why.",
        "low": "Lower end of the 95 % interval, by drawing patients with replacement.",
        "high": "Upper end of it.",
        "low_formula": "Lower end of the 95 % interval by the published formula, which takes units as independent.",
        "high_formula": "Upper end of it.",
        "note": "Why something is not known, or how far it is to be trusted.",
        "first_reader": "The reader that the second is held against.",
        "second_reader": "The other reader.",
        "kind": "same: one each; merged: several of the first are one of the second; split: the reverse; several: more "
        "on both sides; only_first, only_second: the other has none.",
        "by": "What told: overlap on one Series, outline in one place, place in the bone, site.",
        "first_lesions": "Lesions in the first reader's map, joined by ;",
        "second_lesions": "Lesions in the second reader's map, joined by ;",
        "first_sites": "Their primary sites, joined by ;",
        "second_sites": "Their primary sites, joined by ;",
        "first_counted": "How many of them count under the rule.",
        "second_counted": "How many of them count under the rule.",
        "first_volume_ml": "Volume of those that count, millilitres; empty where one of them has none.",
        "second_volume_ml": "Volume of those that count, millilitres; empty where one of them has none.",
        "dice": "Dice's coefficient of the outlines of those that count; the mean where both drew on several Series.",
        "first_n_lesions": "Lesions that count.",
        "second_n_lesions": "Lesions that count.",
    }
)

AGREEMENT_COLUMNS = (
    "statistic", "unit", "of", "readers", "n", "n_patients", "value", "low", "high", "low_formula", "high_formula",
    "note",
)  # fmt: skip
"""Columns of the table of statistics."""

_LESION_COLUMNS = (
    "patient", "visit_date", "first_reader", "second_reader", "kind", "by", "first_lesions", "second_lesions",
    "first_sites", "second_sites", "first_counted", "second_counted", "first_volume_ml", "second_volume_ml", "dice",
)  # fmt: skip
_VISIT_COLUMNS = (
    "patient", "visit_date", "first_reader", "second_reader", "first_n_lesions", "second_n_lesions", "first_volume_ml",
    "second_volume_ml",
)  # fmt: skip
_DIGITS = 4
_OF: Mapping[str, str] = MappingProxyType(
    {"all": "all {}s", "n_lesions": "number of lesions of a {}", "volume_ml": "volume of a {}, ml"}
)
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "recall": "recall",
        "precision": "precision",
        "f1": "F1",
        "kappa_cohen": "Cohen's kappa",
        "kappa_free": "free-marginal kappa",
        "kappa_fleiss": "Fleiss' kappa",
        "icc_2_1": "ICC(2,1)",
        "bias": "bias",
        "lower_limit": "lower limit of agreement",
        "upper_limit": "upper limit of agreement",
        "dice": "Dice",
    }
)


def agreement_rows(agreement: Agreement) -> list[dict[str, Any]]:
    """Give one row for each statistic, with the columns ``AGREEMENT_COLUMNS``; what is not defined is None."""
    return [_row(x) for x in agreement.estimates]


def _row(x: Estimate) -> dict[str, Any]:
    numbers = {name: _number(getattr(x, name)) for name in ("value", "low", "high", "low_formula", "high_formula")}
    same = {name: getattr(x, name) for name in ("statistic", "unit", "of", "n", "n_patients", "note")}
    return {**same, "readers": ", ".join(x.readers), **numbers}


def _number(value: float | None) -> float | None:
    return round(value, _DIGITS) + 0.0 if value is not None and isfinite(value) else None


def agreement_notes(agreement: Agreement) -> list[str]:
    """Give what must be told beside the figures: rule, intervals, and what takes no part."""
    drawn = f"{agreement.resamples} draws of patients with replacement (seed {agreement.seed})"
    few = any(x.note == TOO_FEW for x in agreement.estimates)
    return [
        agreement.rule.sentence,
        f"Intervals: 95 %, percentiles of {drawn}; by formula where one is published.",
        *(["Fewer than ten patients: intervals by patients are too narrow."] if few else []),
        *(f"Left out: {n} {words}." for words, n in agreement.left_out.items()),
    ]


def headline(agreement: Agreement) -> list[Estimate]:
    """Give the statistics of all lesions, sites and visits, without those of single regions and sites."""
    return [x for x in agreement.estimates if x.of in ("all", "n_lesions", "volume_ml")]


def statistic_name(x: Estimate) -> str:
    """Name a statistic and what it is of, in words."""
    return f"{_NAMES[x.statistic]}, {_OF.get(x.of, x.of).format(x.unit)}"


def own_note(x: Estimate) -> str:
    """Give the note of an estimate, unless it is one that holds for all and stands among ``agreement_notes``."""
    return "" if x.note == TOO_FEW else x.note


def visits_of(n_visits: int, n_patients: int) -> str:
    """Say how many visits and patients were compared."""
    return f"{n_visits} visit{'s' * (n_visits != 1)} of {n_patients} patient{'s' * (n_patients != 1)}"


def agreement_json(agreement: Agreement) -> dict[str, Any]:
    """Give all of it as plain values."""
    return {
        "readers": list(agreement.readers),
        "rule": agreement.rule.sentence,
        "resamples": agreement.resamples,
        "seed": agreement.seed,
        "left_out": dict(agreement.left_out),
        "estimates": [{name: row[name] for name in AGREEMENT_COLUMNS} for row in agreement_rows(agreement)],
        "lesions": _lesion_rows(agreement.pairs),
        "visits": _visit_rows(agreement.pairs),
    }


def _lesion_rows(pairs: Sequence[VisitPair]) -> list[dict[str, Any]]:
    return [row for pair in pairs for row in _rows_of(pair)]


def _rows_of(pair: VisitPair) -> list[dict[str, Any]]:
    rows = []
    for shared, sizes, dice, sites in zip(pair.shared, pair.shared_ml, pair.dice, pair.sites, strict=True):
        row = {**_head(pair), "kind": shared.kind, "by": shared.by, "dice": _number(dice)}
        for n, (who, ids) in enumerate((("first", shared.ones), ("second", shared.others))):
            row[f"{who}_lesions"] = ";".join(ids)
            row[f"{who}_sites"] = ";".join(dict.fromkeys(sites[n]))
            row[f"{who}_counted"] = sum(x in pair.counted[n] for x in ids)
            row[f"{who}_volume_ml"] = _number(sizes[n])
        rows.append(row)
    return rows


def _head(pair: VisitPair) -> dict[str, Any]:
    one, other = pair.readers
    return {"patient": pair.patient, "visit_date": pair.visit, "first_reader": one, "second_reader": other}


def _visit_rows(pairs: Sequence[VisitPair]) -> list[dict[str, Any]]:
    return [
        {
            **_head(pair),
            "first_n_lesions": pair.n_lesions[0],
            "second_n_lesions": pair.n_lesions[1],
            "first_volume_ml": _number(pair.volume_ml[0]),
            "second_volume_ml": _number(pair.volume_ml[1]),
        }
        for pair in pairs
    ]


def write_agreement(agreement: Agreement, path: str | Path, *, overwrite: bool = False) -> None:
    """Write the agreement of readers.

    Parameters
    ----------
    agreement : Agreement
    path : str or Path
        ``.csv``: the table of statistics; ``.xlsx``: sheets for all, regions, sites, lesions and visits; ``.json``: all
        of it; ``.html``: a page; ``.pdf``, ``.png``, ``.svg``: plots of differences, and kappa of the regions.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    LesionmapError
        If the ending is unknown, the file exists, or it cannot be written.
    """
    suffix = ending(path, AGREEMENT_ENDINGS)
    if suffix == ".csv":
        write_table(agreement_rows(agreement), AGREEMENT_COLUMNS, path, overwrite=overwrite)
    elif suffix == ".xlsx":
        notes = agreement_notes(agreement)
        write_book(_sheets(agreement), path, overwrite=overwrite, notes=notes, meanings=_MEANING)
    else:
        with saving(path, overwrite=overwrite) as temporary:
            temporary.write_bytes(_bytes(agreement, suffix))


def _bytes(agreement: Agreement, suffix: str) -> bytes:
    if suffix == ".json":
        text = json.dumps(agreement_json(agreement), ensure_ascii=False, indent=1, allow_nan=False)
        return f"{text}\n".encode()
    if suffix == ".html":
        return _page(agreement).encode("utf-8")
    with figure_settings():
        return rendered(draw_agreement(agreement), suffix)


def _sheets(agreement: Agreement) -> list[Sheet]:
    rows, whole = agreement_rows(agreement), [_row(x) for x in headline(agreement)]
    areas = regions()
    by_region = [row for row in rows if row["of"] in areas]
    by_site = [row for row in rows if row not in whole and row not in by_region]
    return [
        Sheet("Summary", AGREEMENT_COLUMNS, whole),
        Sheet("Regions", AGREEMENT_COLUMNS, by_region),
        Sheet("Sites", AGREEMENT_COLUMNS, by_site),
        Sheet("Lesions", _LESION_COLUMNS, _lesion_rows(agreement.pairs)),
        Sheet("Visits", _VISIT_COLUMNS, _visit_rows(agreement.pairs)),
    ]


# ---- the page -------------------------------------------------------------------------------------------------------


def _page(agreement: Agreement) -> str:
    n_visits = len({(pair.patient, pair.visit) for pair in agreement.pairs})
    n_patients = len({pair.patient for pair in agreement.pairs})
    areas = regions()
    parts = [
        (Section("How well they agree", tuple(agreement_notes(agreement)), table=_table(headline(agreement))), ""),
        (Section("Differences, and kappa of the regions"), agreement_svg(agreement)),
        (Section("Regions", table=_table([x for x in agreement.estimates if x.of in areas])), ""),
        (Section("Lesions that only one has, or that they part otherwise", table=_unlike(agreement)), ""),
    ]
    *first, last = agreement.readers
    title = f"Agreement of {', '.join(first)} and {last}"
    return plain_page(title, visits_of(n_visits, n_patients), parts)


def _table(estimates: Sequence[Estimate]) -> Table:
    header = ("Statistic", "Of", "Readers", "n", "Value", "95 % by patients", "95 % by formula", "Note")
    return Table(header, tuple(_cells(x) for x in estimates))


def _cells(x: Estimate) -> tuple[Cell, ...]:
    return (
        Cell(capital(_NAMES[x.statistic])),
        Cell(_OF.get(x.of, x.of).format(x.unit)),
        Cell(", ".join(x.readers)),
        Cell(str(x.n), number=True),
        Cell(_figure(x.value), number=True),
        Cell(_range(x.low, x.high), number=True),
        Cell(_range(x.low_formula, x.high_formula), number=True),
        Cell(own_note(x)),
    )


def _figure(value: float) -> str:
    return figure(value if isfinite(value) else None, 2)


def _range(low: float, high: float) -> str:
    return f"{low:.2f} to {high:.2f}".replace(" ", "\u00a0") if isfinite(low) and isfinite(high) else ""


def _unlike(agreement: Agreement) -> Table:
    rows = []
    for pair in agreement.pairs:
        for shared, sites in zip(pair.shared, pair.sites, strict=True):
            if shared.kind != "same":
                names = [", ".join(dict.fromkeys(capital(known(x).name) for x in some)) for some in sites]
                cells = (pair.patient, pair.visit, shared.kind.replace("_", " "))
                here = [
                    f"{who} {', '.join(ids)}"
                    for who, ids in zip(pair.readers, (shared.ones, shared.others), strict=True)
                ]
                told = [f"{ids}: {name}" if name else "" for ids, name in zip(here, names, strict=True)]
                rows.append(tuple(Cell(text) for text in (*cells, *told)))
    return Table(("Patient", "Visit", "Kind", "First reader", "Second reader"), tuple(rows))
