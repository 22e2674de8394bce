"""A battery of named checks over bones.toml, the one source of truth of the atlas.

Each check reads the table or the posed skeleton of a child of the growth model. Figures to compare with are published
ones, read from the table where it has them as data and written here, with their source, where it does not.
"""

from __future__ import annotations

import csv
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from atlas_child import LONG, balls, of_ages, placed
from lesionmap import skeleton
from lesionmap.skeleton import growth
from lesionmap.skeleton.anatomy import table
from lesionmap.skeleton.segments import axis_of, coordinates, site_names
from lesionmap.skeleton.shape import pose
from shared import shared_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.shape import Posed

    Array = NDArray[np.float64]


def surface_gap_mm(placement: Placement, bone: str, landmark: str) -> float:
    """Give how far a landmark lies from the surface of a bone of its side; negative inside."""
    side = landmark.rpartition("_")[2]
    own = (lambda t: t.bone == bone and t.side == side) if side in {"left", "right"} else (lambda t: t.bone == bone)
    centres, radii = balls(placement, own)
    return float((np.linalg.norm(centres - placement.positions()[landmark], axis=1) - radii).min())


# ---- the table ------------------------------------------------------------------------------------------------------


def test_ids_are_unique() -> None:
    for rows in (
        [row["id"] for row in table()["bone"]],
        [row["name"] for row in table()["bone"]],
        [site.id for site in skeleton.sites()],
        [site.name for site in skeleton.sites()],
        [group.id for group in skeleton.groups()],
        list(skeleton.landmarks()),
    ):
        assert len(rows) == len(set(rows))


def test_ids_are_snake_case_and_name_every_bone_of_the_design() -> None:
    found = {bone.id for bone in skeleton.bones()}
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*(_[CTL]?\d+)?", name) for name in found)
    spine = [f"vertebra_{letter}{n}" for letter, most in (("C", 7), ("T", 12), ("L", 5)) for n in range(1, most + 1)]
    rays = [f"{name}_{n}" for name in ("metacarpal", "finger", "metatarsal", "toe") for n in range(1, 6)]
    others = {
        "skull", "mandible", "sacrum", "coccyx", "sternum", "clavicle", "scapula", "carpals", "ilium", "ischium",
        "pubis", "patella", "talus", "calcaneus", "navicular", "cuboid", "cuneiform_medial",
        "cuneiform_intermediate", "cuneiform_lateral",
    }  # fmt: skip
    assert found == {*spine, *rays, *others, *LONG, *(f"rib_{n}" for n in range(1, 13))}


def test_each_part_names_a_bone_a_frame_and_a_segment_that_exist() -> None:
    for row in table()["part"]:
        bone = skeleton.bone(row["bone"])
        assert row["hang"] in table()["frames"]
        assert row.get("segment", "neck") in (*bone.segments, "neck"), row["bone"]
        assert not row.get("paired") or not bone.paired
        nodes = np.array(row["nodes"], dtype=float)
        assert nodes.shape[1] == 5
        assert (nodes[:, 3:] > 0).all()
        assert (np.linalg.norm(np.diff(nodes[:, :3], axis=0), axis=1) > 0.5).all(), row["bone"]


def test_every_bone_has_a_part_or_is_a_vertebra() -> None:
    parts = {row["bone"] for row in table()["part"]} | {f"vertebra_{name}" for name in table()["vertebrae"]}
    assert parts == {bone.id for bone in skeleton.bones()}


# ---- codes ----------------------------------------------------------------------------------------------------------

# Rows of site_codes.csv whose bone has another name there.
ALIAS = {
    "carpus": "carpals", "navicular (foot)": "navicular", "medial cuneiform": "cuneiform_medial",
    "intermediate cuneiform": "cuneiform_intermediate", "lateral cuneiform": "cuneiform_lateral",
}  # fmt: skip
SEGMENT = {
    "manubrium": "sternum.manubrium", "body of sternum": "sternum.body", "acetabulum": "ilium.acetabular",
    "vertebra part: vertebral body": "vertebra.body", "vertebra part: vertebral arch": "vertebra.posterior_elements",
    "sacroiliac joint": "ilium.sacroiliac", "greater trochanter": "femur.greater_trochanter",
    "apophysis (generic)": "calcaneus.apophysis", "diaphysis (generic)": "long.diaphysis",
    "proximal epiphysis (generic)": "long.proximal_epiphysis", "distal epiphysis (generic)": "long.distal_epiphysis",
    "proximal metaphysis (generic)": "long.proximal_metaphysis",
    "distal metaphysis (generic)": "long.distal_metaphysis",
}  # fmt: skip


@cache
def code_rows() -> dict[str, dict[str, str]]:
    path = shared_data("").parent / "site_codes.csv"
    if not path.is_file():
        pytest.skip("../shared/site_codes.csv is not on this machine")
    with path.open(encoding="utf-8") as stream:
        return {row["site"]: row for row in csv.DictReader(stream)}


def bone_of(name: str) -> str:
    """Give our id of the bone that a row of the table of codes names; empty where it is none of ours."""
    known = {bone.id for bone in skeleton.bones()}
    vertebra = re.fullmatch(r"([CTL]\d+) vertebra", name)
    wanted = f"vertebra_{vertebra[1]}" if vertebra else ALIAS.get(name, name.replace(" ", "_"))
    return wanted if wanted in known else ""


def human(row: dict[str, str]) -> str:
    """Give the SCT code of a row, empty where only groups for animals have it (8134 is for any species)."""
    groups = {text for text in row["dicom_cids_first6"].split(";") if text}
    return "" if groups and groups <= {"7482", "7483", "8134"} else row["sct_code"]


def test_codes_agree_with_the_191_rows_where_both_give_one() -> None:
    assert len(code_rows()) == 191
    wrong, seen = [], set()
    for name, row in code_rows().items():
        bone = bone_of(name)
        if not bone:
            continue
        seen.add(bone)
        own = next(entry for entry in table()["bone"] if entry["id"] == bone)
        if (own.get("sct") or [""])[0] != human(row) or own.get("fma", "") != row["fma"]:
            wrong.append((bone, own.get("sct"), row["sct_code"], own.get("fma"), row["fma"]))
    # Fingers and toes have no row: DICOM and FMA know single phalanges only.
    assert {b.id for b in skeleton.bones()} - seen == {f"{n}_{i}" for n in ("finger", "toe") for i in range(1, 6)}
    assert wrong == []


def test_codes_of_segments_agree_with_the_191_rows() -> None:
    wrong = []
    for name, row in code_rows().items():
        if name in SEGMENT:
            family, segment = SEGMENT[name].split(".")
            own = table()["segments"][family][segment]
            told = {"sct": (own.get("sct") or [""])[0], "fma": own.get("fma", "")}
            theirs = {"sct": row["sct_code"], "fma": row["fma"]}
        elif ", " in name and name.partition(", ")[0] in LONG:
            bone, words = name.split(", ")
            segment = "diaphysis" if "diaphysis" in words else words.replace(" ", "_")
            own = next(entry for entry in table()["bone"] if entry["id"] == bone).get("segment_fma", {})
            told = {"sct": "", "fma": own.get(segment, "")}
            # DICOM's "end segment" holds epiphysis and metaphysis: it is no segment of ours.
            theirs = {"sct": "", "fma": "" if "segment" in words else row["fma"]}
        else:
            continue
        wrong += [(name, told, theirs)] * (told != theirs)
    assert wrong == []


def test_codes_are_well_formed_and_given_once() -> None:
    own = [(row["id"], row["sct"][0]) for row in table()["bone"] if "sct" in row]
    assert len({code for _, code in own}) == len(own)
    for row in table()["bone"]:
        value, meaning = row.get("sct") or row["parent"]
        assert re.fullmatch(r"\d{6,18}", value)
        assert meaning
        assert ("sct" in row) != ("parent" in row)
        assert re.fullmatch(r"(FMA:\d+)?", row.get("fma", ""))
    fma = [row["fma"] for row in table()["bone"] if row.get("fma")]
    assert len(set(fma)) == len(fma)


def test_codes_are_empty_only_where_there_is_none() -> None:
    """DICOM has no code of its own for these; FMA none for T8, and none for a whole finger or toe."""
    rays = {f"{name}_{n}" for name in ("metacarpal", "finger", "metatarsal", "toe") for n in range(1, 6)}
    tarsals = {"navicular", "cuboid", "cuneiform_medial", "cuneiform_intermediate", "cuneiform_lateral"}
    assert {row["id"] for row in table()["bone"] if "sct" not in row} == {"pubis", *rays, *tarsals}
    phalanges = {f"{name}_{n}" for name in ("finger", "toe") for n in range(1, 6)}
    assert {row["id"] for row in table()["bone"] if not row.get("fma")} == {"vertebra_T8", *phalanges}


def test_codes_are_never_veterinary() -> None:
    from pydicom.sr.codedict import codes

    def of(*numbers: int) -> set[str]:
        groups = [getattr(codes, f"cid{number}") for number in numbers]
        return {getattr(group, name).value for group in groups for name in dir(group) if name[0].isupper()}

    animal, people = of(7482, 7483), of(4, 1000, 1006, 4031, 6115, 7304, 7602, 7603)
    used = set(re.findall(r'"(\d{6,18})"', str(table()).replace("'", '"')))
    assert len(used) > 60
    assert used & (animal - people) == set()
    assert not used & {"75772009", "30518006", "108371006"}


def test_codes_that_pydicom_knows_have_its_meaning() -> None:
    from pydicom.sr.coding import Code

    for row in table()["bone"]:
        value, meaning = row.get("sct") or row["parent"]
        known = Code(value, "SCT", meaning)
        assert known.value == value
    rows = {row["sct_code"]: row["sct_meaning_in_pydicom"] for row in code_rows().values() if row["sct_code"]}
    told = {row["sct"][0]: row["sct"][1] for row in table()["bone"] if "sct" in row}
    assert {code: text for code, text in told.items() if rows.get(code) and rows[code] != text} == {}


# ---- left and right -------------------------------------------------------------------------------------------------


def test_left_and_right_have_the_same_sites() -> None:
    names = {site.id for site in skeleton.sites()} | {group.id for group in skeleton.groups()}
    assert {skeleton.mirror(name) for name in names} == names
    for bone in skeleton.bones():
        sides = [site.side for site in skeleton.sites() if site.bone == bone.id and bone.paired]
        assert sides.count("left") == sides.count("right")


@of_ages
def test_left_and_right_are_mirror_images_under_a_mirrored_placement(age: int) -> None:
    """A crooked body and its mirror image: each tube of one side is the mirror image of the other side's."""
    rng = np.random.default_rng(age)
    marks = {n: np.array(p) + rng.normal(0, 4, 3) for n, p in placed(age).positions().items()}
    swapped = {skeleton.mirror(n): p * [-1, 1, 1] for n, p in marks.items()}
    one, other = (skeleton.place({n: p.tolist() for n, p in m.items()}, age_y=age, sex="F") for m in (marks, swapped))
    first, second = pose(one), pose(other)
    for name in ("femur", "rib_7", "scapula", "toe_2", "clavicle", "ilium"):
        left = [t for t in first.tubes if t.bone == name and t.side == "left"]
        right = [t for t in second.tubes if t.bone == name and t.side == "right"]
        assert len(left) == len(right) > 0
        for a, b in zip(left, right, strict=True):
            assert np.allclose(a.nodes * [-1, 1, 1], b.nodes, atol=0.2), name
            for v, w in ((a.wide, b.wide), (a.across, b.across)):
                assert np.allclose(np.linalg.norm(v, axis=1), np.linalg.norm(w, axis=1), atol=0.2), name


# ---- segments -------------------------------------------------------------------------------------------------------


def points_in(posed: Posed, seed: int) -> tuple[Array, NDArray[np.int_]]:
    """Give three points inside each ball of a posed skeleton, and whose they are."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(len(posed.radii)), 3)
    way = rng.normal(size=(len(owner), 3))
    way *= (rng.uniform(0, 1, len(owner)) ** (1 / 3) / np.linalg.norm(way, axis=1))[:, None]
    return posed.centres[owner] + way * posed.radii[owner, None], owner


def sites_of(points: Array, balls: NDArray[np.int_], placement: Placement) -> list[str]:
    """Give the site of points whose balls are known."""
    return [str(site) for site in site_names()[coordinates(points, balls, placement).code]]


@of_ages
def test_segments_cover_each_bone_without_gap_or_overlap(age: int) -> None:
    """Every point in a posed bone gets exactly one site, one of that bone and side."""
    posed = pose(placed(age))
    points, owner = points_in(posed, age)
    found = sites_of(points, owner, placed(age))
    known = {site.id for site in skeleton.sites()}
    own = [(posed.tubes[n].bone, posed.tubes[n].side) for n in posed.tube[owner]]
    strange = {
        (site, bone, side)
        for site, (bone, side) in zip(found, own, strict=True)
        if site not in known
        or site.split(".")[0] != bone
        # A bone of the midline, the sacrum, has sites of its halves too.
        or (side != "midline" and site.split(".")[2] not in (side, "midline"))
    }
    assert strange == set()


@of_ages
def test_each_site_is_reached(age: int) -> None:
    posed = pose(placed(age))
    points, owner = points_in(posed, age)
    found = sites_of(points, owner, placed(age))
    assert {site.id for site in skeleton.sites()} - set(found) == set()


@of_ages
@pytest.mark.parametrize("bone", LONG)
def test_segments_follow_one_another_along_a_long_bone(age: int, bone: str) -> None:
    posed, axis = pose(placed(age)), axis_of(bone, "left", placed(age))
    shaft = [n for n, t in enumerate(posed.tubes) if t.bone == bone and t.side == "left"]
    mine = np.flatnonzero(posed.tube == max(shaft, key=lambda n: len(posed.tubes[n].nodes)))
    along = (posed.centres[mine] - axis.origin) @ axis.direction
    line = axis.origin + np.linspace(0.0, 1.0, 401)[:, None] * axis.direction * axis.length_mm
    ball = mine[np.abs(along - ((line - axis.origin) @ axis.direction)[:, None]).argmin(axis=1)]
    segments = [site.split(".")[1] for site in sites_of(line, ball, placed(age))]
    # Of the femur, the head lies beside the axis, and the trochanter at its top.
    segments = [s for s in segments if s != "greater_trochanter"]
    runs = [s for n, s in enumerate(segments) if n == 0 or segments[n - 1] != s]
    first = 1 if bone == "femur" else 0
    wanted = ("proximal_epiphysis", "proximal_metaphysis", "diaphysis", "distal_metaphysis", "distal_epiphysis")
    assert runs == list(wanted[first:])


# ---- landmarks ------------------------------------------------------------------------------------------------------

# Bone, landmark, and how far at most the landmark may lie from the bone's surface (outside), mm of an adult.
REACHES = [
    ("femur", "hip_left", 0.0), ("femur", "knee_left", 10.0), ("tibia", "knee_left", 10.0),
    ("tibia", "ankle_left", 10.0), ("fibula", "ankle_left", 25.0), ("talus", "ankle_left", 12.0),
    ("calcaneus", "heel_left", 6.0), ("metatarsal_2", "toe2_left", 6.0), ("humerus", "shoulder_left", 0.0),
    ("humerus", "elbow_left", 6.0), ("radius", "wrist_left", 20.0), ("ulna", "wrist_left", 25.0),
    ("metacarpal_3", "mcp3_left", 6.0), ("finger_3", "fingertip3_left", 8.0), ("clavicle", "sc_joint_left", 6.0),
    ("clavicle", "ac_joint_left", 8.0), ("scapula", "ac_joint_left", 12.0), ("sternum", "sternal_notch", 6.0),
    ("sternum", "xiphoid", 8.0), ("mandible", "chin", 8.0), ("mandible", "mandible_angle_left", 8.0),
    ("skull", "vertex", 10.0), ("ilium", "asis_left", 8.0), ("ilium", "si_joint_left", 10.0),
    ("sacrum", "si_joint_left", 10.0), ("ischium", "ischium_left", 6.0), ("pubis", "pubis", 12.0),
    ("sacrum", "S1", 0.0), ("coccyx", "coccyx", 8.0), ("pubis", "hip_left", 40.0), ("ilium", "hip_left", 30.0),
]  # fmt: skip


@of_ages
@pytest.mark.parametrize(("bone", "landmark", "most_mm"), REACHES, ids=[f"{b}-{m}" for b, m, _ in REACHES])
def test_every_bone_reaches_its_landmarks(age: int, bone: str, landmark: str, most_mm: float) -> None:
    size = placed(age).stature_cm / 169.0
    assert surface_gap_mm(placed(age), bone, landmark) <= max(most_mm * size, 0.5)


@of_ages
def test_vertebral_bodies_lie_at_their_landmarks(age: int) -> None:
    marks = placed(age).positions()
    for name in growth.vertebra_names():
        body = [t for t in pose(placed(age)).tubes if t.bone == f"vertebra_{name}" and t.segment == "body"]
        centre = np.mean([t.at(np.array([0.5]))[0][0] for t in body], axis=0)
        assert np.linalg.norm(centre - marks[name]) < 1.0, name


@of_ages
def test_heads_of_femur_and_humerus_are_centred_on_hip_and_shoulder(age: int) -> None:
    size = placed(age).stature_cm / 169.0
    for bone, landmark in (("femur", "hip_left"), ("humerus", "shoulder_left")):
        point = np.array(placed(age).positions()[landmark])
        axis = axis_of(bone, "left", placed(age))
        top = float((point - axis.origin) @ axis.direction)
        assert 8.0 * size < top < 36.0 * size, bone


@of_ages
def test_ends_of_bones_lie_at_the_joint_lines(age: int) -> None:
    marks, size = placed(age).positions(), placed(age).stature_cm / 169.0
    for bone, first, last in (("femur", None, "knee"), ("tibia", "knee", "ankle"), ("humerus", None, "elbow")):
        axis = axis_of(bone, "left", placed(age))
        for name, at in ((first, 0.0), (last, axis.length_mm)):
            if name is not None:
                along = float((np.array(marks[f"{name}_left"]) - axis.origin) @ axis.direction)
                assert abs(along - at) < 25.0 * size, (bone, name)


# ---- sources --------------------------------------------------------------------------------------------------------


def figures(value: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Give the path of every figure, ``growth.stature_cm.M``; lists are one figure."""
    if isinstance(value, dict):
        for name, below in value.items():
            yield from figures(below, (*path, name))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for row in value:
            yield from figures(row, (*path, str(row.get("bone", row.get("name", "")))))
    elif not isinstance(value, (str, bool)) and not (isinstance(value, list) and isinstance(value[0], str)):
        yield ".".join(path)


def covers(source: str, path: str) -> bool:
    return path == source or path.startswith(f"{source}.")


def test_every_figure_has_a_source_or_is_assumed() -> None:
    sources = table()["sources"]
    wanted = {name: value for name, value in table().items() if name not in ("bone", "segments", "groups", "sources")}
    paths = sorted(set(figures(wanted)))
    assert len(paths) > 100
    assert [path for path in paths if not any(covers(source, path) for source in sources)] == []
    assert [source for source in sources if not any(covers(source, path) for path in paths)] == []
    assert all("assumed" in text or re.search(r"\d{4}|[a-z]/[A-Z]|PMID|PMC|doi", text) for text in sources.values())


def test_what_nobody_measured_is_marked_assumed() -> None:
    """Of domain.md section 12: epiphyses, heights of vertebrae, the metaphyses of ulna and fibula."""
    sources = table()["sources"]
    ends = [f"growth.metaphysis.{bone}_{end}" for bone in ("ulna", "fibula") for end in ("proximal", "distal")]
    for name in ("growth.epiphysis", "vertebrae", "growth.metaphysis.radius_proximal", *ends):
        best = max((s for s in sources if covers(s, name) or covers(name, s)), key=len)
        assert "assumed" in sources[best], name
