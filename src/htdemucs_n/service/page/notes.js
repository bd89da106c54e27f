// The notes of the song that is open: a button that shows them in the lanes, and a link to the MIDI file.

import * as api from "./api.js";
import { button, element } from "./dom.js";
import { inLanguage } from "./said.js";
import { say } from "./words.js";

export class Notes {
  #stage;
  #job = null;
  #shown = false;
  #show = button("notes", () => this.#toggle());
  #save = element("a", { className: "small", textContent: say("midi"), hidden: true });
  /** What is shown in the title of the player. */
  roots = [this.#save, this.#show];

  constructor(stage) {
    this.#stage = stage;
  }

  /** Begin with the song of a job; its notes are not shown yet. */
  open(job) {
    this.#job = job;
    this.#show.disabled = false;
    this.#set(null);
  }

  /** Show nothing: this service does not find notes. */
  remove() {
    for (const root of this.roots) root.remove();
  }

  async #toggle() {
    if (this.#shown) {
      this.#set(null);
      return;
    }
    const job = this.#job;
    this.#stage.say(say("findingNotes"));
    this.#show.disabled = true;
    try {
      const { parts, remarks } = await api.notes(job.id);
      if (job === this.#job) {
        this.#set({ parts, seconds: job.seconds });
        this.#stage.say(remarks.map(inLanguage).join(say("semicolon")));
      }
    } catch (error) {
      if (job === this.#job) this.#stage.say(say("noNotes", error.message));
    }
    if (job === this.#job) this.#show.disabled = false;
  }

  /** Show notes, or with null none. */
  #set(found) {
    this.#shown = found !== null;
    this.#show.ariaPressed = String(this.#shown);
    this.#save.hidden = !this.#shown;
    Object.assign(this.#save, api.midiLink(this.#job.id));
    this.#stage.say("");
    this.#stage.showNotes(found);
  }
}
