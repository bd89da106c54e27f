"""The notes of a job: as a MIDI file, for a piano roll, and in the lanes of the page."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile

from audio_helpers import SplitEngine
from browser_helpers import chromium, opened_page
from htdemucs_n.errors import missing_package
from htdemucs_n.separation import Separator
from htdemucs_n.transcription import Note, Transcription
from htdemucs_n.transcription import transcribe as real
from htdemucs_n.transcription.beats import Beats
from htdemucs_n.transcription.midi_file import Part
from service_helpers import JOBS, ended, running, service, submit
from transcription_helpers import RATE, played


def song() -> bytes:
    """Two notes as a WAV file; the stems of a `SplitEngine` are the same notes, each stem with its gain."""
    file = io.BytesIO()
    soundfile.write(file, played([(0.3, 0.8, 45, 0.3), (1.0, 1.6, 52, 0.3)], 2.0).T, RATE, format="WAV")
    return file.getvalue()


def test_notes_are_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def counted(stems: dict[str, Path], *more: Any) -> Any:
        calls.append(list(stems))
        return real(stems, *more)

    monkeypatch.setattr("htdemucs_n.transcription.transcribe", counted)
    with service(tmp_path) as client:
        place = f"{JOBS}/{ended(client, submit(client, song(), 'Lied 1.wav').json()['id'])['id']}"
        answer = client.get(f"{place}/midi")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "audio/midi"
        assert 'filename="Lied 1.mid"' in answer.headers["content-disposition"] or "Lied%201.mid" in str(answer.headers)
        file = mido.MidiFile(file=io.BytesIO(answer.content))
        assert [track.name for track in file.tracks] == ["Lied 1.wav", "bass", "vocals", "drums"]
        assert [m.note for m in file.tracks[1] if m.type == "note_on"] == [45, 52]

        roll = client.get(f"{place}/notes").json()
        assert [note["pitch"] for note in roll["parts"]["vocals"]] == [45, 52]
        assert roll["parts"]["bass"][1]["start"] == pytest.approx(1.0, abs=0.03)
        assert roll["parts"].keys() == {"bass", "vocals", "drums"}
        quantised = client.get(f"{place}/midi?quantise=true").content
        assert quantised != answer.content and quantised[:4] == b"MThd"
    assert calls == [["drums", "bass", "other", "vocals", "kick", "snare", "toms", "hihat", "cymbals"]]


def test_the_notes_of_drums_are_by_part_where_the_lanes_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """General MIDI: kick 36, snare 38, toms 45, hi-hat 42, cymbals 49."""
    beats = Beats(np.arange(0.0, 2.0, 0.5))
    hits = [Note(0.1 * number, 0.1 * number + 0.1, pitch, 80) for number, pitch in enumerate((36, 42, 38, 36, 45, 49))]
    parts = [Part("bass", 33, 0, [Note(0.0, 1.0, 40, 90)]), Part("drums", 0, 9, hits)]
    monkeypatch.setattr("htdemucs_n.transcription.transcribe", lambda stems: Transcription(beats, parts, []))
    with service(tmp_path, load=lambda *_: Separator(SplitEngine(), drum_kit=True)) as client:
        for drum_kit in ("false", "true"):
            job = ended(client, submit(client, song(), drum_kit=drum_kit).json()["id"])
            roll = client.get(f"{JOBS}/{job['id']}/notes").json()["parts"]
            starts = {name: [round(note["start"], 1) for note in notes] for name, notes in roll.items()}
            by_part = {"kick": [0.0, 0.3], "snare": [0.2], "toms": [0.4], "hihat": [0.1], "cymbals": [0.5]}
            expected = by_part if drum_kit == "true" else {"drums": [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]}
            assert starts == expected | {"bass": [0.0]} and starts.keys() <= job["files"].keys()
            assert client.get(f"{JOBS}/{job['id']}/midi").status_code == 200


def test_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with service(tmp_path) as client:
        assert client.get(f"{JOBS}/nothing/midi").status_code == 404
        place = f"{JOBS}/{ended(client, submit(client, song(), format='stem.mp4').json()['id'])['id']}"
        answer = client.get(f"{place}/notes")
        assert (answer.status_code, answer.json()["detail"][:30]) == (422, "there is nothing to transcribe")

        def missing(what: str, extra: str, *packages: str) -> None:
            raise missing_package(what, packages[0], extra)

        monkeypatch.setattr("htdemucs_n.service.notes.require_packages", missing)
        answer = client.get(f"{place}/midi")
        assert answer.status_code == 422
        assert answer.json()["detail"].endswith('is not installed: pip install "htdemucs-n[transcribe]"')


@pytest.mark.browser
def test_a_piano_roll_in_the_lanes(tmp_path: Path) -> None:
    (tmp_path / "song.wav").write_bytes(song())
    with chromium() as browser, running(tmp_path, "--no-browser", verb="studio") as (process, _):
        page, wrong = opened_page(browser, process.url)
        page.set_input_files("#files", tmp_path / "song.wav")
        page.get_by_role("button", name="Play the stems of song.wav").click(timeout=30_000)
        page.wait_for_selector(".lane >> nth=4")
        pictures = "() => [...document.querySelectorAll('.lane canvas')].map((canvas) => canvas.toDataURL())"
        before = page.evaluate(pictures)
        notes = page.get_by_role("button", name="Notes")
        notes.click()
        page.wait_for_selector("#actions button[aria-pressed=true]", timeout=120_000)
        shown = page.evaluate(pictures)
        changed = [
            name
            for name, old, new in zip(("drums", "bass", "other", "vocals", "original"), before, shown, strict=True)
            if old != new
        ]
        assert changed == ["drums", "bass", "vocals"]
        page.get_by_text("the stem other is not transcribed").wait_for()
        with page.expect_download() as saved:
            page.get_by_text("Save MIDI").click()
        assert saved.value.suggested_filename == "song.mid"
        notes.click()
        assert page.evaluate(pictures) == before
        assert page.get_by_text("Save MIDI").is_hidden()
        assert not wrong


@pytest.mark.browser
def test_a_service_without_librosa_offers_no_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "song.wav").write_bytes(song())
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['librosa'] = None\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with chromium() as browser, running(tmp_path, "--no-browser", verb="studio") as (process, client):
        assert client.get("/api/v1/library").json()["analyses"] is False
        page, wrong = opened_page(browser, process.url)
        page.set_input_files("#files", tmp_path / "song.wav")
        page.get_by_role("button", name="Play the stems of song.wav").click(timeout=30_000)
        page.wait_for_selector(".lane >> nth=4")
        page.wait_for_timeout(2500)  # it would ask for the facts by now
        assert page.get_by_role("button", name="Notes").count() == 0
        assert not wrong
