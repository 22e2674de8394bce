"""A child of the growth model, and what is measured on its posed skeleton."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lesionmap import skeleton
from lesionmap.skeleton import growth
from lesionmap.skeleton.shape import pose

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lesionmap.skeleton import Placement
    from lesionmap.skeleton.shape import Tube

    Array = NDArray[np.float64]

__all__ = ["AGES", "LONG", "balls", "of_ages", "of_children", "placed"]

AGES = (2, 6, 10, 14, 18)
LONG = ("humerus", "radius", "ulna", "femur", "tibia", "fibula")
of_ages = pytest.mark.parametrize("age", AGES)
of_children = pytest.mark.parametrize(("age", "sex"), [(age, sex) for age in AGES for sex in ("F", "M")])


@cache
def placed(age: float, sex: str = "F") -> Placement:
    """Give the child of the growth model at that age, of median stature, in the reference pose."""
    who: Any = sex
    stature = growth.stature_for_age(age, who)
    model = growth.landmark_model(age, who, stature)
    marks = {name: point.tolist() for name, point in model.items()}
    return skeleton.place(marks, age_y=age, sex=who, stature_cm=stature)


def balls(placement: Placement, chosen: Callable[[Tube], bool]) -> tuple[Array, Array]:
    """Give centres and radii of the balls of the tubes that are chosen."""
    posed = pose(placement)
    mine = np.isin(posed.tube, [n for n, tube in enumerate(posed.tubes) if chosen(tube)])
    return posed.centres[mine], posed.radii[mine]
