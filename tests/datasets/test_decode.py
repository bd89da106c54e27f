"""Decoded files as stems: their channels."""

from __future__ import annotations

import numpy as np
import pytest

from htdemucs_n.audio import Audio
from htdemucs_n.datasets.decode import convert


@pytest.mark.parametrize("channels", [2, None])
def test_more_than_two_channels_are_mixed_down_as_in_separation(channels: int | None) -> None:
    """ITU-R BS.775: the centre on both sides at -3 dB, and no low-frequency channel."""
    samples = np.eye(4, dtype=np.float32)  # one sample of each speaker
    stereo = convert(Audio(samples, 44100, ("FL", "FR", "FC", "LFE")), 44100, channels)
    np.testing.assert_allclose(stereo, [[1, 0, 0.5**0.5, 0], [0, 1, 0.5**0.5, 0]], rtol=1e-6)


@pytest.mark.parametrize(("channels", "sides"), [(2, 2), (None, 1)])
def test_mono_goes_to_both_sides_where_two_are_asked_for(channels: int | None, sides: int) -> None:
    samples = np.array([[0.5, -0.25]], np.float32)
    np.testing.assert_array_equal(convert(Audio(samples, 44100), 44100, channels), np.repeat(samples, sides, axis=0))
