"""The folder of a run holds its configuration, command and version."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import yaml

from htdemucs_n import __version__
from htdemucs_n.training.config import TrainConfig
from htdemucs_n.training.record import record_run
from training_helpers import tiny_config


def test_the_folder_holds_every_key_and_every_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["htdemucs-n", "train", "preset=small"])
    config = tiny_config(tmp_path)
    record_run(config, 0)
    record_run(config, 3)
    stored = yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))
    assert TrainConfig.from_dict(stored) == config
    starts = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    assert [start["step"] for start in starts] == [0, 3]
    assert starts[0]["version"] == __version__
    assert starts[0]["command"] == ["htdemucs-n", "train", "preset=small"]


def test_other_settings_are_logged_when_a_run_is_resumed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        record_run(tiny_config(tmp_path), 0)
        record_run(tiny_config(tmp_path), 3)
        assert not caplog.text
        record_run(tiny_config(tmp_path, solver={"lr": 1e-5}, augment={"remix": 0.25}), 3)
    assert "solver.lr 0.0003 -> 1e-05; augment.remix 0.75 -> 0.25" in caplog.text


def test_a_damaged_record_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("solver: [", encoding="utf-8")
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    record_run(tiny_config(tmp_path), 1)
    assert len(json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))) == 1
