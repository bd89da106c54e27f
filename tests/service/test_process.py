"""A real process of the service: killed, told to end, on a port in use, under many clients."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2 as httpx
import pytest

from audio_helpers import GAINS, ON_STAND_IN, SOURCES
from service_helpers import JOBS, Process, ended, running, samples, song


class Clients:
    """Clients that submit songs, each again and again until the service has taken it, wherever that is by then."""

    def __init__(self) -> None:
        self.url = ""

    def submit(self, number: int) -> str:
        while True:
            try:
                files = {"file": (f"{number}.wav", song(0.3 + number / 1000))}
                response = httpx.post(self.url + JOBS, files=files, timeout=60)
            except (httpx.TransportError, httpx.UnsupportedProtocol):
                time.sleep(0.05)
                continue
            assert response.status_code in (200, 201), response.text
            return str(response.json()["id"])


@pytest.mark.slow
def test_kill_9_loses_nothing(tmp_path: Path) -> None:
    """200 jobs of 20 clients, and the process is killed in between: each is there once, and its stems are whole."""
    clients = Clients()
    with ThreadPoolExecutor(20) as pool:
        submitted = [pool.submit(clients.submit, number) for number in range(200)]
        for ended_jobs in (3, 20):
            with running(tmp_path, "--max-queue", "1000", slow=True) as (process, client):
                clients.url = process.url
                for _ in range(ended_jobs):
                    process.wait_for("a job ended")
                process.end(signal.SIGKILL)
        with running(tmp_path, "--max-queue", "1000") as (process, client):
            clients.url = process.url
            jobs = [done.result() for done in submitted]
            assert len(set(jobs)) == 200
            for number, job in enumerate(jobs):
                assert ended(client, job)["state"] == "done"  # type: ignore[arg-type]
                if number % 10 == 0:
                    for name, gain in zip(SOURCES, GAINS, strict=True):
                        stem = samples(client.get(f"{JOBS}/{job}/files/{name}").content)
                        truth = gain * samples(song(0.3 + number / 1000))
                        assert abs(stem - truth).max() < 2 / 32768
            assert {job["id"] for job in client.get(JOBS).json()} == set(jobs)
    names = [path.name for path in (tmp_path / "library").rglob("*") if path.is_file()]
    assert sum(name == "vocals.wav" for name in names) == 200
    assert not any(name.endswith(".part") for name in names)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_graceful_end(tmp_path: Path, sign: signal.Signals) -> None:
    with running(tmp_path, slow=True) as (process, client):
        job = client.post(JOBS, files={"file": ("a.wav", song(20.0))}).json()["id"]
        with client.stream("GET", f"{JOBS}/{job}/events") as events:
            lines = events.iter_lines()
            while not (line := next(lines)).startswith("data: ") or json.loads(line[6:])["progress"] == 0:
                pass
            start = time.monotonic()
            process.process.send_signal(sign)
            with suppress(httpx.RemoteProtocolError):  # who follows is disconnected
                list(lines)
        process.process.wait(30)
        assert time.monotonic() - start < 15
    record = json.loads((tmp_path / "library" / "jobs" / job / "job.json").read_text())
    assert (record["state"], record["progress"]) == ("queued", 0)


def test_a_port_and_a_library_in_use(tmp_path: Path) -> None:
    with running(tmp_path) as (process, _):
        port = process.url.rpartition(":")[2]
        for options, says in (
            (
                ["--port", port, "--library", "other"],
                f"cannot listen on 127.0.0.1 port {port} (Address already in use): choose another --port",
            ),
            (["--port", "0", "--library", "library"], "is used by another service"),
        ):
            command = [sys.executable, "-c", ON_STAND_IN + "main()", "serve", *options]
            done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
            (line,) = done.stderr.splitlines()
            assert done.returncode == 1 and line.startswith("error: ") and says in line


def test_requests_are_logged_without_the_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a secret that is long enough")
    with running(tmp_path, "--token-file", "token") as (process, client):
        headers = {"Authorization": "Bearer a secret that is long enough"}
        assert client.get(JOBS, headers=headers).status_code == 200
        entry = process.wait_for("request")
        assert (entry["method"], entry["path"], entry["status"]) == ("GET", JOBS, 200)
        assert "secret" not in json.dumps(entry)
        assert client.get(JOBS).status_code == 401
        with Path(f"/proc/{process.process.pid}/cmdline").open() as arguments:
            assert "secret" not in arguments.read()


def test_https(tmp_path: Path) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost"
    try:
        name = ["-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run([*command.split(), *name], cwd=tmp_path, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl makes the certificate")
    process = Process(tmp_path, "--cert", "cert.pem", "--key", "key.pem")
    try:
        assert process.url.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        assert httpx.get(f"{process.url}/health", verify=context).text == "ok\n"
    finally:
        process.process.kill()
        process.process.wait()


def test_nothing_of_the_service_is_loaded_by_other_verbs(tmp_path: Path) -> None:
    code = ON_STAND_IN + "import sys\nsys.argv = ['htdemucs-n', 'separate', 'a.wav']\n"
    code += "try:\n    main()\nfinally:\n    print(*sys.modules)\n"
    (tmp_path / "a.wav").write_bytes(song())
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env=os.environ)
    loaded = set(done.stdout.split())
    assert "soundfile" in loaded
    assert not {"fastapi", "uvicorn", "starlette", "prometheus_client", "htdemucs_n.service"} & loaded
