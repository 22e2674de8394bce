"""Lesions carried from one visit to the next by registration of the images, as other tools do; pairs by overlap."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import SimpleITK
from scipy.optimize import linear_sum_assignment

from lesionmap.phantom.raster import Lattice
from lesionmap.phantom.tissue import tissues

if TYPE_CHECKING:
    from lesionmap.compare import VisitFacts
    from lesionmap.phantom import Body

__all__ = ["Voxels", "by_overlap", "by_panoptica", "carried_voxels", "deformed", "image_of", "moved", "voxels_of"]

Voxels: TypeAlias = dict[str, set[tuple[int, ...]]]
"""Of each lesion, by id."""

_SPACING_MM = 4.0


def image_of(child: Body) -> Any:
    """Give STIR of a body without lesions or noise, 4 mm: as good an image to register as there is."""
    low = np.min([s.form.box[0] for s in child.shapes], axis=0) - 24
    high = np.max([s.form.box[1] for s in child.shapes], axis=0) + 24
    stir = tissues(child, Lattice.spanning(low, high, (_SPACING_MM,) * 3)).stir
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(stir.T))
    image.SetSpacing((_SPACING_MM,) * 3)
    image.SetOrigin(low.tolist())
    return image


def moved(then: Any, now: Any, *, kind: str = "rigid") -> Any:
    """Register the earlier image with the later one, rigid or affine; the transform carries earlier points to later."""
    start = SimpleITK.Euler3DTransform() if kind == "rigid" else SimpleITK.AffineTransform(3)
    first = SimpleITK.CenteredTransformInitializer(
        then, now, start, SimpleITK.CenteredTransformInitializerFilter.MOMENTS
    )
    way = SimpleITK.ImageRegistrationMethod()
    way.SetMetricAsCorrelation()
    way.SetMetricSamplingStrategy(way.REGULAR)
    way.SetMetricSamplingPercentage(0.2)
    way.SetInterpolator(SimpleITK.sitkLinear)
    way.SetOptimizerAsRegularStepGradientDescent(2.0, 0.01, 200, gradientMagnitudeTolerance=1e-6)
    way.SetOptimizerScalesFromPhysicalShift()
    way.SetShrinkFactorsPerLevel([4, 2, 1])
    way.SetSmoothingSigmasPerLevel([12, 6, 3])
    way.SetSmoothingSigmasAreSpecifiedInPhysicalUnits(True)
    way.SetInitialTransform(first, inPlace=False)
    return way.Execute(then, now)


def deformed(then: Any, now: Any) -> Any:
    """Register the earlier image with the later one: affine, then symmetric demons on three levels."""
    affine = moved(then, now, kind="affine")
    near = SimpleITK.Resample(now, then, affine, SimpleITK.sitkLinear, 0.0, now.GetPixelID())
    field = None
    for shrink, rounds in ((4, 120), (2, 80), (1, 40)):
        fixed, moving = (
            SimpleITK.Shrink(SimpleITK.SmoothingRecursiveGaussian(x, 2.0 * shrink), [shrink] * 3) for x in (then, near)
        )
        demons = SimpleITK.FastSymmetricForcesDemonsRegistrationFilter()
        demons.SetNumberOfIterations(rounds)
        demons.SetStandardDeviations(1.5)
        if field is None:
            field = demons.Execute(fixed, moving)
        else:
            field = demons.Execute(fixed, moving, SimpleITK.Resample(field, fixed))
    both = SimpleITK.CompositeTransform(affine)
    both.AddTransform(SimpleITK.DisplacementFieldTransform(SimpleITK.Cast(field, SimpleITK.sitkVectorFloat64)))
    return both  # the last one added is applied first


def voxels_of(facts: VisitFacts) -> Voxels:
    """Give the voxels of each lesion."""
    return {x.id: {*map(tuple, x.extents[0].mask.voxels().tolist())} for x in facts.lesion_map.lesions}  # type: ignore[union-attr]


def carried_voxels(then: VisitFacts, now: VisitFacts, transform: Any) -> Voxels:
    """Give the voxels of the later grid where each earlier lesion comes to lie."""
    grid, found = now.visit.series[0].grid, {}
    for lesion in then.lesion_map.lesions:
        mask = lesion.extents[0].mask
        assert mask is not None
        points = mask.grid.lps(mask.voxels())
        there = np.array([transform.TransformPoint(point) for point in points.tolist()])
        found[lesion.id] = {*map(tuple, np.rint(grid.voxels(there)).astype(int).tolist())}
    return found


def by_overlap(old: Voxels, new: Voxels, *, many: bool) -> set[tuple[str, str]]:
    """Pair new lesions with old ones by greatest Dice, all together; ``many``: also whatever else overlaps."""
    dice = np.array([[2 * len(a & b) / (len(a) + len(b)) for a in old.values()] for b in new.values()])
    here, there = list(new), list(old)
    if many:
        pairs = [*zip(*np.nonzero(dice), strict=True)]
    else:
        pairs = [(i, j) for i, j in zip(*linear_sum_assignment(-dice), strict=True) if dice[i, j] > 0]
    return {(here[i], there[j]) for i, j in pairs}


def by_panoptica(old: Voxels, new: Voxels, threshold: float) -> set[tuple[str, str]]:
    """Pair by panoptica's matching of instances, several new lesions to an old one allowed."""
    panoptica = import_module("panoptica")  # no part of .venv: it asks for an older numpy
    every = np.array([v for one in (old, new) for voxels in one.values() for v in voxels])
    low, size = every.min(axis=0), np.ptp(every, axis=0) + 1
    labels = [np.zeros(size, dtype=np.uint16) for _ in range(2)]
    for array, lesions in zip(labels, (new, old), strict=True):
        for n, voxels in enumerate(lesions.values(), start=1):
            array[tuple((np.array(list(voxels)) - low).T)] = n
    matcher = panoptica.NaiveThresholdMatching(
        panoptica.metrics.Metric.IOU, threshold, allow_many_to_one=True, strict_threshold=threshold == 0
    )
    matched = matcher.match_instances(panoptica.UnmatchedInstancePair(*labels)).prediction_arr
    given = {int(n): int(matched[labels[0] == n][0]) for n in np.unique(labels[0]) if n}
    here, there = list(new), list(old)
    return {(here[n - 1], there[m - 1]) for n, m in given.items() if m <= len(there)}
