// The ruler above the lanes: the time, and the loop with a handle at each end.

import { element, paintOn } from "./dom.js";
import { followPointer } from "./dragging.js";
import { clock, exactClock, say } from "./words.js";

const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600]; // seconds between two marks
const NARROWEST = 56; // pixels between two marks
const NUDGE = 0.01; // seconds that an arrow key moves a handle; with Shift it is one sample

export class Ruler {
  #player;
  #canvas = element("canvas", { role: "presentation" });
  #region = element("div", { className: "region" });
  #handles;
  beats = []; // seconds
  #place = element("div", { className: "place" }, this.#canvas, this.#region);

  constructor(player) {
    this.#player = player;
    this.#handles = [this.#handle("start"), this.#handle("end")];
    this.#place.append(...this.#handles);
    followPointer(this.#canvas, player);
    this.root = element("div", { className: "ruler" }, this.#place);
    new ResizeObserver(() => this.draw()).observe(this.#canvas);
  }

  /** Show the time and the loop. */
  draw() {
    const loop = this.#player.drawnLoop ?? this.#player.loop;
    for (const each of [this.#region, ...this.#handles]) each.hidden = !loop;
    if (loop) this.#showLoop(loop);
    const canvas = paintOn(this.#canvas);
    if (!canvas || !this.#player.duration) return;
    const { paint, width, height, scale } = canvas;
    const { duration } = this.#player;
    const step = STEPS.find((seconds) => seconds / duration * width >= NARROWEST * scale) ?? STEPS.at(-1);
    paint.font = `${11 * scale}px system-ui, sans-serif`;
    paint.textBaseline = "middle";
    for (let second = 0; second < duration; second += step) {
      const x = second / duration * width;
      paint.fillRect(x, height - 6 * scale, scale, 6 * scale);
      if (x < width - 30 * scale) paint.fillText(clock(second), x + 4 * scale, height / 2);
    }
    this.#drawBeats(canvas);
    const played = this.#player.position / duration * width;
    paint.beginPath();
    paint.moveTo(played - 5 * scale, height - 6 * scale);
    paint.lineTo(played + 5 * scale, height - 6 * scale);
    paint.lineTo(played, height);
    paint.fill();
  }

  /** A dot for each beat, where they do not become a line. */
  #drawBeats({ paint, width, scale }) {
    const { duration } = this.#player;
    if (this.beats.length * 4 * scale > width) return;
    paint.globalAlpha = 0.6;
    for (const time of this.beats) paint.fillRect(time / duration * width - scale / 2, scale, 1.5 * scale, 3 * scale);
    paint.globalAlpha = 1;
  }

  #showLoop({ start, end }) {
    const { length, sampleRate } = this.#player;
    const percent = (sample) => `${100 * sample / length}%`;
    this.#region.style.left = percent(start);
    this.#region.style.width = percent(end - start);
    for (const [number, sample] of [start, end].entries()) {
      const handle = this.#handles[number];
      handle.style.left = percent(sample);
      handle.ariaValueMax = String(this.#player.duration);
      handle.ariaValueNow = String(sample / sampleRate);
      handle.ariaValueText = exactClock(sample / sampleRate);
    }
  }

  /** A handle of the loop, moved by the pointer and by the arrow keys. */
  #handle(edge) {
    const handle = element("div", { className: `handle ${edge}`, role: "slider", tabIndex: 0, title: say(`loop_${edge}`) });
    handle.ariaLabel = handle.title;
    handle.ariaValueMin = "0";
    const move = (sample, settle) => {
      const loop = { ...(this.#player.drawnLoop ?? this.#player.loop) };
      const [least, most] = edge === "start" ? [0, loop.end - 1] : [loop.start + 1, this.#player.length];
      loop[edge] = Math.min(most, Math.max(least, Math.round(sample)));
      if (settle) this.#player.setLoop(loop);
      else this.#player.drawLoop(loop);
    };
    handle.onkeydown = (event) => {
      const direction = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (!direction || !this.#player.loop) return;
      const nudge = event.shiftKey ? 1 : Math.round(NUDGE * this.#player.sampleRate);
      move(this.#player.loop[edge] + direction * nudge, true);
      event.preventDefault();
      event.stopPropagation();
    };
    handle.onpointerdown = (event) => handle.setPointerCapture(event.pointerId);
    handle.onpointermove = (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const { left, width } = this.#place.getBoundingClientRect();
      move((event.clientX - left) / width * this.#player.length, false);
    };
    handle.onpointerup = () => {
      if (this.#player.drawnLoop) this.#player.setLoop(this.#player.drawnLoop);
      this.#player.drawLoop(null);
    };
    return handle;
  }
}
