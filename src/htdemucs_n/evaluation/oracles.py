"""Oracles: the scores of separation by masks that are computed from the true stems, as bounds in a table of scores.

Both work on an STFT of 4096 samples, hop 1024, and keep its phase (ratio mask) or filter its channels (Wiener).
Sources: Liutkus et al., "The 2016 Signal Separation Evaluation Campaign", LVA/ICA 2017; Duong, Vincent, Gribonval,
"Under-determined reverberant audio source separation using a full-rank spatial covariance model", IEEE TASLP, 2010.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_N_FFT, _HOP = 4096, 1024
_FLOOR = 1e-10
_BLOCK = 256
"""Frames filtered at once."""


def ideal_ratio_mask(stems: Mapping[str, Tensor], mixture: Tensor) -> dict[str, Tensor]:
    """Estimates `(C, T)` of `stems` `(C, T)`: the mixture's spectrogram times |S_j|^2 / sum_k |S_k|^2."""
    power = {stem: _stft(track).abs().square() for stem, track in stems.items()}
    total = torch.stack(list(power.values())).sum(0) + _FLOOR
    spectrum = _stft(mixture)
    return {stem: _istft(spectrum * share / total, mixture.shape[-1]) for stem, share in power.items()}


def wiener(stems: Mapping[str, Tensor], mixture: Tensor) -> dict[str, Tensor]:
    """Estimates `(C, T)` of `stems` `(C, T)` by the multichannel Wiener filter of their true statistics.

    Stem j is a Gaussian of covariance v_j[f, t] R_j[f]: v_j is its power, the mean over channels, and R_j `(C, C)` its
    spatial covariance in bin f. Its estimate is v_j R_j (sum_k v_k R_k)^-1 x.
    """
    powers, spatial = [], []
    for track in stems.values():
        source = _stft(track)  # (C, F, frames)
        powers.append(source.abs().square().mean(0))  # (F, frames)
        outer = torch.einsum("cft,dft->fcd", source, source.conj())
        spatial.append(outer / (powers[-1].sum(-1)[:, None, None] + _FLOOR))  # (F, C, C)
    whitened = _stft(mixture)  # (sum_k v_k R_k)^-1 x, block by block: (C, F, frames)
    identity = _FLOOR * torch.eye(whitened.shape[0], dtype=torch.complex128)
    for start in range(0, whitened.shape[-1], _BLOCK):
        block = slice(start, start + _BLOCK)
        # Two nearly silent or equal channels: the inverse needs the digits.
        total = identity + sum(
            v[:, block, None, None].to(torch.complex128) * r[:, None] for v, r in zip(powers, spatial, strict=True)
        )
        solved = torch.linalg.solve(total, whitened[..., block].permute(1, 2, 0).to(torch.complex128))  # (F, frames, C)
        whitened[..., block] = solved.permute(2, 0, 1).to(whitened.dtype)
    return {
        stem: _istft(v * torch.einsum("fcd,dft->cft", r, whitened), mixture.shape[-1])
        for stem, v, r in zip(stems, powers, spatial, strict=True)
    }


def _stft(samples: Tensor) -> Tensor:
    """`(C, T)` to `(C, bins, frames)`."""
    window = torch.hann_window(_N_FFT)
    return torch.stft(samples, _N_FFT, _HOP, window=window, pad_mode="constant", return_complex=True)


def _istft(spectrum: Tensor, length: int) -> Tensor:
    return torch.istft(spectrum, _N_FFT, _HOP, window=torch.hann_window(_N_FFT), length=length)
