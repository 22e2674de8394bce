"""Sample data for napari's menu File ▸ Open Sample: the images of the sample patient's second visit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from napari_lesionmap.layers import LayerTuple

__all__ = ["second_visit"]


def second_visit() -> list[LayerTuple]:
    """Give STIR and T1 of the second visit as layers; STIR is seen."""
    from lesionmap.cli.demo import sample_folder
    from lesionmap.read import pixels, scan
    from napari_lesionmap.canvas import hang_current
    from napari_lesionmap.layers import image_layer

    folders = sorted(path.parent for path in sample_folder().rglob("landmarks.csv"))
    if len(folders) < 2:
        raise LesionmapError("the sample patient has no second visit; make it anew: make sample")
    (found,) = scan([folders[1]]).studies
    wanted = [series for series in found.visit.series if series.sequence in ("STIR", "T1")]
    hang_current()
    return [image_layer(pixels(s), s.name, visible=s.sequence == "STIR") for s in wanted]
