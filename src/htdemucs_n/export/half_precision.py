"""What weights in half precision cost."""

from __future__ import annotations

import copy

import numpy as np
import torch

from htdemucs_n.demo import demo_song
from htdemucs_n.evaluation.sdr import global_sdr
from htdemucs_n.export.graph import Graph


def half_precision_cost(graph: Graph) -> float | None:
    """What weights in half precision cost on the beginning of the demo song: dB of SDR, the mean over stems.

    None for a network with stems, or of a sample rate, that the song does not have.
    """
    recordings, info = demo_song(), graph.info
    if not set(info.sources) <= set(recordings) or info.samplerate != recordings[info.sources[0]].sample_rate:
        return None
    song = {stem: torch.from_numpy(audio.samples) for stem, audio in recordings.items()}
    truth = torch.stack([song[source] for source in info.sources])[..., : round(info.segment * info.samplerate)]
    mixture = torch.stack(list(song.values())).sum(0)[None, :, : truth.shape[-1]]
    rounded = copy.deepcopy(graph.whole)
    for weight in rounded.parameters():
        weight.data = weight.data.half().float()
    with torch.inference_mode():
        full, half = (np.nanmean(global_sdr(truth, network.eval()(mixture)[0])) for network in (graph.whole, rounded))
    return round(float(full - half), 4)
