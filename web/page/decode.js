// From a file to the samples that the networks take, by the decoders of the browser.

import { say } from "./words.js";

export const RATE = 44100; // of the networks, Hz

const BYTES_A_SECOND = RATE * 4 * (2 + 4 * 2); // of the song and its four stems, while they are played
const UNKNOWN_MEMORY = 4; // GiB, where the browser does not say it
const MOST_MEMORY = 16; // GiB; of what this allows, the zip file still has less than 4 GiB
const SHARE = 0.5; // of the memory that the page may take

/** An `AudioBuffer` of a file, with one channel or two, at RATE. Throws an `Error` with one line for the user. */
export async function decode(file) {
  if (!file.size) throw new Error(say("emptyFile"));
  checkLength(await lengthOf(file));
  let buffer;
  try {
    const context = new OfflineAudioContext({ numberOfChannels: 2, length: 1, sampleRate: RATE });
    buffer = await context.decodeAudioData(await file.arrayBuffer());
  } catch (error) {
    if (error instanceof RangeError) throw new Error(say("noMemory"));
    throw new Error(say(error.name === "NotReadableError" || error.name === "NotFoundError" ? "unreadable" : "notAudio"));
  }
  if (!buffer.length) throw new Error(say("emptyFile"));
  checkLength(buffer.duration);
  return buffer.numberOfChannels > 2 ? mixedDown(buffer) : buffer;
}

function checkLength(seconds) {
  const memory = Math.min(navigator.deviceMemory ?? UNKNOWN_MEMORY, MOST_MEMORY);
  const most = SHARE * 2 ** 30 * memory / BYTES_A_SECOND;
  if (seconds > most) throw new Error(say("tooLong", Math.floor(most / 60)));
}

/** The seconds that the header of a file names, before it is decoded; NaN where it does not. */
function lengthOf(file) {
  const audio = new Audio();
  return new Promise((resolve) => {
    audio.onloadedmetadata = () => resolve(audio.duration);
    audio.onerror = () => resolve(NaN);
    setTimeout(() => resolve(NaN), 3000);
    audio.preload = "metadata";
    audio.src = URL.createObjectURL(file);
  }).finally(() => {
    URL.revokeObjectURL(audio.src);
    audio.removeAttribute("src");
  });
}

/** Surround as stereo, as the browser does it (Web Audio, "speakers"). */
function mixedDown(buffer) {
  const context = new OfflineAudioContext({ numberOfChannels: 2, length: buffer.length, sampleRate: buffer.sampleRate });
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  source.start();
  return context.startRendering();
}
