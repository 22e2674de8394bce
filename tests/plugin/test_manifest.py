"""The manifest is valid, its commands exist, readers give layers in millimetres, and never raise when asked."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManifest

from lesionmap.errors import LesionmapError
from lesionmap.measure import RULES
from napari_lesionmap.preferences import Preferences, preferences
from napari_lesionmap.readers import get_reader, read_layers
from plugin.small import LATER

MANIFEST = Path(__file__).resolve().parents[2] / "plugins" / "napari_lesionmap" / "napari.yaml"


def test_npe2_finds_the_manifest_valid() -> None:
    command = [str(Path(sys.executable).with_name("npe2")), "validate", str(MANIFEST)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_exists() -> None:
    commands = PluginManifest.from_file(MANIFEST).contributions.commands
    assert commands is not None
    assert len(commands) >= 8
    for command in commands:
        module, _, name = str(command.python_name).partition(":")
        assert callable(getattr(import_module(module), name)), command.python_name


def test_the_manifest_names_menus_that_are_open_to_plugins() -> None:
    menus = PluginManifest.from_file(MANIFEST).contributions.menus
    assert menus is not None
    assert {"napari/file/io_utilities", "napari/layers/annotate", "napari/layers/measure"} <= set(menus)


def test_the_plugin_loads_no_window_when_its_readers_are_asked() -> None:
    script = "import sys, napari_lesionmap.readers; print([m for m in ('napari', 'qtpy', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["notes.txt", "missing.dcm", "empty_folder", "text.dcm"])
def test_what_is_not_ours_is_left_to_others(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "empty_folder":
        path.mkdir()
    elif name != "missing.dcm":
        path.write_text("no image", encoding="utf-8")
    assert get_reader(str(path)) is None
    assert get_reader([str(path)]) is None


def test_a_nifti_file_becomes_an_image_layer_in_millimetres(made_study: Path) -> None:
    path = made_study.parent / f"STIR_coronal_{LATER}.nii"
    read = get_reader(str(path))
    assert read is not None
    ((data, options, kind),) = read(str(path))
    assert kind == "image"
    assert data.shape == (24, 500, 150)
    assert options["scale"] == pytest.approx((6.0, 3.0, 3.0))
    assert options["translate"] == pytest.approx((-62.0, 240.0 - 499 * 3, -226.0))
    assert options["units"] == ("mm", "mm", "mm")


def test_dicom_files_of_another_program_are_read(tmp_path: Path) -> None:
    from pydicom.data import get_testdata_file

    path = Path(str(get_testdata_file("MR_small.dcm")))
    assert get_reader(str(path)) is read_layers
    ((data, options, _),) = read_layers(str(path))
    assert data.size == 64 * 64
    assert np.all(np.array(options["scale"]) > 0)
    copy = tmp_path / "visit" / "IM0001"
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    assert get_reader(str(tmp_path)) is read_layers


def test_a_broken_file_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.nii"
    path.write_bytes(b"no nifti")
    read = get_reader(str(path))
    assert read is not None
    with pytest.raises(LesionmapError, match=r"no image series found in 1 path\(s\); .*broken\.nii"):
        read(str(path))


def test_the_preferences_offer_the_rules_that_there_are() -> None:
    found = PluginManifest.from_file(MANIFEST).contributions.configurations
    assert found is not None
    properties = found["work"].properties
    assert properties["rule"].enum == list(RULES)
    assert {name: one.default for name, one in properties.items()} == {"rule": "default", "hide": False, "folder": ""}
    assert preferences() == Preferences()


def test_what_is_set_in_the_preferences_is_how_the_dock_begins(monkeypatch: pytest.MonkeyPatch, qtbot: Any) -> None:
    from napari.settings import get_plugin_settings

    from napari_lesionmap.widgets.dock import Dock

    work = get_plugin_settings("lesionmap").work
    monkeypatch.setattr(work, "rule", "epiphysis_apart")
    monkeypatch.setattr(work, "hide", True)
    monkeypatch.setattr(work, "folder", "/exports")
    dock = Dock(ViewerModel())
    qtbot.addWidget(dock)
    assert dock.desk.session.rule is RULES["epiphysis_apart"]
    assert dock.map.rule.currentData() == "epiphysis_apart"
    assert dock.desk.session.hidden
    assert dock.export.folder.text() == "/exports"
    qtbot.waitUntil(lambda: not dock.desk.working, timeout=60_000)
