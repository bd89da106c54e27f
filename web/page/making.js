// Files that are made of the stems of a song: a mix as the faders stand, some of the stems, or a part of them.

import { RATE } from "./decode.js";
import { panned } from "./powers.js";
import { StemFiles } from "./separation/stem_files.js";
import { HEADER, readSamples } from "./separation/wav.js";
import { zipParts } from "./separation/zip.js";

const PART = 2 ** 18; // samples that are in memory at once, for each stem
const KEPT = 60_000; // milliseconds in which the browser has to begin to save a file

/**
 * Make a file of stems, `{name, blob, channels}` each, as 16-bit WAV.
 *
 * `wanted` is `{start, end, mix, title, stems}`, all of them optional: seconds; `{volume, pan}` by stem; what a mix is
 * called; names of stems, otherwise all of them.
 */
export async function makeFile(stems, title, { start = 0, end = Infinity, mix = null, title: kind = "mix", stems: names = null }) {
  const used = stems.filter(({ name }) => (mix ? name in mix : !names || names.includes(name)));
  const files = new StemFiles(mix ? [kind] : used.map(({ name }) => name), RATE);
  const size = 2 * used[0].channels; // bytes of one sample of all channels
  const last = Math.min(Math.round(end * RATE), (used[0].blob.size - HEADER) / size);
  for (let place = Math.round(start * RATE); place < last; place += PART) {
    const until = Math.min(last, place + PART);
    const parts = await Promise.all(used.map(async ({ blob, channels }) => {
      const bytes = await blob.slice(HEADER + place * size, HEADER + until * size).arrayBuffer();
      return readSamples(bytes, channels);
    }));
    files.add(mix ? [mixed(parts, used.map(({ name }) => mix[name]))] : parts);
  }
  const written = await files.finish();
  const one = written.length === 1;
  const blob = one ? written[0].blob : new Blob(zipParts(written.map((file) => ({ ...file, name: `${file.name}.wav` }))));
  const href = URL.createObjectURL(blob);
  setTimeout(() => URL.revokeObjectURL(href), KEPT);
  return { link: { href, download: `${title} - ${one ? `${written[0].name}.wav` : "stems.zip"}` }, gain: files.gain, sampleRate: RATE };
}

/** The sum `[left, right]` of stems `[channel, ...]` at their volumes and pans, as the player sounds. */
function mixed(stems, faders) {
  const sum = [0, 1].map(() => new Float32Array(stems[0][0].length));
  for (const [number, channels] of stems.entries()) {
    const { volume = 1, pan = 0 } = faders[number];
    const [left, right] = [channels[0], channels[1] ?? channels[0]];
    for (const [side, [ofLeft, ofRight]] of panned(pan).entries()) {
      for (let n = 0; n < left.length; n++) sum[side][n] += volume * (ofLeft * left[n] + ofRight * right[n]);
    }
  }
  return sum;
}
