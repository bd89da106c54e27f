"""Make the pictures of docs/studio.md: the page in Debian's Chromium, with the songs of the demo and two more jobs.

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
    """The empty page; then the player and a song in work, light, dark and narrow."""
    page = browser.new_page(viewport={"width": 1180, "height": 700}, locale="en-GB")
    page.goto(f"http://127.0.0.1:{PORT}")
    page.locator("#none").wait_for()
    page.screenshot(path=folder / "studio-empty.png", clip={"x": 0, "y": 0, "width": 1180, "height": 360})
    page.set_input_files("#files", song)
    page.get_by_role("button", name=f"Play the stems of {SONG}").click(timeout=120_000)
    page.locator(".lane").nth(3).wait_for()
    page.get_by_role("button", name="Mute: Vocals").click()
    page.locator("canvas").first.click(position={"x": 250, "y": 20})
    page.set_input_files("#files", [{"name": "Long night.wav", "mimeType": "audio/wav", "buffer": long(song)}])
    page.locator("progress").wait_for(timeout=60_000)
    page.get_by_text("left").wait_for(timeout=60_000)
    page.screenshot(path=folder / "studio-player.png")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(300)
    page.screenshot(path=folder / "studio-dark.png")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    page.locator("#player").screenshot(path=folder / "studio-narrow.png")


def long(song: Path) -> bytes:
    """A WAV file of another song, which takes a while: the song ten times, in another file."""
    import io

    import soundfile

    samples, rate = soundfile.read(song, dtype="int16")
    file = io.BytesIO()
    soundfile.write(file, np.tile(samples, (10, 1)), rate, format="WAV")
    return file.getvalue()


def main(folder: Path) -> None:
    """Run a studio and write the pictures to `folder`."""
    parts = demo_song()
    with TemporaryDirectory() as temporary:
        song = Path(temporary) / SONG
        write_wav(song, np.sum([part.samples for part in parts.values()], axis=0), parts["drums"].sample_rate)
        settings = Settings(Path(temporary) / "library", port=PORT, page=True)
        with opened_app(settings, Separator("bands", threads=1), "bands") as app:
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
