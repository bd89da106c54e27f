"""Notes that sound together, by the network of the package `basic-pitch`, where that is installed.

It is no dependency: on Linux it asks for TensorFlow. Source: Bittner et al., "A lightweight instrument-agnostic model
for polyphonic note transcription and multipitch estimation", ICASSP 2022.
"""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from htdemucs_n.errors import UserError
from htdemucs_n.transcription.note import Note

ADVICE = (
    "the stem other is not transcribed: it has several notes at a time, which needs the package basic-pitch "
    "(pip install basic-pitch)"
)


def can_transcribe() -> bool:
    """Whether `basic-pitch` is installed."""
    return find_spec("basic_pitch") is not None


def find_chords(path: Path) -> list[Note]:
    """The notes of a stem, in order, those of a chord too.

    Raises:
        UserError: the installed package does not work.
    """
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it tells what it does
            with _without_warnings():  # of all libraries of networks that are not there
                from basic_pitch import ICASSP_2022_MODEL_PATH
                from basic_pitch.inference import predict
            _, _, events = predict(str(path), ICASSP_2022_MODEL_PATH)
    except Exception as error:  # whatever its network's library raises
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"basic-pitch cannot transcribe '{path}' ({reason}): mend or remove the package") from error
    return sorted(
        Note(float(start), float(end), int(pitch), max(1, min(127, round(127 * float(strength)))))
        for start, end, pitch, strength, *_ in events
    )


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
