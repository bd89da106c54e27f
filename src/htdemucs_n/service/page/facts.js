// The tempo and the key of a song as a line of words.

import { say } from "./words.js";

const TONICS = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];

/** What the service has found, as it is in a version of the song. */
export function factLine({ tempo, tonic, minor }, version) {
  const words = [];
  if (tempo) words.push(say("bpm", Math.round(tempo * version.tempo)));
  if (tonic) {
    const moved = TONICS[(TONICS.indexOf(tonic) + Math.round(version.pitch) + 24) % 12];
    words.push(say(minor ? "minor" : "major", moved.replace("#", "♯").replace(/b$/, "♭")));
  }
  return words.join(" · ");
}
