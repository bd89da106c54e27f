"""`htdemucs-n evaluate` on songs of two seconds: tables, files, the report, resuming, and bad input."""

from __future__ import annotations

import csv
import json
import os
import re
import sys
from datetime import date
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from audio_helpers import GAINS, SplitEngine
from htdemucs_n import __version__
from htdemucs_n.cli.main import main
from htdemucs_n.evaluation.bss_eval import require_museval
from htdemucs_n.evaluation.sdr import global_sdr
from htdemucs_n.models.names import DEFAULT_MODEL
from htdemucs_n.provenance import code_version
from htdemucs_n.separation.separator import Separator
from models_helpers import SplitNetwork
from training_helpers import SOURCES

RATE = 44100
QUICK = ["--metrics", "global,si,lsd,leak"]


def noise(seed: int, seconds: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.2, 0.2, (round(seconds * RATE), 2))


def write(folder: Path, rate: int = RATE, **stems: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, samples in stems.items():
        soundfile.write(folder / f"{name}.wav", samples, rate, subtype="FLOAT")


def stems_of(seed: int) -> dict[str, np.ndarray]:
    return {stem: noise(4 * seed + index) for index, stem in enumerate(SOURCES)}


@pytest.fixture(autouse=True)
def songs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three songs; the second has no bass, and silent vocals. The model gives each stem its part of the mixture."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("htdemucs_n.memory.keep_freed_memory", lambda: None)
    folder = tmp_path / "songs"
    write(folder / "one", **stems_of(0))
    second = stems_of(1)
    del second["bass"]
    write(folder / "two", **second | {"vocals": np.zeros((RATE, 2))})
    write(folder / "three", **stems_of(2))
    engine = SplitEngine()
    separator = __import__("htdemucs_n.separation", fromlist=["Separator"]).Separator
    monkeypatch.setattr("htdemucs_n.separation.Separator", lambda *_, **__: separator(engine))
    return folder


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["htdemucs-n", "evaluate", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def scores(folder: str = f"evaluation/{DEFAULT_MODEL}") -> dict[str, Any]:
    return json.loads(Path(folder, "scores.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def test_only_a_musdb_root_has_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "songs", "--metrics", "global", "--no-baselines", "--no-report") == 0
    assert "split" not in scores()
    Path("musdb/train").mkdir(parents=True)
    Path("songs").rename("musdb/test")
    assert run(monkeypatch, "musdb", "--metrics", "global", "--no-baselines", "--no-report") == 0
    assert scores()["split"] == "test"
    assert list(scores()["songs"]) == ["one", "three", "two"]


def test_a_model(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "songs", *QUICK, "--no-report") == 0
    result = scores()
    assert list(result["songs"]) == ["one", "three", "two"]
    mixture = sum(torch.from_numpy(x.T) for x in stems_of(0).values())
    assert isinstance(mixture, torch.Tensor)
    for stem, gain in zip(SOURCES, GAINS, strict=True):
        truth = torch.from_numpy(stems_of(0)[stem].T)
        found = result["songs"]["one"]["scores"][DEFAULT_MODEL]["global SDR"][stem]
        assert found == pytest.approx(float(global_sdr(truth, gain * mixture)), abs=1e-3)
        assert result["songs"]["one"]["scores"]["mixture"]["global SDR"][stem] == pytest.approx(
            float(global_sdr(truth, mixture)), abs=1e-3
        )
        assert result["songs"]["one"]["scores"]["silence"]["global SDR"][stem] == pytest.approx(0, abs=1e-6)
    two = result["songs"]["two"]
    assert two["scores"][DEFAULT_MODEL]["leak"] == pytest.approx(
        {"bass": 20 * np.log10(GAINS[1]), "vocals": 20 * np.log10(GAINS[3])}, abs=1e-3
    )
    assert two["scores"]["silence"]["leak"] == {"bass": -120, "vocals": -120}
    assert set(two["scores"][DEFAULT_MODEL]["global SDR"]) == {"drums", "other"}
    assert two["notes"] == ["bass: silent, only its leak is scored", "vocals: silent, only its leak is scored"]

    summary = result["summary"]["global SDR"]
    drums = [result["songs"][song]["scores"][DEFAULT_MODEL]["global SDR"]["drums"] for song in ("one", "two", "three")]
    assert summary[DEFAULT_MODEL]["drums"]["median"] == pytest.approx(np.median(drums))
    assert summary[DEFAULT_MODEL]["drums"]["mean"] == pytest.approx(np.mean(drums))
    assert summary[DEFAULT_MODEL]["bass"]["songs"] == 2
    for oracle in ("ideal ratio mask", "Wiener oracle"):
        for other in (DEFAULT_MODEL, "mixture", "silence"):
            assert all(summary[oracle][stem]["median"] > summary[other][stem]["median"] for stem in SOURCES)
    out = capsys.readouterr().out
    assert "global SDR, dB, median over songs" in out
    assert f"{summary[DEFAULT_MODEL]['drums']['median']:.2f}" in out
    assert "NaN" not in Path(f"evaluation/{DEFAULT_MODEL}/scores.json").read_text(encoding="utf-8")


@pytest.mark.usefixtures("without_matplotlib")
def test_without_matplotlib_the_report_is_refused_before_the_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "songs", *QUICK) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: the report (--no-report leaves it out) needs")
    assert line.endswith('install "htdemucs-n[evaluate]"') and not Path("evaluation").exists()
    assert run(monkeypatch, "songs", *QUICK, "--no-report", "--no-baselines") == 0


def test_several_models_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """One half of the mixture is drums to the first, one half bass to the second; new weights give new scores."""
    models = {"x.safetensors": SplitNetwork((1, 0, 0, 0)), "y.safetensors": SplitNetwork((0, 1, 0, 0))}
    Path("y.safetensors").touch()
    monkeypatch.setattr("htdemucs_n.models.registry.load_model", lambda name, *_: models[name])
    monkeypatch.setattr("htdemucs_n.separation.Separator", Separator)
    arguments = ["songs", "-n", "x.safetensors,y.safetensors", "-d", "cpu", *QUICK, "--no-report", "--no-baselines"]
    for weights, shares in (("old", (0.5, 0.5)), ("newer", (0.25, 0.75))):
        Path("x.safetensors").write_text(weights)
        models["x.safetensors"] = SplitNetwork((2 * shares[0], 2 * shares[1] - 1, 0, 0))
        assert run(monkeypatch, *arguments) == 0
        found = scores("evaluation/x+y")["songs"]["one"]["scores"]["x+y"]["global SDR"]
        mixture = sum(torch.from_numpy(x.T) for x in stems_of(0).values())
        for stem, share in zip(SOURCES, shares, strict=False):
            truth = torch.from_numpy(stems_of(0)[stem].T)
            assert found[stem] == pytest.approx(float(global_sdr(truth, share * mixture)), abs=1e-3)


def test_the_engine_is_recorded_and_scores_depend_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here it also depends on a file of weights beside the graph."""
    gains = {"onnx": (1.0, 0.0, 0.0, 0.0), "openvino": (0.0, 1.0, 0.0, 0.0)}

    def engine_of(model: object, *, engine: str, **_: object) -> SplitEngine:
        assert model == ["model.onnx"]
        made = SplitEngine(gains[engine])
        made.name, made.precision = engine, "bf16"
        return made

    monkeypatch.setattr("htdemucs_n.separation.Separator", Separator)
    monkeypatch.setattr("htdemucs_n.separation.separator.load_engine", engine_of)
    Path("model.onnx").touch()

    def bass(engine: str) -> float:
        assert run(monkeypatch, "songs", "-n", "model.onnx", "--engine", engine, *QUICK, "--no-report") == 0
        result = scores("evaluation/model")
        assert (result["engine"], result["device"], result["precision"]) == (engine, "cpu", "bf16")
        return float(result["songs"]["one"]["scores"]["model.onnx"]["global SDR"]["bass"])

    assert bass("onnx") == pytest.approx(0, abs=0.01)
    gains["onnx"] = gains["openvino"]
    assert bass("onnx") == pytest.approx(0, abs=0.01)  # scores that were kept
    assert bass("openvino") < -3
    gains["openvino"] = (1.0, 0.0, 0.0, 0.0)
    assert bass("openvino") < -3
    Path("model.safetensors").touch()
    assert bass("openvino") == pytest.approx(0, abs=0.01)


def test_the_csv_holds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "songs", *QUICK, "--no-report") == 0
    with Path(f"evaluation/{DEFAULT_MODEL}/scores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kept = scores()["songs"]
    assert len(rows) == 3 * 5 * 4
    for row in rows:
        by_metric = kept[row["song"]]["scores"][row["estimate"]]
        for metric in ("global SDR", "SI-SDR", "LSD", "leak"):
            value = by_metric[metric].get(row["stem"])
            assert row[metric] == ("" if value is None else f"{value:.6f}")
    assert not Path(f"evaluation/{DEFAULT_MODEL}/report").exists()


def test_bss_eval_in_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two mono stems, the same as museval's own function gives."""
    write(tmp_path / "pair" / "a", **{stem: noise(seed, 1.5)[:, 0] for seed, stem in enumerate(("drums", "vocals"))})
    assert run(monkeypatch, "pair", "--metrics", "bss", "--no-report", "--no-baselines") == 0
    result = scores()
    (note,) = result["notes"]
    assert note.startswith("not scored, because the songs do not have them: bass, other")
    truth = np.stack([soundfile.read(f"pair/a/{stem}.wav", always_2d=True)[0] for stem in ("drums", "vocals")])
    guess = truth.sum(0) * np.array([GAINS[0], GAINS[3]])[:, None, None]
    direct = require_museval().bss_eval(truth, guess, window=RATE, hop=RATE)
    for name, values in zip(("SDR", "ISR", "SIR"), direct, strict=False):
        for index, stem in enumerate(("drums", "vocals")):
            found = result["songs"]["a"]["scores"][DEFAULT_MODEL][f"BSS Eval {name}"][stem]
            assert found == pytest.approx(np.median(values[index]), abs=0.01)


def test_the_report_refers_to_no_other_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("htdemucs_n.evaluation.report._WORST", 1)
    assert run(monkeypatch, "songs", "--metrics", "global,lsd", "--no-baselines") == 0
    folder = Path(f"evaluation/{DEFAULT_MODEL}/report")
    page = (folder / "index.html").read_text(encoding="utf-8")
    sources: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            sources.extend(str(value) for key, value in attrs if key in ("src", "href"))

    Links().feed(page)
    assert not re.search(r"https?:|//", page)
    assert len(sources) == 1 + 1 + 4 * 3
    assert all((folder / source).is_file() for source in sources)
    assert {str(path.relative_to(folder).as_posix()) for path in folder.rglob("*.*")} == {*sources, "index.html"}
    worst = sources[1].split("/")[0]
    audio = {kind: soundfile.read(folder / worst / f"drums-{kind}.flac")[0] for kind in ("truth", "estimate", "error")}
    np.testing.assert_allclose(audio["estimate"] - audio["truth"], audio["error"], atol=1e-4)


def test_an_interrupted_run_goes_on(songs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was scored is not scored again, unless a file, the metrics or the model change."""
    calls: list[str] = []
    score_song = __import__("htdemucs_n.evaluation.run", fromlist=["score_song"]).score_song

    def counted(reference: Any, *arguments: Any) -> Any:
        calls.append(reference.name)
        if len(calls) == stop:
            raise KeyboardInterrupt
        return score_song(reference, *arguments)

    monkeypatch.setattr("htdemucs_n.evaluation.run.score_song", counted)
    quick = ["songs", *QUICK, "--no-report", "--no-baselines"]
    stop = 2
    with pytest.raises((SystemExit, KeyboardInterrupt)):
        monkeypatch.setattr(sys, "argv", ["htdemucs-n", "evaluate", *quick])
        main()
    assert calls[:2] == ["one", "three"]
    stop = 0
    calls.clear()
    assert run(monkeypatch, *quick) == 0
    assert "one" not in calls, "its scores were kept"
    assert "three" in calls, "its were not"
    for changed, expected in ((None, []), ("file", ["one"]), ("metric", ["one", "three", "two"])):
        calls.clear()
        if changed == "file":
            write(songs / "one", drums=noise(99, 1.1))
        more = ["--metrics", "global"] if changed == "metric" else []
        assert run(monkeypatch, *quick, *more) == 0
        assert calls == expected
    damaged = next(Path(f"evaluation/{DEFAULT_MODEL}/songs").glob("one-*.json"))
    damaged.write_text("{", encoding="utf-8")
    calls.clear()
    assert run(monkeypatch, *quick, "--metrics", "global") == 0
    assert calls == ["one"]


def test_songs_at_the_same_time_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = ["songs", *QUICK, "--no-report"]
    assert run(monkeypatch, *quick, "-o", "a") == 0
    assert run(monkeypatch, *quick, "-o", "b", "-j", "3") == 0
    assert scores(f"a/{DEFAULT_MODEL}")["songs"] == scores(f"b/{DEFAULT_MODEL}")["songs"]


def test_a_folder_of_stems(songs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """One song as it is, one that does not fit, one missing: the output names all three, and the exit status is 1."""
    write(Path("mine/one"), **stems_of(0))
    fitting = stems_of(2)
    write(Path("mine/three"), drums=fitting["drums"][:-300], bass=fitting["bass"][:, 0], other=noise(1, 1.2))
    write(Path("mine/three"), rate=22050, vocals=fitting["vocals"][::2])
    assert run(monkeypatch, "songs", "--stems", "mine", *QUICK, "--no-baselines", "--no-report") == 1
    assert "'two'" in capsys.readouterr().err
    result = scores("evaluation/mine")
    assert min(result["songs"]["one"]["scores"]["mine"]["global SDR"].values()) > 60
    assert result["songs"]["three"]["notes"] == [
        "vocals: estimate at 22050 Hz, resampled to 44100",
        "drums: 300 samples too short, padded",
        "other: 8820 samples too long, cut",
    ]
    assert list(result["failures"]) == ["two"]


def test_a_model_with_other_stems(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Scored on the common ones, with a note."""
    for song in ("one", "two", "three"):
        write(Path("mine", song), vocals=noise(5))
    assert run(monkeypatch, "songs", "--stems", "mine", *QUICK, "--no-report") == 0
    assert "note: not scored, because mine does not have them: drums, bass, other" in capsys.readouterr().out
    assert list(scores("evaluation/mine")["songs"]["one"]["scores"]["mixture"]["global SDR"]) == ["vocals"]


def test_a_song_that_cannot_be_read_does_not_stop_the_others(
    songs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (songs / "three" / "bass.wav").write_bytes(b"?")
    assert run(monkeypatch, "songs", *QUICK, "--no-report") == 1
    error = capsys.readouterr().err
    assert str(Path("three", "bass.wav")) in error
    assert "1 of 3 songs could not be scored" in error
    assert list(scores()["songs"]) == ["one", "two"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["nowhere"], "nowhere"),
        (["empty"], "contains no songs"),
        (["songs", "--metrics", "sdrr"], "global"),
        (["songs", "--metrics", ","], "empty"),
        (["songs", "--stems", "nowhere"], "nowhere"),
        (["songs", "--stems", "songs", "-n", DEFAULT_MODEL], "not both"),
        (["songs", "-n", ","], "--name ','"),
        (["songs", "-o", "songs/one/bass.wav"], "bass.wav"),
    ],
)
def test_a_mistake_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], named: str
) -> None:
    Path("empty").mkdir()
    quick = [] if "--metrics" in arguments else QUICK
    wrong_option = named in ("global", "empty", "not both", "--name ','")
    assert run(monkeypatch, *arguments, *quick) == (2 if wrong_option else 1)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert named in line


def test_without_museval(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    require_museval.cache_clear()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(monkeypatch, "songs") == 1
    assert "htdemucs-n[evaluate]" in capsys.readouterr().err
    assert run(monkeypatch, "songs", *QUICK, "--no-report") == 0


def test_files_of_no_known_stem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a mixture they may be part of it, so the song is refused; with one they are named."""
    write(tmp_path / "more" / "a", vocals=noise(1), instrumental=noise(2))
    assert run(monkeypatch, "more", *QUICK, "--no-report", "--no-baselines") == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "instrumental.wav" in line]
    assert "mixture.wav" in line
    write(tmp_path / "more" / "a", mixture=noise(1) + noise(2))
    assert run(monkeypatch, "more", *QUICK, "--no-report", "--no-baselines") == 0
    song = scores()["songs"]["a"]
    assert song["notes"] == ["of no known stem, in the mixture alone: instrumental.wav"]
    truth, mixture = (torch.from_numpy(x.T) for x in (noise(1), noise(1) + noise(2)))
    found = song["scores"][DEFAULT_MODEL]["global SDR"]["vocals"]
    assert found == pytest.approx(float(global_sdr(truth, GAINS[3] * mixture)), abs=1e-3)


@pytest.mark.skipif(sys.platform == "win32", reason="the names of the songs are not allowed there")
def test_estimates_of_songs_whose_names_were_made_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for song, folder in (("Why?", "Why_"), ("Part 1: Go", "Part 1_ Go")):
        write(tmp_path / "odd" / song, **stems_of(0))
        write(tmp_path / "mine" / folder, **stems_of(0))
    assert run(monkeypatch, "odd", "--stems", "mine", *QUICK, "--no-report", "--no-baselines") == 0
    assert list(scores("evaluation/mine")["songs"]) == ["Part 1: Go", "Why?"]


def test_scores_are_kept_for_one_state_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = ["songs", *QUICK, "--no-report", "--no-baselines"]
    assert run(monkeypatch, *quick) == 0
    file = next(Path(f"evaluation/{DEFAULT_MODEL}/songs").glob("one-*.json"))
    first = json.loads(file.read_text(encoding="utf-8"))
    assert run(monkeypatch, *quick) == 0
    assert json.loads(file.read_text(encoding="utf-8")) == first
    monkeypatch.setattr("htdemucs_n.evaluation.run.code_digest", lambda: "other code")
    assert run(monkeypatch, *quick) == 0
    assert json.loads(file.read_text(encoding="utf-8"))["key"] != first["key"]
    for content in (first, scores()):
        assert {key: content[key] for key in code_version()} == code_version()
    assert code_version()["htdemucs-n"] == __version__


def test_the_report_names_version_date_and_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "pair" / "a", **stems_of(0))
    assert run(monkeypatch, "pair", "--metrics", "global") == 0
    page = Path(f"evaluation/{DEFAULT_MODEL}/report/index.html").read_text(encoding="utf-8")
    assert f"<h1>{DEFAULT_MODEL}: 1 song</h1>" in page and "1 songs" not in page
    engine = SplitEngine().name
    for fact in (date.today().isoformat(), __version__, "htdemucs-n evaluate pair --metrics global", engine):
        assert f"<td>{fact}</td>" in page
    assert "Signal-to-distortion ratio of the whole song" in page
    assert "<b>Wiener oracle</b>" in page
    row = scores()["summary"]["global SDR"][DEFAULT_MODEL]
    mean = np.mean([row[stem]["median"] for stem in SOURCES])
    assert "<th>mean</th>" in page and f"<td>{row['vocals']['median']:.2f}</td><td>{mean:.2f}</td></tr>" in page


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_name_that_is_not_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = os.fsdecode(b"caf\xe9")
    write(tmp_path / "odd" / "to be renamed", **stems_of(0))
    (tmp_path / "odd" / "to be renamed").rename(tmp_path / "odd" / odd)
    write(tmp_path / "odd" / "plain", **stems_of(1))
    assert run(monkeypatch, "odd", "--metrics", "global") == 0
    assert list(scores()["songs"]) == [odd, "plain"]
    page = Path(f"evaluation/{DEFAULT_MODEL}/report/index.html").read_text(encoding="utf-8")
    assert r"caf\udce9" in page
