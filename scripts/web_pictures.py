"""Make the pictures of docs/web.md: the page in Debian's Chromium, with the song of the demo.

(cd web && npm ci && npm run build) && python scripts/web_pictures.py docs
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from htdemucs_n.audio import write_wav
from htdemucs_n.demo import demo_song
from htdemucs_n.service.web import page_server

SONG = "Evening song.wav"


def take_pictures(browser: Any, url: str, song: Path, folder: Path) -> None:
    """The player, light and wide; dark and narrow."""
    page = browser.new_page(viewport={"width": 1180, "height": 860}, locale="en-GB")
    page.goto(url)
    page.get_by_text("Works offline").wait_for(timeout=60_000)
    page.set_input_files("#files", song)
    page.get_by_role("button", name=f"Play the stems of {SONG}").click(timeout=240_000)
    page.locator(".lane").nth(4).wait_for()
    page.get_by_role("button", name="Mute: Vocals").click()
    page.locator("canvas").nth(1).click(position={"x": 250, "y": 20})
    page.wait_for_timeout(300)
    page.screenshot(path=folder / "web-player.png")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    page.screenshot(path=folder / "web-narrow.png")


def main(folder: Path) -> None:
    """Serve the page and write the pictures to `folder`."""
    parts = demo_song()
    with TemporaryDirectory() as temporary, page_server(Path("web/dist"), 0) as server:
        song = Path(temporary) / SONG
        write_wav(song, np.sum([part.samples for part in parts.values()], axis=0), parts["drums"].sample_rate)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            take_pictures(browser, f"http://127.0.0.1:{server.server_port}", song, folder)
            browser.close()
        server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
