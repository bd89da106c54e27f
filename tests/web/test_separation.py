"""The separation in JavaScript, run by Node, against that in Python."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from torch import Tensor

from audio_helpers import tones
from htdemucs_n import Separator
from htdemucs_n.audio import write_wav
from htdemucs_n.engines.stft import STFT
from htdemucs_n.models.graph_info import GraphInfo
from htdemucs_n.models.names import graph_paths
from htdemucs_n.service.peaks import outline
from web_helpers import floats, needs_node, needs_runtime, node

TRANSFORM = """
import { FFT } from "./separation/fft.js";
const numbers = read(a0, Float64Array);
const [re, im] = [numbers.subarray(0, a2), numbers.subarray(a2)];
new FFT(Number(a2)).forward(re, im);
write(a1, [re, im]);
"""


@needs_node
@pytest.mark.parametrize("length", [2, 8, 64, 2048, 4096])
def test_the_transform_is_that_of_numpy(tmp_path: Path, length: int) -> None:
    numbers = np.random.default_rng(length).standard_normal((2, length))
    numbers.tofile(tmp_path / "in")
    node(TRANSFORM, tmp_path / "in", tmp_path / "out", length)
    re, im = np.fromfile(tmp_path / "out").reshape(2, length)
    np.testing.assert_allclose(re + 1j * im, np.fft.fft(numbers[0] + 1j * numbers[1]), atol=1e-12 * length)


STFT_AND_BACK = """
import { STFT } from "./separation/stft.js";
const samples = read(a0);
const length = samples.length / 2;
const audio = [samples.subarray(0, length), samples.subarray(length)];
const stft = new STFT(Number(a3));
const spectrum = stft.forward(audio);
const back = audio.map((channel) => new Float32Array(length));
stft.addInverse(spectrum, back);
write(a1, [spectrum]);
write(a2, back);
"""


@needs_node
@pytest.mark.parametrize(("size", "length"), [(4096, 176_400), (4096, 1000), (1024, 5000), (2048, 1)])
def test_the_stft_is_that_of_the_engines(tmp_path: Path, size: int, length: int) -> None:
    audio = np.random.default_rng(0).standard_normal((2, length)).astype(np.float32)
    audio.tofile(tmp_path / "in")
    node(STFT_AND_BACK, tmp_path / "in", tmp_path / "spectrum", tmp_path / "back", size)
    wanted = STFT(size).forward(audio)
    spectrum = floats(tmp_path / "spectrum", *wanted.shape, 2)
    assert np.abs(spectrum[..., 0] + 1j * spectrum[..., 1] - wanted).max() < 2e-6
    back = floats(tmp_path / "back", 2, length)
    assert np.abs(back - STFT(size).inverse([wanted], wanted.shape[1])[:, :length]).max() < 5e-6


INFO = """
import { GraphInfo } from "./separation/graph_info.js";
const info = GraphInfo.ofFile(readFileSync(a0));
console.log(JSON.stringify([info, [1, 1000, 176400, 200000].map((length) => info.paddedLength(length, 176400))]));
"""


@needs_node
@pytest.mark.parametrize("name", ["bands", "small"])
def test_the_description_of_a_graph_is_read(name: str) -> None:
    import onnxruntime

    [path] = graph_paths(name)
    metadata = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    info, lengths = json.loads(node(INFO, path))
    assert info == json.loads(metadata["graph"])
    wanted = GraphInfo.from_metadata(metadata, str(path))
    assert lengths == [wanted.padded_length(length, 4.0) for length in (1, 1000, 176400, 200000)]


@needs_node
def test_a_graph_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other.onnx").write_bytes(graph_paths("bands")[0].read_bytes().replace(b"htdemucs_n-graph", b"x" * 16))
    with pytest.raises(AssertionError, match="the model is of another version: build the page again"):
        node(INFO, tmp_path / "other.onnx")


SEPARATE = """
import * as ort from "onnxruntime-web/wasm";
import { openModel } from "./separation/models.js";
import { Outline } from "./separation/outline.js";
import { StemFiles } from "./separation/stem_files.js";
import { zipParts } from "./separation/zip.js";
ort.env.wasm.numThreads = 1; // Node has no workers of the web
const weights = "../src/htdemucs_n/models/weights/";
const separator = await openModel(a0, async (name) => new Uint8Array(readFileSync(weights + name)), ort);
const samples = read(a1);
const length = samples.length / a2;
const audio = Array.from({ length: Number(a2) }, (_, n) => samples.subarray(n * length, (n + 1) * length));
const part = async (start, count) => audio.map((channel) => channel.slice(start, start + count));
const files = new StemFiles(separator.sources, separator.rate);
const whole = new Outline();
const stems = separator.sources.map(() => audio.map(() => []));
let parts = 0;
for await (const { mixture, stems: estimates } of separator.separate(length, part)) {
  files.add(estimates);
  whole.add(mixture);
  estimates.forEach((stem, number) => stem.forEach((channel, side) => stems[number][side].push(channel)));
  parts += 1;
}
const written = await files.finish();
const zip = new Blob(zipParts(written.map((file) => ({ ...file, name: `${file.name} 歌.wav` }))));
write(`${a3}/stems`, stems.flat(2));
writeFileSync(`${a3}/zip`, Buffer.from(await zip.arrayBuffer()));
for (const file of [...written, { name: "original", outline: whole.points() }]) {
  write(`${a3}/${file.name}.outline`, [file.outline]);
}
console.log(JSON.stringify([parts, separator.segments(length)]));
"""


@needs_runtime
@pytest.mark.slow
@pytest.mark.parametrize(("model", "seconds", "channels", "gain"), [("bands", 10.0, 2, 1.0), ("duo", 5.0, 1, 3.0)])
def test_the_stems_are_those_of_python(
    tmp_path: Path, demo_stems: dict[str, Tensor], model: str, seconds: float, channels: int, gain: float
) -> None:
    mixture = gain * sum(stem.numpy() for stem in demo_stems.values())[:channels, : round(44100 * seconds)]
    mixture.tofile(tmp_path / "in")
    parts, segments = json.loads(node(SEPARATE, model, tmp_path / "in", channels, tmp_path))
    assert parts == segments > 1
    wanted = Separator(model, engine="onnx").separate(mixture, 44100)
    stems = floats(tmp_path / "stems", 4, *mixture.shape)
    assert np.abs(stems - np.stack(list(wanted.values()))).max() < 1e-4 * gain
    assert np.abs(stems.sum(axis=0) - mixture).max() < 1e-5

    peak = max(1.0, float(np.abs(stems).max()))
    assert (peak > 1) == (gain > 1)
    with zipfile.ZipFile(tmp_path / "zip") as packed:
        assert packed.testzip() is None
        assert packed.namelist() == [f"{name} 歌.wav" for name in wanted]
        for name, stem in zip(wanted, stems, strict=True):
            samples, rate = soundfile.read(io.BytesIO(packed.read(f"{name} 歌.wav")), always_2d=True)
            assert rate == 44100 and np.abs(samples.T - stem / peak).max() <= 1.01 / 32768

    if gain == 1:
        write_wav(tmp_path / "mixture.wav", mixture, 44100)
        drawn = np.fromfile(tmp_path / "original.outline", np.int8)
        assert np.abs(drawn - np.frombuffer(outline(tmp_path / "mixture.wav"), np.int8).astype(int)).max() <= 1
        assert np.abs(drawn).max() == round(127 * np.abs(mixture).max())


@needs_runtime
def test_silence_gives_silence_and_damaged_samples_an_error(tmp_path: Path) -> None:
    np.zeros((2, 100), np.float32).tofile(tmp_path / "in")
    node(SEPARATE, "bands", tmp_path / "in", 2, tmp_path)
    assert not floats(tmp_path / "stems", 4, 2, 100).any()
    damaged = tones((440, 660), 44100, 0.1)
    damaged[0, 7] = np.nan
    damaged.tofile(tmp_path / "in")
    with pytest.raises(AssertionError, match="the song has samples that are no numbers"):
        node(SEPARATE, "bands", tmp_path / "in", 2, tmp_path)


AGREEING = """
import { agreeing } from "./separation/models.js";
const gives = (number) => async () => ({ masks: { data: Float32Array.of(0, number) } });
const refused = [];
const results = [];
for (const other of [0.5005, 0.502, NaN]) {
  const run = agreeing(gives(0.5), async () => gives(other), (reason) => refused.push(reason));
  results.push((await run()).masks.data[1], (await run()).masks.data[1]);
}
const broken = agreeing(gives(0.5), () => { throw new Error("no card"); }, (reason) => refused.push(reason));
results.push((await broken()).masks.data[1], (await broken()).masks.data[1]);
console.log(JSON.stringify([results, refused]));
"""


@needs_node
def test_the_graphics_card_is_taken_where_it_agrees() -> None:
    results, refused = json.loads(node(AGREEING))
    np.testing.assert_allclose(results, [0.5, 0.5005, *[0.5] * 6], atol=1e-6)
    assert refused == ["its numbers differ by 0.0020", "its numbers differ by NaN", "no card"]
