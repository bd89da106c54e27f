"""Audio files in, audio files out, resampling."""

from htdemucs_n.audio.read import open_audio, read_audio
from htdemucs_n.audio.resample import resample, resample_blocks
from htdemucs_n.audio.stream import Audio
from htdemucs_n.audio.suffixes import SUFFIXES
from htdemucs_n.audio.write import make_folder, write_wav

__all__ = [
    "SUFFIXES",
    "Audio",
    "make_folder",
    "open_audio",
    "read_audio",
    "resample",
    "resample_blocks",
    "write_wav",
]
