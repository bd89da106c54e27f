"""Stems over full scale: one gain for all, ahead of the peak, or cut; whatever the blocks."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from htdemucs_n.errors import OutputError
from htdemucs_n.separation.clipping import Levels, clip_blocks

Stems = NDArray[np.float32]


def clipped(stems: Stems, mode: str, block: int = 10**6) -> tuple[Stems, Levels]:
    levels = Levels()
    pieces = [stems[..., start : start + block] for start in range(0, stems.shape[-1], block)]
    return np.concatenate(list(clip_blocks(pieces, mode, 44100, levels)), axis=-1), levels


def loud(seed: int = 0, length: int = 20000) -> Stems:
    """Two stems `(2, 2, T)` that peak at 1.6 in a few places."""
    stems = np.random.default_rng(seed).uniform(-0.4, 0.4, (2, 2, length)).astype(np.float32)
    stems[1, 0, length // 2] = -1.6
    stems[0, 1, length // 3] = 1.25
    return stems


@pytest.mark.parametrize("block", [999, 10**6])
def test_rescale_is_one_gain_for_all(block: int) -> None:
    stems = loud()
    out, levels = clipped(stems, "rescale", block)
    assert levels.gain == pytest.approx(1 / 1.6)
    np.testing.assert_allclose(out, stems / 1.6, rtol=1e-6)


def test_what_fits_is_left_as_it_is() -> None:
    stems = loud() / 2
    for mode in ("rescale", "clamp", "limit", "none"):
        out, levels = clipped(stems, mode, 3000)
        assert np.array_equal(out, stems) and levels == Levels()


def test_clamp_cuts_and_none_does_nothing() -> None:
    stems = loud()
    for mode, truth in {"clamp": stems.clip(-1, 1), "none": stems}.items():
        out, levels = clipped(stems, mode)
        assert np.array_equal(out, truth) and levels.clipped


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 99), length=st.integers(1, 6000), block=st.integers(1, 3000), gain=st.floats(0.1, 20))
def test_the_limiter_lets_nothing_over_and_moves_all_stems_alike(
    seed: int, length: int, block: int, gain: float
) -> None:
    stems = (gain * np.random.default_rng(seed).standard_normal((2, 2, length))).astype(np.float32)
    out, levels = clipped(stems, "limit", block)
    assert out.shape == stems.shape
    assert np.abs(out).max() <= 1 + 1e-6
    ratio = out / stems  # one gain at every sample, for every stem and channel
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:1, :1], ratio.shape), rtol=1e-4)
    assert levels.gain == pytest.approx(min(1.0, float(ratio.min())), rel=1e-4)  # also at the end
    whole, _ = clipped(stems, "limit")
    np.testing.assert_allclose(out, whole, rtol=1e-5, atol=1e-6)


def test_the_limiter_acts_around_a_peak_and_nowhere_else() -> None:
    stems = np.full((1, 1, 44100), 0.5, np.float32)
    stems[..., 22050] = 2.0
    out, levels = clipped(stems, "limit", 4096)
    gain = (out / stems)[0, 0]
    assert gain[22050] <= 0.5 + 1e-6 and levels.gain == pytest.approx(0.5)
    assert (gain[: 22050 - 512] == 1).all()  # two steps ahead at most
    assert (gain[22050 + 512 + round(0.05 * 44100) + 256 :] == 1).all()  # 0.5 at 10 a second
    assert np.abs(np.diff(gain)).max() <= 0.5 / 256 + 1e-6  # no jump
    assert np.diff(gain[22050 + 512 :]).max() <= 10 / 44100 + 1e-6  # it rises by 10 a second at most


def test_a_temporary_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the stems could be written, unless it was to be in their own folder."""

    def refused(dir: Path | None) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("htdemucs_n.separation.clipping.tempfile.TemporaryFile", refused)
    for folder, mend in ((None, "choose --clip-mode clamp, which needs no such file"), (tmp_path, "choose another")):
        says = f"in '{folder or tempfile.gettempdir()}' (No space left on device): make room, make the folder writable"
        with pytest.raises(OutputError, match=re.escape(f"{says}, or {mend}") + "$"):
            next(clip_blocks([loud()], "rescale", 44100, Levels(), folder))


@pytest.mark.parametrize("mode", ["rescale", "limit", "clamp", "none"])
def test_stems_that_are_not_wanted_count_for_the_gain(mode: str) -> None:
    stems = loud()
    for wanted in ([0], [1], [1, 0]):
        levels = Levels()
        out = np.concatenate(list(clip_blocks([stems], mode, 44100, levels, wanted=wanted)), axis=-1)
        whole, of_all = clipped(stems, mode)
        assert np.array_equal(out, whole[wanted]) and levels == of_all
