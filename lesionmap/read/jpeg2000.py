"""JPEG 2000 by OpenJPEG, called through its C interface, so that one thread decodes while others do.

The Python interfaces of OpenJPEG (pylibjpeg-openjpeg, Pillow) keep all other Python threads waiting. The library inside
pylibjpeg-openjpeg shows its functions on most platforms; where it does not, its Python interface is used.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = ["decoded_jpeg_2000"]

_CODESTREAM, _JP2 = 0, 2
_PARAMETERS_BYTES = 1 << 14
"""More than opj_dparameters_t needs; it is filled and read by the library alone."""
_END = ctypes.c_size_t(-1).value
_READ = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)
_SKIP = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p)
_SEEK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int64, ctypes.c_void_p)


class _Component(ctypes.Structure):
    """opj_image_comp_t (openjpeg.h, the same since 2.0)."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("dx", "dy", "w", "h", "x0", "y0", "prec", "bpp", "sgnd")),
        *((name, ctypes.c_uint32) for name in ("resno_decoded", "factor")),
        ("data", ctypes.POINTER(ctypes.c_int32)),
        ("alpha", ctypes.c_uint16),
    )


class _Image(ctypes.Structure):
    """The beginning of opj_image_t."""

    _fields_ = (
        *((name, ctypes.c_uint32) for name in ("x0", "y0", "x1", "y1", "numcomps", "color_space")),
        ("comps", ctypes.POINTER(_Component)),
    )


@cache
def _library() -> ctypes.CDLL | None:
    """Open OpenJPEG; None where it hides its functions."""
    try:
        library = ctypes.CDLL(import_module("_openjpeg").__file__)
        for name in ("opj_create_decompress", "opj_stream_create"):
            getattr(library, name).restype = ctypes.c_void_p
    except (AttributeError, OSError):
        return None
    return library


def decoded_jpeg_2000(data: bytes) -> NDArray[Any]:
    """Decode the first component of a JPEG 2000 image, high throughput too.

    Parameters
    ----------
    data : bytes
        Codestream or JP2 file whose size was checked: the library makes room for what it says.

    Returns
    -------
    ndarray, shape (rows, columns)
        Whole numbers, with their sign.

    Raises
    ------
    ValueError, RuntimeError
        If it is damaged.
    """
    library = _library()
    if library is None:
        from openjpeg.utils import decode

        return np.asarray(decode(data))
    codec = ctypes.c_void_p(library.opj_create_decompress(_CODESTREAM if data[:1] == b"\xff" else _JP2))
    stream = ctypes.c_void_p(library.opj_stream_create(ctypes.c_size_t(max(len(data), 1)), 1))
    image = ctypes.POINTER(_Image)()
    callbacks = _callbacks(data)
    try:
        for name, callback in zip(("read", "skip", "seek"), callbacks, strict=True):
            getattr(library, f"opj_stream_set_{name}_function")(stream, callback)
        library.opj_stream_set_user_data_length(stream, ctypes.c_uint64(len(data)))
        parameters = ctypes.create_string_buffer(_PARAMETERS_BYTES)
        library.opj_set_default_decoder_parameters(parameters)
        good = (
            library.opj_setup_decoder(codec, parameters)
            and library.opj_read_header(stream, codec, ctypes.byref(image))
            and library.opj_decode(codec, stream, image)
        )
        return _first_component(image if good else None)
    finally:
        library.opj_image_destroy(image)
        library.opj_stream_destroy(stream)
        library.opj_destroy_codec(codec)


def _first_component(image: Any) -> NDArray[Any]:
    if not image or image.contents.numcomps < 1:
        raise ValueError("the JPEG 2000 image is damaged")
    component = image.contents.comps[0]
    if not component.data or component.w * component.h == 0:
        raise ValueError("the JPEG 2000 image is damaged")
    return np.ctypeslib.as_array(component.data, (component.h, component.w)).copy()


def _callbacks(data: bytes) -> tuple[Callable[..., int], Callable[..., int], Callable[..., int]]:
    """Make the functions by which the library reads bytes, skips and seeks in them."""
    position = 0

    def read(target: int, size: int, _: object) -> int:
        nonlocal position
        part = data[position : position + size]
        ctypes.memmove(target, part, len(part))
        position += len(part)
        return len(part) or _END

    def skip(count: int, _: object) -> int:
        nonlocal position
        begin, position = position, min(max(position + count, 0), len(data))
        return position - begin if position != begin or not count else -1

    def seek(to: int, _: object) -> int:
        nonlocal position
        inside = 0 <= to <= len(data)
        position = to if inside else position
        return int(inside)

    return _READ(read), _SKIP(skip), _SEEK(seek)
