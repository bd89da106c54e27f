"""Idea 2: residual block, channel attention and gated skips against hand-written NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from htdemucs_n.models.resunet_plus import (
    AttentionGate,
    ResidualBlock,
    ResUNetPlusDecoder,
    ResUNetPlusEncoder,
    SqueezeExcitation,
)
from models_helpers import array, noise, numpy_conv2d, numpy_layer, randomise_batch_norm


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("widths", [(3, 5), (4, 4)])
def test_residual_block(widths: tuple[int, int], training: bool) -> None:
    torch.manual_seed(0)
    block = ResidualBlock(*widths).train(training)
    randomise_batch_norm(block)
    x = noise(2, widths[0], 6, 5)
    shortcut = array(x) if widths[0] == widths[1] else numpy_layer(block.shortcut, array(x))
    expected = np.maximum(numpy_layer(block.body, array(x)) + shortcut, 0)
    np.testing.assert_allclose(array(block(x)), expected, atol=1e-5)
    assert [type(layer).__name__ for layer in block.body] == [
        *("Conv2d", "BatchNorm2d", "ReLU", "Conv2d", "BatchNorm2d")
    ]


@pytest.mark.parametrize(("channels", "reduction", "hidden"), [(32, 16, 2), (6, 2, 3), (8, 16, 1)])
def test_squeeze_excitation(channels: int, reduction: int, hidden: int) -> None:
    torch.manual_seed(0)
    module = SqueezeExcitation(channels, reduction)
    first, _, second, _ = module.excitation
    assert first.weight.shape == (hidden, channels)
    x = noise(2, channels, 4, 3)
    mean = array(x).mean(axis=(2, 3))
    squeezed = np.maximum(mean @ array(first.weight).T + array(first.bias), 0)
    scale = 1 / (1 + np.exp(-(squeezed @ array(second.weight).T + array(second.bias))))
    np.testing.assert_allclose(array(module(x)), array(x) * scale[:, :, None, None], atol=1e-6)


def test_attention_gate() -> None:
    torch.manual_seed(0)
    module = AttentionGate(gate_channels=3, skip_channels=4, inter_channels=2)
    gate, skip = noise(2, 3, 5, 6), noise(2, 4, 5, 6, seed=1)

    def pointwise(x: np.ndarray, conv: torch.nn.Conv2d) -> np.ndarray:
        bias = None if conv.bias is None else array(conv.bias)
        return numpy_conv2d(x, array(conv.weight), bias, (1, 1), (0, 0))

    inner = np.maximum(pointwise(array(gate), module.gate) + pointwise(array(skip), module.skip), 0)
    attention = 1 / (1 + np.exp(-pointwise(inner, module.psi)))
    assert attention.shape == (2, 1, 5, 6), "one map for all channels"
    np.testing.assert_allclose(array(module(gate, skip)), attention * array(skip), atol=1e-6)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_levels_halve_the_grid_and_double_the_channels(depth: int) -> None:
    encoder, decoder = ResUNetPlusEncoder(3, 4, depth), ResUNetPlusDecoder(4, depth)
    levels = encoder(noise(2, 3, 16, 24))
    assert [tuple(x.shape) for x in levels] == [(2, 4 * 2**i, 16 // 2**i, 24 // 2**i) for i in range(depth)]
    assert decoder(levels).shape == (2, 4, 16, 24)


def test_the_encoder_is_block_excitation_strided_conv() -> None:
    torch.manual_seed(0)
    encoder = ResUNetPlusEncoder(3, 4, depth=2, se_reduction=2).eval()
    randomise_batch_norm(encoder)
    x = noise(1, 3, 8, 8)
    fine, coarse = encoder(x)
    block, excitation = encoder.blocks[0]
    torch.testing.assert_close(fine, excitation(block(x)))
    down = encoder.downsamples[0]
    expected = numpy_conv2d(array(fine), array(down.weight), array(down.bias), (2, 2), (1, 1))
    block, excitation = encoder.blocks[1]
    torch.testing.assert_close(coarse, excitation(block(torch.from_numpy(expected).float())))


def test_the_decoder_is_transposed_conv_gate_concat_block() -> None:
    torch.manual_seed(0)
    decoder = ResUNetPlusDecoder(2, depth=2).eval()
    randomise_batch_norm(decoder)
    skip, coarse = noise(1, 2, 4, 6), noise(1, 4, 2, 3, seed=1)
    up = decoder.upsamples[0]
    # Kernel and stride 2: every coarse value paints its own 2 x 2 square.
    painted = np.einsum("bchw,codk->bohdwk", array(coarse), array(up.weight)).reshape(1, 2, 4, 6)
    painted = torch.from_numpy(painted + array(up.bias)[:, None, None]).float()
    joined = torch.cat([painted, decoder.gates[0](painted, skip)], dim=1)
    torch.testing.assert_close(decoder([skip, coarse]), decoder.blocks[0](joined))


def test_wide_open_excitation_and_gates_are_their_plain_forms() -> None:
    """Sigmoids held at 1 change nothing: the switches remove exactly the attention and no more."""
    torch.manual_seed(0)
    encoder, decoder = ResUNetPlusEncoder(3, 8, 3, se_reduction=2), ResUNetPlusDecoder(8, 3)
    plain_encoder, plain_decoder = ResUNetPlusEncoder(3, 8, 3, use_se=False), ResUNetPlusDecoder(8, 3, False)
    for full, plain in ((encoder, plain_encoder), (decoder, plain_decoder)):
        state = {k: v for k, v in full.state_dict().items() if k in plain.state_dict()}
        plain.load_state_dict(state)
        assert len(full.state_dict()) > len(state)
    x = noise(2, 3, 8, 8)
    assert not torch.allclose(decoder(encoder(x)), plain_decoder(plain_encoder(x)))
    with torch.no_grad():
        for module in encoder.modules():
            if isinstance(module, SqueezeExcitation):
                module.excitation[2].bias.fill_(100)
        for gate in decoder.gates:
            gate.psi.bias.fill_(100)
    torch.testing.assert_close(decoder(encoder(x)), plain_decoder(plain_encoder(x)))
