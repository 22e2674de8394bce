"""``place`` and ``locate``: the skeleton on a visit, and where points are in it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lesionmap.cli.common import Out, Overwrite, PatientId, StudyPath, VisitKey, busy, open_study, say, there
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume
    from lesionmap.store import Study
    from lesionmap.visits import Patient, Visit

__all__ = ["locate", "place"]

POINT_COLUMNS = (
    "id",
    "site",
    "bone",
    "segment",
    "side",
    "fraction_along",
    "distance_mm",
    "inside",
    "confidence",
    "second_site",
)
MASK_COLUMNS = ("component", "site", "share", "bone", "segment", "side", "physis", "growth_risk")

Landmarks = Annotated[
    Path | None,
    typer.Option("--landmarks", help="CSV: name,x_lps_mm,y_lps_mm,z_lps_mm; any subset.", show_default=False),
]
Labels = Annotated[
    Path | None, typer.Option("--labels", help="Bone label map (NIfTI or SEG); landmarks are found in it.")
]
Names = Annotated[
    str | None,
    typer.Option(
        "--names",
        help="What its numbers mean: total, total_mr, vertebrae_mr, appendicular_bones_mr, or a CSV label,bone,side.",
    ),
]
Age = Annotated[float | None, typer.Option("--age", help="Years; inferred from the landmarks where not given.")]
Stature = Annotated[float | None, typer.Option("--stature", help="cm; inferred where not given.")]
SexOption = Annotated[Literal["F", "M"] | None, typer.Option("--sex", help="F or M.")]


def place(
    study: StudyPath,
    patient: PatientId,
    visit: VisitKey,
    landmarks: Landmarks = None,
    labels: Labels = None,
    names: Names = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="VISIT", help="Carry over that visit's skeleton by registration of the images."),
    ] = None,
    auto: Annotated[
        bool, typer.Option("--auto", help="A first guess from the outline of the body, or a bone scan's counts.")
    ] = False,
    scan: Annotated[
        bool, typer.Option("--scan", help="On the bone scan of a visit that has slices too, beside their skeleton.")
    ] = False,
    reader: Annotated[str, typer.Option("--reader", help="Who placed it, for the history.")] = "lesionmap",
) -> None:
    """Put the skeleton on a visit.

    By landmarks, by a bone label map (or both), from another visit, or from the outline of the body: one of these ways.
    On a bone scan --landmarks and --auto go together: the landmarks stay, the rest is fitted to the counts. Landmarks
    not given are estimated, and so are age and stature where the visit has none.
    """
    from lesionmap.evaluate import place_by_images, with_coverage
    from lesionmap.visits import only_planar

    with open_study(study) as opened, busy("placing the skeleton"):
        who, when = opened.patient(patient), opened.visit(patient, visit)
        before, words = opened.placement(patient, visit), ""
        ways = {"--landmarks or --labels": bool(landmarks or labels or names), "--from": bool(from_), "--auto": auto}
        on_views = (scan or only_planar(when)) and not (labels or names) and bool(landmarks or auto or from_)
        if scan and not on_views:
            raise typer.BadParameter("--scan goes with --landmarks, --auto, both of them, or --from")
        if not on_views:
            _one_way(ways)
        if on_views and landmarks:
            placement, words = _on_views(opened, who, when, landmarks, from_, by_counts=auto)
        elif from_ or auto:
            placement, words = place_by_images(opened, patient, visit, from_, scan=scan)
        else:
            placement = _placed(landmarks, labels, names, (when.age_y, who.sex, when.stature_cm))[0]
            placement = with_coverage(replace(placement, scan=before.scan if before else None), when)
        opened.save_placement(patient, visit, placement, reader, over=before)
    _tell((placement.scan if scan else None) or placement, words)


def _on_views(
    opened: "Study", who: "Patient", when: "Visit", landmarks: Path, from_: str | None, *, by_counts: bool
) -> "tuple[Placement, str]":
    """Place the skeleton on the views of a bone scan by landmarks, the rest by the counts where they are asked for."""
    from lesionmap.evaluate import place_scan
    from lesionmap.place import by_counts_words
    from lesionmap.read.rows import read_landmarks

    marks = read_landmarks(landmarks, flat=True)
    other = opened.placement(who.id, from_) if from_ else None
    if from_ and other is None:
        raise LesionmapError(f"a skeleton placed on visit {from_} was expected, none is there; place it first")
    before = (other.scan or other) if other else None
    own = opened.placement(who.id, when.key)
    placement = place_scan(who, when, own, marks, by_counts=by_counts, before=before)
    return placement, by_counts_words(when) + (f", from {from_}" if from_ else "")


def _one_way(ways: dict[str, bool]) -> None:
    """Refuse none or several ways to place."""
    given = [name for name, is_given in ways.items() if is_given]
    if len(given) != 1:
        raise typer.BadParameter(
            "one way to place is needed: --landmarks, or --labels with --names, or --from, or --auto; "
            f"got {' and '.join(given) or 'none'}"
        )


def _placed(
    landmarks: Path | None,
    labels: Path | None,
    names: str | None,
    size: tuple[float | None, Literal["F", "M"] | None, float | None],
) -> "tuple[Placement, Volume | None]":
    """Place the skeleton as the options say; ``size``: age in years, sex, stature in cm. Give the label map too."""
    from lesionmap import skeleton
    from lesionmap.read.rows import read_landmarks

    if landmarks is None and labels is None:
        raise typer.BadParameter("--landmarks, or --labels with --names, is needed")
    if (labels is None) != (names is None):
        raise typer.BadParameter("--labels and --names go together: the numbers of a label map have no default meaning")
    age, sex, stature = size
    positions = read_landmarks(landmarks) if landmarks else {}
    if labels is None or names is None:
        return skeleton.place(positions, age_y=age, sex=sex, stature_cm=stature), None
    from lesionmap.place import place_file

    return place_file(labels, names, age_y=age, sex=sex, stature_cm=stature, landmarks=positions)


def _tell(placement: "Placement", words: str = "") -> None:
    """Say how the skeleton was placed; ``words``: by which images."""
    inferred = " (inferred)" if "age_y" in placement.inferred else ""
    size = f"age {placement.age_y:.1f} y{inferred}, stature {placement.stature_cm:.0f} cm"
    placed = [mark for mark in placement.landmarks if mark.placed]
    estimated = [mark.radius90_mm for mark in placement.landmarks if not mark.placed]
    if placed:
        say(f"placed on {len(placed)} landmarks, {len(estimated)} more estimated; {size}")
    else:
        middle = sorted(estimated)[len(estimated) // 2]
        say(f"placed {words}: {len(estimated)} landmarks estimated, ± {middle:.0f} mm as a rule; {size}")
    for warning in placement.warnings:
        typer.echo(f"lesionmap: warning: {warning}", err=True)


def locate(
    output: Out,
    landmarks: Landmarks = None,
    labels: Labels = None,
    names: Names = None,
    points: Annotated[Path | None, typer.Option("--points", help="CSV: id,x_lps_mm,y_lps_mm,z_lps_mm.")] = None,
    mask: Annotated[Path | None, typer.Option("--mask", help="NIfTI: each value is one lesion; 0/1 is split.")] = None,
    age: Age = None,
    sex: SexOption = None,
    stature: Stature = None,
    view: Annotated[
        Literal["anterior", "posterior"] | None,
        typer.Option("--view", help="Landmarks and points are on a bone scan's view: y may be empty."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Say in which bone, segment and side points lie.

    Points or the lesions of a mask; needs no study. On a view of a bone scan, which has no depth, the most probable
    site, its probability and the second one.
    """
    from lesionmap.write import write_table

    if (points is None) == (mask is None):
        raise typer.BadParameter("one of --points and --mask is needed, and not both")
    if view and (labels or not points or not landmarks):
        raise typer.BadParameter("--view goes with --landmarks and --points")
    with busy("locating"):
        if view and landmarks and points:
            placement = _flat(landmarks, (age, sex, stature))
            rows = list(seen_rows(points, placement, view))
        else:
            placement, volume = _placed(landmarks, labels, names, (age, sex, stature))
            rows = list(point_rows(points, placement, volume) if points else mask_rows(mask, placement, volume))
    write_table(rows, POINT_COLUMNS if points else MASK_COLUMNS, output, overwrite=overwrite)
    _tell(placement)
    say(f"{len(rows)} rows written to {output}")


def _flat(path: Path, size: tuple[float | None, Literal["F", "M"] | None, float | None]) -> "Placement":
    """Place the skeleton on landmarks of a planar view."""
    from lesionmap import skeleton
    from lesionmap.read.rows import read_landmarks

    age, sex, stature = size
    return skeleton.place(read_landmarks(path, flat=True), age_y=age, sex=sex, stature_cm=stature, flat=True)


def seen_rows(path: Path, placement: "Placement", view: Literal["anterior", "posterior"]) -> "Iterator[dict[str, Any]]":
    """Give one row for each point on a planar view, in the order of the file; what has no depth has no coordinates."""
    from lesionmap import skeleton
    from lesionmap.read.rows import read_points

    ids, positions = read_points(path, flat=True)
    for name, point in zip(ids, positions, strict=True):
        seen = skeleton.locate_seen(point, placement, view)
        yield {
            "id": name,
            **_parts(seen[0].site if seen else ""),
            "confidence": seen[0].confidence if seen else None,
            "second_site": seen[1].site if len(seen) > 1 else None,
        }


def _parts(site: str) -> dict[str, str | None]:
    """Give the columns that follow from a site id; empty where there is none."""
    from lesionmap import skeleton

    if not site:
        return dict.fromkeys(("site", "bone", "segment", "side"))
    found = skeleton.site(site)
    return {"site": found.id, "bone": found.bone, "segment": found.segment, "side": found.side}


def point_rows(path: Path, placement: "Placement", labels: "Volume | None" = None) -> "Iterator[dict[str, Any]]":
    """Give one row for each point of ``points.csv``, in its order."""
    from lesionmap import skeleton
    from lesionmap.read.rows import read_points

    ids, positions = read_points(path)
    found = skeleton.locate(positions, placement, labels)
    parts = {site: _parts(site) for site in set(found.site.tolist())}
    columns = {
        "fraction_along": found.fraction_along.tolist(),
        "distance_mm": found.distance_mm.tolist(),
        "inside": found.inside.tolist(),
        "confidence": found.confidence.tolist(),
        "second_site": [site or None for site in found.second_site.tolist()],
    }
    for name, site, *values in zip(ids, found.site.tolist(), *columns.values(), strict=True):
        yield {"id": name, **parts[site], **dict(zip(columns, values, strict=True))}


def mask_rows(path: Path | None, placement: "Placement", labels: "Volume | None" = None) -> "Iterator[dict[str, Any]]":
    """Give a row for each site that each lesion of a mask touches; a lesion in no bone has one row without a site."""
    import numpy as np

    from lesionmap import annotate, skeleton
    from lesionmap.read import read_mask

    if path is None:
        return
    volume = read_mask(there(path))
    lesions = annotate.lesions_from_mask(volume)
    values = np.unique(volume.array[volume.array != 0])
    numbers = values.tolist() if len(values) == len(lesions) > 1 else range(1, len(lesions) + 1)
    for number, lesion in zip(numbers, lesions, strict=True):
        shares = skeleton.site_shares(lesion.lps_mm(), placement, labels)
        if not shares:
            yield {"component": number}
        for share in shares:
            yield {
                "component": number,
                **_parts(share.site),
                "share": share.share,
                "physis": share.physis,
                "growth_risk": "yes" if share.growth_risk else None,
            }
