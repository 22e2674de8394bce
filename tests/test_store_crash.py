"""Study and what breaks: cut lines, crashed servers, full and read-only disks. Nothing acknowledged is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cli_case import lesionmap
from cut_line import Line, line
from edit_stream import DAY, nursery
from lesionmap.errors import LesionmapError
from lesionmap.lesions import Lesion, LesionMap
from lesionmap.space import Grid
from lesionmap.store import Study
from lesionmap.store.checking import check_study
from lesionmap.visits import Patient, Series, Visit
from postgresql import Cluster, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from figures import Tell

TIBIA = Lesion("L1", ("tibia.distal_metaphysis.left",), tracks=("2.25.7",))
RIB = Lesion("L2", ("rib_7.whole.left",), tracks=("2.25.8",))
BARE = Series("T1", Grid((3, 4, 5), np.diag([1.5, 2.0, 6.0, 1.0])), "MR", "T1", "coronal", ())
UNKNOWN = "ended while it was being saved, so it is not known whether this was stored; look when the server answers"


def make(where: str) -> str:
    with Study.open(where, create=True) as study:
        study.add_patient(Patient("P001", "M", date(2002, 5, 4)))
        study.add_visit(Visit("P001", date(2010, 5, 4)))
        empty = study.lesion_map("P001", DAY, "anna")
        study.save(empty, replace(empty, lesions=(TIBIA,)))
    return where


@pytest.fixture
def wire(postgresql: Cluster) -> Iterator[Line]:
    with line(postgresql.port) as laid:
        yield laid


@pytest.fixture
def study(postgresql: Cluster, wire: Line) -> Iterator[Study]:
    """A study whose server is reached over a line that can be cut; a lesion is in it."""
    where = make(postgresql.schema())
    with Study.open(where.replace(str(postgresql.port), str(wire.port))) as opened:
        yield opened


def titles(study: Study) -> list[str]:
    return [edit.title for edit in study.history("P001", DAY, "anna")]


def grown(study: Study) -> tuple[LesionMap, LesionMap]:
    old = study.lesion_map("P001", DAY, "anna")
    return old, replace(old, lesions=(TIBIA, RIB))


# A line that is cut


@pytest.mark.parametrize("moment", ["before commit", "after commit"])
def test_a_save_whose_answer_is_lost_is_stored_once(study: Study, wire: Line, moment: str) -> None:
    old, new = grown(study)
    wire.cut_at = moment  # type: ignore[assignment]
    study.save(old, new)
    assert wire.cut_at == ""
    assert titles(study) == ["add lesion 1", "add lesion 2"]
    wire.cut_at = moment  # type: ignore[assignment]
    assert study.undo("P001", DAY, "anna") == old
    assert titles(study) == ["add lesion 1", "add lesion 2", "undo: add lesion 2"]


@pytest.mark.parametrize("moment", ["before commit", "after commit"])
def test_where_the_server_stays_away_nobody_is_told_that_it_was_stored(study: Study, wire: Line, moment: str) -> None:
    old, new = grown(study)
    wire.cut_at, wire.stay_dead = moment, True  # type: ignore[assignment]
    with pytest.raises(LesionmapError, match=UNKNOWN):
        study.save(old, new)
    with pytest.raises(LesionmapError, match="cannot be reached on its server; check the address, the network"):
        study.lesion_map("P001", DAY, "anna")
    wire.dead = wire.stay_dead = False
    assert study.lesion_map("P001", DAY, "anna") in ((old, new) if moment == "before commit" else (new,))
    study.save(old, new)  # the same again: stored once in any case
    assert titles(study) == ["add lesion 1", "add lesion 2"]


def test_a_line_cut_before_the_commit_has_saved_nothing_and_says_so(study: Study, wire: Line) -> None:
    old, new = grown(study)
    wire.cut_at = "at insert"
    with pytest.raises(LesionmapError, match="lost its connection to the server; nothing of this was saved: try again"):
        study.save(old, new)
    assert study.lesion_map("P001", DAY, "anna") == old
    study.save(old, new)
    assert titles(study) == ["add lesion 1", "add lesion 2"]


def test_a_line_cut_between_two_saves_is_not_felt(study: Study, wire: Line) -> None:
    old, new = grown(study)
    wire.cut()
    study.save(old, new)
    assert study.lesion_map("P001", DAY, "anna") == new


def test_a_pulled_cable_ends_in_a_line_not_in_a_hang(postgresql: Cluster, wire: Line) -> None:
    """The server has not noticed: it keeps the numbers of the save, and who saves again waits for them in vain."""
    where = make(postgresql.schema())
    patience = "-c%20lock_timeout%3D200ms%20-c%20idle_in_transaction_session_timeout%3D2s%20"
    short = where.replace("options=", f"options={patience}")
    with Study.open(short.replace(str(postgresql.port), str(wire.port))) as study:
        old, new = grown(study)
        wire.cut_at, wire.silent = "before commit", True
        with pytest.raises(LesionmapError, match=UNKNOWN):
            study.save(old, new)
        kept = "SELECT pid FROM pg_stat_activity WHERE state ~ 'in transaction'"
        assert postgresql.ask(kept)
        while postgresql.ask(kept):
            pass  # the server lets go of it by itself: idle_in_transaction_session_timeout
        study.save(old, new)
        assert titles(study) == ["add lesion 1", "add lesion 2"]


# What is added once: a patient, a visit, series

SECOND = Visit("P001", date(2011, 6, 7), stature_cm=131.5)


def refused_then_once(study: Study, lose: Callable[[], None], again: Callable[[], None]) -> None:
    """Lose the answer to each of the three in turn, and ask for the same again: it is there once."""
    acts = (
        lambda: study.add_patient(Patient("P002", "F")),
        lambda: study.add_visit(SECOND),
        lambda: study.add_series("P001", "2011-06-07", [BARE]),
    )
    for act in acts:
        lose()
        with pytest.raises(LesionmapError, match=UNKNOWN):
            act()
        again()
        act()
    assert [one.id for one in study.patients()] == ["P001", "P002"]
    assert study.visits("P001")[1:] == (replace(SECOND, age_y=study.visits("P001")[1].age_y, series=(BARE,)),)
    assert study.add_visit(SECOND).key == "2011-06-07.2"  # a second one that is meant
    with pytest.raises(LesionmapError, match="the study has a patient P002 already"):
        study.add_patient(Patient("P002", "F"))


@pytest.mark.parametrize("moment", ["before commit", "after commit"])
def test_what_is_added_while_the_line_is_cut_is_there_once(study: Study, wire: Line, moment: str) -> None:
    wire.cut_at = moment  # type: ignore[assignment]
    study.add_patient(Patient("P002", "F"))
    wire.cut_at = moment  # type: ignore[assignment]
    assert study.add_visit(SECOND).key == "2011-06-07"
    wire.cut_at = moment  # type: ignore[assignment]
    study.add_series("P001", "2011-06-07", [BARE])
    assert wire.cut_at == ""
    assert [len(visit.series) for visit in study.visits("P001")] == [0, 1]


@pytest.mark.parametrize("moment", ["before commit", "after commit"])
def test_what_is_added_again_when_the_server_is_back_is_there_once(study: Study, wire: Line, moment: str) -> None:
    def lose() -> None:
        wire.cut_at, wire.stay_dead = moment, True  # type: ignore[assignment]

    def again() -> None:
        wire.dead = wire.stay_dead = False

    refused_then_once(study, lose, again)


@pytest.mark.parametrize("moment", [pytest.param("before commit", marks=pytest.mark.long), "after commit"])
def test_what_is_added_while_the_server_is_killed_is_there_once(moment: str) -> None:
    with running() as cluster, line(cluster.port) as wire:
        where = make(cluster.new())

        def lose() -> None:
            wire.cut_at, wire.stay_dead = moment, True  # type: ignore[assignment]

        def again() -> None:
            cluster.stop(signal.SIGKILL)
            cluster.start()
            wire.dead = wire.stay_dead = False

        with Study.open(where.replace(str(cluster.port), str(wire.port))) as study:
            refused_then_once(study, lose, again)
        assert check_study(where).faults == ()


# A server that dies


@pytest.mark.parametrize("rounds", [4, pytest.param(25, marks=pytest.mark.long)])
def test_acknowledged_edits_outlast_a_server_that_is_killed(rounds: int, tell: Tell) -> None:
    """In turn the whole server with SIGKILL, one process of it, and a stop without a farewell."""
    rng = np.random.default_rng(11)
    with running() as cluster:
        where = make(cluster.new())
        last = 0
        with nursery(where) as ward:
            for number in range(rounds):
                pid = ward.begin()
                seen = [int(ward.line()) for _ in range(int(rng.integers(1, 9)))]
                crash(cluster, number % 3)
                with suppress(ProcessLookupError):  # it may have gone when its server went
                    os.kill(pid, signal.SIGKILL)
                last = max([last, *seen, *ward.acknowledged()])
                with Study.open(where) as study:
                    found = study.lesion_map("P001", DAY, "anna")
                notes = {int(lesion.note) for lesion in found.lesions}
                assert len(notes) == 1
                assert last <= max(notes) <= last + 1
                last = max(notes)
        assert last >= rounds
    tell("server killed", [f"{rounds} times, {last} saves acknowledged, 0 lost, 0 torn"])


def crash(cluster: Cluster, how: int) -> None:
    if how == 1:
        asked = "SELECT pid FROM pg_stat_activity WHERE application_name = 'lesionmap' AND datname <> 'postgres'"
        os.kill(int(str(cluster.ask(asked)[0][0])), signal.SIGKILL)  # then it restarts all of its processes
        cluster.wait()
    else:
        cluster.stop(signal.SIGKILL if how == 0 else signal.SIGQUIT)
        cluster.start()


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """Mount a disk of its own on a new folder."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_full_disk_of_the_server_says_so_and_loses_nothing() -> None:
    with running() as cluster:
        folder = cluster.folder / "small"
        with small_disk(folder, "40m"):
            shutil.chown(folder, "postgres", "postgres")
            cluster.ask(f"CREATE TABLESPACE small LOCATION '{folder}'", "CREATE DATABASE small TABLESPACE small")
            with Study.open(make(cluster.url("small"))) as study:
                fill_up(study)
            cluster.stop()


def fill_up(study: Study) -> None:
    old = study.lesion_map("P001", DAY, "anna")
    noise = np.random.default_rng(1).integers(32, 127, 4 * 10**7, dtype=np.uint8).tobytes().decode("ascii")
    with pytest.raises(LesionmapError, match="the disk of its server is full; nothing of this was saved"):
        study.save(old, replace(old, lesions=(replace(TIBIA, note=noise),)))
    assert study.lesion_map("P001", DAY, "anna") == old


def test_a_full_disk_under_a_file_says_so_and_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with small_disk(folder, "2m"):
        with Study.open(make(str(folder / "s.lesionmap"))) as study:
            ballast = folder / "ballast"
            ballast.write_bytes(bytes(10**6))
            saved, refused = fill(study)
            assert len(saved) > 3
            assert "could not be written because the disk is full; free some space, then save again" in refused
            assert study.lesion_map("P001", DAY, "anna").lesion("L1").note == saved[-1]
            ballast.unlink()
            old = study.lesion_map("P001", DAY, "anna")
            study.save(old, replace(old, lesions=(replace(TIBIA, note="there is room again"),)))
        assert check_study(str(folder / "s.lesionmap")).faults == ()
        with Study.open(folder / "s.lesionmap") as study:
            kept = [edit.value.note for edit in study.history("P001", DAY, "anna") if isinstance(edit.value, Lesion)]
        assert kept == ["", *saved, "there is room again"]


def fill(study: Study) -> tuple[list[str], str]:
    """Save longer and longer notes until it is refused; give those that were saved, and why the last was not."""
    saved: list[str] = []
    for n in range(1, 100):
        old = study.lesion_map("P001", DAY, "anna")
        note = f"{n} " * 9999 * n
        try:
            study.save(old, replace(old, lesions=(replace(TIBIA, note=note),)))
        except LesionmapError as error:
            return saved, str(error)
        saved.append(note)
    pytest.fail("the disk was never full")


def test_a_disk_that_becomes_read_only_says_so_and_can_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    with small_disk(folder, "2m"):
        where = make(str(folder / "s.lesionmap"))
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        with Study.open(where) as study:
            old = study.lesion_map("P001", DAY, "anna")
            assert (study.read_only, old.lesions) == (True, (TIBIA,))
            with pytest.raises(LesionmapError, match="on a read-only disk or folder and cannot be changed; copy it"):
                study.save(old, replace(old, lesions=()))
        assert lesionmap("study", "check", where).code == 0


# Several workstations


def test_many_writers_at_once_lose_nothing(postgresql: Cluster) -> None:
    """Each saves a lesion of its own in the same map, as fast as it can."""
    where = make(postgresql.schema())
    writers, times = 3, 15
    with ExitStack() as stack:
        wards = [stack.enter_context(nursery(where)) for _ in range(writers)]
        for number, ward in enumerate(wards, start=2):
            ward.begin(f"own {number} {times}")
        assert [ward.acknowledged() for ward in wards] == [list(range(1, times + 1))] * writers
    with Study.open(where) as study:
        edits = study.history("P001", DAY, "anna")
    assert [edit.n for edit in edits] == list(range(1, writers * times + 2))
    for number in range(2, writers + 2):
        values = [edit.value for edit in edits if edit.what == f"lesion/L{number}"]
        assert [int(one.note) for one in values if isinstance(one, Lesion)] == list(range(1, times + 1))
