"""Check a folder of songs: every file is decoded and examined, one song at a time."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htdemucs_n.audio import Audio
from htdemucs_n.datasets import musdb
from htdemucs_n.datasets.bandwidth import bandwidth
from htdemucs_n.datasets.decode import add_up, decode
from htdemucs_n.datasets.names import alias_table
from htdemucs_n.datasets.songs import SongFiles, StemFile, find_single_stems, find_songs
from htdemucs_n.errors import UserError

_CLIPPED, _RUN = 0.9999, 3
"""As many samples in a row at full scale (1.0) are clipping."""

_SILENT = 1e-3
"""A stem whose peak is below -60 dB of full scale is silent."""

_RESIDUAL_DB = -20.0
"""What the stems leave of the mixture, above which they do not add up. Lossy stems leave about -30 dB."""

_LENGTHS = 0.1
"""Seconds by which the stems of a song may differ unreported: the padding of codecs."""

_SPOTS, _STEP, _WINDOW = 2000, 0.02, 0.001
"""A fingerprint: at most so many spots, at least so far apart, the mean of so much at each (seconds)."""

_SAME = 0.98
"""Correlation of fingerprints of the same audio, coded twice or at another level. Others are near 0."""


@dataclass(frozen=True)
class Problem:
    """A problem of a file or a song: its kind, its place and a description."""

    kind: str
    where: str
    detail: str


@dataclass
class Report:
    """What was found. `minutes` a stem, of what is not silent; `rates` counts the files at each rate in Hz."""

    songs: int = 0
    files: int = 0
    minutes: dict[str, float] = field(default_factory=dict)
    rates: dict[int, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def unreadable(self) -> int:
        """Files that could not be read."""
        return sum(problem.kind == "unreadable" for problem in self.problems)


@dataclass
class _Song:
    """What was found in one song; `prints` are fingerprints of its files that are not silent, by where they are."""

    seconds: dict[str, float] = field(default_factory=dict)
    rates: Counter[int] = field(default_factory=Counter)
    prints: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def check(
    folder: str | Path,
    sources: Sequence[str],
    single: str | None = None,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Check every song of `folder`, both subsets of a MUSDB18 root; or at single stems of the source `single`.

    Kinds of problem: unreadable, clipping, silent (a file below -60 dB), mono, band-limited, rates and lengths (that
    differ within a song), duplicate (the same audio under two names), mixture (the stems do not add up to it),
    unknown name, unknown format. `progress` is called with (songs done, songs in all).

    Raises:
        UserError: the folder is missing or contains no song, or `single` is none of the sources.
    """
    folder = Path(folder)
    if single is None:
        songs = find_songs(folder, sources, alias_table(sources), "all", unknown_too=True)
    else:
        songs = find_single_stems(folder, sources, single)
    report = Report(songs=len(songs), files=sum(len(files) for song in songs for files in song.stems))
    rates: Counter[int] = Counter()
    prints: dict[str, NDArray[np.float32]] = {}
    minutes = dict.fromkeys(sources, 0.0)
    with ThreadPoolExecutor(max(1, workers)) as pool:
        for done, found in enumerate(pool.map(lambda song: _check_song(song, sources, folder), songs), 1):
            report.problems += found.problems
            rates += found.rates
            for stem, seconds in found.seconds.items():
                minutes[stem] += seconds / 60
            prints |= found.prints
            if progress:
                progress(done, len(songs))
    report.problems += _duplicates(prints)
    report.minutes, report.rates = minutes, dict(sorted(rates.items()))
    return report


def _check_song(song: SongFiles, sources: Sequence[str], folder: Path) -> _Song:
    found = _Song()
    found.problems += [
        Problem("unknown name", _where(StemFile(file), folder), "no stem has this name: left out")
        for file in song.unknown
    ]
    found.problems += [
        Problem("unknown format", _where(StemFile(file), folder), f"{file.suffix or 'no suffix'} is not read: left out")
        for file in song.unread
    ]
    lengths: dict[str, float] = {}
    for source, files in zip(sources, song.stems, strict=True):
        for file in files:
            where = _where(file, folder)
            try:
                audio = file.read()
            except UserError as error:
                found.problems.append(Problem("unreadable", where, str(error)))
                continue
            found.rates[audio.sample_rate] += 1
            lengths[where] = audio.samples.shape[1] / audio.sample_rate
            problems, silent = _check_audio(audio, where)
            found.problems += problems
            if not silent:
                found.seconds[source] = max(found.seconds.get(source, 0.0), lengths[where])
                found.prints[where] = _fingerprint(audio)
    name = song.path.relative_to(folder).as_posix()
    if len(found.rates) > 1:
        rates = ", ".join(f"{rate:,}" for rate in sorted(found.rates))
        found.problems.append(Problem("rates", name, f"stems at {rates} Hz: resampled to one"))
    if lengths and max(lengths.values()) - min(lengths.values()) > _LENGTHS:
        detail = f"stems of {min(lengths.values()):.2f} to {max(lengths.values()):.2f} s: the short ones end in silence"
        found.problems.append(Problem("lengths", name, detail))
    found.problems += _check_mixture(song, name, folder)
    return found


def _check_audio(audio: Audio, where: str) -> tuple[list[Problem], bool]:
    """The problems of one file, and whether it is silent."""
    samples = audio.samples
    if np.abs(samples).max() < _SILENT:
        return [Problem("silent", where, "below -60 dB throughout")], True
    problems = []
    if clipped := _clipped(samples):
        problems.append(Problem("clipping", where, f"{clipped:,} samples at full scale"))
    if samples.shape[0] == 1:
        problems.append(Problem("mono", where, "put on both channels"))
    limit = bandwidth(samples, audio.sample_rate)
    if limit < min(audio.sample_rate / 2, 16_000):
        problems.append(Problem("band-limited", where, f"nothing above {limit / 1000:.1f} kHz"))
    return problems, False


def _fingerprint(audio: Audio) -> NDArray[np.float32]:
    """Short means of the audio at fixed times, `(spots,)` of unit length; zeros where it is too short."""
    mono = audio.samples.mean(0)
    seconds = len(mono) / audio.sample_rate
    step = max(_STEP, round(seconds) / _SPOTS)
    width = max(1, round(_WINDOW * audio.sample_rate))
    starts = (np.arange(int((seconds - _WINDOW) / step)) * step * audio.sample_rate).astype(int)
    spots = mono[starts[:, None] + np.arange(width)].mean(1) if len(starts) else np.zeros(1, np.float32)
    norm = float(np.linalg.norm(spots))
    return (spots / norm if norm else spots).astype(np.float32)


def _duplicates(prints: Mapping[str, NDArray[np.float32]]) -> list[Problem]:
    """Every file whose audio came before under another name."""
    groups: defaultdict[int, list[str]] = defaultdict(list)
    for where, spots in prints.items():
        groups[len(spots)].append(where)
    problems = []
    for names in groups.values():
        stacked = np.stack([prints[name] for name in names])
        for index in range(1, len(names)):
            alike = stacked[:index] @ stacked[index]
            if alike.max() > _SAME:
                detail = f"the same audio as {names[int(alike.argmax())]}"
                problems.append(Problem("duplicate", names[index], detail))
    return problems


def _clipped(samples: NDArray[np.float32]) -> int:
    """Samples `(C, T)` that belong to a run of clipped ones."""
    full = np.abs(samples) >= _CLIPPED
    starts = full[:, : 1 - _RUN].copy()
    for offset in range(1, _RUN):
        starts &= full[:, offset : full.shape[1] - _RUN + 1 + offset]
    runs = np.zeros_like(full)
    for offset in range(_RUN):
        runs[:, offset : full.shape[1] - _RUN + 1 + offset] |= starts
    return int(runs.sum())


def _check_mixture(song: SongFiles, name: str, folder: Path) -> list[Problem]:
    """Whether the stems add up to the mixture, where there is one and all can be read."""
    if song.mixture is None:
        return []
    try:
        mixture = song.mixture.read()
    except UserError as error:
        return [Problem("unreadable", _where(song.mixture, folder), str(error))]
    try:
        parts = [decode(file, mixture.sample_rate, 2) for files in song.stems for file in files]
    except UserError:
        return []  # named already
    stereo = np.broadcast_to(mixture.samples[:2], (2, mixture.samples.shape[1]))
    rest = add_up([stereo, -add_up(parts)])
    power = float(np.square(stereo, dtype=np.float64).sum())
    if not power:
        return [Problem("mixture", name, "the mixture is silent")]
    residual = 10 * math.log10(max(float(np.square(rest, dtype=np.float64).sum()) / power, 1e-20))
    if residual <= _RESIDUAL_DB:
        return []
    return [Problem("mixture", name, f"the stems miss the mixture by {residual:.1f} dB of it")]


def _where(file: StemFile, folder: Path) -> str:
    """A file as the report names it, with its stream where it has several."""
    path = file.path.relative_to(folder).as_posix()
    return f"{path} ({musdb.STREAMS[file.stream]})" if path.lower().endswith(musdb.STEM_FILE) else path
