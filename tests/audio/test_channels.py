"""Channel counts: the downmix against ITU-R BS.775 written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from htdemucs_n.audio.channels import to_stereo

G = math.sqrt(0.5)


def rand(channels: int, length: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).random((channels, length), np.float32)


def test_mono_is_copied_and_stereo_kept() -> None:
    mono, stereo = rand(1, 9), rand(2, 9)
    assert np.array_equal(to_stereo(mono), np.concatenate([mono, mono]))
    assert np.array_equal(to_stereo(stereo), stereo)


@pytest.mark.parametrize(
    ("channels", "left", "right"),
    [
        (3, {0: 1, 2: G}, {1: 1, 2: G}),  # L R C
        (4, {0: 1, 2: G}, {1: 1, 3: G}),  # L R Bl Br
        (5, {0: 1, 2: G, 3: G}, {1: 1, 2: G, 4: G}),  # L R C Bl Br
        (6, {0: 1, 2: G, 4: G}, {1: 1, 2: G, 5: G}),  # L R C LFE Bl Br
        (7, {0: 1, 2: G, 4: G, 5: G}, {1: 1, 2: G, 4: G, 6: G}),  # L R C LFE Bc Sl Sr
        (8, {0: 1, 2: G, 4: G, 6: G}, {1: 1, 2: G, 5: G, 7: G}),  # L R C LFE Bl Br Sl Sr
        (9, dict.fromkeys(range(0, 9, 2), 1 / 5), dict.fromkeys(range(1, 9, 2), 1 / 4)),
    ],
)
def test_more_channels(channels: int, left: dict[int, float], right: dict[int, float]) -> None:
    mixture = rand(channels, 50)
    truth = [sum(gain * mixture[c] for c, gain in side.items()) for side in (left, right)]
    np.testing.assert_allclose(to_stereo(mixture), truth, rtol=1e-6)
    assert to_stereo(mixture).dtype == np.float32


@pytest.mark.parametrize(
    ("speakers", "left", "right"),
    [
        ("FL FR LFE", {0: 1}, {1: 1}),  # 2.1
        ("FL FR FC", {0: 1, 2: G}, {1: 1, 2: G}),  # 3.0
        ("FL FR BC", {0: 1, 2: G}, {1: 1, 2: G}),  # 3.0(back)
        ("FL FR FC LFE", {0: 1, 2: G}, {1: 1, 2: G}),  # 3.1
        ("FL FR FC BC", {0: 1, 2: G, 3: G}, {1: 1, 2: G, 3: G}),  # 4.0
        ("FL FR BL BR", {0: 1, 2: G}, {1: 1, 3: G}),  # quad
        ("FL FR SL SR", {0: 1, 2: G}, {1: 1, 3: G}),  # quad(side)
        ("FL FR FC SL SR", {0: 1, 2: G, 3: G}, {1: 1, 2: G, 4: G}),  # 5.0(side)
        ("FL FR FC LFE BL BR", {0: 1, 2: G, 4: G}, {1: 1, 2: G, 5: G}),  # 5.1
        ("FL FR FC LFE BL BR SL SR", {0: 1, 2: G, 4: G, 6: G}, {1: 1, 2: G, 5: G, 7: G}),  # 7.1
        ("FL FR FC LFE FLC FRC", {0: 1, 2: G, 4: 1}, {1: 1, 2: G, 5: 1}),  # 5.1 with centre-left and centre-right
        ("WL WR DL DR", {0: 1, 2: 1}, {1: 1, 3: 1}),  # wide and downmix
        ("FL FR TFL TFR TBL TBR", {0: 1, 2: G, 4: G}, {1: 1, 3: G, 5: G}),  # heights count as surrounds
        ("FL FR XX YY", {0: 1, 2: G}, {1: 1, 3: G}),  # unknown speakers count as those of their number
    ],
)
def test_layouts(speakers: str, left: dict[int, float], right: dict[int, float]) -> None:
    names = speakers.split()
    mixture = rand(len(names), 50)
    truth = [sum(gain * mixture[c] for c, gain in side.items()) for side in (left, right)]
    np.testing.assert_allclose(to_stereo(mixture, names), truth, rtol=1e-6)
