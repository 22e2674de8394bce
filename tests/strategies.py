"""Hypothesis strategies for the facts of lesionmap, used by all tests.

What they draw is never symmetric: the three axes of a grid differ in length and in spacing, the grid is always
tilted, about half of the grids are left-handed, and none is a cube, an identity or a positive diagonal.
"""

from __future__ import annotations

from datetime import date
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from lesionmap.lesions import Answer, Attributes, Extent, Lesion, LesionMap, Mask
from lesionmap.skeleton import LabelMap, PlacedLandmark, Placement, anatomy
from lesionmap.space import Grid, Volume
from lesionmap.visits import ImageFile, Patient, Reference, Series, Station, Visit

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy
    from numpy.typing import NDArray

    from lesionmap.visits import Phase

__all__ = [
    "answers",
    "attributes",
    "extents",
    "grids",
    "label_volumes",
    "lesion_maps",
    "lesions",
    "lps_points",
    "masks",
    "patients",
    "placements",
    "readers",
    "references",
    "series",
    "site_names",
    "texts",
    "tracks",
    "visits",
]

_SPACINGS_MM = (0.47, 0.9, 1.25, 1.7, 2.3, 3.6, 5.5)


def texts(max_size: int = 20) -> SearchStrategy[str]:
    """Draw any text that a reader could type: quotes, new lines, other scripts; no lone surrogates."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=max_size)


def readers() -> SearchStrategy[str]:
    """Draw names that a reader may have, the nasty ones too."""
    nasty = ("anna", "consensus", "O'Brien", 'x"; DROP TABLE edit; --', "%", "_", "Ænne Ö", "読影者")
    return st.sampled_from(nasty)


def _turn(axis: NDArray[np.float64], angle_rad: float) -> NDArray[np.float64]:
    """Give the rotation about an axis (Rodrigues)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned = np.eye(3) + np.sin(angle_rad) * cross + (1 - np.cos(angle_rad)) * cross @ cross
    return np.asarray(turned, dtype=np.float64)


@st.composite
def grids(draw: DrawFn, *, smallest: int = 2, largest: int = 9, left_handed: bool | None = None) -> Grid:
    """Draw a grid: axes permuted and flipped, tilted by 2 to 40 degrees, anisotropic, three unequal lengths.

    ``left_handed`` fixes the handedness (None: either).
    """
    shape = draw(st.lists(st.integers(smallest, largest), min_size=3, max_size=3, unique=True))
    spacing = draw(st.lists(st.sampled_from(_SPACINGS_MM), min_size=3, max_size=3, unique=True))
    order = draw(st.sampled_from(list(permutations(range(3)))))
    signs = draw(st.lists(st.sampled_from([-1.0, 1.0]), min_size=3, max_size=3))
    axes = np.eye(3)[:, list(order)] * signs
    if left_handed is not None and (np.linalg.det(axes) < 0) != left_handed:
        axes[:, 2] *= -1
    tilt_axis = np.array([draw(st.sampled_from([-1.0, -0.4, 0.3, 0.8])) for _ in range(3)])
    turned = _turn(tilt_axis, np.radians(draw(st.floats(2, 40)))) @ axes
    matrix = np.eye(4)
    matrix[:3, :3] = turned * spacing
    matrix[:3, 3] = [draw(st.floats(-300, 300, width=32)) for _ in range(3)]
    return Grid((shape[0], shape[1], shape[2]), matrix)


@st.composite
def lps_points(draw: DrawFn, *, n_max: int = 8) -> NDArray[np.float64]:
    """Draw 1 to ``n_max`` points of a patient, LPS mm, shape (n, 3)."""
    rows = draw(st.lists(st.tuples(*[st.floats(-900, 900)] * 3), min_size=1, max_size=n_max))
    return np.array(rows, dtype=np.float64)


@st.composite
def label_volumes(draw: DrawFn, *, labels: int = 3) -> Volume:
    """Draw a volume of whole numbers 0 to ``labels``."""
    grid = draw(grids())
    seed = draw(st.integers(0, 2**32 - 1))
    array = np.random.default_rng(seed).integers(0, labels + 1, grid.shape).astype(np.uint8)
    return Volume(array, grid)


@st.composite
def masks(draw: DrawFn, *, grid: Grid | None = None) -> Mask:
    """Draw a mask of 1 to 12 voxels, on ``grid`` or on one of its own."""
    on = draw(grids()) if grid is None else grid
    voxel = st.tuples(*[st.integers(0, n - 1) for n in on.shape])
    return Mask.of_voxels(np.array(draw(st.lists(voxel, min_size=1, max_size=12))), on)


def site_names() -> SearchStrategy[str]:
    """Draw a site id, or (one time in five or so) the name of a site group."""
    ids = [site.id for site in anatomy.sites()]
    names = [group.id for group in anatomy.groups()]
    return st.one_of(*[st.sampled_from(ids)] * 4, st.sampled_from(names))


def tracks() -> SearchStrategy[str]:
    """Draw a Tracking UID of the kind 2.25.x."""
    return st.integers(1, 2**128 - 1).map(lambda number: f"2.25.{number}")


_PHASES: tuple[Phase | None, ...] = (None, "early", "late")
_phases = st.sampled_from(_PHASES)
_yes_no = st.sampled_from([None, True, False])


def attributes() -> SearchStrategy[Attributes]:
    """Draw attributes; each may be *not assessed*."""
    return st.builds(
        Attributes,
        soft_tissue_oedema=_yes_no,
        periosteal_reaction=_yes_no,
        bone_expansion=_yes_no,
        vertebral_height_loss=_yes_no,
        disc_involved=_yes_no,
        physeal_damage=_yes_no,
        joint_involved=_yes_no,
        appearance=st.sampled_from([None, "lytic", "sclerotic", "mixed"]),
        painful=_yes_no,
        biopsied=_yes_no,
    )


@st.composite
def extents(draw: DrawFn, *, series_name: str = "STIR coronal") -> Extent:
    """Draw an extent: a mask, a marker or nothing drawn."""
    kind = draw(st.sampled_from(["mask", "marker", "nothing"]))
    mask = draw(masks()) if kind == "mask" else None
    point = draw(st.tuples(*[st.floats(-900, 900)] * 3)) if kind == "marker" else None
    return Extent(series_name, mask, point, draw(_phases))


@st.composite
def lesions(draw: DrawFn, *, lesion_id: str = "L1") -> Lesion:
    """Draw a lesion of that id, on up to three series."""
    names = draw(st.lists(st.sampled_from(["STIR coronal", "T1 sagittal", "bone scan"]), max_size=3, unique=True))
    return Lesion(
        id=lesion_id,
        sites=tuple(draw(st.lists(site_names(), min_size=1, max_size=3, unique=True))),
        certainty=draw(st.sampled_from(["definite", "probable", "equivocal", "normal_variant", "not_bone"])),
        tracks=tuple(draw(st.lists(tracks(), max_size=2, unique=True))),
        extents=tuple(draw(extents(series_name=name)) for name in names),
        attributes=draw(attributes()),
        change=draw(st.sampled_from([None, "improved", "persistent", "worsened"])),
        physis=draw(st.sampled_from([None, "touches", "crosses", "spares"])),
        note=draw(texts()),
    )


def answers(track: SearchStrategy[str] | None = None) -> SearchStrategy[Answer]:
    """Draw an answer for a track."""
    verdicts = st.sampled_from(["resolved", "not_imaged", "cannot_judge"])
    return st.builds(Answer, track=tracks() if track is None else track, verdict=verdicts, note=texts())


@st.composite
def lesion_maps(
    draw: DrawFn, *, patient: str = "P001", visit: str = "2010-05-04", reader: str = "anna", most: int = 4
) -> LesionMap:
    """Draw a lesion map of up to ``most`` lesions (numbers may be missing) and two answers."""
    numbers = sorted(draw(st.lists(st.integers(1, 12), max_size=most, unique=True)))
    marked = tuple(draw(lesions(lesion_id=f"L{number}")) for number in numbers)
    seen = {track for lesion in marked for track in lesion.tracks}
    others = draw(st.lists(tracks().filter(lambda t: t not in seen), max_size=2, unique=True))
    said = tuple(draw(answers(st.just(track))) for track in others)
    used = max(numbers, default=0)
    return LesionMap(patient, visit, reader, marked, said, draw(st.booleans()), used=used)


def patients(patient_id: str = "P001") -> SearchStrategy[Patient]:
    """Draw a child of that pseudonym, born 1995 to 2008 or at an unknown date."""
    births = st.none() | st.dates(date(1995, 1, 1), date(2008, 12, 31))
    return st.builds(Patient, id=st.just(patient_id), sex=st.sampled_from([None, "F", "M"]), birth_date=births)


_uids = st.integers(1, 2**64).map(lambda number: f"1.2.826.0.1.{number}")


@st.composite
def _stations(draw: DrawFn, grid: Grid) -> Station:
    """Draw a station of one file a slice, or (NIfTI) one file."""
    if draw(st.booleans()):
        file = ImageFile(f"/images/{draw(texts(6))}.nii.gz", "", "ab" * 32)
        return Station(grid, (file,), volume_index=draw(st.integers(0, 3)))
    files = tuple(
        ImageFile(f"/images/I{k:04d}", draw(_uids), f"{k:064x}", draw(st.sampled_from([(), (k,)])))
        for k in range(grid.shape[2])
    )
    return Station(grid, files, draw(_uids), draw(st.just("") | _uids))


@st.composite
def series(draw: DrawFn, *, name: str = "STIR coronal") -> Series:
    """Draw a series of that name: MR of one or two stations, or a planar bone scan."""
    whole = draw(grids())
    planar = draw(st.booleans())
    if planar:
        whole = Grid((*whole.shape[:2], 1), whole.lps_from_voxel)
    stations = [whole] if planar else [draw(grids()) for _ in range(draw(st.integers(1, 2)))]
    return Series(
        name=name,
        grid=whole,
        modality="NM" if planar else "MR",
        sequence="planar" if planar else draw(st.sampled_from(["STIR", "T1", "T2", "DWI", ""])),
        plane=draw(st.sampled_from(["anterior", "posterior"] if planar else ["coronal", "sagittal", "oblique"])),
        stations=tuple(draw(_stations(grid)) for grid in stations),
        kind=tuple(draw(st.lists(st.sampled_from(["magnitude", "b=800", "fat"]), max_size=2, unique=True))),
        phase=draw(_phases) if planar else None,
        projection=planar,
        mirrored=planar and draw(st.booleans()),
        study_uid=draw(st.just("") | _uids),
        uptake_min=draw(st.none() | st.floats(1, 300)) if planar else None,
        note=draw(texts()),
    )


@st.composite
def visits(draw: DrawFn, *, patient: str = "P001", most_series: int = 2) -> Visit:
    """Draw a visit of 2009 to 2020 with up to ``most_series`` series; it may have none."""
    names = ["STIR coronal", "T1 sagittal", "bone scan anterior late"][:most_series]
    chosen = draw(st.lists(st.sampled_from(names), max_size=most_series, unique=True)) if names else []
    return Visit(
        patient=patient,
        date=draw(st.dates(date(2009, 1, 1), date(2020, 12, 31))),
        ordinal=draw(st.integers(1, 3)),
        age_y=draw(st.none() | st.floats(0, 20)),
        stature_cm=draw(st.none() | st.floats(70, 190)),
        weight_kg=draw(st.none() | st.floats(8, 90)),
        series=tuple(draw(series(name=name)) for name in chosen),
    )


@st.composite
def references(draw: DrawFn, *, series_name: str = "STIR coronal") -> Reference:
    """Draw the reference region of a series."""
    return Reference(series_name, draw(masks()))


@st.composite
def placements(draw: DrawFn) -> Placement:
    """Draw a placement as a record: landmarks anywhere, with or without label map and coverage. Not a possible body."""
    point = st.tuples(*[st.floats(-900, 900)] * 3)
    marks = tuple(
        PlacedLandmark(name, draw(point), placed, 0.0 if placed else draw(st.floats(0, 80)))
        for name in draw(st.lists(st.sampled_from([*anatomy.landmarks(), "T7"]), max_size=6, unique=True))
        for placed in [draw(st.booleans())]
    )
    shares = st.tuples(st.sampled_from([site.id for site in anatomy.sites()]), st.floats(0, 1))
    labels = LabelMap("/labels.nii.gz", "cd" * 32, ((7, "femur", "left"), (7, "tibia", "left")))
    return Placement(
        landmarks=marks,
        age_y=draw(st.floats(2, 18)),
        sex=draw(st.sampled_from([None, "F", "M"])),
        stature_cm=draw(st.floats(70, 190)),
        inferred=draw(st.sampled_from([(), ("age_y",), ("age_y", "stature_cm")])),
        how=draw(st.sampled_from(["landmarks", "labels", "previous", "silhouette"])),
        labels=draw(st.sampled_from([None, labels])),
        coverage=draw(st.none() | st.lists(shares, max_size=3).map(tuple)),
        warnings=tuple(draw(st.lists(texts(), max_size=2))),
    )
