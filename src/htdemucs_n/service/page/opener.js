// The song that is open: its lanes are loaded into the player, as they are or in another tempo and pitch.

import * as api from "./api.js";
import { say } from "./words.js";

export class Opener {
  #stage;
  #tell;
  #loading = new AbortController();
  job = null;
  version = null; // {tempo, pitch}; null: as the song is

  /** `tell` shows a line about how far it is. */
  constructor(stage, tell) {
    this.#stage = stage;
    this.#tell = tell;
  }

  /** Open a job. */
  async open(job) {
    this.close();
    this.job = job;
    await this.#load(async (signal) => {
      const { sample_rate: sampleRate, lanes } = await api.lanes(job.id, signal);
      this.#stage.player.open(sampleRate);
      const stems = await this.#stems(lanes, signal);
      if (!signal.aborted) this.#stage.show(stems);
    });
  }

  /** Load the lanes of the open job in another version. */
  async change(version) {
    this.version = version;
    await this.#load(async (signal) => {
      this.#tell(say("rendering"));
      const stems = await this.#stems(this.#stage.player.stems.map((stem) => stem.name), signal);
      if (!signal.aborted) this.#stage.exchange(stems);
    });
  }

  close() {
    this.#loading.abort();
    this.job = null;
    this.version = null;
    if (this.#stage.player.length) this.#stage.clear();
    this.#tell("");
  }

  async #load(work) {
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    try {
      await work(signal);
      if (signal.aborted) return;
      this.#tell("");
      await this.#original(signal);
    } catch (error) {
      if (!signal.aborted) this.#tell(say("unplayable", error.message));
    }
  }

  async #stems(names, signal) {
    const { job, version } = this;
    const peaks = await Promise.all(names.map((name) => api.peaks(job.id, name, signal, version)));
    const stems = [];
    for (const [number, name] of names.entries()) {
      this.#tell(say("loading", number + 1, names.length));
      const buffer = await this.#stage.player.decode(await api.file(job.id, name, signal, version));
      stems.push({ name, buffer, peaks: peaks[number], save: api.fileLink(job.id, name, version) });
    }
    return stems;
  }

  async #original(signal) {
    const { job, version } = this;
    const load = async () => this.#stage.player.decode(await api.file(job.id, "original", signal, version));
    const peaks = await api.peaks(job.id, "original", signal, version); // it is written first, which takes a while
    if (!signal.aborted) this.#stage.showOriginal({ peaks, load });
  }
}
