// The songs of this tab, separated one after the other by the worker. A job has the form of one of the service.

import { decode } from "./decode.js";
import { zipParts } from "./separation/zip.js";
import { say } from "./words.js";

/** Words of the errors of the worker, of ONNX Runtime and of browsers; the first that fit name what is said. */
const REASONS = [
  [/alloc|memory|OOM/i, "noMemory"],
  [/another version|of this kind/, "otherVersion"],
  [/no numbers/, "damagedSong"],
  [/fetch|import|models\/|session|backend/i, "noModel"], // also where the host gave another file in its place
];

export class Jobs {
  #jobs = new Map(); // by id: {job, file, results}
  #worker = null;
  #running = null; // its id
  #stop = () => {};
  onJob = () => {};
  onDeleted = () => {};
  onNote = () => {};

  /** Queue a file; `options` are the model and what runs it. */
  add(file, options) {
    const id = String(this.#jobs.size ? Math.max(...[...this.#jobs.keys()].map(Number)) + 1 : 1);
    const job = { id, name: file.name, model: options.model, state: "queued", progress: 0, error: null, files: {} };
    this.#jobs.set(id, { job, file, options, results: null });
    setTimeout(() => this.#next());
    return { ...job };
  }

  get(id) {
    return this.#jobs.get(id);
  }

  /** What a job is called in the names of files. */
  title(id) {
    return this.get(id).job.name.replace(/\.[^.]*$/, "");
  }

  get isEmpty() {
    return !this.#jobs.size;
  }

  get isBusy() {
    return this.#running !== null;
  }

  cancel(id) {
    if (id === this.#running) this.#stop();
    else if (this.#jobs.get(id).job.state === "queued") this.#change(id, { state: "cancelled" });
  }

  remove(id) {
    const { results } = this.#jobs.get(id);
    for (const { address } of results?.files ?? []) URL.revokeObjectURL(address);
    if (results) URL.revokeObjectURL(results.zip);
    this.#jobs.delete(id);
    this.onDeleted(id);
  }

  rename(id, name) {
    this.#change(id, { name });
  }

  async #next() {
    const waiting = [...this.#jobs.values()].find(({ job }) => job.state === "queued");
    if (this.#running || !waiting) return;
    const { id } = waiting.job;
    this.#running = id;
    this.#change(id, { state: "running" });
    try {
      const results = await this.#separate(waiting);
      waiting.results = linked(results);
      const files = Object.fromEntries(results.files.map(({ name }) => [name, `${name}.wav`]));
      this.#change(id, { state: "done", progress: 1, files });
    } catch (error) {
      if (error.name === "AbortError") this.#change(id, { state: "cancelled" });
      else this.#change(id, { state: "failed", error: error.message });
    }
    this.#running = null;
    this.#next();
  }

  /** Separate the song of a job: `{files, outline}`, as the worker gives them. */
  async #separate({ job, file, options }) {
    let stopped = false;
    this.#stop = () => { stopped = true; };
    const buffer = await decode(file);
    const channels = Array.from({ length: buffer.numberOfChannels }, (_, number) => buffer.getChannelData(number));
    this.#worker ??= new Worker("worker.js", { type: "module" });
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      const fail = (error) => {
        worker.terminate(); // with the memory that it has
        this.#worker = null;
        reject(error);
      };
      worker.onerror = (event) => fail(new Error(reasonOf(event.message ?? "")));
      worker.onmessage = ({ data }) => {
        if (data.read) {
          const { start, samples } = data.read;
          worker.postMessage({ samples: stopped ? null : channels.map((channel) => channel.slice(start, start + samples)) });
        } else if (data.progress) {
          this.#change(job.id, { progress: data.progress });
        } else if (data.refused) {
          this.onNote(say("gpuRefused", data.refused));
        } else if (data.files) {
          resolve(data);
        } else if (data.error.name === "AbortError") {
          reject(new DOMException("cancelled", "AbortError"));
        } else {
          fail(new Error(reasonOf(data.error.message)));
        }
      };
      worker.postMessage({ separate: { ...options, length: buffer.length } });
    });
  }

  #change(id, values) {
    const { job } = this.#jobs.get(id);
    Object.assign(job, values);
    this.onJob({ ...job });
  }
}

/** The results with addresses under which the page finds them. */
function linked({ files, outline }) {
  const zip = new Blob(zipParts(files.map((file) => ({ ...file, name: `${file.name}.wav` }))), { type: "application/zip" });
  return {
    outline,
    files: files.map((file) => ({ ...file, address: URL.createObjectURL(file.blob) })),
    zip: URL.createObjectURL(zip),
  };
}

/** What the page says of an error of the worker; another one is shown as it is. */
function reasonOf(message) {
  const known = REASONS.find(([words]) => words.test(message));
  return known ? say(known[1]) : message.split("\n")[0].slice(0, 200);
}
