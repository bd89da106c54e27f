"""Accompaniment by MMA (Musical MIDI Accompaniment, Debian package `mma`): a chart of chords goes in, MIDI comes out.

The command plays a chart in one of the grooves of its library: drums, bass, chords, arpeggios of a style of music.

    RndSeed 7                         what MMA does by chance, it does again
    Tempo 104.5
    Time 4
    Groove stdlib/bossanova:BossaNova
    1 C Am@3                          bar, chords; the second one from beat 3 on
    2 F/A
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import mido
import numpy as np

from song_maker.chords import Chord, chord_at
from song_maker.pop909 import BAR

LIBRARIES = (Path("/usr/local/share/mma/lib"), Path("/usr/share/mma/lib"), Path("/Users/Shared/mma/lib"))
"""Where systems keep MMA's grooves, in MMA's own order; one beside the command comes first."""

_TIME_LIMIT = 10.0
"""Seconds for one chart: it takes less than half of one."""

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_SYMBOLS = {
    (0, 4, 7): "",
    (0, 3, 7): "m",
    (0, 3, 6): "mb5",
    (0, 4, 8): "aug",
    (0, 4, 7, 11): "M7",
    (0, 3, 7, 10): "m7",
    (0, 4, 7, 10): "7",
    (0, 3, 6, 9): "dim7",
    (0, 3, 6, 10): "m7b5",
    (0, 3, 7, 11): "mM7",
    (0, 4, 7, 9): "6",
    (0, 3, 7, 9): "m6",
    (0, 4, 7, 11, 14): "M9",
    (0, 3, 7, 10, 14): "m9",
    (0, 4, 7, 10, 14): "9",
    (0, 2, 7): "sus2",
    (0, 5, 7): "sus4",
    (0, 7): "5",
}
"""What MMA writes after the root, by the intervals of the chord."""

_DEFINITION = re.compile(r"^\s*(Time|DefGroove)\s+(\S+)", re.IGNORECASE | re.MULTILINE)
_NOT_THE_SONG = re.compile(r"(INTRO|FILL|END(ING)?)(PLUS|SUS|[A-D0-9])*$|METRONOME", re.IGNORECASE)
"""Names of grooves that begin, fill or end a song, or count it."""


class MmaError(Exception):
    """MMA could not play a chart; the text says why."""


@dataclass(frozen=True)
class Mma:
    """The command and the grooves of its library."""

    command: str
    grooves: dict[str, list[str]]
    """Names of grooves by file, such as `stdlib/bossanova`; those in four beats."""

    def draw(self, styles: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
        """Grooves without end: files of equal chance, but half the time only those with one of `styles` in the name."""
        files = list(self.grooves)
        fitting = [file for file in files if any(style in file.lower() for style in styles)]
        while True:
            file = str(rng.choice(fitting if fitting and rng.random() < 0.5 else files))
            yield f"{file}:{rng.choice(self.grooves[file])}"

    def play(self, text: str) -> mido.MidiFile:
        """The MIDI of a chart. Raises `MmaError` where MMA fails, or takes longer than ten seconds."""
        with tempfile.TemporaryDirectory() as folder:
            # An empty settings file: the user's own would change the songs.
            for name, content in (("settings", ""), ("song.mma", text)):
                (Path(folder) / name).write_text(content)
            command = [self.command, "-i", "settings", "-f", "song.mid", "song.mma"]
            try:
                done = subprocess.run(
                    command,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    timeout=_TIME_LIMIT,
                )
                if done.returncode:
                    said = done.stdout.decode(errors="replace").strip().splitlines()
                    raise MmaError(said[-1] if said else f"exit status {done.returncode}")
                return mido.MidiFile(Path(folder) / "song.mid")
            except subprocess.TimeoutExpired:
                raise MmaError(f"no end after {_TIME_LIMIT:g} s") from None
            except (OSError, EOFError, ValueError, IndexError) as error:
                raise MmaError(f"no MIDI ({error})") from None


def find_mma(libraries: Sequence[Path] = LIBRARIES) -> Mma | None:
    """MMA as it is installed; None where the command or its library is not there."""
    command = shutil.which("mma")
    if command is None:
        return None
    for library in (Path(command).resolve().parent / "lib", *libraries):
        grooves = list_grooves(library)
        if grooves:
            return Mma(command, grooves)
    return None


def list_grooves(library: Path) -> dict[str, list[str]]:
    """The names of a library's grooves by file: those in four beats that neither begin, fill nor end a song."""
    found: dict[str, list[str]] = {}
    for path in sorted(library.rglob("*.mma")):
        metre = BAR
        for key, word in _DEFINITION.findall(path.read_text(errors="replace")):
            if key.lower() == "defgroove":
                if metre == BAR and not _NOT_THE_SONG.search(word):
                    found.setdefault(path.relative_to(library).with_suffix("").as_posix(), []).append(word)
            elif word[0].isdigit():
                metre = int(word.split("/")[0])
    return found


def chart(groove: str, chords: list[Chord], bpm: float, beats: float, seed: int) -> str:
    """What MMA reads: `chords` (in beats from the first downbeat) in bars that last `beats` or longer."""
    lines = [f"RndSeed {seed}", f"Tempo {bpm:.2f}", f"Time {BAR}", f"Groove {groove}"]
    for bar in range(int(-(-beats // BAR))):
        start = bar * BAR
        changes = [chord for chord in chords if start < chord.start < start + BAR]
        symbols = [f"{symbol(chord)}@{chord.start - start + 1:g}" for chord in changes]
        lines.append(" ".join([str(bar + 1), symbol(chord_at(chords, start)), *symbols]))
    return "\n".join(lines) + "\n"


def symbol(chord: Chord) -> str:
    """A chord as MMA writes it, such as `F#m7/E`."""
    lowest = "" if chord.bass == chord.root else f"/{_NAMES[chord.bass]}"
    return f"{_NAMES[chord.root]}{_SYMBOLS[chord.intervals]}{lowest}"
