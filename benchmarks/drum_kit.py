"""Score the drum kit on kits and performances that it was never trained on.

    python benchmarks/drum_kit.py GROOVE.zip --songs SONGS [--clips 60] [--seconds 10] [--seed 9] [--json FILE]

The song maker renders the performances with the kits that are held out (`song-maker drums --held-out`). Each clip is
taken apart twice: as it is, and as the shipped four-stem model separates it from a mixture with the other stems of a
song of SONGS. Figures of a part are over all clips that have it: `SDR`, the median of the global SDR in dB; `leak`,
for clips without the part, the median of the level of what comes out for it relative to the clip, in dB; `onset`, the
F-measure of the hits that `transcribe` finds in the part, within 50 ms of a true one, each once, over all clips.
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
from song_maker.drum_kits import GROUPS
from song_maker.drum_recording import DrumRecorder
from song_maker.effects import RATE, Signal
from song_maker.groove import GrooveSet
from song_maker.kit_list import held_out_kits
from song_maker.notes import Note
from song_maker.separated_drums import SeparatedDrumRecorder

ONSET_TOLERANCE = 0.05
"""Seconds."""


def scored_clip(parts: dict[str, Signal], hits: Sequence[Note], separator: Separator) -> dict[str, dict[str, float]]:
    """The scores of a clip by part: `sdr` or `leak` in dB, and the counts `true`, `found` and `right` of its hits."""
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
        onsets = [hit.start for hit in hits if hit.pitch in GROUPS[part]] if truth is not None else []
        scores[part] |= onset_counts(np.unique(onsets), found[part])
    return scores


def hits_of(parts: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float64]]:
    """The times of the hits that `transcribe` finds in each part, seconds."""
    with TemporaryDirectory() as folder:
        files = {name: Path(folder) / f"{name}.wav" for name in parts}
        for name, file in files.items():
            write_wav(file, parts[name], RATE, float32=True)
        (drums,) = transcribe(files).parts
    return {name: np.array([note.start for note in drums.notes if note.pitch == PIECES[name].pitch]) for name in parts}


def onset_counts(true: NDArray[np.float64], found: NDArray[np.float64]) -> dict[str, float]:
    """How many onsets there are, how many were found, and how many of these are right."""
    right = mir_eval.util.match_events(true, found, ONSET_TOLERANCE) if len(true) and len(found) else []
    return {"true": len(true), "found": len(found), "right": len(right)}


def summary(kind: str, part: str, clips: Sequence[dict[str, float]]) -> dict[str, Any]:
    """A row of the table."""
    true, found, right = (sum(clip[name] for clip in clips) for name in ("true", "found", "right"))
    row: dict[str, Any] = {"drums": kind, "part": part, "clips": sum("sdr" in clip for clip in clips)}
    for name in ("sdr", "leak"):
        values = [clip[name] for clip in clips if name in clip]
        row[name] = float(np.median(values)) if values else None
    return row | {"hits": int(true), "onset": 2 * right / (true + found) if true + found else None}


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
