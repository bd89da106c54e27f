// Separates one song after the other, beside the page.
//
//   page -> {separate: {model, provider, length}}, then for every {read} a {samples}, null where it was cancelled
//   worker -> {read: {start, samples}}, {progress}, at last {files, outline} or {error}

import { openModel } from "./separation/models.js";
import { Outline } from "./separation/outline.js";
import { StemFiles } from "./separation/stem_files.js";

const MOST_THREADS = 8;

let opened = { key: null, separator: null };
let answer = null; // resolves the read that waits

onmessage = ({ data }) => {
  if ("samples" in data) answer(data.samples);
  else separate(data.separate).catch((error) => postMessage({ error: { name: error.name, message: error.message } }));
};

/** A part of the song, which the page has. */
async function read(start, samples) {
  postMessage({ read: { start, samples } });
  const channels = await new Promise((resolve) => { answer = resolve; });
  if (!channels) throw new DOMException("cancelled", "AbortError");
  return channels;
}

async function separate({ model, provider, length }) {
  const separator = await open(model, provider);
  const files = new StemFiles(separator.sources, separator.rate);
  const segments = separator.segments(length);
  const outline = new Outline();
  let done = 0;
  for await (const { mixture, stems } of separator.separate(length, read)) {
    outline.add(mixture);
    files.add(stems);
    postMessage({ progress: ++done / segments });
  }
  postMessage({ files: await files.finish(), outline: outline.points() });
}

/** The separator of a model; the one that was used last is kept. */
async function open(model, provider) {
  const key = `${model} ${provider}`;
  if (opened.key !== key) {
    opened = { key: null, separator: null };
    const gpu = provider === "webgpu" ? await runtime("webgpu") : null;
    const separator = await openModel(model, load, await runtime("wasm"), gpu, (refused) => postMessage({ refused }));
    opened = { key, separator };
  }
  return opened.separator;
}

/** ONNX Runtime. Threads need memory that they share, which a browser allows where the page is isolated from others. */
async function runtime(kind) {
  const ort = await import(`./ort/ort.${kind}.min.mjs`);
  ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
  return ort;
}

async function load(name) {
  const response = await fetch(new URL(`./models/${name}`, import.meta.url));
  if (!response.ok) throw new Error(`models/${name}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}
