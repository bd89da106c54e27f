// The dialog that saves a file: the mix as the faders stand, without vocals or drums, the stems, or the loop alone.

import * as api from "./api.js";
import { button, element } from "./dom.js";
import { say } from "./words.js";

const STEM_FILE = "stem.mp4";
const DRUMS = ["drums", "kick", "snare", "toms", "hihat", "cymbals"]; // as one stem, or in parts
const WITHOUT = { karaoke: ["vocals"], drumless: DRUMS }; // a preset, and the stems that it leaves out

export class ExportDialog {
  #player;
  #opener;
  #what = element("select", { id: "export-what" });
  #format = element("select", { id: "export-format" });
  #loop = element("input", { type: "checkbox", id: "export-loop" });
  #loopRow = element("label", { className: "check" }, this.#loop, element("span", { textContent: say("onlyLoop") }));
  #save = button("save_file", () => this.#make());
  #note = element("p", { className: "small", role: "status" });
  root;

  constructor(player, opener) {
    this.#player = player;
    this.#opener = opener;
    this.#save.className = "main";
    this.#format.append(...api.FORMATS.filter((name) => name !== STEM_FILE).map((name) => option(name, name)));
    this.#what.onchange = () => this.#show();
    const close = button("close", () => this.root.close());
    this.root = element(
      "dialog",
      { ariaLabel: say("export") },
      element("h2", { textContent: say("export") }),
      row("what", this.#what),
      row("format", this.#format),
      this.#loopRow,
      this.#note,
      element("div", { className: "actions" }, close, this.#save),
    );
    this.root.onclick = (event) => { if (event.target === this.root) this.root.close(); }; // beside it
  }

  /** Show the dialog for the song that is open. */
  open() {
    const names = this.#player.stems.map((stem) => stem.name);
    const presets = Object.keys(WITHOUT).filter((preset) => WITHOUT[preset].some((name) => names.includes(name)));
    const chosen = this.#what.value;
    const kinds = ["mix", ...presets, "stems"];
    if (api.FORMATS.includes(STEM_FILE) && ["drums", "bass", "other", "vocals"].every((name) => names.includes(name))) kinds.push(STEM_FILE);
    this.#what.replaceChildren(
      ...kinds.map((kind) => option(kind, say(`export_${kind.replace(".", "_")}`))),
      ...names.map((name) => option(`stem ${name}`, say(name))),
    );
    if ([...this.#what.options].some(({ value }) => value === chosen)) this.#what.value = chosen;
    this.#note.textContent = "";
    this.#show();
    this.root.showModal();
  }

  #show() {
    this.#format.disabled = this.#what.value === STEM_FILE;
    this.#loopRow.hidden = !this.#player.loop;
    this.#loop.checked &&= this.#player.loop !== null;
  }

  async #make() {
    this.#save.disabled = true;
    this.#note.textContent = say("writing");
    try {
      const { link, gain, sampleRate } = await api.makeFile(this.#opener.job.id, this.#wanted());
      const notes = [gain < 1 ? say("scaled", Math.round(100 * gain)) : "", sampleRate !== this.#player.sampleRate ? say("otherRate", sampleRate) : ""];
      this.#note.textContent = notes.filter(Boolean).join(" ") || say("written");
      element("a", { ...link, download: link.download ?? "" }).click();
    } catch (error) {
      this.#note.textContent = say("failed", error.message);
    }
    this.#save.disabled = false;
  }

  /** What the service is asked for. */
  #wanted() {
    const { stems, loop, sampleRate } = this.#player;
    const kind = this.#what.value;
    const wanted = { format: kind === STEM_FILE ? STEM_FILE : this.#format.value, ...this.#opener.version };
    if (loop && this.#loop.checked) Object.assign(wanted, { start: loop.start / sampleRate, end: loop.end / sampleRate });
    if (kind.startsWith("stem ")) return { ...wanted, stems: [kind.slice(5)] };
    if (kind === "stems" || kind === STEM_FILE) return wanted;
    const faders = kind === "mix"
      ? stems.filter((stem) => this.#player.level(stem)).map((stem) => [stem.name, { volume: stem.volume, pan: stem.pan }])
      : stems.filter((stem) => !WITHOUT[kind].includes(stem.name)).map((stem) => [stem.name, {}]);
    if (!faders.length) throw new Error(say("nothingHeard"));
    return { ...wanted, mix: Object.fromEntries(faders), title: kind };
  }
}

const option = (value, text) => element("option", { value, textContent: text });

const row = (key, control) => element("label", {}, element("span", { textContent: say(key) }), control);
