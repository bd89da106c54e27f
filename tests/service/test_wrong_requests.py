"""What is said of requests that cannot be used: one plain sentence that names the mend."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from service_helpers import JOBS, ended, service, song, submit

FRAMEWORK = re.compile("Field required|Input should|not permitted|Not Found|Not Allowed|validation|error|decode|parse")
"""Words of pydantic, FastAPI and Starlette, which mean nothing to who asks."""

TYPED = {"Content-Type": "application/json"}
UPLOAD = {"Content-Type": "multipart/form-data; boundary=x"}


def check(answer: Any, status: int, says: str) -> None:
    """An error has one key and one line, which `says` is a part of and names a mend after a colon."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    (detail,) = answer.json().values()
    assert says in detail and ": " in detail and "\n" not in detail
    assert not detail.startswith(":") and not FRAMEWORK.search(detail)


@pytest.mark.parametrize(
    ("method", "place", "body", "says"),
    [
        ("POST", "/jobs", {}, "no song in the field 'file'"),
        ("POST", "/jobs", {"data": {"file": "a.wav"}}, "no song in the field 'file'"),
        ("POST", "/jobs", {"json": {"file": "a.wav"}}, "multipart form data"),
        ("POST", "/jobs/from-path", {}, "not a JSON object"),
        ("POST", "/jobs/from-path", {"json": ["a.wav"]}, "not a JSON object"),
        ("POST", "/jobs/from-path", {"content": b'{"path": "a.wav"}'}, "header Content-Type: application/json"),
        ("POST", "/jobs/from-path", {"content": b'{"path": }', "headers": TYPED}, "not JSON: correct it at char"),
        ("POST", "/jobs/from-path", {"json": {}}, "'path' is missing: give it"),
        ("POST", "/jobs/from-path", {"json": {"path": 3}}, "'path' is not a text"),
        ("POST", "/jobs/from-path", {"json": {"path": "a", "colour": 1}}, "'colour' is not known here: leave it out"),
        ("PATCH", "/jobs/JOB", {"json": {"name": ""}}, "'name' is empty"),
        ("PATCH", "/jobs/JOB", {"json": {"name": "x" * 201}}, "'name' is too long: give 200 characters or fewer"),
        ("GET", "/jobs/JOB/lanes?tempo=x", {}, "'tempo' is not a number"),
        ("GET", "/jobs/JOB/lanes?tempo=2.5", {}, "'tempo' is too large: give 2 or less"),
        ("GET", "/jobs/JOB/lanes?tempo=0", {}, "'tempo' is too small: give 0.5 or more"),
        ("GET", "/jobs/JOB/lanes?tempo=9&pitch=x", {}, "2 or less; 'pitch' is not a number"),
        ("GET", "/jobs/JOB/midi?quantise=maybe", {}, "'quantise' is neither true nor false"),
        ("POST", "/jobs/JOB/exports", {"json": {"mix": {}}}, "'mix' is empty"),
        ("POST", "/jobs/JOB/exports", {"json": {"mix": {"bass": 1}}}, "'mix.bass' is not an object"),
        ("POST", "/jobs/JOB/exports", {"json": {"mix": {"bass": {"pan": 5}}}}, "'mix.bass.pan' is too large"),
        ("POST", "/jobs/JOB/exports", {"json": {"stems": "bass"}}, "'stems' is not a list"),
        ("POST", "/jobs/JOB/exports", {"json": {"end": 0}}, "'end' is too small: give more than 0"),
        ("POST", "/jobs/JOB/exports", {"json": {"bitrate": 1.5}}, "'bitrate' is not a whole number"),
    ],
)  # fmt: skip
def test_fields(tmp_path: Path, method: str, place: str, body: dict[str, Any], says: str) -> None:
    with service(tmp_path, folder=tmp_path) as client:
        job = ended(client, submit(client).json()["id"])["id"]
        check(client.request(method, f"/api/v1{place.replace('JOB', job)}", **body), 422, says)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ({"bitrate": "x"}, "'bitrate' is not a whole number"),
        ({"drum_kit": "maybe"}, "'drum_kit' is neither true nor false"),
        ({"twostems": "vocals"}, "'twostems' is not known here: leave it out"),
    ],
)
def test_options_of_an_upload(tmp_path: Path, option: dict[str, str], says: str) -> None:
    with service(tmp_path) as client:
        check(submit(client, **option), 422, says)
        assert client.get(JOBS).json() == []


def test_an_upload_has_one_song(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        both = [("file", ("a.wav", song())), ("file", ("b.wav", song(0.7)))]
        check(client.post(JOBS, files=both), 422, "'file' is given twice: send one song in each request")
        assert client.get(JOBS).json() == []


def test_addresses_and_bodies(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        check(client.get("/api/v1/songs"), 404, "nothing at this address: /openapi.json lists")
        check(client.put(JOBS), 405, "PUT is not answered at this address: /openapi.json lists")
        check(client.post(JOBS, content=b"--y", headers=UPLOAD), 400, "the body cannot be read")
        check(client.get(f"{JOBS}/nothing"), 404, "there is no such job")
    with service(tmp_path, page=True) as client:
        check(client.get("/page/nothing.js"), 404, "nothing at this address")


def test_ranges(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        place = f"{JOBS}/{ended(client, submit(client).json()['id'])['id']}/files/bass"
        size = len(client.get(place).content)
        for wrong in ("lines=1-2", "bytes", "bytes=x-y", "bytes=9-2"):
            check(client.get(place, headers={"Range": wrong}), 400, "ask for bytes, as in `Range: bytes=0-999`")
        beyond = client.get(place, headers={"Range": f"bytes={size}-"})
        check(beyond, 416, "the range is not in the file")
        assert beyond.headers["content-range"] == f"bytes */{size}"
        assert beyond.headers["content-security-policy"].startswith("default-src 'none'")
        assert client.get(place, headers={"Range": "bytes=0-9"}).status_code == 206


def test_only_a_song_may_be_large(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        job = ended(client, submit(client).json()["id"])["id"]
        check(client.patch(f"{JOBS}/{job}", json={"name": "x" * 2**17}), 413, "too large")
