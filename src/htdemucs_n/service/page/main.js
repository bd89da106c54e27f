// The page: files dropped or chosen go to the service, separated songs to the player.

import * as api from "./api.js";
import { acceptDrops } from "./drop.js";
import { Songs } from "./songs.js";
import { Stage } from "./stage.js";
import { fillIn, say } from "./words.js";

const at = (id) => document.getElementById(id);
const stage = new Stage();
let opening = new AbortController();
let opened = null;

fillIn(document.body);
at("stage").append(stage.root);
const songs = new Songs(at("list"), at("none"), open);

api.follow({
  onJob: (job) => {
    songs.show(job);
    if (job.id === opened) at("playing").textContent = job.name;
  },
  onDeleted: (id) => {
    songs.forget(id);
    if (id === opened) close();
  },
  onConnection: (there) => { at("connection").textContent = there ? "" : say("lost"); },
});

/** Load the lanes of a job into the player. */
async function open(job) {
  close();
  const { signal } = opening;
  opened = job.id;
  songs.choose(job.id);
  at("player").hidden = false;
  at("playing").textContent = job.name;
  Object.assign(at("zip"), api.zipLink(job.id));
  try {
    const { sample_rate: sampleRate, lanes } = await api.lanes(job.id, signal);
    stage.player.open(sampleRate);
    const outlines = await Promise.all(lanes.map((name) => api.peaks(job.id, name, signal)));
    const stems = [];
    for (const [number, name] of lanes.entries()) {
      at("state").textContent = say("loading", number + 1, lanes.length);
      const buffer = await stage.player.decode(await api.file(job.id, name, signal));
      stems.push({ name, buffer, peaks: outlines[number], save: api.fileLink(job.id, name) });
    }
    if (signal.aborted) return;
    stage.show(stems);
    at("state").textContent = "";
    const load = async () => stage.player.decode(await api.file(job.id, "original", signal));
    const peaks = await api.peaks(job.id, "original", signal); // it is written first, which takes a while
    if (!signal.aborted) stage.showOriginal({ peaks, load });
  } catch (error) {
    if (!signal.aborted) at("state").textContent = say("unplayable", error.message);
  }
}

function close() {
  opening.abort();
  opening = new AbortController();
  opened = null;
  if (stage.player.length) stage.clear();
  at("state").textContent = "";
  at("player").hidden = true;
  songs.choose(null);
}

at("files").onchange = () => {
  for (const file of at("files").files) songs.submit(file);
  at("files").value = "";
};
acceptDrops(at("drop"), (file) => songs.submit(file));
