"""Time and memory of the page without a server, in Debian's Chromium.

    (cd web && npm ci && npm run build)
    python benchmarks/web_page.py [--seconds 180] [--models bands duo]

The time is from the moment at which the file is chosen until the stems can be played: decoding, loading of the model
(from the same computer), separation, and writing of the files. The memory is the highest of the process of the page.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from commands import noise_file
from htdemucs_n.provenance import describe_machine
from htdemucs_n.service.web import page_server

LONGEST = 3_600_000
"""Milliseconds to wait for a song."""


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=180.0, help="seconds of song (180)")
    parser.add_argument("--models", nargs="+", default=["bands", "duo"], help="models of the page (bands duo)")
    parser.add_argument("--page", type=Path, default=Path("web/dist"), help="folder of the page (web/dist)")
    options = parser.parse_args()
    print("| model | seconds | real-time factor | peak memory, MiB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder, page_server(options.page, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        song = noise_file(Path(folder) / "song.wav", options.seconds)
        with sync_playwright() as playwright:
            for model in options.models:
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
                seconds = separate(browser, f"http://127.0.0.1:{server.server_port}", song, model)
                print(f"| {model} | {seconds:.1f} | {seconds / options.seconds:.2f} | {peak_of_page()} |", flush=True)
                version = browser.version
                browser.close()
        server.shutdown()
    print(describe_machine(os.cpu_count() or 1) | {"chromium": version})


def separate(browser: Any, url: str, song: Path, model: str) -> float:
    """Seconds that a page takes for a song."""
    page = browser.new_page(locale="en-GB")
    page.goto(url)
    page.locator(f"input[value={model}]").check()
    start = time.perf_counter()
    page.set_input_files("#files", song)
    page.get_by_role("button", name="Play the stems of song.wav").wait_for(timeout=LONGEST)
    return time.perf_counter() - start


def peak_of_page() -> str:
    """The highest memory of all pages' processes, where the system (Linux) says it."""
    peaks = [0]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"--type=renderer" in (process / "cmdline").read_bytes():
                peaks += map(int, re.findall(r"VmHWM:\s*(\d+) kB", (process / "status").read_text()))
        except OSError:  # it has ended
            continue
    return str(round(max(peaks) / 1024)) if max(peaks) else "unknown"


if __name__ == "__main__":
    main()
