"""``add``: lesions and answers from files."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionmap.cli.common import PatientId, StudyPath, VisitKey, busy, open_study, say, there
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from lesionmap.compare import Match, VisitFacts
    from lesionmap.lesions import LesionMap
    from lesionmap.read import ReadReport
    from lesionmap.read.rows import MarkRow
    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume
    from lesionmap.visits import Visit

__all__ = ["add"]


def add(
    study: StudyPath,
    patient: PatientId,
    visit: VisitKey,
    reader: Annotated[str, typer.Option("--reader", help="Whose marks these are.", show_default=False)],
    mask: Annotated[
        list[Path] | None,
        typer.Option(
            "--mask", help="NIfTI on one of the visit's series (0/1 is split), DICOM SEG, or a folder of SEGs."
        ),
    ] = None,
    markers: Annotated[
        Path | None,
        typer.Option("--markers", help="CSV: id,x_lps_mm,y_lps_mm,z_lps_mm,site,certainty,track,series,note."),
    ] = None,
    sites: Annotated[Path | None, typer.Option("--sites", help="CSV: site,certainty,track,answer,note.")] = None,
    sr: Annotated[
        Path | None, typer.Option("--sr", help="DICOM SR (TID 1500), with its DICOM SEG files beside it.")
    ] = None,
    series: Annotated[
        str | None, typer.Option("--series", help="The series that the mask was drawn, or the markers were put on.")
    ] = None,
    grow: Annotated[bool, typer.Option("--grow", help="Markers become outlines, as clicks there grow.")] = False,
    join: Annotated[
        bool, typer.Option("--join", help="New marks on a scan belong to the lesions of their sites on slices.")
    ] = False,
    accept_tracks: Annotated[
        bool, typer.Option("--accept-tracks", help="Take the proposed lesions of other visits as the same ones.")
    ] = False,
) -> None:
    """Add lesions and answers to a reader's map.

    From masks (--mask may be given several times), from a report, from markers or from named sites.
    """
    from lesionmap import mark
    from lesionmap.compare import VisitFacts
    from lesionmap.evaluate import other_visits
    from lesionmap.place import stored_labels

    _one_source((mask, markers, sites, sr), grow=grow)
    with open_study(study) as opened, busy("adding"):
        stored, placement = opened.visit(patient, visit), opened.placement(patient, visit)
        old = opened.lesion_map(patient, visit, reader)
        others = other_visits(opened, patient, visit, reader)
        bones = stored_labels(placement.labels) if placement and not sites else None
        if mask:
            new = _masked(old, stored, placement, mask, series, bones)
        elif sr:
            new = mark.add_report(old, stored, placement, _report(sr, stored), bones)
        else:
            new = mark.add_marks(
                old, stored, placement, _rows(markers, sites, series), [x.lesion_map for x in others], bones
            )
        added = {lesion.id for lesion in new.lesions} - {lesion.id for lesion in old.lesions}
        new = _grown(new, stored, placement, added) if grow else new
        new = mark.join_lesions(new, stored, added) if join else new
        new = mark.accept_tracks(VisitFacts(stored, new, placement), others) if accept_tracks else new
        opened.save(old, new)
    _tell(old, VisitFacts(stored, new, placement), others)


def _one_source(given: tuple[object, ...], *, grow: bool) -> None:
    _, markers, *_ = given
    if sum(bool(x) for x in given) != 1 or (grow and not markers):
        words = "exactly one of --mask, --markers, --sites and --sr is needed; --grow goes with --markers"
        raise typer.BadParameter(words)


def _grown(lesion_map: "LesionMap", visit: "Visit", placement: "Placement | None", lesions: set[str]) -> "LesionMap":
    """Make outlines of the markers of some lesions."""
    from lesionmap.mark import grow_marks
    from lesionmap.read import pixels

    return grow_marks(lesion_map, visit, placement, sorted(lesions), cache(pixels))


def _rows(markers: Path | None, sites: Path | None, series: str | None) -> "tuple[MarkRow, ...]":
    """Read markers or sites; ``series`` is meant where a row names none."""
    from lesionmap.read.rows import read_markers, read_sites

    rows = read_markers(markers) if markers else read_sites(sites) if sites else ()
    return tuple(replace(row, series=row.series or series or "") for row in rows)


def _masked(
    lesion_map: "LesionMap",
    visit: "Visit",
    placement: "Placement | None",
    paths: list[Path],
    series: str | None,
    bones: "Volume | None",
) -> "LesionMap":
    """Mark the lesions of masks: label volumes one by one, all segmentations together."""
    from lesionmap import mark
    from lesionmap.read import is_seg, read_mask, read_seg

    files = [file for path in paths for file in _files(path)]
    segs = [read_seg(file) for file in files if is_seg(file)]
    for note in dict.fromkeys(seg.note for seg in segs if seg.note):
        say(note)
    for file in (file for file in files if not is_seg(file)):
        lesion_map = mark.add_masks(lesion_map, visit, placement, read_mask(file), series, bones)
    return mark.add_segs(lesion_map, visit, placement, segs, series, bones) if segs else lesion_map


def _report(path: Path, visit: "Visit") -> "ReadReport":
    """Read a report, and say what was left out of it."""
    from lesionmap.read import read_sr

    report = read_sr(there(path), visit)
    for remark in report.remarks:
        say(remark)
    return report


def _files(path: Path) -> list[Path]:
    """Give the file that was named, or the segmentations in a folder."""
    from lesionmap.read import is_seg

    if not path.is_dir():
        return [there(path)]
    found = sorted(file for file in path.rglob("*") if file.is_file() and is_seg(file))
    if not found:
        raise LesionmapError(f"DICOM SEG files were expected in the folder {path}, it has none; name the files instead")
    return found


def _tell(old: "LesionMap", facts: "VisitFacts", others: "tuple[VisitFacts, ...]") -> None:
    from lesionmap.compare import match

    before, new = {lesion.id for lesion in old.lesions}, facts.lesion_map
    proposals = match(facts, others)
    for lesion in new.lesions:
        if lesion.id in before and lesion != old.lesion(lesion.id):
            say(f"{lesion.id} {', '.join(lesion.sites)}: also on {lesion.extents[-1].series}")
        if lesion.id not in before:
            hint = "".join(_hint(one) for one in proposals if one.lesion == lesion.id)
            say(f"{lesion.id} {', '.join(lesion.sites)} ({lesion.certainty}){hint}")
    for answer in new.answers:
        if answer not in old.answers:
            say(f"answer {answer.verdict} for track {answer.track}")


def _hint(found: "Match") -> str:
    """Say what a lesion is taken for."""
    how = {"same": "", "merged": ", merged", "split": ", split off"}[found.kind]
    told = f"{found.warning}; " if found.warning else ""
    words = f"proposed track {', '.join(found.tracks)} ({found.other} of {found.visit}{how}, {found.confidence:.0%})"
    return f"; {told}{words}" + ("" if found.warning else " (--accept-tracks)")
