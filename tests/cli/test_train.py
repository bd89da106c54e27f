"""`htdemucs-n train` as a person types it, on songs of a second and a model of a few layers."""

from __future__ import annotations

import csv
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
import torch
from safetensors.torch import load_file

import htdemucs_n
from htdemucs_n.cli.main import main
from htdemucs_n.models.htdemucs_n import HTDemucs_n
from htdemucs_n.models.presets import load_preset
from htdemucs_n.models.registry import load_model
from htdemucs_n.models.storage import load_tensors
from training_helpers import SOURCES, TINY, write_song

MODEL = [f"htdemucs_n.{key}={str(value).replace(' ', '')}" for key, value in TINY.items()]
SHORT = ["solver.epochs=1", "solver.epoch_steps=2", "dset.segment=0.19", "dset.num_workers=1", "misc.device=cpu"]
SONGS = ["dset.train=[songs]", "dset.valid=[held out]"]


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two songs to train on, one to validate, in the working folder; no pictures, which take longer here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("htdemucs_n.memory.keep_freed_memory", lambda one_heap=False: None)
    monkeypatch.setattr("htdemucs_n.training.curve.draw_curve", lambda table, picture: picture.touch())
    write_song(Path("songs/first"), 0, 15_000)
    write_song(Path("songs/second"), 1, 12_000)
    write_song(Path("held out/third"), 2, 9_000)
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command in this process; returns its exit status."""
    monkeypatch.setattr(sys, "argv", ["htdemucs-n", "train", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def parameters(path: Path, prefix: str = "") -> dict[str, torch.Tensor]:
    """The trained weights of a file, without the statistics of batch norm."""
    return {
        key.removeprefix(prefix): tensor
        for key, tensor in load_file(path).items()
        if key.startswith(prefix) and not re.search(r"running_|num_batches", key)
    }


def test_train_then_separate(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], demo_stems: dict[str, torch.Tensor]
) -> None:
    """Half a second of the demo in, a model out that `separate -n` takes."""
    for second, folder in enumerate(("train", "valid")):
        target = Path("data", folder, "demo")
        target.mkdir(parents=True)
        for name, stem in demo_stems.items():
            soundfile.write(target / f"{name}.flac", stem.T[44100 * second : 44100 * second + 22050], 44100)
    data = ["dset.train=[data/train]", "dset.valid=[data/valid]"]
    assert run(monkeypatch, *data, *SHORT, *MODEL, "misc.out=runs/a") == 0
    out = Path("runs/a")
    assert {path.name for path in out.iterdir()} >= {"last.safetensors", "best.safetensors", "curve.csv", "curve.png"}
    _, card = load_tensors(out / "best.safetensors")
    assert card["sdr"].keys() == {*SOURCES, "mean"}
    assert f"step 2, best mean SDR {card['sdr']['mean']:.3f} dB, in runs/a" in capsys.readouterr().out

    monkeypatch.setattr(
        sys, "argv", ["htdemucs-n", "separate", "data/valid/demo/bass.flac", "-n", f"{out}/best.safetensors"]
    )
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code
    assert len(list(Path("separated").rglob("*.wav"))) == 4


def test_overrides_reach_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    overrides = ["solver.epochs=3", "solver.lr=1e-4", "solver.warmup_steps=1", "solver.decay=0", "dset.batch_size=3"]
    shapes = []
    forward = HTDemucs_n.forward
    monkeypatch.setattr(HTDemucs_n, "forward", lambda self, x: (shapes.append(tuple(x.shape)), forward(self, x))[1])
    assert run(monkeypatch, *SONGS, *SHORT, *MODEL, *overrides, "htdemucs_n.channels=8") == 0
    with Path("runs/n_train/curve.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(int(row["step"]), float(row["lr"])) for row in rows] == [(2, 1e-4), (4, 1e-4), (6, 1e-4)]
    assert shapes.count((3, 2, 8192)) == 6 + 2, "two of them to time a step beforehand"
    assert load_model("runs/n_train/best.safetensors").config.channels == 8


def test_stems_by_other_names(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A file that no stem is named after counts once the config assigns it to a stem."""
    Path("songs/first/other.wav").rename("songs/first/theremin.wav")
    with caplog.at_level(logging.WARNING):
        assert run(monkeypatch, *SONGS, *SHORT, *MODEL, "misc.out=first") == 0
        assert "'theremin' is left out of 1 song:" in caplog.text
        caplog.clear()
        named = ["dset.aliases={theremin: other, click: null}", "dset.cache=decoded"]
        assert run(monkeypatch, *SONGS, *SHORT, *MODEL, *named, "misc.out=second") == 0
    assert "theremin" not in caplog.text
    assert len(list(Path("decoded").rglob("*.npy"))) == 12


def test_a_debug_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """One crop a step, one epoch, nothing to validate."""
    debug = ["dset.batch_size=1", "solver.epochs=1"]
    assert run(monkeypatch, "dset.train=[songs]", *SHORT, *MODEL, *debug) == 0
    assert Path("runs/n_train/last.safetensors").exists()


def test_a_second_call_goes_on(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert run(monkeypatch, *SONGS, *SHORT, *MODEL) == 0
        assert run(monkeypatch, *SONGS, *SHORT, *MODEL, "solver.epochs=2") == 0
    assert "continuing from" in caplog.text
    assert "2 songs, 0.0 minutes; 1 to validate" in caplog.text
    _, metadata = load_tensors(Path("runs/n_train/last.safetensors"))
    assert metadata["progress"]["step"] == 4


def test_continue_from_weights_and_from_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a rate of 0 what comes out is what went in: the weights of `best`, or both kinds of weights of `last`."""
    assert run(monkeypatch, *SONGS, *SHORT, *MODEL, "misc.out=first") == 0
    still = ["solver.lr=0", "solver.epochs=2"]
    first, tuned, longer = Path("first"), Path("tuned"), Path("longer")
    start = f"continue_from={(first / 'best.safetensors').as_posix()}"
    assert run(monkeypatch, *SONGS, *SHORT, *MODEL, *still, start, "misc.out=tuned") == 0
    best, last = parameters(first / "best.safetensors"), parameters(tuned / "last.safetensors", "model.")
    assert all(torch.equal(tensor, last[key]) for key, tensor in best.items())
    assert load_tensors(tuned / "last.safetensors")[1]["progress"]["step"] == 4, "a run of its own, from step 0"

    start = f"continue_from={(first / 'last.safetensors').as_posix()}"
    assert run(monkeypatch, *SONGS, *SHORT, *MODEL, *still, start, "misc.out=longer") == 0
    before, after = (parameters(folder / "last.safetensors", "model.") for folder in (first, longer))
    assert all(torch.equal(tensor, after[key]) for key, tensor in before.items())
    moments = load_file(longer / "last.safetensors")
    assert {int(tensor) for key, tensor in moments.items() if key.endswith(".step")} == {4}, "2 there, 2 here"


@pytest.mark.parametrize("arguments", [["--config-name", "n_train", "preset=fast"], ["preset=small"]])
def test_show_prints_the_model_and_stops(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """No songs are needed, and nothing is written."""
    assert run(monkeypatch, *arguments, "misc.show=true") == 0
    out = capsys.readouterr().out
    model = HTDemucs_n(load_preset(arguments[-1].removeprefix("preset=")))
    assert out.splitlines()[-1] == f"{sum(p.numel() for p in model.parameters()):,} parameters"
    assert out.startswith("HTDemucs_n(")
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["solver.lrr=1"], "solver.lr'"),
        (["preset=huge"], "huge"),
        (["htdemucs_n.spectral_head=loud"], "spectral_head"),
        (["misc.device=abacus"], "abacus"),
        (["dset.train=[nowhere]"], "nowhere"),
        (["dset.train=[]"], "dset.train"),
        (["dset.valid=[nowhere]"], "nowhere"),
        (["dset.extra.vocals=[nowhere]"], "dset.extra.vocals"),
        (["dset.aliases={theremin: otter}"], "'other'"),
        (["continue_from=missing.safetensors"], "missing.safetensors"),
        (["misc.out=songs/first/drums.wav"], "drums.wav"),
        (["--config-name", "mine"], "mine"),
        (["dset.train=[a b"], "config key 'dset.train' is '[a b', which cannot be read: check its brackets and quotes"),
    ],
)
def test_a_mistake_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    assert run(monkeypatch, *SONGS, *SHORT, *MODEL, *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert named in line
    assert not Path("runs/n_train/last.safetensors").exists()


def test_without_the_training_extra(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "hydra", None)
    assert run(monkeypatch, *SONGS) == 1
    assert "htdemucs-n[train]" in capsys.readouterr().err


def test_in_a_process_of_its_own() -> None:
    """Default device, the log on stderr, the last line on stdout; and for a wrong key one line and status 1."""
    command = [sys.executable, "-c", "from htdemucs_n.cli.main import main; main()", "train"]
    source = str(Path(htdemucs_n.__file__).parents[1])
    settings = {"env": os.environ | {"PYTHONPATH": source, "PYTHONUTF8": "1"}, "text": True, "capture_output": True}
    quick = [argument for argument in SHORT if "device" not in argument]
    done = subprocess.run([*command, *SONGS, *quick, *MODEL], **settings)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("step 2, best mean SDR ")
    assert "2 songs" in done.stderr
    assert "Traceback" not in done.stderr
    wrong = subprocess.run([*command, "solver.lrr=1"], **settings)  # type: ignore[call-overload]
    assert wrong.returncode == 1
    assert len(wrong.stderr.splitlines()) == 1
    assert wrong.stderr.startswith("error: ")
    assert not wrong.stdout


def test_two_stems_train(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vocals and instrumental: no default key stands in the way."""
    for song in (*Path("songs").iterdir(), *Path("held out").iterdir()):
        (song / "drums.wav").rename(song / "instrumental.wav")
        (song / "bass.wav").unlink()
        (song / "other.wav").unlink()
    assert run(monkeypatch, *SONGS, *SHORT, *MODEL, "htdemucs_n.sources=[vocals,instrumental]") == 0
    assert load_model("runs/n_train/best.safetensors").sources == ("vocals", "instrumental")


def test_without_validation_songs_the_last_checkpoint_is_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its averaged weights are used."""
    assert run(monkeypatch, "dset.train=[songs]", *SHORT, *MODEL) == 0
    model = load_model("runs/n_train/last.safetensors")
    averaged = load_file("runs/n_train/last.safetensors")["ema.multi_stft_encoder.resolution_logits"]
    assert torch.equal(model.state_dict()["multi_stft_encoder.resolution_logits"], averaged)


def test_silent_validation_songs_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for stem in Path("held out/third").iterdir():
        soundfile.write(stem, [[0.0, 0.0]] * 900, 44100)
    assert run(monkeypatch, *SONGS, *SHORT, *MODEL) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "held out" in line and "silent" in line and "dset.valid" in line


def test_average_of_two_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The mean of both files, scored on the validation songs; a model for `separate`."""
    for seed in (1, 2):
        assert run(monkeypatch, *SONGS, *SHORT, *MODEL, f"misc.out=runs/{seed}", f"misc.seed={seed}") == 0
    capsys.readouterr()
    files = [f"runs/{seed}/best.safetensors" for seed in (1, 2)]
    monkeypatch.setattr(sys, "argv", ["htdemucs-n", "average", "mean.safetensors", *files, *SONGS, "misc.device=cpu"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert not caught.value.code
    first, second, mean = (load_file(file) for file in (*files, "mean.safetensors"))
    for name in parameters(Path("mean.safetensors")):
        torch.testing.assert_close(mean[name], (first[name] + second[name]) / 2)
    printed = capsys.readouterr().out
    assert printed.startswith("mean.safetensors: drums ") and "mean " in printed
