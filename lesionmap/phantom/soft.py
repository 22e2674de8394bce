"""The phantom's soft parts: the skin's outline as a smooth union of limbs and trunk, and the organs that one sees."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from lesionmap.phantom.shapes import Blob, Frame, Tube, nodes_through, unit
from lesionmap.phantom.trunk import chest

if TYPE_CHECKING:
    from lesionmap.phantom.body import Body
    from lesionmap.phantom.shapes import Array, Form

__all__ = ["discs", "organs", "skin"]


def _round(nodes: Array, radii: list[float]) -> Tube:
    """Give a tube of round cross-section."""
    return Tube(nodes, np.repeat(np.array(radii)[:, None], 2, axis=1), _across(nodes))


def _egg(frame: Frame, at: tuple[float, float, float], half_mm: Array) -> Blob:
    """Give an ellipsoid in the axes of a body part."""
    return Blob(Frame(frame.at(*at), frame.axes), half_mm)


def _across(nodes: Array) -> Array:
    axis = unit(nodes[-1] - nodes[0])
    return unit(np.cross(axis, [0.31, -0.84, 0.44]))


def _limbs(body: Body) -> list[Form]:
    m, biac = body.marks, body.size["biacromial"]
    fat = 1 + 0.10 * body.size.z["fat"]
    foot = body.size["foot"]
    forms: list[Form] = []
    for side in ("left", "right"):
        shoulder, elbow, wrist = (m[f"{n}_{side}"] for n in ("shoulder", "elbow", "wrist"))
        neck = m["T1"] + 0.45 * (m[f"ac_joint_{side}"] - m["T1"])
        forms.append(
            _round(np.array([neck, 0.5 * (neck + shoulder), shoulder]), [0.13 * biac, 0.15 * biac, 0.125 * biac])
        )
        upper = shoulder + np.outer([0, 0.35, 0.75, 1.0], elbow - shoulder)
        forms.append(_round(upper, [r * biac * fat for r in (0.122, 0.118, 0.10, 0.094)]))
        lower = elbow + np.outer([0, 0.25, 0.7, 1.0], wrist - elbow)
        forms.append(_round(lower, [r * biac * fat for r in (0.096, 0.102, 0.078, 0.064)]))
        hip, knee, ankle = (m[f"{n}_{side}"] for n in ("hip", "knee", "ankle"))
        thigh = hip + np.outer([-0.02, 0.2, 0.55, 0.85, 1.0], knee - hip)
        forms.append(_round(thigh, [r * biac * fat for r in (0.225, 0.228, 0.19, 0.158, 0.152)]))
        calf = knee + np.outer([0, 0.25, 0.55, 0.85, 1.0], ankle - knee)
        calf += np.outer([0.0, 10, 7, 2, 0], body.frames["pelvis"].axes[:, 1]) * biac / 300
        forms.append(_round(calf, [r * biac * fat for r in (0.150, 0.155, 0.128, 0.092, 0.094)]))
        heel = m[f"heel_{side}"]
        sole = np.array(
            [heel + 0.15 * (m[f"toe2_{side}"] - heel), 0.5 * (heel + ankle), 0.45 * ankle + 0.55 * m[f"toe2_{side}"]]
        )
        forms.append(_round(sole, [0.115 * foot, 0.13 * foot, 0.12 * foot]))
    return forms


def _digits(body: Body) -> list[Form]:
    """Give a sleeve around each bone of hands and feet."""
    forms: list[Form] = []
    extra = {"metacarpal": 7.5, "finger": 3.6, "metatarsal": 9.0, "toe": 4.2, "carpals": 6.5, "calcaneus": 6.0}
    k = body.size.stature_cm / 140.0
    for shape in body.shapes:
        more = extra.get(shape.bone.split("_")[0], 0.0) * k
        if more and isinstance(shape.form, Tube):
            thick = np.repeat(shape.form.half_mm.max(axis=1, keepdims=True), 2, axis=1) + more
            forms.append(Tube(shape.form.nodes, thick, shape.form.wide))
        elif more and isinstance(shape.form, Blob):
            forms.append(Blob(shape.form.frame, shape.form.half_mm + more))
    return forms


def _trunk(body: Body) -> list[Form]:
    m, f, size = body.marks, body.frames, body.size
    biac, half_iliac = size["biacromial"], size["biiliac"] / 2
    half, depth = chest(size)
    hind = 44 * size.stature_cm / 176.0 + 16
    fat = 1 + 0.06 * size.z["fat"]
    pelvis = f["pelvis"]
    rows = [  # level, half breadth, front, back (from the spine's middle)
        (f["C5"].origin, 0.155 * biac, 0.185 * biac, 0.135 * biac),
        (f["C7"].origin, 0.17 * biac, 0.17 * biac, 0.15 * biac),
        (f["T2"].origin, 0.30 * biac, 0.62 * depth + 12, hind),
        (f["T5"].origin, half + 20, 0.88 * depth + 14, hind + 2),
        (f["T8"].origin, half + 14, depth + 14, hind + 2),
        (f["T11"].origin, 0.97 * half + 10, 0.98 * depth + 14, hind),
        (f["L2"].origin, 0.90 * half + 6, 0.98 * depth, hind - 6),
        (f["L4"].origin, half_iliac + 2, 0.98 * depth, hind - 4),
        (m["S1"], half_iliac + 13, 0.95 * depth + 8, hind + 2),
        (pelvis.at(0, 0.02 * biac, 0.12 * biac), half_iliac + 22, 0.30 * biac, 0.30 * biac),
        (pelvis.at(0, 0.01 * biac, -0.05 * biac), half_iliac + 20, 0.27 * biac, 0.27 * biac),
    ]
    nodes = np.array([p + pelvis.axes[:, 1] * (back - front) / 2 for p, _, front, back in rows])
    halves = np.array([[w * fat, (front + back) / 2 * fat] for _, w, front, back in rows])
    smooth = nodes_through(nodes.tolist(), 18)
    forms: list[Form] = [Tube(smooth, nodes_through(halves.tolist(), 18), pelvis.axes[:, 0], (0.0, 0.10 * biac))]
    seat = np.array([0.20, 0.16, 0.22]) * biac
    cheeks = (pelvis.at(s * 0.19 * biac, 0.17 * biac, 0.02 * biac) for s in (1.0, -1.0))
    return [*forms, *(Blob(Frame(middle, pelvis.axes), seat) for middle in cheeks)]


def _head(body: Body) -> list[Form]:
    h, size = body.frames["head"], body.size
    wide, long = size["head_breadth"] / 2, size["head_length"] / 2
    high = 0.46 * size["head_breadth"]
    base = float((body.marks["vertex"] - h.origin) @ h.axes[:, 2]) - 2 * high
    chin = float((body.marks["chin"] - h.origin) @ h.axes[:, 2])
    vault = Blob(Frame(h.at(0, -0.10 * long, base + high), h.axes), np.array([wide + 2, long + 2, high + 6]))
    rows = [[0, -0.60 * long, base + high], [0, -0.58 * long, 0.5 * (base + chin) + 12], [0, -0.58 * long, chin + 12]]
    half = np.array([[0.80 * wide, 0.50 * long], [0.74 * wide, 0.52 * long], [0.50 * wide, 0.40 * long]])
    face = Tube(h.points(rows), half, h.axes[:, 0])
    nose = Blob(Frame(h.at(0, -1.16 * long, 0.55 * (base + chin) + 30), h.axes), np.array([11.0, 13, 14]))
    neck = np.array([body.frames["T1"].origin, body.frames["C5"].origin, body.frames["C2"].origin])
    neck = neck - h.axes[:, 1] * np.array([[0.03], [0.06], [0.06]]) * size["biacromial"]
    around = _round(neck, [r * size["biacromial"] for r in (0.18, 0.155, 0.155)])
    ears: list[Form] = [
        Blob(Frame(h.at(s * (wide + 7), 0.05 * long, base + 0.55 * high), h.axes), np.array([8.0, 13, 22]))
        for s in (1, -1)
    ]
    return [vault, face, nose, around, *ears]


def skin(body: Body) -> list[Form]:
    """Give the solids whose smooth union is the body with its skin."""
    return [*_trunk(body), *_head(body), *_limbs(body), *_digits(body)]


def discs(body: Body) -> list[Form]:
    """Give the discs between the vertebral bodies."""
    bodies = [s.form for s in body.shapes if s.bone.startswith("vertebra") and s.segments == ("body",)]
    found: list[Form] = []
    for low, high in pairwise(bodies):
        if isinstance(low, Blob) and isinstance(high, Blob):
            gap = float(np.linalg.norm(high.frame.origin - low.frame.origin)) - low.half_mm[2] - high.half_mm[2]
            half = 0.5 * (low.half_mm + high.half_mm) * [0.94, 0.94, 0] + [0, 0, max(0.5 * gap, 0.8)]
            found.append(Blob(Frame(0.5 * (low.frame.origin + high.frame.origin), low.frame.axes), half, 4.0))
    last = bodies[0]
    if isinstance(last, Blob):  # L5 to the sacrum
        under = last.frame.at(0, 0, -last.half_mm[2] - 2.5)
        found.append(Blob(Frame(under, last.frame.axes), last.half_mm * [0.94, 0.94, 0] + [0, 0, 2.2], 4.0))
    return found


def _chest_organs(body: Body) -> list[tuple[str, Form]]:
    f, (half, depth) = body.frames, chest(body.size)
    found: list[tuple[str, Form]] = []
    for s in (1.0, -1.0):
        rows = [
            f["T2"].at(s * 0.30 * half, -0.15 * depth, 0), f["T4"].at(s * 0.50 * half, -0.25 * depth, 0),
            f["T7"].at(s * 0.56 * half, -0.28 * depth, 0), f["T9"].at(s * 0.58 * half, -0.18 * depth, 0),
            f["T10"].at(s * 0.58 * half, 0.02 * depth, 0),
        ]  # fmt: skip
        size = np.array([[0.16, 0.22], [0.30, 0.44], [0.34, 0.56], [0.34, 0.50], [0.28, 0.28]]) * [half, depth]
        found.append(
            (
                "lung",
                Tube(nodes_through(np.array(rows).tolist(), 10), nodes_through(size.tolist(), 10), f["T6"].axes[:, 0]),
            )
        )
    heart = Frame(f["T8"].at(0.20 * half, -0.62 * depth, 0.1 * depth), f["T8"].axes)
    found.append(("heart", Blob(heart, np.array([0.40 * half, 0.32 * depth, 0.46 * half]))))
    found.append(
        (
            "vessel",
            _round(
                np.array([f[n].at(0.06 * half, -0.30 * depth, 0) for n in ("T4", "T8", "T12", "L3")]),
                [9.0, 8.0, 7.5, 6.5],
            ),
        )
    )
    return found


def _belly_organs(body: Body) -> list[tuple[str, Form]]:
    f, size = body.frames, body.size
    half, depth = chest(size)
    pelvis, biac, k = f["pelvis"], size["biacromial"], size.stature_cm / 176.0
    liver = np.array([0.52 * half, 0.52 * depth, 0.50 * half])
    found: list[tuple[str, Form]] = [
        ("liver", Blob(Frame(f["T11"].at(-0.48 * half, -0.48 * depth, 0.1 * half), f["T11"].axes), liver, 2.5)),
        ("spleen", _egg(f["T11"], (0.66 * half, -0.06 * depth, 0), np.array([0.18, 0.30, 0.34]) * half)),
    ]
    rng = np.random.default_rng(7)
    for i in range(14):
        x, y, z = rng.uniform(-0.62, 0.62) * half, -rng.uniform(0.45, 0.85) * depth, rng.uniform(-0.4, 0.9) * half
        loop = _egg(f["L3"], (x, y, z - 0.35 * half), rng.uniform(0.12, 0.22, 3) * half)
        found.append(("bowel" if i % 3 else "gas", loop))
    kidney = np.array([24, 22, 50]) * k
    found += [("kidney", _egg(f["L1"], (s * 0.48 * half, 0.02 * depth, 0), kidney)) for s in (1.0, -1.0)]
    found.append(("bladder", _egg(pelvis, (0, -0.05 * biac, 0.02 * biac), np.array([32, 28, 26]) * k)))
    return found


def _head_organs(body: Body) -> list[tuple[str, Form]]:
    skull = next(s.form for s in body.shapes if s.bone == "skull")
    if not isinstance(skull, Blob):
        return []
    inner, long = skull.half_mm - skull.wall_mm, body.size["head_length"] / 2
    eye = (-0.86 * long, -0.62 * float(skull.half_mm[2]))
    return [
        ("csf", Blob(skull.frame, inner, skull.power)),
        ("brain", Blob(skull.frame, inner - 3.0, skull.power)),
        *(("csf", _egg(skull.frame, (s * 11, -2, 0), np.array([4.5, 26, 9]))) for s in (1.0, -1.0)),
        *(("eye", _egg(skull.frame, (s * 31, *eye), np.full(3, 11.5))) for s in (1.0, -1.0)),
    ]


def organs(body: Body) -> list[tuple[str, Form]]:
    """Give the organs, as (kind, solid), in the order in which they are painted."""
    f, k = body.frames, body.size.stature_cm / 176.0
    names = [n for n in f if n[1:].isdigit() and n not in ("S1", "L5", "L4", "L3")]  # the sac ends at L2 here
    canal = np.array([f[n].at(0, _half_depth(body, n) + 8.0 * k + 2.0, 0) for n in names])
    return [
        *_chest_organs(body),
        *_belly_organs(body),
        ("csf", _round(canal, [5.2 * k + 1.2] * len(canal))),
        ("cord", _round(canal[3:], [3.0 * k + 0.7] * (len(canal) - 3))),
        *_head_organs(body),
    ]


def _half_depth(body: Body, name: str) -> float:
    for shape in body.shapes:
        if shape.bone == f"vertebra_{name}" and isinstance(shape.form, Blob):
            return float(shape.form.half_mm[1])
    return 8.0
