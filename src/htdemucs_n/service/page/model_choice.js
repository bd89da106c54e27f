// The choice of the model and the engine of the next songs, where there is more than one.

import { element } from "./dom.js";
import { say } from "./words.js";

export class ModelChoice {
  #model = element("select", { id: "model" });
  #engine = element("select", { id: "engine" });
  root = element("div", { className: "choice", hidden: true }, row("model", this.#model), row("engine", this.#engine));

  /** Offer models `{name, description}`, the first of which is the default, and names of engines. */
  offer(models, engines) {
    this.root.hidden = models.length < 2;
    if (this.root.hidden || this.#model.options.length === models.length) return; // what was chosen stays
    this.#model.replaceChildren(...models.map(({ name, description }) => option(name, description ? `${name} · ${description}` : name)));
    this.#engine.replaceChildren(...engines.map((name) => option(name, name)));
  }

  /** The options of a job. */
  get chosen() {
    return this.root.hidden ? {} : { model: this.#model.value, engine: this.#engine.value };
  }
}

const option = (value, textContent) => element("option", { value, textContent, title: textContent });

const row = (key, control) => element("label", {}, element("span", { textContent: say(key) }), control);
