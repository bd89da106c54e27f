"""The page of the studio: its files and their policy, and what a user does with it in a browser."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audio_helpers import tones
from browser_helpers import chromium, opened_page, rename_and_delete, until
from htdemucs_n.service.page import FOLDER
from htdemucs_n.service.peaks import POINTS, outline
from service_helpers import JOBS, ended, running, service, song, submit

FILES = sorted(path.name for path in FOLDER.iterdir())


def test_the_page_is_served_with_a_strict_policy(tmp_path: Path) -> None:
    with service(tmp_path, page=True) as client:
        for place in ("/", *(f"/page/{name}" for name in FILES)):
            answer = client.get(place)
            assert answer.status_code == 200
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert client.get("/page/..%2fpage.py").status_code == client.get("/page/page.py").status_code == 404
        assert client.get("/").headers["content-type"].startswith("text/html")


def test_the_service_has_no_page(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        assert client.get("/").status_code == client.get("/page/main.js").status_code == 404


def test_nothing_of_the_page_is_of_another_site() -> None:
    for name in FILES:
        text = (FOLDER / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z]+\.|innerHTML|eval\(", text), name


def test_all_words_are_in_both_languages() -> None:
    text = (FOLDER / "words.js").read_text(encoding="utf-8")
    english, chinese = (set(re.findall(r"(\w+): \"", text[start:end])) for start, end in (
        (text.index("en: {"), text.index("zh: {")), (text.index("zh: {"), text.index("export const language"))
    ))  # fmt: skip
    assert english == chinese and len(english) > 30
    used = {key for name in FILES if name.endswith(".js") for key in re.findall(
        r"(?:say|button)\(\"(\w+)\"", (FOLDER / name).read_text(encoding="utf-8")
    )}  # fmt: skip
    used |= set(re.findall(r"data-(?:word|label)=\"(\w+)\"", (FOLDER / "index.html").read_text(encoding="utf-8")))
    assert used and used <= english


@pytest.mark.parametrize("seconds", [0.001, 0.5, 60.0])
def test_an_outline_has_the_extremes_of_the_samples(tmp_path: Path, seconds: float) -> None:
    (tmp_path / "a.wav").write_bytes(song(seconds))
    points = np.frombuffer(outline(tmp_path / "a.wav"), np.int8).reshape(-1, 2)
    assert points.shape == (POINTS, 2)
    assert (points[:, 0] <= points[:, 1]).all()
    if seconds == 60.0:  # every part has several periods of the tones of amplitude 0.5
        assert np.abs(points - 127 * np.array([-0.5, 0.5])).max() <= 1


def test_the_outline_of_a_result_is_kept(tmp_path: Path) -> None:
    with service(tmp_path) as client:
        job = ended(client, submit(client).json()["id"])["id"]
        first = client.get(f"{JOBS}/{job}/peaks/vocals").content
        assert len(first) == 2 * POINTS
        kept = tmp_path / "jobs" / job / "peaks" / "vocals"
        assert kept.read_bytes() == first
        assert client.get(f"{JOBS}/{job}/peaks/nothing").status_code == 404


@pytest.fixture
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


PEAKS = """async (id) => Array.from(await (await import("/page/api.js")).peaks(id, "vocals"))"""

FOLDER_ENTRIES = """async () => {
  const { readEntry } = await import("/page/drop.js");
  const file = (name, type) => ({ isDirectory: false, file: (give) => give(new File([], name, { type })) });
  const folder = (entries) => {
    const left = [...entries];
    const reader = { readEntries: (give) => setTimeout(() => give(left.splice(0, 100))) };  // as Chromium gives them
    return { isDirectory: true, createReader: () => reader };
  };
  const songs = Array.from({ length: 150 }, (_, number) => file(`${number}.wav`, "audio/wav"));
  const names = [];
  const inside = folder([file("deep.mp3", "audio/mpeg")]);
  readEntry(folder([...songs, file("cover.jpg", "image/jpeg"), inside]), (found) => names.push(found.name));
  while (names.length < 151) await new Promise((resolve) => setTimeout(resolve, 5));
  return names;
}"""
"""The files that are taken from a folder of 150 songs, a picture, and another folder."""

POSITION = ".transport input"
SILENT = ".lane.silent:not([data-stem=original])"

DROP_WORDS = """
const dataTransfer = new DataTransfer();
dataTransfer.items.add(new File(["words ".repeat(1000)], "words.wav"));
document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
"""
"""Drops a file that is no audio."""


@pytest.mark.browser
def test_drop_a_song_play_it_and_find_it_again(tmp_path: Path, browser: Any) -> None:
    (tmp_path / "Lied 歌 <b>.wav").write_bytes(song(30.0))
    with running(tmp_path, "--no-browser", verb="studio") as (process, _):
        page, wrong = opened_page(browser, process.url)
        page.set_input_files("#files", tmp_path / "Lied 歌 <b>.wav")
        name = page.get_by_role("button", name="Play the stems of Lied 歌 <b>.wav")
        name.click(timeout=30_000)
        page.wait_for_selector(".lane >> nth=4")
        lanes = ["Drums", "Bass", "Other", "Vocals", "Original"]
        assert page.locator(".lane .label .name").all_text_contents() == lanes
        assert page.inner_text(".time") == "0:00 / 0:30"

        page.get_by_role("button", name="Play", exact=True).click()
        until(page, lambda: float(page.input_value(POSITION)) > 20)
        page.get_by_role("button", name="Pause").click()
        stood = page.input_value(POSITION)
        page.wait_for_timeout(200)
        assert page.input_value(POSITION) == stood

        page.get_by_role("button", name="Mute: Vocals").click()
        assert page.locator(SILENT).get_attribute("data-stem") == "vocals"
        page.get_by_role("button", name="Solo: Bass").click()
        assert page.locator(SILENT).count() == 3
        page.keyboard.press("2")  # the solo of the second stem again
        assert page.locator(SILENT).count() == 1
        page.keyboard.press("Shift+4")
        assert page.locator(SILENT).count() == 0

        page.locator(".lane canvas").first.click(position={"x": 5, "y": 10})
        page.keyboard.press("ArrowRight")
        assert page.inner_text(".time").startswith("0:05")

        with page.expect_download() as download:
            page.get_by_role("link", name="Save Bass").click()
        assert download.value.suggested_filename == "Lied 歌 _b_ - bass.wav"

        with page.expect_download() as download:
            page.get_by_role("link", name="Save all stems").click()
        assert download.value.suggested_filename == "Lied 歌 _b_.zip"

        page.get_by_text(re.compile(r"The library has \d+ MB of 54 GB")).wait_for()
        page.reload()
        name.click()
        page.wait_for_selector(".lane >> nth=3")
        rename_and_delete(page)
        assert not wrong


@pytest.mark.browser
def test_a_queue_is_cancelled_and_failures_are_said(tmp_path: Path, browser: Any) -> None:
    (tmp_path / "long.wav").write_bytes(song(300.0))
    (tmp_path / "next.wav").write_bytes(song(3.0))
    with running(tmp_path, "--no-browser", slow=True, verb="studio") as (process, _):
        page, wrong = opened_page(browser, process.url)
        page.set_input_files("#files", [tmp_path / "long.wav"])
        page.wait_for_selector("text=/Separating [1-9]\\d* % · \\d:\\d\\d left/", timeout=20_000)
        page.set_input_files("#files", tmp_path / "next.wav")
        page.wait_for_selector("text=Waiting")
        page.evaluate(DROP_WORDS)
        page.wait_for_selector("text=/Failed: 'words.wav'/")
        row = page.locator("li", has_text="long.wav")
        row.get_by_role("button", name="Cancel").click()
        row.get_by_text("Cancelled").wait_for()
        page.get_by_role("button", name="Play the stems of next.wav").wait_for(timeout=60_000)
        assert [text for text in wrong if "422" not in text] == []


@pytest.mark.browser
def test_the_page_of_the_service_asks_for_the_token_once(tmp_path: Path, browser: Any) -> None:
    token = "correct horse battery staple"
    (tmp_path / "token").write_text(token)
    with running(tmp_path, "--token-file", str(tmp_path / "token")) as (process, _):
        page, wrong = opened_page(browser, process.url)
        page.locator("#token").fill("a wrong one, to begin with")
        page.keyboard.press("Enter")
        page.get_by_text("This is not the token").wait_for()
        page.locator("#token").fill(token)
        page.get_by_role("button", name="Enter").click()
        page.set_input_files("#files", [{"name": "a.wav", "mimeType": "audio/wav", "buffer": song(1.0)}])
        page.get_by_role("button", name="Play the stems of a.wav").click()
        page.wait_for_selector(".lane >> nth=3")
        with page.expect_download() as download:
            page.get_by_role("link", name="Save Bass").click()
        assert Path(download.value.path()).stat().st_size > 44100
        page.reload()
        page.get_by_role("button", name="Play the stems of a.wav").wait_for()
        assert page.get_by_role("dialog").count() == 0
        assert [text for text in wrong if "401" not in text] == []


@pytest.mark.browser
def test_a_recording_is_a_song(tmp_path: Path) -> None:
    arguments = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with chromium(*arguments) as browser, running(tmp_path, "--no-browser", verb="studio") as (process, _):
        page, wrong = opened_page(browser, process.url)
        page.get_by_label("Model").select_option("bands")
        page.get_by_role("button", name="Record", exact=True).click()
        page.get_by_text("Recording 0:01").wait_for()
        page.get_by_role("button", name="Stop").click()
        page.get_by_role("button", name="Play the stems of Recording").click()
        page.wait_for_selector(".lane >> nth=3")
        assert page.inner_text(".time") in ("0:00 / 0:01", "0:00 / 0:02")
        (job,) = page.evaluate("async () => (await fetch('/api/v1/jobs')).json()")
        assert job["model"] == "bands" and max(page.evaluate(PEAKS, job["id"])) > 5  # the fake device beeps
        page.evaluate("delete Navigator.prototype.mediaDevices")
        page.get_by_role("button", name="Record", exact=True).click()
        page.get_by_text("no microphone to pages over plain HTTP").wait_for()
        assert not wrong


@pytest.mark.browser
def test_the_drums_are_shown_in_parts(tmp_path: Path, browser: Any) -> None:
    with running(tmp_path, "--no-browser", verb="studio") as (process, _):
        page, wrong = opened_page(browser, process.url)
        page.get_by_label("Model").select_option("bands")
        box = page.get_by_label("Drum kit in parts")
        box.check()
        page.get_by_label("Model").select_option("drumkit")
        assert box.is_disabled() and not box.is_checked()
        assert "dB" not in page.locator("#model option:checked").inner_text()
        page.get_by_label("Model").select_option("bands")
        box.check()
        page.set_input_files("#files", [{"name": "a.wav", "mimeType": "audio/wav", "buffer": song(1.0)}])
        page.get_by_role("button", name="Play the stems of a.wav").click()
        page.wait_for_selector(".lane >> nth=7")
        names = page.locator(".lane .name").all_inner_texts()[:8]
        assert names == ["Kick", "Snare", "Toms", "Hi-hat", "Cymbals", "Bass", "Other", "Vocals"]
        page.get_by_role("button", name="Export").click()
        page.get_by_label("What").select_option("drumless")
        with page.expect_request(lambda request: request.url.endswith("/exports")) as asked:
            page.get_by_role("button", name="Save", exact=True).click()
        assert set(asked.value.post_data_json["mix"]) == {"bass", "other", "vocals"}
        assert not wrong


@pytest.mark.browser
@pytest.mark.parametrize("press", [lambda name: name.click(), lambda name: name.press("Enter")], ids=["click", "Enter"])
def test_a_song_that_is_opened_is_in_sight_and_space_plays_it(
    tmp_path: Path, browser: Any, press: Callable[[Any], None]
) -> None:
    with running(tmp_path, "--no-browser", verb="studio") as (process, client):
        names = [f"{number:02}.wav" for number in range(20)]
        jobs = [submit(client, song(3.0, 440.0 + number), name).json()["id"] for number, name in enumerate(names)]  # type: ignore[arg-type]
        ended(client, jobs[-1])  # type: ignore[arg-type]
        page, wrong = opened_page(browser, process.url, viewport={"width": 390, "height": 860})
        press(page.get_by_role("button", name=f"Play the stems of {names[0]}"))  # the last one of the list
        page.wait_for_selector(".lane >> nth=4")
        place = page.locator("#playing").bounding_box()
        assert 0 <= place["y"] < 430
        page.keyboard.press("Space")
        page.get_by_role("button", name="Pause").wait_for()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "zip"  # the first one of the player
        assert not wrong


@pytest.mark.browser
def test_a_folder_is_dropped(tmp_path: Path, browser: Any) -> None:
    with running(tmp_path, "--no-browser", verb="studio") as (process, _):
        page, wrong = opened_page(browser, process.url)
        names = page.evaluate(FOLDER_ENTRIES)
        assert names == [f"{number}.wav" for number in range(150)] + ["deep.mp3"]
        assert not wrong


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_the_page_fits_its_window(tmp_path: Path, browser: Any, width: int, scheme: str) -> None:
    loud = io.BytesIO()  # its vocals, 0.4 of it, do not fit into FLAC
    soundfile.write(loud, 6 * tones((440.0, 550.0), 44100, 10.0).T, 44100, format="WAV", subtype="FLOAT")
    with running(tmp_path, "--no-browser", verb="studio") as (process, client):
        page, wrong = opened_page(browser, process.url, viewport={"width": width, "height": 860}, color_scheme=scheme)
        page.wait_for_selector("#none:not([hidden])")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        job = submit(client, loud.getvalue(), "Evening song.wav", format="flac").json()["id"]  # type: ignore[arg-type]
        ended(client, job)  # type: ignore[arg-type]
        page.get_by_text("a stem exceeded full scale, so all stems were scaled").wait_for()
        page.get_by_role("button", name="Play the stems of Evening song.wav").click()
        page.wait_for_selector(".lane >> nth=4")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.set_viewport_size({"width": width, "height": 640})  # the lanes are higher than this
        place = page.get_by_role("button", name="Play", exact=True).bounding_box()
        assert place["y"] + place["height"] <= 640, "it is in reach without scrolling"
        assert not wrong
