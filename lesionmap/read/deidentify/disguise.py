"""Disguise: what one patient's copies are called, and how identifiers and dates of the originals change."""

from __future__ import annotations

import hmac
import re
import uuid
from dataclasses import dataclass, field
from datetime import date, timedelta

__all__ = ["Disguise"]

_FEWEST_DAYS, _SPAN_DAYS = 1000, 4000
_DATE = re.compile(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)")


@dataclass(frozen=True, slots=True)
class Disguise:
    """How one patient's files are disguised: the same input gives the same output within a study."""

    key: bytes = field(repr=False)
    """From ``Study.secret``."""
    patient: str
    """Pseudonym."""
    shifts: bool = False
    """True where dates are moved: all of a patient by the same number of days, so that intervals stay."""

    @property
    def issuer(self) -> str:
        """Issuer of the pseudonym: a name for the study, so that P001 of another study is another patient."""
        return f"lesionmap {self._digest('issuer')[:4].hex()}{' shifted' if self.shifts else ''}"

    @property
    def patient_key(self) -> str:
        """Issuer and Patient ID of the copies, as the reader gives them."""
        return f"{self.issuer}\n{self.patient}"

    @property
    def shift_days(self) -> int:
        """Days by which dates move; 0 where they are kept, else 1000 to 4999 into the past."""
        number = int.from_bytes(self._digest(f"days\n{self.patient}")[:8], "big")
        return -(_FEWEST_DAYS + number % _SPAN_DAYS) if self.shifts else 0

    def uid(self, uid: str) -> str:
        """Give the UID that stands for another one (below 2.25, as PS3.5 B.2 derives UIDs from UUIDs)."""
        return f"2.25.{uuid.UUID(bytes=self._digest('uid' + chr(10) + uid)[:16], version=5).int}"

    def token(self, text: str) -> str:
        """Give eight characters that stand for a text of which only its being another one matters."""
        return self._digest(f"token\n{text}")[:4].hex().upper()

    def number(self, text: str) -> int:
        """Give a number that stands for a text."""
        return int.from_bytes(self._digest(f"number\n{text}")[:4], "big")

    def moved(self, day: date) -> date:
        """Move a date; what would fall before the calendar begins stays at its first day."""
        return date.fromordinal(max(day.toordinal() + self.shift_days, 1))

    def moved_text(self, text: str) -> str | None:
        """Move the date with which a text begins (20100504…, 2010-05-04…); None where it begins with none.

        Examples
        --------
        >>> Disguise(b"key", "P001").moved_text("20100504121500")
        '20100504121500'
        """
        found = _DATE.match(text)
        if found is None:
            return None
        try:
            day = date(*map(int, found.groups()))
        except ValueError:
            return None
        if not self.shifts:
            return text
        moved = (day + timedelta(days=self.shift_days)).isoformat()
        return (moved if "-" in found.group() else moved.replace("-", "")) + text[found.end() :]

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self.key, text.encode("utf-8", "surrogatepass"), "sha256")
