"""Facts to JSON text and back, by cattrs, without loss.

A mask is written with the row that it belongs to, as a compressed box: ``grid`` (shape and matrix, exact to the last
bit), ``origin``, ``shape`` and ``bits``: the box in C order, eight voxels a byte, deflated, base64. Text rather than
a binary column beside it, because then one value is one decision: an edit is one row in any database, is compared,
copied and read by eye as one thing, and a lesion's bits deflate to some hundred bytes, so the third that base64 adds
is not felt.

All fields are written, those at their default too: a later change of a default must not change an old decision. A
field that this version does not know is refused, never dropped.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from dataclasses import fields
from datetime import date
from functools import cache
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

import numpy as np

from lesionmap.clinic import Observation, Treatment
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Attributes, Extent, Lesion, Mask
from lesionmap.skeleton.placement import LabelMap, PlacedLandmark, Placement
from lesionmap.space import Grid
from lesionmap.visits import ImageFile, Phase, Reference, Series, Station

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["dumps", "loads"]

_T = TypeVar("_T")
_FACTS = (
    ImageFile, Station, Series, Reference, Attributes, Extent, Lesion, PlacedLandmark, LabelMap, Placement, Treatment,
    Observation,
)  # fmt: skip


def dumps(fact: object, kind: Any) -> str:
    """Write a fact of type ``kind`` (a class or ``tuple[Series, ...]``) as JSON text, pure ASCII."""
    return json.dumps(_converter().unstructure(fact, kind), separators=(",", ":"))


def loads(text: str, kind: type[_T]) -> _T:
    """Read a fact of type ``kind`` from JSON text.

    Raises
    ------
    LesionmapError
        If the text is damaged, or has fields that this version does not know.
    """
    from cattrs.errors import ForbiddenExtraKeysError

    name = getattr(kind, "__name__", "value")
    try:
        return _converter().structure(json.loads(text), kind)
    except ForbiddenExtraKeysError as error:
        unknown = ", ".join(sorted(error.extra_fields))
        raise LesionmapError(
            f"a stored {name} has fields that this lesionmap does not know ({unknown}); open it with a newer lesionmap"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, zlib.error) as error:
        raise LesionmapError(
            f"a stored {name} is damaged ({type(error).__name__}); take the study from a backup"
        ) from error


@cache
def _converter() -> Converter:
    from cattrs.preconf.json import JsonConverter

    for kind in _FACTS:
        _resolve(kind)
    converter = JsonConverter(forbid_extra_keys=True, detailed_validation=False)
    converter.register_unstructure_hook(float, float)  # numpy's scalars are not JSON
    converter.register_unstructure_hook(int, int)
    converter.register_unstructure_hook(date, date.isoformat)
    converter.register_structure_hook(date, lambda text, _: date.fromisoformat(text))
    converter.register_unstructure_hook(Grid, _plain_grid)
    converter.register_structure_hook(Grid, lambda plain, _: _grid(plain))
    converter.register_unstructure_hook(Mask, _plain_mask)
    converter.register_structure_hook(Mask, lambda plain, _: _mask(plain))
    return converter


def _resolve(kind: type) -> None:
    """Tell cattrs the field types that the facts import for the type checker only."""
    hints = get_type_hints(kind, localns={"Grid": Grid, "Mask": Mask, "Phase": Phase, "date": date})
    for field in fields(kind):
        field.type = hints[field.name]


def _plain_grid(grid: Grid) -> dict[str, Any]:
    return {"shape": list(grid.shape), "lps_from_voxel": grid.lps_from_voxel.tolist()}


def _grid(plain: dict[str, Any]) -> Grid:
    i, j, k = plain["shape"]
    return Grid((i, j, k), np.array(plain["lps_from_voxel"], dtype=np.float64))


def _plain_mask(mask: Mask) -> dict[str, Any]:
    return {
        "grid": _plain_grid(mask.grid),
        "origin": [int(n) for n in mask.origin],
        "shape": list(mask.box.shape),
        "bits": b64encode(zlib.compress(np.packbits(mask.box).tobytes())).decode("ascii"),
    }


def _mask(plain: dict[str, Any]) -> Mask:
    grid = _grid(plain["grid"])
    origin, shape = plain["origin"], plain["shape"]
    if min(origin) < 0 or min(shape) < 1 or any(o + n > m for o, n, m in zip(origin, shape, grid.shape, strict=True)):
        raise ValueError("the box does not lie in its grid")  # becomes 'damaged' in loads
    n_bytes = (prod(shape) + 7) // 8
    packed = zlib.decompressobj().decompress(b64decode(plain["bits"], validate=True), n_bytes + 1)  # never a bomb
    if len(packed) != n_bytes:
        raise ValueError("the bits do not fill the box")
    box = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=prod(shape)).astype(bool).reshape(shape)
    box.setflags(write=False)
    i, j, k = origin
    return Mask(grid, (i, j, k), box)
