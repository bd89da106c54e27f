"""Separation: a model and a song in, stems out. Knows nothing of training."""

from htdemucs_n.separation.separator import Separator
from htdemucs_n.separation.stems import two_stems, write_stems

__all__ = ["Separator", "two_stems", "write_stems"]
