"""What a finished job gives: its lanes, also in another tempo and pitch, and files made of them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from audio_helpers import GAINS, SOURCES, strongest
from htdemucs_n.audio.formats import Encoding
from htdemucs_n.audio.tags import Tags
from htdemucs_n.audio.write import AudioWriter
from htdemucs_n.service import export as export_module
from htdemucs_n.service import stretch
from htdemucs_n.service.mix import Fader, mixed
from htdemucs_n.service.settings import Limits
from service_helpers import JOBS, ended, samples, service, song, submit

RATE = 44100


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with service(tmp_path) as started:
        yield started


def wav(sound: np.ndarray, rate: int = RATE) -> bytes:
    """A WAV file, float32, of `(C, T)`."""
    file = io.BytesIO()
    soundfile.write(file, sound.T, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


def noise(seconds: float, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(1).uniform(-0.5, 0.5, (channels, round(seconds * RATE))).astype(np.float32)


def done(client: TestClient, content: bytes, **options: str) -> str:
    """The place of a finished job."""
    job = ended(client, submit(client, content, "Song.wav", **options).json()["id"])
    assert job["state"] == "done"
    return f"{JOBS}/{job['id']}"


def stems(client: TestClient, job: str) -> dict[str, np.ndarray]:
    """The stems of a job by name."""
    return {name: samples(client.get(f"{job}/files/{name}").content) for name in SOURCES}


def exported(client: TestClient, job: str, **export: Any) -> tuple[dict[str, Any], Any]:
    """What is said of an export, and the response that has its file."""
    made = client.post(f"{job}/exports", json=export)
    assert made.status_code == 201, made.text
    return made.json(), client.get(f"{job}/exports/{made.json()['id']}")


@pytest.mark.parametrize("channels", [1, 2])
def test_the_lanes(client: TestClient, channels: int) -> None:
    sound = noise(0.7, channels)
    job = done(client, wav(sound))
    assert client.get(f"{job}/lanes").json() == {
        "sample_rate": RATE, "length": sound.shape[1], "channels": channels, "lanes": list(SOURCES),
    }  # fmt: skip
    original = samples(client.get(f"{job}/files/original").content)
    np.testing.assert_allclose(original, sound, atol=1 / 32768)
    assert len(client.get(f"{job}/peaks/original").content) == 4000
    assert client.get(f"{job}/files/nothing").status_code == 404


def test_the_original_of_a_song_at_another_rate_is_as_long_as_its_stems(client: TestClient) -> None:
    sound = noise(0.5)
    job = done(client, wav(sound, 32000), format="opus")  # at 48 kHz
    lanes = client.get(f"{job}/lanes").json()
    assert (lanes["sample_rate"], lanes["length"]) == (48000, round(sound.shape[1] * 1.5))
    assert samples(client.get(f"{job}/files/original").content).shape == (2, lanes["length"])


def clicks(seconds: float) -> np.ndarray:
    """A click on both sides every half second."""
    sound = np.zeros((2, round(seconds * RATE)), np.float32)
    sound[:, RATE // 2 :: RATE // 2] = 0.8
    return sound


@pytest.mark.parametrize(("tempo", "pitch"), [(0.5, 0), (0.8, 3), (1, -12), (1.25, 0), (2, 12)])
def test_another_tempo_and_pitch_keep_the_lanes_together(client: TestClient, tempo: float, pitch: float) -> None:
    sound = clicks(4.0)
    job = done(client, wav(sound))
    asked = {"tempo": tempo, "pitch": pitch}
    length = round(sound.shape[1] / tempo)
    assert client.get(f"{job}/lanes", params=asked).json()["length"] == length
    lanes = {name: samples(client.get(f"{job}/files/{name}", params=asked).content) for name in (*SOURCES, "original")}
    assert {lane.shape for lane in lanes.values()} == {(2, length)}
    reference = lanes["original"]
    for gain, name in zip(GAINS, SOURCES, strict=True):  # each lane has the clicks at the same samples
        np.testing.assert_allclose(lanes[name], gain * reference, atol=2e-3)
    for click in range(1, 7):  # and the clicks are where the tempo puts them
        at = round(click * RATE / 2 / tempo)
        window = np.abs(reference[0, at - 4000 : at + 4000])
        assert abs(int(window.argmax()) - 4000) <= 0.001 * RATE


def test_the_pitch_is_changed(client: TestClient) -> None:
    job = done(client, song(2.0, 440.0))
    assert strongest(samples(client.get(f"{job}/files/bass?pitch=12").content)[:1], RATE) == [880]
    slow = samples(client.get(f"{job}/files/bass?tempo=0.5").content)
    assert slow.shape[1] == 4 * RATE and strongest(slow[:1], RATE) == [440]


@pytest.mark.parametrize("asked", [{"tempo": 0.4}, {"tempo": 2.1}, {"pitch": 13}, {"pitch": "high"}])
def test_a_tempo_or_a_pitch_that_there_is_not(client: TestClient, asked: dict[str, Any]) -> None:
    answer = client.get(f"{done(client, song())}/files/bass", params=asked)
    assert answer.status_code == 422 and next(iter(asked)) in answer.json()["detail"]


def test_a_song_that_is_too_long_for_another_tempo(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretch, "_MOST", 10 * 60 * RATE)
    job = done(client, song(31.0))
    assert client.get(f"{job}/files/bass?tempo=0.5").json()["detail"].endswith("the result may have 1 minutes")


def test_a_mix_as_the_faders_stand(client: TestClient) -> None:
    job = done(client, wav(noise(0.6)))
    mix = {"drums": {"volume": 0.5, "pan": -0.5}, "vocals": {"volume": 1.2}}
    about, file = exported(client, job, mix=mix, title="karaoke")
    assert (about["file"], about["notes"], about["gain"]) == ("karaoke.wav", [], 1)
    assert file.headers["content-disposition"].startswith('attachment; filename="Song - karaoke.wav";')
    lanes = stems(client, job)
    faders = [Fader(volume=0.5, pan=-0.5), Fader(volume=1.2)]
    expected = mixed(np.stack([lanes["drums"], lanes["vocals"]]), faders)
    np.testing.assert_allclose(samples(file.content), expected, atol=1e-6)


def test_the_loop_alone_is_exact_in_samples(client: TestClient) -> None:
    job = done(client, wav(noise(1.0)))
    _, file = exported(client, job, stems=["bass"], start=12345 / RATE, end=23456 / RATE)
    np.testing.assert_array_equal(samples(file.content), stems(client, job)["bass"][:, 12345:23456])


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg", "opus", "m4a"])
def test_all_formats(client: TestClient, name: str) -> None:
    job = done(client, song(0.5, 440.0))
    about, file = exported(client, job, mix={name: {} for name in SOURCES}, format=name)
    assert about["file"] == f"mix.{name}"
    with av.open(io.BytesIO(file.content)) as container:
        codec = container.streams.audio[0].codec_context
        assert (codec.name.removesuffix("float").removeprefix("lib"), codec.sample_rate) == (
            {"wav": "pcm_s16le", "ogg": "vorbis", "m4a": "aac"}.get(name, name), 48000 if name == "opus" else RATE,
        )  # fmt: skip
        sound = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
    assert sound.size
    assert bool(about["notes"]) == (name == "opus")


def test_all_stems_are_a_zip_and_one_is_not(client: TestClient) -> None:
    job = done(client, wav(noise(0.3)))
    about, file = exported(client, job, format="flac")
    assert about["file"] == "stems.zip"
    with zipfile.ZipFile(io.BytesIO(file.content)) as packed:
        assert packed.namelist() == [f"{name}.flac" for name in SOURCES]
        np.testing.assert_allclose(samples(packed.read("vocals.flac")), stems(client, job)["vocals"], atol=2e-7)
    about, _ = exported(client, job, format="flac", stems=["bass"])
    assert about["file"] == "bass.flac"


def test_a_stem_file_has_the_mix_and_the_stems(client: TestClient) -> None:
    job = done(client, song(1.0, 440.0))
    about, file = exported(client, job, format="stem.mp4", tempo=0.8)
    assert about["file"] == "stems.stem.mp4"
    assert b'"name":"drums"' in file.content
    with av.open(io.BytesIO(file.content)) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == 5 * ["aac"]


def test_what_exceeds_full_scale_is_scaled_and_said(client: TestClient) -> None:
    job = done(client, song(0.5, 440.0))
    about, file = exported(client, job, mix={name: {"volume": 4} for name in SOURCES})
    assert about["gain"] == pytest.approx(0.5, abs=0.01) and "scaled by 0.5" in about["notes"][0]
    assert np.abs(samples(file.content)).max() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("export", "says"),
    [
        ({"mix": {"nothing": {}}}, "no such result"), ({"stems": ["nothing"]}, "no such result"), ({"mix": {}}, "mix"),
        ({"start": 2, "end": 3}, "is empty"), ({"start": 0.2, "end": 0.1}, "is empty"),
        ({"format": "mp5"}, "unknown format"), ({"format": "mp3", "depth": "int16"}, "no depth"),
        ({"format": "stem.mp4", "stems": ["bass"]}, "choose all stems"), ({"bitrate": 9999, "format": "mp3"}, "9999"),
        ({"mix": {"bass": {"volume": -1}}}, "volume"), ({"nonsense": 1}, "nonsense"),
    ],
)  # fmt: skip
def test_exports_that_cannot_be(client: TestClient, tmp_path: Path, export: dict[str, Any], says: str) -> None:
    job = done(client, song())
    answer = client.post(f"{job}/exports", json=export)
    assert answer.status_code in (404, 422) and says in answer.json()["detail"]
    assert not list((tmp_path / "uploads").iterdir())


def test_a_title_names_no_other_folder(client: TestClient) -> None:
    about, _ = exported(client, done(client, song()), mix={"bass": {}}, title="../../a/b")
    assert "/" not in about["file"]


def test_an_export_is_made_once_and_not_kept_forever(tmp_path: Path) -> None:
    with service(tmp_path, limits=Limits(library=20_000_000)) as client:  # 2 MB for what is computed
        job = done(client, song(3.0))  # 0.5 MB a stem
        first, _ = exported(client, job, stems=["bass"])
        second, _ = exported(client, job, stems=["drums"])
        assert exported(client, job, stems=["bass"])[0] == first  # used again, so newer
        for name in ("vocals", "other"):
            exported(client, job, stems=[name])
        assert client.get(f"{job}/exports/{first['id']}").status_code == 200
        gone = client.get(f"{job}/exports/{second['id']}")
        assert gone.status_code == 404 and "make it again" in gone.json()["detail"]
        assert client.delete(job).status_code == 204
        assert not list((tmp_path / "jobs").iterdir())


def test_a_full_library_still_gives_what_it_has(tmp_path: Path) -> None:
    with service(tmp_path, limits=Limits(library=400_000)) as client:
        job = done(client, song(0.5))  # 88 kB, and four times 88 kB
        assert client.get(f"{job}/files/bass").status_code == client.get(f"{job}/peaks/bass").status_code == 200
        for answer in (client.post(f"{job}/exports", json={}), client.get(f"{job}/files/bass?tempo=0.5")):
            assert answer.status_code == 507 and "delete songs" in answer.json()["detail"]


def test_a_job_that_is_deleted_while_a_file_is_made_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service(tmp_path) as client:
        job = done(client, song(0.5))

        def delete(stems: Any, faders: Any) -> Any:
            assert client.delete(job).status_code == 204
            return stems.sum(axis=0)

        monkeypatch.setattr(export_module, "mixed", delete)
        assert client.post(f"{job}/exports", json={"mix": {"bass": {}}}).status_code in (404, 422)
        assert not list((tmp_path / "jobs").iterdir()) and not list((tmp_path / "uploads").iterdir())


def test_a_rendering_survives_a_restart_and_leftovers_do_not(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        job = done(client, song())
        about, file = exported(client, job, stems=["bass"], format="mp3")
    (tmp_path / "uploads" / "half").mkdir()
    (tmp_path / "uploads" / "half" / "bass.mp3").write_bytes(b"half")
    with service(tmp_path) as client:
        assert client.get(f"{job}/exports/{about['id']}").content == file.content
        assert not list((tmp_path / "uploads").iterdir())


def test_tags_are_kept(client: TestClient, tmp_path: Path) -> None:
    tags = Tags({"title": "Evening", "artist": "Nobody"})
    with AudioWriter(tmp_path / "a.flac", RATE, 2, Encoding("flac", "int16", 0), tags) as writer:
        writer.write(noise(0.2))
    job = done(client, (tmp_path / "a.flac").read_bytes())
    _, file = exported(client, job, stems=["bass"], format="mp3")
    with av.open(io.BytesIO(file.content)) as container:
        assert (container.metadata["title"], container.metadata["artist"]) == ("Evening", "Nobody")
