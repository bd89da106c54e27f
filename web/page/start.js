// The page of the studio, and what this page has besides: models, licence, notes, and what the browser has to be able
// to do.

import "./words_of_the_tab.js";
import "./main.js";
import { jobs } from "./api.js";
import { problem, settle } from "./browser.js";
import { element } from "./dom.js";
import { showModels } from "./models_of_the_tab.js";
import { say } from "./words.js";

const drop = document.getElementById("drop");
const notes = element("p", { className: "small", role: "status" });
const kept = element("p", { id: "offline", className: "small", role: "status" });
const licence = element("a", { href: "LICENSE-WEIGHTS.md", textContent: say("licenceMore") });

document.title = document.querySelector("h1").textContent = say("title");
document.querySelector("header").append(kept);
document.body.append(element("footer", {}, notes, element("p", { className: "small" }, say("licence"), " ", licence)));

const wrong = problem();
if (wrong) {
  drop.replaceChildren(element("p", { className: "wrong", role: "alert", textContent: wrong }));
  document.ondrop = (event) => event.preventDefault();
} else {
  showModels(drop);
  jobs.onNote = (text) => { notes.textContent = text; };
  self.onbeforeunload = (event) => { if (jobs.isBusy) event.preventDefault(); };
  const isolated = await settle(() => { kept.textContent = say("kept"); }, () => !jobs.isEmpty);
  if (!isolated) notes.textContent = say("slow");
}
