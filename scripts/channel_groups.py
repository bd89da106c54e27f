"""Which channels of a network are the same ones, so that they can only be removed together.

Each layer is listed under its name with the groups of channels that it reads, in the order in which they are
concatenated, and the group that it writes. The tensors of the layer then follow from its kind.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from htdemucs_n.models.architectures import Network
from htdemucs_n.models.band_transformer import AcrossBands, BandTransformer
from htdemucs_n.models.bands import BandMerge, BandSplit
from htdemucs_n.models.htdemucs_n import HTDemucs_n

_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)

Places = dict[int, tuple[str | None, ...]]
"""The groups along the axes of a tensor, in the order in which they are concatenated."""


@dataclass(frozen=True)
class Layer:
    """The groups that a layer reads and the one that it writes; None where these channels are always kept."""

    reads: tuple[str | None, ...] = (None,)
    writes: str | None = None


def layers_of(network: Network) -> dict[str, Layer]:
    """The layers of a network whose channels can be removed, by name."""
    parts = _bands(network) if isinstance(network, BandTransformer) else _hybrid(network)
    return dict(parts)


def axes(module: nn.Module, layer: Layer, dims: int) -> Places:
    """The groups along the axes of a tensor of a layer, which has `dims` dimensions."""
    if dims == 0:  # the count of batches of a batch norm
        return {}
    if isinstance(module, BandMerge):
        return {1: layer.reads}
    written = (layer.writes,)
    if isinstance(module, BandSplit):
        return {2: written}
    if dims == 1 or getattr(module, "groups", 1) > 1:
        return {0: written}
    return {0: layer.reads, 1: written} if isinstance(module, _TRANSPOSED) else {0: written, 1: layer.reads}


def is_writer(module: nn.Module) -> bool:
    """Whether the weights of a layer scale what it writes: a layer with a bias, or the batch norm behind one without.

    A layer norm is none: it reads what all layers before it have written.
    """
    return isinstance(module, (BandSplit, *_BATCH_NORMS)) or (
        not isinstance(module, nn.LayerNorm) and isinstance(getattr(module, "bias", None), Tensor)
    )


def _bands(network: BandTransformer) -> Iterator[tuple[str, Layer]]:
    tokens = "tokens"
    for number in range(len(network.split)):
        yield f"split.{number}", Layer(writes=tokens)
    for number, block in enumerate(network.blocks):
        assert isinstance(block, nn.Sequential)
        if not isinstance(block[2], AcrossBands):
            raise TypeError("networks with attention across the bands cannot be made narrower")
        yield f"blocks.{number}.0.norm", Layer(writes=tokens)
        yield f"blocks.{number}.0.position", Layer(writes=tokens)
        yield f"blocks.{number}.0.attention.to_qkv", Layer((tokens,))
        yield f"blocks.{number}.0.attention.to_out", Layer(writes=tokens)
        yield f"blocks.{number}.2.norm", Layer(writes=tokens)
        for place in (1, 3):
            name = f"blocks.{number}.{place}"
            yield f"{name}.layers.0", Layer(writes=tokens)
            yield f"{name}.layers.1", Layer((tokens,), name)
            yield f"{name}.layers.3", Layer((name,), tokens)
    for number in range(len(network.heads)):
        name = f"heads.{number}"
        yield f"{name}.hidden.0", Layer(writes=tokens)
        yield f"{name}.hidden.1", Layer((tokens,), name)
        yield f"{name}.merge", Layer((name,))


def _hybrid(network: HTDemucs_n) -> Iterator[tuple[str, Layer]]:
    if network.config.stft_fusion_method == "add" or network.lstm is not None:
        raise TypeError("networks with stft_fusion_method=add or an LSTM cannot be made narrower")
    grids = tuple(f"grid {number}" for number in range(len(network.config.n_ffts)))
    for number, grid in enumerate(grids):
        yield f"multi_stft_encoder.processors.{number}.0", Layer(writes=f"patches {number}")
        yield f"multi_stft_encoder.processors.{number}.2", Layer((f"patches {number}",), grid)
    yield "multi_stft_encoder.fusion.0", Layer(grids, "mixed")
    yield "multi_stft_encoder.fusion.2", Layer(("mixed",), "fused")
    yield "complex_encoder", Layer(writes="complex")
    yield from _unet(network.config.resunet_depth)
    decoded = f"decoder {network.config.resunet_depth - 2}"
    yield "fusion.projection.narrow", Layer((decoded,))
    yield "spectral_head.mix.0", Layer((decoded, None), "head")
    yield "spectral_head.merge", Layer(("head",))
    yield from _time_branch(network)


def _unet(depth: int) -> Iterator[tuple[str, Layer]]:
    below: tuple[str, ...] = ("fused", "complex")
    for level in range(depth):
        here = f"encoder {level}"
        yield from _residual(f"freq_encoder.blocks.{level}.0", below if level == 0 else (here,), here)
        yield f"freq_encoder.blocks.{level}.1.excitation.0", Layer((here,), f"excitation {level}")
        yield f"freq_encoder.blocks.{level}.1.excitation.2", Layer((f"excitation {level}",), here)
        if level:
            yield f"freq_encoder.downsamples.{level - 1}", Layer((f"encoder {level - 1}",), here)
    coarser = f"encoder {depth - 1}"
    for step in range(depth - 1):
        skip, up, gate = f"encoder {depth - 2 - step}", f"upsampled {step}", f"gate {step}"
        yield f"freq_decoder.upsamples.{step}", Layer((coarser,), up)
        yield f"freq_decoder.gates.{step}.gate", Layer((up,), gate)
        yield f"freq_decoder.gates.{step}.skip", Layer((skip,), gate)
        yield f"freq_decoder.gates.{step}.psi", Layer((gate,))
        coarser = f"decoder {step}"
        yield from _residual(f"freq_decoder.blocks.{step}", (up, skip), coarser)


def _time_branch(network: HTDemucs_n) -> Iterator[tuple[str, Layer]]:
    depth, config = network.config.depth, network.config
    for level in range(depth):
        here, name = f"time {level}", f"time_encoder.levels.{level}"
        yield f"{name}.0", Layer((f"time {level - 1}" if level else None,), here)
        yield f"{name}.1", Layer(writes=here)
        for block in range(config.time_encoder_blocks):
            yield from _residual(f"{name}.{3 + block}", (here,), here)
    deepest = f"time {depth - 1}"
    yield "time_encoder.to_tokens", Layer((deepest,))
    yield "time_decoder.from_tokens", Layer(writes=deepest)
    for step, level in enumerate(reversed(range(1, depth))):
        name = f"time_decoder.levels.{step}"
        for block in range(config.time_decoder_blocks):
            yield from _residual(f"{name}.{block}", (f"time {level}",), f"time {level}")
        yield f"{name}.{config.time_decoder_blocks}", Layer((f"time {level}",), f"time {level - 1}")
    for block in range(config.time_decoder_blocks):
        yield from _residual(f"time_decoder.last_blocks.{block}", ("time 0",), "time 0")
    yield "time_decoder.to_audio", Layer(("time 0",))


def _residual(name: str, reads: tuple[str, ...], writes: str) -> Iterator[tuple[str, Layer]]:
    """The layers of a residual block; those of a shortcut may not be there."""
    hidden = f"hidden {name}"
    yield f"{name}.body.0", Layer(reads, hidden)
    yield f"{name}.body.1", Layer(writes=hidden)
    yield f"{name}.body.3", Layer((hidden,), writes)
    yield f"{name}.body.4", Layer(writes=writes)
    yield f"{name}.shortcut.0", Layer(reads, writes)
    yield f"{name}.shortcut.1", Layer(writes=writes)
