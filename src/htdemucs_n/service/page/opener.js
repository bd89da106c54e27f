// The song that is open: its lanes are loaded into the player, as they are or in another tempo and pitch.

import * as api from "./api.js";
import { factLine } from "./facts.js";
import { say } from "./words.js";

const GLANCE = 1500; // milliseconds that a song is open before its tempo and key are asked for, which takes a while

const MOST = 2 ** 31; // bytes of samples that a browser can be expected to hold: 25 minutes of four stereo stems

export class Opener {
  #stage;
  #tell;
  #loading = new AbortController();
  #facts = null;
  findsFacts = Boolean(api.facts);
  onFacts = () => {}; // gets a line about the tempo and the key
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
      const { sample_rate: sampleRate, length, channels, lanes } = await api.lanes(job.id, signal);
      if (4 * length * channels * lanes.length > MOST) throw new Error(say("tooLong"));
      this.#stage.player.open(sampleRate);
      const stems = await this.#stems(lanes, signal);
      if (!signal.aborted) this.#stage.show(stems);
    });
    if (this.findsFacts && this.job === job) await this.#find(job);
  }

  /** Load the lanes of the open job in another version. */
  async change(version) {
    this.version = version;
    await this.#load(async (signal) => {
      this.#tell(say("rendering"));
      const stems = await this.#stems(this.#stage.player.stems.map((stem) => stem.name), signal);
      if (!signal.aborted) this.#stage.exchange(stems);
      this.#showFacts();
    });
  }

  close() {
    this.#loading.abort();
    this.job = null;
    this.version = null;
    this.#facts = null;
    this.#showFacts();
    if (this.#stage.player.length) this.#stage.clear();
    this.#tell("");
  }

  async #find(job) {
    await new Promise((resolve) => setTimeout(resolve, GLANCE));
    if (this.job !== job) return;
    try {
      const facts = await api.facts(job.id);
      if (this.job !== job) return;
      this.#facts = facts;
      this.#showFacts();
    } catch (error) {
      if (this.job === job) this.onFacts(error.message);
    }
  }

  /** Show the facts as they are in this version. */
  #showFacts() {
    const version = this.version ?? { tempo: 1, pitch: 0 };
    this.#stage.showBeats((this.#facts?.beats ?? []).map((time) => time / version.tempo));
    this.onFacts(this.#facts ? factLine(this.#facts, version) : "");
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
