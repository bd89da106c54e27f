// The player with its lanes: ruler, stems, original, transport and keys. It knows nothing of where songs come from.

import { button, element } from "./dom.js";
import { Lane } from "./lane.js";
import { Player } from "./player.js";
import { Ruler } from "./ruler.js";
import { clock, exactClock, say } from "./words.js";

const STEP = 5; // seconds that an arrow key moves

export class Stage {
  player = new Player();
  #lanes = [];
  #originalLane = null;
  #loadOriginal = null;
  #loading = null; // the promise of the original
  #lastLoop = null;
  #notes = null;
  #next = 0;
  #ruler = new Ruler(this.player);
  #rows = element("div", { className: "lanes" });
  #play = element("button", { type: "button", className: "round" });
  #loop = button("loop", () => this.toggleLoop());
  #compare = button("compare", () => this.compare());
  #position = element("input", { type: "range", min: 0, max: 1000, value: 0, step: 1 });
  #time = element("output", { className: "time" });
  #note = element("p", { className: "small note", role: "status" });

  /** `more` are elements that are shown below the transport. */
  constructor(...more) {
    const transport = element("div", { className: "transport" }, this.#play, this.#position, this.#time, this.#loop, this.#compare);
    const keys = element("details", { className: "small keys" }, element("summary", { textContent: say("keysTitle") }), element("p", { textContent: say("keys") }));
    this.root = element("div", { className: "stage" }, this.#ruler.root, this.#rows, transport, ...more, this.#note, keys);
    this.#position.ariaLabel = say("position");
    this.#position.oninput = () => this.player.seek(this.#position.value / 1000 * this.player.duration);
    this.#play.onclick = () => this.toggle();
    this.player.onChange = () => this.draw();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    document.addEventListener("keydown", (event) => this.#key(event));
    this.draw();
  }

  /**
   * Show the stems of a song. The player was opened at its rate before.
   *
   * Each is `{name, buffer, peaks, save}` with an AudioBuffer; `save` are properties of a link that saves it, or null.
   */
  show(stems) {
    const { player } = this;
    player.setStems(stems.map(({ name, buffer }) => [name, buffer]));
    const loudest = Math.max(...stems.map(({ peaks }) => loudestOf(peaks)));
    this.#lanes = player.stems.map((stem, number) => new Lane(player, stem, { ...stems[number], loudest }));
    this.#originalLane = null;
    this.#lastLoop = null;
    this.#rows.replaceChildren(...this.#lanes.map((lane) => lane.root));
    this.say("");
    this.showNotes(this.#notes);
  }

  /** Show the same stems in another version, as `show` takes them. */
  exchange(stems) {
    this.#lanes.forEach((lane, number) => lane.exchange(stems[number]));
    this.#lastLoop = null;
    this.player.exchange(stems.map(({ buffer }) => buffer));
  }

  /** Show the song itself as a lane too. `load` gives the promise of its AudioBuffer when it is first heard. */
  showOriginal({ peaks, load }) {
    const { player } = this;
    this.#originalLane?.root.remove();
    this.#loadOriginal = load;
    this.#originalLane = new Lane(player, player.original, {
      peaks,
      loudest: loudestOf(peaks),
      onListen: () => this.compare(),
      load: () => this.#needOriginal(),
    });
    this.#rows.append(this.#originalLane.root);
    this.draw();
  }

  /** Show the notes of stems, `{parts: {stem: notes}, seconds}`, over their waveforms; null: no longer. */
  showNotes(found) {
    this.#notes = found;
    for (const lane of this.#lanes) {
      const notes = found?.parts[lane.name];
      lane.roll = notes ? { notes, seconds: found.seconds } : null;
    }
    this.draw();
  }

  /** Show beats, at times in seconds, in the ruler. */
  showBeats(times) {
    this.#ruler.beats = times;
    this.#ruler.draw();
  }

  /** Show nothing. */
  clear() {
    this.player.setStems([]);
    this.#lanes = [];
    this.#originalLane = null;
    this.#loadOriginal = null;
    this.#rows.replaceChildren();
    this.draw();
  }

  /** A line under the transport. */
  say(text) {
    this.#note.textContent = text;
  }

  toggle() {
    if (this.player.isPlaying) this.player.pause();
    else this.player.play();
  }

  /** Loop as before or the whole song, or no longer. */
  toggleLoop() {
    const { player } = this;
    if (!player.length) return;
    if (!player.loop) player.setLoop(this.#lastLoop ?? { start: 0, end: player.length });
    else {
      this.#lastLoop = player.loop;
      player.setLoop(null);
    }
  }

  /** Let the loop start or end here. */
  #markLoop(edge) {
    const { player } = this;
    const here = Math.round(player.position * player.sampleRate);
    const loop = { ...(player.loop ?? { start: 0, end: player.length }), [edge]: here };
    if (edge === "start") loop.end = loop.end > here ? loop.end : player.length;
    else loop.start = loop.start < here ? loop.start : 0;
    player.setLoop({ start: loop.start, end: Math.max(loop.end, 1) });
  }

  /** Hear the original in place of the mix, or the mix again. */
  async compare() {
    if (this.#originalLane && await this.#needOriginal()) await this.player.compare(!this.player.hearsOriginal);
  }

  /** The samples of the original, which are loaded when they are first needed; null where that fails. */
  async #needOriginal() {
    const { player } = this;
    if (player.original.buffer) return player.original.buffer;
    this.say(say("loadingOriginal"));
    try {
      this.#loading ??= this.#loadOriginal();
      const buffer = await this.#loading;
      if (player.original.buffer !== buffer) player.setOriginal(buffer);
      this.say("");
    } catch (error) {
      this.say(say("unplayable", error.message));
    }
    this.#loading = null;
    return player.original.buffer;
  }

  /** Show the state of the player, and go on while it plays. */
  draw() {
    const { player } = this;
    for (const lane of this.#all()) lane.draw();
    this.#ruler.draw();
    for (const control of [this.#play, this.#loop, this.#compare]) control.disabled = !player.length;
    this.#compare.hidden = !this.#originalLane;
    this.#play.textContent = player.isPlaying ? "❚❚" : "▶";
    this.#play.ariaLabel = say(player.isPlaying ? "pause" : "play");
    this.#loop.ariaPressed = String(player.loop !== null);
    this.#compare.ariaPressed = String(player.hearsOriginal);
    const loop = player.drawnLoop ?? player.loop;
    this.#loop.title = loop ? `${exactClock(loop.start / player.sampleRate)} – ${exactClock(loop.end / player.sampleRate)}` : say("loop");
    this.#position.value = player.duration ? 1000 * player.position / player.duration : 0;
    this.#position.ariaValueText = clock(player.position);
    this.#time.textContent = `${clock(player.position)} / ${clock(player.duration)}`;
    cancelAnimationFrame(this.#next);
    if (player.isPlaying) this.#next = requestAnimationFrame(() => this.draw());
  }

  #all() {
    return this.#originalLane ? [...this.#lanes, this.#originalLane] : this.#lanes;
  }

  #key(event) {
    if (!this.#lanes.length || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("dialog, select, input:not([type=range])")) return;
    if (event.target.closest("input") && event.code.startsWith("Arrow")) return; // moves that slider
    if (event.target.closest("button, a, summary") && event.code === "Space") return; // presses that button
    const { player } = this;
    const digit = /^Digit([1-9])$/.exec(event.code);
    const acts = {
      Space: () => this.toggle(),
      ArrowLeft: () => player.seek(player.position - STEP),
      ArrowRight: () => player.seek(player.position + STEP),
      BracketLeft: () => this.#markLoop("start"),
      BracketRight: () => this.#markLoop("end"),
      KeyL: () => this.toggleLoop(),
      KeyA: () => this.compare(),
    };
    if (digit) this.#lanes[digit[1] - 1]?.press(event.shiftKey ? "mute" : "solo");
    else if (acts[event.code]) acts[event.code]();
    else return;
    event.preventDefault();
  }
}

const loudestOf = (peaks) => peaks.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
