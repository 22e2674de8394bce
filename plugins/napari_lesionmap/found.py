"""Candidates of the Series that is shown: which wait for the reader, and which one is looked at.

A candidate is no Lesion: nothing of it is stored or counted before it is accepted. What was rejected is remembered
until another visit is opened.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from psygnal import Signal

from lesionmap.annotate import normal_hint
from lesionmap.errors import LesionmapError
from napari_lesionmap.proposals import Offer, offers, offers_seen
from napari_lesionmap.resolve import site_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lesionmap.lesions import Mask
    from lesionmap.skeleton import Placement
    from lesionmap.space import Volume
    from napari_lesionmap.session import Session

    Listed = tuple[tuple[Offer, ...], str]

__all__ = ["Found"]

_FAT_IS_DARK = ("STIR", "T2", "")
"""Sequences on which bright marrow says something; empty: the header does not tell."""
_SAME = 0.5
"""A candidate that holds so much of one that was rejected is that one, found again."""


class Found:
    """The candidates that were found. Either a candidate is looked at or a lesion is chosen, never both."""

    changed = Signal()
    """Others wait, or another one is looked at."""
    turned = Signal(object)
    """The candidate that the view is to turn to."""
    said = Signal(str)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._visit = ""
        self._searched: tuple[Volume, Placement] | None = None
        self._all: tuple[Offer, ...] = ()
        self._rejected: list[Mask] = []
        self._at = 0
        self.waiting: tuple[Offer, ...] = ()
        """Those neither rejected nor drawn as a lesion, the best first."""
        self.looked: Offer | None = None
        """The one that is looked at."""
        session.visit_changed.connect(self._follow)
        session.skeleton_changed.connect(self._follow)
        session.map_changed.connect(self._sift)
        session.selection_changed.connect(self._leave)
        session.tool_changed.connect(self._leave)

    def close(self) -> None:
        """Let go of the session."""
        self._session.visit_changed.disconnect(self._follow)
        self._session.skeleton_changed.disconnect(self._follow)
        self._session.map_changed.disconnect(self._sift)
        self._session.selection_changed.disconnect(self._leave)
        self._session.tool_changed.disconnect(self._leave)

    @property
    def searched(self) -> bool:
        """Whether the list is of what is shown now."""
        return self._searched is not None

    # ---- search ----------------------------------------------------------------------------------------------------

    def search(self) -> tuple[Callable[[], Listed], Callable[[Listed], None]]:
        """Give the work of looking for candidates, to be done in a thread, and what takes its result.

        Raises
        ------
        LesionmapError
            If there is nothing to look in, or no skeleton to tell what is expected where.
        """
        session, now = self._session, self._session.there
        volume, series = session.volume, session.series
        if now is None or volume is None or series is None:
            raise LesionmapError("no image is shown to look for candidates in; open a visit that has images")
        if not volume.projection and series.sequence not in _FAT_IS_DARK:
            raise LesionmapError(
                "candidates are looked for on bone scans and in slices in which fat is dark (STIR), got "
                f"{series.name}; X shows the next series, M marks by hand"
            )
        placement, visit = now.placement, now.visit
        if placement is None:
            raise LesionmapError("candidates need a skeleton, and none is placed on these images; place it first")
        work = partial(offers_seen, visit) if volume.projection else offers
        return partial(work, series, volume, placement), partial(self.take, volume, placement)

    def take(self, volume: Volume, placement: Placement, found: Listed) -> None:
        """List what a search in a Volume has found, and look at the first one; the words are told."""
        now, (listed, words) = self._session.there, found
        if now is None or self._session.volume is not volume or now.placement is not placement:
            return  # something else is shown by now
        self._searched, self._all, self._at = (volume, placement), listed, 0
        self._sift()
        self._all = self.waiting
        self._go_on("; ".join(filter(None, (words, "" if listed else "nothing stands out"))))

    def put_away(self) -> None:
        """Forget the list, but not what was rejected."""
        self._searched, self._all, self.waiting = None, (), ()
        self._look(None)

    def _follow(self) -> None:
        """Keep the list only as long as the pixels and the skeleton are shown that it was made of."""
        session, now = self._session, self._session.there
        if session.key != self._visit:
            self._visit, self._rejected = session.key, []
        shown = (session.volume, now.placement if now else None)
        if self._searched is not None and any(a is not b for a, b in zip(self._searched, shown, strict=True)):
            self.put_away()

    def _sift(self) -> None:
        """Leave out what was rejected or drawn; what undo takes back waits again."""
        if self._searched is None:
            return
        drawn, rejected = self._drawn(), [mask.lps_mm() for mask in self._rejected]
        self.waiting = tuple(
            one
            for one in self._all
            if not any(_share(one.mask, points) for points in drawn)
            and not any(_share(one.mask, points) > _SAME for points in rejected)
        )
        if self.looked not in self.waiting:
            self.looked = None
        self.changed.emit()

    def _drawn(self) -> list[NDArray[np.float64]]:
        """List the points (LPS mm) of all that is drawn of lesions on slices; of a projection, on that alone."""
        now, series = self._session.now, self._session.series
        if now is None or series is None:
            return []
        flat = {one.name for one in now.visit.series if one.projection}
        names = {series.name} if series.projection else {one.name for one in now.visit.series} - flat
        extents = [x for lesion in now.lesion_map.lesions for x in lesion.extents if x.series in names]
        masks = [x.mask.lps_mm() for x in extents if x.mask is not None]
        return masks + [np.array([x.marker_lps_mm]) for x in extents if x.marker_lps_mm is not None]

    # ---- one after the other ---------------------------------------------------------------------------------------

    def look(self, at: int) -> None:
        """Look at one of those that wait, by its place among them."""
        self._look(self.waiting[at])

    def next(self) -> None:
        """Look at the next one that waits; after the last at the first."""
        self._go_on()

    def accept(self) -> None:
        """Make the one that is looked at a lesion, and go to the next."""
        lesion = self._session.add(self._looked_at().proposal)
        self._go_on(f"{lesion} marked")

    def reject(self) -> None:
        """Take the one that is looked at off the list, and go to the next."""
        one = self._looked_at()
        self._rejected.append(one.mask)
        self._sift()
        self._go_on("rejected")

    def hint(self, one: Offer) -> str:
        """Say that signal is often seen at such a place in healthy children of that age; empty: nothing is known."""
        work, now = self._session.work, self._session.now
        known = normal_hint(one.site, now.visit.age_y, work.patient.sex) if work and now else None
        return f"{known.words} ({known.citation})" if known is not None else ""

    def _looked_at(self) -> Offer:
        if self.looked is None:
            raise LesionmapError("no candidate is looked at; C goes to the next one")
        return self.looked

    def _go_on(self, done: str = "") -> None:
        """Look at the one after the last that was looked at; say what was done, or that none is left."""
        if not self.waiting:
            self._look(None)
            self.said.emit("; ".join(filter(None, (done, f"no candidate is left on {self._session.shown}"))))
            return
        ranks = [self._all.index(one) for one in self.waiting]
        first = self._at + (self.looked is not None)
        self._look(self.waiting[next((i for i, rank in enumerate(ranks) if rank >= first), 0)], done)

    def _look(self, one: Offer | None, done: str = "") -> None:
        if one is not None:
            self._session.choose_tool("look")
            self._session.select("")
            self._session.choose_track("")
            self._at = self._all.index(one)
        self.looked = one
        if one is not None:
            self.turned.emit(one)
        self.changed.emit()
        if one is not None:
            self.said.emit("; ".join(filter(None, (done, self._words(one)))))

    def _words(self, one: Offer) -> str:
        return f"candidate {self._all.index(one) + 1} of {len(self._all)}, {site_name(one.site)}: {one.reason}"

    def _leave(self) -> None:
        """Look at no candidate when a lesion or another tool is chosen: Enter and Esc are theirs then."""
        session = self._session
        if self.looked is not None and (session.selected or session.track or session.tool != "look"):
            self._look(None)


def _share(mask: Mask, points_lps_mm: NDArray[np.float64]) -> float:
    """Give the share of points that lies in a mask."""
    voxels = np.rint(mask.grid.voxels(points_lps_mm)).astype(int) - mask.origin
    near = voxels[np.all((voxels >= 0) & (voxels < mask.box.shape), axis=1)]
    return float(np.count_nonzero(mask.box[tuple(near.T)])) / len(points_lps_mm)
