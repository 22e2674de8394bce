"""Whether an image is one of counts, as a gamma camera makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["check_counts"]

_LEAST_COUNTS = 5.0e4  # in a view; fewer tell nothing of a skeleton (whole-body scans have 500 k and more; assumed)
_RINGING = 0.05  # share of the counts that values below 0 may have: the real scan of pydicom, compressed, has 0.029


def check_counts(name: str, counts: NDArray[np.generic]) -> str:
    """Refuse what are no counts; give what is to be said of those that are not quite, in words.

    Parameters
    ----------
    name : str
        Of the view, for the messages.
    counts : ndarray

    Raises
    ------
    LesionmapError
        If there are values that are no number, too many below 0, or hardly any count.
    """
    values = np.asarray(counts, dtype=np.float64)
    if not np.isfinite(values).all():
        raise LesionmapError(f"counts were expected in the {name} view, some pixels are no number; export it again")
    least, total = float(values.min()), float(values.clip(0.0).sum())
    if least < 0 and -float(values.clip(max=0.0).sum()) > _RINGING * total:
        raise LesionmapError(
            f"counts of 0 or more were expected in the {name} view, the least is {least:g}: background was subtracted, "
            "or it is no count image; export the scan as acquired"
        )
    if total < _LEAST_COUNTS:
        raise LesionmapError(
            f"{_LEAST_COUNTS:,.0f} counts or more were expected in the {name} view, {total:,.0f} came; "
            "choose the whole-body scan as acquired"
        )
    return f"the {name} view has values below 0, as lossy compression makes them; taken as 0" if least < 0 else ""
