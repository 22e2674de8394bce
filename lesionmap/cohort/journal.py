"""The folder of a cohort: what was asked, who is done, who failed. A run that was killed goes on from here."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from lesionmap.cohort.facts import PatientFacts, from_plain
from lesionmap.errors import LesionmapError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Journal"]

_OURS = ("cohort.json", "done.jsonl", "failed.csv", "table", "compare", "report", "figures")


class Journal:
    """The folder of one request.

    ``done.jsonl`` has a line for each patient that is done, written when its results are on the disk; the last line of
    a patient holds. A line that was cut off by a crash is no line: that patient is done again.
    """

    def __init__(self, folder: Path, asked: Mapping[str, Any], *, overwrite: bool = False) -> None:
        """Open the folder, or make it.

        Raises
        ------
        LesionmapError
            If it holds the results of another request, or files that are not ours (and ``overwrite`` is False).
        """
        self.folder, self._asked = folder, json.loads(json.dumps(asked))
        self._path = folder / "done.jsonl"
        self._lines: dict[tuple[str, str], tuple[str, int]] = {}
        if folder.exists() and not folder.is_dir():
            raise LesionmapError(f"a folder was expected at {folder}, a file is there; name a folder")
        folder.mkdir(parents=True, exist_ok=True)
        there = [name for name in _OURS if (folder / name).exists()]
        if there and not self._continues(overwrite=overwrite):
            for name in there:
                path = folder / name
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for left in folder.rglob(".*.*"):  # half-written files of a run that was killed
            left.unlink(missing_ok=True)
        self._write_json({})
        self._read()
        self._stream = self._path.open("ab")

    def _continues(self, *, overwrite: bool) -> bool:
        """Say whether the results that are there are of this request."""
        path = self.folder / "cohort.json"
        try:
            before = json.loads(path.read_text(encoding="utf-8"))["asked"] if path.exists() else None
        except (ValueError, KeyError, TypeError):
            before = None
        if before == self._asked:
            return True
        if not overwrite:
            differing = sorted(
                k for k in self._asked if not isinstance(before, dict) or before.get(k) != self._asked[k]
            )
            raise LesionmapError(
                f"{self.folder} holds the results of another request (other: {', '.join(differing)}); choose another "
                "folder, or replace them with --overwrite"
            )
        return False

    def _write_json(self, more: Mapping[str, Any]) -> None:
        from lesionmap.write import saving

        with saving(self.folder / "cohort.json", overwrite=True) as temporary:
            text = json.dumps({"asked": self._asked, **more}, ensure_ascii=False, indent=1, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")

    def _read(self) -> None:
        if not self._path.exists():
            return
        with self._path.open("rb+") as stream:
            at = 0
            for line in stream:
                if not line.endswith(b"\n"):
                    stream.truncate(at)
                    break
                row = json.loads(line)
                self._lines[row["study"], row["patient"]] = row["state"], at
                at += len(line)

    def state(self, key: tuple[str, str]) -> str:
        """Give the state of a patient (label, pseudonym) when the results were made; empty: there are none."""
        return self._lines.get(key, ("", 0))[0]

    def done(self, key: tuple[str, str], outcome: Mapping[str, Any]) -> None:
        """Note that a patient's results are on the disk."""
        row = {"study": key[0], "patient": key[1], **outcome}
        at = self._stream.tell()
        self._stream.write(json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        self._stream.flush()
        self._lines[key] = outcome["state"], at

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give the line of each patient that is done, by study and pseudonym."""
        with self._path.open("rb") as stream:
            for key in sorted(self._lines):
                stream.seek(self._lines[key][1])
                yield json.loads(stream.readline())

    def facts(self) -> Iterator[PatientFacts]:
        """Give the facts of all patients that are done, by study and pseudonym."""
        return (from_plain(row["facts"]) for row in self.rows() if row.get("facts"))

    def forget(self, key: tuple[str, str]) -> None:
        """Take the results of a patient as not there: they are of an older state of the study, and failed anew."""
        self._lines.pop(key, None)

    def close(self, failed: Sequence[tuple[str, str, str]], summary: Mapping[str, Any]) -> None:
        """Write who failed, and the sums."""
        from lesionmap.write import write_table

        self._stream.close()
        columns = ("study", "patient", "reason")
        rows = [dict(zip(columns, row, strict=True)) for row in failed]
        write_table(rows, columns, self.folder / "failed.csv", overwrite=True)
        self._write_json({"summary": summary})
