"""Audio files in, audio files out, resampling."""

from htdemucs_n.audio.read import Audio, read_audio
from htdemucs_n.audio.resample import resample
from htdemucs_n.audio.write import make_folder, write_wav

__all__ = ["Audio", "make_folder", "read_audio", "resample", "write_wav"]
