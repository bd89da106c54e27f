// The sound: all lanes of a song in one Web Audio graph, which start at one moment and so stay together.
//
//   stem -> gain -> pan -> mix -> out        original -> out
//
// Either the mix is heard or the original, at the loudness of the mix.

import { Powers } from "./powers.js";

const SMOOTH = 0.01; // seconds in which a gain settles, so that it does not click
const AHEAD = 0.05; // seconds from now at which the lanes start

export class Player {
  #context = null;
  #stems = []; // {name, buffer, gain, panner, source, volume, pan, muted, solo}
  #original = { name: "original", buffer: null, gain: null, source: null };
  #mix = null;
  #powers = null;
  #hearsOriginal = false;
  #length = 0; // in samples
  #offset = 0; // sample at which it stands, or stood when it was started
  #startedAt = null; // time of the context; null while it is paused
  #loop = null; // {start, end} in samples
  /** The loop that is being drawn, and becomes the loop when the pointer is let go. */
  drawnLoop = null;
  onChange = () => {};

  /** Begin another song, of a sample rate in Hz; its lanes come with `setStems` and `setOriginal`. */
  open(sampleRate, context = contextOf(sampleRate)) {
    this.pause();
    this.#context?.close?.();
    this.#context = context;
    this.#mix = context.createGain();
    this.#original.gain = context.createGain();
    this.#mix.connect(context.destination);
    this.#original.gain.connect(context.destination);
    this.#original.buffer = null;
    this.#hearsOriginal = false;
    this.#loop = null;
    this.setStems([]);
  }

  /** Samples of an encoded file, at the rate of the song. */
  decode(bytes) {
    return this.#context.decodeAudioData(bytes);
  }

  /** Play other stems from now on: `[[name, AudioBuffer], ...]`, all of one length. */
  setStems(stems) {
    this.pause();
    for (const stem of this.#stems) stem.panner.disconnect();
    this.#offset = 0;
    this.#length = Math.max(0, ...stems.map(([, buffer]) => buffer.length));
    this.#powers = stems.length ? new Powers(stems.map(([, buffer]) => buffer)) : null;
    this.#stems = stems.map(([name, buffer]) => {
      const gain = this.#context.createGain();
      // Explicitly stereo: a panner takes 3 dB of a mono source in the middle.
      const panner = new StereoPannerNode(this.#context, { channelCount: 2, channelCountMode: "explicit" });
      gain.connect(panner).connect(this.#mix);
      return { name, buffer, gain, panner, source: null, volume: 1, pan: 0, muted: false, solo: false };
    });
    this.#settle();
  }

  /** Play the stems in another version from now on, one buffer for each; place, loop and faders stay. */
  exchange(buffers) {
    this.#again(() => {
      const factor = Math.max(...buffers.map((buffer) => buffer.length)) / this.#length;
      const moved = (sample) => Math.round(sample * factor);
      this.#stems.forEach((stem, number) => { stem.buffer = buffers[number]; });
      this.#length = moved(this.#length);
      this.#offset = Math.min(moved(this.#offset), this.#length);
      this.#loop &&= { start: moved(this.#loop.start), end: Math.max(moved(this.#loop.end), moved(this.#loop.start) + 1) };
      this.#powers = new Powers(buffers);
      this.#original.buffer = null;
      this.#hearsOriginal = false;
    });
    this.#settle();
  }

  /** The song itself, as long as the stems. It is heard while `hearsOriginal`. */
  setOriginal(buffer) {
    this.#again(() => { this.#original.buffer = buffer; });
  }

  get stems() {
    return this.#stems;
  }

  get original() {
    return this.#original;
  }

  get sampleRate() {
    return this.#context?.sampleRate ?? 44100;
  }

  /** Samples. */
  get length() {
    return this.#length;
  }

  /** Seconds. */
  get duration() {
    return this.#length / this.sampleRate;
  }

  get isPlaying() {
    return this.#startedAt !== null;
  }

  /** Seconds. */
  get position() {
    return this.#sample() / this.sampleRate;
  }

  get loop() {
    return this.#loop;
  }

  get hearsOriginal() {
    return this.#hearsOriginal;
  }

  async play() {
    if (this.isPlaying || !this.#length) return;
    await this.#context.resume(); // browsers begin with sound only after a click
    if (this.isPlaying) return;
    const { start, end } = this.#loop ?? { start: 0, end: this.#length };
    if (this.#offset < start || this.#offset >= end) this.#offset = start;
    const when = this.#context.currentTime + AHEAD;
    for (const lane of this.#lanes()) {
      lane.source = this.#context.createBufferSource();
      lane.source.buffer = lane.buffer;
      if (this.#loop) Object.assign(lane.source, { loop: true, loopStart: this.#seconds(start), loopEnd: this.#seconds(end) });
      lane.source.connect(lane.gain);
      lane.source.start(when, this.#seconds(this.#offset));
      if (!this.#loop) lane.source.stop(when + this.#seconds(this.#length - this.#offset) + AHEAD); // whatever its length
    }
    this.#stems[0].source.onended = () => this.#end();
    this.#startedAt = when;
    this.onChange();
  }

  pause() {
    if (!this.isPlaying) return;
    this.#offset = this.#sample();
    this.#startedAt = null;
    for (const lane of this.#lanes()) {
      if (!lane.source) continue;
      lane.source.onended = null;
      lane.source.stop();
      lane.source.disconnect();
      lane.source = null;
    }
    this.onChange();
  }

  /** Go to a time in seconds; outside the loop, it ends. */
  seek(seconds) {
    this.#again(() => {
      this.#offset = Math.min(Math.max(0, Math.round(seconds * this.sampleRate)), this.#length);
      if (this.#loop && (this.#offset < this.#loop.start || this.#offset >= this.#loop.end)) this.#loop = null;
    });
  }

  /** Repeat the samples from `start` to before `end`, or with null nothing. */
  setLoop(loop) {
    this.#again(() => {
      this.#loop = loop && loop.end > loop.start ? loop : null;
    });
  }

  /** Show a loop that is being drawn; null: it no longer is. */
  drawLoop(loop) {
    this.drawnLoop = loop;
    this.onChange();
  }

  /** Whether a stem is in the mix: those with solo, or where there are none, those that are not muted. */
  isHeard(stem) {
    return this.#stems.some((other) => other.solo) ? stem.solo : !stem.muted;
  }

  /** The volume of a stem in the mix: 0 where it is not heard. */
  level(stem) {
    return this.isHeard(stem) ? stem.volume : 0;
  }

  /** Change `volume`, `pan` (-1 to 1), `muted` or `solo` of a stem. */
  change(stem, values) {
    Object.assign(stem, values);
    this.#settle();
  }

  /** Hear the original in place of the mix, or the mix again. */
  async compare(original) {
    this.#hearsOriginal = original;
    this.#settle();
    if (!original) return;
    await Promise.all([this.#powers?.measure(), this.#original.buffer && this.#powers?.measureOriginal(this.#original.buffer)]);
    this.#settle();
  }

  /** The gain at which the original is as loud as the mix. */
  get originalGain() {
    return this.#powers?.gainOf(this.#original.buffer, this.#stems.map((stem) => [this.level(stem), stem.pan])) ?? 1;
  }

  /** Let all gains be as the state says. */
  #settle() {
    const now = this.#context.currentTime;
    const set = (parameter, value) => (this.isPlaying ? parameter.setTargetAtTime(value, now, SMOOTH) : parameter.setValueAtTime(value, now));
    for (const stem of this.#stems) {
      set(stem.gain.gain, this.level(stem));
      set(stem.panner.pan, stem.pan);
    }
    set(this.#mix.gain, this.#hearsOriginal ? 0 : 1);
    set(this.#original.gain.gain, this.#hearsOriginal ? this.originalGain : 0);
    this.onChange();
  }

  #lanes() {
    return this.#original.buffer ? [...this.#stems, this.#original] : this.#stems;
  }

  #seconds(samples) {
    return samples / this.sampleRate;
  }

  #sample() {
    if (!this.isPlaying) return this.#offset;
    const played = Math.max(0, Math.round((this.#context.currentTime - this.#startedAt) * this.sampleRate));
    const at = this.#offset + played;
    if (!this.#loop) return Math.min(this.#length, at);
    const { start, end } = this.#loop;
    return at < end ? at : start + (at - start) % (end - start);
  }

  /** Change what can only be changed while nothing plays. */
  #again(change) {
    const playing = this.isPlaying;
    this.pause();
    change();
    if (playing) this.play();
    else this.onChange();
  }

  /** All lanes have come to their end. They are not stopped: that would silence what is left of some in this moment. */
  #end() {
    for (const lane of this.#lanes()) lane.source = null;
    this.#startedAt = null;
    this.#offset = 0;
    this.onChange();
  }
}

/** A context at the rate of a song, so that its samples are played as they are; at another where there is none. */
function contextOf(sampleRate) {
  try {
    return new AudioContext({ sampleRate });
  } catch {
    return new AudioContext();
  }
}
