// A song in overlapping segments, as `htdemucs_n/separation` has it: level, networks, overlap-add, and stems that add up
// to the mixture. Only one segment is in memory, and what the next one overlaps.

import { addUp } from "./graph.js";

const TINY = 2 ** -126; // the smallest normal float32: what is less loud is silence

export class Separator {
  #graphs;
  #segment;
  #hop;

  /** The mean of the stems of `graphs`, which separate the same sources at one rate. */
  constructor(graphs) {
    const infos = graphs.map((graph) => graph.info);
    const overlap = Math.min(...infos.map((info) => info.overlap));
    this.#graphs = graphs;
    this.sources = infos[0].sources;
    this.rate = infos[0].samplerate;
    this.#segment = Math.round(Math.min(...infos.map((info) => info.segment)) * this.rate);
    this.#hop = Math.max(1, Math.round(this.#segment * (1 - overlap)));
  }

  /** How many segments a song of `length` samples has. */
  segments(length) {
    return 1 + Math.max(0, Math.ceil((length - this.#segment) / this.#hop));
  }

  /**
   * Separate a song of `length` samples. `read(start, samples)` resolves to a part of it, one or two channels.
   * Yields one part after another, its `mixture` and its `stems`: `[channel, ...]` each, of as many as the song has.
   */
  async *separate(length, read) {
    const joiner = new Joiner(this.#segment, this.#hop);
    const count = this.segments(length);
    for (let number = 0; number < count; number++) {
      const place = number * this.#hop;
      const start = Math.max(0, Math.min(place, length - this.#segment)); // the last one is full as well
      const whole = await read(start, Math.min(this.#segment, length));
      const estimate = await this.#estimate([whole[0], whole[1] ?? whole[0]]);
      const stems = joiner.join(estimate, place - start, number === count - 1);
      const mixture = whole.map((channel) => channel.slice(place - start, place - start + stems[0][0].length));
      addUp(stems, [mixture[0], mixture[1] ?? mixture[0]]);
      yield { mixture, stems: mixture.length === 2 ? stems : stems.map(([left, right]) => [mean(left, right)]) };
    }
  }

  /** The stems of a segment `[left, right]`, which the networks get with mean 0 and standard deviation 1. */
  async #estimate(mixture) {
    const { offset, deviation } = levelOf(mixture);
    if (!(deviation >= TINY)) return this.sources.map(() => mixture.map((channel) => new Float32Array(channel.length)));
    const normal = mixture.map((channel) => channel.map((value) => (value - offset) / deviation));
    const share = deviation / this.#graphs.length;
    const stems = this.sources.map(() => mixture.map((channel) => new Float32Array(channel.length)));
    for (const graph of this.#graphs) {
      const part = await graph.separate(normal, this.#segment);
      for (const [stem, channels] of stems.entries()) {
        for (const [number, channel] of channels.entries()) {
          const values = part[stem][number];
          for (let n = 0; n < channel.length; n++) channel[n] += share * values[n];
        }
      }
    }
    return stems;
  }
}

const mean = (left, right) => left.map((value, n) => (value + right[n]) / 2);

/** Mean and standard deviation over all channels. */
function levelOf(channels) {
  const count = channels.length * channels[0].length;
  let sum = 0;
  for (const channel of channels) for (const value of channel) sum += value;
  const offset = sum / count;
  let power = 0;
  for (const channel of channels) for (const value of channel) power += (value - offset) ** 2;
  return { offset, deviation: Math.sqrt(power / count) };
}

/** Joins the stems of segments: weighted by a triangle, and divided by the sum of the triangles at every sample. */
class Joiner {
  #hop;
  #triangle;
  #tail = null; // weighted sums that are not final yet, as stems
  #weight = new Float64Array(0); // of these

  constructor(segment, hop) {
    this.#hop = hop;
    this.#triangle = Float32Array.from({ length: segment }, (_, n) => Math.min(n + 1, segment - n) / segment);
  }

  /** Take the stems of a segment without the first `skip` samples; returns what is final: all of it after the last. */
  join(stems, skip, last) {
    const total = stems.map((stem) => stem.map((channel) => channel.subarray(skip)));
    const length = total[0][0].length;
    const weight = Float64Array.from(this.#triangle.subarray(0, length));
    for (const [stem, channels] of total.entries()) {
      for (const [number, channel] of channels.entries()) {
        for (let n = 0; n < length; n++) channel[n] *= weight[n];
        const tail = this.#tail?.[stem][number] ?? [];
        for (let n = 0; n < tail.length; n++) channel[n] += tail[n];
      }
    }
    for (let n = 0; n < this.#weight.length; n++) weight[n] += this.#weight[n];
    const end = last ? length : this.#hop;
    this.#tail = total.map((stem) => stem.map((channel) => channel.slice(end)));
    this.#weight = weight.slice(end);
    return total.map((stem) => stem.map((channel) => channel.slice(0, end).map((value, n) => value / weight[n])));
  }
}
