"""The whole command on a folder and on S3: the stems are those of `separate`, and nothing is done twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from htdemucs_n.catalogue.ledger import Ledger
from htdemucs_n.catalogue.store import Store

pytest.importorskip("fsspec")
from catalogue_helpers import make_songs, s3, s3_server  # noqa: F401

MODEL = ["-n", "bands", "--engine", "onnx", "--threads", "1"]


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "htdemucs_n", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload]


def ledger_of(dest: str | Path) -> list[tuple[str, str]]:
    return sorted((record.key, record.state) for record in Ledger(Store(str(dest))).records())


def test_a_folder(tmp_path: Path) -> None:
    songs = make_songs(tmp_path / "in", 3)
    (tmp_path / "in" / "bad.mp3").write_text("no sound")
    (tmp_path / "in" / "empty.wav").touch()
    result = run("catalogue", tmp_path / "in", tmp_path / "out", "-j", 2, "--json", "--drum-kit", *MODEL)
    assert result.returncode == 1, result.stderr
    states = {row["key"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert sorted(key for key, row in states.items() if row["state"] == "failed") == ["bad.mp3", "empty.wav"]
    assert "is not an audio file" in states["bad.mp3"]["error"]
    assert result.stderr.strip() == "failed: 2, separated: 3"

    own = ("-o", tmp_path / "own", "--filename", "{track}/{stem}.{ext}", "--drum-kit")
    assert run("separate", *songs, *own, *MODEL).returncode == 0
    for path in songs:
        for stem in ("drums", "bass", "other", "vocals", "drums/kick", "drums/cymbals"):
            mine = tmp_path / "out" / path.relative_to(tmp_path / "in") / f"{stem}.wav"
            assert mine.read_bytes() == (tmp_path / "own" / path.stem / f"{stem}.wav").read_bytes()

    again = run("catalogue", tmp_path / "in", tmp_path / "out", *MODEL)
    assert again.stdout.strip() == "failed: 2, there before: 3"
    status = run("catalogue", "--status", tmp_path / "out").stdout
    assert "separated: 3" in status and "1 x the song is not an audio file" in status
    assert run("catalogue", "--verify", tmp_path / "out").stdout.strip() == "all stems are what the ledger says"
    (tmp_path / "out" / "album0" / "song0.wav" / "bass.wav").write_bytes(b"damaged")
    (tmp_path / "out" / "album0" / "song1.wav" / "drums.wav").unlink()
    checked = run("catalogue", "--verify", tmp_path / "out")
    assert checked.returncode == 1
    assert sorted(checked.stderr.splitlines()) == [
        "album0/song0.wav: bass.wav is not what was written",
        "album0/song1.wav: drums.wav is missing",
    ]


def test_the_options_are_those_of_separate() -> None:
    """All but the names of the files and what to do where they exist, which the ledger settles."""
    from htdemucs_n.cli.main import app

    commands: Any = typer.main.get_command(app)
    mine, theirs = (
        {option: parameter.default for parameter in commands.commands[verb].params for option in parameter.opts}
        for verb in ("catalogue", "separate")
    )
    own = {"tracks", "-o", "--out", "--filename", "--force", "--skip-existing"}
    assert {name: value for name, value in theirs.items() if name not in own} == {
        name: value for name, value in mine.items() if name in theirs
    }
    assert set(mine) - set(theirs) == {"places", "--ray", "--status", "--verify"}


RUN = """
from htdemucs_n.catalogue.processes import Processes
from htdemucs_n.catalogue.run import run_catalogue
from htdemucs_n.catalogue.worker import Work

if __name__ == "__main__":
    separator = {"model": ["bands"], "engine": "onnx", "threads": 1}
    workers = Processes(Work("out", separator, claim_seconds=6.0), 1)
    run_catalogue("in", "out", workers, lambda record: print(record.key, flush=True))
"""
"""The command, with claims that expire soon."""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the workers are found in /proc")
def test_workers_and_the_run_are_killed(tmp_path: Path) -> None:
    make_songs(tmp_path / "in", 6)
    (tmp_path / "run.py").write_text(RUN)

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "run.py"], stdout=subprocess.PIPE, text=True, cwd=tmp_path)

    driver = start()
    assert driver.stdout is not None
    driver.stdout.readline()  # the first song is done
    for child in Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split():
        if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text():
            os.kill(int(child), signal.SIGKILL)
    driver.stdout.readline()  # its songs went to another worker
    driver.kill()
    driver.wait()
    two = [start() for _ in range(2)]  # at once
    for process in two:
        process.communicate(timeout=300)
    assert [process.returncode for process in two] == [0, 0]
    assert [state for _, state in ledger_of(tmp_path / "out")] == ["separated"] * 6
    assert run("catalogue", "--verify", tmp_path / "out").returncode == 0
    assert not list((tmp_path / "out" / "_catalogue" / "claims").iterdir())


def test_a_bucket(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    request.getfixturevalue("s3")
    import s3fs

    make_songs(tmp_path / "in", 2)
    files = s3fs.S3FileSystem()
    files.put(f"{tmp_path / 'in'}/", "bucket/songs/", recursive=True)
    files.pipe_file("bucket/songs/bad.mp3", b"no sound")
    result = run("catalogue", "s3://bucket/songs", "s3://bucket/stems", *MODEL)
    assert result.stdout.splitlines()[-1] == "failed: 1, separated: 2", result.stderr
    assert "'bad.mp3' is not an audio file" in result.stderr
    assert ledger_of("s3://bucket/stems") == [
        ("album0/song0.wav", "separated"),
        ("album0/song1.wav", "separated"),
        ("bad.mp3", "failed"),
    ]
    assert run("catalogue", "--verify", "s3://bucket/stems").returncode == 0
    left = [name for name in files.find("bucket/stems/_catalogue") if "/tmp/" in name or "/claims/" in name]
    assert left == []
    stem = files.cat_file("bucket/stems/album0/song0.wav/vocals.wav")
    assert run("catalogue", tmp_path / "in", tmp_path / "out", *MODEL).returncode == 0
    assert stem == (tmp_path / "out/album0/song0.wav/vocals.wav").read_bytes()


@pytest.mark.skipif(shutil.which("mount") is None, reason="a small disk is mounted")
def test_a_full_disk(tmp_path: Path) -> None:
    make_songs(tmp_path / "in", 3, 1.0)
    disk = tmp_path / "disk"
    disk.mkdir()
    small = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(small, capture_output=True).returncode:
        pytest.skip("this user may not mount a disk")
    try:
        result = run("catalogue", tmp_path / "in", disk, *MODEL)
        assert result.returncode == 1
        assert "No space left on device" in result.stderr
        (said,) = result.stderr.splitlines()  # no other song was tried
        assert said.startswith("error: ")
        assert ledger_of(disk) == [("album0/song0.wav", "separated")]
        assert not list(disk.rglob("*.part"))
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        assert run("catalogue", tmp_path / "in", disk, *MODEL).returncode == 0
        assert [state for _, state in ledger_of(disk)] == ["separated"] * 3
        assert run("catalogue", "--verify", disk).returncode == 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--status", "in"], 1, "'in' has no ledger of a catalogue"),
        (["--verify", "missing"], 1, "'missing' has no ledger of a catalogue"),
        (["in/album0/*.wav", "in/file"], 1, "cannot be read or written"),
        (["in", "out", "--ray", "nonsense"], 1, "there is no Ray cluster at 'nonsense'"),
        (["in/*.ogg", "out"], 1, "contains no audio"),
        (["in", "in/out"], 2, "is inside of 'in'"),
        (["missing", "out"], 1, "'missing' does not exist"),
        (["in"], 2, "give SOURCE and DEST"),
        (["in", "out", "--ray", "auto", "-j", "2"], 2, "--jobs is for one computer"),
        (["--status", "in", "out"], 2, "take DEST alone"),
        (["gs://bucket/x", "out"], 1, "gcsfs"),
        (["in", "out", "-n", "no_such_model"], 1, "unknown model 'no_such_model'"),
        (["in", "out", "--format", "wax"], 2, "wax"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], code: int, line: str, tmp_path: Path) -> None:
    make_songs(tmp_path / "in", 1)
    (tmp_path / "in" / "file").touch()
    result = run("catalogue", *arguments, cwd=tmp_path)
    (said,) = result.stderr.strip().splitlines()
    assert result.returncode == code
    assert said.startswith("error: ") and line in said
    assert [path.name for path in tmp_path.iterdir()] == ["in"]  # nothing was begun
    assert not (tmp_path / "in" / "_catalogue").exists()
