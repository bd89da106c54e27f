// A lane: the waveform of a stem with its solo, mute and volume.

import { fileLink } from "./api.js";
import { element } from "./songs.js";
import { say } from "./words.js";

export class Lane {
  #player;
  #stem;
  #peaks;
  #loudest; // of all lanes, which share one scale
  #canvas = element("canvas");
  #solo;
  #mute;

  constructor(player, stem, peaks, loudest, job) {
    this.#player = player;
    this.#stem = stem;
    this.#peaks = peaks;
    this.#loudest = loudest;
    const name = say(stem.name);
    this.#solo = this.#toggle("solo", name, "soloOf");
    this.#mute = this.#toggle("mute", name, "muteOf");
    const volume = element("input", { type: "range", min: 0, max: 1.5, step: 0.01, value: 1 });
    volume.ariaLabel = say("volumeOf", name);
    volume.oninput = () => player.change(stem, { volume: Number(volume.value) });
    volume.ondblclick = () => { volume.value = 1; volume.oninput(); };
    const save = element("a", { ...fileLink(job.id, stem.name), textContent: "↓", title: say("save", name) });
    save.ariaLabel = save.title;
    this.#canvas.role = "img";
    this.#canvas.ariaLabel = say("waveOf", name);
    this.#canvas.onpointerdown = (event) => {
      const place = this.#canvas.getBoundingClientRect();
      player.seek((event.clientX - place.left) / place.width * player.duration);
    };
    this.root = element(
      "div",
      { className: "lane" },
      element(
        "div",
        {},
        element("div", { className: "label" }, element("span", { textContent: name }), save),
        element("div", { className: "buttons" }, this.#solo, this.#mute),
        volume,
      ),
      this.#canvas,
    );
    this.root.dataset.stem = stem.name;
    new ResizeObserver(() => this.draw()).observe(this.#canvas);
  }

  /** Solo or mute as a click on the button does. */
  press(kind) {
    const field = kind === "solo" ? "solo" : "muted";
    this.#player.change(this.#stem, { [field]: !this.#stem[field] });
  }

  /** Show the state of the player. */
  draw() {
    this.#solo.ariaPressed = String(this.#stem.solo);
    this.#mute.ariaPressed = String(this.#stem.muted);
    this.root.classList.toggle("silent", !this.#player.isHeard(this.#stem));
    const scale = devicePixelRatio;
    const width = Math.round(this.#canvas.clientWidth * scale);
    const height = Math.round(this.#canvas.clientHeight * scale);
    if (!width || !height) return;
    if (this.#canvas.width !== width || this.#canvas.height !== height) Object.assign(this.#canvas, { width, height });
    const paint = this.#canvas.getContext("2d");
    const colour = getComputedStyle(this.#canvas).color;
    const played = this.#player.duration ? this.#player.position / this.#player.duration * width : 0;
    paint.clearRect(0, 0, width, height);
    paint.fillStyle = colour;
    const bars = Math.max(1, Math.floor(width / (3 * scale)));
    const points = this.#peaks.length / 2;
    for (let bar = 0; bar < bars; bar++) {
      const from = Math.floor(bar * points / bars);
      const to = Math.max(from + 1, Math.floor((bar + 1) * points / bars));
      let low = 0;
      let high = 0;
      for (let point = from; point < to; point++) {
        low = Math.min(low, this.#peaks[2 * point]);
        high = Math.max(high, this.#peaks[2 * point + 1]);
      }
      const x = bar * width / bars;
      const top = height / 2 * (1 - 0.94 * high / this.#loudest);
      const bottom = height / 2 * (1 - 0.94 * low / this.#loudest);
      paint.globalAlpha = x < played ? 1 : 0.5;
      paint.fillRect(x, top - scale / 2, 2 * scale, Math.max(scale, bottom - top + scale));
    }
    paint.globalAlpha = 1;
    paint.fillRect(Math.min(width - 2 * scale, played), 0, 2 * scale, height);
  }

  #toggle(kind, name, label) {
    const button = element("button", { type: "button", textContent: say(kind) });
    button.ariaLabel = say(label, name);
    button.onclick = () => this.press(kind);
    return button;
  }
}
