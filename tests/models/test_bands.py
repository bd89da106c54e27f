"""Band split and merge against slow loops, and that every bin belongs to exactly its own band."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from htdemucs_n.models.bands import BandMerge, BandSplit, Zones
from htdemucs_n.models.presets import load_preset, preset_names
from models_helpers import Array, array, noise

ZONES: Zones = ((4, 8), (2, 24), (3, 656))  # 9 bands over 2048 bins


def band_edges(zones: Zones, r: int = 1) -> list[tuple[int, int]]:
    """First and last-plus-one bin of every band in an STFT with 2048 / r bins."""
    edges, start = [], 0
    for n, k in zones:
        for _ in range(n):
            edges.append((start // r, (start + k) // r))
            start += k
    return edges


def matrices(layer: BandSplit | BandMerge) -> list[Array]:
    """The matrix of each band, low to high."""
    return [array(matrix) for weight in layer.weights for matrix in weight]


@pytest.mark.parametrize("n_fft", [512, 1024, 2048, 4096])
def test_split_equals_a_loop_over_bands_and_frames(n_fft: int) -> None:
    torch.manual_seed(0)
    r, channels, frames = 4096 // n_fft, 3, 2
    split = BandSplit(ZONES, n_fft, channels, out_channels=5)
    torch.nn.init.normal_(split.bias)
    features = noise(2, channels, frames * r, n_fft // 2)
    expected = np.zeros((2, 5, 9, frames))
    for band, (low, high) in enumerate(band_edges(ZONES, r)):
        for item in range(2):
            for frame in range(frames):
                patch = [
                    float(features[item, channel, frame * r + column, bin_])
                    for channel in range(channels)
                    for column in range(r)
                    for bin_ in range(low, high)
                ]
                expected[item, :, band, frame] = np.array(patch) @ matrices(split)[band]
    expected += array(split.bias)[:, 0].T[:, :, None]
    np.testing.assert_allclose(array(split(features)), expected, atol=2e-5)


def test_merge_equals_a_loop_over_bands_and_frames() -> None:
    torch.manual_seed(0)
    merge = BandMerge(ZONES, in_channels=3, out_channels=2)
    grid = noise(2, 3, 9, 4)
    expected = np.zeros((2, 2, 2048, 4, 2))
    for band, (low, high) in enumerate(band_edges(ZONES)):
        for item in range(2):
            for frame in range(4):
                values = array(grid[item, :, band, frame]) @ matrices(merge)[band]
                expected[item, :, low:high, frame] = values.reshape(2, high - low, 2)
    np.testing.assert_allclose(array(merge(grid)), expected, atol=2e-5)


@pytest.mark.parametrize("n_fft", [512, 1024, 2048, 4096])
def test_every_bin_and_column_reaches_its_own_band_and_frame_alone(n_fft: int) -> None:
    """One bin is not zero at a time: only its band changes; one column: only its frame."""
    torch.manual_seed(0)
    r, bins = 4096 // n_fft, n_fft // 2
    split = BandSplit(ZONES, n_fft, in_channels=1, out_channels=2)
    features = torch.eye(bins)[:, None, None].expand(-1, -1, r, -1)  # (a bin each, 1, one frame, bins)
    owner = [band for band, (low, high) in enumerate(band_edges(ZONES, r)) for _ in range(low, high)]
    answered = split(features).abs().sum(dim=1)[..., 0] > 0  # (bins, bands)
    assert torch.equal(answered, torch.nn.functional.one_hot(torch.tensor(owner), 9).bool())

    columns = torch.eye(3 * r)[:, None, :, None].expand(-1, -1, -1, bins)  # (a column each, 1, columns, bins)
    answered = split(columns).abs().sum(dim=(1, 2)) > 0  # (columns, frames)
    assert torch.equal(answered, torch.eye(3).repeat_interleave(r, dim=0).bool())


def test_every_band_writes_its_own_bins_alone() -> None:
    torch.manual_seed(0)
    merge = BandMerge(ZONES, in_channels=1, out_channels=1)
    written = merge(torch.eye(9)[:, None, :, None]).abs().sum(dim=(1, 3, 4)) > 0  # (bands, bins)
    for band, (low, high) in enumerate(band_edges(ZONES)):
        expected = torch.zeros(2048, dtype=torch.bool)
        expected[low:high] = True
        assert torch.equal(written[band], expected)


def test_the_merged_values_are_a_complex_tensor_without_a_copy() -> None:
    torch.manual_seed(0)
    values = BandMerge(ZONES, 1, 1)(noise(1, 1, 9, 2))
    assert torch.view_as_complex(values).data_ptr() == values.data_ptr()


@pytest.mark.parametrize("preset", preset_names())
def test_the_zones_of_every_preset_cover_the_spectrum(preset: str) -> None:
    config = load_preset(preset)
    edges = band_edges(config.band_zones)
    assert edges[0][0] == 0 and edges[-1][1] == 2048 and len(edges) == config.bands
    shortest = 4096 // min(config.n_ffts)
    assert all(low % shortest == 0 for low, _ in edges), "a band must not cut a bin of the shortest STFT"


def test_weights_start_within_one_over_root_fan_in() -> None:
    torch.manual_seed(0)
    split = BandSplit(ZONES, 4096, in_channels=2, out_channels=64)
    for (_, k), weight in zip(ZONES, split.weights, strict=True):
        bound = 1 / np.sqrt(2 * k)
        assert 0.99 * bound < float(weight.detach().abs().max()) <= bound
    assert not split.bias.any()
