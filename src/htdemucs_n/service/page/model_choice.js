// What separates the next songs: the model and the engine, where there are several, and whether into parts of the drums.

import { element } from "./dom.js";
import { inLanguage } from "./said.js";
import { say } from "./words.js";

export class ModelChoice {
  #model = element("select", { id: "model" });
  #engine = element("select", { id: "engine" });
  #drumKit = element("input", { type: "checkbox", id: "drum-kit" });
  #withDrums = new Set(); // the models whose drums can be taken apart
  root = element("div", { className: "choice", hidden: true }, row("model", this.#model), row("engine", this.#engine), row("drumKit", this.#drumKit));

  constructor() {
    this.#model.onchange = () => this.#allowDrumKit();
  }

  /** Offer models `{name, description, drum_kit}`, the first of which is the default, and names of engines. */
  offer(models, engines) {
    this.root.hidden = models.length < 2;
    if (this.root.hidden || this.#model.options.length === models.length) return; // what was chosen stays
    this.#model.replaceChildren(...models.map(({ name, description }) => option(name, description ? `${name} · ${inLanguage(description)}` : name)));
    this.#engine.replaceChildren(...engines.map((name) => option(name, name)));
    this.#withDrums = new Set(models.filter((model) => model.drum_kit).map(({ name }) => name));
    this.#allowDrumKit();
  }

  /** The options of a job. */
  get chosen() {
    return this.root.hidden ? {} : { model: this.#model.value, engine: this.#engine.value, drum_kit: this.#drumKit.checked };
  }

  /** Let the drums be asked for in parts where the model has drums, and not otherwise. */
  #allowDrumKit() {
    this.#drumKit.disabled = !this.#withDrums.has(this.#model.value);
    if (this.#drumKit.disabled) this.#drumKit.checked = false;
  }
}

const option = (value, textContent) => element("option", { value, textContent, title: textContent });

const row = (key, control) => element("label", {}, element("span", { textContent: say(key) }), control);
