// The page: files dropped or chosen go to the service, separated songs to the player.

import * as api from "./api.js";
import { Lane } from "./lane.js";
import { Player } from "./player.js";
import { Songs } from "./songs.js";
import { clock, fillIn, say } from "./words.js";

const STEP = 5; // seconds that an arrow key moves

const at = (id) => document.getElementById(id);
const player = new Player();
let lanes = [];
let opening = new AbortController();
let opened = null;

fillIn(document.body);
at("position").ariaLabel = say("position");
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

/** Load the stems of a job into the player. */
async function open(job) {
  opening.abort();
  opening = new AbortController();
  const { signal } = opening;
  const names = Object.keys(job.files);
  close();
  opened = job.id;
  songs.choose(job.id);
  at("player").hidden = false;
  at("playing").textContent = job.name;
  Object.assign(at("zip"), api.zipLink(job.id));
  try {
    const outlines = await Promise.all(names.map((name) => api.peaks(job.id, name, signal)));
    const stems = [];
    for (const [number, name] of names.entries()) {
      at("state").textContent = say("loading", number + 1, names.length);
      stems.push([name, await player.decode(await api.file(job.id, name, signal))]);
    }
    if (signal.aborted) return;
    player.setStems(stems);
    const loudest = Math.max(1, ...outlines.map((outline) => outline.reduce((most, value) => Math.max(most, Math.abs(value)), 0)));
    lanes = player.stems.map((stem, number) => new Lane(player, stem, outlines[number], loudest, job));
    at("lanes").replaceChildren(...lanes.map((lane) => lane.root));
    at("state").textContent = "";
  } catch (error) {
    if (!signal.aborted) at("state").textContent = say("unplayable", error.message);
  }
  draw();
}

function close() {
  player.setStems([]);
  lanes = [];
  opened = null;
  at("lanes").replaceChildren();
  at("player").hidden = true;
  songs.choose(null);
}

player.onChange = draw;

/** Show the state of the player, and go on while it plays. */
function draw() {
  for (const lane of lanes) lane.draw();
  at("play").disabled = !lanes.length;
  at("play").textContent = player.isPlaying ? "❚❚" : "▶";
  at("play").ariaLabel = say(player.isPlaying ? "pause" : "play");
  at("position").value = player.duration ? 1000 * player.position / player.duration : 0;
  at("position").ariaValueText = clock(player.position);
  at("time").textContent = `${clock(player.position)} / ${clock(player.duration)}`;
  cancelAnimationFrame(draw.next);
  if (player.isPlaying) draw.next = requestAnimationFrame(draw);
}

const toggle = () => (player.isPlaying ? player.pause() : player.play());
at("play").onclick = toggle;
at("position").oninput = () => player.seek(at("position").value / 1000 * player.duration);
matchMedia("(prefers-color-scheme: dark)").onchange = draw;

document.onkeydown = (event) => {
  if (!lanes.length || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, button, a") && event.code !== "Space" && !event.code.startsWith("Digit")) return;
  if (event.target.closest("button, a") && event.code === "Space") return; // presses that button
  const digit = /^Digit([1-9])$/.exec(event.code);
  if (event.code === "Space") toggle();
  else if (event.code === "ArrowLeft") player.seek(player.position - STEP);
  else if (event.code === "ArrowRight") player.seek(player.position + STEP);
  else if (digit) lanes[digit[1] - 1]?.press(event.shiftKey ? "mute" : "solo");
  else return;
  event.preventDefault();
};

at("files").onchange = () => {
  for (const file of at("files").files) songs.submit(file);
  at("files").value = "";
};
document.ondragover = (event) => {
  event.preventDefault();
  at("drop").classList.add("over");
};
document.ondragleave = (event) => {
  if (!event.relatedTarget) at("drop").classList.remove("over");
};
document.ondrop = (event) => {
  event.preventDefault();
  at("drop").classList.remove("over");
  // The list is empty once this function has returned, so all entries are taken before the first is read.
  const dropped = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  for (const each of dropped) {
    if (each instanceof File) songs.submit(each);
    else if (each) submitEntry(each);
  }
};

/** Submit a file, or the songs of a folder and its subfolders. */
function submitEntry(entry, inFolder = false) {
  if (entry.isDirectory) {
    const reader = entry.createReader();
    const more = () => reader.readEntries((found) => { // some at a time, until there are none
      for (const inside of found) submitEntry(inside, true);
      if (found.length) more();
    });
    more();
  } else {
    entry.file((file) => {
      if (!inFolder || /^(audio|video)\//.test(file.type)) songs.submit(file);
    });
  }
}
