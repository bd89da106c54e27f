"""Batch-norm statistics for whole mixtures, re-estimated on songs as they are.

Training uses short crops of stems mixed from different songs, at changed speed and level; separation uses whole
mixtures, a segment at a time. The running statistics gathered on the first are not those of the second, and averaged
weights never ran with them at all (as for weight averaging: Izmailov et al., 2018, section 3.2).
"""

from __future__ import annotations

import dataclasses

import torch

from htdemucs_n.models.architectures import Network
from htdemucs_n.training.bank import StemBank
from htdemucs_n.training.batches import BatchSampler
from htdemucs_n.training.config import AugmentConfig, TrainConfig


def calibration_batches(config: TrainConfig, bank: StemBank) -> BatchSampler:
    """Batches of whole segments of the training songs, each in its own mix."""
    dset = dataclasses.replace(config.dset, segment=config.network.segment)
    return BatchSampler(bank, dset, AugmentConfig.off(), config.network.samplerate, config.misc.seed)


@torch.inference_mode()
def calibrate(model: Network, batches: BatchSampler, count: int) -> None:
    """Set the batch-norm statistics of `model` to their averages over the first `count` batches.

    Leaves the model in evaluation mode, its weights as they were; does nothing where `count` is 0.
    """
    norms = [m for m in model.modules() if isinstance(m, torch.nn.modules.batchnorm._BatchNorm)]
    model.eval()
    if not count:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch takes None for a plain average
        norm.train()
    for step in range(count):
        model(batches.batch(step).mixture)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
