// The list of songs: what is being read, what waits, what is separated.

import * as api from "./api.js";
import { element } from "./dom.js";
import { inLanguage } from "./said.js";
import { clock, say } from "./words.js";

export class Songs {
  #list;
  #none;
  #onOpen;
  #items = new Map(); // by id: {job, row, started}
  #chosen = null;

  constructor(list, none, onOpen) {
    this.#list = list;
    this.#none = none;
    this.#onOpen = onOpen;
  }

  /** Send a file to the service; `options` are those of its job. */
  async submit(file, options) {
    const row = element("li");
    this.#list.prepend(row);
    const draw = (part) => this.#fill(row, file.name, { progress: part, text: say("uploading", Math.round(100 * part)) });
    draw(0);
    this.#none.hidden = true;
    try {
      const job = await api.submit(file, draw, options);
      row.remove();
      if (!this.#items.has(job.id)) this.show(job); // the events may have come first, and are newer
    } catch (error) {
      const dismiss = this.#button("again", () => { row.remove(); this.#count(); });
      this.#fill(row, file.name, { text: say("failed", error.message || say("lost")), wrong: true, buttons: [dismiss] });
    }
    this.#count();
  }

  /** Show a job, or what has become of it. */
  show(job) {
    const item = this.#items.get(job.id) ?? { row: element("li"), started: 0 };
    if (!this.#items.has(job.id)) this.#list.prepend(item.row);
    if (job.state === "running" && item.job?.state !== "running") item.started = Date.now();
    const before = item.job;
    item.job = job;
    this.#items.set(job.id, item);
    if (job.state === "running" && before?.state === "running" && before.name === job.name) {
      const text = this.#time(job, item.started); // the row stays, or a click on its button would be lost
      item.row.querySelector("progress").value = job.progress;
      item.row.querySelector("p").textContent = text;
    } else {
      this.#draw(item);
    }
    this.#count();
  }

  /** A job was deleted. */
  forget(id) {
    this.#items.get(id)?.row.remove();
    this.#items.delete(id);
    this.#count();
  }

  /** The ids of all jobs that are shown. */
  get ids() {
    return [...this.#items.keys()];
  }

  /** Mark the song that is played. */
  choose(id) {
    this.#chosen = id;
    for (const item of this.#items.values()) item.row.classList.toggle("chosen", item.job.id === id);
  }

  #draw({ job, row, started }) {
    const cancel = this.#button("cancel", () => this.#ask(row, api.cancel(job.id)));
    const remove = this.#button("remove", () => confirm(say("reallyRemove", job.name)) && this.#ask(row, api.remove(job.id)));
    const rename = this.#button("rename", () => {
      const name = prompt(say("newName"), job.name)?.trim();
      if (name) this.#ask(row, api.rename(job.id, name));
    });
    const shown = {
      queued: () => ({ text: say("queued"), buttons: [cancel] }),
      running: () => ({ progress: job.progress, text: this.#time(job, started), buttons: [cancel] }),
      done: () => ({ open: () => this.#onOpen(job), text: job.notes?.map(inLanguage).join(say("semicolon")), buttons: [rename, remove] }),
      failed: () => ({ text: say("failed", inLanguage(job.error)), wrong: true, buttons: [remove] }),
      cancelled: () => ({ text: say("cancelled"), buttons: [remove] }),
    }[job.state]();
    this.#fill(row, job.name, shown);
    row.classList.toggle("chosen", job.id === this.#chosen);
  }

  /** Wait for an answer; the row of a song says why the service refuses something. */
  async #ask(row, answer) {
    row.querySelector(".refused")?.remove();
    try {
      await answer;
    } catch (error) {
      row.append(element("p", { className: "small wrong refused", role: "alert", textContent: error.message }));
    }
  }

  #time(job, started) {
    const words = say("running", Math.round(100 * job.progress));
    if (!job.progress) return words;
    return `${words} · ${say("left", clock((Date.now() - started) / 1000 / job.progress * (1 - job.progress)))}`;
  }

  #fill(row, name, { open, progress, text, wrong = false, buttons = [] }) {
    const focused = row.contains(document.activeElement) ? document.activeElement.className : null;
    const title = element("button", { type: "button", className: "name", textContent: name, title: name, disabled: !open });
    if (open) {
      title.ariaLabel = say("open", name);
      title.onclick = open;
    }
    row.replaceChildren(title, element("span", {}, ...buttons));
    if (progress !== undefined) row.append(element("progress", { value: progress, max: 1, ariaLabel: text }));
    if (text) row.append(element("p", { className: wrong ? "small wrong" : "small", textContent: text }));
    if (focused) row.querySelector(`[class="${focused}"]`)?.focus();
  }

  #button(key, onclick) {
    return element("button", { type: "button", className: `plain ${key}`, textContent: say(key), onclick });
  }

  #count() {
    this.#none.hidden = this.#list.children.length > 0;
  }
}
