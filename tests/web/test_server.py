"""`htdemucs-n web`: the files of the page with their headers, and nothing else."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from htdemucs_n.errors import OptionError, OutputError
from htdemucs_n.service.web import page_server
from web_helpers import WEB, served

HEADERS = json.loads((WEB / "headers.json").read_text(encoding="utf-8"))


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A folder with a page, and a file beside it."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "dist"
    (folder / "ort").mkdir(parents=True)
    for name in ("index.html", "main.js", "ort/a.wasm", "ort/a.mjs"):
        (folder / name).write_text(name)
    (folder / "headers.json").write_text(json.dumps(HEADERS))
    return folder


def asked(url: str, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """The answer to a request."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request(method, path, headers=headers)
    response = connection.getresponse()
    return response, response.read()


def test_the_files_have_their_kinds_and_the_headers_that_isolate(page: Path) -> None:
    with served(page) as url:
        for path, kind in (
            ("/", "text/html"), ("/main.js", "text/javascript"), ("/ort/a.wasm", "application/wasm"),
            ("/ort/a.mjs", "text/javascript"), ("/headers.json", "application/json"),
        ):  # fmt: skip
            response, _ = asked(url, path)
            assert response.status == 200 and response.headers["content-type"].startswith(kind)
            assert {name: response.headers[name] for name in HEADERS} == HEADERS
        assert asked(url, "/")[1] == b"index.html"


def test_the_policy_is_strict() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self' 'wasm-unsafe-eval';")
    assert "http" not in policy and "unsafe-inline" not in policy and "'unsafe-eval'" not in policy
    assert HEADERS["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert HEADERS["Cross-Origin-Opener-Policy"] == "same-origin"


def test_nothing_else_is_given(page: Path) -> None:
    with served(page) as url:
        for path in ("/../secret", "/%2e%2e/secret", "/..%2fsecret", "/ort/", "/none"):
            response, body = asked(url, path)
            assert response.status == 404 and b"secret" not in body
        assert asked(url, "/", "POST")[0].status == 501
        assert asked(url, "/", Host="example.org")[0].status == 421
        assert asked(url, "/", Host="[")[0].status == 421
        assert asked(url, "/", Host="localhost:1")[0].status == 200


def test_a_missing_page_and_a_used_port(page: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"there is no page in '.*nowhere': build it with `npm ci && npm run build`"):
        page_server(tmp_path / "nowhere", 0)
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        with pytest.raises(OutputError, match=f"port {port} cannot be used .*: choose another with --port"):
            page_server(page, port)


def test_the_command(page: Path) -> None:
    command = [sys.executable, "-m", "htdemucs_n", "web", str(page), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("the page is at http://127.0.0.1:")
        assert asked(line.split()[4], "/main.js")[1] == b"main.js"
        process.terminate()
    done = subprocess.run([*command[:4], "nowhere"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and done.stderr.startswith("error: there is no page in 'nowhere'")
    assert done.stderr.count("\n") == 1
