// The files of stems. Their samples wait in blobs, which the browser may keep on the disk: whether a stem exceeds full
// scale is known at the end, and then one gain is for all of them, so that they still add up.

import { Outline } from "./outline.js";
import { wavHeader, wavSamples } from "./wav.js";
import { crc32 } from "./zip.js";

export class StemFiles {
  #rate;
  #channels = 0;
  #stems; // {name, blocks, outline}

  constructor(names, rate) {
    this.#rate = rate;
    this.#stems = names.map((name) => ({ name, blocks: [], outline: new Outline() }));
  }

  /** Add the next part of all stems, `[channel, ...]` each. */
  add(parts) {
    this.#channels = parts[0].length;
    for (const [number, { blocks, outline }] of this.#stems.entries()) {
      outline.add(parts[number]);
      blocks.push(new Blob(parts[number]));
    }
  }

  /** What all samples are multiplied with, so that none exceeds full scale; known once all are added. */
  get gain() {
    return 1 / Math.max(1, ...this.#stems.map(({ outline }) => outline.peak));
  }

  /** The files, once all is added: `{name, blob, channels, crc, outline}` of each stem. */
  async finish() {
    const { gain } = this;
    const files = [];
    for (const { name, blocks, outline } of this.#stems) {
      const bytes = blocks.reduce((sum, block) => sum + block.size / 2, 0);
      const header = wavHeader(bytes, this.#channels, this.#rate);
      const parts = [header];
      let crc = crc32(header);
      while (blocks.length) {
        const planes = new Float32Array(await blocks.shift().arrayBuffer());
        const samples = wavSamples(planes, this.#channels, gain);
        crc = crc32(samples, crc);
        parts.push(new Blob([samples]));
      }
      const blob = new Blob(parts, { type: "audio/wav" });
      files.push({ name, blob, channels: this.#channels, crc, outline: outline.points(gain) });
    }
    return files;
  }
}
