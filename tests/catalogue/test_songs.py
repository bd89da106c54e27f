"""Which songs a catalogue has: of folders, globs and manifests."""

from __future__ import annotations

import json
import posixpath
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from htdemucs_n.catalogue.filesystem import open_filesystem
from htdemucs_n.catalogue.songs import Song, find_songs
from htdemucs_n.errors import UserError

pytest.importorskip("fsspec")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "songs"
    for name in ("b/two.flac", "a/one.wav", "a/cover.jpg", "a/.hidden.wav", "three.MP3"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def keys(songs: object) -> list[str]:
    return [song.key for song in songs]  # type: ignore[attr-defined]


def test_a_folder_with_its_subfolders(source: Path, tmp_path: Path) -> None:
    songs = list(find_songs(str(source), str(tmp_path / "out")))
    assert keys(songs) == ["three.MP3", "a/one.wav", "b/two.flac"]
    assert all(Path(song.url.removeprefix("file://")).is_file() for song in songs)


def test_a_glob_has_keys_from_its_fixed_part_on(source: Path, tmp_path: Path) -> None:
    assert keys(find_songs(f"{source}/*/*.*a*", str(tmp_path / "out"))) == ["a/one.wav", "b/two.flac"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_names_with_the_signs_of_globs_and_urls(tmp_path: Path) -> None:
    names = ["a::b.wav", "a?b.wav", "c#d%20.wav", "~.wav", "é [2001].wav"]
    source = tmp_path / "live [2001]*"
    source.mkdir()
    for name in names:
        (source / name).write_text(name)
    manifest = tmp_path / "list.jsonl"
    manifest.write_text("".join(json.dumps({"path": f"{source}/{name}"}) + "\n" for name in names))
    for place in (source, manifest):
        songs = [song.with_fingerprint() for song in find_songs(str(place), str(tmp_path / "out"))]
        assert [posixpath.basename(song.url) for song in songs] == names
        assert len(set(keys(songs))) == 5
        for song in songs:
            filesystem, path = open_filesystem(song.url)
            assert filesystem.cat_file(path).decode() == posixpath.basename(song.url)
            assert song.fingerprint.startswith(f"{len(filesystem.cat_file(path))}-")


def test_a_manifest_of_a_web_server(source: Path, tmp_path: Path) -> None:
    """Of a URL that was signed, whose path has the suffix and not the whole; with places that are relative to it."""
    (source / "list.csv").write_text("path\na/one.wav\n/three.MP3?x=1\nb/missing.flac\n")

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(source)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        place = f"http://127.0.0.1:{server.server_port}"
        one, three, missing = find_songs(f"{place}/list.csv?token=a/b.txt", str(tmp_path / "out"))
        assert (one.url, one.key) == (f"{place}/a/one.wav", "a/one.wav")
        assert one.with_fingerprint().fingerprint and three.with_fingerprint().fingerprint
        with pytest.raises(FileNotFoundError):
            missing.with_fingerprint()
    finally:
        server.shutdown()
        server.server_close()


def test_a_changed_file_has_another_fingerprint(source: Path, tmp_path: Path) -> None:
    (before, *_) = find_songs(str(source / "a"), str(tmp_path / "out"))
    (source / "a" / "one.wav").write_bytes(b"longer than before")
    (after, *_) = find_songs(str(source / "a"), str(tmp_path / "out"))
    assert before.key == after.key and before.fingerprint != after.fingerprint
    assert Song(after.key, after.url, "").with_fingerprint() == after


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_manifests(kind: str, source: Path, tmp_path: Path) -> None:
    places = ["a/one.wav", "../songs/b/two.flac", "https://example.org/x/song.mp3?token=1"]
    file = source / f"list.{kind}"
    if kind == "csv":
        file.write_text("title,url\n" + "".join(f"t,{place}\n" for place in places))
    elif kind == "jsonl":
        file.write_text("".join(json.dumps({"path": place}) + "\n" for place in places))
    else:
        pyarrow = pytest.importorskip("pyarrow")
        pyarrow.parquet = pytest.importorskip("pyarrow.parquet")
        pyarrow.parquet.write_table(pyarrow.table({"url": places}), file)
    songs = list(find_songs(str(file), str(tmp_path / "out")))
    assert keys(songs) == ["a/one.wav", "songs/b/two.flac", "example.org/x/song.mp3"]
    assert songs[2].url == places[2]
    assert songs[0].with_fingerprint().fingerprint


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("x.csv", "title\nsong\n", "row 1: the column 'url or path' is missing"),
        ("x.csv", "url\n", "names no song"),
        ("x.csv", "url\na.wav\nb.wav\na.wav\n", "row 3: 'a.wav' is there twice"),
        ("x.jsonl", '{"url": "a.wav"}\nnonsense\n', "line 2 is no JSON object"),
        ("x.jsonl", '{"url": 5}\n', "row 1: 5 is no URL or path"),
        ("x.csv", "url\na.wav\n\xff\n", "line 3 is no text in UTF-8"),
        ("x.csv", "url\n" + "a" * 200_000, "is no CSV file"),
        ("x.csv", "url,url\n,\n", "row 1: the column 'url or path' is missing or empty"),
        ("x.parquet", "nonsense", "is no Parquet file"),
    ],
)
def test_a_manifest_that_cannot_be_used(name: str, content: str, line: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="latin-1")
    with pytest.raises(UserError, match=line):
        list(find_songs(str(tmp_path / name), str(tmp_path / "out")))


def test_sources_that_cannot_be_used(source: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place, dest, line in (
        (f"{source}/*.ogg", "out", "contains no audio"),
        (str(tmp_path / "empty"), "out", "contains no audio"),
        (str(tmp_path / "missing"), "out", "does not exist"),
        (str(source / "missing.wav"), "out", "does not exist"),
        (str(source / "a" / "one.wav"), "out", "is a file: give its folder"),
        (str(source), str(source / "stems"), "is inside of"),
        (f"{source}/*/*.wav", str(source / "a"), "is inside of"),
        ("https://example.org/songs", "out", "give a manifest"),
    ):
        with pytest.raises(UserError, match=line):
            list(find_songs(place, str(tmp_path / dest)))
