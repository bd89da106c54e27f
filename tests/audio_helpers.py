"""What several tests of files and separation share: signals, encoded files, an engine with known stems."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from numpy.typing import NDArray

from htdemucs_n.engines.choose import load_engine
from htdemucs_n.separation.drum_kit import DRUM_KIT

if TYPE_CHECKING:
    import pytest

    from htdemucs_n.engines.engine import Engine

SOURCES = ("drums", "bass", "other", "vocals")
GAINS = (0.1, 0.2, 0.3, 0.4)


class SplitEngine:
    """An engine whose stems are known: each is the mixture times its gain. With gains of sum 1 they add up.

    `lengths` are those of the segments so far; `before` is called before each of them.
    """

    name, device, precision = "split", "cpu", "fp32"
    sources, samplerate, overlap, batch = SOURCES, 44100, 0.25, 1

    def __init__(
        self,
        gains: tuple[float, ...] = GAINS,
        segment: float = 0.1,
        before: Callable[[], object] = lambda: None,
    ) -> None:
        self.segment, self.before = segment, before
        self.gains = np.array(gains, np.float32)[:, None, None]
        self.lengths: list[int] = []

    def separate(self, mixture: NDArray[np.float32]) -> NDArray[np.float32]:
        assert mixture.ndim == 3 and mixture.shape[1] == 2 and mixture.dtype == np.float32, "the engine takes stereo"
        self.before()
        self.lengths.append(mixture.shape[-1])
        return mixture[:, None] * self.gains


def use_engine(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    """Whatever model is asked for, every `Separator` gets `engine`; that of the drum kit keeps its own."""
    monkeypatch.setattr("htdemucs_n.separation.separator.load_engine", always(engine))


def always(engine: Engine) -> Callable[..., Engine]:
    """`load_engine`, but for all models other than the drum kit it gives `engine`."""

    def load(model: object = None, **options: Any) -> Engine:
        return load_engine(DRUM_KIT, **options) if model == DRUM_KIT else engine

    return load


def tones(frequencies: tuple[float, ...], sample_rate: int, seconds: float = 0.5) -> NDArray[np.float32]:
    """One sine a channel, `(C, T)`, of amplitude 0.5."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return np.stack([0.5 * np.sin(2 * np.pi * f * time) for f in frequencies]).astype(np.float32)


def strongest(samples: NDArray[np.float32], sample_rate: int) -> list[int]:
    """Frequency (Hz) of the highest peak of every channel."""
    spectrum = np.abs(np.fft.rfft(samples, axis=-1))
    return [round(k * sample_rate / samples.shape[-1]) for k in spectrum.argmax(-1)]


def encode(
    path: Path,
    samples: NDArray[np.float32],
    sample_rate: int,
    codec: str,
    video: bool = False,
    bit_rate: int | None = None,
) -> None:
    """Encode `(C, T)` with FFmpeg's `codec`, in the container that the path's suffix names."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}[len(samples)]
    with av.open(str(path), "w") as container:
        if video:
            picture = container.add_stream("mpeg4", rate=10)
            picture.width = picture.height = 32
        stream = container.add_stream(codec, rate=sample_rate, layout=layout)
        assert isinstance(stream, av.AudioStream)
        if bit_rate:
            stream.bit_rate = bit_rate
        if video:
            for _ in range(5):
                container.mux(picture.encode(av.VideoFrame(32, 32, "yuv420p")))
            container.mux(picture.encode(None))
        resampler = av.AudioResampler(
            format=stream.codec_context.format, layout=layout, rate=sample_rate, frame_size=1024
        )
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = sample_rate, 0, Fraction(1, sample_rate)
        for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
            container.mux(stream.encode(piece))


ON_STAND_IN = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from audio_helpers import SplitEngine, always
from htdemucs_n.cli.main import main
import htdemucs_n.separation.separator as separator
separator.load_engine = always(SplitEngine())
"""
"""How a test's own process begins that runs `main` on a stand-in for the model."""
