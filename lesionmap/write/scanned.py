"""What the report says of bone scans: each focus against the rest of its scan, the whole, and slices against scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.skeleton import place_name
from lesionmap.write.rows import lesion_rows, modality_rows
from lesionmap.write.sections import UNKNOWN, Cell, Section, Table, capital, figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lesionmap.scores import ScanFigures
    from lesionmap.texts import Texts
    from lesionmap.write.results import Results

__all__ = ["scan_sections"]


def scan_sections(results: Results) -> Iterator[Section]:
    """Give the sections of each visit with marks on a bone scan, and the table of agreement where it has slices too."""
    texts = results.texts
    for facts in results.visits:
        key = facts.visit.key
        if key in results.scans:
            yield _foci(results, key)
        rows = modality_rows(results, [key])
        if rows:
            cells = [
                (_words(place_name(row["site"], texts)), _seen(row["on_slices"], texts), _seen(row["on_scan"], texts))
                for row in rows
            ]
            told = [row["agree"] for row in rows if row["agree"] is not None]
            below = (
                texts.say("modalities.agree", n=sum(told), all=len(told)),
                texts.say("modalities.quiet"),
            )
            header = texts.say("column.site"), texts.say("modalities.slices"), texts.say("modalities.scan")
            table = Table(header, tuple(cells), (2.0, 1.0, 1.0))
            yield Section(texts.say("modalities.title", visit=key), table=table, below=below)


def _foci(results: Results, key: str) -> Section:
    say = results.texts.say
    header = (
        say("column.lesion"), say("column.site"), say("column.mm2"), say("scan.counts"), say("scan.mirrored"),
        say("scan.shaft"), say("scan.plates"), say("scan.early"),
    )  # fmt: skip
    rows = []
    for row in lesion_rows(results, [key]):
        if row["marked_on"] in ("scan", "both"):
            numbers = (
                figure(row["area_mm2"], 0),
                figure(row["scan_mean"], 1),
                *(figure(row[f"{name}_ratio"], 2) for name in ("mirrored", "shaft", "plates", "early_late")),
            )
            place = _words(place_name(row["site"], results.texts))
            rows.append((Cell(row["lesion"]), place, *(Cell(x, number=True) for x in numbers)))
    below = say("scan.below", unknown=UNKNOWN), *_whole(results.scans[key], results.texts)
    table = Table(header, tuple(rows), (0.75, 2.6, 0.7, 1.0, 1.0, 0.8, 0.8, 0.9))
    return Section(say("scan.title", visit=key), table=table, below=below)


def _words(text: str) -> Cell:
    return Cell(capital(text))


def _seen(words: str, texts: Texts) -> Cell:
    return _words(texts.name("seen", words.replace(" ", "_")))


def _whole(found: ScanFigures, texts: Texts) -> Iterator[str]:
    say = texts.say
    if found.area_mm2 is None:
        yield say("scan.foci", n=found.n_foci)
    else:
        yield say("scan.foci_area", n=found.n_foci, area=f"{found.area_mm2 / 100:.1f}")
    if found.index_percent is not None:
        yield say("scan.index", percent=f"{found.index_percent:.2f}")
    elif found.why is not None:
        yield say("scan.no_index", why=texts.tell(found.why))
