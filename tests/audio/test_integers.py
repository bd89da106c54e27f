"""Integers of samples against libsndfile's own, and what lies at and beyond full scale."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from htdemucs_n.audio.integers import to_integers


@pytest.mark.parametrize(("bits", "subtype", "shift"), [(16, "PCM_16", 16), (24, "PCM_24", 8)])
def test_within_half_a_step_of_libsndfile(bits: int, subtype: str, shift: int) -> None:
    samples = np.random.default_rng(0).uniform(-0.99, 0.99, (3000, 2)).astype(np.float32)
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, 44100, format="WAV", subtype=subtype)
    buffer.seek(0)
    theirs = soundfile.read(buffer, dtype="int32")[0] >> shift
    ours = to_integers(samples, bits)
    assert np.abs(ours.astype(np.int64) - theirs).max() <= 1
    assert np.abs(ours - samples.astype(np.float64) * 2 ** (bits - 1)).max() <= 0.5


@pytest.mark.parametrize(("bits", "kind"), [(16, np.int16), (24, np.int32)])
def test_cut_off_at_full_scale(bits: int, kind: type) -> None:
    full = 2 ** (bits - 1)
    integers = to_integers(np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]], np.float32), bits)
    assert integers.dtype == kind
    assert integers.tolist() == [[-full, -full, 0, full - 1, full - 1]]
