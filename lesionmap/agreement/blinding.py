"""Who may see whose map while a study is read blind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.agreement.consensus import CONSENSUS

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["hidden_from"]


def hidden_from(asker: str | None, reader: str, blind: Collection[str], signed: Collection[str]) -> str:
    """Say why the map of a reader of a visit may not be seen; empty: it may.

    Parameters
    ----------
    asker : str or None
        Who wants to see it; None: nobody said.
    reader : str
        Whose map it is. A consensus tells what all of them say, so it is hidden from everybody as theirs are.
    blind : collection of str
        Readers who do not see one another's maps before all of them have signed; empty: nobody reads blind.
    signed : collection of str
        Those who have signed this visit.
    """
    if reader != CONSENSUS and (reader not in blind or asker == reader):
        return ""
    waiting = sorted(set(blind) - set(signed))
    return "" if not waiting else f"the study is read blind and {' and '.join(waiting)} must sign first"
