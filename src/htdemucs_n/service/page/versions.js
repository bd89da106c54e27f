// Tempo and pitch: two sliders, and a wait until they stand still.

import { element, slider } from "./dom.js";
import { say } from "./words.js";

const PAUSE = 600; // milliseconds in which a slider must not move before the lanes are rendered

export class Versions {
  #onChange;
  #waiting = 0;
  #tempo = this.#control("tempo", { min: 50, max: 200, step: 1, value: 100 }, (value) => `${value} %`);
  #pitch = this.#control("pitch", { min: -12, max: 12, step: 1, value: 0 }, (value) => (value > 0 ? `+${value}` : `${value}`));
  root = element("div", { className: "versions" }, this.#tempo.root, this.#pitch.root);

  /** `onChange` gets `{tempo, pitch}`, or null for the song as it is. */
  constructor(onChange) {
    this.#onChange = onChange;
  }

  /** Show the song as it is, without a change. */
  reset() {
    clearTimeout(this.#waiting);
    this.#tempo.set(100);
    this.#pitch.set(0);
  }

  #control(key, range, text) {
    const shown = element("output");
    const show = (value) => { shown.textContent = text(value); input.ariaValueText = text(value); };
    const input = slider(say(key), range, (value) => { show(value); this.#wait(); });
    show(range.value);
    const root = element("label", {}, element("span", { textContent: say(key) }), input, shown);
    return { root, input, set: (value) => { input.value = value; show(value); } };
  }

  #wait() {
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => {
      const [tempo, pitch] = [Number(this.#tempo.input.value) / 100, Number(this.#pitch.input.value)];
      this.#onChange(tempo === 1 && pitch === 0 ? null : { tempo, pitch });
    }, PAUSE);
  }
}
