"""Singing: syllables of a voice bank on the notes of a melody, by many different voices.

The vocoder takes pitch, spectral envelope and breath apart. Consonants keep their speed, vowels last as long as the
note; the pitch is that of the melody with glides, vibrato and drift; a voice is a way to bend the spectral envelope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from song_maker.effects import RATE, Signal
from song_maker.notes import Note
from song_maker.voice_bank import FRAME, Syllable, VoiceBank, world

_SILENCE = -120.0
"""dB of what isn't sung."""

_PROJECTED = np.array([-5.0, -3.0, 3.0, 5.0, 5.0, 4.0, -1.0, -3.0])
"""dB at the frequencies of `colour`: a voice that carries over a band, against a bank sung softly."""

_LANGUAGE = 4
"""Recordings of the bank that a singer uses."""

_HUMMED = 0.1
"""Share of the drawn syllables without a vowel (n, m) that are sung after all."""

_FFT = 2048
"""Size of the vocoder's spectra at 44.1 kHz."""


@dataclass(frozen=True)
class Singer:
    """How one singer sounds."""

    lowest: int
    """MIDI pitch: melodies are moved by octaves until their median lies within an octave above it."""
    tract: float
    """Length of the vocal tract: formants are at 1 / `tract` times the frequency of the bank's."""
    colour: Signal
    """`(8,)`: dB added to the spectrum at eight frequencies, equally spaced in octaves from 150 Hz to 16 kHz."""
    breath: float
    """0 to 1: how much of the voice is breath beyond the bank's own."""
    vibrato: float
    """Semitones."""
    vibrato_rate: float
    """Hz."""
    glide: float
    """Seconds from one pitch to the next."""
    scoop: float
    """Probability that a note begins below its pitch."""
    rough: float
    """Semitones of irregularity from one frame to the next."""
    recordings: tuple[int, ...]
    """Recordings of the bank that it sings from: its language."""


def draw_singer(bank: VoiceBank, rng: np.random.Generator) -> Singer:
    """A random singer, male or female."""
    male = rng.random() < 0.55
    tilt = rng.normal(0, 2)
    return Singer(
        lowest=int(rng.integers(44, 55)) if male else int(rng.integers(54, 65)),
        tract=rng.uniform(1.05, 1.28) if male else rng.uniform(0.9, 1.1),
        colour=_PROJECTED + np.linspace(-tilt, tilt, 8) + 2.5 * rng.standard_normal(8),
        breath=float(np.clip(rng.exponential(0.15), 0, 0.8)),
        vibrato=rng.uniform(0, 0.5),
        vibrato_rate=rng.uniform(4.5, 6.8),
        glide=rng.uniform(0.04, 0.2),
        scoop=rng.uniform(0, 0.6),
        rough=float(rng.exponential(0.012)) + (0.12 if rng.random() < 0.15 else 0.0),
        recordings=bank.draw(_LANGUAGE, rng),
    )


def sing(notes: Sequence[Note], voice: Singer, bank: VoiceBank, seconds: float, rng: np.random.Generator) -> Signal:
    """Sing `notes` (in seconds, one at a time): `(T,)`, peak about 1."""
    if not notes:
        return np.zeros(round(seconds * RATE))
    count = round(seconds / FRAME) + 1
    notes = phrased(notes, seconds)
    octaves = 12 * round((voice.lowest + 6 - float(np.median([note.pitch for note in notes]))) / 12)
    first = _draw_syllable(bank, voice, rng)
    envelope = np.tile(first.envelope[first.vowel], (count, 1))
    gain = np.full(count, _SILENCE)
    breath = np.zeros((count, first.breath.shape[1]), np.float32)
    voiced = np.zeros(count, bool)
    for index, note in enumerate(notes):
        legato = index + 1 < len(notes) and notes[index + 1].start - note.end < 1e-6
        _put(_draw_syllable(bank, voice, rng), note, legato, envelope, breath, voiced, gain)
        if index and note.start - notes[index - 1].end > 0.35:
            _inhale(note.start, envelope, breath, voiced, gain, rng)
    pitch = _pitch_curve(notes, octaves, voice, count, rng)
    envelope = _smooth_joints(envelope)
    vocoder = world()
    spectrum = vocoder.decode_spectral_envelope(envelope.astype(np.float64), RATE, _FFT)
    aperiodic = vocoder.decode_aperiodicity(breath.astype(np.float64), RATE, _FFT)
    smooth = np.convolve(np.pad(gain, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    spectrum *= 10 ** ((smooth + 1.5 * _drift(count, 0.4, rng)) / 10)[:, None]
    spectrum, aperiodic = _bend(spectrum, aperiodic, voice)
    aperiodic = np.clip(aperiodic + voice.breath * (1 - aperiodic) * np.linspace(0.2, 1, aperiodic.shape[1]), 0, 1)
    frequency = np.where(voiced, 440 * 2 ** ((pitch - 69) / 12), 0.0)
    sound: Signal = vocoder.synthesize(
        frequency, np.ascontiguousarray(spectrum), np.ascontiguousarray(aperiodic), RATE, 1000 * FRAME
    )
    sound = _fit(sound, round(seconds * RATE))
    return sound / max(float(np.abs(sound).max()), 1e-9)


def _fit(sound: Signal, length: int) -> Signal:
    return np.pad(sound, (0, max(0, length - len(sound))))[:length]


def _draw_syllable(bank: VoiceBank, voice: Singer, rng: np.random.Generator) -> Syllable:
    while True:
        choices = bank.syllables(int(rng.choice(voice.recordings)))
        syllable = choices[int(rng.integers(len(choices)))]
        if syllable.open or rng.random() < _HUMMED:
            return syllable


def _put(
    syllable: Syllable,
    note: Note,
    legato: bool,
    envelope: NDArray[np.float32],
    breath: NDArray[np.float32],
    voiced: NDArray[np.bool_],
    gain: Signal,
) -> None:
    """Write a syllable into the frames of a song: its vowel begins where the note does, its consonant before."""
    count, vowel = len(envelope), syllable.vowel
    onset, stop = round(note.start / FRAME), min(round(note.end / FRAME), len(envelope))
    lead = min(vowel, onset, round(0.16 / FRAME))
    source = np.arange(vowel - lead, vowel)
    held, wanted = len(syllable.envelope) - vowel, max(0, stop - onset)
    if wanted <= held:
        vowel_frames = vowel + np.arange(wanted)
    else:  # to and fro in the steady part, like a loop that is heard as none
        attack = min(round(0.1 / FRAME), held // 3)
        steady = max(2, held - attack - 1)
        swing = np.abs((np.arange(wanted - attack) + steady) % (2 * steady) - steady)
        vowel_frames = vowel + np.concatenate([np.arange(attack), attack + swing])
    frames = np.concatenate([source, vowel_frames]).astype(int)
    target = slice(onset - lead, onset - lead + len(frames))
    frames = frames[: count - target.start]
    target = slice(target.start, target.start + len(frames))
    envelope[target] = syllable.envelope[frames]
    breath[target] = syllable.breath[frames]
    voiced[target] = syllable.voiced[frames]
    voiced[onset:stop] = True
    gain[target] = (note.velocity - 100) / 6
    if not legato:
        fade = min(round(0.12 / FRAME), len(frames))
        gain[target.stop - fade : target.stop] -= np.linspace(0, 6, fade) ** 2


def phrased(notes: Sequence[Note], seconds: float) -> list[Note]:
    """The notes as words are sung: each lasts until the next, but for rests, where it lasts a little longer."""
    sung = []
    for index, note in enumerate(notes):
        following = notes[index + 1].start if index + 1 < len(notes) else seconds
        rest = following - note.end
        end = following if rest < 0.45 else note.end + 0.15
        if end - note.start > 0.04:
            sung.append(note._replace(length=end - note.start))
    return sung


def _inhale(
    before: float,
    envelope: NDArray[np.float32],
    breath: NDArray[np.float32],
    voiced: NDArray[np.bool_],
    gain: Signal,
    rng: np.random.Generator,
) -> None:
    """Draw breath before the phrase that begins `before` seconds: soft noise with the formants of the next vowel."""
    last = round((before - 0.16) / FRAME)
    frames = np.arange(max(0, last - round(rng.uniform(0.12, 0.3) / FRAME)), last)
    if len(frames) < 10:
        return
    shape = envelope[min(round(before / FRAME) + 5, len(envelope) - 1)].copy()
    shape[1:] *= 0.5  # the tilt of voiced sound is not that of breath
    envelope[frames] = shape
    swell = np.sin(np.linspace(0, np.pi, len(frames))) ** 0.5
    gain[frames] = -rng.uniform(14, 28) - 20 * (1 - swell)
    voiced[frames] = False
    breath[frames] = 0.0


def _pitch_curve(notes: Sequence[Note], octaves: int, voice: Singer, count: int, rng: np.random.Generator) -> Signal:
    """MIDI pitch at each frame `(count,)`: steps smoothed to glides, scoops, vibrato on long notes, drift."""
    time = np.arange(count) * FRAME
    pitch = np.full(count, float(notes[0].pitch))
    depth = np.zeros(count)
    for note in notes:
        since = time - note.start
        after = since >= -0.5 * voice.glide
        pitch[after] = note.pitch
        if rng.random() < voice.scoop:
            scooped = (since >= -0.05) & (since < 0.1)
            pitch[scooped] -= rng.uniform(0.5, 2.5)
        if note.length > 0.35:
            held = (since > 0.2) & (since < note.length)
            depth[held] = np.clip((since[held] - 0.2) / 0.3, 0, 1)
    width = max(3, round(voice.glide / FRAME) | 1)
    kernel = np.hanning(width + 2)[1:-1]
    smooth = np.convolve(np.pad(pitch, width // 2, mode="edge"), kernel / kernel.sum(), mode="valid")
    rate = voice.vibrato_rate * (1 + 0.05 * _drift(count, 0.5, rng))
    wave = np.sin(2 * np.pi * np.cumsum(rate) * FRAME)
    return (
        smooth
        + octaves
        + voice.vibrato * depth * wave
        + 0.18 * _drift(count, 0.3, rng)
        + voice.rough * rng.standard_normal(count)
    )


def _drift(count: int, seconds: float, rng: np.random.Generator) -> Signal:
    """Noise `(count,)` of unit variance that changes in about `seconds`."""
    width = max(3, round(seconds / FRAME))
    kernel = np.hanning(width + 2)[1:-1]
    kernel /= np.sqrt(np.sum(kernel**2))
    return np.convolve(rng.standard_normal(count + width - 1), kernel, mode="valid")


def _smooth_joints(envelope: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average each frame of `(F, C)` with its neighbours: one syllable turns into the next within 25 ms."""
    kernel = np.array([0.1, 0.2, 0.4, 0.2, 0.1], np.float32)
    padded = np.pad(envelope, ((2, 2), (0, 0)), mode="edge")
    return np.asarray(sum(weight * padded[shift : shift + len(envelope)] for shift, weight in enumerate(kernel)))


def _bend(spectrum: Signal, aperiodic: Signal, voice: Singer) -> tuple[Signal, Signal]:
    """Move the formants of `(F, bins)` by the voice's tract and add its colour."""
    bins = spectrum.shape[1]
    source = np.clip(np.arange(bins) * voice.tract, 0, bins - 1)
    low = np.minimum(source.astype(int), bins - 2)
    part = source - low
    logarithm = np.log(spectrum)
    moved = logarithm[:, low] * (1 - part) + logarithm[:, low + 1] * part
    frequency = np.maximum(np.arange(bins) * RATE / _FFT, 40)
    colour = np.interp(np.log2(frequency), np.linspace(np.log2(150), np.log2(16_000), 8), voice.colour)
    moved_breath = aperiodic[:, low] * (1 - part) + aperiodic[:, low + 1] * part
    return np.exp(moved + colour * np.log(10) / 10), moved_breath
