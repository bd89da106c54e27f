"""What a stem's file is: format, sample depth, bit rate, and what each format can hold."""

from __future__ import annotations

from dataclasses import dataclass

from htdemucs_n.errors import OptionError

_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)


@dataclass(frozen=True)
class Format:
    """A kind of file: its `suffix`, sample `depths` (none for a lossy codec), `rates` in Hz (none: any).

    A kind with depths and a bit rate is lossy, unless a depth is asked for.
    """

    suffix: str
    depths: tuple[str, ...] = ()
    rates: tuple[int, ...] = ()
    bitrate: int = 0
    """Default, kbit/s."""


STEM_FILE = "stem.mp4"
"""The DJ stem file: one file with the song and its four stems as tracks."""

STEM_FILE_STEMS = ("drums", "bass", "other", "vocals")
"""In the order of the tracks, behind the mix."""

FORMATS = {
    "wav": Format("wav", ("int16", "int24", "float32")),
    "flac": Format("flac", ("int16", "int24")),
    "mp3": Format("mp3", rates=_MP3_RATES, bitrate=320),
    "ogg": Format("ogg", rates=(*_AAC_RATES, 176400, 192000), bitrate=256),
    "opus": Format("opus", rates=(8000, 12000, 16000, 24000, 48000), bitrate=160),
    "m4a": Format("m4a", rates=_AAC_RATES, bitrate=256),
    STEM_FILE: Format(STEM_FILE, ("int16", "int24"), rates=(44100, 48000), bitrate=256),
}
_BITRATES = (32, 512)


@dataclass(frozen=True)
class Encoding:
    """How stems are written: a name of `FORMATS`, `int16` | `int24` | `float32`, and kbit/s for lossy formats."""

    format: str
    depth: str
    bitrate: int

    @property
    def suffix(self) -> str:
        """Without the dot."""
        return FORMATS[self.format].suffix

    @property
    def clips(self) -> bool:
        """Whether samples beyond full scale are lost or harmed."""
        return self.depth != "float32"


def choose_encoding(name: str, depth: str | None, bitrate: int | None, input_depth: str | None) -> Encoding:
    """Encoding in a format; the depth is by default the input's, where the format has it, else the nearest.

    A format that can be lossy is so unless a depth is given.

    Raises:
        OptionError: an unknown format, a depth that it has not, or a bit rate out of range or for a lossless one.
    """
    if name not in FORMATS:
        raise OptionError(f"unknown format '{name}': choose one of {', '.join(FORMATS)}")
    kind = FORMATS[name]
    if depth is not None and depth not in kind.depths:
        choice = f"choose one of {', '.join(kind.depths)}" if kind.depths else "it is lossy and takes --bitrate"
        raise OptionError(f"the format {name} has no depth {depth}: {choice}")
    lossless = depth is not None or not kind.bitrate
    if bitrate is not None and lossless:
        what = f"the format {name}" if depth is None else f"the format {name} with a depth"
        raise OptionError(f"{what} is lossless and takes no bit rate: choose mp3, ogg, opus or m4a")
    if bitrate is not None and not _BITRATES[0] <= bitrate <= _BITRATES[1]:
        raise OptionError(f"bit rate {bitrate}: it takes {_BITRATES[0]} to {_BITRATES[1]} kbit/s")
    if not lossless:
        return Encoding(name, "lossy", bitrate or kind.bitrate)
    wanted = depth or input_depth or "int16"
    return Encoding(name, wanted if wanted in kind.depths else kind.depths[-1], 0)  # flac for a float input: 24 bits


def nearest_rate(name: str, sample_rate: int) -> int:
    """The sample rate in Hz that a format takes in place of `sample_rate`: itself, the next above, or the highest."""
    rates = FORMATS[name].rates
    if not rates or sample_rate in rates:
        return sample_rate
    return min((rate for rate in rates if rate > sample_rate), default=rates[-1])
