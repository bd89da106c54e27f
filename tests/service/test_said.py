"""What the service says, in the language of the page."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_helpers import tones
from browser_helpers import chromium, opened_page
from htdemucs_n.service.settings import Limits
from service_helpers import JOBS, ended, running, service, song, submit

TRANSLATE = 'async (lines) => lines.map((await import("/page/said.js")).inLanguage)'


@pytest.mark.browser
def test_what_the_service_says_is_chinese_on_a_chinese_page(tmp_path: Path) -> None:
    """Every line is said by a service; what is left of it in Latin letters are names and units."""
    surround = io.BytesIO()
    soundfile.write(surround, np.tile(tones((440.0,), 44100, 0.5).T, (1, 6)), 44100, format="WAV")
    with service(tmp_path / "small", limits=Limits(seconds=1.0, library=400_000)) as client:
        said = [submit(client, content, "歌.wav").json()["detail"] for content in (b"", b"words" * 99, song(1.5))]
        job = ended(client, submit(client, surround.getvalue(), "歌.wav", format="mp3").json()["id"])
        said += job["notes"]
        said.append(submit(client, song(0.9)).json()["detail"])
        said.append(client.get(f"{JOBS}/nothing").json()["detail"])
    assert len(said) == 6 and all(re.search("[a-z]{4}", line) for line in said)
    with chromium() as browser, running(tmp_path, "--no-browser", verb="studio") as (process, _):
        page, wrong = opened_page(browser, process.url, locale="zh-CN")
        page.set_input_files("#files", [{"name": "歌.wav", "mimeType": "audio/wav", "buffer": b""}])
        page.get_by_text("失败：“歌.wav”是空文件：请重新获取此文件").wait_for()
        shown = page.evaluate(
            'async (lines) => lines.map((await import("/page/said.js")).inLanguage)', [*said, "unknown"]
        )
        assert shown.pop() == "unknown"
        for line in shown:
            assert not re.search("[a-z]{4}", line), line
        assert [text for text in wrong if "422" not in text] == []
