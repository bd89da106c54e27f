"""Stems to notes: the pitch of bass and vocals, the chords of `other`, the beats of the song, one MIDI file."""

from htdemucs_n.transcription.midi_file import write_midi
from htdemucs_n.transcription.note import Note
from htdemucs_n.transcription.transcribe import Transcription, transcribe

__all__ = ["Note", "Transcription", "transcribe", "write_midi"]
