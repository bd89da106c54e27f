"""The true stems of a song and its mixture, with which estimates are compared, as floats at the song's own rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from htdemucs_n.datasets.decode import add_up, convert
from htdemucs_n.datasets.songs import SongFiles
from htdemucs_n.errors import AudioError


@dataclass(frozen=True, eq=False)
class Reference:
    """A song: `stems` and `mixture` `(C, T)`, float32, all of one shape, at `sample_rate` Hz.

    C is 1 where every file is mono, else 2. A stem that the song lacks is zeros. `notes` say what was done to files.
    """

    name: str
    stems: dict[str, Tensor]
    mixture: Tensor
    sample_rate: int
    notes: tuple[str, ...] = ()


def load_reference(song: SongFiles, sources: Sequence[str]) -> Reference:
    """Decode a song whose `stems` are those of `sources`. The mixture is the song's own, else the sum of the stems.

    Stems at another rate than the mixture (or the highest of the stems) are resampled to it; short ones end in silence.

    Raises:
        UserError: a file cannot be read, or the mixture is not known: the song has none, and files of no known stem.
    """
    strangers = ", ".join(path.name for path in (*song.unknown, *song.unread))
    if strangers and song.mixture is None:
        raise AudioError(
            f"the mixture of '{song.path}' is not known: it has no mixture file, and {strangers} "
            "may be part of it: rename what is a stem, remove what is not, or add mixture.wav"
        )
    decoded = {source: [file.read() for file in files] for source, files in zip(sources, song.stems, strict=True)}
    own = None if song.mixture is None else song.mixture.read()
    everything = [audio for parts in decoded.values() for audio in parts] + ([own] if own else [])
    rates = {audio.sample_rate for audio in everything}
    rate = own.sample_rate if own else max(rates)
    channels = min(2, max(audio.samples.shape[0] for audio in everything))
    notes = [f"of no known stem, in the mixture alone: {strangers}"] if strangers else []
    if len(rates) > 1:
        notes.append(f"stems at {', '.join(map(str, sorted(rates)))} Hz, resampled to {rate}")
    stems = {
        source: add_up([convert(audio, rate, channels) for audio in parts])
        for source, parts in decoded.items()
        if parts
    }
    lengths = {stem.shape[1] for stem in stems.values()}
    if own:
        mixture = convert(own, rate, channels)
        lengths.add(mixture.shape[1])
    length = max(lengths)
    if len(lengths) > 1:
        notes.append(f"files of {min(lengths) / rate:.2f} to {length / rate:.2f} s, the short ones end in silence")
    padded = {source: torch.zeros(channels, length) for source in sources}
    for source, samples in stems.items():
        padded[source][:, : samples.shape[1]] = torch.from_numpy(samples)
    whole = torch.stack(list(padded.values())).sum(0)
    if own:
        whole = torch.zeros(channels, length)
        whole[:, : mixture.shape[1]] = torch.from_numpy(mixture)
    return Reference(song.name, padded, whole, rate, tuple(notes))
