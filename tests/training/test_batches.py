"""Batches: where each crop was cut, found again in songs whose samples hold their positions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from htdemucs_n.errors import UserError
from htdemucs_n.training.bank import FULL_SCALE, Song, StemBank
from htdemucs_n.training.batches import BatchSampler
from htdemucs_n.training.config import DatasetConfig
from training_helpers import augment_config, noise_bank, noise_song

RATE = 44100
LENGTH = 4096
"""A segment of 0.1 s, rounded to partly frames of 1,024."""


def sampler(bank: StemBank, seed: int = 0, estimated_share: float = 0.0, **keys: Any) -> BatchSampler:
    """`keys` of the section `dset`, and effects as in `augment_config`."""
    dset = {name: value for name, value in keys.items() if name in DatasetConfig.__dataclass_fields__}
    effects = {name: value for name, value in keys.items() if name not in dset}
    config = DatasetConfig(**({"segment": 0.1} | dset))
    return BatchSampler(bank, config, augment_config(**effects), RATE, seed, estimated_share)


def tone_song(number: int, samples: int = 3 * LENGTH, stems: int = 4) -> Song:
    """Stem s of song n is a sine with 5 n + s + 20 periods in a crop: its spectrum identifies it."""
    time = np.arange(samples) / LENGTH
    waves = [8000 * np.sin(2 * np.pi * (5 * number + s + 20) * time) for s in range(stems)]
    return Song(f"song {number}", tuple(torch.from_numpy(np.stack([w, w]).astype(np.int16)) for w in waves))


def who(batch: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Song and stem numbers `(B, S)` of tones `(B, S, C, T)`."""
    peaks = torch.fft.rfft(batch[:, :, 0]).abs().argmax(dim=-1).numpy() - 20
    return peaks // 5, peaks % 5


def test_a_batch_is_a_function_of_seed_and_number() -> None:
    keys = {"remix": 0.5, "speed": 0.5, "gain": {"db": [-9, 4]}, "swap": 0.5, "polarity": 0.5, "silence": 0.1}
    first, second = sampler(noise_bank(3), **keys), sampler(noise_bank(3), **keys)
    in_order = [first.batch(step).targets for step in range(4)]
    assert all(torch.equal(in_order[step], second.batch(step).targets) for step in (3, 1, 1, 0, 2))
    different = [*in_order, sampler(noise_bank(3), seed=1, **keys).batch(0).targets]
    assert len({batch.numpy().tobytes() for batch in different}) == 5


@pytest.mark.parametrize("segment", [0.001, 0.1, 0.5, 2.972])
def test_crops_are_partly_frames(segment: float) -> None:
    batch = sampler(noise_bank(), segment=segment, batch_size=3).batch(0).targets
    frames = max(1, round(segment * RATE / 1024))
    assert batch.shape == (3, 4, 2, 1024 * frames)
    assert batch.dtype == torch.float32


def test_a_coherent_item_is_one_place_of_one_song() -> None:
    """Every stem of an item, scaled as the item, is found at the same offset of the same song."""
    bank, places = noise_bank(3), set()
    batch = sampler(bank, batch_size=16).batch(0).targets.double().numpy()
    songs = [np.stack([stem.numpy() for stem in song.stems if stem is not None]) for song in bank.songs]
    for item in batch:
        found = []
        for number, song in enumerate(songs):
            spectrum = np.fft.rfft(song[0, 0].astype(float))
            match = np.fft.irfft(spectrum * np.conj(np.fft.rfft(item[0, 0], song.shape[-1])), song.shape[-1])
            found.append((match.max(), number, int(match.argmax())))
        _, number, start = max(found)
        places.add((number, start))
        piece = songs[number][..., start : start + LENGTH] / FULL_SCALE
        scale = np.sqrt(np.mean(piece.sum(0) ** 2))
        np.testing.assert_allclose(item * scale, piece, rtol=1e-5, atol=1e-7)
    assert len({number for number, _ in places}) == 3
    assert len(places) > 10


def test_remixed_stems_come_from_different_songs_each_in_its_role() -> None:
    """With 8 equally long songs all four stems agree by chance in one item of 512."""
    bank = StemBank(tuple(tone_song(n) for n in range(8)), {})
    songs, stems = who(sampler(bank, remix=1.0, batch_size=256).batch(0).targets)
    assert (stems == np.arange(4)).all()
    assert (songs == songs[:, :1]).all(axis=1).sum() <= 4
    assert {*songs.flatten()} == set(range(8))

    songs, stems = who(sampler(bank, remix=0.0, batch_size=64).batch(0).targets)
    assert (stems == np.arange(4)).all()
    assert (songs == songs[:, :1]).all()


def test_a_share_of_the_items_is_remixed() -> None:
    bank = StemBank(tuple(tone_song(n) for n in range(8)), {})
    songs, _ = who(sampler(bank, remix=0.75, batch_size=512).batch(1).targets)
    assert 1 - (songs == songs[:, :1]).all(axis=1).mean() == pytest.approx(0.75, abs=0.08)


@pytest.mark.parametrize("remix", [0.0, 1.0])
def test_songs_are_drawn_by_their_weight(remix: float) -> None:
    bank = StemBank((tone_song(0, LENGTH), tone_song(1, 9 * LENGTH)), {})
    songs, _ = who(sampler(bank, remix=remix, batch_size=800).batch(0).targets)
    assert songs[:, 0].mean() == pytest.approx(0.75, abs=0.07)


def test_extra_stems_join_remixes_only() -> None:
    """With extra_share 1 every remixed vocal is the extra one; coherent items never hold it."""
    extra = tone_song(12, stems=1).stems[0]
    assert extra is not None
    bank = StemBank(tuple(tone_song(n) for n in range(4)), {3: (extra[:1],)}, {3: (8000.0,)})
    songs, stems = who(sampler(bank, remix=1.0, extra_share=1.0, batch_size=32).batch(0).targets)
    assert (songs[:, 3] == 12).all()
    assert (songs[:, :3] < 4).all()
    assert (stems[:, :3] == np.arange(3)).all()

    mono = sampler(bank, remix=1.0, extra_share=1.0).batch(0).targets[:, 3]
    assert torch.equal(mono[:, 0], mono[:, 1]), "a mono stem is put on both channels"

    songs, _ = who(sampler(bank, remix=0.0, extra_share=1.0, batch_size=32).batch(0).targets)
    assert (songs < 4).all()
    songs, _ = who(sampler(bank, remix=1.0, extra_share=0.25, batch_size=512).batch(0).targets)
    assert (songs[:, 3] == 12).mean() == pytest.approx(0.25, abs=0.08)


def test_speed_moves_all_stems_of_a_song_together() -> None:
    """At 1.25 times the speed, 20 + s periods in a crop become 25 + 1.25 s."""
    bank = StemBank((tone_song(0, 8 * LENGTH),), {})
    batch = sampler(bank, speed={"range": [1.25, 1.25]}, batch_size=8).batch(0).targets
    window = torch.hann_window(LENGTH, dtype=torch.float64)
    spectrum = torch.fft.rfft(batch[:, :, 0].double() * window, n=16 * LENGTH).abs()
    np.testing.assert_allclose(spectrum.argmax(-1) / 16, np.tile(25 + 1.25 * np.arange(4), (8, 1)), atol=0.07)


def test_a_mixture_has_an_rms_of_one() -> None:
    keys = {"remix": 0.5, "speed": 0.5, "gain": {"db": [-30, 10]}, "swap": 0.5, "polarity": 0.5}
    batch = sampler(noise_bank(), batch_size=8, **keys).batch(3).targets.double().numpy()
    np.testing.assert_allclose(np.sqrt(np.mean(batch.sum(1) ** 2, axis=(1, 2))), 1, rtol=1e-5)


def test_silence_stays_silence() -> None:
    batch = sampler(noise_bank(), silence=1.0).batch(0).targets
    assert torch.equal(batch, torch.zeros_like(batch))


def test_a_song_shorter_than_a_crop_ends_in_silence() -> None:
    song = noise_song(0, samples=1000)
    batch = sampler(StemBank((song,), {})).batch(0).targets
    assert batch.shape[-1] == LENGTH
    assert batch[..., :1000].abs().amax(dim=(0, 1, 2)).min() > 0
    assert not batch[..., 1000:].any()


def test_missing_and_short_stems_of_a_song_are_silent() -> None:
    """Vocals that end after 10 samples are rarely in a crop; drums that are not there never."""
    full = noise_song(0, samples=5 * LENGTH).stems
    assert full[3] is not None
    song = Song("a", (None, full[1], full[2], full[3][:, :10]))
    for remix in (0.0, 1.0):
        batch = sampler(StemBank((song,), {}), remix=remix, batch_size=16).batch(0).targets
        assert not batch[:, 0].any()
        assert not batch[:, 3, :, 10:].any()
        assert batch[:, 1].abs().amax(dim=-1).min() > 0


def test_the_last_sample_can_be_drawn_and_none_beyond() -> None:
    """A song one sample longer than a crop: both places occur, never padding."""
    ramp = torch.arange(1, LENGTH + 2).repeat(2, 1).short()
    batch = sampler(StemBank((Song("a", (ramp,)),), {}), batch_size=64).batch(0).targets[:, 0, 0]
    assert (batch > 0).all()
    ratio = (batch[:, -1] / batch[:, 0]).numpy()  # 4096 / 1 or 4097 / 2
    assert {round(float(r)) for r in ratio} == {4096, 2048}


def test_an_empty_bank_is_refused() -> None:
    with pytest.raises(UserError, match=r"dset\.train"):
        sampler(StemBank((), {}))


@pytest.mark.parametrize("remix", [0.0, 0.5, 1.0])
def test_items_are_the_same_however_they_are_dealt_out(remix: float) -> None:
    """Four in one batch, two in two, one in four: what accumulation and ranks build on."""
    keys: dict[str, Any] = {
        "remix": remix,
        "speed": 0.5,
        "gain": {"db": [-9, 4]},
        "swap": 0.5,
        "polarity": 0.5,
        "silence": 0.1,
    }
    four = sampler(noise_bank(3), batch_size=4, **keys).batch(2).targets
    for size in (1, 2):
        small = sampler(noise_bank(3), batch_size=size, **keys)
        dealt = [small.batch(number).targets for number in range(8 // size, 12 // size)]
        assert torch.equal(torch.cat(dealt), four)


def test_the_mixture_is_the_sum_of_the_stems() -> None:
    batch = sampler(noise_bank(3), remix=0.5, speed=0.5, gain={"db": [-9, 4]}, eq=0.5, limiter=0.5).batch(0)
    torch.testing.assert_close(batch.targets.sum(dim=1), batch.mixture, atol=1e-5, rtol=1e-5)
    assert not batch.estimated.any()
    assert torch.equal(batch.groups, torch.eye(4).expand(4, -1, -1))


@pytest.mark.parametrize("remix", [0.0, 1.0])
def test_cutoffs_follow_the_recordings_and_their_speed(remix: float) -> None:
    """A voice recorded up to 8 kHz and played at 1.25 times the speed ends at 10 kHz; full-band stems have none."""
    song = noise_song(0)
    song = Song(song.name, song.stems, (22050.0, math.inf, 16000.0, 8000.0))
    keys: dict[str, Any] = {"remix": remix, "speed": {"range": [1.25, 1.25]}}
    cutoff = sampler(StemBank((song,), {}), **keys).batch(0).cutoff
    assert cutoff.tolist() == [[math.inf, math.inf, math.inf, 10000.0]] * 4
    extra = StemBank((song,), {1: (noise_song(1).stems[0],)}, {1: (4000.0,)})  # type: ignore[dict-item]
    cutoff = sampler(extra, extra_share=1.0, **keys).batch(0).cutoff
    assert (cutoff[:, 1] == (5000.0 if remix else math.inf)).all()


VOICE_AND_BAND = ((3,), (0, 1, 2))


def partial_song(estimated: bool = False) -> Song:
    """The vocals of `tone_song(12)` and its drums as what is known of the rest."""
    stems = tone_song(12).stems
    return Song("partial", (stems[3], stems[0]), groups=VOICE_AND_BAND, estimated=estimated)


@pytest.mark.parametrize("estimated", [False, True])
def test_songs_that_are_known_in_part_have_two_targets(estimated: bool) -> None:
    """As often as the config has it; the second target is the sum of three sources, the others are not used."""
    songs = tuple(tone_song(n) for n in range(4))
    bank = StemBank(songs, {}, **{"estimated" if estimated else "partial": (partial_song(estimated),)})
    share = {"estimated_share": 0.25} if estimated else {"partial_share": 0.25}
    batch = sampler(bank, batch_size=400, **share).batch(0)
    two_targets = torch.tensor([[0, 0, 0, 1], [1, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    partly = ~(batch.groups == torch.eye(4)).all(dim=2).all(dim=1)
    assert partly.double().mean().item() == pytest.approx(0.25, abs=0.08)
    assert (batch.groups[partly] == two_targets).all()
    songs_of, stems_of = who(batch.targets[partly][:, :2])
    assert (songs_of == 12).all()
    assert (stems_of == [3, 0]).all()
    assert not batch.targets[partly][:, 2:].any()
    assert torch.equal(batch.estimated, partly & torch.tensor(estimated))
    torch.testing.assert_close(batch.targets.sum(dim=1), batch.mixture)


def test_remixes_exchange_the_single_stem_and_keep_the_sum() -> None:
    bank = StemBank(tuple(tone_song(n) for n in range(4)), {}, partial=(partial_song(),))
    batch = sampler(bank, remix=1.0, partial_share=1.0, batch_size=64).batch(0)
    songs, stems = who(batch.targets[:, :2])
    assert (songs[:, 1] == 12).all() and {*songs[:, 0]} == {0, 1, 2, 3}
    assert (stems == [3, 0]).all()


def test_the_songs_of_a_teacher_are_never_remixed() -> None:
    bank = StemBank(tuple(tone_song(n) for n in range(4)), {}, estimated=(partial_song(estimated=True),))
    batch = sampler(bank, remix=1.0, doubling=1.0, estimated_share=1.0, batch_size=64).batch(0)
    songs, stems = who(batch.targets[:, :2])
    assert (songs == 12).all()
    assert (stems == [3, 0]).all()


def test_doubling_adds_a_second_recording_of_the_same_source() -> None:
    """Both tones of a doubled stem are of its source; single stems stay alone at a probability of 0."""
    bank = StemBank(tuple(tone_song(n) for n in range(4)), {})
    targets = sampler(bank, remix=1.0, doubling=1.0, batch_size=64).batch(0).targets
    spectrum = torch.fft.rfft(targets[:, :, 0]).abs()
    loud = spectrum > 0.25 * spectrum.amax(dim=-1, keepdim=True)
    sources = [{int(bin_ - 20) % 5 for bin_ in loud[:, stem].nonzero()[:, 1]} for stem in range(4)]
    assert sources == [{0}, {1}, {2}, {3}]
    assert 1.5 < loud.sum(dim=-1).double().mean() <= 2, "a quarter draws the same song twice"
    alone = torch.fft.rfft(sampler(bank, remix=1.0, batch_size=64).batch(0).targets[:, :, 0]).abs()
    assert ((alone > 0.25 * alone.amax(dim=-1, keepdim=True)).sum(dim=-1) == 1).all()


def test_a_doubled_stem_is_known_as_far_as_both_recordings() -> None:
    song = Song("a", noise_song(0).stems, (math.inf, math.inf, math.inf, 8000.0))
    bank = StemBank((song,), {3: (noise_song(1).stems[0],)}, {3: (4000.0,)})  # type: ignore[dict-item]
    cutoff = sampler(bank, remix=1.0, doubling=1.0, extra_share=0.5, batch_size=64).batch(0).cutoff
    assert {*cutoff[:, 3].tolist()} == {4000.0, 8000.0}
    assert (cutoff[:, 3] == 8000.0).double().mean() == pytest.approx(0.25, abs=0.2)
