"""The time branch: its layers against NumPy, and that tokens, frames and hops share one clock."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from htdemucs_n.errors import UserError
from htdemucs_n.models.time_branch import ResidualBlock1d, TimeDecoder, TimeEncoder, level_strides
from models_helpers import array, noise, numpy_layer, randomise_batch_norm

WIDTHS = {3: (4, 5, 6), 4: (4, 5, 6, 7), 5: (3, 4, 5, 6, 7)}


@pytest.mark.parametrize("depth", [3, 4, 5])
def test_strides_multiply_to_one_token_every_1024_samples(depth: int) -> None:
    strides = level_strides(depth)
    assert len(strides) == depth and math.prod(strides) == 1024
    assert all(stride % 2 == 0 for stride in strides), "an odd stride would shift its level by half a sample"


@pytest.mark.parametrize("depth", [0, 2, 6])
def test_another_depth_is_refused_by_name(depth: int) -> None:
    with pytest.raises(UserError, match=f"'depth' is {depth}: use one of 3, 4, 5"):
        level_strides(depth)


@pytest.mark.parametrize("training", [True, False])
def test_residual_block(training: bool) -> None:
    torch.manual_seed(0)
    block = ResidualBlock1d(4).train(training)
    randomise_batch_norm(block)
    x = noise(2, 4, 9)
    expected = np.maximum(numpy_layer(block.body, array(x)) + array(x), 0)
    np.testing.assert_allclose(array(block(x)), expected, atol=1e-5)


@pytest.mark.parametrize("depth", [3, 4, 5])
@pytest.mark.parametrize("tokens", [1, 3])
def test_shapes_there_and_back(depth: int, tokens: int) -> None:
    widths, strides = WIDTHS[depth], level_strides(depth)
    encoder = TimeEncoder(2, widths, strides, dim=8, blocks=1).eval()
    decoder = TimeDecoder(6, widths, strides, dim=8, blocks=1).eval()
    out, skips = encoder(noise(2, 2, tokens * 1024))
    assert out.shape == (2, 8, tokens)
    lengths = [tokens * 1024 // math.prod(strides[: level + 1]) for level in range(depth)]
    assert [tuple(s.shape) for s in skips] == [(2, w, n) for w, n in zip(widths, lengths, strict=True)]
    assert decoder(out, skips).shape == (2, 6, tokens * 1024)


@pytest.mark.parametrize("training", [True, False])
def test_encoder_is_strided_conv_bn_relu_and_blocks(training: bool) -> None:
    torch.manual_seed(0)
    encoder = TimeEncoder(2, (3, 4), (4, 2), dim=5, blocks=1).train(training)
    randomise_batch_norm(encoder)
    audio = noise(2, 2, 48)
    tokens, skips = encoder(audio)
    x = array(audio)
    for level, skip in zip(encoder.levels, skips, strict=True):
        x = numpy_layer(level[:3], x)
        x = np.maximum(numpy_layer(level[3].body, x) + x, 0)
        np.testing.assert_allclose(array(skip), x, atol=1e-5)
    np.testing.assert_allclose(array(tokens), numpy_layer(encoder.to_tokens, x), atol=1e-5)


def test_decoder_is_skip_blocks_transposed_conv() -> None:
    torch.manual_seed(0)
    widths, strides = (3, 4), (4, 2)
    decoder = TimeDecoder(2, widths, strides, dim=5, blocks=1).eval()
    randomise_batch_norm(decoder)
    tokens, skips = noise(1, 5, 6), [noise(1, 3, 12, seed=1), noise(1, 4, 6, seed=2)]
    x = numpy_layer(decoder.from_tokens, array(tokens))
    levels = [*decoder.levels, nn.Sequential(*decoder.last_blocks, decoder.to_audio)]
    for level, skip, stride in zip(levels, reversed(skips), reversed(strides), strict=True):
        block, up = level
        x = x + array(skip)
        x = np.maximum(numpy_layer(block.body, x) + x, 0)
        painted = np.zeros((1, up.out_channels, (x.shape[-1] + 1) * stride)) + array(up.bias)[:, None]
        for n in range(x.shape[-1]):  # every value paints a kernel of two strides
            painted[:, :, n * stride : (n + 2) * stride] += np.einsum("bc,cok->bok", x[:, :, n], array(up.weight))
        x = painted[:, :, stride // 2 : -stride // 2]
    np.testing.assert_allclose(array(decoder(tokens, skips)), x, atol=1e-5)


@pytest.mark.parametrize("depth", [3, 4, 5])
def test_a_token_is_centred_on_its_1024_samples(depth: int) -> None:
    """The samples that token n depends on, or that depend on it, lie symmetrically about sample 1024 n + 511.5."""
    widths, strides = WIDTHS[depth], level_strides(depth)
    encoder = TimeEncoder(1, widths, strides, dim=2, blocks=0).eval()
    decoder = TimeDecoder(1, widths, strides, dim=2, blocks=0).eval()
    for parameter in [*encoder.parameters(), *decoder.parameters()]:
        nn.init.constant_(parameter, 0.1)  # all positive: ReLU lets everything through, nothing cancels
    n, audio = 4, torch.ones(1, 1, 9 * 1024, requires_grad=True)
    encoder(audio)[0][0, :, n].sum().backward()
    assert audio.grad is not None
    reached = audio.grad[0, 0].nonzero().flatten()
    assert float(reached[0] + reached[-1]) / 2 == 1024 * n + 511.5
    assert float(reached[-1] - reached[0]) < 3 * 1024

    tokens = torch.zeros(1, 2, 9)
    silent = [torch.zeros(1, w, 9 * 1024 // math.prod(strides[: i + 1])) for i, w in enumerate(widths)]
    nothing = decoder(tokens, silent)
    tokens[:, :, n] = 1
    sounding = (decoder(tokens, silent) - nothing)[0, 0].abs().detach()
    where = (sounding > 1e-7 * sounding.max()).nonzero().flatten()
    assert float(where[0] + where[-1]) / 2 == 1024 * n + 511.5


def test_samples_are_written_in_float32_under_mixed_precision() -> None:
    """The last layer to the digit: what reaches it in half precision leaves it as float32 arithmetic has it."""
    torch.manual_seed(0)
    decoder = TimeDecoder(2, (3, 4), (4, 2), dim=5, blocks=1).eval()
    reached: list[torch.Tensor] = []
    decoder.to_audio.register_forward_pre_hook(lambda _, args: reached.append(args[0]))
    with torch.autocast("cpu", torch.bfloat16):
        audio = decoder(noise(1, 5, 6), [noise(1, 3, 12), noise(1, 4, 6)])
    assert audio.dtype == torch.float32
    assert torch.equal(audio, decoder.to_audio(reached[0].float()))
