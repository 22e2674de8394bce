"""Draw the pictures of docs/skeleton.md: the skeleton at five ages, and bone coordinates. ``make skeleton-page``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path as Line

from lesionmap import skeleton
from lesionmap.write import segment_colour

if TYPE_CHECKING:
    from lesionmap.skeleton import Outline

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
AGES = (2, 6, 10, 14, 18)
INK, QUIET, EDGE = "#222222", "#777777", "#4a4a4a"
LEGEND = (
    ("tibia.distal_epiphysis.left", "epiphysis"),
    ("tibia.distal_metaphysis.left", "metaphysis"),
    ("tibia.diaphysis.left", "diaphysis"),
    ("femur.greater_trochanter.left", "greater trochanter, apophysis,\nsacroiliac face"),
    ("vertebra_T7.body.midline", "vertebral body, sternal body, iliac wing,\ncalcaneal body, medial clavicle"),
    ("vertebra_T7.posterior_elements.midline", "posterior elements, manubrium,\nacetabulum, lateral clavicle"),
    ("skull.whole.midline", "bone that is not parted,\nmiddle of the clavicle"),
)


def ring(points: Any) -> PathPatch:
    codes = [Line.MOVETO] + [Line.LINETO] * (len(points) - 2) + [Line.CLOSEPOLY]
    return PathPatch(Line(points, codes))


def draw(axes: Any, drawn: Outline, x_mm: float) -> None:
    for shape in drawn.shapes:
        for points in shape.polygons:
            patch = ring(points + np.array([x_mm, 0.0]))
            patch.set(facecolor=segment_colour(shape.site), edgecolor=EDGE, linewidth=0.3, joinstyle="round")
            axes.add_patch(patch)
    for points in drawn.openings:
        patch = ring(points + np.array([x_mm, 0.0]))
        patch.set(facecolor=EDGE, edgecolor="none")
        axes.add_patch(patch)


def ages() -> None:
    """Five ages to one scale, front above, back below."""
    figure, both = plt.subplots(2, 1, figsize=(11.0, 14.2), facecolor="white")
    for axes, view in zip(both, ("front", "back"), strict=True):
        x, tallest = 0.0, 0.0
        places = []
        for age in AGES:
            drawn = skeleton.outline(view, age_y=age)  # type: ignore[arg-type]
            x += drawn.width_mm / 2
            draw(axes, drawn, x)
            places.append(x)
            axes.text(x, -70, f"{age} years", ha="center", va="top", fontsize=12, color=INK)
            x += drawn.width_mm / 2 + 70
            tallest = max(tallest, drawn.height_mm)
        for height in range(0, 1801, 200):
            axes.axhline(height, color="#dddddd", linewidth=0.6, zorder=0)
            axes.text(-45, height, f"{height / 10:.0f} cm", ha="right", va="center", fontsize=8, color=QUIET)
        axes.set(xlim=(-190, x - 40), ylim=(-140, max(tallest, 1800) + 40), aspect="equal")
        axes.axis("off")
        axes.set_title(view.capitalize(), loc="left", fontsize=14, color=INK, x=0.06)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.97, bottom=0.085, hspace=0.06)
    patches = [
        Patch(facecolor=segment_colour(site), edgecolor=EDGE, linewidth=0.5, label=text) for site, text in LEGEND
    ]
    figure.legend(handles=patches, loc="lower center", ncol=4, frameon=False, fontsize=9.5, labelcolor=INK)
    figure.savefig(IMAGES / "skeleton.png", dpi=130)
    plt.close(figure)


def coordinates() -> None:
    """A tibia of ten years, with its fraction along, its physes and its segments."""
    from lesionmap.skeleton.outline import map_placement
    from lesionmap.skeleton.segments import axis_of

    drawn = skeleton.outline("front", age_y=10)
    limits = axis_of("tibia", "left", map_placement(10.0, None)).limits
    shapes = [s for s in drawn.shapes if s.site.startswith("tibia.") and s.site.endswith(".left")]
    figure, axes = plt.subplots(figsize=(7.2, 4.2), facecolor="white")
    every = np.concatenate([points for shape in shapes for points in shape.polygons])
    middle, top, low = float(np.median(every[:, 0])), float(every[:, 1].max()), float(every[:, 1].min())
    for shape in shapes:
        for points in shape.polygons:
            patch = ring(points - [middle, low])
            patch.set(facecolor=segment_colour(shape.site), edgecolor=EDGE, linewidth=0.8)
            axes.add_patch(patch)
    height = top - low
    at = [height * (1 - fraction) for fraction in (0.0, *limits.tolist(), 1.0)]
    names = ("proximal epiphysis", "proximal metaphysis", "diaphysis", "distal metaphysis", "distal epiphysis")
    for name, above, below in zip(names, at[:-1], at[1:], strict=True):
        axes.text(62, (above + below) / 2, name, va="center", fontsize=10, color=INK)
    for n in (1, 4):
        axes.plot([-48, 56], [at[n], at[n]], color="#bb2222", linewidth=1.2, linestyle=(0, (4, 3)))
        axes.text(-52, at[n], "physis", ha="right", va="center", fontsize=9, color="#bb2222")
    for n in (2, 3):
        axes.plot([-40, 56], [at[n], at[n]], color=QUIET, linewidth=0.8, linestyle=":")
    axes.annotate("", (-110, 0), (-110, height), arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.2})
    for fraction in (0, 0.25, 0.5, 0.75, 1):
        axes.text(-118, height * (1 - fraction), f"{fraction:g}", ha="right", va="center", fontsize=10, color=INK)
    axes.text(-168, height / 2, "fraction along", rotation=90, ha="center", va="center", fontsize=11, color=INK)
    _lesion(axes, height, at[4])
    axes.set(xlim=(-190, 400), ylim=(-12, height + 14), aspect="equal")
    axes.axis("off")
    figure.subplots_adjust(left=0.02, right=0.98, top=0.98, bottom=0.02)
    figure.savefig(IMAGES / "bone-coordinates.png", dpi=120)
    plt.close(figure)


def _lesion(axes: Any, height: float, physis: float) -> None:
    """Mark a lesion at four fifths of the bone, and its distance to the physis below."""
    spot = (0.0, height * (1 - 0.8))
    axes.plot(*spot, "o", color="#7b1fa2", markersize=7)
    axes.annotate("", (22, physis), (22, spot[1]), arrowprops={"arrowstyle": "<|-|>", "color": "#7b1fa2", "lw": 1.1})
    words = f"a lesion: fraction 0.80,\n{spot[1] - physis:.0f} mm above the distal physis"
    axes.annotate(words, spot, (190, height * 0.33), fontsize=10, color="#7b1fa2", va="center",
                  arrowprops={"arrowstyle": "-", "color": "#7b1fa2", "lw": 0.8})  # fmt: skip


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    ages()
    coordinates()
