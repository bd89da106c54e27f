// A lane: the waveform of a stem, or of the song itself, with what can be done with it.

import { button, element, paintOn, slider } from "./dom.js";
import { followPointer } from "./dragging.js";
import { paintRoll } from "./roll.js";
import { coloured, spectrogram } from "./spectrogram.js";
import { say } from "./words.js";

const BAR = 3; // pixels of a bar of the waveform, with the gap behind it

export class Lane {
  #player;
  #stem;
  #peaks;
  #loudest; // of all lanes, which share one scale
  #canvas = element("canvas");
  #save = null;
  #solo = null;
  #mute = null;
  #listen = null;
  #bands = null; // the button of the spectrogram
  #picture = null; // of the spectrogram; null: the waveform is shown
  #painted = null; // the picture as a canvas, in the colour under which it is kept
  /** The notes of the stem, `[{start, end, pitch, velocity}]`, and `seconds`, the length of the song in which they lie; or null. */
  roll = null;

  /**
   * A lane of a player: `peaks` are pairs of the lowest and highest sample, of which `loudest` is the greatest of all
   * lanes. `save` are properties of a link that saves the stem, or null. The original has `onListen` in place of
   * solo, mute, volume and pan; `load` gives the promise of its AudioBuffer where the stem has none yet.
   */
  constructor(player, stem, { peaks, loudest, save = null, onListen = null, load = async () => stem.buffer }) {
    this.#player = player;
    this.#stem = stem;
    this.#peaks = peaks;
    this.#loudest = loudest;
    const name = say(stem.name);
    const label = element("div", { className: "label" }, element("span", { className: "name", textContent: name }));
    this.#bands = button("spectrogramOf", () => this.#toggleSpectrogram(load), { sign: "▤", name: say("spectrogramOf", name) });
    label.append(this.#bands);
    const controls = element("div", { className: "controls" }, label);
    if (save) {
      this.#save = saveLink(save, name);
      label.append(this.#save);
    }
    if (onListen) {
      this.#listen = button("listen", onListen, { name: say("listenTo", name) });
      controls.append(element("div", { className: "buttons" }, this.#listen));
    } else {
      this.#solo = button("solo", () => this.press("solo"), { name: say("soloOf", name) });
      this.#mute = button("mute", () => this.press("mute"), { name: say("muteOf", name) });
      controls.append(element("div", { className: "buttons" }, this.#solo, this.#mute), ...this.#faders(name));
    }
    this.#canvas.role = "img";
    this.#canvas.ariaLabel = say("waveOf", name);
    followPointer(this.#canvas, player);
    this.root = element("div", { className: "lane" }, controls, this.#canvas);
    this.root.dataset.stem = stem.name;
    new ResizeObserver(() => this.draw()).observe(this.#canvas);
  }

  get name() {
    return this.#stem.name;
  }

  /** Show another version of the stem. */
  exchange({ peaks, save }) {
    this.#peaks = peaks;
    this.#picture = null;
    Object.assign(this.#save ?? {}, save);
  }

  /** Solo or mute as a click on the button does. */
  press(kind) {
    const field = kind === "solo" ? "solo" : "muted";
    this.#player.change(this.#stem, { [field]: !this.#stem[field] });
  }

  /** Show the state of the player. */
  draw() {
    this.#showState();
    const canvas = paintOn(this.#canvas);
    if (!canvas) return;
    const { paint, width, height, scale } = canvas;
    const length = this.#player.length || 1;
    const played = this.#player.position / this.#player.duration * width || 0;
    const loop = this.#player.drawnLoop ?? this.#player.loop;
    const [from, to] = loop ? [loop.start / length * width, loop.end / length * width] : [0, width];
    if (this.#picture) this.#drawPicture(paint, [0, from, to, width], height);
    else this.#drawBars(canvas, played, from, to);
    if (this.roll) paintRoll(canvas, this.roll);
    paint.globalAlpha = 1;
    paint.fillRect(Math.min(width - 2 * scale, played), 0, 2 * scale, height);
  }

  #drawBars({ paint, width, height, scale }, played, from, to) {
    const bars = Math.max(1, Math.floor(width / (BAR * scale)));
    for (let bar = 0; bar < bars; bar++) {
      const [low, high] = this.#extremes(bar, bars);
      const x = bar * width / bars;
      const top = height / 2 * (1 - 0.94 * high / this.#loudest);
      const bottom = height / 2 * (1 - 0.94 * low / this.#loudest);
      paint.globalAlpha = (x < played ? 1 : 0.5) * (x < from || x >= to ? 0.35 : 1) * (this.roll ? 0.35 : 1);
      paint.fillRect(x, top - scale / 2, (BAR - 1) * scale, Math.max(scale, bottom - top + scale));
    }
  }

  /** The spectrogram, weaker outside the loop; `edges` are those of the lane and of the loop. */
  #drawPicture(paint, edges, height) {
    const colour = paint.fillStyle; // as #rrggbb, which the colour of the page has become
    if (this.#painted?.colour !== colour) {
      const parts = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
      this.#painted = { colour, canvas: coloured(this.#picture, parts) };
    }
    const { canvas } = this.#painted;
    const width = edges.at(-1);
    for (const [number, left] of edges.slice(0, -1).entries()) {
      const [right, scale] = [edges[number + 1], canvas.width / width];
      paint.globalAlpha = number === 1 ? 1 : 0.35;
      if (right > left) paint.drawImage(canvas, left * scale, 0, (right - left) * scale, canvas.height, left, 0, right - left, height);
    }
  }

  /** Show the spectrogram in place of the waveform, or the waveform again. */
  async #toggleSpectrogram(load) {
    const picture = this.#picture ? null : await spectrogram(await load());
    this.#picture = picture;
    this.#painted = null;
    this.draw();
  }

  #showState() {
    this.#bands.ariaPressed = String(this.#picture !== null);
    if (this.#listen) {
      this.#listen.ariaPressed = String(this.#player.hearsOriginal);
      this.root.classList.toggle("silent", !this.#player.hearsOriginal);
      return;
    }
    this.#solo.ariaPressed = String(this.#stem.solo);
    this.#mute.ariaPressed = String(this.#stem.muted);
    this.root.classList.toggle("silent", this.#player.hearsOriginal || !this.#player.isHeard(this.#stem));
  }

  /** The lowest and the highest sample of one of the bars. */
  #extremes(bar, bars) {
    const points = this.#peaks.length / 2;
    const from = Math.floor(bar * points / bars);
    const to = Math.max(from + 1, Math.floor((bar + 1) * points / bars));
    let low = 0;
    let high = 0;
    for (let point = from; point < to; point++) {
      low = Math.min(low, this.#peaks[2 * point]);
      high = Math.max(high, this.#peaks[2 * point + 1]);
    }
    return [low, high];
  }

  #faders(name) {
    const { volume, pan } = this.#stem;
    const set = (field) => (value) => this.#player.change(this.#stem, { [field]: value });
    const volumes = slider(say("volumeOf", name), { min: 0, max: 1.5, step: 0.01, value: 1 }, set("volume"));
    const pans = slider(say("panOf", name), { min: -1, max: 1, step: 0.02, value: 0 }, set("pan"));
    volumes.value = volume;
    pans.value = pan;
    const show = () => { pans.ariaValueText = panText(Number(pans.value)); };
    pans.addEventListener("input", show);
    show();
    return [volumes, element("div", { className: "pan" }, sign("L"), pans, sign("R"))];
  }
}

const sign = (text) => element("span", { textContent: text, ariaHidden: "true" });

function panText(pan) {
  if (!pan) return say("middle");
  return say(pan < 0 ? "leftBy" : "rightBy", Math.round(100 * Math.abs(pan)));
}

function saveLink(properties, name) {
  const link = element("a", { ...properties, textContent: "↓", title: say("save", name) });
  link.ariaLabel = link.title;
  return link;
}
