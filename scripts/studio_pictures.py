"""Make the pictures of docs/studio.md and docs/transcribe.md: the page in Debian's Chromium, with the songs of the demo
and two more jobs.

python scripts/studio_pictures.py docs
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import uvicorn
from playwright.sync_api import sync_playwright

from htdemucs_n import Separator
from htdemucs_n.audio import write_wav
from htdemucs_n.demo import demo_song
from htdemucs_n.service.app import opened_app
from htdemucs_n.service.settings import Settings

PORT = 8799
SONG = "Evening song.wav"


def take_pictures(browser: Any, song: Path, folder: Path) -> None:
    """The empty page; the player with a loop, a spectrogram and a song in work, light, dark and narrow; the dialog."""
    page = browser.new_page(viewport={"width": 1180, "height": 850}, locale="en-GB")
    page.goto(f"http://127.0.0.1:{PORT}")
    page.locator("#none").wait_for()
    page.locator("#size").get_by_text("library").wait_for()
    page.screenshot(path=folder / "studio-empty.png", clip={"x": 0, "y": 0, "width": 1180, "height": 420})
    page.set_input_files("#files", song)
    page.get_by_role("button", name=f"Play the stems of {SONG}").click(timeout=120_000)
    page.locator(".lane").nth(4).wait_for(timeout=60_000)
    page.get_by_text("BPM").wait_for(timeout=240_000)
    page.get_by_role("button", name="Spectrogram: Other").click()
    page.get_by_role("button", name="Mute: Vocals").click()
    page.get_by_role("slider", name="Volume: Drums").fill("1.2")
    page.get_by_role("slider", name="Left and right: Bass").fill("-0.3")
    draw_loop(page, 0.31, 0.66)
    page.get_by_role("slider", name="Position").fill("480")
    page.set_input_files("#files", [{"name": "Long night.wav", "mimeType": "audio/wav", "buffer": long(song)}])
    page.get_by_text("left").wait_for(timeout=60_000)
    page.evaluate("document.activeElement.blur()")
    page.screenshot(path=folder / "studio-player.png")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(300)
    page.screenshot(path=folder / "studio-dark.png")
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Export").click()
    page.get_by_label("What").select_option("karaoke")
    page.get_by_label("Format").select_option("mp3")
    page.get_by_label("Only the loop").check()
    page.wait_for_timeout(300)
    page.get_by_role("dialog").screenshot(path=folder / "studio-export.png")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Mute: Vocals").click()
    page.get_by_role("button", name="Notes").click()
    page.get_by_text("Save MIDI").wait_for(timeout=240_000)
    page.evaluate("document.activeElement.blur()")
    page.locator(".lanes").screenshot(path=folder / "studio-notes.png")
    page.get_by_role("button", name="Notes").click()
    page.get_by_role("button", name="Mute: Vocals").click()
    page.evaluate("document.activeElement.blur()")
    page.set_viewport_size({"width": 390, "height": 1200})  # so high that the transport does not stick
    page.wait_for_timeout(300)
    page.locator("#player").screenshot(path=folder / "studio-narrow.png")


def draw_loop(page: Any, start: float, end: float) -> None:
    """Draw a loop with the pointer, between parts of the width of the ruler."""
    place = page.locator(".ruler canvas").bounding_box()
    page.mouse.move(place["x"] + start * place["width"], place["y"] + 10)
    page.mouse.down()
    page.mouse.move(place["x"] + end * place["width"], place["y"] + 10, steps=3)
    page.mouse.up()


def long(song: Path) -> bytes:
    """A WAV file of another song, which takes a while: the song ten times, in another file."""
    import io

    import soundfile

    samples, rate = soundfile.read(song, dtype="int16")
    file = io.BytesIO()
    soundfile.write(file, np.tile(samples, (10, 1)), rate, format="WAV")
    return file.getvalue()


def load(model: str, engine: str, drum_kit: bool) -> Separator:
    """Another model that the page offers; none is asked for."""
    return Separator(model, engine=engine, threads=1, drum_kit=drum_kit)


def main(folder: Path) -> None:
    """Run a studio and write the pictures to `folder`."""
    parts = demo_song()
    with TemporaryDirectory() as temporary:
        song = Path(temporary) / SONG
        write_wav(song, np.sum([part.samples for part in parts.values()], axis=0), parts["drums"].sample_rate)
        settings = Settings(Path(temporary) / "library", port=PORT, page=True)
        with opened_app(settings, Separator("bands", threads=1), "bands", load) as app:
            server = uvicorn.Server(uvicorn.Config(app, port=PORT, log_level="error"))
            thread = threading.Thread(target=server.run)
            thread.start()
            while not server.started:
                time.sleep(0.1)
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
                take_pictures(browser, song, folder)
                browser.close()
            server.should_exit = True
            thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
