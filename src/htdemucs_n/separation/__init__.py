"""Separation: a model and a song in, stems out. Independent of training."""

from htdemucs_n.separation.separator import Separator
from htdemucs_n.separation.stems import StemChoice
from htdemucs_n.separation.track import Output, separate_track

__all__ = ["Output", "Separator", "StemChoice", "separate_track"]
