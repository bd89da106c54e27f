"""Validation against NumPy, with a model whose estimates are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from htdemucs_n.training.bank import FULL_SCALE, Song
from htdemucs_n.training.validate import mixture_scores, validate
from training_helpers import SOURCES, noise_song


class Known(nn.Module):
    """Gives each stem a fixed share of the mixture, and stores its inputs."""

    def __init__(self, *shares: float) -> None:
        super().__init__()
        self.sources = SOURCES
        self.shares = nn.Parameter(torch.tensor(shares).view(1, -1, 1, 1))
        self.inputs: list[Tensor] = []

    def forward(self, mixture: Tensor) -> Tensor:
        self.inputs.append(mixture)
        return mixture[:, None] * self.shares


def reference(songs: list[Song], shares: tuple[float, ...]) -> np.ndarray:
    """SDR in dB, `(songs, stems)`; NaN for silent stems."""
    table = np.full((len(songs), len(shares)), np.nan)
    for row, song in enumerate(songs):
        stems = [None if s is None else s.numpy().astype(float) / FULL_SCALE for s in song.stems]
        mixture = sum(stem for stem in stems if stem is not None)
        for column, (stem, share) in enumerate(zip(stems, shares, strict=True)):
            if stem is not None and stem.any():
                error = np.sum((stem - share * mixture) ** 2)
                table[row, column] = 10 * np.log10(np.sum(stem**2) / error)
    return table


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_median_over_songs_of_the_global_sdr(count: int) -> None:
    shares = (0.1, 0.25, 0.4, 0.9)
    songs = [noise_song(seed, 3000 + 500 * seed) for seed in range(count)]
    for seed, song in enumerate(songs):  # other levels in every song, so that scores differ
        assert song.stems[seed % 4] is not None
        song.stems[seed % 4].div_(1 + seed, rounding_mode="trunc")
    model = Known(*shares)
    result = validate(model, songs)

    expected = np.median(reference(songs, shares), axis=0)
    assert list(result) == [*SOURCES, "mean"]
    np.testing.assert_allclose([result[name] for name in SOURCES], expected, atol=1e-4)
    assert result["mean"] == pytest.approx(expected.mean(), abs=1e-4)
    assert [mixture.shape for mixture in model.inputs] == [(1, 2, song.length) for song in songs], "songs go in whole"


def test_silent_stems_do_not_count() -> None:
    """A song without vocals, and one whose drums are all zero, leave the others' median."""
    shares = (0.1, 0.2, 0.3, 0.6)
    songs = [noise_song(seed, 4000) for seed in range(3)]
    songs[0] = Song("no vocals", (*songs[0].stems[:3], None))
    assert songs[1].stems[0] is not None
    songs[1].stems[0].zero_()
    table = reference(songs, shares)
    assert np.isnan(table).sum() == 2
    result = validate(Known(*shares), songs)
    np.testing.assert_allclose([result[name] for name in SOURCES], np.nanmedian(table, axis=0), atol=1e-4)


def test_a_stem_that_no_song_has_does_not_spoil_the_mean() -> None:
    shares = (0.1, 0.2, 0.3, 0.6)
    songs = [Song("a", (*noise_song(0, 4000).stems[:3], None))]
    result = validate(Known(*shares), songs)
    assert np.isnan(result["vocals"])
    assert result["mean"] == pytest.approx(np.nanmean(reference(songs, shares)), abs=1e-4)


def test_silence_scores_zero() -> None:
    result = validate(Known(0.0, 0.0, 0.0, 0.0), [noise_song(0, 3000)])
    assert result == pytest.approx(dict.fromkeys((*SOURCES, "mean"), 0), abs=1e-6)


def test_the_mixture_is_scored_as_every_stem() -> None:
    song = noise_song(3)
    mixture, stems = song.mixture_and_stems()
    error = (stems - mixture).double().square().sum(dim=(1, 2))
    expected = 10 * torch.log10(stems.double().square().sum(dim=(1, 2)) / error)
    scores = mixture_scores(SOURCES, [song])
    assert [scores[name] for name in SOURCES] == pytest.approx(expected.tolist(), abs=1e-4)
    assert scores["mean"] == pytest.approx(float(expected.mean()), abs=1e-4)
