// The page: files dropped or chosen go to the service, separated songs to the player.

import * as api from "./api.js";
import { button } from "./dom.js";
import { acceptDrops } from "./drop.js";
import { ExportDialog } from "./exporting.js";
import { askForToken } from "./login.js";
import { ModelChoice } from "./model_choice.js";
import { Notes } from "./notes.js";
import { Opener } from "./opener.js";
import { Recorder } from "./record.js";
import { Songs } from "./songs.js";
import { Stage } from "./stage.js";
import { Versions } from "./versions.js";
import { bytes, fillIn, say } from "./words.js";

const AGAIN = 3000; // milliseconds after which a service that did not answer is asked again

const at = (id) => document.getElementById(id);
const models = new ModelChoice();
const versions = new Versions((version) => opener.change(version));
const stage = new Stage(...(api.hasVersions ? [versions.root] : []));
const opener = new Opener(stage, (text) => { at("state").textContent = text; });
opener.onFacts = (text) => { at("facts").textContent = text; };

fillIn(document.body);
if (!["localhost", "127.0.0.1", "[::1]"].includes(location.hostname)) at("where").textContent = say("dropThere", location.host);
at("stage").append(stage.root);
if (api.makeFile) {
  const dialog = new ExportDialog(stage.player, opener);
  document.body.append(dialog.root);
  at("actions").append(button("export", () => stage.player.length && dialog.open()));
}
const notes = api.notes ? new Notes(stage) : null;
if (notes) at("actions").append(...notes.roots);
const songs = new Songs(at("list"), at("none"), open);

function open(job) {
  songs.choose(job.id);
  versions.reset();
  notes?.open(job);
  at("player").hidden = false;
  at("playing").textContent = job.name;
  at("playing").focus(); // the player comes into sight, and Space plays: on the button of the song it would open it again
  Object.assign(at("zip"), api.zipLink(job.id));
  opener.open(job);
}

function close() {
  opener.close();
  at("player").hidden = true;
  songs.choose(null);
}

const submit = (file) => songs.submit(file, models.chosen);
at("files").onchange = () => {
  for (const file of at("files").files) submit(file);
  at("files").value = "";
};
acceptDrops(at("drop"), submit);
at("drop").append(models.root);
if (api.describe) {
  const recorder = new Recorder(submit);
  at("drop").querySelector(".ways").append(recorder.root);
  at("drop").append(recorder.note);
}

/** Show the size of the library. */
async function describe() {
  const found = await api.describe?.();
  if (found?.analyses === false) {
    notes.remove();
    opener.findsFacts = false;
  }
  if (found?.models) models.offer(found.models, found.engines);
  if (found) at("size").textContent = say("size", bytes(found.bytes), bytes(found.most));
  return found;
}

/** Follow the jobs, with the token where the service wants one; later where it does not answer. */
async function start() {
  try {
    if (await describe() === null) {
      await askForToken();
      await describe();
    }
  } catch {
    startLater();
    return;
  }
  api.follow({
    onJob: (job) => {
      songs.show(job);
      if (job.id === opener.job?.id) at("playing").textContent = job.name;
      if (job.state === "done") refresh();
    },
    onDeleted: forget,
    onConnection: (there) => {
      at("connection").textContent = there ? "" : say("lost");
      if (there) forgetDeleted().catch(() => {});
    },
    onEnd: startLater,
  });
}

function startLater() {
  at("connection").textContent = say("lost");
  setTimeout(start, AGAIN);
}

function forget(id) {
  songs.forget(id);
  if (id === opener.job?.id) close();
  refresh();
}

/** Forget the songs that were deleted while the service could not be followed. */
async function forgetDeleted() {
  const shown = songs.ids;
  const there = new Set((await api.list()).map((job) => job.id));
  for (const id of shown) if (!there.has(id)) forget(id);
}

/** Show the size again, once for many changes. */
function refresh() {
  clearTimeout(refresh.waiting);
  refresh.waiting = setTimeout(() => describe().catch(() => {}), 500);
}

start();
