"""The player of the page: what comes out of its audio graph, sample by sample, and how it is used."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import soundfile

from browser_helpers import chromium, opened_page, until
from htdemucs_n.service.mix import Fader, mixed, panned
from service_helpers import ended, running, song, submit

pytestmark = pytest.mark.browser

RATE = 44100


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A studio with one song of 10 s, and a page that has it open."""
    folder = tmp_path_factory.mktemp("studio")
    with chromium() as browser, running(folder, "--no-browser", verb="studio") as (process, client):
        ended(client, submit(client, song(10.0), "Song.wav").json()["id"])  # type: ignore[arg-type]
        page, wrong = opened_page(browser, process.url, viewport={"width": 1180, "height": 900})
        page.get_by_role("button", name="Play the stems of Song.wav").click()
        page.locator(".lane").nth(4).wait_for()
        yield page
        assert not wrong


@pytest.fixture
def page(studio: Any) -> Any:
    """The page as it is when the song was opened."""
    studio.get_by_role("button", name="Play the stems of Song.wav").click()
    studio.locator(".lane").nth(4).wait_for()
    return studio


RECORD = """async ({ stems, original, faders, loop, seconds, compare }) => {
  const { Player } = await import("/page/player.js");
  const context = new OfflineAudioContext(2, 44100 * seconds, 44100);
  const buffer = (channels) => {
    const made = new AudioBuffer({ length: channels[0].length, numberOfChannels: channels.length, sampleRate: 44100 });
    channels.forEach((samples, channel) => made.copyToChannel(Float32Array.from(samples), channel));
    return made;
  };
  context.resume = async () => {};  // it runs when it is told to render
  const player = new Player();
  player.open(44100, context);
  player.setStems(stems.map((channels, number) => [`${number}`, buffer(channels)]));
  if (original) player.setOriginal(buffer(original));
  player.stems.forEach((stem, number) => player.change(stem, faders?.[number] ?? {}));
  if (loop) player.setLoop(loop);
  if (compare) await player.compare(true);
  await player.play();
  const rendered = await context.startRendering();
  return { gain: player.originalGain, sound: [0, 1].map((channel) => Array.from(rendered.getChannelData(channel))) };
}"""
"""Play stems `(S, C, T)` of the sample rate 44100 into memory."""

START = round(0.05 * RATE)
"""The sample at which the player starts."""


def record(page: Any, stems: np.ndarray, seconds: float = 0.2, **options: Any) -> tuple[np.ndarray, float]:
    """The sound `(2, T)` from its start, and the gain of the original."""
    values = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in options.items()}
    found = page.evaluate(RECORD, {"stems": stems.tolist(), "seconds": seconds, **values})
    return np.array(found["sound"])[:, START:], found["gain"]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).uniform(-0.2, 0.2, shape).astype(np.float32)


def test_the_lanes_start_at_one_sample_and_add_up(page: Any) -> None:
    stems = noise(4, 2, 4000)
    sound, _ = record(page, stems)
    np.testing.assert_allclose(sound[:, :4000], stems.sum(axis=0), atol=1e-6)
    assert not sound[:, 4000:].any()


def test_a_loop_is_exact_in_samples(page: Any) -> None:
    stems = noise(3, 2, 4000)
    sound, _ = record(page, stems, loop={"start": 1234, "end": 2345})
    looped = np.tile(stems.sum(axis=0)[:, 1234:2345], 7)[:, : sound.shape[1]]
    assert looped.shape[1] > 6000
    np.testing.assert_allclose(sound[:, : looped.shape[1]], looped[:, : sound.shape[1]], atol=2e-5)


def test_the_mix_of_the_service_is_that_of_the_graph(page: Any) -> None:
    stems = noise(4, 2, 3000)
    faders = [Fader(volume=0.5, pan=-0.4), Fader(volume=1.5, pan=0.7), Fader(pan=1.0), Fader(volume=0.0)]
    sound, _ = record(page, stems, faders=[fader.model_dump() for fader in faders])
    np.testing.assert_allclose(sound[:, :3000], mixed(stems, faders), atol=1e-5)


def test_mono_is_in_the_middle_and_as_loud(page: Any) -> None:
    stems = noise(2, 1, 3000)
    sound, _ = record(page, stems)
    np.testing.assert_allclose(sound[:, :3000], np.repeat(stems.sum(axis=0), 2, axis=0), atol=1e-6)


def test_the_original_is_heard_as_loud_as_the_mix(page: Any) -> None:
    stems, original = noise(3, 2, 4000), noise(2, 4000)
    stems[1] += 0.5 * stems[0]  # they are not independent
    faders = [{"volume": 0.8, "pan": 0.3}, {"muted": True}, {"volume": 1.4, "pan": -0.9}]
    heard = 0.8 * panned(0.3) @ stems[0] + 1.4 * panned(-0.9) @ stems[2]
    expected = np.sqrt((heard**2).sum() / (original**2).sum())
    sound, gain = record(page, stems, original=original, faders=faders, compare=True)
    assert gain == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(sound[:, :4000], expected * original, atol=1e-5)
    muted, _ = record(page, stems, original=original, faders=faders)
    np.testing.assert_allclose(muted[:, :4000], heard, atol=1e-5)


def test_a_silent_mix_leaves_the_original_as_it_is(page: Any) -> None:
    _, gain = record(page, 0 * noise(2, 2, 100), original=noise(2, 100), compare=True)
    assert gain == 1


def test_a_drag_makes_a_loop_and_keys_change_it(page: Any) -> None:
    place = page.locator(".lane canvas").nth(1).bounding_box()
    page.mouse.move(place["x"] + 0.2 * place["width"], place["y"] + 20)
    page.mouse.down()
    page.mouse.move(place["x"] + 0.6 * place["width"], place["y"] + 20, steps=3)
    page.mouse.up()
    start, end = (
        page.get_by_role("slider", name="Start of the loop"),
        page.get_by_role("slider", name="End of the loop"),
    )
    seconds = [float(handle.get_attribute("aria-valuenow")) for handle in (start, end)]
    assert seconds == pytest.approx([2.0, 6.0], abs=0.05)
    loop = page.get_by_role("button", name="Loop", exact=True)
    assert loop.get_attribute("aria-pressed") == "true"

    end.press("Shift+ArrowLeft")
    moved = float(end.get_attribute("aria-valuenow"))
    assert round((seconds[1] - moved) * RATE) == 1
    start.press("ArrowRight")
    assert float(start.get_attribute("aria-valuenow")) == pytest.approx(seconds[0] + 0.01, abs=1e-4)

    page.keyboard.press("l")
    assert loop.get_attribute("aria-pressed") == "false" and start.is_hidden()
    page.keyboard.press("l")
    assert float(end.get_attribute("aria-valuenow")) == moved

    page.mouse.click(place["x"] + 0.85 * place["width"], place["y"] + 20)  # outside of it
    assert loop.get_attribute("aria-pressed") == "false" and page.inner_text(".time").startswith("0:08")
    page.keyboard.press("[")
    assert [float(handle.get_attribute("aria-valuenow")) for handle in (start, end)] == pytest.approx(
        [8.5, 10], abs=0.05
    )


def test_a_loop_is_played_again_and_again(page: Any) -> None:
    page.keyboard.press("]")  # at the start, where a loop has one sample
    assert page.get_by_role("slider", name="End of the loop").get_attribute("aria-valuetext") == "0:00.000"
    place = page.locator(".ruler canvas").bounding_box()
    page.mouse.move(place["x"] + 0.51 * place["width"], place["y"] + 5)
    page.mouse.down()
    page.mouse.move(place["x"] + 0.53 * place["width"], place["y"] + 5, steps=3)
    page.mouse.up()
    page.keyboard.press("Space")
    page.wait_for_timeout(700)  # longer than the loop of 0.2 s
    assert page.get_by_role("button", name="Pause").is_visible()
    assert page.inner_text(".time").startswith("0:05")
    page.keyboard.press("Space")


def test_a_key_compares_with_the_original(page: Any) -> None:
    listen = page.get_by_role("button", name="Listen: Original")
    assert listen.get_attribute("aria-pressed") == "false"
    page.keyboard.press("a")
    until(page, lambda: listen.get_attribute("aria-pressed") == "true")
    assert page.locator(".lane.silent").count() == 4
    page.get_by_role("button", name="A/B").click()
    assert listen.get_attribute("aria-pressed") == "false" and page.locator(".lane.silent").count() == 1


LANES_OF_A_VERSION = """async ({ job, places }) => {
  const api = await import("/page/api.js");
  const { Player } = await import("/page/player.js");
  const version = { tempo: 0.8, pitch: 3 };
  const { sample_rate, length, lanes } = await api.lanes(job, undefined, version);
  const sounds = [];
  for (const heard of lanes) {
    const context = new OfflineAudioContext(2, length + 0.05 * sample_rate, sample_rate);
    context.resume = async () => {};
    const player = new Player();
    player.open(sample_rate, context);
    const stems = [];
    for (const name of lanes) stems.push([name, await player.decode(await api.file(job, name, undefined, version))]);
    player.setStems(stems);
    player.change(player.stems.find((stem) => stem.name === heard), { solo: true });
    await player.play();
    const sound = (await context.startRendering()).getChannelData(0).map(Math.abs);
    const loudest = (from, to) => {
      const part = sound.subarray(from, to);
      return part.indexOf(Math.max(...part));
    };
    sounds.push({ length, places: places.map((at) => loudest(at - 4000, at + 4000) - 4000) });
  }
  return sounds;
}"""
"""How far from `places` each lane alone, as the graph plays it, is loudest, in samples."""


def test_clicks_are_at_the_same_sample_in_all_lanes_through_tempo_and_pitch(studio: Any) -> None:
    sound = np.zeros((2 * RATE, 2), np.float32)
    sound[RATE // 2 :: RATE // 2] = 0.8
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format="WAV")
    studio.set_input_files("#files", [{"name": "Clicks.wav", "mimeType": "audio/wav", "buffer": file.getvalue()}])
    studio.get_by_role("button", name="Play the stems of Clicks.wav").wait_for()
    jobs = studio.evaluate("async () => (await fetch('/api/v1/jobs')).json()")
    (job,) = (job["id"] for job in jobs if job["name"] == "Clicks.wav")
    clicks = [round(click * RATE / 2 / 0.8) for click in range(1, 4)]
    lanes = studio.evaluate(LANES_OF_A_VERSION, {"job": job, "places": [START + click for click in clicks]})
    assert [lane["length"] for lane in lanes] == 4 * [round(2 * RATE / 0.8)]
    places = np.array([lane["places"] for lane in lanes])
    assert np.ptp(places, axis=0).max() <= 1 and np.abs(places).max() <= 0.001 * RATE
    studio.get_by_role("button", name="Delete").first.click()


def test_another_tempo_keeps_place_loop_and_faders(page: Any) -> None:
    facts = {"tempo": 120.2, "beats": [0.5 * beat for beat in range(20)], "tonic": "A", "minor": True}
    page.route("**/facts", lambda route: route.fulfill(json=facts))
    page.get_by_role("button", name="Play the stems of Song.wav").click()
    page.get_by_text("120 BPM · A minor").wait_for()
    page.get_by_role("button", name="Mute: Bass").click()
    page.get_by_role("button", name="Loop", exact=True).click()
    page.get_by_role("slider", name="Position").fill("500")
    page.get_by_role("slider", name="Tempo").fill("50")
    page.get_by_role("slider", name="Pitch").fill("-3")
    until(page, lambda: page.inner_text(".time") == "0:10 / 0:20")
    page.get_by_text("60 BPM · F♯ minor").wait_for()
    page.unroute("**/facts")
    page.locator(".lane").nth(4).wait_for()
    assert page.get_by_role("button", name="Mute: Bass").get_attribute("aria-pressed") == "true"
    assert float(page.get_by_role("slider", name="End of the loop").get_attribute("aria-valuenow")) == 20
    page.get_by_role("slider", name="Pitch").dblclick()
    page.get_by_role("slider", name="Tempo").dblclick()
    until(page, lambda: page.inner_text(".time") == "0:05 / 0:10")


def test_what_is_heard_is_saved(page: Any) -> None:
    page.get_by_role("button", name="Mute: Vocals").click()
    page.get_by_role("slider", name="Volume: Drums").fill("0.5")
    page.get_by_role("slider", name="Left and right: Bass").press("Home")
    page.keyboard.press("l")
    page.get_by_role("slider", name="End of the loop").press("Shift+ArrowLeft")
    page.get_by_role("button", name="Export").click()
    page.get_by_label("Only the loop").check()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save", exact=True).click()
    assert download.value.suggested_filename == "Song - mix.wav"
    saved, _ = soundfile.read(download.value.path())
    assert len(saved) == 10 * RATE - 1
    stem = soundfile.read(io.BytesIO(song(10.0)))[0].T[:, :-1]
    gains = [Fader(volume=0.05), Fader(volume=0.2, pan=-1.0), Fader(volume=0.3)]
    np.testing.assert_allclose(saved.T, mixed(np.stack(3 * [stem]), gains), atol=2e-3)
    page.get_by_text("The file is saved.").wait_for()

    for what, name in (
        ("karaoke", "Song - karaoke.mp3"),
        ("stems", "Song - stems.zip"),
        ("stem bass", "Song - bass.mp3"),
    ):
        page.get_by_label("Format").select_option("mp3")
        page.get_by_label("What").select_option(what)
        with page.expect_download() as download:
            page.get_by_role("button", name="Save", exact=True).click()
        assert download.value.suggested_filename == name
    page.get_by_label("What").select_option("stem.mp4")
    assert page.get_by_label("Format").is_disabled()
    page.keyboard.press("Escape")
    assert page.get_by_role("dialog").count() == 0


def test_nothing_that_is_heard_cannot_be_saved(page: Any) -> None:
    for name in ("Drums", "Bass", "Other", "Vocals"):
        page.get_by_role("button", name=f"Mute: {name}").click()
    page.get_by_role("button", name="Export").click()
    page.get_by_label("What").select_option("mix")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("no stem is heard").wait_for()
    page.get_by_role("button", name="Close").click()


SPECTROGRAM = """async (sound) => {
  const { spectrogram } = await import("/page/spectrogram.js");
  const buffer = new AudioBuffer({ length: sound[0].length, numberOfChannels: 2, sampleRate: 44100 });
  sound.forEach((samples, channel) => buffer.copyToChannel(Float32Array.from(samples), channel));
  return Array.from(await spectrogram(buffer));
}"""


def test_a_spectrogram_is_that_of_numpy(page: Any) -> None:
    time = np.arange(10000) / RATE
    sound = np.stack(2 * [np.where(time < 0.1, np.sin(2 * np.pi * 440 * time), 0.1 * np.sin(2 * np.pi * 5000 * time))])
    sound[0] += 0.01 * np.random.default_rng(0).standard_normal(len(time))
    found = np.array(page.evaluate(SPECTROGRAM, sound.tolist())).reshape(1000, 128)
    mono = np.pad(sound.mean(axis=0), 2048)
    edges = np.floor(40 * 400 ** (np.arange(129) / 128) * 4096 / RATE + 0.5).astype(int)
    for column in (0, 200, 700, 999):
        start = int((column + 0.5) * 10 + 0.5)
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(4096) / 4096)
        power = np.abs(np.fft.rfft(window * mono[start : start + 4096])) ** 2 / 1024**2
        bands = [power[low : max(low + 1, high)].max() for low, high in pairwise(edges)]
        expected = np.clip(1 + 10 * np.log10(np.array(bands)) / 90, 0, 1) * 255
        assert np.abs(found[column] - expected).max() <= 1
    row = int(128 * np.log(440 / 40) / np.log(400))
    assert abs(int(found[200].argmax()) - row) <= 1


def test_a_click_shows_the_spectrogram(page: Any) -> None:
    canvas = page.locator(".lane canvas").nth(4)
    before = canvas.screenshot()
    shown = page.get_by_role("button", name="Spectrogram: Original")
    shown.click()
    until(page, lambda: shown.get_attribute("aria-pressed") == "true")
    assert canvas.screenshot() != before
    shown.click()
    until(page, lambda: shown.get_attribute("aria-pressed") == "false")


def test_a_pan_is_said(page: Any) -> None:
    pan = page.get_by_role("slider", name="Left and right: Bass")
    assert pan.evaluate("node => node.ariaValueText") == "middle"
    pan.press("Home")
    assert pan.evaluate("node => node.ariaValueText") == "100 % left"


def test_a_song_that_no_browser_can_hold_is_not_loaded(studio: Any) -> None:
    sound = {
        "sample_rate": RATE,
        "length": 26 * 60 * RATE,
        "channels": 2,
        "lanes": ["drums", "bass", "other", "vocals"],
    }
    studio.route("**/lanes", lambda route: route.fulfill(json=sound))
    studio.get_by_role("button", name="Play the stems of Song.wav").click()
    studio.get_by_text("too long for the memory of a browser").wait_for()
    assert studio.locator(".lane").count() == 0 and studio.get_by_role("button", name="Play", exact=True).is_disabled()
    studio.unroute("**/lanes")
