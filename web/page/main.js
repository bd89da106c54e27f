// The page: files dropped or chosen are separated in this tab, and played as in the studio.

import "./words_of_the_tab.js";
import * as api from "./api.js";
import { problem, settle } from "./browser.js";
import { decode, RATE } from "./decode.js";
import { element } from "./dom.js";
import { acceptDrops } from "./drop.js";
import { chosenModel, showModels } from "./models.js";
import { Songs } from "./songs.js";
import { Stage } from "./stage.js";
import { fillIn, say } from "./words.js";

const at = (id) => document.getElementById(id);
let stage = null;
let songs = null;
let opened = null;

fillIn(document.body);
const wrong = problem();
if (wrong) at("drop").replaceChildren(element("p", { className: "wrong", role: "alert", textContent: wrong }));
else start();

async function start() {
  stage = new Stage();
  at("stage").append(stage.root);
  songs = new Songs(at("list"), at("none"), open);
  api.choose(chosenModel);
  showModels(at("models"));
  api.jobs.onNote = (text) => { at("notes").textContent = text; };
  api.jobs.onJob = (job) => {
    songs.show(job);
    if (job.id === opened) at("playing").textContent = job.name;
  };
  api.jobs.onDeleted = (id) => {
    songs.forget(id);
    if (id === opened) close();
  };
  at("files").onchange = () => {
    for (const file of at("files").files) songs.submit(file);
    at("files").value = "";
  };
  acceptDrops(at("drop"), (file) => songs.submit(file));
  self.onbeforeunload = (event) => { if (api.jobs.isBusy) event.preventDefault(); };
  const isolated = await settle(() => { at("offline").textContent = say("kept"); });
  if (!isolated) at("notes").textContent = say("slow");
}

/** Load the stems of a job into the player. */
async function open(job) {
  close();
  opened = job.id;
  songs.choose(job.id);
  at("player").hidden = false;
  at("playing").textContent = job.name;
  const { file, results } = api.jobs.get(job.id);
  const title = job.name.replace(/\.[^.]*$/, "");
  Object.assign(at("zip"), { href: results.zip, download: `${title}.zip` });
  stage.player.open(RATE);
  try {
    const stems = [];
    for (const [number, { name, blob, address, outline }] of results.files.entries()) {
      at("state").textContent = say("loading", number + 1, results.files.length);
      const buffer = await stage.player.decode(await blob.arrayBuffer());
      const save = { href: address, download: `${title} - ${name}.wav` };
      stems.push({ name, buffer, peaks: outline, save });
    }
    if (opened !== job.id) return;
    stage.show(stems);
    stage.showOriginal({ peaks: results.outline, load: () => decode(file) });
    at("state").textContent = "";
  } catch (error) {
    if (opened === job.id) at("state").textContent = say("unplayable", error.message);
  }
}

function close() {
  opened = null;
  if (stage.player.length) stage.clear();
  at("state").textContent = "";
  at("player").hidden = true;
  songs.choose(null);
}
