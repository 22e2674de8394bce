"""What the report says of bone scans: each focus against the rest of its scan, the whole, and slices against scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.skeleton import known
from lesionmap.write.rows import lesion_rows, modality_rows
from lesionmap.write.sections import UNKNOWN, Cell, Section, Table, capital, figure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lesionmap.scores import ScanFigures
    from lesionmap.write.results import Results

__all__ = ["scan_sections"]


def scan_sections(results: Results) -> Iterator[Section]:
    """Give the sections of each visit with marks on a bone scan, and the table of agreement where it has slices too."""
    for facts in results.visits:
        key = facts.visit.key
        if key in results.scans:
            yield _foci(results, key)
        rows = modality_rows(results, [key])
        if rows:
            cells = [
                tuple(Cell(capital(str(x))) for x in (known(row["site"]).name, row["on_slices"], row["on_scan"]))
                for row in rows
            ]
            told = [row["agree"] for row in rows if row["agree"] is not None]
            below = (
                f"Both show a lesion at {sum(told)} of {len(told)} sites imaged by both.",
                "A site that is quiet on a bone scan is not thereby free of disease.",
            )
            table = Table(("site", "slices", "bone scan"), tuple(cells), (2.0, 1.0, 1.0))
            yield Section(f"Slices against bone scan on {key}", table=table, below=below)


def _foci(results: Results, key: str) -> Section:
    header = ("lesion", "site", "mm²", "counts a pixel", "mirrored", "shaft", "plates", "early / late")
    rows = []
    for row in lesion_rows(results, [key]):
        if row["marked_on"] in ("scan", "both"):
            numbers = (
                figure(row["area_mm2"], 0),
                figure(row["scan_mean"], 1),
                *(figure(row[f"{name}_ratio"], 2) for name in ("mirrored", "shaft", "plates", "early_late")),
            )
            place = Cell(capital(known(row["site"]).name))
            rows.append((Cell(row["lesion"]), place, *(Cell(x, number=True) for x in numbers)))
    ratios = (
        "Means of counts over those of the same place on the other side, of the middle third of the same bone, of the "
        f"other open growth plates (median). Lesions are often symmetric. {UNKNOWN}: not known."
    )
    below = (
        ratios,
        *_whole(results.scans[key]),
    )
    return Section(
        f"Bone scan of {key}", table=Table(header, tuple(rows), (0.75, 2.6, 0.7, 1.0, 1.0, 0.8, 0.8, 0.9)), below=below
    )


def _whole(found: ScanFigures) -> Iterator[str]:
    area = "" if found.area_mm2 is None else f", together {found.area_mm2 / 100:.1f} cm²"
    yield f"Counted foci on the scan: {found.n_foci}{area}."
    if found.index_percent is None:
        yield f"No Bone Scan Index: {found.why_not}."
    else:
        yield (
            f"Bone Scan Index {found.index_percent:.2f} % by the bone masses of adults (Spiers 1968): not verified for "
            "children, for research only, no measure of the disease."
        )
