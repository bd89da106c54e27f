// The sound: all stems of a song in one Web Audio graph, which start at one moment and so stay together.

const SMOOTH = 0.01; // seconds in which a gain settles, so that it does not click

export class Player {
  #context = new AudioContext();
  #stems = []; // {name, buffer, gain, source, volume, muted, solo}
  #offset = 0; // where in the song it stands, or stood when it was started
  #startedAt = null; // time of the context; null while it is paused
  onChange = () => {};

  /** Play other stems from now on: `[[name, AudioBuffer], ...]`. */
  setStems(stems) {
    this.pause();
    for (const stem of this.#stems) stem.gain.disconnect();
    this.#offset = 0;
    this.#stems = stems.map(([name, buffer]) => {
      const gain = this.#context.createGain();
      gain.connect(this.#context.destination);
      return { name, buffer, gain, source: null, volume: 1, muted: false, solo: false };
    });
    this.onChange();
  }

  /** Samples of an encoded file. */
  decode(bytes) {
    return this.#context.decodeAudioData(bytes);
  }

  get stems() {
    return this.#stems;
  }

  get duration() {
    return Math.max(0, ...this.#stems.map((stem) => stem.buffer.duration));
  }

  get isPlaying() {
    return this.#startedAt !== null;
  }

  get position() {
    const played = this.isPlaying ? Math.max(0, this.#context.currentTime - this.#startedAt) : 0;
    return Math.min(this.duration, this.#offset + played);
  }

  async play() {
    if (this.isPlaying || !this.#stems.length) return;
    await this.#context.resume(); // browsers begin with sound only after a click
    if (this.#offset >= this.duration) this.#offset = 0;
    const when = this.#context.currentTime + 0.05;
    for (const stem of this.#stems) {
      stem.source = this.#context.createBufferSource();
      stem.source.buffer = stem.buffer;
      stem.source.connect(stem.gain);
      stem.source.start(when, this.#offset);
    }
    this.#stems[0].source.onended = () => this.isPlaying && this.position >= this.duration - 0.1 && this.#end();
    this.#startedAt = when;
    this.onChange();
  }

  pause() {
    if (!this.isPlaying) return;
    this.#offset = this.position;
    this.#startedAt = null;
    for (const stem of this.#stems) {
      stem.source.onended = null;
      stem.source.stop();
      stem.source.disconnect();
    }
    this.onChange();
  }

  seek(seconds) {
    const playing = this.isPlaying;
    this.pause();
    this.#offset = Math.min(Math.max(0, seconds), this.duration);
    if (playing) this.play();
    else this.onChange();
  }

  /** Whether a stem is heard: those with solo, or where there are none, those that are not muted. */
  isHeard(stem) {
    return this.#stems.some((other) => other.solo) ? stem.solo : !stem.muted;
  }

  /** Change `volume`, `muted` or `solo` of a stem. */
  change(stem, values) {
    Object.assign(stem, values);
    for (const each of this.#stems) {
      const level = this.isHeard(each) ? each.volume : 0;
      each.gain.gain.setTargetAtTime(level, this.#context.currentTime, SMOOTH);
    }
    this.onChange();
  }

  #end() {
    this.pause();
    this.#offset = 0;
    this.onChange();
  }
}
