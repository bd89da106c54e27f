"""All measurements of one command: models by part, over the length of the song, and attention over the tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from htdemucs_n.profiling.attention import KINDS, AttentionMeasurement, measure_attention
from htdemucs_n.profiling.lengths import LengthMeasurement, measure_lengths
from htdemucs_n.profiling.passes import Settings
from htdemucs_n.profiling.profile import Profile, profile_model
from htdemucs_n.profiling.profiled_model import ProfiledModel


@dataclass(frozen=True)
class Measurements:
    """What was measured; `lengths` and `attention` are empty where they were not asked for."""

    profiles: Sequence[Profile]
    lengths: Sequence[LengthMeasurement]
    attention: Sequence[AttentionMeasurement]


def measure(
    models: Sequence[ProfiledModel],
    settings: Settings,
    lengths: Sequence[float],
    tokens: Sequence[int],
    repeats: int,
    progress: Callable[[int, int], None],
) -> Measurements:
    """Profile `models`, run them on songs of `lengths` (seconds), and attention over so many `tokens`.

    `progress` is called with (measurements done, in all).

    Raises:
        UserError: a model or a setting is unknown or does not fit; this is found before anything is measured.
    """
    for model in models:
        settings.separator(model)
    done, total = 0, len(models) * (1 + len(lengths)) + len(KINDS) * len(tokens)

    def advance() -> None:
        nonlocal done
        done += 1
        progress(done, total)

    profiles: list[Profile] = []
    curves: list[LengthMeasurement] = []
    for model in models:
        profiles.append(profile_model(model, settings, repeats))
        advance()
        curves += measure_lengths(model, settings, lengths, advance)
    return Measurements(profiles, curves, measure_attention(settings, tokens, repeats, advance))
