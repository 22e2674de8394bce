"""Small matrices on one thread."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["one_thread"]


@cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """Let linear algebra run on one thread within a ``with`` block.

    A body's matrices have some hundred rows: OpenBLAS starts its threads for them, and where another program has the
    second core these wait for one another sixty times as long as one would have worked.
    """
    limit: AbstractContextManager[object] = _libraries().limit(limits=1, user_api="blas")
    return limit
