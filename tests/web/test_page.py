"""The page without a server, built and used in a browser."""

from __future__ import annotations

import http.server
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from torch import Tensor

from audio_helpers import tones
from browser_helpers import chromium, opened_page, rename_and_delete, until
from htdemucs_n import Separator
from htdemucs_n.audio import write_wav
from web_helpers import build, needs_runtime, served

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_runtime]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, built."""
    return build(tmp_path_factory.mktemp("web") / "dist")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser for all tests of this file; each has a context of its own."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, demo_stems: dict[str, Tensor]) -> Path:
    """Ten seconds of a song in 16 bits."""
    path = tmp_path_factory.mktemp("song") / "Lied 歌 <b>.wav"
    mixture = sum(stem.numpy() for stem in demo_stems.values())
    write_wav(path, mixture[:, :441_000], 44100)
    return path


def play(page: Any, name: str) -> None:
    """Open the stems of a song when it is separated."""
    page.get_by_role("button", name=f"Play the stems of {name}").click(timeout=240_000)
    page.wait_for_selector(".lane >> nth=4")


def downloaded(page: Any, link: Any) -> tuple[str, bytes]:
    """The name and the content of what a link saves."""
    with page.expect_download() as download:
        link.click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def test_the_stems_of_a_song_are_those_of_python_and_are_played(dist: Path, browser: Any, clip: Path) -> None:
    with served(dist) as url:
        page, wrong = opened_page(browser, url)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        assert page.evaluate("crossOriginIsolated")
        assert page.locator("footer").inner_text().startswith("The models may be used for research and other non-comm")
        page.set_input_files("#files", clip)
        page.wait_for_selector("text=/Separating [1-9]\\d* % · \\d:\\d\\d left/", timeout=240_000)
        play(page, clip.name)

        names = ["drums", "bass", "other", "vocals"]
        name, content = downloaded(page, page.get_by_role("link", name="Save all stems"))
        assert name == "Lied 歌 _b_.zip"
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            assert packed.testzip() is None and packed.namelist() == [f"{stem}.wav" for stem in names]
            files = [packed.read(f"{stem}.wav") for stem in names]
        assert downloaded(page, page.get_by_role("link", name="Save Bass")) == ("Lied 歌 _b_ - bass.wav", files[1])
        wanted = Separator("bands", engine="onnx").separate_file(clip)
        for stem, file in zip(names, files, strict=True):
            samples, rate = soundfile.read(io.BytesIO(file), always_2d=True)
            assert rate == 44100 and np.abs(samples.T - wanted[stem]).max() < 1e-3

        stems = np.stack([soundfile.read(io.BytesIO(file), always_2d=True)[0].T for file in files])
        page.get_by_role("button", name="Mute: Vocals").click()
        page.get_by_role("button", name="Export").click()
        save = page.locator("dialog").get_by_role("button", name="Save")
        name, content = downloaded(page, save)
        assert name == "Lied 歌 _b_ - mix.wav"
        mix, _ = soundfile.read(io.BytesIO(content), always_2d=True)
        assert np.abs(mix.T - stems[:3].sum(axis=0)).max() < 1.01 / 32768
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Loop").click()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("[")  # the loop begins after five seconds
        page.get_by_role("button", name="Export").click()
        page.select_option("#export-what", "stems")
        page.check("#export-loop")
        name, content = downloaded(page, save)
        assert name == "Lied 歌 _b_ - stems.zip"
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            part, _ = soundfile.read(io.BytesIO(packed.read("bass.wav")), always_2d=True)
        np.testing.assert_array_equal(part.T, stems[1][:, 5 * 44100 :])
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Loop").click()  # no longer
        page.keyboard.press("ArrowLeft")
        assert page.locator(".lane.silent[data-stem=vocals]").count() == 1
        page.get_by_role("button", name="Solo: Bass").click()
        assert page.locator(".lane.silent").count() == 4  # three stems and the original
        page.click(".round")
        until(page, lambda: page.inner_text(".time").startswith("0:01 / 0:10"))
        page.click(".round")
        page.get_by_role("button", name="Listen: Original").click()
        until(page, lambda: page.locator(".lane.silent").count() == 4 and not page.inner_text(".note"))
        assert page.locator(".lane.silent[data-stem=original]").count() == 0

        rename_and_delete(page)
        assert asked and all(address.startswith((url, f"blob:{url}")) for address in asked)
        assert [text for text in wrong if "adapter" not in text] == []  # this computer may have no graphics card


def test_a_queue_is_cancelled_and_the_better_model_is_taken(dist: Path, browser: Any, clip: Path) -> None:
    with served(dist) as url:
        page, _ = opened_page(browser, url)
        page.set_input_files("#files", clip)
        page.locator("input[value=duo]").check()
        short = io.BytesIO()
        soundfile.write(short, tones((440, 660), 44100, 1.0).T, 44100, format="WAV")
        page.set_input_files("#files", [{"name": "a.wav", "mimeType": "audio/wav", "buffer": short.getvalue()}])
        page.locator("li", has_text="a.wav").get_by_text("Waiting").wait_for()
        row = page.locator("li", has_text="Lied")
        row.get_by_role("button", name="Cancel").click()
        row.get_by_text("Cancelled").wait_for(timeout=60_000)
        play(page, "a.wav")
        assert page.evaluate("localStorage.model") == "duo"
        page.reload()
        assert page.locator("input[value=duo]").is_checked()


def test_the_page_works_without_a_network(dist: Path, browser: Any, clip: Path) -> None:
    with served(dist) as url:
        page, _ = opened_page(browser, url)
        page.get_by_text("Works offline").wait_for(timeout=60_000)
    page.reload()
    assert page.evaluate("crossOriginIsolated")
    page.set_input_files("#files", clip)
    play(page, clip.name)
    page.locator("input[value=duo]").check()
    page.set_input_files("#files", clip)
    page.get_by_text("Failed: the model could not be loaded: connect to the network and try again").wait_for()


def test_a_plain_host_is_enough_and_any_path_of_it(dist: Path, browser: Any) -> None:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(dist.parent))
    handler.func.log_message = lambda *_: None  # type: ignore[method-assign]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page, _ = opened_page(browser, f"http://127.0.0.1:{server.server_port}/{dist.name}/")
        page.get_by_text("Works offline").wait_for(timeout=60_000)
        assert page.evaluate("crossOriginIsolated") and page.locator("footer p").first.inner_text() == ""
        server.shutdown()


def test_a_newer_page_takes_the_place_of_the_stored_one(tmp_path: Path, browser: Any) -> None:
    folder = build(tmp_path / "dist")
    with served(folder) as url:
        page, _ = opened_page(browser, url)
        page.get_by_text("Works offline").wait_for(timeout=60_000)
        assert page.inner_text("h1") == "studio in a tab"
        for name, old, new in (
            ("words_of_the_tab.js", "studio in a tab", "newer"),
            ("service_worker.js", '= "', '= "1'),
        ):
            text = (folder / name).read_text(encoding="utf-8")
            (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
        page.reload()
        until(page, lambda: page.inner_text("h1") == "newer")


def test_what_cannot_be_separated_is_said(tmp_path: Path, dist: Path, browser: Any) -> None:
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "words.wav").write_bytes(b"words " * 1000)
    soundfile.write(tmp_path / "long.wav", np.zeros((8000 * 3600, 1), np.int16), 8000, subtype="PCM_U8")
    with served(dist) as url:
        page, _ = opened_page(browser, url)
        page.evaluate("Object.defineProperty(navigator, 'deviceMemory', { value: 2 })")
        for name, says in (
            ("empty.wav", "the file has no sound: choose another"),
            ("words.wav", "the browser cannot read it as audio: convert it to MP3, FLAC or WAV"),
            ("long.wav", "it is too long for the memory of this device: cut it to 10 minutes or less"),
        ):
            page.set_input_files("#files", tmp_path / name)
            page.locator("li", has_text=name).get_by_text(f"Failed: {says}").wait_for(timeout=60_000)


FAILURES = {
    "Array buffer allocation failed": "内存不足",
    "Aborted(OOM). Build with -sASSERTIONS for more info.": "内存不足",
    "Can't create a session. ERROR_CODE: 7, ERROR_MESSAGE: protobuf parsing failed.": "无法载入模型：请连接网络后重试",
    "no available backend found. ERR: [wasm] RuntimeError: Aborted(CompileError)": "无法载入模型：请连接网络后重试",
    "the model is of another version: build the page again": "模型与页面的版本不同",
    "the song has samples that are no numbers": "歌曲文件已损坏",
}
"""Messages of the worker, and what the page says of them in Chinese."""

FAILING = """
const Real = Worker;
const messages = %s;
self.Worker = class {
  constructor(...args) { if (!messages.length) return new Real(...args); }
  terminate() {}
  postMessage() {
    const error = { name: "Error", message: messages.shift() };
    setTimeout(() => this.onmessage({ data: { error } }));
  }
};
"""
"""The first workers of the page fail with these messages."""


def test_failures_are_said_and_the_next_song_goes_on(dist: Path, browser: Any) -> None:
    short = io.BytesIO()
    soundfile.write(short, tones((440, 660), 44100, 1.0).T, 44100, format="WAV")
    names = [f"{number}.wav" for number in range(len(FAILURES) + 1)]
    with served(dist) as url:
        context = browser.new_context(locale="zh-CN")
        context.add_init_script(FAILING % json.dumps(list(FAILURES)))
        page = context.new_page()
        page.goto(url)
        page.set_input_files(
            "#files", [{"name": n, "mimeType": "audio/wav", "buffer": short.getvalue()} for n in names]
        )
        page.get_by_role("button", name=f"播放 {names[-1]} 的分轨").wait_for(timeout=240_000)
        for name, says in zip(names[:-1], FAILURES.values(), strict=True):
            assert f"失败：{says}" in page.locator("li", has_text=name).inner_text()
        context.close()


def test_a_browser_without_simd_is_told(dist: Path, browser: Any) -> None:
    with served(dist) as url:
        context = browser.new_context(locale="zh-CN")
        context.add_init_script("WebAssembly.validate = () => false")
        page = context.new_page()
        page.goto(url)
        page.get_by_role("alert").wait_for()
        assert page.inner_text("[role=alert]") == "此浏览器不支持分离所需的 WebAssembly SIMD，请使用更新的浏览器。"
        context.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_page_fits_its_window(dist: Path, browser: Any, width: int, scheme: str) -> None:
    with served(dist) as url:
        page, _ = opened_page(browser, url, viewport={"width": width, "height": 860}, color_scheme=scheme)
        page.locator("#models label").nth(1).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for box in page.locator("button, input, a, fieldset").all():
            assert box.get_attribute("hidden") or box.evaluate(
                "(e) => e.labels?.length || e.ariaLabel || e.innerText || e.title"
            )
