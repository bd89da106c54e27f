"""Too large, too long, too many, too slow, a full disk: each is refused in one line, and nothing is left."""

from __future__ import annotations

import asyncio
import errno
import shutil
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import anyio
import pytest
import uvicorn
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from audio_helpers import SplitEngine
from htdemucs_n.errors import OptionError
from htdemucs_n.service import limits as limits_module
from htdemucs_n.service import slow_headers
from htdemucs_n.service.limits import LimitedBody
from htdemucs_n.service.settings import Limits
from service_helpers import JOBS, ended, service, song, submit


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    with service(tmp_path, limits=Limits(upload=2**20)) as client:
        response = submit(client, bytes(2**20 + 2**17))
        assert response.status_code == 413 and "too large" in response.json()["detail"]

        def endless() -> Any:  # no header says how long it is
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
            for _ in range(100):
                yield bytes(2**16)

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        assert client.post(JOBS, content=endless(), headers=headers).status_code == 413
        assert ended(client, submit(client).json()["id"])["state"] == "done"
    assert not list((tmp_path / "uploads").iterdir())


def test_a_path_of_a_file_that_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "a.wav").write_bytes(bytes(2**20 + 1))
    with service(tmp_path / "library", limits=Limits(upload=2**20), folder=tmp_path / "music") as client:
        response = client.post(f"{JOBS}/from-path", json={"path": "a.wav"})
        assert response.status_code == 422 and "too large" in response.json()["detail"]


def test_a_song_that_is_too_long(tmp_path: Path) -> None:
    with service(tmp_path, limits=Limits(seconds=60)) as client:
        response = submit(client, song(61))
        assert response.status_code == 422
        assert response.json()["detail"] == "'a.wav' is 1.0 minutes long: 1 minutes are the limit"


def test_a_song_that_is_longer_than_its_header_says(tmp_path: Path) -> None:
    """The header of a crashed recorder names no length, and the song is longer than it may be."""
    data = bytearray(song(4.0))
    place = data.index(b"data")
    data[4:8] = data[place + 4 : place + 8] = struct.pack("<I", 0xFFFFFFFF)
    with service(tmp_path, limits=Limits(seconds=1.0)) as client:
        job = submit(client, bytes(data)).json()
        if "id" in job:  # its length is not known
            failed = ended(client, job["id"])
            assert failed["state"] == "failed" and "which is the limit" in failed["error"]
        else:
            assert "are the limit" in job["detail"]


def test_as_many_jobs_wait_as_may(tmp_path: Path) -> None:
    opened, entered = threading.Event(), threading.Event()

    def hold() -> None:
        entered.set()
        assert opened.wait(20)

    with service(tmp_path, SplitEngine(before=hold), Limits(queue=1)) as client:
        first = submit(client, song(0.3)).json()["id"]
        assert entered.wait(10)
        second = submit(client, song(0.4)).json()["id"]
        third = submit(client, song(0.5))
        assert third.status_code == 429 and third.headers["retry-after"] == "60"
        assert "1 jobs are waiting" in third.json()["detail"]
        opened.set()
        assert ended(client, first)["state"] == ended(client, second)["state"] == "done"


def test_a_full_library(tmp_path: Path) -> None:
    with service(tmp_path, limits=Limits(library=150_000)) as client:
        job = ended(client, submit(client, song(0.5)).json()["id"])  # 88 kB, and four times 88 kB
        assert job["state"] == "done"
        response = submit(client, song(0.6))
        assert response.status_code == 507 and "delete songs" in response.json()["detail"]
        assert client.delete(f"{JOBS}/{job['id']}").status_code == 204
        assert submit(client, song(0.6)).status_code == 201


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with service(tmp_path) as client:
        real = Path.replace

        def full(self: Path, target: Path) -> Path:
            if "jobs" in Path(target).parts:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(self, target)

        monkeypatch.setattr(Path, "replace", full)
        response = submit(client)
        assert response.status_code == 507 and "No space left" in response.json()["detail"]
        assert client.get(JOBS).json() == []
        monkeypatch.setattr(Path, "replace", real)
        assert ended(client, submit(client).json()["id"])["state"] == "done"


@pytest.mark.skipif(shutil.which("mount") is None, reason="a small disk is mounted")
def test_a_disk_that_is_full_indeed(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this user may not mount a disk")
    try:
        with service(disk) as client:
            job = submit(client, song(0.5))
            assert job.status_code == 201
            failed = ended(client, job.json()["id"])
            assert failed["state"] == "failed" and "No space left" in failed["error"]
            response = submit(client, song(1.0))
            assert response.status_code == 507 and "No space left" in response.json()["detail"]
            assert client.get("/ready").status_code == 200
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_folder_for_uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with service(tmp_path) as client:

        def full(*_: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(UploadFile, "write", full)
        response = submit(client, song(1.0))
        assert response.status_code == 507 and "make room" in response.json()["detail"]
        monkeypatch.undo()
        assert ended(client, submit(client).json()["id"])["state"] == "done"


def test_slow_headers_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the first request of a connection and of later ones; a request that is being answered has its time."""
    monkeypatch.setattr(slow_headers, "SECONDS", 0.4)

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.8)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def ask() -> None:
        config = uvicorn.Config(answer, http=slow_headers.ImpatientProtocol, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            served = asyncio.create_task(server.serve(sockets=[listener]))
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
            for connection in ((reader, writer), await asyncio.open_connection(*listener.getsockname())):
                connection[1].write(b"GET / HTTP/1.1\r\nHost: he")
                start = time.monotonic()
                assert await asyncio.wait_for(connection[0].read(), 10) == b""
                assert time.monotonic() - start < 4  # less than the time of an idle connection, 5 s
                connection[1].close()
            server.should_exit = True
            await served

    asyncio.run(ask())


def test_silent_connections_make_room() -> None:
    """However many connections wait for their headers, one that asks is answered, and so is one that asked before."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.5)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def ask() -> None:
        protocol = slow_headers.ImpatientProtocol
        config = uvicorn.Config(answer, http=protocol, lifespan="off", log_config=None, limit_concurrency=8)
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            served = asyncio.create_task(server.serve(sockets=[listener]))
            silent, asking = [], []
            for _ in range(2):
                asking.append(await asyncio.open_connection(*listener.getsockname()))
                asking[-1][1].write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
                await asyncio.sleep(0.1)
                silent += [await asyncio.open_connection(*listener.getsockname()) for _ in range(20)]
            for reader, _ in asking:
                assert (await asyncio.wait_for(reader.read(12), 10)) == b"HTTP/1.1 200"
            assert await asyncio.wait_for(silent[0][0].read(), 10) == b"", (
                "the one that waits for the longest is closed"
            )
            for _, writer in silent + asking:
                writer.close()
            server.should_exit = True
            await served

    asyncio.run(ask())


@pytest.mark.parametrize("value", [0, -1])
@pytest.mark.parametrize(
    ("name", "option"),
    [("upload", "upload"), ("seconds", "minutes"), ("queue", "queue"), ("library", "library")],
)
def test_limits_that_there_are_not(name: str, option: str, value: int) -> None:
    with pytest.raises(OptionError, match=f"^--max-{option} is not above 0: give a larger number$"):
        Limits(**{name: value})


def test_a_slow_request_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that sends a byte now and then has as long as it would take at 16 KiB a second, and half a minute."""
    monkeypatch.setattr(limits_module, "_GRACE", 0.3)
    sent = 0

    async def drip() -> dict[str, Any]:
        nonlocal sent
        await anyio.sleep(0.05)
        sent += 1
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def read(scope: Any, receive: Any, send: Any) -> None:
        while True:
            await receive()

    with pytest.raises(HTTPException) as caught:
        anyio.run(LimitedBody(read, 2**20), {"type": "http", "headers": []}, drip, None)
    assert caught.value.status_code == 408 and 2 <= sent < 10


def test_a_request_that_is_handled_slowly_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is computed for an answer is not the time of the request: it is there at once, and read after the work."""
    monkeypatch.setattr(limits_module, "_GRACE", 0.2)
    received: list[str] = []

    async def whole() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def work(scope: Any, receive: Any, send: Any) -> None:
        await anyio.sleep(0.4)
        received.append((await receive())["type"])

    anyio.run(LimitedBody(work, 2**20), {"type": "http", "headers": []}, whole, None)
    assert received == ["http.request"]
