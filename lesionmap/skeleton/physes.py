"""Growth plates: open, closing or closed by age and sex."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from lesionmap.errors import LesionmapError
from lesionmap.skeleton.anatomy import table

if TYPE_CHECKING:
    from lesionmap.skeleton.growth import Sex

__all__ = ["PhysisState", "physis_state"]

PhysisState = Literal["open", "closing", "closed"]


def physis_state(bone: str, end: str, age_y: float, sex: Sex | None) -> PhysisState | None:
    """Say whether a growth plate is open, closing or closed in most children of that age.

    Parameters
    ----------
    bone : str
        Long bone, as ``femur``.
    end : str
        ``proximal`` or ``distal``.
    age_y : float
        Years.
    sex : "F", "M" or None
        Where it is not known the plate is closing from the girls' earliest to the boys' latest age.

    Returns
    -------
    "open", "closing", "closed" or None
        None where no age was found for that plate.

    Raises
    ------
    LesionmapError
        If the bone has no such plate.

    Notes
    -----
    The ages are second-hand and stand with their source in ``bones.toml``, ``[growth.closure]``.
    """
    if f"{bone}_{end}" not in table()["growth"]["epiphysis"] and (bone, end) != ("femur", "proximal"):
        raise LesionmapError(f"a long bone and proximal or distal were expected, got {bone!r} and {end!r}")
    rows = table()["growth"]["closure"]
    ages = rows.get(f"{bone}_{end}")
    if ages is None:
        return None
    begins, ends = ages
    if sex != "M":
        begins -= rows["girls_ahead_y"]
    if sex == "F":
        ends -= rows["girls_ahead_y"]
    return "open" if age_y < begins else "closing" if age_y <= ends else "closed"
