"""Who may ask: tokens, hosts, origins; and what every answer says to a browser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from htdemucs_n.errors import OptionError
from htdemucs_n.service.security import HEADERS
from htdemucs_n.service.settings import Settings, is_loopback, read_token
from process_helpers import COMMAND
from service_helpers import JOBS, service, song

TOKEN = "correct horse battery staple"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "example.org"])
def test_beyond_loopback_a_token_is_needed(tmp_path: Path, host: str) -> None:
    with pytest.raises(OptionError, match="--token-file"):
        Settings(tmp_path, host=host)
    assert Settings(tmp_path, host=host, token=TOKEN).token == TOKEN


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("token", ["", "short", "é" * 20])
def test_tokens_that_are_none(tmp_path: Path, token: str) -> None:
    with pytest.raises(OptionError, match="16 ASCII characters"):
        Settings(tmp_path, token=token)


def test_the_token_is_read_from_a_file_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTDEMUCS_N_TOKEN", raising=False)
    assert read_token(None) is None
    monkeypatch.setenv("HTDEMUCS_N_TOKEN", "of the variable")
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert (read_token(None), read_token(tmp_path / "token")) == ("of the variable", TOKEN)
    with pytest.raises(OptionError, match="cannot be read"):
        read_token(tmp_path / "missing")


@pytest.mark.parametrize(
    "header",
    [
        None, "", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer \xff\xfe",
        f"Bearer {TOKEN.upper()}",
    ],
)  # fmt: skip
def test_without_the_token_nothing_is_answered(tmp_path: Path, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    with service(tmp_path, host="0.0.0.0", token=TOKEN) as client:
        for method, place in (("GET", JOBS), ("GET", "/metrics"), ("GET", "/openapi.json"), ("DELETE", f"{JOBS}/x")):
            response = client.request(method, place, headers=headers)
            assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
        response = client.post(JOBS, files={"file": ("a.wav", song())}, headers=headers)
        assert response.status_code == 401 and not list((tmp_path / "jobs").iterdir())
        assert client.get("/health").status_code == client.get("/ready").status_code == 200


def test_a_browser_keeps_the_token_as_a_cookie_that_no_script_reads(tmp_path: Path) -> None:
    with service(tmp_path, host="0.0.0.0", token=TOKEN) as client:
        refused = client.post("/api/v1/session", headers={"Authorization": "Bearer a guessed token, wrong"})
        assert refused.status_code == 401 and "set-cookie" not in refused.headers
        answer = client.post("/api/v1/session", headers={"Authorization": f"Bearer {TOKEN}"})
        cookie = answer.headers["set-cookie"]
        assert answer.status_code == 204 and TOKEN not in cookie
        assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert client.get(JOBS).json() == []  # with the cookie
        assert client.get(JOBS, headers={"Origin": "https://evil.example"}).status_code == 403
        client.cookies.clear()
        for wrong in ("htdemucs_n_session=" + "0" * 64, "htdemucs_n_session=", "a b;=;", f"token={TOKEN}"):
            assert client.get(JOBS, headers={"Cookie": wrong}).status_code == 401
    with service(tmp_path, token=TOKEN + " of another day") as client:
        assert client.get(JOBS, headers={"Cookie": cookie.partition(";")[0]}).status_code == 401


def test_the_page_needs_no_token_and_shows_nothing_without_it(tmp_path: Path) -> None:
    with service(tmp_path, host="0.0.0.0", token=TOKEN, page=True) as client:
        assert client.get("/").status_code == client.get("/page/main.js").status_code == 200
        for place in ("/page/../metrics", "/page/%2e%2e/metrics", "/page/%2e%2e%2fmetrics"):
            assert client.get(place).status_code in (401, 404)


def test_with_the_token(tmp_path: Path) -> None:
    with service(tmp_path, token=TOKEN) as client:
        assert client.get(JOBS, headers={"Authorization": f"Bearer {TOKEN}"}).json() == []
        text = client.get("/metrics", headers={"Authorization": f"bearer {TOKEN}"}).text
        assert "htdemucs_n_jobs 0.0" in text


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True), ("LOCALHOST:8765", True), ("127.0.0.1", True), ("[::1]:8765", True), ("192.168.0.9", True),
        ("music.example.org", True), ("evil.example.org", False), ("127.0.0.1.nip.io", False),
        ("localhost.evil", False),
        ("", False), ("a b", False), ("[::1", False), ("localhost@evil", False),
    ],
)  # fmt: skip
def test_hosts(tmp_path: Path, host: str, known: bool) -> None:
    with service(tmp_path, hosts=("Music.example.org",)) as client:
        assert client.get(JOBS, headers={"Host": host}).status_code == (200 if known else 421)


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True), ({"Origin": "http://127.0.0.1:8765"}, True), ({"Origin": "http://127.0.0.1:9999"}, False),
        ({"Origin": "https://evil.example"}, False), ({"Origin": "null"}, False), ({"Origin": ""}, False),
        ({"Origin": "http://["}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False), ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
    ],
)  # fmt: skip
def test_origins(tmp_path: Path, headers: dict[str, str], allowed: bool) -> None:
    with service(tmp_path) as client:
        for method, place in (("GET", JOBS), ("POST", f"{JOBS}/x/cancel")):
            response = client.request(method, place, headers=headers)
            assert (response.status_code != 403) == allowed
        refused = 'htdemucs_n_http_refused_total{reason="origin"} 2.0' in client.get("/metrics").text
        assert refused == (not allowed)


@pytest.mark.parametrize("place", [JOBS, "/health", "/metrics", "/openapi.json", "/nothing", f"{JOBS}/x"])
def test_every_answer_has_the_headers(tmp_path: Path, place: str) -> None:
    with service(tmp_path) as client:
        for headers in ({}, {"Host": "evil.example"}):
            answered = client.get(place, headers=headers).headers
            assert HEADERS.items() <= {name.title().replace("Csp", "CSP"): v for name, v in answered.items()}.items()
            assert "script" not in answered["content-security-policy"]
            assert answered["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0: others can reach this address"), (["--cert", "a.pem"], "give both"),
        (["--cert", "a.pem", "--key", "b.pem"], "'a.pem' is not a file"),
        (["--max-queue", "0"], "--max-queue is not above 0"),
        (["--allow-folder", "missing"], "this is not a folder"), (["-n", "nonsense"], "nonsense"),
    ],
)  # fmt: skip
def test_wrong_options_are_said_in_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    command = [sys.executable, "-c", COMMAND, "serve", "--library", "library", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert done.returncode in (1, 2) and line.startswith("error: ") and says in line
    assert not (tmp_path / "library").exists()


def test_a_certificate_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    def openssl(command: str) -> None:
        try:
            subprocess.run(["openssl", *command.split()], cwd=tmp_path, check=True, capture_output=True)
        except FileNotFoundError:
            pytest.skip("openssl makes the certificate")

    openssl("req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 2 -subj /CN=localhost")
    openssl("genrsa -out other.pem 2048")
    openssl("rsa -aes256 -passout pass:abc -in key.pem -out locked.pem")
    (tmp_path / "garbage.pem").write_text("garbage")
    good = Settings(tmp_path, certificate=tmp_path / "cert.pem", key=tmp_path / "key.pem")
    assert good.certificate == tmp_path / "cert.pem"
    for certificate, key in (("garbage", "key"), ("cert", "garbage"), ("cert", "other"), ("cert", "locked")):
        with pytest.raises(OptionError, match=f"--key .*{key}.pem cannot be used .*without a password"):
            Settings(tmp_path, certificate=tmp_path / f"{certificate}.pem", key=tmp_path / f"{key}.pem")
