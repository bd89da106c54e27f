// A network around its graph, as `htdemucs_n/engines/graph.py` and `zones.py` have it:
//
// segment [left, right] -> pad -> scale to an RMS of 1 -> STFTs -> graph -> masks x spectrum -> inverse STFT
//      -> + waveforms -> spread what is missing of the mixture over the stems -> undo the scale -> stems

import { STFT } from "./stft.js";

export class Graph {
  #run;
  #stfts;

  /**
   * @param run a function from the inputs of the graph to its outputs, by their names: `{data, dims}` each.
   * @param info its `GraphInfo`.
   */
  constructor(run, info) {
    this.#run = run;
    this.info = info;
    this.#stfts = new Map([...info.n_ffts, info.output_n_fft].map((size) => [size, new STFT(size)]));
  }

  /** The stems of `[left, right]`, a pair `[left, right]` each; the network takes segments of `segment` samples. */
  async separate(mixture, segment) {
    const { info } = this;
    const length = mixture[0].length;
    const audio = mixture.map((channel) => {
      const padded = new Float32Array(info.paddedLength(length, segment));
      padded.set(channel);
      return padded;
    });
    const scale = info.level ? scaleToLevel(audio) : 1;
    const spectra = new Map([...this.#stfts].map(([size, stft]) => [size, stft.forward(audio)]));
    const outputs = await this.#run(this.#inputs(audio, spectra));
    const samples = audio[0].length;
    const zones = zonesOf(info, outputs);
    const masked = new Float32Array(spectra.get(info.output_n_fft).length);
    const stems = info.sources.map((_, stem) => {
      const channels = audio.map((_, channel) => {
        const start = (2 * stem + channel) * samples;
        return outputs.waveforms?.data.slice(start, start + samples) ?? new Float32Array(samples);
      });
      if (zones.length) {
        applyMasks(zones, stem, spectra.get(info.output_n_fft), masked);
        this.#stfts.get(info.output_n_fft).addInverse(masked, channels);
      }
      return channels;
    });
    if (info.consistency) addUp(stems, audio);
    return stems.map((stem) => stem.map((channel) => channel.subarray(0, length).map((value) => value * scale)));
  }

  #inputs(audio, spectra) {
    const samples = audio[0].length;
    return Object.fromEntries(this.info.inputs.map((name) => {
      if (name !== "audio") {
        const size = Number(name.split("_")[1]);
        const bins = size / 2;
        const data = spectra.get(size);
        return [name, { data, dims: [1, 2, data.length / (4 * bins), bins, 2] }];
      }
      const data = new Float32Array(2 * samples);
      audio.forEach((channel, number) => data.set(channel, number * samples));
      return [name, { data, dims: [1, 2, samples] }];
    }));
  }
}

/** Give all stems in equal parts what they lack of the mixture, so that they add up to it. */
export function addUp(stems, mixture) {
  for (const [number, wanted] of mixture.entries()) {
    const parts = stems.map((stem) => stem[number]);
    for (let n = 0; n < wanted.length; n++) {
      let sum = 0;
      for (const part of parts) sum += part[n];
      const missing = (wanted[n] - sum) / parts.length;
      for (const part of parts) part[n] += missing;
    }
  }
}

/** Divide channels by their RMS, which is returned. */
function scaleToLevel(audio) {
  let power = 0;
  for (const channel of audio) for (const sample of channel) power += sample * sample;
  const scale = Math.sqrt(power / (audio.length * audio[0].length)) + 1e-5;
  for (const channel of audio) for (let n = 0; n < channel.length; n++) channel[n] /= scale;
  return scale;
}

/** The masks from low bands to high, `{data, bands, bins}` each: (bands, 1, frames, S, 2, bins, 2). */
function zonesOf(info, outputs) {
  return info.outputs
    .filter((name) => name.startsWith("masks_"))
    .sort((a, b) => Number(a.split("_")[1]) - Number(b.split("_")[1]))
    .map((name) => ({ data: outputs[name].data, bands: outputs[name].dims[0], bins: outputs[name].dims[5] }));
}

/** Multiply the mixture's spectrum (2, frames, bins, 2) with the complex masks of a stem into `masked`. */
function applyMasks(zones, stem, mixture, masked) {
  const total = zones.reduce((sum, zone) => sum + zone.bands * zone.bins, 0);
  const frames = mixture.length / (4 * total);
  let first = 0; // bin
  for (const { data, bands, bins } of zones) {
    const stems = data.length / (bands * frames * 2 * bins * 2);
    for (let band = 0; band < bands; band++, first += bins) {
      for (let frame = 0; frame < frames; frame++) {
        let mask = ((band * frames + frame) * stems + stem) * 2 * bins * 2;
        for (let channel = 0; channel < 2; channel++) {
          let place = ((channel * frames + frame) * total + first) * 2;
          for (const end = mask + 2 * bins; mask < end; mask += 2, place += 2) {
            const [re, im] = [data[mask], data[mask + 1]];
            const [x, y] = [mixture[place], mixture[place + 1]];
            masked[place] = re * x - im * y;
            masked[place + 1] = re * y + im * x;
          }
        }
      }
    }
  }
}
