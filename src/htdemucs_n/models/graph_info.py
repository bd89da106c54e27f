"""What an ONNX file says of the graph inside it: the stems, the transforms around it, and where it comes from.

A graph is a network without its transforms. It reads the level-normalised audio of a segment, its spectra, or both, and
writes masks, spectra or waveforms of the stems:

    input   audio            (1, C, T)
    input   spectrum_4096    (1, C, frames, 2048, 2)     real and imaginary parts; one such input for each STFT
    output  masks_0          (n, 1, frames, S, C, k, 2)  complex masks for the mixture's spectrum, k bins of n bands;
                                                         masks_1 and so on have the bands above
    output  spectra_0        (n, 1, frames, S, C, k, 2)  the stems' spectra, in place of masks
    output  waveforms        (1, S, C, T)                added to what the spectra give
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, NamedTuple, Self

from htdemucs_n.errors import ModelError
from htdemucs_n.models.config import HOP

FORMAT = "htdemucs_n-graph"
"""The value of the metadata key `format`."""

VERSION = 2
"""Of the conventions of this file. It is raised when older code could not run a newer graph."""

IR_VERSION, OPSET = 10, 20
"""Of the ONNX files: of the format, and of the operators. The first opset that has GELU is 20."""

AUDIO, MASKS, SPECTRA, WAVEFORMS = "audio", "masks", "spectra", "waveforms"


def spectrum_name(n_fft: int) -> str:
    """The name of the input that takes the spectrum of window `n_fft`."""
    return f"spectrum_{n_fft}"


class Framing(NamedTuple):
    """What is done with a segment around a graph: graphs that agree in it share their transforms.

    `samples` is the length after padding; the other fields are those of `GraphInfo`.
    """

    samples: int
    level: bool
    edges: str
    output_n_fft: int
    consistency: bool


@dataclass(frozen=True)
class GraphInfo:
    """The conventions that a graph was exported with.

    * `inputs`, `outputs`: names as above.
    * `n_ffts`: windows of the STFTs that it reads; `output_n_fft`: window of the STFT that its masks or spectra are of.
      The hop is a quarter of the window.
    * `pad_to_segment`: shorter audio is padded to a segment with silence.
    * `edges`: what lies beyond the ends of a segment, for the STFT: `zero`, or the segment mirrored (`reflect`).
    * `frame_multiple`: the number of frames of 1024 samples is a multiple of this.
    * `samples`: the only length that the graph takes, in samples; None where it takes any.
    * `level`: the audio has to be scaled to an RMS of 1.
    * `consistency`: what the stems lack of the mixture is given to all of them in equal parts.
    * `full_precision`: lower precisions than float32 were not measured for this network.
    * `facts`: where the weights come from: scores, licence, training.
    """

    sources: tuple[str, ...]
    samplerate: int
    segment: float
    overlap: float
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    n_ffts: tuple[int, ...] = (4096,)
    output_n_fft: int = 4096
    pad_to_segment: bool = True
    edges: str = "zero"
    frame_multiple: int = 1
    samples: int | None = None
    level: bool = True
    consistency: bool = True
    full_precision: bool = False
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def padded_length(self, length: int, segment: float) -> int:
        """The number of samples that the graph is given for `length` samples, in segments of `segment` seconds."""
        if self.samples is not None:
            return self.samples
        if self.pad_to_segment:
            length = max(length, round(segment * self.samplerate))
        multiple = HOP * self.frame_multiple
        return -(-length // multiple) * multiple

    def framing(self, length: int, segment: float) -> Framing:
        """What is done around the graph with `length` samples, in segments of `segment` seconds."""
        return Framing(self.padded_length(length, segment), self.level, self.edges, self.output_n_fft, self.consistency)

    def to_metadata(self) -> dict[str, str]:
        """As the metadata of an ONNX file, text by key."""
        return {"format": FORMAT, "version": str(VERSION), "graph": json.dumps(dataclasses.asdict(self))}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], file: str) -> Self:
        """Read what `to_metadata` wrote; `file` is named in messages.

        Raises:
            ModelError: the metadata are of another program, of a newer version, or damaged.
        """
        if metadata.get("format") != FORMAT:
            raise ModelError(f"{file} was not made by `htdemucs-n export`: export a checkpoint of yours with it")
        try:
            if (version := int(metadata["version"])) != VERSION:
                age, mend = (
                    ("a newer", "install that version") if version > VERSION else ("an older", "export it again")
                )
                raise ModelError(f"{file} was exported by {age} htdemucs-n: {mend}")
            return cls(**_checked(json.loads(metadata["graph"]), typing.get_type_hints(cls)))
        except (KeyError, ValueError, RecursionError) as error:
            raise ModelError(f"{file} has damaged metadata ({error}): export it again") from error


def _checked(values: Any, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a JSON object, lists as tuples. Raises `ValueError` unless each is of the kind of its key."""
    if not isinstance(values, dict) or values.keys() != kinds.keys():
        raise ValueError("its keys are not those of a graph")
    wrong = [key for key, value in values.items() if not _is_of(kinds[key], value)]
    if wrong:
        raise ValueError(f"the wrong kind of {', '.join(wrong)}")
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}


def _is_of(kind: Any, value: Any) -> bool:
    """Whether a value from JSON is what an annotation says. Neither true nor false is a number."""
    origin, parts = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin is UnionType:
        return any(_is_of(part, value) for part in parts)
    if origin is tuple:
        return isinstance(value, list) and all(_is_of(parts[0], item) for item in value)
    accepted = int | float if kind is float else origin
    return isinstance(value, accepted) and isinstance(value, bool) == (kind is bool)
