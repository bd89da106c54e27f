// In place of the service: the songs of this tab. It has what the scripts of the studio ask for.

import { Jobs } from "./jobs.js";

export const jobs = new Jobs();

let chosen = () => ({ model: "bands", provider: "wasm" });

/** Let a function say the model and what runs it, for songs that are submitted from now on. */
export function choose(options) {
  chosen = options;
}

export const submit = async (file) => jobs.add(file, chosen());
export const cancel = (id) => jobs.cancel(id);
export const remove = (id) => jobs.remove(id);
export const rename = (id, name) => jobs.rename(id, name);
