// Recording from the microphone: the browser encodes it, and it becomes a song like any other.

import { button, element } from "./dom.js";
import { clock, say } from "./words.js";

const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false }; // these are for speech
const BITS = 256000; // a second

export class Recorder {
  #onFile;
  #recorder = null;
  #timer = 0;
  root = button("record", () => this.#toggle());
  note = element("p", { className: "small", role: "status" });

  /** `onFile` gets each recording as a file. */
  constructor(onFile) {
    this.#onFile = onFile;
  }

  async #toggle() {
    if (this.#recorder) return this.#recorder.stop();
    if (!navigator.mediaDevices) { // only pages by HTTPS, or of this computer, have it
      this.note.textContent = say("noMicrophone");
      return null;
    }
    try {
      this.#start(await navigator.mediaDevices.getUserMedia({ audio: AS_IT_IS }));
    } catch (error) {
      this.note.textContent = say("noMicrophoneHere", error.message);
    }
    return null;
  }

  #start(stream) {
    const recorder = new MediaRecorder(stream, { audioBitsPerSecond: BITS });
    const parts = [];
    const begun = Date.now();
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = () => {
      for (const track of stream.getTracks()) track.stop(); // the sign of the browser that it listens goes
      clearInterval(this.#timer);
      this.#recorder = null;
      this.#show("");
      const type = recorder.mimeType.split(";")[0];
      const name = say("recordingName", new Date(begun).toLocaleString("sv").replaceAll(":", ".")); // 2026-01-31 12.00.00
      this.#onFile(new File(parts, `${name}.${type.split("/")[1]}`, { type }));
    };
    recorder.start();
    this.#recorder = recorder;
    const show = () => this.#show(say("recording", clock((Date.now() - begun) / 1000)));
    this.#timer = setInterval(show, 500);
    show();
  }

  #show(text) {
    const key = this.#recorder ? "stop" : "record";
    this.note.textContent = text;
    Object.assign(this.root, { textContent: say(key), title: say(key), ariaLabel: say(key) });
    this.root.classList.toggle("recording", this.#recorder !== null);
  }
}
