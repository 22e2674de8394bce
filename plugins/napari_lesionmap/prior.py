"""Another visit of the patient, looked at and not edited; and where a place of this visit is in that one. No Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lesionmap.annotate import same_place
from napari_lesionmap.session import Session

if TYPE_CHECKING:
    from lesionmap.space import Volume
    from napari_lesionmap.layers import XYZ

__all__ = ["Prior", "counterpart"]


class Prior(Session):
    """A session that shows one visit of another session's patient, and edits nothing."""

    @property
    def read_only(self) -> str:
        """Why nothing is edited here."""
        return "it is the visit beside; open it on the page Visits to change it"

    def show(self, owner: Session, key: str, name: str, volume: Volume) -> None:
        """Show a Series of a visit, whose pixels were read."""
        self.work, self.results = owner.work, owner.results
        self.key, self.shown = key, name
        self.volumes = {(key, name): volume}
        self.visit_changed.emit()

    def leave(self) -> None:
        """Show nothing any more."""
        if self.key:
            self._leave_visit()
            self.visit_changed.emit()

    def follow(self, owner: Session) -> None:
        """Take the states as they are now: what is decided today changes nothing there but colours."""
        if self.key and owner.results is not None and owner.work is self.work:
            self.results = owner.results
            self.map_changed.emit()


def counterpart(lps_mm: XYZ, here: Session, there: Session) -> XYZ | None:
    """Give the place in another visit where a place of this visit is.

    Parameters
    ----------
    lps_mm : (x, y, z)
        In this visit, LPS mm.
    here, there : Session
        Both on a visit.

    Returns
    -------
    (x, y, z) or None
        The same place of the same bone where both visits have a skeleton; the same millimetres where neither has one,
        and in the same visit (the other view of a scan); None where it cannot be told.
    """
    now, then = here.there, there.there
    if now is None or then is None:
        return None
    if now.visit.key == then.visit.key:
        return lps_mm
    if now.placement is None or then.placement is None:
        return lps_mm if now.placement is then.placement else None
    return same_place(lps_mm, now.placement, then.placement)
