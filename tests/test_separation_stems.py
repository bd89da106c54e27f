"""Stems to files: one gain for all, two stems that add up."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from scipy.io import wavfile

from htdemucs_n.errors import UserError
from htdemucs_n.separation import two_stems, write_stems

STEMS = {name: torch.randint(-8000, 8000, (2, 100)) / 32768 for name in ("drums", "bass", "other", "vocals")}


def test_two_stems_add_up_to_all() -> None:
    pair = two_stems(STEMS, "vocals")
    assert list(pair) == ["vocals", "no_vocals"]
    assert torch.equal(pair["vocals"], STEMS["vocals"])
    torch.testing.assert_close(pair["no_vocals"], STEMS["drums"] + STEMS["bass"] + STEMS["other"])


def test_two_stems_of_a_stem_that_is_not_there() -> None:
    with pytest.raises(UserError, match=r"guitar.*drums, bass, other, vocals"):
        two_stems(STEMS, "guitar")


def test_stems_within_full_scale_keep_their_level(tmp_path: Path) -> None:
    assert write_stems(STEMS, tmp_path, 8000) == 1.0
    for name, samples in STEMS.items():
        rate, written = wavfile.read(tmp_path / f"{name}.wav")
        assert rate == 8000
        assert torch.equal(torch.from_numpy(written.T) / 32768, samples)


def test_one_gain_for_all_stems_of_a_song(tmp_path: Path) -> None:
    """One stem peaks at 1.6: all are divided by it, so that they still add up."""
    loud = STEMS | {"bass": torch.full((2, 100), -1.6)}
    assert write_stems(loud, tmp_path, 8000) == pytest.approx(1 / 1.6)
    for name, samples in loud.items():
        _, written = wavfile.read(tmp_path / f"{name}.wav")
        torch.testing.assert_close(torch.from_numpy(written.T) / 32768, samples / 1.6, rtol=0, atol=1 / 65536 + 1e-7)


def test_float_files_are_never_scaled(tmp_path: Path) -> None:
    loud = STEMS | {"bass": torch.full((2, 100), -1.6)}
    assert write_stems(loud, tmp_path, 8000, float32=True) == 1.0
    for name, samples in loud.items():
        _, written = wavfile.read(tmp_path / f"{name}.wav")
        assert torch.equal(torch.from_numpy(written.T.copy()), samples)
