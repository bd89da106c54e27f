"""Separate thousands of damaged files: no traceback, no hang, no file outside the output folder.

    python benchmarks/fuzz.py [--count 2000] [--formats wav mp3 ...] [--seed 0] [--json FILE]

Each file is half a second of tones in a common format, in which bytes are changed, set to zero, removed or repeated, or
the end is cut off. The command `separate` runs on it with a model that only scales; the decoders, resamplers and
writers are the real ones. A file that takes longer than 60 s, or ends the process, is reported with its number. The
same seed and number give the same file again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.profiling.records import write_record
from htdemucs_n.provenance import describe_machine

FORMATS = ("wav", "flac", "mp3", "ogg", "opus", "m4a", "aiff")
_SECONDS = 60.0
"""Longest time of a file."""


def main() -> None:
    """Test every format in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000, help="files of each format (2000)")
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=FORMATS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()

    results: dict[str, dict[str, object]] = {}
    for name in options.formats:
        counts, failures = _watched(name, options.count, options.seed)
        results[name] = {"files": options.count, **counts, "failures": failures}
        line = f"{name:5} {counts['separated']:6} separated {counts['refused']:6} refused {len(failures):4} failures"
        print(line, flush=True)
        for failure in failures[:5]:
            print(f"  {failure}")
    if options.json:
        write_record(options.json, describe_machine(1) | {"seed": options.seed, "results": results})
    if any(result["failures"] for result in results.values()):
        sys.exit(1)


def fuzz(name: str, numbers: range, seed: int) -> Iterator[str]:
    """Separate the files of these numbers; yields `separated`, `refused` (one line, status 1), or an error."""
    original = _original(name)
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            work = Path(folder) / "work"
            work.mkdir()
            (work / f"song.{name}").write_bytes(mutate(original, np.random.default_rng([seed, number])))
            yield _separate(work, f"song.{name}")
            shutil.rmtree(work)


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Damage a file in one to four places, more often near its start, where the headers are."""
    damaged = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        if len(damaged) < 8:
            break
        near = int(rng.integers(1, 400)) if rng.random() < 0.5 else len(damaged)
        place = int(rng.integers(0, min(near, len(damaged))))
        length = int(rng.integers(1, 64))
        kind = rng.integers(0, 7)
        if kind == 0:
            damaged[place] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            damaged[place : place + length] = rng.bytes(length)
        elif kind == 2:
            damaged[place : place + length] = bytes(length)
        elif kind == 3:
            del damaged[place : place + length]
        elif kind == 4:
            damaged[place:place] = damaged[place : place + length]
        elif kind == 5:
            damaged[place : place + 4] = rng.choice([b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\x80"])
        else:
            del damaged[max(1, place) :]
    return bytes(damaged)


def _separate(work: Path, song: str) -> str:
    """Run the command on one file in its folder."""
    from htdemucs_n.cli.main import main as command
    from htdemucs_n.separation.claims import FOLDER

    out, err, before = io.StringIO(), io.StringIO(), Path.cwd()
    os.chdir(work)
    argv, sys.argv = sys.argv, ["htdemucs-n", "separate", song, "-o", "stems"]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            command()
        status: object = 0
    except SystemExit as ended:
        status = ended.code or 0
    except BaseException:
        return "traceback: " + traceback.format_exc().strip().replace("\n", " | ")
    finally:
        sys.argv = argv
        os.chdir(before)
    records = work / "stems" / FOLDER  # of the songs that were separated: not a stem
    files = (path for path in work.rglob("*") if path.is_file() and records not in path.parents)
    stems = sorted(path for path in files if path.name != song)
    if outside := [path for path in stems if work / "stems" not in path.parents or path.suffix != ".wav"]:
        return f"a file outside the output folder, or a part: {outside}"
    lines = err.getvalue().splitlines()
    if status == 0 and len(stems) == 4:
        return "separated"
    if status == 1 and not stems and len(lines) == 1 and lines[0].startswith("error: "):
        return "refused"
    return f"status {status} with {len(stems)} stems: {lines}"


def _original(name: str) -> bytes:
    """Half a second of stereo tones with tags, in a format; 3 s in Ogg, where a damaged page of 1 s is lost."""
    import soundfile

    from htdemucs_n.audio.formats import FORMATS as WRITTEN
    from htdemucs_n.audio.formats import choose_encoding
    from htdemucs_n.audio.tags import Tags
    from htdemucs_n.audio.write import AudioWriter

    time = np.arange(144000 if name in ("ogg", "opus") else 24000) / 48000
    samples = np.stack([0.4 * np.sin(2 * np.pi * f * time) for f in (440, 660)]).astype(np.float32)
    if name not in WRITTEN:
        buffer = io.BytesIO()
        soundfile.write(buffer, samples.T, 48000, format=name.upper())
        return buffer.getvalue()
    buffer = io.BytesIO()
    tags = Tags({"title": "Song", "artist": "Somebody"})
    with AudioWriter(buffer, 48000, 2, choose_encoding(name, None, None, None), tags) as writer:
        writer.write(samples)
    return buffer.getvalue()


class TinyEngine:
    """An `Engine` that only scales."""

    name, device, precision = "tiny", "cpu", "fp32"
    sources, samplerate, segment, overlap, batch = ("drums", "bass", "other", "vocals"), 44100, 0.2, 0.25, 1

    def separate(self, mixture: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `Engine`."""
        return mixture[:, None] * np.array([0.1, 0.2, 0.3, 0.4], np.float32)[:, None, None]


def _worker(name: str, numbers: range, seed: int, pipe: Connection) -> None:
    with mock.patch("htdemucs_n.separation.separator.load_engine", lambda *_, **__: TinyEngine()):
        for result in fuzz(name, numbers, seed):
            pipe.send(result)


def _watched(name: str, count: int, seed: int) -> tuple[dict[str, int], list[str]]:
    """Run in another process, and in a new one after each file that makes it hang or end."""
    counts, failures, number = {"separated": 0, "refused": 0}, [], 0
    context = multiprocessing.get_context("spawn")
    while number < count:
        here, there = context.Pipe()
        process = context.Process(target=_worker, args=(name, range(number, count), seed, there), daemon=True)
        process.start()
        there.close()
        first = True
        while number < count:
            try:
                result = here.recv() if here.poll(_SECONDS * (3 if first else 1)) else "it hangs"
            except EOFError:
                result = "it ends the process"
            first = False
            if result in counts:
                counts[result] += 1
            else:
                failures.append(f"number {number}: {result}")
            number += 1
            if result.startswith("it "):
                break
        process.kill()
        process.join()
    return counts, failures


if __name__ == "__main__":
    main()
