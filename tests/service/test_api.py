"""The API, around a model with known stems: what is submitted is separated once, and can be fetched."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest

from audio_helpers import GAINS, SOURCES, SplitEngine, tones
from htdemucs_n.errors import ModelError
from htdemucs_n.separation import Separator
from htdemucs_n.service.job import Options, job_id
from htdemucs_n.service.settings import Limits
from service_helpers import JOBS, ended, samples, service, song, submit

TONES = tones((440.0, 660.0), 44100, 0.5)


def test_a_song_is_separated_and_its_stems_can_be_fetched(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        response = submit(client, name="Lied 歌.wav")
        assert response.status_code == 201
        job = ended(client, response.json()["id"])
        assert (job["state"], job["progress"], job["seconds"], job["name"]) == ("done", 1.0, 0.5, "Lied 歌.wav")
        assert set(job["files"]) == set(SOURCES)
        for name, gain in zip(SOURCES, GAINS, strict=True):
            stem = client.get(f"{JOBS}/{job['id']}/files/{name}")
            assert np.abs(samples(stem.content) - gain * TONES).max() < 2 / 32768
            assert "attachment" in stem.headers["content-disposition"]
        assert client.get(JOBS).json() == [job]


def test_all_results_in_one_zip_file(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        assert client.get(f"{JOBS}/nothing/zip").status_code == 404
        job = ended(client, submit(client, name="Ä.wav").json()["id"])["id"]
        answer = client.get(f"{JOBS}/{job}/zip")
        assert re.search(r"""="_\.zip"; filename\*=utf-8''%C3%84\.zip$""", answer.headers["content-disposition"])
        with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
            assert packed.testzip() is None and sorted(packed.namelist()) == sorted(f"{name}.wav" for name in SOURCES)
            assert packed.read("bass.wav") == client.get(f"{JOBS}/{job}/files/bass").content
        assert not list((tmp_path / "uploads").iterdir())


def test_a_range_of_a_result(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        job = ended(client, submit(client).json()["id"])
        place = f"{JOBS}/{job['id']}/files/bass"
        whole = client.get(place).content
        part = client.get(place, headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, whole[100:200])
        assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
        assert client.get(place, headers={"Range": "bytes=99999999-"}).status_code == 416


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ({"format": "flac"}, {name: f"{name}.flac" for name in SOURCES}),
        ({"two_stems": "instrumental"}, {"instrumental": "instrumental.wav", "vocals": "vocals.wav"}),
        ({"format": "stem.mp4"}, {"stems": "stems.stem.mp4"}),
        ({"format": "mp3", "bitrate": "128"}, {name: f"{name}.mp3" for name in SOURCES}),
    ],
)
def test_options(tmp_path: Path, options: dict[str, str], files: dict[str, str]) -> None:
    with service(tmp_path) as client:
        job = ended(client, submit(client, **options).json()["id"])
        assert (job["error"], job["files"]) == (None, files)


def test_equal_content_is_separated_once(tmp_path: Path) -> None:
    engine = SplitEngine()
    with service(tmp_path, engine) as client:
        first = ended(client, submit(client).json()["id"])
        done = len(engine.lengths)
        again = submit(client, name="other name.wav")
        assert (again.status_code, again.json()) == (200, first)
        assert len(engine.lengths) == done
        assert submit(client, format="flac").status_code == 201  # other options are another job
        assert len(list((tmp_path / "songs").iterdir())) == 1


def test_rename_and_delete(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        job = ended(client, submit(client).json()["id"])
        other = ended(client, submit(client, format="flac").json()["id"])
        renamed = client.patch(f"{JOBS}/{job['id']}", json={"name": "../../etc/passwd"})
        assert renamed.json()["name"] == "../../etc/passwd"  # text, and no path
        disposition = client.get(f"{JOBS}/{job['id']}/files/bass").headers["content-disposition"]
        assert "/" not in disposition.replace("attachment", "")
        assert client.delete(f"{JOBS}/{job['id']}").status_code == 204
        for method, place in (("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/events")):
            assert client.request(method, f"{JOBS}/{job['id']}{place}").status_code == 404
        assert len(list((tmp_path / "songs").iterdir())) == 1  # the other job is of it
        assert client.delete(f"{JOBS}/{other['id']}").status_code == 204
        assert not list((tmp_path / "songs").iterdir()) and not list((tmp_path / "jobs").iterdir())


@pytest.mark.parametrize("name", ["", "x" * 201])
def test_names_that_there_are_not(tmp_path: Path, name: str) -> None:
    with service(tmp_path) as client:
        job = submit(client).json()["id"]
        response = client.patch(f"{JOBS}/{job}", json={"name": name})
        assert response.status_code == 422 and "name" in response.json()["detail"]


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        (b"", {}, "a.wav"), (b"not audio at all" * 100, {}, "a.wav"), (None, {"format": "wma"}, "unknown format 'wma'"),
        (None, {"two_stems": "kazoo"}, "no stem 'kazoo'"), (None, {"bitrate": "x"}, "bitrate"),
        (None, {"format": "stem.mp4", "two_stems": "bass"}, "choose another format"),
    ],
)  # fmt: skip
def test_what_cannot_be_separated_is_said_in_one_line(
    tmp_path: Path, content: bytes | None, options: dict[str, str], says: str
) -> None:
    with service(tmp_path) as client:
        response = submit(client, content, **options)
        assert response.status_code == 422
        detail = response.json()["detail"]
        assert says in detail and "\n" not in detail and str(tmp_path) not in detail
        assert client.get(JOBS).json() == []
    assert not list((tmp_path / "uploads").iterdir()) and not list((tmp_path / "songs").iterdir())


def test_a_file_is_missing(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        response = client.post(JOBS, data={"format": "wav"})
        assert response.status_code == 422 and "no song in the field 'file'" in response.json()["detail"]
        assert client.post(JOBS, content=b"--x", headers={"Content-Type": "multipart/form-data"}).status_code == 400


class Gate:
    """Holds the model until it is opened."""

    def __init__(self) -> None:
        self.entered, self.opened = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.entered.set()
        assert self.opened.wait(20)


def test_events_follow_a_job_to_its_end(tmp_path: Path) -> None:
    gate = Gate()
    with service(tmp_path, SplitEngine(before=gate)) as client:
        job = submit(client, song(1.0)).json()["id"]
        assert gate.entered.wait(10)
        threading.Timer(0.2, gate.opened.set).start()
        with client.stream("GET", f"{JOBS}/{job}/events") as events:
            assert events.headers["content-type"].startswith("text/event-stream")
            states = [json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: ")]
    assert states[0]["state"] == "running" and states[-1]["state"] == "done"
    progress = [state["progress"] for state in states]
    assert progress == sorted(progress) and progress[0] == 0 and progress[-1] == 1


def test_cancel(tmp_path: Path) -> None:
    gate = Gate()
    with service(tmp_path, SplitEngine(before=gate)) as client:
        running = submit(client, song(3.0)).json()["id"]
        waiting = submit(client, song(1.0)).json()["id"]
        assert gate.entered.wait(10)
        assert client.post(f"{JOBS}/{waiting}/cancel").json()["state"] == "cancelled"
        assert client.post(f"{JOBS}/{running}/cancel").json()["state"] == "running"
        assert client.delete(f"{JOBS}/{running}").status_code == 409
        gate.opened.set()
        assert ended(client, running)["state"] == "cancelled"
        assert client.post(f"{JOBS}/{running}/cancel").json()["state"] == "cancelled"
        assert not (tmp_path / "jobs" / running / "stems").exists()
        assert submit(client, song(3.0)).status_code == 201  # what was cancelled can be submitted again
        assert ended(client, running)["state"] == "done"


def test_a_failure_of_one_job_does_not_stop_the_others(tmp_path: Path) -> None:
    engine = SplitEngine()

    def fail() -> None:
        engine.before = lambda: None
        raise ZeroDivisionError

    engine.before = fail
    with service(tmp_path, engine) as client:
        job = ended(client, submit(client).json()["id"])
        assert (job["state"], job["error"]) == ("failed", "an error of the program: its log has it")
        assert ended(client, submit(client, song(1.0)).json()["id"])["state"] == "done"
        assert client.get("/ready").status_code == 200


def test_a_path_in_the_allowed_folder(tmp_path: Path) -> None:
    folder = tmp_path / "music"
    (folder / "album").mkdir(parents=True)
    (folder / "album" / "a.wav").write_bytes(song())
    (tmp_path / "secret.wav").write_bytes(song())
    (folder / "link.wav").symlink_to(tmp_path / "secret.wav")
    with service(tmp_path / "library", folder=folder) as client:
        for path in ("album/a.wav", str(folder / "album" / "a.wav"), "album/../album/a.wav"):
            response = client.post(f"{JOBS}/from-path", json={"path": path})
            assert response.status_code in (200, 201) and response.json()["name"] == "a.wav"
        refused = {
            client.post(f"{JOBS}/from-path", json={"path": path}).text
            for path in (
                "../secret.wav", str(tmp_path / "secret.wav"), "link.wav", "missing.wav", "album", "\0", "a" * 5000,
                "..",
            )
        }  # fmt: skip
        assert refused == {'{"detail":"there is no such file in the allowed folder"}'}
    with service(tmp_path / "library") as client:
        response = client.post(f"{JOBS}/from-path", json={"path": "album/a.wav"})
        assert response.status_code == 422 and "--allow-folder" in response.json()["detail"]


@pytest.mark.parametrize("name", ["../../x.wav", "..\\x.wav", "/etc/x.wav", "a\0.wav", "x" * 1000, "..", "'; rm -rf"])
def test_names_of_uploads_stay_names(tmp_path: Path, name: str) -> None:
    with service(tmp_path / "library") as client:
        job = ended(client, submit(client, name=name).json()["id"])
        assert job["state"] == "done" and len(job["name"]) <= 200
    assert {path.name for path in tmp_path.iterdir()} == {"library"}
    assert {path.name for path in (tmp_path / "library").iterdir()} == {"jobs", "lock", "songs", "uploads", "version"}


@pytest.mark.parametrize("name", ["..%2F..%2Fjob.json", "%2e%2e%2fjob.json", "job.json", "stems", "bass.wav"])
def test_results_are_asked_for_by_their_names_alone(tmp_path: Path, name: str) -> None:
    with service(tmp_path) as client:
        job = ended(client, submit(client).json()["id"])
        assert client.get(f"{JOBS}/{job['id']}/files/{name}").status_code in (404, 405)
        assert client.get(f"{JOBS}/..%2f..%2fversion").status_code == 404


def test_metrics_and_state(tmp_path: Path) -> None:
    with service(tmp_path, limits=Limits(seconds=1.0)) as client:
        assert (client.get("/health").text, client.get("/ready").text) == ("ok\n", "ready\n")
        ended(client, submit(client).json()["id"])
        text = client.get("/metrics").text
        assert 'htdemucs_n_jobs_finished_total{state="done"} 1.0' in text
        assert "htdemucs_n_audio_seconds_total 0.5" in text
        assert "htdemucs_n_jobs 1.0" in text and "htdemucs_n_jobs_waiting 0.0" in text
        assert (
            'route="/api/v1/jobs/{job}",status="200"' in text
            and 'method="POST",route="/api/v1/jobs",status="201"' in text
        )


def test_the_schema_names_every_route_with_its_meaning(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        paths = client.get("/openapi.json").json()["paths"]
        assert client.get("/docs").status_code == client.get("/redoc").status_code == 404
    assert set(paths) == {
        "/api/v1/events", "/api/v1/library", "/api/v1/session",
        "/api/v1/jobs", "/api/v1/jobs/from-path", "/api/v1/jobs/{job}/peaks/{name}",
        "/api/v1/jobs/{job}/zip", "/api/v1/jobs/{job}/lanes", "/api/v1/jobs/{job}/exports",
        "/api/v1/jobs/{job}/facts", "/api/v1/jobs/{job}/midi", "/api/v1/jobs/{job}/notes",
        "/api/v1/jobs/{job}/exports/{export}",
        "/api/v1/jobs/{job}", "/api/v1/jobs/{job}/cancel",
        "/api/v1/jobs/{job}/events", "/api/v1/jobs/{job}/files/{name}", "/health", "/metrics", "/ready",
    }  # fmt: skip
    assert all(operation["description"] for path in paths.values() for operation in path.values())


def test_a_job_names_its_model_and_engine(tmp_path: Path) -> None:
    loaded: list[tuple[str, str]] = []

    def load(model: str, engine: str, drum_kit: bool) -> Separator:
        loaded.append((model, engine))
        return Separator(SplitEngine((0.7, 0.1, 0.1, 0.1)))

    with service(tmp_path, load=load) as client:
        found = client.get("/api/v1/library").json()
        assert [model["name"] for model in found["models"]][:2] == ["split", "bands"]
        assert "dB" in found["models"][1]["description"] and found["engines"][:2] == ["auto", "onnx"]
        first = ended(client, submit(client).json()["id"])
        other = ended(client, submit(client, model="bands", engine="onnx").json()["id"])
        assert (first["model"], other["model"], other["engine"]) == ("split", "bands", "onnx")
        assert first["id"] != other["id"] and loaded == [("bands", "onnx")]
        levels = [
            np.abs(samples(client.get(f"{JOBS}/{job['id']}/files/drums").content)).max() for job in (first, other)
        ]
        assert levels[1] == pytest.approx(7 * levels[0], rel=0.1)
        ended(client, submit(client, song(0.3), model="bands", engine="onnx").json()["id"])
        assert loaded == [("bands", "onnx")]  # it is kept
        for wrong in ({"model": "/etc/passwd"}, {"model": "bandz"}, {"engine": "steam"}):
            answer = submit(client, **wrong)
            assert answer.status_code == 422 and "unknown" in answer.json()["detail"]
    with service(tmp_path) as client:
        assert [model["name"] for model in client.get("/api/v1/library").json()["models"]] == ["split"]
        assert submit(client, model="bands").status_code == 422


def test_a_model_that_cannot_be_loaded_fails_its_job(tmp_path: Path) -> None:
    def load(model: str, engine: str, drum_kit: bool) -> Separator:
        raise ModelError("the model cannot be fetched: check the network")

    with service(tmp_path, load=load) as client:
        job = ended(client, submit(client, model="bands").json()["id"])
        assert (job["state"], job["error"]) == ("failed", "the model cannot be fetched: check the network")
        assert ended(client, submit(client).json()["id"])["state"] == "done"


def test_the_drums_in_parts(tmp_path: Path) -> None:
    """The parts are lanes in place of the drums, so that all lanes add up to the song."""

    def load(model: str, engine: str, drum_kit: bool) -> Separator:
        return Separator(SplitEngine(), drum_kit=drum_kit)

    with service(tmp_path, load=load) as client:
        whole = ended(client, submit(client).json()["id"])
        job = ended(client, submit(client, drum_kit="true").json()["id"])
        assert job["state"] == "done", job["error"]
        assert list(job["files"]) == ["kick", "snare", "toms", "hihat", "cymbals", "bass", "other", "vocals"]
        assert whole["id"] != job["id"] == submit(client, drum_kit="true").json()["id"]
        lanes = [samples(client.get(f"{JOBS}/{job['id']}/files/{name}").content) for name in job["files"]]
        np.testing.assert_allclose(sum(lanes), samples(song()), atol=9 / 2**16)  # each is rounded to 16 bits
        for wrong in ({"two_stems": "vocals"}, {"format": "stem.mp4"}):
            answer = submit(client, drum_kit="true", **wrong)
            assert answer.status_code == 422 and "drum" in answer.json()["detail"]
    with service(tmp_path / "plain") as client:
        answer = submit(client, drum_kit="true")
        assert (answer.status_code, answer.json()["detail"]) == (422, "this service has no drum kit")


def test_a_part_of_the_drums_as_one_of_two_stems(tmp_path: Path) -> None:
    """The answer names fields of the form, and what it proposes is accepted."""
    with service(tmp_path, load=lambda *_: Separator(SplitEngine(), drum_kit=True)) as client:
        for model in ("split", "bands"):
            answer = submit(client, two_stems="drums/kick", model=model)
            assert (answer.status_code, answer.json()["detail"]) == (
                422,
                "two_stems cannot be 'drums/kick', a part of the drums: leave it out, and give drum_kit, "
                "which writes all parts",
            )
        answer = submit(client, two_stems="drums/kick", drum_kit="true")
        assert answer.json()["detail"] == "two_stems and drum_kit exclude each other: leave one of them out"
        assert submit(client, drum_kit="true").status_code == 201


def test_a_model_without_drums_has_no_drum_kit(tmp_path: Path) -> None:
    no_drums = SplitEngine()
    no_drums.sources = ("piano", "bass", "other", "vocals")
    with service(tmp_path, load=lambda *_: Separator(SplitEngine(), drum_kit=True)) as client:
        models = {model["name"]: model for model in client.get("/api/v1/library").json()["models"]}
        assert [name for name, model in models.items() if not model["drum_kit"]] == ["drumkit"]
        assert models["drumkit"]["description"] == "kick, snare, toms, hihat, cymbals"  # and no score of other stems
        assert models["duo"]["description"] == "5.02 dB"
        answer = submit(client, drum_kit="true", model="drumkit")
        assert (answer.status_code, answer.json()["detail"]) == (
            422, "the model 'drumkit' separates no drums: choose another model, or leave drum_kit out",
        )  # fmt: skip
        assert submit(client, drum_kit="true", model="bands").status_code == 201
    with service(tmp_path / "other", no_drums, load=lambda *_: Separator(SplitEngine())) as client:
        assert "'split' separates no drums" in submit(client, drum_kit="true").json()["detail"]


def test_jobs_of_older_libraries_keep_their_ids() -> None:
    """The id that version 0.3.0 gave to a song, before there was a drum kit."""
    assert job_id("a" * 64, Options(), "duo") == "a3b4062e442414536ccc3e82"
    assert job_id("a" * 64, Options(drum_kit=True), "duo") != job_id("a" * 64, Options(), "duo")
