"""A phantom's bone scan as files: the NM image of both views, and its truth in ``facts.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lesionmap.phantom.files import write_bone_scan
from lesionmap.phantom.lesion import truth

if TYPE_CHECKING:
    from lesionmap.phantom.files import Header
    from lesionmap.phantom.scan_case import ScanCase

__all__ = ["scan_facts", "write_scan"]


def write_scan(case: ScanCase, header: Header, folder: str | Path) -> Path:
    """Write ``scan.dcm`` (two frames, anterior and posterior) and ``facts.json`` into a folder; give the folder."""
    home = Path(folder)
    frames = np.stack([view.array[:, :, 0].T for view in (case.anterior, case.posterior)])
    write_bone_scan(frames, header, 1, home / "scan.dcm")
    (home / "facts.json").write_text(json.dumps(scan_facts(case, header), indent=1) + "\n", encoding="utf-8")
    return home


def scan_facts(case: ScanCase, header: Header) -> dict[str, Any]:
    """Give the truth of a scan: places in the frame of the views, LPS mm; ``y`` is the body's own depth."""
    lesions = [(lesion, *truth(lesion, case.body)) for lesion in case.lesions]
    return {
        "age_y": header.age_y,
        "sex": header.sex,
        "counts": [int(view.array.sum()) for view in (case.anterior, case.posterior)],
        "lesions": [
            {"id": one.name, "site": one.site, "volume_ml": round(ml, 3), "middle_lps_mm": _mm(case.in_views(middle))}
            for one, ml, middle in lesions
        ],
        "plate_over_shaft": {name: round(ratio, 3) for name, ratio in case.plates.items()},
        "not_bone": {name: _mm(place) for name, place in case.not_bone.items()},
        "landmarks": {name: _mm(place) for name, place in case.landmarks().items()},
    }


def _mm(point: Any) -> list[float]:
    return [round(float(value), 2) for value in point]
