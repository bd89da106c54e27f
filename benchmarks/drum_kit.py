"""Score the drum kit on kits and performances that it was never trained on.

    python benchmarks/drum_kit.py GROOVE.zip --songs SONGS [--clips 60] [--seconds 10] [--seed 9] [--json FILE]

The song maker renders the performances with the kits that are held out (`song-maker drums --held-out`). Each clip is
taken apart twice: as it is, and as the shipped four-stem model separates it from a mixture with the other stems of a
song of SONGS. Figures of a part are over all clips that have it: `SDR`, the median of the global SDR in dB; `leak`,
for clips without the part, the median of the level of what comes out for it relative to the clip, in dB; `onset`, the
F-measure of the hits that `transcribe` finds in the part, within 50 ms of a true one, each once, over all clips; and
`velocity`, the same where a hit is right only if its velocity is right too, within a tenth of the range after a linear
fit of the found velocities to the true ones of a clip (`mir_eval.transcription_velocity`).
It needs the extras `make` and `transcribe`, `mir_eval`, and Debian's `hydrogen-drumkits`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mir_eval
import numpy as np
from numpy.typing import NDArray

from drum_kit_table import drum_kit_table
from htdemucs_n.audio import write_wav
from htdemucs_n.evaluation.sdr import global_sdr
from htdemucs_n.models.names import DEFAULT_MODEL
from htdemucs_n.profiling.records import write_record
from htdemucs_n.provenance import describe_machine
from htdemucs_n.separation import Separator
from htdemucs_n.separation.drum_kit import DRUM_KIT
from htdemucs_n.transcription import transcribe
from htdemucs_n.transcription.drum_hits import PIECES
from htdemucs_n.transcription.note import Note as FoundNote
from song_maker.drum_kits import GROUPS
from song_maker.drum_recording import DrumRecorder
from song_maker.effects import RATE, Signal
from song_maker.groove import GrooveSet
from song_maker.kit_list import held_out_kits
from song_maker.notes import Note
from song_maker.separated_drums import SeparatedDrumRecorder

ONSET_TOLERANCE = 0.05
"""Seconds."""

Hits = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Times in seconds, and velocities."""


def scored_clip(parts: dict[str, Signal], hits: Sequence[Note], separator: Separator) -> dict[str, dict[str, float]]:
    """The scores of a clip by part: `sdr` or `leak` in dB, and what `hit_counts` has."""
    mixture = np.sum(list(parts.values()), axis=0).astype(np.float32)
    estimates = separator.separate(mixture, RATE)
    found = hits_of(estimates)
    scores = {}
    for part, estimate in estimates.items():
        truth = parts.get(part)
        if truth is None:
            level = 10 * np.log10((np.square(estimate).sum() + 1e-10) / np.square(mixture).sum())
            scores[part] = {"leak": float(level)}
        else:
            scores[part] = {"sdr": float(global_sdr(truth, estimate))}
        played = [hit for hit in hits if hit.pitch in GROUPS[part]] if truth is not None else []
        scores[part] |= hit_counts(times_and_velocities(played), found[part])
    return scores


def hits_of(parts: dict[str, NDArray[np.float32]]) -> dict[str, Hits]:
    """The hits that `transcribe` finds in each part."""
    with TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.wav" for name in parts}
        for name, file in files.items():
            write_wav(file, parts[name], RATE, float32=True)
        (drums,) = transcribe(files).parts
    return {
        name: times_and_velocities([note for note in drums.notes if note.pitch == PIECES[name].pitch]) for name in parts
    }


def times_and_velocities(notes: Sequence[Note | FoundNote]) -> Hits:
    """The times of hits in seconds, in order, and their velocities; of hits at one time the loudest counts."""
    loudest: dict[float, int] = {}
    for note in notes:
        loudest[note.start] = max(note.velocity, loudest.get(note.start, 0))
    times = sorted(loudest)
    return np.array(times, float), np.array([loudest[time] for time in times], float)


def hit_counts(true: Hits, found: Hits) -> dict[str, float]:
    """How many hits are `true`, were `found`, are `right` of these, and are `loud`: right in velocity too."""
    counts: dict[str, float] = {"true": len(true[0]), "found": len(found[0]), "right": 0, "loud": 0}
    if not counts["true"] or not counts["found"]:
        return counts
    right = mir_eval.util.match_events(true[0], found[0], ONSET_TOLERANCE)
    notes = [_as_notes(hits) for hits in (true, found)]
    precision = mir_eval.transcription_velocity.precision_recall_f1_overlap(
        *notes[0], *notes[1], onset_tolerance=ONSET_TOLERANCE, offset_ratio=None
    )[0]
    return counts | {"right": len(right), "loud": round(precision * counts["found"])}


def _as_notes(hits: Hits) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Intervals, pitches and velocities for `mir_eval`: all notes have one pitch."""
    times, velocities = hits
    return np.stack([times, times + 0.1], axis=1), np.full(len(times), 440.0), velocities


def summary(kind: str, part: str, clips: Sequence[dict[str, float]]) -> dict[str, Any]:
    """A row of the table."""
    true, found, right, loud = (sum(clip[name] for clip in clips) for name in ("true", "found", "right", "loud"))
    row: dict[str, Any] = {"drums": kind, "part": part, "clips": sum("sdr" in clip for clip in clips)}
    for name in ("sdr", "leak"):
        values = [clip[name] for clip in clips if name in clip]
        row[name] = float(np.median(values)) if values else None
    onset, velocity = (2 * count / (true + found) if true + found else None for count in (right, loud))
    return row | {"hits": int(true), "onset": onset, "velocity": velocity}


def main() -> None:
    """Print the table; write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groove", type=Path)
    parser.add_argument("--songs", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--model", default=DRUM_KIT)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()

    recorder = DrumRecorder(GrooveSet(arguments.groove).split()[1], held_out_kits(), as_played=True)
    behind = SeparatedDrumRecorder(recorder, arguments.songs, DEFAULT_MODEL)
    separator = Separator(arguments.model)
    scores: dict[tuple[str, str], list[dict[str, float]]] = {}
    for number in range(arguments.clips):
        hits, parts = recorder.record(arguments.seed, number, arguments.seconds)
        hits = [hit for hit in hits if hit.start < arguments.seconds - ONSET_TOLERANCE]
        separated = behind.make(arguments.seed, number, arguments.seconds)
        for kind, clip in {"alone": parts, "separated": separated}.items():
            for part, values in scored_clip(clip, hits, separator).items():
                scores.setdefault((kind, part), []).append(values)
    rows = [summary(kind, part, clips) for (kind, part), clips in sorted(scores.items(), key=lambda item: item[0][0])]
    print("\n".join(drum_kit_table(rows)))
    if arguments.json:
        facts = {"engine": separator.engine.name, "clips": arguments.clips, "seconds": arguments.seconds}
        write_record(arguments.json, describe_machine(1) | facts | {"seed": arguments.seed}, results=rows)


if __name__ == "__main__":
    main()
